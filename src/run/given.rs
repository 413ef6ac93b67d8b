//! A target that gives a token in place of a login: authorizing and redeeming become a refresh, or nothing at all where it is
//! an access token.

use std::sync::Arc;

use super::plan::is_destructive;
use crate::client::{Action, TokenUse};
use crate::subject::{Brought, Flow, Grant, Login, Target};
use crate::suite::{Capture, Control, Need, Scenario, Source, Step};

/// The scenario as it is played where the target gives a refresh token, or why it cannot be played so.
///
/// # Errors
/// What stands in the way, in words.
pub(super) fn instead_of_a_login(target: &Target, scenario: &Arc<Scenario>) -> Result<Arc<Scenario>, String> {
    let Login::Given(grant) = &target.login else { return Ok(scenario.clone()) };
    let logs_in = |step: &Step| matches!(&step.action, Action::Authorize(options) if options.follow);
    let mut logins = (0..scenario.steps.len()).filter(|at| logs_in(&scenario.steps[*at]));
    let Some(at) = logins.next() else { return Ok(scenario.clone()) };
    if logins.next().is_some() {
        return Err(format!("it authorizes more than once, and the target gives one {}", name(grant)));
    }
    let (authorize, redeem) = (&scenario.steps[at], scenario.steps.get(at + 1));
    let whose = |step: &Step| {
        let app = step.app.as_ref().unwrap_or(&scenario.app);
        let user = step.user.as_ref().unwrap_or(&scenario.user);
        *app == grant.app && *user == grant.user
    };
    let redeems = |step: &&Step| step.action == Action::Redeem;
    let on_the_way = is_plain(authorize) && scenario.steps.iter().filter(redeems).count() == 1;
    let Some(redeem) = redeem.filter(redeems).filter(|redeem| on_the_way && is_plain(redeem)) else {
        return Err(format!(
            "it is about the login itself, and the target gives {} in its place",
            with_article(grant)
        ));
    };
    if !whose(authorize) || !whose(redeem) {
        let Grant { app, user, .. } = grant;
        return Err(format!(
            "the {} that the target gives is for the app `{app}` and the user `{user}`",
            name(grant)
        ));
    }
    if let Brought::AccessToken(_) = grant.token {
        return with_access_token(scenario, at);
    }
    let keeps =
        |capture: &Capture| matches!(&capture.from, Source::Body(path) if path.contains("refresh_token"));
    if redeem.capture.iter().any(keeps) {
        return Err("it keeps the refresh token of a login, and the target gives one in its place".into());
    }
    if harms(scenario) {
        return Err("it would use up the refresh token that the target gives".into());
    }
    // Who does not say may rotate: the token would be used up at the first scenario, and every later one would fail.
    if target.settings_of(&grant.app).flag("rotation") != Some(false) {
        return Err("a refresh may rotate, and would use up the refresh token that the target gives; \
                    say `settings: { rotation: false }` where it does not"
            .into());
    }
    let refresh = Step {
        action: Action::Refresh,
        capture: redeem.capture.clone(),
        label: redeem.label.clone(),
        ..authorize.clone()
    };
    let mut steps = scenario.steps.clone();
    steps.splice(at..at + 2, [refresh]);
    for step in &mut steps {
        if let Some(Control::Step(named)) = &mut step.control
            && *named > at
        {
            *named -= 1;
        }
    }
    // Nobody logs in, so an app that lists the refresh alone is enough.
    let login = |need: &&Need| match need {
        Need::Capability(name) => name == "authorize",
        Need::Flow(flow) => *flow == Flow::WebServer,
        _ => false,
    };
    let needs = scenario.needs.iter().filter(|need| !login(need));
    let needs = needs.cloned().collect();
    Ok(Arc::new(Scenario { steps, needs, ..Scenario::clone(scenario) }))
}

/// The scenario without its login: the client has the access token from the start.
fn with_access_token(scenario: &Arc<Scenario>, at: usize) -> Result<Arc<Scenario>, String> {
    let alone = "and the target gives an access token alone";
    if !scenario.steps[at + 1].capture.is_empty() {
        return Err(format!("it keeps something of the token answer, {alone}"));
    }
    let rest = [&scenario.steps[..at], &scenario.steps[at + 2..]].concat();
    let plain = |token: &TokenUse| token.token.is_none();
    let lives_on_it = |step: &Step| match &step.action {
        Action::Call(call) => call.token.is_none(),
        Action::Userinfo(token) | Action::Introspect(token) | Action::Soap(token) => plain(token),
        _ => false,
    };
    if rest.is_empty() {
        return Err(format!("it is about the login itself, {alone}"));
    }
    if let Some(step) = rest.iter().find(|step| !lives_on_it(step)) {
        return Err(format!("it does `{}`, {alone}", step.action.name()));
    }
    let mut steps = rest;
    for step in &mut steps {
        if let Some(Control::Step(named)) = &mut step.control
            && *named > at
        {
            *named = named.saturating_sub(2);
        }
    }
    let login = |need: &&Need| match need {
        Need::Capability(name) => name == "authorize",
        Need::Flow(flow) => matches!(flow, Flow::WebServer | Flow::RefreshToken),
        _ => false,
    };
    let needs = scenario.needs.iter().filter(|need| !login(need)).cloned().collect();
    Ok(Arc::new(Scenario { steps, needs, cleanup: Vec::new(), ..Scenario::clone(scenario) }))
}

fn name(grant: &Grant) -> &'static str {
    match grant.token {
        Brought::RefreshToken(_) => "refresh token",
        Brought::AccessToken(_) => "access token",
    }
}

fn with_article(grant: &Grant) -> &'static str {
    match grant.token {
        Brought::RefreshToken(_) => "a refresh token",
        Brought::AccessToken(_) => "an access token",
    }
}

/// A step that asks for nothing out of the ordinary, and of which nothing but its success is expected.
fn is_plain(step: &Step) -> bool {
    let usual = match &step.action {
        Action::Authorize(options) => {
            !options.deny && options.scope.is_none() && !options.nonce && options.extra.is_empty()
        }
        _ => true,
    };
    usual
        && step.tweak.is_none()
        && step.client_auth.is_none()
        && step.expect.is_none()
        && step.times == 1
        && step.control.is_none()
}

/// Whether the refresh token might not live afterwards. That a login approves the app does not come into it here.
fn harms(scenario: &Scenario) -> bool {
    let steps = scenario.steps.iter().filter(|step| !matches!(step.action, Action::Authorize(_)));
    let rest = Scenario { steps: steps.cloned().collect(), ..scenario.clone() };
    is_destructive(&rest)
}
