//! How a user gets its session: the pages of a login, the first tokens of a session that outlives a play, and its renewal.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::super::Sent;
use super::super::drive::Thread;
use super::super::scene::{Kept, Scene};
use super::super::session::{Live, version};
use super::{Playing, Stopped, User};
use crate::client::renewal::{Failed, Ticket, Turn};
use crate::client::{Action, Asked, Authorize, Jar, Session, Tweak, build, page};
use crate::oauth::{Endpoint, Secret};
use crate::run::judging::comes_to_success;
use crate::subject::ClientAuth;
use crate::transcript::Request;
use crate::wire::clock::{Watch, real_now};

/// The most pages and redirects on the way from authorize to the callback.
const MOST_PAGES: usize = 16;

impl User {
    /// Passes the pages behind the first answer to an authorization, as far as they stay with the server. The journey as
    /// a whole is one request of its step.
    pub(super) async fn authorize(
        &mut self,
        playing: &mut Playing<'_>,
        i: usize,
        begins: u64,
        options: &Authorize,
        first: Kept,
    ) {
        let (scene, thread) = (playing.scene, playing.thread);
        first.outgoing.remember.clone().into_session(&mut playing.session);
        let mut pages = scene.pages(options.deny);
        let user = scene.target.user(&scene.steps[i].actor.user);
        let mut jar = Jar::default();
        let mut took = 0;
        let mut kept = first;
        for _ in 0..MOST_PAGES {
            took += kept.took;
            let request = Request::of(&kept.outgoing.request);
            let next = kept.answer.as_ref().ok().filter(|_| options.follow).and_then(|raw| {
                let response = raw.response();
                jar.absorb(&request.url, &response.headers);
                let next = page::next(&request, &response, &mut pages, user)?;
                let (target, session) = (&scene.target, &playing.session);
                let inside = page::is_inside(&next.url, target, &scene.endpoints, &scene.org, session);
                inside.then(|| page::visit(&next)).flatten()
            });
            self.kept.push(kept);
            let Some(mut outgoing) = next else { break };
            let cookies = jar.header(&outgoing.request.uri().to_string()).and_then(|text| text.parse().ok());
            if let Some(cookies) = cookies {
                outgoing.request.headers_mut().insert("cookie", cookies);
            }
            let Ok(sent) = Sent::new(outgoing) else { break };
            let at = real_now();
            let (answer, phases) = self.send(thread, &sent.addressed).await;
            let outgoing = sent.outgoing.clone();
            kept = Kept { step: i, endpoint: Endpoint::Page, outgoing, answer, at, took: phases.whole };
        }
        let Some(last) = self.kept.last() else { return };
        if let Some(code) = scene.exchange(last, 0).code_issued() {
            playing.session.code = Some(Secret::new(code));
            playing.version = version();
        }
        if !playing.counted {
            return;
        }
        let status = last.answer.as_ref().map_or(0, |raw| raw.status);
        let latency = thread.now().saturating_sub(begins).max(took);
        let mut tally = thread.tally();
        let gauge = &mut tally.steps[scene.steps[i].row];
        gauge.latency.record(latency);
        gauge.service.record(took);
        *gauge.statuses.entry(status).or_default() += 1;
        tally.slice.requests += 1;
        tally.slice.latency.record(latency);
    }

    /// Makes sure that the play has the session in force. Answers how long it waited, in microseconds.
    pub(super) async fn current(&mut self, playing: &mut Playing<'_>) -> Result<u64, Stopped> {
        let Some(live) = playing.live.clone() else { return Ok(0) };
        let begun = playing.thread.now();
        let turn = live.turn(&mut playing.caller);
        if let Turn::Send(_) = turn {
            playing.take(&live);
            return Ok(0);
        }
        playing.resolve(&live, turn).await?;
        Ok(playing.thread.now() - begun)
    }

    /// Gets the first tokens of a session.
    pub(in crate::load) async fn log_in(
        &mut self,
        thread: &Rc<Thread>,
        live: &Arc<Live>,
    ) -> Result<(), Failed> {
        // The timetable has not begun yet.
        let watch = Watch::start();
        let session = self.grant(thread, live.scene, None).await?;
        thread.tally().logins.record(watch.micros());
        live.begins(session);
        Ok(())
    }

    /// A new grant, by the steps of the scene that log in, or a refresh where there is a refresh token.
    async fn grant(
        &mut self,
        thread: &Rc<Thread>,
        number: usize,
        known: Option<Session>,
    ) -> Result<Session, Failed> {
        let scene = &thread.job.scenes[number];
        let failed = |why: String, is_final: bool| Failed { why, is_final };
        self.kept.clear();
        if let Some(session) = known.filter(|session| session.refresh_token.is_some()) {
            return self.refresh(thread, scene, session).await;
        }
        let mut playing = Playing { logs_in: true, ..Playing::new(thread, number, scene, None, false) };
        for i in 0..scene.login {
            let before = self.kept.len();
            self.once(&mut playing, i, thread.now()).await.map_err(|why| match why {
                Stopped::Missing(why) => failed(why.to_string(), true),
                Stopped::Dead(why) => why,
            })?;
            let x = self.kept.last().filter(|_| self.kept.len() > before).map(|kept| scene.exchange(kept, 0));
            match x {
                Some(x) if comes_to_success(&scene.step(i).action, &x) => {}
                Some(x) => {
                    let told = self.kept.iter().map(|kept| scene.exchange(kept, 0));
                    let why = thread.job.scrubbed(&x.outcome(), &playing.session, told);
                    return Err(failed(why, (400..500).contains(&x.status())));
                }
                None => return Err(failed("it was not played".into(), true)),
            }
        }
        self.kept.clear();
        let session = playing.session;
        Ok(session)
    }

    /// Exchanges a refresh token.
    async fn refresh(
        &mut self,
        thread: &Rc<Thread>,
        scene: &Arc<Scene>,
        mut session: Session,
    ) -> Result<Session, Failed> {
        let failed = |why: String, is_final: bool| Failed { why, is_final };
        let random = RefCell::new(thread.dice());
        let actor = &scene.steps[0].actor;
        let asked = Asked {
            action: &Action::Refresh,
            tweak: &Tweak::default(),
            authenticated: actor.auth != ClientAuth::None,
        };
        let outgoing = scene
            .with_context(actor, &session, real_now(), &random, |cx| build(cx, &asked))
            .and_then(Sent::new)
            .map_err(|why| failed(why.to_string(), true))?;
        let at = real_now();
        let (answer, phases) = self.send(thread, &outgoing.addressed).await;
        let raw = answer.map_err(|why| failed(why.to_string(), false))?;
        let response = raw.response();
        let members = response.json().filter(|_| raw.status == 200);
        match members.filter(|json| json.get("access_token").is_some()) {
            Some(json) => {
                session.granted(|name| json.get(name)?.as_str());
                Ok(session)
            }
            None => {
                let (is_final, took) = ((400..500).contains(&raw.status), phases.whole);
                let outgoing = outgoing.outgoing.clone();
                let kept = Kept { step: 0, endpoint: Endpoint::Token, outgoing, answer: Ok(raw), at, took };
                let told = std::iter::once(scene.exchange(&kept, 0));
                Err(failed(thread.job.scrubbed(&response.one_line(), &session, told), is_final))
            }
        }
    }
}

impl Playing<'_> {
    /// Takes over the session in force.
    pub(super) fn take(&mut self, live: &Live) {
        if self.version == 0 || live.is_newer(self.version) {
            let captured = std::mem::take(&mut self.session.captured);
            (self.session, self.version) = live.known();
            self.session.captured = captured;
        }
    }

    /// Follows the turns of a renewal until there is a token in force.
    pub(super) async fn resolve(&mut self, live: &Arc<Live>, mut turn: Turn) -> Result<(), Stopped> {
        loop {
            turn = match turn {
                Turn::Send(_) | Turn::Accept => {
                    self.version = 0;
                    self.take(live);
                    return Ok(());
                }
                Turn::Wait(ticket) => {
                    live.over(ticket).await;
                    live.turn(&mut self.caller)
                }
                Turn::Renew(ticket, _) => {
                    // A task of its own: who began it may be gone before it ends.
                    let (thread, renewed) = (self.thread.clone(), live.clone());
                    tokio::task::spawn_local(async move { renew(&thread, &renewed, ticket).await });
                    live.over(ticket).await;
                    live.turn(&mut self.caller)
                }
                Turn::GiveUp(failed) => return Err(Stopped::Dead(failed)),
            };
        }
    }
}

/// Renews a session: one for all who wait for it.
async fn renew(thread: &Rc<Thread>, live: &Arc<Live>, ticket: Ticket) {
    let begun = thread.now();
    let mut user = thread.renewer();
    // Of a session that nobody knew yet this is the login.
    let first = !live.is_there();
    let (known, _) = live.known();
    let outcome = user.grant(thread, live.scene, Some(known)).await;
    thread.give_back(user);
    let now = thread.now();
    let mut tally = thread.tally();
    if first {
        tally.logins.record(now - begun);
    } else {
        tally.renewals.record(now - begun);
        tally.slice.renewals += 1;
    }
    if let Err(failed) = &outcome {
        tally.failed_renewals += u64::from(!first);
        if failed.is_final && live.tells_of_death() {
            tally.death(now, live.scene, failed.why.clone());
        }
    }
    drop(tally);
    live.settle(ticket, outcome);
}
