//! Target files: the org under test, its apps and users. Values of `${NAME}` and `${file:PATH}` come in
//! as a look-up, so that nothing here reads the environment or the disk.

mod app;
mod pages;
pub(super) mod shape;

pub(super) use shape::TARGET;

use std::collections::{BTreeMap, BTreeSet};

use super::expand::left_over;
use super::names::{LOGIN_NAMES, unclosed};
use super::outside::{Lookup, covered, found, unset};
use super::parse::{Kind, Node, parse};
use super::resolve::{in_order, known_check, settings};
use super::shape::check;
use crate::client::Template;
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::Secret;
use crate::oauth::salesforce::Profile;
use crate::subject::{ConnectedApp, Endpoints, Target, User, Waiver};

/// Reads a target file.
///
/// # Errors
/// Every problem of the file, a value that cannot be looked up among them. No line that they show has a
/// secret in it.
pub fn read_target(
    text: &Text,
    lookup: &dyn Fn(Lookup<'_>) -> Option<String>,
) -> Result<Target, Vec<Diagnostic>> {
    let read = || {
        let node = parse(text)?;
        let mut reader =
            Reader { text, lookup, problems: Vec::new(), looked_up: BTreeSet::new(), open: BTreeSet::new() };
        check(text, &node, &TARGET, &mut reader.problems);
        left_over(text, &node, &mut reader.problems);
        let target = reader.target(&node);
        if reader.problems.is_empty() { Ok(target) } else { Err(in_order(reader.problems)) }
    };
    read().map_err(|problems| covered(text, problems))
}

struct Reader<'r> {
    text: &'r Text,
    lookup: &'r dyn Fn(Lookup<'_>) -> Option<String>,
    problems: Vec<Diagnostic>,
    /// Values that were looked up.
    looked_up: BTreeSet<String>,
    /// Those among them that everybody may know.
    open: BTreeSet<String>,
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

    /// A text with everything looked up.
    fn value(&mut self, node: Option<&Node>) -> Option<String> {
        self.filled(node, &[])
    }

    /// A text with everything looked up, of which nothing is a secret.
    fn open_value(&mut self, node: Option<&Node>) -> Option<String> {
        let value = self.value(node)?;
        let names = Template::new(node?.text()?);
        let found: Vec<String> = names.names().filter_map(|name| self.found(name)).collect();
        self.open.extend(found);
        Some(value)
    }

    /// What a name stands for outside of this file.
    fn found(&self, name: &str) -> Option<String> {
        found(self.lookup, name)
    }

    /// A text with everything looked up except these names, which stay.
    fn filled(&mut self, node: Option<&Node>, kept: &[&str]) -> Option<String> {
        let node = node?;
        let template = Template::new(node.text()?);
        for name in template.names().filter(|name| !kept.contains(name) && !name.starts_with("row.")) {
            if let Some((code, what, help)) = self.unset(name, kept) {
                self.problem(code, node.span, what, help);
            }
        }
        unclosed(self.text, node.span, node.text()?, &mut self.problems);
        let found: Vec<String> = template
            .names()
            .filter(|name| !kept.contains(name))
            .filter_map(|name| self.found(name))
            .collect();
        self.looked_up.extend(found);
        let fill = |name: &str| match kept.contains(&name) {
            true => Some(format!("${{{name}}}")),
            false => self.found(name),
        };
        template.fill(&fill).ok()
    }

    /// What is wrong with a name that has no value, and the cure.
    fn unset(&self, name: &str, kept: &[&str]) -> Option<(&'static str, String, String)> {
        if name.starts_with("user.") {
            let (message, help) = match closest(name, kept.iter().copied()) {
                Some(near) => {
                    (format!("nothing gives `${{{name}}}` a value"), format!("did you mean `${{{near}}}`?"))
                }
                None if kept.is_empty() => {
                    let message = format!("`${{{name}}}` has a value on login pages only");
                    (message, "write the value itself, or take it from the environment: `${NAME}`".to_owned())
                }
                None => (
                    format!("nothing gives `${{{name}}}` a value"),
                    format!("known names: {}", kept.join(", ")),
                ),
            };
            return Some(("unknown-name", message, help));
        }
        unset(self.lookup, name)
    }

    fn values(&mut self, node: Option<&Node>) -> Vec<String> {
        let items = node.map(Node::items).unwrap_or_default();
        items.iter().filter_map(|item| self.open_value(Some(item))).collect()
    }

    fn target(&mut self, node: &Node) -> Target {
        let org = self.open_value(node.get("org")).filter(|org| org != "embedded");
        let embedded = node.get("org").and_then(Node::text) == Some("embedded");
        if let (Some(org), Some(at)) = (&org, node.get("org")) {
            self.base_url(org, at);
        }
        let base = org.as_deref().map(|org| org.trim_end_matches('/').to_owned());
        let profile = match node.get("profile").and_then(Node::text).and_then(Profile::read) {
            Some(profile) => profile,
            None => Profile::of(base.as_deref()),
        };
        let login = self.login(node.get("login"));
        let deny = node.get("deny").map(|n| self.pages(n));
        let mut apps: BTreeMap<String, ConnectedApp> = BTreeMap::new();
        for (role, written) in entries(node, "apps") {
            let app = self.app(written, profile, &login);
            apps.extend(role.text().map(|role| (role.to_owned(), app)));
        }
        let mut users: BTreeMap<String, User> = BTreeMap::new();
        for (role, written) in entries(node, "users") {
            let user = self.user(written);
            users.extend(role.text().map(|role| (role.to_owned(), user)));
        }
        self.roles(node, &apps, &users);
        self.different(node, &apps, &users);
        self.kind_of_org(node, embedded);
        let waive = node.get("waive").map(Node::items).unwrap_or_default();
        waive
            .iter()
            .filter_map(|w| w.get("check"))
            .for_each(|c| known_check(self.text, c, &mut self.problems));
        let waive = waive
            .iter()
            .filter_map(|w| {
                Some(Waiver {
                    check: w.get("check")?.text()?.to_owned(),
                    because: w.get("because")?.text()?.to_owned(),
                })
            })
            .collect();
        let (endpoints, ca) = (self.endpoints(node, base.as_deref()), self.authority(node));
        Target {
            endpoints,
            profile,
            apps,
            users,
            login,
            deny,
            settings: settings(node.get("settings")),
            ca,
            secrets: self.looked_up.difference(&self.open).map(Secret::new).collect(),
            disposable: node.get("disposable").and_then(Node::flag).unwrap_or(false),
            waive,
            org: base,
        }
    }

    /// A further certificate authority.
    fn authority(&mut self, node: &Node) -> Option<String> {
        let pem = self.open_value(node.get("ca"))?;
        if let Some(at) = node.get("ca").filter(|_| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            let help = "name a file that begins with `-----BEGIN CERTIFICATE-----`: `${file:ca.pem}`";
            let help = beside(at).unwrap_or_else(|| help.to_owned());
            self.problem("unusable-key", at.span, "this is no certificate in PEM form", help);
        }
        Some(pem)
    }

    /// Roles that a policy or a user names must be there.
    fn roles(&mut self, node: &Node, apps: &BTreeMap<String, ConnectedApp>, users: &BTreeMap<String, User>) {
        let missing = |at: &Node, kind: &str, known: Vec<&str>| -> Option<(Span, String, String)> {
            let name = at.text().filter(|name| !name.is_empty())?;
            if known.contains(&name) {
                return None;
            }
            let help = match closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("describe it under `{kind}s:`"),
                None => format!("the {kind}s are: {}", known.join(", ")),
            };
            Some((at.span, format!("no {kind} here has the role `{name}`"), help))
        };
        let mut found = Vec::new();
        for (_, app) in entries(node, "apps") {
            let set_up = app.get("policy").and_then(|policy| policy.get("run_as"));
            for at in app.get("run_as").into_iter().chain(set_up) {
                found.extend(missing(at, "user", users.keys().map(String::as_str).collect()));
            }
        }
        for (_, user) in entries(node, "users") {
            for at in user.get("approved").map(Node::items).unwrap_or_default() {
                found.extend(missing(at, "app", apps.keys().map(String::as_str).collect()));
            }
        }
        let what =
            |login: &Node| ["refresh_token", "access_token"].into_iter().find(|key| login.get(key).is_some());
        if let Some((login, what)) =
            node.get("login").and_then(|login| Some((login, what(login)?.replace('_', " "))))
        {
            let role = |key: &str| login.get(key).and_then(Node::text).unwrap_or("main").to_owned();
            for (kind, named, is_there) in [
                ("app", role("app"), apps.contains_key(&role("app"))),
                ("user", role("user"), users.contains_key(&role("user"))),
            ] {
                if !is_there {
                    let span = login.get(kind).map_or(login.span, |n| n.span);
                    let message = format!("the {what} is for the {kind} `{named}`, which is not described");
                    found.push((
                        span,
                        message,
                        format!("describe it under `{kind}s:`, or name another `{kind}:`"),
                    ));
                }
            }
        }
        for (span, message, help) in found {
            self.problem("unknown-name", span, message, help);
        }
    }

    /// The roles that suites rely on to be somebody else.
    fn different(
        &mut self,
        node: &Node,
        apps: &BTreeMap<String, ConnectedApp>,
        users: &BTreeMap<String, User>,
    ) {
        let at = |kind: &str, role: &str, key: &str| {
            node.get(kind).and_then(|all| all.get(role)).and_then(|one| one.get(key)).map(|n| n.span)
        };
        if let (Some(main), Some(other), Some(span)) =
            (apps.get("main"), apps.get("other"), at("apps", "other", "client_id"))
            && main.client_id == other.client_id
            && !main.client_id.is_empty()
        {
            let message = "the apps `main` and `other` are the same client";
            let help =
                "suites offer `other` what was issued to `main`: register a second app, or leave `other` out";
            self.problem("duplicate-name", span, message, help);
        }
        for role in ["second", "unapproved"] {
            if let (Some(main), Some(other), Some(span)) =
                (users.get("main"), users.get(role), at("users", role, "username"))
                && main.username == other.username
                && !main.username.is_empty()
            {
                let message = format!("the users `main` and `{role}` are the same");
                let help =
                    format!("suites take `{role}` for somebody else: name another user, or leave it out");
                self.problem("duplicate-name", span, message, help);
            }
        }
    }

    /// What the embedded org brings itself, and what it alone has.
    fn kind_of_org(&mut self, node: &Node, embedded: bool) {
        if embedded {
            for (_, app) in entries(node, "apps") {
                if let Some(key) = app.key("settings") {
                    let message = "`settings` of an app says what is known of another org";
                    let help = "say under `policy:` what the embedded org decides by";
                    self.problem("misplaced", key.span, message, help);
                }
            }
            for name in ["endpoints", "api", "ca"] {
                if let Some(key) = node.key(name) {
                    let message = format!("`{name}` does not belong to the embedded org");
                    self.problem(
                        "misplaced",
                        key.span,
                        message,
                        "leave it out: the embedded org brings its own",
                    );
                }
            }
            if let Some(login) = node.get("login").filter(|login| matches!(login.kind, Kind::Map(_))) {
                let message = "the embedded org never issued this token";
                let help = "leave it out: the embedded org has pages that are passed by themselves";
                self.problem("misplaced", login.span, message, help);
            }
            return;
        }
        if node.get("org").and_then(Node::text).is_none() {
            return;
        }
        for (_, app) in entries(node, "apps") {
            if let Some(key) = app.key("policy") {
                let message = "`policy` sets up the embedded org; this org has its own";
                let help =
                    "say under `settings:` what is known of it, for example `settings: { rotation: true }`";
                self.problem("misplaced", key.span, message, help);
            }
        }
    }

    fn endpoints(&mut self, node: &Node, base: Option<&str>) -> Endpoints {
        let given = node.get("endpoints");
        let mut url = |at: Option<&Node>| -> Option<String> {
            // Where a server answers is told to everybody; a key in the query is not.
            let query = at.and_then(Node::text).is_some_and(|text| text.contains('?'));
            let value = if query { self.value(at)? } else { self.open_value(at)? };
            let span = at.map_or(Span::default(), |n| n.span);
            if value.starts_with('/') {
                return Some(format!("{}{value}", base.unwrap_or("")));
            }
            self.web_url(&value, at?.text().unwrap_or(""), span, "neither a URL nor a path");
            Some(value)
        };
        let mut of = |key: &str| url(given.and_then(|g| g.get(key)));
        Endpoints {
            issuer: of("issuer"),
            authorize: of("authorize"),
            token: of("token"),
            introspect: of("introspect"),
            revoke: of("revoke"),
            userinfo: of("userinfo"),
            keys: of("keys"),
            discovery: of("discovery"),
            metadata: of("metadata"),
            api: url(node.get("api")),
        }
    }

    fn base_url(&mut self, value: &str, at: &Node) {
        let written = at.text().unwrap_or("");
        let Some(url) = self.web_url(value, written, at.span, "not the URL of an org") else { return };
        if url.query().is_some() || url.fragment().is_some() {
            let help = "write the base URL alone, for example `https://acme.my.salesforce.com`";
            self.problem("bad-url", at.span, "the URL of the org has a query or a fragment", help);
        }
    }

    /// A URL that can be asked; `written` is what the file says, which may stand for a value that nobody should see.
    fn web_url(&mut self, value: &str, written: &str, span: Span, what: &str) -> Option<url::Url> {
        let url = url::Url::parse(value).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        let Some(url) = url else {
            let help = if what.contains("org") {
                "write `https://HOST`, or `embedded`"
            } else {
                "write `https://HOST/PATH`, or a path that begins with `/`"
            };
            self.problem("bad-url", span, format!("`{written}` is {what}"), help);
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            let help = "write them as client_id and client_secret, or as username and password";
            self.problem("bad-url", span, "this URL has credentials in it", help);
            return None;
        }
        Some(url)
    }

    fn user(&mut self, node: &Node) -> User {
        let flag = |key: &str| node.get(key).and_then(Node::flag).unwrap_or(false);
        User {
            username: self.open_value(node.get("username")).unwrap_or_default(),
            password: self.value(node.get("password")).map(Secret::new),
            approved: self.values(node.get("approved")),
            inactive: flag("inactive"),
            frozen: flag("frozen"),
            ip_restricted: flag("ip_restricted"),
        }
    }
}

/// The cure where the name of a file stands in place of its content.
fn beside(at: &Node) -> Option<String> {
    let name = at.text().filter(|text| text.len() < 100 && !text.contains("${") && text.contains('.'))?;
    Some(format!("did you mean `${{file:{name}}}`?"))
}

fn entries<'n>(node: &'n Node, key: &str) -> &'n [(Node, Node)] {
    node.get(key).map(Node::entries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_up_is_secret_unless_it_is_told_to_everybody() {
        let text = Text::new(
            "t.yaml",
            "org: https://${HOST}
api: /x?key=${API_KEY}
endpoints: { token: \"https://${HOST}/token\" }
apps: { main: { client_id: \"${ID}\", redirect_uri: \"https://${CALLBACK}/cb\", flows: [], extra: { k: \"a ${EXTRA}\" } } }
users: { main: { username: \"${USER}\", password: \"p-${PW}\" } }
login:
  - fill: { u: \"${USER}\", pin: \"${file:pin}\" }
",
        );
        let lookup = |lookup: Lookup<'_>| match lookup {
            Lookup::Variable(name) => Some(format!("{}.example", name.to_lowercase())),
            Lookup::File(name) => Some(format!("{name}-of-file\n")),
        };
        let target = read_target(&text, &lookup).unwrap();
        let secrets: Vec<&str> = target.secrets.iter().map(Secret::expose).collect();
        assert_eq!(secrets, ["api_key.example", "extra.example", "pin-of-file", "pw.example"]);
    }

    #[test]
    fn a_file_loses_its_last_line_break() {
        let text = Text::new(
            "t.yaml",
            "org: embedded\napps: { main: { client_id: a, client_secret: \"${file:s}\", flows: [] } }\n",
        );
        let lookup = |lookup: Lookup<'_>| (lookup == Lookup::File("s")).then(|| "hush\n".to_owned());
        let target = read_target(&text, &lookup).unwrap();
        assert_eq!(target.apps["main"].client_secret.as_ref().unwrap().expose(), "hush");
    }
}
