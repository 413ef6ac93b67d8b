//! The embedded org as the counterpart of a client program: it behaves as a suite has it, and everything that the program
//! asks is recorded with what came back.

mod answering;
mod holding;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

use crate::oauth::salesforce::endpoint_of;
use crate::oauth::{Endpoint, duration, jwt};
use crate::org::{Org, forge};
use crate::subject::{
    Behaviour, Body, Canned, Cut, Does, Expire, Forged, HOSTS, Instead, Keys, Kill, Moment, Target, Written,
};
use crate::transcript::questions::{http_date, origin, same_origin};
use crate::transcript::{self, Answer, Exchange, Facts, Failure, Part};
use crate::wire::Clock;
use crate::wire::clock::Watch;
use crate::wire::host::{self, Cut as ConnectionCut, Half, Handler, Opened};
use crate::wire::noticed::Noticed;
use crate::wire::proxy::{Gate, is_listed};

/// The most exchanges that are recorded of one program, besides four for each call that it was told to make: a client
/// that loops is seen by then.
const MOST_EXCHANGES: usize = 200;
/// The most of a body that is recorded.
const LONGEST_BODY: usize = 256 * 1024;

/// An org that a client program is played against.
pub struct Counterpart {
    org: Arc<Org>,
    clock: Clock,
    behaviour: Behaviour,
    scenario: String,
    /// Role of the one user whom the program acts for, where it is one.
    user: Option<String>,
    part: Part,
    /// The most exchanges that are recorded.
    most: usize,
    /// Whether whoever asks more is cut off.
    cuts: bool,
    /// How often the program was started before.
    starts: AtomicUsize,
    /// How many ID tokens were brought to it.
    id_tokens: AtomicU32,
    place: OnceLock<Place>,
    noticed: OnceLock<Noticed>,
    /// How many requests each answer in place of the org's own was asked for.
    asked: Vec<AtomicU32>,
    /// Calls to the API that came so far.
    calls: watch::Sender<u32>,
    /// How many of them were let in.
    let_in: AtomicU32,
    expired: AtomicBool,
    /// How many calls had been let in when the access token died last.
    expired_at: AtomicU32,
    /// Whether held calls may go on.
    gate: watch::Sender<bool>,
    /// How many of the calls that are refused together were answered.
    refused: watch::Sender<u32>,
    /// How many token requests came after the access token died.
    renewing: watch::Sender<u32>,
    /// How many requests came.
    asked_for: watch::Sender<usize>,
    /// When the program is to be killed.
    kill: Option<Kill>,
    /// How many of the requests came that count for that.
    towards: AtomicU32,
    /// Whether its time has come, and whether it is gone.
    killed: watch::Sender<bool>,
    gone: watch::Sender<bool>,
    /// Whether a call was let in after the access token died: a client that sends a new token has read of it.
    renewed: watch::Sender<bool>,
    record: Mutex<Record>,
}

/// Where an org listens, and what facts of the record are derived with.
pub struct Place {
    /// Base URL of the org.
    pub org: String,
    /// Base URL of the instance that it hands clients on to.
    pub instance: String,
    /// Base URL of a host that is none of the org's.
    pub rogue: String,
    /// The hosts that are the org's by their names, where a proxy leads to it.
    pub hosts: Vec<String>,
    /// The org as a target.
    pub target: Arc<Target>,
}

/// One of the doors of a counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The org's own.
    Org,
    /// That of the instance; behind it is the same org.
    Instance,
    /// That of a host which is none of the org's: whatever is asked there is recorded, and means nothing.
    Rogue,
}

/// What was exchanged, each in the place of its request.
#[derive(Default)]
struct Record {
    exchanges: Vec<Option<Exchange>>,
    /// Of which start of the program each of them is: one that is answered after its program was killed is of no other.
    starts: Vec<usize>,
    refused: bool,
}

/// What a counterpart saw.
pub struct Seen {
    /// In the order in which the requests were begun.
    pub exchanges: Vec<Exchange>,
    /// Why the scenario did not come about as it was written, where it did not.
    pub unmet: Option<String>,
}

impl Counterpart {
    /// An org that behaves like that, for a scenario of that name in which a program was told to make so many calls, and
    /// may be killed.
    pub fn new(
        org: Arc<Org>,
        clock: Clock,
        behaviour: Behaviour,
        (scenario, user): (&str, &str),
        part: Part,
        (told, kill): (u32, Option<Kill>),
    ) -> Self {
        let most = MOST_EXCHANGES + usize::try_from(told).unwrap_or(0).saturating_mul(4);
        Self {
            cuts: true,
            kill,
            user: Some(user.to_owned()),
            ..Self::keeping(org, clock, behaviour, scenario, part, most)
        }
    }

    /// The same, which keeps that many exchanges and goes on to answer.
    pub fn keeping(
        org: Arc<Org>,
        clock: Clock,
        behaviour: Behaviour,
        scenario: &str,
        part: Part,
        most: usize,
    ) -> Self {
        Self {
            cuts: false,
            asked: behaviour.answers.iter().map(|_| AtomicU32::new(0)).collect(),
            org,
            clock,
            behaviour,
            scenario: scenario.to_owned(),
            user: None,
            part,
            most,
            starts: AtomicUsize::new(0),
            id_tokens: AtomicU32::new(0),
            place: OnceLock::new(),
            noticed: OnceLock::new(),
            calls: watch::channel(0).0,
            let_in: AtomicU32::new(0),
            expired: AtomicBool::new(false),
            expired_at: AtomicU32::new(0),
            gate: watch::channel(false).0,
            refused: watch::channel(0).0,
            renewing: watch::channel(0).0,
            renewed: watch::channel(false).0,
            asked_for: watch::channel(0).0,
            kill: None,
            towards: AtomicU32::new(0),
            killed: watch::channel(false).0,
            gone: watch::channel(false).0,
            record: Mutex::default(),
        }
    }

    /// Tells it where it listens, which is where URLs of the record begin. Before it was told it answers nothing.
    pub fn listens_at(&self, place: Place) {
        let _ = self.noticed.set(Noticed::at(&place));
        let _ = self.place.set(place);
    }

    /// Tells it that the program is started once more. What comes from then on is another step of the record.
    pub fn starts_again(&self) {
        self.starts.fetch_add(1, Ordering::Relaxed);
    }

    /// Of a connection that is opened now: which start of the program does that.
    fn opened(&self) -> Opened {
        Opened(self.starts.load(Ordering::Relaxed))
    }

    /// Waits until the program is to be killed. It is killed once.
    pub fn death(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let (mut killed, is_gone) = (self.killed.subscribe(), *self.gone.borrow());
        async move {
            if is_gone || killed.wait_for(|killed| *killed).await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// Waits until something was asked, and then nothing for so long.
    pub async fn quiet(&self, long: Duration) {
        let mut asked = self.asked_for.subscribe();
        let _ = asked.wait_for(|asked| *asked > 0).await;
        while tokio::time::timeout(long, asked.changed()).await.is_ok() {}
    }

    /// Tells it that the program is gone that was to be killed.
    pub fn is_gone(&self) {
        if *self.killed.borrow() {
            self.gone.send_replace(true);
        }
    }

    /// One of its doors.
    pub fn door(self: &Arc<Self>, door: Door) -> Arc<impl Handler> {
        Arc::new(Standing { counterpart: self.clone(), door })
    }

    /// Whether a URL is of the org, or of its instance.
    pub fn is_at(&self, url: &str) -> bool {
        self.place.get().is_some_and(|place| {
            let named = host_of(url).is_some_and(|host| is_listed(&host, &place.hosts));
            let at = |base: &str| same_origin(url, base);
            at(&place.org) || at(&place.instance) || named && !at(&place.rogue)
        })
    }

    /// A text of the suite with the hosts of this play filled in.
    pub fn filled(&self, text: &str) -> String {
        let Some(place) = self.place.get() else { return text.to_owned() };
        let hosts = HOSTS.iter().zip([&place.org, &place.instance, &place.rogue]);
        let text =
            hosts.fold(text.to_owned(), |text, (name, url)| text.replace(&format!("${{{name}}}"), url));
        let apps = place.target.apps.iter();
        apps.fold(text, |text, (role, app)| text.replace(&format!("${{{role}.client_id}}"), &app.client_id))
    }

    /// Answers the user's browser, and tells what it asked and what came back.
    pub async fn visited(
        self: &Arc<Self>,
        request: Request<Bytes>,
    ) -> Option<(transcript::Request, transcript::Response)> {
        let place = self.place.get()?;
        let response = self.exchange(&request, "browser", Door::Org).await.ok()?;
        Some((recorded(&request, &place.org), received(&response)))
    }

    /// Keeps a request of the user's browser that went to somebody else, who was not asked: `endpoint` says whether it was to
    /// the org that the user was sent, or whether a page led there.
    pub fn not_visited(&self, request: &Request<Bytes>, endpoint: Endpoint) {
        let Some(place) = self.begin() else { return };
        let asked = recorded(request, "");
        let answer = Answer::Nothing(Failure::Unreachable("it is not the org, and was not asked".into()));
        self.keep(place, Kept { at: self.clock.now(), took: 0, action: "browser", endpoint }, asked, answer);
    }

    /// Keeps a place for a callback that is brought now.
    pub fn begins(&self) -> (i64, Option<usize>) {
        (self.clock.now(), self.begin())
    }

    /// Keeps what a client answered to a callback.
    pub fn heard(&self, place: Option<usize>, at: i64, took: u64, request: &Request<Bytes>, answer: Answer) {
        let Some(place) = place else { return };
        let asked = recorded(request, "");
        self.keep(place, Kept { at, took, action: "browser", endpoint: Endpoint::Callback }, asked, answer);
    }

    /// What was exchanged so far. A request that has no answer yet is one that the program did not wait for.
    pub fn seen(&self) -> Seen {
        let record = self.record();
        let exchanges: Vec<Exchange> = record.exchanges.iter().flatten().cloned().collect();
        let places: Vec<usize> = record
            .exchanges
            .iter()
            .enumerate()
            .filter(|(_, x)| x.is_some())
            .map(|(place, _)| place)
            .collect();
        let over = record.refused;
        drop(record);
        let exchanges = exchanges
            .into_iter()
            .enumerate()
            .map(|(number, x)| {
                let begun = places.iter().take_while(|place| **place < x.over_at).count();
                Exchange { number, over_at: begun.max(number + 1), ..x }
            })
            .collect();
        let unmet = match self.behaviour.expire {
            _ if over => Some(format!("the program asked more than {} times", self.most)),
            Some(Expire::AtOnce { calls, .. }) if !*self.gate.borrow() || !self.has_expired() => {
                let came = *self.calls.borrow();
                Some(format!("the program never had {calls} calls in flight at once: {came} came in time"))
            }
            None if self.behaviour.together.is_some() && !*self.gate.borrow() => {
                let (calls, came) = (self.behaviour.together.unwrap_or_default(), *self.calls.borrow());
                Some(format!("the program never had {calls} calls in flight at once: {came} came in time"))
            }
            _ if self.kill.is_some() && !*self.killed.borrow() => {
                Some("the program did not ask so often, and was not killed".to_owned())
            }
            Some(Expire::AfterCalls(calls) | Expire::Every(calls)) if !self.has_expired() => {
                Some(format!("the program made no call after the first {calls}, so the token did not die"))
            }
            _ => None,
        };
        Seen { exchanges, unmet }
    }

    fn has_expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a place for an exchange whose request came now.
    fn begin(&self) -> Option<usize> {
        self.begin_of(self.starts.load(Ordering::Relaxed))
    }

    /// The same for one that came over a connection of the program. What a killed one had sent may only be read when the next
    /// has started.
    fn begin_over(&self, opened: Option<&Opened>) -> Option<usize> {
        match opened.filter(|_| *self.killed.borrow()) {
            Some(Opened(start)) => self.begin_of(*start),
            None => self.begin(),
        }
    }

    fn begin_of(&self, start: usize) -> Option<usize> {
        let mut record = self.record();
        if record.exchanges.len() >= self.most {
            record.refused = true;
            return None;
        }
        record.exchanges.push(None);
        record.starts.push(start);
        self.asked_for.send_replace(record.exchanges.len());
        Some(record.exchanges.len() - 1)
    }

    fn expire(&self) {
        if !self.expired.swap(true, Ordering::Relaxed) {
            self.org.expire_access_tokens(self.clock.now());
        }
    }
}

impl Counterpart {
    /// Keeps what a program asked of a host that is none of the org's, and was not let through to.
    fn turned_away(&self, place: usize, asked: transcript::Request) {
        let answer = Answer::Response(transcript::Response::new(403, Vec::new(), String::new()));
        let kept = Kept { at: self.clock.now(), took: 0, action: "program", endpoint: Endpoint::Page };
        self.keep(place, kept, asked, answer);
    }

    /// Whether the program has come to its end.
    pub fn has_gone(&self) -> bool {
        *self.gone.borrow()
    }
}

/// What is known of an exchange besides what was said.
#[derive(Clone, Copy)]
struct Kept {
    at: i64,
    took: u64,
    action: &'static str,
    endpoint: Endpoint,
}

impl Counterpart {
    /// Puts an exchange that is over into the place that was kept for it.
    fn keep(&self, place: usize, kept: Kept, request: transcript::Request, answer: Answer) {
        let Some(here) = self.place.get() else { return };
        let Kept { at, took, action, endpoint } = kept;
        let told = match &answer {
            Answer::Response(response) => Some(response),
            Answer::Nothing(_) => None,
        };
        // Facts verify signatures: outside of the lock.
        let mut facts = Facts::of(&request, told, &here.target);
        if let Some(noticed) = self.noticed.get() {
            noticed.note(&request, told, &mut facts);
        }
        // Whoever is asked without TLS and is none of the org's hears all that is in the request.
        let is_elsewhere = endpoint == Endpoint::Page && request.method != "CONNECT" && action == "program";
        if is_elsewhere && !self.is_at(&request.url) {
            facts.stranger = Some(origin(&request.url).to_owned());
        }
        let app = request.form().get("client_id").or(facts.basic_client_id.as_deref());
        let app = app.or_else(|| request.query().get("client_id"));
        let role = here.target.apps.iter().find(|(_, one)| Some(one.client_id.as_str()) == app);
        let app = role.map_or("main", |(role, _)| role.as_str()).to_owned();
        // The one user of a play; client credentials are nobody's.
        let is_of_the_user =
            matches!(endpoint_of(request.path()), Endpoint::Authorize | Endpoint::Page | Endpoint::Token)
                && request.form().get("grant_type") != Some("client_credentials");
        let user = self.user.clone().filter(|_| is_of_the_user);
        let mut exchange = Exchange {
            number: place,
            over_at: 0,
            scenario: self.scenario.clone(),
            part: self.part,
            step: 0,
            action: action.to_owned(),
            tweak: None,
            endpoint,
            app,
            user,
            at,
            took,
            race: None,
            request,
            answer,
            facts,
        };
        if exchange.facts.id_token.is_some() {
            let keys = forge::key_set(&Keys::default(), self.has_rolled());
            transcript::verify_id_token(&mut exchange, &keys);
        }
        let mut record = self.record();
        exchange.over_at = record.exchanges.len();
        exchange.step = record.starts[place];
        record.exchanges[place] = Some(exchange);
    }
}

/// A counterpart behind a proxy: a request says by its URL which door it is for.
pub struct Proxied(pub Arc<Counterpart>);

impl Handler for Proxied {
    fn opened(&self) -> Opened {
        self.0.opened()
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionCut> {
        let Some(place) = self.0.place.get() else { return Err(ConnectionCut) };
        let url = request.uri().to_string();
        let door = match () {
            () if same_origin(&url, &place.rogue) => Door::Rogue,
            () if same_origin(&url, &place.instance) => Door::Instance,
            () => Door::Org,
        };
        self.0.exchange(&request, "program", door).await
    }
}

impl Gate for Proxied {
    fn refused(&self, host: &str) {
        let Some(place) = self.0.begin() else { return };
        let asked =
            transcript::Request::new("CONNECT", &format!("https://{host}"), Vec::new(), String::new());
        self.0.turned_away(place, asked);
    }

    fn turned_away(&self, request: &Request<Bytes>) {
        let Some(place) = self.0.begin() else { return };
        self.0.turned_away(place, recorded(request, ""));
    }
}

fn host_of(url: &str) -> Option<String> {
    url::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// A counterpart behind one of its doors.
struct Standing {
    counterpart: Arc<Counterpart>,
    door: Door,
}

impl Handler for Standing {
    const HALF_CLOSED: bool = false;

    fn opened(&self) -> Opened {
        self.counterpart.opened()
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionCut> {
        self.counterpart.exchange(&request, "program", self.door).await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_BODY)]).into_owned()
}

fn fields(headers: &http::HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

/// A request as the record has it, with the whole URL: its own, or one that begins like that.
fn recorded(request: &Request<Bytes>, base: &str) -> transcript::Request {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let url = match request.uri().authority() {
        Some(_) => request.uri().to_string(),
        None => format!("{base}{path}"),
    };
    let body = text(request.body());
    transcript::Request::new(request.method().as_str(), &url, fields(request.headers()), body)
}

fn received(response: &Response<Bytes>) -> transcript::Response {
    transcript::Response::new(response.status().as_u16(), fields(response.headers()), text(response.body()))
}
