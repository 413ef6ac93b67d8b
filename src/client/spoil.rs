//! Requests of a login as the wrongs of our own client have them: each is a well-formed one with one thing changed.

use super::Session;
use super::wrong::Wrongs;
use super::wrong::id_token::{ID_NONCE_CONSTANT, ID_NONCE_HARDLY_CHANGES};
use super::wrong::login::{
    ASKS_FOR_MORE, EMPTY_PARAMETER, ENCODES_TWICE, GOES_ELSEWHERE, IMPLICIT, NO_STATE, PARAMETER_TWICE,
    SECRET_IN_THE_URL, STATE_CONSTANT, STATE_HARDLY_CHANGES, STATE_SHORT, UNREGISTERED_CALLBACK,
};
use super::wrong::pkce::{
    CHALLENGE_PADDED, CHALLENGE_PLAIN, METHOD_LEFT_OUT, NO_CHALLENGE, PUBLIC_SENDS_SECRET, SECRET_LEFT_OUT,
    VERIFIER_CONSTANT, VERIFIER_FORGOTTEN, VERIFIER_HARDLY_CHANGES, VERIFIER_IN_THE_URL,
    VERIFIER_IS_THE_STATE, VERIFIER_OF_ANOTHER, VERIFIER_OF_ODD_LETTERS, VERIFIER_SHORT,
};
use crate::oauth::params::form_encode;
use crate::oauth::pkce::Method;
use crate::oauth::{Params, Secret};
use crate::subject::ConnectedApp;

/// Long enough, and the same every time.
const CONSTANT: &str = "a-constant-0123456789-0123456789-0123456789-0123456789";

/// The URL that a user is sent to, and what the client remembers of it.
pub fn authorization(wrong: Wrongs, url: &str, session: &mut Session, app: &ConnectedApp) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut base = base.to_owned();
    let mut params = Params::read_lossy(query);
    let is = |one| wrong.has(one);
    let verifier = session.verifier.as_ref().map(|verifier| verifier.expose().to_owned()).unwrap_or_default();
    let state = session.state.clone().unwrap_or_default();
    if is(&NO_STATE) {
        without_challenge(&mut params, session);
        params.remove("state");
        session.state = None;
    }
    let hardly_new = |random: &str| format!("{CONSTANT}-{}", random.chars().take(4).collect::<String>());
    for (one, new) in [
        (&STATE_CONSTANT, CONSTANT.to_owned()),
        (&STATE_HARDLY_CHANGES, hardly_new(&state)),
        (&STATE_SHORT, state.chars().take(6).collect()),
        (&VERIFIER_IS_THE_STATE, verifier.clone()),
    ] {
        if is(one) {
            params.set("state", new.as_str());
            session.state = Some(new);
        }
    }
    for (one, new) in [
        (&VERIFIER_SHORT, verifier.chars().take(32).collect()),
        (&VERIFIER_OF_ODD_LETTERS, format!("/{verifier}+")),
        (&VERIFIER_CONSTANT, CONSTANT.to_owned()),
        (&VERIFIER_HARDLY_CHANGES, hardly_new(&verifier)),
    ] {
        if is(one) {
            params.set("code_challenge", Method::S256.challenge(&new));
            session.verifier = Some(Secret::new(new));
        }
    }
    if let Some(nonce) = session.nonce.clone() {
        for (one, new) in
            [(&ID_NONCE_CONSTANT, CONSTANT.to_owned()), (&ID_NONCE_HARDLY_CHANGES, hardly_new(&nonce))]
        {
            if is(one) {
                params.set("nonce", new.as_str());
                session.nonce = Some(new);
            }
        }
    }
    if is(&NO_CHALLENGE) {
        without_challenge(&mut params, session);
    }
    if is(&CHALLENGE_PLAIN) {
        plain(&mut params, session);
    }
    if is(&METHOD_LEFT_OUT) {
        params.remove("code_challenge_method");
    }
    if is(&CHALLENGE_PADDED) {
        let padded = format!("{}=", params.get("code_challenge").unwrap_or(""));
        params.set("code_challenge", padded);
    }
    if is(&VERIFIER_OF_ANOTHER) {
        session.verifier = Some(Secret::new(verifier.chars().rev().collect::<String>()));
    }
    if is(&VERIFIER_FORGOTTEN) {
        session.verifier = None;
    }
    if is(&VERIFIER_IN_THE_URL) {
        params.push("code_verifier", verifier);
    }
    if let Some(secret) = app.client_secret.as_ref().filter(|_| is(&SECRET_IN_THE_URL)) {
        params.push("client_secret", secret.expose());
    }
    if is(&IMPLICIT) {
        params.set("response_type", "token");
    }
    if is(&UNREGISTERED_CALLBACK) {
        let moved = format!("{}/moved", app.redirect_uri());
        params.set("redirect_uri", moved);
    }
    let scope = params.get("scope").unwrap_or("").to_owned();
    if is(&ENCODES_TWICE) {
        params.set("scope", form_encode(&scope));
    }
    if is(&ASKS_FOR_MORE) {
        params.set("scope", format!("{scope} full"));
    }
    if is(&PARAMETER_TWICE) {
        params.push("scope", scope);
    }
    if is(&EMPTY_PARAMETER) {
        params.push("login_hint", "");
    }
    if is(&GOES_ELSEWHERE) {
        base = "https://login.example/services/oauth2/authorize".to_owned();
    }
    format!("{base}?{}", params.write())
}

/// The same request after the org refused one with a challenge, by a client that believes it knows why.
pub fn downgraded(url: &str, session: &mut Session, to_plain: bool) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut params = Params::read_lossy(query);
    if to_plain {
        plain(&mut params, session)
    } else {
        without_challenge(&mut params, session)
    }
    format!("{base}?{}", params.write())
}

/// The form by which a code is redeemed.
pub fn redemption(wrong: Wrongs, form: &mut Params, is_public: bool) {
    if wrong.has(&SECRET_LEFT_OUT) && form.get("code_verifier").is_some() {
        form.remove("client_secret");
    }
    if wrong.has(&PUBLIC_SENDS_SECRET) && is_public {
        form.push("client_secret", "");
    }
}

fn without_challenge(params: &mut Params, session: &mut Session) {
    params.remove("code_challenge");
    params.remove("code_challenge_method");
    session.verifier = None;
}

fn plain(params: &mut Params, session: &Session) {
    let verifier = session.verifier.as_ref().map_or("", Secret::expose);
    params.set("code_challenge", verifier);
    params.set("code_challenge_method", "plain");
}
