//! A recording is judged like the run that it records.

use std::collections::BTreeMap;

use crate::support::{embedded, options, org_suites, outcome};
use grantcheck::org::fault;
use grantcheck::report::{Report, Word};
use grantcheck::run::{Options, judge_recording};
use grantcheck::subject::{Target, User};
use grantcheck::transcript::{Answer, Redactor, Response, Transcript, read, script, write};

fn failed(report: &Report) -> BTreeMap<String, Word> {
    let rows = report.checks.iter().filter(|row| !matches!(row.verdict, Word::Inconclusive | Word::Pass));
    rows.map(|row| (row.check.clone(), row.verdict)).collect()
}

#[test]
fn a_recording_reads_back_to_the_same_verdicts_of_the_catalogue() {
    for name in [
        "code-reusable",
        "rotate-no-family",
        "jwt-none",
        "sf-signature",
        "pkce-plain-too",
        "revoke-late",
        "access-eternal",
        "introspect-expired-active",
    ] {
        let faults = vec![fault::find(name).unwrap()];
        let mut outcome = outcome(&Options { faults, ..options(embedded(), org_suites()) });
        let text = grantcheck::transcript::write(&outcome.transcript, &mut outcome.redactor);
        let back = grantcheck::transcript::read(&text).unwrap();
        let judged = judge_recording(&back, "recording", None);
        assert_eq!(failed(&judged), failed(&outcome.report), "{name}");
    }
}

/// The embedded org with everyday words for secrets.
fn with_words(secret: &str) -> Target {
    let mut target = embedded();
    target.apps.get_mut("main").unwrap().client_secret = Some(secret.into());
    let user: &mut User = target.users.get_mut("main").unwrap();
    user.password = Some(secret.into());
    target
}

#[test]
fn a_secret_that_is_an_everyday_word_changes_no_verdict_and_no_name() {
    for secret in ["secret", "password", "salesforce", "hunter", "client-secret"] {
        let options = options(with_words(secret), org_suites());
        let mut outcome = outcome(&options);
        let text = write(&outcome.transcript, &mut outcome.redactor);
        let judged = judge_recording(&read(&text).unwrap(), "recording", None);
        assert_eq!(failed(&judged), failed(&outcome.report), "{secret}");
        let report = grantcheck::report::redacted(&outcome.report, &mut outcome.redactor);
        let names = |report: &Report| -> Vec<String> {
            let findings = report.scenarios.iter().flat_map(|row| &row.findings);
            let checks = report
                .checks
                .iter()
                .map(|row| row.check.clone())
                .chain(findings.filter_map(|f| f.check.clone()));
            report.scenarios.iter().map(|row| row.scenario.clone()).chain(checks).collect()
        };
        assert_eq!(names(&report), names(&outcome.report));
        assert_eq!(report.subject, outcome.report.subject);
        for form in
            [format!("client_secret={secret}&"), format!("password={secret}&"), format!("pw={secret}&")]
        {
            assert!(!text.contains(&form), "{form}");
        }
    }
}

#[test]
fn a_garbled_header_is_judged_the_same() {
    let id = "resource/garbled-header-is-refused";
    let granted = "> POST token grant_type=client_credentials\n< 200 {\"access_token\":\"first-token-0001\",\"token_type\":\"Bearer\"}\n\
                   > GET api\n< 401\n> GET api\n> Authorization: Bearer first-token-0001\n< 200 []\n";
    for (header, answer, verdict) in [
        ("first-token-0001 first-token-0001", "200 []", Some(Word::Fail)),
        ("first-token-0001 something-else", "200 []", Some(Word::Fail)),
        ("first-token-0001 more", "401\n< WWW-Authenticate: Bearer error=\"invalid_token\"", None),
    ] {
        let live =
            script::read(&format!("{granted}> GET api\n> Authorization: Bearer {header}\n< {answer}\n"));
        let text = write(&live, &mut Redactor::new([7; 32]));
        let of = |transcript: &Transcript| failed(&judge_recording(transcript, "recording", None));
        assert_eq!(of(&read(&text).unwrap()), of(&live), "{header}");
        assert_eq!(of(&live).get(id).copied(), verdict, "{header}");
        let passes = judge_recording(&read(&text).unwrap(), "r", None).checks;
        assert!(passes.iter().any(|row| row.check == id), "{header}");
        assert!(!text.contains("first-token-0001"));
    }
}

#[test]
fn what_the_recording_does_not_hold_whole_is_neither_failed_nor_passed() {
    let judged = |endpoint: &str, body: &str| {
        let mut live = script::read(&format!("> GET {endpoint}\n< 200 {{}}\n"));
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        live.exchanges[0].answer = Answer::Response(Response::new(200, headers, body.to_owned()));
        let back = read(&write(&live, &mut Redactor::new([7; 32]))).unwrap();
        (judge_recording(&live, "live", None), judge_recording(&back, "recording", None))
    };
    // A hundred keys that are all the same one, and a document that is longer than any other body may be.
    let key = r#"{"kty":"RSA","kid":"k","use":"sig","n":"AQAB","e":"AQAB","x":""#.to_owned()
        + &"y".repeat(400)
        + "\"}";
    let keys = format!("{{\"keys\":[{}]}}", vec![key; 100].join(","));
    let (live, back) = judged("keys", &keys);
    assert_eq!(failed(&live).get("discovery/published-keys-are-sound"), Some(&Word::Fail));
    assert_eq!(failed(&live), failed(&back));
    let long = |length: usize| {
        format!("{{\"issuer\":\"https://login.example.com\",\"x\":\"{}\"}}", "y ".repeat(length / 2))
    };
    let (live, back) = judged("discovery", &long(20_000));
    assert_eq!(failed(&live), failed(&back));
    assert!(!failed(&back).contains_key("discovery/document-is-json"));
    let (live, back) = judged("discovery", &long(300_000));
    assert!(!failed(&live).contains_key("discovery/document-is-json"));
    assert_eq!((failed(&back), back.exit()), (BTreeMap::new(), 3));
    let told = |f: &grantcheck::report::FindingRow| f.observed.contains("only the beginning");
    assert!(back.scenarios[0].findings.iter().all(|f| f.verdict == Word::Inconclusive && told(f)));
}
