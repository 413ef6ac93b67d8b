//! The writing half: a draft as XML, and the signature over it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::c14n::{escape_attribute, escape_text};
use super::{ASSERTION_NS, Algorithm, BEARER, Digest, ENVELOPED, EXCLUSIVE_C14N, SIGNATURE_NS};

/// What a SAML 2.0 bearer assertion says (RFC 7522 §3), as a draft that can be made wrong on purpose before
/// it is written. What is `None` is left out; a draft by `default()` has the bearer method and nothing else.
///
/// Characters that XML cannot say at all (NUL and its like) are written as U+FFFD; a time that no calendar
/// reaches as the last that one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// `Assertion/@ID`: a name that starts with a letter or an underscore (SAML core §1.3.4).
    pub id: String,
    /// `Issuer`: on Salesforce the consumer key (RFC 7522 §3 (1)).
    pub issuer: Option<String>,
    /// `Subject/NameID`: on Salesforce the username (RFC 7522 §3 (3)). The `Subject` goes when the method is
    /// `None` as well.
    pub subject: Option<String>,
    /// `Conditions/AudienceRestriction/Audience`: the authorization server (RFC 7522 §3 (2)).
    pub audience: Option<String>,
    /// `SubjectConfirmationData/@Recipient`: the token endpoint (RFC 7522 §3 (5)).
    pub recipient: Option<String>,
    /// `SubjectConfirmation/@Method`: [`BEARER`] when it is right. `None` leaves the whole confirmation out,
    /// with its recipient and its end.
    pub confirmation_method: Option<String>,
    /// `Assertion/@IssueInstant`, in seconds since the epoch, as are all times here.
    pub issue_instant: i64,
    /// `Conditions/@NotBefore`.
    pub not_before: Option<i64>,
    /// `Conditions/@NotOnOrAfter` (RFC 7522 §3 (4)).
    pub not_on_or_after: Option<i64>,
    /// `SubjectConfirmationData/@NotOnOrAfter` (RFC 7522 §3 (5)).
    pub confirmation_not_on_or_after: Option<i64>,
    /// `AuthnStatement/@AuthnInstant`: that and when the issuer authenticated the subject (RFC 7522 §3 (7)).
    pub authn_instant: Option<i64>,
}

/// Where `ds:Signature` stands among the children of the assertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Right after `Issuer`, the one place that the schema allows (SAML core §2.3.3).
    #[default]
    AfterIssuer,
    /// As the last child, where a tool puts it that does not know SAML.
    Last,
    /// As the first child.
    First,
}

/// How a draft is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// Where the signature stands.
    pub placement: Placement,
    /// What `SignatureMethod` names; the function that signs has to do just that.
    pub algorithm: Algorithm,
    /// How the assertion is hashed.
    pub digest: Digest,
    /// A certificate to show in `KeyInfo`, as base64 of its DER.
    pub certificate_in_key_info: Option<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            id: String::new(),
            issuer: None,
            subject: None,
            audience: None,
            recipient: None,
            confirmation_method: Some(BEARER.to_owned()),
            issue_instant: 0,
            not_before: None,
            not_on_or_after: None,
            confirmation_not_on_or_after: None,
            authn_instant: None,
        }
    }
}

impl Draft {
    /// The assertion without a signature.
    pub fn unsigned(&self) -> String {
        self.parts().concat()
    }

    /// The assertion with an enveloped signature (XML Signature §6.6.4, SAML core §5.4). `sign` gives the
    /// RSASSA-PKCS1-v1_5 signature over the bytes that it gets, with the hash of [`Signing::algorithm`].
    pub fn sign(&self, sign: &dyn Fn(&[u8]) -> Vec<u8>, how: &Signing) -> String {
        let [open, issuer, rest, close] = self.parts();
        // The draft is written in its canonical form, so the digest is that of the text itself; and the
        // enveloped transform takes the signature out again, wherever it stands.
        let digest = how.digest.of(&[&open, &issuer, &rest, &close]);
        let reference = format!("#{}", self.id);
        let info = |namespace: Option<&str>| {
            element("ds:SignedInfo", &[("xmlns:ds", namespace)], |out| {
                out.push_str(&empty("ds:CanonicalizationMethod", EXCLUSIVE_C14N));
                out.push_str(&empty("ds:SignatureMethod", how.algorithm.uri()));
                out.push_str(&element("ds:Reference", &[("URI", Some(&reference))], |out| {
                    out.push_str(&element("ds:Transforms", &[], |out| {
                        out.push_str(&empty("ds:Transform", ENVELOPED));
                        out.push_str(&empty("ds:Transform", EXCLUSIVE_C14N));
                    }));
                    out.push_str(&empty("ds:DigestMethod", how.digest.uri()));
                    out.push_str(&text("ds:DigestValue", &[], &STANDARD.encode(digest)));
                }));
            })
        };
        // On its own, as it is signed, SignedInfo declares the prefix that in the document stands on its
        // parent.
        let value = STANDARD.encode(sign(info(Some(SIGNATURE_NS)).as_bytes()));
        let signature = element("ds:Signature", &[("xmlns:ds", Some(SIGNATURE_NS))], |out| {
            out.push_str(&info(None));
            out.push_str(&text("ds:SignatureValue", &[], &value));
            if let Some(certificate) = &how.certificate_in_key_info {
                out.push_str(&element("ds:KeyInfo", &[], |out| {
                    out.push_str(&element("ds:X509Data", &[], |out| {
                        out.push_str(&text("ds:X509Certificate", &[], certificate));
                    }));
                }));
            }
        });
        match how.placement {
            Placement::First => [open, signature, issuer, rest, close],
            Placement::AfterIssuer => [open, issuer, signature, rest, close],
            Placement::Last => [open, issuer, rest, signature, close],
        }
        .concat()
    }

    /// Start tag, issuer, all that follows it, end tag; together the canonical form (attributes stand in
    /// order of their names, which [`element`] does not see to).
    fn parts(&self) -> [String; 4] {
        let issued = instant(self.issue_instant);
        let root = element(
            "saml:Assertion",
            &[
                ("xmlns:saml", Some(ASSERTION_NS)),
                ("ID", Some(&self.id)),
                ("IssueInstant", Some(&issued)),
                ("Version", Some("2.0")),
            ],
            |_| {},
        );
        let (open, close) = root.split_at(root.rfind("</").unwrap_or(root.len()));
        let issuer = self.issuer.as_ref().map(|issuer| {
            text(
                "saml:Issuer",
                &[("Format", Some("urn:oasis:names:tc:SAML:2.0:nameid-format:entity"))],
                issuer,
            )
        });
        let rest = [self.subject(), self.conditions(), self.authentication()].concat();
        [open.to_owned(), issuer.unwrap_or_default(), rest, close.to_owned()]
    }

    fn subject(&self) -> String {
        if self.subject.is_none() && self.confirmation_method.is_none() {
            return String::new();
        }
        element("saml:Subject", &[], |out| {
            if let Some(subject) = &self.subject {
                let format = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
                out.push_str(&text("saml:NameID", &[("Format", Some(format))], subject));
            }
            if let Some(method) = &self.confirmation_method {
                let end = self.confirmation_not_on_or_after.map(instant);
                let data = [("NotOnOrAfter", end.as_deref()), ("Recipient", self.recipient.as_deref())];
                out.push_str(&element("saml:SubjectConfirmation", &[("Method", Some(method))], |out| {
                    if data.iter().any(|(_, value)| value.is_some()) {
                        out.push_str(&element("saml:SubjectConfirmationData", &data, |_| {}));
                    }
                }));
            }
        })
    }

    fn conditions(&self) -> String {
        let (start, end) = (self.not_before.map(instant), self.not_on_or_after.map(instant));
        if self.audience.is_none() && start.is_none() && end.is_none() {
            return String::new();
        }
        let times = [("NotBefore", start.as_deref()), ("NotOnOrAfter", end.as_deref())];
        element("saml:Conditions", &times, |out| {
            if let Some(audience) = &self.audience {
                out.push_str(&element("saml:AudienceRestriction", &[], |out| {
                    out.push_str(&text("saml:Audience", &[], audience));
                }));
            }
        })
    }

    fn authentication(&self) -> String {
        let Some(at) = self.authn_instant.map(instant) else { return String::new() };
        element("saml:AuthnStatement", &[("AuthnInstant", Some(&at))], |out| {
            out.push_str(&element("saml:AuthnContext", &[], |out| {
                let class = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
                out.push_str(&text("saml:AuthnContextClassRef", &[], class));
            }));
        })
    }
}

/// An element in its canonical spelling, provided that `attributes` are in canonical order.
fn element(name: &str, attributes: &[(&str, Option<&str>)], content: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(256);
    out.extend(["<", name]);
    for (attribute, value) in attributes {
        if let Some(value) = value {
            out.extend([" ", attribute, "=\""]);
            escape_attribute(&sayable(value), &mut out);
            out.push('"');
        }
    }
    out.push('>');
    content(&mut out);
    out.extend(["</", name, ">"]);
    out
}

/// An element of text.
fn text(name: &str, attributes: &[(&str, Option<&str>)], text: &str) -> String {
    element(name, attributes, |out| escape_text(&sayable(text), out))
}

/// An element that is nothing but the algorithm that it names.
fn empty(name: &str, algorithm: &str) -> String {
    element(name, &[("Algorithm", Some(algorithm))], |_| {})
}

/// The text with every character that XML 1.0 §2.2 has no way to write replaced.
fn sayable(text: &str) -> String {
    let sayable = |c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..);
    text.chars().map(|c| if sayable(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// A time as SAML core §1.3.3 wants it: in UTC, with the `Z`.
fn instant(seconds: i64) -> String {
    let end = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(end).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Key, certificate, draft};
    use super::super::{Verified, c14n, decode, encode, read, verify};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_assertion_is_written_in_its_canonical_form() {
        assert_eq!(
            draft().unsigned(),
            concat!(
                r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a75""#,
                r#" IssueInstant="2026-11-21T09:00:00Z" Version="2.0">"#,
                r#"<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">3MVG9consumerkey</saml:Issuer>"#,
                r#"<saml:Subject>"#,
                r#"<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">user@example.com</saml:NameID>"#,
                r#"<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">"#,
                r#"<saml:SubjectConfirmationData NotOnOrAfter="2026-11-21T09:04:00Z""#,
                r#" Recipient="https://login.salesforce.com/services/oauth2/token"></saml:SubjectConfirmationData>"#,
                r#"</saml:SubjectConfirmation></saml:Subject>"#,
                r#"<saml:Conditions NotBefore="2026-11-21T08:58:00Z" NotOnOrAfter="2026-11-21T09:03:00Z">"#,
                r#"<saml:AudienceRestriction><saml:Audience>https://login.salesforce.com</saml:Audience></saml:AudienceRestriction>"#,
                r#"</saml:Conditions>"#,
                r#"<saml:AuthnStatement AuthnInstant="2026-11-21T08:59:59Z"><saml:AuthnContext>"#,
                r#"<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef>"#,
                r#"</saml:AuthnContext></saml:AuthnStatement></saml:Assertion>"#,
            )
        );
        let document = draft().unsigned();
        let document = roxmltree::Document::parse(&document).unwrap();
        assert_eq!(c14n::canonical(document.root_element(), None, &[]), draft().unsigned());
    }

    #[test]
    fn what_a_draft_does_not_say_is_left_out() {
        let bare = Draft { id: "a".into(), confirmation_method: None, ..Draft::default() };
        assert_eq!(
            bare.unsigned(),
            concat!(
                r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="a""#,
                r#" IssueInstant="1970-01-01T00:00:00Z" Version="2.0"></saml:Assertion>"#,
            )
        );
        let no_name = Draft { subject: None, ..draft() }.unsigned();
        assert!(!no_name.contains("NameID") && no_name.contains("Recipient="));
        let no_method = Draft { confirmation_method: None, ..draft() }.unsigned();
        assert!(no_method.contains("NameID") && !no_method.contains("SubjectConfirmation"));
        let no_data = Draft { recipient: None, confirmation_not_on_or_after: None, ..draft() }.unsigned();
        assert!(no_data.contains("cm:bearer\"></saml:SubjectConfirmation>"));
    }

    #[test]
    fn the_signature_stands_where_it_was_asked_for() {
        let key = Key::main();
        let at = |placement| {
            let how = Signing { placement, ..Signing::default() };
            let xml = draft().sign(&|message| key.sign(message), &how);
            assert_eq!(verify(&xml, &|m, s| key.verifies(m, s), None).unwrap().id, "_a75");
            xml
        };
        assert!(at(Placement::AfterIssuer).contains("</saml:Issuer><ds:Signature "));
        assert!(at(Placement::First).contains("Version=\"2.0\"><ds:Signature "));
        assert!(at(Placement::Last).ends_with("</ds:Signature></saml:Assertion>"));
    }

    #[test]
    fn a_certificate_can_be_shown() {
        let key = Key::main();
        let shown = certificate(include_str!("../../../tests/keys/app-main.crt"));
        let how = Signing { certificate_in_key_info: Some(shown.clone()), ..Signing::default() };
        let xml = draft().sign(&|message| key.sign(message), &how);
        assert!(xml.contains(&format!("<ds:X509Certificate>{shown}</ds:X509Certificate>")));
        assert!(verify(&xml, &|m, s| key.verifies(m, s), None).is_ok());
    }

    #[test]
    fn times_that_no_calendar_reaches_are_clamped() {
        for (seconds, written) in [(i64::MIN, "-009999-01-02T"), (i64::MAX, "9999-12-30T")] {
            let xml = Draft { issue_instant: seconds, not_before: Some(seconds), ..draft() }.unsigned();
            assert!(xml.contains(&format!("IssueInstant=\"{written}")), "{xml}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn what_is_signed_is_read_back(
            id in "[^\u{0}-\u{1f}\u{fffe}\u{ffff}]{1,12}",
            issuer in proptest::option::of("[^\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{0,20}"),
            subject in proptest::option::of("[a-z@.<>&\"' \r\n\t]{0,20}"),
            audience in proptest::option::of("[a-z:/.&\r]{0,20}"),
            recipient in proptest::option::of("[a-z:/.&\"'\r\n\t ]{0,20}"),
            times in proptest::array::uniform5(proptest::option::of(-60_000_000_000i64..250_000_000_000)),
        ) {
            let key = Key::main();
            let draft = Draft {
                id, issuer, subject, audience, recipient,
                confirmation_method: Some(BEARER.into()),
                issue_instant: times[0].unwrap_or(0),
                not_before: times[1],
                not_on_or_after: times[2],
                confirmation_not_on_or_after: times[3],
                authn_instant: times[4],
            };
            let xml = decode(&encode(&key.signed(&draft))).unwrap();
            let verified = verify(&xml, &|m, s| key.verifies(m, s), None).unwrap();
            prop_assert_eq!(&verified, &read(&xml).unwrap());
            prop_assert_eq!(verified, Verified {
                id: draft.id,
                issuer: draft.issuer,
                subject: draft.subject,
                audiences: draft.audience.into_iter().collect(),
                recipient: draft.recipient,
                method: draft.confirmation_method,
                issue_instant: Some(draft.issue_instant),
                not_before: draft.not_before,
                not_on_or_after: draft.not_on_or_after,
                confirmation_not_before: None,
                confirmation_not_on_or_after: draft.confirmation_not_on_or_after,
                algorithm: Some(Algorithm::RsaSha256),
                digest: Some(Digest::Sha256),
            });
        }

        #[test]
        fn a_draft_of_anything_is_well_formed(text in any::<String>(), time in any::<i64>()) {
            let draft = Draft {
                id: text.clone(), issuer: Some(text.clone()), subject: Some(text.clone()),
                audience: Some(text.clone()), recipient: Some(text.clone()), confirmation_method: Some(text),
                issue_instant: time, not_before: Some(time), not_on_or_after: Some(time),
                confirmation_not_on_or_after: Some(time), authn_instant: Some(time),
            };
            let xml = draft.sign(&|_| vec![0; 256], &Signing::default());
            prop_assert!(roxmltree::Document::parse(&xml).is_ok());
        }
    }
}
