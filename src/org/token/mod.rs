//! The token endpoint: which grant, in which order it is checked (inferred from field reports), what is issued and
//! how it is told (appendix A).

mod client_credentials;
mod code;
mod jwt;
mod refresh;
mod response;
mod saml;

use http::Method;

pub(super) use jwt::signed_by_client;

use super::answer::{Refused, Style, invalid_grant, invalid_request, refuse, refused};
use super::ask::{Ask, Host, given};
use super::authentication::replayed;
use super::registry::{App, AppId, UserId};
use super::scopes::Scopes;
use super::store::{FamilyId, Session, State};
use super::{Begun, Org, Pending, Reply, Work, answer, fault, is_get, store};
use crate::oauth::grant::{authorization_code, jwt_bearer, refresh_token, saml_bearer};
use crate::oauth::{Params, Secret};
use crate::subject::Flow;

/// Where it is.
pub(super) const PATH: &str = "/services/oauth2/token";

/// A token request that was found right.
pub(super) struct Grant {
    app: AppId,
    host: Host,
    style: Style,
    /// The `jti` of a client assertion, which must be new.
    jti: Option<(String, i64)>,
    kind: Kind,
}

enum Kind {
    Code(code::Redemption),
    Refresh(refresh::Renewal),
    /// A rotated-out refresh token came back: its family has to die.
    Reused(FamilyId),
    /// Nothing but a login stands between the request and its token.
    Direct {
        user: UserId,
        scopes: Scopes,
        grant: store::Grant,
    },
}

impl Grant {
    /// Whether another request may use up what this one is about to.
    pub(super) fn contends(&self) -> bool {
        self.jti.is_some() || !matches!(self.kind, Kind::Direct { .. })
    }
}

/// What was issued.
struct Issued {
    /// Key of the session: the access token, unless that is a JWT yet to be signed.
    key: String,
    session: Session,
    refresh_token: Option<String>,
    nonce: Option<String>,
    /// When the user logged in, where the client asked for it; in milliseconds since the epoch.
    auth_time: Option<i64>,
}

/// What a grant's own checks find.
struct Checked {
    app: AppId,
    jti: Option<(String, i64)>,
    kind: Kind,
}

/// The first half: reads, authenticates, verifies.
pub(super) fn begin(org: &Org, ask: &Ask) -> Begun {
    let read = ask.is(&Method::POST) || is_get(ask.request.method()) && org.faults.has(&fault::GET_TOKEN);
    // A GET is what becomes of a POST that was redirected: its parameters are not looked at (Salesforce Help: OAuth 2.0 Web Server Flow).
    // RFC 6749 §2.3.1 keeps credentials out of the URI; Salesforce reads the query as well (Salesforce Help: OAuth
    // Endpoints).
    let by_query =
        !org.registry.switches.rfc || org.faults.has(&fault::QUERY_SECRET) || !ask.is(&Method::POST);
    let params = match read {
        true if org.faults.has(&fault::CHARSET_REFUSED) && has_charset(ask) => Some(Params::new()),
        true if org.faults.has(&fault::JSON_TAKEN) && is_json(ask) => Some(members_of(ask)),
        true if by_query => ask.params(),
        true => ask.form(),
        false => Some(Params::new()),
    };
    let style = Style::of(ask, params.as_ref().unwrap_or(&Params::new()));
    let number = org.store.asked();
    if org.faults.has(&fault::TOKEN_500) && number.is_multiple_of(17) {
        return Begun::Reply(answer::bare(http::StatusCode::INTERNAL_SERVER_ERROR, ask.now));
    }
    let names_json =
        ask.header(http::header::ACCEPT).is_some_and(|accept| accept.contains("application/json"));
    if org.faults.has(&fault::ACCEPT_JSON_ALONE) && !names_json {
        return Begun::Reply(answer::bare(http::StatusCode::NOT_ACCEPTABLE, ask.now));
    }
    let checked = match params {
        Some(params) => check(org, ask, &params),
        None => Err(invalid_request("malformed request")),
    };
    let sent_on = || ask.params().is_some_and(|params| given(&params, "community").is_some());
    if org.faults.has(&fault::TOKEN_SENT_ON) && sent_on() {
        let to = format!("https://community.example{PATH}");
        return Begun::Reply(super::pages::go(http::StatusCode::TEMPORARY_REDIRECT, &to, ask.now));
    }
    match checked {
        Ok(Checked { app, jti, kind }) => {
            let grant = Grant { app, host: ask.host.clone(), style, jti, kind };
            Begun::Pending(Pending(Work::Token(Box::new(grant))))
        }
        Err(error) => Begun::Reply(refuse(org, error, style, ask.now)),
    }
}

fn has_charset(ask: &Ask) -> bool {
    ask.header(http::header::CONTENT_TYPE).is_some_and(|kind| kind.contains(';'))
}

fn is_json(ask: &Ask) -> bool {
    ask.header(http::header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"))
}

/// The members of a JSON body that are texts.
fn members_of(ask: &Ask) -> Params {
    let body: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(ask.request.body()).unwrap_or_default();
    body.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The second half: redeems, rotates, issues. What is signed is signed after the lock.
pub(super) fn commit(org: &Org, grant: Grant, now: i64) -> Reply {
    let Grant { app, host, style, jti, kind } = grant;
    match issue(org, app, jti, kind, now) {
        Ok(issued) => {
            let members = response::members(org, app, &host, &issued, now);
            let mut reply = answer::granted(org, &members, style, now);
            if org.faults.has(&fault::TOKEN_SLOW) && org.store.asked().is_multiple_of(5) {
                reply.delay_ms = 8000;
            }
            reply
        }
        Err(error) => refuse(org, error, style, now),
    }
}

/// What a login that was approved in full left with a client.
pub(super) fn earlier_login(
    org: &Org,
    client_id: &str,
    username: &str,
    origin: &str,
    now: i64,
) -> Option<(Secret, Option<Secret>)> {
    let (id, user) = (org.registry.app_of(client_id)?, org.registry.user_of(username)?);
    let scopes = org.registry.app(id).scopes.clone();
    let issued = first_tokens(org, &mut org.store.lock(), id, user, scopes, now);
    let host = Host { origin: origin.to_owned(), login: false };
    let members = response::members(org, id, &host, &issued, now);
    let access_token = members.text("access_token")?.into();
    Some((access_token, issued.refresh_token.map(Secret::from)))
}

fn check(org: &Org, ask: &Ask, params: &Params) -> Result<Checked, Refused> {
    if params.repeated().is_some() && !org.faults.has(&fault::REPEATED_FIRST) {
        return Err(invalid_request("a parameter is repeated"));
    }
    let stray = params.iter().any(|(name, _)| name.starts_with("grantcheck_"));
    if stray && org.faults.has(&fault::TOKEN_UNKNOWN_REFUSED) {
        return Err(invalid_request("unknown parameter"));
    }
    let guessed = org.faults.has(&fault::GRANT_TYPE_GUESSED) && !params.is_empty();
    let guess = || Some(crate::oauth::grant::client_credentials::GRANT_TYPE).filter(|_| guessed);
    let grant_type = given(params, "grant_type").or_else(guess);
    // RFC 6749 §6 lets a refresh ask for less; Salesforce takes no scope at all.
    let takes_scope = grant_type == Some(refresh_token::GRANT_TYPE)
        && (org.registry.switches.rfc || org.faults.has(&fault::REFRESH_WIDEN));
    let takes_scope =
        takes_scope || org.faults.has(&fault::SCOPE_IGNORED) || org.faults.has(&fault::SCOPE_GRANTED);
    let no_scope = || match given(params, "scope") {
        Some(_) if !takes_scope => Err(invalid_request("scope parameter not supported")),
        _ => Ok(()),
    };
    let checked = match grant_type {
        Some(authorization_code::GRANT_TYPE) => code::check(org, ask, params),
        Some(refresh_token::GRANT_TYPE) => no_scope().and_then(|()| refresh::check(org, ask, params)),
        Some(jwt_bearer::GRANT_TYPE) => no_scope().and_then(|()| jwt::check(org, ask, params)),
        Some(saml_bearer::GRANT_TYPE) => no_scope().and_then(|()| saml::check(org, ask, params)),
        Some(crate::oauth::grant::client_credentials::GRANT_TYPE) => {
            no_scope().and_then(|()| client_credentials::check(org, ask, params))
        }
        None if org.registry.switches.rfc && ask.is(&Method::POST) => Err(missing("grant_type")),
        Some("password") if org.faults.has(&fault::PASSWORD_GRANT) => {
            Err(invalid_grant("authentication failure"))
        }
        Some(_) if org.faults.has(&fault::ERROR_QUOTES) => {
            Err(refused("unsupported_grant_type", "grant type \"of yours\" not supported"))
        }
        Some(_) if org.faults.has(&fault::GRANT_TYPE_RENAMED) => {
            Err(invalid_request("grant type not supported"))
        }
        _ => Err(refused("unsupported_grant_type", "grant type not supported")),
    };
    match (checked, given(params, "scope").filter(|_| org.faults.has(&fault::SCOPE_GRANTED))) {
        (Ok(Checked { app, jti, kind: Kind::Direct { user, grant, .. } }), Some(asked)) => {
            let scopes = Scopes::of(asked.split(' '));
            Ok(Checked { app, jti, kind: Kind::Direct { user, scopes, grant } })
        }
        (checked, _) => checked,
    }
}

fn issue(org: &Org, app: AppId, jti: Option<(String, i64)>, kind: Kind, now: i64) -> Result<Issued, Refused> {
    let mut state = org.store.lock();
    if let Some((jti, until)) = jti
        && !org.faults.has(&fault::CLIENT_ASSERTION_REPLAYED)
        && !state.first_use(app, &jti, until, now)
    {
        // The guard goes before the grant, which may have to lock again to let its refresh token go.
        drop(state);
        return Err(match kind {
            Kind::Direct { grant: store::Grant::JwtBearer | store::Grant::SamlBearer, .. } => {
                invalid_grant("invalid assertion")
            }
            _ => replayed(),
        });
    }
    let mut issued = match kind {
        Kind::Code(redemption) => code::redeem(org, &mut state, app, redemption, now)?,
        Kind::Refresh(renewal) => refresh::renew(org, &mut state, app, renewal, now)?,
        Kind::Reused(family) => {
            if !org.faults.has(&fault::ROTATE_NO_FAMILY) {
                let access_tokens = !org.faults.has(&fault::REUSE_SPARES_ACCESS);
                state.kill(family, store::Kill { access_tokens, refresh_tokens: true }, now);
            }
            return Err(refresh::dead(org));
        }
        Kind::Direct { user, scopes, grant } => {
            if !state.login(user, now) {
                return Err(login_rate());
            }
            let session = session(org.registry.app(app), app, user, scopes, grant, now);
            let twin = match org.faults.has(&fault::TOKEN_SHARED) {
                true => state.opened_just_now(app, now),
                false => None,
            };
            let key = twin.unwrap_or_else(|| state.open(session.clone()));
            Issued { key, session, refresh_token: None, nonce: None, auth_time: None }
        }
    };
    let grant = issued.session.grant;
    let unasked = matches!(grant, store::Grant::ClientCredentials | store::Grant::Code)
        && !issued.session.scopes.offline()
        && org.faults.has(&fault::REFRESH_TOKEN_UNASKED);
    if unasked || grant == store::Grant::JwtBearer && org.faults.has(&fault::JWT_REFRESH_TOKEN) {
        issued.refresh_token = Some(format!("5Aep861{}", state.random(80)));
    }
    Ok(issued)
}

/// What a login brings: a session and, where the scopes and the app allow it, a refresh token beside it.
fn first_tokens(org: &Org, state: &mut State, id: AppId, user: UserId, scopes: Scopes, now: i64) -> Issued {
    let app = org.registry.app(id);
    let mut session = session(app, id, user, scopes.clone(), store::Grant::Code, now);
    let mut refresh_token = None;
    if scopes.offline() && app.may(Flow::RefreshToken) {
        let (family, token) = state.open_family(user, id, scopes, now);
        session.family = Some(family);
        refresh_token = Some(token);
    }
    let key = state.open(session.clone());
    if let Some(family) = session.family {
        state.first_session(family, &key);
    }
    Issued { key, session, refresh_token, nonce: None, auth_time: None }
}

/// A new session under the app's policy.
fn session(app: &App, id: AppId, user: UserId, scopes: Scopes, grant: store::Grant, now: i64) -> Session {
    let policy = &app.registered.policy;
    Session {
        app: Some(id),
        user,
        scopes,
        grant,
        issued_at: now,
        ttl: policy.access_token_ttl,
        slides: !policy.jwt_access_tokens,
        expires: now.saturating_add(policy.access_token_ttl),
        family: None,
        revoked_at: None,
        refused_from: None,
    }
}

/// Whether the user may log in with the app from where the request comes.
fn user_may(org: &Org, app: AppId, user: UserId) -> Result<(), Refused> {
    let account = org.registry.user(user);
    if account.is_shut_out() {
        return Err(invalid_grant("inactive user"));
    }
    if account.is_restricted(org.registry.app(app)) {
        return Err(invalid_grant("ip restricted"));
    }
    Ok(())
}

/// What a user gave an app, without asking the user: by an admin, or by an approval that was kept because it
/// came with a refresh token (Salesforce Help: OAuth 2.0 JWT Bearer Flow; sfdx-core).
fn approved(org: &Org, state: &State, app: AppId, user: UserId) -> Result<Scopes, Refused> {
    let (registered, account) = (org.registry.app(app), org.registry.user(user));
    let pre_approved = account.approved.contains(&app);
    let scopes = if registered.registered.policy.admin_approved {
        if !pre_approved && !org.faults.has(&fault::JWT_UNAPPROVED) {
            return Err(refused("invalid_app_access", "user is not admin approved to access this app"));
        }
        registered.scopes.clone()
    } else if pre_approved && registered.scopes.offline() || org.faults.has(&fault::JWT_UNAPPROVED) {
        registered.scopes.clone()
    } else {
        state.approved_scopes(user, app).ok_or_else(not_approved)?
    };
    Ok(scopes.without(&["refresh_token", "offline_access"]))
}

fn not_approved() -> Refused {
    invalid_grant("user hasn't approved this consumer")
}

fn login_rate() -> Refused {
    invalid_grant("login rate exceeded")
}

fn missing(name: &str) -> Refused {
    invalid_request(format!("missing required parameter: {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Begun, store};
    use crate::oauth::Params;
    use crate::oauth::salesforce::signature;
    use crate::subject::Setting;
    use serde_json::{Map, Value};

    fn names(members: &Map<String, Value>) -> Vec<&str> {
        members.keys().map(String::as_str).collect()
    }

    fn client_credentials(app: &str) -> Params {
        Params::new()
            .with("grant_type", "client_credentials")
            .with("client_id", app)
            .with("client_secret", format!("{app}-s3cret"))
    }

    #[test]
    fn the_presence_of_fields_follows_the_flow() {
        let org = org();
        let code = tokens(&org, NOW);
        assert_eq!(
            names(&code),
            [
                "access_token",
                "refresh_token",
                "signature",
                "scope",
                "id_token",
                "instance_url",
                "id",
                "token_type",
                "issued_at"
            ]
        );
        let refreshed = json(&refresh(&org, &text(&code, "refresh_token"), NOW));
        assert_eq!(
            names(&refreshed),
            [
                "access_token",
                "signature",
                "scope",
                "id_token",
                "instance_url",
                "id",
                "token_type",
                "issued_at"
            ]
        );
        let bearer = json(&jwt_bearer(&org, &signed(claims(NOW), &main_key()), NOW));
        assert_eq!(names(&bearer), ["access_token", "scope", "instance_url", "id", "token_type"]);
        let server = json(&org.handle(&token_request(&client_credentials("main")), NOW));
        assert_eq!(
            names(&server),
            ["access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"]
        );
        for answer in [&code, &refreshed, &bearer, &server] {
            assert_eq!(call(&org, &text(answer, "access_token"), NOW), 200);
        }
    }

    #[test]
    fn jwt_access_tokens_bring_their_fields() {
        let org = org_of(&set(target(), "jwt_access_tokens", Setting::Flag(true)));
        let bearer = json(&jwt_bearer(&org, &signed(claims(NOW), &main_key()), NOW));
        assert_eq!(
            names(&bearer),
            [
                "access_token",
                "signature",
                "token_format",
                "scope",
                "instance_url",
                "id",
                "token_type",
                "issued_at",
                "api_instance_url"
            ]
        );
        let token = text(&bearer, "access_token");
        assert_eq!(call(&org, &token, NOW), 200);
        assert_eq!(call(&org, &token, NOW + 2 * HOUR - 1), 200);
        assert_eq!(call(&org, &token, NOW + 2 * HOUR), 401);
        let inside = crate::oauth::jwt::Jwt::read(&token).unwrap();
        assert_eq!(call(&org, inside.text("sfi").unwrap(), NOW), 401);
    }

    #[test]
    fn values_have_their_formats() {
        let answer = tokens(&org(), NOW);
        assert_eq!(text(&answer, "issued_at"), NOW.to_string());
        assert_eq!(
            text(&answer, "id"),
            "https://acme.my.salesforce.com/id/00Dxx0000000001EAA/005xx0000000001AAA"
        );
        assert_eq!(
            text(&answer, "signature"),
            signature("main-s3cret", &text(&answer, "id"), &text(&answer, "issued_at"))
        );
        assert_eq!(text(&answer, "scope"), "refresh_token openid api id");
        assert!(text(&answer, "access_token").starts_with("00Dxx0000000001!"));
        assert!(text(&answer, "refresh_token").starts_with("5Aep861"));
    }

    #[test]
    fn headers_and_forms_are_as_captured() {
        let org = org();
        let reply = org.handle(&token_request(&client_credentials("main").with("format", "xml")), NOW);
        assert!(body(&reply).contains("<OAuth><access_token>"));
        assert!(header_of(&reply, "content-type").starts_with("application/xml"));
        let reply = org.handle(
            &post(
                "/services/oauth2/token",
                &client_credentials("main").write(),
                &[("accept", "text/html, application/x-www-form-urlencoded;q=0.1, application/json")],
            ),
            NOW,
        );
        assert!(body(&reply).starts_with("access_token=00Dxx0000000001%21"));
        let reply = org.handle(&token_request(&client_credentials("main")), NOW);
        let cache: Vec<_> = reply.response.headers().get_all("cache-control").iter().collect();
        assert_eq!(cache, ["no-cache, no-store", "no-store"]);
        assert_eq!(header_of(&reply, "pragma"), "no-cache");
        assert_eq!(header_of(&reply, "content-type"), "application/json;charset=UTF-8");
    }

    #[test]
    fn checks_come_in_their_order() {
        let org = org();
        let error = |form: &str| {
            let (_, error, description) =
                refusal(&org.handle(&post("/services/oauth2/token", form, &[]), NOW));
            format!("{error}: {description}")
        };
        // A repeated parameter, then the grant type, then a scope, then the client, then its secret, then the grant.
        for (form, expected) in [
            ("grant_type=x&grant_type=x&client_id=nobody", "invalid_request: a parameter is repeated"),
            ("grant_type=password&client_id=nobody", "unsupported_grant_type: grant type not supported"),
            ("client_id=nobody", "unsupported_grant_type: grant type not supported"),
            (
                "grant_type=refresh_token&scope=api&client_id=nobody",
                "invalid_request: scope parameter not supported",
            ),
            (
                "grant_type=authorization_code&client_id=nobody&client_secret=x&code=x",
                "invalid_client_id: client identifier invalid",
            ),
            (
                "grant_type=client_credentials&client_id=public&client_secret=x",
                "invalid_grant: client credentials flow not enabled",
            ),
            (
                "grant_type=authorization_code&client_id=main&client_secret=x&code=x",
                "invalid_client: invalid client credentials",
            ),
            (
                "grant_type=authorization_code&client_id=main&code=x",
                "invalid_client: invalid client credentials",
            ),
            (
                "grant_type=authorization_code&client_id=main&client_secret=main-s3cret",
                "invalid_request: missing required parameter: code",
            ),
            (
                "grant_type=authorization_code&client_id=main&client_secret=main-s3cret&code=x",
                "invalid_grant: invalid authorization code",
            ),
            (
                "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x&scope=api",
                "invalid_request: scope parameter not supported",
            ),
            ("grant_type=client_credentials&client_id=%4", "invalid_request: malformed request"),
        ] {
            assert_eq!(error(form), expected, "{form}");
        }
    }

    #[test]
    fn what_is_no_form_by_post_has_no_grant_type() {
        let org = org();
        let form = client_credentials("main").write();
        let get = get(&format!("/services/oauth2/token?{form}"), &[]);
        assert_eq!(refusal(&org.handle(&get, NOW)).1, "unsupported_grant_type");
        let mut json = post("/services/oauth2/token", r#"{"grant_type":"client_credentials"}"#, &[]);
        json.headers_mut().insert("content-type", "application/json".parse().unwrap());
        assert_eq!(refusal(&org.handle(&json, NOW)).1, "unsupported_grant_type");
        assert_eq!(status(&faulty(&["get-token"]).handle(&get, NOW)), 200);
    }

    #[test]
    fn client_credentials_stay_at_home_and_need_a_user_and_a_scope() {
        let org = org();
        let form = client_credentials("main").write();
        says(
            &org.handle(&post("https://login.salesforce.com/services/oauth2/token", &form, &[]), NOW),
            "request not supported on this domain",
        );
        let mut target = target();
        target.apps.get_mut("main").unwrap().policy.run_as = None;
        target.apps.get_mut("other").unwrap().scopes = vec!["full".into(), "refresh_token".into()];
        let org = org_of(&target);
        let ask = |app| org.handle(&token_request(&client_credentials(app)), NOW);
        says(&ask("main"), "no client credentials user enabled");
        says(&ask("other"), "no valid scopes defined");
    }

    #[test]
    fn apps_and_users_that_are_shut_out_are_told_so() {
        let mut target = target();
        let policy = |target: &mut crate::subject::Target, app: &str| {
            target.apps.get_mut(app).map(|a| a.policy.clone())
        };
        let _ = policy(&mut target, "main");
        target.apps.get_mut("main").unwrap().policy.blocked = true;
        target.apps.get_mut("other").unwrap().policy.installed = false;
        let org = org_of(&target);
        let ask = |app| refusal(&org.handle(&token_request(&client_credentials(app)), NOW)).1;
        assert_eq!((ask("main"), ask("other")), ("app_blocked".into(), "invalid_client".into()));

        let mut target = super::super::testing::target();
        target.users.get_mut("main").unwrap().frozen = true;
        says(&org_of(&target).handle(&token_request(&client_credentials("main")), NOW), "inactive user");
        let mut target = super::super::testing::target();
        target.users.get_mut("main").unwrap().ip_restricted = true;
        target.apps.get_mut("main").unwrap().policy.ip_relaxed = false;
        let org = org_of(&target);
        says(&org.handle(&token_request(&client_credentials("main")), NOW), "ip restricted");
        assert_eq!(status(&org.handle(&token_request(&client_credentials("other")), NOW)), 200);
    }

    #[test]
    fn the_login_rate_is_kept() {
        let org = org();
        let ask = || org.handle(&token_request(&client_credentials("main")), NOW);
        for _ in 0..store::LOGINS_PER_HOUR {
            assert_eq!(status(&ask()), 200);
        }
        says(&ask(), "login rate exceeded");
        assert_eq!(status(&org.handle(&token_request(&client_credentials("main")), NOW + HOUR)), 200);
        let off = org_of(&set(target(), "login_rate", crate::subject::Setting::Word("off".into())));
        let ask = || off.handle(&token_request(&client_credentials("main")), NOW);
        assert!((0..=store::LOGINS_PER_HOUR).all(|_| status(&ask()) == 200));
    }

    #[test]
    fn under_profile_rfc_codes_and_statuses_are_those_of_the_rfc() {
        let mut target = target();
        target.profile = crate::oauth::salesforce::Profile::Rfc;
        let org = org_of(&target);
        let form = "grant_type=client_credentials";
        let wrong = post("/services/oauth2/token", form, &[("authorization", &basic("main", "x"))]);
        let reply = org.handle(&wrong, NOW);
        assert_eq!(refusal(&reply).0, 401);
        assert!(header_of(&reply, "www-authenticate").starts_with("Basic"));
        let unknown = post("/services/oauth2/token", &format!("{form}&client_id=x&client_secret=x"), &[]);
        assert_eq!(refusal(&org.handle(&unknown, NOW)).1, "invalid_client");
    }

    #[test]
    fn a_pending_request_changes_nothing_until_its_commit() {
        let org = org();
        let request = token_request(&redemption(&code(&org, "main", NOW)));
        assert!(matches!(org.begin(&request, NOW), Begun::Pending(_)));
        assert_eq!(status(&org.handle(&request, NOW)), 200);
    }
}
