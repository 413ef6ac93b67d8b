//! A login by the web server flow: a user is sent away, the callback is listened for, and what it brings is redeemed.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::asking::ask;
use super::host::{Cut, Handler, Host};
use super::patience::in_time;
use super::renewal::{Brought, Grant, brought};
use super::{Error, Transport};
use crate::client::id_token::{self, Doubt, Expected};
use crate::client::login::{Heard, Login, Shown};
use crate::client::renewal::Granted;
use crate::client::wrong::Wrongs;
use crate::client::wrong::id_token::ID_KEYS_READ_ONCE;
use crate::client::wrong::login::{PASSWORD_GRANT, STATE_REUSABLE};
use crate::client::wrong::pkce::{DOWNGRADES, DOWNGRADES_TO_PLAIN, RETRIES_WITH_A_NEW_VERIFIER};
use crate::client::{Action, Authorize, Outgoing, Remember, Session, spoil};
use crate::oauth::pkce::Method;
use crate::oauth::{Params, Secret};
use crate::subject::ClientAuth;
use crate::transcript::Answer;

/// How often an address is tried to be listened on, and how long is waited in between.
const MOST_BINDS: u32 = 20;
const BIND_AGAIN: std::time::Duration = std::time::Duration::from_millis(10);

/// How long a client waits for a user to log in.
const USER_WITHIN: Duration = Duration::from_secs(20);

/// What a login is made with.
pub(super) struct Desk {
    /// The way to the org.
    pub(super) transport: Transport,
    /// Which app, which user, which org.
    pub(super) grant: Grant,
    /// Who takes the URLs that users are sent to.
    pub(super) users: mpsc::UnboundedSender<String>,
    /// How many of these users are back, or lost on their way.
    pub(super) visits: watch::Receiver<u32>,
    /// Whether it begins with what the org says of itself.
    pub(super) discovers: bool,
    /// How long ago the user may have logged in, in seconds, where that is asked for.
    pub(super) max_age: Option<i64>,
    /// The keys of the org, once they were read.
    pub(super) keys: Option<Value>,
    /// What it does wrong on purpose.
    pub(super) wrong: Wrongs,
}

/// What a login came to.
enum Came {
    /// Tokens, by that callback.
    Tokens(Granted, String),
    /// The org or the user said no.
    Denied,
    Nothing,
}

impl Desk {
    /// Logs a user in; tells the callback as well. None where that came to nothing.
    ///
    /// # Errors
    /// The callback cannot be listened for.
    pub(super) async fn login(&mut self) -> Result<Option<(Granted, String)>, Error> {
        let mut names_itself = false;
        if self.discovers {
            match self.discovered().await {
                Some(promised) => names_itself = promised,
                None => return Ok(None),
            }
        }
        if self.wrong.has(&PASSWORD_GRANT) {
            self.ask_by_password().await;
        }
        let mut came = self.once(names_itself, None).await?;
        let downgrades = [(&DOWNGRADES, false), (&DOWNGRADES_TO_PLAIN, true)];
        if let Came::Denied = came
            && let Some((_, to_plain)) = downgrades.into_iter().find(|(one, _)| self.wrong.has(one))
        {
            came = self.once(names_itself, Some(to_plain)).await?;
        }
        Ok(match came {
            Came::Tokens(granted, callback) => Some((granted, callback)),
            Came::Denied | Came::Nothing => None,
        })
    }

    /// Reads what the org says of itself (OpenID Connect Discovery §4, RFC 8414 §2), and whether it promises to name
    /// itself in its answers. None where it is not that org which speaks.
    async fn discovered(&mut self) -> Option<bool> {
        let asked = self.grant.build(&Action::Discover { oauth: false, below: None }, &Session::default());
        let Answer::Response(response) = self.transport.send(&asked.ok()?).await.0 else { return None };
        let said = response.json().filter(|_| response.status == 200)?;
        let text = |name: &str| said.get(name)?.as_str().map(str::to_owned);
        let issuer = text("issuer").filter(|issuer| *issuer == self.grant.org)?;
        let at = &mut self.grant.endpoints;
        at.issuer = Some(issuer);
        for (endpoint, name) in [
            (&mut at.authorize, "authorization_endpoint"),
            (&mut at.token, "token_endpoint"),
            (&mut at.userinfo, "userinfo_endpoint"),
            (&mut at.keys, "jwks_uri"),
        ] {
            *endpoint = text(name).or(endpoint.take());
        }
        let names_itself =
            said.get("authorization_response_iss_parameter_supported").is_some_and(|flag| flag == true);
        self.keys = self.read_keys().await;
        Some(names_itself)
    }

    async fn read_keys(&self) -> Option<Value> {
        let asked = self.grant.build(&Action::Keys, &Session::default()).ok()?;
        match self.transport.send(&asked).await.0 {
            Answer::Response(response) if response.status == 200 => response.json().cloned(),
            _ => None,
        }
    }

    /// Whether the ID token that came along is to be believed. Where keys were read before, they are read once more for
    /// one that is not among them: the org may have rolled them (OpenID Connect Core §10.1.1).
    async fn believes(&mut self, login: &Login, granted: &Granted) -> bool {
        let Some(text) = &granted.id_token else { return true };
        let read_before = self.keys.is_some();
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => self.read_keys().await.unwrap_or_default(),
        };
        let client_id = self.grant.target.apps.get(&self.grant.app).map_or("", |app| app.client_id.as_str());
        let expected = Expected {
            issuer: &login.issuer,
            client_id,
            nonce: login.session.nonce.as_deref(),
            access_token: granted.access_token.expose(),
            max_age: self.max_age,
            now: self.grant.clock.now() / 1000,
            wrong: self.wrong,
        };
        let mut outcome = id_token::check(text.expose(), &keys, &expected);
        if outcome == Err(Doubt::UnknownKey) && read_before && !self.wrong.has(&ID_KEYS_READ_ONCE) {
            let keys = self.read_keys().await.unwrap_or_default();
            outcome = id_token::check(text.expose(), &keys, &expected);
            self.keys = Some(keys);
        } else {
            self.keys = Some(keys);
        }
        outcome.is_ok()
    }

    /// One login; a downgraded one is what a client makes of an error that it takes for the fault of PKCE.
    async fn once(&mut self, names_itself: bool, downgraded: Option<bool>) -> Result<Came, Error> {
        let app = self.grant.target.apps.get(&self.grant.app);
        let wants_id_token = app.is_some_and(|app| app.scopes.iter().any(|scope| scope == "openid"));
        let asks = Action::Authorize(Authorize {
            scope: None,
            pkce: Some(Method::S256),
            state: None,
            nonce: wants_id_token,
            extra: self.max_age.map(|age| ("max_age", age.to_string())).into_iter().collect(),
            deny: false,
            follow: true,
        });
        let Ok(outgoing) = self.grant.build(&asks, &Session::default()) else { return Ok(Came::Nothing) };
        let Some(app) = self.grant.target.apps.get(&self.grant.app) else { return Ok(Came::Nothing) };
        let mut session = Session::default();
        outgoing.remember.into_session(&mut session);
        let mut url = outgoing.request.uri().to_string();
        url = spoil::authorization(self.wrong, &url, &mut session, app);
        if let Some(to_plain) = downgraded {
            url = spoil::downgraded(&url, &mut session, to_plain);
        }
        let redirect_uri = session.redirect_uri.clone().unwrap_or_default();
        let issuer = self.grant.endpoints.issuer.clone().unwrap_or_else(|| self.grant.org.clone());
        let login = Arc::new(Login { session, issuer, names_itself, wrong: self.wrong });
        let (address, path) = listening(&redirect_uri);
        let (tell, mut told) = mpsc::unbounded_channel();
        let over = AtomicBool::new(false);
        let handler = Arc::new(Listener { path, login: login.clone(), over, tell });
        let mut tries = 0;
        // Whoever was killed a moment ago may still hold the address.
        let listener = loop {
            tries += 1;
            match Host::serving(handler.clone(), &address).await {
                Err(_) if tries < MOST_BINDS => tokio::time::sleep(BIND_AGAIN).await,
                listener => break listener?,
            }
        };
        let visit = *self.visits.borrow();
        let _ = self.users.send(url);
        let mut came = Came::Nothing;
        // Whatever else comes by until the user is back is not theirs.
        while let Some((heard, callback)) = self.next(&mut told, visit).await {
            match heard {
                Heard::Code(code) => {
                    came = match self.redeemed(&login, code).await {
                        Some(granted) if !wants_id_token || self.believes(&login, &granted).await => {
                            Came::Tokens(granted, callback)
                        }
                        _ => Came::Nothing,
                    }
                }
                Heard::Denied(_) => came = Came::Denied,
                Heard::Refused(_) => continue,
            }
            if !self.wrong.has(&STATE_REUSABLE) {
                break;
            }
        }
        // Until the user has gone, what else they bring is refused; then nobody listens any more.
        let _ = tokio::time::timeout(USER_WITHIN, self.visits.wait_for(|over| *over > visit)).await;
        listener.stop().await;
        Ok(came)
    }

    /// What is heard next, as long as the user may still come.
    async fn next(&self, told: &mut mpsc::UnboundedReceiver<Told>, visit: u32) -> Option<Told> {
        let mut visits = self.visits.clone();
        tokio::select! {
            biased;
            heard = told.recv() => heard,
            _ = visits.wait_for(|over| *over > visit) => told.try_recv().ok(),
            () = tokio::time::sleep(USER_WITHIN) => None,
        }
    }

    async fn redeemed(&self, login: &Login, code: Secret) -> Option<Granted> {
        let mut session = login.session.clone();
        session.code = Some(code);
        let mut tries = 1 + u32::from(self.wrong.has(&RETRIES_WITH_A_NEW_VERIFIER));
        loop {
            tries -= 1;
            let mut redemption = self.grant.build(&Action::Redeem, &session).ok()?;
            let mut form = Params::read_lossy(&String::from_utf8_lossy(redemption.request.body()));
            let app = self.grant.target.apps.get(&self.grant.app);
            let is_public = app.is_some_and(|app| app.client_auth == ClientAuth::None);
            spoil::redemption(self.wrong, &mut form, is_public);
            // A wrong may have it that it is no form.
            if !redemption.request.body().starts_with(b"{") {
                *redemption.request.body_mut() = form.write().into();
            }
            let asking = ask(&self.transport, &self.grant, &redemption);
            match brought(in_time(&self.grant.clock, self.wrong, asking).await, &self.grant) {
                Brought::Tokens(granted) => return Some(granted),
                Brought::NothingYet(..) if tries > 0 => {
                    let other = session.verifier.take().map(|v| v.expose().chars().rev().collect::<String>());
                    session.verifier = other.map(Secret::new);
                }
                // A code that was sent may have been redeemed: it is not sent again.
                Brought::Nothing(_) | Brought::NothingYet(..) => return None,
            }
        }
    }

    /// Asks for tokens as RFC 9700 §2.4 forbids it.
    async fn ask_by_password(&self) {
        let (target, grant) = (&self.grant.target, &self.grant);
        let (Some(app), Some(user)) = (target.apps.get(&grant.app), target.users.get(&grant.user)) else {
            return;
        };
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|s| s.expose().to_owned());
        let form = Params::new()
            .with("grant_type", "password")
            .with("client_id", app.client_id.as_str())
            .with_opt("client_secret", secret(&app.client_secret))
            .with("username", user.username.as_str())
            .with_opt("password", secret(&user.password));
        let request = Request::post(grant.endpoints.token.as_deref().unwrap_or_default())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form.write()));
        if let Ok(request) = request {
            let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
            self.transport.send(&outgoing).await;
        }
    }
}

/// Address and path of a callback on this machine (RFC 8252 §7.3).
fn listening(redirect_uri: &str) -> (String, String) {
    let url = url::Url::parse(redirect_uri).ok();
    let port = url.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(0);
    (format!("127.0.0.1:{port}"), url.map_or_else(|| "/".to_owned(), |url| url.path().to_owned()))
}

/// What a callback came to, and the callback.
type Told = (Heard, String);

/// Hears callbacks.
struct Listener {
    path: String,
    login: Arc<Login>,
    /// Whether the login was answered.
    over: AtomicBool,
    tell: mpsc::UnboundedSender<Told>,
}

impl Listener {
    fn hear(&self, params: &Params) -> Heard {
        let heard = self.login.hear(params);
        let answers = !matches!(heard, Heard::Refused(_));
        if answers && self.over.swap(true, Ordering::Relaxed) && !self.login.wrong.has(&STATE_REUSABLE) {
            return Heard::Refused("the login was answered before");
        }
        heard
    }
}

impl Handler for Listener {
    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let shown = if request.uri().path() == self.path {
            let params = Params::read_lossy(request.uri().query().unwrap_or(""));
            let heard = self.hear(&params);
            let shown = self.login.page(&params, &heard);
            let at = self.login.session.redirect_uri.as_deref().unwrap_or_default();
            let _ = self.tell.send((heard, format!("{at}?{}", params.write())));
            shown
        } else {
            Shown { status: 404, kind: "text/plain; charset=utf-8", body: "There is nothing here.".into() }
        };
        let mut response = Response::new(Bytes::from(shown.body));
        *response.status_mut() = StatusCode::from_u16(shown.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(shown.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(response)
    }
}
