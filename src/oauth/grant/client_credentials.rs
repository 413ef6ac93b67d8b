//! Client credentials (RFC 6749 §4.4).

use crate::oauth::Params;

/// `grant_type` on the wire.
pub const GRANT_TYPE: &str = "client_credentials";

/// The request (RFC 6749 §4.4.2), without client authentication. Salesforce refuses a `scope` here.
pub fn request(scope: Option<&str>) -> Params {
    Params::new().with("grant_type", GRANT_TYPE).with_opt("scope", scope)
}
