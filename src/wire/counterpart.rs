//! The embedded org as the counterpart of a client program: it behaves as a suite has it, and everything that the program
//! asks is recorded with what came back.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

use super::Clock;
use super::clock::Watch;
use super::host::{self, Cut as ConnectionCut, Half, Handler};
use super::noticed::Noticed;
use super::proxy::{Gate, is_listed};
use crate::oauth::salesforce::endpoint_of;
use crate::oauth::{Endpoint, duration, jwt};
use crate::org::{Org, forge};
use crate::subject::{
    Behaviour, Body, Canned, Cut, Does, Expire, Forged, HOSTS, Instead, Keys, Kill, Moment, Target, Written,
};
use crate::transcript::questions::{http_date, same_origin};
use crate::transcript::{self, Answer, Exchange, Facts, Failure, Part};

/// How long calls are held while no other comes, and an answer while nothing shows that the renewal arrived.
const HELD_FOR: Duration = Duration::from_secs(3);
/// How long a renewal takes at least where calls are refused together, counted from the last that was begun. Nothing
/// tells when a program has read an answer; most have by then, and who renews for itself has begun to. One that is slower
/// shows less of its storm, and is not called wrong for it.
const RENEWAL_TAKES: Duration = Duration::from_millis(100);
/// The same for our own client, which needs no process to be woken.
const OWN_RENEWAL_TAKES: Duration = Duration::from_millis(20);
/// How far a clock that is told to goes on at a time, in milliseconds.
const STEP: u64 = 1000;
/// The same for the machine's clock.
const REAL_STEP: u64 = 50;
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

    /// Keeps a request of the user's browser that went to somebody else, who was not asked.
    pub fn not_visited(&self, request: &Request<Bytes>) {
        let Some(place) = self.begin() else { return };
        let asked = recorded(request, "");
        let answer = Answer::Nothing(Failure::Unreachable("it is not the org, and was not asked".into()));
        self.keep(
            place,
            Kept { at: self.clock.now(), took: 0, action: "browser", endpoint: Endpoint::Authorize },
            asked,
            answer,
        );
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
        let mut record = self.record();
        if record.exchanges.len() >= self.most {
            record.refused = true;
            return None;
        }
        record.exchanges.push(None);
        self.asked_for.send_replace(record.exchanges.len());
        Some(record.exchanges.len() - 1)
    }

    fn expire(&self) {
        if !self.expired.swap(true, Ordering::Relaxed) {
            self.org.expire_access_tokens(self.clock.now());
        }
    }

    /// What is done to a call before the org sees it. Tells whether its answer has to wait for a renewal.
    async fn hold(&self, endpoint: Endpoint) -> bool {
        if endpoint != self.behaviour.counted {
            return false;
        }
        let mut nth = 0;
        self.calls.send_modify(|calls| {
            *calls += 1;
            nth = *calls;
        });
        match self.behaviour.expire {
            Some(Expire::AfterCalls(calls)) if nth == calls + 1 => {
                self.expire();
                false
            }
            Some(Expire::Every(calls)) => {
                let let_in = self.let_in.load(Ordering::Relaxed);
                let due = let_in > 0 && let_in.is_multiple_of(calls.max(1));
                if due && self.expired_at.swap(let_in, Ordering::Relaxed) != let_in {
                    self.expired.store(false, Ordering::Relaxed);
                    self.expire();
                }
                false
            }
            Some(Expire::AtOnce { calls, late }) if nth <= calls => {
                if nth == calls {
                    self.expire();
                }
                self.gather(nth == calls).await;
                nth > calls - late.min(calls)
            }
            _ => {
                if let Some(calls) = self.behaviour.together.filter(|calls| nth <= *calls) {
                    self.gather(nth == calls).await;
                }
                false
            }
        }
    }

    /// Holds a call until the last of those that are held together has come.
    async fn gather(&self, is_last: bool) {
        if is_last {
            self.gate.send_replace(true);
            return;
        }
        let (mut open, mut come) = (self.gate.subscribe(), self.calls.subscribe());
        let all = open.wait_for(|open| *open);
        tokio::pin!(all);
        loop {
            tokio::select! {
                _ = &mut all => break,
                () = tokio::time::sleep(HELD_FOR) => break,
                _ = come.changed() => {}
            }
        }
    }

    /// Lets a token request wait until all calls that are refused together have been.
    async fn let_all_be_refused(&self, endpoint: Endpoint) {
        if endpoint != Endpoint::Token {
            return;
        }
        match self.behaviour.expire {
            Some(Expire::AtOnce { calls, late }) if self.has_expired() => {
                let mut refused = self.refused.subscribe();
                let all = refused.wait_for(|refused| *refused >= calls.saturating_sub(late));
                let _ = tokio::time::timeout(HELD_FOR, all).await;
            }
            None if self.behaviour.together.is_some() => {}
            _ => return,
        }
        // As long as others ask beside it.
        let own = matches!(self.clock, Clock::Own(_));
        let takes = if own { OWN_RENEWAL_TAKES } else { RENEWAL_TAKES };
        let mut asked = self.renewing.subscribe();
        self.renewing.send_modify(|asked| *asked += 1);
        let all = async { while tokio::time::timeout(takes, asked.changed()).await.is_ok() {} };
        let _ = tokio::time::timeout(HELD_FOR, all).await;
    }

    /// The answer in place of the org's own, where there is one for this request.
    fn instead(&self, endpoint: Endpoint, grant_type: Option<&str>) -> Option<&Instead> {
        // All that it is for count, so that `from` means the nth of them whatever else answers.
        let mut found = None;
        for (instead, asked) in self.behaviour.answers.iter().zip(&self.asked) {
            if !instead.is_for(endpoint, grant_type) {
                continue;
            }
            let nth = asked.fetch_add(1, Ordering::Relaxed) + 1;
            if found.is_none() && instead.covers(nth) {
                found = Some(instead);
            }
        }
        found
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

/// What comes of a request.
enum Came {
    /// An answer.
    Answer(Response<Bytes>),
    /// Nothing, and why.
    Nothing(&'static str),
    /// Whatever it is, it is kept when it is over.
    Kept(Result<Response<Bytes>, ConnectionCut>),
}

impl Came {
    /// The same, with another answer.
    fn map(self, change: impl FnOnce(Response<Bytes>) -> Response<Bytes>) -> Self {
        match self {
            Self::Answer(response) => Self::Answer(change(response)),
            came => came,
        }
    }
}

/// A request that is not answered, or half: when this is dropped, the client has gone, or was left to itself for long enough.
struct Waiting {
    counterpart: Arc<Counterpart>,
    place: Option<usize>,
    kept: Kept,
    /// For how long it was, in milliseconds.
    waited: Arc<AtomicU64>,
    request: transcript::Request,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let waited = self.waited.load(Ordering::Relaxed);
        let kept = Kept { took: waited.saturating_mul(1000), ..self.kept };
        let request = std::mem::take(&mut self.request);
        self.counterpart.keep(place, kept, request, Answer::Nothing(Failure::TimedOut(waited)));
    }
}

impl Counterpart {
    /// Answers a request as the suite has it, and keeps it.
    async fn exchange(
        self: &Arc<Self>,
        request: &Request<Bytes>,
        action: &'static str,
        door: Door,
    ) -> Result<Response<Bytes>, ConnectionCut> {
        let Some(here) = self.place.get() else { return Err(ConnectionCut) };
        let place = self.begin();
        if place.is_none() && self.cuts {
            return Err(ConnectionCut);
        }
        let (at, watch) = (self.clock.now(), Watch::start());
        let endpoint = endpoint_of(request.uri().path());
        let kept = Kept { at, took: 0, action, endpoint };
        let asked = recorded(
            request,
            match door {
                Door::Org => &here.org,
                Door::Instance => &here.instance,
                Door::Rogue => &here.rogue,
            },
        );
        let killed = self.kills(endpoint);
        let came = match door {
            _ if matches!(killed, Some(Moment::Asked(_))) => {
                return self
                    .killed(place, kept, asked, "the program was killed before anything was done")
                    .await;
            }
            Door::Org | Door::Instance => self.answered(&asked, request, kept, place).await,
            // Whoever looks for keys there finds those of an attacker.
            Door::Rogue if request.uri().path().ends_with("/keys") => {
                Came::Answer(json(&forge::rogue_key_set()))
            }
            Door::Rogue => Came::Answer(nothing()),
        };
        let (answer, outcome) = match came {
            _ if matches!(killed, Some(Moment::Answered(_))) => {
                let why = "the program was killed after all was done and before it was told";
                return self.killed(place, kept, asked, why).await;
            }
            Came::Answer(mut response) => {
                // A server tells the time by its clock, which is not the machine's where it stands still.
                let fields = response.headers_mut();
                if matches!(self.clock, Clock::Own(_))
                    && !fields.contains_key(http::header::DATE)
                    && let Some(date) = http_date(self.clock.now()).and_then(|date| date.parse().ok())
                {
                    fields.insert(http::header::DATE, date);
                }
                (Answer::Response(received(&response)), Ok(response))
            }
            Came::Nothing(why) => (Answer::Nothing(Failure::Broken(why.to_owned())), Err(ConnectionCut)),
            Came::Kept(outcome) => return outcome,
        };
        if let Some(place) = place {
            self.keep(place, Kept { took: watch.micros(), ..kept }, asked, answer);
        }
        outcome
    }

    /// What the org, or the suite in its place, answers.
    async fn answered(
        self: &Arc<Self>,
        asked: &transcript::Request,
        request: &Request<Bytes>,
        kept: Kept,
        place: Option<usize>,
    ) -> Came {
        let endpoint = kept.endpoint;
        let late = self.hold(endpoint).await;
        self.let_all_be_refused(endpoint).await;
        let grant_type = asked.form().get("grant_type").map(str::to_owned);
        let instead = self.instead(endpoint, grant_type.as_deref());
        let own = async || match host::handle(&self.org, &self.clock, request).await {
            Ok(response) => Came::Answer(response),
            Err(_) => Came::Nothing("the org cut the connection"),
        };
        let waiting = || Waiting {
            counterpart: self.clone(),
            place,
            kept,
            waited: Arc::default(),
            request: asked.clone(),
        };
        let came = match instead.map(|instead| &instead.does) {
            Some(Does::Answer(canned)) => {
                self.clock.wait(Duration::from_millis(canned.delay_ms)).await;
                Came::Answer(self.written(canned))
            }
            Some(Does::Cut(Cut::Before)) => Came::Nothing("it was cut before anything was done"),
            Some(Does::Cut(Cut::After)) => {
                own().await;
                Came::Nothing("it was cut after all was done and before it was told")
            }
            Some(Does::Hang(millis)) => {
                let waiting = waiting();
                self.let_go_by(*millis, &waiting.waited).await;
                drop(waiting);
                Came::Kept(Err(ConnectionCut))
            }
            Some(Does::Cut(Cut::Middle)) => match own().await {
                Came::Answer(response) => {
                    if let Some(place) = place {
                        let why = "it was cut in the middle of the answer".to_owned();
                        self.keep(place, kept, asked.clone(), Answer::Nothing(Failure::Broken(why)));
                    }
                    Came::Kept(Ok(half(response, async {})))
                }
                came => came,
            },
            Some(Does::Stall(millis)) => match own().await {
                Came::Answer(response) => {
                    let (waiting, counterpart, millis) = (waiting(), self.clone(), *millis);
                    Came::Kept(Ok(half(response, async move {
                        counterpart.let_go_by(millis, &waiting.waited).await;
                        drop(waiting);
                    })))
                }
                came => came,
            },
            Some(Does::Write(way)) => own().await.map(|r| rewritten(self.signed(r, None), *way)),
            Some(Does::Alter(members)) => {
                let headers = instead.map(|instead| instead.headers.as_slice()).unwrap_or_default();
                let signed = |r| self.signed(self.altered(r, members), fitting(members).as_ref());
                own().await.map(|r| self.with_fields(signed(r), headers))
            }
            Some(Does::IdToken(forged)) => own().await.map(|r| self.signed(r, Some(forged))),
            None if endpoint == Endpoint::Keys && self.behaviour.keys != Keys::default() => {
                Came::Answer(json(&forge::key_set(&self.behaviour.keys, self.has_rolled())))
            }
            None => own().await.map(|r| self.signed(r, None)),
        };
        let counts = endpoint == self.behaviour.counted;
        if counts && matches!(&came, Came::Answer(response) if response.status().is_success()) {
            self.renewed.send_if_modified(|renewed| !std::mem::replace(renewed, self.has_expired()));
            self.let_in.fetch_add(1, Ordering::Relaxed);
        }
        if counts && !late {
            self.refused.send_modify(|refused| *refused += 1);
        }
        if late {
            let mut renewed = self.renewed.subscribe();
            let _ = tokio::time::timeout(HELD_FOR, renewed.wait_for(|renewed| *renewed)).await;
        }
        came
    }

    /// Lets so much time go by, in small steps, and tells how much of it did.
    async fn let_go_by(&self, millis: u64, gone: &AtomicU64) {
        let own = matches!(self.clock, Clock::Own(_));
        let step = if own { STEP } else { REAL_STEP };
        for _ in 0..millis.div_ceil(step) {
            if own {
                self.clock.advance(i64::try_from(step).unwrap_or(0));
            }
            // Where the clock is told to go on, who waits for it must be able to find out.
            tokio::time::sleep(Duration::from_millis(if own { 1 } else { step })).await;
            gone.fetch_add(step, Ordering::Relaxed);
        }
    }

    /// At which moment of this request the program is killed, where it is.
    fn kills(&self, endpoint: Endpoint) -> Option<Moment> {
        let Kill { at, nth } = self.kill?;
        let (Moment::Asked(meant) | Moment::Answered(meant)) = at;
        (meant == endpoint && self.towards.fetch_add(1, Ordering::Relaxed) + 1 == nth).then_some(at)
    }

    /// Has the program killed, and waits until it is gone: it must see nothing of what comes after.
    async fn killed(
        &self,
        place: Option<usize>,
        kept: Kept,
        asked: transcript::Request,
        why: &str,
    ) -> Result<Response<Bytes>, ConnectionCut> {
        // First of all, for nobody goes on with this when the program's end of the connection is gone.
        if let Some(place) = place {
            self.keep(place, kept, asked, Answer::Nothing(Failure::Broken(why.to_owned())));
        }
        let mut gone = self.gone.subscribe();
        self.killed.send_replace(true);
        let _ = tokio::time::timeout(HELD_FOR, gone.wait_for(|gone| *gone)).await;
        Err(ConnectionCut)
    }

    /// Puts an exchange that is over into the place that was kept for it.
    fn keep(&self, place: usize, kept: Kept, request: transcript::Request, answer: Answer) {
        let Some(here) = self.place.get() else { return };
        let told = match &answer {
            Answer::Response(response) => Some(response),
            Answer::Nothing(_) => None,
        };
        // Facts verify signatures: outside of the lock.
        let mut facts = Facts::of(&request, told, &here.target);
        if let Some(noticed) = self.noticed.get() {
            noticed.note(&request, told, &mut facts);
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
        let Kept { at, took, action, endpoint } = kept;
        let mut exchange = Exchange {
            number: place,
            over_at: 0,
            scenario: self.scenario.clone(),
            part: self.part,
            step: self.starts.load(Ordering::Relaxed),
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
        record.exchanges[place] = Some(exchange);
    }

    /// An answer of the org with other members in its JSON body.
    fn altered(&self, response: Response<Bytes>, members: &[(String, Option<Value>)]) -> Response<Bytes> {
        let (mut parts, body) = response.into_parts();
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&body) else {
            return Response::from_parts(parts, body);
        };
        for (name, value) in members {
            match value {
                Some(Value::String(text)) => object.insert(name.clone(), self.filled(text).into()),
                Some(value) => object.insert(name.clone(), value.clone()),
                None => object.shift_remove(name),
            };
        }
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Response::from_parts(parts, Bytes::from(Value::Object(object).to_string()))
    }

    /// Whether another key than the first signs ID tokens by now.
    fn has_rolled(&self) -> bool {
        let brought = self.id_tokens.load(Ordering::Relaxed);
        self.behaviour.keys.rolled_at.is_some_and(|nth| brought >= nth)
    }

    /// An answer of the org whose ID token, where it has one, is signed as the suite has it.
    fn signed(&self, response: Response<Bytes>, forged: Option<&Forged>) -> Response<Bytes> {
        if !self.has_id_token(&response) {
            return response;
        }
        self.id_tokens.fetch_add(1, Ordering::Relaxed);
        let rolled = self.has_rolled();
        if forged.is_none() && !rolled {
            return response;
        }
        let own = Forged::default();
        let (mut parts, body) = response.into_parts();
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&body) else {
            return Response::from_parts(parts, body);
        };
        let text = object.get("id_token").and_then(Value::as_str).unwrap_or_default();
        let fill = |text: &str| self.filled(text);
        let new = forge::id_token(text, forged.unwrap_or(&own), rolled, &fill, self.clock.now());
        object.extend(new.map(|new| ("id_token".to_owned(), new.into())));
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Response::from_parts(parts, Bytes::from(Value::Object(object).to_string()))
    }

    fn has_id_token(&self, response: &Response<Bytes>) -> bool {
        response.status() == StatusCode::OK
            && response.body().windows(10).any(|bytes| bytes == b"\"id_token\"")
    }

    /// An answer with these header fields. A date may be as long ago, or as far ahead, as the suite says.
    fn with_fields(&self, mut response: Response<Bytes>, fields: &[(String, String)]) -> Response<Bytes> {
        for (name, value) in fields {
            let value = self.dated(name, value).unwrap_or_else(|| self.filled(value));
            // The reader of suites has seen to it that both can be sent.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// The date that a header names by how far away it is.
    fn dated(&self, name: &str, value: &str) -> Option<String> {
        let is_date = ["date", "retry-after", "expires"].iter().any(|date| name.eq_ignore_ascii_case(date));
        let (sign, rest) = match value.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let away = duration(rest).filter(|_| is_date)?;
        http_date(self.clock.now().saturating_add(sign * away))
    }

    /// An answer that a suite wrote out.
    fn written(&self, canned: &Canned) -> Response<Bytes> {
        let (kind, body) = match &canned.body {
            Body::Empty => (None, Bytes::new()),
            Body::Text(text) => (Some("text/plain;charset=UTF-8"), self.filled(text).into()),
            Body::Json(value) => {
                (Some("application/json;charset=UTF-8"), self.filled(&value.to_string()).into())
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(canned.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        self.with_fields(response, &canned.headers)
    }
}

/// A counterpart behind a proxy: a request says by its URL which door it is for.
pub struct Proxied(pub Arc<Counterpart>);

impl Handler for Proxied {
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
        let answer = Answer::Response(transcript::Response::new(403, Vec::new(), String::new()));
        let kept = Kept { at: self.0.clock.now(), took: 0, action: "program", endpoint: Endpoint::Page };
        self.0.keep(place, kept, asked, answer);
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

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionCut> {
        self.counterpart.exchange(&request, "program", self.door).await
    }
}

/// An answer whose JSON says the same, written in another way.
fn rewritten(response: Response<Bytes>, way: Written) -> Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    let Ok(Value::Object(members)) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, body);
    };
    let text = match way {
        Written::Spaced => {
            let pretty = serde_json::to_string_pretty(&members).unwrap_or_default();
            format!("\r\n{}\r\n", pretty.replace("\": ", "\" : ").replace('\n', "\r\n"))
        }
        Written::Reversed => Value::Object(members.into_iter().rev().collect()).to_string(),
        // Tokens stay as they are, so that they are known wherever they stand.
        Written::Escaped => {
            let text = Value::Object(members).to_string();
            text.replace("\"Bearer\"", "\"\\u0042earer\"").replace("://", ":\\/\\/")
        }
    };
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Bytes::from(text))
}

/// The ID token of an answer that has another access token than the org's own: it belongs to that one.
fn fitting(members: &[(String, Option<Value>)]) -> Option<Forged> {
    let member = |name: &str| members.iter().find(|(known, _)| known == name);
    let token = member("access_token").filter(|_| member("id_token").is_none())?.1.as_ref()?.as_str()?;
    let at_hash = jwt::half_hash("RS256", token).map(Value::from);
    Some(Forged { claims: vec![("at_hash".to_owned(), at_hash)], ..Forged::default() })
}

/// An answer of which half goes out, and then nothing until that is over.
fn half(mut response: Response<Bytes>, over: impl Future<Output = ()> + Send + 'static) -> Response<Bytes> {
    response.extensions_mut().insert(Half(Arc::new(Mutex::new(Some(Box::pin(over))))));
    response
}

/// What a host answers that does not want to be noticed.
fn nothing() -> Response<Bytes> {
    json(&Value::Object(serde_json::Map::new()))
}

fn json(value: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(value.to_string()));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
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
