//! A closed list of facts that are derived of secrets when they are recorded, so that judges need no
//! secret and a recording is judged like the live run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::chance::most_bits;
use super::{Exchange, Request, Response};
use crate::oauth::jwt::{self, Jwt};
use crate::oauth::pkce::{self, Method};
use crate::oauth::{Endpoint, Secret, from_base64, params, salesforce, saml};
use crate::subject::{ConnectedApp, Target};

/// What can be told of the secrets of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Whether the user says no with it, by what the target declares.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub denies: bool,
    /// The `assertion` of a bearer grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<AssertionFacts>,
    /// The `client_assertion` that authenticates the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_assertion: Option<AssertionFacts>,
    /// User name of HTTP Basic, form-decoded (RFC 6749 §2.3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_client_id: Option<String>,
    /// Whether HTTP Basic was form-encoded and had something to encode, so that a server has to decode it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_escaped: Option<bool>,
    /// Whether the secret of HTTP Basic is the app's only as it stands, where a server that decodes it reads another.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub basic_is_raw: bool,
    /// Where a secret of an app stood in the request besides the places that are meant for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_in: Option<String>,
    /// A host that is known to be none of the server's, where the request went to it or the answer names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stranger: Option<String>,
    /// Whether the secret that was sent is the one of another app of the target; none where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_of_another: Option<bool>,
    /// Whether the secret that was sent, in either way, is the app's; none where no secret was sent or it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_is_right: Option<bool>,
    /// The S256 challenge of the `code_verifier` that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_s256: Option<String>,
    /// Length of the `code_verifier` that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_length: Option<usize>,
    /// The fewest bits by which the `code_verifier` that was sent differs from one before it in the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_apart: Option<u32>,
    /// Whether a token of the answer has a letter that RFC 6749 Appendix A does not allow; none where all are right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odd_token: Option<bool>,
    /// Whether the `code_verifier` that was sent holds nothing but unreserved characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_is_unreserved: Option<bool>,
    /// How many random bits the authorization code of the answer can hold at most, by its length and alphabet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_bits: Option<u32>,
    /// The fewest bits by which that code differs from one before it in the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_apart: Option<u32>,
    /// Whether `signature` of the answer is the HMAC that Salesforce documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_fits: Option<bool>,
    /// Whether the access token of the answer is a JWT.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub jwt_access_token: bool,
    /// The ID token of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<TokenFacts>,
    /// The JWT that the answer itself is (OpenID Connect Core §5.3.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_answer: Option<TokenFacts>,
    /// How many random bits the refresh token of the answer can hold at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_bits: Option<u32>,
    /// The fewest bits by which that refresh token differs from one before it in the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_apart: Option<u32>,
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
    /// The JOSE header of a JWT.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub header: Map<String, Value>,
    /// Claims of a JWT; of a SAML assertion what corresponds to `iss`, `sub`, `aud`, `exp`, `nbf`, and `recipient`.
    pub claims: Map<String, Value>,
    /// Whether its signature fits the app's certificate; none where that is not known.
    pub verifies: Option<bool>,
    /// Whether there is no signature at all.
    pub unsigned: bool,
    /// Whether the header of a JWT shows a key, or where to fetch one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shows_key: bool,
    /// Why our own verifier would not take a SAML assertion, whose signature does not verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// The members of a JSON Web Key that nobody but its owner may know.
pub const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What a token says that is a JWT.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenFacts {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// Whether its signature fits a key set that the server published to this play; none where none was fetched, or
    /// where the algorithm has no public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifies: Option<bool>,
    /// Whether `at_hash` is that of the access token beside it (OpenID Connect Core §3.1.3.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash_fits: Option<bool>,
}

impl TokenFacts {
    /// `alg` of the header.
    pub fn alg(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or("")
    }

    /// A claim that is a text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// Every audience.
    pub fn audiences(&self) -> Vec<&str> {
        audiences(&self.claims)
    }
}

/// Signature algorithms that are verified here.
const VERIFIABLE: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Looks whether the ID token of an answer fits the keys of whoever issued it.
pub fn verify_id_token(x: &mut Exchange, set: &Value) {
    let Some(jwt) = x.text("id_token").and_then(|text| Jwt::read(text).ok()) else { return };
    // What has no public key, and what cannot be verified here, is not called wrong.
    if let Some(facts) = &mut x.facts.id_token
        && VERIFIABLE.contains(&facts.alg())
    {
        facts.verifies = Some(jwt.verifies_with_set(set));
    }
}

/// Looks again which ID tokens and signed answers fit the key sets of a record, whichever of both came first.
pub fn verify_id_tokens(exchanges: &mut [Exchange]) {
    let published = |x: &&Exchange| x.endpoint == Endpoint::Keys && x.status() == 200;
    let sets = exchanges.iter().filter(published).filter_map(|x| x.response()?.json().cloned());
    let sets: Vec<Value> = sets.filter(|set| set.get("keys").is_some_and(Value::is_array)).collect();
    if sets.is_empty() {
        return;
    }
    for x in exchanges {
        let id_token = x.text("id_token").and_then(|text| Jwt::read(text).ok());
        let answer = x.response().filter(|answer| answer.is_jwt());
        let answer = answer.and_then(|answer| Jwt::read(answer.body.trim()).ok());
        let told = [(id_token, &mut x.facts.id_token), (answer, &mut x.facts.signed_answer)];
        for (jwt, facts) in told {
            // What has no public key, and what cannot be verified here, is not called wrong.
            if let (Some(jwt), Some(facts)) = (jwt, facts.as_mut().filter(|f| VERIFIABLE.contains(&f.alg())))
            {
                facts.verifies = Some(sets.iter().any(|set| jwt.verifies_with_set(set)));
            }
        }
    }
}

fn audiences(claims: &Map<String, Value>) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
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
        audiences(&self.claims)
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
                    shows_key: ["jwk", "jku", "x5c", "x5u"].iter().any(|name| jwt.header.contains_key(*name)),
                    rejected: None,
                    header: without_key(jwt.header),
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
                let verified = app.and_then(public_key).map(|key| {
                    let sha256 = |message: &[u8], signature: &[u8]| key.verify(message, signature);
                    let sha1 = |message: &[u8], signature: &[u8]| key.verify_sha1(message, signature);
                    saml::verify(&xml, &sha256, Some(&sha1))
                });
                let rejected = verified.as_ref().and_then(|verified| verified.as_ref().err());
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
                put("confirmation_exp", said.confirmation_not_on_or_after.map(Value::from));
                put("nbf", said.not_before.map(Value::from));
                put("recipient", said.recipient.map(Value::from));
                put("method", said.method.map(Value::from));
                Self {
                    malformed: None,
                    kind: "saml".into(),
                    header: Map::new(),
                    alg: String::new(),
                    claims,
                    verifies: verified.as_ref().map(Result::is_ok),
                    shows_key: false,
                    rejected: rejected.map(ToString::to_string),
                    unsigned: said.algorithm.is_none() && !xml.contains("SignatureValue"),
                }
            }
        }
    }
}

/// A JOSE header in which the private members of a key are named and not told (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
fn without_key(mut header: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(jwk)) = header.get_mut("jwk") {
        for (_, value) in jwk.iter_mut().filter(|(name, _)| PRIVATE.contains(&name.as_str())) {
            *value = "***".into();
        }
    }
    header
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
        // A secret belongs to the name that stands beside it, in the body or in the header.
        let (in_body, in_header) = (form.get("client_id"), basic.as_ref().map(|(id, _)| id.as_str()));
        let client_id = match form.get("client_secret") {
            Some(_) => in_body.or(in_header),
            None => in_header.or(in_body),
        };
        let app = client_id.and_then(|id| target.apps.values().find(|app| app.client_id == id));
        let sent = form.get("client_secret").or(basic.as_ref().map(|(_, secret)| secret.as_str()));
        let known = app.and_then(|app| app.client_secret.as_ref());
        let raw = request.header("authorization").and_then(basic_raw);
        let is = |read: &Option<(String, String)>| {
            known.is_some() && read.as_ref().map(|(_, secret)| secret.as_str()) == known.map(Secret::expose)
        };
        Self {
            denies: false,
            basic_is_raw: is(&raw) && !is(&basic),
            basic_escaped: raw.map(|raw| basic.as_ref() != Some(&raw)).filter(|escaped| *escaped),
            secret_in: None,
            stranger: None,
            secret_of_another: sent
                .map(|sent| {
                    let others = target.apps.values().filter(|one| Some(one.client_id.as_str()) != client_id);
                    others.filter_map(|one| one.client_secret.as_ref()).any(|secret| secret.expose() == sent)
                })
                .filter(|another| *another),
            secret_is_right: sent.zip(known).map(|(sent, known)| sent == known.expose()),
            verifier_s256: verifier.map(|verifier| Method::S256.challenge(verifier)),
            verifier_length: verifier.map(str::len),
            verifier_apart: None,
            code_apart: None,
            refresh_token_apart: None,
            odd_token: response.map(has_odd_token).filter(|odd| *odd),
            verifier_is_unreserved: verifier.map(pkce::is_unreserved),
            code_bits: response.and_then(code_bits),
            signature_fits: response.and_then(|response| signature_fits(response, known?.expose())),
            id_token: response.and_then(id_token),
            signed_answer: response.and_then(signed_answer),
            jwt_access_token: response.is_some_and(has_jwt),
            refresh_token_bits: response
                .and_then(|r| r.json()?.get("refresh_token")?.as_str().map(most_bits)),
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

    /// The facts of an answer that a recording gave: what its tokens and codes were made of was told when it was
    /// recorded, and their fingerprints say nothing of it.
    pub fn replayed(self, then: Option<&Facts>) -> Self {
        Self {
            odd_token: then.and_then(|then| then.odd_token),
            code_bits: then.and_then(|then| then.code_bits),
            code_apart: then.and_then(|then| then.code_apart),
            refresh_token_bits: then.and_then(|then| then.refresh_token_bits),
            refresh_token_apart: then.and_then(|then| then.refresh_token_apart),
            jwt_access_token: then.is_some_and(|then| then.jwt_access_token),
            ..self.without_signatures()
        }
    }
}

/// Reads HTTP Basic as RFC 6749 §2.3.1 has it: both halves form-encoded, then base64.
fn basic(header: &str) -> Option<(String, String)> {
    let (id, secret) = basic_raw(header)?;
    let decode = |half: String| params::form_decode(&half).unwrap_or(half);
    Some((decode(id), decode(secret)))
}

/// Both halves of HTTP Basic as they came.
fn basic_raw(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ").or_else(|| header.strip_prefix("basic "))?;
    let text = String::from_utf8(from_base64(encoded.trim())?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Whether a token is written with anything but printable ASCII (RFC 6749 Appendix A.12, A.17).
fn has_odd_token(response: &Response) -> bool {
    let odd = |text: &str| text.is_empty() || text.bytes().any(|byte| !(0x20..=0x7e).contains(&byte));
    let told = |name: &str| response.json()?.get(name)?.as_str().map(odd);
    ["access_token", "refresh_token"].iter().any(|name| told(name) == Some(true))
}

/// The bits of the code that the answer hands out.
pub(super) fn code_bits(response: &Response) -> Option<u32> {
    let (_, params) = response.redirect()?;
    params.last("code").filter(|code| !code.is_empty()).map(most_bits)
}

fn signature_fits(response: &Response, secret: &str) -> Option<bool> {
    let json = response.json()?;
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let signature = text("signature")?;
    Some(signature == salesforce::signature(secret, text("id")?, text("issued_at")?))
}

fn has_jwt(response: &Response) -> bool {
    let token = response.json().and_then(|json| json.get("access_token")?.as_str());
    token.is_some_and(|token| Jwt::read(token).is_ok())
}

fn id_token(response: &Response) -> Option<TokenFacts> {
    let json = response.json()?;
    let jwt = Jwt::read(json.get("id_token")?.as_str()?).ok()?;
    let access_token = json.get("access_token").and_then(Value::as_str);
    let right = access_token.and_then(|token| jwt::half_hash(jwt.alg(), token));
    let at_hash_fits =
        jwt.claims.get("at_hash").zip(right).map(|(said, right)| said.as_str() == Some(&right));
    Some(TokenFacts { at_hash_fits, verifies: None, header: jwt.header, claims: jwt.claims })
}

fn signed_answer(response: &Response) -> Option<TokenFacts> {
    let jwt = Jwt::read(response.is_jwt().then(|| response.body.trim())?).ok()?;
    Some(TokenFacts { at_hash_fits: None, verifies: None, header: jwt.header, claims: jwt.claims })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::jwt::{Draft, Signing};
    use crate::oauth::keys::{PrivateKey, RsaAlgorithm};
    use crate::transcript::{Answer, script};

    #[test]
    fn an_id_token_is_verified_by_whatever_set_was_fetched_and_when() {
        let key = PrivateKey::from_pem(include_str!("../../tests/keys/app-main.key")).unwrap();
        let hash = jwt::half_hash("RS256", "A").unwrap();
        let claims = [("at_hash".to_owned(), hash.into())].into_iter().collect();
        let rs256 = Draft::of(claims).sign(&Signing::Rsa(&key, RsaAlgorithm::Rs256));
        let unsigned = Draft::default().sign(&Signing::None);
        let redeem = "> POST token grant_type=authorization_code&code=C\n< 200 {}\n";
        let mut t = script::read(&format!("{redeem}{redeem}{redeem}> GET keys\n< 200 {{}}\n"));
        let mut put = |n: usize, body: Value| {
            let response = Response::new(200, Vec::new(), body.to_string());
            t.exchanges[n].facts.id_token = id_token(&response);
            t.exchanges[n].answer = Answer::Response(response);
        };
        put(0, json!({ "access_token": "A", "id_token": rs256 }));
        put(1, json!({ "access_token": "B", "id_token": rs256 }));
        put(2, json!({ "access_token": "A", "id_token": unsigned }));
        put(3, json!({ "keys": [key.public().jwk("k")] }));
        let facts = |t: &[Exchange]| -> Vec<_> {
            t.iter().filter_map(|x| x.facts.id_token.as_ref().map(|f| (f.verifies, f.at_hash_fits))).collect()
        };
        assert_eq!(facts(&t.exchanges), [(None, Some(true)), (None, Some(false)), (None, None)]);
        verify_id_tokens(&mut t.exchanges);
        let verified = [(Some(true), Some(true)), (Some(true), Some(false)), (None, None)];
        assert_eq!(facts(&t.exchanges), verified);
        let other = PrivateKey::generate().public().jwk("k");
        t.exchanges[3].answer =
            Answer::Response(Response::new(200, Vec::new(), json!({ "keys": [other] }).to_string()));
        verify_id_tokens(&mut t.exchanges);
        assert_eq!(t.exchanges[0].facts.id_token.as_ref().unwrap().verifies, Some(false));
    }
}
