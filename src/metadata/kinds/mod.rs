//! The types of metadata that are read, and their elements (Salesforce Metadata API Developer Guide, v67, and the types
//! that Salesforce generates from its WSDL).

mod credentials;

pub use credentials::{EXTERNAL_PARAMETERS, NAMED_PARAMETERS};

use credentials::{AUTH_PROVIDER, EXTERNAL_CREDENTIAL, NAMED_CREDENTIAL, SAML_SSO_CONFIG};

/// A type of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    ConnectedApp,
    ExternalClientApplication,
    OauthSettings,
    GlobalOauthSettings,
    OauthPolicies,
    Policies,
    OauthSecurity,
    NamedCredential,
    ExternalCredential,
    AuthProvider,
    SamlSsoConfig,
}

/// What may stand in an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number between two.
    Number(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Other elements.
    Group,
    /// Anything at all, with elements of its own that are not looked at.
    Open,
}

/// An element of a type.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its path below the root.
    pub path: &'static str,
    /// What may stand in it.
    pub shape: Shape,
    /// Whether it may stand more than once.
    pub many: bool,
    /// Whether it must stand there.
    pub required: bool,
}

/// Elements whose text is a secret, in any type.
pub const SECRETS: &[&str] =
    &["consumerSecret", "password", "oauthToken", "oauthRefreshToken", "awsAccessSecret", "ecKey"];

const fn text(path: &'static str) -> Field {
    Field { path, shape: Shape::Text, many: false, required: false }
}
const fn flag(path: &'static str) -> Field {
    Field { path, shape: Shape::Bool, many: false, required: false }
}
const fn one(path: &'static str, words: &'static [&'static str]) -> Field {
    Field { path, shape: Shape::OneOf(words), many: false, required: false }
}
const fn number(path: &'static str, from: i64, to: i64) -> Field {
    Field { path, shape: Shape::Number(from, to), many: false, required: false }
}
const fn group(path: &'static str) -> Field {
    Field { path, shape: Shape::Group, many: false, required: false }
}
const fn open(path: &'static str) -> Field {
    Field { path, shape: Shape::Open, many: false, required: false }
}
impl Field {
    const fn many(self) -> Self {
        Self { many: true, ..self }
    }
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// Scopes as metadata names them.
pub const SCOPES: &[&str] = &[
    "A2A",
    "Address",
    "Api",
    "Basic",
    "CDP",
    "CDPCalculatedInsight",
    "CDPIdentityResolution",
    "CDPIngest",
    "CDPProfile",
    "CDPQuery",
    "CDPSegment",
    "Chatbot",
    "Chatter",
    "CmdbDiscovery",
    "Content",
    "CustomApplications",
    "CustomPermissions",
    "DataCloudUserClaims",
    "Eclair",
    "EinsteinGPT",
    "Email",
    "ForgotPassword",
    "Full",
    "Interaction",
    "Lightning",
    "MCP",
    "OfflineAccess",
    "OpenID",
    "Pardot",
    "Phone",
    "Profile",
    "PwdlessLogin",
    "RefreshToken",
    "SCRT",
    "SFAP",
    "SFApiPlatform",
    "SemanticLayer",
    "UserRegistration",
    "Wave",
    "Web",
];
const RELAXATION: &[&str] = &["ENFORCE", "BYPASS", "BYPASS_2FACTOR", "ENFORCE_RELAXREFRESH"];
const LEVELS: &[&str] = &["LOW", "STANDARD", "HIGH_ASSURANCE"];
const ACTIONS: &[&str] = &["Block", "RaiseSessionLevel", "StepUpMFA"];
const CONNECTED_APP: &[Field] = &[
    group("attributes").many(),
    text("attributes/formula"),
    text("attributes/key"),
    open("canvas"),
    open("canvasConfig"),
    text("contactEmail").required(),
    text("contactPhone"),
    text("description"),
    text("fullName"),
    text("iconUrl"),
    text("infoUrl"),
    group("ipRanges").many(),
    text("ipRanges/description"),
    text("ipRanges/start").required(),
    text("ipRanges/end").required(),
    text("label").required(),
    text("logoUrl"),
    open("mobileAppConfig"),
    text("mobileStartUrl"),
    group("oauthConfig"),
    text("oauthConfig/callbackUrl").required(),
    text("oauthConfig/certificate"),
    text("oauthConfig/consumerKey"),
    text("oauthConfig/consumerSecret"),
    one("oauthConfig/scopes", SCOPES).many(),
    flag("oauthConfig/isAdminApproved"),
    flag("oauthConfig/isConsumerSecretOptional"),
    flag("oauthConfig/isSecretRequiredForRefreshToken"),
    flag("oauthConfig/isSecretRequiredForTokenExchange"),
    flag("oauthConfig/isIntrospectAllTokens"),
    flag("oauthConfig/isClientCredentialEnabled"),
    text("oauthConfig/oauthClientCredentialUser"),
    flag("oauthConfig/isCodeCredentialEnabled"),
    flag("oauthConfig/isCodeCredentialPostOnly"),
    flag("oauthConfig/isNamedUserJwtEnabled"),
    flag("oauthConfig/isPkceRequired"),
    flag("oauthConfig/isRefreshTokenRotationEnabled"),
    flag("oauthConfig/isTokenExchangeEnabled"),
    flag("oauthConfig/isDeviceFlowEnabled"),
    flag("oauthConfig/isDPopEnabled"),
    flag("oauthConfig/isEnforceRefreshTokenTTL"),
    flag("oauthConfig/isIpBindingEnabled"),
    flag("oauthConfig/isPKImTLSEnabled"),
    text("oauthConfig/singleLogoutUrl"),
    group("oauthConfig/idTokenConfig"),
    text("oauthConfig/idTokenConfig/idTokenAudience"),
    flag("oauthConfig/idTokenConfig/idTokenIncludeAttributes"),
    flag("oauthConfig/idTokenConfig/idTokenIncludeCustomPerms"),
    flag("oauthConfig/idTokenConfig/idTokenIncludeStandardClaims"),
    number("oauthConfig/idTokenConfig/idTokenValidity", 1, 720),
    open("oauthConfig/assetTokenConfig"),
    group("oauthPolicy"),
    one("oauthPolicy/ipRelaxation", RELAXATION),
    text("oauthPolicy/refreshTokenPolicy"),
    text("oauthPolicy/singleLogoutUrl"),
    flag("oauthPolicy/isTokenExchangeFlowEnabled"),
    text("permissionSetName").many(),
    text("plugin"),
    text("pluginExecutionUser"),
    text("profileName").many(),
    open("samlConfig"),
    group("sessionPolicy"),
    // The step up to multi-factor authentication came with external client apps.
    one("sessionPolicy/policyAction", &["Block", "RaiseSessionLevel"]),
    one("sessionPolicy/sessionLevel", LEVELS),
    number("sessionPolicy/sessionTimeout", 0, 1440),
    text("startUrl"),
];

const EXTERNAL_CLIENT_APPLICATION: &[Field] = &[
    text("contactEmail"),
    text("contactPhone"),
    text("description"),
    text("fullName"),
    one("distributionState", &["Local", "Packaged", "Managed", "AutoInstalled"]),
    text("iconUrl"),
    text("infoUrl"),
    flag("isProtected"),
    text("label"),
    text("logoUrl"),
    one("managedType", &["Local", "Global"]),
    text("orgScopedExternalApp"),
];

const OAUTH_SETTINGS: &[Field] = &[
    text("externalClientApplication").required(),
    text("label"),
    text("fullName"),
    text("commaSeparatedOauthScopes"),
    text("commaSeparatedCustomScopes"),
    text("oauthLink"),
    flag("isFirstPartyAppEnabled"),
    text("singleLogoutUrl"),
    group("trustedIpRanges").many(),
    text("trustedIpRanges/startIpAddress").required(),
    text("trustedIpRanges/endIpAddress").required(),
    text("trustedIpRanges/description"),
    group("customAttributes").many(),
    text("customAttributes/key"),
    text("customAttributes/formula"),
    text("clientAssertionCertificate"),
    text("assetTokenAudiences"),
    text("assetTokenSigningCertificate"),
    text("assetTokenValidity"),
    flag("areAttributesIncludedInAssetToken"),
    flag("areCustomPermsIncludedInAssetToken"),
];

const GLOBAL_OAUTH_SETTINGS: &[Field] = &[
    text("externalClientApplication").required(),
    text("label"),
    text("fullName"),
    text("callbackUrl"),
    text("certificate"),
    text("consumerKey"),
    text("consumerSecret"),
    group("idTokenConfig"),
    text("idTokenConfig/idTokenAudience"),
    flag("idTokenConfig/idTokenIncludeAttributes"),
    flag("idTokenConfig/idTokenIncludeCustomPermissions"),
    flag("idTokenConfig/idTokenIncludeStandardClaims"),
    number("idTokenConfig/idTokenValidityInMinutes", 1, 720),
    flag("isClientCredentialsFlowEnabled"),
    flag("isCodeCredFlowEnabled"),
    flag("isCodeCredPostOnly"),
    flag("isConsumerSecretOptional"),
    flag("isDPopEnabled"),
    flag("isDeviceFlowEnabled"),
    flag("isEnforceRefreshTokenTTL"),
    flag("isIntrospectAllTokens"),
    flag("isMtlsEnabled"),
    flag("isNamedUserJwtEnabled"),
    flag("isPkceRequired"),
    flag("isRefreshTokenRotationEnabled"),
    flag("isSecretRequiredForRefreshToken"),
    flag("isSecretRequiredForTokenExchange"),
    flag("isTokenExchangeEnabled"),
    flag("shouldRotateConsumerKey"),
    flag("shouldRotateConsumerSecret"),
];

const OAUTH_POLICIES: &[Field] = &[
    text("externalClientApplication").required(),
    text("label"),
    text("fullName"),
    text("apexHandler"),
    text("executeHandlerAs"),
    text("clientCredentialsFlowUser"),
    text("commaSeparatedCustomScopes"),
    text("commaSeparatedPermissionSet"),
    text("commaSeparatedProfile"),
    group("customAttributes").many(),
    text("customAttributes/key"),
    text("customAttributes/formula"),
    text("guestJwtSessionTimeoutType"),
    text("guestJwtTimeout"),
    one("ipRelaxationPolicyType", &["Enforce", "Bypass", "Bypass_2factor", "Enforce_RelaxRefresh"]),
    flag("isClientCredentialsFlowEnabled"),
    flag("isGuestCodeCredFlowEnabled"),
    flag("isTokenExchangeFlowEnabled"),
    flag("isNamedUserJwtEnabled"),
    one("namedUserJwtSessionTimeoutType", &["UserSession", "Custom"]),
    text("namedUserJwtTimeout"),
    one("permittedUsersPolicyType", &["AllSelfAuthorized", "AdminApprovedPreAuthorized"]),
    one("policyAction", ACTIONS),
    one("refreshTokenPolicyType", &["Infinite", "Zero", "SpecificLifetime", "SpecificInactivity"]),
    number("refreshTokenValidityPeriod", 1, 100_000),
    one("refreshTokenValidityUnit", &["Days", "Hours", "Months"]),
    one("requiredSessionLevel", LEVELS),
    number("sessionTimeoutInMinutes", 0, 1440),
    text("singleLogoutUrl"),
    text("startUrl"),
];

const POLICIES: &[Field] = &[
    text("externalClientApplication").required(),
    text("label"),
    text("fullName"),
    flag("isEnabled"),
    flag("isOauthPluginEnabled"),
    flag("isSamlPluginEnabled"),
    flag("isCanvasPluginEnabled"),
    flag("isMobilePluginEnabled"),
    flag("isNotificationPluginEnabled"),
    flag("isPushPluginEnabled"),
    flag("isAttestPluginEnabled"),
    one("startPage", &["None", "Custom", "OAuth", "SAML"]),
    text("startUrl"),
];

const OAUTH_SECURITY: &[Field] = &[
    text("externalClientApplication").required(),
    text("label"),
    text("fullName"),
    group("tokenIpRanges").many(),
    text("tokenIpRanges/startIpAddress").required(),
    text("tokenIpRanges/endIpAddress").required(),
    text("tokenIpRanges/description"),
    one(
        "tlsClientAuthCertParamType",
        &[
            "tls_client_auth_subject_dn",
            "tls_client_auth_san_dns",
            "tls_client_auth_san_uri",
            "tls_client_auth_san_ip",
            "tls_client_auth_san_email",
            "tls_client_auth_san_spiffe",
        ],
    ),
    text("tlsClientAuthCertParamValue"),
];

impl Kind {
    /// Every type.
    pub const ALL: [Kind; 11] = [
        Kind::ConnectedApp,
        Kind::ExternalClientApplication,
        Kind::OauthSettings,
        Kind::GlobalOauthSettings,
        Kind::OauthPolicies,
        Kind::Policies,
        Kind::OauthSecurity,
        Kind::NamedCredential,
        Kind::ExternalCredential,
        Kind::AuthProvider,
        Kind::SamlSsoConfig,
    ];

    /// Its name, which is that of the root element.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ConnectedApp => "ConnectedApp",
            Kind::ExternalClientApplication => "ExternalClientApplication",
            Kind::OauthSettings => "ExtlClntAppOauthSettings",
            Kind::GlobalOauthSettings => "ExtlClntAppGlobalOauthSettings",
            Kind::OauthPolicies => "ExtlClntAppOauthConfigurablePolicies",
            Kind::Policies => "ExtlClntAppConfigurablePolicies",
            Kind::OauthSecurity => "ExtlClntAppOauthSecuritySettings",
            Kind::NamedCredential => "NamedCredential",
            Kind::ExternalCredential => "ExternalCredential",
            Kind::AuthProvider => "AuthProvider",
            Kind::SamlSsoConfig => "SamlSsoConfig",
        }
    }

    /// How its files end: `NAME.SUFFIX`, or `NAME.SUFFIX-meta.xml` in source format.
    pub fn suffix(self) -> &'static str {
        match self {
            Kind::ConnectedApp => "connectedApp",
            Kind::ExternalClientApplication => "eca",
            Kind::OauthSettings => "ecaOauth",
            Kind::GlobalOauthSettings => "ecaGlblOauth",
            Kind::OauthPolicies => "ecaOauthPlcy",
            Kind::Policies => "ecaPlcy",
            Kind::OauthSecurity => "ecaOauthSecurity",
            Kind::NamedCredential => "namedCredential",
            Kind::ExternalCredential => "externalCredential",
            Kind::AuthProvider => "authprovider",
            Kind::SamlSsoConfig => "samlssoconfig",
        }
    }

    /// Its elements.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Kind::ConnectedApp => CONNECTED_APP,
            Kind::ExternalClientApplication => EXTERNAL_CLIENT_APPLICATION,
            Kind::OauthSettings => OAUTH_SETTINGS,
            Kind::GlobalOauthSettings => GLOBAL_OAUTH_SETTINGS,
            Kind::OauthPolicies => OAUTH_POLICIES,
            Kind::Policies => POLICIES,
            Kind::OauthSecurity => OAUTH_SECURITY,
            Kind::NamedCredential => NAMED_CREDENTIAL,
            Kind::ExternalCredential => EXTERNAL_CREDENTIAL,
            Kind::AuthProvider => AUTH_PROVIDER,
            Kind::SamlSsoConfig => SAML_SSO_CONFIG,
        }
    }

    /// The element at a path.
    pub fn field(self, path: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.path == path)
    }
}
