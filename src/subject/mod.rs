//! What is under test, as plain data: the target, its connected apps and users, and what is known of
//! its behaviour; or a client program. Whoever reads a file makes these; whoever plays or judges reads them.

mod behaviour;
pub mod named_credential;
pub mod program;
mod settings;
mod stub;
pub mod workload;

pub use behaviour::{
    Behaviour, Callback, Cut, Does, Expire, Forged, HOSTS, Instead, Keys, Kill, Moment, Sign, Written,
};
pub use named_credential::{NamedCredential, Protocol};
pub use program::{Launch, Program, Unfilled, Way};
pub use settings::{Kind, Row, Setting, Settings, SettingsOf, TABLE as SETTINGS};
pub use stub::{Body, Called, Canned, OF_THE_CONNECTION, Stub, Stubs, Wanted};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use crate::oauth::Secret;
use crate::oauth::keys::{Certificate, PrivateKey};
use crate::oauth::salesforce::{NEED_A_USER, Profile};

/// A flow, under the name that suites use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Flow {
    WebServer,
    JwtBearer,
    SamlBearer,
    ClientCredentials,
    RefreshToken,
}

/// How a client authenticates at the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the body (RFC 6749 §2.3.1).
    #[default]
    Post,
    /// HTTP Basic, both parts form-encoded first (RFC 6749 §2.3.1).
    Basic,
    /// `client_id` alone: a public client.
    None,
    /// A signed assertion (RFC 7523 §2.2).
    PrivateKeyJwt,
}

/// The registration of a client: connected app or external client app.
#[derive(Clone, Debug, Default)]
pub struct ConnectedApp {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret; a public client has none.
    pub client_secret: Option<Secret>,
    /// How it authenticates when a step does not say.
    pub client_auth: ClientAuth,
    /// Signs its assertions.
    pub key: Option<PrivateKey>,
    /// What the org holds to check them.
    pub certificate: Option<Certificate>,
    /// Registered callback URLs; the first is the one that is used.
    pub redirect_uris: Vec<String>,
    /// Scope values that it may be granted.
    pub scopes: Vec<String>,
    /// What must work; every other flow must be refused.
    pub flows: Vec<Flow>,
    /// Extra parameters that this server wants in every token request of the app.
    pub extra: Vec<(String, String)>,
    /// What the org decides by; known of the embedded org alone.
    pub policy: AppPolicy,
    /// What is known of another org's behaviour towards this app alone.
    pub settings: Settings,
}

impl ConnectedApp {
    /// The callback URL that is used where a step does not say.
    pub fn redirect_uri(&self) -> &str {
        self.redirect_uris.first().map_or("", String::as_str)
    }

    /// Whether it keeps no secret and no key.
    pub fn is_public(&self) -> bool {
        self.client_auth == ClientAuth::None
    }
}

/// What becomes of a refresh token with time (Salesforce: refresh token policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefreshPolicy {
    /// Valid until revoked.
    #[default]
    Infinite,
    /// Of no use after the first session.
    Zero,
    /// Dies so many milliseconds after the grant.
    Lifetime(i64),
    /// Dies when it was not used for so many milliseconds.
    Inactivity(i64),
}

/// The settings of a connected app that decide what the org answers (SALESFORCE metadata names in brackets).
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub struct AppPolicy {
    /// `isPkceRequired`
    pub pkce_required: bool,
    /// `isConsumerSecretOptional`: no secret at the redemption of a code.
    pub secret_optional: bool,
    /// `isSecretRequiredForRefreshToken`
    pub secret_for_refresh: bool,
    /// `isAdminApproved`: only pre-authorized users; otherwise everyone may approve for themselves.
    pub admin_approved: bool,
    /// `oauthClientCredentialUser`: role of the user whom client credentials act for; what a target says of any org.
    pub run_as: Option<String>,
    /// `ipRelaxation`: whether IP ranges are not enforced.
    pub ip_relaxed: bool,
    /// `refreshTokenPolicy`
    pub refresh_policy: RefreshPolicy,
    /// `isRefreshTokenRotationEnabled`
    pub rotation: bool,
    /// `sessionTimeout`, in milliseconds; slides with use.
    pub access_token_ttl: i64,
    /// `isIntrospectAllTokens`
    pub introspect_all: bool,
    /// Whether the app is installed in the org.
    pub installed: bool,
    /// Whether an admin blocked it.
    pub blocked: bool,
    /// `isNamedUserJwtEnabled`: JWT-format access tokens.
    pub jwt_access_tokens: bool,
    /// `isEnabled` or `isOauthPluginEnabled` of an external client app is off.
    pub disabled: bool,
    /// First and last second, since the epoch, in which the registered certificate is in force; none: it always is.
    pub in_force: Option<(i64, i64)>,
    /// `isDPopEnabled`: refresh tokens are bound to a key of the client. The embedded org plays bearer tokens all the same.
    pub key_bound: bool,
    /// Taken from metadata: what a suite sets up the org for does not change it.
    pub fixed: bool,
}

/// Settings that the metadata of an app decides.
pub const DECIDED: [&str; 10] = [
    "pkce_required",
    "secret_optional",
    "secret_for_refresh",
    "admin_approved",
    "rotation",
    "introspect_all",
    "jwt_access_tokens",
    "access_token_ttl",
    "refresh_token_ttl",
    "refresh_policy",
];

impl AppPolicy {
    /// All that it says, where metadata decides it; a policy that suites change says nothing for good.
    fn known(&self) -> Settings {
        let says = |name: &&str| Some(((*name).to_owned(), self.says(name)?));
        Settings(DECIDED.iter().filter(|_| self.fixed).filter_map(says).collect())
    }

    /// What it says of a setting that is known by that name, where it says anything.
    pub fn says(&self, name: &str) -> Option<Setting> {
        let ttl = match self.refresh_policy {
            RefreshPolicy::Lifetime(millis) | RefreshPolicy::Inactivity(millis) => Some(millis),
            RefreshPolicy::Infinite | RefreshPolicy::Zero => None,
        };
        Some(match name {
            "pkce_required" => Setting::Flag(self.pkce_required),
            "secret_optional" => Setting::Flag(self.secret_optional),
            "secret_for_refresh" => Setting::Flag(self.secret_for_refresh),
            "admin_approved" => Setting::Flag(self.admin_approved),
            "rotation" => Setting::Flag(self.rotation),
            "introspect_all" => Setting::Flag(self.introspect_all),
            "jwt_access_tokens" => Setting::Flag(self.jwt_access_tokens),
            "access_token_ttl" => Setting::Millis(self.access_token_ttl),
            "refresh_token_ttl" => Setting::Millis(ttl?),
            "refresh_policy" => Setting::Word(self.refresh_policy.word().to_owned()),
            _ => return None,
        })
    }
}

impl RefreshPolicy {
    /// Its word in settings.
    pub fn word(self) -> &'static str {
        match self {
            RefreshPolicy::Infinite => "infinite",
            RefreshPolicy::Zero => "zero",
            RefreshPolicy::Lifetime(_) => "lifetime",
            RefreshPolicy::Inactivity(_) => "inactivity",
        }
    }
}

impl Default for AppPolicy {
    fn default() -> Self {
        Self {
            pkce_required: false,
            secret_optional: false,
            secret_for_refresh: true,
            admin_approved: false,
            run_as: None,
            ip_relaxed: true,
            refresh_policy: RefreshPolicy::Infinite,
            rotation: false,
            access_token_ttl: 2 * 3_600_000,
            introspect_all: false,
            installed: true,
            blocked: false,
            jwt_access_tokens: false,
            disabled: false,
            in_force: None,
            key_bound: false,
            fixed: false,
        }
    }
}

/// Somebody who can log in.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Login name.
    pub username: String,
    /// Login password.
    pub password: Option<Secret>,
    /// Roles of the apps that this user approved, or was pre-authorized for; known of the embedded org alone.
    pub approved: Vec<String>,
    /// Deactivated by an admin.
    pub inactive: bool,
    /// Frozen by an admin.
    pub frozen: bool,
    /// Login from here is outside of the allowed ranges.
    pub ip_restricted: bool,
}

impl User {
    /// A text of a declared page, with the name and the password of this user in it.
    pub fn filled(&self, text: &str) -> String {
        text.replace("${user.username}", &self.username)
            .replace("${user.password}", self.password.as_ref().map_or("", |password| password.expose()))
    }
}

/// How the login and approval pages are passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// Page by page: each fills one form and submits it.
    Pages(Vec<Page>),
    /// By a person in a browser, with a listener on the loopback callback.
    Browser,
    /// Not at all: the target gives what a login would have brought.
    Given(Grant),
    /// There is no way: scenarios that need a user agent are not testable.
    #[default]
    None,
}

/// What somebody who logged in before was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Role of the app that it was issued to.
    pub app: String,
    /// Role of the user who approved.
    pub user: String,
    /// What it brought.
    pub token: Brought,
}

/// What a login that went before brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A refresh token, which brings access tokens.
    RefreshToken(Secret),
    /// An access token alone: good for calls while it lives.
    AccessToken(Secret),
}

/// One page of the login: which form, what is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Values for the fields by name; `${user.username}` and `${user.password}` stand for the user's.
    pub fill: Vec<(String, String)>,
    /// CSS selector of the form, where a page has more than one.
    pub form: Option<String>,
    /// CSS selector of a link that is followed instead of a form.
    pub link: Option<String>,
    /// Sent as JSON with this method instead of as a form.
    pub json: Option<String>,
}

/// The endpoints of an authorization server, absolute URLs; what is none is discovered or not testable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Endpoints {
    pub issuer: Option<String>,
    pub authorize: Option<String>,
    pub token: Option<String>,
    pub introspect: Option<String>,
    pub revoke: Option<String>,
    pub userinfo: Option<String>,
    pub keys: Option<String>,
    /// OpenID Connect Discovery document.
    pub discovery: Option<String>,
    /// RFC 8414 document.
    pub metadata: Option<String>,
    /// The protected resource that `do: call` calls.
    pub api: Option<String>,
}

/// A check that this target is let off, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Id of the check, or a prefix that ends in `/`.
    pub check: String,
    /// Why it is let off.
    pub because: String,
}

/// The org under test.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Base URL; none for the embedded org.
    pub org: Option<String>,
    /// How it speaks.
    pub profile: Profile,
    /// Where it answers.
    pub endpoints: Endpoints,
    /// Connected apps by role.
    pub apps: BTreeMap<String, ConnectedApp>,
    /// Users by role.
    pub users: BTreeMap<String, User>,
    /// How its pages are passed.
    pub login: Login,
    /// How a user says no: the pages from the first on.
    pub deny: Option<Vec<Page>>,
    /// What is known of its behaviour.
    pub settings: Settings,
    /// PEM of a further certificate authority.
    pub ca: Option<String>,
    /// Whether it may be changed and spoiled.
    pub disposable: bool,
    /// What it is let off.
    pub waive: Vec<Waiver>,
    /// What it took from the environment and from files, but for what everybody may know.
    pub secrets: Vec<Secret>,
}

impl Target {
    /// Whether it is the embedded org.
    pub fn is_embedded(&self) -> bool {
        self.org.is_none()
    }

    /// The flows of an app that must work: those that it lists, less what the embedded org's policies stand in the way of.
    fn flows_that_must_work(&self, app: &ConnectedApp) -> Vec<Flow> {
        let policy = &app.policy;
        if !self.is_embedded() {
            return app.flows.clone();
        }
        if policy.blocked || policy.disabled || !policy.installed {
            return Vec::new();
        }
        let concrete = app.scopes.iter().any(|scope| !NEED_A_USER.contains(&scope.as_str()));
        let runs = policy.run_as.is_some() && concrete;
        app.flows.iter().copied().filter(|flow| *flow != Flow::ClientCredentials || runs).collect()
    }

    /// Whom client credentials of an app act for: whom it names or, on a foreign org of which no app names anybody, the user
    /// `integration`. Where some apps name somebody, nobody knows of the others.
    fn run_as(&self, app: &ConnectedApp) -> Option<&User> {
        let named = || self.apps.values().any(|app| app.policy.run_as.is_some());
        let foreign = || (!self.is_embedded() && !named()).then_some("integration");
        self.users.get(app.policy.run_as.as_deref().or_else(foreign)?)
    }

    /// The user of a role; nobody in particular where the target has none.
    pub fn user(&self, role: &str) -> &User {
        static NOBODY: LazyLock<User> = LazyLock::new(User::default);
        self.users.get(role).unwrap_or(&NOBODY)
    }

    /// What is known of its behaviour towards the app of a role.
    pub fn settings_of(&self, role: &str) -> SettingsOf<'_> {
        SettingsOf::new(self.apps.get(role).map(|app| &app.settings), &self.settings)
    }

    /// What a judge may know of it: everything but secrets and keys.
    pub fn subject(&self) -> Subject {
        let apps = self.apps.iter().map(|(role, app)| {
            let app = SubjectApp {
                client_id: app.client_id.clone(),
                public: app.is_public(),
                client_auth: app.client_auth,
                redirect_uris: app.redirect_uris.clone(),
                scopes: app.scopes.clone(),
                flows: self.flows_that_must_work(app),
                has_certificate: app.certificate.is_some() || app.key.is_some(),
                run_as: self.run_as(app).map(|user| user.username.clone()),
                key_bound: app.policy.key_bound,
                settings: app.policy.known().with(&app.settings),
            };
            (role.clone(), app)
        });
        let users = self.users.iter().map(|(role, user)| (role.clone(), user.username.clone()));
        Subject {
            org: self.org.clone().unwrap_or_else(|| "embedded".to_owned()),
            profile: self.profile,
            endpoints: self.endpoints.clone(),
            apps: apps.collect(),
            users: users.collect(),
            settings: self.settings.clone(),
            program: None,
            named_credential: None,
        }
    }
}

/// The part of a target that a transcript opens with: no secret, no key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Base URL, or `embedded`.
    pub org: String,
    /// How it speaks.
    pub profile: Profile,
    /// Where it answers.
    pub endpoints: Endpoints,
    /// Connected apps by role.
    pub apps: BTreeMap<String, SubjectApp>,
    /// User names by role.
    pub users: BTreeMap<String, String>,
    /// What is known of its behaviour.
    pub settings: Settings,
    /// The client program under test, where that is not the org.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The Named Credential that is under test, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_credential: Option<NamedCredential>,
}

impl Subject {
    /// The app of a `client_id`.
    pub fn app_of(&self, client_id: &str) -> Option<&SubjectApp> {
        self.apps.values().find(|app| app.client_id == client_id)
    }

    /// What is known of its behaviour towards the app of a `client_id`.
    pub fn settings_of(&self, client_id: Option<&str>) -> SettingsOf<'_> {
        let app = client_id.and_then(|client_id| self.app_of(client_id));
        SettingsOf::new(app.map(|app| &app.settings), &self.settings)
    }
}

/// A connected app as a judge may know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct SubjectApp {
    pub client_id: String,
    pub public: bool,
    pub client_auth: ClientAuth,
    pub redirect_uris: Vec<String>,
    pub scopes: Vec<String>,
    pub flows: Vec<Flow>,
    pub has_certificate: bool,
    /// Name of the user whom client credentials act for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
    /// Whether its refresh tokens are bound to a key of it, and so need no rotation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub key_bound: bool,
    /// What its metadata says, which may differ from app to app.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

impl Flow {
    /// Every flow.
    pub const ALL: [Flow; 5] =
        [Flow::WebServer, Flow::JwtBearer, Flow::SamlBearer, Flow::ClientCredentials, Flow::RefreshToken];

    /// The name in suites.
    pub fn name(self) -> &'static str {
        match self {
            Flow::WebServer => "web-server",
            Flow::JwtBearer => "jwt-bearer",
            Flow::SamlBearer => "saml-bearer",
            Flow::ClientCredentials => "client-credentials",
            Flow::RefreshToken => "refresh-token",
        }
    }

    /// Reads the name in suites.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.name() == name)
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ClientAuth {
    /// Every method.
    pub const ALL: [ClientAuth; 4] =
        [ClientAuth::Post, ClientAuth::Basic, ClientAuth::None, ClientAuth::PrivateKeyJwt];

    /// The name in suites.
    pub fn name(self) -> &'static str {
        match self {
            ClientAuth::Post => "post",
            ClientAuth::Basic => "basic",
            ClientAuth::None => "none",
            ClientAuth::PrivateKeyJwt => "private-key-jwt",
        }
    }

    /// Reads the name in suites.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_client_credentials_is_named_or_the_only_one_there_can_be() {
        let app = |run_as: Option<&str>| ConnectedApp {
            flows: vec![Flow::ClientCredentials],
            policy: AppPolicy { run_as: run_as.map(str::to_owned), ..AppPolicy::default() },
            ..ConnectedApp::default()
        };
        let user = |name: &str| User { username: name.to_owned(), ..User::default() };
        let mut target = Target { org: Some("https://a.example".to_owned()), ..Target::default() };
        target.users = [("integration".to_owned(), user("i")), ("billing".to_owned(), user("b"))].into();
        target.apps = [("main".to_owned(), app(None))].into();
        let run_as = |target: &Target, role: &str| target.subject().apps[role].run_as.clone();
        assert_eq!(run_as(&target, "main").as_deref(), Some("i"));
        target.apps.insert("billing".to_owned(), app(Some("billing")));
        assert_eq!((run_as(&target, "main"), run_as(&target, "billing")), (None, Some("b".to_owned())));
    }
}
