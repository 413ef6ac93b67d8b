//! JWT bearer assertion as a grant (RFC 7523 §2.1), and as client authentication (§2.2).

use serde_json::{Map, Value};

use crate::oauth::Params;

/// `grant_type` on the wire.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How far ahead of now a well-formed assertion expires, in seconds: within the three minutes that
/// Salesforce documents for `exp`.
pub const LIFETIME: i64 = 150;

/// The claims of a grant assertion: `iss` is the client, `sub` the user (RFC 7523 §3).
pub fn claims(client_id: &str, user: &str, audience: &str, now: i64) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("iss".into(), client_id.into());
    claims.insert("sub".into(), user.into());
    claims.insert("aud".into(), audience.into());
    claims.insert("exp".into(), (now + LIFETIME).into());
    claims
}

/// The claims of a client authentication assertion: `iss` and `sub` are the client (RFC 7523 §3,
/// OpenID Connect Core §9).
pub fn client_claims(client_id: &str, audience: &str, now: i64, jti: &str) -> Map<String, Value> {
    let mut claims = self::claims(client_id, client_id, audience, now);
    claims.insert("iat".into(), now.into());
    claims.insert("jti".into(), jti.into());
    claims
}

/// The request. Salesforce identifies the client by `iss` alone and refuses a `scope`.
pub fn request(assertion: &str) -> Params {
    Params::new().with("grant_type", GRANT_TYPE).with("assertion", assertion)
}
