//! Certificates.

use super::{Context, Place, Rule, filled_in};
use crate::metadata::certificate::{Algorithm, DAY, Read, days, read};
use crate::metadata::kinds::Kind;
use crate::metadata::private_key;
use crate::oauth::keys::Certificate;
use crate::verdict::{Basis, Level};

const JWT: &str = "Salesforce Help: OAuth 2.0 JWT Bearer Flow";
const SETUP: &str = "Settings › OAuth Settings › Use digital signatures › upload a new .crt (connected app: App Manager › the app › Edit); for single sign-on: Setup › Single Sign-On Settings.";
const XML: &str = "certificate, validationCert: a new X.509 certificate, RSA, in PEM or as bare base64.";

/// Every certificate: whose it is, its place, its text, what was read of it.
fn each(c: &Context<'_>, mut with: impl FnMut(&str, Place, &str, Option<Read>)) {
    for item in &c.project.items {
        let paths: &[&str] = match item.kind {
            Kind::ConnectedApp => &["oauthConfig/certificate"],
            Kind::GlobalOauthSettings => &["certificate"],
            Kind::OauthSettings => &["clientAssertionCertificate"],
            Kind::SamlSsoConfig => &["validationCert"],
            _ => continue,
        };
        for path in paths {
            let Some(element) = item.root.at(path).filter(|element| !element.value.is_empty()) else {
                continue;
            };
            // A name of a certificate in the org, or a placeholder of a build, is nothing to read.
            let is_name = element.value.len() < 120 && !element.value.contains("-----");
            if filled_in(&element.value) || (is_name && *path == "clientAssertionCertificate") {
                continue;
            }
            let mut place = Place::of(item, element);
            // Carets under the first line are enough.
            let line = item.text.source()[place.span.start..place.span.end].find('\n');
            place.span.end = line.map_or(place.span.end, |at| place.span.start + at);
            with(item.of(), place, &element.value, read(&element.value));
        }
    }
}

/// Whether a certificate is that of an identity provider, by which others log in here.
fn is_of_idp(c: &Context<'_>, place: &Place) -> bool {
    c.project.of(Kind::SamlSsoConfig).any(|item| item.text.name() == place.text.name())
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "certificates/it-can-be-read",
        "a certificate can be read",
        Must,
        Vendor,
        &[JWT],
        "What is no X.509 certificate in PEM form or bare base64 is refused on deployment. A private key, a .p12 file or a name are common mistakes.",
        |c, told| each(c, |of, place, text, read| {
            if read.is_none() {
                let what = if private_key::is_in(text) {
                    "a private key, which does not belong here"
                } else {
                    "no certificate"
                };
                told.at(of, place, format!("this is {what}"));
            }
        })
    ),
    rule!(
        "certificates/key-is-rsa-of-2048-bits",
        "its key is RSA of at least 2048 bits",
        Must,
        Vendor,
        &[JWT, "RFC 7518 §3.3"],
        "Salesforce verifies RS256 with this key. Other keys and shorter ones are not taken. With that of an identity provider responses of SAML are verified, which it is not about.",
        |c, told| each(c, |of, place, _, read| {
            match read.filter(|_| !is_of_idp(c, &place)).map(|read| read.algorithm) {
                Some(Algorithm::Rsa(bits)) if bits < 2048 => {
                    told.at(of, place, format!("the key has {bits} bits"))
                }
                Some(Algorithm::Ec) => told.at(of, place, "the key is of an elliptic curve"),
                Some(Algorithm::Other) => told.at(of, place, "the key is not RSA"),
                _ => {}
            }
        })
    ),
    rule!(
        "certificates/it-has-not-expired",
        "it has not expired",
        Must,
        Vendor,
        &[JWT, "RFC 5280 §4.1.2.5"],
        "With an expired certificate every assertion is refused: invalid assertion.",
        |c, told| each(c, |of, place, _, read| {
            if let Some(read) = read.filter(|read| read.not_after < c.now) {
                told.at(
                    of,
                    place,
                    format!("it expired on {}, {} ago", day(read.not_after), days(c.now - read.not_after)),
                );
            }
        })
    ),
    rule!(
        "certificates/it-does-not-expire-soon",
        "it does not expire soon",
        Should,
        Derived,
        &[JWT],
        "An app has one certificate at a time: a new one must be made, deployed and given to every client before the end.",
        |c, told| each(c, |of, place, _, read| {
            let soon = |read: &Read| {
                read.not_after >= c.now
                    && read.not_after < c.now.saturating_add(c.soon_days.saturating_mul(DAY))
            };
            if let Some(read) = read.filter(soon) {
                told.at(
                    of,
                    place,
                    format!("it expires on {}, in {}", day(read.not_after), days(read.not_after - c.now)),
                );
            }
        })
    ),
    rule!(
        "certificates/it-is-valid-already",
        "its validity has begun",
        Must,
        Derived,
        &["RFC 5280 §4.1.2.5"],
        "Until then assertions are refused. A clock that is ahead where it was made is the usual cause.",
        |c, told| each(c, |of, place, _, read| {
            if let Some(read) = read.filter(|read| read.not_before > c.now) {
                told.at(of, place, format!("it is valid from {} on", day(read.not_before)));
            }
        })
    ),
    rule!(
        "certificates/it-is-small-enough",
        "it has at most 4 KB",
        Must,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        "Longer ones are refused. A chain in place of the certificate alone is the usual cause.",
        |c, told| each(c, |of, place, text, _| {
            if text.len() > 4096 {
                told.at(of, place, format!("it has {} bytes", text.len()));
            }
        })
    ),
    rule!(
        "certificates/it-is-alone",
        "it is one certificate and no chain",
        Should,
        Vendor,
        &["Salesforce Metadata API Developer Guide: ConnectedApp"],
        "An app has exactly one. Of a chain the first is taken, and the rest only makes it longer.",
        |c, told| each(c, |of, place, text, _| {
            let count = text.matches("-----BEGIN CERTIFICATE").count();
            if count > 1 {
                told.at(of, place, format!("{count} certificates stand here"));
            }
        })
    ),
    rule!(
        "certificates/it-is-signed-with-sha-256",
        "it is not signed with SHA-1",
        BestPractice,
        Derived,
        &["RFC 6194 §3"],
        "The signature of a certificate is not checked here, yet a company's tools may refuse one with SHA-1 or MD5.",
        |c, told| each(c, |of, place, _, read| {
            if read.is_some_and(|read| read.weak_signature) {
                told.at(of, place, "it is signed with SHA-1 or MD5");
            }
        })
    ),
    rule!(
        "certificates/it-is-of-the-key-at-hand",
        "it belongs to the private key that is at hand",
        Must,
        Vendor,
        &[JWT, "RFC 7523 §3"],
        "An assertion that is signed with another key is refused: invalid assertion. Compared where `--key` names the key; certificates of identity providers are left alone.",
        |c, told| each(c, |of, place, text, _| {
            let Ok(certificate) = Certificate::read(text) else { return };
            if !c.keys.is_empty() && !is_of_idp(c, &place) && !c.keys.contains(certificate.key()) {
                told.at(of, place, "it is of another key than the one at hand");
            }
        })
    ),
];

/// The day of a moment.
fn day(seconds: i64) -> String {
    let date = jiff::Timestamp::from_second(seconds).ok().map(|at| at.strftime("%Y-%m-%d").to_string());
    date.unwrap_or_else(|| "a day beyond all calendars".into())
}
