//! Load runs against servers that do what no embedded org does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::load::{load, own, path};

/// A target at that port, with an app for client credentials.
fn target(name: &str, port: u16) -> String {
    own(
        name,
        &format!(
            "org: http://127.0.0.1:{port}\nprofile: rfc\nendpoints: {{ token: http://127.0.0.1:{port}/token }}\n\
             api: /data\napps:\n  main: {{ client_id: a, client_secret: a-secret-of-some-length, flows: [client-credentials] }}\n"
        ),
    )
}

#[test]
fn no_more_plays_are_under_way_than_may_be_however_many_threads_there_are() {
    let most = Arc::new(AtomicU32::new(0));
    let (now, seen) = (AtomicU32::new(0), most.clone());
    let (turn, next) = (Mutex::new(()), Condvar::new());
    let port = answering(move |line, _| {
        if !line.starts_with("POST") {
            return ("404 Not Found", "{}".to_owned());
        }
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Another one has a moment in which it may come.
        drop(next.wait_timeout(turn.lock().unwrap(), Duration::from_millis(10)).unwrap());
        now.fetch_sub(1, Ordering::SeqCst);
        ("200 OK", "{\"access_token\":\"0123456789abcdef\",\"token_type\":\"Bearer\"}".to_owned())
    });
    let (suite, target) = (path("suites/load/token.yaml"), target("one-by-one", port));
    let mut all = vec![&*suite, "--target", &target, "--select", "client credentials", "--rate", "400"];
    all.extend([
        "--count",
        "60",
        "--warm-up",
        "0s",
        "--threads",
        "4",
        "--in-flight",
        "1",
        "--allow",
        "drops",
    ]);
    let (exit, text, report) = load("one-by-one", &all);
    assert_eq!((exit, most.load(Ordering::SeqCst)), (0, 1), "{text}");
    assert!(report["timetable"]["dropped"].as_u64().unwrap() > 0, "{text}");
}

/// A token endpoint that lets nobody renew, and says with which refresh token it was asked; a resource that answers once.
fn echoing() -> u16 {
    let calls = AtomicU32::new(0);
    answering(move |line, body| {
        if !line.starts_with("POST") {
            return match line.contains("/data") {
                true if calls.fetch_add(1, Ordering::SeqCst) < 3 => ("200 OK", "{}".to_owned()),
                true => ("401 Unauthorized", "[{\"errorCode\":\"INVALID_SESSION_ID\"}]".to_owned()),
                false => ("404 Not Found", "{}".to_owned()),
            };
        }
        match body.split("refresh_token=5Aep").nth(1) {
            Some(rest) => {
                let token = rest.split('&').next().unwrap_or("");
                let told = format!("expired access/refresh token: 5Aep{token}");
                ("400 Bad Request", format!("{{\"error\":\"invalid_grant\",\"error_description\":\"{told}\"}}"))
            }
            None => (
                "200 OK",
                "{\"access_token\":\"00DACCESSTOKEN0123456789\",\"refresh_token\":\"5AepREFRESHTOKEN0123456789\",\
                 \"token_type\":\"Bearer\"}"
                    .to_owned(),
            ),
        }
    })
}

#[test]
fn a_refresh_token_that_the_server_repeats_stands_nowhere() {
    let target = target("echoing", echoing());
    let source = "suite: s\njudges: org\nscenarios:\n- scenario: a\n  steps: [{ do: client-credentials }, { do: call }]\n";
    let suite = own("echoes", source);
    let arguments = [&*suite, "--target", &target, "--users", "1", "--count", "4", "--tokens", "shared"];
    let (exit, text, report) = load("echoing", &arguments);
    assert_eq!((exit, &report["sessions"]["died"]), (1, &1.into()), "{text}");
    let death = report["sessions"]["deaths"][0]["why"].as_str().unwrap();
    assert!(death.contains("expired access/refresh token: refresh_token:"), "{text}");
    for told in [&text, &report.to_string()] {
        assert!(!told.contains("REFRESHTOKEN") && !told.contains("ACCESSTOKEN"), "{told}");
    }
    // A play that could not go on is none of the requests, and has no latency.
    let step = &report["steps"][0];
    let number = |name: &str| step[name].as_u64().unwrap();
    assert!(number("errors") <= number("requests") && number("stopped") > 0, "{text}");
    let play = &report["plays"][0];
    assert_eq!(play["latency"]["count"], play["pass"], "{text}");
    assert!(!report["because"].to_string().contains("threshold"), "{text}");
}

/// A server that answers each request, by its first line and its body, with a status and JSON.
fn answering(answer: impl Fn(&str, &str) -> (&'static str, String) + Send + Sync + 'static) -> u16 {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), answer) = (stream, answer.clone()) else { continue };
            let _ = stream.set_nodelay(true);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                loop {
                    let (mut first, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = told.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                        if first.is_empty() {
                            first = line;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let (status, body) = answer(&first, &String::from_utf8_lossy(&body));
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

/// A server that answers every token request at once, but stands still for two seconds, four seconds after the second one: a
/// moment earlier, so that who plays each tenth of a second is held by it from the first time on and not from the second.
fn stalling() -> u16 {
    use std::time::Instant;
    const FROM: Duration = Duration::from_millis(3980);
    const TO: Duration = Duration::from_millis(5980);
    let seen: Mutex<(u32, Option<Instant>)> = Mutex::default();
    answering(move |line, _| {
        let post = line.starts_with("POST");
        let begun = {
            let mut seen = seen.lock().unwrap();
            seen.0 += u32::from(post);
            if seen.0 == 2 {
                seen.1.get_or_insert_with(Instant::now);
            }
            seen.1
        };
        let since = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        if (FROM..TO).contains(&since) {
            // This is the stall that is told of: a server that does nothing for two seconds.
            std::thread::sleep(TO.saturating_sub(since));
        }
        let granted = "{\"access_token\":\"0123456789abcdef\",\"token_type\":\"Bearer\",\"expires_in\":60}";
        if post { ("200 OK", granted.to_owned()) } else { ("404 Not Found", "{}".to_owned()) }
    })
}

#[test]
#[ignore = "needs twenty seconds of a quiet machine; .ci/run --full plays it"]
fn a_server_that_stands_still_for_two_seconds_is_told_within_five_percent() {
    let suite = path("suites/load/token.yaml");
    // Open, and closed with a pace: both have a time at which each play should begin.
    for model in [&["--rate", "200"][..], &["--users", "20", "--pacing", "100ms"]] {
        let target = target("stalling", stalling());
        let mut all = vec![suite.as_str(), "--target", &target];
        all.extend(["--select", "client credentials", "--for", "10s", "--warm-up", "0s"]);
        all.extend(model);
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
}
