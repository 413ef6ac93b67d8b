//! What is played: selected, checked against what the target has, ordered, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::given::instead_of_a_login;
use super::{Options, Surroundings, replay};
use crate::client::{Action, Edit, Place, SecretForm, TweakValue};
use crate::metadata::without_secrets;
use crate::oauth::comes_back;
use crate::subject::{
    ClientAuth, ConnectedApp, Flow, Kind, Login, Protocol, SETTINGS, Setting, Target, User,
};
use crate::suite::{Control, Item, ItemKind, Need, Scenario, Step};
use crate::wire::dice;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

/// Which scenarios of the suites.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Texts of which one must stand in `suite › scenario`, in a tag (`tag:NAME`) or in a check (`check:ID`);
    /// one that begins with `!` leaves out. None means all.
    pub patterns: Vec<String>,
}

/// What is played and what is not.
pub struct Plan {
    /// As the files have them.
    pub plays: Vec<Planned>,
    /// Positions in `plays`, in the order in which they are played.
    pub order: Vec<usize>,
    /// What it costs on a foreign target.
    pub cost: Cost,
}

/// One scenario that is played, or said to be not testable.
#[derive(Clone)]
pub struct Planned {
    /// Id of its suite.
    pub suite: String,
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The scenarios of its suite, for controls.
    pub siblings: Arc<Vec<Arc<Scenario>>>,
    /// Whether the target gives a refresh token in place of the login that it is written with.
    pub without_login: bool,
    /// Why it cannot be played on this target.
    pub not_testable: Option<String>,
}

/// What a run asks of a foreign target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Token requests.
    pub token_requests: u32,
    /// Logins by role of the user.
    pub logins: BTreeMap<String, u32>,
}

impl Selection {
    /// Whether a scenario is selected.
    pub fn takes(&self, suite: &str, scenario: &Scenario) -> bool {
        let name = format!("{suite} › {}", scenario.name).to_lowercase();
        let fits = |pattern: &str| match pattern.split_once(':') {
            Some(("tag", tag)) => scenario.tags.iter().any(|t| t == tag),
            Some(("check", id)) => scenario
                .checks
                .iter()
                .any(|c| c == id || (c.ends_with('/') && id.starts_with(c.as_str())) || c.starts_with(id)),
            _ => name.contains(&pattern.to_lowercase()),
        };
        let out = self.patterns.iter().filter_map(|p| p.strip_prefix('!')).any(fits);
        let mut wanted = self.patterns.iter().filter(|p| !p.starts_with('!')).peekable();
        !out && (wanted.peek().is_none() || wanted.any(|p| fits(p)))
    }
}

/// Plans a run.
pub fn plan(options: &Options, surroundings: &Surroundings) -> Plan {
    let mut plays = Vec::new();
    for suite in &options.suites {
        let written: Vec<Arc<Scenario>> = suite.scenarios.iter().cloned().map(Arc::new).collect();
        let playable: Vec<_> = written.iter().map(|s| instead_of_a_login(&options.target, s)).collect();
        let as_played =
            |(i, playable): (usize, &Result<_, _>)| playable.clone().unwrap_or(written[i].clone());
        let siblings: Arc<Vec<Arc<Scenario>>> =
            Arc::new(playable.iter().enumerate().map(as_played).collect());
        for ((scenario, playable), written) in siblings.iter().zip(&playable).zip(&written) {
            if !options.selection.takes(&suite.id, written) {
                continue;
            }
            let not_given = playable.as_ref().err().cloned();
            let not_testable = not_given.or_else(|| lacking(options, surroundings, &siblings, scenario));
            plays.push(Planned {
                suite: suite.id.clone(),
                scenario: scenario.clone(),
                siblings: siblings.clone(),
                without_login: !Arc::ptr_eq(scenario, written),
                not_testable,
            });
        }
    }
    let cost = cost(&plays);
    let order = order(options, &plays);
    Plan { plays, order, cost }
}

/// The seed decides, so that what holds only in the order of the files is found out. A person who logs in by hand is
/// asked for one user after the other.
fn order(options: &Options, plays: &[Planned]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..plays.len()).collect();
    order.shuffle(&mut StdRng::from_seed(dice::seed_of(options.seed, "order")));
    if options.target.login == Login::Browser {
        order.sort_by_key(|at| &plays[*at].scenario.user);
    }
    order
}

fn lists(target: &Target, scenario: &Scenario, flow: Flow) -> bool {
    target.apps.get(&scenario.app).is_some_and(|app| app.flows.contains(&flow))
}

/// What a target lacks for a scenario, in words.
fn lacking(
    options: &Options,
    around: &Surroundings,
    siblings: &[Arc<Scenario>],
    scenario: &Scenario,
) -> Option<String> {
    if let Some(why) = &around.unreachable
        && around.endpoints.token.is_none()
    {
        return Some(format!("the target could not be looked at: {why}"));
    }
    // What is played for its sake must be playable, and allowed, as well.
    for name in others(scenario) {
        if let Some(other) = siblings.iter().find(|s| s.name == name && s.name != scenario.name)
            && let Some(why) = lacking_alone(options, around, other)
        {
            return Some(format!("it needs the scenario `{name}`: {why}"));
        }
    }
    lacking_alone(options, around, scenario)
}

/// Scenarios that are played before this one or as a control of it.
fn others(scenario: &Scenario) -> impl Iterator<Item = &str> {
    let needed = scenario.needs.iter().filter_map(|need| match need {
        Need::Scenario(name) => Some(name.as_str()),
        _ => None,
    });
    needed.chain(scenario.steps.iter().filter_map(|step| match &step.control {
        Some(Control::Scenario(name)) => Some(name.as_str()),
        _ => None,
    }))
}

fn lacking_alone(options: &Options, around: &Surroundings, scenario: &Scenario) -> Option<String> {
    let target = &options.target;
    if let Some(play) = &scenario.client {
        return super::client::lacking(options, scenario, play);
    }
    if scenario.stubs.is_some() && !target.is_embedded() {
        return Some("its stubs are served in place of the embedded org, and the target is another".into());
    }
    for need in &scenario.needs {
        // On a socket the embedded org speaks no TLS.
        if options.socket && target.is_embedded() && *need == Need::Capability("https".to_owned()) {
            return Some("the embedded org is reached over plain http".to_owned());
        }
        if let Some(why) = unmet(need, target, around, scenario) {
            return Some(why);
        }
    }
    for step in scenario.steps.iter().chain(&scenario.cleanup) {
        if let Some(why) = step_lacks(step, target, around, scenario) {
            return Some(why);
        }
    }
    if let Some(policy) = target.apps.get(&scenario.app).map(|app| &app.policy).filter(|policy| policy.fixed)
    {
        for (name, value) in &scenario.settings.0 {
            if let Some(own) = policy.says(name).filter(|own| own != value) {
                return Some(format!(
                    "the metadata of the app says `{name}: {}`, and this is about `{}`",
                    shown(name, &own),
                    shown(name, value)
                ));
            }
        }
    }
    if !target.is_embedded() {
        for (name, value) in &scenario.settings.0 {
            let none = name == "rotation_grace" && *value == Setting::Millis(0);
            if target.settings_of(&scenario.app).get(name).map_or(!none, |told| told != value) {
                let value = shown(name, value);
                return Some(format!("the target does not say `settings: {{ {name}: {value} }}`"));
            }
        }
        let harmless = options.destructive || target.disposable || options.replay.is_some();
        if is_destructive(scenario) && !harmless {
            return Some("it is destructive: allow it with `--allow destructive`, or say `disposable: true` in the target".into());
        }
    }
    // What the target lacks is the better reason.
    options.replay.as_ref().and_then(|recording| replay::stands_in_the_way(recording, scenario))
}

/// Whether metadata keeps a user out of an app, and the step is about something else. A flow that the app does not have is
/// refused before anybody looks at the user.
fn is_kept_out(app: &ConnectedApp, role: &str, user: &User, step: &Step) -> bool {
    let about_it = |item: &Item| matches!(item.kind, ItemKind::Refused(outcome) if matches!(outcome.name, "user-not-admitted" | "flow-not-enabled"));
    let expected = step.expect.as_ref().is_some_and(|expect| expect.items.iter().any(about_it));
    let policy = &app.policy;
    policy.fixed && policy.admin_approved && !user.approved.iter().any(|one| one == role) && !expected
}

/// A value of a setting as a target writes it.
fn shown(name: &str, value: &Setting) -> String {
    let kind = SETTINGS.iter().find(|row| row.name == name).map(|row| row.kind);
    match (value, kind) {
        (Setting::Flag(flag), _) => flag.to_string(),
        (Setting::Word(word), _) => word.clone(),
        (Setting::Millis(millis), Some(Kind::Duration)) => format!("{}s", millis / 1000),
        (Setting::Millis(millis), _) => millis.to_string(),
    }
}

/// Whether a scenario may harm an org that somebody works with: it says so itself, it revokes a token, or it
/// approves an app, which on Salesforce takes the oldest of five approvals of the user away.
pub(super) fn is_destructive(scenario: &Scenario) -> bool {
    let harms = |step: &Step| match &step.action {
        Action::Authorize(options) => options.follow,
        Action::Revoke(_) => true,
        _ => false,
    };
    scenario.tags.iter().any(|tag| tag == "destructive")
        || scenario.steps.iter().chain(&scenario.cleanup).any(harms)
}

fn unmet(need: &Need, target: &Target, around: &Surroundings, scenario: &Scenario) -> Option<String> {
    match need {
        Need::Flow(_) | Need::Unlisted(_) if !target.apps.contains_key(&scenario.app) => {
            Some(format!("the target has no app `{}`", scenario.app))
        }
        Need::Flow(flow) => (!lists(target, scenario, *flow))
            .then(|| format!("the app `{}` does not list the flow {flow}", scenario.app)),
        Need::Unlisted(flow) => lists(target, scenario, *flow)
            .then(|| format!("the app `{}` lists the flow {flow}", scenario.app)),
        Need::Capability(name)
            if ["https_callback", "query_callback", "several_callbacks"].contains(&name.as_str()) =>
        {
            let uris =
                target.apps.get(&scenario.app).map(|app| app.redirect_uris.clone()).unwrap_or_default();
            let has = match name.as_str() {
                "https_callback" => uris.first().is_some_and(|uri| uri.starts_with("https://")),
                "several_callbacks" => uris.len() > 1,
                _ => uris.iter().any(|uri| uri.contains('?')),
            };
            (!has).then(|| format!("the app `{}` has no such callback URL ({name})", scenario.app))
        }
        Need::Capability(name) => (!around.capabilities.contains(name.as_str())).then(|| {
            let doc =
                crate::suite::CAPABILITIES.iter().find(|(known, _)| known == name).map_or("", |(_, doc)| doc);
            format!("the target lacks {name} ({doc})")
        }),
        Need::App(role) => {
            (!target.apps.contains_key(role)).then(|| format!("the target has no app `{role}`"))
        }
        Need::User(role) => {
            (!target.users.contains_key(role)).then(|| format!("the target has no user `{role}`"))
        }
        Need::Scenario(_) => None,
    }
}

fn step_lacks(step: &Step, target: &Target, around: &Surroundings, scenario: &Scenario) -> Option<String> {
    let role = step.app.as_ref().unwrap_or(&scenario.app);
    // Documents are published for everybody; of the two about the server, one is enough.
    if let Action::Discover { oauth, .. } = step.action {
        let (url, document) = if oauth {
            (&around.endpoints.metadata, "RFC 8414 document")
        } else {
            (&around.endpoints.discovery, "OpenID Connect discovery document")
        };
        return url.is_none().then(|| format!("the target publishes no {document}"));
    }
    if step.action == Action::Keys {
        return unmet(&Need::Capability("keys".to_owned()), target, around, scenario);
    }
    let Some(app) = target.apps.get(role) else { return Some(format!("the target has no app `{role}`")) };
    let user = step.user.as_ref().unwrap_or(&scenario.user);
    let credential = match &step.action {
        Action::CallOut(out) => Some(out.credential.protocol),
        _ => None,
    };
    let signs_for_user = credential.is_some_and(Protocol::signs_grants);
    let acts_for_user = signs_for_user
        || matches!(step.action, Action::Authorize(_) | Action::JwtBearer | Action::SamlBearer);
    if acts_for_user && !target.users.contains_key(user) {
        return Some(format!("the target has no user `{user}`"));
    }
    if acts_for_user && is_kept_out(app, role, &target.users[user], step) {
        return Some(format!(
            "the metadata of the app `{role}` admits pre-authorized users only, and `{user}` is none"
        ));
    }
    if let Some(Control::Otherwise { app: Some(role), .. }) = &step.control
        && !target.apps.contains_key(role)
    {
        return Some(format!("the target has no app `{role}`"));
    }
    let signs = signs_for_user || matches!(step.action, Action::JwtBearer | Action::SamlBearer);
    if signs && app.key.is_none() && step.tweak.key.is_none() {
        return Some(format!("the target gives no key for the app `{role}`"));
    }
    if let Some(role) = step.tweak.key.as_ref().filter(|role| *role != "fresh")
        && target.apps.get(role).is_none_or(|app| app.key.is_none())
    {
        return Some(format!("the target gives no key for an app `{role}`"));
    }
    let secret = |role: &str| target.apps.get(role).and_then(|app| app.client_secret.as_ref());
    match step.tweak.secret.as_ref() {
        Some(SecretForm::Of(role)) if secret(role).is_none() => {
            return Some(format!("the target gives no secret for an app `{role}`"));
        }
        Some(form @ (SecretForm::Shortened | SecretForm::Longer | SecretForm::OtherCase))
            if secret(role).and_then(|secret| form.written(secret.expose())).is_none() =>
        {
            return Some(format!("the secret of the app `{role}` has no such form"));
        }
        _ => {}
    }
    // What a foreign app must be refused is asked for on purpose; everything else it must be able to do.
    let refused = step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal);
    let unlisted = |flow: &Flow| {
        let needed = *role == scenario.app && scenario.needs.contains(&Need::Unlisted(*flow));
        needed || (refused && step.tweak.is_none())
    };
    if let Some(flow) = step.action.flow().filter(|flow| !app.flows.contains(flow) && !unlisted(flow)) {
        return Some(format!("the app `{role}` does not list the flow {flow}"));
    }
    let auth = step.client_auth.or(credential.and_then(Protocol::client_auth));
    if let Some(auth) = auth.filter(|auth| !can_authenticate(target, app, *auth)) {
        return Some(format!("the app `{role}` does not authenticate by {}", auth.name()));
    }
    if let Action::Authorize(options) = &step.action
        && let Some(scope) = options.scope.iter().flatten().find(|scope| !may_have(app, scope))
        && !refused
    {
        return Some(format!("the app `{role}` does not list the scope {scope}"));
    }
    if target.login == Login::Browser
        && !refused
        && matches!(&step.action, Action::Authorize(options) if options.follow)
        && let Some(callback) = callback(step, app).filter(|uri| !comes_back(uri))
    {
        let callback = without_secrets(&callback);
        return Some(format!(
            "the callback {callback} does not come back to this machine, where `login: browser` waits for it"
        ));
    }
    let capability = match &step.action {
        Action::Authorize(options) if options.deny => "deny",
        // The first answer of the endpoint needs no pages.
        Action::Authorize(options) if !options.follow => {
            return around
                .endpoints
                .authorize
                .is_none()
                .then(|| "the authorization endpoint is not known".into());
        }
        Action::Authorize(_) => "authorize",
        Action::Introspect(_) => "introspection",
        Action::Revoke(_) => "revocation",
        Action::Userinfo(_) => "userinfo",
        Action::Identity(_) => "identity",
        Action::Call(call) if call.path.is_none() => "resource",
        Action::CallOut(out) if out.call.path.is_none() => "resource",
        Action::Soap(_) => "salesforce",
        Action::Advance(_) => "clock",
        _ => return None,
    };
    unmet(&Need::Capability(capability.to_owned()), target, around, scenario)
}

/// The callback of a login, where nothing else is out of the ordinary, which an org may refuse before a person comes to it.
fn callback(step: &Step, app: &ConnectedApp) -> Option<String> {
    match step.tweak.edits.as_slice() {
        [] if step.tweak.is_none() => Some(app.redirect_uri().to_owned()),
        [Edit::Set(Place::Param, name, TweakValue::Text(uri))] if name == "redirect_uri" => uri
            .fill(&|name| match name {
                "app.redirect_uri" => Some(app.redirect_uri().to_owned()),
                "app.query_redirect_uri" => app.redirect_uris.iter().find(|uri| uri.contains('?')).cloned(),
                _ => None,
            })
            .ok(),
        _ => None,
    }
}

/// Whether a scope is among those that the target says of an app; where it says none, nothing is known.
fn may_have(app: &ConnectedApp, scope: &str) -> bool {
    let same =
        |own: &String| own == scope || own == "full" || scope == "offline_access" && own == "refresh_token";
    app.scopes.is_empty() || app.scopes.iter().any(same)
}

fn can_authenticate(target: &Target, app: &ConnectedApp, auth: ClientAuth) -> bool {
    match auth {
        _ if auth == app.client_auth => true,
        // Salesforce takes the secret in either way; another server registers one method for each client.
        ClientAuth::Post | ClientAuth::Basic => {
            app.client_secret.is_some() && target.profile == crate::oauth::salesforce::Profile::Salesforce
        }
        ClientAuth::None => true,
        ClientAuth::PrivateKeyJwt => {
            app.key.is_some() && target.profile == crate::oauth::salesforce::Profile::Salesforce
        }
    }
}

fn cost(plays: &[Planned]) -> Cost {
    let mut cost = Cost::default();
    let mut controls = BTreeSet::new();
    for play in plays.iter().filter(|play| play.not_testable.is_none()) {
        cost.add_scenario(play, &play.scenario, &mut controls);
        for need in &play.scenario.needs {
            if let Need::Scenario(name) = need
                && let Some(sibling) = play.siblings.iter().find(|s| s.name == *name)
            {
                cost.add_scenario(play, sibling, &mut controls);
            }
        }
    }
    cost
}

impl Cost {
    /// A scenario with its cleaning up, and the controls of its refusals, each once in a run.
    fn add_scenario(&mut self, play: &Planned, scenario: &Scenario, controls: &mut BTreeSet<String>) {
        for step in scenario.steps.iter().chain(&scenario.cleanup) {
            self.add(step, step.times, &scenario.user);
        }
        for (i, step) in scenario.steps.iter().enumerate() {
            if !step.expect.as_ref().is_some_and(crate::suite::Expect::is_refusal) {
                continue;
            }
            match &step.control {
                Some(Control::Step(_)) => {}
                Some(Control::Scenario(name)) => {
                    if let Some(sibling) = play.siblings.iter().find(|s| s.name == *name) {
                        self.add_scenario(play, sibling, controls);
                    }
                }
                Some(Control::Otherwise { .. }) | None => {
                    let control = super::control::Control::of(scenario, i);
                    let user = control.stand_ins.1.as_ref().unwrap_or(&scenario.user);
                    if controls.insert(control.key) {
                        control.steps.iter().for_each(|step| self.add(step, step.times, user));
                    }
                }
            }
        }
    }

    fn add(&mut self, step: &Step, times: u32, user: &str) {
        if step.action.endpoint() == Some(crate::oauth::Endpoint::Token) {
            self.token_requests += times;
        }
        // One for the token, and one for another where that is refused.
        if let Action::CallOut(out) = &step.action
            && out.credential.protocol != Protocol::Jwt
        {
            self.token_requests += 2 * times;
        }
        let logs_in = matches!(
            step.action,
            Action::Authorize(_) | Action::JwtBearer | Action::SamlBearer | Action::ClientCredentials
        );
        if logs_in {
            let user = step.user.as_deref().unwrap_or(user);
            *self.logins.entry(user.to_owned()).or_default() += times;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_up_that_revokes_harms_as_a_step_does() {
        let source = "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps: [{ do: client-credentials }]\n  \
            cleanup: [{ do: revoke }]\n- scenario: b\n  steps: [{ do: client-credentials }]\n";
        let text = crate::diagnostic::Text::new("t.yaml", source);
        let suite = crate::suite::read_suite(&text, "t").unwrap();
        assert_eq!(suite.scenarios.iter().map(is_destructive).collect::<Vec<_>>(), [true, false]);
    }
}
