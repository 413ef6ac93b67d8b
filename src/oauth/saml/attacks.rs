//! The known attacks on signed assertions, each refused for its own reason.
//!
//! Wherever that can be, digest and signature are made right under the trusted key first ([`changed`]), so
//! that it is the rule that refuses and not luck.

use super::sample::{
    Key, certificate, changed, draft, evil, good, made_right, refused, signature_of, strictly,
};
use super::{ASSERTION_NS, ENVELOPED, EXCLUSIVE_C14N, Reject, Signing};

#[test]
fn forged_signatures_are_refused() {
    let good = good();
    refused(&draft().unsigned(), Reject::Unsigned);
    refused(&good.replace("user@", "admin@"), Reject::DigestMismatch);
    refused(&Key::other().signed(&draft()), Reject::BadSignature);
    let (head, tail) = good.split_once("<ds:SignatureValue>").unwrap();
    let flipped = if tail.starts_with('A') { "B" } else { "A" };
    refused(&format!("{head}<ds:SignatureValue>{flipped}{}", &tail[1..]), Reject::BadSignature);
    // The digest made right for changed content, but not the signature over it.
    let swapped = signature_of(&changed("user@", "admin@")).to_owned();
    let value = |text: &str| text.split_once("<ds:SignatureValue>").unwrap().1.to_owned();
    let swapped = swapped.replace(&value(&swapped), &value(signature_of(&good)));
    let forged = good.replace("user@", "admin@").replace(signature_of(&good), &swapped);
    refused(&forged, Reject::BadSignature);
    // An empty signature is no signature.
    let cut = good.replace(&value(&good).split_once('<').unwrap().0.to_owned(), "");
    refused(&cut, Reject::BadSignature);
}

#[test]
fn keys_that_the_assertion_brings_along_are_not_looked_at() {
    let other = Key::other();
    let shown = certificate(include_str!("../../../tests/keys/app-other.crt"));
    let how = Signing { certificate_in_key_info: Some(shown), ..Signing::default() };
    refused(&draft().sign(&|message| other.sign(message), &how), Reject::BadSignature);
    let value = "</ds:SignatureValue><ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus>\
                 <ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>";
    refused(&other.signed(&draft()).replace("</ds:SignatureValue>", value), Reject::BadSignature);
}

#[test]
fn signature_wrapping_is_refused() {
    let good = good();
    let signature = signature_of(&good);
    let original = good.replace(signature, "");
    let response = |inside: &str| {
        format!(r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r">{inside}</p:Response>"#)
    };
    let not_an_assertion =
        Reject::RootIsNotAssertion("{urn:oasis:names:tc:SAML:2.0:protocol}Response".into());
    let in_object =
        signature.replace("</ds:Signature>", &format!("<ds:Object>{original}</ds:Object></ds:Signature>"));
    let advice = |inside: &str| format!("<saml:Advice>{inside}</saml:Advice>");
    let in_data = evil("_evil", "")
        .replace("></saml:SubjectConfirmationData>", &format!(">{good}</saml:SubjectConfirmationData>"));

    // XSW 1 to 8, in the numbering of Somorovsky et al., where a Response stands around them
    refused(&response(&format!("{}{good}", evil("_evil", ""))), not_an_assertion.clone());
    refused(&response(&format!("{good}{}", evil("_evil", ""))), not_an_assertion);
    // and the same without one: the forged assertion is the root
    refused(&evil("_evil", &in_object), Reject::SecondAssertion);
    refused(&evil("_evil", &format!("{signature}{}", advice(&original))), Reject::SecondAssertion);
    refused(&evil("_evil", &advice(&good)), Reject::SecondAssertion);
    refused(&evil("_evil", &format!("{signature}{original}")), Reject::SecondAssertion);
    refused(&in_data, Reject::SecondAssertion);
    refused(
        &evil("_evil", &format!("<x:Extensions xmlns:x='urn:x'>{good}</x:Extensions>")),
        Reject::SecondAssertion,
    );
    // with the same ID, in the hope that the first or the last of them is found
    refused(&evil("_a75", &advice(&good)), Reject::SecondAssertion);
    // with the original stripped of its name, so that only its ID is left to be found
    let nameless = original.replace("saml:Assertion", "saml:Evidence");
    refused(&evil("_a75", &format!("{signature}{}", advice(&nameless))), Reject::DuplicateId);
    refused(&evil("_evil", &format!("{signature}{}", advice(&nameless))), Reject::ReferenceElsewhere);
    // and with one of another version of SAML
    let older = r#"<o:Assertion xmlns:o="urn:oasis:names:tc:SAML:1.0:assertion"/>"#;
    refused(&changed("<saml:Subject>", &format!("{older}<saml:Subject>")), Reject::SecondAssertion);
}

/// A signature does not cover itself: the enveloped transform takes it out, and whatever was put into it afterwards.
#[test]
fn what_is_hidden_in_a_signature_is_refused_or_not_read() {
    let good = good();
    let signature = signature_of(&good);
    let original = good.replace(signature, "");
    let within = |element: &str, inside: &str| {
        let what = format!("<ds:{element}>{inside}</ds:{element}></ds:Signature>");
        signature.replace("</ds:Signature>", &what)
    };
    let older = evil("_evil", "").replace("SAML:2.0:assertion", "SAML:1.0:assertion");
    // the forged one in the good signature of the root
    for forged in [evil("_evil", ""), evil("_a75", ""), older.clone()] {
        for element in ["Object", "KeyInfo"] {
            refused(&good.replace(signature, &within(element, &forged)), Reject::SecondAssertion);
        }
    }
    // the original in a signature of the forged root
    refused(&evil("_evil", &within("KeyInfo", &original)), Reject::SecondAssertion);
    // and parts of an assertion, which some reader finds by their name
    let subject = "<saml:Subject><saml:NameID>admin@example.com</saml:NameID></saml:Subject>";
    refused(&good.replace(signature, &within("Object", subject)), Reject::SignatureParts);
    let in_key_info = strictly(&good.replace(signature, &within("KeyInfo", subject)));
    assert_eq!(in_key_info, strictly(&good), "KeyInfo is not looked at");
    let second = within("KeyInfo", signature);
    refused(&good.replace(signature, &second), Reject::SecondSignature);
}

#[test]
fn no_other_root_stands_around_a_signed_assertion() {
    let good = good();
    let older = evil("_evil", "").replace("SAML:2.0:assertion", "SAML:1.0:assertion");
    for (root, name) in [
        (
            older.replace("</saml:Assertion>", &format!("{good}</saml:Assertion>")),
            "{urn:oasis:names:tc:SAML:1.0:assertion}Assertion",
        ),
        (format!("<Assertion ID='_a75'>{good}</Assertion>"), "{}Assertion"),
        (
            format!("<saml:Advice xmlns:saml='{ASSERTION_NS}'>{good}</saml:Advice>"),
            "{urn:oasis:names:tc:SAML:2.0:assertion}Advice",
        ),
        (format!("<e:Envelope xmlns:e='urn:e'><e:Body>{good}</e:Body></e:Envelope>"), "{urn:e}Envelope"),
    ] {
        refused(&root, Reject::RootIsNotAssertion(name.into()));
    }
}

#[test]
fn whatever_may_be_taken_for_the_id_is_there_once() {
    for id in ["ID", "Id", "id", "xml:id", "saml:ID"] {
        refused(&changed("<saml:Subject>", &format!("<saml:Subject {id}='_a75'>")), Reject::DuplicateId);
    }
    assert!(strictly(&changed("<saml:Subject>", "<saml:Subject id='_other'>")).is_ok());
}

#[test]
fn a_signature_stands_in_one_place_and_has_one_shape() {
    let good = good();
    let signature = signature_of(&good);
    refused(&good.replace("<saml:Subject>", &format!("{signature}<saml:Subject>")), Reject::SecondSignature);
    let moved = good.replace(signature, "").replace("<saml:NameID", &format!("{signature}<saml:NameID"));
    refused(&moved, Reject::SignatureElsewhere);
    let object = "</ds:SignatureValue><ds:Object>x</ds:Object>";
    refused(&changed("</ds:SignatureValue>", object), Reject::SignatureParts);
    let value = &signature[signature.find("<ds:SignatureValue>").unwrap()..signature.len() - 15];
    refused(&good.replace(value, ""), Reject::SignatureParts);
    refused(&good.replace(value, &value.repeat(2)), Reject::SignatureParts);
    for part in ["SignedInfo", "SignatureValue"] {
        refused(&good.replace(part, "Part"), Reject::SignatureParts);
    }
    let info = &signature[signature.find("<ds:SignedInfo>").unwrap()..signature.find(value).unwrap()];
    refused(&good.replace(info, &info.repeat(2)), Reject::SignatureParts);
    refused(
        &good.replace("<ds:SignatureValue>", "<ds:SignatureValue><ds:X/>"),
        Reject::NotText("SignatureValue"),
    );
    refused(
        &good.replace("<ds:SignatureValue>", "<ds:SignatureValue>*"),
        Reject::NotBase64("SignatureValue"),
    );
}

#[test]
fn a_reference_covers_the_whole_assertion_and_nothing_else() {
    let good = good();
    let start = good.find("<ds:Reference").unwrap();
    let reference = &good[start..good.find("</ds:SignedInfo>").unwrap()];
    // No helper here: without a digest there is nothing to make right.
    refused(&good.replace(reference, ""), Reject::SignedInfoParts);
    refused(&changed(reference, &reference.repeat(2)), Reject::SignedInfoParts);
    refused(&changed(r##"URI="#_a75""##, r#"URI="""#), Reject::ReferenceElsewhere);
    refused(&changed(r##" URI="#_a75""##, ""), Reject::ReferenceElsewhere);
    refused(&changed(r##"URI="#_a75""##, r##"URI="#xpointer(id('_a75'))""##), Reject::ReferenceElsewhere);
    refused(&changed(r##"URI="#_a75""##, r#"URI="http://evil.example/#_a75""#), Reject::ReferenceElsewhere);
    let issuer_only = good.replace("<saml:Issuer ", "<saml:Issuer ID='_i' ").replace("#_a75", "#_i");
    refused(&made_right(&issuer_only), Reject::ReferenceElsewhere);
    refused(&changed("<ds:DigestMethod", "<ds:X></ds:X><ds:DigestMethod"), Reject::ReferenceParts);
}

#[test]
fn transforms_are_two_and_these() {
    let enveloped = format!(r#"<ds:Transform Algorithm="{ENVELOPED}"></ds:Transform>"#);
    let exclusive = format!(r#"<ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform>"#);
    let both = format!("{enveloped}{exclusive}");
    let xpath = "<ds:Transform Algorithm='http://www.w3.org/TR/1999/REC-xpath-19991116'>\
                 <ds:XPath>not(ancestor-or-self::saml:Subject)</ds:XPath></ds:Transform>";
    for other in [
        format!("{both}{xpath}"),
        format!("{enveloped}{xpath}"),
        format!("{xpath}{exclusive}"),
        format!("{exclusive}{enveloped}"),
        format!("{both}{exclusive}"),
        enveloped.clone(),
        both.replace("xml-exc-c14n#", "xml-exc-c14n#WithComments"),
        both.replace("2001/10/xml-exc-c14n#", "TR/2001/REC-xml-c14n-20010315"),
        both.replacen("></ds:Transform>", "><ds:X></ds:X></ds:Transform>", 1),
        String::new(),
    ] {
        refused(&changed(&both, &other), Reject::Transforms);
    }
}

#[test]
fn algorithms_are_a_short_list() {
    let c14n = format!(r#"<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}">"#);
    for other in [c14n.replace("n#\"", "n#WithComments\""), format!("{c14n}<ds:X></ds:X>")] {
        refused(&changed(&c14n, &other), Reject::CanonicalizationMethod);
    }
    let method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    for other in
        ["http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", ""]
    {
        refused(&changed(method, other), Reject::SignatureMethod(other.into()));
    }
    let truncated = format!("{method}\"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>");
    let plain = format!("{method}\"></ds:SignatureMethod>");
    refused(&changed(&plain, &truncated), Reject::SignatureMethod(method.into()));
    let digest = "http://www.w3.org/2001/04/xmlenc#sha256";
    for other in ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5"] {
        refused(&changed(digest, other), Reject::DigestMethod(other.into()));
    }
    let long = "x".repeat(1000);
    refused(&changed(method, &long), Reject::SignatureMethod(format!("{}...", &long[..120])));
}
