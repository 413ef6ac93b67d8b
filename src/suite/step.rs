//! From the tree of a step to what is done: its action, tweak, expectations, captures and control.

use std::collections::BTreeSet;

use super::names::{self, Known, check_names};
use super::parse::{Kind, Node};
use super::resolve::no_such_scenario;
use super::{Capture, Control, Count, CountOf, Expect, Source, Step, expect, tweak};
use crate::client::{Action, Authorize, Call, CallOut, Edit, Place, Template, TokenUse, Tweak};
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::{Endpoint, duration, pkce::Method};
use crate::subject::{ClientAuth, NamedCredential, Protocol};

/// The most plays that one step may ask for at once.
const MOST_TIMES: i64 = 1000;

/// Words that stand for a token in `token:`.
const TOKENS: &[&str] = &["access_token", "refresh_token", "id_token", "code"];

/// A step as `control:` of a later one sees it.
pub(super) struct Label {
    name: String,
    /// Its word and where it asks; none where it could not be read.
    does: Option<(&'static str, Option<Endpoint>)>,
}

/// Reads the steps of one scenario.
pub(super) struct Reader<'r> {
    pub(super) text: &'r Text,
    /// Names of all scenarios of the suite.
    pub(super) scenarios: &'r [String],
    /// The scenarios as they are written, rows not expanded.
    pub(super) written: &'r [&'r Node],
    /// The steps so far.
    pub(super) labels: Vec<Label>,
    /// What has a value by now.
    pub(super) known: Known,
    /// Where names were filled in.
    pub(super) filled: BTreeSet<usize>,
    pub(super) problems: &'r mut Vec<Diagnostic>,
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

    /// The steps and the clean-up of a scenario.
    pub(super) fn whole(&mut self, scenario: &Node) -> (Vec<Step>, Vec<Step>) {
        for step in scenario.get("steps").map(Node::items).unwrap_or_default() {
            let names = step.get("capture").map(Node::entries).unwrap_or_default();
            self.known.ever.extend(names.iter().filter_map(|(name, _)| name.text().map(str::to_owned)));
        }
        let steps = self.steps(scenario.get("steps"), false);
        let cleanup = self.steps(scenario.get("cleanup"), true);
        names::literal(self.text, scenario, &self.filled, self.problems);
        (steps, cleanup)
    }

    fn steps(&mut self, node: Option<&Node>, cleanup: bool) -> Vec<Step> {
        let Some(Node { kind: Kind::List(items), .. }) = node else { return Vec::new() };
        let mut steps = Vec::new();
        for item in items {
            let Some(step) = self.step(item, cleanup) else {
                // Keeps positions right for `control:` of later steps; what it would have brought nobody knows.
                let name = item.get("step").and_then(Node::text).unwrap_or("").to_owned();
                self.labels.push(Label { name, does: None });
                self.known.unsure();
                continue;
            };
            if let Some(label) = &step.label
                && self.labels.iter().any(|known| known.name == *label)
            {
                let span = item.get("step").map_or(step.span, |n| n.span);
                let message = format!("two steps are called `{label}`");
                self.problem("duplicate-name", span, message, "`control:` could mean either: rename one");
            }
            let does = Some((step.action.name(), step.action.endpoint()));
            self.labels.push(Label { name: step.label.clone().unwrap_or_default(), does });
            // What is several requests has no such key; the shape says so.
            let several =
                matches!(step.action, Action::Authorize(_) | Action::CallOut(_) | Action::Advance(_));
            if let Some(at) = item.key("together").filter(|_| step.together && !cleanup && !several) {
                self.together(at, steps.last());
            }
            steps.push(step);
        }
        steps
    }

    fn step(&mut self, node: &Node, cleanup: bool) -> Option<Step> {
        let word = node.get("do")?;
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let (times, at_once) = self.times(node);
        let together = node.get("together").and_then(Node::flag).unwrap_or(false);
        if together {
            self.known.beside(true);
        } else {
            self.known.begin();
        }
        let action = self.action(node, word.text()?);
        let Some(action) = action else {
            self.known.beside(false);
            return None;
        };
        let tweak = tweak::Reader {
            text: self.text,
            step: action.name(),
            known: &self.known,
            filled: &mut self.filled,
            problems: self.problems,
        }
        .read(node);
        self.needs_a_value(word, &action, &tweak);
        self.known.beside(false);
        // What the step itself brings, its expectations may speak of.
        self.known.bring(&action);
        // A clean-up has neither; the shape says so.
        let (expect, control, capture) =
            if cleanup { (None, None, Vec::new()) } else { self.judged(node, word, &action, &tweak, times) };
        Some(Step {
            span: word.span,
            label: text_of("step"),
            app: text_of("app"),
            user: text_of("user"),
            client_auth: text_of("client_auth").and_then(|name| ClientAuth::read(&name)),
            times: times.and_then(|times| u32::try_from(times).ok()).unwrap_or(1).max(1),
            at_once,
            together,
            action,
            tweak,
            capture,
            expect,
            control,
        })
    }

    /// Requests go out together with those of a step that is a request of its own.
    fn together(&mut self, at: &Node, before: Option<&Step>) {
        let why = match before.map(|step| &step.action) {
            None => "there is no step before it",
            Some(Action::Authorize(_)) => "a login is several requests, one after the other",
            Some(Action::CallOut(_)) => "a callout is several requests, one after the other",
            Some(Action::Advance(_)) => "the step before it sends nothing",
            Some(_) => return,
        };
        let message = format!("`together` has nothing to be together with: {why}");
        self.problem("misplaced", at.span, message, "put it on a step that follows another request");
    }

    /// What must come of a step, what proves it, and what is kept.
    fn judged(
        &mut self,
        node: &Node,
        word: &Node,
        action: &Action,
        tweak: &Tweak,
        times: Option<i64>,
    ) -> (Option<Expect>, Option<Control>, Vec<Capture>) {
        let expect = node.get("expect").zip(action.endpoint()).map(|(at, endpoint)| {
            expect::Reader {
                text: self.text,
                endpoint,
                step: action.name(),
                known: &self.known,
                filled: &mut self.filled,
                problems: self.problems,
            }
            .read(at)
        });
        if let Some(expect) = &expect {
            self.counts(node, expect, times);
        }
        let control = self.control(node, action);
        self.refusal(node, word, expect.as_ref(), tweak);
        (expect, control, self.captures(node))
    }

    /// How often, none where it is not a number; and whether at once.
    fn times(&mut self, node: &Node) -> (Option<i64>, bool) {
        let times = node.get("times").map_or(Some(1), Node::number);
        let range = 1..=MOST_TIMES;
        if let Some((at, times)) = node.get("times").zip(times).filter(|(_, n)| *n >= 0 && !range.contains(n))
        {
            let help = format!("write a number from 1 to {MOST_TIMES}");
            self.problem("out-of-range", at.span, format!("`times` is {times}"), help);
        }
        let at_once = node.get("at_once").and_then(Node::flag).unwrap_or(false);
        if let Some(at) = node.key("at_once").filter(|_| at_once && times == Some(1)) {
            let message = "a single request is no race";
            self.problem("misplaced", at.span, message, "write `times: 20` beside it");
        }
        (times, at_once)
    }

    /// A step that lacks what it sends would be blamed on the server.
    fn needs_a_value(&mut self, word: &Node, action: &Action, tweak: &Tweak) {
        let tweaked = |name: &str| {
            tweak.edits.iter().any(|edit| match edit {
                Edit::Set(Place::Param, n, _) | Edit::Without(Place::Param, n) => n == name,
                _ => false,
            })
        };
        let (name, what, help) = match action {
            Action::Redeem if !tweaked("code") => ("code", "a code", "put `do: authorize` before it"),
            Action::Refresh if !tweaked("refresh_token") => (
                "refresh_token",
                "a refresh token",
                "put a step before it that gets one, such as `do: redeem`",
            ),
            Action::Introspect(TokenUse { token: None, .. })
            | Action::Revoke(TokenUse { token: None, .. })
            | Action::Userinfo(TokenUse { token: None, .. })
            | Action::Soap(TokenUse { token: None, .. })
            | Action::Call(Call { token: None, anonymous: false, .. }) => (
                "access_token",
                "an access token",
                "put a step before it that gets one, such as `do: jwt-bearer`",
            ),
            // What a user's login brought; every other protocol gets its token by itself.
            Action::CallOut(out)
                if out.credential.protocol == Protocol::Browser && !self.known.has("access_token") =>
            {
                ("code", "a code", "put `do: authorize` before it: the browser flow begins with a login")
            }
            Action::Identity(_) => (
                "identity_url",
                "an identity URL",
                "put a step before it that gets a token: the URL comes with it",
            ),
            _ => return,
        };
        if self.known.comes_beside(name) {
            let message = format!("{what} is brought by a step that goes out together with this one");
            self.problem("no-value", word.span, message, names::NOT_TOGETHER);
        } else if !self.known.has(name) {
            self.problem("no-value", word.span, format!("nothing before this step brings {what}"), help);
        }
    }

    /// Counts that cannot hold, that always hold, or that count nothing.
    fn counts(&mut self, node: &Node, expect: &Expect, times: Option<i64>) {
        let at = |key: &str| node.get("expect").and_then(|e| e.key(key)).map_or(node.span, |n| n.span);
        if node.get("expect").is_some_and(|e| e.get("others").is_some()) && expect.counts.is_empty() {
            let written = ["exactly", "at_most", "at_least"];
            if !written.iter().any(|key| node.get("expect").is_some_and(|e| e.get(key).is_some())) {
                let help = "write `exactly`, `at_most` or `at_least` beside it";
                self.problem("misplaced", at("others"), "`others` without a count says nothing", help);
            }
        }
        let Some(first) = expect.counts.first() else { return };
        let Some(times) = times else { return };
        if times < 2 {
            let message = "a count over a single request says nothing";
            return self.problem("misplaced", first.span, message, "write `times: 20` on the step");
        }
        for CountOf { span, count, .. } in &expect.counts {
            let (says, wrong) = match count {
                Count::AtMost(n) => (
                    format!("`at_most: {n}` holds whatever comes of {times} repetitions"),
                    i64::from(*n) >= times,
                ),
                Count::Exactly(n) | Count::AtLeast(n) => {
                    (format!("{n} are more than the {times} repetitions"), i64::from(*n) > times)
                }
            };
            if wrong {
                self.problem("out-of-range", *span, says, "write a smaller number, or raise `times`");
            }
        }
        let refused = |items: &[expect::Item]| items.iter().any(|item| item.kind.is_refusal());
        // That none is granted says no more than that all are refused.
        let loses = |of: &CountOf| refused(&of.items) != matches!(of.count, Count::Exactly(0));
        let nobody_wins = expect.counts.iter().all(loses)
            && (expect.others.is_empty() || refused(&expect.others))
            && expect.counts.iter().all(|count| !count.items.is_empty());
        if nobody_wins {
            let message = "nothing shows that any of these requests could succeed";
            let help = "say what the others come to, for example `others: { status: 200 }`; where all are refused, expect `refused` without a count";
            self.problem("no-control", first.span, message, help);
        }
    }

    fn captures(&mut self, node: &Node) -> Vec<Capture> {
        let mut captures = Vec::new();
        for (name, from) in node.get("capture").map(Node::entries).unwrap_or_default() {
            let (Some(name_text), Some(source)) = (name.text(), from.text()) else { continue };
            if name_text.contains("${row.") || source.contains("${row.") {
                continue;
            }
            if names::all().any(|(known, _)| known == name_text) {
                let message = format!("`{name_text}` is a name that grantcheck gives a value itself");
                self.problem("duplicate-name", name.span, message, "choose another name");
            } else if !name_text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                let help = "write letters, digits, `_` and `-`";
                self.problem("bad-name", name.span, format!("`{name_text}` cannot be a name"), help);
            }
            self.known.capture(name_text);
            if let Some(from) = self.source(node, from, source) {
                captures.push(Capture { name: name_text.to_owned(), from });
            }
        }
        captures
    }

    fn source(&mut self, node: &Node, from: &Node, source: &str) -> Option<Source> {
        // What grantcheck keeps of the last answer alone is kept for longer under a name of its own.
        if let Some(name) = source.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            check_names(self.text, from.span, source, &self.known, self.problems);
            self.filled.insert(from.span.start);
            if names::of_the_client(name) || self.known.ever.iter().any(|known| known == name) {
                return Some(Source::Name(name.to_owned()));
            }
            if self.known.has(name) {
                let help = "it has the same value in every step: use it where it is needed";
                self.problem("misplaced", from.span, format!("`{source}` need not be kept"), help);
            }
            return None;
        }
        let member = |path: &str| expect::bad_member(path);
        let (source, bad) = match source.split_once('.') {
            _ if source.starts_with('$') => (Source::Body(source.to_owned()), member(source)),
            Some(("body", name)) if !name.is_empty() => (Source::Body(name.to_owned()), member(name)),
            Some(("header", name)) if !name.is_empty() => (Source::Header(name.to_owned()), None),
            Some(("redirect", name)) if !name.is_empty() => (Source::Redirect(name.to_owned()), None),
            _ => {
                let nothing = from.is_null() || source.is_empty();
                let help = match nothing || source.contains('.') {
                    true => {
                        "write `body.MEMBER`, a JSONPath, `header.NAME`, `redirect.PARAMETER` or `${name}`"
                            .to_owned()
                    }
                    false => format!("for a member of the body write `body.{source}`"),
                };
                let message = match nothing {
                    true => "it is not said what is kept under this name".to_owned(),
                    false => format!("`{source}` is no place in an answer"),
                };
                self.problem("bad-capture", from.span, message, help);
                return None;
            }
        };
        if let Some((message, help)) = bad {
            self.problem("bad-path", from.span, message, help);
            return None;
        }
        if matches!(source, Source::Redirect(_)) && node.get("do").and_then(Node::text) != Some("authorize") {
            let message = "no redirect to the client comes of this step";
            let help = "`do: authorize` alone ends in one; for other steps write `header.location`";
            self.problem("misplaced", from.span, message, help);
        }
        Some(source)
    }

    fn control(&mut self, node: &Node, action: &Action) -> Option<Control> {
        let at = node.get("control")?;
        let Some(name) = at.text() else {
            let text_of = |key: &str| at.get(key).and_then(Node::text).map(str::to_owned);
            return Some(Control::Otherwise {
                app: text_of("app"),
                user: text_of("user"),
                client_auth: text_of("client_auth").and_then(|n| ClientAuth::read(&n)),
            });
        };
        if name.is_empty() || name.contains("${row.") {
            return None;
        }
        if let Some(i) = self.labels.iter().position(|label| label.name == name) {
            // Another grant shows that the app works; another endpoint shows nothing.
            if let Some((does, endpoint)) = self.labels[i].does
                && endpoint != action.endpoint()
            {
                let this = action.name();
                let message = format!("the step `{name}` does `{does}`, which proves nothing about `{this}`");
                self.problem("misplaced", at.span, message, "name a step that asks the same endpoint");
            }
            return Some(Control::Step(i));
        }
        if self.scenarios.iter().any(|s| s == name) {
            return Some(Control::Scenario(name.to_owned()));
        }
        let (message, help) = no_such_scenario(name, self.scenarios, self.written);
        if message.contains("several") {
            self.problem("unknown-name", at.span, message, help);
            return None;
        }
        let labels = self.labels.iter().map(|label| label.name.as_str()).filter(|label| !label.is_empty());
        let help = match closest(name, labels.chain(self.scenarios.iter().map(String::as_str))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name an earlier step by its `step:`, or a scenario of this suite".to_owned(),
        };
        let message = format!("`{name}` is neither an earlier step nor a scenario");
        self.problem("unknown-name", at.span, message, help);
        None
    }

    /// A refusal needs a control, and nothing else does.
    fn refusal(&mut self, node: &Node, word: &Node, expect: Option<&Expect>, tweak: &Tweak) {
        let refuses = expect.is_some_and(Expect::is_refusal);
        let control = node.key("control");
        // A refusal that cannot be read is told where it stands.
        let unread =
            ["expect", "control"].iter().filter_map(|key| node.get(key)).any(|n| self.told_within(n));
        if let Some(at) =
            control.filter(|_| !refuses && !unread && expect.is_none_or(|e| e.counts.is_empty()))
        {
            let message = "`control` belongs to a step that must be refused";
            let help = "this step expects no refusal: leave `control` out, or say `refused`";
            self.problem("misplaced", at.span, message, help);
        }
        if let Some(at) = control.filter(|_| expect.is_some_and(|e| !e.counts.is_empty())) {
            let help = "leave it out: among repetitions the one that succeeds is the proof";
            self.problem("misplaced", at.span, "a count needs no control", help);
        }
        let tweaked =
            !tweak.is_none() || ["with", "without", "twice"].iter().any(|key| node.get(key).is_some());
        if refuses && !tweaked && control.is_none() {
            let item = expect.and_then(|e| e.items.iter().find(|item| item.kind.is_refusal()));
            let help = "say with `control:` what must succeed: an earlier step by its `step:` name, a scenario, or `{ app: main }`";
            let message = "nothing shows that this refusal is more than a request that never works";
            self.problem("no-control", item.map_or(word.span, |item| item.span), message, help);
        }
    }

    /// Whether a problem of that node or of something in it was told.
    fn told_within(&self, node: &Node) -> bool {
        let within = |span: &Span| node.span.start <= span.start && span.end <= node.span.end.max(span.start);
        self.problems
            .iter()
            .filter_map(|p| p.at.as_ref())
            .any(|(_, span)| within(span) && span.start < node.span.end.max(node.span.start + 1))
    }

    fn action(&mut self, node: &Node, name: &str) -> Option<Action> {
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let flag = |key: &str| node.get(key).and_then(Node::flag);
        Some(match name {
            "authorize" => Action::Authorize(Authorize {
                scope: node
                    .get("scope")
                    .map(|n| n.items().iter().filter_map(|s| s.text().map(str::to_owned)).collect()),
                pkce: match node.get("pkce").and_then(Node::text) {
                    None => Some(Method::S256),
                    Some(method) => Method::read(method),
                },
                state: self.template(node, "state"),
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
            "introspect" => Action::Introspect(self.token_use(node)),
            "revoke" => Action::Revoke(self.token_use(node)),
            "userinfo" => Action::Userinfo(self.token_use(node)),
            "identity" => Action::Identity(self.token_use(node)),
            "soap" => Action::Soap(self.token_use(node)),
            "discover" => Action::Discover {
                oauth: text_of("document").as_deref() == Some("oauth"),
                below: text_of("below"),
            },
            "keys" => Action::Keys,
            "call" => {
                let anonymous = text_of("token").as_deref() == Some("none");
                Action::Call(Call {
                    token: if anonymous { None } else { self.token(node) },
                    anonymous,
                    method: text_of("method"),
                    path: self.template(node, "path"),
                    json: node.get("json").map(Node::json),
                })
            }
            "call-out" => Action::CallOut(CallOut {
                credential: NamedCredential {
                    protocol: Protocol::read(&text_of("credential")?)?,
                    renew_on: node
                        .get("renew_on")
                        .map(|n| n.items().iter().filter_map(|s| s.text()?.parse().ok()).collect())
                        .unwrap_or_default(),
                },
                kid: text_of("kid"),
                call: Call {
                    token: self.token(node),
                    method: text_of("method"),
                    path: self.template(node, "path"),
                    json: node.get("json").map(Node::json),
                    ..Call::default()
                },
            }),
            "advance" => Action::Advance(node.get("by").and_then(Node::text).and_then(duration)?),
            _ => return None,
        })
    }

    fn token_use(&mut self, node: &Node) -> TokenUse {
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        TokenUse { token: self.token(node), hint: text_of("hint"), method: text_of("method") }
    }

    /// `token: refresh_token` is short for `token: ${refresh_token}`.
    fn token(&mut self, node: &Node) -> Option<Template> {
        let at = node.get("token")?;
        let source = match at.text()? {
            name if TOKENS.contains(&name) => format!("${{{name}}}"),
            source => source.to_owned(),
        };
        if matches!(at.kind, Kind::Scalar { plain: true, .. })
            && !TOKENS.contains(&at.text()?)
            && let Some(near) = closest(at.text()?, TOKENS.iter().copied())
        {
            let message = format!("`{source}` would be sent as the token");
            let help = format!("did you mean `{near}`? A text that is meant so stands in quotes");
            self.problem("unknown-word", at.span, message, help);
        }
        Some(self.filled_in(at, &source))
    }

    fn template(&mut self, node: &Node, key: &str) -> Option<Template> {
        let at = node.get(key)?;
        let source = at.text()?.to_owned();
        Some(self.filled_in(at, &source))
    }

    fn filled_in(&mut self, at: &Node, source: &str) -> Template {
        check_names(self.text, at.span, source, &self.known, self.problems);
        self.filled.insert(at.span.start);
        Template::new(source)
    }
}
