//! Auth providers and single sign-on by SAML.

use super::Rule;
use crate::metadata::kinds::Kind;
use crate::verdict::{Basis, Level};

const PROVIDER: &str = "Salesforce Metadata API Developer Guide: AuthProvider";

pub(super) const RULES: &[Rule] = &[
    rule!(
        "credentials/provider-uses-pkce",
        "an auth provider uses PKCE",
        Should,
        Normative,
        &["RFC 9700 §2.1.1"],
        "Salesforce is the client here. Without PKCE a code that leaks is injected into another login.",
        "Setup › Auth. Providers › the provider › Edit › Use Proof Key for Code Exchange (PKCE) Extension.",
        "isPkceEnabled true.",
        |c, told| {
            for item in c
                .project
                .of(Kind::AuthProvider)
                .filter(|item| matches!(item.root.text("providerType"), Some("OpenIdConnect" | "Salesforce")))
            {
                if item.root.text("isPkceEnabled") != Some("true") {
                    told.item(item, item.root.nearest("isPkceEnabled"), "PKCE is not used");
                }
            }
        }
    ),
    rule!(
        "credentials/provider-has-its-endpoints",
        "an OpenID Connect provider has its endpoints",
        Must,
        Vendor,
        &[PROVIDER],
        "Without them the provider cannot be saved or logs nobody in.",
        "Setup › Auth. Providers › the provider › Edit.",
        "authorizeUrl and tokenUrl.",
        |c, told| {
            for item in c
                .project
                .of(Kind::AuthProvider)
                .filter(|item| item.root.text("providerType") == Some("OpenIdConnect"))
            {
                for name in ["authorizeUrl", "tokenUrl"] {
                    if item.root.text(name).is_none() {
                        told.item(item, item.root.nearest("providerType"), format!("{name} is missing"));
                    }
                }
            }
        }
    ),
    rule!(
        "credentials/provider-checks-the-issuer",
        "an OpenID Connect provider names the issuer of ID tokens",
        Should,
        Derived,
        &["OpenID Connect Core §3.1.3.7", "RFC 9700 §4.4"],
        "Without it the `iss` of an ID token is not compared.",
        "Setup › Auth. Providers › the provider › Edit › Token Issuer.",
        "idTokenIssuer.",
        |c, told| {
            for item in c
                .project
                .of(Kind::AuthProvider)
                .filter(|item| item.root.text("providerType") == Some("OpenIdConnect"))
            {
                let scopes = item.root.text("defaultScopes").unwrap_or("");
                if scopes.split_whitespace().any(|scope| scope == "openid")
                    && item.root.text("idTokenIssuer").is_none()
                {
                    told.item(
                        item,
                        item.root.nearest("defaultScopes"),
                        "openid is asked for, and idTokenIssuer is missing",
                    );
                }
            }
        }
    ),
    rule!(
        "credentials/registration-handler-has-a-user",
        "a registration handler has a user in whose name it runs",
        Must,
        Vendor,
        &[PROVIDER],
        "Without one the handler cannot make users, and logins fail.",
        "Setup › Auth. Providers › the provider › Edit › Execute Registration As.",
        "executionUser beside registrationHandler.",
        |c, told| {
            for item in
                c.project.of(Kind::AuthProvider).filter(|item| item.root.text("executionUser").is_none())
            {
                let handler = item.root.child("registrationHandler");
                if let Some(handler) = handler.filter(|handler| !handler.value.is_empty()) {
                    told.item(item, handler, "registrationHandler is set, and executionUser is missing");
                }
            }
        }
    ),
    rule!(
        "credentials/saml-attribute-is-named",
        "an identity in an attribute has the name of the attribute",
        Must,
        Vendor,
        &["Salesforce Metadata API Developer Guide: SamlSsoConfig"],
        "With identityLocation Attribute and no attributeName no user is found.",
        "Setup › Single Sign-On Settings › the configuration › Edit › Attribute Name.",
        "attributeName.",
        |c, told| {
            for item in c
                .project
                .of(Kind::SamlSsoConfig)
                .filter(|item| item.root.text("identityLocation") == Some("Attribute"))
            {
                if item.root.text("attributeName").is_none() {
                    told.item(
                        item,
                        item.root.nearest("identityLocation"),
                        "the identity is in an attribute, and attributeName is missing",
                    );
                }
            }
        }
    ),
    rule!(
        "credentials/saml-requests-are-signed-with-sha-256",
        "SAML requests are signed with SHA-256",
        Should,
        Derived,
        &["RFC 6194 §3"],
        "SHA-1 is no longer taken by current identity providers.",
        "Setup › Single Sign-On Settings › the configuration › Edit › Request Signature Method.",
        "requestSignatureMethod with RSA-SHA256.",
        |c, told| {
            for item in c.project.of(Kind::SamlSsoConfig) {
                let old = |value: &str| value.contains("SHA1") || value.ends_with("rsa-sha1") || value == "1";
                if let Some(element) =
                    item.root.child("requestSignatureMethod").filter(|element| old(&element.value))
                {
                    told.item(item, element, "requests are signed with SHA-1");
                }
            }
        }
    ),
];
