//! A client program under test, and what it is started with. Whoever starts it gives the values; here they are put
//! where the program looks for them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Flow;
use crate::oauth::Secret;

/// How long a program may take where its file does not say, in milliseconds.
pub const WITHIN: i64 = 30_000;

/// What a program is given, besides what a suite passes under `args:`.
pub const VALUES: &[Value] = &[
    value("org.url", "ORG_URL", "base URL of the org that it talks to"),
    value(
        "org.instance",
        "INSTANCE_URL",
        "base URL of the instance that an answer may hand it on to: its access token may go there",
    ),
    value("org.ca", "CA", "PEM file of the certificate authority of the org"),
    value("org.proxy", "PROXY", "URL of the proxy, where there is one"),
    value("app.client_id", "CLIENT_ID", "the consumer key"),
    secret("app.client_secret", "CLIENT_SECRET", "the consumer secret"),
    value("app.key", "KEY", "PEM file of the private key that signs its assertions"),
    value("app.certificate", "CERTIFICATE", "PEM file of the certificate of that key"),
    value("user.username", "USERNAME", "name of the user for whom it acts"),
    secret("user.password", "PASSWORD", "password of that user"),
    value("app.redirect_uri", "REDIRECT_URI", "the callback URL of the app"),
    value("app.scopes", "SCOPES", "the scopes of the app, with blanks between them"),
    secret(
        "login.access_token",
        "ACCESS_TOKEN",
        "the access token of an earlier login, for flow `refresh-token`",
    ),
    secret("login.refresh_token", "REFRESH_TOKEN", "the refresh token of that login"),
    value("flow", "FLOW", "the flow that it is to use, one of its `flows`"),
    value("calls", "CALLS", "how many calls of the API it is to make"),
    value("concurrency", "CONCURRENCY", "how many of them may be in flight at a time"),
    value(
        "store",
        "STORE",
        "folder for the tokens that it keeps, where a scenario starts it several times or several of it",
    ),
];

/// Something that a program is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name in `${...}`.
    pub name: &'static str,
    /// Its variable, without `GRANTCHECK_`.
    short: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Whether it must not stand in a command, which everybody on the machine can read.
    pub secret: bool,
}

const fn value(name: &'static str, short: &'static str, doc: &'static str) -> Value {
    Value { name, short, doc, secret: false }
}

const fn secret(name: &'static str, short: &'static str, doc: &'static str) -> Value {
    Value { name, short, doc, secret: true }
}

/// A client program under test.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    /// The file's stem.
    pub name: String,
    /// The program and its arguments; may hold `${...}`. Empty where it runs already.
    pub command: Vec<String>,
    /// How it is set going, where it runs already.
    pub trigger: Option<Trigger>,
    /// Its variables; may hold `${...}`.
    pub env: Vec<(String, String)>,
    /// What it can do; at least one.
    pub flows: Vec<Flow>,
    /// Arguments of suites that it knows, besides those that `command` and `env` ask for.
    pub args: Vec<String>,
    /// Working folder; the file's own folder unless it says otherwise.
    pub folder: PathBuf,
    /// How long it may take, in milliseconds.
    pub within: i64,
    /// Whether it keeps its tokens in a folder that its processes and its starts share.
    pub stores: bool,
    /// Whether it may reach every network that the machine does.
    pub network: bool,
    /// How it reaches the org.
    pub way: Way,
    /// What was looked up for its variables: it is in no report.
    pub secrets: Vec<Secret>,
}

/// How a client is set going that runs already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// By a POST to this URL, on this machine; may hold `${...}`.
    Request(String),
    /// By a person, who is told this; may hold `${...}`.
    Person(String),
}

impl Trigger {
    /// The URL, or what the person is told.
    pub fn text(&self) -> &str {
        let (Self::Request(text) | Self::Person(text)) = self;
        text
    }
}

/// How a program reaches the org.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// At a URL of this machine.
    #[default]
    Plain,
    /// The same, over TLS, with an authority that is made for the run.
    Tls,
    /// By the names of Salesforce's hosts, and these besides, through a proxy; with that authority.
    Proxy(Vec<String>),
}

/// A program as it is started: nothing is left to be filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What stands in its environment besides the little that every process needs; each name once.
    pub env: Vec<(String, String)>,
    /// Working folder.
    pub folder: PathBuf,
    /// How long it may take.
    pub within: Duration,
}

/// Arguments that a program file asks for and a suite does not give, in order and each once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program asks for {}, which nothing gives a value", listed(.0))]
pub struct Unfilled(pub Vec<String>);

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`${{{name}}}`")).collect::<Vec<_>>().join(", ")
}

impl Program {
    /// A text of it with these values filled in.
    ///
    /// # Errors
    /// Every argument that it asks for and the suite does not give.
    pub fn filled(&self, text: &str, values: &BTreeMap<&str, String>) -> Result<String, Unfilled> {
        let mut unfilled = Vec::new();
        let text = filled(text, values, &self.args, &mut unfilled);
        if unfilled.is_empty() { Ok(text) } else { Err(Unfilled(unfilled)) }
    }

    /// Whether it knows an argument of a suite.
    pub fn takes(&self, argument: &str) -> bool {
        let asked = format!("${{{argument}}}");
        let mut texts = self.command.iter().chain(self.env.iter().map(|(_, text)| text));
        // A request tells all of them.
        let told = matches!(&self.trigger, Some(Trigger::Request(_)));
        let said = self.trigger.as_ref().is_some_and(|trigger| trigger.text().contains(&asked));
        told || said
            || self.args.iter().any(|known| known == argument)
            || texts.any(|text| text.contains(&asked))
    }

    /// It with these values filled in, each in a variable of its own besides, after the variables that `before` brings.
    /// One of [`VALUES`] that is not given is empty in a text and has no variable. A variable that the program file names
    /// itself is as the file says.
    ///
    /// # Errors
    /// Every argument that `command` and `env` ask for, `args` does not list, and the suite does not give.
    pub fn launch(
        &self,
        values: &BTreeMap<&str, String>,
        before: Vec<(String, String)>,
    ) -> Result<Launch, Unfilled> {
        let mut unfilled = Vec::new();
        let mut fill = |text: &String| filled(text, values, &self.args, &mut unfilled);
        let command = self.command.iter().map(&mut fill).collect();
        let own: Vec<_> = self.env.iter().map(|(name, text)| (name.clone(), fill(text))).collect();
        unfilled.sort();
        unfilled.dedup();
        if !unfilled.is_empty() {
            return Err(Unfilled(unfilled));
        }
        let given = values.iter().map(|(name, value)| (variable(name), value.clone()));
        let mut env: Vec<(String, String)> = Vec::new();
        for (name, value) in before.into_iter().chain(given).chain(own) {
            env.retain(|(known, _)| *known != name);
            env.push((name, value));
        }
        let within = Duration::from_millis(self.within.try_into().unwrap_or(0));
        Ok(Launch { command, env, folder: self.folder.clone(), within })
    }
}

/// The variable in which a program finds a value: `GRANTCHECK_ORG_URL` of `org.url`, `GRANTCHECK_ARG_DEPTH` of `depth`.
pub fn variable(name: &str) -> String {
    match VALUES.iter().find(|value| value.name == name) {
        Some(value) => format!("GRANTCHECK_{}", value.short),
        None => {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            format!("GRANTCHECK_ARG_{}", name.chars().map(plain).collect::<String>())
        }
    }
}

/// A text that `launch` leaves as it is, whatever stands in it: each `$` becomes `${$}`.
pub fn verbatim(text: &str) -> String {
    text.replace('$', "${$}")
}

/// A text with its names replaced. `${` without `}` stays as it is, `${$}` is a dollar sign.
fn filled(
    text: &str,
    values: &BTreeMap<&str, String>,
    args: &[String],
    unfilled: &mut Vec<String>,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = rest
        .split_once("${")
        .and_then(|(before, tail)| tail.split_once('}').map(|(name, after)| (before, name, after)))
    {
        out.push_str(before);
        match values.get(name) {
            _ if name == "$" => out.push('$'),
            Some(value) => out.push_str(value),
            // A public client has no secret, a client of one flow no key: one command serves all of them.
            None if VALUES.iter().any(|value| value.name == name) => {}
            None if args.iter().any(|known| known == name) => {}
            None => unfilled.push(name.to_owned()),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Variables by name alone: what stands in them may be a secret.
fn names(env: &[(String, String)]) -> Vec<&str> {
    env.iter().map(|(name, _)| name.as_str()).collect()
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .field("command", &self.command)
            .field("trigger", &self.trigger)
            .field("env", &names(&self.env))
            .field("flows", &self.flows)
            .field("args", &self.args)
            .field("folder", &self.folder)
            .field("within", &self.within)
            .field("stores", &self.stores)
            .field("network", &self.network)
            .field("way", &self.way)
            .finish()
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("command", &self.command)
            .field("env", &names(&self.env))
            .field("folder", &self.folder)
            .field("within", &self.within)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(command: &[&str], env: &[(&str, &str)]) -> Program {
        Program {
            name: "fetch".into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            env: env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
            trigger: None,
            flows: vec![Flow::JwtBearer],
            args: Vec::new(),
            folder: PathBuf::from("clients"),
            within: WITHIN,
            stores: false,
            network: false,
            way: Way::Plain,
            secrets: Vec::new(),
        }
    }

    fn values(given: &[(&'static str, &str)]) -> BTreeMap<&'static str, String> {
        given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    #[test]
    fn names_are_filled_in_and_every_value_has_its_variable() {
        let program = program(&["fetch", "--flow=${flow}", "${depth}"], &[("ORG", "${org.url}/x")]);
        let given = [("flow", "jwt-bearer"), ("org.url", "http://127.0.0.1:1"), ("depth", "3")];
        let launch = program.launch(&values(&given), Vec::new()).unwrap();
        assert_eq!(launch.command, ["fetch", "--flow=jwt-bearer", "3"]);
        let env: BTreeMap<_, _> = launch.env.into_iter().collect();
        assert_eq!(env["ORG"], "http://127.0.0.1:1/x");
        assert_eq!(env["GRANTCHECK_ORG_URL"], "http://127.0.0.1:1");
        assert_eq!(env["GRANTCHECK_FLOW"], "jwt-bearer");
        assert_eq!(env["GRANTCHECK_ARG_DEPTH"], "3");
        assert_eq!((env.len(), launch.within), (4, Duration::from_secs(30)));
    }

    #[test]
    fn what_is_not_given_is_empty_and_an_argument_must_be_given() {
        let program = program(&["fetch", "${width}", "--key=${app.key}"], &[("DEPTH", "${depth} ${width}")]);
        let launch = program.launch(&values(&[("width", "1"), ("depth", "2")]), Vec::new()).unwrap();
        assert_eq!(launch.command[2], "--key=");
        assert!(launch.env.iter().all(|(name, _)| name != "GRANTCHECK_KEY"));
        let why = program.launch(&values(&[]), Vec::new()).unwrap_err();
        assert_eq!(why, Unfilled(vec!["depth".into(), "width".into()]));
        assert_eq!(
            why.to_string(),
            "the program asks for `${depth}`, `${width}`, which nothing gives a value"
        );
    }

    #[test]
    fn what_the_file_says_of_a_variable_holds() {
        let program = program(&["fetch"], &[("GRANTCHECK_FLOW", "mine"), ("A", "1")]);
        let env = program.launch(&values(&[("flow", "jwt-bearer")]), Vec::new()).unwrap().env;
        assert_eq!(env, [("GRANTCHECK_FLOW".into(), "mine".into()), ("A".into(), "1".into())]);
    }

    #[test]
    fn a_value_is_never_filled_in_again() {
        for odd in ["a${flow}b", "$", "$${flow}", "${", "}${$}"] {
            let program = program(&["x", &format!("{}${{flow}}", verbatim(odd))], &[]);
            let launch = program.launch(&values(&[("flow", "${calls}")]), Vec::new()).unwrap();
            assert_eq!(launch.command[1], format!("{odd}${{calls}}"));
        }
    }

    #[test]
    fn a_variable_is_named_by_its_value() {
        assert_eq!(variable("app.client_secret"), "GRANTCHECK_CLIENT_SECRET");
        assert_eq!(variable("user.username"), "GRANTCHECK_USERNAME");
        assert_eq!(variable("max-depth"), "GRANTCHECK_ARG_MAX_DEPTH");
    }

    #[test]
    fn debug_shows_no_value_of_a_variable() {
        let program = program(&["fetch"], &[("API_KEY", "hunter2")]);
        assert!(
            !format!("{program:?}{:?}", program.launch(&values(&[]), Vec::new()).unwrap())
                .contains("hunter2")
        );
    }
}
