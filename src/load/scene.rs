//! What users play: a scenario with the org that it is played against, and what is the same in every play of it.

use std::sync::Arc;

use super::quick::Quick;
use crate::client::{Action, Asked, BodyForm, Edit, Missing, Outgoing, Session, TweakValue, build};
use crate::client::{Context, Dice, Tweak};
use crate::oauth::Endpoint;
use crate::subject::workload::Tokens;
use crate::subject::{ClientAuth, ConnectedApp, Endpoints, Login, Page, Subject, Target, User};
use crate::suite::{Scenario, Step};
use crate::transcript::{Answer, Exchange, Facts, Failure, Part, Request};
use crate::wire::line::Raw;
use std::cell::RefCell;

/// A scenario that is played under load.
pub(super) struct Scene {
    /// Id of its suite.
    pub(super) suite: String,
    /// The scenario.
    pub(super) scenario: Arc<Scenario>,
    /// The org as this scenario has it.
    pub(super) target: Arc<Target>,
    /// What judges are told of it.
    pub(super) subject: Subject,
    /// Where it answers.
    pub(super) endpoints: Endpoints,
    /// Its base URL.
    pub(super) org: String,
    /// Its steps, and those that clean up behind them.
    pub(super) steps: Vec<Prepared>,
    /// How many of the first steps bring the session, where sessions outlive a play; 0 where each play brings its own.
    pub(super) login: usize,
}

/// A step and what is known of it before it is played.
pub(super) struct Prepared {
    /// Its row in the tally.
    pub(super) row: usize,
    /// The short way of judging it.
    pub(super) quick: Option<Quick>,
    /// Whom it is done as.
    pub(super) actor: Actor,
    /// How long a request of it stays what it is.
    pub(super) lasts: Lasts,
    /// Whether it uses the access token in force, so that a renewal can cure its refusal.
    pub(super) bears: bool,
}

/// Whom a step is done as.
pub(super) struct Actor {
    pub(super) app: String,
    pub(super) user: String,
    pub(super) auth: ClientAuth,
}

/// How long a request stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// It is another one each time.
    Once,
    /// As long as the run: nothing in it depends on what came before.
    Always,
    /// Until the session knows something else.
    Session,
    /// As long as its assertion is good.
    Assertion,
}

impl Scene {
    /// Prepares a scenario; its rows begin at `row`.
    pub(super) fn new(suite: &str, scenario: Arc<Scenario>, target: Target, org: String, row: usize) -> Self {
        let steps = scenario.steps.iter().chain(&scenario.cleanup).enumerate();
        let steps = steps.map(|(i, step)| Prepared::new(step, row + i, &scenario, &target)).collect();
        let (subject, endpoints) = (target.subject(), target.endpoints.clone());
        Self {
            suite: suite.to_owned(),
            scenario,
            target: Arc::new(target),
            subject,
            endpoints,
            org,
            steps,
            login: 0,
        }
    }

    /// Its name in reports.
    pub(super) fn name(&self) -> String {
        format!("{} › {}", self.suite, self.scenario.name)
    }

    /// A step, by its position; those that clean up come last.
    pub(super) fn step(&self, i: usize) -> &Step {
        step(&self.scenario, i)
    }

    /// The pages that an authorization passes, the last one first.
    pub(super) fn pages(&self, denies: bool) -> Vec<Page> {
        let mut pages = match (denies, &self.target.deny, &self.target.login) {
            (true, Some(pages), _) | (_, _, Login::Pages(pages)) => pages.clone(),
            _ => Vec::new(),
        };
        pages.reverse();
        pages
    }

    /// What a client knows and is, for one request.
    pub(super) fn with_context<T>(
        &self,
        actor: &Actor,
        session: &Session,
        now: i64,
        random: &RefCell<Dice>,
        f: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        // Where a step needs an app, the plan has seen to it that there is one.
        let (no_app, nobody) = (ConnectedApp::default(), User::default());
        let app = self.target.apps.get(&actor.app).unwrap_or(&no_app);
        let user = self.target.users.get(&actor.user).unwrap_or(&nobody);
        f(&Context {
            target: &self.target,
            endpoints: &self.endpoints,
            org: &self.org,
            role: &actor.app,
            app,
            user,
            auth: actor.auth,
            session,
            now,
            random,
        })
    }

    /// Builds the request of a step.
    pub(super) fn build(
        &self,
        i: usize,
        session: &Session,
        now: i64,
        random: &RefCell<Dice>,
    ) -> Result<Outgoing, Missing> {
        let step = self.step(i);
        let asked =
            Asked { action: &step.action, tweak: &step.tweak, authenticated: step.client_auth.is_some() };
        let outgoing =
            self.with_context(&self.steps[i].actor, session, now, random, |cx| build(cx, &asked))?;
        // The identity URL is the server's word: it may not carry a token away.
        let url = outgoing.request.uri().to_string();
        let inside = || crate::transcript::questions::same_origin(&self.org, &url);
        if matches!(step.action, Action::Identity(_)) && !inside() {
            return Err(Missing::Unsendable(format!("`{url}` is not on the target's host")));
        }
        Ok(outgoing)
    }

    /// An exchange as a transcript has it.
    pub(super) fn exchange(&self, kept: &Kept, number: usize) -> Exchange {
        let (step, actor) = (self.step(kept.step), &self.steps[kept.step].actor);
        let cleans_up = kept.step >= self.scenario.steps.len();
        let request = Request::of(&kept.outgoing.request);
        let answer = match &kept.answer {
            Ok(raw) => Answer::Response(raw.response()),
            Err(why) => Answer::Nothing(why.clone()),
        };
        let response = match &answer {
            Answer::Response(response) => Some(response),
            Answer::Nothing(_) => None,
        };
        let facts = Facts::of(&request, response, &self.target);
        Exchange {
            number,
            over_at: number + 1,
            scenario: self.scenario.name.clone(),
            part: if cleans_up { Part::Cleanup } else { Part::Scenario },
            step: kept.step,
            action: step.action.name().to_owned(),
            tweak: step.tweak.describe(),
            endpoint: kept.endpoint,
            app: actor.app.clone(),
            user: Some(actor.user.clone()),
            at: kept.at,
            took: kept.took,
            race: None,
            request,
            answer,
            facts,
        }
    }
}

/// One exchange of a play, as little digested as can be.
pub(super) struct Kept {
    pub(super) step: usize,
    pub(super) endpoint: Endpoint,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) answer: Result<Raw, Failure>,
    /// When it was sent, in milliseconds since the epoch.
    pub(super) at: i64,
    /// How long it took, in microseconds.
    pub(super) took: u64,
}

impl Prepared {
    fn new(step: &Step, row: usize, scenario: &Scenario, target: &Target) -> Self {
        let app = step.app.clone().unwrap_or_else(|| scenario.app.clone());
        let usual = target.apps.get(&app).map_or(ClientAuth::None, |app| app.client_auth);
        let actor = Actor {
            user: step.user.clone().unwrap_or_else(|| scenario.user.clone()),
            auth: step.client_auth.unwrap_or(usual),
            app,
        };
        let asks_as_client = matches!(
            step.action,
            Action::Redeem
                | Action::ClientCredentials
                | Action::Refresh
                | Action::Introspect(_)
                | Action::Revoke(_)
        );
        let by_assertion = matches!(step.action, Action::JwtBearer | Action::SamlBearer);
        let signs = by_assertion
            || actor.auth == ClientAuth::PrivateKeyJwt && (asks_as_client || step.client_auth.is_some());
        let lasts = match &step.action {
            Action::Authorize(_) | Action::Redeem | Action::Advance(_) => Lasts::Once,
            _ if signs && (by_assertion || step.action == Action::ClientCredentials) => Lasts::Assertion,
            _ if signs || changes(&step.tweak) => Lasts::Once,
            Action::ClientCredentials | Action::Keys | Action::Discover { .. } => Lasts::Always,
            _ => Lasts::Session,
        };
        let bears = match &step.action {
            Action::Call(call) => call.token.is_none() && !call.anonymous,
            Action::Userinfo(which) | Action::Identity(which) | Action::Soap(which) => which.token.is_none(),
            _ => false,
        };
        let bears = bears
            && step.tweak.is_none()
            && !step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal);
        Self { row, quick: Quick::of(step), actor, lasts, bears }
    }
}

/// Whether a tweak makes another request each time.
fn changes(tweak: &Tweak) -> bool {
    let varies = |value: &TweakValue| match value {
        TweakValue::Relative(_) => true,
        TweakValue::Text(template) => template.names().next().is_some(),
        TweakValue::Json(_) => false,
    };
    tweak.edits.iter().any(|edit| match edit {
        Edit::Set(_, _, value) => varies(value),
        Edit::Twice(_, _, value) => value.as_ref().is_some_and(varies),
        Edit::Without(..) => false,
    })
}

fn step(scenario: &Scenario, i: usize) -> &Step {
    scenario.steps.get(i).unwrap_or_else(|| &scenario.cleanup[i - scenario.steps.len()])
}

/// The name of a step in reports.
pub(super) fn step_name(suite: &str, scenario: &Scenario, i: usize) -> String {
    let step = step(scenario, i);
    let label = step.label.as_ref().map_or(String::new(), |label| format!(" ({label})"));
    format!("{suite} › {} › {} {}{label}", scenario.name, i + 1, step.action.name())
}

/// How many of its first steps bring a session that outlives a play; 0 where each play brings its own.
pub(super) fn logins(scenario: &Scenario, tokens: Tokens) -> usize {
    let brings = |step: &&Step| {
        matches!(
            step.action,
            Action::Authorize(_)
                | Action::Redeem
                | Action::JwtBearer
                | Action::SamlBearer
                | Action::ClientCredentials
        ) && !step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal)
    };
    match tokens {
        Tokens::Fresh => 0,
        _ => scenario.steps.iter().take_while(brings).count(),
    }
}

/// Why a scenario cannot be played under load; none where it can.
pub(super) fn unplayable(scenario: &Scenario, target: &Target, tokens: Tokens) -> Option<String> {
    if scenario.client.is_some() {
        return Some("it judges a client program, and load asks an org".into());
    }
    if scenario.stubs.is_some() {
        return Some(
            "its server of stubs keeps every request and has one lock; load would measure that".into(),
        );
    }
    let (login, steps) = (logins(scenario, tokens), scenario.steps.len() + scenario.cleanup.len());
    if tokens != Tokens::Fresh && (login == 0 || login == steps) {
        return Some(
            "its session is to outlive a play, and it has no step that logs in before others that use it"
                .into(),
        );
    }
    scenario.steps.iter().chain(&scenario.cleanup).find_map(|step| match &step.action {
        Action::Advance(_) => {
            Some("it lets time go by, and the clock of a load run is the real one".to_owned())
        }
        Action::Authorize(options) if options.follow && target.login == Login::Browser => {
            Some("a person would have to log in for every play".to_owned())
        }
        Action::CallOut(_) => {
            Some("it calls out as a Named Credential does, which keeps a session of its own".to_owned())
        }
        _ if step.at_once || step.together => {
            Some("it releases several requests together on connections of their own".to_owned())
        }
        _ if step.tweak.body == Some(BodyForm::Truncated) => {
            Some("it sends half a request on a connection of its own".to_owned())
        }
        _ => None,
    })
}
