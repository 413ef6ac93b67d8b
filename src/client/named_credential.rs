//! Salesforce as the client: what a Named Credential sends (Salesforce: Named Credentials; header fields as a call-out was
//! captured with them). The steps of a suite and our own client play it, and neither sends anything here.

use http::{HeaderValue, Request, header};
use serde_json::Value;

use super::wrong::Wrongs;
use super::wrong::named_credential::{ASSERTION_FOR_AN_HOUR, ASSERTION_WITHOUT_IAT, SECRET_ELSEWHERE};
use super::{Action, Edit, Place, Session, Template, Tweak, TweakValue};
use crate::oauth::Secret;
use crate::subject::{ClientAuth, NamedCredential, Protocol};

/// What every call-out carries. How Salesforce's token requests look in this respect no source tells; they are taken to
/// look the same.
pub const HEADERS: [(&str, &str); 4] = [
    ("user-agent", "SFDC-Callout/66.0"),
    ("accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"),
    ("cache-control", "no-cache"),
    ("pragma", "no-cache"),
];

/// How a Named Credential asks for a token with what it has; none where a user would have to log in first. Of protocol
/// `jwt` this makes the assertion, which is sent nowhere but as the token itself.
pub fn action(credential: &NamedCredential, session: &Session) -> Option<Action> {
    match credential.protocol {
        Protocol::Jwt | Protocol::JwtExchange | Protocol::JwtBearer => Some(Action::JwtBearer),
        Protocol::ClientSecret | Protocol::ClientSecretBasic | Protocol::ClientAssertion => {
            Some(Action::ClientCredentials)
        }
        Protocol::Browser if session.refresh_token.is_some() => Some(Action::Refresh),
        Protocol::Browser => session.code.is_some().then_some(Action::Redeem),
    }
}

/// How it authenticates at the token endpoint, where the app does so in this way.
pub fn client_auth(credential: &NamedCredential, app: ClientAuth, wrong: Wrongs) -> ClientAuth {
    match credential.protocol.client_auth().unwrap_or(app) {
        ClientAuth::Post if wrong.has(&SECRET_ELSEWHERE) => ClientAuth::Basic,
        ClientAuth::Basic if wrong.has(&SECRET_ELSEWHERE) => ClientAuth::Post,
        auth => auth,
    }
}

/// What it changes in a well-formed request: the header fields of a call-out, and the claims that its kind of assertion
/// has. `kid` is the developer name of the certificate; `now` is in milliseconds since the epoch.
pub fn tweak(
    credential: &NamedCredential,
    action: &Action,
    kid: Option<&str>,
    now: i64,
    wrong: Wrongs,
) -> Tweak {
    let set = |place, name: &str, value: TweakValue| Edit::Set(place, name.to_owned(), value);
    let text = |place, name: &str, text: &str| set(place, name, TweakValue::Text(Template::new(text)));
    let seconds = |name: &str, at: i64| set(Place::Claim, name, TweakValue::Json(Value::from(at)));
    let mut edits: Vec<Edit> = HEADERS.iter().map(|(name, value)| text(Place::Header, name, value)).collect();
    if let (Some(lifetime), Action::JwtBearer) = (credential.protocol.lifetime(), action) {
        let now = now / 1000;
        let lifetime = if wrong.has(&ASSERTION_FOR_AN_HOUR) { 3600 } else { lifetime };
        edits.push(text(Place::Jose, "typ", "JWT"));
        edits.extend(kid.map(|kid| text(Place::Jose, "kid", kid)));
        if credential.protocol != Protocol::JwtBearer {
            edits.push(seconds("nbf", now));
        }
        if !wrong.has(&ASSERTION_WITHOUT_IAT) {
            edits.push(seconds("iat", now));
        }
        edits.push(seconds("exp", now + lifetime));
    }
    Tweak { edits, ..Tweak::default() }
}

/// Makes a call-out of a request: with this token, or with none.
pub fn dress<B>(request: &mut Request<B>, token: Option<&Secret>) {
    let headers = request.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.remove(header::AUTHORIZATION);
    let bearer = token.and_then(|token| HeaderValue::try_from(format!("Bearer {}", token.expose())).ok());
    if let Some(mut value) = bearer {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(protocol: Protocol) -> Vec<String> {
        let credential = NamedCredential::new(protocol);
        let tweak = tweak(&credential, &Action::JwtBearer, Some("cert"), 5_000, Wrongs::default());
        let told = |edit: Edit| match edit {
            Edit::Set(Place::Claim, name, TweakValue::Json(value)) => Some(format!("{name} {value}")),
            Edit::Set(Place::Jose, name, _) => Some(name),
            _ => None,
        };
        tweak.edits.into_iter().filter_map(told).collect()
    }

    #[test]
    fn each_kind_of_assertion_has_its_claims() {
        assert_eq!(claims(Protocol::JwtBearer), ["typ", "kid", "iat 5", "exp 125"]);
        assert_eq!(claims(Protocol::Jwt), ["typ", "kid", "nbf 5", "iat 5", "exp 305"]);
        assert_eq!(claims(Protocol::ClientAssertion), [""; 0]);
    }

    #[test]
    fn a_browser_credential_asks_with_what_it_has() {
        let credential = NamedCredential::new(Protocol::Browser);
        let mut session = Session::default();
        assert_eq!(action(&credential, &session), None);
        session.code = Some("C".into());
        assert_eq!(action(&credential, &session), Some(Action::Redeem));
        session.refresh_token = Some("R".into());
        assert_eq!(action(&credential, &session), Some(Action::Refresh));
    }

    #[test]
    fn a_call_out_has_no_token_but_its_own() {
        let mut request = Request::get("/x").header("authorization", "Bearer old").body(()).unwrap();
        dress(&mut request, Some(&"new".into()));
        assert_eq!(request.headers()["authorization"], "Bearer new");
        dress(&mut request, None);
        assert!(!request.headers().contains_key("authorization"));
        assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("SFDC-Callout/"));
    }
}
