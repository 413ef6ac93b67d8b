//! Our own client, as a program under test would be: it is told the same things, does the same work, and ends in the
//! same ways.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

use super::asking::ask;
use super::calls::{Call, Calls};
use super::host::{Cut, Handler, Host};
use super::renewal::{Brought, Grant, Renewing, brought};
use super::{Clock, Error, Transport};
use crate::client::answer::Manner;
use crate::client::login::{Heard, Login};
use crate::client::renewal::Granted;
use crate::client::wrong::Wrongs;
use crate::client::wrong::secrets::{PRINTS_TOKENS, TELLS_CALLBACK};
use crate::client::{Action, Authorize, Session};
use crate::oauth::pkce::Method;
use crate::oauth::{Params, Secret};
use crate::subject::{Endpoints, Flow, Target};

/// How long it waits for an answer.
const WITHIN: Duration = Duration::from_secs(10);
/// How long it waits for a user to log in.
const USER_WITHIN: Duration = Duration::from_secs(20);

/// What it is told.
pub struct Job {
    /// The org's apps and users; of them it looks at its own alone.
    pub target: Arc<Target>,
    /// Where the org answers.
    pub endpoints: Endpoints,
    /// Base URL of the org.
    pub org: String,
    /// Base URLs of further hosts that its tokens may go to.
    pub hosts: Vec<String>,
    /// Role of its app.
    pub app: String,
    /// Role of its user.
    pub user: String,
    /// How it gets tokens.
    pub flow: Flow,
    /// The tokens of an earlier login, for flow `refresh-token`.
    pub login: Option<(Secret, Option<Secret>)>,
    /// How many calls it makes.
    pub calls: u32,
    /// How many of them at a time.
    pub concurrency: u32,
    /// What it is told besides, by name; see [`ARGS`].
    pub args: BTreeMap<String, String>,
    /// Who takes the URLs that users are sent to.
    pub users: mpsc::UnboundedSender<String>,
    /// Tells what time it is, and how waiting goes.
    pub clock: Clock,
    /// What a program would print.
    pub printed: Arc<Mutex<String>>,
    /// What it does wrong on purpose.
    pub wrong: Wrongs,
}

/// The flows that it can do by itself.
pub const FLOWS: [Flow; 5] =
    [Flow::WebServer, Flow::RefreshToken, Flow::JwtBearer, Flow::SamlBearer, Flow::ClientCredentials];

/// What it can be told besides: what each of its calls `does`.
pub const ARGS: [&str; 1] = ["does"];

/// Does the work. True where every call was answered with success.
///
/// # Errors
/// The way to the org cannot be made.
pub async fn work(job: Job) -> Result<bool, Error> {
    let transport = Transport::http(job.target.ca.as_deref(), WITHIN, &job.org)?;
    let flow = match job.flow {
        Flow::JwtBearer => Some(Action::JwtBearer),
        Flow::SamlBearer => Some(Action::SamlBearer),
        Flow::ClientCredentials => Some(Action::ClientCredentials),
        Flow::WebServer | Flow::RefreshToken => None,
    };
    let mut calls = Calls {
        call: job.args.get("does").and_then(|word| Call::read(word)).unwrap_or_default(),
        endpoints: job.endpoints.clone(),
        concurrency: job.concurrency,
        referer: None,
    };
    let grant = Grant {
        target: job.target,
        endpoints: job.endpoints,
        org: job.org,
        app: job.app,
        user: job.user,
        flow,
        clock: job.clock,
        manner: Manner { hosts: job.hosts, wrong: job.wrong },
    };
    let (mut instance_url, mut identity_url) = (None, None);
    let (access_token, refresh_token) = match (job.flow, job.login) {
        (Flow::WebServer, _) => match login(&transport, &grant, &job.users, job.wrong).await? {
            Some((granted, callback)) => {
                calls.referer = Some(callback).filter(|_| job.wrong.has(&TELLS_CALLBACK));
                instance_url = granted.instance_url;
                identity_url = granted.identity_url;
                (Some(granted.access_token), granted.refresh_token)
            }
            None => return Ok(false),
        },
        (_, login) => {
            let (access_token, refresh_token) = login.unzip();
            (access_token, refresh_token.flatten())
        }
    };
    let numbers = (0..job.calls).collect();
    let first = access_token.clone();
    let session =
        Renewing::committing(transport.clone(), grant.clone(), access_token, refresh_token, job.wrong);
    session.answers_at(instance_url);
    if let Some(token) = first {
        session.introduce(&token, identity_url.as_deref()).await;
    }
    let made = calls.make(&session, numbers).await;
    let mut done = made.left.is_empty() && !made.failed;
    if !made.left.is_empty() && job.flow == Flow::WebServer {
        // The grant is over, and the user is there to give another: once, for whoever would end that one would end the next.
        let again = login(&transport, &grant, &job.users, job.wrong).await?;
        let Some((granted, _)) = again else { return Ok(false) };
        let (access_token, refresh_token) = (Some(granted.access_token), granted.refresh_token);
        let session = Renewing::committing(transport, grant, access_token, refresh_token, job.wrong);
        session.answers_at(granted.instance_url);
        let again = calls.make(&session, made.left).await;
        done = again.left.is_empty() && !again.failed && !made.failed;
    }
    let told = if done { "every call was answered" } else { "not every call was answered" };
    let token = session.access_token().filter(|_| job.wrong.has(&PRINTS_TOKENS));
    let token = token.map_or_else(String::new, |token| format!(", with {}", token.expose()));
    job.printed.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{told}{token}\n"));
    Ok(done)
}

/// Sends a user away to log in, waits for the callback, and redeems what it brings; tells the callback as well. None where
/// that came to nothing.
async fn login(
    transport: &Transport,
    grant: &Grant,
    users: &mpsc::UnboundedSender<String>,
    wrong: Wrongs,
) -> Result<Option<(Granted, String)>, Error> {
    let asks = Action::Authorize(Authorize {
        scope: None,
        pkce: Some(Method::S256),
        state: None,
        nonce: false,
        extra: Vec::new(),
        deny: false,
        follow: true,
    });
    let Ok(outgoing) = grant.build(&asks, &Session::default()) else { return Ok(None) };
    let issuer = grant.endpoints.issuer.clone().unwrap_or_else(|| grant.org.clone());
    let mut login = Login { session: Session::default(), issuer, wrong };
    outgoing.remember.into_session(&mut login.session);
    let redirect_uri = login.session.redirect_uri.clone().unwrap_or_default();
    let (address, path) = listening(&redirect_uri);
    let (tell, mut told) = mpsc::unbounded_channel();
    let listener = Host::serving(Arc::new(Listener { path, tell }), &address).await?;
    let _ = users.send(outgoing.request.uri().to_string());
    let heard = tokio::time::timeout(USER_WITHIN, told.recv()).await;
    let Ok(Some(params)) = heard else { return Ok(None) };
    let Heard::Code(code) = login.hear(&params) else { return Ok(None) };
    login.session.code = Some(code);
    let Ok(redemption) = grant.build(&Action::Redeem, &login.session) else { return Ok(None) };
    let brought = brought(ask(transport, grant, &redemption).await, grant);
    // Nobody is listened to any more: a callback works once.
    listener.stop().await;
    Ok(match brought {
        Brought::Tokens(granted) => Some((granted, format!("{redirect_uri}?{}", params.write()))),
        // A code that was sent may have been redeemed: it is not sent again.
        Brought::Nothing(_) | Brought::NothingYet(..) => None,
    })
}

/// Address and path of a callback on this machine (RFC 8252 §7.3).
fn listening(redirect_uri: &str) -> (String, String) {
    let url = url::Url::parse(redirect_uri).ok();
    let port = url.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(0);
    (format!("127.0.0.1:{port}"), url.map_or_else(|| "/".to_owned(), |url| url.path().to_owned()))
}

/// Hears callbacks.
struct Listener {
    path: String,
    tell: mpsc::UnboundedSender<Params>,
}

impl Handler for Listener {
    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let mut response = Response::new(Bytes::from_static(b"You can close this page."));
        if request.uri().path() == self.path {
            let _ = self.tell.send(Params::read_lossy(request.uri().query().unwrap_or("")));
        } else {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(response)
    }
}
