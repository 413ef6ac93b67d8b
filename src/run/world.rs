//! The surroundings of one play: an org or the way to one, a clock, a client with what it knows, and the
//! record that grows.

mod call_out;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::control::Shared;
use super::preflight::embedded_endpoints;
use super::{EMBEDDED, Progress};
use crate::client::{
    Action, Asked, Context, Dice, Jar, Missing, Outgoing, Remember, Session, Tweak, build, page,
};
use crate::oauth::Endpoint;
use crate::org::Org;
use crate::subject::{Brought, ClientAuth, Endpoints, Grant, Login, Page, Target};
use crate::suite::{Scenario, Step};
use crate::transcript::{Answer, Exchange, Facts, Part, Replay, Request, Response, Taken, verify_id_tokens};
use crate::wire::browser::WITHIN;
use crate::wire::host::Host;
use crate::wire::{Clock, Transport, dice, stubs};
use rand::SeedableRng as _;

/// The most pages and redirects on the way from authorize to the callback.
const MOST_PAGES: usize = 16;

/// The surroundings of one play.
pub(super) struct World<'w> {
    shared: &'w Shared,
    scenario: &'w Scenario,
    /// Role of the user that plays where a step does not say.
    user: String,
    app: String,
    part: Part,
    target: Target,
    org: String,
    endpoints: Endpoints,
    transport: Transport,
    clock: Clock,
    random: RefCell<Dice>,
    jars: BTreeMap<String, Jar>,
    races: u32,
    host: Option<Host>,
    /// The server of the suite's stubs, where it declares them.
    stubs: Option<stubs::Server>,
    /// Whether the play begins with the refresh token that the target gives.
    given: bool,
    /// What the client knows.
    pub(super) session: Session,
    /// What was recorded.
    pub(super) exchanges: Vec<Exchange>,
    /// What came of steps that went out together with the one that was told last.
    ahead: VecDeque<Vec<Done>>,
    /// What the client made up for requests that went out together, by position of their exchanges.
    made_up: BTreeMap<usize, Remember>,
    /// The answers whose page the user agent could not pass as the target declares it, by position, and why.
    stuck: BTreeMap<usize, String>,
}

/// What came of doing a step once.
pub(super) enum Done {
    /// The exchange that answers it, by position in the record.
    Exchange(usize),
    /// It could not be done, and why.
    Missing(String),
    /// One of the steps that go out together, by position in the scenario, could not be done, and why.
    MissingOf(usize, String),
    /// There is nothing to answer: time went by.
    Nothing,
}

/// Whom a step is done as.
#[derive(Clone)]
struct Actor {
    app: String,
    user: String,
    auth: ClientAuth,
}

impl<'w> World<'w> {
    /// Makes the surroundings: a fresh embedded org, or the way to the foreign one.
    pub(super) async fn new(
        shared: &'w Shared,
        scenario: &'w Scenario,
        part: Part,
        key: &str,
    ) -> Result<Self, crate::wire::Error> {
        let options = &shared.options;
        let mut target = options.target.clone();
        target.settings = target.settings.with(&scenario.settings);
        let seed = dice::seed_of(options.seed, key);
        let clock = Clock::own(shared.begin);
        let (mut host, mut server) = (None, None);
        let around = &shared.surroundings;
        let (transport, org, endpoints, clock) = match (&around.transport, &options.replay) {
            (_, Some(recording)) => {
                let name = scenario.full_name();
                let taken = if part == Part::Control { shared.taken(&name) } else { Taken::default() };
                let replay = Replay::new(recording.clone(), &name, part, taken);
                let clock = Clock::own(replay.begin().unwrap_or(shared.begin));
                let started =
                    stubs::Server::replaying(replay, Arc::new(target.clone()), clock.clone()).await?;
                let transport = Transport::stubs(started.address(), options.within)?;
                server = Some(started);
                (transport, around.org.clone(), around.endpoints.clone(), clock)
            }
            (Some(transport), None) => {
                (transport.clone(), around.org.clone(), around.endpoints.clone(), Clock::real())
            }
            (None, None) => {
                let org = Arc::new(Org::new(&target, &options.faults, seed));
                if let Some(stubs) = &scenario.stubs {
                    let behind = (!stubs.alone).then(|| (org, clock.clone()));
                    let started = stubs::Server::start(stubs, behind).await?;
                    let transport = Transport::stubs(started.address(), options.within)?;
                    server = Some(started);
                    (transport, EMBEDDED.to_owned(), shared.surroundings.endpoints.clone(), clock)
                } else if options.socket {
                    let started = shared.host(org, clock.clone()).await?;
                    let url = started.url();
                    host = Some(started);
                    (
                        Transport::http(None, options.within, &url)?,
                        url.clone(),
                        embedded_endpoints(&url),
                        clock,
                    )
                } else {
                    let endpoints = shared.surroundings.endpoints.clone();
                    (Transport::InProcess(org, clock.clone()), EMBEDDED.to_owned(), endpoints, clock)
                }
            }
        };
        // A foreign server remembers what it saw: a `jti` or a `state` of the last run must not come again.
        let random = match &shared.surroundings.transport {
            Some(_) => dice::seed(),
            None => dice::seed_of(options.seed, &format!("client/{key}")),
        };
        let given = match &target.login {
            Login::Given(grant) => {
                let is_its = |step: &Step| {
                    *step.app.as_ref().unwrap_or(&scenario.app) == grant.app
                        && *step.user.as_ref().unwrap_or(&scenario.user) == grant.user
                };
                scenario.steps.iter().find(|step| step.action == Action::Refresh).is_some_and(is_its)
                    || grant.app == scenario.app && grant.user == scenario.user
            }
            _ => false,
        };
        let access_token = match &target.login {
            Login::Given(Grant { token: Brought::AccessToken(token), .. }) => Some(token.clone()),
            _ => None,
        };
        // The target of a play knows where it is: assertions are judged by it.
        target.endpoints = endpoints.clone();
        Ok(Self {
            shared,
            scenario,
            user: scenario.user.clone(),
            app: scenario.app.clone(),
            part,
            target,
            org,
            endpoints,
            transport,
            clock,
            random: RefCell::new(Dice(rand::rngs::StdRng::from_seed(random))),
            jars: BTreeMap::new(),
            races: 0,
            host,
            stubs: server,
            session: Session {
                refresh_token: shared.given().clone().filter(|_| given),
                access_token: access_token.filter(|_| given),
                ..Session::default()
            },
            given,
            exchanges: Vec::new(),
            ahead: VecDeque::new(),
            made_up: BTreeMap::new(),
            stuck: BTreeMap::new(),
        })
    }

    /// Another app or user for the whole play, where a step does not say.
    pub(super) fn stand_in(&mut self, app: Option<&String>, user: Option<&String>) {
        if let Some(app) = app {
            self.app.clone_from(app);
        }
        if let Some(user) = user {
            self.user.clone_from(user);
        }
    }

    /// What is recorded from now on is for this part of the play.
    pub(super) fn part(&mut self, part: Part) {
        self.part = part;
    }

    /// The target as this play has it: settings of the scenario on top.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// How often each stub of the suite answered, in their order.
    pub(super) fn calls(&self) -> Vec<u64> {
        self.stubs.as_ref().map(stubs::Server::calls).unwrap_or_default()
    }

    /// Whether the play lives on the token that the target gives, and nothing was granted for it yet.
    pub(super) fn awaits_the_given_grant(&self) -> bool {
        self.given && !self.exchanges.iter().any(Exchange::granted)
    }

    /// Whether a step uses the access token that the target gives.
    pub(super) fn uses_the_given_access_token(&self) -> bool {
        let given = matches!(&self.target.login, Login::Given(Grant { token: Brought::AccessToken(_), .. }));
        given && self.awaits_the_given_grant()
    }

    /// Ends what was started for it.
    pub(super) async fn end(self) -> Vec<Exchange> {
        // A server that rotates without having said so: the next play goes on with the new one.
        if let (true, Some(now)) = (self.given, &self.session.refresh_token) {
            *self.shared.given() = Some(now.clone());
        }
        if let Some(host) = self.host {
            host.stop().await;
        }
        self.exchanges
    }

    fn actor(&self, step: &Step) -> Actor {
        let app = step.app.clone().unwrap_or_else(|| self.app.clone());
        let auth = self.target.apps.get(&app).map_or(ClientAuth::None, |app| app.client_auth);
        Actor {
            user: step.user.clone().unwrap_or_else(|| self.user.clone()),
            auth: step.client_auth.unwrap_or(auth),
            app,
        }
    }

    /// Reads a name of a suite's text for that step.
    pub(super) fn value(&self, step: &Step, name: &str) -> Option<String> {
        let actor = self.actor(step);
        self.with_context(&actor, |cx| cx.value(name)).ok().flatten()
    }

    fn with_context<T>(&self, actor: &Actor, f: impl FnOnce(&Context<'_>) -> T) -> Result<T, Missing> {
        // Where a step needs an app, the plan has seen to it that there is one.
        let no_app = crate::subject::ConnectedApp::default();
        let app = self.target.apps.get(&actor.app).unwrap_or(&no_app);
        let user = self.target.user(&actor.user);
        let now = self.clock.now();
        Ok(f(&Context {
            target: &self.target,
            endpoints: &self.endpoints,
            org: &self.org,
            role: &actor.app,
            app,
            user,
            auth: actor.auth,
            session: &self.session,
            now,
            random: &self.random,
        }))
    }

    fn build(&mut self, actor: &Actor, step: &Step) -> Result<Outgoing, Missing> {
        let asked =
            Asked { action: &step.action, tweak: &step.tweak, authenticated: step.client_auth.is_some() };
        let outgoing = self.with_context(actor, |cx| build(cx, &asked))??;
        // The identity URL is the server's word: it may not carry a token away.
        let url = outgoing.request.uri().to_string();
        if matches!(step.action, Action::Identity(_)) && !self.is_inside(&url) {
            return Err(Missing::Unsendable(format!("`{url}` is not on the target's host")));
        }
        outgoing.remember.clone().into_session(&mut self.session);
        Ok(outgoing)
    }

    /// Has the session as it was for the request of that exchange, where others went out with it.
    pub(super) fn recall(&mut self, at: usize) {
        if let Some(made_up) = self.made_up.remove(&at) {
            made_up.into_session(&mut self.session);
        }
    }

    /// Does the next step of these, or takes what came of it where it went out together with an earlier one.
    pub(super) async fn next(&mut self, steps: &[Step], number: usize) -> Vec<Done> {
        let together = steps[number + 1..].iter().take_while(|step| step.together).count();
        if self.ahead.is_empty() && together > 0 {
            let group: Vec<(usize, &Step)> = (number..).zip(&steps[number..=number + together]).collect();
            let mut stop = self.shared.stop.clone();
            let done = tokio::select! {
                biased;
                _ = stop.wait_for(|stopped| *stopped) => return vec![Done::Missing("the run was interrupted".into())],
                done = self.race(&group) => done,
            };
            self.ahead.extend(done);
        }
        match self.ahead.pop_front() {
            Some(done) => done,
            None => self.step(number, &steps[number]).await,
        }
    }

    /// Does a step as often as it says, and tells what answers each; gives up at once when the run is stopped.
    pub(super) async fn step(&mut self, number: usize, step: &Step) -> Vec<Done> {
        // What was started on a foreign org is cleaned up all the same; every answer has its time limit.
        if self.part == Part::Cleanup {
            return self.step_to_the_end(number, step).await;
        }
        let mut stop = self.shared.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => vec![Done::Missing("the run was interrupted".into())],
            done = self.step_to_the_end(number, step) => done,
        }
    }

    async fn step_to_the_end(&mut self, number: usize, step: &Step) -> Vec<Done> {
        if let Action::Advance(millis) = step.action {
            self.clock.advance(millis);
            return vec![Done::Nothing];
        }
        let actor = self.actor(step);
        if let Action::CallOut(out) = &step.action {
            let mut done = Vec::new();
            for _ in 0..step.times {
                done.push(self.call_out(number, step, &actor, out).await);
                if matches!(done.last(), Some(Done::Missing(_))) {
                    break;
                }
            }
            return done;
        }
        if step.at_once {
            return self.race(&[(number, step)]).await.pop().unwrap_or_default();
        }
        let mut done = Vec::new();
        for _ in 0..step.times {
            let outgoing = match self.build(&actor, step) {
                Ok(outgoing) => outgoing,
                Err(why) => {
                    done.push(Done::Missing(why.to_string()));
                    break;
                }
            };
            if let Err(why) = self.pace(step).await {
                done.push(Done::Missing(why));
                break;
            }
            done.push(match &step.action {
                Action::Authorize(options) => {
                    self.authorize(number, step, &actor, outgoing, options.deny, options.follow).await
                }
                _ => {
                    let endpoint = step.action.endpoint().unwrap_or(Endpoint::Resource);
                    let timed = self.transport.send(&outgoing).await;
                    Done::Exchange(self.record(number, step, &actor, endpoint, &outgoing, timed, None))
                }
            });
        }
        done
    }

    /// Sends the requests of these steps together, and tells of each step what answers it.
    async fn race(&mut self, steps: &[(usize, &Step)]) -> Vec<Vec<Done>> {
        let mut requests = Vec::new();
        let mut of = Vec::new();
        for &(number, step) in steps {
            let actor = self.actor(step);
            for _ in 0..step.times {
                let spent = self.build(&actor, step).map_err(|why| why.to_string());
                match spent.and_then(|one| self.spend(step).map(|()| one)) {
                    Ok(one) => {
                        requests.push(one.request.clone());
                        of.push((number, step, actor.clone(), one));
                    }
                    // Without one of them it is another race, so that none of them is sent.
                    Err(why) => {
                        return steps.iter().map(|_| vec![Done::MissingOf(number, why.clone())]).collect();
                    }
                }
            }
        }
        self.races += 1;
        let race = Some(self.races);
        let answers = self.transport.race(&requests).await;
        let mut done: Vec<Vec<Done>> = steps.iter().map(|_| Vec::new()).collect();
        for ((number, step, actor, one), timed) in of.iter().zip(answers) {
            let endpoint = step.action.endpoint().unwrap_or(Endpoint::Resource);
            let at = self.record(*number, step, actor, endpoint, one, timed, race);
            self.made_up.insert(at, one.remember.clone());
            if let Some(place) = steps.iter().position(|(n, _)| n == number) {
                done[place].push(Done::Exchange(at));
            }
        }
        // All of them had begun before any was answered.
        let began = self.exchanges.len();
        for x in self.exchanges.iter_mut().rev().take(of.len()) {
            x.over_at = began;
        }
        done
    }

    /// Counts a token request against the budget.
    fn spend(&self, step: &Step) -> Result<(), String> {
        if step.action.endpoint() != Some(Endpoint::Token) {
            return Ok(());
        }
        self.shared.spend()
    }

    /// Counts a token request and waits as the target asks for.
    async fn pace(&mut self, step: &Step) -> Result<(), String> {
        self.spend(step)?;
        if self.shared.options.replay.is_some() {
            return Ok(());
        }
        let pace =
            self.target.settings.millis("pace").filter(|_| step.action.endpoint() == Some(Endpoint::Token));
        if let Some(pace) = pace.and_then(|pace| u64::try_from(pace).ok()) {
            tokio::time::sleep(Duration::from_millis(pace)).await;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn record(
        &mut self,
        number: usize,
        step: &Step,
        actor: &Actor,
        endpoint: Endpoint,
        outgoing: &Outgoing,
        (answer, took): (Answer, u64),
        race: Option<u32>,
    ) -> usize {
        let request = Request::of(&outgoing.request);
        let response = match &answer {
            Answer::Response(response) => Some(response),
            Answer::Nothing(_) => None,
        };
        let facts = Facts::of(&request, response, &self.target);
        let facts = match &self.shared.options.replay {
            Some(recording) => facts.replayed(response.and_then(|response| recording.told_of(response))),
            None => facts,
        };
        let position = self.exchanges.len();
        let exchange = Exchange {
            number: position,
            over_at: position + 1,
            scenario: self.scenario.name.clone(),
            part: self.part,
            step: number,
            action: step.action.name().to_owned(),
            tweak: step.tweak.describe(),
            endpoint,
            app: actor.app.clone(),
            user: Some(actor.user.clone()),
            at: self.clock.now(),
            took,
            race,
            request,
            answer,
            facts,
        };
        self.session.absorb(&exchange);
        let signed = exchange.facts.id_token.is_some() || exchange.facts.signed_answer.is_some();
        let tells_of_keys = exchange.endpoint == Endpoint::Keys || signed;
        self.exchanges.push(exchange);
        if tells_of_keys {
            verify_id_tokens(&mut self.exchanges);
        }
        position
    }

    async fn authorize(
        &mut self,
        number: usize,
        step: &Step,
        actor: &Actor,
        first: Outgoing,
        deny: bool,
        follow: bool,
    ) -> Done {
        // What a person's browser brought stands in a recording as the answer to the first request.
        if self.target.login == Login::Browser && follow && self.shared.options.replay.is_none() {
            return self.by_a_person(number, step, actor, first).await;
        }
        self.by_itself(number, step, actor, first, deny, follow).await
    }

    /// A person passes the pages. What is out of the ordinary may end on a page that no callback comes from: it is asked
    /// without a person first, and a person only where a page wants one.
    async fn by_a_person(&mut self, number: usize, step: &Step, actor: &Actor, first: Outgoing) -> Done {
        let refuses = step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal);
        if refuses || !step.tweak.is_none() {
            let begun = self.exchanges.len();
            let done = self.by_itself(number, step, actor, first.clone(), false, true).await;
            let Done::Exchange(at) = done else { return done };
            let wants_somebody = self.exchanges[at]
                .response()
                .is_some_and(|response| response.status < 300 && page::has_form(&response.body));
            if !wants_somebody {
                return done;
            }
            self.exchanges.truncate(begun);
            if refuses {
                return Done::Missing("a person would have to log in before the org could refuse it".into());
            }
        }
        self.browser(number, step, actor, &first).await
    }

    async fn by_itself(
        &mut self,
        number: usize,
        step: &Step,
        actor: &Actor,
        first: Outgoing,
        deny: bool,
        follow: bool,
    ) -> Done {
        let mut pages = match (deny, &self.target.deny, &self.target.login) {
            (true, Some(pages), _) | (_, _, Login::Pages(pages)) => pages.clone(),
            _ => Vec::new(),
        };
        pages.reverse();
        let declared = pages.clone();
        let mut outgoing = first;
        let mut endpoint = Endpoint::Authorize;
        // The last of the pages on which the user says no is where it is said.
        let mut says_no = false;
        for _ in 0..MOST_PAGES {
            let url = outgoing.request.uri().to_string();
            let mut jar = self.jars.remove(&actor.user).unwrap_or_default();
            if let Some(cookies) = jar.header(&url)
                && let Ok(value) = cookies.parse()
            {
                outgoing.request.headers_mut().insert("cookie", value);
            }
            let timed = self.transport.send(&outgoing).await;
            let at = self.record(number, step, actor, endpoint, &outgoing, timed, None);
            if let Some(response) = self.exchanges[at].response() {
                jar.absorb(&url, &response.headers);
            }
            self.jars.insert(actor.user.clone(), jar);
            self.exchanges[at].facts.denies = says_no;
            let left = pages.len();
            let next = if follow { self.next_page(at, &mut pages, actor) } else { None };
            match next {
                Some(next) => outgoing = next,
                None => {
                    if follow && !declared.is_empty() {
                        self.stands_still(at, &declared, &pages, actor);
                    }
                    return Done::Exchange(at);
                }
            }
            says_no = deny && self.target.deny.is_some() && left > 0 && pages.is_empty();
            endpoint = Endpoint::Page;
        }
        Done::Missing(format!("the login went over more than {MOST_PAGES} pages and redirects"))
    }

    /// What a browser would do with the answer, as long as it stays with the server.
    fn next_page(&self, at: usize, pages: &mut Vec<Page>, actor: &Actor) -> Option<Outgoing> {
        let Exchange { request, answer, .. } = &self.exchanges[at];
        let Answer::Response(response) = answer else { return None };
        let user = self.target.user(&actor.user);
        let next = page::next(request, response, pages, user)?;
        self.is_inside(&next.url).then(|| page::visit(&next)).flatten()
    }

    /// Keeps why the login went no further, where that is not the server's doing for certain.
    fn stands_still(&mut self, at: usize, declared: &[Page], left: &[Page], actor: &Actor) {
        let Exchange { request, answer: Answer::Response(response), .. } = &self.exchanges[at] else {
            return;
        };
        let user = self.target.user(&actor.user);
        self.stuck
            .extend(page::stands_still(response, &request.url, declared, left, user).map(|why| (at, why)));
    }

    /// Why the login went no further than the answer at this position, where what the target declares does not fit its page.
    pub(super) fn stuck(&self, at: usize) -> Option<&str> {
        self.stuck.get(&at).map(String::as_str)
    }

    /// Whether a URL belongs to the server: nothing is sent anywhere else, the callback least of all.
    fn is_inside(&self, url: &str) -> bool {
        page::is_inside(url, &self.target, &self.endpoints, &self.org, &self.session)
    }

    /// A person logs in; what came back is what the loopback listener heard.
    async fn browser(&mut self, number: usize, step: &Step, actor: &Actor, outgoing: &Outgoing) -> Done {
        let redirect_uri = self.session.redirect_uri.clone().unwrap_or_default();
        let url = outgoing.request.uri().to_string();
        let user = self.target.users.get(&actor.user).map(|user| user.username.clone()).unwrap_or_default();
        let tell = |url| {
            let _ = self.shared.progress.send(Progress::OpenBrowser { url, user: user.clone() });
        };
        let mut stop = self.shared.stop.clone();
        let heard = tokio::select! {
            heard = self.shared.person.authorize(url, &redirect_uri, user.clone(), WITHIN, tell) => heard,
            _ = stop.wait_for(|stopped| *stopped) => Ok(None),
        };
        let heard = match heard {
            Ok(heard) => heard,
            Err(why) => return Done::Missing(why.to_string()),
        };
        let Some(heard) = heard else {
            return Done::Missing("nobody finished the login in the browser in time".into());
        };
        let Ok(location) = page::join(&redirect_uri, &heard) else {
            return Done::Missing("the callback is not a URL".into());
        };
        let response = Response::new(302, vec![("Location".to_owned(), location)], String::new());
        Done::Exchange(self.record(
            number,
            step,
            actor,
            Endpoint::Authorize,
            outgoing,
            (Answer::Response(response), 0),
            None,
        ))
    }

    /// Revokes the refresh tokens that a play left on a foreign org, so that approvals do not pile up.
    pub(super) async fn tidy_up(&mut self, number: usize) {
        if self.target.is_embedded() || self.endpoints.revoke.is_none() {
            return;
        }
        let mut left: Vec<(String, String)> = Vec::new();
        for exchange in self.exchanges.iter().filter(|x| x.granted()) {
            if let Some(token) = exchange.text("refresh_token") {
                left.push((token.to_owned(), exchange.app.clone()));
            }
        }
        left.dedup();
        let given = self.shared.given().clone();
        let is_given = |token: &str, kept: &Option<crate::oauth::Secret>| {
            kept.as_ref().is_some_and(|kept| kept.expose() == token)
        };
        // What a server rotated the given token to is the one that the next play goes on with.
        let now = self.session.refresh_token.clone().filter(|_| self.given);
        left.retain(|(token, _)| !is_given(token, &given) && !is_given(token, &now));
        for (token, app) in left {
            let step = Step {
                action: Action::Revoke(crate::client::TokenUse {
                    token: Some(crate::client::Template::new(&token)),
                    ..Default::default()
                }),
                span: self.scenario.span,
                label: None,
                app: Some(app),
                user: None,
                client_auth: None,
                tweak: Tweak::default(),
                times: 1,
                at_once: false,
                together: false,
                capture: Vec::new(),
                expect: None,
                control: None,
            };
            self.part(Part::Cleanup);
            self.step(number, &step).await;
        }
    }
}
