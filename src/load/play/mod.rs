//! One user and its plays. A play is a scenario from its first step to its last; every answer is judged.

mod login;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::Sent;
use super::drive::Thread;
use super::scene::{Kept, Lasts, Scene};
use super::session::{Live, version};
use crate::client::renewal::{Caller, Failed, Turn, is_stale};
use crate::client::{Action, Missing, Session};
use crate::oauth::Endpoint;
use crate::run::judging::{Judging, comes_to_success, keep};
use crate::suite::Step;
use crate::transcript::{Exchange, Failure};
use crate::verdict::{Finding, Level, Verdict};
use crate::wire::clock::real_now;
use crate::wire::line::{Addressed, Lines, Phases, Raw, Way};
use tokio::sync::Semaphore;

/// Connections that users share: whoever finds none free waits.
pub(in crate::load) struct Pool {
    room: Semaphore,
    idle: RefCell<Vec<Lines>>,
}

impl Pool {
    pub(in crate::load) fn new(most: usize) -> Self {
        Self { room: Semaphore::new(most.max(1)), idle: RefCell::default() }
    }

    async fn send(&self, way: &Way, request: &Addressed) -> (Result<Raw, Failure>, Phases) {
        // Nobody closes it.
        let _permit = self.room.acquire().await;
        let free = self.idle.borrow_mut().pop();
        let mut lines = free.unwrap_or_default();
        let came = lines.send(way, request).await;
        self.idle.borrow_mut().push(lines);
        came
    }
}

/// A request that need not be built again as long as the session has that version.
type Built = (u64, Arc<Sent>);

/// A user: its connections, its dice, and the requests that it need not build again.
pub(in crate::load) struct User {
    lines: Lines,
    /// Connections that it shares with others instead.
    pool: Option<Rc<Pool>>,
    /// By scene and step: the version of the session that the request was built for, and the request.
    built: Vec<Vec<Option<Built>>>,
    /// What is exchanged in the play that is going on; the room is used again.
    kept: Vec<Kept>,
}

/// What is known at the moment of a play.
struct Playing<'p> {
    thread: &'p Rc<Thread>,
    number: usize,
    scene: &'p Arc<Scene>,
    session: Session,
    version: u64,
    live: Option<Arc<Live>>,
    caller: Caller,
    counted: bool,
    /// Whether the whole play is kept for the catalogue.
    sampled: bool,
    fails: u64,
    doubts: u64,
    /// Whether it could not go on to its end.
    stopped: bool,
    /// How long it waited for renewals.
    waited: u64,
    /// Whether the next request goes out with the token that it has, dead or alive.
    sends_what_it_has: bool,
    /// Whether it is played for the session that it brings.
    logs_in: bool,
}

/// Why a request could not be sent.
enum Stopped {
    Missing(Missing),
    Dead(Failed),
}

impl User {
    pub(in crate::load) fn new(scenes: &[Arc<Scene>], pool: Option<Rc<Pool>>) -> Self {
        let built = scenes.iter().map(|scene| vec![None; scene.steps.len()]).collect();
        Self { lines: Lines::default(), pool, built, kept: Vec::new() }
    }

    async fn send(&mut self, thread: &Thread, request: &Addressed) -> (Result<Raw, Failure>, Phases) {
        match &self.pool {
            Some(pool) => pool.send(&thread.job.way, request).await,
            None => self.lines.send(&thread.job.way, request).await,
        }
    }

    /// One caller of a herd: it has the token in force, waits until that is dead, and makes its calls with it. Answers
    /// whether all of them held.
    pub(in crate::load) async fn in_herd(&mut self, thread: &Rc<Thread>, live: Arc<Live>) -> bool {
        let number = live.scene;
        let scene = thread.job.scenes[number].clone();
        let mut playing = Playing::new(thread, number, &scene, Some(live), false);
        let has_token = self.current(&mut playing).await.is_ok();
        thread.job.herd_is_ready();
        let mut go = thread.job.herd_goes();
        if !has_token || go.wait_for(|go| *go).await.is_err() {
            return false;
        }
        playing.sends_what_it_has = true;
        self.kept.clear();
        let intended = thread.now();
        self.steps(&mut playing, scene.login, intended).await;
        playing.fails + playing.doubts == 0
    }

    /// Plays a scene that should have begun at `intended`, in microseconds.
    pub(in crate::load) async fn play(
        &mut self,
        thread: &Rc<Thread>,
        number: usize,
        live: Option<Arc<Live>>,
        intended: u64,
        counted: bool,
    ) {
        let scene = thread.job.scenes[number].clone();
        let sampled = counted && thread.samples();
        let mut playing = Playing { sampled, ..Playing::new(thread, number, &scene, live, counted) };
        self.kept.clear();
        let first = if playing.live.is_some() { scene.login } else { 0 };
        self.steps(&mut playing, first, intended).await;
        // Whatever came; nothing that comes of it is judged.
        for i in scene.scenario.steps.len()..scene.steps.len() {
            let begins = thread.now();
            let _ = self.once(&mut playing, i, begins).await;
        }
        let now = thread.now();
        let (fails, doubts, waited) = (playing.fails, playing.doubts, playing.waited);
        let mut tally = thread.tally();
        tally.last = tally.last.max(now);
        if !counted {
            tally.warm_up += 1;
            return;
        }
        tally.counted += 1;
        tally.slice.plays += 1;
        let plays = &mut tally.plays[number];
        match () {
            () if fails > 0 => plays.fail += 1,
            () if doubts > 0 => plays.inconclusive += 1,
            () => plays.pass += 1,
        }
        // How long a play takes that could not go on says nothing of one that can.
        if !playing.stopped {
            plays.latency.record(now.saturating_sub(intended).saturating_sub(waited));
        }
        if sampled {
            drop(tally);
            let exchanges = record(&scene, &self.kept);
            thread.tally().sampled(number, exchanges);
        }
    }

    async fn steps(&mut self, playing: &mut Playing<'_>, first: usize, intended: u64) {
        let scene = playing.scene;
        let mut begins = intended;
        // What the session in force knows, every step may speak of.
        if playing.live.is_some() && !playing.sends_what_it_has {
            match self.current(playing).await {
                Ok(waited) => {
                    playing.waited += waited;
                    begins += waited;
                }
                Err(why) => {
                    playing.could_not(first, scene.step(first), why, &self.kept);
                    return;
                }
            }
        }
        for i in first..scene.scenario.steps.len() {
            let step = scene.step(i);
            let from = self.kept.len();
            let mut quick = true;
            for _ in 0..step.times {
                match self.once(playing, i, begins).await {
                    Ok(holds) => quick &= holds,
                    Err(why) => {
                        playing.could_not(i, step, why, &self.kept);
                        return;
                    }
                }
                begins = playing.thread.now();
            }
            // The judge of a run looks at everything that is not plainly right.
            if (!quick || playing.sampled) && self.judge(playing, i, from) {
                return;
            }
            if !step.capture.is_empty()
                && let Some(Ok(raw)) = self.kept.last().map(|kept| &kept.answer)
            {
                keep(&mut playing.session, &step.capture, Some(&raw.response()));
                playing.version = version();
            }
        }
    }

    /// Does a step once. Answers whether it is plainly right.
    async fn once(&mut self, playing: &mut Playing<'_>, i: usize, begins: u64) -> Result<bool, Stopped> {
        let (scene, thread) = (playing.scene, playing.thread);
        let prepared = &scene.steps[i];
        let step = scene.step(i);
        let endpoint = step.action.endpoint().unwrap_or(Endpoint::Resource);
        let mut waited = 0;
        if prepared.bears && playing.live.is_some() && !std::mem::take(&mut playing.sends_what_it_has) {
            waited += self.current(playing).await?;
        }
        let mut asked_again = false;
        let (sent, answer, phases, at) = loop {
            let sent = self.request(playing, i).await.map_err(Stopped::Missing)?;
            let at = real_now();
            let (answer, phases) = self.send(thread, &sent.addressed).await;
            let live = playing.live.clone().filter(|_| prepared.bears);
            let (Some(live), Ok(raw)) = (live, &answer) else { break (sent, answer, phases, at) };
            // Looked at more closely only where it may be: most answers are none of these.
            if !matches!(raw.status, 401 | 403 | 500) || !is_stale(&raw.response()) {
                break (sent, answer, phases, at);
            }
            let begun = thread.now().saturating_sub(phases.whole);
            let turn = live.stale(&mut playing.caller);
            if turn == Turn::Accept {
                break (sent, answer, phases, at);
            }
            thread.tally().refused += 1;
            asked_again = true;
            playing.resolve(&live, turn).await?;
            waited += thread.now() - begun;
        };
        playing.waited += waited;
        if let Action::Authorize(options) = &step.action {
            let first =
                Kept { step: i, endpoint, outgoing: sent.outgoing.clone(), answer, at, took: phases.whole };
            self.authorize(playing, i, begins, options, first).await;
            return Ok(false);
        }
        let ends = thread.now();
        let json = match (&prepared.quick, &answer) {
            (Some(quick), Ok(raw)) => quick.read(raw),
            _ => None,
        };
        let quick = match (&prepared.quick, &answer) {
            (Some(quick), Ok(raw)) => quick.holds(raw, json.as_ref(), phases.whole),
            _ => false,
        };
        // What nobody asks for any more is not kept.
        if i + 1 < scene.steps.len()
            || step.times > 1
            || !step.capture.is_empty()
            || !quick
            || playing.logs_in
        {
            if endpoint == Endpoint::Token
                && let Ok(raw) = &answer
            {
                playing.absorb(raw);
            }
            sent.outgoing.remember.clone().into_session(&mut playing.session);
        }
        if playing.counted {
            let status = answer.as_ref().map_or(0, |raw| raw.status);
            let mut tally = thread.tally();
            let latency = ends.saturating_sub(begins).saturating_sub(waited).max(phases.whole);
            let gauge = &mut tally.steps[prepared.row];
            gauge.latency.record(latency);
            gauge.service.record(phases.whole);
            if answer.is_ok() {
                gauge.first_byte.record(phases.first_byte);
            }
            *gauge.statuses.entry(status).or_default() += 1;
            if waited > 0 && asked_again {
                gauge.waited += 1;
                gauge.wait.record(waited);
            }
            count_connection(&mut tally, phases);
            tally.slice.requests += 1;
            tally.slice.latency.record(latency);
        }
        self.kept.push(Kept {
            step: i,
            endpoint,
            outgoing: sent.outgoing.clone(),
            answer,
            at,
            took: phases.whole,
        });
        Ok(quick)
    }

    /// Judges the answers to a step as a run does. Answers whether the rest of the play is left out.
    fn judge(&mut self, playing: &mut Playing<'_>, i: usize, from: usize) -> bool {
        let scene = playing.scene;
        let step = scene.step(i);
        let all = record(scene, &self.kept);
        // Of the pages of a login the last one answers.
        let from =
            if matches!(step.action, Action::Authorize(_)) { all.len().saturating_sub(1) } else { from };
        let answers: Vec<&Exchange> = all[from..].iter().collect();
        let judging =
            Judging { scenario: &scene.scenario, profile: scene.target.profile, subject: &scene.subject };
        let nothing = RefCell::new(playing.thread.dice());
        let value = |name: &str| {
            scene.with_context(&scene.steps[i].actor, &playing.session, real_now(), &nothing, |cx| {
                cx.value(name)
            })
        };
        let findings = judging.step(step, &all, &answers, &value);
        let broken = step.expect.is_none() && !findings.is_empty();
        playing.found(i, findings, (all.len() - from) as u64, || all.clone());
        broken
            || answers
                .last()
                .is_some_and(|last| step.expect.is_none() && !comes_to_success(&step.action, last))
    }

    /// The request of a step: built, signed, or the one that was built before.
    async fn request(&mut self, playing: &mut Playing<'_>, i: usize) -> Result<Arc<Sent>, Missing> {
        let (scene, thread, number) = (playing.scene, playing.thread, playing.number);
        let prepared = &scene.steps[i];
        let version = match prepared.lasts {
            Lasts::Once => None,
            Lasts::Always => Some(0),
            Lasts::Session => Some(playing.version),
            Lasts::Assertion => {
                let made = thread.job.signer.make((number, i), scene, &playing.session).await?;
                if playing.counted {
                    let mut tally = thread.tally();
                    if let Some((took, waited)) = made.took {
                        tally.signing.record(took);
                        tally.signing_wait.record(waited);
                    }
                    tally.ran_out += u64::from(made.ran_out);
                }
                return Ok(made.sent);
            }
        };
        if let (Some(version), Some((built, sent))) = (version, &self.built[number][i])
            && *built == version
        {
            return Ok(sent.clone());
        }
        let random = RefCell::new(thread.dice());
        let sent = Arc::new(scene.build(i, &playing.session, real_now(), &random).and_then(Sent::new)?);
        if let Some(version) = version {
            self.built[number][i] = Some((version, sent.clone()));
        }
        Ok(sent)
    }
}

impl<'p> Playing<'p> {
    fn new(
        thread: &'p Rc<Thread>,
        number: usize,
        scene: &'p Arc<Scene>,
        live: Option<Arc<Live>>,
        counted: bool,
    ) -> Self {
        Self {
            thread,
            number,
            scene,
            session: Session::default(),
            version: 0,
            live,
            caller: Caller::default(),
            counted,
            sampled: false,
            fails: 0,
            doubts: 0,
            stopped: false,
            waited: 0,
            sends_what_it_has: false,
            logs_in: false,
        }
    }

    /// Takes in what a token endpoint answered.
    fn absorb(&mut self, raw: &Raw) {
        if raw.status != 200 {
            return;
        }
        let json: Option<serde_json::Value> = serde_json::from_slice(&raw.body).ok();
        let Some(json) =
            json.filter(|json| json.get("access_token").is_some_and(serde_json::Value::is_string))
        else {
            return;
        };
        self.session.granted(|name| json.get(name)?.as_str());
        self.version = version();
    }

    /// A step could not be done: nothing was sent, so there is no request with an error.
    fn could_not(&mut self, i: usize, step: &Step, why: Stopped, kept: &[Kept]) {
        let scene = self.scene;
        let after = self.fails + self.doubts > 0;
        let (observed, verdict) = match why {
            Stopped::Dead(failed) if failed.is_final => {
                (format!("the grant died: {}", failed.why), Verdict::Fail)
            }
            Stopped::Dead(failed) => (format!("the renewal failed: {}", failed.why), Verdict::Fail),
            Stopped::Missing(why) => {
                let server = matches!(&why, Missing::Value(name) if !name.starts_with("app."));
                let verdict = if server && !after { Verdict::Fail } else { Verdict::Inconclusive };
                (why.to_string(), verdict)
            }
        };
        self.stopped = true;
        if self.counted {
            let mut tally = self.thread.tally();
            let gauge = &mut tally.steps[scene.steps[i].row];
            match verdict {
                Verdict::Fail => gauge.stopped += 1,
                _ if after => gauge.skipped += 1,
                _ => gauge.doubts += 1,
            }
        }
        let finding = Finding {
            check: None,
            verdict,
            level: Level::Must,
            expected: format!("`do: {}` can be done", step.action.name()),
            observed,
            exchanges: Vec::new(),
            grave: false,
            at: Some((scene.scenario.text.clone(), step.span)),
        };
        self.tell(i, vec![finding], || record(scene, kept));
    }

    /// Counts what does not hold of so many answers.
    fn found(
        &mut self,
        i: usize,
        findings: Vec<Finding>,
        requests: u64,
        exchanges: impl Fn() -> Vec<Exchange>,
    ) {
        if self.counted && !findings.is_empty() {
            let fails = findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count() as u64;
            // Several findings about one answer are one error.
            let errors = requests.min(findings.len() as u64);
            let mut tally = self.thread.tally();
            let gauge = &mut tally.steps[self.scene.steps[i].row];
            gauge.errors += errors;
            gauge.fails += fails;
            gauge.doubts += findings.len() as u64 - fails;
            tally.slice.errors += errors;
        }
        self.tell(i, findings, exchanges);
    }

    /// Keeps what does not hold, to tell it.
    fn tell(&mut self, i: usize, findings: Vec<Finding>, exchanges: impl Fn() -> Vec<Exchange>) {
        for finding in &findings {
            match finding.verdict {
                Verdict::Fail => self.fails += 1,
                _ => self.doubts += 1,
            }
        }
        if !self.counted {
            return;
        }
        let now = self.thread.now();
        let mut tally = self.thread.tally();
        for finding in findings {
            tally.found((self.number, i), finding, now, &exchanges);
        }
    }
}

fn record(scene: &Scene, kept: &[Kept]) -> Vec<Exchange> {
    kept.iter().enumerate().map(|(number, kept)| scene.exchange(kept, number)).collect()
}

fn count_connection(tally: &mut super::tally::Tally, phases: Phases) {
    if let Some(took) = phases.connect {
        tally.connect.record(took);
    }
    if let Some(took) = phases.tls {
        tally.tls.record(took);
    }
}
