//! From a tree to a suite: names are looked up, rows expanded, refusals given their control.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::expand::{left_over, rows};
use super::names::{Known, literal};
use super::parse::{Kind, Node};
use super::shape::check;
use super::step::Reader as Steps;
use super::words::{CAPABILITIES, CLIENT_FRAME, CLIENT_SCENARIO, FRAME, SCENARIO};
use super::{Control, Need, Scenario, Suite, client, load, stubs};
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::duration;
use crate::subject::{Flow, Kind as SettingKind, SETTINGS, Setting, Settings, Stubs};

/// Resolves a tree.
///
/// # Errors
/// Every problem of the file.
pub fn resolve(text: &Text, id: &str, node: &Node) -> Result<Suite, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let clients = node.get("judges").and_then(Node::text) == Some("client");
    check(text, node, if clients { &CLIENT_FRAME } else { &FRAME }, &mut problems);
    // The shape of one kind of suite knows nothing of the other.
    let judges = node.get("judges").map(|party| party.span);
    let about_it = |problem: &&mut Diagnostic| problem.at.as_ref().map(|(_, span)| *span) == judges;
    for problem in problems.iter_mut().filter(about_it).filter(|problem| problem.code == "unknown-word") {
        problem.help = Some("one of: org, client".into());
    }
    let (mut stubs, mut workload) = (None, None);
    for (key, value) in node.entries().iter().filter(|(key, _)| key.text() != Some("scenarios")) {
        left_over(text, key, &mut problems);
        left_over(text, value, &mut problems);
        if key.text() == Some("stubs") {
            stubs = Some(Arc::new(stubs::read(text, value, &mut problems)));
        } else if key.text() == Some("load") && !clients {
            workload = Some(load::read(text, value, &mut problems));
        } else {
            literal(text, value, &BTreeSet::new(), &mut problems);
        }
    }
    let listed = node.get("scenarios").filter(|n| matches!(n.kind, Kind::List(_))).map(Node::items);
    let written: Vec<&Node> =
        listed.unwrap_or_default().iter().filter(|n| matches!(n.kind, Kind::Map(_))).collect();
    let mut expanded = Vec::new();
    for scenario in &written {
        for row in rows(text, scenario, &mut problems) {
            check(text, &row, if clients { &CLIENT_SCENARIO } else { &SCENARIO }, &mut problems);
            expanded.push(row);
        }
    }
    let names = expanded.iter().filter_map(name_of).map(str::to_owned).collect();
    let mut reader = Reader { text, problems, names, written: &written, root: node, id, stubs, clients };
    let scenarios: Vec<Scenario> = expanded.iter().map(|node| reader.scenario(node)).collect();
    reader.own_waivers();
    reader.names_differ(&scenarios);
    reader.no_circles(&scenarios, &expanded);
    reader.controls_fit(&scenarios, &expanded);
    let problems = in_order(reader.problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let title = node.get("suite").and_then(Node::text).unwrap_or(id).to_owned();
    Ok(Suite { id: id.to_owned(), title, text: text.clone(), scenarios, load: workload })
}

/// Each problem once, in the order of the file.
pub(super) fn in_order(problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut once: Vec<Diagnostic> = Vec::new();
    for problem in problems {
        // Rows of data repeat what is wrong with their scenario.
        if !once.iter().any(|p| p.at == problem.at && p.message == problem.message) {
            once.push(problem);
        }
    }
    once.sort_by_key(|p| p.at.as_ref().map(|(_, span)| span.start));
    once
}

fn name_of(scenario: &Node) -> Option<&str> {
    scenario.get("scenario").filter(|name| !name.is_null())?.text()
}

struct Reader<'r> {
    text: &'r Text,
    problems: Vec<Diagnostic>,
    /// Names of all scenarios, rows expanded.
    names: Vec<String>,
    /// The scenarios as they are written.
    written: &'r [&'r Node],
    root: &'r Node,
    /// Id of the suite.
    id: &'r str,
    stubs: Option<Arc<Stubs>>,
    /// Whether the suite judges clients.
    clients: bool,
}

impl Reader<'_> {
    fn problem(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::at(code, self.text, span, message).help(help));
    }

    fn scenario(&mut self, node: &Node) -> Scenario {
        let root = self.root;
        let text_of =
            |key: &str| node.get(key).or_else(|| root.get(key)).and_then(Node::text).map(str::to_owned);
        let both = |key: &str| -> Vec<&Node> {
            [root.get(key), node.get(key)].into_iter().flatten().flat_map(Node::items).collect()
        };
        let name_node = node.get("scenario");
        let client = self.clients.then(|| {
            // What an org answers may name its hosts; who reads that tells of other names.
            for (_, value) in
                node.entries().iter().filter(|(key, _)| !matches!(key.text(), Some("org" | "for_each")))
            {
                literal(self.text, value, &BTreeSet::new(), &mut self.problems);
            }
            Arc::new(client::read(self.text, root, node, &mut self.problems))
        });
        let (steps, cleanup) = if self.clients {
            Default::default()
        } else {
            let mut reader = Steps {
                text: self.text,
                scenarios: &self.names,
                written: self.written,
                labels: Vec::new(),
                known: Known::default(),
                filled: BTreeSet::new(),
                problems: &mut self.problems,
            };
            reader.whole(node)
        };
        let needs = both("needs").into_iter().flat_map(|need| self.need(need, name_of(node))).collect();
        let settings = settings(root.get("settings")).with(&settings(node.get("settings")));
        let checks = both("checks");
        checks.iter().for_each(|check| known_check(self.text, check, &mut self.problems));
        let waive = both("waive")
            .into_iter()
            .filter_map(|w| Some((w.get("check")?.text()?.to_owned(), w.get("because")?.text()?.to_owned())))
            .collect();
        for waiver in node.get("waive").map(Node::items).unwrap_or_default() {
            waiver.get("check").into_iter().for_each(|c| known_check(self.text, c, &mut self.problems));
        }
        Scenario {
            name: name_of(node).unwrap_or("").to_owned(),
            suite: self.id.to_owned(),
            text: self.text.clone(),
            span: name_node.map_or(node.span, |n| n.span),
            app: text_of("app").unwrap_or_else(|| "main".into()),
            user: text_of("user").unwrap_or_else(|| "main".into()),
            tags: both("tags").into_iter().filter_map(|n| n.text().map(str::to_owned)).collect(),
            needs,
            settings,
            steps,
            cleanup,
            checks: checks.into_iter().filter_map(|n| n.text().map(str::to_owned)).collect(),
            waive,
            stubs: self.stubs.clone(),
            weight: node.get("weight").and_then(Node::text).and_then(|text| text.parse().ok()).unwrap_or(1),
            client,
        }
    }

    fn own_waivers(&mut self) {
        for waiver in self.root.get("waive").map(Node::items).unwrap_or_default() {
            waiver.get("check").into_iter().for_each(|c| known_check(self.text, c, &mut self.problems));
        }
    }

    /// The needs of one item: a word is one, a mapping may be several. Unknown words are the shape's to tell.
    fn need(&mut self, node: &Node, own: Option<&str>) -> Vec<Need> {
        if let Some(name) = node.text() {
            let flow = Flow::read(name).map(Need::Flow);
            let capability = CAPABILITIES.iter().any(|(known, _)| *known == name);
            return flow.or(capability.then(|| Need::Capability(name.to_owned()))).into_iter().collect();
        }
        let mut needs = Vec::new();
        for (key, value) in node.entries() {
            let Some(word) = value.text().map(str::to_owned) else { continue };
            needs.extend(match key.text().unwrap_or("") {
                "flow" => Flow::read(&word).map(Need::Flow),
                "unlisted" => Flow::read(&word).map(Need::Unlisted),
                "app" => Some(Need::App(word)),
                "user" => Some(Need::User(word)),
                "scenario" => {
                    if own == Some(word.as_str()) {
                        let help = "leave it out, or name another scenario";
                        self.problem("circle", value.span, "this scenario needs itself", help);
                    } else if !self.names.contains(&word) {
                        let (message, help) = no_such_scenario(&word, &self.names, self.written);
                        self.problem("unknown-name", value.span, message, help);
                    }
                    Some(Need::Scenario(word))
                }
                _ => None,
            });
        }
        needs
    }

    fn names_differ(&mut self, scenarios: &[Scenario]) {
        for (i, scenario) in scenarios.iter().enumerate() {
            if !scenario.name.is_empty() && scenarios[..i].iter().any(|earlier| earlier.name == scenario.name)
            {
                let message = format!("two scenarios are called `{}`", scenario.name);
                let help = "a name tells a scenario apart in reports: make it say what is special";
                self.problem("duplicate-name", scenario.span, message, help);
            }
        }
    }

    /// A scenario that never asks the endpoint of a refusal proves nothing about it.
    fn controls_fit(&mut self, scenarios: &[Scenario], nodes: &[Node]) {
        for (scenario, node) in scenarios.iter().zip(nodes) {
            let written = node.get("steps").map(Node::items).unwrap_or_default();
            for (step, node) in scenario.steps.iter().zip(written) {
                let Some(Control::Scenario(name)) = &step.control else { continue };
                let Some(control) = scenarios.iter().find(|s| s.name == *name) else { continue };
                let asks = |other: &super::Step| other.action.endpoint() == step.action.endpoint();
                if !control.steps.iter().any(asks) {
                    let this = step.action.name();
                    let message = format!("the scenario `{name}` proves nothing about `{this}`");
                    let at = node.get("control").unwrap_or(node).span;
                    self.problem("misplaced", at, message, "name a scenario that asks the same endpoint");
                }
            }
        }
    }

    /// A scenario that is proved by one that is proved by it would be played for ever.
    fn no_circles(&mut self, scenarios: &[Scenario], nodes: &[Node]) {
        let proofs = |scenario: &Scenario| -> Vec<usize> {
            let names = scenario.steps.iter().filter_map(|step| match &step.control {
                Some(Control::Scenario(name)) => Some(name.clone()),
                _ => None,
            });
            names.filter_map(|name| scenarios.iter().position(|s| s.name == name)).collect()
        };
        for (start, node) in nodes.iter().enumerate() {
            let mut seen = BTreeSet::new();
            let mut next = proofs(&scenarios[start]);
            while let Some(i) = next.pop() {
                if i == start {
                    let steps = node.get("steps").map(Node::items).unwrap_or_default();
                    let at = steps.iter().find_map(|step| step.get("control")).unwrap_or(node);
                    let message = "this scenario would be the proof of itself";
                    self.problem("circle", at.span, message, "name a scenario that expects no refusal");
                    break;
                }
                if seen.insert(i) {
                    next.extend(proofs(&scenarios[i]));
                }
            }
        }
    }
}

/// What is wrong with the name of a scenario that the suite does not have.
pub(super) fn no_such_scenario(name: &str, all: &[String], written: &[&Node]) -> (String, String) {
    if written.iter().any(|node| name_of(node) == Some(name) && node.get("for_each").is_some()) {
        let rows: Vec<String> =
            all.iter().filter(|n| n.starts_with(name)).take(3).map(|n| format!("`{n}`")).collect();
        let message = format!("`{name}` stands for several scenarios, one for each row");
        return (message, format!("name one of them: {}", rows.join(", ")));
    }
    let help = match closest(name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a scenario of this suite".to_owned(),
    };
    (format!("the suite has no scenario `{name}`"), help)
}

/// Tells of a check or a family that the catalogue does not have.
pub(super) fn known_check(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(name) = node.text().filter(|name| !name.is_empty() && !name.contains("${row.")) else { return };
    let known = || crate::catalog::all().map(|check| check.id);
    if known().any(|id| id == name || (name.ends_with('/') && id.starts_with(name))) {
        return;
    }
    let families = known().filter_map(|id| id.find('/').map(|slash| &id[..=slash]));
    let help = match closest(name, known().chain(families)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`grantcheck checks` prints them all".to_owned(),
    };
    let message = format!("the catalogue has no check `{name}`");
    problems.push(Diagnostic::at("unknown-check", text, node.span, message).help(help));
}

/// Reads `settings:`; suites and targets have the same. What is wrong in it, the shape tells.
pub(super) fn settings(node: Option<&Node>) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in node.map(Node::entries).unwrap_or_default() {
        let (Some(name), Some(word)) = (key.text(), value.text()) else { continue };
        let Some(row) = SETTINGS.iter().find(|row| row.name == name) else { continue };
        let read = match row.kind {
            SettingKind::Flag => value.flag().map(Setting::Flag),
            SettingKind::Duration => duration(word).map(Setting::Millis),
            SettingKind::Words(words) => words.contains(&word).then(|| Setting::Word(word.to_owned())),
        };
        settings.0.extend(read.map(|setting| (name.to_owned(), setting)));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Control, Expect, read_suite};

    fn suite(scenarios: &str) -> Suite {
        let source = format!("suite: s\njudges: org\nscenarios:\n{scenarios}");
        let told = |problems: Vec<Diagnostic>| problems.iter().map(ToString::to_string).collect::<String>();
        read_suite(&Text::new("t.yaml", source), "t").map_err(told).unwrap()
    }

    #[test]
    fn rows_become_scenarios_and_what_they_expect_points_into_the_row() {
        let suite = suite(
            "- scenario: one ${row.is}\n  for_each: [{ is: a, n: 2, out: assertion-expired }, { is: b, n: 3, out: assertion-invalid }]\n  \
             steps: [{ do: jwt-bearer, times: \"${row.n}\", with: { exp: -5m }, expect: { refused: \"${row.out}\" } }]\n",
        );
        let names: Vec<&str> = suite.scenarios.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["one a", "one b"]);
        let step = &suite.scenarios[1].steps[0];
        assert_eq!(step.times, 3);
        let span = step.expect.as_ref().unwrap().items[0].span;
        assert_eq!(&suite.text.source()[span.start..span.end], "assertion-invalid");
    }

    #[test]
    fn a_need_may_name_several_things() {
        let suite = suite("- scenario: a\n  needs: { app: other, user: second }\n  steps: [{ do: keys }]\n");
        assert_eq!(suite.scenarios[0].needs, [Need::App("other".into()), Need::User("second".into())]);
    }

    #[test]
    fn whatever_says_that_a_request_must_not_succeed_is_a_refusal() {
        for (step, expect, refuses) in [
            ("jwt-bearer", "{ refused: assertion-expired }", true),
            ("jwt-bearer", "{ status: [400, 5xx] }", true),
            ("jwt-bearer", "{ status: [200, 400] }", false),
            ("jwt-bearer", "{ error: [invalid_grant, invalid_client] }", true),
            ("jwt-bearer", "{ error: absent }", false),
            ("jwt-bearer", "{ body: { access_token: absent } }", true),
            ("authorize", "{ redirect: { error: access_denied } }", true),
            ("authorize", "{ redirect: { error: absent, code: present } }", false),
            ("authorize", "{ redirect: { error: { not: present } } }", false),
            ("authorize", "{ redirect: { error: { not: absent } } }", true),
            ("authorize", "{ redirect: { code: { not: present } } }", true),
            ("jwt-bearer", "{ error: { not: invalid_client } }", true),
            ("jwt-bearer }, { do: introspect", "{ body: { active: false } }", true),
            ("jwt-bearer }, { do: introspect", "{ body: { active: { not: true } } }", true),
            ("jwt-bearer }, { do: introspect", "{ body: { active: { not: [true, \"true\"] } } }", true),
            ("jwt-bearer }, { do: introspect", "{ body: { active: { one_of: [false, null] } } }", true),
            ("jwt-bearer }, { do: introspect", "{ body: { active: { not: false } } }", false),
        ] {
            let suite = suite(&format!(
                "- scenario: a\n  steps: [{{ do: {step}, with: {{ params: {{ x: y }} }}, expect: {expect} }}]\n"
            ));
            let step = suite.scenarios[0].steps.last().unwrap();
            assert_eq!(step.expect.as_ref().is_some_and(Expect::is_refusal), refuses, "{expect}");
        }
    }

    #[test]
    fn a_scenario_that_asks_another_endpoint_is_no_control() {
        let source = |control: &str| {
            format!(
                "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps: [{{ do: call, token: none, control: {control}, expect: {{ status: 401 }} }}]\n\
                 - scenario: b\n  steps: [{{ do: discover }}]\n- scenario: c\n  steps: [{{ do: client-credentials }}, {{ do: call }}]\n"
            )
        };
        assert!(read_suite(&Text::new("t.yaml", source("c")), "t").is_ok());
        let problems = read_suite(&Text::new("t.yaml", source("b")), "t").unwrap_err();
        assert!(problems[0].message.contains("`b` proves nothing about `call`"), "{}", problems[0]);
    }

    #[test]
    fn a_control_is_a_step_a_scenario_or_another_play() {
        let suite = suite(
            "- scenario: a\n  steps: [{ do: authorize }, { do: redeem, step: first }, { do: redeem, control: first, expect: { status: 400 } }]\n\
             - scenario: b\n  steps: [{ do: jwt-bearer, user: inactive, control: c, expect: { status: 400 } }]\n\
             - scenario: c\n  steps: [{ do: jwt-bearer, user: frozen, control: { user: main }, expect: { status: 400 } }]\n",
        );
        let control = |i: usize| suite.scenarios[i].steps.last().unwrap().control.clone().unwrap();
        assert_eq!(control(0), Control::Step(1));
        assert_eq!(control(1), Control::Scenario("c".into()));
        let user = Some("main".into());
        assert_eq!(control(2), Control::Otherwise { app: None, user, client_auth: None });
    }
}
