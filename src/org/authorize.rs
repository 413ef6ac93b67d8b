//! The authorization endpoint: what is shown on the spot, what is told to the client, and when a person has to
//! be asked (Salesforce Help: OAuth 2.0 Web Server Flow; Salesforce Help: OAuth 2.0 Authorization Errors; field reports).

use http::{Method as HttpMethod, StatusCode};

use super::answer::{self, Refused, invalid_request, refused};
use super::ask::{Ask, given};
use super::pages::{self, Browser};
use super::redirect::{carrying, is_registered, percent};
use super::registry::{App, UserId};
use super::scopes::Scopes;
use super::store::{Code, MadeOf, State, Visit};
use super::{Begun, Org, Pending, Reply, Work, fault};
use crate::oauth::Params;
use crate::oauth::pkce::Method;
use crate::subject::Flow;

/// The longest challenge that is kept.
const LONGEST_CHALLENGE: usize = 256;

/// Parameters of an authorization request that the org knows by name.
const KNOWN: [&str; 17] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "immediate",
    "login_hint",
    "display",
    "nonce",
    "sso_provider",
    "device_id",
    "max_age",
    "ui_locales",
    "response_mode",
];

/// A request in which nothing is wrong.
pub(super) struct Arrival {
    visit: Visit,
    browser: Browser,
}

/// Characters of a code between its prefix and its padding, six random bits each.
const CODE_LENGTH: usize = 76;

/// Reads a request. Who it comes from is not asked yet.
pub(super) fn begin(org: &Org, ask: &Ask) -> Begun {
    match check(org, ask).map_err(|reply| Box::new(for_scripts(org, *reply))) {
        Ok(visit) => {
            let browser = Browser::of(ask);
            Begun::Pending(Pending(Work::Authorize(Box::new(Arrival { visit, browser }))))
        }
        Err(reply) => Begun::Reply(*reply),
    }
}

/// The second half of an answer.
pub(super) fn commit(org: &Org, arrival: Arrival, now: i64) -> Reply {
    for_scripts(org, go_on(org, arrival, now))
}

/// What a script of another site may read: nothing (RFC 9700 §2.6).
fn for_scripts(org: &Org, mut reply: Reply) -> Reply {
    if org.faults.has(&fault::AUTHORIZE_CORS) {
        let anybody = http::HeaderValue::from_static("*");
        reply.response.headers_mut().insert(http::header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    }
    reply
}

/// Hands out a code where nobody has to be asked; otherwise sends the browser to a page.
fn go_on(org: &Org, arrival: Arrival, now: i64) -> Reply {
    let Arrival { mut visit, mut browser } = arrival;
    let mut state = org.store.lock();
    let user = browser.sid.as_deref().and_then(|sid| state.logged_in(sid, now)).filter(|_| !visit.must_login);
    let login = browser.sid.as_deref().and_then(|sid| state.login_at(sid));
    let oldest = visit.max_age.map(|seconds| now.saturating_sub(seconds.saturating_mul(1000)));
    let too_old = login.zip(oldest).is_some_and(|(login, oldest)| login < oldest);
    let user = user.filter(|_| !too_old || org.faults.has(&fault::MAX_AGE_STALE));
    let silent = user.filter(|user| !visit.must_approve && is_approved(org, &state, &visit, *user));
    if let Some(user) = silent {
        return grant(org, &mut state, visit, user, login, now);
    }
    if let Some(error) = visit.silent {
        // OpenID Connect Core §3.1.2.6 tells a missing login from a missing approval.
        let error = if error == "login_required" && user.is_some() { "consent_required" } else { error };
        return tell(org, &visit, &format!("error={error}"), now);
    }
    if browser.id.is_empty() {
        browser.id = state.random(22);
    }
    visit.browser.clone_from(&browser.id);
    visit.csrf = state.random(43);
    visit.user = user;
    let handle = state.keep_visit(visit);
    drop(state);
    let mut reply = match user {
        Some(_) => pages::go(StatusCode::FOUND, &pages::approval_url(&handle), now),
        None => pages::go(StatusCode::FOUND, &pages::login_url(&handle), now),
    };
    browser.remember(org, &mut reply);
    reply
}

/// Whether the user said yes before, or an admin did.
pub(super) fn is_approved(org: &Org, state: &State, visit: &Visit, user: UserId) -> bool {
    org.registry.user(user).approved.contains(&visit.app)
        || !org.registry.app(visit.app).registered.policy.admin_approved
            && state.has_consent(user, visit.app, &visit.scopes)
}

/// Issues the code and sends the user agent back with it. `login` is when the user logged in.
pub(super) fn grant(
    org: &Org,
    state: &mut State,
    visit: Visit,
    user: UserId,
    login: Option<i64>,
    now: i64,
) -> Reply {
    state.consent(user, visit.app, &visit.scopes);
    let has = |fault| org.faults.has(fault);
    if visit.implicit {
        let token = state.random(96);
        let answer = format!("{}#access_token={token}&token_type=Bearer", visit.redirect_uri);
        let sent = visit.state.as_ref().map(|state| format!("&state={}", percent(state))).unwrap_or_default();
        return pages::go(StatusCode::FOUND, &format!("{answer}{sent}"), now);
    }
    let of = match () {
        () if has(&fault::CODE_SHORT) => MadeOf::Chance(8),
        () if has(&fault::CODE_HARDLY_CHANGES) => MadeOf::Constant(5),
        () => MadeOf::Chance(CODE_LENGTH),
    };
    let code = Code {
        app: visit.app,
        user,
        scopes: visit.scopes.clone(),
        redirect_uri: visit.named_redirect_uri.then(|| visit.redirect_uri.clone()),
        challenge: visit.challenge.clone(),
        nonce: visit.nonce.clone(),
        auth_time: login.filter(|_| visit.max_age.is_some() && !org.faults.has(&fault::MAX_AGE_IGNORED)),
        issued_at: now,
        expires: now.saturating_add(org.registry.switches.code_ttl),
        used: false,
        tries: 0,
    };
    let code = state.issue_code(code, of);
    let mut answer = format!("code={}", percent(&code));
    let state = match &visit.state {
        Some(_) if has(&fault::STATE_LOST) => None,
        Some(state) if has(&fault::STATE_DECODED) => {
            Some(crate::oauth::params::form_decode(state).unwrap_or_else(|_| state.clone()))
        }
        None if has(&fault::STATE_INVENTED) => Some("0".to_owned()),
        state => state.clone(),
    };
    if let Some(state) = state {
        answer.push_str(&format!("&state={}", percent(&state)));
    }
    if !has(&fault::ISS_LOST) {
        answer.push_str(&issuer(org, &visit));
    }
    if has(&fault::CODE_IN_FRAGMENT) {
        return pages::go(StatusCode::FOUND, &format!("{}#{answer}", visit.redirect_uri), now);
    }
    pages::go(StatusCode::FOUND, &carrying(org, &visit.redirect_uri, &answer), now)
}

/// Sends the user agent back because the user said no.
pub(super) fn deny(org: &Org, visit: &Visit, now: i64) -> Reply {
    let error = match org.faults.has(&fault::DENY_RENAMED) {
        true => "user_denied",
        false => org.registry.switches.deny_error,
    };
    tell(org, visit, &format!("error={error}&error_description=end-user+denied+authorization"), now)
}

/// Sends the user agent back with an error and the state.
fn tell(org: &Org, visit: &Visit, error: &str, now: i64) -> Reply {
    let has = |fault| org.faults.has(fault);
    let mut answer = error.to_owned();
    if has(&fault::ERROR_UNREADABLE) {
        answer.push_str("%0A%22see%20above%22");
    }
    if let Some(state) = visit.state.as_ref().filter(|_| !has(&fault::ERROR_STATE_LOST)) {
        answer.push_str(&format!("&state={}", percent(state)));
    }
    if !has(&fault::ISS_LOST_IN_ERRORS) {
        answer.push_str(&issuer(org, visit));
    }
    pages::go(StatusCode::FOUND, &carrying(org, &visit.redirect_uri, &answer), now)
}

/// `iss` of an answer to the client, where the org sends it (RFC 9207 §2).
fn issuer(org: &Org, visit: &Visit) -> String {
    let slash = if org.faults.has(&fault::ISS_WRONG) { "/" } else { "" };
    match org.registry.switches.response_iss {
        true => format!("&iss={}", percent(&format!("{}{slash}", visit.issuer))),
        false => String::new(),
    }
}

/// In the order in which a wrong is told. What is wrong with client, redirect URI or challenge is shown on the
/// spot: nobody is sent to where a stranger wants (RFC 6749 §4.1.2.1, Salesforce Help: OAuth 2.0 Authorization Errors; field reports).
fn check(org: &Org, ask: &Ask) -> Result<Visit, Box<Reply>> {
    let shown = |error: Refused| Box::new(answer::shown(&error, ask.now));
    if !super::is_get(ask.request.method()) {
        let post = ask.is(&HttpMethod::POST);
        return Err(match post {
            true => shown(invalid_request("must use HTTP GET")),
            false => answer::method_not_allowed("GET", ask.now).into(),
        });
    }
    let params = ask.query().ok_or_else(|| shown(invalid_request("malformed request")))?;
    well_formed(org, ask, &params)?;
    let redirect_uri = given(&params, "redirect_uri");
    let guessed = || {
        let uri = redirect_uri.filter(|_| org.faults.has(&fault::CLIENT_GUESSED))?;
        let mut apps = org.registry.app_ids().filter(|_| given(&params, "client_id").is_none());
        apps.find(|(_, app)| app.registered.redirect_uris.iter().any(|known| known == uri)).map(|(id, _)| id)
    };
    let known = given(&params, "client_id").and_then(|id| org.registry.app_of(id)).or_else(guessed);
    let id = known.ok_or_else(|| {
        let error = refused("invalid_client_id", "client identifier invalid");
        match redirect_uri.filter(|_| org.faults.has(&fault::ERROR_BOUNCE)) {
            Some(uri) => pages::go(StatusCode::FOUND, &carrying(org, uri, &error.form()), ask.now).into(),
            None => shown(error),
        }
    })?;
    let app = org.registry.app(id);
    let uri = match redirect_uri {
        Some(uri) if is_registered(org, app, uri) => params.all("redirect_uri").last().unwrap_or(uri),
        None if app.registered.redirect_uris.len() == 1 => app.registered.redirect_uri(),
        None if org.faults.has(&fault::REDIRECT_GUESSED) => app.registered.redirect_uri(),
        None => return Err(shown(refused("redirect_uri_missing", "redirect_uri not provided"))),
        Some(_) => {
            let text = match org.faults.has(&fault::REDIRECT_RENAMED) {
                true => "the redirect URI is not registered",
                false => "redirect_uri must match configuration",
            };
            return Err(shown(refused("redirect_uri_mismatch", text)));
        }
    };
    admit(org, ask, app)?;
    let challenge = challenge(org, app, &params).map_err(shown)?;
    if org.faults.has(&fault::UNKNOWN_REFUSED) && params.iter().any(|(name, _)| !KNOWN.contains(&name)) {
        return Err(shown(invalid_request("unknown parameter")));
    }
    let prompt: Vec<&str> = given(&params, "prompt").unwrap_or("").split(' ').collect();
    let own = |name: &str| given(&params, name).map(str::to_owned);
    let has = |fault| org.faults.has(fault);
    if has(&fault::NONCE_REQUIRED) && given(&params, "scope") == Some("openid") && own("nonce").is_none() {
        return Err(shown(invalid_request("nonce is missing")));
    }
    let silent = match (given(&params, "immediate"), &prompt[..]) {
        (Some("true"), _) => Some("immediate_unsuccessful"),
        (_, ["none"]) if !has(&fault::PROMPT_NONE_SHOWS) => Some("login_required"),
        _ => None,
    };
    let mut visit = Visit {
        app: id,
        redirect_uri: uri.to_owned(),
        named_redirect_uri: redirect_uri.is_some(),
        scopes: app.scopes.clone(),
        state: own("state"),
        challenge,
        nonce: own("nonce"),
        login_hint: own("login_hint"),
        must_login: prompt.contains(&"login") && !has(&fault::PROMPT_LOGIN_IGNORED)
            || prompt.contains(&"select_account"),
        must_approve: prompt.contains(&"consent"),
        silent,
        max_age: given(&params, "max_age").and_then(|seconds| seconds.parse().ok()),
        implicit: given(&params, "response_type") == Some("token") && has(&fault::IMPLICIT),
        issuer: ask.host.origin.clone(),
        browser: String::new(),
        csrf: String::new(),
        user: None,
        at: ask.now,
    };
    let asked = given(&params, "response_type");
    let lenient = org.faults.has(&fault::RESPONSE_TYPE_ANY)
        || asked.is_none() && org.faults.has(&fault::RESPONSE_TYPE_OPTIONAL);
    if asked != Some("code") && !lenient && !visit.implicit {
        let error = refused("unsupported_response_type", "response type must be code");
        return Err(tell(org, &visit, &error.form(), ask.now).into());
    }
    if let Some(scope) = given(&params, "scope").filter(|scope| !scope.trim().is_empty()) {
        let silently = || org.faults.has(&fault::SCOPE_DROPPED).then(|| app.scopes.clone());
        let anything = org.faults.has(&fault::SCOPE_ANY).then(|| Scopes::of(scope.split(' ')));
        visit.scopes = anything.or_else(|| app.scopes.ask(scope)).or_else(silently).ok_or_else(|| {
            let error = refused("invalid_scope", "the requested scope is not allowed");
            Box::new(tell(org, &visit, &error.form(), ask.now))
        })?;
    }
    if !app.may(Flow::RefreshToken) {
        visit.scopes = visit.scopes.without(&["refresh_token", "offline_access"]);
    }
    Ok(visit)
}

/// What holds of every parameter, whatever it is about.
fn well_formed(org: &Org, ask: &Ask, params: &Params) -> Result<(), Box<Reply>> {
    let has = |fault| org.faults.has(fault);
    let wrong = |text: &'static str| Err(Box::new(answer::shown(&invalid_request(text), ask.now)));
    if params.iter().any(|(_, value)| value.chars().any(char::is_control)) && has(&fault::GARBLED_500) {
        return Err(answer::bare(StatusCode::INTERNAL_SERVER_ERROR, ask.now).into());
    }
    let taken = |name: &str| match name {
        "redirect_uri" => has(&fault::REDIRECT_LAST_WINS),
        _ => has(&fault::REPEATED_TAKEN),
    };
    if params.repeated().is_some_and(|name| !taken(name)) {
        return wrong("a parameter is repeated");
    }
    if params.iter().any(|(_, value)| value.is_empty()) && has(&fault::EMPTY_REFUSED) {
        return wrong("a parameter is empty");
    }
    if params.iter().next().is_some_and(|(name, _)| name != "response_type") && has(&fault::ORDER_MATTERS) {
        return wrong("response_type must be first");
    }
    Ok(())
}

/// Whether the org lets the app in and the app lists the flow. What the field saw for the first two is a page.
fn admit(org: &Org, ask: &Ask, app: &App) -> Result<(), Box<Reply>> {
    let policy = &app.registered.policy;
    if policy.blocked {
        return Err(pages::refused(ask.now, "OAUTH_APP_BLOCKED", "this app is blocked by admin").into());
    }
    if !policy.installed {
        let text = "An unexpected error has occurred during authentication. Please try again.";
        return Err(pages::refused(ask.now, "OAUTH_APPROVAL_ERROR_GENERIC", text).into());
    }
    if !app.may(Flow::WebServer) || policy.disabled {
        let error =
            refused("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled.");
        let error = if org.registry.switches.rfc { error.registered() } else { error };
        return Err(answer::shown(&error, ask.now).into());
    }
    Ok(())
}

/// The challenge, in the way it was made. A wrong one is not seen here: it never fits a verifier.
fn challenge(org: &Org, app: &App, params: &Params) -> Result<Option<(String, Method)>, Refused> {
    let has = |fault| org.faults.has(fault);
    let (plain, hashed) = (org.registry.switches.challenge_plain, org.registry.switches.challenge_hashed);
    let Some(challenge) = given(params, "code_challenge") else {
        let public = app.registered.is_public();
        let lenient = has(&fault::PKCE_PUBLIC_OPTIONAL) && public
            || has(&fault::PKCE_REQUIRED_IGNORED) && !public
            || has(&fault::PKCE_EMPTY) && params.get("code_challenge").is_some();
        return match app.needs_challenge() && !lenient {
            true => Err(invalid_request("missing required code challenge")),
            false => Ok(None),
        };
    };
    if challenge.len() > LONGEST_CHALLENGE {
        return Err(invalid_request("code challenge is too long"));
    }
    let method = match given(params, "code_challenge_method").map(Method::read) {
        None if plain => Method::Plain,
        None if hashed || has(&fault::PKCE_METHOD_ASSUMED) => Method::S256,
        None => return Err(invalid_request("code challenge method is missing")),
        Some(Some(Method::S256)) => Method::S256,
        Some(Some(Method::Plain)) if plain || has(&fault::PKCE_PLAIN) => Method::Plain,
        Some(None) if has(&fault::PKCE_METHOD_ANY) => Method::S256,
        Some(_) => return Err(invalid_request("code challenge method is not supported")),
    };
    Ok(Some((challenge.to_owned(), method)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::oauth::Params;
    use crate::org::{Org, Reply};
    use crate::subject::{Setting, Target};

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn asked(org: &Org, change: impl Fn(&mut Params)) -> Reply {
        let mut params = Params::new()
            .with("response_type", "code")
            .with("client_id", "main")
            .with("redirect_uri", CALLBACK)
            .with("state", "s 1+&")
            .with("code_challenge", CHALLENGE)
            .with("code_challenge_method", "S256");
        change(&mut params);
        org.handle(&get(&format!("/services/oauth2/authorize?{}", params.write()), &[]), NOW)
    }

    fn location(reply: &Reply) -> (String, Params) {
        let location = header_of(reply, "location");
        let (base, query) = location.split_once('?').unwrap_or((&location, ""));
        (base.to_owned(), Params::read(query).unwrap())
    }

    #[test]
    fn what_must_not_be_redirected_is_shown() {
        let org = org();
        for (name, value, expected) in [
            (
                "client_id",
                "nobody",
                "error=invalid_client_id&error_description=client%20identifier%20invalid",
            ),
            (
                "redirect_uri",
                "https://rogue.test/cb",
                "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration",
            ),
            (
                "code_challenge_method",
                "S1024",
                "error=invalid_request&error_description=code%20challenge%20method%20is%20not%20supported",
            ),
        ] {
            let reply = asked(&org, |params| params.set(name, value));
            assert_eq!((status(&reply), body(&reply).as_str()), (400, expected));
            assert_eq!(header_of(&reply, "content-type") + &header_of(&reply, "location"), "");
        }
        let twice = asked(&org, |params| params.push("redirect_uri", CALLBACK));
        assert_eq!(status(&twice), 400);
        let public = asked(&org, |params| {
            params.set("client_id", "public");
            params.remove("code_challenge");
        });
        assert!(body(&public).ends_with("missing%20required%20code%20challenge"));
    }

    #[test]
    fn what_may_be_told_carries_the_state() {
        let org = org();
        for (name, value, error) in [
            ("response_type", "token", "unsupported_response_type"),
            ("scope", "api web", "invalid_scope"),
            ("immediate", "true", "immediate_unsuccessful"),
        ] {
            let (base, params) = location(&asked(&org, |params| params.set(name, value)));
            assert_eq!((base.as_str(), params.get("error")), (CALLBACK, Some(error)));
            assert_eq!(params.get("state"), Some("s 1+&"));
        }
    }

    #[test]
    fn a_stranger_is_sent_to_the_login_page() {
        let org = org();
        let reply = asked(&org, |params| params.push("extra", "1"));
        assert_eq!((status(&reply), location(&reply).0.as_str()), (302, "/login"));
        assert!(header_of(&reply, "set-cookie").contains("HttpOnly"));
        assert_eq!(status(&asked(&faulty(&["unknown-refused"]), |params| params.push("extra", "1"))), 400);
    }

    #[test]
    fn apps_that_may_not_end_on_a_page_or_an_error() {
        let with = |change: fn(&mut Target)| {
            let mut target = target();
            change(&mut target);
            body(&asked(&org_of(&target), |_| {}))
        };
        assert!(
            with(|t| t.apps.get_mut("main").unwrap().policy.blocked = true).contains("OAUTH_APP_BLOCKED")
        );
        let absent = with(|t| t.apps.get_mut("main").unwrap().policy.installed = false);
        assert!(absent.contains("OAUTH_APPROVAL_ERROR_GENERIC"));
        let off = with(|t| t.apps.get_mut("main").unwrap().flows.clear());
        assert!(off.starts_with("error=oauth_flow_disabled"));
    }

    #[test]
    fn the_switches_decide_about_challenges() {
        let required = org_of(&set(target(), "pkce_required", Setting::Flag(true)));
        let reply = asked(&required, |params| assert!(params.remove("code_challenge")));
        assert!(body(&reply).contains("missing%20required%20code%20challenge"));
        let plain = org_of(&set(target(), "challenge_method_default", Setting::Word("plain".into())));
        let reply = asked(&plain, |params| params.set("code_challenge_method", "plain"));
        assert_eq!(status(&reply), 302);
    }
}
