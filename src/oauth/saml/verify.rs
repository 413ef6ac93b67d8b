//! The strict profile: from a text to what a consumer may believe.
//!
//! The steps are in the order in which one trusts: well-formed, one assertion, one signature over just that, the
//! algorithms, the digest, the signature, and only then the content.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use roxmltree::{Document, Error, Node, ParsingOptions};

use super::c14n::{canonical, written_name};
use super::{
    ASSERTION_NS, Algorithm, BEARER, Digest, ENVELOPED, EXCLUSIVE_C14N, LONGEST, Reject, SIGNATURE_NS,
    Verified,
};

/// The most nodes that are looked at; a full assertion of Salesforce's sample has about forty.
const NODES: u32 = 1_000;

/// The most namespace declarations: the parser's work grows with their cube.
const DECLARATIONS: usize = 100;

/// What an assertion says, whether or not it is signed and however it is wrapped: for the eye and for the facts of a
/// transcript, never for a decision.
///
/// # Errors
/// [`Reject`], when there is no assertion at the root, or its content cannot be understood.
pub fn claims(xml: &str) -> Result<Verified, Reject> {
    let text = line_ends(xml);
    let document = parse(&text)?;
    let (root, id) = assertion(&document)?;
    contents(root, id, signed(root, id).ok().as_ref())
}

/// What an assertion says whose structure is that of the profile (RSA-SHA1 and SHA-1 among the algorithms). Its
/// signature is not verified: for that one needs a key.
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
/// `sha256` says whether a signature over these bytes is a right one by RSASSA-PKCS1-v1_5 with SHA-256; `sha1` the
/// same with SHA-1, and its absence says that SHA-1 is allowed neither there nor as a digest.
///
/// # Errors
/// [`Reject`], which names the first reason against it.
pub fn verify(
    xml: &str,
    sha256: &dyn Fn(&[u8], &[u8]) -> bool,
    sha1: Option<&dyn Fn(&[u8], &[u8]) -> bool>,
) -> Result<Verified, Reject> {
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

/// XML 1.0 §2.11, before anything is parsed, as it is written there: the parser does it late, and misses a line end
/// that stands before a character reference.
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

/// What the parser lets pass though Namespaces in XML 1.0 forbids it. Another reader would refuse the document or
/// read something else in it.
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
    // Several restrictions would each have to hold (SAML core §2.5.1.4), which one list of audiences cannot say.
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

/// All text of an element that holds nothing else. All of it: a comment in the middle splits a text, and the signature
/// does not see the comment.
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
