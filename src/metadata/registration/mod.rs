//! An app as the embedded org registers it, out of its metadata: what the files say is taken, what they do not say is
//! assumed or supplied, and what the org does not play is told. Nothing is dropped in silence.

mod elements;
mod join;
pub(super) mod scopes;

pub use elements::{Effect, KINDS, effect, table};
pub use join::{Joined, Keys, join};
pub(super) use join::{free, plain};

use super::app::{App, Form, Lifetime, Setting, settings};
use super::kinds::Kind;
use super::rules::Place;
use super::rules::callbacks::of_an_answer;
use super::xml::Element;
use crate::oauth::Secret;
use crate::oauth::keys::Certificate;
use crate::subject::{AppPolicy, ClientAuth, ConnectedApp, Flow, RefreshPolicy, Settings};

/// Why something is told of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The metadata cannot say it, or does not: where it comes from.
    Supplied,
    /// The metadata is silent, and the default of Salesforce is taken.
    Assumed,
    /// The metadata says it, and the embedded org does not play it.
    NotPlayed,
}

impl About {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            About::Supplied => "supplied",
            About::Assumed => "assumed",
            About::NotPlayed => "not played",
        }
    }
}

/// Something that whoever reads a verdict about the app should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub about: About,
    /// Where it stands, where it does.
    pub place: Option<Place>,
    /// What it is about: an element, or a thing such as the secret.
    pub what: String,
    /// One sentence without a full stop.
    pub message: String,
}

/// An app as its metadata has it.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its developer name.
    pub name: String,
    /// Which of the two it is.
    pub form: Form,
    /// What is known of it. It has no secret and no consumer key where the metadata has none, and never a private key.
    pub app: ConnectedApp,
    /// Username of the user whom client credentials run as.
    pub run_as: Option<String>,
    /// Whether any profile or permission set was given it.
    pub given: bool,
    /// What is assumed and what is not played.
    pub notes: Vec<Note>,
}

impl Registration {
    /// Its developer name as a target writes roles.
    pub fn role(&self) -> String {
        plain(&self.name)
    }
}

/// Hours in milliseconds.
const HOUR: i64 = 3_600_000;
/// What a new external client app has (Salesforce Help: OAuth 2.0 Refresh Token Flow; Metadata API Developer Guide).
const YEAR: RefreshPolicy = RefreshPolicy::Lifetime(365 * 24 * HOUR);

/// What the embedded org makes of an app; none where there is nothing of OAuth in it.
pub fn registration(app: &App<'_>) -> Option<Registration> {
    if !app.has_oauth() {
        return None;
    }
    let mut reader = Reader { app, notes: Vec::new() };
    let (mut policy, run_as) = (reader.policy(), app.text(&settings::RUN_AS).map(str::to_owned));
    let scopes = reader.scopes();
    let certificate = reader.certificate();
    // What is registered expires, whatever pair of keys stands in for it.
    policy.in_force = certificate.as_ref().map(|certificate| (certificate.not_before, certificate.not_after));
    let mut redirect_uris: Vec<String> = app.callbacks().into_iter().map(|(uri, _)| uri).collect();
    // The first is the one that is played where none is named: an answer must be told from what was registered.
    redirect_uris.sort_by_key(|uri| of_an_answer(uri).is_some());
    let offline = scopes.iter().any(|scope| matches!(scope.as_str(), "refresh_token" | "offline_access"));
    let by_itself = reader.client_credentials();
    // RFC 6749 §2.1: who is asked for no secret anywhere is public.
    let public = policy.secret_optional && !policy.secret_for_refresh && !by_itself;
    let flows = [
        (Flow::WebServer, !redirect_uris.is_empty()),
        (Flow::JwtBearer, certificate.is_some()),
        (Flow::SamlBearer, certificate.is_some()),
        (Flow::ClientCredentials, by_itself),
        (Flow::RefreshToken, offline),
    ];
    let registered = ConnectedApp {
        client_id: reader.written(&settings::CONSUMER_KEY).unwrap_or_default().to_owned(),
        client_secret: reader.written(&settings::CONSUMER_SECRET).map(Secret::new),
        client_auth: if public { ClientAuth::None } else { ClientAuth::Post },
        key: None,
        certificate,
        redirect_uris,
        scopes,
        flows: flows.into_iter().filter(|(_, on)| *on).map(|(flow, _)| flow).collect(),
        extra: Vec::new(),
        policy,
        settings: Settings::default(),
    };
    reader.not_played();
    let Reader { notes, .. } = reader;
    Some(Registration {
        name: app.name.clone(),
        form: app.form,
        app: registered,
        run_as,
        given: !app.given_to().is_empty(),
        notes,
    })
}

struct Reader<'a, 'p> {
    app: &'a App<'p>,
    notes: Vec<Note>,
}

impl Reader<'_, '_> {
    fn assumed(&mut self, setting: &Setting, what: &str, message: impl Into<String>) {
        let place = Some(self.app.place(setting));
        let note = Note { about: About::Assumed, place, what: what.to_owned(), message: message.into() };
        self.notes.push(note);
    }

    /// A text that is no placeholder of a build and no mask.
    fn written(&self, setting: &Setting) -> Option<&str> {
        self.app.text(setting).filter(|text| !text.contains("${") && !text.contains("***"))
    }

    /// A flag, or what holds where it does not stand.
    fn flag(&mut self, setting: &Setting, what: &str, default: bool) -> bool {
        if let (Some(text), None) = (self.app.text(setting), self.app.flag(setting)) {
            let message = format!("`{text}` is neither true nor false; it is taken for {default}");
            self.assumed(setting, what, message);
        }
        self.app.flag(setting).unwrap_or(default)
    }

    /// A flag of the policies of an external client app, `true` where there are none.
    fn plugin(&self, name: &str) -> bool {
        let policies = self.app.part(Kind::Policies);
        policies.and_then(|item| item.root.text(name)).is_none_or(|value| value != "false")
    }

    fn policy(&mut self) -> AppPolicy {
        let external = self.app.form == Form::External;
        if external && self.app.part(Kind::OauthPolicies).is_none() {
            let message = "its policies are not among the files: everybody may authorize it, addresses are enforced, refresh \
                           tokens live for 365 days, sessions for two hours";
            self.assumed(&settings::PERMITTED, Kind::OauthPolicies.name(), message);
        }
        let refresh_policy = self.refresh_policy(external);
        AppPolicy {
            pkce_required: self.flag(&settings::PKCE, "isPkceRequired", external),
            secret_optional: self.flag(&settings::SECRET_OPTIONAL, "isConsumerSecretOptional", false),
            secret_for_refresh: self.flag(
                &settings::SECRET_FOR_REFRESH,
                "isSecretRequiredForRefreshToken",
                true,
            ),
            admin_approved: self.flag(&settings::PERMITTED, "permitted users", false),
            run_as: None,
            ip_relaxed: self.ip_relaxed(),
            refresh_policy,
            rotation: self.flag(&settings::ROTATION, "isRefreshTokenRotationEnabled", false),
            access_token_ttl: self.session(),
            introspect_all: self.flag(&settings::INTROSPECT_ALL, "isIntrospectAllTokens", false),
            installed: true,
            blocked: false,
            jwt_access_tokens: self.jwt_access_tokens(),
            disabled: external && !(self.plugin("isEnabled") && self.plugin("isOauthPluginEnabled")),
            in_force: None,
            key_bound: self.is_key_bound(),
            fixed: true,
        }
    }

    /// Whether refresh tokens are bound to a key: then a public client's need no rotation.
    fn is_key_bound(&self) -> bool {
        let on = |path: &str| self.app.parts.iter().any(|item| item.root.text(path) == Some("true"));
        on("oauthConfig/isDPopEnabled") || on("isDPopEnabled")
    }

    /// Older files have the flag in the policies as well.
    fn jwt_access_tokens(&mut self) -> bool {
        let policies = self.app.part(Kind::OauthPolicies);
        let there = policies.and_then(|item| item.root.text("isNamedUserJwtEnabled")) == Some("true");
        self.flag(&settings::NAMED_JWT, "isNamedUserJwtEnabled", there)
    }

    fn refresh_policy(&mut self, external: bool) -> RefreshPolicy {
        let hours = |hours: u64| i64::try_from(hours).unwrap_or(i64::MAX / HOUR).saturating_mul(HOUR);
        let (default, words) = if external {
            (YEAR, "365 days from the login")
        } else {
            (RefreshPolicy::Infinite, "until they are revoked")
        };
        match self.app.lifetime() {
            Some(Ok(Lifetime::Infinite)) => RefreshPolicy::Infinite,
            Some(Ok(Lifetime::Zero)) => RefreshPolicy::Zero,
            Some(Ok(Lifetime::Hours(count))) => RefreshPolicy::Lifetime(hours(count)),
            Some(Ok(Lifetime::IdleHours(count))) => RefreshPolicy::Inactivity(hours(count)),
            Some(Err(())) => {
                let message = format!("the policy cannot be read; refresh tokens are good {words}");
                self.assumed(&settings::REFRESH_POLICY, "refresh token policy", message);
                default
            }
            None => {
                if self.app.is_offline() && (!external || self.app.part(Kind::OauthPolicies).is_some()) {
                    let message = format!("no policy stands there; refresh tokens are good {words}");
                    self.assumed(&settings::REFRESH_POLICY, "refresh token policy", message);
                }
                default
            }
        }
    }

    fn ip_relaxed(&mut self) -> bool {
        let note = match self.app.relaxation().as_deref() {
            Some("BYPASS") => return true,
            Some("ENFORCE") | None => return false,
            Some("BYPASS_2FACTOR") => {
                "addresses are relaxed, and nobody is asked for a second factor for them".to_owned()
            }
            Some("ENFORCE_RELAXREFRESH") => "addresses are enforced for refreshes as well".to_owned(),
            Some(other) => format!("`{other}` is no relaxation that is known; addresses are enforced"),
        };
        let relaxed = self.app.relaxation().as_deref() == Some("BYPASS_2FACTOR");
        let place = Some(self.app.place(&settings::IP_RELAXATION));
        let what = "IP relaxation".to_owned();
        self.notes.push(Note { about: About::NotPlayed, place, what, message: note });
        relaxed
    }

    /// How long an access token lives without use, in milliseconds.
    fn session(&mut self) -> i64 {
        let default = AppPolicy::default().access_token_ttl;
        let Some(text) = self.app.text(&settings::SESSION_TIMEOUT) else { return default };
        match text.parse::<i64>() {
            Ok(minutes) if (1..=1440).contains(&minutes) => minutes * 60_000,
            // Nought leaves it to the profile and the org.
            Ok(0) => default,
            _ => {
                let message = format!("`{text}` is no number of minutes; sessions live for two hours");
                self.assumed(&settings::SESSION_TIMEOUT, "session timeout", message);
                default
            }
        }
    }

    /// Whether the client credentials flow is on: for an external client app, in both places that it has.
    fn client_credentials(&mut self) -> bool {
        let on = self.app.flag(&settings::CLIENT_CREDENTIALS) == Some(true);
        let policies = self.app.part(Kind::OauthPolicies);
        on && policies.is_none_or(|item| item.root.text("isClientCredentialsFlowEnabled") == Some("true"))
    }

    fn certificate(&mut self) -> Option<Certificate> {
        let text = self.app.text(&settings::CERTIFICATE)?;
        match Certificate::read(text) {
            Ok(certificate) => Some(certificate),
            Err(why) => {
                let message = format!("{why}; the app has none, and flows that sign are refused");
                self.assumed(&settings::CERTIFICATE, "certificate", message);
                None
            }
        }
    }

    /// Scopes as they go over the wire.
    fn scopes(&mut self) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for (name, place) in self.app.scopes() {
            let (value, note) = match scopes::wire(&name) {
                Some((value, true)) => (value.to_owned(), None),
                Some((value, false)) => {
                    (value.to_owned(), Some(format!("taken for `{value}`, which was seen in no request")))
                }
                None => (name.clone(), Some("no scope that is known; it is taken as it stands".to_owned())),
            };
            if let Some(message) = note {
                let (what, place) = (format!("scope {name}"), Some(place));
                self.notes.push(Note { about: About::Assumed, place, what, message });
            }
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let custom = self.app.part(Kind::OauthSettings);
        let custom = custom.and_then(|item| item.root.text("commaSeparatedCustomScopes")).unwrap_or("");
        for name in custom.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            values.push(name.to_owned());
        }
        values
    }

    /// Tells each element that says something which the org does not play, and each that nobody knows.
    fn not_played(&mut self) {
        for item in &self.app.parts {
            let mut told: Vec<String> = Vec::new();
            let mut look = |path: &str, element: &Element| -> bool {
                let message = match effect(item.kind, path) {
                    Some(Effect::NotPlayed(why)) if says_something(element) => why,
                    None => "nothing is known of this element",
                    Some(_) => return true,
                };
                if !told.iter().any(|known| known == path) {
                    told.push(path.to_owned());
                    let place = Some(Place::of(item, element));
                    let (about, what) = (About::NotPlayed, path.to_owned());
                    self.notes.push(Note { about, place, what, message: message.to_owned() });
                }
                false
            };
            for child in &item.root.children {
                if look(&child.name, child) && effect(item.kind, &child.name) == Some(Effect::Decides) {
                    for inner in &child.children {
                        look(&format!("{}/{}", child.name, inner.name), inner);
                    }
                }
            }
        }
    }
}

/// Whether an element asks for anything: a flag that is off does not.
fn says_something(element: &Element) -> bool {
    element.children.iter().any(says_something)
        || (element.children.is_empty() && !element.value.is_empty() && element.value != "false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;
    use crate::metadata::Project;

    const OAUTH: &str = "<callbackUrl>https://a.example/cb</callbackUrl><scopes>Api</scopes>";

    fn connected(oauth: &str, rest: &str) -> Registration {
        let source = format!("<ConnectedApp><oauthConfig>{OAUTH}{oauth}</oauthConfig>{rest}</ConnectedApp>");
        let mut project = Project::default();
        assert!(project.add(&Text::new("Main.connectedApp", source)));
        let apps = project.apps();
        registration(&apps[0]).unwrap()
    }

    fn told(registration: &Registration, about: About) -> Vec<String> {
        let notes = registration.notes.iter().filter(|note| note.about == about);
        notes.map(|note| format!("{}: {}", note.what, note.message)).collect()
    }

    #[test]
    fn policies_are_those_of_the_files() {
        let app = connected(
            "<scopes>RefreshToken</scopes><scopes>Basic</scopes><isPkceRequired>true</isPkceRequired>\
             <isAdminApproved>true</isAdminApproved><isRefreshTokenRotationEnabled>true</isRefreshTokenRotationEnabled>\
             <isClientCredentialEnabled>true</isClientCredentialEnabled>\
             <oauthClientCredentialUser>i@a.example</oauthClientCredentialUser>",
            "<oauthPolicy><ipRelaxation>BYPASS</ipRelaxation><refreshTokenPolicy>specific_inactivity:2:DAYS</refreshTokenPolicy></oauthPolicy>\
             <permissionSetName>Users</permissionSetName><sessionPolicy><sessionTimeout>15</sessionTimeout></sessionPolicy>",
        );
        let policy = &app.app.policy;
        assert!(policy.pkce_required && policy.admin_approved && policy.rotation && policy.ip_relaxed);
        assert!(policy.secret_for_refresh && !policy.secret_optional && policy.fixed && !policy.disabled);
        assert_eq!(policy.refresh_policy, RefreshPolicy::Inactivity(48 * HOUR));
        assert_eq!((policy.access_token_ttl, app.given), (15 * 60_000, true));
        assert_eq!(app.app.scopes, ["api", "refresh_token", "id"]);
        assert_eq!(app.app.flows, [Flow::WebServer, Flow::ClientCredentials, Flow::RefreshToken]);
        assert_eq!(app.run_as.as_deref(), Some("i@a.example"));
        assert!(app.notes.is_empty(), "{:?}", app.notes);
    }

    #[test]
    fn what_is_not_played_is_told_unless_it_is_off() {
        let app = connected(
            "<isDeviceFlowEnabled>true</isDeviceFlowEnabled><isDPopEnabled>false</isDPopEnabled><isNew2027>true</isNew2027>\
             <idTokenConfig><idTokenValidity>5</idTokenValidity></idTokenConfig>",
            "<ipRanges><start>1.1.1.1</start><end>1.1.1.2</end></ipRanges><ipRanges><start>1.1.1.1</start></ipRanges>\
             <oauthPolicy><ipRelaxation>ENFORCE_RELAXREFRESH</ipRelaxation><refreshTokenPolicy>zero</refreshTokenPolicy></oauthPolicy>",
        );
        let told = told(&app, About::NotPlayed);
        let begin = |what: &str| told.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!(
            [
                "oauthConfig/isDeviceFlowEnabled:",
                "oauthConfig/isNew2027: nothing",
                "oauthConfig/idTokenConfig:",
                "ipRanges:",
                "IP relaxation:"
            ]
            .map(begin),
            [1; 5],
            "{told:#?}"
        );
        assert_eq!(told.len(), 5, "{told:#?}");
    }

    #[test]
    fn silence_is_told_where_it_decides() {
        let app = connected(
            "<scopes>RefreshToken</scopes><scopes>MadeUp</scopes><certificate>no</certificate><isPkceRequired>yes</isPkceRequired>",
            "",
        );
        let told = told(&app, About::Assumed).join("\n");
        for line in [
            "refresh token policy: no policy",
            "scope MadeUp:",
            "certificate: it holds no X.509",
            "isPkceRequired: `yes` is neither",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert!(!app.app.flows.contains(&Flow::JwtBearer));
    }

    #[test]
    fn an_external_client_app_needs_both_of_its_switches() {
        let of = "<externalClientApplication>E</externalClientApplication>";
        let on = "<isClientCredentialsFlowEnabled>true</isClientCredentialsFlowEnabled>";
        let app = |policies: &str, switch: &str| {
            let mut project = Project::default();
            for (name, source) in [
                ("E.eca", "<ExternalClientApplication/>".to_owned()),
                (
                    "e.ecaGlblOauth",
                    format!("<ExtlClntAppGlobalOauthSettings>{of}{on}</ExtlClntAppGlobalOauthSettings>"),
                ),
                (
                    "e.ecaOauthPlcy",
                    format!(
                        "<ExtlClntAppOauthConfigurablePolicies>{of}{policies}</ExtlClntAppOauthConfigurablePolicies>"
                    ),
                ),
                (
                    "e.ecaPlcy",
                    format!(
                        "<ExtlClntAppConfigurablePolicies>{of}{switch}</ExtlClntAppConfigurablePolicies>"
                    ),
                ),
            ] {
                assert!(project.add(&Text::new(name, source)));
            }
            let apps = project.apps();
            registration(&apps[0]).unwrap().app
        };
        assert!(!app("", "").flows.contains(&Flow::ClientCredentials));
        let whole = app(on, "<isEnabled>true</isEnabled>");
        assert!(
            whole.flows.contains(&Flow::ClientCredentials)
                && whole.policy.pkce_required
                && !whole.policy.disabled
        );
        assert!(app(on, "<isOauthPluginEnabled>false</isOauthPluginEnabled>").policy.disabled);
    }
}
