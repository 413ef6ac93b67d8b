//! A transcript in a few lines of text, as the examples of checks are written. It is a language of our
//! own code, not of users: what cannot be read is a bug and panics.
//!
//! ```text
//! > POST token grant_type=refresh_token&refresh_token=R1&client_id=main&client_secret=main-secret
//! > X-Header: value                      header of the request above
//! ! secret wrong                         a fact that would be derived live: `secret right|wrong|another`
//! ! assertion {"claims":{"iss":"main","exp":{now+150}},"verifies":true,"alg":"RS256"}
//! ! id_token {"header":{"alg":"RS256"},"claims":{"sub":"u"},"verifies":true}   of the answer
//! ! host https://other.example           the request above goes to another host
//! ! step 0                               it belongs to that step, or to that start of a program
//! < 200 {"access_token":"A2"}            the answer: status, body; `nothing` and `unreachable` are none
//! ! stranger https://rogue.example       the same, and the host is known to be none of the server's
//! ! names https://rogue.example          the answer leads to such a host
//! ! secret-in the URL                    where a secret stood that does not belong there
//! < Cache-Control: no-store              header of the answer
//! + 10m                                  time goes by
//! = hold                                 the answer to the request above does not go out yet ...
//! = release                              ... but here, with every other that is held
//! = release 2                            the same of one request, by its position from 0
//! = race                                 what follows was released together ...
//! = end                                  ... until here
//! = rfc | salesforce                     profile of the subject
//! = unlisted                             the app `other` may not use client credentials
//! = setting rotation true                what is known of the subject
//! = setting rotation true of main        what is known of one of its apps
//! = calls 3                              how many calls the client was told to make
//! = concurrency 2                        how many of them at a time
//! = store                                the client has a place for its tokens that outlives it
//! = killed                               it was killed on the way, and started again
//! = named-credential jwt-bearer 403      the client is a Named Credential, which renews on these statuses too
//! = unlisted other client-credentials    a flow that an app does not list
//! ```
//!
//! Endpoints: `authorize page token introspect revoke userinfo identity keys discovery metadata api`. A
//! GET has its parameters in the query, a POST in a form body. A first word that begins with `/` is another
//! path on the org (`> GET identity /id/00D/005`). `{now}`, `{now+N}` and `{now-N}` stand for
//! seconds since the epoch at that line, `{ms}` for milliseconds. Requests overlap where the answer to one of them is
//! held; what is still held at the end is answered there.

use serde_json::Value;

use super::{Answer, AssertionFacts, Exchange, Facts, Failure, Part, Request, Response, Transcript};
use crate::oauth::Endpoint;
use crate::oauth::pkce::{Method, is_unreserved};
use crate::oauth::salesforce::Profile;
use crate::subject::{
    ClientAuth, Endpoints, Flow, NamedCredential, Protocol, Setting, Settings, Subject, SubjectApp,
};

/// The moment at which a script begins, in milliseconds since the epoch.
pub const BEGIN: i64 = 1_700_000_000_000;

/// The subject that scripts are about: apps `main`, `other`, `public`, whose `client_id` is their role,
/// on `https://org.example`; user `main` is `svc@example.com`, `unapproved` is `stranger@example.com`.
pub fn subject() -> Subject {
    let app = |role: &str, auth: ClientAuth, uris: &[&str]| SubjectApp {
        client_id: role.to_owned(),
        public: auth == ClientAuth::None,
        client_auth: auth,
        redirect_uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
        scopes: ["api", "refresh_token", "openid"].map(str::to_owned).to_vec(),
        flows: Flow::ALL.to_vec(),
        has_certificate: auth != ClientAuth::None,
        run_as: (auth != ClientAuth::None).then(|| "svc@example.com".to_owned()),
        key_bound: false,
        settings: Settings::default(),
    };
    let url = |path: &str| Some(format!("https://org.example{path}"));
    Subject {
        program: None,
        org: "https://org.example".into(),
        profile: Profile::Rfc,
        endpoints: Endpoints {
            issuer: url(""),
            authorize: url("/authorize"),
            token: url("/token"),
            introspect: url("/introspect"),
            revoke: url("/revoke"),
            userinfo: url("/userinfo"),
            keys: url("/keys"),
            discovery: url("/.well-known/openid-configuration"),
            metadata: url("/.well-known/oauth-authorization-server"),
            api: url("/api"),
        },
        apps: [
            app(
                "main",
                ClientAuth::Post,
                &["https://client.example/callback", "https://client.example/callback?tenant=a"],
            ),
            app("other", ClientAuth::Post, &["https://other.example/callback"]),
            app("public", ClientAuth::None, &["https://public.example/callback"]),
            app("basic", ClientAuth::Basic, &["https://basic.example/callback"]),
            app("assertion", ClientAuth::PrivateKeyJwt, &["https://assertion.example/callback"]),
        ]
        .map(|app| (app.client_id.clone(), app))
        .into(),
        users: [("main", "svc@example.com"), ("unapproved", "stranger@example.com")]
            .map(|(role, name)| (role.to_owned(), name.to_owned()))
            .into(),
        settings: Default::default(),
        named_credential: None,
    }
}

/// Reads a script.
///
/// # Panics
/// Where the script is wrong.
pub fn read(text: &str) -> Transcript {
    let mut transcript = Transcript { subject: subject(), ..Transcript::default() };
    let mut at = BEGIN;
    let mut race = None;
    let mut races = 0;
    let mut held: Vec<usize> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let line = times(line, at);
        let (mark, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no mark: {line}"));
        let last = transcript.exchanges.last_mut();
        match mark {
            ">" | "<" if is_header(rest) => {
                let (name, value) = rest.split_once(": ").unwrap_or_else(|| panic!("no header: {line}"));
                let last = last.expect("a header belongs to a request");
                if mark == ">" {
                    let mut headers = last.request.headers.clone();
                    headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
                    headers.push((name.to_owned(), value.to_owned()));
                    last.request = Request::new(
                        &last.request.method,
                        &last.request.url,
                        headers,
                        last.request.body.clone(),
                    );
                } else if let Answer::Response(response) = &last.answer {
                    let mut headers = response.headers.clone();
                    headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
                    headers.push((name.to_owned(), value.to_owned()));
                    let response = Response::new(response.status, headers, response.body.clone());
                    last.facts.code_bits = super::facts::code_bits(&response);
                    last.answer = Answer::Response(response);
                }
            }
            ">" => {
                let number = transcript.exchanges.len();
                let mut next = request(rest, &transcript.subject, number, at, race);
                // What is staged is played by a program that is started once, unless it says otherwise.
                if !transcript.staged.is_empty() {
                    (next.action, next.step) = ("program".to_owned(), 0);
                }
                // A page belongs to the step that led to it.
                if let Some(earlier) = transcript.exchanges.last().filter(|_| next.endpoint == Endpoint::Page)
                {
                    next.step = earlier.step;
                }
                transcript.exchanges.push(next);
            }
            "<" => last.expect("an answer belongs to a request").answer = answer(rest),
            "!" => fact(last.expect("a fact belongs to a request"), rest),
            "+" => at += crate::oauth::duration(rest).unwrap_or_else(|| panic!("no duration: {rest}")),
            "=" => match rest.split(' ').collect::<Vec<_>>()[..] {
                ["race"] => {
                    races += 1;
                    race = Some(races);
                }
                ["end"] => finish(&mut transcript, race.take()),
                ["hold"] => held.push(last.expect("what is held belongs to a request").number),
                ["release"] => release(&mut transcript, std::mem::take(&mut held), at),
                ["release", number] => {
                    let number = number.parse().unwrap_or_else(|_| panic!("no position: {line}"));
                    assert!(held.contains(&number), "it is not held: {line}");
                    held.retain(|other| *other != number);
                    release(&mut transcript, vec![number], at);
                }
                ["printed", bytes, ref kinds @ ..] => {
                    let bytes = bytes.parse().unwrap_or_else(|_| panic!("{line}"));
                    let holds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
                    let trace = super::Trace { place: "standard output".into(), bytes, holds, mode: None };
                    transcript.staged.entry("example".into()).or_default().traces.push(trace);
                }
                ["arguments", ref kinds @ ..] => {
                    let holds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
                    let trace = super::Trace { place: super::ARGUMENTS.into(), bytes: 9, holds, mode: None };
                    transcript.staged.entry("example".into()).or_default().traces.push(trace);
                }
                ["file", place, mode, ref kinds @ ..] => {
                    let mode = u32::from_str_radix(mode, 8).unwrap_or_else(|_| panic!("{line}"));
                    let holds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
                    let place = format!("{place} file");
                    let trace = super::Trace { place, bytes: 100, holds, mode: Some(mode) };
                    transcript.staged.entry("example".into()).or_default().traces.push(trace);
                }
                ["processes", number] => {
                    let staged = transcript.staged.entry("example".into()).or_default();
                    staged.processes = number.parse().unwrap_or_else(|_| panic!("{line}"));
                    staged.store = true;
                }
                ["calls", number] => {
                    let staged = transcript.staged.entry("example".into()).or_default();
                    staged.calls = number.parse().unwrap_or_else(|_| panic!("{line}"));
                }
                ["concurrency", number] => {
                    let staged = transcript.staged.entry("example".into()).or_default();
                    staged.concurrency = number.parse().unwrap_or_else(|_| panic!("{line}"));
                }
                ["told", name, word] => {
                    let staged = transcript.staged.entry("example".into()).or_default();
                    staged.args.insert(name.to_owned(), word.to_owned());
                }
                ["store"] => transcript.staged.entry("example".into()).or_default().store = true,
                ["killed"] => transcript.staged.entry("example".into()).or_default().killed = true,
                ["unlisted"] => {
                    for app in transcript.subject.apps.values_mut().filter(|app| app.client_id == "other") {
                        app.flows.retain(|flow| *flow != Flow::ClientCredentials);
                    }
                }
                ["rfc"] => transcript.subject.profile = Profile::Rfc,
                ["salesforce"] => transcript.subject.profile = Profile::Salesforce,
                ["setting", name, value, ref of @ ..] => {
                    let value = match (value, crate::oauth::duration(value)) {
                        ("true", _) => Setting::Flag(true),
                        ("false", _) => Setting::Flag(false),
                        (_, Some(millis)) => Setting::Millis(millis),
                        _ => Setting::Word(value.to_owned()),
                    };
                    let settings = match of {
                        ["of", role] => &mut transcript.subject.apps.get_mut(*role).expect(&line).settings,
                        _ => &mut transcript.subject.settings,
                    };
                    settings.0.insert(name.to_owned(), value);
                }
                ["named-credential", protocol, ref statuses @ ..] => {
                    let protocol = Protocol::read(protocol).unwrap_or_else(|| panic!("{line}"));
                    let renew_on = statuses.iter().map(|status| status.parse().expect(&line)).collect();
                    transcript.subject.named_credential = Some(NamedCredential { protocol, renew_on });
                }
                ["unlisted", role, flow] => {
                    let app = transcript.subject.apps.get_mut(role);
                    let app = app.unwrap_or_else(|| panic!("unknown app: {line}"));
                    app.flows.retain(|listed| listed.name() != flow);
                }
                _ => panic!("unknown directive: {line}"),
            },
            _ => panic!("unknown mark: {line}"),
        }
    }
    finish(&mut transcript, race);
    release(&mut transcript, held, at);
    transcript
}

/// Answers what was released together: all of it had begun before.
fn finish(transcript: &mut Transcript, race: Option<u32>) {
    let began = transcript.exchanges.len();
    for x in transcript.exchanges.iter_mut().filter(|x| race.is_some() && x.race == race) {
        x.over_at = began;
    }
}

/// Answers these requests now.
fn release(transcript: &mut Transcript, held: Vec<usize>, at: i64) {
    let began = transcript.exchanges.len();
    for number in held {
        let x = &mut transcript.exchanges[number];
        x.over_at = began;
        x.took = x.took.max(u64::try_from(at - x.at).unwrap_or(0) * 1000);
    }
}

fn times(line: &str, at: i64) -> String {
    let mut out = line.replace("{now}", &(at / 1000).to_string()).replace("{ms}", &at.to_string());
    while let Some(start) = out.find("{now") {
        let end = start + out[start..].find('}').unwrap_or_else(|| panic!("open brace: {line}"));
        let offset: i64 = out[start + 4..end].parse().unwrap_or_else(|_| panic!("no offset: {line}"));
        out.replace_range(start..=end, &(at / 1000 + offset).to_string());
    }
    out
}

fn is_header(rest: &str) -> bool {
    rest.split(' ').next().is_some_and(|word| word.ends_with(':') && word.len() > 1)
}

fn request(rest: &str, subject: &Subject, number: usize, at: i64, race: Option<u32>) -> Exchange {
    let mut words = rest.splitn(3, ' ');
    let (method, name, params) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    let endpoints = &subject.endpoints;
    let callback = subject.apps.get("main").and_then(|app| app.redirect_uris.first().cloned());
    let (endpoint, url) = match name {
        "authorize" => (Endpoint::Authorize, &endpoints.authorize),
        "page" => (Endpoint::Page, &endpoints.authorize),
        "token" => (Endpoint::Token, &endpoints.token),
        "introspect" => (Endpoint::Introspect, &endpoints.introspect),
        "revoke" => (Endpoint::Revoke, &endpoints.revoke),
        "userinfo" => (Endpoint::Userinfo, &endpoints.userinfo),
        "identity" => (Endpoint::Identity, &endpoints.userinfo),
        "keys" => (Endpoint::Keys, &endpoints.keys),
        "discovery" => (Endpoint::Discovery, &endpoints.discovery),
        "metadata" => (Endpoint::Discovery, &endpoints.metadata),
        "callback" => (Endpoint::Callback, &callback),
        "api" => (Endpoint::Resource, &endpoints.api),
        other => panic!("unknown endpoint: {other}"),
    };
    let (url, params) = match params.split_once(' ').unwrap_or((params, "")) {
        (path, rest) if path.starts_with('/') => (format!("{}{path}", subject.org), rest),
        _ => (url.clone().unwrap_or_default(), params),
    };
    let request = if method == "GET" {
        let url = if params.is_empty() { url } else { format!("{url}?{params}") };
        Request::new(method, &url, Vec::new(), String::new())
    } else {
        let form = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        Request::new(method, &url, form, params.to_owned())
    };
    let verifier = request.form().get("code_verifier").map(str::to_owned);
    let facts = Facts {
        verifier_s256: verifier.as_ref().map(|verifier| Method::S256.challenge(verifier)),
        verifier_length: verifier.as_ref().map(String::len),
        verifier_is_unreserved: verifier.as_deref().map(is_unreserved),
        ..Facts::default()
    };
    let app =
        request.form().get("client_id").or(request.query().get("client_id")).unwrap_or("main").to_owned();
    Exchange {
        number,
        over_at: number + 1,
        scenario: "example".into(),
        part: Part::Scenario,
        step: number,
        action: name.to_owned(),
        tweak: None,
        endpoint,
        app,
        user: Some("main".into()),
        at,
        took: 1000,
        race,
        request,
        answer: Answer::Nothing(Failure::Broken("the script gives no answer".into())),
        facts,
    }
}

fn answer(rest: &str) -> Answer {
    let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
    if status == "unreachable" {
        return Answer::Nothing(Failure::Unreachable("nobody listens".into()));
    }
    if status == "nothing" {
        return Answer::Nothing(Failure::TimedOut(10_000));
    }
    let status = status.parse().unwrap_or_else(|_| panic!("no status: {rest}"));
    let mut headers = Vec::new();
    if body.starts_with(['{', '[']) {
        headers.push(("Content-Type".to_owned(), "application/json;charset=UTF-8".to_owned()));
    }
    Answer::Response(Response::new(status, headers, body.to_owned()))
}

fn fact(exchange: &mut Exchange, rest: &str) {
    let (name, value) = rest.split_once(' ').unwrap_or_else(|| panic!("no fact: {rest}"));
    let json = || -> Value { serde_json::from_str(value).unwrap_or_else(|why| panic!("{value}: {why}")) };
    let assertion = || -> AssertionFacts {
        let facts: AssertionFacts =
            serde_json::from_value(json()).unwrap_or_else(|why| panic!("{value}: {why}"));
        let kind = if facts.kind.is_empty() { "jwt".to_owned() } else { facts.kind.clone() };
        AssertionFacts { kind, ..facts }
    };
    let bits = || -> u32 { value.parse().unwrap_or_else(|_| panic!("{value}")) };
    match name {
        "secret" => {
            exchange.facts.secret_is_right = Some(value == "right");
            exchange.facts.secret_of_another = (value == "another").then_some(true);
        }
        "token" => exchange.facts.odd_token = (value == "odd").then_some(true),
        "took" => exchange.took = value.parse().unwrap_or_else(|_| panic!("{value}")),
        "basic-escaped" => exchange.facts.basic_escaped = Some(value == "yes"),
        "basic-raw" => exchange.facts.basic_is_raw = value == "yes",
        "secret-in" => exchange.facts.secret_in = Some(value.to_owned()),
        "names" => exchange.facts.stranger = Some(value.to_owned()),
        "basic" => exchange.facts.basic_client_id = Some(value.to_owned()),
        "assertion" => exchange.facts.assertion = Some(assertion()),
        "client_assertion" => exchange.facts.client_assertion = Some(assertion()),
        "id_token" => {
            let facts = serde_json::from_value(json()).unwrap_or_else(|why| panic!("{value}: {why}"));
            exchange.facts.id_token = Some(facts);
        }
        "signed" => {
            let facts = serde_json::from_value(json()).unwrap_or_else(|why| panic!("{value}: {why}"));
            exchange.facts.signed_answer = Some(facts);
        }
        "signature" => exchange.facts.signature_fits = Some(value == "right"),
        "refresh_token_bits" => exchange.facts.refresh_token_bits = Some(bits()),
        "code_apart" => exchange.facts.code_apart = Some(bits()),
        "refresh_token_apart" => exchange.facts.refresh_token_apart = Some(bits()),
        "verifier_apart" => exchange.facts.verifier_apart = Some(bits()),
        "host" | "stranger" => {
            if name == "stranger" {
                exchange.facts.stranger = Some(value.to_owned());
            }
            let request = &exchange.request;
            let rest = &request.url[super::questions::origin(&request.url).len()..];
            let (url, headers, body) =
                (format!("{value}{rest}"), request.headers.clone(), request.body.clone());
            exchange.request = Request::new(&request.method, &url, headers, body);
        }
        "step" => exchange.step = value.parse().unwrap_or_else(|_| panic!("{value}")),
        "user" => exchange.user = Some(value.to_owned()),
        "app" => exchange.app = value.to_owned(),
        "action" => exchange.action = value.to_owned(),
        "tweak" => exchange.tweak = Some(value.to_owned()),
        "part" => {
            exchange.part = serde_json::from_value(Value::from(value)).unwrap_or_else(|_| panic!("{value}"))
        }
        other => panic!("unknown fact: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_as_a_transcript() {
        let t = read(
            "= setting leeway 3m\n\
             > POST token grant_type=x&client_id=other\n\
             ! assertion {\"claims\":{\"exp\":{now-5}}}\n\
             < 400 {\"error\":\"invalid_grant\"}\n\
             < Cache-Control: no-store\n\
             + 1m\n\
             > GET api\n\
             > Authorization: Bearer T\n\
             < 401\n",
        );
        assert_eq!(t.subject.settings.millis("leeway"), Some(180_000));
        assert_eq!(t.exchanges[0].client_id(), Some("other"));
        assert_eq!(t.exchanges[0].facts.assertion.as_ref().unwrap().exp(), Some(BEGIN / 1000 - 5));
        assert_eq!(t.exchanges[0].response().unwrap().header("cache-control"), Some("no-store"));
        assert_eq!((t.exchanges[1].at, t.exchanges[1].status()), (BEGIN + 60_000, 401));
        assert_eq!(t.exchanges[1].request.bearer(), Some("T"));
    }
}
