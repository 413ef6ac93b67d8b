//! The strict profile: from a text to what a consumer may believe.
//!
//! The steps are in the order in which one trusts: well-formed, one assertion, one signature over just that,
//! the algorithms, the digest, the signature, and only then the content.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use roxmltree::{Document, Error, Node, ParsingOptions};

use super::c14n::{canonical, written_name};
use super::{
    ASSERTION_NS, Algorithm, BEARER, Digest, ENVELOPED, EXCLUSIVE_C14N, LONGEST, Reject, SIGNATURE_NS,
    Verified, Verifier,
};

/// The most nodes that are looked at; a full assertion of Salesforce's sample has about forty.
const NODES: u32 = 1_000;

/// The most namespace declarations: the parser's work grows with their cube.
const DECLARATIONS: usize = 100;

/// What an assertion says, whether or not it is signed and however it is wrapped: for the eye and for the
/// facts of a transcript, never for a decision.
///
/// # Errors
/// [`Reject`], when there is no assertion at the root, or its content cannot be understood.
pub fn claims(xml: &str) -> Result<Verified, Reject> {
    let text = line_ends(xml);
    let document = parse(&text)?;
    let (root, id) = assertion(&document)?;
    contents(root, id, signed(root, id).ok().as_ref())
}

/// What an assertion says whose structure is that of the profile (RSA-SHA1 and SHA-1 among the algorithms).
/// Its signature is not verified: for that one needs a key.
///
/// # Errors
/// [`Reject`], as [`verify`] has it, but for the last two reasons.
pub fn read(xml: &str) -> Result<Verified, Reject> {
    let text = line_ends(xml);
    let document = parse(&text)?;
    let (root, id) = assertion(&document)?;
    let signed = signed(root, id)?;
    contents(root, id, Some(&signed))
}

/// What an assertion says that was signed with a registered key (RFC 7522 §3 (9), XML Signature §3.2).
///
/// `sha256` says whether a signature over these bytes is a right one by RSASSA-PKCS1-v1_5 with SHA-256;
/// `sha1` the same with SHA-1, and its absence says that SHA-1 is allowed neither there nor as a digest.
///
/// # Errors
/// [`Reject`], which names the first reason against it.
pub fn verify(xml: &str, sha256: Verifier<'_>, sha1: Option<Verifier<'_>>) -> Result<Verified, Reject> {
    let text = line_ends(xml);
    let document = parse(&text)?;
    let (root, id) = assertion(&document)?;
    let signed = signed(root, id)?;

    let fits = match (signed.algorithm, sha1) {
        (Algorithm::RsaSha256, _) => sha256,
        (Algorithm::RsaSha1, Some(sha1)) => sha1,
        (Algorithm::RsaSha1, None) => return Err(Reject::SignatureMethod(signed.algorithm.uri().to_owned())),
    };
    if signed.digest == Digest::Sha1 && sha1.is_none() {
        return Err(Reject::DigestMethod(signed.digest.uri().to_owned()));
    }
    let covered = canonical(root, Some(signed.signature.id()), &signed.covered_prefixes);
    if signed.digest.of(&[&covered]).as_ref() != signed.digest_value {
        return Err(Reject::DigestMismatch);
    }
    let info = canonical(signed.info, None, &signed.info_prefixes);
    if !fits(info.as_bytes(), &signed.signature_value) {
        return Err(Reject::BadSignature);
    }
    contents(root, id, Some(&signed))
}

/// XML 1.0 §2.11, before anything is parsed, as it is written there: the parser does it late, and misses a
/// line end that stands before a character reference.
fn line_ends(xml: &str) -> Cow<'_, str> {
    if xml.contains('\r') { xml.replace("\r\n", "\n").replace('\r', "\n").into() } else { xml.into() }
}

fn parse(text: &str) -> Result<Document<'_>, Reject> {
    if text.len() > LONGEST {
        return Err(Reject::TooLong);
    }
    if text.matches("xmlns").count() > DECLARATIONS {
        return Err(Reject::TooComplex);
    }
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| match error {
        Error::DtdDetected => Reject::DocumentType,
        Error::NodesLimitReached | Error::AttributesLimitReached | Error::NamespacesLimitReached => {
            Reject::TooComplex
        }
        error => Reject::Malformed(short(&error.to_string())),
    })?;
    match document.descendants().find_map(lenient) {
        Some(what) => Err(Reject::Malformed(what.to_owned())),
        None => Ok(document),
    }
}

/// What the parser lets pass though Namespaces in XML 1.0 forbids it. Another reader would refuse the
/// document or read something else in it.
fn lenient(node: Node<'_, '_>) -> Option<&'static str> {
    let source = node.document().input_text();
    let starts =
        node.attributes().map(|a| a.range().start).chain(node.is_element().then(|| node.range().start));
    if starts.into_iter().any(|start| written_name(source, start).starts_with(':')) {
        return Some("a name starts with a colon");
    }
    if node.namespaces().any(|namespace| namespace.name().is_some() && namespace.uri().is_empty()) {
        return Some("a prefix is bound to no namespace");
    }
    if node.namespaces().filter(|namespace| namespace.name().is_none()).count() > 1 {
        return Some("a default namespace is declared twice");
    }
    None
}

/// The root, if it is an assertion, with its ID.
fn assertion<'a, 'input>(document: &'a Document<'input>) -> Result<(Node<'a, 'input>, &'a str), Reject> {
    let root = document.root_element();
    if !is(root, ASSERTION_NS, "Assertion") {
        return Err(Reject::RootIsNotAssertion(expanded(root)));
    }
    if root.attribute("Version") != Some("2.0") {
        return Err(Reject::Version);
    }
    match root.attribute("ID") {
        Some(id) if !id.is_empty() => Ok((root, id)),
        _ => Err(Reject::NoId),
    }
}

/// The signature of an assertion, its parts found where they have to be.
struct Signed<'a, 'input> {
    signature: Node<'a, 'input>,
    info: Node<'a, 'input>,
    info_prefixes: Vec<&'a str>,
    covered_prefixes: Vec<&'a str>,
    algorithm: Algorithm,
    digest: Digest,
    digest_value: Vec<u8>,
    signature_value: Vec<u8>,
}

fn signed<'a, 'input>(root: Node<'a, 'input>, id: &str) -> Result<Signed<'a, 'input>, Reject> {
    // By local name: an assertion of SAML 1.1 or of no namespace is one more to be confused with.
    let assertions = root.descendants().filter(|node| node.tag_name().name() == "Assertion");
    if assertions.count() > 1 {
        return Err(Reject::SecondAssertion);
    }
    // An ID is what any reader takes for one: ID of SAML, Id of XML Signature, id and xml:id.
    let ids = root.descendants().flat_map(|node| node.attributes());
    if ids.filter(|a| a.name().eq_ignore_ascii_case("id") && a.value() == id).count() > 1 {
        return Err(Reject::DuplicateId);
    }

    let mut signatures = root.descendants().filter(|node| is(*node, SIGNATURE_NS, "Signature"));
    let signature = signatures.next().ok_or(Reject::Unsigned)?;
    if signatures.next().is_some() {
        return Err(Reject::SecondSignature);
    }
    if signature.parent() != Some(root) {
        return Err(Reject::SignatureElsewhere);
    }
    let (info, value) = match elements(signature)[..] {
        [info, value] => (info, value),
        [info, value, key] if is(key, SIGNATURE_NS, "KeyInfo") => (info, value),
        _ => return Err(Reject::SignatureParts),
    };
    if !is(info, SIGNATURE_NS, "SignedInfo") || !is(value, SIGNATURE_NS, "SignatureValue") {
        return Err(Reject::SignatureParts);
    }

    let [c14n, method, reference] = parts(info, ["CanonicalizationMethod", "SignatureMethod", "Reference"])
        .ok_or(Reject::SignedInfoParts)?;
    let info_prefixes = exclusive(c14n).ok_or(Reject::CanonicalizationMethod)?;
    let algorithm = bare(method)
        .and_then(Algorithm::named)
        .ok_or_else(|| Reject::SignatureMethod(short(method.attribute("Algorithm").unwrap_or_default())))?;

    if reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(Reject::ReferenceElsewhere);
    }
    let [transforms, method, digest_value] =
        parts(reference, ["Transforms", "DigestMethod", "DigestValue"]).ok_or(Reject::ReferenceParts)?;
    let [enveloped, exclusively] = parts(transforms, ["Transform", "Transform"]).ok_or(Reject::Transforms)?;
    if bare(enveloped) != Some(ENVELOPED) {
        return Err(Reject::Transforms);
    }
    let covered_prefixes = exclusive(exclusively).ok_or(Reject::Transforms)?;
    let digest = bare(method)
        .and_then(Digest::named)
        .ok_or_else(|| Reject::DigestMethod(short(method.attribute("Algorithm").unwrap_or_default())))?;

    Ok(Signed {
        signature,
        info,
        info_prefixes,
        covered_prefixes,
        algorithm,
        digest,
        digest_value: bytes(digest_value, "DigestValue")?,
        signature_value: bytes(value, "SignatureValue")?,
    })
}

fn contents(root: Node<'_, '_>, id: &str, signed: Option<&Signed<'_, '_>>) -> Result<Verified, Reject> {
    let subject = one(root, "Subject")?;
    let name = subject.map(|subject| one(subject, "NameID")).transpose()?.flatten();
    let confirmations = subject.map(|subject| children(subject, "SubjectConfirmation")).unwrap_or_default();
    let bearer = confirmations.iter().find(|node| node.attribute("Method") == Some(BEARER));
    let confirmation = bearer.or(confirmations.first()).copied();
    let data = confirmation.map(|node| one(node, "SubjectConfirmationData")).transpose()?.flatten();

    let conditions = one(root, "Conditions")?;
    for condition in conditions.map(elements).unwrap_or_default() {
        let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
        if !known.iter().any(|name| is(condition, ASSERTION_NS, name)) {
            return Err(Reject::UnknownCondition(expanded(condition)));
        }
    }
    // Several restrictions would each have to hold (SAML core §2.5.1.4), which one list of audiences cannot
    // say.
    let restriction = conditions.map(|node| one(node, "AudienceRestriction")).transpose()?.flatten();
    let audiences = restriction.map(|node| children(node, "Audience")).unwrap_or_default();

    Ok(Verified {
        id: id.to_owned(),
        issuer: one(root, "Issuer")?.map(|node| text(node, "Issuer")).transpose()?,
        subject: name.map(|node| text(node, "NameID")).transpose()?,
        audiences: audiences.into_iter().map(|node| text(node, "Audience")).collect::<Result<_, _>>()?,
        recipient: data.and_then(|node| node.attribute("Recipient")).map(str::to_owned),
        method: confirmation.and_then(|node| node.attribute("Method")).map(str::to_owned),
        issue_instant: time(Some(root), "IssueInstant", "IssueInstant")?,
        not_before: time(conditions, "NotBefore", "Conditions/@NotBefore")?,
        not_on_or_after: time(conditions, "NotOnOrAfter", "Conditions/@NotOnOrAfter")?,
        confirmation_not_before: time(data, "NotBefore", "SubjectConfirmationData/@NotBefore")?,
        confirmation_not_on_or_after: time(data, "NotOnOrAfter", "SubjectConfirmationData/@NotOnOrAfter")?,
        algorithm: signed.map(|signed| signed.algorithm),
        digest: signed.map(|signed| signed.digest),
    })
}

/// An `xsd:dateTime` with a zone as seconds since the epoch, rounded down.
fn time(node: Option<Node<'_, '_>>, attribute: &str, what: &'static str) -> Result<Option<i64>, Reject> {
    let value = node.and_then(|node| node.attribute(attribute));
    value.map(|value| seconds(value).ok_or(Reject::BadTime(what))).transpose()
}

fn seconds(value: &str) -> Option<i64> {
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(c, s)| if s == b'0' { c.is_ascii_digit() } else { c == s })
    };
    let (stamp, rest) = value.trim_matches([' ', '\t', '\n', '\r']).split_at_checked(19)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    // The library reads many spellings of ISO 8601; XML Schema has this one.
    let zoned = zone == "Z" || shaped(zone, "+00:00") || shaped(zone, "-00:00");
    if !shaped(stamp, "0000-00-00T00:00:00") || !zoned {
        return None;
    }
    Some(format!("{stamp}{zone}").parse::<Timestamp>().ok()?.as_second())
}

/// The prefixes of an element that names exclusive canonicalization, and holds no parameter but those.
fn exclusive<'a>(node: Node<'a, '_>) -> Option<Vec<&'a str>> {
    if node.attribute("Algorithm") != Some(EXCLUSIVE_C14N) {
        return None;
    }
    match elements(node)[..] {
        [] => Some(Vec::new()),
        [list] if is(list, EXCLUSIVE_C14N, "InclusiveNamespaces") => {
            Some(list.attribute("PrefixList").unwrap_or_default().split_ascii_whitespace().collect())
        }
        _ => None,
    }
}

/// The algorithm of an element that has no parameter in it.
fn bare<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.attribute("Algorithm").filter(|_| elements(node).is_empty())
}

/// The bytes of an `xsd:base64Binary`, which may be wrapped.
fn bytes(node: Node<'_, '_>, what: &'static str) -> Result<Vec<u8>, Reject> {
    let text: String = text(node, what)?.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|_| Reject::NotBase64(what))
}

/// All text of an element that holds nothing else. All of it: a comment in the middle splits a text, and the
/// signature does not see the comment.
fn text(node: Node<'_, '_>, what: &'static str) -> Result<String, Reject> {
    if !elements(node).is_empty() {
        return Err(Reject::NotText(what));
    }
    Ok(node.children().filter(Node::is_text).filter_map(|node| node.text()).collect())
}

/// The child of that name in SAML's namespace, of which there is at most one.
fn one<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> Result<Option<Node<'a, 'input>>, Reject> {
    match children(node, name)[..] {
        [] => Ok(None),
        [child] => Ok(Some(child)),
        _ => Err(Reject::Repeated(name)),
    }
}

/// The children of that name in SAML's namespace.
fn children<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Vec<Node<'a, 'input>> {
    node.children().filter(|child| is(*child, ASSERTION_NS, name)).collect()
}

/// The child elements, if they are just these of XML Signature in this order.
fn parts<'a, 'input, const N: usize>(
    node: Node<'a, 'input>,
    names: [&str; N],
) -> Option<[Node<'a, 'input>; N]> {
    let found: [Node<'a, 'input>; N] = elements(node).try_into().ok()?;
    found.iter().zip(names).all(|(child, name)| is(*child, SIGNATURE_NS, name)).then_some(found)
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> Vec<Node<'a, 'input>> {
    node.children().filter(Node::is_element).collect()
}

fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.tag_name().namespace() == Some(namespace) && node.tag_name().name() == name
}

/// `{namespace}name`, for a reason.
fn expanded(node: Node<'_, '_>) -> String {
    short(&format!("{{{}}}{}", node.tag_name().namespace().unwrap_or_default(), node.tag_name().name()))
}

/// What a stranger wrote, cut to what a message can bear.
fn short(text: &str) -> String {
    const LIMIT: usize = 120;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{MAIN, NOW, changed, draft, evil, good, laxly, made_right, refused, strictly};
    use super::super::{Draft, Signing};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_good_assertion_is_accepted_and_read() {
        let verified = strictly(&good()).unwrap();
        assert_eq!(verified, read(&good()).unwrap());
        assert_eq!(verified, claims(&good()).unwrap());
        assert_eq!(verified.subject.as_deref(), Some("user@example.com"));
        assert_eq!(verified.issue_instant, Some(NOW));
        assert_eq!(strictly(&made_right(&good())), Ok(verified), "the helper of the attacks is right");
    }

    #[test]
    fn sha1_is_accepted_where_it_is_allowed() {
        let verified = laxly(SIGNED_BY_XMLSEC1_WITH_SHA1).unwrap();
        assert_eq!((verified.algorithm, verified.digest), (Some(Algorithm::RsaSha1), Some(Digest::Sha1)));
        assert_eq!(verified.subject.as_deref(), Some("user@example.com"));
        assert_eq!((verified.issue_instant, verified.not_before), (Some(NOW), Some(NOW - 120)));
        assert_eq!(verified.not_on_or_after, Some(NOW + 300), "10:05 at +01:00");
        assert_eq!(read(SIGNED_BY_XMLSEC1_WITH_SHA1), Ok(verified));
        refused(
            SIGNED_BY_XMLSEC1_WITH_SHA1,
            Reject::SignatureMethod("http://www.w3.org/2000/09/xmldsig#rsa-sha1".into()),
        );
        let tampered = SIGNED_BY_XMLSEC1_WITH_SHA1.replace("user@", "admin@");
        assert_eq!(laxly(&tampered), Err(Reject::DigestMismatch));
        // A digest of SHA-1 under a signature of SHA-256, and the other way: the function of the other is not
        // asked.
        let how = Signing { digest: Digest::Sha1, ..Signing::default() };
        let mixed = draft().sign(&|message| MAIN.sign(message), &how);
        refused(&mixed, Reject::DigestMethod("http://www.w3.org/2000/09/xmldsig#sha1".into()));
        assert!(laxly(&mixed).is_ok());
        let how = Signing { algorithm: Algorithm::RsaSha1, ..Signing::default() };
        let mislabelled = draft().sign(&|message| MAIN.sign(message), &how);
        assert_eq!(laxly(&mislabelled), Err(Reject::BadSignature));
    }

    #[test]
    fn an_assertion_of_another_tool_is_accepted_in_all_its_variety() {
        let verified = strictly(SIGNED_BY_XMLSEC1).unwrap();
        assert_eq!(verified.issuer.as_deref(), Some("key<&>é𝄞"));
        assert_eq!(
            verified.subject.as_deref(),
            Some("user@example.com\r"),
            "the text on both sides of a comment"
        );
        assert_eq!(verified.audiences, ["a", "b"]);
        assert_eq!(verified.recipient.as_deref(), Some("https://x/?a=1&b=\"\t\n\r<>  y"));
        // Line ends and comments may change on the way, content may not.
        assert_eq!(strictly(&SIGNED_BY_XMLSEC1.replace('\n', "\r\n")).as_ref(), Ok(&verified));
        assert_eq!(strictly(&SIGNED_BY_XMLSEC1.replace(" split ", "")).as_ref(), Ok(&verified));
        let before_a_reference = MAIN.signed(&Draft { subject: Some("a\n&b".into()), ..draft() });
        assert_eq!(strictly(&before_a_reference.replace('\n', "\r")), strictly(&before_a_reference));
        refused(&SIGNED_BY_XMLSEC1.replace("<?p data ?>", "<?p data?>"), Reject::DigestMismatch);
        refused(
            &SIGNED_BY_XMLSEC1.replace(r#"PrefixList="xs""#, r#"PrefixList="xsi""#),
            Reject::DigestMismatch,
        );
    }

    #[test]
    fn a_comment_does_not_cut_a_name_short() {
        let split = good().replace("user@example.com", "user@example.com<!---->.evil.example");
        refused(&split, Reject::DigestMismatch);
        let honest = MAIN.signed(&Draft { subject: Some("user@example.com.evil.example".into()), ..draft() });
        let split = honest.replace("user@example.com.evil", "user@example.com<!-- -->.evil");
        assert_eq!(strictly(&split).unwrap().subject.as_deref(), Some("user@example.com.evil.example"));
        let split = honest.replace("user@example.com.evil", "<![CDATA[user@example.com]]>.evil");
        assert_eq!(strictly(&split).unwrap().subject.as_deref(), Some("user@example.com.evil.example"));
    }

    #[test]
    fn entities_and_what_is_not_quite_xml_are_refused() {
        let good = good();
        let entity = r#"<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>"#;
        refused(&format!("{entity}{}", good.replace("user@", "&e;")), Reject::DocumentType);
        refused(&format!("<!DOCTYPE x>{good}"), Reject::DocumentType);
        let malformed = |xml: &str, what: &str| match strictly(xml) {
            Err(Reject::Malformed(said)) => assert!(said.contains(what), "{said}"),
            other => panic!("{xml}: {other:?}"),
        };
        malformed(&good.replace("user@", "&e;"), "unknown entity reference");
        malformed("", "root node");
        malformed(&good[..good.len() - 3], "end of stream");
        malformed(&format!("{good}{good}"), "unknown token");
        // What the parser alone lets pass
        malformed(&good.replace("<saml:Subject>", "<saml:Subject :a='1'>"), "colon");
        malformed(&good.replace("<saml:Subject>", "<:a></:a><saml:Subject>"), "colon");
        malformed(&good.replace("<saml:Subject>", "<saml:Subject xmlns:p=''>"), "no namespace");
        malformed(&good.replace("<saml:Subject>", "<saml:Subject xmlns='a' xmlns='b'>"), "twice");
        assert!(
            strictly(&good.replace("<saml:Subject>", "<saml:Subject xmlns='a' xmlns:p='b'>")).is_ok(),
            "unused"
        );
    }

    #[test]
    fn everything_has_a_limit() {
        let with = |what: &str| good().replace("<saml:Subject>", &format!("{what}<saml:Subject>"));
        refused(&with(&"x".repeat(LONGEST)), Reject::TooLong);
        refused(&with(&"<x/>".repeat(1000)), Reject::TooComplex);
        refused(&with(&format!("{}{}", "<x>".repeat(1000), "</x>".repeat(1000))), Reject::TooComplex);
        refused(&with(&"<x xmlns='x'/>".repeat(100)), Reject::TooComplex);
    }

    #[test]
    fn another_document_is_not_an_assertion() {
        refused("<Assertion ID='a' Version='2.0'/>", Reject::RootIsNotAssertion("{}Assertion".into()));
        let older = good().replace("SAML:2.0:assertion", "SAML:1.0:assertion");
        refused(
            &older,
            Reject::RootIsNotAssertion("{urn:oasis:names:tc:SAML:1.0:assertion}Assertion".into()),
        );
        refused(&changed(" Version=\"2.0\"", " Version=\"1.1\""), Reject::Version);
        refused(&changed(" Version=\"2.0\"", ""), Reject::Version);
        refused(&changed(" ID=\"_a75\"", ""), Reject::NoId);
        refused(&MAIN.signed(&Draft { id: String::new(), ..draft() }), Reject::NoId);
    }

    #[test]
    fn content_that_can_be_read_two_ways_is_refused() {
        for (element, name) in [
            ("<saml:Issuer>x</saml:Issuer>", "Issuer"),
            ("<saml:Subject></saml:Subject>", "Subject"),
            ("<saml:Conditions></saml:Conditions>", "Conditions"),
        ] {
            refused(&changed("<saml:Subject>", &format!("{element}<saml:Subject>")), Reject::Repeated(name));
        }
        refused(
            &changed("<saml:NameID", "<saml:NameID>x</saml:NameID><saml:NameID"),
            Reject::Repeated("NameID"),
        );
        let restriction = "<saml:AudienceRestriction></saml:AudienceRestriction></saml:Conditions>";
        refused(&changed("</saml:Conditions>", restriction), Reject::Repeated("AudienceRestriction"));
        let data = "<saml:SubjectConfirmationData></saml:SubjectConfirmationData></saml:SubjectConfirmation>";
        refused(&changed("</saml:SubjectConfirmation>", data), Reject::Repeated("SubjectConfirmationData"));
        refused(&changed("user@", "user@<b></b>"), Reject::NotText("NameID"));
        let condition = "<saml:Condition></saml:Condition></saml:Conditions>";
        let named = "{urn:oasis:names:tc:SAML:2.0:assertion}Condition";
        refused(&changed("</saml:Conditions>", condition), Reject::UnknownCondition(named.into()));
        let known = "<saml:OneTimeUse></saml:OneTimeUse></saml:Conditions>";
        assert!(strictly(&changed("</saml:Conditions>", known)).is_ok());
        // An element of another namespace is another element.
        let foreign = "<x:Subject xmlns:x='urn:x'></x:Subject><saml:Subject>";
        assert_eq!(
            strictly(&changed("<saml:Subject>", foreign)).unwrap().subject.as_deref(),
            Some("user@example.com")
        );
    }

    #[test]
    fn of_several_confirmations_the_first_bearer_one_counts() {
        let holder = "<saml:SubjectConfirmation Method='urn:oasis:names:tc:SAML:2.0:cm:holder-of-key'>\
                      <saml:SubjectConfirmationData Recipient='x' NotBefore='2026-11-21T09:00:00Z'/></saml:SubjectConfirmation>";
        let before = changed("<saml:SubjectConfirmation ", &format!("{holder}<saml:SubjectConfirmation "));
        assert_eq!(strictly(&before).unwrap().method.as_deref(), Some(BEARER));
        let only = changed(BEARER, "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches");
        assert_eq!(
            strictly(&only).unwrap().method.as_deref(),
            Some("urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
        );
        let both = made_right(
            &only.replace("<saml:SubjectConfirmation ", &format!("{holder}<saml:SubjectConfirmation ")),
        );
        let verified = strictly(&both).unwrap();
        assert_eq!((verified.recipient.as_deref(), verified.confirmation_not_before), (Some("x"), Some(NOW)));
    }

    #[test]
    fn claims_are_read_without_a_signature_and_around_a_wrong_one() {
        let bare = claims(&draft().unsigned()).unwrap();
        assert_eq!((bare.subject.as_deref(), bare.algorithm), (Some("user@example.com"), None));
        assert_eq!(read(&draft().unsigned()), Err(Reject::Unsigned));
        let wrapped = evil("_evil", &format!("<saml:Advice>{}</saml:Advice>", good()));
        assert_eq!(claims(&wrapped).unwrap().subject.as_deref(), Some("admin@example.com"));
        let tampered = good().replace("user@", "admin@");
        assert_eq!(
            read(&tampered).unwrap().subject.as_deref(),
            Some("admin@example.com"),
            "read does not verify"
        );
    }

    #[test]
    fn times_are_those_of_xml_schema_with_a_zone() {
        for (text, expect) in [
            ("2026-11-21T09:00:00Z", Some(NOW)),
            (" 2026-11-21T09:00:00Z\n", Some(NOW)),
            ("2026-11-21T09:00:00.999999999999Z", Some(NOW)),
            ("2026-11-21T10:30:00+01:30", Some(NOW)),
            ("2026-11-21T00:00:00.5-09:00", Some(NOW)),
            ("1969-12-31T23:59:59.5Z", Some(-1)),
            ("2026-11-21T09:00:00", None),
            ("2026-11-21T09:00:00.Z", None),
            ("2026-11-21T09:00Z", None),
            ("2026-11-21 09:00:00Z", None),
            ("2026-11-21t09:00:00z", None),
            ("2026-11-21T09:00:00+01", None),
            ("2026-11-21T09:00:00Z[Europe/Berlin]", None),
            ("2026-02-29T09:00:00Z", None),
            ("2026-11-21", None),
            ("1795251600", None),
            ("20é6-11-21T09:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expect, "{text}");
        }
        refused(&changed("2026-11-21T08:58:00Z", "soon"), Reject::BadTime("Conditions/@NotBefore"));
        let plain = changed("2026-11-21T09:04:00Z", "2026-11-21T09:04:00");
        refused(&plain, Reject::BadTime("SubjectConfirmationData/@NotOnOrAfter"));
    }

    /// Pieces from which a generator builds what looks like an assertion.
    fn piece() -> impl Strategy<Value = String> {
        let pieces = [
            "<saml:Assertion ID='_a75' Version='2.0' xmlns:saml='urn:oasis:names:tc:SAML:2.0:assertion'>",
            "</saml:Assertion>",
            "<saml:Subject>",
            "</saml:Subject>",
            "<a xmlns='b'>",
            "</a>",
            "<:a/>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?x ?>",
            "&#xD800;",
            "&#0;",
            "&amp;",
            "\r",
            "\u{0}",
            "\u{feff}",
            "<?xml version='1.0'?>",
            "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>",
            "</ds:Signature>",
            "é",
            "<",
            ">",
            "'",
            "=",
            ":",
        ];
        prop_oneof![3 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        #[test]
        fn no_text_is_too_strange(pieces in proptest::collection::vec(piece(), 0..20)) {
            let text = pieces.concat();
            let _ = (claims(&text), read(&text), strictly(&text), laxly(&text), seconds(&text));
        }

        /// The heart of it: whoever changes one place of a signed assertion changes nothing of what is
        /// believed.
        #[test]
        fn no_edit_changes_what_is_believed(
            hard in any::<bool>(), at in any::<proptest::sample::Index>(), cut in 0usize..4, put in piece(),
        ) {
            let good = if hard { SIGNED_BY_XMLSEC1.to_owned() } else { good() };
            let mut edited: Vec<char> = good.chars().collect();
            let at = at.index(edited.len());
            let end = (at + cut).min(edited.len());
            edited.splice(at..end, put.chars());
            let edited: String = edited.into_iter().collect();
            if let Ok(believed) = strictly(&edited) {
                prop_assert_eq!(believed, strictly(&good).unwrap(), "{}", edited);
            }
        }
    }

    /// Signed once by xmlsec1 1.2.37 with `tests/keys/app-main.key`, from a template in which everything is
    /// there that canonicalization has to deal with.
    const SIGNED_BY_XMLSEC1: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<!-- before -->
<?pi x?>
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" Version="2.0" ID="_x1" IssueInstant="2026-11-21T09:00:00Z">
  <saml:Issuer><![CDATA[key<&>]]>é𝄞</saml:Issuer>
  <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
  <ds:SignedInfo>
  <ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"/></ds:CanonicalizationMethod>
  <ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
  <ds:Reference URI="#_x1">
  <ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
  <ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"/></ds:Transform></ds:Transforms>
  <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>8tZKttCcLYeD5lyTZkOE7Rauf6cQfeIxOWJbqhaRHg4=</ds:DigestValue>
  </ds:Reference>
  </ds:SignedInfo>
  <ds:SignatureValue>DRcY/v9A2NtBMcM+GYGoKhUsRMreP9u7y4VLiot7LKQH1ZNYxy+MYdRVtJmb1GiQ
ocdIOdb0aJXT8i0AzDkjalmpnmDf/iqiAPR/xr0hqyyjJa141G0AGi/rcw9aecDW
1Yt4gaDRzM0/giFzL8Qki459HECgi/jJsqOLN21L19qhw59oQZn77qrpswqE0eAB
yGTmevk05SJSGD3aAO4hR9pK/0c0JL6EE57XU+GzdkIdfm4+PI+QTxxbvACuC/3f
qc/mkB/2PAP9xfdhNB4X/bjVMLh9qR72/ru/XV/mlFghd8m3WMwOEI5uMvO9rBr8
Ko38VD/FjKiJUoksMl/WvQ==</ds:SignatureValue>
  
  </ds:Signature>
  <saml:Subject>
    <saml:NameID>user@<!-- split -->example.com&#13;<?p data ?></saml:NameID>
    <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="2026-11-21T09:05:00Z" Recipient="https://x/?a=1&amp;b=&quot;&#9;&#10;&#13;&lt;&gt;  y"/></saml:SubjectConfirmation>
  </saml:Subject>
  <saml:Conditions><saml:AudienceRestriction><saml:Audience>a</saml:Audience><saml:Audience>b</saml:Audience></saml:AudienceRestriction></saml:Conditions>
  <saml:AttributeStatement><saml:Attribute Name="n"><saml:AttributeValue xsi:type="xs:string">v</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>
</saml:Assertion>
<!-- after -->
"##;

    /// The same tool and key with the algorithms of Salesforce's own sample.
    const SIGNED_BY_XMLSEC1_WITH_SHA1: &str = r##"<?xml version="1.0"?>
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_x1" IssueInstant="2026-11-21T09:00:00.123Z" Version="2.0"><saml:Issuer>key</saml:Issuer><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/><ds:Reference URI="#_x1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/><ds:DigestValue>sQhnlEbE7Arv+R7gbdPK4s7H/F8=</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>hp+Lp0mNjIsV6G4tE80lJFkK4xilzOLy1ECyXI9S9S7gZFTQNmNmi+BAaoQ3qfiZ
T4iLEYbiJJ2pwAI2Dc5Zr4AF5iOBQeq8c5pX/739podt8uyn99+FKKvmrYZH3hH0
kPQKBB7GmUpWzPrCV48vSLHxQKl77Juz0LpaXnADK+/93v82IeeAMT3dl/na9pP9
ej9QFxxu2lMrl1CSE30GyQ5kDWGSoG4EvvjmVQeFky3N0ReT0FDu1bd+OY53vDrY
I9vGcwn1oEUVvFF74DP7SBsUCFg6LODoApqXrjNabHiNpnASm6Pic4vUggVDCGXB
5t+bmxAvxR9QpiYbaOgsyw==</ds:SignatureValue></ds:Signature><saml:Subject><saml:NameID>user@example.com</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="2026-11-21T09:05:00Z" Recipient="https://login.salesforce.com/services/oauth2/token"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="2026-11-21T08:58:00Z" NotOnOrAfter="2026-11-21T10:05:00+01:00"><saml:AudienceRestriction><saml:Audience>https://login.salesforce.com</saml:Audience></saml:AudienceRestriction></saml:Conditions></saml:Assertion>"##;
}
