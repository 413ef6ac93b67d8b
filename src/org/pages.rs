//! The pages that a person passes on the way to an approval. Each form carries a handle of the request and a value
//! that only its own page knows; a request goes on only in the browser that brought it.

use cookie::{Cookie, SameSite};
use http::{HeaderValue, StatusCode, header};

use super::answer::{self, escape, is_get_or_post};
use super::ask::{Ask, given};
use super::authentication::same;
use super::redirect::percent;
use super::registry::{Account, App};
use super::store::Visit;
use super::{Begun, Org, Pending, Reply, Work, authorize, fault, is_get};
use crate::oauth::Secret;

/// The login page.
pub(super) const LOGIN: &str = "/login";
/// The approval page, where Salesforce has it.
pub(super) const APPROVAL: &str = "/setup/secur/RemoteAccessAuthorizationPage.apexp";

const SID: &str = "sid";
const BROWSER: &str = "BrowserId";
const WRONG_LOGIN: &str = "Please check your username and password. If you still can't log in, contact your \
    Salesforce administrator.";
const TOO_MANY: &str = "Maximum logins exceeded. Please try again later.";

/// What a browser brings along.
pub(super) struct Browser {
    /// Which browser it is; empty where it is new.
    pub id: String,
    /// Its login.
    pub sid: Option<String>,
    secure: bool,
}

/// A form that was sent, or a page that may be passed without one.
pub(super) enum Step {
    Login { handle: String, csrf: String, username: String, password: Secret, browser: Browser },
    Approval { handle: String, answer: Option<(bool, String)>, browser: Browser },
    Logout { sid: Option<String> },
}

impl Browser {
    /// Reads the cookies.
    pub fn of(ask: &Ask) -> Self {
        let mut browser =
            Self { id: String::new(), sid: None, secure: ask.host.origin.starts_with("https:") };
        let headers = ask.request.headers().get_all(header::COOKIE);
        let texts = headers.iter().filter_map(|value| value.to_str().ok());
        for cookie in texts.flat_map(Cookie::split_parse).flatten() {
            match cookie.name() {
                SID => browser.sid = Some(cookie.value().to_owned()),
                BROWSER if cookie.value().len() <= 64 => cookie.value().clone_into(&mut browser.id),
                _ => {}
            }
        }
        browser
    }

    /// Sets the cookie by which the browser is known again, and tells it to come by TLS alone, where it came so.
    pub fn remember(&self, org: &Org, reply: &mut Reply) {
        if self.secure {
            answer::demand_tls(org, &mut reply.response);
        }
        self.set(reply, BROWSER, &self.id);
    }

    fn set(&self, reply: &mut Reply, name: &str, value: &str) {
        let cookie = Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .build();
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            reply.response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// Where the login page of a request is.
pub(super) fn login_url(handle: &str) -> String {
    format!("{LOGIN}?request={}", percent(handle))
}

/// Where the approval page of a request is.
pub(super) fn approval_url(handle: &str) -> String {
    format!("{APPROVAL}?source={}", percent(handle))
}

/// Sends a user agent somewhere; what no header can carry is shown as a mismatch.
pub(super) fn go(status: StatusCode, to: &str, now: i64) -> Reply {
    let Ok(location) = HeaderValue::from_str(to) else {
        return answer::shown(
            &answer::refused("redirect_uri_mismatch", "redirect_uri must match configuration"),
            now,
        );
    };
    let mut reply = answer::bare(status, now);
    let headers = reply.response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

pub(super) fn login(org: &Org, ask: &Ask) -> Begun {
    let browser = Browser::of(ask);
    if is_get(ask.request.method()) {
        let params = ask.query().unwrap_or_default();
        let handle = given(&params, "request").unwrap_or("");
        let visit = org.store.lock().visit(handle, &browser.id, ask.now).cloned();
        return Begun::Reply(match visit {
            Some(visit) => dressed(org, login_page(org, &visit, handle, "", ask.now)),
            None => start_again(ask.now),
        });
    }
    if !is_get_or_post(ask) {
        return Begun::Reply(answer::method_not_allowed("GET, POST", ask.now));
    }
    let form = ask.form().unwrap_or_default();
    let own = |name: &str| form.get(name).unwrap_or("").to_owned();
    Begun::Pending(Pending(Work::Page(Step::Login {
        handle: own("request"),
        csrf: own("csrf"),
        username: own("username"),
        password: own("pw").into(),
        browser,
    })))
}

pub(super) fn approval(org: &Org, ask: &Ask) -> Begun {
    if !is_get_or_post(ask) {
        return Begun::Reply(answer::method_not_allowed("GET, POST", ask.now));
    }
    let reads = is_get(ask.request.method());
    let params = if reads { ask.query() } else { ask.form() }.unwrap_or_default();
    let own = |name: &str| params.get(name).unwrap_or("").to_owned();
    let said = match (params.get("save").is_some(), params.get("cancel").is_some()) {
        _ if reads => None,
        (true, false) => Some((true, own("csrf"))),
        (false, true) => Some((false, own("csrf"))),
        _ => None,
    };
    // What a 307 sends on is the form of the login page.
    let name = if org.faults.has(&fault::LOGIN_307) && !reads { "request" } else { "source" };
    let handle = if own("source").is_empty() { own(name) } else { own("source") };
    let step = Step::Approval { handle, answer: said, browser: Browser::of(ask) };
    Begun::Pending(Pending(Work::Page(step)))
}

pub(super) fn logout(ask: &Ask) -> Begun {
    Begun::Pending(Pending(Work::Page(Step::Logout { sid: Browser::of(ask).sid })))
}

pub(super) fn commit(org: &Org, step: Step, now: i64) -> Reply {
    dressed(org, go_on(org, step, now))
}

/// A page with the headers that the org's faults leave it.
fn dressed(org: &Org, mut reply: Reply) -> Reply {
    let headers = reply.response.headers_mut();
    if org.faults.has(&fault::PAGES_FRAMED) {
        headers.remove(header::CONTENT_SECURITY_POLICY);
        headers.remove(header::X_FRAME_OPTIONS);
    }
    if org.faults.has(&fault::PAGES_LOUD) {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("unsafe-url"));
    }
    reply
}

fn go_on(org: &Org, step: Step, now: i64) -> Reply {
    match step {
        Step::Login { handle, csrf, username, password, browser } => {
            log_in(org, &handle, &csrf, &username, &password, &browser, now)
        }
        Step::Approval { handle, answer, browser } => approve(org, &handle, answer, &browser, now),
        Step::Logout { sid } => {
            if let Some(sid) = sid {
                org.store.lock().log_out(&sid);
            }
            let mut reply = go(StatusCode::FOUND, "/", now);
            let gone = HeaderValue::from_static("sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
            reply.response.headers_mut().append(header::SET_COOKIE, gone);
            reply
        }
    }
}

fn log_in(
    org: &Org,
    handle: &str,
    csrf: &str,
    username: &str,
    password: &Secret,
    browser: &Browser,
    now: i64,
) -> Reply {
    let Some(visit) = org.store.lock().visit(handle, &browser.id, now).cloned() else {
        return start_again(now);
    };
    if !same(&visit.csrf, csrf) {
        return start_again(now);
    }
    let app = org.registry.app(visit.app);
    let known = org.registry.user_of(username).filter(|id| {
        let account = org.registry.user(*id);
        account.is_right(password) && !account.is_shut_out() && !account.is_restricted(app)
    });
    let Some(user) = known else { return login_page(org, &visit, handle, WRONG_LOGIN, now) };
    let mut state = org.store.lock();
    if !state.login(user, now) {
        drop(state);
        return login_page(org, &visit, handle, TOO_MANY, now);
    }
    // A new login is a new session, whatever the browser held before.
    if let Some(before) = &browser.sid {
        state.log_out(before);
    }
    let sid = state.log_in(user, now);
    state.arrive(handle, user);
    drop(state);
    // 303, so that no browser sends the password on (RFC 9700 §4.12).
    let status = match org.faults.has(&fault::LOGIN_307) {
        true => StatusCode::TEMPORARY_REDIRECT,
        false => StatusCode::SEE_OTHER,
    };
    let mut reply = go(status, &approval_url(handle), now);
    browser.set(&mut reply, SID, &sid);
    reply
}

fn approve(org: &Org, handle: &str, answer: Option<(bool, String)>, browser: &Browser, now: i64) -> Reply {
    let mut state = org.store.lock();
    let Some(visit) = state.visit(handle, &browser.id, now).cloned() else { return start_again(now) };
    let user = browser.sid.as_deref().and_then(|sid| state.logged_in(sid, now));
    let Some(user) = user.filter(|user| visit.user == Some(*user)) else {
        return go(StatusCode::FOUND, &login_url(handle), now);
    };
    let (app, account) = (org.registry.app(visit.app), org.registry.user(user));
    if app.registered.policy.admin_approved && !account.approved.contains(&visit.app) {
        return refused(now, "OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app");
    }
    let known = !visit.must_approve && authorize::is_approved(org, &state, &visit, user);
    match answer {
        Some((_, csrf)) if !same(&visit.csrf, &csrf) => start_again(now),
        Some((false, _)) => {
            state.end_visit(handle);
            authorize::deny(org, &visit, now)
        }
        None if !known => approval_page(app, account, &visit, handle, now),
        Some((true, _)) | None => {
            state.end_visit(handle);
            let login = browser.sid.as_deref().and_then(|sid| state.login_at(sid));
            authorize::grant(org, &mut state, visit, user, login, now)
        }
    }
}

impl Account {
    /// Whether this is the password; who has none cannot log in with one.
    pub fn is_right(&self, password: &Secret) -> bool {
        self.user.password.as_ref().is_some_and(|own| same(own.expose(), password.expose()))
    }
}

fn login_page(org: &Org, visit: &Visit, handle: &str, problem: &str, now: i64) -> Reply {
    let app = escape(&org.registry.app(visit.app).registered.client_id);
    let hint = escape(visit.login_hint.as_deref().unwrap_or(""));
    let (csrf, handle) = (escape(&visit.csrf), escape(handle));
    let problem = match problem {
        "" => String::new(),
        text => format!("<p id=\"error\" role=\"alert\">{}</p>", escape(text)),
    };
    let body = format!(
        "<h1>Log in</h1><p>The app <code>{app}</code> asks for access to this org.</p>{problem}\
        <form id=\"login_form\" name=\"login\" method=\"post\" action=\"{LOGIN}\">\
        <input type=\"hidden\" name=\"request\" value=\"{handle}\">\
        <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\
        <label>Username <input type=\"text\" id=\"username\" name=\"username\" value=\"{hint}\" autocomplete=\"username\" required></label>\
        <label>Password <input type=\"password\" id=\"password\" name=\"pw\" autocomplete=\"current-password\" required></label>\
        <input type=\"submit\" id=\"Login\" value=\"Log In\"></form>"
    );
    page(StatusCode::OK, "Log in", &body, now)
}

fn approval_page(app: &App, account: &Account, visit: &Visit, handle: &str, now: i64) -> Reply {
    let scopes: String = visit.scopes.iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let body = format!(
        "<h1>Allow Access?</h1><p>The app <code>{}</code> asks, as <b>{}</b>, to:</p><ul>{scopes}</ul>\
        <form id=\"editPage\" name=\"editPage\" method=\"post\" action=\"{APPROVAL}\">\
        <input type=\"hidden\" name=\"source\" value=\"{}\">\
        <input type=\"hidden\" name=\"csrf\" value=\"{}\">\
        <input type=\"submit\" id=\"oaapprove\" name=\"save\" value=\"Allow\">\
        <input type=\"submit\" id=\"oadeny\" name=\"cancel\" value=\"Deny\"></form>",
        escape(&app.registered.client_id),
        escape(&account.user.username),
        escape(handle),
        escape(&visit.csrf),
    );
    page(StatusCode::OK, "Allow Access?", &body, now)
}

/// What goes wrong for good, on a page with its code.
pub(super) fn refused(now: i64, code: &str, text: &str) -> Reply {
    let body = format!("<h1>{}</h1><p id=\"error\">{}</p>", escape(code), escape(text));
    page(StatusCode::BAD_REQUEST, code, &body, now)
}

fn start_again(now: i64) -> Reply {
    let text = "This page is too old, or was opened in another browser. Start again from the app.";
    page(
        StatusCode::BAD_REQUEST,
        "Start again",
        &format!("<h1>Start again</h1><p id=\"error\">{text}</p>"),
        now,
    )
}

/// Where an app without a page of its own ends.
pub(super) fn success(ask: &Ask) -> Reply {
    let body = "<h1>Authentication Successful</h1><p>This window can be closed.</p>";
    page(StatusCode::OK, "Authentication Successful", body, ask.now)
}

/// For people who look what is here.
pub(super) fn home(org: &Org, ask: &Ask) -> Reply {
    let apps = org.registry.apps().len();
    let body = format!(
        "<h1>The embedded org of grantcheck</h1><p>An emulation of Salesforce's OAuth endpoints with {apps} connected apps. \
        <a href=\"/.well-known/openid-configuration\">What it offers</a></p>"
    );
    page(StatusCode::OK, "grantcheck", &body, ask.now)
}

/// A page that nobody may frame, that tells nobody where it is, and that loads nothing.
fn page(status: StatusCode, title: &str, body: &str, now: i64) -> Reply {
    const STYLE: &str = "body{font:16px system-ui,sans-serif;max-width:24rem;margin:10vh auto;padding:0 1rem}\
        label{display:block;margin:.8rem 0}input{font:inherit;padding:.3rem}#error{color:#b00}";
    const POLICY: &str =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
        <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    );
    let mut response = answer::text(status, "text/html; charset=UTF-8", html, now);
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::oauth::Params;
    use crate::org::{Org, Reply};
    use std::collections::BTreeMap;

    /// A user agent: it keeps cookies, reads forms, and does not follow redirects by itself.
    struct Agent<'o> {
        org: &'o Org,
        cookies: BTreeMap<String, String>,
    }

    impl Agent<'_> {
        fn send(&mut self, mut request: http::Request<bytes::Bytes>) -> Reply {
            let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request.headers_mut().insert("cookie", cookies.join("; ").parse().unwrap());
            let reply = self.org.handle(&request, NOW);
            for cookie in reply.response.headers().get_all("set-cookie") {
                let (name, value) =
                    cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            reply
        }

        fn open(&mut self, url: &str) -> Reply {
            self.send(get(url, &[]))
        }

        /// Sends the form of a page with its hidden fields and these.
        fn submit(&mut self, page: &Reply, fields: &[(&str, &str)]) -> Reply {
            let html = scraper::Html::parse_document(&body(page));
            let select = |css: &str| scraper::Selector::parse(css).unwrap();
            let form = html.select(&select("form")).next().expect("a form");
            let mut params = Params::new();
            for input in form.select(&select("input[type=hidden]")) {
                params.push(input.attr("name").unwrap(), input.attr("value").unwrap());
            }
            for (name, value) in fields {
                params.set(name, *value);
            }
            self.send(post(form.attr("action").unwrap(), &params.write(), &[]))
        }

        /// Where a reply sends the agent.
        fn follow(&mut self, reply: &Reply) -> Reply {
            self.open(&header_of(reply, "location"))
        }

        fn ask(&mut self, more: &str) -> Reply {
            self.open(&format!(
                "/services/oauth2/authorize?response_type=code&client_id=main&redirect_uri={CALLBACK}&state=x{more}"
            ))
        }

        fn log_in(&mut self, page: &Reply, user: &str) -> Reply {
            self.submit(page, &[("username", user), ("pw", &format!("{user}-pw"))])
        }
    }

    fn agent(org: &Org) -> Agent<'_> {
        Agent { org, cookies: BTreeMap::new() }
    }

    /// To the approval page of a user whom nobody knows.
    fn to_approval(agent: &mut Agent<'_>) -> Reply {
        let page = agent.ask("");
        let page = agent.follow(&page);
        let logged_in = agent.log_in(&page, "new@acme.com");
        assert_eq!(status(&logged_in), 303);
        agent.follow(&logged_in)
    }

    #[test]
    fn a_person_logs_in_approves_and_is_remembered() {
        let org = org();
        let mut agent = agent(&org);
        let page = to_approval(&mut agent);
        assert!(body(&page).contains("Allow Access?") && body(&page).contains("new@acme.com"));
        let done = agent.submit(&page, &[("save", "Allow")]);
        let location = header_of(&done, "location");
        let (base, query) = location.split_once('?').unwrap();
        let params = Params::read(query).unwrap();
        assert_eq!((base, params.get("state")), (CALLBACK, Some("x")));
        assert!(location.contains("%3D%3D&state"));
        let mut form = redemption(params.get("code").unwrap());
        form.remove("code_verifier");
        assert_eq!(status(&org.handle(&token_request(&form), NOW)), 200);
        // Nobody is asked a second time, unless the client insists.
        assert!(header_of(&agent.ask("&immediate=true"), "location").contains("code="));
        assert!(header_of(&agent.ask(""), "location").starts_with(CALLBACK));
        assert!(header_of(&agent.ask("&prompt=login"), "location").starts_with("/login"));
        let consent = agent.ask("&prompt=consent");
        assert!(body(&agent.follow(&consent)).contains("Allow Access?"));
    }

    #[test]
    fn a_person_says_no() {
        let org = org();
        let mut agent = agent(&org);
        let page = to_approval(&mut agent);
        let done = agent.submit(&page, &[("cancel", "Deny")]);
        assert_eq!(
            header_of(&done, "location"),
            format!("{CALLBACK}?error=access_denied&error_description=end-user+denied+authorization&state=x")
        );
    }

    #[test]
    fn who_is_approved_already_is_not_asked() {
        let org = org();
        let mut agent = agent(&org);
        let page = agent.ask("");
        let page = agent.follow(&page);
        let logged_in = agent.log_in(&page, "svc@acme.com");
        assert!(header_of(&agent.follow(&logged_in), "location").contains("code="));
    }

    #[test]
    fn a_wrong_password_stays_on_the_page() {
        let org = org();
        let mut agent = agent(&org);
        let page = agent.ask("&login_hint=%22%3Cnew%3E");
        let page = agent.follow(&page);
        assert!(body(&page).contains("&quot;&lt;new&gt;"));
        let again = agent.submit(&page, &[("username", "new@acme.com"), ("pw", "x")]);
        assert!(status(&again) == 200 && body(&again).contains("Please check your username"));
        assert!(!agent.cookies.contains_key("sid"));
        assert_eq!(status(&agent.log_in(&again, "new@acme.com")), 303);
    }

    #[test]
    fn forms_of_strangers_are_refused() {
        let org = org();
        let mut one = agent(&org);
        let page = to_approval(&mut one);
        // Another value against forgery, another browser, nobody logged in.
        assert_eq!(status(&one.submit(&page, &[("save", "Allow"), ("csrf", "x")])), 400);
        assert_eq!(status(&agent(&org).submit(&page, &[("save", "Allow")])), 400);
        one.cookies.remove("sid");
        assert!(header_of(&one.submit(&page, &[("save", "Allow")]), "location").starts_with("/login"));
    }

    #[test]
    fn a_user_who_is_not_admitted_is_told_so() {
        let target = set(target(), "admin_approved", crate::subject::Setting::Flag(true));
        let org = org_of(&target);
        assert!(body(&to_approval(&mut agent(&org))).contains("OAUTH_APP_ACCESS_DENIED"));
    }

    #[test]
    fn pages_cannot_be_framed() {
        let org = org();
        let mut agent = agent(&org);
        let page = agent.ask("");
        let page = agent.follow(&page);
        assert!(header_of(&page, "content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(header_of(&page, "referrer-policy"), "no-referrer");
    }

    #[test]
    fn logging_out_ends_the_login() {
        let org = org();
        let mut agent = agent(&org);
        to_approval(&mut agent);
        let sid = agent.cookies["sid"].clone();
        agent.open("/services/auth/idp/oidc/logout");
        agent.cookies.insert("sid".into(), sid);
        assert!(header_of(&agent.ask(""), "location").starts_with("/login"));
    }
}
