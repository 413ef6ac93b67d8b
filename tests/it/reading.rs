//! What every reader of foreign bytes owes on any input whatever: it does not panic, it says what it read, and what
//! it took it can write and take again. `readers.rs` asks it of invented inputs and of the corpus; `fuzz/` includes
//! this file and asks it of whatever a fuzzer comes up with.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use grantcheck::catalog::{self, Party};
use grantcheck::client::{Jar, page};
use grantcheck::diagnostic::{Diagnostic, Text};
use grantcheck::load::merge::{Expected, Part, merge};
use grantcheck::load::report::{LoadReport, PartRow, json};
use grantcheck::load::shard::Shard;
use grantcheck::load::worker::message;
use grantcheck::metadata::{self, Context, Element, Kind, Profile, Project};
use grantcheck::oauth::jwt::Jwt;
use grantcheck::oauth::keys::{Certificate, PrivateKey};
use grantcheck::oauth::message::{ErrorResponse, TokenResponse};
use grantcheck::oauth::{Params, base64, duration, saml};
use grantcheck::org::Org;
use grantcheck::subject::program::VALUES;
use grantcheck::subject::{Page, Target, User};
use grantcheck::suite::{Lookup, read_program, read_suite, read_target, to_json};
use grantcheck::transcript::{self, Redactor};

/// A reader by name, which is also that of its fuzz target and of its folder in `fuzz/corpus`.
pub type Reader = (&'static str, fn(&[u8]));

/// All of them.
pub const READERS: &[Reader] = &[
    ("params", params),
    ("jwt", jwt),
    ("saml", saml_assertion),
    ("certificate", certificate),
    ("suite", suite),
    ("target", target),
    ("program", program),
    ("transcript", recording),
    ("har", har),
    ("html_form", html_form),
    ("cookie", cookie),
    ("org", org),
    ("metadata", metadata),
    ("error", error),
    ("load_report", load_report),
    ("master", master),
];

const KEY: &str = include_str!("../keys/app-main.key");
const CERTIFICATE: &str = include_str!("../keys/app-main.crt");

/// The certificate whose key signed the corpus, and nothing else that will ever be read here.
static MAIN: LazyLock<Certificate> = LazyLock::new(|| Certificate::read(CERTIFICATE).expect("a test key"));

/// Whom every assertion in the corpus is about that this key signed.
const SUBJECT: &str = "user@example.com";

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// The first lines, as many as there are places for, and what follows them.
fn lines<const N: usize>(data: &[u8]) -> ([String; N], String) {
    let text = text(data);
    let mut rest = text.as_str();
    let first = std::array::from_fn(|_| {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        line.to_owned()
    });
    (first, rest.to_owned())
}

/// Forms and queries, the answers that are written in them, durations.
pub fn params(data: &[u8]) {
    let text = text(data);
    let leniently = Params::read_lossy(&text);
    if let Ok(params) = Params::read(&text) {
        assert_eq!(params, leniently, "strict and lenient reading differ where both can read");
        assert_eq!(Params::read(&params.write()).as_ref(), Ok(&params));
    }
    assert_eq!(Params::read(&leniently.write()), Ok(leniently), "what was read leniently can be said");
    if let Some(error) = ErrorResponse::read(&text) {
        let said = Params::new().with("error", &error.error);
        let said = said.with_opt("error_description", error.description.as_deref());
        assert_eq!(ErrorResponse::read(&said.write()), Some(error));
    }
    if let Some(response) = TokenResponse::read(&text) {
        let written = serde_json::to_string(response.members()).expect("members are JSON");
        assert_eq!(TokenResponse::read(&written), Some(response));
    }
    if let Some(ms) = duration(&text) {
        assert_eq!(duration(&format!("{ms}ms")), Some(ms));
    }
}

/// A JSON Web Token on the first line, a JSON Web Key Set on the rest.
pub fn jwt(data: &[u8]) {
    let ([token], set) = lines(data);
    let Ok(jwt) = Jwt::read(&token) else { return };
    let _ = (jwt.audiences(), jwt.seconds("exp"), jwt.is_unsigned(), jwt.verifies_hs256(KEY.as_bytes()));
    if let Ok(set) = serde_json::from_str(&set) {
        let _ = jwt.verifies_with_set(&set);
    }
    if jwt.verifies(MAIN.key()) {
        assert_eq!((jwt.alg(), jwt.text("sub")), ("RS256", Some(SUBJECT)), "a forged token");
    }
}

/// A SAML assertion, as XML or as the parameter carries it.
pub fn saml_assertion(data: &[u8]) {
    let text = text(data);
    let xml = saml::decode(&text).unwrap_or(text);
    if let Ok(decoded) = saml::decode(&saml::encode(&xml)) {
        assert_eq!(decoded, xml);
    }
    let (claims, read) = (saml::claims(&xml), saml::read(&xml));
    let sha1 = |message: &[u8], signature: &[u8]| MAIN.key().verify_sha1(message, signature);
    let sha256 = |message: &[u8], signature: &[u8]| MAIN.key().verify(message, signature);
    let verified = saml::verify(&xml, &sha256, Some(&sha1));
    if let Ok(verified) = &verified {
        let subject = verified.subject.as_deref().unwrap_or_default();
        assert!(subject.starts_with(SUBJECT), "a forged assertion about {subject:?}");
        assert_eq!((read.as_ref(), claims.as_ref()), (Ok(verified), Ok(verified)));
    }
    if let Ok(read) = &read {
        assert_eq!(claims.as_ref(), Ok(read));
    }
}

/// A certificate or a private key, as a text or as what its base64 says.
pub fn certificate(data: &[u8]) {
    for text in [text(data), base64(data)] {
        key_or_certificate(&text);
    }
}

fn key_or_certificate(text: &str) {
    if let Ok(certificate) = Certificate::read(text) {
        let again = Certificate::read(&certificate.base64()).expect("it was read before");
        assert_eq!(again, certificate);
        let pem = certificate.key().pem();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");
        assert_eq!(certificate.key().jwk("k")["kty"], "RSA");
        assert!(!certificate.key().verify(b"message", b"signature"));
    }
    if let Ok(key) = PrivateKey::from_pem(text) {
        let _ = key.public().pem();
    }
}

/// What a diagnostic shows: it stands in the text, and it can be told.
fn tellable(text: &Text, problems: &[Diagnostic]) {
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        if let Some((at, span)) = &problem.at {
            assert!(span.start <= span.end && span.end <= at.source().len(), "{span:?}");
            assert_eq!(at.source().len(), text.source().len());
        }
        assert!(!problem.to_string().is_empty());
    }
}

/// A suite file.
pub fn suite(data: &[u8]) {
    let source = Text::new("foreign.yaml", text(data));
    match read_suite(&source, "foreign/foreign") {
        Ok(_) => assert!(to_json(&source).is_ok()),
        Err(problems) => tellable(&source, &problems),
    }
}

/// A target file; variables have a value, files are a key or a certificate by their name.
pub fn target(data: &[u8]) {
    let source = Text::new("foreign.yaml", text(data));
    let lookup = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable(name) => Some(name.to_owned()),
        Lookup::File(name) if name.ends_with(".key") => Some(KEY.to_owned()),
        Lookup::File(name) if name.ends_with(".crt") => Some(CERTIFICATE.to_owned()),
        Lookup::File(_) => None,
    };
    match read_target(&source, &lookup) {
        Ok(_) => assert!(to_json(&source).is_ok()),
        Err(problems) => tellable(&source, &problems),
    }
}

/// A program file; variables have a value, files have none. What was read can be started, but for arguments of a suite.
pub fn program(data: &[u8]) {
    let source = Text::new("foreign.yaml", text(data));
    let lookup = |lookup: Lookup<'_>| match lookup {
        Lookup::Variable(name) => Some(format!("${{{name}}}")),
        Lookup::File(_) => None,
    };
    match read_program(&source, Path::new("foreign.yaml"), &lookup) {
        Ok(program) => {
            assert!(to_json(&source).is_ok());
            assert!(program.command.is_empty() == program.trigger.is_some());
            assert!(!program.flows.is_empty() && program.within > 0);
            let values = VALUES.iter().map(|value| (value.name, "${x}".to_owned())).collect();
            if let Err(why) = program.launch(&values, Vec::new()) {
                assert!(why.0.iter().all(|name| !name.contains(['.', '$'])), "{why}");
            }
        }
        Err(problems) => tellable(&source, &problems),
    }
}

/// A recording, which is judged as well: no judge breaks, whatever it is shown.
pub fn recording(data: &[u8]) {
    let Ok(transcript) = transcript::read(&text(data)) else { return };
    let judged = [Party::Org, Party::Client].map(|party| catalog::judge(&transcript, party));
    for judged in judged.into_iter().flatten() {
        assert!(!judged.bug, "the judge of {} broke", judged.check.id);
    }
    let mut redactor = Redactor::new([1; 32]);
    let written = transcript::write(&transcript, &mut redactor);
    // A short one may be a piece of a fingerprint, and one with a colon a fingerprint that somebody cut short.
    let again = transcript::read(&written).expect("we wrote it");
    // Names of scenarios, steps and roles are an author's, and stay.
    let said: Vec<String> = again.exchanges.iter().map(said).collect();
    for secret in redactor.secrets().filter(|secret| secret.len() >= 20 && !secret.contains(':')) {
        assert!(!said.iter().any(|text| text.contains(secret)), "{secret} is in a recording");
    }
    assert_eq!(again.exchanges.len(), transcript.exchanges.len());
}

/// A HAR file, which is judged as well.
pub fn har(data: &[u8]) {
    let Ok(transcript) = transcript::read_har(&text(data), &Target::default()) else { return };
    for judged in catalog::judge(&transcript, Party::Client) {
        assert!(!judged.bug, "the judge of {} broke", judged.check.id);
    }
    for (number, x) in transcript.exchanges.iter().enumerate() {
        assert!(x.number == number && x.over_at > number && x.over_at <= transcript.exchanges.len());
    }
}

/// What the parties said to each other.
fn said(x: &transcript::Exchange) -> String {
    let values =
        |headers: &[(String, String)]| -> String { headers.iter().map(|(_, v)| format!("{v}\n")).collect() };
    let answer = match &x.answer {
        transcript::Answer::Response(response) => format!("{}{}", values(&response.headers), response.body),
        transcript::Answer::Nothing(failure) => failure.to_string(),
    };
    format!("{}\n{}{}\n{answer}", x.request.url, values(&x.request.headers), x.request.body)
}

/// A page that a user agent has to pass: its URL, a selector and a field on the first lines.
pub fn html_form(data: &[u8]) {
    let ([at, selector, field], html) = lines(data);
    let user = User { username: "ann".into(), password: Some("a-password".into()), ..User::default() };
    let fill = vec![(field, "${user.username} ${user.password}".to_owned())];
    let form = Some(selector).filter(|selector| !selector.is_empty());
    let by_form = Page { form: form.clone(), fill: fill.clone(), ..Page::default() };
    let by_link = Page { link: form, ..Page::default() };
    let as_json = Page { json: Some("PUT".into()), ..Page::default() };
    for page in [by_form, by_link, as_json, Page { fill, ..Page::default() }] {
        if let Ok(submit) = page::pass(&html, &at, &page, &user) {
            assert!(page::join(&at, &submit.url).is_ok(), "it goes to {}", submit.url);
        }
    }
    let _ = page::has_form(&html);
}

/// The URL of an answer on the first line, its `Set-Cookie` fields on those that follow.
pub fn cookie(data: &[u8]) {
    let ([url], rest) = lines(data);
    let headers: Vec<_> = rest.lines().map(|line| ("Set-Cookie".to_owned(), line.to_owned())).collect();
    let mut jar = Jar::default();
    jar.absorb(&url, &headers);
    if let Some(header) = jar.header(&url) {
        assert!(!header.is_empty());
        assert!(header.split("; ").count() >= 1);
        let longest: usize = rest.len() + 4 * headers.len();
        assert!(header.len() <= longest, "a jar keeps what came in and no more");
    }
}

/// A request to the embedded org: method and path on the first line, fields up to an empty line, the body.
pub fn org(data: &[u8]) {
    static ORG: LazyLock<Target> = LazyLock::new(|| {
        let source = include_str!("../../suites/targets/embedded.yaml");
        let lookup = |lookup: Lookup<'_>| match lookup {
            Lookup::File(name) if name.ends_with(".key") => Some(KEY.to_owned()),
            Lookup::File(_) => Some(CERTIFICATE.to_owned()),
            Lookup::Variable(_) => None,
        };
        read_target(&Text::new("embedded.yaml", source), &lookup).expect("the target that is shipped")
    });
    let text = text(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut head = head.lines();
    let (method, path) = head.next().unwrap_or_default().split_once(' ').unwrap_or_default();
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in head.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(Bytes::from(body.to_owned())) else { return };
    let org = Org::new(&ORG, &[], [7; 32]);
    let status = org.handle(&request, 1_795_251_600_000).response.status().as_u16();
    // A SOAP fault is a 500 (SOAP 1.1 §6.2).
    assert!(status < 500 || path.contains("/services/Soap/"), "{status}");
}

/// Metadata of any type: what is read can be written and read again, and every rule judges it.
pub fn metadata(data: &[u8]) {
    for kind in Kind::ALL {
        let mut project = Project::default();
        project.add_bytes(&format!("A.{}", kind.suffix()), data.to_vec());
        for problem in &project.problems {
            assert!(!problem.to_string().is_empty());
        }
        for item in &project.items {
            let strange = item.root.namespace.starts_with("http://www.w3.org/");
            let written = Text::new("w", metadata::write(&item.root));
            if let (false, again) = (strange, metadata::read(&written)) {
                let again = again.unwrap_or_else(|why| panic!("what was written is refused: {why}"));
                assert!(alike(&item.root, &again), "{}", written.source());
            }
        }
        let apps = project.apps();
        let context = Context { project: &project, apps, now: 0, soon_days: 30, keys: Vec::new() };
        for finding in metadata::lint(&context, Profile::Partner2026) {
            let source = finding.place.text.source();
            assert!(
                source.get(finding.place.span.start..finding.place.span.end).is_some(),
                "{}",
                finding.rule.id
            );
        }
    }
}

fn alike(a: &Element, b: &Element) -> bool {
    a.name == b.name
        && a.value == b.value
        && a.children.len() == b.children.len()
        && a.children.iter().zip(&b.children).all(|(a, b)| alike(a, b))
}

/// An error as somebody has it.
pub fn error(data: &[u8]) {
    for found in grantcheck::errors::look_up(&text(data), None) {
        assert!(!grantcheck::errors::full(&found, None).is_empty());
    }
}

/// Reports of load runs, as they are merged.
pub fn load_report(data: &[u8]) {
    let Ok(report) = serde_json::from_slice::<LoadReport>(data) else { return };
    assert!(
        serde_json::from_str::<LoadReport>(&json(&report)).is_ok(),
        "what was read is written and read again"
    );
    let part = |index| {
        let mut report = report.clone();
        report.run.part = Some(PartRow::Shard(Shard { index, of: 2 }));
        Part { name: index.to_string(), report }
    };
    if let Ok(whole) = merge(&[part(0), part(1)], Expected::default()) {
        let twice = |count: u64| count.saturating_mul(2);
        assert_eq!(whole.total.latency.count, twice(report.total.latency.count));
        assert_eq!(whole.plays.len(), report.plays.len());
        let _ = whole.exit();
    }
}

/// Messages of a Locust master.
pub fn master(data: &[u8]) {
    if let Ok(message::Said::Spawn { at, users }) = message::read(data) {
        assert!(at.is_finite() && users.values().all(|users| *users <= 1_000_000));
    }
}
