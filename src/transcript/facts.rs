//! A closed list of facts that are derived of secrets when they are recorded, so that judges need no
//! secret and a recording is judged like the live run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Request, Response};
use crate::oauth::jwt::Jwt;
use crate::oauth::pkce::Method;
use crate::oauth::{from_base64, params, salesforce, saml};
use crate::subject::{ConnectedApp, Target};

/// What can be told of the secrets of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The `assertion` of a bearer grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<AssertionFacts>,
    /// The `client_assertion` that authenticates the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_assertion: Option<AssertionFacts>,
    /// User name of HTTP Basic, form-decoded (RFC 6749 §2.3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_client_id: Option<String>,
    /// Whether the secret that was sent, in either way, is the app's; none where no secret was sent or it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_is_right: Option<bool>,
    /// The S256 challenge of the `code_verifier` that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_s256: Option<String>,
    /// Length of the `code_verifier` that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_length: Option<usize>,
    /// Whether `signature` of the answer is the HMAC that Salesforce documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_fits: Option<bool>,
    /// The ID token of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<TokenFacts>,
}

/// What an assertion says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssertionFacts {
    /// Why it cannot be read, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
    /// `jwt` or `saml`.
    pub kind: String,
    /// `alg` of a JWT's header.
    pub alg: String,
    /// Claims of a JWT; of a SAML assertion what corresponds to `iss`, `sub`, `aud`, `exp`, `nbf`, and `recipient`.
    pub claims: Map<String, Value>,
    /// Whether its signature fits the app's certificate; none where that is not known.
    pub verifies: Option<bool>,
    /// Whether there is no signature at all.
    pub unsigned: bool,
}

/// What a token says that is a JWT.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenFacts {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl AssertionFacts {
    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// `exp` in seconds since the epoch.
    pub fn exp(&self) -> Option<i64> {
        crate::oauth::jwt::seconds(self.claims.get("exp")?)
    }

    /// `nbf` in seconds since the epoch.
    pub fn nbf(&self) -> Option<i64> {
        crate::oauth::jwt::seconds(self.claims.get("nbf")?)
    }

    /// Every audience.
    pub fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    fn of_jwt(text: &str, target: &Target) -> Self {
        match Jwt::read(text) {
            Err(why) => Self { malformed: Some(why.to_string()), kind: "jwt".into(), ..Self::default() },
            Ok(jwt) => {
                let app =
                    jwt.text("iss").and_then(|iss| target.apps.values().find(|app| app.client_id == iss));
                Self {
                    malformed: None,
                    kind: "jwt".into(),
                    alg: jwt.alg().to_owned(),
                    verifies: app.and_then(public_key).map(|key| jwt.verifies(&key)),
                    unsigned: jwt.is_unsigned(),
                    claims: jwt.claims,
                }
            }
        }
    }

    fn of_saml(text: &str, target: &Target) -> Self {
        let read = saml::decode(text).and_then(|xml| saml::claims(&xml).map(|said| (xml, said)));
        match read {
            Err(why) => Self { malformed: Some(why.to_string()), kind: "saml".into(), ..Self::default() },
            Ok((xml, said)) => {
                let app = said
                    .issuer
                    .as_ref()
                    .and_then(|iss| target.apps.values().find(|app| &app.client_id == iss));
                let verifies = app.and_then(public_key).map(|key| {
                    let sha256 = |message: &[u8], signature: &[u8]| key.verify(message, signature);
                    let sha1 = |message: &[u8], signature: &[u8]| key.verify_sha1(message, signature);
                    saml::verify(&xml, &sha256, Some(&sha1)).is_ok()
                });
                let mut claims = Map::new();
                let mut put = |name: &str, value: Option<Value>| {
                    if let Some(value) = value {
                        claims.insert(name.to_owned(), value);
                    }
                };
                put("iss", said.issuer.clone().map(Value::from));
                put("sub", said.subject.map(Value::from));
                put("aud", (!said.audiences.is_empty()).then(|| json!(said.audiences)));
                put("exp", said.not_on_or_after.or(said.confirmation_not_on_or_after).map(Value::from));
                put("nbf", said.not_before.map(Value::from));
                put("recipient", said.recipient.map(Value::from));
                put("method", said.method.map(Value::from));
                Self {
                    malformed: None,
                    kind: "saml".into(),
                    alg: String::new(),
                    claims,
                    verifies,
                    unsigned: said.algorithm.is_none() && !xml.contains("SignatureValue"),
                }
            }
        }
    }
}

fn public_key(app: &ConnectedApp) -> Option<crate::oauth::keys::PublicKey> {
    let certified = app.certificate.as_ref().map(|certificate| certificate.key().clone());
    certified.or_else(|| app.key.as_ref().map(crate::oauth::keys::PrivateKey::public))
}

impl Facts {
    /// Derives what can be told of an exchange with that target.
    pub fn of(request: &Request, response: Option<&Response>, target: &Target) -> Self {
        let form = request.form();
        let basic = request.header("authorization").and_then(basic);
        let verifier = form.get("code_verifier");
        let saml = form.get("grant_type").is_some_and(|g| g.contains("saml2-bearer"));
        let assertion = form.get("assertion").map(|text| {
            if saml { AssertionFacts::of_saml(text, target) } else { AssertionFacts::of_jwt(text, target) }
        });
        let client_assertion = form.get("client_assertion").map(|text| AssertionFacts::of_jwt(text, target));
        let client_id = form.get("client_id").or(basic.as_ref().map(|(id, _)| id.as_str()));
        let app = client_id.and_then(|id| target.apps.values().find(|app| app.client_id == id));
        let sent = form.get("client_secret").or(basic.as_ref().map(|(_, secret)| secret.as_str()));
        let known = app.and_then(|app| app.client_secret.as_ref());
        Self {
            secret_is_right: sent.zip(known).map(|(sent, known)| sent == known.expose()),
            verifier_s256: verifier.map(|verifier| Method::S256.challenge(verifier)),
            verifier_length: verifier.map(str::len),
            signature_fits: response.and_then(|response| signature_fits(response, known?.expose())),
            id_token: response.and_then(id_token),
            basic_client_id: basic.map(|(id, _)| id),
            assertion,
            client_assertion,
        }
    }
}

impl Facts {
    /// Leaves out what is known by a signature alone: a recording holds fingerprints, and none of them verifies.
    pub fn without_signatures(self) -> Self {
        Self { signature_fits: None, id_token: None, ..self }
    }
}

/// Reads HTTP Basic as RFC 6749 §2.3.1 has it: both halves form-encoded, then base64.
fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ").or_else(|| header.strip_prefix("basic "))?;
    let text = String::from_utf8(from_base64(encoded.trim())?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |half: &str| params::form_decode(half).unwrap_or_else(|_| half.to_owned());
    Some((decode(id), decode(secret)))
}

fn signature_fits(response: &Response, secret: &str) -> Option<bool> {
    let json = response.json()?;
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let signature = text("signature")?;
    Some(signature == salesforce::signature(secret, text("id")?, text("issued_at")?))
}

fn id_token(response: &Response) -> Option<TokenFacts> {
    let jwt = Jwt::read(response.json()?.get("id_token")?.as_str()?).ok()?;
    Some(TokenFacts { header: jwt.header, claims: jwt.claims })
}
