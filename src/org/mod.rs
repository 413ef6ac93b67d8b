//! The embedded org: Salesforce's authorization server and a small resource server, as a state machine
//! without I/O. Time and randomness are arguments, an answer is a value. What it does and on what ground is
//! the table in [`behaviour`]; what it does wrong on purpose is in [`fault`].
//!
//! A request is answered in two halves. [`Org::begin`] reads, parses and verifies, and takes the lock only to
//! look; [`Org::commit`] is the short critical section that redeems, rotates, issues and writes. Between them
//! a host can hold a request, so that a collision in flight or a cut before the commit can be said.

mod answer;
mod ask;
mod authentication;
mod authorize;
pub mod behaviour;
mod data;
mod discovery;
pub mod fault;
pub mod forge;
mod identity;
mod introspect;
mod pages;
mod redirect;
mod registry;
mod resource;
mod revoke;
mod scopes;
mod session;
mod signing;
mod soap;
mod store;
#[cfg(test)]
mod testing;
mod token;

pub use fault::Fault;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::oauth::Secret;
use crate::subject::Target;
use ask::Ask;
use fault::Faults;
use registry::Registry;
use store::{MadeOf, Store};

/// The org's My Domain where it is asked by a login host, and the one that a harness uses in process.
pub const MY_DOMAIN: &str = "https://acme.my.salesforce.com";

/// The hosts that serve every org (Salesforce Help: OAuth 2.0 Web Server Flow).
pub const LOGIN_HOSTS: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];

/// The org under its 15-character id.
pub const ORG_ID: &str = "00Dxx0000000001";

/// An emulated org. Shared by any number of threads.
pub struct Org {
    registry: Registry,
    faults: Faults,
    store: Arc<Store>,
}

/// What comes back: a response, and what the host does to it on the way.
pub struct Reply {
    /// The response.
    pub response: Response<Bytes>,
    /// How long the host waits before it sends it, in milliseconds.
    pub delay_ms: u64,
    /// After how many bytes of the body the host cuts the connection.
    pub cut_after: Option<usize>,
}

/// What the first half of an answer came to.
#[derive(Debug)]
pub enum Begun {
    /// The answer: nothing is to be changed.
    Reply(Reply),
    /// Something is to be changed, by [`Org::commit`]. To drop it is to abandon the request: nothing was
    /// changed, and what it held in flight is free again.
    Pending(Pending),
}

/// A request that is known to be right as far as reading can tell, and waits for its critical section.
pub struct Pending(Work);

enum Work {
    Token(Box<token::Grant>),
    Revoke(revoke::Revocation),
    Resource(resource::Write),
    Authorize(Box<authorize::Arrival>),
    Page(pages::Step),
    Soap(soap::Login),
}

impl Org {
    /// An org with the apps, users and settings of a target that commits these faults on purpose. The seed
    /// decides every token that it will ever issue.
    pub fn new(target: &Target, faults: &[&'static Fault], seed: [u8; 32]) -> Org {
        let store = Store::new(seed);
        let registry = Registry::new(target, |length| store.lock().random_hex(length));
        let faults = Faults::new(faults);
        let mut state = store.lock();
        state.counts_logins = registry.switches.login_rate;
        state.odd_refresh_tokens = faults.has(&fault::REFRESH_TOKEN_ODD);
        if faults.has(&fault::REFRESH_TOKEN_SHORT) {
            state.refresh_of = MadeOf::Chance(12);
        }
        if faults.has(&fault::REFRESH_TOKEN_HARDLY_CHANGES) {
            state.refresh_of = MadeOf::Constant(5);
        }
        drop(state);
        Org { registry, faults, store: Arc::new(store) }
    }

    /// The first half of an answer: everything that is expensive or only reads. `now` is in milliseconds since
    /// the epoch.
    pub fn begin(&self, request: &Request<Bytes>, now: i64) -> Begun {
        let ask = match Ask::read(request, now) {
            Ok(ask) => ask,
            Err(reply) => return Begun::Reply(*reply),
        };
        match self.route(&ask) {
            Begun::Reply(mut reply) => {
                if ask.host.origin.starts_with("https:") {
                    answer::demand_tls(self, &mut reply.response);
                }
                Begun::Reply(reply)
            }
            pending => pending,
        }
    }

    fn route(&self, ask: &Ask) -> Begun {
        match ask.path() {
            "/services/oauth2/token" => token::begin(self, ask),
            "/services/oauth2/introspect" => Begun::Reply(introspect::answer(self, ask)),
            "/services/oauth2/revoke" => revoke::begin(self, ask),
            "/services/oauth2/authorize" => authorize::begin(self, ask),
            "/services/oauth2/userinfo" => Begun::Reply(identity::userinfo(self, ask)),
            "/services/oauth2/success" => Begun::Reply(pages::success(ask)),
            "/services/oauth2/register" => Begun::Reply(discovery::register(ask)),
            "/id/keys" => Begun::Reply(discovery::keys(self, ask)),
            path if discovery::is_document(self, path) => Begun::Reply(discovery::document(self, ask)),
            pages::LOGIN => pages::login(self, ask),
            pages::APPROVAL => pages::approval(self, ask),
            "/services/auth/idp/oidc/logout" | "/secur/logout.jsp" => pages::logout(ask),
            "/" => Begun::Reply(pages::home(self, ask)),
            path if path.starts_with("/id/") => Begun::Reply(identity::identity(self, ask)),
            path if path.starts_with("/services/Soap/") => soap::begin(self, ask),
            path if is_below(path, "/services/data") => resource::begin(self, ask),
            _ => Begun::Reply(answer::not_found(ask)),
        }
    }

    /// The second half: the short critical section.
    pub fn commit(&self, pending: Pending, now: i64) -> Reply {
        match pending.0 {
            Work::Token(grant) => token::commit(self, *grant, now),
            Work::Revoke(revocation) => revoke::commit(self, revocation, now),
            Work::Resource(write) => resource::commit(self, write, now),
            Work::Authorize(arrival) => authorize::commit(self, *arrival, now),
            Work::Page(step) => pages::commit(self, step, now),
            Work::Soap(login) => soap::commit(self, &login, now),
        }
    }

    /// What an earlier login of that user left with a client: an access token and, where the app may have one, a
    /// refresh token. For clients that begin with tokens at hand. None where there is no such app or user. `origin` is
    /// where the org is asked, `now` in milliseconds since the epoch.
    pub fn earlier_login(
        &self,
        client_id: &str,
        username: &str,
        origin: &str,
        now: i64,
    ) -> Option<(Secret, Option<Secret>)> {
        token::earlier_login(self, client_id, username, origin, now)
    }

    /// Ends every access token that is alive, as a session timeout does; refresh tokens live on.
    pub fn expire_access_tokens(&self, now: i64) {
        self.store.lock().expire_sessions(now);
    }

    /// Both halves at once.
    pub fn handle(&self, request: &Request<Bytes>, now: i64) -> Reply {
        match self.begin(request, now) {
            Begun::Reply(reply) => reply,
            Begun::Pending(pending) => self.commit(pending, now),
        }
    }
}

impl Pending {
    /// Whether another request may use up what this one is about to: a code, a refresh token, an assertion that
    /// works once. A host lets others begin before it commits such a one.
    pub fn contends(&self) -> bool {
        match &self.0 {
            Work::Token(grant) => grant.contends(),
            _ => true,
        }
    }
}

impl std::fmt::Debug for Org {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Org({} apps, {} users, {:?})",
            self.registry.apps().len(),
            self.registry.users().len(),
            self.faults
        )
    }
}

impl std::fmt::Debug for Reply {
    /// Without the body, which may hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.response.status(), self.response.body().len())
    }
}

impl std::fmt::Debug for Pending {
    /// Without what it holds, which is secret for the most part.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.0 {
            Work::Token(_) => "token",
            Work::Revoke(_) => "revoke",
            Work::Resource(_) => "resource",
            Work::Authorize(_) => "authorize",
            Work::Page(_) => "page",
            Work::Soap(_) => "soap",
        };
        write!(f, "Pending({what})")
    }
}

impl From<Response<Bytes>> for Reply {
    fn from(response: Response<Bytes>) -> Self {
        Self { response, delay_ms: 0, cut_after: None }
    }
}

/// Whether a path is that one or one below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a method only reads.
fn is_get(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use proptest::prelude::*;

    fn shared<T: Send + Sync>() {}

    #[test]
    fn an_org_is_shared_by_threads_and_tells_no_secret() {
        shared::<Org>();
        let org = org();
        let request = token_request(&redemption(&code(&org, "main", NOW)));
        let Begun::Pending(pending) = org.begin(&request, NOW) else { panic!() };
        let debug = format!("{org:?} {pending:?}");
        let debug = format!("{debug} {:?}", org.commit(pending, NOW));
        for secret in ["s3cret", "aPrx", VERIFIER, "5Aep861", "00Dxx0000000001!"] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let org = org();
        let body = "x".repeat(ask::LONGEST_BODY + 1);
        assert_eq!(status(&org.handle(&post(token::PATH, &body, &[]), NOW)), 413);
        let query = "x".repeat(ask::LONGEST_QUERY + 1);
        assert_eq!(status(&org.handle(&get(&format!("/?{query}"), &[]), NOW)), 414);
        let value = format!("grant_type=refresh_token&refresh_token={}", "x".repeat(ask::LONGEST_VALUE + 1));
        assert_eq!(refusal(&org.handle(&post(token::PATH, &value, &[]), NOW)).1, "invalid_request");
        let nowhere = http::Request::get("/").body(Bytes::new()).unwrap();
        assert_eq!(status(&org.handle(&nowhere, NOW)), 400);
    }

    /// Something like a value of a parameter or a header.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,40}",
            "\\PC{0,20}",
            prop::sample::select(vec![
                "main",
                "public",
                "main-s3cret",
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "code",
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "urn:ietf:params:oauth:grant-type:saml2-bearer",
                "https://client.example/cb",
                "S256",
                "plain",
                "login consent",
                "true",
                "xml",
                "jsonp",
                "%",
                "%ff",
                "e30.e30.",
                "SELECT Id FROM Account WHERE Name = 'é' LIMIT 1",
                "select  from  where ",
                "PGE+PC9hPg",
                "latest",
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn name() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "grant_type",
            "client_id",
            "client_secret",
            "code",
            "redirect_uri",
            "code_verifier",
            "refresh_token",
            "scope",
            "assertion",
            "client_assertion",
            "client_assertion_type",
            "format",
            "token",
            "callback",
            "response_type",
            "state",
            "prompt",
            "immediate",
            "login_hint",
            "code_challenge",
            "code_challenge_method",
            "request",
            "csrf",
            "username",
            "pw",
            "source",
            "save",
            "cancel",
            "q",
            "columns",
            "version",
            "oauth_token",
        ])
    }

    fn path() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "/services/oauth2/token",
                "/services/oauth2/authorize",
                "/services/oauth2/introspect",
                "/services/oauth2/revoke",
                "/services/oauth2/userinfo",
                "/login",
                pages::APPROVAL,
                "/id/00Dxx0000000001EAA/005xx0000000001AAA",
                "/id/",
                "/id/keys",
                "/services/data/v62.0/query",
                "/services/data/v62.0/sobjects/Account",
                "/services/data/v62.0/sobjects/Account/é",
                "/services/Soap/u/60.0",
                "/services/Soap/",
                "/.well-known/openid-configuration",
                "/secur/logout.jsp",
            ])
            .prop_map(str::to_owned),
            "/[a-zA-Z0-9/._%-]{0,30}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_request_breaks_the_org(
            path in path(),
            reads in any::<bool>(),
            params in prop::collection::vec((name(), value()), 0..8),
            scheme in prop::sample::select(vec!["Bearer ", "Basic ", "OAuth ", ""]),
            header in value(),
            raw in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
            cookie in "[ -~]{0,30}",
            rfc in any::<bool>(),
            live in any::<bool>(),
            now in prop_oneof![Just(NOW), any::<i64>()],
        ) {
            let mut target = target();
            if rfc {
                target.profile = crate::oauth::salesforce::Profile::Rfc;
            }
            let org = org_of(&target);
            let token = if live { text(&tokens(&org, NOW), "access_token") } else { String::new() };
            let form: crate::oauth::Params = params.into_iter().collect();
            let path: String = form_path(&path);
            let mut request = if reads {
                get(&format!("{path}?{}", form.write()), &[])
            } else {
                post(&path, &form.write(), &[])
            };
            if let Some(raw) = raw {
                *request.body_mut() = raw.into();
            }
            let header = if live { bearer(&token) } else { format!("{scheme}{header}") };
            for (name, value) in [("authorization", header), ("cookie", cookie)] {
                if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
                    request.headers_mut().insert(name, value);
                }
            }
            let reply = org.handle(&request, now);
            prop_assert!(reply.response.status().as_u16() < 500 || path.starts_with("/services/Soap/"));
        }
    }

    /// What a URI can hold of a path.
    fn form_path(path: &str) -> String {
        path.chars().map(|c| if c.is_ascii() { c.to_string() } else { "%C3".to_owned() }).collect()
    }
}
