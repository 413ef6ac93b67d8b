//! The numbers that grantcheck promises, each measured as a ratio against a named peer in the same run or as memory:
//! what is reached stands beside what is promised. A promise that is not kept fails nothing: machines differ, and a
//! person reads the table.
//!
//! The servers of `tests/peers` are measured where they are installed (`npm install` in their folders).

// A bench tells on standard output, looks at the system, and starts servers.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

#[path = "support/mod.rs"]
mod support;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

use support::Number;

use grantcheck::oauth::jwt::{Draft, Signing};
use grantcheck::oauth::keys::{PrivateKey, RsaAlgorithm};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Connections of the client that asks for tokens.
const CONNECTIONS: usize = 8;
/// Tokens that are asked for of a fast server, and of a slow one.
const MANY: usize = 100_000;
const FEWER: usize = 20_000;
/// Those that a slow one answers before it is measured.
const WARM: usize = 20_000;
/// Into how many turns those of a fast server are cut.
const TURNS: usize = 10;

fn main() {
    if std::env::args().any(|argument| argument == "bare") {
        return bare();
    }
    if std::env::args().any(|argument| argument == "raw-signing") {
        return raw_signing();
    }
    // One measurement by itself, while somebody works on it.
    if std::env::args().any(|argument| argument == "serving") {
        return support::table(&serving());
    }
    let mut numbers = vec![whole_suite(), minting()];
    numbers.extend(serving());
    numbers.push(living());
    support::table(&numbers);
}

/// Tells how many RSA-2048 signatures the crypto library makes in a second on one thread, for `benches/peers`.
fn raw_signing() {
    let pair = key_pair();
    let mut signature = vec![0; pair.public_modulus_len()];
    let begun = Instant::now();
    let mut made = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        for _ in 0..50 {
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"header.claims", &mut signature)
                .expect("a signature");
        }
        made += 50;
    }
    println!("{:.1}", f64::from(made) / begun.elapsed().as_secs_f64());
}

fn key_pair() -> RsaKeyPair {
    let pem = support::read("tests/keys/app-main.key");
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    RsaKeyPair::from_pkcs8(&grantcheck::oauth::from_base64(&der).expect("base64")).expect("a key")
}

/// The main job, as a person waits for it.
fn whole_suite() -> Number {
    let best = support::start_to_end("suites/org");
    Number {
        what: "`run suites/org` on the embedded org, start to end",
        reached: format!("{:.2} s", best.as_secs_f64()),
        promised: "under 2 s",
        kept: best < Duration::from_secs(2),
    }
}

/// A JWT assertion over its signature alone, in turns, so that both see the same machine.
fn minting() -> Number {
    let pem = support::read("tests/keys/app-main.key");
    let key = PrivateKey::from_pem(&pem).expect("a key");
    let pair = key_pair();
    let claims = json!({ "iss": "3MVG9", "sub": "svc@acme.com", "aud": "https://login.salesforce.com", "exp": 1_800_000_300 });
    let draft = Draft::of(claims.as_object().expect("an object").clone());
    let mint = || draft.sign(&Signing::Rsa(&key, RsaAlgorithm::Rs256));
    let jwt = mint();
    let signed = jwt.rsplit_once('.').expect("three parts").0.as_bytes();
    let mut signature = vec![0; pair.public_modulus_len()];
    let (mut ours, mut raw) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..40 {
        let begun = Instant::now();
        (0..50).for_each(|_| assert_eq!(std::hint::black_box(mint()).len(), jwt.len()));
        ours += begun.elapsed();
        let begun = Instant::now();
        for _ in 0..50 {
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).expect("a signature");
        }
        raw += begun.elapsed();
    }
    let ratio = ours.as_secs_f64() / raw.as_secs_f64();
    Number {
        what: "minting a JWT assertion, over the RSA-2048 signature of the crypto library",
        reached: format!("{ratio:.3}x"),
        promised: "at most 1.10x",
        kept: ratio <= 1.10,
    }
}

/// Tokens for each second of processor time that a server spends, and the memory of ours.
fn serving() -> Vec<Number> {
    let target = support::embedded();
    let file = std::env::temp_dir().join(format!("grantcheck-numbers-{}.yaml", std::process::id()));
    let shipped = support::read("suites/targets/embedded.yaml");
    let keys = format!("${{file:{}/keys/", support::root().join("suites/targets").display());
    std::fs::write(&file, shipped.replace("${file:keys/", &keys) + "\nsettings: { login_rate: \"off\" }\n")
        .expect("a file for the target");
    let ours = Server::start(
        Command::new(env!("CARGO_BIN_EXE_grantcheck"))
            .args(["serve", "--listen", "127.0.0.1:0", "--target"])
            .arg(&file),
    );
    let request = |url: &str| support::client_credentials(url, &target);
    let answer = once(&request(&ours.url));
    assert!(answer.1.contains("access_token"), "what is measured must be right: {}", answer.1);
    let bare = Server::start(
        Command::new(std::env::current_exe().expect("this program"))
            .arg("bare")
            .env("HEADERS", &answer.2)
            .env("ANSWER", &answer.1),
    );
    // In turns, so that both see the same machine.
    let (mut per_second, mut of_bare) = (0.0, 0.0);
    for _ in 0..TURNS {
        per_second += rate(&ours, &request(&ours.url), MANY / TURNS) / TURNS as f64;
        of_bare += rate(&bare, &request(&bare.url), MANY / TURNS) / TURNS as f64;
    }
    let memory = ours.resident_kib() / 1024;
    drop((bare, ours));
    let _ = std::fs::remove_file(file);
    let ratio = per_second / of_bare;
    let mut numbers = vec![
        Number {
            what: "client credentials tokens for each CPU second of `serve`, over a bare hyper server with the same answer",
            reached: format!("{ratio:.2}x ({per_second:.0} over {of_bare:.0})"),
            promised: "at least 0.6x",
            kept: ratio >= 0.6,
        },
        Number {
            what: "memory of `serve` with 100,000 live tokens",
            reached: format!("{memory} MiB"),
            promised: "under 150 MB",
            kept: memory < 143,
        },
    ];
    let peers = [
        (
            "oidc-provider",
            "grant_type=client_credentials&client_id=grantcheck-main&client_secret=main-secret-0123456789abcdef0123456789",
        ),
        ("oauth2-mock-server", "grant_type=client_credentials"),
    ];
    let mut fastest: Option<(f64, &str)> = None;
    for (name, form) in peers {
        let folder = support::root().join("tests/peers").join(name);
        if !folder.join("node_modules").exists() {
            println!("{name} is not installed, and not measured");
            continue;
        }
        let server =
            Server::start(Command::new("node").args(["server.mjs", "--port", "0"]).current_dir(folder));
        let request = support::token_request(&format!("{}/token", server.url), form);
        let answer = once(&request);
        assert!(answer.1.contains("access_token"), "{name} must answer rightly: {}", answer.1);
        // What is compiled while it runs has to be warm.
        rate(&server, &request, WARM);
        let of_peer = rate(&server, &request, FEWER);
        println!("{name}: {of_peer:.0} tokens for each CPU second");
        if fastest.is_none_or(|(rate, _)| rate < of_peer) {
            fastest = Some((of_peer, name));
        }
    }
    if let Some((of_peer, name)) = fastest {
        let ratio = per_second / of_peer;
        numbers.push(Number {
            what: "the same, over the faster of `oidc-provider` and `oauth2-mock-server`",
            reached: format!("{ratio:.0}x (over {of_peer:.0} of {name})"),
            promised: "at least 15x",
            kept: ratio >= 15.0,
        });
    }
    numbers
}

/// Five rounds of 100,000 tokens that expire: what is allocated afterwards.
fn living() -> Number {
    let (org, target) = (support::org(), support::embedded());
    let request = support::client_credentials(support::BASE, &target);
    let live = || {
        let stats = GLOBAL.stats();
        stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
    };
    let mut now = support::NOW;
    let ask =
        |now| assert_eq!(org.handle(&request, now).response.status(), 200, "what is measured must be right");
    ask(now);
    let base = live();
    let mut after = Vec::new();
    for _ in 0..5 {
        (0..MANY).for_each(|_| ask(now));
        // Everything is over, and the next request finds it so.
        now += 30 * 3_600_000;
        ask(now);
        after.push((live() - base) / 1024);
    }
    let flat = after.iter().max().zip(after.iter().min()).map_or(0, |(most, least)| most - least);
    Number {
        what: "live memory over the first token after each of five rounds of 100,000 tokens that expired",
        reached: format!("{after:?} KiB"),
        promised: "back to base, flat",
        kept: after.iter().all(|kib| *kib < 256) && flat < 64,
    }
}

/// A server that this program started.
struct Server {
    url: String,
    pid: u32,
    child: Child,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it was piped");
        BufReader::new(out).read_line(&mut line).expect("it tells where it listens");
        let url = line.trim().strip_prefix("listening on ").expect("it tells where it listens").to_owned();
        Self { url, pid: child.id(), child }
    }

    /// Seconds of processor time that it has used (Linux: /proc/PID/stat, in hundredths).
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("Linux, and it runs");
        let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
        let ticks = |n: usize| -> f64 {
            after_name.split_whitespace().nth(n).and_then(|field| field.parse().ok()).unwrap_or(0.0)
        };
        (ticks(11) + ticks(12)) / 100.0
    }

    fn resident_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("Linux, and it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line about it");
        line.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers for each second of processor time of a server.
fn rate(server: &Server, request: &Request<Bytes>, times: usize) -> f64 {
    let before = server.cpu();
    runtime().block_on(async {
        let mut connections = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let request = request.clone();
            connections.spawn(async move {
                let mut sender = connect(request.uri()).await;
                for _ in 0..times / CONNECTIONS {
                    let answer = sender.send_request(relative(&request)).await.expect("an answer");
                    assert_eq!(answer.status(), 200, "what is measured must be right");
                    answer.into_body().collect().await.expect("a body");
                }
            });
        }
        connections.join_all().await;
    });
    (times / CONNECTIONS * CONNECTIONS) as f64 / (server.cpu() - before)
}

/// Status, body and, a line each, headers of one answer.
fn once(request: &Request<Bytes>) -> (u16, String, String) {
    runtime().block_on(async {
        let mut sender = connect(request.uri()).await;
        let answer = sender.send_request(relative(request)).await.expect("an answer");
        let status = answer.status().as_u16();
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            format!("{name}: {}\n", value.to_str().expect("a text"))
        };
        let headers = answer.headers().iter().map(line).collect();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned(), headers)
    })
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

async fn connect(uri: &http::Uri) -> Sender {
    let authority = uri.authority().expect("an absolute URL").as_str().to_owned();
    let stream = TcpStream::connect(authority).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    sender
}

fn relative(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    let uri = request.uri();
    let mut out = Request::post(uri.path_and_query().expect("a path").as_str());
    out = out.header(http::header::HOST, uri.authority().expect("an absolute URL").as_str());
    for (name, value) in request.headers() {
        out = out.header(name, value);
    }
    out.body(Full::new(request.body().clone())).expect("a request that can be sent")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The peer: a hyper server that reads the whole request and answers the same bytes every time.
fn bare() {
    let answer = Bytes::from(std::env::var("ANSWER").expect("the answer"));
    let headers = std::env::var("HEADERS").expect("its headers");
    let headers: HeaderMap = headers
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, value.parse().expect("a value"))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let (answer, headers) = (answer.clone(), headers.clone());
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let mut response = Response::new(Full::new(answer.clone()));
                    *response.headers_mut() = headers.clone();
                    async move {
                        let _ = request.into_body().collect().await;
                        Ok::<_, Infallible>(response)
                    }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}
