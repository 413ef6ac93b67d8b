//! Program files: a client program under test, how it is started and what it can do. Names of values that a play gives
//! stay in the texts until it is started; values of `${NAME}` and `${file:PATH}` come in as a look-up.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;

use super::expand::left_over;
use super::names::unclosed;
use super::outside::{Lookup, covered, found, unset};
use super::parse::{Node, parse};
use super::resolve::in_order;
use super::shape::{Either, Form, Key, Never, Record, Shape, check, may, must, one_or_many};
use super::words::flows;
use crate::client::Template;
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::{Secret, duration};
use crate::subject::program::{Trigger, VALUES, WITHIN, variable, verbatim};
use crate::subject::{Flow, Program, Way};
use crate::transcript::questions::is_loopback;

/// The longest that a program may take, in milliseconds.
const LONGEST: i64 = 600_000;

/// The name of a variable of the environment.
const VARIABLE: Form = Form {
    code: "bad-name",
    expected: "the name of a variable",
    help: "write letters, digits and `_`, a digit not first",
    fits: |text| {
        !text.starts_with(|c: char| c.is_ascii_digit())
            && !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    },
    schema: || json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }),
};

/// Where a client listens for being set going: what it is told has secrets in it.
const LOOPBACK: Form = Form {
    code: "wrong-type",
    expected: "a URL of this machine",
    help: "for example `http://127.0.0.1:9000/sync`: what is told has secrets in it, which must not leave the machine",
    // What a play fills in may lead elsewhere: it is looked at once more before it is requested.
    fits: |text| text.starts_with("http://") && is_loopback(text.split("${").next().unwrap_or(text)),
    schema: || json!({ "type": "string", "pattern": "^http://(127\\.[0-9.]+|([a-z0-9-]+\\.)*localhost|\\[::1\\])(:[0-9]*(\\$\\{[^}]*\\})?)?([/?#]|$)" }),
};

/// How long a program may take.
const TIME: Form = Form {
    code: "wrong-type",
    expected: "a duration of more than 0 and at most 10m",
    help: "write a number and a unit: `500ms`, `30s`, `2m`",
    fits: |text| duration(text).is_some_and(|millis| (1..=LONGEST).contains(&millis)),
    schema: || {
        let millis = "([1-9][0-9]{0,4}|[1-5][0-9]{5}|600000)ms";
        json!({ "type": "string", "pattern": format!("^0*({millis}|([1-9][0-9]?|[1-5][0-9]{{2}}|600)s|([1-9]|10)m)$") })
    },
};

/// The whole program file.
pub(super) static PROGRAM: LazyLock<Shape> =
    LazyLock::new(|| Shape::Record(Record { keys: keys(), rules: rules(), ..Record::default() }));

fn keys() -> Vec<Key> {
    let no_command: Never =
        ("the command names no program", "write the program and its arguments: `[python3, fetch.py]`");
    let no_flows: Never =
        ("the program has no flows, so nothing can be played", "name the flows that it can do");
    let command = Either {
        expected: "a list of texts",
        help: "write the program and each of its arguments as one item: `[python3, fetch.py]`".into(),
        list: Some(Shape::List(Box::new(Shape::Text), Some(no_command))),
        ..Either::default()
    };
    let flow = Shape::Words("flow", flows());
    let flows = Either {
        expected: "a flow or a list of flows",
        scalar: Some(flow.clone()),
        list: Some(Shape::List(Box::new(flow), Some(no_flows))),
        ..Either::default()
    };
    vec![
        may(
            "command",
            Shape::Either(Box::new(command)),
            "the program and its arguments; no shell reads them",
        ),
        may("trigger", trigger(), "how a client is set going that runs already, in place of `command`"),
        must("flows", Shape::Either(Box::new(flows)), "flows that it can do"),
        may(
            "env",
            Shape::Map(Some(&VARIABLE), Box::new(Shape::Text), None),
            "variables that it is started with, besides those of grantcheck",
        ),
        may(
            "args",
            one_or_many("an argument or a list of them", Shape::Name),
            "arguments of suites that it knows; a scenario that gives it another one is not testable",
        ),
        may("within", Shape::Form(&TIME), "how long it may take, 10m at most; `30s` where it is not given"),
        may(
            "folder",
            Shape::Name,
            "its working folder, from the folder of this file; that one where it is not given",
        ),
        may(
            "store",
            Shape::Flag,
            "whether it keeps its tokens in the folder `${store}`, which its processes and its starts share",
        ),
        may(
            "network",
            Shape::Flag,
            "whether it may reach every network that the machine does; it is cut off where it is not given",
        ),
        may("tls", Shape::Flag, "whether it reaches the org over TLS, at `https://localhost:PORT`"),
        may(
            "proxy",
            Shape::Flag,
            "whether it reaches the org by the names of Salesforce's hosts, through a proxy and over TLS",
        ),
        may(
            "hosts",
            one_or_many("a host or a list of them", Shape::Name),
            "hosts that the org answers for besides Salesforce's, where there is a proxy; `*.example` for all below one",
        ),
    ]
}

fn trigger() -> Shape {
    let never: Never = ("nothing is said of how", "for example `{ url: \"http://127.0.0.1:9000/sync\" }`");
    Shape::Record(Record {
        keys: vec![
            may("url", Shape::Form(&LOOPBACK), "a URL of this machine, which is requested by POST"),
            may("say", Shape::Text, "what a person is told to do"),
        ],
        rules: vec![json!({ "oneOf": [{ "required": ["url"] }, { "required": ["say"] }] })],
        never: Some(never),
        ..Record::default()
    })
}

/// What more a JSON Schema says; the reader says it in words.
fn rules() -> Vec<Value> {
    let secrets: Vec<_> =
        VALUES.iter().filter(|value| value.secret).map(|value| value.name.replace('.', r"\.")).collect();
    let secret = json!({ "type": "string", "pattern": format!(r"\$\{{({})\}}", secrets.join("|")) });
    let no_nul = json!({ "pattern": r"^[^\x00]*$" });
    vec![
        json!({ "properties": {
            "command": {
                "prefixItems": [{ "allOf": [{ "pattern": r"\S" }, no_nul] }],
                "items": { "not": secret, "allOf": [no_nul] }
            },
            "env": { "additionalProperties": no_nul },
            "folder": no_nul
        } }),
        json!({
            "if": { "required": ["hosts"] },
            "then": { "required": ["proxy"], "properties": { "proxy": { "const": true } } }
        }),
        json!({
            "not": { "required": ["proxy", "tls"], "properties": { "proxy": { "const": true }, "tls": { "const": true } } }
        }),
    ]
}

/// Reads a program file; `path` is where it stands.
///
/// # Errors
/// Every problem of the file, a value that cannot be looked up among them. No line that they show has a
/// secret in it.
pub fn read_program(
    text: &Text,
    path: &Path,
    lookup: &dyn Fn(Lookup<'_>) -> Option<String>,
) -> Result<Program, Vec<Diagnostic>> {
    let read = || {
        let node = parse(text)?;
        let mut reader = Reader { text, secrets: Vec::new(), lookup, problems: Vec::new() };
        check(text, &node, &PROGRAM, &mut reader.problems);
        left_over(text, &node, &mut reader.problems);
        let program = reader.program(&node, path);
        if reader.problems.is_empty() { Ok(program) } else { Err(in_order(reader.problems)) }
    };
    read().map_err(|problems| covered(text, problems))
}

/// Where a text with names stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Command,
    Env,
    Folder,
}

struct Reader<'r> {
    text: &'r Text,
    /// What was looked up for variables of the program.
    secrets: Vec<Secret>,
    lookup: &'r dyn Fn(Lookup<'_>) -> Option<String>,
    problems: Vec<Diagnostic>,
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

    fn program(&mut self, node: &Node, path: &Path) -> Program {
        let words = node.get("command").map(Node::items).unwrap_or_default();
        if let Some(first) = words.first().filter(|first| first.text().is_some_and(|t| t.trim().is_empty())) {
            // The shape tells of a program that is nothing at all.
            if !first.is_null() {
                let help = "write the program first: `[python3, fetch.py]`";
                self.problem("empty", first.span, "the command names no program", help);
            }
        }
        let command = words.iter().filter_map(|word| self.value(word, Place::Command)).collect();
        let trigger = self.trigger(node);
        let env = node.get("env").map(Node::entries).unwrap_or_default();
        let env = env
            .iter()
            .filter_map(|(name, value)| Some((name.text()?.to_owned(), self.value(value, Place::Env)?)))
            .collect();
        let flows = node.get("flows").map(Node::items).unwrap_or_default();
        let within = node.get("within").and_then(Node::text).and_then(duration);
        let own = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = node.get("folder").and_then(|folder| self.value(folder, Place::Folder));
        let is_set = |key: &str| node.get(key).and_then(Node::flag) == Some(true);
        let hosts: Vec<String> = node
            .get("hosts")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|host| Some(host.text()?.to_ascii_lowercase()))
            .collect();
        let way = match (is_set("proxy"), is_set("tls")) {
            (true, false) => Way::Proxy(hosts),
            (false, tls) => {
                if let Some(hosts) = node.get("hosts") {
                    let message = "hosts are answered for by a proxy, and there is none";
                    self.problem(
                        "contradiction",
                        hosts.span,
                        message,
                        "write `proxy: true`, or leave `hosts` out",
                    );
                }
                if tls { Way::Tls } else { Way::Plain }
            }
            (true, true) => {
                let span = node.get("tls").map_or(node.span, |tls| tls.span);
                let message = "what goes through the proxy goes over TLS anyway";
                self.problem("contradiction", span, message, "leave `tls` out");
                Way::Proxy(hosts)
            }
        };
        let named = |key: &str| {
            let names = node.get(key).map(Node::items).unwrap_or_default();
            names.iter().filter_map(|name| Some(name.text()?.to_owned())).collect()
        };
        Program {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            command,
            trigger,
            env,
            flows: flows.iter().filter_map(|flow| Flow::read(flow.text()?)).collect(),
            args: named("args"),
            folder: folder.map_or(own.to_owned(), |folder| own.join(folder)),
            within: within.unwrap_or(WITHIN),
            stores: node.get("store").and_then(Node::text) == Some("true"),
            network: is_set("network"),
            way,
            secrets: std::mem::take(&mut self.secrets),
        }
    }

    /// How it is set going, where it runs already.
    fn trigger(&mut self, node: &Node) -> Option<Trigger> {
        let Some(trigger) = node.get("trigger") else {
            if node.get("command").is_none() {
                let help = "write how it is started: `command: [python3, fetch.py]`";
                self.problem("missing-key", node.span, "a program needs a `command` or a `trigger`", help);
            }
            return None;
        };
        if let Some(command) = node.key("command") {
            let help = "leave one of both out: what runs already is not started";
            self.problem("contradiction", command.span, "there is a `command` beside the `trigger`", help);
        }
        match (trigger.get("url"), trigger.get("say")) {
            (Some(url), None) => self.value(url, Place::Command).map(Trigger::Request),
            (None, Some(say)) => self.value(say, Place::Command).map(Trigger::Person),
            (None, None) => None,
            (Some(_), Some(_)) => {
                let help = "leave one of `url` and `say` out";
                let message = "it is not clear how the client is set going";
                self.problem("contradiction", trigger.span, message, help);
                None
            }
        }
    }

    /// A text with everything looked up; the names of what a play gives stay.
    fn value(&mut self, node: &Node, place: Place) -> Option<String> {
        let template = Template::new(node.text()?);
        for name in template.names().filter(|name| !name.starts_with("row.")) {
            if let Some((code, message, help)) = self.wrong(name, place) {
                self.problem(code, node.span, message, help);
            }
        }
        unclosed(self.text, node.span, node.text()?, &mut self.problems);
        if place == Place::Env {
            let looked_up = template.names().filter(|name| from_outside(name));
            self.secrets.extend(looked_up.filter_map(|name| found(self.lookup, name)).map(Secret::new));
        }
        let fill = |name: &str| match (from_outside(name), place) {
            (true, Place::Folder) => found(self.lookup, name),
            // What stands in a variable or a file is no text with names.
            (true, _) => found(self.lookup, name).map(|value| verbatim(&value)),
            (false, Place::Folder) => (name == "$").then(|| "$".to_owned()),
            (false, _) => Some(format!("${{{name}}}")),
        };
        let filled = template.fill(&fill).ok()?;
        // No system takes a text with such an end in its middle; which program would be to blame is not clear any more then.
        if filled.contains('\0') {
            let message = match node.text()?.contains('\0') {
                true => "a NUL character stands in this text, and no program can be started with it",
                false => {
                    "what comes in here has a NUL character in it, and no program can be started with it"
                }
            };
            let help = "leave it out; what is no text can be handed over as the path of a file";
            self.problem("wrong-type", node.span, message, help);
        }
        Some(filled)
    }

    /// What is wrong with a name, and the cure.
    fn wrong(&self, name: &str, place: Place) -> Option<(&'static str, String, String)> {
        if name == "$" {
            return None;
        }
        if from_outside(name) {
            let (code, message, help) = unset(self.lookup, name)?;
            let meant =
                |known: &str| known.replace('.', "_").eq_ignore_ascii_case(name) || variable(known) == name;
            let meant = VALUES.iter().find(|value| place != Place::Folder && meant(value.name));
            return Some((code, message, meant.map_or(help, |value| mean(value.name))));
        }
        let given = VALUES.iter().find(|value| value.name == name);
        if place == Place::Folder {
            let message = format!("`${{{name}}}` has no value in `folder`");
            let help = "write the folder itself, or take it from the environment: `${NAME}`".to_owned();
            return Some(("unknown-name", message, help));
        }
        if given.is_some_and(|value| value.secret) && place == Place::Command {
            let message =
                format!("`${{{name}}}` does not belong to a command, which everybody here can read");
            let help = format!("put it under `env`, or let the program read `{}`", variable(name));
            return Some(("misplaced", message, help));
        }
        if given.is_some() {
            return None;
        }
        let help = match closest(name, VALUES.iter().map(|value| value.name)) {
            Some(near) => mean(near),
            // What a suite passes under `args` is a word of its own.
            None if is_word(name) => return None,
            None if name.contains('.') => {
                let known: Vec<_> =
                    VALUES.iter().map(|value| value.name).filter(|known| known.contains('.')).collect();
                format!("known names: {}", known.join(", "))
            }
            None => {
                "a variable of the environment is in capital letters, an argument of a suite in small ones"
                    .to_owned()
            }
        };
        Some(("unknown-name", format!("nothing gives `${{{name}}}` a value"), help))
    }
}

fn mean(name: &str) -> String {
    format!("did you mean `${{{name}}}`?")
}

/// Whether a name is that of a file or of a variable: in capital letters.
fn from_outside(name: &str) -> bool {
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with("file:")
        || (name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && name.chars().all(capital))
}

/// Whether a suite can have an argument of that name.
fn is_word(name: &str) -> bool {
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(small)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Result<Program, Vec<Diagnostic>> {
        let lookup = |lookup: Lookup<'_>| match lookup {
            Lookup::Variable("HOME_OF_IT") => Some("/opt/${flow}".to_owned()),
            Lookup::File("key") => Some("hush\n".to_owned()),
            Lookup::File("key.der") => Some("hu\0sh".to_owned()),
            _ => None,
        };
        read_program(&Text::new("clients/fetch.yaml", source), Path::new("clients/fetch.yaml"), &lookup)
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let program = read("command: [python3, fetch.py]\nflows: client-credentials\n").unwrap();
        assert_eq!((program.name.as_str(), program.folder.as_path()), ("fetch", Path::new("clients")));
        assert_eq!((program.within, program.way), (30_000, Way::Plain));
        assert_eq!(program.flows, [Flow::ClientCredentials]);
        let bare = Text::new("fetch.yaml", "command: [x]\nflows: jwt-bearer\n");
        assert_eq!(read_program(&bare, Path::new("fetch.yaml"), &|_| None).unwrap().folder, Path::new("."));
    }

    #[test]
    fn what_is_looked_up_is_never_filled_in_again() {
        let source = "command: [\"${HOME_OF_IT}/run\", \"${flow}\", \"${depth}\", \"a${$}b\"]\nflows: jwt-bearer\n\
                      env: { K: \"${file:key}\" }\nfolder: ../${HOME_OF_IT}\nwithin: 2m\n";
        let program = read(source).unwrap();
        let values = [("flow", "jwt-bearer".to_owned()), ("depth", "3".to_owned())].into_iter().collect();
        let launch = program.launch(&values, Vec::new()).unwrap();
        assert_eq!(launch.command, ["/opt/${flow}/run", "jwt-bearer", "3", "a$b"]);
        assert!(launch.env.contains(&("K".into(), "hush".into())));
        assert_eq!(program.secrets, [Secret::new("hush")]);
        assert_eq!(launch.folder, Path::new("clients/..//opt/${flow}"));
        assert_eq!(launch.within.as_secs(), 120);
    }

    #[test]
    fn a_name_is_a_variable_a_value_or_an_argument() {
        for (name, told) in [
            ("flw", Some("did you mean `${flow}`?")),
            ("FLOW", Some("did you mean `${flow}`?")),
            ("ORG_URL", Some("did you mean `${org.url}`?")),
            ("GRANTCHECK_CALLS", Some("did you mean `${calls}`?")),
            ("org.uri", Some("did you mean `${org.url}`?")),
            ("banana.split", Some("known names: org.url, ")),
            ("Depth", Some("in capital letters")),
            ("file:none", Some("a relative path")),
            ("depth", None),
            ("max-depth", None),
        ] {
            let problems = read(&format!("command: [x, \"${{{name}}}\"]\nflows: jwt-bearer\n")).err();
            let help = problems.map(|problems| problems[0].help.clone().unwrap());
            assert_eq!(help.is_some(), told.is_some(), "{name}: {help:?}");
            assert!(help.unwrap_or_default().contains(told.unwrap_or("")), "{name}");
        }
    }

    #[test]
    fn what_comes_from_a_file_and_is_no_text_is_told_with_its_place() {
        let problems =
            read("command: [x]\nflows: jwt-bearer\nenv: { K: \"${file:key.der}\" }\n").unwrap_err();
        let told: String = problems.iter().map(ToString::to_string).collect();
        assert!(told.contains("clients/fetch.yaml:3:11") && told.contains("NUL"), "{told}");
        assert!(!told.contains("hu\0sh"), "{told}");
    }

    #[test]
    fn a_program_may_take_ten_minutes_and_no_longer() {
        let pattern = (TIME.schema)()["pattern"].as_str().map(|p| regex::Regex::new(p).unwrap()).unwrap();
        for (text, right) in [
            ("1ms", true),
            ("600000ms", true),
            ("600001ms", false),
            ("599999ms", true),
            ("600s", true),
            ("601s", false),
            ("10m", true),
            ("010m", true),
            ("11m", false),
            ("0s", false),
            ("0h", false),
            ("1h", false),
            ("soon", false),
        ] {
            assert_eq!((TIME.fits)(text), right, "{text}");
            assert_eq!(pattern.is_match(text), right, "{text}");
        }
    }
}
