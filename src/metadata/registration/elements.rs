//! Every element of an app, and what the embedded org makes of it.

use super::super::kinds::Kind;

/// What becomes of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It decides what the org answers.
    Decides,
    /// No answer of OAuth depends on it.
    Aside,
    /// It would decide something that the org does not play: what.
    NotPlayed(&'static str),
}

use Effect::{Aside, Decides, NotPlayed};
use Kind::{
    ConnectedApp, ExternalClientApplication, GlobalOauthSettings, OauthPolicies, OauthSecurity,
    OauthSettings, Policies,
};

const IP: &str =
    "addresses are not compared: a user with `ip_restricted` stands for one who comes from elsewhere";
const TOKEN_IP: &str = "from which address a refresh token comes is not compared";
const EXCHANGE: &str = "token exchange is not played";
const HEADLESS: &str = "the code and credentials flow is not played";
const DEVICE: &str = "the device flow is not played";
const DPOP: &str = "tokens are bearer tokens, bound to no key";
const MTLS: &str = "clients do not authenticate by TLS certificates";
const LOGOUT: &str = "single log-out is not played";
const ATTRIBUTES: &str = "identity answers have no custom attributes";
const ID_TOKEN: &str = "ID tokens have the audience, claims and lifetime of an app that says nothing";
const ASSET: &str = "asset tokens are not played";
const HANDLER: &str = "no Apex handler is called";
const SESSION: &str = "sessions have no level: nobody is stepped up or blocked for theirs";
const TTL: &str = "the lifetime of refresh tokens is always enforced";
const GUEST: &str = "guests are not played";
const JWT_TIMEOUT: &str = "JWT access tokens live as long as sessions";
const CUSTOM_POLICY: &str = "which custom scopes a policy leaves is not looked at";

/// Rows: the types, the paths, the effect. A path stands for all that is in it.
type Row = (&'static [Kind], &'static [&'static str], Effect);

const ROWS: &[Row] = &[
    (
        &[ConnectedApp],
        &[
            "oauthConfig",
            "oauthConfig/callbackUrl",
            "oauthConfig/certificate",
            "oauthConfig/consumerKey",
            "oauthConfig/consumerSecret",
            "oauthConfig/scopes",
            "oauthConfig/isAdminApproved",
            "oauthConfig/isConsumerSecretOptional",
            "oauthConfig/isSecretRequiredForRefreshToken",
            "oauthConfig/isIntrospectAllTokens",
            "oauthConfig/isClientCredentialEnabled",
            "oauthConfig/oauthClientCredentialUser",
            "oauthConfig/isNamedUserJwtEnabled",
            "oauthConfig/isPkceRequired",
            "oauthConfig/isRefreshTokenRotationEnabled",
            "oauthPolicy",
            "oauthPolicy/ipRelaxation",
            "oauthPolicy/refreshTokenPolicy",
            "permissionSetName",
            "profileName",
            "sessionPolicy",
            "sessionPolicy/sessionTimeout",
        ],
        Decides,
    ),
    (
        &[ConnectedApp],
        &[
            "contactEmail",
            "contactPhone",
            "description",
            "fullName",
            "iconUrl",
            "infoUrl",
            "label",
            "logoUrl",
            "mobileStartUrl",
            "startUrl",
        ],
        Aside,
    ),
    (&[ConnectedApp], &["attributes"], NotPlayed(ATTRIBUTES)),
    (&[ConnectedApp], &["canvas", "canvasConfig"], NotPlayed("Canvas is not played")),
    (&[ConnectedApp], &["mobileAppConfig"], NotPlayed("mobile settings are not played")),
    (&[ConnectedApp], &["samlConfig"], NotPlayed("the org is no SAML identity provider")),
    (&[ConnectedApp], &["ipRanges"], NotPlayed(IP)),
    (&[ConnectedApp], &["plugin", "pluginExecutionUser"], NotPlayed(HANDLER)),
    (&[ConnectedApp], &["sessionPolicy/policyAction", "sessionPolicy/sessionLevel"], NotPlayed(SESSION)),
    (
        &[ConnectedApp],
        &[
            "oauthConfig/isSecretRequiredForTokenExchange",
            "oauthConfig/isTokenExchangeEnabled",
            "oauthPolicy/isTokenExchangeFlowEnabled",
        ],
        NotPlayed(EXCHANGE),
    ),
    (
        &[ConnectedApp],
        &["oauthConfig/isCodeCredentialEnabled", "oauthConfig/isCodeCredentialPostOnly"],
        NotPlayed(HEADLESS),
    ),
    (&[ConnectedApp], &["oauthConfig/isDeviceFlowEnabled"], NotPlayed(DEVICE)),
    (&[ConnectedApp], &["oauthConfig/isDPopEnabled"], NotPlayed(DPOP)),
    (&[ConnectedApp], &["oauthConfig/isPKImTLSEnabled"], NotPlayed(MTLS)),
    (&[ConnectedApp], &["oauthConfig/isEnforceRefreshTokenTTL"], NotPlayed(TTL)),
    (&[ConnectedApp], &["oauthConfig/isIpBindingEnabled"], NotPlayed(TOKEN_IP)),
    (&[ConnectedApp], &["oauthConfig/singleLogoutUrl", "oauthPolicy/singleLogoutUrl"], NotPlayed(LOGOUT)),
    (&[ConnectedApp], &["oauthConfig/idTokenConfig"], NotPlayed(ID_TOKEN)),
    (&[ConnectedApp], &["oauthConfig/assetTokenConfig"], NotPlayed(ASSET)),
    (
        &[ExternalClientApplication],
        &[
            "contactEmail",
            "contactPhone",
            "description",
            "fullName",
            "iconUrl",
            "infoUrl",
            "label",
            "logoUrl",
            "isProtected",
            "managedType",
            "orgScopedExternalApp",
        ],
        Aside,
    ),
    (
        &[ExternalClientApplication],
        &["distributionState"],
        NotPlayed(
            "a Local app is refused on login.salesforce.com and test.salesforce.com; the org takes it on every host",
        ),
    ),
    (
        &[OauthSettings, GlobalOauthSettings, OauthPolicies, Policies, OauthSecurity],
        &["externalClientApplication", "label", "fullName"],
        Aside,
    ),
    (&[OauthSettings], &["commaSeparatedOauthScopes", "commaSeparatedCustomScopes"], Decides),
    (&[OauthSettings], &["oauthLink", "isFirstPartyAppEnabled"], Aside),
    (&[OauthSettings], &["singleLogoutUrl"], NotPlayed(LOGOUT)),
    (&[OauthSettings], &["trustedIpRanges"], NotPlayed(IP)),
    (&[OauthSettings], &["customAttributes"], NotPlayed(ATTRIBUTES)),
    (
        &[OauthSettings],
        &["clientAssertionCertificate"],
        NotPlayed("a client assertion is checked with the certificate of the global settings"),
    ),
    (
        &[OauthSettings],
        &[
            "assetTokenAudiences",
            "assetTokenSigningCertificate",
            "assetTokenValidity",
            "areAttributesIncludedInAssetToken",
            "areCustomPermsIncludedInAssetToken",
        ],
        NotPlayed(ASSET),
    ),
    (
        &[GlobalOauthSettings],
        &[
            "callbackUrl",
            "certificate",
            "consumerKey",
            "consumerSecret",
            "isClientCredentialsFlowEnabled",
            "isConsumerSecretOptional",
            "isIntrospectAllTokens",
            "isNamedUserJwtEnabled",
            "isPkceRequired",
            "isRefreshTokenRotationEnabled",
            "isSecretRequiredForRefreshToken",
        ],
        Decides,
    ),
    (&[GlobalOauthSettings], &["shouldRotateConsumerKey", "shouldRotateConsumerSecret"], Aside),
    (&[GlobalOauthSettings], &["idTokenConfig"], NotPlayed(ID_TOKEN)),
    (&[GlobalOauthSettings], &["isCodeCredFlowEnabled", "isCodeCredPostOnly"], NotPlayed(HEADLESS)),
    (&[GlobalOauthSettings], &["isDPopEnabled"], NotPlayed(DPOP)),
    (&[GlobalOauthSettings], &["isDeviceFlowEnabled"], NotPlayed(DEVICE)),
    (&[GlobalOauthSettings], &["isEnforceRefreshTokenTTL"], NotPlayed(TTL)),
    (&[GlobalOauthSettings], &["isMtlsEnabled"], NotPlayed(MTLS)),
    (
        &[GlobalOauthSettings],
        &["isSecretRequiredForTokenExchange", "isTokenExchangeEnabled"],
        NotPlayed(EXCHANGE),
    ),
    (
        &[OauthPolicies],
        &[
            "clientCredentialsFlowUser",
            "commaSeparatedPermissionSet",
            "commaSeparatedProfile",
            "ipRelaxationPolicyType",
            "isClientCredentialsFlowEnabled",
            "isNamedUserJwtEnabled",
            "permittedUsersPolicyType",
            "refreshTokenPolicyType",
            "refreshTokenValidityPeriod",
            "refreshTokenValidityUnit",
            "sessionTimeoutInMinutes",
        ],
        Decides,
    ),
    (&[OauthPolicies], &["startUrl"], Aside),
    (&[OauthPolicies], &["apexHandler", "executeHandlerAs"], NotPlayed(HANDLER)),
    (&[OauthPolicies], &["commaSeparatedCustomScopes"], NotPlayed(CUSTOM_POLICY)),
    (&[OauthPolicies], &["customAttributes"], NotPlayed(ATTRIBUTES)),
    (
        &[OauthPolicies],
        &["guestJwtSessionTimeoutType", "guestJwtTimeout", "isGuestCodeCredFlowEnabled"],
        NotPlayed(GUEST),
    ),
    (&[OauthPolicies], &["namedUserJwtSessionTimeoutType", "namedUserJwtTimeout"], NotPlayed(JWT_TIMEOUT)),
    (&[OauthPolicies], &["isTokenExchangeFlowEnabled"], NotPlayed(EXCHANGE)),
    (&[OauthPolicies], &["policyAction", "requiredSessionLevel"], NotPlayed(SESSION)),
    (&[OauthPolicies], &["singleLogoutUrl"], NotPlayed(LOGOUT)),
    (&[Policies], &["isEnabled", "isOauthPluginEnabled"], Decides),
    (
        &[Policies],
        &[
            "isSamlPluginEnabled",
            "isCanvasPluginEnabled",
            "isMobilePluginEnabled",
            "isNotificationPluginEnabled",
            "isPushPluginEnabled",
            "startPage",
            "startUrl",
        ],
        Aside,
    ),
    (&[Policies], &["isAttestPluginEnabled"], NotPlayed("apps attest nothing")),
    (&[OauthSecurity], &["tokenIpRanges"], NotPlayed(TOKEN_IP)),
    (&[OauthSecurity], &["tlsClientAuthCertParamType", "tlsClientAuthCertParamValue"], NotPlayed(MTLS)),
];

/// Types of metadata that an app is made of.
pub const KINDS: [Kind; 7] = [
    ConnectedApp,
    ExternalClientApplication,
    OauthSettings,
    GlobalOauthSettings,
    OauthPolicies,
    Policies,
    OauthSecurity,
];

/// What becomes of an element; none for one of which nothing is known.
pub fn effect(kind: Kind, path: &str) -> Option<Effect> {
    let of =
        |path: &str| ROWS.iter().find(|(kinds, paths, _)| kinds.contains(&kind) && paths.contains(&path));
    of(path).map(|(_, _, effect)| *effect)
}

/// The table as a page shows it.
pub fn table() -> String {
    use std::fmt::Write as _;
    let mut out = String::from("| type | elements | what becomes of them |\n|---|---|---|\n");
    for (kinds, paths, effect) in ROWS {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        let effect = match effect {
            Decides => "decides",
            Aside => "decides nothing of OAuth",
            NotPlayed(why) => &format!("told, not played: {why}"),
        };
        let _ = writeln!(out, "| {} | {} | {effect} |", kinds.join(", "), paths.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_of_an_app_is_thought_of() {
        for kind in KINDS {
            for field in kind.fields() {
                let whole = field.path.split_once('/').map_or(field.path, |(above, _)| above);
                let deep = field.path.rsplit_once('/').map_or(field.path, |(above, _)| above);
                let known = [field.path, deep, whole].into_iter().any(|path| match effect(kind, path) {
                    // What decides as a whole says nothing of a part of it.
                    Some(Decides) => path == field.path,
                    found => found.is_some(),
                });
                assert!(known, "{} {} {:?}", kind.name(), field.path, field.shape);
            }
        }
    }

    #[test]
    fn no_row_is_of_an_element_that_there_is_not() {
        for (kinds, paths, _) in ROWS {
            for kind in *kinds {
                for path in *paths {
                    assert!(kind.field(path).is_some(), "{} {path}", kind.name());
                }
            }
        }
    }
}
