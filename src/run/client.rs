//! Playing a client program: the org behaves as the scenario has it, the program does its work, and what it asked is judged.

use futures_util::future::join_all;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::Progress;
use super::control::Shared;
use super::doors::Doors;
use super::launch::{ARGUMENTS, Ended, Folders, Given, Left, Life, TEMPORARY_FILE, started};
use super::plan::Planned;
use super::play::Did;
use super::preflight::embedded_endpoints;
use super::recorded;
use super::rows::{self, Judged, Seen};
use super::storm::storm;
use crate::client::wrong::Wrongs;
use crate::client::wrong::store::{LEAVES_TEMPORARY_FILES, SHOWS_ARGUMENTS};
use crate::diagnostic::Span;
use crate::oauth::{Endpoint, Secret};
use crate::org::Org;
use crate::report::ProgramRow;
use crate::subject::{Behaviour, Called, Flow, Login, NamedCredential, Page, Program, Subject, Target, Way};
use crate::suite::Scenario;
use crate::suite::client::{Browser, Exit, Play, Requests};
use crate::suite::told::Told;
use crate::transcript::{Exchange, Part, Redactor, Staged, Transcript};
use crate::verdict::{Finding, Level, Verdict};
use crate::wire::agent::{Agent, Lost};
use crate::wire::clock::Watch;
use crate::wire::counterpart::Counterpart;
use crate::wire::host;
use crate::wire::isolation::Ways;
use crate::wire::own::{self, Job};
use crate::wire::store::Store;
use crate::wire::{Clock, Error, dice};

/// Who is the client.
#[derive(Clone)]
pub enum Client {
    /// Our own, which may do something wrong on purpose.
    Own(Wrongs),
    /// A program of somebody else's.
    Program(Arc<Program>),
    /// Whoever it was whose traffic was recorded: nobody is played, and suites only listen.
    Recorded(Arc<Transcript>),
}

impl Default for Client {
    fn default() -> Self {
        Self::Own(Wrongs::default())
    }
}

impl Client {
    /// What a report calls it.
    pub fn name(&self) -> String {
        match self {
            Self::Own(_) => "own".to_owned(),
            Self::Program(program) => program.name.clone(),
            Self::Recorded(heard) => heard.subject.program.clone().unwrap_or_else(|| "nobody".to_owned()),
        }
    }

    /// How it reaches the org.
    fn way(&self) -> &Way {
        match self {
            Self::Own(_) | Self::Recorded(_) => &Way::Plain,
            Self::Program(program) => &program.way,
        }
    }

    /// Whether it knows an argument of a suite.
    pub fn takes(&self, argument: &str) -> bool {
        match self {
            Self::Own(_) => own::ARGS.contains(&argument),
            Self::Program(program) => program.takes(argument),
            Self::Recorded(_) => false,
        }
    }

    /// Whether somebody else starts and ends it.
    pub fn runs_already(&self) -> bool {
        matches!(self, Self::Program(program) if program.trigger.is_some())
    }

    /// Whether its processes and its starts share the tokens.
    pub fn stores(&self) -> bool {
        match self {
            Self::Own(_) => true,
            Self::Program(program) => program.stores,
            Self::Recorded(_) => false,
        }
    }

    /// The flows that it can do.
    pub fn flows(&self) -> &[Flow] {
        match self {
            Self::Own(_) => &own::FLOWS,
            Self::Program(program) => &program.flows,
            Self::Recorded(_) => &[],
        }
    }
}

/// How long our own client may take.
const WITHIN: Duration = Duration::from_secs(30);
/// How often a program may send its user away in one start.
const MOST_LOGINS: u32 = 100;
/// Where a user is sent who is asked whether they are back.
const NOWHERE: &str = "";

/// One play of a program.
struct Played {
    subject: Subject,
    exchanges: Vec<Exchange>,
    ended: Ended,
    program: ProgramRow,
    staged: Staged,
    unmet: Option<String>,
}

/// What came of a program where nothing was in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// It did its work.
    Works,
    /// It is not there for this, and why.
    NotTestable(String),
    /// It did not do its work, and why.
    Fails(String),
    /// It could not be played, and why.
    Unplayed(String),
}

/// What stands in the way of a scenario, in words.
pub(super) fn lacking(shared: &super::Options, scenario: &Scenario, play: &Play) -> Option<String> {
    let target = &shared.target;
    match (&shared.client, play.told.listens) {
        (Client::Recorded(_), true) => return None,
        (Client::Recorded(_), false) => {
            return Some("a client is to be played, and what was recorded was not made for it".into());
        }
        (_, true) => {
            let how = "record some and write `grantcheck judge FILE --suite SUITE`";
            return Some(format!("it only listens to traffic from elsewhere: {how}"));
        }
        (_, false) => {}
    }
    if !target.is_embedded() {
        return Some("a client program is played against the embedded org, and the target is another".into());
    }
    let Some(app) = target.apps.get(&scenario.app) else {
        return Some(format!("the target has no app `{}`", scenario.app));
    };
    if !target.users.contains_key(&scenario.user) {
        return Some(format!("the target has no user `{}`", scenario.user));
    }
    if !app.flows.contains(&play.flow) {
        return Some(format!("the app `{}` does not list the flow {}", scenario.app, play.flow));
    }
    let program = &shared.client;
    if !program.flows().contains(&play.flow) {
        return Some(format!("the program {} does not list the flow {}", program.name(), play.flow));
    }
    if play.browser == Browser::Chromium && play.flow == Flow::WebServer && shared.chromium.is_none() {
        return Some("the suite wants headless Chromium, and no folder of PATH has it".into());
    }
    if (play.told.kill.is_some() || play.told.processes > 1) && program.runs_already() {
        return Some(format!(
            "the program {} runs already: it is not started, and not killed",
            program.name()
        ));
    }
    if play.told.store && !program.stores() {
        return Some(format!(
            "the program {} does not say that it keeps tokens in `${{store}}`",
            program.name()
        ));
    }
    let (name, _) = play.told.args.iter().find(|(name, _)| !program.takes(name))?;
    Some(format!("the program {} does not list the argument {name}", program.name()))
}

/// Plays and judges; none where the run is stopped meanwhile: what it began is ended.
pub(super) async fn scenario(shared: &Shared, planned: &Planned, play: &Play) -> Option<Judged> {
    let mut stop = shared.stop.clone();
    let stopped = async {
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = stopped => None,
        judged = undisturbed(shared, planned, play) => Some(judged),
    }
}

async fn undisturbed(shared: &Shared, planned: &Planned, play: &Play) -> Judged {
    if let Client::Recorded(heard) = &shared.options.client {
        return recorded::scenario(shared, planned, play, heard);
    }
    let watch = Watch::start();
    let scenario = &planned.scenario;
    let key = scenario.full_name();
    let mut over = Vec::new();
    // Whether the program does its work where nothing is in its way; otherwise what it does proves nothing.
    if !play.org.is_plain() || play.told.kill.is_some() || play.exit == Exit::GaveUp {
        match shared.plain(scenario, play).await {
            Plain::Works => {}
            Plain::NotTestable(why) => return rows::not_testable(planned, why),
            Plain::Unplayed(why) => return rows::unplayed(planned, why, 0),
            // What it does where something is in its way would say nothing.
            Plain::Fails(observed) => {
                let why = format!("the program does not do its work where the org behaves: {observed}");
                return rows::unplayed(planned, why, 0);
            }
        }
    }
    let played = match once(shared, scenario, play, Part::Scenario, &key).await {
        Ok(played) => played,
        Err(why) => return rows::unplayed(planned, why.to_string(), 0),
    };
    if let Some(why) = not_testable(&played.ended) {
        return rows::not_testable(planned, why);
    }
    let last = played.exchanges.iter().map(|x| x.step).max().unwrap_or(0);
    if let Some(why) = &played.unmet {
        let expected = "the org behaves towards the program as the scenario has it".into();
        over.push(finding(Verdict::Inconclusive, expected, why.clone(), None, Vec::new()));
    }
    if play.exit == Exit::Done && played.ended == Ended::Done && !played.exchanges.iter().any(was_let_in) {
        let expected = "the program does its work".into();
        let observed = "it ended as if it had, and no call of it was let in".into();
        over.push(finding(Verdict::Inconclusive, expected, observed, None, Vec::new()));
    }
    let did = (0..=last).map(|start| Did {
        action: "program",
        tweak: None,
        exchanges: played.exchanges.iter().filter(|x| x.step == start).map(|x| x.number).collect(),
    });
    let did = did.collect();
    let mut findings = Vec::new();
    if let (Ended::Crashed(_), Exit::GaveUp | Exit::Any) = (&played.ended, play.exit) {
        let expected = "the program ends with 0, or with 1 where it gave up".into();
        over.push(finding(Verdict::Inconclusive, expected, played.ended.words(), None, Vec::new()));
    }
    let missed = missed(play, &played.ended);
    // Where anything will do, a program that never came so far as to ask would pass by doing nothing.
    let asked_nothing = played.exchanges.is_empty();
    if asked_nothing && missed.is_none() && over.is_empty() {
        let expected = "the program asks something of the org".into();
        let observed = format!("{}, and it asked nothing", played.ended.words());
        over.push(finding(Verdict::Inconclusive, expected, observed, None, Vec::new()));
    }
    // Whoever hangs, breaks down or never begins refuses nothing: what it did not do was not left undone on purpose.
    let proves_nothing = asked_nothing
        || matches!(played.ended, Ended::Crashed(_))
        || played.ended == Ended::TimedOut && missed.is_some();
    if let Some(expected) = missed {
        let at = Some((scenario.as_ref(), play.exit_span));
        findings.push(finding(Verdict::Fail, expected, played.ended.words(), at, Vec::new()));
    }
    for requests in &play.requests {
        findings.extend(counted(scenario, requests, &played.exchanges));
    }
    let program = ProgramRow { storm: storm(play, &played.exchanges), ..played.program };
    let seen = Seen {
        subject: played.subject,
        exchanges: played.exchanges,
        did,
        findings: findings.into_iter().map(|finding| (last, finding)).collect(),
        over,
        program: Some(program),
        staged: Some(played.staged),
        proves_nothing,
        ..Seen::default()
    };
    rows::judge(planned, seen, watch.micros(), shared)
}

/// Plays a program where nothing is in its way: otherwise what it does where something is proves nothing.
pub(super) async fn plain(shared: &Shared, scenario: &Scenario, play: &Play, key: &str) -> Plain {
    let told = Told { times: 1, kill: None, ..play.told.clone() };
    let plain = Play { org: Behaviour::default(), told, ..play.clone() };
    match once(shared, scenario, &plain, Part::Control, key).await {
        Ok(Played { ended: Ended::Done, exchanges, .. }) if exchanges.iter().any(was_let_in) => Plain::Works,
        Ok(Played { ended: Ended::Done, .. }) => {
            Plain::Fails("it ended as if it had, and no call of it was let in".into())
        }
        Ok(played) => match not_testable(&played.ended) {
            Some(why) => Plain::NotTestable(why),
            None => Plain::Fails(played.ended.words()),
        },
        Err(why) => Plain::Unplayed(why.to_string()),
    }
}

/// One play of the program against an org of its own.
async fn once(
    shared: &Shared,
    scenario: &Scenario,
    play: &Play,
    part: Part,
    key: &str,
) -> Result<Played, Error> {
    let options = &shared.options;
    let mut target = options.target.clone();
    target.settings = target.settings.with(&scenario.settings);
    if play.flow == Flow::WebServer {
        let callback = format!("http://127.0.0.1:{}/callback", host::free_port());
        target.apps.entry(scenario.app.clone()).and_modify(|app| app.redirect_uris = vec![callback]);
    }
    let args = play.told.args.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let named_credential = NamedCredential::of(args);
    let org = Arc::new(Org::new(&target, &[], dice::seed_of(options.seed, key)));
    // What a program signs is checked against its own clock; ours goes by that of the org.
    let clock = match &options.client {
        Client::Own(_) => Clock::own(shared.begin),
        Client::Program(_) | Client::Recorded(_) => Clock::real(),
    };
    let counterpart = Arc::new(Counterpart::new(
        org.clone(),
        clock.clone(),
        play.org.clone(),
        (&scenario.name, &scenario.user),
        part,
        (play.told.all_calls(), play.told.kill),
    ));
    let doors = Doors::open(&counterpart, options.client.way(), shared).await?;
    let (url, instance) = (doors.org.clone(), doors.instance.clone());
    target.endpoints = embedded_endpoints(&url);
    target.ca.clone_from(&doors.ca);
    let target = Arc::new(target);
    counterpart.listens_at(doors.place(target.clone()));
    let (client_id, username) = (
        target.apps.get(&scenario.app).map_or("", |app| app.client_id.as_str()),
        target.users.get(&scenario.user).map_or("", |user| user.username.as_str()),
    );
    let login = (play.flow == Flow::RefreshToken)
        .then(|| org.earlier_login(client_id, username, &url, clock.now()))
        .flatten();
    let (users, sent) = mpsc::unbounded_channel();
    let (over, visits) = watch::channel(0);
    let (idle, mut caught_up) = watch::channel(0);
    let kept = play.told.store.then(|| Arc::new(Store::default()));
    let folders = match &options.client {
        Client::Program(_) => Some(Folders::new(play.told.store)?),
        Client::Own(_) | Client::Recorded(_) => None,
    };
    let back = url::Url::parse(target.apps.get(&scenario.app).map_or("", |app| app.redirect_uri()));
    let back = back.ok().filter(|_| play.flow == Flow::WebServer).and_then(|url| url.port());
    let ways = match (&options.client, &options.wall) {
        (Client::Program(program), Some(wall)) if !program.network && program.trigger.is_none() => {
            Some(Ways::open(wall, &doors.ports(), back).await?)
        }
        _ => None,
    };
    let agent = agent(&counterpart, &target, scenario, play);
    let agent = match &options.chromium {
        Some(chromium) if play.browser == Browser::Chromium && play.flow == Flow::WebServer => {
            agent.in_chromium(chromium.clone()).await?
        }
        _ => agent,
    };
    let life = async |login: Option<(Secret, Option<Secret>)>, users| match &options.client {
        Client::Own(wrong) => {
            let printed = Arc::new(Mutex::new(String::new()));
            let job = Job {
                target: target.clone(),
                endpoints: target.endpoints.clone(),
                org: url.clone(),
                hosts: vec![instance.clone()],
                app: scenario.app.clone(),
                user: scenario.user.clone(),
                flow: play.flow,
                login,
                store: kept.clone(),
                calls: play.told.calls,
                concurrency: play.told.concurrency,
                named_credential: named_credential.clone(),
                args: play.told.args.iter().cloned().collect(),
                users,
                visits: visits.clone(),
                clock: clock.clone(),
                printed: printed.clone(),
                wrong: *wrong,
            };
            let ended = tokio::select! {
                ended = tokio::time::timeout(WITHIN, own::work(job)) => match ended {
                    Ok(Ok(true)) => Ended::Done,
                    Ok(Ok(false)) => Ended::GaveUp("not every call was answered".into()),
                    Ok(Err(why)) => Ended::GaveUp(why.to_string()),
                    Err(_) => Ended::TimedOut,
                },
                () = counterpart.death() => Ended::Killed,
            };
            let mut life = Life::new(ended);
            life.printed.stdout =
                std::mem::take(&mut *printed.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(life)
        }
        Client::Program(program) => {
            let Some(folders) = &folders else { return Ok(Life::new(Ended::NotImplemented)) };
            let say = |text| {
                let _ = shared.progress.send(Progress::Say { text });
            };
            let given = Given {
                target: &target,
                doors: &doors,
                ways: ways.as_ref(),
                org: &counterpart,
                login,
                folders,
                say: &say,
            };
            started(program, scenario, play, given, users, counterpart.death()).await
        }
        Client::Recorded(_) => Ok(Life::new(Ended::NotImplemented)),
    };
    // All its processes, from their start to the end of the last.
    let start = async |users: &mpsc::UnboundedSender<String>| {
        let lives = (0..play.told.processes).map(|_| life(login.clone(), users.clone()));
        let mut lived = None;
        for one in join_all(lives).await {
            let one: Life = one?;
            lived = Some(match lived {
                Some(other) => one.beside(other),
                None => one,
            });
        }
        counterpart.is_gone();
        Ok::<Life, Error>(lived.unwrap_or_else(|| Life::new(Ended::NotImplemented)))
    };
    let lives = async {
        let mut lived = start(&users).await;
        for _ in 1..play.told.times {
            if !matches!(&lived, Ok(Life { ended: Ended::Done | Ended::GaveUp(_) | Ended::Killed, .. })) {
                break;
            }
            // The user of the last start must not come back to this one.
            let seen = *caught_up.borrow_and_update();
            if users.send(NOWHERE.to_owned()).is_ok() {
                let _ = tokio::time::timeout(WITHIN, caught_up.wait_for(|now| *now > seen)).await;
            }
            counterpart.starts_again();
            let earlier = lived?;
            lived = start(&users).await.map(|life| life.after(earlier));
        }
        // Nobody is sent anywhere any more.
        drop(users);
        lived
    };
    let prints = matches!(options.client, Client::Program(_));
    let (lived, lost) = tokio::join!(lives, led(agent, &counterpart, sent, over, idle, prints));
    let mut life: Life = lived?;
    let lost = match lost {
        Some(Lost::Browser(why)) => return Err(Error::Program { command: "Chromium".into(), why }),
        Some(Lost::Way(why)) => Some(why),
        None => None,
    };
    let files = match &options.client {
        Client::Own(wrong) => own_files(kept.as_deref(), *wrong).await,
        Client::Program(program) if program.trigger.is_none() => {
            folders.iter().flat_map(|folders| folders.left(program)).collect()
        }
        Client::Program(_) => Vec::new(),
        Client::Recorded(_) => Vec::new(),
    };
    life.files.extend(files);
    doors.close().await;
    let seen = counterpart.seen();
    let subject = Subject {
        program: Some(options.client.name()),
        named_credential: named_credential.clone(),
        ..target.subject()
    };
    let mut redactor = Redactor::new(dice::seed());
    redactor.learn_target(&target);
    seen.exchanges.iter().for_each(|x| redactor.learn_exchange(x));
    let own = (play.flow == Flow::WebServer).then(|| target.apps.get(&scenario.app)).flatten();
    let staged = Staged {
        endpoints: target.endpoints.clone(),
        redirect_uris: own.map(|app| (scenario.app.clone(), app.redirect_uris.clone())).into_iter().collect(),
        processes: play.told.processes,
        calls: play.told.all_calls(),
        concurrency: play.told.concurrency,
        store: play.told.store,
        killed: play.told.kill.is_some(),
        args: play.told.args.iter().cloned().collect(),
        traces: life.traces(&mut redactor),
    };
    let isolated = matches!(options.client, Client::Program(_)).then_some(ways.is_some());
    let program = ProgramRow { isolated, ..life.row() };
    let unmet = seen.unmet.or(lost);
    Ok(Played { subject, exchanges: seen.exchanges, ended: life.ended, program, staged, unmet })
}

/// What our own client would leave in files: its tokens, and the lock on them.
async fn own_files(store: Option<&Store>, wrong: Wrongs) -> Vec<Left> {
    let Some(store) = store else { return Vec::new() };
    let Some((text, mode)) = store.file(wrong).await else { return Vec::new() };
    let with =
        |wrong_has_it: bool, without: &str| if wrong_has_it { text.clone() } else { without.to_owned() };
    let lock = with(wrong.has(&LEAVES_TEMPORARY_FILES), "locked");
    let arguments = with(wrong.has(&SHOWS_ARGUMENTS), "--store tokens");
    let left = |place: &str, mode, text| Left { place: place.to_owned(), mode, text };
    vec![
        left("file of its store", Some(mode), text),
        left(TEMPORARY_FILE, Some(0o600), lock),
        left(ARGUMENTS, None, arguments),
    ]
}

/// The user whom a program sends away to log in.
fn agent(counterpart: &Arc<Counterpart>, target: &Target, scenario: &Scenario, play: &Play) -> Agent {
    let login = match &target.login {
        Login::Pages(pages) => pages.clone(),
        _ => Vec::new(),
    };
    let deny: Vec<Page> = target.deny.clone().unwrap_or_default();
    let user = target.users.get(&scenario.user).cloned().unwrap_or_default();
    Agent::new(counterpart.clone(), user, login, deny, play.org.callback.clone())
}

/// Leads the user to wherever the program sends them, as long as it runs. Tells why that came to nothing, where it did.
async fn led(
    mut agent: Agent,
    org: &Counterpart,
    mut sent: mpsc::UnboundedReceiver<String>,
    over: watch::Sender<u32>,
    idle: watch::Sender<u32>,
    prints: bool,
) -> Option<Lost> {
    let (mut lost, mut waiting) = (None, VecDeque::new());
    let (mut logins, mut late) = (0, 0);
    while let Some(url) = next(&mut waiting, &mut sent).await {
        if url == NOWHERE {
            (logins, late) = (0, 0);
            idle.send_modify(|times| *times += 1);
            continue;
        }
        // Who is gone hears no callback: the first login is still led, because what it asked of the org is judged.
        late += u32::from(prints && org.has_gone());
        logins += 1;
        if late > 1 || logins > MOST_LOGINS {
            continue;
        }
        lost = agent.visit(&url).await.err();
        over.send_modify(|visits| *visits += 1);
        if matches!(lost, Some(Lost::Browser(_))) {
            break;
        }
        // One URL on both streams, as many programs print it, is one login.
        while let Ok(more) = sent.try_recv() {
            if more != url || !prints {
                waiting.push_back(more);
            }
        }
    }
    lost
}

/// Where the user is sent next; none when there is nobody any more who could send them.
async fn next(waiting: &mut VecDeque<String>, sent: &mut mpsc::UnboundedReceiver<String>) -> Option<String> {
    match waiting.pop_front() {
        Some(url) => Some(url),
        None => sent.recv().await,
    }
}

/// Why a program that ended so cannot be judged by a scenario, where that is nobody's fault.
fn not_testable(ended: &Ended) -> Option<String> {
    match ended {
        Ended::NotImplemented => Some("the program says that it does not do this".into()),
        Ended::Unfilled(why) => Some(format!("the program was not started: {why}")),
        _ => None,
    }
}

fn was_let_in(x: &Exchange) -> bool {
    let called = matches!(x.endpoint, Endpoint::Resource | Endpoint::Userinfo | Endpoint::Identity);
    called && (200..300).contains(&x.status())
}

/// What was expected, where it did not come.
fn missed(play: &Play, ended: &Ended) -> Option<String> {
    match (play.exit, ended) {
        // Who passes over a callback that is none may well go on waiting for the right one.
        (Exit::GaveUp | Exit::Any, Ended::TimedOut) if play.org.callback.may_be_passed_over() => None,
        (_, Ended::Killed) => Some("the program is started again after it was killed".into()),
        (_, Ended::TimedOut) => Some("the program ends in time".into()),
        (Exit::Done, Ended::GaveUp(_) | Ended::Crashed(_)) => Some("the program does its work".into()),
        (Exit::GaveUp, Ended::Done) => Some("the program gives up".into()),
        _ => None,
    }
}

/// What a program asked of one endpoint, against what it must have asked.
pub(super) fn counted(scenario: &Scenario, wanted: &Requests, exchanges: &[Exchange]) -> Vec<Finding> {
    let is_meant = |x: &&Exchange| {
        x.endpoint == wanted.to && wanted.grant_type.as_deref().is_none_or(|g| x.grant_type() == Some(g))
    };
    let meant: Vec<&Exchange> = exchanges.iter().filter(is_meant).collect();
    let answered = meant.iter().filter(|x| (200..300).contains(&x.status())).count();
    let name = match &wanted.grant_type {
        Some(grant_type) => format!("requests for {grant_type}"),
        None => format!("requests of {:?}", wanted.to).to_lowercase(),
    };
    let judged = |bound: &Option<Called>, times: usize, how: &str| {
        let bound = bound.filter(|bound| !bound.fits(u64::try_from(times).unwrap_or(u64::MAX)))?;
        let expected = format!("{} {name}{how}", bound.words());
        let evidence = meant.iter().map(|x| x.number).collect();
        let at = Some((scenario, bound.span));
        Some(finding(Verdict::Fail, expected, format!("{times}"), at, evidence))
    };
    let asked = judged(&wanted.count, meant.len(), "");
    asked.into_iter().chain(judged(&wanted.answered, answered, " answered with success")).collect()
}

fn finding(
    verdict: Verdict,
    expected: String,
    observed: String,
    at: Option<(&Scenario, Span)>,
    exchanges: Vec<usize>,
) -> Finding {
    Finding {
        check: None,
        verdict,
        level: Level::Must,
        expected,
        observed,
        exchanges,
        grave: false,
        at: at.map(|(scenario, span)| (scenario.text.clone(), span)),
    }
}
