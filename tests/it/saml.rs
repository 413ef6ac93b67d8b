//! SAML assertions beside xmlsec1 and signxml: what we sign verifies there, what they sign verifies here, and what
//! wraps a good signature around a forged assertion is refused here, for a reason with a name, where they take it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use grantcheck::oauth::keys::{Certificate, PrivateKey, RsaAlgorithm};
use grantcheck::oauth::saml::{self, Draft, Placement, Reject, Signing, Verified};

use crate::support::{Folder, at, read};

/// 2026-11-21T09:00:00Z
const NOW: i64 = 1_795_251_600;

fn key_of(name: &str) -> PathBuf {
    at("tests/keys").join(name)
}

fn peer(arguments: &[&Path]) -> String {
    let python = at("target/peers/saml/bin/python");
    let output = Command::new(&python).arg(at("tests/peers/saml/peer.py")).args(arguments).output();
    let output = output.unwrap_or_else(|why| panic!("{}: {why}", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What each tool says against each file of the folder, by the file's name without its ending.
type Told = BTreeMap<String, BTreeMap<String, Option<String>>>;

fn verified_by_peers(folder: &Folder, certificate: &str) -> Told {
    let told = peer(&[Path::new("verify"), &key_of(certificate), folder]);
    serde_json::from_str(&told).unwrap_or_else(|why| panic!("{why}: {told}"))
}

/// Has everything in the folder signed; the texts by name and tool.
fn signed_by_peers(folder: &Folder) -> Vec<(String, String)> {
    peer(&[Path::new("sign"), &key_of("app-main.key"), &key_of("app-main.crt"), folder]);
    let names = std::fs::read_dir(&**folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut signed: Vec<_> =
        names.filter(|name| !name.ends_with(".xml")).map(|name| (name.clone(), folder.read(&name))).collect();
    signed.sort();
    signed
}

fn main_key() -> PrivateKey {
    PrivateKey::from_pem(&read("tests/keys/app-main.key")).unwrap()
}

fn certificate(name: &str) -> Certificate {
    Certificate::read(&read(&format!("tests/keys/{name}"))).unwrap()
}

fn strictly(xml: &str) -> Result<Verified, Reject> {
    let trusted = certificate("app-main.crt");
    saml::verify(xml, &|message, signature| trusted.key().verify(message, signature), None)
}

fn draft() -> Draft {
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

fn sign(draft: &Draft, how: &Signing) -> String {
    let key = main_key();
    draft.sign(&|message| key.sign(RsaAlgorithm::Rs256, message), how)
}

/// Drafts that have everything in them over which canonical forms fall out.
fn drafts() -> Vec<(&'static str, Draft)> {
    let strange = "a<b>&\"'\u{e9}\u{1d11e}\t\n\r\u{85}\u{2028}]]> <!-- x --> &#65;";
    vec![
        ("plain", draft()),
        (
            "strange",
            Draft {
                issuer: Some(strange.into()),
                subject: Some(strange.into()),
                audience: Some(strange.into()),
                recipient: Some(strange.into()),
                ..draft()
            },
        ),
        ("bare", Draft { id: "_b".into(), confirmation_method: None, ..Draft::default() }),
        (
            "empty",
            Draft {
                issuer: Some(String::new()),
                subject: Some(String::new()),
                recipient: Some(String::new()),
                ..draft()
            },
        ),
        ("long", Draft { subject: Some("x y\n".repeat(4_000)), ..draft() }),
        ("early", Draft { issue_instant: -1, not_before: Some(-62_000_000_000), ..draft() }),
    ]
}

#[test]
#[ignore = "needs xmlsec1 and signxml from PyPI; .ci/run installs them"]
fn what_we_sign_verifies_elsewhere() {
    let folder = Folder::new("ours");
    for (name, draft) in drafts() {
        for placement in [Placement::AfterIssuer, Placement::Last, Placement::First] {
            for shown in [None, Some(certificate("app-main.crt").base64())] {
                let file = format!("{name}-{placement:?}-{}.xml", shown.is_some());
                let how = Signing { placement, certificate_in_key_info: shown, ..Signing::default() };
                folder.put(&file, &sign(&draft, &how));
            }
        }
    }
    let told = verified_by_peers(&folder, "app-main.crt");
    assert_eq!(told.len(), 6 * 3 * 2);
    for (file, tools) in told {
        assert_eq!(tools.len(), 2);
        for (tool, against) in tools {
            assert_eq!(against, None, "{tool} refuses {file}: {}", folder.read(&format!("{file}.xml")));
        }
    }
}

#[test]
#[ignore = "needs xmlsec1 and signxml from PyPI; .ci/run installs them"]
fn what_we_refuse_is_refused_elsewhere() {
    let good = sign(&draft(), &Signing::default());
    let folder = Folder::new("bad");
    folder.put("subject.xml", &good.replace("user@", "admin@"));
    folder.put("audience.xml", &good.replace("login.salesforce.com<", "test.salesforce.com<"));
    folder.put("attribute.xml", &good.replace("2026-11-21T09:03:00Z", "2027-11-21T09:03:00Z"));
    folder.put("element.xml", &good.replace("<saml:Subject>", "<saml:Advice></saml:Advice><saml:Subject>"));
    folder.put("space.xml", &good.replace("</saml:Issuer>", "</saml:Issuer> "));
    folder.put("signed-info.xml", &good.replace("<ds:SignedInfo>", "<ds:SignedInfo Id=\"x\">"));
    folder.put("unsigned.xml", &draft().unsigned());
    let told = verified_by_peers(&folder, "app-main.crt");
    assert_eq!(told.len(), 7);
    for (file, tools) in told {
        assert!(strictly(&folder.read(&format!("{file}.xml"))).is_err(), "we take {file}");
        assert!(tools.values().all(Option::is_some), "{file}: {tools:?}");
    }
    let folder = Folder::new("other");
    folder.put("good.xml", &good);
    let told = verified_by_peers(&folder, "app-other.crt");
    assert!(told["good"].values().all(Option::is_some), "another key: {told:?}");
}

/// An assertion as another party writes it, ready to be signed, in every spelling that means the same.
fn templates() -> Vec<(&'static str, String)> {
    let method = "<X:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>";
    let signature = format!(
        "<X:Signature xmlns:X=\"http://www.w3.org/2000/09/xmldsig#\"><X:SignedInfo>\
         <X:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">LIST\
         </X:CanonicalizationMethod>{method}<X:Reference URI=\"#_a75\"><X:Transforms>\
         <X:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <X:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">LIST</X:Transform></X:Transforms>\
         <X:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><X:DigestValue/></X:Reference>\
         </X:SignedInfo><X:SignatureValue/></X:Signature>"
    );
    let list = "<c:InclusiveNamespaces xmlns:c=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs #default\"/>";
    let plain = signature.replace("LIST", "").replace("X:", "ds:").replace(":X=", ":ds=");
    let unprefixed = signature.replace("LIST", "").replace("X:", "").replace(":X=", "=");
    let listed = signature.replace("LIST", list).replace("X:", "ds:").replace(":X=", ":ds=");
    let sha1 = plain
        .replace("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1")
        .replace("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1");
    let compact = draft().unsigned();
    let put =
        |xml: &str, signature: &str| xml.replace("</saml:Issuer>", &format!("</saml:Issuer>{signature}"));
    let default_namespace = put(&compact, &unprefixed).replace("saml:", "").replace(":saml=", "=");
    let spaced = compact
        .replace("><", ">\n  <")
        .replace("<saml:Issuer ", "<!-- who --><?who x?><saml:Issuer ")
        .replace(" ID=", "\n xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:unused' ID=")
        .replace("user@example.com", "u&#115;er@<!-- split --><![CDATA[example]]>.com")
        .replace("services/oauth2", "services&#x2F;oauth2");
    let declared =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- before -->\n{compact}\n<!-- after -->\n");
    vec![
        ("compact", put(&compact, &plain)),
        ("default-namespace", default_namespace),
        ("unprefixed-signature", put(&compact, &unprefixed)),
        ("spaced", put(&spaced, &plain)),
        ("prefix-list", put(&spaced, &listed)),
        ("declared", put(&declared, &listed)),
        ("sha1", put(&compact, &sha1)),
    ]
}

#[test]
#[ignore = "needs xmlsec1 and signxml from PyPI; .ci/run installs them"]
fn what_others_sign_verifies_here() {
    let folder = Folder::new("theirs");
    for (name, template) in templates() {
        folder.put(&format!("{name}.xml"), &template);
    }
    let ours = strictly(&sign(&draft(), &Signing::default())).unwrap();
    let signed = signed_by_peers(&folder);
    assert_eq!(signed.len(), 7 + 6, "{:?}", signed.iter().map(|(name, _)| name).collect::<Vec<_>>());
    for (name, xml) in signed {
        if name.starts_with("sha1") {
            let method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
            assert_eq!(strictly(&xml), Err(Reject::SignatureMethod(method.into())));
            let trusted = certificate("app-main.crt");
            let lax =
                saml::verify(&xml, &|_, _| false, Some(&|m, s| trusted.key().verify_sha1(m, s))).unwrap();
            assert_eq!(lax.subject, ours.subject);
            continue;
        }
        assert_eq!(strictly(&xml).as_ref(), Ok(&ours), "{name}: {xml}");
        let forged = xml.replacen("09:03:00Z", "09:33:00Z", 1);
        assert_eq!(strictly(&forged), Err(Reject::DigestMismatch), "{name}");
    }
}

/// A way to put a forged assertion beside a signature that is good: its name, the document made of a signed one, our
/// reason, and whether xmlsec1 and signxml say that the document is valid. Where they do, the attack is a real one, and
/// what refuses it here is a rule and not a broken digest.
struct Wrapping {
    name: &'static str,
    document: String,
    reason: Reject,
    valid_for: [bool; 2],
}

const TOOLS: [&str; 2] = ["xmlsec1", "signxml"];

/// Every one of them, for a document with the ID `_a75` and its signature written with the prefix `ds`.
fn wrappings(signed: &str) -> Vec<Wrapping> {
    let signed = &signed[signed.find("<saml:Assertion").unwrap()..].trim_end();
    let end = signed.find("</ds:Signature>").unwrap();
    let signature = &signed[signed.find("<ds:Signature").unwrap()..end + "</ds:Signature>".len()];
    let original = signed.replace(signature, "");
    let forged = |id: &str, inside: &str| {
        let forged = Draft { id: id.into(), subject: Some("admin@example.com".into()), ..draft() }.unsigned();
        forged.replace("</saml:Assertion>", &format!("{inside}</saml:Assertion>"))
    };
    let evil = forged("_evil", "");
    // A signature is not covered by itself, so that whatever stands in it may be put there afterwards.
    let in_signature = |element: &str, inside: &str| {
        let what = format!("<ds:{element}>{inside}</ds:{element}></ds:Signature>");
        match signature.split_once("<ds:KeyInfo>") {
            Some((head, _)) if element == "KeyInfo" => format!("{head}{what}"),
            _ => signature.replace("</ds:Signature>", &what),
        }
    };
    let advice = |inside: &str| format!("<saml:Advice>{inside}</saml:Advice>");
    let into_subject = |inside: &str| {
        let data = format!(">{inside}</saml:SubjectConfirmationData>");
        evil.replace("></saml:SubjectConfirmationData>", &data)
    };
    let response = |inside: &str| {
        format!(r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r">{inside}</p:Response>"#)
    };
    let not = |name: &str| Reject::RootIsNotAssertion(name.into());
    let not_response = || not("{urn:oasis:names:tc:SAML:2.0:protocol}Response");
    let attribute = |inside: &str| {
        format!(
            "<saml:AttributeStatement><saml:Attribute Name=\"n\"><saml:AttributeValue>{inside}\
             </saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"
        )
    };
    let older = evil.replace("SAML:2.0:assertion", "SAML:1.0:assertion");
    let wrap = |name, document, reason, valid_for| Wrapping { name, document, reason, valid_for };
    let second = || Reject::SecondAssertion;
    vec![
        wrap(
            "a response with the forged one first",
            response(&format!("{evil}{signed}")),
            not_response(),
            [true, true],
        ),
        wrap(
            "a response with the forged one last",
            response(&format!("{signed}{evil}")),
            not_response(),
            [true, true],
        ),
        wrap(
            "an envelope of SOAP around both",
            format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>{signed}</s:Header>\
                 <s:Body>{evil}</s:Body></s:Envelope>"
            ),
            not("{http://schemas.xmlsoap.org/soap/envelope/}Envelope"),
            [true, true],
        ),
        wrap(
            "the signed one inside an assertion of SAML 1.1",
            older.replace("</saml:Assertion>", &format!("{signed}</saml:Assertion>")),
            not("{urn:oasis:names:tc:SAML:1.0:assertion}Assertion"),
            [true, true],
        ),
        wrap(
            "the original in an Object of the signature",
            forged("_evil", &in_signature("Object", &original)),
            second(),
            [false, true],
        ),
        wrap(
            "the original in KeyInfo of the signature",
            forged("_evil", &in_signature("KeyInfo", &original)),
            second(),
            [false, true],
        ),
        wrap(
            "the original in Advice, the signature on the root",
            forged("_evil", &format!("{signature}{}", advice(&original))),
            second(),
            [true, true],
        ),
        wrap(
            "the original beside its signature",
            forged("_evil", &format!("{signature}{original}")),
            second(),
            [true, true],
        ),
        wrap(
            "the original first, the signature deep in the subject",
            into_subject(&format!("{original}{signature}")),
            second(),
            [true, true],
        ),
        wrap("the signed one in Advice", forged("_evil", &advice(signed)), second(), [true, true]),
        wrap("the signed one in SubjectConfirmationData", into_subject(signed), second(), [true, true]),
        wrap("the signed one in AttributeValue", forged("_evil", &attribute(signed)), second(), [true, true]),
        wrap(
            "the signed one in an element of nobody's",
            forged("_evil", &format!("<x:Extensions xmlns:x='urn:x'>{signed}</x:Extensions>")),
            second(),
            [true, true],
        ),
        wrap(
            "the same ID twice, the signed one last",
            forged("_a75", &advice(signed)),
            second(),
            [false, false],
        ),
        wrap(
            "the same ID twice, the signature on the root",
            forged("_a75", &format!("{signature}{}", advice(&original))),
            second(),
            [false, false],
        ),
        wrap(
            "the forged one in an Object of the good signature",
            signed.replace(signature, &in_signature("Object", &evil)),
            second(),
            [true, true],
        ),
        wrap(
            "the forged one in KeyInfo of the good signature",
            signed.replace(signature, &in_signature("KeyInfo", &evil)),
            second(),
            [true, true],
        ),
        wrap(
            "one of SAML 1.1 in KeyInfo of the good signature",
            signed.replace(signature, &in_signature("KeyInfo", &older)),
            second(),
            [true, true],
        ),
        wrap(
            "a subject in an Object of the good signature",
            signed.replace(
                signature,
                &in_signature(
                    "Object",
                    "<saml:Subject><saml:NameID>admin@example.com</saml:NameID></saml:Subject>",
                ),
            ),
            Reject::SignatureParts,
            [true, true],
        ),
    ]
}

#[test]
#[ignore = "needs xmlsec1 and signxml from PyPI; .ci/run installs them"]
fn wrappings_are_refused_here_each_for_its_reason() {
    let signers = Folder::new("signers");
    signers.put("compact.xml", &templates()[0].1);
    let mut signed = signed_by_peers(&signers);
    signed.push(("ours".into(), sign(&draft(), &Signing::default())));
    assert_eq!(signed.len(), 3);
    let mut wrong = Vec::new();
    for (signer, signed) in &signed {
        assert!(strictly(signed).is_ok(), "{signer}");
        let folder = Folder::new(signer);
        let wrappings = wrappings(signed);
        for (number, wrapping) in wrappings.iter().enumerate() {
            assert!(wrapping.document.contains("admin@example.com"), "{}", wrapping.name);
            folder.put(&format!("{number:02}.xml"), &wrapping.document);
        }
        let told = verified_by_peers(&folder, "app-main.crt");
        for (number, wrapping) in wrappings.iter().enumerate() {
            let ours = strictly(&wrapping.document);
            if ours != Err(wrapping.reason.clone()) {
                wrong.push(format!("{signer}: {}: we say {ours:?}", wrapping.name));
            }
            for (tool, valid) in TOOLS.iter().zip(wrapping.valid_for) {
                let against = &told[&format!("{number:02}")][*tool];
                if against.is_none() != valid {
                    wrong.push(format!("{signer}: {}: {tool} says {against:?}", wrapping.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
