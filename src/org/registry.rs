//! What is registered in the org: apps with the policies that hold for them, users, and the switches.
//! All of it is read once from a target and never changes.

use std::collections::HashMap;

use super::scopes::Scopes;
use super::{MY_DOMAIN, ORG_ID};
use crate::oauth::Secret;
use crate::oauth::keys::PublicKey;
use crate::oauth::salesforce::{NEED_A_USER, Profile, id18};
use crate::subject::{ConnectedApp, Flow, Kind, RefreshPolicy, SETTINGS, Settings, Target, User};

/// Place of an app in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AppId(usize);

/// Place of a user in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct UserId(usize);

/// A connected app with the policy that holds for it.
#[derive(Debug)]
pub(super) struct App {
    /// The registration, its policy overridden by the settings of the same name.
    pub registered: ConnectedApp,
    /// What it may be granted.
    pub scopes: Scopes,
    /// What it may be granted without a user behind it.
    pub userless_scopes: Scopes,
    /// Verifies its assertions.
    pub key: Option<PublicKey>,
    /// Whom client credentials act for.
    pub run_as: Option<UserId>,
    /// The consumer secret, or the one that the org keeps of an app that was told none.
    pub signing_secret: Secret,
}

/// A user with the ids and names that the org gives.
#[derive(Debug)]
pub(super) struct Account {
    pub user: User,
    /// 18-character id.
    pub id: String,
    identity_path: String,
    pub nick_name: String,
    pub first_name: String,
    /// Apps that an admin pre-authorized for the user, or that the user approved before.
    pub approved: Vec<AppId>,
}

/// What contradictory sources say, decided; and what is the same for all apps.
#[derive(Debug)]
pub(super) struct Switches {
    /// Whether the org speaks as the RFCs say where Salesforce differs.
    pub rfc: bool,
    pub code_ttl: i64,
    pub leeway: i64,
    /// How long a refresh token is still taken after another one came in its place, in milliseconds.
    pub rotation_grace: i64,
    /// How far ahead `exp` may lie, in seconds.
    pub exp_limit: Option<i64>,
    /// Whether `nbf` of a JWT assertion counts.
    pub nbf_enforced: bool,
    pub audience_error: &'static str,
    pub deny_error: &'static str,
    pub pkce_error: &'static str,
    /// Whether a challenge without a method is taken for `plain`, which is then allowed by name as well.
    pub challenge_plain: bool,
    /// Whether a challenge without a method is taken for `S256`.
    pub challenge_hashed: bool,
    /// Whether authorization responses name the issuer.
    pub response_iss: bool,
    /// Whether userinfo answers with a signed JWT.
    pub signed_userinfo: bool,
    /// Whether a verifier that no challenge asks for is refused.
    pub unasked_verifier_refused: bool,
    pub run_as_needs_approval: bool,
    /// Whether the API takes JWTs that clients signed themselves.
    pub client_jwts: bool,
    pub longest_verifier: usize,
    pub discovery_spelling: &'static str,
    pub issued_at_seconds: bool,
    pub last_modified_offset: bool,
    pub unknown_client_error: &'static str,
    /// Whether logins are counted.
    pub login_rate: bool,
}

/// Apps, users and switches.
#[derive(Debug)]
pub(super) struct Registry {
    apps: Vec<App>,
    users: Vec<Account>,
    by_client_id: HashMap<String, AppId>,
    by_username: HashMap<String, UserId>,
    pub switches: Switches,
}

impl Registry {
    /// Reads a target. `hidden` makes the secrets that the org keeps to itself.
    pub fn new(target: &Target, hidden: impl Fn(usize) -> String) -> Self {
        let roles: HashMap<&str, AppId> =
            target.apps.keys().enumerate().map(|(i, role)| (role.as_str(), AppId(i))).collect();
        let user_roles: HashMap<&str, UserId> =
            target.users.keys().enumerate().map(|(i, role)| (role.as_str(), UserId(i))).collect();
        let apps: Vec<App> = target
            .apps
            .values()
            .map(|app| {
                let mut registered = app.clone();
                override_policy(&mut registered, &target.settings);
                // RFC 6750 §5.3 asks for an hour at most; Salesforce has two where nobody says.
                if target.profile == Profile::Rfc && target.settings.millis("access_token_ttl").is_none() {
                    registered.policy.access_token_ttl = registered.policy.access_token_ttl.min(3_600_000);
                }
                App {
                    scopes: Scopes::of(registered.scopes.iter().map(String::as_str)),
                    // What it lists, not what `full` and `web` stand for: they go before they are opened up.
                    userless_scopes: Scopes::of(
                        registered
                            .scopes
                            .iter()
                            .map(String::as_str)
                            .filter(|scope| !NEED_A_USER.contains(scope)),
                    ),
                    key: match (&registered.certificate, &registered.key) {
                        (Some(certificate), _) => Some(certificate.key().clone()),
                        (None, Some(key)) => Some(key.public()),
                        (None, None) => None,
                    },
                    run_as: registered
                        .policy
                        .run_as
                        .as_deref()
                        .and_then(|role| user_roles.get(role).copied()),
                    signing_secret: match &registered.client_secret {
                        Some(secret) => secret.clone(),
                        None => Secret::new(hidden(64)),
                    },
                    registered,
                }
            })
            .collect();
        let users: Vec<Account> =
            target.users.values().enumerate().map(|(i, user)| account(i, user, &roles)).collect();
        let by_client_id =
            apps.iter().enumerate().map(|(i, app)| (app.registered.client_id.clone(), AppId(i))).collect();
        let by_username =
            users.iter().enumerate().map(|(i, one)| (one.user.username.to_lowercase(), UserId(i))).collect();
        let switches = Switches::read(&target.settings, target.profile);
        Self { apps, users, by_client_id, by_username, switches }
    }

    pub fn app(&self, id: AppId) -> &App {
        &self.apps[id.0]
    }

    pub fn user(&self, id: UserId) -> &Account {
        &self.users[id.0]
    }

    pub fn apps(&self) -> &[App] {
        &self.apps
    }

    pub fn users(&self) -> &[Account] {
        &self.users
    }

    /// Every app with its place.
    pub fn app_ids(&self) -> impl Iterator<Item = (AppId, &App)> {
        self.apps.iter().enumerate().map(|(i, app)| (AppId(i), app))
    }

    /// Every user with its place.
    pub fn user_ids(&self) -> impl Iterator<Item = (UserId, &Account)> {
        self.users.iter().enumerate().map(|(i, user)| (UserId(i), user))
    }

    /// The app of a consumer key.
    pub fn app_of(&self, client_id: &str) -> Option<AppId> {
        self.by_client_id.get(client_id).copied()
    }

    /// The user of a login name, in whatever case.
    pub fn user_of(&self, username: &str) -> Option<UserId> {
        self.by_username.get(&username.to_lowercase()).copied()
    }

    /// The user of a record id, of 15 or 18 characters.
    pub fn user_of_record(&self, id: &str) -> Option<UserId> {
        self.user_ids().find(|(_, user)| user.id == id || user.id.get(..15) == Some(id)).map(|(id, _)| id)
    }
}

impl App {
    /// What verifies its assertions at a moment, in seconds since the epoch: nothing does with a certificate that is not in
    /// force (Salesforce Help: OAuth 2.0 JWT Bearer Flow).
    pub fn key_at(&self, now: i64) -> Option<&PublicKey> {
        let in_force = |(from, to): (i64, i64)| (from..=to).contains(&now);
        self.key.as_ref().filter(|_| self.registered.policy.in_force.is_none_or(in_force))
    }

    /// Whether the app lists a flow.
    pub fn may(&self, flow: Flow) -> bool {
        self.registered.flows.contains(&flow)
    }

    /// Whether PKCE is asked of it: by its settings, or because nothing else tells it from a stranger. Salesforce goes
    /// by the setting alone, so metadata has the last word.
    pub fn needs_challenge(&self) -> bool {
        let policy = &self.registered.policy;
        policy.pkce_required || self.registered.is_public() && !policy.fixed
    }
}

impl Account {
    /// Whether an admin shut this user out.
    pub fn is_shut_out(&self) -> bool {
        self.user.inactive || self.user.frozen
    }

    /// Whether the app is closed to where this user is.
    pub fn is_restricted(&self, app: &App) -> bool {
        self.user.ip_restricted && !app.registered.policy.ip_relaxed
    }

    pub fn name(&self) -> String {
        format!("{} User", self.first_name)
    }

    /// The identity URL on that origin.
    pub fn identity_url(&self, origin: &str) -> String {
        [origin, &self.identity_path].concat()
    }
}

impl Switches {
    fn read(settings: &Settings, profile: Profile) -> Self {
        let rfc = profile == Profile::Rfc;
        Self {
            rfc,
            code_ttl: settings.millis("code_ttl").unwrap_or(15 * 60_000),
            leeway: settings.millis("leeway").unwrap_or(3 * 60_000),
            rotation_grace: settings.millis("rotation_grace").unwrap_or(0),
            exp_limit: match word(settings, "exp_limit") {
                "3m" => Some(180),
                "5m" => Some(300),
                // RFC 7523 §3 (4) leaves the bound to the server; a day is generous.
                _ if rfc && settings.word("exp_limit").is_none() => Some(86_400),
                _ => None,
            },
            // Where nobody decides, what Salesforce is seen to do holds, or what RFC 7523 §3 (5) says.
            nbf_enforced: match settings.word("nbf") {
                Some(word) => word == "enforced",
                None => rfc,
            },
            audience_error: word(settings, "audience_error"),
            deny_error: word(settings, "deny_error"),
            pkce_error: word(settings, "pkce_error"),
            challenge_plain: word(settings, "challenge_method_default") == "plain",
            challenge_hashed: match settings.word("challenge_method_default") {
                Some(word) => word == "S256",
                None => !rfc,
            },
            response_iss: settings.is("response_iss"),
            signed_userinfo: settings.is("signed_userinfo"),
            unasked_verifier_refused: match settings.word("unasked_verifier") {
                Some(word) => word == "refused",
                None => rfc,
            },
            run_as_needs_approval: settings.is("run_as_needs_approval"),
            client_jwts: settings.is("client_jwts"),
            // Where nobody decides, what clients of Salesforce are seen to send is accepted.
            longest_verifier: match settings.word("verifier_limit") {
                Some("128") => 128,
                None if rfc => 128,
                _ => 171,
            },
            discovery_spelling: word(settings, "discovery_spelling"),
            issued_at_seconds: word(settings, "issued_at") == "seconds",
            last_modified_offset: word(settings, "last_modified") == "offset",
            unknown_client_error: word(settings, "unknown_client_error"),
            login_rate: word(settings, "login_rate") != "off",
        }
    }
}

/// The 18-character id of the org.
pub(super) fn org_id() -> String {
    id18(ORG_ID)
}

/// The name of the org's My Domain.
pub(super) fn my_domain_name() -> &'static str {
    MY_DOMAIN.trim_start_matches("https://")
}

/// A word among those that the table of settings names; its first where the target says nothing.
fn word(settings: &Settings, name: &str) -> &'static str {
    let words = SETTINGS.iter().find(|row| row.name == name).map(|row| row.kind);
    let Some(Kind::Words(words)) = words else { return "" };
    let set = settings.word(name);
    words.iter().find(|word| Some(**word) == set).or(words.first()).copied().unwrap_or("")
}

/// What is set for the whole target holds for each of its apps, but for those whose metadata decides.
fn override_policy(app: &mut ConnectedApp, settings: &Settings) {
    let policy = &mut app.policy;
    if policy.fixed {
        policy.access_token_ttl = policy.access_token_ttl.max(1);
        return;
    }
    for (name, field) in [
        ("pkce_required", &mut policy.pkce_required),
        ("secret_optional", &mut policy.secret_optional),
        ("secret_for_refresh", &mut policy.secret_for_refresh),
        ("admin_approved", &mut policy.admin_approved),
        ("rotation", &mut policy.rotation),
        ("introspect_all", &mut policy.introspect_all),
        ("jwt_access_tokens", &mut policy.jwt_access_tokens),
    ] {
        *field = settings.flag(name).unwrap_or(*field);
    }
    policy.access_token_ttl = settings.millis("access_token_ttl").unwrap_or(policy.access_token_ttl).max(1);
    let ttl = settings.millis("refresh_token_ttl").or(match policy.refresh_policy {
        RefreshPolicy::Lifetime(ttl) | RefreshPolicy::Inactivity(ttl) => Some(ttl),
        RefreshPolicy::Infinite | RefreshPolicy::Zero => None,
    });
    // New external client apps have 365 days (Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide).
    let ttl = ttl.unwrap_or(365 * 86_400_000);
    policy.refresh_policy = match (settings.word("refresh_policy"), policy.refresh_policy) {
        (Some("infinite"), _) => RefreshPolicy::Infinite,
        (Some("zero"), _) => RefreshPolicy::Zero,
        (Some("lifetime"), _) | (_, RefreshPolicy::Lifetime(_)) => RefreshPolicy::Lifetime(ttl),
        (Some("inactivity"), _) | (_, RefreshPolicy::Inactivity(_)) => RefreshPolicy::Inactivity(ttl),
        (_, policy) => policy,
    };
}

fn account(place: usize, user: &User, roles: &HashMap<&str, AppId>) -> Account {
    let nick_name = user.username.split('@').next().unwrap_or("").to_owned();
    let mut letters = nick_name.chars();
    let first_name = letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str());
    let id = id18(&format!("005xx{:010}", place + 1));
    Account {
        identity_path: format!("/id/{}/{id}", org_id()),
        id,
        nick_name,
        first_name,
        approved: user.approved.iter().filter_map(|role| roles.get(role.as_str()).copied()).collect(),
        user: user.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Setting;

    #[test]
    fn settings_override_the_policy_of_every_app() {
        let mut target = Target::default();
        target.apps.insert("main".into(), ConnectedApp::default());
        target.settings.0.insert("rotation".into(), Setting::Flag(true));
        target.settings.0.insert("refresh_policy".into(), Setting::Word("inactivity".into()));
        target.settings.0.insert("refresh_token_ttl".into(), Setting::Millis(5));
        let registry = Registry::new(&target, |_| String::new());
        let policy = &registry.apps()[0].registered.policy;
        assert!(policy.rotation);
        assert_eq!(policy.refresh_policy, RefreshPolicy::Inactivity(5));
    }

    #[test]
    fn a_user_is_found_by_name_in_any_case_and_by_both_ids() {
        let mut target = Target::default();
        target.users.insert("main".into(), User { username: "Svc@acme.com".into(), ..User::default() });
        let registry = Registry::new(&target, |_| String::new());
        let id = registry.user_of("svc@ACME.com").unwrap();
        assert_eq!(registry.user(id).id, "005xx0000000001AAA");
        assert_eq!(registry.user_of_record("005xx0000000001"), Some(id));
        assert_eq!(registry.user_of_record("005xx0000000001AA"), None);
    }
}
