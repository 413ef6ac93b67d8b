//! What each wrong of a request changes in it.

use serde_json::{Value, json};

use super::Wrongs;
use super::assertions::{
    BREAKS_LINES, EXP_AS_TEXT, EXP_IN_A_DAY, EXP_IN_MILLISECONDS, FOR_ANOTHER_SERVER, FOR_MANY_SERVERS,
    OF_ANOTHER_ISSUER, PADS, SAME_JTI, SAML_FOR_ANOTHER_SERVER, SAML_WITHOUT_END, SAML_WITHOUT_RECIPIENT,
    SHORT_GRANT_TYPE, SHOWS_PRIVATE_KEY, SIGNS_NOTHING, SIGNS_RS512, SIGNS_WITH_ANOTHER_KEY, SIGNS_WITH_HMAC,
    TYPE_OF_A_GRANT, WITHOUT_EXP, WITHOUT_JTI, WITHOUT_SUBJECT,
};
use super::authentication::{
    ASKS_FOR_SCOPES, AUTHENTICATES_TWICE, BASIC_NOT_ENCODED, EMPTY_SECRET, GRANT_BY_QUERY,
    GRANT_WITHOUT_SECRET,
};
use super::tokens::{OTHER_REDIRECT_URI, REDEEMS_AS_JSON, TAKES_PAGES};
use crate::client::{Action, BodyForm, Edit, Encoding, Place, Template, Tweak, TweakValue};
use crate::subject::ClientAuth;

/// A server that is not the one asked.
const ELSEWHERE: &str = "https://login.rogue.example";

/// What a client changes in a token request that is well-formed otherwise. An assertion for a grant is told from others
/// by its jti, where it is not what the wrong is about.
pub fn tweak(wrong: Wrongs, action: &Action, auth: ClientAuth, now: i64, jti: String) -> Tweak {
    let asks_for_tokens = matches!(
        action,
        Action::Redeem | Action::Refresh | Action::ClientCredentials | Action::JwtBearer | Action::SamlBearer
    );
    if !asks_for_tokens {
        return Tweak::default();
    }
    let mut tweak = Tweak::default();
    let set = |place, name: &str, value: Value| Edit::Set(place, name.to_owned(), TweakValue::Json(value));
    let text = |name: &str, text: &str| {
        Edit::Set(Place::Param, name.to_owned(), TweakValue::Text(Template::new(text)))
    };
    let without = |place, name: &str| Edit::Without(place, name.to_owned());
    if *action == Action::JwtBearer {
        tweak.edits.push(set(Place::Claim, "jti", jti.into()));
    }
    let is = |one| wrong.has(one);
    let edit = match () {
        () if is(&WITHOUT_EXP) => without(Place::Claim, "exp"),
        () if is(&EXP_IN_MILLISECONDS) => set(Place::Claim, "exp", (now + 150_000).into()),
        () if is(&EXP_AS_TEXT) => set(Place::Claim, "exp", ((now / 1000) + 150).to_string().into()),
        () if is(&EXP_IN_A_DAY) => set(Place::Claim, "exp", (now / 1000 + 86_400).into()),
        () if is(&WITHOUT_JTI) => without(Place::Claim, "jti"),
        () if is(&SAME_JTI) => set(Place::Claim, "jti", "1".into()),
        () if is(&WITHOUT_SUBJECT) => without(Place::Claim, "sub"),
        () if is(&OF_ANOTHER_ISSUER) => set(Place::Claim, "iss", "somebody".into()),
        () if is(&FOR_MANY_SERVERS) => {
            set(Place::Claim, "aud", json!(["https://login.salesforce.com", ELSEWHERE]))
        }
        () if is(&FOR_ANOTHER_SERVER) => set(Place::Claim, "aud", ELSEWHERE.into()),
        () if is(&SHOWS_PRIVATE_KEY) => {
            set(Place::Jose, "jwk", json!({ "kty": "RSA", "n": "n", "e": "AQAB", "d": "d" }))
        }
        () if is(&TYPE_OF_A_GRANT) && auth == ClientAuth::PrivateKeyJwt => {
            text("client_assertion_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        }
        () if is(&SHORT_GRANT_TYPE) && *action == Action::JwtBearer => text("grant_type", "jwt-bearer"),
        () if is(&SHORT_GRANT_TYPE) && *action == Action::SamlBearer => text("grant_type", "saml2-bearer"),
        () if is(&SAML_WITHOUT_RECIPIENT) => without(Place::Saml, "recipient"),
        () if is(&SAML_WITHOUT_END) => without(Place::Saml, "not_on_or_after"),
        () if is(&SAML_FOR_ANOTHER_SERVER) => set(Place::Saml, "audience", ELSEWHERE.into()),
        () if is(&EMPTY_SECRET) && auth == ClientAuth::None => text("client_secret", ""),
        () if is(&ASKS_FOR_SCOPES) && !matches!(action, Action::Redeem | Action::Refresh) => {
            text("scope", "api")
        }
        () if is(&OTHER_REDIRECT_URI) && *action == Action::Redeem => {
            text("redirect_uri", "${app.redirect_uri}/")
        }
        () if is(&TAKES_PAGES) => set(Place::Header, "accept", "text/html".into()),
        () if is(&GRANT_WITHOUT_SECRET) && *action == Action::ClientCredentials => {
            without(Place::Param, "client_secret")
        }
        () => return other(wrong, action, auth, tweak),
    };
    tweak.edits.push(edit);
    tweak
}

/// Those that are no single edit.
fn other(wrong: Wrongs, action: &Action, auth: ClientAuth, tweak: Tweak) -> Tweak {
    let is = |one| wrong.has(one);
    let alg = |alg: &str| Some(alg.to_owned());
    match () {
        () if is(&SIGNS_RS512) => Tweak { alg: alg("RS512"), ..tweak },
        () if is(&SIGNS_NOTHING) => Tweak { alg: alg("none"), ..tweak },
        () if is(&SIGNS_WITH_HMAC) => Tweak { alg: alg("HS256"), ..tweak },
        () if is(&SIGNS_WITH_ANOTHER_KEY) => Tweak { key: Some("fresh".to_owned()), ..tweak },
        () if is(&PADS) => Tweak { encoding: Some(Encoding::Padded), ..tweak },
        () if is(&BREAKS_LINES) => Tweak { encoding: Some(Encoding::Lines), ..tweak },
        () if is(&AUTHENTICATES_TWICE) && auth == ClientAuth::Post => Tweak { basic_besides: true, ..tweak },
        () if is(&BASIC_NOT_ENCODED) => Tweak { basic_raw: true, ..tweak },
        () if is(&GRANT_BY_QUERY) && *action != Action::Refresh => {
            Tweak { body: Some(BodyForm::Query), ..tweak }
        }
        () if is(&REDEEMS_AS_JSON) && *action == Action::Redeem => {
            Tweak { body: Some(BodyForm::Json), ..tweak }
        }
        () => tweak,
    }
}
