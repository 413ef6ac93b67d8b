//! What the tests of this module share: keys, a draft in which nothing is wrong, and hands to make it wrong.

use std::sync::LazyLock;

use super::c14n::canonical;
use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaParameters, UnparsedPublicKey,
};
use base64::engine::general_purpose::STANDARD;
use roxmltree::Document;

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

pub(super) static MAIN: LazyLock<Key> = LazyLock::new(Key::main);

/// With the registered key and SHA-256 alone.
pub(super) fn strictly(xml: &str) -> Result<Verified, Reject> {
    verify(xml, &|message, signature| MAIN.verifies(message, signature), None)
}

/// With SHA-1 allowed as well.
pub(super) fn laxly(xml: &str) -> Result<Verified, Reject> {
    let sha256 = |message: &[u8], signature: &[u8]| MAIN.verifies(message, signature);
    verify(xml, &sha256, Some(&|message, signature| MAIN.verifies_sha1(message, signature)))
}

pub(super) fn good() -> String {
    MAIN.signed(&draft())
}

/// The whole `ds:Signature` of a document that we wrote.
pub(super) fn signature_of(xml: &str) -> &str {
    &xml[xml.find("<ds:Signature ").unwrap()..xml.find("</ds:Signature>").unwrap() + 15]
}

/// The forger's assertion, with room for something before its end.
pub(super) fn evil(id: &str, inside: &str) -> String {
    let evil = Draft { id: id.into(), subject: Some("admin@example.com".into()), ..draft() }.unsigned();
    evil.replace("</saml:Assertion>", &format!("{inside}</saml:Assertion>"))
}

/// The document with digest and signature made right again under the trusted key, so that what refuses it can
/// only be a rule.
pub(super) fn made_right(xml: &str) -> String {
    let put = |xml: &str, element: &str, value: &[u8]| {
        let start = xml.find(&format!("<ds:{element}>")).unwrap() + element.len() + 5;
        let end = xml.find(&format!("</ds:{element}>")).unwrap();
        format!("{}{}{}", &xml[..start], STANDARD.encode(value), &xml[end..])
    };
    let find = |document: &Document<'_>, name: &str| {
        document.descendants().find(|node| node.tag_name().name() == name).unwrap().id()
    };
    let document = Document::parse(xml).unwrap();
    let covered = canonical(document.root_element(), Some(find(&document, "Signature")), &[]);
    let xml = put(xml, "DigestValue", Digest::Sha256.of(&[&covered]).as_ref());
    let document = Document::parse(&xml).unwrap();
    let info = canonical(document.get_node(find(&document, "SignedInfo")).unwrap(), None, &[]);
    put(&xml, "SignatureValue", &MAIN.sign(info.as_bytes()))
}

/// A change to a good assertion, signed by the trusted key all the same.
#[track_caller]
pub(super) fn changed(from: &str, to: &str) -> String {
    let good = good();
    assert!(good.contains(from), "{from}");
    made_right(&good.replacen(from, to, 1))
}

#[track_caller]
pub(super) fn refused(xml: &str, reason: Reject) {
    assert_eq!(strictly(xml), Err(reason), "{xml}");
}
