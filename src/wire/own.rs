//! Our own client, as a program under test would be: it is told the same things, does the same work, and ends in the
//! same ways.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::calls::{Call, Calls};
use super::leaving::log_out;
use super::login::Desk;
use super::named_credential::Player;
use super::renewal::{Grant, Process, Renewing};
use super::store::{Kept, Store};
use super::{Clock, Error, Transport};
use crate::client::answer::Manner;
use crate::client::renewal::Granted;
use crate::client::wrong::Wrongs;
use crate::client::wrong::id_token::ID_TOKEN_FOR_ACCESS;
use crate::client::wrong::renewal::RETRIES_DEAD_GRANT;
use crate::client::wrong::secrets::{PRINTS_TOKENS, TELLS_CALLBACK};
use crate::client::wrong::store::STORES_LAST;
use crate::client::{Action, Session};
use crate::oauth::{Secret, duration};
use crate::subject::{Endpoints, Flow, NamedCredential, Target, named_credential};

/// How long it waits for an answer.
const WITHIN: Duration = Duration::from_secs(10);

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
    /// Where it keeps its tokens, where others look for them too.
    pub store: Option<Arc<Store>>,
    /// How many calls it makes.
    pub calls: u32,
    /// How many of them at a time.
    pub concurrency: u32,
    /// The Named Credential that it plays, where it is to be one.
    pub named_credential: Option<NamedCredential>,
    /// What it is told besides, by name; see [`ARGS`].
    pub args: BTreeMap<String, String>,
    /// Who takes the URLs that users are sent to.
    pub users: mpsc::UnboundedSender<String>,
    /// How many of these users are back, or lost on their way.
    pub visits: watch::Receiver<u32>,
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

/// What it can be told besides: what each of its calls `does`, to `pause` for so long before each but the first, to
/// `discover` what the org says of itself before a login, and how long ago the user may have logged in at most (`max_age`, in
/// seconds); how it `ends`, which may be with a `log-out`; and which Named Credential to be, if any.
pub const ARGS: [&str; 8] = [
    "authentication",
    "does",
    "pause",
    "discover",
    "max_age",
    "ends",
    named_credential::ARGS[0],
    named_credential::ARGS[1],
];

fn millis(text: &str) -> Option<Duration> {
    duration(text).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis)
}

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
        pause: job.args.get("pause").and_then(|pause| millis(pause)).unwrap_or_default(),
        clock: job.clock.clone(),
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
        credential: job.named_credential.clone(),
    };
    let logs_out = job.args.get("ends").is_some_and(|ends| ends == "log-out");
    let mut desk = Desk {
        transport: transport.clone(),
        grant: grant.clone(),
        users: job.users,
        visits: job.visits,
        discovers: job.args.contains_key("discover"),
        max_age: job.args.get("max_age").and_then(|age| age.parse().ok()),
        keys: None,
        wrong: job.wrong,
    };
    let mut brought = Granted::default();
    let mut locked = match &job.store {
        Some(store) => Some(store.lock().await),
        None => None,
    };
    // A grant that an earlier start has seen end has no token that is worth a request.
    let is_over =
        locked.as_deref().is_some_and(|kept| kept.over.is_some()) && !job.wrong.has(&RETRIES_DEAD_GRANT);
    if is_over && job.flow == Flow::RefreshToken {
        job.printed.lock().unwrap_or_else(PoisonError::into_inner).push_str("the grant is over\n");
        return Ok(false);
    }
    let known = locked.as_deref().and_then(Kept::granted).filter(|_| !is_over);
    let (access_token, refresh_token) = match (job.flow, job.login) {
        _ if known.is_some() => {
            brought = known.unwrap_or_default();
            (Some(brought.access_token.clone()), brought.refresh_token.clone())
        }
        (Flow::WebServer, _) => match desk.login().await? {
            Some((mut granted, callback)) => {
                if let Some(id_token) =
                    granted.id_token.clone().filter(|_| job.wrong.has(&ID_TOKEN_FOR_ACCESS))
                {
                    granted.access_token = id_token;
                }
                calls.referer = Some(callback).filter(|_| job.wrong.has(&TELLS_CALLBACK));
                brought = granted.clone();
                (Some(granted.access_token), granted.refresh_token)
            }
            None => return Ok(false),
        },
        (_, login) => {
            let (access_token, refresh_token) = login.unzip();
            (access_token, refresh_token.flatten())
        }
    };
    if let (Some(kept), Some(token)) = (locked.as_deref_mut(), &access_token) {
        kept.take(&Granted {
            access_token: token.clone(),
            refresh_token: refresh_token.clone(),
            ..brought.clone()
        });
    }
    drop(locked);
    if let Some(credential) = job.named_credential {
        let session = Session { access_token, refresh_token, ..Session::default() };
        let player = Player::new(transport, grant, credential, session, job.wrong);
        let done = player.make(&calls, job.calls).await;
        let told = if done { "every call-out was answered\n" } else { "not every call-out was answered\n" };
        job.printed.lock().unwrap_or_else(PoisonError::into_inner).push_str(told);
        return Ok(done);
    }
    let numbers = (0..job.calls).collect();
    let first = access_token.clone();
    let mut session =
        Renewing::committing(transport.clone(), grant.clone(), access_token, refresh_token, job.wrong);
    let _process = Process(session.clone());
    session.begins_with(&brought);
    if let Some(store) = &job.store {
        session.shares(store);
    }
    if let Some(token) = first {
        session.introduce(&token, brought.identity_url.as_deref()).await;
    }
    let made = calls.make(&session, numbers).await;
    if let (Some(store), Some(last)) =
        (job.store.as_ref().filter(|_| job.wrong.has(&STORES_LAST)), session.granted())
    {
        store.lock().await.take(&last);
    }
    let mut done = made.left.is_empty() && !made.failed;
    let goes_on = !made.left.is_empty() && job.flow == Flow::WebServer;
    // The grant is over, and the user is there to give another: once, for whoever would end that one would end the next. Without
    // another, what is ended in the end is what there was.
    if goes_on && let Some((granted, _)) = desk.login().await? {
        let (access_token, refresh_token) =
            (Some(granted.access_token.clone()), granted.refresh_token.clone());
        session = Renewing::committing(transport, grant, access_token, refresh_token, job.wrong);
        let _process = Process(session.clone());
        session.begins_with(&granted);
        if let Some(store) = &job.store {
            store.lock().await.take(&granted);
            session.shares(store);
        }
        let again = calls.make(&session, made.left).await;
        done = again.left.is_empty() && !again.failed && !made.failed;
    }
    if logs_out && let Some(tokens) = session.granted() {
        done &= log_out(&desk.transport, &desk.grant, &tokens).await;
        if let Some(store) = &job.store {
            *store.lock().await = Kept::default();
        }
    }
    let told = if done { "every call was answered" } else { "not every call was answered" };
    let token = session.access_token().filter(|_| job.wrong.has(&PRINTS_TOKENS));
    let token = token.map_or_else(String::new, |token| format!(", with {}", token.expose()));
    job.printed.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{told}{token}\n"));
    Ok(done)
}
