//! Refresh token (RFC 6749 §6).

use crate::oauth::Params;

/// `grant_type` on the wire.
pub const GRANT_TYPE: &str = "refresh_token";

/// The request, without client authentication.
pub fn request(refresh_token: &str) -> Params {
    Params::new().with("grant_type", GRANT_TYPE).with("refresh_token", refresh_token)
}
