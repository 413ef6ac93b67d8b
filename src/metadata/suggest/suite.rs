//! The suite of one app.

use std::fmt::Write as _;

use super::{Named, list, text, time};
use crate::subject::{ClientAuth, Flow, RefreshPolicy};

/// A hundred years in milliseconds: no clock of a test goes on for longer.
const CENTURY: i64 = 100 * 366 * 86_400_000;

/// How far from the end of a lifetime a test of it stays at least: more than clocks are apart, and less than the unit in
/// which lifetimes are set.
const MARGIN: i64 = 5 * 60_000;

/// A callback that nobody registers.
const STRANGE: &str = "https://not-registered.example/callback";

/// The suite that fits an app, and how many scenarios it has.
pub fn suite(named: &Named<'_>) -> (String, usize) {
    let mut writer = Writer { named, out: String::new(), count: 0 };
    let role = &named.role;
    let _ = write!(
        writer.out,
        "# What {} must do, and what it must refuse, as its metadata has it. The embedded org as the app will be:\n\
         #   grantcheck run THIS --app METADATA\n\
         # The org that it is deployed to (scenarios that log in or revoke want `--allow destructive`):\n\
         #   grantcheck run THIS --target target.yaml\n\
         suite: {}\njudges: org\n",
        named.app.name.replace(['\n', '\r'], " "),
        text(&format!("app {}", named.app.name)),
    );
    if role != "main" {
        let _ = writeln!(writer.out, "app: {role}");
    }
    writer.out.push_str("scenarios:\n");
    if named.app.app.policy.disabled {
        writer.switched_off();
    } else {
        writer.callbacks();
        writer.challenge_and_secret();
        writer.scopes();
        writer.users();
        writer.addresses();
        writer.refreshes();
        writer.sessions();
        writer.signed();
        writer.alone();
        writer.introspection();
    }
    (writer.out, writer.count)
}

struct Writer<'w, 'r> {
    named: &'w Named<'r>,
    out: String,
    count: usize,
}

/// Logs in and redeems the code.
const LOGIN: &str = "- do: authorize\n- do: redeem\n";

impl Writer<'_, '_> {
    /// A scenario: the setting that it is about, its sentence, keys of its own, its steps.
    fn scenario(&mut self, because: &str, name: &str, keys: &str, steps: &str) {
        self.count += 1;
        let _ = writeln!(self.out, "  # {}", because.replace(['\n', '\r'], " "));
        let _ = writeln!(self.out, "  - scenario: {}", text(name));
        keys.lines().for_each(|line| {
            let _ = writeln!(self.out, "    {line}");
        });
        self.out.push_str("    steps:\n");
        steps.lines().for_each(|line| {
            let _ = writeln!(self.out, "      {line}");
        });
    }

    /// A play at the token endpoint that works, as the control of one that must not; none where no flow works.
    fn control(&self) -> Option<&'static str> {
        self.control_with(self.named.runs_alone())
    }

    /// The same, by client credentials only where they do.
    fn control_with(&self, alone: bool) -> Option<&'static str> {
        if alone {
            Some("- do: client-credentials\n  step: what works\n")
        } else if self.named.signs() {
            Some("- do: jwt-bearer\n  step: what works\n")
        } else if self.named.logs_in() {
            Some("- do: authorize\n- do: redeem\n  step: what works\n")
        } else {
            None
        }
    }

    fn is_public(&self) -> bool {
        self.named.app.app.client_auth == ClientAuth::None
    }

    fn callbacks(&mut self) {
        let callbacks = self.named.callbacks();
        if !self.named.logs_in() {
            return;
        }
        // The target knows them in an order of its own: each is named.
        for callback in &callbacks {
            let at = text(callback);
            let to = if callback.contains('?') { String::new() } else { format!("to: {at}, ") };
            let call = if self.named.calls() { "- do: call\n" } else { "" };
            let steps = format!(
                "- do: authorize\n  with: {{ redirect_uri: {} }}\n  expect: {{ redirect: {{ {to}code: present }} }}\n- do: redeem\n{call}",
                quoted_in_map(callback)
            );
            let name = format!("a user logs in and comes back to {callback}");
            self.scenario("callbackUrl", &name, "needs: [web-server, authorize]", &steps);
        }
        let refused = |uri: &str| {
            format!(
                "- do: authorize\n  with: {{ redirect_uri: {uri} }}\n  expect: {{ refused: redirect-uri-mismatch }}\n"
            )
        };
        let keys = "needs: [web-server, authorize]";
        self.scenario("callbackUrl", "a callback that is not registered is refused", keys, &refused(STRANGE));
        if !callbacks.iter().any(|uri| callbacks.contains(&format!("{uri}x").as_str())) {
            let longer = refused("\"${app.redirect_uri}x\"");
            self.scenario("callbackUrl", "a callback with one more character is refused", keys, &longer);
        }
    }

    fn challenge_and_secret(&mut self) {
        if !self.named.logs_in() {
            return;
        }
        let policy = &self.named.app.app.policy;
        let keys = "needs: [web-server, authorize]";
        if policy.pkce_required {
            let steps = "- do: authorize\n  without: [code_challenge, code_challenge_method]\n  expect: { refused: challenge-missing }\n";
            self.scenario("isPkceRequired: true", "a login without a challenge is refused", keys, steps);
        } else {
            let steps = "- do: authorize\n  pkce: none\n- do: redeem\n";
            self.scenario("isPkceRequired: false", "a login without a challenge is granted", keys, steps);
        }
        let steps = "- do: authorize\n- do: redeem\n  with: { code_verifier: not-the-verifier-of-this-login-0123456789abcdef }\n  expect: { refused: verifier-wrong }\n";
        self.scenario("PKCE", "a code is of no use without its verifier", keys, steps);
        let redeem = |rest: &str| format!("- do: authorize\n- do: redeem\n{rest}");
        if self.is_public() {
            return;
        }
        if policy.secret_optional {
            let steps = redeem("  without: client_secret\n");
            self.scenario(
                "isConsumerSecretOptional: true",
                "a code is redeemed without the secret",
                keys,
                &steps,
            );
        } else {
            let steps =
                redeem("  without: client_secret\n  expect: { refused: client-authentication-failed }\n");
            self.scenario(
                "isConsumerSecretOptional: false",
                "a code is not redeemed without the secret",
                keys,
                &steps,
            );
        }
        let steps = redeem(
            "  with: { client_secret: not-the-secret-of-this-app }\n  expect: { refused: client-authentication-failed }\n",
        );
        self.scenario("consumerSecret", "a code is not redeemed with a wrong secret", keys, &steps);
    }

    fn scopes(&mut self) {
        if !self.named.logs_in() {
            return;
        }
        let keys = "needs: [web-server, authorize]";
        let own: Vec<&str> = self.named.app.app.scopes.iter().map(String::as_str).collect();
        // A refresh token is a scope under two names, which one is told is the server's business.
        let shown = |scope: &&&str| !matches!(**scope, "refresh_token" | "offline_access");
        let told: Vec<&str> = own.iter().filter(shown).copied().collect();
        if !told.is_empty()
            && own.iter().all(|scope| !scope.contains("${") && !scope.contains(char::is_whitespace))
        {
            let steps = format!(
                "- do: authorize\n  scope: {}\n- do: redeem\n  expect: {{ scope: {{ includes: {} }} }}\n",
                list(own.iter().copied()),
                list(told)
            );
            self.scenario("scopes", "each scope of the app is granted", keys, &steps);
        }
        let strange = ["pardot_api", "eclair_api", "wave_api"].into_iter().find(|scope| !own.contains(scope));
        if let Some(strange) = strange {
            let steps = format!(
                "- do: authorize\n  with: {{ scope: {strange} }}\n  expect: {{ refused: invalid-scope }}\n"
            );
            self.scenario("scopes", "a scope that the app does not have is refused", keys, &steps);
        }
        if !self.named.lists(Flow::RefreshToken) {
            let steps = "- do: authorize\n- do: redeem\n  expect: { body: { refresh_token: absent } }\n";
            self.scenario("scopes, without RefreshToken", "a login brings no refresh token", keys, steps);
        }
    }

    fn users(&mut self) {
        let policy = &self.named.app.app.policy;
        let (logs_in, signs) = (self.named.logs_in(), self.named.signs());
        let web = "user: unapproved\nneeds: [web-server, authorize, { user: unapproved }]";
        let jwt = "user: unapproved\nneeds: [jwt-bearer, { user: unapproved }]";
        let refused = |action: &str, outcome: &str| {
            format!("- do: {action}\n  expect: {{ refused: {outcome} }}\n  control: {{ user: main }}\n")
        };
        match (policy.admin_approved, self.named.app.given) {
            (true, true) => {
                let because = "permitted users: pre-authorized";
                if logs_in {
                    let steps = refused("authorize", "user-not-admitted");
                    self.scenario(because, "a user whom no admin let in does not log in", web, &steps);
                }
                if signs {
                    let steps = refused("jwt-bearer", "user-not-admitted");
                    self.scenario(because, "nobody is signed for whom no admin let in", jwt, &steps);
                }
            }
            (true, false) => {
                if self.named.lists(Flow::WebServer) && !self.named.callbacks().is_empty() {
                    let steps = "- do: authorize\n  expect: { refused: user-not-admitted }\n  control: { app: other }\n";
                    let keys = "needs: [web-server, authorize, { app: other }]";
                    let because = "permitted users: pre-authorized, and the app is given to nobody";
                    self.scenario(because, "nobody logs in", keys, steps);
                }
            }
            (false, _) => {
                let because = "permitted users: all may authorize themselves";
                if logs_in {
                    self.scenario(because, "a user approves the app and logs in", web, LOGIN);
                }
                if signs {
                    let steps = refused("jwt-bearer", "user-not-approved");
                    self.scenario(because, "nobody is signed for who did not approve the app", jwt, &steps);
                }
            }
        }
    }

    /// Who comes from elsewhere: on the embedded org, the user `restricted`.
    fn addresses(&mut self) {
        if !self.named.signs() {
            return;
        }
        let keys = "user: restricted\nneeds: [embedded, jwt-bearer, { user: restricted }]";
        if self.named.app.app.policy.ip_relaxed {
            let name = "a user from outside of the ranges is let in";
            self.scenario("IP relaxation: relaxed", name, keys, "- do: jwt-bearer\n");
        } else {
            let name = "a user from outside of the ranges is refused";
            let steps = "- do: jwt-bearer\n  expect: { refused: ip-restricted }\n  control: { user: main }\n";
            self.scenario("IP relaxation: enforced", name, keys, steps);
        }
    }

    fn refreshes(&mut self) {
        if !self.named.logs_in() || !self.named.lists(Flow::RefreshToken) {
            return;
        }
        let policy = self.named.app.app.policy.clone();
        let keys = "needs: [web-server, authorize, refresh-token]";
        let after = |rest: &str| format!("{LOGIN}{rest}");
        if policy.refresh_policy == RefreshPolicy::Zero {
            let steps = after(&format!(
                "  step: login\n- do: advance\n  by: {}\n- do: refresh\n  expect: {{ refused: refresh-token-invalid }}\n  control: login\n",
                time(policy.access_token_ttl + 60_000)
            ));
            let keys = "needs: [web-server, authorize, refresh-token, clock]";
            self.scenario(
                "refresh token policy: zero",
                "a refresh token ends with its session",
                keys,
                &steps,
            );
            return;
        }
        let call = if self.named.calls() { "- do: call\n" } else { "" };
        let steps =
            after(&format!("  expect: {{ body: {{ refresh_token: present }} }}\n- do: refresh\n{call}"));
        self.scenario("scopes: RefreshToken", "a refresh token brings an access token", keys, &steps);
        if !self.is_public() {
            if policy.secret_for_refresh {
                let steps = after(
                    "- do: refresh\n  without: client_secret\n  expect: { refused: client-authentication-failed }\n",
                );
                self.scenario(
                    "isSecretRequiredForRefreshToken: true",
                    "a refresh without the secret is refused",
                    keys,
                    &steps,
                );
            } else {
                let steps = after("- do: refresh\n  without: client_secret\n");
                self.scenario(
                    "isSecretRequiredForRefreshToken: false",
                    "a refresh needs no secret",
                    keys,
                    &steps,
                );
            }
        }
        if policy.rotation {
            let steps = after(
                "  capture: { first: body.refresh_token }\n- do: refresh\n  step: rotation\n  expect: { body: { refresh_token: { not: \"${first}\" } } }\n- do: refresh\n  with: { refresh_token: \"${first}\" }\n  expect: { refused: refresh-token-invalid }\n",
            );
            let keys = format!("tags: [destructive]\n{keys}");
            self.scenario("isRefreshTokenRotationEnabled: true", "a refresh token works once", &keys, &steps);
        } else {
            let steps =
                after("- do: refresh\n  expect: { body: { refresh_token: absent } }\n- do: refresh\n");
            self.scenario(
                "isRefreshTokenRotationEnabled: false",
                "a refresh token works again",
                keys,
                &steps,
            );
        }
        let (ttl, slides) = match policy.refresh_policy {
            RefreshPolicy::Lifetime(ttl) => (ttl, false),
            RefreshPolicy::Inactivity(ttl) => (ttl, true),
            RefreshPolicy::Infinite | RefreshPolicy::Zero => return,
        };
        if ttl > CENTURY {
            return;
        }
        // Just before the end, and just after it; where use counts, after the last use.
        let margin = (ttl / 48).clamp(MARGIN.min(ttl / 4), 6 * MARGIN);
        let before = ttl.saturating_sub(margin);
        let beyond = if slides { ttl.saturating_add(margin) } else { 2 * margin };
        let end = format!(
            "- do: advance\n  by: {}\n- do: refresh\n  step: in time\n- do: advance\n  by: {}\n- do: refresh\n  expect: {{ refused: refresh-token-invalid }}\n  control: in time\n",
            time(before),
            time(beyond)
        );
        let keys = "needs: [web-server, authorize, refresh-token, clock]";
        let words = if slides { "if not used for" } else { "after" };
        let because = format!("refresh token policy: expires {words} {}", time(ttl));
        self.scenario(
            &because,
            "a refresh token works up to the end of its time and not after",
            keys,
            &after(&end),
        );
        if slides {
            let steps = format!(
                "- do: advance\n  by: {0}\n- do: refresh\n- do: advance\n  by: {0}\n- do: refresh\n",
                time(before)
            );
            self.scenario(&because, "a refresh token that is used lives on", keys, &after(&steps));
        }
    }

    /// The life of an access token: just up to its end, and not just after. What introspects itself as over is told by a call.
    fn sessions(&mut self) {
        // Client credentials drop the scope full, which calls REST for users.
        let alone = self.named.runs_alone() && self.named.has("api");
        let Some(control) = self.control_with(alone).filter(|_| self.named.calls()) else { return };
        let policy = &self.named.app.app.policy;
        let token = control.replace("  step: what works\n", "");
        // A timeout is a number of minutes. What is used so late lives on from there, unless it is a JWT.
        let ttl = policy.access_token_ttl;
        let margin = (ttl / 4).min(60_000);
        let steps = format!(
            "{token}- do: advance\n  by: {}\n- do: call\n  step: in time\n- do: advance\n  by: {}\n- do: call\n  expect: {{ refused: access-token-invalid }}\n  control: in time\n",
            time(ttl - margin),
            time(ttl + margin)
        );
        let because = format!("session timeout: {}", time(policy.access_token_ttl));
        let needs = if token.contains("authorize") {
            "needs: [web-server, authorize, resource, clock]"
        } else {
            "needs: [resource, clock]"
        };
        self.scenario(&because, "an access token ends with its session", needs, &steps);
        let begin = if policy.jwt_access_tokens { "^eyJ" } else { "^00D" };
        let last = token.trim_end().to_owned();
        let steps = format!("{last}\n  expect: {{ body: {{ access_token: {{ matches: \"{begin}\" }} }} }}\n");
        let because = format!("isNamedUserJwtEnabled: {}", policy.jwt_access_tokens);
        let what = if policy.jwt_access_tokens { "is a JWT" } else { "is opaque" };
        let needs = if token.contains("authorize") {
            "needs: [salesforce, web-server, authorize]"
        } else {
            "needs: [salesforce]"
        };
        self.scenario(&because, &format!("an access token {what}"), needs, &steps);
    }

    fn signed(&mut self) {
        for (flow, outcome) in [(Flow::JwtBearer, "jwt-bearer"), (Flow::SamlBearer, "saml-bearer")] {
            if self.named.lists(flow) && self.named.signs() {
                let keys = format!("needs: [{outcome}]");
                let steps = format!("- do: {outcome}\n  expect: {{ body: {{ refresh_token: absent }} }}\n");
                self.scenario(
                    "certificate",
                    &format!("{outcome} brings an access token and no refresh token"),
                    &keys,
                    &steps,
                );
                let steps = format!(
                    "- do: {outcome}\n  with: {{ key: fresh }}\n  expect: {{ refused: assertion-invalid }}\n"
                );
                self.scenario(
                    "certificate",
                    &format!("{outcome} with another key is refused"),
                    &keys,
                    &steps,
                );
            } else if !self.named.lists(flow) {
                self.refused(flow, "no certificate", "  with: { key: fresh }\n");
            }
        }
    }

    /// A flow that the app does not list.
    fn refused(&mut self, flow: Flow, because: &str, with: &str) {
        let Some(control) = self.control() else { return };
        let steps = format!(
            "{control}- do: {flow}\n{with}  expect: {{ refused: flow-not-enabled }}\n  control: what works\n"
        );
        let keys = format!("needs: [{{ unlisted: {flow} }}]");
        self.scenario(because, &format!("{flow} is refused"), &keys, &steps);
    }

    fn alone(&mut self) {
        let keys = "needs: [client-credentials]";
        if self.named.runs_alone() {
            let steps =
                "- do: client-credentials\n  expect: { body: { refresh_token: absent, id_token: absent } }\n";
            self.scenario("client credentials: on", "the app gets a token for itself", keys, steps);
            let steps = "- do: client-credentials\n  with: { client_secret: not-the-secret-of-this-app }\n  expect: { refused: client-authentication-failed }\n";
            self.scenario("client credentials: on", "the app gets no token with a wrong secret", keys, steps);
            let username = self.named.app.run_as.as_deref().unwrap_or("");
            if (self.named.has("id") || self.named.has("full")) && !username.contains("${") {
                let steps = format!(
                    "- do: client-credentials\n- do: identity\n  expect: {{ body: {{ username: {} }} }}\n",
                    text(username)
                );
                self.scenario(
                    "run-as user",
                    "its token is the run-as user's",
                    "needs: [client-credentials, salesforce, identity]",
                    &steps,
                );
            }
        } else if !self.named.lists(Flow::ClientCredentials) {
            self.refused(Flow::ClientCredentials, "client credentials: off", "");
        } else if let Some(control) = self.control() {
            let (because, name, outcome) = match self.named.app.run_as {
                None => (
                    "run-as user: none",
                    "client credentials without a user to run as are refused",
                    "no-run-as-user",
                ),
                Some(_) => (
                    "scopes: of users alone",
                    "client credentials without a scope for them are refused",
                    "no-valid-scopes",
                ),
            };
            let steps = format!(
                "{control}- do: client-credentials\n  expect: {{ refused: {outcome} }}\n  control: what works\n"
            );
            self.scenario(because, name, keys, &steps);
        }
    }

    fn introspection(&mut self) {
        if !self.named.logs_in() || self.is_public() {
            return;
        }
        let role = &self.named.role;
        let keys = "app: other\nneeds: [web-server, authorize, introspection, { app: other }]";
        if self.named.app.app.policy.introspect_all {
            let steps = format!("{LOGIN}- do: introspect\n  app: {role}\n");
            self.scenario(
                "isIntrospectAllTokens: true",
                "it is told of the token of another app",
                keys,
                &steps,
            );
        } else {
            let steps = format!(
                "{LOGIN}- do: introspect\n  step: own\n- do: introspect\n  app: {role}\n  expect: {{ refused: token-inactive }}\n  control: own\n"
            );
            self.scenario(
                "isIntrospectAllTokens: false",
                "it is not told of the token of another app",
                keys,
                &steps,
            );
        }
    }

    fn switched_off(&mut self) {
        let because = "isEnabled, isOauthPluginEnabled: false";
        let steps = "- do: authorize\n  expect: { refused: flow-not-enabled }\n  control: { app: other }\n";
        let keys = "needs: [authorize, { app: other }]";
        self.scenario(because, "nobody logs in while it is switched off", keys, steps);
    }
}

/// A text as the value of a key on one line, where commas and braces would end it.
fn quoted_in_map(value: &str) -> String {
    if value.contains([',', '{', '}', '[', ']', '?']) {
        serde_json::Value::from(value).to_string()
    } else {
        text(value)
    }
}
