//! Forged assertions: what becomes of a rightly signed one in the hands of somebody who wants to be somebody else.
//!
//! Twelve and more ways to wrap the signed original into one of the forger's, and what else deceives a reader of XML.
//! Each is refused by [`super::verify`] for a reason of its own.

use super::Draft;

/// One way to forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgery {
    /// Its name in suites.
    pub name: &'static str,
    /// What the document is then.
    pub doc: &'static str,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    ResponseFirst,
    ResponseLast,
    OriginalInObject,
    OriginalInAdvice,
    SignedInAdvice,
    OriginalBeside,
    SignedInConfirmation,
    SignedInExtensions,
    SameId,
    RenamedSameId,
    Renamed,
    RenamedSigned,
    SignatureTwice,
    SignatureTransplanted,
    Comment,
    DocumentType,
    Entity,
}

const fn row(name: &'static str, how: How, doc: &'static str) -> Forgery {
    Forgery { name, doc, how }
}

/// Every forgery; the first fourteen wrap the signature (Somorovsky et al., On Breaking SAML, XSW 1 to 8, and their
/// kin).
pub const FORGERIES: &[Forgery] = &[
    row(
        "response-forged-first",
        How::ResponseFirst,
        "a Response with the forged assertion before the signed one",
    ),
    row(
        "response-forged-last",
        How::ResponseLast,
        "a Response with the forged assertion behind the signed one",
    ),
    row(
        "original-in-object",
        How::OriginalInObject,
        "the forged assertion, with the signature, and in its Object the original",
    ),
    row(
        "original-in-advice",
        How::OriginalInAdvice,
        "the forged assertion with the signature; the original in its Advice",
    ),
    row("signed-in-advice", How::SignedInAdvice, "the forged assertion with the signed one in its Advice"),
    row(
        "original-beside",
        How::OriginalBeside,
        "the forged assertion with signature and original as its children",
    ),
    row(
        "signed-in-confirmation",
        How::SignedInConfirmation,
        "the forged assertion with the signed one in its SubjectConfirmationData",
    ),
    row(
        "signed-in-extensions",
        How::SignedInExtensions,
        "the forged assertion with the signed one in an element of a foreign namespace",
    ),
    row(
        "same-id",
        How::SameId,
        "the forged assertion under the ID of the signed one, which stands in its Advice",
    ),
    row(
        "renamed-same-id",
        How::RenamedSameId,
        "the forged assertion with the signature, and the original under another name with the same ID",
    ),
    row(
        "renamed",
        How::Renamed,
        "the forged assertion with the signature, and the original under another name",
    ),
    row(
        "renamed-signed",
        How::RenamedSigned,
        "the forged assertion, and in its Advice the original under another name with the signature in it",
    ),
    row(
        "signature-twice",
        How::SignatureTwice,
        "the forged assertion with the signature, once more beside the original",
    ),
    row(
        "signature-transplanted",
        How::SignatureTransplanted,
        "the forged assertion under the ID of the original, with nothing of it but the signature",
    ),
    row(
        "comment",
        How::Comment,
        "a rightly signed name that a comment parts in two, the first of them somebody else's",
    ),
    row("doctype", How::DocumentType, "a rightly signed assertion behind a document type declaration"),
    row("entity", How::Entity, "a rightly signed assertion whose name is an entity of the document type"),
];

/// The names of [`FORGERIES`].
pub const NAMES: [&str; FORGERIES.len()] = {
    let mut names = [""; FORGERIES.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = FORGERIES[i].name;
        i += 1;
    }
    names
};

/// How many of [`FORGERIES`] wrap a signature.
pub const WRAPPINGS: usize = 14;

/// The forgery of that name.
pub fn find(name: &str) -> Option<&'static Forgery> {
    FORGERIES.iter().find(|forgery| forgery.name == name)
}

impl Forgery {
    /// Whether it wraps the signature of another assertion.
    pub fn wraps(&self) -> bool {
        FORGERIES[..WRAPPINGS].contains(self)
    }

    /// The forged document. `draft` is what the forger may rightly have signed, `signed` signs a draft, and `victim` is
    /// whom the forger would like to be; where nobody else is known, it is the user of the draft.
    pub fn forge(&self, draft: &Draft, victim: &str, signed: &dyn Fn(&Draft) -> String) -> String {
        let evil = |id: &str, inside: &str| {
            let evil = Draft { id: id.to_owned(), subject: Some(victim.to_owned()), ..draft.clone() };
            evil.unsigned().replace("</saml:Assertion>", &format!("{inside}</saml:Assertion>"))
        };
        let good = signed(draft);
        let signature = signature_of(&good);
        let original = good.replace(signature, "");
        let renamed = original.replace("saml:Assertion", "saml:Evidence");
        let (same, other) = (draft.id.as_str(), format!("{}b", draft.id));
        let advice = |inside: &str| format!("<saml:Advice>{inside}</saml:Advice>");
        let response = |inside: &str| {
            let protocol = "urn:oasis:names:tc:SAML:2.0:protocol";
            format!(
                r#"<samlp:Response xmlns:samlp="{protocol}" ID="_r" Version="2.0">{inside}</samlp:Response>"#
            )
        };
        match self.how {
            How::ResponseFirst => response(&format!("{}{good}", evil(&other, ""))),
            How::ResponseLast => response(&format!("{good}{}", evil(&other, ""))),
            How::OriginalInObject => {
                let object = format!("<ds:Object>{original}</ds:Object></ds:Signature>");
                evil(&other, &signature.replace("</ds:Signature>", &object))
            }
            How::OriginalInAdvice => evil(&other, &format!("{signature}{}", advice(&original))),
            How::SignedInAdvice => evil(&other, &advice(&good)),
            How::OriginalBeside => evil(&other, &format!("{signature}{original}")),
            How::SignedInConfirmation => {
                let end = "</saml:SubjectConfirmationData>";
                evil(&other, "").replace(end, &format!("{good}{end}"))
            }
            How::SignedInExtensions => {
                evil(&other, &format!("<x:Extensions xmlns:x='urn:x'>{good}</x:Extensions>"))
            }
            How::SameId => evil(same, &advice(&good)),
            How::RenamedSameId => evil(same, &format!("{signature}{}", advice(&renamed))),
            How::Renamed => evil(&other, &format!("{signature}{}", advice(&renamed))),
            How::RenamedSigned => {
                let within = renamed.replace("</saml:Evidence>", &format!("{signature}</saml:Evidence>"));
                evil(&other, &advice(&within))
            }
            How::SignatureTwice => {
                evil(&other, &format!("{signature}{}", advice(&format!("{renamed}{signature}"))))
            }
            How::SignatureTransplanted => evil(same, signature),
            How::Comment => {
                let longer = format!("{victim}.grantcheck.example");
                let draft = Draft { subject: Some(longer.clone()), ..draft.clone() };
                signed(&draft).replace(&longer, &format!("{victim}<!---->.grantcheck.example"))
            }
            How::DocumentType => format!("<!DOCTYPE saml:Assertion>{good}"),
            How::Entity => {
                let name = draft.subject.as_deref().unwrap_or_default();
                let declared = format!(r#"<!DOCTYPE saml:Assertion [<!ENTITY user "{name}">]>"#);
                format!("{declared}{}", good.replace(&format!(">{name}<"), ">&user;<"))
            }
        }
    }
}

/// The whole `ds:Signature` of a document that a [`Draft`] wrote.
fn signature_of(xml: &str) -> &str {
    let end = "</ds:Signature>";
    match (xml.find("<ds:Signature "), xml.find(end)) {
        (Some(start), Some(stop)) if start < stop => &xml[start..stop + end.len()],
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{MAIN, draft, refused, strictly};
    use super::super::{Reject, claims};
    use super::*;

    fn forged(name: &str) -> String {
        find(name).unwrap().forge(&draft(), "admin@example.com", &|draft| MAIN.signed(draft))
    }

    #[test]
    fn each_is_refused_and_the_reason_is_named() {
        let response = Reject::RootIsNotAssertion("{urn:oasis:names:tc:SAML:2.0:protocol}Response".into());
        let reasons = [
            ("response-forged-first", response.clone()),
            ("response-forged-last", response),
            ("original-in-object", Reject::SecondAssertion),
            ("original-in-advice", Reject::SecondAssertion),
            ("signed-in-advice", Reject::SecondAssertion),
            ("original-beside", Reject::SecondAssertion),
            ("signed-in-confirmation", Reject::SecondAssertion),
            ("signed-in-extensions", Reject::SecondAssertion),
            ("same-id", Reject::SecondAssertion),
            ("renamed-same-id", Reject::DuplicateId),
            ("renamed", Reject::ReferenceElsewhere),
            ("renamed-signed", Reject::SignatureElsewhere),
            ("signature-twice", Reject::SecondSignature),
            ("signature-transplanted", Reject::DigestMismatch),
            ("doctype", Reject::DocumentType),
            ("entity", Reject::DocumentType),
        ];
        for (name, reason) in &reasons {
            refused(&forged(name), reason.clone());
        }
        // All but the comment, which is no forgery to a reader of the whole name.
        assert_eq!(reasons.len() + 1, FORGERIES.len());
        assert!(FORGERIES.iter().filter(|forgery| forgery.wraps()).count() >= 12);
        let whole = strictly(&forged("comment")).unwrap().subject;
        assert_eq!(whole.as_deref(), Some("admin@example.com.grantcheck.example"));
    }

    #[test]
    fn what_is_wrapped_says_what_the_forger_wants() {
        for forgery in FORGERIES.iter().filter(|forgery| forgery.wraps()) {
            let xml = forged(forgery.name);
            assert!(
                xml.contains("<ds:SignatureValue>") && xml.contains("admin@example.com"),
                "{}",
                forgery.name
            );
            if !forgery.name.starts_with("response") {
                assert_eq!(
                    claims(&xml).unwrap().subject.as_deref(),
                    Some("admin@example.com"),
                    "{}",
                    forgery.name
                );
            }
        }
    }

    #[test]
    fn the_signed_part_is_right_by_itself() {
        let inside = forged("signed-in-advice");
        let start = inside.find("<saml:Advice>").unwrap() + "<saml:Advice>".len();
        let signed = &inside[start..inside.find("</saml:Advice>").unwrap()];
        assert_eq!(strictly(signed).unwrap().subject.as_deref(), Some("user@example.com"));
        assert!(strictly(&forged("doctype").replace("<!DOCTYPE saml:Assertion>", "")).is_ok());
    }

    #[test]
    fn names_are_unique() {
        for (i, forgery) in FORGERIES.iter().enumerate() {
            assert_eq!(FORGERIES.iter().position(|f| f.name == forgery.name), Some(i));
            assert!(!forgery.doc.is_empty());
        }
    }
}
