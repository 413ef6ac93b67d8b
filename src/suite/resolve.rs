//! From a tree to a suite: names are looked up, rows expanded, refusals given their control.

use super::expand::rows;
use super::names::check_names;
use super::parse::{Kind, Node};
use super::shape::check;
use super::words::{CAPABILITIES, SUITE};
use super::{Capture, Control, Need, Scenario, Source, Step, Suite, expect, tweak};
use crate::client::{Action, Authorize, Call, Template, TokenUse};
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::{duration, pkce::Method};
use crate::subject::{ClientAuth, Flow, Kind as SettingKind, SETTINGS, Setting, Settings};

/// The most plays that one step may ask for at once.
const MOST_TIMES: i64 = 1000;

/// Resolves a tree.
///
/// # Errors
/// Every problem of the file.
pub fn resolve(text: &Text, id: &str, node: &Node) -> Result<Suite, Vec<Diagnostic>> {
    let mut found = Vec::new();
    // Rows of data are filled in first: what a row puts into a place is checked like what is written there.
    let node = &expanded(text, node, &mut found);
    let mut problems = Vec::new();
    check(text, node, &SUITE, &mut problems);
    let mut reader = Reader { text, problems: found, scenarios: scenario_names(node), root: node };
    let listed = node
        .get("scenarios")
        .filter(|n| matches!(n.kind, Kind::List(_)))
        .map(Node::items)
        .unwrap_or_default();
    let mut scenarios = Vec::new();
    for written in listed.iter().filter(|n| matches!(n.kind, Kind::Map(_))) {
        scenarios.push(reader.scenario(written));
    }
    reader.whole(node, &scenarios);
    problems.extend(reader.problems);
    // Rows that share a slip share its place.
    let mut told: Vec<Diagnostic> = Vec::new();
    for problem in problems {
        if !told.iter().any(|p| p.at == problem.at && p.message == problem.message) {
            told.push(problem);
        }
    }
    let mut problems = told;
    if !problems.is_empty() {
        problems.sort_by_key(|p| p.at.as_ref().map(|(_, span)| span.start));
        return Err(problems);
    }
    let title = node.get("suite").and_then(Node::text).unwrap_or(id).to_owned();
    Ok(Suite { id: id.to_owned(), title, text: text.clone(), scenarios })
}

/// The suite with every scenario written out once for each of its rows.
fn expanded(text: &Text, node: &Node, problems: &mut Vec<Diagnostic>) -> Node {
    let mut node = node.clone();
    if let Kind::Map(entries) = &mut node.kind {
        for (_, value) in entries.iter_mut().filter(|(key, _)| key.text() == Some("scenarios")) {
            if let Kind::List(items) = &mut value.kind {
                let all = std::mem::take(items);
                items.extend(all.iter().flat_map(|scenario| rows(text, scenario, problems)));
            }
        }
    }
    node
}

fn scenario_names(node: &Node) -> Vec<String> {
    let items = node.get("scenarios").map(Node::items).unwrap_or_default();
    items.iter().filter_map(|s| s.get("scenario")?.text().map(str::to_owned)).collect()
}

/// A step's name, what it does, and where it asks.
type Label = (String, &'static str, Option<crate::oauth::Endpoint>);

struct Reader<'r> {
    text: &'r Text,
    problems: Vec<Diagnostic>,
    scenarios: Vec<String>,
    root: &'r Node,
}

impl Reader<'_> {
    fn problem(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Diagnostic::at(code, self.text, span, message).help_opt(help));
    }

    fn whole(&mut self, node: &Node, scenarios: &[Scenario]) {
        if let Some(list) = node.get("scenarios")
            && matches!(&list.kind, Kind::List(items) if items.is_empty())
        {
            self.problem(
                "empty",
                list.span,
                "the suite has no scenarios, so it would judge nothing",
                Some("add a scenario".into()),
            );
        }
        for (i, scenario) in scenarios.iter().enumerate() {
            if scenarios[..i].iter().any(|earlier| earlier.name == scenario.name) {
                let message = format!("two scenarios are called `{}`", scenario.name);
                self.problem(
                    "duplicate-name",
                    scenario.span,
                    message,
                    Some("a name tells a scenario apart in reports: make it say what is special".into()),
                );
            }
        }
    }

    fn scenario(&mut self, node: &Node) -> Scenario {
        let root = self.root;
        let text_of =
            |key: &str| node.get(key).or_else(|| root.get(key)).and_then(Node::text).map(str::to_owned);
        let both = |key: &str| -> Vec<&Node> {
            [root.get(key), node.get(key)].into_iter().flatten().flat_map(Node::items).collect()
        };
        let name_node = node.get("scenario");
        let mut known: Vec<String> = Vec::new();
        let mut labels: Vec<Label> = Vec::new();
        let steps: Vec<Step> = self.steps(node.get("steps"), &mut known, &mut labels);
        let cleanup = self.steps(node.get("cleanup"), &mut known, &mut Vec::new());
        if let Some(list) = node.get("steps")
            && matches!(&list.kind, Kind::List(items) if items.is_empty())
        {
            self.problem(
                "empty",
                list.span,
                "the scenario does nothing",
                Some("add a step, for example `- do: jwt-bearer`".into()),
            );
        }
        let needs = both("needs").into_iter().filter_map(|need| self.need(need)).collect();
        let mut settings = self.settings_of(root);
        settings = settings.with(&self.settings_of(node));
        let checks = self.checks(&both("checks"));
        let waive = both("waive")
            .into_iter()
            .filter_map(|w| Some((w.get("check")?.text()?.to_owned(), w.get("because")?.text()?.to_owned())))
            .collect();
        Scenario {
            name: name_node.and_then(Node::text).unwrap_or("").to_owned(),
            text: self.text.clone(),
            span: name_node.map_or(node.span, |n| n.span),
            app: text_of("app").unwrap_or_else(|| "main".into()),
            user: text_of("user").unwrap_or_else(|| "main".into()),
            tags: both("tags").into_iter().filter_map(|n| n.text().map(str::to_owned)).collect(),
            needs,
            settings,
            steps,
            cleanup,
            checks,
            waive,
        }
    }

    /// Names of checks and families; each must be one of the catalogue.
    fn checks(&mut self, nodes: &[&Node]) -> Vec<String> {
        let mut names = Vec::new();
        for node in nodes {
            let Some(name) = node.text() else { continue };
            let known = || crate::catalog::all().map(|check| check.id);
            if !known().any(|id| id == name || (name.ends_with('/') && id.starts_with(name))) {
                let families = known().filter_map(|id| id.find('/').map(|slash| &id[..=slash]));
                let help = match closest(name, known().chain(families)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`grantcheck checks` prints them all".to_owned(),
                };
                self.problem(
                    "unknown-check",
                    node.span,
                    format!("the catalogue has no check `{name}`"),
                    Some(help),
                );
            }
            names.push(name.to_owned());
        }
        names
    }

    fn settings_of(&mut self, node: &Node) -> Settings {
        let mut problems = Vec::new();
        let settings = settings(self.text, node.get("settings"), &mut problems);
        self.problems.extend(problems);
        settings
    }

    fn need(&mut self, node: &Node) -> Option<Need> {
        let Some(name) = node.text() else {
            let (key, value) = node.entries().first()?;
            let word = value.text()?.to_owned();
            return match key.text()? {
                "flow" => Flow::read(&word).map(Need::Flow),
                "unlisted" => Flow::read(&word).map(Need::Unlisted),
                "app" => Some(Need::App(word)),
                "user" => Some(Need::User(word)),
                "scenario" => {
                    if !self.scenarios.contains(&word) {
                        let near = closest(&word, self.scenarios.iter().map(String::as_str))
                            .map(|n| format!("did you mean `{n}`?"));
                        self.problem(
                            "unknown-name",
                            value.span,
                            format!("the suite has no scenario `{word}`"),
                            near,
                        );
                    }
                    Some(Need::Scenario(word))
                }
                _ => None,
            };
        };
        if let Some(flow) = Flow::read(name) {
            return Some(Need::Flow(flow));
        }
        if CAPABILITIES.iter().any(|(known, _)| *known == name) {
            return Some(Need::Capability(name.to_owned()));
        }
        let words = CAPABILITIES.iter().map(|(known, _)| *known).chain(Flow::ALL.map(Flow::name));
        let help = match closest(name, words.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "a flow, a capability ({}), or `app: ROLE`, `user: ROLE`, `scenario: NAME`",
                words.collect::<Vec<_>>().join(", ")
            ),
        };
        self.problem("unknown-word", node.span, format!("unknown need `{name}`"), Some(help));
        None
    }

    fn steps(&mut self, node: Option<&Node>, known: &mut Vec<String>, labels: &mut Vec<Label>) -> Vec<Step> {
        let Some(Node { kind: Kind::List(items), .. }) = node else { return Vec::new() };
        let mut steps = Vec::new();
        for item in items {
            if let Some(step) = self.step(item, known, labels) {
                known.extend(step.capture.iter().map(|c| c.name.clone()));
                labels.push((
                    step.label.clone().unwrap_or_default(),
                    step.action.name(),
                    step.action.endpoint(),
                ));
                steps.push(step);
            } else {
                // Keeps positions right for `control:` of later steps.
                labels.push((String::new(), "", None));
            }
        }
        steps
    }

    fn step(&mut self, node: &Node, known: &[String], labels: &[Label]) -> Option<Step> {
        let word = node.get("do")?;
        let name = word.text()?;
        let action = self.action(node, name, known)?;
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let times = node.get("times").and_then(Node::number).unwrap_or(1);
        if let Some(at) = node.get("times").filter(|_| !(1..=MOST_TIMES).contains(&times)) {
            self.problem(
                "out-of-range",
                at.span,
                format!("`times` is {times}"),
                Some(format!("from 1 to {MOST_TIMES}; `load` drives more")),
            );
        }
        let at_once = node.get("at_once").and_then(Node::flag).unwrap_or(false);
        if at_once && times < 2 {
            let span = node.key("at_once").map_or(node.span, |n| n.span);
            self.problem(
                "misplaced",
                span,
                "`at_once` of a single request is no race",
                Some("write `times: 20` beside it".into()),
            );
        }
        if let Some(at) = node
            .key("at_once")
            .filter(|_| at_once && matches!(action, Action::Authorize(_) | Action::Advance(_)))
        {
            self.problem(
                "misplaced",
                at.span,
                format!("`do: {name}` cannot be done at once"),
                Some("race the requests that follow it".into()),
            );
        }
        let tweak =
            tweak::Reader { text: self.text, step: action.name(), known, problems: &mut self.problems }
                .read(node);
        let expect = node.get("expect").map(|at| {
            expect::Reader {
                text: self.text,
                endpoint: action.endpoint(),
                step: action.name(),
                known,
                problems: &mut self.problems,
            }
            .read(at)
        });
        if let Some(at) = node.key("expect").filter(|_| matches!(action, Action::Advance(_))) {
            self.problem(
                "misplaced",
                at.span,
                "`do: advance` has no answer to expect something of",
                Some("put `expect` on the step that follows".into()),
            );
        }
        if let Some(counts) = expect.as_ref().filter(|e| !e.counts.is_empty() && times < 2) {
            self.problem(
                "misplaced",
                counts.counts[0].span,
                "a count over a single request says nothing",
                Some("write `times: 20` on the step".into()),
            );
        }
        let capture = self.captures(node);
        let control = self.control(node, labels, &action);
        let refuses = expect.as_ref().is_some_and(expect::Expect::is_refusal);
        if refuses && tweak.is_none() && node.get("control").is_none() {
            let span = node
                .get("expect")
                .and_then(|e| e.get("refused").or_else(|| e.get("status")).or_else(|| e.get("error")))
                .map_or(word.span, |n| n.span);
            self.problem(
                "no-control",
                span,
                "nothing shows that this refusal is more than a request that never works",
                Some("say with `control:` what must succeed: an earlier step by its `step:` name, a scenario, or `{ app: main }`".into()),
            );
        }
        if let Some(at) = node.key("control").filter(|_| !refuses) {
            self.problem(
                "misplaced",
                at.span,
                "`control` belongs to a step that must be refused",
                Some("this step expects no refusal: leave `control` out".into()),
            );
        }
        Some(Step {
            span: word.span,
            label: text_of("step"),
            app: text_of("app"),
            user: text_of("user"),
            client_auth: text_of("client_auth").and_then(|name| ClientAuth::read(&name)),
            times: u32::try_from(times).unwrap_or(1).max(1),
            at_once,
            action,
            tweak,
            capture,
            expect,
            control,
        })
    }

    fn action(&mut self, node: &Node, name: &str, known: &[String]) -> Option<Action> {
        let mut template = |key: &str| -> Option<Template> {
            let at = node.get(key)?;
            let source = at.text()?;
            check_names(self.text, at.span, source, known, &mut self.problems);
            Some(Template::new(source))
        };
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let flag = |key: &str| node.get(key).and_then(Node::flag);
        let token_use = |template: &mut dyn FnMut(&str) -> Option<Template>| TokenUse {
            token: template("token").map(named_token),
            hint: text_of("hint"),
            method: text_of("method"),
        };
        Some(match name {
            "authorize" => Action::Authorize(Authorize {
                scope: node
                    .get("scope")
                    .map(|n| n.items().iter().filter_map(|s| s.text().map(str::to_owned)).collect()),
                pkce: match node.get("pkce").and_then(Node::text) {
                    None => Some(Method::S256),
                    Some(method) => Method::read(method),
                },
                state: template("state"),
                nonce: flag("nonce").unwrap_or(false),
                extra: ["prompt", "login_hint", "immediate"]
                    .into_iter()
                    .filter_map(|k| text_of(k).map(|v| (k, v)))
                    .collect(),
                deny: flag("deny").unwrap_or(false),
                follow: flag("follow").unwrap_or(true),
            }),
            "redeem" => Action::Redeem,
            "jwt-bearer" => Action::JwtBearer,
            "saml-bearer" => Action::SamlBearer,
            "client-credentials" => Action::ClientCredentials,
            "refresh" => Action::Refresh,
            "introspect" => Action::Introspect(token_use(&mut template)),
            "revoke" => Action::Revoke(token_use(&mut template)),
            "userinfo" => Action::Userinfo(token_use(&mut template)),
            "identity" => Action::Identity(token_use(&mut template)),
            "soap" => Action::Soap(token_use(&mut template)),
            "discover" => Action::Discover { oauth: text_of("document").as_deref() == Some("oauth") },
            "keys" => Action::Keys,
            "call" => {
                let anonymous = text_of("token").as_deref() == Some("none");
                if let Some(at) = node.get("path")
                    && at.text().is_some_and(|p| !p.starts_with('/') && !p.starts_with("${"))
                {
                    self.problems.push(
                        Diagnostic::at("bad-path", self.text, at.span, "a path begins with `/`")
                            .help("a suite calls the target's host only; write the path alone"),
                    );
                }
                let mut template = |key: &str| -> Option<Template> {
                    let at = node.get(key)?;
                    check_names(self.text, at.span, at.text()?, known, &mut self.problems);
                    Some(Template::new(at.text()?))
                };
                Action::Call(Call {
                    token: if anonymous { None } else { template("token").map(named_token) },
                    anonymous,
                    method: text_of("method"),
                    path: template("path"),
                    json: node.get("json").map(Node::json),
                })
            }
            "advance" => Action::Advance(node.get("by").and_then(Node::text).and_then(duration)?),
            _ => return None,
        })
    }

    fn captures(&mut self, node: &Node) -> Vec<Capture> {
        let mut captures = Vec::new();
        for (name, from) in node.get("capture").map(Node::entries).unwrap_or_default() {
            let (Some(name), Some(source)) = (name.text(), from.text()) else { continue };
            let source = match source.split_once('.') {
                _ if source.starts_with('$') => Source::Body(source.to_owned()),
                Some(("body", member)) => Source::Body(member.to_owned()),
                Some(("header", field)) => Source::Header(field.to_owned()),
                Some(("redirect", param)) => Source::Redirect(param.to_owned()),
                _ => {
                    self.problem(
                        "bad-capture",
                        from.span,
                        format!("`{source}` is no place of an answer"),
                        Some("write `body.MEMBER`, a JSONPath, `header.NAME` or `redirect.PARAMETER`".into()),
                    );
                    continue;
                }
            };
            if super::names::NAMES.contains(&name) {
                self.problem(
                    "duplicate-name",
                    from.span,
                    format!("`{name}` is a name that grantcheck gives a value itself"),
                    Some("choose another name".into()),
                );
            }
            captures.push(Capture { name: name.to_owned(), from: source });
        }
        captures
    }

    fn control(&mut self, node: &Node, labels: &[Label], action: &Action) -> Option<Control> {
        let at = node.get("control")?;
        let Some(name) = at.text() else {
            let text_of = |key: &str| at.get(key).and_then(Node::text).map(str::to_owned);
            return Some(Control::Otherwise {
                app: text_of("app"),
                user: text_of("user"),
                client_auth: text_of("client_auth").and_then(|n| ClientAuth::read(&n)),
            });
        };
        if let Some(i) = labels.iter().position(|(label, ..)| label == name) {
            // Another grant shows that the app works; another endpoint shows nothing.
            if labels[i].2 != action.endpoint() {
                let (other, this) = (labels[i].1, action.name());
                let message =
                    format!("the step `{name}` does `{other}`, so it proves nothing about `{this}`");
                self.problem(
                    "misplaced",
                    at.span,
                    message,
                    Some("name a step that asks the same endpoint".into()),
                );
            }
            return Some(Control::Step(i));
        }
        if self.scenarios.iter().any(|s| s == name) {
            return Some(Control::Scenario(name.to_owned()));
        }
        let names = labels
            .iter()
            .map(|(l, ..)| l.as_str())
            .filter(|l| !l.is_empty())
            .chain(self.scenarios.iter().map(String::as_str));
        let help = match closest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name an earlier step by its `step:`, or a scenario of this suite".to_owned(),
        };
        self.problem(
            "unknown-name",
            at.span,
            format!("`{name}` is neither an earlier step nor a scenario"),
            Some(help),
        );
        None
    }
}

/// `token: refresh_token` is short for `token: ${refresh_token}`.
fn named_token(template: Template) -> Template {
    match template.fill(&|_| None) {
        Ok(plain) if matches!(plain.as_str(), "access_token" | "refresh_token" | "id_token" | "code") => {
            Template::new(&format!("${{{plain}}}"))
        }
        _ => template,
    }
}

/// Reads `settings:` against the table of settings; suites and targets have the same.
pub(super) fn settings(text: &Text, node: Option<&Node>, problems: &mut Vec<Diagnostic>) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in node.map(Node::entries).unwrap_or_default() {
        let (Some(name), Some(word)) = (key.text(), value.text()) else { continue };
        let Some(row) = SETTINGS.iter().find(|row| row.name == name) else {
            let help = match closest(name, SETTINGS.iter().map(|row| row.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "known settings: {}",
                    SETTINGS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
                ),
            };
            problems.push(
                Diagnostic::at("unknown-key", text, key.span, format!("unknown setting `{name}`")).help(help),
            );
            continue;
        };
        let read = match row.kind {
            SettingKind::Flag => {
                value.flag().map(Setting::Flag).ok_or_else(|| "write `true` or `false`".to_owned())
            }
            SettingKind::Duration => duration(word)
                .map(Setting::Millis)
                .ok_or_else(|| "write a number and a unit: `250ms`, `30s`, `15m`, `2h`, `30d`".to_owned()),
            SettingKind::Words(words) if words.contains(&word) => Ok(Setting::Word(word.to_owned())),
            SettingKind::Words(words) => Err(match closest(word, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", words.join(", ")),
            }),
        };
        match read {
            Ok(setting) => {
                settings.0.insert(name.to_owned(), setting);
            }
            Err(help) => problems.push(
                Diagnostic::at(
                    "wrong-type",
                    text,
                    value.span,
                    format!("`{word}` is no value of the setting `{name}`"),
                )
                .help(help),
            ),
        }
    }
    settings
}
