//! SAML 2.0 bearer assertions (RFC 7522): minted from a draft that can be wrong on purpose, read without trust,
//! verified under a profile that leaves signature wrapping no room.
//!
//! The profile is narrower than XML Signature. The root of the document is the one assertion in it, its one
//! signature is a child of that root and covers the whole of it by its ID, the algorithms and transforms are a
//! fixed list, there is no DTD, and the key is the one registered for the connected app: what `KeyInfo` says is not
//! looked at. So what a consumer reads is what was signed, and each way to miss that has a name in [`Reject`].
//!
//! Nothing here knows the time, the audience or the issuer that it should be: that is the judgement of whoever holds
//! the [`Verified`] values.

mod c14n;
mod verify;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;

pub use verify::{claims, read, verify};

/// The longest assertion that is looked at, in bytes of XML.
pub const LONGEST: usize = 64 * 1024;

/// The `Method` of the subject confirmation that RFC 7522 §3 (5) asks for.
pub const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

const ASSERTION_NS: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const SIGNATURE_NS: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// What a SAML 2.0 bearer assertion says (RFC 7522 §3), as a draft that can be made wrong on purpose before it is
/// written. What is `None` is left out; a draft by `default()` has the bearer method and nothing else.
///
/// Characters that XML cannot say at all (NUL and its like) are written as U+FFFD; a time that no calendar reaches
/// as the last that one does.
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
    /// `SubjectConfirmation/@Method`: [`BEARER`] when it is right. `None` leaves the whole confirmation out, with its
    /// recipient and its end.
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

/// The hash in `DigestMethod` (XML Signature §4.3.3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digest {
    /// `http://www.w3.org/2001/04/xmlenc#sha256`
    #[default]
    Sha256,
    /// `http://www.w3.org/2000/09/xmldsig#sha1`
    Sha1,
}

/// The signature algorithm in `SignatureMethod` (XML Signature §4.3.2, RFC 4051 §2.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// `http://www.w3.org/2001/04/xmldsig-more#rsa-sha256`
    #[default]
    RsaSha256,
    /// `http://www.w3.org/2000/09/xmldsig#rsa-sha1`: in Salesforce's own sample, and weak.
    RsaSha1,
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

/// What an assertion says, as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// `Assertion/@ID`, by which a replay is known.
    pub id: String,
    /// `Issuer`, character by character: nothing is trimmed.
    pub issuer: Option<String>,
    /// `Subject/NameID`: all of its text, also what follows a comment.
    pub subject: Option<String>,
    /// Every `Audience` of the one `AudienceRestriction`: one of them has to fit (SAML core §2.5.1.4).
    pub audiences: Vec<String>,
    /// `@Recipient` of the confirmation: of the first bearer one, or of the first if none is bearer.
    pub recipient: Option<String>,
    /// `@Method` of that confirmation.
    pub method: Option<String>,
    /// `Assertion/@IssueInstant`; fractions of a second are dropped here and below.
    pub issue_instant: Option<i64>,
    /// `Conditions/@NotBefore`.
    pub not_before: Option<i64>,
    /// `Conditions/@NotOnOrAfter`.
    pub not_on_or_after: Option<i64>,
    /// `@NotBefore` of that confirmation, which a bearer one should not have (SAML profiles §4.1.4.2).
    pub confirmation_not_before: Option<i64>,
    /// `@NotOnOrAfter` of that confirmation.
    pub confirmation_not_on_or_after: Option<i64>,
    /// How it is signed; `None` only by [`claims`], where there is no acceptable signature.
    pub algorithm: Option<Algorithm>,
    /// How it is hashed; `None` as above.
    pub digest: Option<Digest>,
}

/// Why an assertion is not acceptable. The text of each is a fragment that fits after "the assertion was refused: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// More than [`LONGEST`].
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    /// White space in the encoded assertion (RFC 7522 §2.1).
    #[error("its encoding holds white space: base64url is not wrapped, and a blank may have been a bare '+'")]
    Wrapped,
    /// `+` or `/` in the encoded assertion (RFC 7522 §2.1).
    #[error("its encoding is standard base64 ('+' or '/'), not base64url")]
    StandardBase64,
    /// Anything else that is not base64url.
    #[error("its encoding is not base64url")]
    NotBase64Url,
    /// Encoded bytes that are no text.
    #[error("what it encodes is not UTF-8")]
    NotUtf8,

    /// Not well-formed XML with namespaces.
    #[error("it is not well-formed XML: {0}")]
    Malformed(String),
    /// A document type declaration, with or without entities.
    #[error("it has a document type declaration")]
    DocumentType,
    /// So many nodes or namespaces that no honest assertion has them.
    #[error("it has more nodes or namespace declarations than an assertion needs")]
    TooComplex,

    /// The root is something else, a `samlp:Response` most often.
    #[error("its root is {0}, not a SAML 2.0 Assertion")]
    RootIsNotAssertion(String),
    /// A second assertion anywhere in the document.
    #[error("it holds more than one Assertion")]
    SecondAssertion,
    /// No ID, so that no signature can point to it (SAML core §2.3.3).
    #[error("the Assertion has no ID")]
    NoId,
    /// Another attribute that some reader takes for an ID, with the same value.
    #[error("another element has the ID of the Assertion")]
    DuplicateId,
    /// `@Version` is not `2.0` (SAML core §2.3.3).
    #[error("the Version of the Assertion is not 2.0")]
    Version,
    /// Two of an element of which there can be one.
    #[error("it has more than one {0} where one can stand")]
    Repeated(&'static str),
    /// Elements where text belongs.
    #[error("{0} holds elements, not only text")]
    NotText(&'static str),
    /// A condition that is not understood, so that the assertion must not be relied on (SAML core §2.5.1.1).
    #[error("its Conditions hold {0}, which is not understood")]
    UnknownCondition(String),
    /// Not an `xsd:dateTime` with a zone (SAML core §1.3.3).
    #[error("{0} is not a time with a zone, such as 2026-11-21T09:00:00Z")]
    BadTime(&'static str),

    /// No signature at all (RFC 7522 §3 (9)).
    #[error("it is not signed")]
    Unsigned,
    /// A second signature anywhere in the document.
    #[error("it holds more than one Signature")]
    SecondSignature,
    /// The signature is not a child of the assertion.
    #[error("its Signature is not a child of the Assertion")]
    SignatureElsewhere,
    /// Something besides SignedInfo, SignatureValue and KeyInfo, or those not once each.
    #[error("its Signature is not SignedInfo, SignatureValue and at most one KeyInfo")]
    SignatureParts,
    /// Something besides the two methods and one reference.
    #[error("its SignedInfo is not CanonicalizationMethod, SignatureMethod and one Reference")]
    SignedInfoParts,
    /// Not exclusive canonicalization without comments.
    #[error("its CanonicalizationMethod is not exclusive canonicalization without comments")]
    CanonicalizationMethod,
    /// An algorithm that is not RSA-SHA256, nor RSA-SHA1 where that is allowed.
    #[error("its SignatureMethod {0} is not allowed")]
    SignatureMethod(String),
    /// A digest that is not SHA-256, nor SHA-1 where that is allowed.
    #[error("its DigestMethod {0} is not allowed")]
    DigestMethod(String),
    /// The reference covers something else than the whole assertion.
    #[error("its Reference does not point to the Assertion by its ID")]
    ReferenceElsewhere,
    /// Something besides transforms, method and value.
    #[error("its Reference is not Transforms, DigestMethod and DigestValue")]
    ReferenceParts,
    /// Other transforms: each of them could take out what the signer meant to be covered.
    #[error("its Transforms are not enveloped-signature and then exclusive canonicalization")]
    Transforms,
    /// `DigestValue` or `SignatureValue` cannot be decoded.
    #[error("its {0} is not base64")]
    NotBase64(&'static str),
    /// It is not what was signed.
    #[error("its DigestValue does not fit its content: it was changed after it was signed")]
    DigestMismatch,
    /// It was signed by somebody else, or the signature was changed.
    #[error("its SignatureValue does not verify with the registered key")]
    BadSignature,
}

/// Writes an assertion as the `assertion` parameter carries it: base64url, neither wrapped nor padded (RFC 7522 §2.1).
pub fn encode(xml: &str) -> String {
    URL_SAFE_NO_PAD.encode(xml)
}

/// Reads what [`encode`] wrote. Padding is accepted (RFC 7522 §2.1 says only that it should not be there).
///
/// # Errors
/// [`Reject`], for standard base64, for line breaks and for whatever is longer than [`LONGEST`].
pub fn decode(assertion: &str) -> Result<String, Reject> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if assertion.len() > LONGEST.div_ceil(3) * 4 {
        return Err(Reject::TooLong);
    }
    for c in assertion.chars() {
        match c {
            '+' | '/' => return Err(Reject::StandardBase64),
            c if c.is_whitespace() => return Err(Reject::Wrapped),
            _ => {}
        }
    }
    let bytes = ENGINE.decode(assertion).map_err(|_| Reject::NotBase64Url)?;
    String::from_utf8(bytes).map_err(|_| Reject::NotUtf8)
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

    /// The assertion with an enveloped signature (XML Signature §8.1, SAML core §5.4). `sign` gives the
    /// RSASSA-PKCS1-v1_5 signature over the bytes that it gets, with the hash of [`Signing::algorithm`].
    pub fn sign(&self, sign: &dyn Fn(&[u8]) -> Vec<u8>, how: &Signing) -> String {
        let [open, issuer, rest, close] = self.parts();
        // The draft is written in its canonical form, so the digest is that of the text itself; and the enveloped
        // transform takes the signature out again, wherever it stands.
        let digest = how.digest.of(&[&open, &issuer, &rest, &close]);
        let mut reference = String::from("#");
        reference.push_str(&self.id);
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
        // On its own, as it is signed, SignedInfo declares the prefix that in the document stands on its parent.
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

    /// Start tag, issuer, all that follows it, end tag; together the canonical form (attributes stand in order of
    /// their names, which [`element`] does not see to).
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

impl Digest {
    fn uri(self) -> &'static str {
        match self {
            Digest::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Digest::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
        }
    }

    fn named(uri: &str) -> Option<Self> {
        [Digest::Sha256, Digest::Sha1].into_iter().find(|digest| digest.uri() == uri)
    }

    fn of(self, parts: &[&str]) -> digest::Digest {
        let mut context = digest::Context::new(match self {
            Digest::Sha256 => &SHA256,
            Digest::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
        });
        parts.iter().for_each(|part| context.update(part.as_bytes()));
        context.finish()
    }
}

impl Algorithm {
    fn uri(self) -> &'static str {
        match self {
            Algorithm::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Algorithm::RsaSha1 => "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        }
    }

    fn named(uri: &str) -> Option<Self> {
        [Algorithm::RsaSha256, Algorithm::RsaSha1].into_iter().find(|algorithm| algorithm.uri() == uri)
    }
}

/// An element in its canonical spelling, provided that `attributes` are in canonical order.
fn element(name: &str, attributes: &[(&str, Option<&str>)], content: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(256);
    out.extend(["<", name]);
    for (attribute, value) in attributes {
        if let Some(value) = value {
            out.extend([" ", attribute, "=\""]);
            c14n::escape_attribute(&sayable(value), &mut out);
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
    element(name, attributes, |out| c14n::escape_text(&sayable(text), out))
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

/// Keys of the tests, and a draft in which nothing is wrong.
#[cfg(test)]
mod sample {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_SHA256, RsaKeyPair, RsaParameters, UnparsedPublicKey,
    };

    pub(super) struct Key(RsaKeyPair);

    impl Key {
        pub(super) fn main() -> Self {
            Self::of(include_str!("../../../tests/keys/app-main.key"))
        }

        pub(super) fn other() -> Self {
            Self::of(include_str!("../../../tests/keys/app-other.key"))
        }

        fn of(pem: &str) -> Self {
            Self(RsaKeyPair::from_pkcs8(&STANDARD.decode(body(pem)).unwrap()).unwrap())
        }

        pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
            let mut signature = vec![0; self.0.public_modulus_len()];
            self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        }

        pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
            self.fits(&RSA_PKCS1_2048_8192_SHA256, message, signature)
        }

        pub(super) fn verifies_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
            self.fits(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, message, signature)
        }

        fn fits(&self, how: &'static RsaParameters, message: &[u8], signature: &[u8]) -> bool {
            UnparsedPublicKey::new(how, self.0.public_key().as_ref()).verify(message, signature).is_ok()
        }

        pub(super) fn signed(&self, draft: &Draft) -> String {
            draft.sign(&|message| self.sign(message), &Signing::default())
        }
    }

    pub(super) fn certificate(pem: &str) -> String {
        body(pem)
    }

    fn body(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with('-')).collect()
    }

    /// 2026-11-21T09:00:00Z
    pub(super) const NOW: i64 = 1_795_251_600;

    pub(super) fn draft() -> Draft {
        Draft {
            id: "_a75".into(),
            issuer: Some("3MVG9consumerkey".into()),
            subject: Some("user@example.com".into()),
            audience: Some("https://login.salesforce.com".into()),
            recipient: Some("https://login.salesforce.com/services/oauth2/token".into()),
            issue_instant: NOW,
            not_before: Some(NOW - 120),
            not_on_or_after: Some(NOW + 180),
            confirmation_not_on_or_after: Some(NOW + 240),
            authn_instant: Some(NOW - 1),
            ..Draft::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{Key, certificate, draft};
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
        for seconds in [i64::MIN, i64::MAX] {
            let xml = Draft { issue_instant: seconds, not_before: Some(seconds), ..draft() }.unsigned();
            assert!(roxmltree::Document::parse(&xml).is_ok());
        }
    }

    #[test]
    fn the_encoding_is_base64url_and_nothing_near_it() {
        // three bytes whose base64 has all the difference: "+/+/" against "-_-_"
        let text = "<é>\u{fb}\u{ff}\u{3fe}?~~";
        let encoded = encode(text);
        assert!(!encoded.contains(['+', '/', '=', '\n']));
        assert_eq!(decode(&encoded).unwrap(), text);
        assert_eq!(decode("PGE-PC9hPg").unwrap(), "<a></a>");
        assert_eq!(decode("PGE-PC9hPg==").unwrap(), "<a></a>", "padding should not be there and may");
        assert_eq!(decode("PGE+PC9hPg=="), Err(Reject::StandardBase64));
        assert_eq!(decode("PGE/PC9hPg=="), Err(Reject::StandardBase64));
        assert_eq!(decode("PGE-\nPC9hPg"), Err(Reject::Wrapped));
        assert_eq!(decode("PGE PC9hPg"), Err(Reject::Wrapped));
        assert_eq!(decode("PGE-PC9hP"), Err(Reject::NotBase64Url));
        assert_eq!(decode("<a></a>"), Err(Reject::StandardBase64));
        assert_eq!(decode("PGE-PC9hPh"), Err(Reject::NotBase64Url), "bits that say nothing");
        assert_eq!(decode("_w"), Err(Reject::NotUtf8));
        assert_eq!(decode(&"A".repeat(100_000)), Err(Reject::TooLong));
        assert_eq!(decode(""), Ok(String::new()));
    }

    #[test]
    fn every_reason_reads_as_a_fragment() {
        for reason in [Reject::TooLong, Reject::Unsigned, Reject::BadTime("Conditions/@NotBefore")] {
            let said = reason.to_string();
            assert!(!said.ends_with('.'), "{said}");
        }
        assert_eq!(Reject::TooLong.to_string(), "it is longer than 65536 bytes");
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

        #[test]
        fn decode_takes_any_text(text in any::<String>()) {
            let _ = decode(&text);
        }
    }
}
