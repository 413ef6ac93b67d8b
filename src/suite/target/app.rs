//! The apps of a target: credentials, keys, flows, policy, and whether they fit each other.

use super::super::parse::Node;
use super::super::resolve::settings;
use super::{Reader, beside};
use crate::diagnostic::Span;
use crate::oauth::keys::{Certificate, PrivateKey, Unusable};
use crate::oauth::salesforce::Profile;
use crate::oauth::{Secret, comes_back, duration};
use crate::subject::{AppPolicy, ClientAuth, ConnectedApp, Flow, Login, RefreshPolicy};

/// How to make a key and its certificate.
const MAKE: &str = "make a pair with `openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 365 -subj /CN=app`";

impl Reader<'_> {
    pub(super) fn app(&mut self, node: &Node, profile: Profile, login: &Login) -> ConnectedApp {
        let (key, certificate) = self.pair(node);
        let client_secret = self.value(node.get("client_secret")).map(Secret::new);
        let flows: Vec<Flow> = node
            .get("flows")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|f| Flow::read(f.text()?))
            .collect();
        let stated = node.get("client_auth").and_then(Node::text).and_then(ClientAuth::read);
        let has_secret = node.get("client_secret").is_some();
        let client_auth = stated.unwrap_or(if has_secret { ClientAuth::Post } else { ClientAuth::None });
        self.flows_fit(node, &flows, client_auth);
        self.refresh_fits(node, &flows, profile);
        let redirect_uris = self.redirect_uris(node, &flows, login);
        let extra = node.get("extra").map(Node::entries).unwrap_or_default();
        let extra =
            extra.iter().filter_map(|(k, v)| Some((k.text()?.to_owned(), self.value(Some(v))?))).collect();
        ConnectedApp {
            client_id: self.open_value(node.get("client_id")).unwrap_or_default(),
            client_secret,
            client_auth,
            key,
            certificate,
            redirect_uris,
            // As OAuth writes them, values may stand in one text with spaces between.
            scopes: self
                .values(node.get("scopes"))
                .iter()
                .flat_map(|s| s.split_whitespace())
                .map(str::to_owned)
                .collect(),
            flows,
            extra,
            policy: {
                let mut policy = policy(node.get("policy"));
                if let Some(role) = node.get("run_as").and_then(Node::text) {
                    policy.run_as = Some(role.to_owned());
                }
                policy
            },
            settings: settings(node.get("settings")),
        }
    }

    /// Key and certificate, which belong together.
    fn pair(&mut self, node: &Node) -> (Option<PrivateKey>, Option<Certificate>) {
        let key = self.value(node.get("key"));
        let key = key.and_then(|pem| self.usable(node.get("key"), "key", PrivateKey::from_pem(&pem)));
        let certificate = self.open_value(node.get("certificate"));
        let certificate = certificate
            .and_then(|text| self.usable(node.get("certificate"), "certificate", Certificate::read(&text)));
        if let (Some(key), Some(certificate), Some(at)) = (&key, &certificate, node.get("certificate"))
            && key.public() != *certificate.key()
        {
            let message = "the certificate does not belong to the key";
            let help =
                "name the certificate that was made with this key, or the key that this certificate is of";
            self.problem("key-mismatch", at.span, message, help);
        }
        (key, certificate)
    }

    fn usable<T>(&mut self, at: Option<&Node>, what: &str, read: Result<T, Unusable>) -> Option<T> {
        match (read, at) {
            (Ok(value), _) => Some(value),
            (Err(why), at) => {
                let span = at.map_or(Span::default(), |n| n.span);
                let help = at.and_then(beside).unwrap_or_else(|| MAKE.to_owned());
                self.problem("unusable-key", span, format!("this {what} cannot be used: {why}"), help);
                None
            }
        }
    }

    /// What the flows need must be there.
    fn flows_fit(&mut self, node: &Node, flows: &[Flow], auth: ClientAuth) {
        let name = |key: &str| node.key(key).or_else(|| node.key("flows")).map_or(node.span, |n| n.span);
        let flow = |flow: Flow| {
            let written = node.get("flows").map(Node::items).unwrap_or_default();
            written.iter().find(|n| n.text() == Some(flow.name())).map_or(node.span, |n| n.span)
        };
        let has = |key: &str| node.get(key).is_some();
        if matches!(auth, ClientAuth::Post | ClientAuth::Basic) && !has("client_secret") {
            let message = format!("client_auth {} needs a client_secret", auth.name());
            let help = "add `client_secret: ${NAME}`, or write `client_auth: none`";
            self.problem("missing-key", name("client_auth"), message, help);
        }
        if auth == ClientAuth::PrivateKeyJwt && !has("key") {
            let message = "client_auth private-key-jwt needs a key";
            self.problem("missing-key", name("client_auth"), message, "add `key: ${file:server.key}`");
        }
        if flows.contains(&Flow::WebServer) && !has("redirect_uri") {
            let message = "the flow web-server needs a redirect_uri";
            let help = "add `redirect_uri:` with a callback URL of the app";
            self.problem("missing-key", flow(Flow::WebServer), message, help);
        }
        for bearer in [Flow::JwtBearer, Flow::SamlBearer] {
            if flows.contains(&bearer) && !has("key") {
                let message = format!("the flow {bearer} needs a key to sign with");
                self.problem("missing-key", flow(bearer), message, "add `key: ${file:server.key}`");
            }
        }
        if flows.contains(&Flow::ClientCredentials) && auth == ClientAuth::None {
            let message = "a client without authentication cannot use the flow client-credentials";
            let help = "add a `client_secret`, or leave the flow out (RFC 6749 §4.4)";
            self.problem("contradiction", flow(Flow::ClientCredentials), message, help);
        }
    }

    /// Salesforce hands out a refresh token for a scope of its own only.
    fn refresh_fits(&mut self, node: &Node, flows: &[Flow], profile: Profile) {
        let Some(at) = node.get("scopes").filter(|_| profile == Profile::Salesforce) else { return };
        let scopes: Vec<&str> =
            at.items().iter().filter_map(Node::text).flat_map(str::split_whitespace).collect();
        let asked =
            scopes.iter().any(|s| matches!(*s, "refresh_token" | "offline_access") || s.contains("${"));
        if flows.contains(&Flow::RefreshToken) && !asked {
            let message = "the flow refresh-token needs the scope refresh_token";
            self.problem("contradiction", at.span, message, "add it to the scopes, or leave the flow out");
        }
    }

    fn redirect_uris(&mut self, node: &Node, flows: &[Flow], login: &Login) -> Vec<String> {
        let written = node.get("redirect_uri").map(Node::items).unwrap_or_default();
        let mut uris = Vec::new();
        for (i, at) in written.iter().enumerate() {
            let Some(uri) = self.open_value(Some(at)) else { continue };
            let shown = at.text().unwrap_or("");
            match url::Url::parse(&uri) {
                Err(_) if at.is_null() => {}
                Err(_) => {
                    let help = "write it as it is registered, for example `https://client.example/callback`";
                    self.problem("bad-url", at.span, format!("`{shown}` is not a callback URL"), help);
                }
                Ok(url) if url.fragment().is_some() => {
                    let help = "leave out what begins with `#` (RFC 6749 §3.1.2)";
                    self.problem("bad-url", at.span, "a callback URL has no fragment", help);
                }
                Ok(_) => {
                    let by_browser = *login == Login::Browser && flows.contains(&Flow::WebServer);
                    if i == 0 && by_browser && !comes_back(&uri) {
                        let message = "with `login: browser` the callback must come back to this machine";
                        let help = "register `http://localhost:1717/callback` and name it first";
                        self.problem("contradiction", at.span, message, help);
                    }
                }
            }
            uris.push(uri);
        }
        uris
    }
}

fn policy(node: Option<&Node>) -> AppPolicy {
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
    policy.disabled = flag("disabled", policy.disabled);
    policy.jwt_access_tokens = flag("jwt_access_tokens", policy.jwt_access_tokens);
    policy.run_as = node.get("run_as").and_then(Node::text).map(str::to_owned);
    if let Some(ttl) = node.get("access_token_ttl").and_then(Node::text).and_then(duration) {
        policy.access_token_ttl = ttl;
    }
    let written = node.get("refresh_policy").and_then(Node::text).unwrap_or("");
    policy.refresh_policy = match written.split_once(' ').unwrap_or((written, "")) {
        ("zero", _) => RefreshPolicy::Zero,
        ("lifetime", time) => duration(time).map_or(policy.refresh_policy, RefreshPolicy::Lifetime),
        ("inactivity", time) => duration(time).map_or(policy.refresh_policy, RefreshPolicy::Inactivity),
        _ => policy.refresh_policy,
    };
    policy
}
