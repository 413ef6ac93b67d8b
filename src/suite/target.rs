//! Target files: the org under test, its apps and users. Values of `${NAME}` and `${file:PATH}` come in
//! as a look-up, so that nothing here reads the environment or the disk.

use std::collections::BTreeMap;

use super::names::LOGIN_NAMES;
use super::parse::{Kind, Node, parse};
use super::resolve::settings;
use super::shape::{Key, Shape, check, may, must};
use super::words::{SETTINGS_SHAPE, WAIVER};
use crate::client::Template;
use crate::diagnostic::{Diagnostic, Span, Text, closest};
use crate::oauth::keys::{Certificate, PrivateKey};
use crate::oauth::salesforce::Profile;
use crate::oauth::{Secret, duration};
use crate::subject::{
    AppPolicy, ClientAuth, ConnectedApp, Endpoints, Flow, Login, Page, RefreshPolicy, Target, User, Waiver,
};

/// A value that a target takes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'l> {
    /// A variable of the environment.
    Variable(&'l str),
    /// The content of a file; a relative path starts from the target's folder.
    File(&'l str),
}

const POLICY: &[Key] = &[
    may("access_token_ttl", Shape::Duration, "session timeout; slides with use"),
    may("admin_approved", Shape::Flag, "only pre-authorized users may use the app"),
    may("blocked", Shape::Flag, "an admin blocked the app"),
    may("installed", Shape::Flag, "the app is installed in the org"),
    may("introspect_all", Shape::Flag, "the app may introspect tokens of other apps"),
    may("ip_relaxed", Shape::Flag, "IP ranges are not enforced"),
    may("jwt_access_tokens", Shape::Flag, "access tokens are JWTs"),
    may("pkce_required", Shape::Flag, "an authorization request must carry a challenge"),
    may("refresh_policy", Shape::Text, "infinite, zero, `lifetime 30d` or `inactivity 30d`"),
    may("rotation", Shape::Flag, "each refresh hands out a new refresh token"),
    may("run_as", Shape::Text, "role of the user whom client credentials act for"),
    may("secret_for_refresh", Shape::Flag, "a refresh needs client authentication"),
    may("secret_optional", Shape::Flag, "redeeming a code needs no secret"),
];

const APP: Shape = Shape::Record(&[
    must("client_id", Shape::Text, "the consumer key"),
    may("client_secret", Shape::Text, "the consumer secret"),
    may(
        "client_auth",
        Shape::Words("client authentication", || ClientAuth::ALL.map(ClientAuth::name).to_vec()),
        "how it authenticates: post, basic, none, private-key-jwt",
    ),
    may("key", Shape::Text, "PEM of the private key that signs its assertions, usually `${file:server.key}`"),
    may("certificate", Shape::Text, "PEM of its certificate, usually `${file:server.crt}`"),
    may("redirect_uri", Shape::OneOrMany(&Shape::Text), "callback URLs; the first is used"),
    may("scopes", Shape::OneOrMany(&Shape::Text), "scope values that it may be granted"),
    must(
        "flows",
        Shape::OneOrMany(&Shape::Words("flow", || Flow::ALL.map(Flow::name).to_vec())),
        "flows that must work; every other must be refused",
    ),
    may("extra", Shape::Map(&Shape::Text), "parameters that this server wants in every token request"),
    may("policy", Shape::Record(POLICY), "what the embedded org decides by"),
]);

const USER: Shape = Shape::Record(&[
    must("username", Shape::Text, "login name"),
    may("password", Shape::Text, "login password"),
    may(
        "approved",
        Shape::OneOrMany(&Shape::Text),
        "roles of the apps that the user approved (embedded org)",
    ),
    may("inactive", Shape::Flag, "an admin deactivated the user (embedded org)"),
    may("frozen", Shape::Flag, "an admin froze the user (embedded org)"),
    may("ip_restricted", Shape::Flag, "login from here is outside of the allowed ranges (embedded org)"),
]);

const PAGE: Shape = Shape::Record(&[
    may(
        "fill",
        Shape::Map(&Shape::Text),
        "values for the fields of the form, by name; hidden fields are carried along",
    ),
    may("form", Shape::Text, "CSS selector of the form, where the page has several"),
    may("link", Shape::Text, "CSS selector of a link to follow instead"),
    may("json", Shape::Words("method", || vec!["POST", "PUT"]), "send the fields as JSON with this method"),
]);

/// The whole target file.
pub(super) const TARGET: Shape = Shape::Record(&[
    must("org", Shape::Text, "base URL of the org, or `embedded`"),
    may("profile", Shape::Words("profile", || vec!["rfc", "salesforce"]), "how it speaks: rfc or salesforce"),
    may("ca", Shape::Text, "PEM of a further certificate authority, usually `${file:ca.pem}`"),
    may(
        "endpoints",
        Shape::Record(&[
            may("issuer", Shape::Text, "the issuer identifier"),
            may("authorize", Shape::Text, "authorization endpoint"),
            may("token", Shape::Text, "token endpoint"),
            may("introspect", Shape::Text, "introspection endpoint"),
            may("revoke", Shape::Text, "revocation endpoint"),
            may("userinfo", Shape::Text, "userinfo endpoint"),
            may("keys", Shape::Text, "JSON Web Key Set"),
            may("discovery", Shape::Text, "OpenID Connect discovery document"),
            may("metadata", Shape::Text, "RFC 8414 document"),
        ]),
        "endpoints that are not discovered: URL or path",
    ),
    must("apps", Shape::Map(&APP), "connected apps by role: main, other, public, ..."),
    may("users", Shape::Map(&USER), "users by role: main, second, unapproved, ..."),
    may(
        "login",
        Shape::Short(&Shape::Words("login", || vec!["browser", "none"]), &[]),
        "how the pages are passed: a list of pages, `browser`, or `none`",
    ),
    may("deny", Shape::List(&PAGE), "how a user says no: the pages from the first on"),
    may("settings", SETTINGS_SHAPE, "what is known of the server"),
    may("api", Shape::Text, "URL or path of a protected resource"),
    may("disposable", Shape::Flag, "whether the org may be changed and spoiled"),
    may("waive", Shape::List(&WAIVER), "checks that it is let off, each with the reason"),
]);

/// Reads a target file.
///
/// # Errors
/// Every problem of the file, a value that cannot be looked up among them.
pub fn read_target(
    text: &Text,
    lookup: &dyn Fn(Lookup<'_>) -> Option<String>,
) -> Result<Target, Vec<Diagnostic>> {
    let node = parse(text)?;
    let mut problems = Vec::new();
    // `login` is a word or a list of pages, which no other place of the language is.
    let mut shaped = node.clone();
    if let Kind::Map(entries) = &mut shaped.kind {
        entries.retain(|(key, value)| {
            let pages = key.text() == Some("login") && matches!(value.kind, Kind::List(_));
            if pages {
                check(text, value, &Shape::List(&PAGE), &mut problems);
            }
            !pages
        });
    }
    check(text, &shaped, &TARGET, &mut problems);
    let mut reader = Reader { text, lookup, problems };
    let target = reader.target(&node);
    let mut problems = reader.problems;
    if problems.is_empty() {
        return Ok(target);
    }
    problems.sort_by_key(|p| p.at.as_ref().map(|(_, span)| span.start));
    Err(problems)
}

struct Reader<'r> {
    text: &'r Text,
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

    /// A text with everything looked up, except names that the login pages use.
    fn value(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        let source = node.text()?;
        let template = Template::new(source);
        for name in template.names() {
            if LOGIN_NAMES.contains(&name) {
                continue;
            }
            let (lookup, what) = match name.strip_prefix("file:") {
                Some(path) => (Lookup::File(path), format!("the file `{path}` cannot be read")),
                None => {
                    (Lookup::Variable(name), format!("the variable `{name}` is not set in the environment"))
                }
            };
            if (self.lookup)(lookup).is_none() {
                let help = match lookup {
                    Lookup::File(_) => "a relative path starts from the folder of this file",
                    Lookup::Variable(_) => "set it before the run; the value itself need not stand in a file",
                };
                self.problems.push(Diagnostic::at("unset", self.text, node.span, what).help(help));
            }
        }
        let fill = |name: &str| match name.strip_prefix("file:") {
            _ if LOGIN_NAMES.contains(&name) => Some(format!("${{{name}}}")),
            Some(path) => (self.lookup)(Lookup::File(path)),
            None => (self.lookup)(Lookup::Variable(name)),
        };
        template.fill(&fill).ok()
    }

    fn values(&mut self, node: Option<&Node>) -> Vec<String> {
        node.map(Node::items).unwrap_or_default().iter().filter_map(|item| self.value(Some(item))).collect()
    }

    fn target(&mut self, node: &Node) -> Target {
        let org = self.value(node.get("org")).filter(|org| org != "embedded");
        if let (Some(org), Some(at)) = (&org, node.get("org")) {
            self.url(org, at.span, "the org");
        }
        let base = org.as_deref().map(|org| org.trim_end_matches('/').to_owned());
        let profile = match node.get("profile").and_then(Node::text).and_then(Profile::read) {
            Some(profile) => profile,
            None => default_profile(base.as_deref()),
        };
        let login = self.login(node.get("login"));
        let deny = node.get("deny").map(|n| self.pages(n));
        let apps: BTreeMap<_, _> = node
            .get("apps")
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|(role, app)| Some((role.text()?.to_owned(), self.app(app))))
            .collect();
        let users: BTreeMap<_, _> = node
            .get("users")
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|(role, user)| Some((role.text()?.to_owned(), self.user(user, &apps))))
            .collect();
        self.roles(node, &apps, &users);
        let settings = settings(self.text, node.get("settings"), &mut self.problems);
        let waive = node.get("waive").map(Node::items).unwrap_or_default();
        let waive = waive
            .iter()
            .filter_map(|w| {
                Some(Waiver {
                    check: w.get("check")?.text()?.to_owned(),
                    because: w.get("because")?.text()?.to_owned(),
                })
            })
            .collect();
        Target {
            endpoints: self.endpoints(node, base.as_deref()),
            profile,
            apps,
            users,
            login,
            deny,
            settings,
            ca: self.value(node.get("ca")),
            disposable: node.get("disposable").and_then(Node::flag).unwrap_or(false),
            waive,
            org: base,
        }
    }

    /// Roles that a policy or a user names must be there.
    fn roles(&mut self, node: &Node, apps: &BTreeMap<String, ConnectedApp>, users: &BTreeMap<String, User>) {
        let missing = |at: &Node, known: Vec<&str>| -> Option<(Span, String, String)> {
            let name = at.text()?;
            if known.contains(&name) {
                return None;
            }
            let help = match closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known roles: {}", known.join(", ")),
            };
            Some((at.span, format!("nobody here has the role `{name}`"), help))
        };
        let mut found = Vec::new();
        for (_, app) in node.get("apps").map(Node::entries).unwrap_or_default() {
            let run_as = app.get("policy").and_then(|policy| policy.get("run_as"));
            found.extend(run_as.and_then(|at| missing(at, users.keys().map(String::as_str).collect())));
        }
        for (_, user) in node.get("users").map(Node::entries).unwrap_or_default() {
            for at in user.get("approved").map(Node::items).unwrap_or_default() {
                found.extend(missing(at, apps.keys().map(String::as_str).collect()));
            }
        }
        for (span, message, help) in found {
            self.problem("unknown-name", span, message, help);
        }
    }

    fn endpoints(&mut self, node: &Node, base: Option<&str>) -> Endpoints {
        let given = node.get("endpoints");
        let mut url = |at: Option<&Node>| -> Option<String> {
            let value = self.value(at)?;
            Some(match (value.starts_with('/'), base) {
                (true, Some(base)) => format!("{base}{value}"),
                _ => value,
            })
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

    fn url(&mut self, value: &str, span: Span, what: &str) {
        match url::Url::parse(value) {
            Ok(url) if matches!(url.scheme(), "https" | "http") => {
                if !url.username().is_empty() || url.password().is_some() {
                    self.problem(
                        "bad-url",
                        span,
                        format!("{what} has credentials in its URL"),
                        "write them as client_id and client_secret, or as username and password",
                    );
                }
            }
            _ => self.problem(
                "bad-url",
                span,
                format!("`{value}` is not the URL of {what}"),
                "write `https://HOST`, or `embedded`",
            ),
        }
    }

    fn app(&mut self, node: &Node) -> ConnectedApp {
        let key = self.value(node.get("key"));
        let key = key.and_then(|pem| self.read(node.get("key"), "key", PrivateKey::from_pem(&pem)));
        let certificate = self.value(node.get("certificate"));
        let certificate = certificate
            .and_then(|text| self.read(node.get("certificate"), "certificate", Certificate::read(&text)));
        if let (Some(key), Some(certificate), Some(at)) = (&key, &certificate, node.get("certificate"))
            && key.public() != *certificate.key()
        {
            self.problem(
                "key-mismatch",
                at.span,
                "the certificate does not belong to the key",
                "upload the certificate that was made with this key, or sign with the key that belongs to it",
            );
        }
        let client_secret = self.value(node.get("client_secret")).map(Secret::new);
        let flows: Vec<Flow> = node
            .get("flows")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|f| Flow::read(f.text()?))
            .collect();
        let stated = node.get("client_auth").and_then(Node::text).and_then(ClientAuth::read);
        let client_auth =
            stated.unwrap_or(if client_secret.is_some() { ClientAuth::Post } else { ClientAuth::None });
        self.app_makes_sense(node, &flows, client_auth, client_secret.is_some(), key.is_some());
        let extra = node.get("extra").map(Node::entries).unwrap_or_default();
        let extra =
            extra.iter().filter_map(|(k, v)| Some((k.text()?.to_owned(), self.value(Some(v))?))).collect();
        ConnectedApp {
            client_id: self.value(node.get("client_id")).unwrap_or_default(),
            client_secret,
            client_auth,
            key,
            certificate,
            redirect_uris: self.values(node.get("redirect_uri")),
            scopes: self.values(node.get("scopes")),
            flows,
            extra,
            policy: self.policy(node.get("policy")),
        }
    }

    fn app_makes_sense(&mut self, node: &Node, flows: &[Flow], auth: ClientAuth, secret: bool, key: bool) {
        let place = |name: &str| node.key(name).or_else(|| node.key("flows")).map_or(node.span, |n| n.span);
        if matches!(auth, ClientAuth::Post | ClientAuth::Basic)
            && !secret
            && node.get("client_secret").is_none()
        {
            self.problem(
                "missing-key",
                place("client_auth"),
                format!("client_auth {} needs a client_secret", auth.name()),
                "add `client_secret: ${NAME}`, or write `client_auth: none`",
            );
        }
        if auth == ClientAuth::PrivateKeyJwt && !key && node.get("key").is_none() {
            self.problem(
                "missing-key",
                place("client_auth"),
                "client_auth private-key-jwt needs a key",
                "add `key: ${file:server.key}`",
            );
        }
        if flows.contains(&Flow::WebServer) && node.get("redirect_uri").is_none() {
            self.problem(
                "missing-key",
                place("flows"),
                "the web server flow needs a redirect_uri",
                "add `redirect_uri:` with a callback URL of the app",
            );
        }
        for flow in [Flow::JwtBearer, Flow::SamlBearer] {
            if flows.contains(&flow) && !key && node.get("key").is_none() {
                self.problem(
                    "missing-key",
                    place("flows"),
                    format!("the flow {flow} needs a key to sign with"),
                    "add `key: ${file:server.key}`",
                );
            }
        }
        if flows.contains(&Flow::ClientCredentials) && auth == ClientAuth::None {
            self.problem(
                "contradiction",
                place("flows"),
                "a client without authentication cannot use client-credentials",
                "add a `client_secret`, or leave the flow out (RFC 6749 §4.4)",
            );
        }
    }

    fn read<T>(
        &mut self,
        at: Option<&Node>,
        what: &str,
        read: Result<T, crate::oauth::keys::Unusable>,
    ) -> Option<T> {
        match (read, at) {
            (Ok(value), _) => Some(value),
            (Err(why), Some(at)) => {
                self.problem("unusable-key", at.span, format!("this {what} cannot be used: {why}"), "make a pair with `openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 365 -subj /CN=app`");
                None
            }
            _ => None,
        }
    }

    fn policy(&mut self, node: Option<&Node>) -> AppPolicy {
        let mut policy = AppPolicy::default();
        let Some(node) = node else { return policy };
        let flag = |key: &str, default: bool| node.get(key).and_then(Node::flag).unwrap_or(default);
        policy.pkce_required = flag("pkce_required", policy.pkce_required);
        policy.secret_optional = flag("secret_optional", policy.secret_optional);
        policy.secret_for_refresh = flag("secret_for_refresh", policy.secret_for_refresh);
        policy.admin_approved = flag("admin_approved", policy.admin_approved);
        policy.ip_relaxed = flag("ip_relaxed", policy.ip_relaxed);
        policy.rotation = flag("rotation", policy.rotation);
        policy.introspect_all = flag("introspect_all", policy.introspect_all);
        policy.installed = flag("installed", policy.installed);
        policy.blocked = flag("blocked", policy.blocked);
        policy.jwt_access_tokens = flag("jwt_access_tokens", policy.jwt_access_tokens);
        policy.run_as = node.get("run_as").and_then(Node::text).map(str::to_owned);
        if let Some(ttl) = node.get("access_token_ttl").and_then(Node::text).and_then(duration) {
            policy.access_token_ttl = ttl;
        }
        if let Some(at) = node.get("refresh_policy") {
            let words: Vec<&str> = at.text().unwrap_or("").split(' ').collect();
            let read = match words[..] {
                ["infinite"] => Some(RefreshPolicy::Infinite),
                ["zero"] => Some(RefreshPolicy::Zero),
                ["lifetime", time] => duration(time).map(RefreshPolicy::Lifetime),
                ["inactivity", time] => duration(time).map(RefreshPolicy::Inactivity),
                _ => None,
            };
            match read {
                Some(read) => policy.refresh_policy = read,
                None => self.problem(
                    "wrong-type",
                    at.span,
                    format!("`{}` is no refresh token policy", words.join(" ")),
                    "write `infinite`, `zero`, `lifetime 30d` or `inactivity 30d`",
                ),
            }
        }
        policy
    }

    fn user(&mut self, node: &Node, _apps: &BTreeMap<String, ConnectedApp>) -> User {
        let flag = |key: &str| node.get(key).and_then(Node::flag).unwrap_or(false);
        User {
            username: self.value(node.get("username")).unwrap_or_default(),
            password: self.value(node.get("password")).map(Secret::new),
            approved: self.values(node.get("approved")),
            inactive: flag("inactive"),
            frozen: flag("frozen"),
            ip_restricted: flag("ip_restricted"),
        }
    }

    fn login(&mut self, node: Option<&Node>) -> Login {
        match node {
            Some(Node { kind: Kind::List(_), .. }) => {
                Login::Pages(node.map(|n| self.pages(n)).unwrap_or_default())
            }
            Some(node) if node.text() == Some("browser") => Login::Browser,
            _ => Login::None,
        }
    }

    fn pages(&mut self, node: &Node) -> Vec<Page> {
        node.items()
            .iter()
            .map(|page| Page {
                fill: page
                    .get("fill")
                    .map(Node::entries)
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|(name, value)| Some((name.text()?.to_owned(), self.value(Some(value))?)))
                    .collect(),
                form: page.get("form").and_then(Node::text).map(str::to_owned),
                link: page.get("link").and_then(Node::text).map(str::to_owned),
                json: page.get("json").and_then(Node::text).map(str::to_owned),
            })
            .collect()
    }
}

/// A URL speaks as the RFCs say, unless it is Salesforce's.
pub fn default_profile(org: Option<&str>) -> Profile {
    let salesforce = |host: &str| {
        ["salesforce.com", "force.com", "salesforce.mil", "sfcrmproducts.cn", "my.site.com"]
            .iter()
            .any(|domain| host == *domain || host.ends_with(&format!(".{domain}")))
    };
    match org.map(|org| url::Url::parse(org).ok().and_then(|url| url.host_str().map(str::to_owned))) {
        None => Profile::Salesforce,
        Some(Some(host)) if salesforce(&host) => Profile::Salesforce,
        Some(_) => Profile::Rfc,
    }
}
