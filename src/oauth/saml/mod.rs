//! SAML 2.0 bearer assertions (RFC 7522): minted from a draft that can be wrong on purpose, read without
//! trust, verified under a profile that leaves signature wrapping no room.
//!
//! The profile is narrower than XML Signature. The root of the document is the one assertion in it, its one
//! signature is a child of that root and covers the whole of it by its ID, the algorithms and transforms are
//! a fixed list, there is no DTD, and the key is the one registered for the connected app: what `KeyInfo`
//! says is not looked at. So what a consumer reads is what was signed, and each way to miss that has a name
//! in [`Reject`].
//!
//! Nothing here knows the time, the audience or the issuer that it should be: that is the judgement of
//! whoever holds the [`Verified`] values.

#[cfg(test)]
mod attacks;
mod c14n;
mod draft;
pub mod forgery;
#[cfg(test)]
mod sample;
mod verify;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

pub use draft::{Draft, Placement, Signing};
pub use verify::{claims, read, verify};

/// The longest assertion that is looked at, in bytes of XML.
pub const LONGEST: usize = 64 * 1024;

/// The `Method` of the subject confirmation that RFC 7522 §3 (5) asks for.
pub const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

const ASSERTION_NS: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const SIGNATURE_NS: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// The hash in `DigestMethod` (XML Signature §4.3.3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digest {
    /// `http://www.w3.org/2001/04/xmlenc#sha256`
    #[default]
    Sha256,
    /// `http://www.w3.org/2000/09/xmldsig#sha1`
    Sha1,
}

/// The signature algorithm in `SignatureMethod` (XML Signature §4.3.2, RFC 6931 §2.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// `http://www.w3.org/2001/04/xmldsig-more#rsa-sha256`
    #[default]
    RsaSha256,
    /// `http://www.w3.org/2000/09/xmldsig#rsa-sha1`: in Salesforce's own sample, and weak.
    RsaSha1,
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

/// Says of bytes and a signature over them whether they fit under the registered key.
pub type Verifier<'a> = &'a dyn Fn(&[u8], &[u8]) -> bool;

/// Why an assertion is not acceptable. The text of each is a fragment that fits after "the assertion was
/// refused: ".
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

/// Writes an assertion as the `assertion` parameter carries it: base64url, neither wrapped nor padded (RFC
/// 7522 §2.1).
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn decode_takes_any_text(text in any::<String>()) {
            let _ = decode(&text);
        }

        #[test]
        fn what_was_encoded_is_decoded(text in any::<String>()) {
            prop_assert_eq!(decode(&encode(&text)), Ok(text));
        }
    }
}
