//! Scenarios under load. Nothing here depends on how fast a machine is: runs end after so many plays.

use bytes::Bytes;
use grantcheck::cli::{self, Io};
use grantcheck::load::quick::Quick;
use grantcheck::org::fault;
use grantcheck::report::Word;
use grantcheck::transcript::{Answer, Part, Response};
use grantcheck::wire::line::Raw;
use serde_json::Value;

use crate::support::{embedded, files, options, outcome, root, suite};

/// Runs `load` in process: exit code, standard output with errors, and the JSON report where one was written.
fn load(name: &str, arguments: &[&str]) -> (u8, String, Value) {
    let report = scratch(&format!("load-{name}.json"));
    let json = format!("json={}", report.display());
    let mut all = vec!["grantcheck", "load", "--report", &json];
    all.extend(arguments);
    let arguments: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut ask = || None;
    let mut io = Io { out: &mut out, err: &mut err, colour: false, terminal: true, ask: &mut ask };
    let exit = cli::run(&arguments, &mut io);
    let told = std::fs::read_to_string(&report).unwrap_or_else(|_| "null".into());
    let _ = std::fs::remove_file(&report);
    let text = String::from_utf8_lossy(&out).into_owned() + &String::from_utf8_lossy(&err);
    (exit, text, serde_json::from_str(&told).unwrap())
}

/// Runs any command in process: exit code and everything that it said.
fn said(arguments: &[&str]) -> (u8, String) {
    let arguments: Vec<String> =
        std::iter::once(&"grantcheck").chain(arguments).map(|a| (*a).to_owned()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut ask = || None;
    let mut io = Io { out: &mut out, err: &mut err, colour: false, terminal: true, ask: &mut ask };
    let exit = cli::run(&arguments, &mut io);
    (exit, String::from_utf8_lossy(&out).into_owned() + &String::from_utf8_lossy(&err))
}

/// What the published schema has against a report.
fn against_schema(report: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&grantcheck::load::report::schema()).unwrap();
    validator.iter_errors(report).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn parts_of_a_run_are_put_together() {
    let suite = path("suites/load/soak.yaml");
    let folder = scratch("load-parts");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let start = jiff_now();
    let part = |shard: &str, more: &[&str]| {
        let file = folder.join(format!("{}.json", shard.replace('/', "-of-")));
        let report = format!("json={}", file.display());
        let mut all =
            vec!["load", &suite, "--users", "5", "--pacing", "1ms", "--count", "31", "--warm-up", "0s"];
        all.extend(["--threshold", "rate > 0/s", "--threshold", "errors < 1", "--start-at", &start]);
        all.extend(["--shard", shard, "--report", &report]);
        all.extend(more);
        let (exit, text) = said(&all);
        assert_eq!(exit, 0, "{text}");
        assert!(text.contains(&format!("shard {shard} of it")), "{text}");
        file.display().to_string()
    };
    let files = [part("0/3", &[]), part("1/3", &[]), part("2/3", &[])];
    let whole = scratch("load-whole.json");
    let json = format!("json={}", whole.display());
    let (exit, text) = said(&["merge", &folder.display().to_string(), "--report", &json]);
    assert_eq!(exit, 0, "{text}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&whole).unwrap()).unwrap();
    assert_eq!(against_schema(&report), Vec::<String>::new());
    assert_eq!((&report["plays"][0]["pass"], &report["total"]["latency"]["count"]), (&31.into(), &31.into()));
    assert_eq!(report["thresholds"].as_array().unwrap().len(), 4, "{text}");
    let requests = |report: &Value| -> u64 {
        report["series"].as_array().unwrap().iter().map(|point| point["requests"].as_u64().unwrap()).sum()
    };
    assert_eq!(requests(&report), 31);
    // Ten, ten and eleven: nobody's share is another's.
    let mut shares = Vec::new();
    for file in &files {
        let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(against_schema(&report), Vec::<String>::new());
        shares.push(report["plays"][0]["pass"].as_u64().unwrap());
    }
    assert_eq!(shares, [11, 10, 10]);
    let (exit, text) = said(&["merge", &files[0], &files[2]]);
    assert!(exit == 2 && text.contains("shard 1/3 is missing"), "{text}");
    let (exit, text) = said(&["merge", &files[0], &files[2], "--allow", "missing"]);
    assert!(exit == 3 && text.contains("inconclusive"), "{text}");
    let (exit, text) = said(&["merge", &whole.display().to_string()]);
    assert!(exit == 2 && text.contains("report of a whole run"), "{text}");
    // The same shard of another plan.
    let other = part("1/3", &["--seed", "2"]);
    let (exit, text) = said(&["merge", &files[0], &other, &files[2]]);
    assert!(exit == 2 && text.contains("of different runs"), "{text}");
}

/// Now, as RFC 3339.
fn jiff_now() -> String {
    jiff::Timestamp::from_millisecond(grantcheck::wire::clock::real_now()).unwrap().to_string()
}

/// A file in the folder that cargo keeps for tests.
fn scratch(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn path(name: &str) -> String {
    root().join(name).display().to_string()
}

fn own(name: &str, source: &str) -> String {
    let path = scratch(&format!("load-{name}.yaml"));
    std::fs::write(&path, source).unwrap();
    path.display().to_string()
}

#[test]
fn every_play_is_judged_and_counted() {
    let suite = path("suites/load/token.yaml");
    let (exit, text, report) = load("token", &[&suite, "--users", "4", "--count", "60", "--warm-up", "0s"]);
    assert_eq!(exit, 0, "{text}");
    let plays = report["plays"].as_array().unwrap();
    assert_eq!(plays.len(), 3);
    let pass: u64 = plays.iter().map(|play| play["pass"].as_u64().unwrap()).sum();
    assert_eq!(pass, 60, "{text}");
    // Each in its turn: equal weights are equal numbers, but for the last round of each thread.
    assert!(plays.iter().all(|play| (15..=25).contains(&play["pass"].as_u64().unwrap())), "{text}");
    let total = &report["total"];
    assert_eq!(total["requests"], total["latency"]["count"]);
    assert_eq!((&total["errors"], &report["verdict"]), (&0.into(), &"pass".into()));
    assert!(report["signing"]["took"]["count"].as_u64().unwrap() >= 20, "{text}");
    assert!(report["catalogue"]["checks"].as_array().unwrap().len() > 10);
    // Nobody logs in twice over one connection more than it needs: each user kept its own.
    assert_eq!(report["connect"]["count"], 4, "{text}");
}

#[test]
fn what_does_not_hold_once_is_not_loaded() {
    let suite = path("suites/load/token.yaml");
    let (exit, text, report) =
        load("fault", &[&suite, "--count", "10", "--users", "1", "--fault", "token-as-text"]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("nothing was loaded") && text.contains("header content-type"), "{text}");
    assert_eq!(report, Value::Null);
}

#[test]
fn what_holds_once_and_not_again_is_seen_under_load() {
    // The refresh token rotates: whoever presents the one of the login again is refused.
    let source = "suite: s\njudges: org\napp: public\nscenarios:\n- scenario: a\n  steps:\n  - do: authorize\n  - do: redeem\n  - { do: refresh }\n";
    let suite = own("once", source);
    let arguments = [&*suite, "--users", "1", "--count", "10", "--tokens", "shared"];
    let (exit, text, report) = load("once", &arguments);
    assert_eq!(exit, 1, "{text}");
    assert_eq!((&report["plays"][0]["pass"], &report["plays"][0]["fail"]), (&1.into(), &9.into()), "{text}");
    assert_eq!(report["total"]["errors"], 9);
    let finding = &report["findings"][0];
    assert_eq!((&finding["times"], &finding["at"]["line"]), (&9.into(), &9.into()), "{text}");
    assert_eq!(against_schema(&report), Vec::<String>::new());
    assert!(text.contains("200 with an access token") && text.contains("invalid_grant"), "{text}");
    // Where a threshold says how many errors there may be, it decides.
    for (threshold, holds) in [("errors < 95%", true), ("refresh: errors < 5", false)] {
        let mut all = arguments.to_vec();
        all.extend(["--threshold", threshold]);
        let (_, text, report) = load("once-bounded", &all);
        assert_eq!(report["thresholds"][0]["holds"], holds, "{text}");
        let because = report["because"].as_array().unwrap();
        assert!(!because.iter().any(|why| why.as_str().unwrap().contains("times expected")), "{text}");
    }
}

#[test]
fn a_session_that_outlives_plays_is_got_once() {
    let suite = path("suites/load/soak.yaml");
    let arguments = ["--users", "6", "--pacing", "1ms", "--count", "40", "--warm-up", "0s", "--tokens"];
    for (tokens, sessions) in [("shared", 1), ("pool=3", 3), ("per-user", 6)] {
        let mut all = vec![suite.as_str()];
        all.extend(arguments);
        all.push(tokens);
        let (exit, text, report) = load(tokens, &all);
        assert_eq!(exit, 0, "{text}");
        assert_eq!(report["sessions"]["sessions"], sessions, "{text}");
        assert_eq!(report["sessions"]["logins"]["count"], sessions, "{text}");
        assert_eq!(
            (&report["sessions"]["renewals"]["count"], &report["total"]["requests"]),
            (&0.into(), &40.into())
        );
    }
}

#[test]
fn a_dead_token_is_renewed_once_and_the_request_sent_again() {
    let source = "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps:\n  - do: jwt-bearer\n  - do: call\n  - do: revoke\n";
    let suite = own("revokes", source);
    let (exit, text, report) =
        load("revokes", &[&suite, "--users", "1", "--count", "10", "--tokens", "shared"]);
    assert_eq!(exit, 0, "{text}");
    let sessions = &report["sessions"];
    assert_eq!((&sessions["renewals"]["count"], &sessions["refused"]), (&9.into(), &9.into()), "{text}");
    // What was refused is in no step: ten calls and ten revocations, of which nine calls waited.
    assert_eq!(
        (&report["total"]["requests"], &report["total"]["waited_for_renewal"]),
        (&20.into(), &9.into())
    );
    assert_eq!(report["total"]["statuses"]["200"], 20, "{text}");
}

#[test]
fn a_herd_costs_one_renewal_a_session() {
    let suite = path("suites/load/renewal-herd.yaml");
    for (tokens, sessions) in [("shared", 1), ("pool=3", 3)] {
        let arguments = [
            &*suite, "--users", "4", "--pacing", "50ms", "--for", "400ms", "--herd", "300", "--tokens",
            tokens,
        ];
        let (exit, text, report) = load(&format!("herd-{tokens}"), &arguments);
        assert_eq!(exit, 0, "{text}");
        let herd = &report["herd"];
        assert_eq!((&herd["callers"], &herd["failed"]), (&300.into(), &0.into()), "{text}");
        assert_eq!(herd["renewals"], sessions, "{text}");
        assert_eq!(against_schema(&report), Vec::<String>::new());
        assert!(report["sessions"]["refused"].as_u64().unwrap() >= 300, "{text}");
    }
}

#[test]
fn assertions_are_signed_as_often_as_is_asked() {
    let suite = path("suites/load/token.yaml");
    let arguments = [
        &*suite,
        "--select",
        "JWT bearer",
        "--users",
        "2",
        "--count",
        "30",
        "--warm-up",
        "0s",
        "--assertion",
    ];
    for (policy, during, before) in
        [("fresh", 30..=30, 0), ("reuse", 1..=2, 0), ("presigned=20", 10..=10, 20)]
    {
        let mut all = arguments.to_vec();
        all.push(policy);
        let (exit, text, report) = load(&format!("sign-{}", &policy[..5]), &all);
        assert_eq!(exit, 0, "{text}");
        let signing = &report["signing"];
        assert!(during.contains(&signing["took"]["count"].as_u64().unwrap()), "{policy} {text}");
        assert_eq!(signing["presigned"], before, "{policy} {text}");
    }
}

#[test]
fn what_cannot_be_is_told_before_anything_is_played() {
    let suite = path("suites/load/token.yaml");
    let cases: &[(&[&str], &str)] = &[
        (&["--rate", "x"], "`--rate x` is not understood"),
        (&["--threshold", "p99"], "p99 < 250ms"),
        (&["--tokens", "sharde"], "`pool=N`"),
        (&["--herd", "5"], "each play gets its own"),
        (&["--select", "no such scenario"], "no scenario is selected"),
        (&["--report", "pdf=x"], "`json=FILE`"),
        (&["--warm-up", "1h"], "takes the whole run"),
        (&["--shard", "3/3"], "`--shard 3/3` is no part"),
        (&["--start-at", "2001-01-01T00:00:00Z"], "the run would be over"),
        (&["--start-at", "2999-01-01T00:00:00Z"], "more than a day ahead"),
    ];
    for (arguments, told) in cases {
        let mut all = vec![suite.as_str()];
        all.extend(*arguments);
        let (exit, text, _) = load("wrong", &all);
        assert_eq!(exit, 2, "{text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
}

/// What the short way says yes to, the judge of a run has nothing against: on every exchange of every shipped suite, with
/// the faultless org and with many that do wrong.
#[test]
fn the_short_way_never_says_yes_where_a_run_says_no() {
    let names = [
        "token",
        "client-credentials",
        "jwt-bearer",
        "refresh",
        "userinfo",
        "introspection",
        "resource",
        "web-server",
    ];
    let suites: Vec<_> = names
        .iter()
        .map(|name| suite(&format!("suites/org/{name}.yaml")))
        .chain(files("suites/load", ".yaml").iter().map(|path| suite(path)))
        .collect();
    let (mut yes, mut asked) = (0, 0);
    let faults = std::iter::once(None).chain(fault::all().iter().step_by(12).map(Some));
    for fault in faults {
        let mut options = options(embedded(), suites.clone());
        options.faults = fault.into_iter().collect();
        let outcome = outcome(&options);
        for row in outcome.report.scenarios.iter().filter(|row| row.verdict != Word::NotTestable) {
            let scenario = suites
                .iter()
                .flat_map(|s| &s.scenarios)
                .find(|s| s.name == row.scenario && s.suite == row.suite)
                .unwrap();
            let name = scenario.full_name();
            let of = |x: &&grantcheck::transcript::Exchange| x.scenario == name && x.part == Part::Scenario;
            for x in outcome.transcript.exchanges.iter().filter(of) {
                let Some(step) = scenario.steps.get(x.step).filter(|step| step.action.name() == x.action)
                else {
                    continue;
                };
                let (Some(quick), Answer::Response(response)) = (Quick::of(step), &x.answer) else {
                    continue;
                };
                let raw = raw(response);
                let says_yes = quick.holds(&raw, quick.read(&raw).as_ref(), x.took);
                asked += 1;
                yes += usize::from(says_yes);
                let against =
                    row.findings.iter().find(|f| f.check.is_none() && f.exchanges.contains(&x.number));
                assert!(!says_yes || against.is_none(), "{name}: {against:?}");
            }
        }
    }
    assert!(yes * 10 > asked * 8, "it must be worth something: {yes} of {asked}");
}

fn raw(response: &Response) -> Raw {
    let mut headers = http::HeaderMap::new();
    for (name, value) in &response.headers {
        let (name, value) =
            (http::HeaderName::try_from(name.as_str()), http::HeaderValue::try_from(value.as_str()));
        headers.append(name.unwrap(), value.unwrap());
    }
    Raw { status: response.status, headers, body: Bytes::from(response.body.clone()) }
}

/// A server that answers every token request at once, but stands still for two seconds, four seconds after the second one.
fn stalling() -> u16 {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<(u32, Option<Instant>)>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), seen) = (stream, seen.clone()) else { continue };
            let _ = stream.set_nodelay(true);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                loop {
                    let (mut post, mut length) = (false, 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        post |= line.starts_with("POST");
                        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = told.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let begun = {
                        let mut seen = seen.lock().unwrap();
                        seen.0 += u32::from(post);
                        if seen.0 == 2 {
                            seen.1.get_or_insert_with(Instant::now);
                        }
                        seen.1
                    };
                    let since = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
                    if (Duration::from_secs(4)..Duration::from_secs(6)).contains(&since) {
                        // This is the stall that is told of: a server that does nothing for two seconds.
                        std::thread::sleep(Duration::from_secs(6).saturating_sub(since));
                    }
                    let (status, body) = match post {
                        true => (
                            "200 OK",
                            "{\"access_token\":\"0123456789abcdef\",\"token_type\":\"Bearer\",\"expires_in\":60}",
                        ),
                        false => ("404 Not Found", "{}"),
                    };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
#[ignore = "needs ten seconds of a quiet machine; .ci/run --full plays it"]
fn a_server_that_stands_still_for_two_seconds_is_told_within_five_percent() {
    let target = own(
        "stalling",
        &format!(
            "org: http://127.0.0.1:{port}\nendpoints: {{ token: http://127.0.0.1:{port}/token }}\napps:\n  \
             main: {{ client_id: a, client_secret: a-secret-of-some-length, flows: [client-credentials] }}\n",
            port = stalling()
        ),
    );
    let suite = path("suites/load/token.yaml");
    let arguments = ["--select", "client credentials", "--rate", "200", "--for", "10s", "--warm-up", "0s"];
    let mut all = vec![suite.as_str(), "--target", &target];
    all.extend(arguments);
    let (exit, text, report) = load("stall", &all);
    assert!(exit != 2, "{text}");
    let latency = &report["total"]["latency"];
    for (share, seconds) in [("p90", 1.0), ("p95", 1.5), ("p99", 1.9)] {
        let told = latency[share].as_f64().unwrap() / 1000.0;
        assert!((told / seconds - 1.0).abs() < 0.05, "{share} is {told} s\n{text}");
    }
    assert!(latency["p50"].as_f64().unwrap() < 20.0, "{text}");
    assert_eq!(report["total"]["requests"], 2000, "{text}");
    assert_eq!(report["timetable"]["dropped"], 0, "{text}");
}

mod line {
    use super::*;
    use grantcheck::client::{Outgoing, Remember};
    use grantcheck::org::Org;
    use grantcheck::transcript::Failure;
    use grantcheck::wire::host::Host;
    use grantcheck::wire::line::{Addressed, Lines, Way};
    use grantcheck::wire::{Clock, Transport};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const WITHIN: Duration = Duration::from_secs(10);

    fn way() -> Way {
        Way::new(None, WITHIN, true).unwrap()
    }

    fn request(method: &str, url: String, body: &str) -> http::Request<Bytes> {
        let form = "application/x-www-form-urlencoded";
        let request = http::Request::builder().method(method).uri(url).header("content-type", form);
        request.body(Bytes::from(body.to_owned())).unwrap()
    }

    /// What is heard of an org over a kept line is what is heard of it over every other way.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_line_hears_what_every_transport_hears() {
        let org = Arc::new(Org::new(&embedded(), &[], [7; 32]));
        let host = Host::start(org, Clock::own(1_800_000_000_000), "127.0.0.1:0").await.unwrap();
        let (base, mut lines) = (host.url(), Lines::default());
        let transport = Transport::http(None, WITHIN, &base).unwrap();
        let asked = [
            ("GET", "/.well-known/openid-configuration", ""),
            ("POST", "/services/oauth2/token", "grant_type=client_credentials&client_id=x&client_secret=y"),
            ("POST", "/services/oauth2/token", "grant_type=%zz"),
            ("GET", "/services/data/v62.0/limits", ""),
            ("GET", "/id/keys", ""),
            ("DELETE", "/nowhere?a=b%20c", ""),
        ];
        for (method, path, body) in asked {
            let request = request(method, format!("{base}{path}"), body);
            let (raw, phases) = lines.send(&way(), &Addressed::new(&request).unwrap()).await;
            let outgoing = Outgoing { request, truncated: false, remember: Remember::default() };
            let Answer::Response(other) = transport.send(&outgoing).await.0 else { panic!("{path}") };
            let mut ours = raw.unwrap().response();
            let mut other = other;
            // One is asked to be kept, the other to be closed, and time goes by.
            for response in [&mut ours, &mut other] {
                response.headers.retain(|(name, _)| !["date", "connection"].contains(&name.as_str()));
            }
            assert_eq!(
                (ours.status, ours.headers, ours.body),
                (other.status, other.headers, other.body),
                "{path}"
            );
            assert!(phases.first_byte <= phases.whole);
            // One connection serves all of them.
            assert_eq!(phases.connect.is_some(), path.starts_with("/.well"), "{path}");
        }
        host.stop().await;
    }

    /// Answers so many requests on each connection, in that way, and tells how many connections there were.
    async fn peer(each: usize, answer: &'static str) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                for _ in 0..each {
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        (url, count)
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
        let (url, count) = peer(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let addressed = Addressed::new(&request("POST", url, "a=b")).unwrap();
        let (way, mut lines) = (way(), Lines::default());
        for round in 1..=3 {
            // The peer closes once it has answered; whoever sends before that is known was answered nothing, and it is
            // nobody's fault.
            let raw = loop {
                match lines.send(&way, &addressed).await.0 {
                    Ok(raw) => break raw,
                    Err(Failure::Unreachable(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            };
            assert_eq!((raw.status, &raw.body[..]), (200, &b"ok"[..]));
            assert!(count.load(std::sync::atomic::Ordering::SeqCst) >= round);
        }
    }

    #[tokio::test]
    async fn what_is_no_http_and_what_breaks_off_is_the_peers() {
        for answer in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ""] {
            let (url, _) = peer(1, answer).await;
            let addressed = Addressed::new(&request("POST", url, "a=b")).unwrap();
            let answer = Lines::default().send(&way(), &addressed).await.0;
            assert!(matches!(answer, Err(Failure::Broken(_))), "{answer:?}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let addressed = Addressed::new(&request("GET", url, "")).unwrap();
        let brief = Way::new(None, Duration::from_millis(50), true).unwrap();
        let answer = Lines::default().send(&brief, &addressed).await.0;
        assert_eq!(answer.unwrap_err(), Failure::TimedOut(50));
        drop(listener);
        let answer = Lines::default().send(&way(), &addressed).await.0;
        assert!(matches!(answer, Err(Failure::Unreachable(_))), "{answer:?}");
    }
}
