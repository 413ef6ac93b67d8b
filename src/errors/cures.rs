//! What mends a cause, each written once: clicks in Setup, elements in metadata, what the client does otherwise.
//!
//! "The app" is a connected app or an external client app. Their pages differ, so both ways are told.

use super::{Cure, Takes};

const fn setup(setup: &'static str, metadata: &'static str, takes: Takes) -> Cure {
    Cure { setup, metadata, client: "", takes }
}

const fn client(client: &'static str) -> Cure {
    Cure { setup: "", metadata: "", client, takes: Takes::AtOnce }
}

pub(super) static PREAUTHORIZE: Cure = setup(
    "External client app: Setup › External Client App Manager › the app › Policies › Edit › OAuth Policies › Permitted Users: \
     Admin approved users are pre-authorized; then App Policies › select the profile or permission set. Connected app: Setup › \
     Manage Connected Apps › the app › Edit Policies › Permitted Users: Admin approved users are pre-authorized › Save; then \
     Manage Permission Sets (or Manage Profiles) on the same page.",
    "External client app: permittedUsersPolicyType AdminApprovedPreAuthorized and commaSeparatedPermissionSet in \
     ExtlClntAppOauthConfigurablePolicies. ConnectedApp: oauthConfig/isAdminApproved true and permissionSetName (the label) or \
     profileName.",
    Takes::Minutes,
);
pub(super) static ASSIGN: Cure = setup(
    "Setup › Permission Sets › the set that the app names › Manage Assignments › Add Assignment › the user. Or add one of the \
     user's profiles or permission sets to the app: external client app under Policies › App Policies; connected app under \
     Manage Connected Apps › the app › Manage Permission Sets.",
    "commaSeparatedPermissionSet or commaSeparatedProfile in ExtlClntAppOauthConfigurablePolicies; permissionSetName or \
     profileName in ConnectedApp.",
    Takes::AtOnce,
);
pub(super) static APPROVE_ONCE: Cure = Cure {
    setup: "",
    metadata: "The scope RefreshToken on the app, or the approval is not kept: oauthConfig/scopes in ConnectedApp, \
        commaSeparatedOauthScopes in ExtlClntAppOauthSettings.",
    client: "Send the user once through the web server flow with the scope refresh_token, to the same app and the same org.",
    takes: Takes::AtOnce,
};
pub(super) static SUBJECT: Cure = client(
    "Send the username as it stands in this very org (a sandbox adds a suffix, as in `user@example.com.uat`), to the host of this org: \
     `test` or the sandbox's My Domain for a sandbox.",
);
pub(super) static AUDIENCE: Cure = client(
    "`aud` is `https://login.salesforce.com` for production, `https://test.salesforce.com` for sandboxes, the site's URL for an \
     Experience Cloud user; no path, no instance URL, no Lightning host.",
);
pub(super) static CERTIFICATE: Cure = setup(
    "External client app: Setup › External Client App Manager › the app › Settings › Edit › OAuth Settings › Use digital \
     signatures (JWT Bearer Flow) › upload the .crt. Connected app: Setup › App Manager › the app › Edit › Use digital signatures \
     › Choose File › Save.",
    "certificate in ExtlClntAppGlobalOauthSettings; oauthConfig/certificate in ConnectedApp.",
    Takes::Minutes,
);
pub(super) static SIGN: Cure = client(
    "Sign with RS256 and a key of at least 2048 bits. All three parts of a JWT are base64url without padding and line breaks; a \
     SAML assertion is sent as base64url of the Assertion element alone, not of a Response.",
);
pub(super) static CLOCK: Cure = client(
    "Set the machine's clock by NTP. `exp` is in seconds, a few minutes ahead; compute it anew for each assertion.",
);
pub(super) static REDEEM_ONCE: Cure = client(
    "Redeem the code once, at once, and keep the answer. Do not repeat the request after a time-out: begin a new login. A reload of \
     the callback page must not redeem again.",
);
pub(super) static CODE_AS_IT_CAME: Cure = client(
    "Decode the query of the callback once (`%3D%3D` is `==`) and encode it once in the form. The same client_id, redirect_uri and \
     host family as at the authorization.",
);
pub(super) static VERIFIER: Cure = client(
    "code_challenge is base64url(SHA-256(code_verifier)) without padding, over the raw digest and not its hex; send \
     code_challenge_method=S256; keep the verifier with the state of this very login and send it with the code.",
);
pub(super) static CHALLENGE: Cure = Cure {
    setup: "To let the app do without: external client app under Settings › OAuth Settings › Security, connected app under Edit: \
        Require Proof Key for Code Exchange (PKCE). An org may require it for all: Setup › OAuth and OpenID Connect Settings.",
    metadata: "isPkceRequired in ExtlClntAppGlobalOauthSettings, ConnectedApp oauthConfig, or OauthOidcSettings for the org.",
    client: "Better: send code_challenge and code_challenge_method=S256 with the authorization request, and code_verifier with \
        the code.",
    takes: Takes::AtOnce,
};
pub(super) static LOGIN_AGAIN: Cure = client(
    "Drop both tokens and send the user through the login again. A refresh token that was refused never works again: do not retry it.",
);
pub(super) static REFRESH_POLICY: Cure = setup(
    "External client app: Policies › OAuth Policies › Refresh Token Policy. Connected app: Setup › Manage Connected Apps › the app › \
     Edit Policies › Refresh Token Policy.",
    "refreshTokenPolicyType, refreshTokenValidityPeriod and refreshTokenValidityUnit in ExtlClntAppOauthConfigurablePolicies; \
     oauthPolicy/refreshTokenPolicy in ConnectedApp (`specific_inactivity:30:DAYS`).",
    Takes::AtOnce,
);
pub(super) static KEEP_ROTATED: Cure = Cure {
    setup: "Rotation is set under Settings › OAuth Settings › Security › Enable Refresh Token Rotation.",
    metadata: "isRefreshTokenRotationEnabled in ExtlClntAppGlobalOauthSettings, or in ConnectedApp oauthConfig.",
    client: "Store the refresh_token of every answer before the new access token is used, and drop the old one.",
    takes: Takes::AtOnce,
};
pub(super) static ONE_REFRESH: Cure = client(
    "One refresh at a time for each refresh token: callers that find the access token dead wait for the one that is under way. Over \
     several processes, a lock or one that refreshes for all.",
);
pub(super) static FEWER_APPROVALS: Cure = client(
    "Keep the refresh token instead of logging in each time: Salesforce keeps five approvals for a user and an app, and a sixth ends the \
     oldest. Setup › Connected Apps OAuth Usage shows how many there are.",
);
pub(super) static IP: Cure = setup(
    "Let the address in: Setup › Profiles › the user's profile › Login IP Ranges, or Setup › Network Access. Or relax the app: \
     external client app under Policies › OAuth Policies › IP Relaxation; connected app under Edit Policies › IP Relaxation.",
    "ipRelaxationPolicyType in ExtlClntAppOauthConfigurablePolicies; oauthPolicy/ipRelaxation (and ipRanges) in ConnectedApp; \
     loginIpRanges in the Profile.",
    Takes::AtOnce,
);
pub(super) static HOURS: Cure = setup(
    "Setup › Profiles › the user's profile › Login Hours.",
    "loginHours in the Profile.",
    Takes::AtOnce,
);
pub(super) static USER: Cure = setup(
    "Setup › Users › the user: tick Active; press Unfreeze or Unlock if it is shown; for a wrong password, Reset Password.",
    "",
    Takes::AtOnce,
);
pub(super) static PASSWORD_FLOW: Cure = Cure {
    setup: "Setup › OAuth and OpenID Connect Settings › Allow OAuth Username-Password Flows, for the time until the client is moved.",
    metadata: "blockOAuthUnPwFlow in OauthOidcSettings.",
    client: "Append the security token to the password. Better: client credentials or JWT bearer; external client apps have no password flow.",
    takes: Takes::AtOnce,
};
pub(super) static SOAP_LOGIN: Cure = client(
    "Append the security token to the password, and ask login.salesforce.com for production, test.salesforce.com for a sandbox, or the host of My \
     Domain. Better: get a token by client credentials or JWT bearer and send it as the session id; neither has a password that expires.",
);
pub(super) static ORG: Cure = setup(
    "Setup › Company Information for the org's state; status.salesforce.com for maintenance. An org that is locked, suspended or closed \
     is opened by Salesforce Support or its account team only.",
    "",
    Takes::Others,
);
pub(super) static RUN_AS: Cure = setup(
    "External client app: Policies › Edit › OAuth Policies › OAuth Flows: tick Enable Client Credentials Flow and fill Run As. Connected app: \
     Setup › Manage Connected Apps › the app › Edit Policies › Client Credentials Flow › Run As › Save. Switching the flow off empties it.",
    "clientCredentialsFlowUser (a username) in ExtlClntAppOauthConfigurablePolicies; oauthConfig/oauthClientCredentialUser in ConnectedApp.",
    Takes::Minutes,
);
pub(super) static CLIENT_CREDENTIALS: Cure = setup(
    "External client app: Settings › OAuth Settings › Enable Client Credentials Flow, and again under Policies › OAuth Policies. Connected app: \
     Setup › App Manager › the app › Edit › Enable Client Credentials Flow. The org: Setup › OAuth and OpenID Connect Settings.",
    "isClientCredentialsFlowEnabled in ExtlClntAppGlobalOauthSettings and in ExtlClntAppOauthConfigurablePolicies; \
     oauthConfig/isClientCredentialEnabled in ConnectedApp.",
    Takes::Minutes,
);
pub(super) static MY_DOMAIN: Cure = client(
    "Send it to `https://MYDOMAIN.my.salesforce.com/services/oauth2/…` (Setup › My Domain names it), not to login, test, a Lightning, \
     Setup or Visualforce host.",
);
pub(super) static SCOPES: Cure = setup(
    "External client app: Settings › OAuth Settings › OAuth Scopes. Connected app: Setup › App Manager › the app › Edit › Selected OAuth Scopes.",
    "commaSeparatedOauthScopes in ExtlClntAppOauthSettings; oauthConfig/scopes in ConnectedApp (`Api`, `RefreshToken`).",
    Takes::NextGrant,
);
pub(super) static FEWER_SCOPES: Cure =
    client("Ask for scopes that the app has, or leave `scope` out and take all of them.");
pub(super) static DROP_SCOPE: Cure = client(
    "Leave `scope` out of the token request: for JWT bearer, refresh and client credentials the app's own scopes decide. A Named Credential \
     that calls Salesforce leaves its scope blank.",
);
pub(super) static LOGIN_RATE: Cure = Cure {
    setup: "",
    metadata: "",
    client: "Keep the access token and use it until it is refused; share one over workers; spread jobs over several users; back off and try \
        again later.",
    takes: Takes::Hour,
};
pub(super) static CONSUMER_KEY: Cure = setup(
    "External client app: Settings › OAuth Settings › Consumer Key and Secret. Connected app: Setup › App Manager › the app › View › \
     Manage Consumer Details. Compare with what the client sends, and in which org that is.",
    "consumerKey in ExtlClntAppGlobalOauthSettings; oauthConfig/consumerKey in ConnectedApp.",
    Takes::Minutes,
);
pub(super) static WAIT: Cure = Cure {
    setup: "",
    metadata: "",
    client: "Wait ten minutes after the app was made or changed, then try again.",
    takes: Takes::Minutes,
};
pub(super) static SECRET: Cure = setup(
    "External client app: Settings › OAuth Settings › Consumer Key and Secret. Connected app: Setup › App Manager › the app › View › \
     Manage Consumer Details. Copy the secret anew; a secret that was rotated and applied ends the old one. For a public client, untick \
     Require Secret for Web Server Flow and Require Secret for Refresh Token Flow.",
    "isConsumerSecretOptional, isSecretRequiredForRefreshToken in ExtlClntAppGlobalOauthSettings or ConnectedApp oauthConfig.",
    Takes::Minutes,
);
pub(super) static BASIC: Cure = client(
    "`Authorization: Basic ` and base64 of `client_id:client_secret`, or both as client_id and client_secret in the form; not both ways at once.",
);
pub(super) static INSTALL: Cure = setup(
    "Setup › Connected Apps OAuth Usage › the app › Install; then Manage App Policies. Or give the user the permission Approve \
     Uninstalled Connected Apps, for those who need it to try an app.",
    "",
    Takes::AtOnce,
);
pub(super) static INSTALL_ECA: Cure = setup(
    "An external client app that is Local works in its own org only, at its My Domain. For another org: set Distribution State to Packaged, \
     package it, and install the package there.",
    "distributionState Packaged in ExternalClientApplication.",
    Takes::Minutes,
);
pub(super) static UNBLOCK: Cure = setup(
    "Setup › Connected Apps OAuth Usage › the app › Unblock. With API Access Control on, the app must be installed and its users \
     pre-authorized, or have the permission Use Any API Client. External client app: Policies › App Policies › Enabled.",
    "isEnabled in ExtlClntAppConfigurablePolicies; enableAdminApprovedAppsOnly in ConnectedAppSettings.",
    Takes::AtOnce,
);
pub(super) static ENABLE: Cure = setup(
    "Setup › External Client App Manager › the app › Policies › Edit › App Policies: Enabled, and OAuth plugin on; then the flow \
     under Settings › OAuth Settings › Flow Enablement, and under Policies › OAuth Policies. Save once, so that the policies exist.",
    "isEnabled and isOauthPluginEnabled in ExtlClntAppConfigurablePolicies; the flow's flag in ExtlClntAppGlobalOauthSettings.",
    Takes::Minutes,
);
pub(super) static SESSION_LEVEL: Cure = setup(
    "External client app: Policies › OAuth Policies › required session level. Connected app: Edit Policies › High assurance session required. \
     Or let the user log in with MFA: Setup › Session Settings › Session Security Levels.",
    "requiredSessionLevel and policyAction in ExtlClntAppOauthConfigurablePolicies; sessionPolicy in ConnectedApp.",
    Takes::NextGrant,
);
pub(super) static FORM: Cure = client(
    "POST to https with `Content-Type: application/x-www-form-urlencoded` and grant_type in the body: not JSON, not headers, and not \
     http, whose redirect loses the body.",
);
pub(super) static GRANT_TYPE: Cure = client(
    "Write grant_type exactly: authorization_code, refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:jwt-bearer or \
     urn:ietf:params:oauth:grant-type:saml2-bearer.",
);
pub(super) static CALLBACK: Cure = setup(
    "External client app: Settings › OAuth Settings › Callback URL, one a line. Connected app: Setup › App Manager › the app › Edit › Callback \
     URL. It must be what the client sends character by character: scheme, port, letter case and last slash.",
    "callbackUrl in ExtlClntAppGlobalOauthSettings or ConnectedApp oauthConfig, several divided by line breaks.",
    Takes::Minutes,
);
pub(super) static SEND_CALLBACK: Cure =
    client("Send redirect_uri with the authorization request, and the same one with the code.");
pub(super) static USER_SAID_NO: Cure =
    client("Tell the user what the app needs and offer the login again; do not repeat it by itself.");
pub(super) static INTERACTIVE: Cure =
    client("Begin the login again without immediate=true, so that the user can act.");
pub(super) static INTERNAL_USER: Cure = setup(
    "Choose an internal user with the license Salesforce Integration as Run As; a portal or community user cannot be it.",
    "clientCredentialsFlowUser in ExtlClntAppOauthConfigurablePolicies; oauthConfig/oauthClientCredentialUser in ConnectedApp.",
    Takes::Minutes,
);
pub(super) static BACK_OFF: Cure =
    client("Try again with growing pauses, at most a few times; look at status.salesforce.com.");
pub(super) static POLL: Cure =
    client("Poll no faster than `interval` says; add five seconds at each slow_down; end after ten minutes.");
pub(super) static URN: Cure = client(
    "client_assertion_type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer; assertion_type of the old SAML flow is \
     urn:oasis:names:tc:SAML:2.0:profiles:SSO:browser.",
);
pub(super) static JTI: Cure =
    client("Give each assertion a `jti` of its own, a short random string, and use the assertion once.");
pub(super) static DPOP: Cure = Cure {
    setup: "External client app: Settings › OAuth Settings › Security shows whether DPoP is asked for.",
    metadata: "isDPopEnabled in ExtlClntAppGlobalOauthSettings or ConnectedApp oauthConfig.",
    client: "Send a DPoP proof with each request, signed by the key that the token is bound to, with htm, htu, a fresh jti and iat, and the nonce \
        of the last answer.",
    takes: Takes::Minutes,
};
pub(super) static OWN_TOKEN: Cure = client(
    "Send a token that this app was granted, whole and unaltered, to the host of the org that granted it.",
);
pub(super) static BEARER: Cure =
    client("Send `Authorization: Bearer ` and the access token, once, without quotes and line breaks.");
pub(super) static RENEW: Cure = client(
    "Refresh once, or ask for a new grant where there is no refresh token, and repeat the call once; then give up.",
);
pub(super) static RENEW_ON_403: Cure = client(
    "Treat 403 `Bad_OAuth_Token` of the identity endpoints like 401: renew once and repeat. A Named Credential needs 403 under \
     additional status codes for token refresh.",
);
pub(super) static API_ENABLED: Cure = setup(
    "Setup › Permission Sets (or Profiles) › System Permissions › API Enabled, assigned to the user.",
    "userPermissions ApiEnabled in PermissionSet or Profile.",
    Takes::AtOnce,
);
pub(super) static API_LIMIT: Cure = Cure {
    setup: "Setup › Company Information › API Requests, Last 24 Hours; Setup › System Overview.",
    metadata: "",
    client: "Read Sforce-Limit-Info on each answer; batch, use composite or Bulk calls; stop until the day is over.",
    takes: Takes::Others,
};
pub(super) static EDITION: Cure = setup(
    "The org's edition must include the API: Setup › Company Information › Organization Edition; Salesforce can add it.",
    "",
    Takes::Others,
);
pub(super) static INSTANCE_URL: Cure =
    client("Send API calls to instance_url of the token answer, never to login or test.");
pub(super) static PATH: Cure =
    client("Correct the path: `/services/data/vNN.0/…` with a version that `/services/data/` lists.");
pub(super) static JWT_TOKEN: Cure = setup(
    "Settings › OAuth Settings › Security › Issue JSON Web Token (JWT)-based access tokens for named users, and the scope sfap_api for \
     api.salesforce.com. SOAP takes opaque tokens only: untick it for apps that call SOAP.",
    "isNamedUserJwtEnabled in ExtlClntAppGlobalOauthSettings or ConnectedApp oauthConfig.",
    Takes::NextGrant,
);
pub(super) static HEADLESS: Cure = setup(
    "Setup › OAuth and OpenID Connect Settings and the site's Login & Registration settings: the headless flow that the client uses; \
     the app: Enable Authorization Code and Credentials Flow.",
    "isCodeCredFlowEnabled in ExtlClntAppGlobalOauthSettings; isGuestCodeCredFlowEnabled in ExtlClntAppOauthConfigurablePolicies.",
    Takes::Minutes,
);
pub(super) static REGISTRATION: Cure = setup(
    "Setup › External Client App Manager (or App Manager): take away registered apps that are not used, of which there may be 100; give the \
     client a fresh initial access token.",
    "",
    Takes::AtOnce,
);
pub(super) static ATTEST: Cure = client(
    "Obtain a fresh attestation from the device's platform and send it; a rooted device or a changed build fails for good.",
);
pub(super) static PACKAGE: Cure = setup(
    "Setup › Installed Packages: install or upgrade the package that brings the app.",
    "",
    Takes::Minutes,
);
pub(super) static SAML: Cure = setup(
    "Setup › Single Sign-On Settings › the configuration: compare Issuer, Entity ID, certificate, recipient URL and identity type with the \
     assertion; SAML Assertion Validator on the same page says which does not fit.",
    "issuer, samlEntityId, validationCert, identityMapping, identityLocation in SamlSsoConfig.",
    Takes::AtOnce,
);
pub(super) static OAUTH1: Cure =
    client("This is of OAuth 1.0a. Move to an OAuth 2.0 flow at /services/oauth2/token.");
pub(super) static OTHER_LOGINS: Cure = setup(
    "Log out of the other org in this browser, or use a private window; for several orgs, package the external client app and install it in each.",
    "distributionState in ExternalClientApplication.",
    Takes::AtOnce,
);
pub(super) static MFA: Cure = setup(
    "A program cannot answer a second factor: use JWT bearer or client credentials, or log in by the web server flow. Setup › Identity Verification \
     shows what is asked of whom.",
    "",
    Takes::NextGrant,
);
pub(super) static PRINCIPAL: Cure = setup(
    "Setup › Named Credentials › External Credentials › the credential › Principals; then Setup › Permission Sets › a set of the running user › \
     External Credential Principal Access › Edit › add the principal.",
    "externalCredentialPrincipalAccesses (`ExternalCredential-Principal`) in PermissionSet.",
    Takes::AtOnce,
);
pub(super) static CREDENTIAL: Cure = setup(
    "Setup › Named Credentials › External Credentials › the credential: token URL, protocol variant, client id and secret of the principal, \
     signing certificate, claims; leave Scope blank if the other side is a Salesforce org.",
    "AuthProviderUrl, AuthProtocolVariant, SigningCertificate, JwtBodyClaim in ExternalCredential; secrets are not in metadata.",
    Takes::AtOnce,
);
