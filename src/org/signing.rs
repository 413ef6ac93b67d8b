//! The key with which the org signs ID tokens and JWT access tokens. It is synthetic, the same in every copy of
//! this program and published with it: nothing but a test may trust what it signs.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::registry::org_id;
use crate::oauth::jwt::{Draft, Signing};
use crate::oauth::keys::{PrivateKey, RsaAlgorithm};

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    PrivateKey::from_pem(include_str!("org.key")).expect("the committed key of the org is an RSA key")
});

/// `kid` of ID tokens: short and numeric (probes of live discovery documents).
pub(super) const ID_TOKEN_KID: &str = "238";

/// The key itself, parsed once.
pub(super) fn key() -> &'static PrivateKey {
    &KEY
}

/// `kid` of JWT access tokens (Salesforce Help: JWT-Based Access Tokens; Mobile SDK tests).
pub(super) fn access_token_kid() -> String {
    format!("CORE_ATJWT.{}.1700000000000", org_id())
}

/// Signs claims with RS256 under a header.
pub(super) fn sign(header: Map<String, Value>, claims: Map<String, Value>) -> String {
    Draft { header, claims, twice: Vec::new() }.sign(&Signing::Rsa(key(), RsaAlgorithm::Rs256))
}

/// What `/id/keys` publishes.
pub(super) fn published() -> Value {
    let public = key().public();
    json!({ "keys": [public.jwk(ID_TOKEN_KID), public.jwk(&access_token_kid())] })
}
