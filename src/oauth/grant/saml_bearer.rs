//! SAML 2.0 bearer assertion as a grant (RFC 7522 §2.1).

use crate::oauth::Params;

/// `grant_type` on the wire.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";

/// The request, with the assertion already base64url-encoded.
pub fn request(assertion: &str) -> Params {
    Params::new().with("grant_type", GRANT_TYPE).with("assertion", assertion)
}
