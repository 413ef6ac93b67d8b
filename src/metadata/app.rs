//! An app as one: a connected app, or an external client app out of its files. What both have is asked for by one name.

use super::kinds::Kind;
use super::project::{Item, Project};
use super::registration::scopes::of_wire;
use super::rules::Place;
use super::xml::Element;
use crate::diagnostic::Span;

/// Which of the two an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Form {
    Connected,
    External,
}

/// An app.
#[derive(Clone, Debug)]
pub struct App<'p> {
    /// Its developer name.
    pub name: String,
    /// Which it is.
    pub form: Form,
    /// Its files.
    pub parts: Vec<&'p Item>,
}

/// A setting that both forms have: where each writes it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    connected: &'static str,
    external: (Kind, &'static str),
}

const fn global(connected: &'static str, external: &'static str) -> Setting {
    Setting { connected, external: (Kind::GlobalOauthSettings, external) }
}
const fn policy(connected: &'static str, external: &'static str) -> Setting {
    Setting { connected, external: (Kind::OauthPolicies, external) }
}

#[allow(missing_docs)]
pub mod settings {
    use super::{Kind, Setting, global, policy};

    pub const CALLBACK: Setting = global("oauthConfig/callbackUrl", "callbackUrl");
    pub const CERTIFICATE: Setting = global("oauthConfig/certificate", "certificate");
    pub const CONSUMER_KEY: Setting = global("oauthConfig/consumerKey", "consumerKey");
    pub const CONSUMER_SECRET: Setting = global("oauthConfig/consumerSecret", "consumerSecret");
    pub const PKCE: Setting = global("oauthConfig/isPkceRequired", "isPkceRequired");
    pub const ROTATION: Setting =
        global("oauthConfig/isRefreshTokenRotationEnabled", "isRefreshTokenRotationEnabled");
    pub const TTL: Setting = global("oauthConfig/isEnforceRefreshTokenTTL", "isEnforceRefreshTokenTTL");
    pub const SECRET_OPTIONAL: Setting =
        global("oauthConfig/isConsumerSecretOptional", "isConsumerSecretOptional");
    pub const SECRET_FOR_REFRESH: Setting =
        global("oauthConfig/isSecretRequiredForRefreshToken", "isSecretRequiredForRefreshToken");
    pub const SECRET_FOR_EXCHANGE: Setting =
        global("oauthConfig/isSecretRequiredForTokenExchange", "isSecretRequiredForTokenExchange");
    pub const INTROSPECT_ALL: Setting = global("oauthConfig/isIntrospectAllTokens", "isIntrospectAllTokens");
    pub const CLIENT_CREDENTIALS: Setting =
        global("oauthConfig/isClientCredentialEnabled", "isClientCredentialsFlowEnabled");
    pub const CODE_CREDENTIALS: Setting =
        global("oauthConfig/isCodeCredentialEnabled", "isCodeCredFlowEnabled");
    pub const POST_ONLY: Setting = global("oauthConfig/isCodeCredentialPostOnly", "isCodeCredPostOnly");
    pub const TOKEN_EXCHANGE: Setting =
        global("oauthConfig/isTokenExchangeEnabled", "isTokenExchangeEnabled");
    pub const DEVICE: Setting = global("oauthConfig/isDeviceFlowEnabled", "isDeviceFlowEnabled");
    pub const NAMED_JWT: Setting = global("oauthConfig/isNamedUserJwtEnabled", "isNamedUserJwtEnabled");
    pub const RUN_AS: Setting = policy("oauthConfig/oauthClientCredentialUser", "clientCredentialsFlowUser");
    pub const IP_RELAXATION: Setting = policy("oauthPolicy/ipRelaxation", "ipRelaxationPolicyType");
    pub const REFRESH_POLICY: Setting = policy("oauthPolicy/refreshTokenPolicy", "refreshTokenPolicyType");
    pub const PERMITTED: Setting = policy("oauthConfig/isAdminApproved", "permittedUsersPolicyType");
    pub const SESSION_TIMEOUT: Setting = policy("sessionPolicy/sessionTimeout", "sessionTimeoutInMinutes");
    pub const START_URL: Setting = policy("startUrl", "startUrl");
    pub const SCOPES: Setting = Setting {
        connected: "oauthConfig/scopes",
        external: (Kind::OauthSettings, "commaSeparatedOauthScopes"),
    };
}

/// Counts of hours, days or months in a refresh token policy. Nought is the policy `zero` in other words, or none at all.
const PERIODS: core::ops::RangeInclusive<u64> = 1..=100_000;

/// How long refresh tokens are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until they are revoked.
    Infinite,
    /// Not at all.
    Zero,
    /// So many hours after the login.
    Hours(u64),
    /// So many hours after the last use.
    IdleHours(u64),
}

impl<'p> App<'p> {
    /// Every app of a project.
    pub(super) fn all(project: &'p Project) -> Vec<App<'p>> {
        let connected = project.of(Kind::ConnectedApp).map(|item| App {
            name: item.name.clone(),
            form: Form::Connected,
            parts: vec![item],
        });
        let mut apps: Vec<App<'p>> = connected.collect();
        for item in project.of(Kind::ExternalClientApplication) {
            apps.push(App { name: item.name.clone(), form: Form::External, parts: vec![item] });
        }
        for item in &project.items {
            let Some(of) = item.header() else { continue };
            let named = |app: &App<'_>| app.form == Form::External && app.name == of;
            // The same name may stand in several packages; a part may stand elsewhere where there is one app only.
            let here = apps.iter().position(|app| named(app) && app.parts[0].package() == item.package());
            let mut others = apps.iter().enumerate().filter(|(_, app)| named(app)).map(|(number, _)| number);
            let only = others.next().filter(|_| others.next().is_none());
            match here.or(only) {
                Some(number) => apps[number].parts.push(item),
                // Without its header it is an app all the same: of a package, say.
                None => apps.push(App { name: of.to_owned(), form: Form::External, parts: vec![item] }),
            }
        }
        apps
    }

    /// The file of that type.
    pub fn part(&self, kind: Kind) -> Option<&'p Item> {
        self.parts.iter().copied().find(|item| item.kind == kind)
    }

    /// Whether there is anything of OAuth in it.
    pub fn has_oauth(&self) -> bool {
        match self.form {
            Form::Connected => self.parts[0].root.child("oauthConfig").is_some(),
            Form::External => self.part(Kind::GlobalOauthSettings).is_some(),
        }
    }

    fn home(&self, setting: &Setting) -> Option<(&'p Item, &'static str)> {
        match self.form {
            Form::Connected => Some((self.parts[0], setting.connected)),
            Form::External => Some((self.part(setting.external.0)?, setting.external.1)),
        }
    }

    /// The element of a setting.
    pub fn element(&self, setting: &Setting) -> Option<&'p Element> {
        let (item, path) = self.home(setting)?;
        item.root.at(path)
    }

    /// Its text.
    pub fn text(&self, setting: &Setting) -> Option<&'p str> {
        self.element(setting).map(|element| element.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a flag is on; none where it does not stand.
    pub fn flag(&self, setting: &Setting) -> Option<bool> {
        match self.text(setting)? {
            "true" | "AdminApprovedPreAuthorized" => Some(true),
            "false" | "AllSelfAuthorized" => Some(false),
            _ => None,
        }
    }

    /// Where a setting stands, or would stand.
    pub fn place(&self, setting: &Setting) -> Place {
        match self.home(setting) {
            Some((item, path)) => Place::of(item, item.root.nearest(path)),
            None => self.here(),
        }
    }

    /// The app as a whole.
    pub fn here(&self) -> Place {
        Place::of(self.parts[0], &self.parts[0].root)
    }

    /// Scopes as metadata names them, each with its place.
    pub fn scopes(&self) -> Vec<(String, Place)> {
        match self.home(&settings::SCOPES) {
            Some((item, path)) if self.form == Form::Connected => {
                let (above, name) = path.split_once('/').unwrap_or(("", path));
                let scopes = item.root.child(above).into_iter().flat_map(|config| config.all(name));
                scopes.map(|scope| (scope.value.clone(), Place::of(item, scope))).collect()
            }
            Some((item, path)) => item.root.at(path).map_or(Vec::new(), |list| split(item, list, ',')),
            None => Vec::new(),
        }
    }

    /// Whether it has one of these scopes, be it under the name that requests have.
    pub fn has_scope(&self, names: &[&str]) -> bool {
        self.scopes().iter().any(|(scope, _)| {
            names.contains(&scope.as_str()) || of_wire(scope).is_some_and(|own| names.contains(&own))
        })
    }

    /// Whether it grants refresh tokens.
    pub fn is_offline(&self) -> bool {
        self.has_scope(&["RefreshToken", "OfflineAccess"])
    }

    /// Callback URLs, each with its place.
    pub fn callbacks(&self) -> Vec<(String, Place)> {
        match self.home(&settings::CALLBACK) {
            Some((item, path)) => item.root.at(path).map_or(Vec::new(), |list| split(item, list, '\n')),
            None => Vec::new(),
        }
    }

    /// How long its refresh tokens are good; `Err` where it cannot be read.
    pub fn lifetime(&self) -> Option<Result<Lifetime, ()>> {
        let said = self.text(&settings::REFRESH_POLICY)?;
        let hours = |count: &str, unit: &str| {
            let count: u64 = count.parse().ok().filter(|count| PERIODS.contains(count))?;
            let hours = match unit.to_ascii_uppercase().as_str() {
                "HOURS" => 1,
                "DAYS" => 24,
                "MONTHS" => 24 * 30,
                _ => return None,
            };
            count.checked_mul(hours)
        };
        let period = || {
            let item = self.part(Kind::OauthPolicies)?;
            hours(item.root.text("refreshTokenValidityPeriod")?, item.root.text("refreshTokenValidityUnit")?)
        };
        let parts: Vec<&str> = said.split(':').collect();
        let read = match (self.form, parts.as_slice()) {
            (Form::Connected, ["infinite"]) | (Form::External, ["Infinite"]) => Some(Lifetime::Infinite),
            (Form::Connected, ["zero"]) | (Form::External, ["Zero"]) => Some(Lifetime::Zero),
            (Form::Connected, ["specific_lifetime", n, unit]) => hours(n, unit).map(Lifetime::Hours),
            (Form::Connected, ["specific_inactivity", n, unit]) => hours(n, unit).map(Lifetime::IdleHours),
            (Form::External, ["SpecificLifetime"]) => period().map(Lifetime::Hours),
            (Form::External, ["SpecificInactivity"]) => period().map(Lifetime::IdleHours),
            _ => None,
        };
        Some(read.ok_or(()))
    }

    /// IP relaxation in capitals, as connected apps write it.
    pub fn relaxation(&self) -> Option<String> {
        self.text(&settings::IP_RELAXATION).map(str::to_ascii_uppercase)
    }

    /// Profiles and permission sets that an admin gave it to.
    pub fn given_to(&self) -> Vec<&'p str> {
        let list: Vec<&'p str> = match self.form {
            Form::Connected => {
                let root = &self.parts[0].root;
                root.all("permissionSetName")
                    .chain(root.all("profileName"))
                    .map(|e| e.value.as_str())
                    .collect()
            }
            Form::External => {
                let root = self.part(Kind::OauthPolicies).map(|item| &item.root);
                let lists = ["commaSeparatedPermissionSet", "commaSeparatedProfile"];
                lists
                    .iter()
                    .filter_map(|name| root?.text(name))
                    .flat_map(|list| list.split(',').map(str::trim))
                    .collect()
            }
        };
        list.into_iter().filter(|name| !name.is_empty()).collect()
    }
}

impl Item {
    /// What it is told as: the app that it is of, or its own name.
    pub fn of(&self) -> &str {
        self.header().unwrap_or(&self.name)
    }

    /// The folder of the package that it is in: above the folder of its type, where it stands in one.
    fn package(&self) -> &str {
        let above = |path: &'_ str| path.rfind(['/', '\\']).unwrap_or(0);
        let folder = &self.text.name()[..above(self.text.name())];
        let last = folder.rsplit(['/', '\\']).next().unwrap_or("");
        if last == "externalClientApps" || last.starts_with("extlClntApp") {
            &folder[..above(folder)]
        } else {
            folder
        }
    }

    /// The external client app that a part belongs to.
    pub fn header(&self) -> Option<&str> {
        let parts = [
            Kind::OauthSettings,
            Kind::GlobalOauthSettings,
            Kind::OauthPolicies,
            Kind::Policies,
            Kind::OauthSecurity,
        ];
        if parts.contains(&self.kind) { self.root.text("externalClientApplication") } else { None }
    }
}

/// The members of a list in one element, each with its own place.
fn split(item: &Item, list: &Element, separator: char) -> Vec<(String, Place)> {
    let mut from = list.value_span.start;
    let source = item.text.source();
    let mut members = Vec::new();
    for member in list.value.split(separator).filter(|member| !member.trim().is_empty()) {
        // Blanks at the end of a line are told by a rule; those before it are how the file is indented.
        let trimmed =
            if separator == '\n' { member.trim_start().trim_end_matches('\r') } else { member.trim() };
        let shown = super::masking::urls(trimmed);
        let found = source.get(from..list.value_span.end).and_then(|rest| rest.find(&shown));
        // A line may be indented, which is no part of the member.
        let indent = trimmed.len() - trimmed.trim_start().len();
        let span = match found {
            Some(at) => Span::new(from + at + indent, from + at + trimmed.len()),
            None => list.value_span,
        };
        from = span.end.min(list.value_span.end).max(from);
        members.push((trimmed.to_owned(), Place { text: item.text.clone(), span }));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Text;

    fn project(files: &[(&str, &str)]) -> Project {
        let mut project = Project::default();
        for (name, source) in files {
            assert!(project.add(&Text::new(*name, *source)), "{name}");
        }
        project
    }

    #[test]
    fn parts_join_the_app_of_their_package() {
        let header = "<ExternalClientApplication/>";
        let part = "<ExtlClntAppConfigurablePolicies><externalClientApplication>A</externalClientApplication></ExtlClntAppConfigurablePolicies>";
        let project = project(&[
            ("one/externalClientApps/A.eca", header),
            ("two/externalClientApps/A.eca", header),
            ("one/extlClntAppPolicies/x.ecaPlcy", part),
            ("two/extlClntAppPolicies/y.ecaPlcy", part),
            ("three/z.ecaPlcy", part),
        ]);
        let parts: Vec<Vec<&str>> = project
            .apps()
            .iter()
            .map(|app| app.parts.iter().map(|item| item.text.name()).collect())
            .collect();
        assert_eq!(
            parts,
            [
                vec!["one/externalClientApps/A.eca", "one/extlClntAppPolicies/x.ecaPlcy"],
                vec!["two/externalClientApps/A.eca", "two/extlClntAppPolicies/y.ecaPlcy"],
                vec!["three/z.ecaPlcy"],
            ]
        );
    }

    #[test]
    fn a_period_has_bounds() {
        for (policy, read) in [
            ("specific_lifetime:0:HOURS", Err(())),
            ("specific_inactivity:99999999999999999:HOURS", Err(())),
            ("specific_inactivity:100001:DAYS", Err(())),
            ("specific_lifetime:100000:HOURS", Ok(Lifetime::Hours(100_000))),
        ] {
            let source = format!(
                "<ConnectedApp><oauthConfig/><oauthPolicy><refreshTokenPolicy>{policy}</refreshTokenPolicy></oauthPolicy></ConnectedApp>"
            );
            let project = project(&[("C.connectedApp", &source)]);
            assert_eq!(project.apps()[0].lifetime(), Some(read), "{policy}");
        }
    }

    #[test]
    fn a_scope_under_the_name_of_requests_is_that_scope() {
        let source = "<ConnectedApp><oauthConfig><scopes>refresh_token</scopes></oauthConfig></ConnectedApp>";
        let project = project(&[("C.connectedApp", source)]);
        assert!(project.apps()[0].is_offline());
    }

    #[test]
    fn an_indented_callback_stands_where_its_first_letter_is() {
        let source = "<ConnectedApp><oauthConfig><callbackUrl>https://a.com\n\t\thttp://b.com</callbackUrl></oauthConfig></ConnectedApp>";
        let project = project(&[("C.connectedApp", source)]);
        let places = project.apps()[0].callbacks();
        let (uri, Place { text, span }) = &places[1];
        assert_eq!((uri.as_str(), text.line_column(span.start)), ("http://b.com", (2, 3)));
        assert_eq!(&text.source()[span.start..span.end], "http://b.com");
    }

    #[test]
    fn both_forms_are_asked_by_one_name() {
        let connected = "<ConnectedApp><oauthConfig><callbackUrl>https://a\n  https://b</callbackUrl><scopes>Api</scopes><scopes>RefreshToken</scopes></oauthConfig><oauthPolicy><refreshTokenPolicy>specific_inactivity:2:DAYS</refreshTokenPolicy></oauthPolicy></ConnectedApp>";
        let of = "<externalClientApplication>E</externalClientApplication>";
        let settings = format!(
            "<ExtlClntAppOauthSettings>{of}<commaSeparatedOauthScopes>Api, RefreshToken</commaSeparatedOauthScopes></ExtlClntAppOauthSettings>"
        );
        let global = format!(
            "<ExtlClntAppGlobalOauthSettings>{of}<callbackUrl>https://a\nhttps://b</callbackUrl></ExtlClntAppGlobalOauthSettings>"
        );
        let policies = format!(
            "<ExtlClntAppOauthConfigurablePolicies>{of}<refreshTokenPolicyType>SpecificInactivity</refreshTokenPolicyType><refreshTokenValidityPeriod>2</refreshTokenValidityPeriod><refreshTokenValidityUnit>Days</refreshTokenValidityUnit></ExtlClntAppOauthConfigurablePolicies>"
        );
        let project = project(&[
            ("C.connectedApp", connected),
            ("E.eca", "<ExternalClientApplication/>"),
            ("e.ecaOauth", &settings),
            ("e.ecaGlblOauth", &global),
            ("e.ecaOauthPlcy", &policies),
        ]);
        let apps = project.apps();
        assert_eq!(apps.len(), 2);
        for app in &apps {
            let words = |list: Vec<(String, Place)>| {
                for (word, place) in &list {
                    assert_eq!(&place.text.source()[place.span.start..place.span.end].trim(), word);
                }
                list.into_iter().map(|(word, _)| word).collect::<Vec<_>>()
            };
            assert_eq!(words(app.scopes()), ["Api", "RefreshToken"]);
            assert_eq!(words(app.callbacks()), ["https://a", "https://b"]);
            assert_eq!(app.lifetime(), Some(Ok(Lifetime::IdleHours(48))));
            assert!(app.is_offline() && app.has_oauth());
        }
    }
}
