//! Named Credentials, External Credentials, auth providers, single sign-on: Salesforce as the client.

use super::{Context, Rule, Told, filled_in};
use crate::metadata::kinds::{EXTERNAL_PARAMETERS, Kind, NAMED_PARAMETERS};
use crate::metadata::project::Item;
use crate::metadata::xml::Element;
use crate::verdict::{Basis, Level};

const NAMED: &str = "Salesforce Metadata API Developer Guide: NamedCredential";
const EXTERNAL: &str = "Salesforce Metadata API Developer Guide: ExternalCredential";
const PROVIDER: &str = "Salesforce Metadata API Developer Guide: AuthProvider";
const SETUP: &str = "Setup › Named Credentials › the credential › Edit.";

/// Variants of protocols (Metadata API Developer Guide: ExternalCredential).
const VARIANTS: [&str; 6] = [
    "ClientCredentialsClientSecret",
    "ClientCredentialsClientSecretBasic",
    "ClientCredentialsJwtAssertion",
    "JwtBearer",
    "AwsSv4_STS",
    "RolesAnywhere",
];

/// Parameters of a credential: element, type, name.
fn parameters(item: &Item) -> impl Iterator<Item = (&Element, &str, &str)> {
    let list = match item.kind {
        Kind::NamedCredential => "namedCredentialParameters",
        _ => "externalCredentialParameters",
    };
    item.root
        .all(list)
        .map(|p| (p, p.text("parameterType").unwrap_or(""), p.text("parameterName").unwrap_or("")))
}

fn parameter<'i>(item: &'i Item, kind: &str) -> Option<&'i Element> {
    parameters(item).find(|(_, of, _)| *of == kind).map(|(element, ..)| element)
}

/// Variant of the protocol, for OAuth.
fn variant(item: &Item) -> Option<&str> {
    if item.root.text("authenticationProtocol") != Some("Oauth") {
        return None;
    }
    parameter(item, "AuthProtocolVariant")?.text("parameterValue")
}

/// Whether a legacy named credential stands here, which has its endpoint in itself.
fn is_legacy(item: &Item) -> bool {
    matches!(item.root.text("namedCredentialType"), None | Some("Legacy"))
}

/// Elements that hold URLs to which calls go.
fn urls(c: &Context<'_>, mut with: impl FnMut(&Item, &Element)) {
    for item in &c.project.items {
        let paths: &[&str] = match item.kind {
            Kind::NamedCredential => &["endpoint", "authTokenEndpointUrl"],
            Kind::AuthProvider => &["authorizeUrl", "tokenUrl", "userInfoUrl"],
            Kind::SamlSsoConfig => &["loginUrl"],
            _ => &[],
        };
        paths.iter().filter_map(|path| item.root.at(path)).for_each(|element| with(item, element));
        if matches!(item.kind, Kind::NamedCredential | Kind::ExternalCredential) {
            for (parameter, kind, _) in parameters(item) {
                if let Some(value) =
                    parameter.child("parameterValue").filter(|_| matches!(kind, "Url" | "AuthProviderUrl"))
                {
                    with(item, value);
                }
            }
        }
    }
}

fn to_salesforce(url: &str) -> bool {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    host.is_some_and(|host| {
        ["salesforce.com", "force.com", "my.site.com", "salesforce.mil"]
            .iter()
            .any(|known| host == *known || host.ends_with(&format!(".{known}")))
    })
}

/// Whether a URL leads to a host at which the users of all orgs log in.
fn is_shared_login(url: &str) -> bool {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    host.is_some_and(|host| matches!(host.as_str(), "login.salesforce.com" | "test.salesforce.com"))
}

/// Whether a token can be renewed after that status: Salesforce takes 4xx and 6xx to 9xx.
fn renews(status: &str) -> bool {
    let digits = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
    digits && matches!(status.as_bytes()[0], b'4' | b'6'..=b'9')
}

fn token_url(item: &Item) -> Option<&str> {
    parameter(item, "AuthProviderUrl")?.text("parameterValue")
}

fn known_types(item: &Item, known: &[&str], told: &mut Told) {
    for (element, kind, name) in parameters(item) {
        if !known.contains(&kind) {
            let at = element.child("parameterType").unwrap_or(element);
            told.item(item, at, format!("`{kind}` is no type of a parameter (`{name}`)"));
        }
    }
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "credentials/url-is-https",
        "calls and tokens go by https",
        Must,
        Derived,
        &["RFC 9700 §2.6", "RFC 6749 §3.2"],
        "The access token, and at the token endpoint the secret, stand in the request.",
        SETUP,
        "https in endpoint, parameterValue of Url and AuthProviderUrl, tokenUrl, authorizeUrl, userInfoUrl, loginUrl.",
        |c, told| urls(c, |item, element| {
            let value = element.value.to_ascii_lowercase();
            if !value.is_empty()
                && !value.starts_with("https://")
                && !filled_in(&value)
                && !value.starts_with("callout:")
            {
                told.item(item, element, "this is no https URL");
            }
        })
    ),
    rule!(
        "credentials/named-credential-is-complete",
        "a named credential has a URL and an authentication",
        Must,
        Vendor,
        &[NAMED],
        "A SecuredEndpoint needs one parameter of type Url, and one of type Authentication that names the external credential.",
        SETUP,
        "namedCredentialParameters with parameterType Url; another with parameterType Authentication, parameterName ExternalCredential and the element externalCredential.",
        |c, told| {
            for item in c
                .project
                .of(Kind::NamedCredential)
                .filter(|item| item.root.text("namedCredentialType") == Some("SecuredEndpoint"))
            {
                if parameter(item, "Url").and_then(|url| url.text("parameterValue")).is_none() {
                    told.item(item, &item.root, "no parameter of type Url");
                }
                match parameter(item, "Authentication") {
                    None => told.item(item, &item.root, "no parameter of type Authentication"),
                    Some(element) if element.text("externalCredential").is_none() => {
                        told.item(item, element, "it names no external credential")
                    }
                    Some(_) => {}
                }
            }
        }
    ),
    rule!(
        "credentials/external-credential-is-there",
        "the external credential that is named is in the project",
        Should,
        Derived,
        &[NAMED],
        "A named credential whose external credential is not there fails on deployment to an org that lacks it.",
        SETUP,
        "Deploy the ExternalCredential with it, or correct the name.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential) {
                for (parameter, ..) in parameters(item) {
                    let Some(named) =
                        parameter.child("externalCredential").filter(|named| !named.value.is_empty())
                    else {
                        continue;
                    };
                    if !c.project.of(Kind::ExternalCredential).any(|other| other.name == named.value) {
                        told.item(
                            item,
                            named,
                            format!("there is no external credential `{}` in the project", named.value),
                        );
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/auth-provider-is-there",
        "the auth provider that is named is in the project",
        Should,
        Derived,
        &[EXTERNAL, PROVIDER],
        "A credential of the browser flow without its auth provider fails on deployment to an org that lacks it.",
        SETUP,
        "Deploy the AuthProvider with it, or correct the name.",
        |c, told| {
            for item in c
                .project
                .items
                .iter()
                .filter(|item| matches!(item.kind, Kind::NamedCredential | Kind::ExternalCredential))
            {
                let inside = parameters(item).filter_map(|(parameter, ..)| parameter.child("authProvider"));
                for named in item
                    .root
                    .child("authProvider")
                    .into_iter()
                    .chain(inside)
                    .filter(|named| !named.value.is_empty())
                {
                    if !c.project.of(Kind::AuthProvider).any(|other| other.name == named.value) {
                        told.item(
                            item,
                            named,
                            format!("there is no auth provider `{}` in the project", named.value),
                        );
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/parameter-type-is-known",
        "each parameter is of a type that exists",
        Must,
        Vendor,
        &[NAMED, EXTERNAL],
        "Published templates use AuthProviderTokenEndpoint, AuthProviderClientId, AuthProviderClientSecret or AuthProviderScope, none of which exists; a deployment refuses them.",
        SETUP,
        "AuthProviderUrl for the token endpoint, AuthParameter named Scope for the scope; client id and secret belong to the principal and are entered in Setup.",
        |c, told| {
            c.project.of(Kind::NamedCredential).for_each(|item| known_types(item, NAMED_PARAMETERS, told));
            c.project
                .of(Kind::ExternalCredential)
                .for_each(|item| known_types(item, EXTERNAL_PARAMETERS, told));
        }
    ),
    rule!(
        "credentials/variant-has-its-parameters",
        "a variant of OAuth has the parameters that it needs",
        Must,
        Vendor,
        &[EXTERNAL],
        "Client credentials need AuthProtocolVariant and AuthProviderUrl; with an assertion and for JWT bearer a SigningCertificate as well. The deployment names what is missing, not where.",
        SETUP,
        "externalCredentialParameters of those types.",
        |c, told| {
            for item in c.project.of(Kind::ExternalCredential) {
                let Some(variant) = variant(item) else { continue };
                let needs: &[&str] = match variant {
                    "ClientCredentialsClientSecret" | "ClientCredentialsClientSecretBasic" => {
                        &["AuthProviderUrl"]
                    }
                    "ClientCredentialsJwtAssertion" | "JwtBearer" => {
                        &["AuthProviderUrl", "SigningCertificate"]
                    }
                    _ => continue,
                };
                for kind in needs {
                    let part = if *kind == "SigningCertificate" { "certificate" } else { "parameterValue" };
                    match parameter(item, kind) {
                        None => {
                            told.item(item, &item.root, format!("{variant} needs a parameter of type {kind}"))
                        }
                        Some(element) if element.text(part).or(element.text("parameterValue")).is_none() => {
                            told.item(item, element, format!("the parameter of type {kind} has no {part}"))
                        }
                        Some(_) => {}
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/variant-is-known",
        "the variant of a protocol is one that exists",
        Should,
        Vendor,
        &[EXTERNAL],
        "What is misspelt is refused on deployment, or is taken for the browser flow; of a variant that is newer than this list nothing is judged.",
        SETUP,
        "parameterValue ClientCredentialsClientSecret, ClientCredentialsClientSecretBasic, ClientCredentialsJwtAssertion, JwtBearer, AwsSv4_STS or RolesAnywhere.",
        |c, told| {
            for item in c.project.of(Kind::ExternalCredential) {
                for (element, ..) in parameters(item).filter(|(_, kind, _)| *kind == "AuthProtocolVariant") {
                    let variant = element.text("parameterValue").unwrap_or("");
                    if !VARIANTS.contains(&variant) {
                        let place = element.nearest("parameterValue");
                        told.item(item, place, format!("`{variant}` is no variant that is known here"));
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/oauth-has-a-way",
        "OAuth has a variant or a provider",
        Must,
        Vendor,
        &[EXTERNAL],
        "Without a variant it is the browser flow, which needs an AuthProvider or an ExternalAuthIdentityProvider.",
        SETUP,
        "A parameter of type AuthProtocolVariant, AuthProvider or ExternalAuthIdentityProvider.",
        |c, told| {
            for item in c
                .project
                .of(Kind::ExternalCredential)
                .filter(|item| item.root.text("authenticationProtocol") == Some("Oauth"))
            {
                let ways = ["AuthProtocolVariant", "AuthProvider", "ExternalAuthIdentityProvider"];
                if !ways.iter().any(|kind| parameter(item, kind).is_some()) {
                    told.item(
                        item,
                        item.root.nearest("authenticationProtocol"),
                        "OAuth has neither a variant nor a provider",
                    );
                }
            }
        }
    ),
    rule!(
        "credentials/there-is-a-principal",
        "an external credential has a principal",
        Should,
        Vendor,
        &[EXTERNAL],
        "Permission sets give access to principals. Without one nobody can use the credential: We couldn't access the credential.",
        "Setup › Named Credentials › External Credentials › the credential › Principals › New.",
        "A parameter of type NamedPrincipal or PerUserPrincipal.",
        |c, told| {
            for item in c.project.of(Kind::ExternalCredential) {
                if item.root.text("authenticationProtocol") != Some("NoAuthentication")
                    && !parameters(item).any(|(_, kind, _)| kind.ends_with("Principal"))
                {
                    told.item(item, &item.root, "it has no principal");
                }
            }
        }
    ),
    rule!(
        "credentials/client-credentials-go-to-the-org",
        "client credentials are sent to the org itself",
        Must,
        Community,
        &[
            "Salesforce Help: OAuth 2.0 Client Credentials Flow",
            "field notes: invalid_grant, request not supported on this domain"
        ],
        "login.salesforce.com and test.salesforce.com serve many orgs and have no user for an app to run as: they refuse client credentials with request not supported on this domain.",
        SETUP,
        "https://MYDOMAIN.my.salesforce.com/services/oauth2/token in the parameterValue of AuthProviderUrl.",
        |c, told| {
            for item in c
                .project
                .of(Kind::ExternalCredential)
                .filter(|item| variant(item).is_some_and(|variant| variant.starts_with("ClientCredentials")))
            {
                let Some(url) = parameter(item, "AuthProviderUrl") else { continue };
                if url.text("parameterValue").is_some_and(is_shared_login) {
                    told.item(
                        item,
                        url.nearest("parameterValue"),
                        "client credentials are refused on this host, which is no org's own",
                    );
                }
            }
        }
    ),
    rule!(
        "credentials/refresh-status-is-allowed",
        "a further status that renews a token is one that may be named",
        Must,
        Vendor,
        &[EXTERNAL],
        "AdditionalRefreshStatusCode takes 400 to 499 and 600 to 999; 401 renews the token in any case. Another status, or a text, is refused on deployment.",
        SETUP,
        "One status in parameterValue, 403 say.",
        |c, told| {
            for item in c.project.of(Kind::ExternalCredential) {
                for (element, ..) in
                    parameters(item).filter(|(_, kind, _)| *kind == "AdditionalRefreshStatusCode")
                {
                    let status = element.text("parameterValue").unwrap_or("");
                    if !renews(status) && !filled_in(status) {
                        let place = element.nearest("parameterValue");
                        told.item(item, place, format!("`{status}` is no status that renews a token"));
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/no-scope-towards-salesforce",
        "towards a Salesforce org no scope is asked for",
        Must,
        Community,
        &["field notes: invalid_request, scope parameter not supported"],
        "Salesforce's token endpoint refuses scope for client credentials and JWT bearer.",
        SETUP,
        "Take the parameter named Scope, or oauthScope, out.",
        |c, told| {
            for item in c
                .project
                .of(Kind::ExternalCredential)
                .filter(|item| variant(item).is_some() && token_url(item).is_some_and(to_salesforce))
            {
                for (element, kind, name) in parameters(item) {
                    if kind == "AuthParameter"
                        && name.eq_ignore_ascii_case("scope")
                        && element.text("parameterValue").is_some()
                    {
                        told.item(
                            item,
                            element.nearest("parameterValue"),
                            "the token endpoint is Salesforce's, which takes no scope here",
                        );
                    }
                }
            }
            for item in c
                .project
                .of(Kind::NamedCredential)
                .filter(|item| item.root.text("protocol") == Some("JwtExchange"))
            {
                if let Some(scope) = item.root.child("oauthScope").filter(|scope| {
                    !scope.value.is_empty()
                        && item.root.text("authTokenEndpointUrl").is_some_and(to_salesforce)
                }) {
                    told.item(item, scope, "the token endpoint is Salesforce's, which takes no scope here");
                }
            }
        }
    ),
    rule!(
        "credentials/assertion-is-rs256-towards-salesforce",
        "towards a Salesforce org assertions are signed with RS256",
        Must,
        Community,
        &["field notes: Unable to complete the JWT token exchange, invalid client credentials"],
        "A Salesforce token endpoint refuses RS512 with invalid client credentials.",
        SETUP,
        "JwtHeaderClaim alg with the value RS256.",
        |c, told| {
            for item in c
                .project
                .of(Kind::ExternalCredential)
                .filter(|item| token_url(item).is_some_and(to_salesforce))
            {
                for (element, kind, name) in parameters(item) {
                    let value = element.text("parameterValue").unwrap_or("");
                    if kind == "JwtHeaderClaim"
                        && name == "alg"
                        && !value.trim_matches('"').eq_ignore_ascii_case("RS256")
                    {
                        told.item(
                            item,
                            element.nearest("parameterValue"),
                            format!("assertions are signed with {value}"),
                        );
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/assertion-has-its-claims",
        "a JWT names issuer, subject and audience",
        Must,
        Normative,
        &["RFC 7523 §3", EXTERNAL],
        "The authorization server must refuse an assertion that lacks one of them.",
        SETUP,
        "JwtBodyClaim for iss, sub and aud; in a legacy credential jwtIssuer, jwtTextSubject or jwtFormulaSubject, jwtAudience.",
        |c, told| {
            for item in
                c.project.of(Kind::ExternalCredential).filter(|item| variant(item) == Some("JwtBearer"))
            {
                for claim in ["iss", "sub", "aud"] {
                    if !parameters(item).any(|(_, kind, name)| kind == "JwtBodyClaim" && name == claim) {
                        told.item(item, &item.root, format!("the assertion has no claim {claim}"));
                    }
                }
            }
            for item in c.project.of(Kind::NamedCredential).filter(|item| {
                is_legacy(item) && matches!(item.root.text("protocol"), Some("Jwt" | "JwtExchange"))
            }) {
                let subject =
                    ["jwtTextSubject", "jwtFormulaSubject"].iter().any(|name| item.root.text(name).is_some());
                for (name, there) in [
                    ("jwtIssuer", item.root.text("jwtIssuer").is_some()),
                    ("jwtAudience", item.root.text("jwtAudience").is_some()),
                    ("jwtTextSubject", subject),
                ] {
                    if !there {
                        told.item(item, item.root.nearest("protocol"), format!("{name} is missing"));
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/legacy-credential-is-complete",
        "a legacy credential has an endpoint, and for OAuth an auth provider",
        Must,
        Vendor,
        &[NAMED],
        "A legacy credential holds the endpoint itself, and nothing can be called without one. With protocol Oauth the auth provider hands out the token: without one nobody can authenticate.",
        SETUP,
        "endpoint; authProvider beside protocol Oauth. Of a new credential: namedCredentialType SecuredEndpoint.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential).filter(|item| is_legacy(item)) {
                if item.root.text("endpoint").is_none() {
                    told.item(item, item.root.nearest("namedCredentialType"), "endpoint is missing");
                }
                if item.root.text("protocol") == Some("Oauth") && item.root.text("authProvider").is_none() {
                    told.item(item, item.root.nearest("protocol"), "authProvider is missing");
                }
            }
        }
    ),
    rule!(
        "credentials/jwt-exchange-is-complete",
        "a legacy JWT credential has certificate and token endpoint",
        Must,
        Vendor,
        &[NAMED],
        "Jwt and JwtExchange sign with jwtSigningCertificate; JwtExchange sends the assertion to authTokenEndpointUrl.",
        SETUP,
        "jwtSigningCertificate, and authTokenEndpointUrl for JwtExchange.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential).filter(|item| is_legacy(item)) {
                let needs: &[&str] = match item.root.text("protocol") {
                    Some("Jwt") => &["jwtSigningCertificate"],
                    Some("JwtExchange") => &["jwtSigningCertificate", "authTokenEndpointUrl"],
                    _ => &[],
                };
                for name in needs.iter().filter(|name| item.root.text(name).is_none()) {
                    told.item(item, item.root.nearest("protocol"), format!("{name} is missing"));
                }
            }
        }
    ),
    rule!(
        "credentials/jwt-is-short-lived",
        "a JWT that is its own token is good for minutes",
        Should,
        Derived,
        &["RFC 7523 §3", "RFC 9700 §2.2"],
        "With protocol Jwt the signed JWT itself is the bearer token. Salesforce's own token endpoint takes three minutes.",
        SETUP,
        "jwtValidityPeriodSeconds of at most 600.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential) {
                if let Some(element) = item
                    .root
                    .child("jwtValidityPeriodSeconds")
                    .filter(|element| element.value.parse().is_ok_and(|n: i64| n > 600))
                {
                    told.item(item, element, format!("it is good for {} seconds", element.value));
                }
            }
        }
    ),
    rule!(
        "credentials/principal-fits-the-protocol",
        "a legacy credential with a protocol has a principal",
        Must,
        Vendor,
        &[NAMED],
        "With principalType Anonymous nothing is authenticated, whatever the protocol says; without a protocol no header is made.",
        SETUP,
        "principalType NamedUser or PerUser with a protocol; Anonymous with NoAuthentication.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential).filter(|item| is_legacy(item)) {
                let authenticates =
                    item.root.text("protocol").is_some_and(|protocol| protocol != "NoAuthentication");
                if authenticates && item.root.text("principalType") == Some("Anonymous") {
                    told.item(
                        item,
                        item.root.nearest("principalType"),
                        "the principal is anonymous, and the protocol authenticates somebody",
                    );
                }
            }
        }
    ),
    rule!(
        "credentials/no-password-is-kept",
        "a credential authenticates by more than a password",
        BestPractice,
        Derived,
        &["RFC 9700 §2.4"],
        "A password does not expire, is not limited by scopes, and stands in every request.",
        SETUP,
        "Another protocol: Oauth, Jwt, JwtExchange.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential) {
                if let Some(element) = item
                    .root
                    .child("protocol")
                    .filter(|element| matches!(element.value.as_str(), "Password" | "Basic"))
                {
                    told.item(item, element, "it sends a password with every call");
                }
            }
        }
    ),
    rule!(
        "credentials/body-is-not-merged",
        "formulas are merged into headers only where that is needed",
        BestPractice,
        Derived,
        &[NAMED],
        "With merge fields code can put the credential itself into a body or header, and send it on.",
        SETUP,
        "allowMergeFieldsInBody and allowMergeFieldsInHeader false, unless a custom header needs them.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential) {
                if let Some(element) =
                    item.root.child("allowMergeFieldsInBody").filter(|element| element.value == "true")
                {
                    told.item(item, element, "code may put the credential into a body");
                }
            }
        }
    ),
    rule!(
        "credentials/it-is-not-legacy",
        "a named credential is of the new kind",
        BestPractice,
        Vendor,
        &["Salesforce Help: Named Credentials (legacy named credentials are deprecated)"],
        "A legacy credential holds endpoint and secret in one, for everybody. With an external credential permission sets decide who uses which principal.",
        "Setup › Named Credentials › External Credentials › New; then a named credential that uses it.",
        "namedCredentialType SecuredEndpoint with namedCredentialParameters, and an ExternalCredential.",
        |c, told| {
            for item in c.project.of(Kind::NamedCredential).filter(|item| is_legacy(item)) {
                let place = super::Place { text: item.text.clone(), span: item.root.span };
                told.at(&item.name, place, "it is a legacy named credential");
            }
        }
    ),
];
