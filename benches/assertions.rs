//! Assertions beside the raw signature operation of the crypto library: what a JWT and a SAML assertion cost, and how
//! much of that is not the signature.

#[path = "support/mod.rs"]
mod support;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use std::hint::black_box;

use grantcheck::oauth::jwt::{Draft, Jwt, Signing};
use grantcheck::oauth::keys::{Certificate, PrivateKey, RsaAlgorithm};
use grantcheck::oauth::saml;

fn assertions(c: &mut Criterion) {
    let key = PrivateKey::from_pem(&support::read("tests/keys/app-main.key")).expect("a key");
    let certificate = Certificate::read(&support::read("tests/keys/app-main.crt")).expect("its certificate");
    let pair = RsaKeyPair::from_pkcs8(&pkcs8("tests/keys/app-main.key")).expect("the same key");
    let claims = json!({ "iss": "3MVG9", "sub": "svc@acme.com", "aud": "https://login.salesforce.com", "exp": 1_800_000_300 });
    let serde_json::Value::Object(claims) = claims else { unreachable!("an object was written") };
    let draft = Draft::of(claims);
    let mint = || draft.sign(&Signing::Rsa(&key, RsaAlgorithm::Rs256));
    let jwt = mint();
    let (signed, _) = jwt.rsplit_once('.').expect("three parts");
    assert!(Jwt::read(&jwt).expect("a JWT").verifies(certificate.key()), "what is measured must be right");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.key().der());

    let mut group = c.benchmark_group("jwt");
    group.bench_function("raw_signature", |bencher| {
        bencher.iter(|| {
            let input = black_box(signed.as_bytes());
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
        });
    });
    group.bench_function("mint", |bencher| bencher.iter(|| black_box(mint())));
    group.bench_function("raw_verification", |bencher| {
        bencher.iter(|| public.verify(black_box(signed.as_bytes()), &signature).expect("it verifies"));
    });
    group.bench_function("read_and_verify", |bencher| {
        bencher.iter(|| {
            assert!(Jwt::read(black_box(&jwt)).expect("a JWT").verifies(certificate.key()));
        });
    });
    group.finish();

    let draft = saml::Draft {
        id: "_1".into(),
        issuer: Some("3MVG9".into()),
        subject: Some("svc@acme.com".into()),
        audience: Some("https://login.salesforce.com".into()),
        recipient: Some("https://login.salesforce.com/services/oauth2/token".into()),
        issue_instant: support::NOW / 1000,
        not_before: Some(support::NOW / 1000),
        not_on_or_after: Some(support::NOW / 1000 + 300),
        confirmation_not_on_or_after: Some(support::NOW / 1000 + 300),
        ..saml::Draft::default()
    };
    let how = saml::Signing::default();
    let sign = |input: &[u8]| key.sign(RsaAlgorithm::Rs256, input);
    let xml = draft.sign(&sign, &how);
    let verifier = |signed: &[u8], signature: &[u8]| certificate.key().verify(signed, signature);
    let verify = |xml: &str| saml::verify(xml, &verifier, None).is_ok();
    assert!(verify(&xml), "what is measured must be right");
    let mut group = c.benchmark_group("saml");
    group.bench_function("mint", |bencher| bencher.iter(|| black_box(draft.sign(&sign, &how))));
    group.bench_function("verify", |bencher| bencher.iter(|| assert!(verify(black_box(&xml)))));
    group.finish();
}

/// The bytes of a PEM.
fn pkcs8(path: &str) -> Vec<u8> {
    let pem = support::read(path);
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    grantcheck::oauth::from_base64(&body).expect("base64")
}

criterion_group!(benches, assertions);
criterion_main!(benches);
