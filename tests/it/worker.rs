//! Workers of a Locust master: against one of our own that says what no real one says, and against a real one.

use flate2::read::ZlibDecoder;
use grantcheck::load::Plan;
use grantcheck::load::drive::{Options, class};
use grantcheck::load::worker::message::{map, write};
use grantcheck::load::worker::{Away, PATIENCE, Tells, Worker, work};
use grantcheck::load::{LoadReport, report::PartRow};
use grantcheck::run::look_around;
use grantcheck::subject::workload::{Tokens, Workload};
use rmpv::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::support::{embedded, root, suite};

const WITHIN: Duration = Duration::from_secs(30);
const SCENARIO: &str = "client credentials";

/// One connection of a worker, seen by its master.
struct Peer(TcpStream);

impl Peer {
    /// The next one, whose name it answers.
    async fn next(listener: &TcpListener) -> (Self, String) {
        let (mut stream, _) = timeout(WITHIN, listener.accept()).await.unwrap().unwrap();
        let mut greeting = [0; 64];
        stream.read_exact(&mut greeting).await.unwrap();
        // As libzmq does: version 3.1.
        let mut ours = [0; 64];
        (ours[0], ours[9], ours[10], ours[11]) = (0xff, 0x7f, 3, 1);
        ours[12..16].copy_from_slice(b"NULL");
        stream.write_all(&ours).await.unwrap();
        stream.write_all(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER").await.unwrap();
        let mut peer = Self(stream);
        let ready = String::from_utf8_lossy(&peer.frame().await).into_owned();
        assert!(ready.contains("DEALER"), "{ready:?}");
        let name = ready.split("Identity").nth(1).unwrap()[4..].to_owned();
        (peer, name)
    }

    async fn frame(&mut self) -> Vec<u8> {
        let flags = self.0.read_u8().await.unwrap();
        let length = if flags & 2 == 0 {
            self.0.read_u8().await.unwrap().into()
        } else {
            self.0.read_u64().await.unwrap()
        };
        let mut body = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        body
    }

    /// Waits for a message of that type, and answers its data with those that came before.
    async fn hear(&mut self, wanted: &str) -> (Value, Vec<(String, Value)>) {
        let mut before = Vec::new();
        let heard = timeout(WITHIN, async {
            loop {
                let bytes = self.frame().await;
                let value = rmpv::decode::read_value(&mut &bytes[..]).unwrap();
                let parts = value.as_array().unwrap();
                let kind = parts[0].as_str().unwrap().to_owned();
                if kind == wanted {
                    return parts[1].clone();
                }
                before.push((kind, parts[1].clone()));
            }
        });
        (heard.await.unwrap_or_else(|_| panic!("no {wanted}")), before)
    }

    async fn say(&mut self, kind: &str, data: Value) {
        self.raw(&write(kind, data, "w")).await;
    }

    async fn raw(&mut self, message: &[u8]) {
        self.0.write_u8(2).await.unwrap();
        self.0.write_u64(message.len() as u64).await.unwrap();
        self.0.write_all(message).await.unwrap();
    }

    async fn spawn(&mut self, at: f64, users: &[(&str, u64)]) {
        let users = map(users.iter().map(|(name, count)| (*name, (*count).into())));
        self.say(
            "spawn",
            map([("timestamp", at.into()), ("user_classes_count", users), ("host", Value::Nil)]),
        )
        .await;
    }

    /// Joins the worker.
    async fn join(&mut self) {
        assert_eq!(self.hear("client_ready").await.0, Value::from(-1));
        self.say("ack", map([("index", 0.into())])).await;
    }
}

fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    let members = value.as_map().unwrap_or_else(|| panic!("{name} of {value}"));
    members.iter().find(|(key, _)| key.as_str() == Some(name)).map_or(&Value::Nil, |(_, value)| value)
}

struct Hired {
    stop: watch::Sender<bool>,
    tells: mpsc::UnboundedReceiver<Tells>,
    working: std::thread::JoinHandle<Result<Option<LoadReport>, Away>>,
}

/// A worker of the embedded org that looks for its master at that port.
fn hire(port: u16, asked: Workload) -> Hired {
    hire_with(port, asked, PATIENCE, SCENARIO)
}

/// One that plays that scenario, and waits so long for a word about its users.
fn hire_with(port: u16, asked: Workload, patience: Duration, name: &'static str) -> Hired {
    let (stop, stopped) = watch::channel(false);
    let (tell, tells) = mpsc::unbounded_channel();
    let working = std::thread::spawn(move || {
        let target = embedded();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let around = runtime.block_on(look_around(&target, WITHIN)).unwrap();
        let scenarios = suite("suites/load/token.yaml").scenarios.into_iter().filter(|s| s.name == name);
        let options = Options {
            target,
            scenarios: scenarios.map(|scenario| ("load/token".to_owned(), Arc::new(scenario))).collect(),
            left_out: Vec::new(),
            unplayable: Vec::new(),
            faults: Vec::new(),
            plan: Plan::told(&asked, 100, 2, 1).unwrap(),
            within: Duration::from_secs(10),
            start_at: None,
            print: "print".into(),
            master: None,
        };
        let master = format!("127.0.0.1:{port}");
        let worker = Worker { master, name: "w".into(), options, around, patience };
        runtime.block_on(work(&worker, &tell, stopped))
    });
    Hired { stop, tells, working }
}

fn played() -> String {
    class("load/token", SCENARIO)
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The report in an answer to the bridge.
fn report_in(data: &Value) -> LoadReport {
    let mut json = String::new();
    ZlibDecoder::new(member(data, "report").as_slice().unwrap()).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_plays_what_its_master_says_and_tells_what_it_counted() {
    let (listener, port) = listener().await;
    let hired = hire(port, Workload { tokens: Some(Tokens::Fresh), ..Workload::default() });
    let (mut peer, name) = Peer::next(&listener).await;
    assert_eq!(name, "w");
    peer.join().await;
    let (beat, _) = peer.hear("heartbeat").await;
    assert_eq!(member(&beat, "state"), &"ready".into());
    assert!(member(&beat, "current_memory_usage").as_u64().unwrap() > 1_000_000);
    // Nothing was played, so there is nothing to report.
    peer.say("grantcheck_report", Value::Nil).await;
    assert_eq!(member(&peer.hear("grantcheck_report").await.0, "report"), &Value::Nil);

    let class = played();
    peer.spawn(2.0, &[(&class, 3), ("Strange", 1)]).await;
    let (told, before) = peer.hear("spawning_complete").await;
    let came = |kind: &str| before.iter().any(|(known, _)| known == kind);
    assert!(came("spawning") && came("exception"), "{before:?}");
    assert_eq!(member(&told, "user_count"), &3.into());
    assert_eq!(member(member(&told, "user_classes_count"), &class), &3.into());
    let (first, _) = peer.hear("stats").await;
    // What is older than what is known changes nothing; what is newer does.
    peer.spawn(1.0, &[(&class, 90)]).await;
    peer.spawn(3.0, &[(&class, 1)]).await;
    let (told, mut between) = peer.hear("spawning_complete").await;
    assert_eq!(member(&told, "user_count"), &1.into());

    peer.say("grantcheck_report", Value::Nil).await;
    let (data, before) = peer.hear("grantcheck_report").await;
    between.extend(before);
    let stats: Vec<Value> =
        between.into_iter().filter(|(kind, _)| kind == "stats").map(|(_, data)| data).collect();
    // The last of them, before the report, has all that was left, and nobody plays any more.
    assert_eq!(member(stats.last().unwrap(), "user_count"), &0.into());
    let sum = |name: &str| -> u64 {
        let all = std::iter::once(&first).chain(&stats);
        all.map(|stats| member(member(stats, "stats_total"), name).as_u64().unwrap()).sum()
    };
    let counted = sum("num_requests");
    let report = report_in(&data);
    assert_eq!(report.run.part, Some(PartRow::Worker("w".into())));
    assert_eq!((report.total.requests, sum("num_failures")), (counted, 0));
    assert!(counted > 10 && report.total.latency.gauge().unwrap().count() == counted, "{counted}");
    assert_eq!((report.exit(), report.interrupted), (0, false), "{:?}", report.because);

    // Another test begins from nothing.
    peer.say("stop", Value::Nil).await;
    let (_, before) = peer.hear("client_ready").await;
    assert!(before.iter().any(|(kind, _)| kind == "client_stopped"), "{before:?}");
    peer.spawn(4.0, &[(&class, 1)]).await;
    peer.hear("spawning_complete").await;
    peer.say("quit", Value::Nil).await;
    let last = tokio::task::spawn_blocking(|| hired.working.join().unwrap()).await.unwrap().unwrap().unwrap();
    assert!(last.total.requests > 0 && last.run.began > report.run.began);
    let mut hired = hired.tells;
    let mut reports = 0;
    while let Ok(tells) = hired.try_recv() {
        reports += usize::from(matches!(tells, Tells::Report(_)));
    }
    assert_eq!(reports, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_an_open_run_are_plays_a_second() {
    let (listener, port) = listener().await;
    let hired = hire(port, Workload { rate: Some(1.0), ..Workload::default() });
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    peer.spawn(1.0, &[(&played(), 200)]).await;
    peer.hear("spawning_complete").await;
    peer.hear("stats").await;
    peer.say("grantcheck_report", Value::Nil).await;
    let report = report_in(&peer.hear("grantcheck_report").await.0);
    // So many as fit into the time, however fast the machine is: nothing is dropped and nothing made up.
    let seconds = report.counted_ms / 1000.0;
    let wanted = 200.0 * seconds;
    assert!(
        (report.total.requests as f64 - wanted).abs() <= 2.0 + wanted * 0.01,
        "{seconds} {}",
        report.total.requests
    );
    let table = report.timetable.unwrap();
    assert_eq!((table.dropped, table.start_error.count), (0, report.total.requests));
    peer.say("quit", Value::Nil).await;
    tokio::task::spawn_blocking(|| hired.working.join().unwrap()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_master_is_joined_again_and_a_bad_one_breaks_nothing() {
    let (listener, port) = listener().await;
    let hired = hire(port, Workload::default());
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    // What nobody understands is told, and nothing else comes of it.
    for bytes in
        [&b""[..], &[0xc1], &[0xdd, 0xff, 0xff, 0xff, 0xff], &[0x91; 5000], b"\x93\xa5spawn\xc0\xa1w"]
    {
        peer.raw(bytes).await;
    }
    peer.spawn(f64::NAN, &[]).await;
    peer.spawn(1.0, &[("x", u64::MAX)]).await;
    peer.say("update_user_class", map([("x", 1.into())])).await;
    peer.hear("heartbeat").await;
    // A test goes on while its master is away.
    peer.spawn(2.0, &[(&played(), 1)]).await;
    peer.hear("spawning_complete").await;
    // More than is taken: the connection ends, and another is made.
    peer.0.write_all(&[2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).await.unwrap();
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    assert_eq!(member(&peer.hear("heartbeat").await.0, "state"), &"running".into());
    peer.say("reconnect", Value::Nil).await;
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    drop(peer);
    // One that is no master at all.
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n".repeat(20).as_slice()).await.unwrap();
    drop(stream);
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    peer.spawn(3.0, &[(&played(), 2)]).await;
    assert_eq!(member(&peer.hear("spawning_complete").await.0, "user_count"), &2.into());
    // A person ends it.
    hired.stop.send(true).unwrap();
    peer.hear("quit").await;
    let report =
        tokio::task::spawn_blocking(|| hired.working.join().unwrap()).await.unwrap().unwrap().unwrap();
    assert!(report.total.requests > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_master_that_was_started_anew_are_ended() {
    let (listener, port) = listener().await;
    let hired = hire_with(port, Workload::default(), Duration::ZERO, SCENARIO);
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    peer.spawn(1.0, &[(&played(), 2)]).await;
    peer.hear("spawning_complete").await;
    drop(peer);
    // It is joined again, and knows nothing of any users.
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    let (_, before) = peer.hear("exception").await;
    assert!(before.iter().all(|(kind, _)| kind != "spawning"), "{before:?}");
    while member(&peer.hear("stats").await.0, "user_count") != &0.into() {}
    assert_eq!(member(&peer.hear("heartbeat").await.0, "state"), &"ready".into());
    // Another test begins as if nothing had been.
    peer.spawn(2.0, &[(&played(), 1)]).await;
    peer.hear("spawning_complete").await;
    peer.say("quit", Value::Nil).await;
    tokio::task::spawn_blocking(|| hired.working.join().unwrap()).await.unwrap().unwrap();
    let mut tells = hired.tells;
    let mut lines = Vec::new();
    while let Ok(told) = tells.try_recv() {
        if let Tells::Line(line) = told {
            lines.push(line);
        }
    }
    assert!(lines[0].starts_with("looking for the master at 127.0.0.1:"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_plays_nothing_is_no_user() {
    let (listener, port) = listener().await;
    // Its session cannot outlive a play: it is a login, and nothing else.
    let asked = Workload { tokens: Some(Tokens::Pool(1)), ..Workload::default() };
    let hired = hire_with(port, asked, PATIENCE, SCENARIO);
    let (mut peer, _) = Peer::next(&listener).await;
    peer.join().await;
    peer.spawn(1.0, &[(&played(), 2)]).await;
    let (told, before) = peer.hear("spawning_complete").await;
    assert_eq!(member(&told, "user_count"), &0.into());
    assert!(before.iter().any(|(kind, _)| kind == "exception"), "{before:?}");
    peer.say("quit", Value::Nil).await;
    let report = tokio::task::spawn_blocking(|| hired.working.join().unwrap()).await.unwrap().unwrap();
    assert!(report.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_master_says_so_at_once() {
    let port = listener().await.1;
    let mut hired = hire(port, Workload::default());
    let mut lines = Vec::new();
    while lines.len() < 2 {
        let told = timeout(WITHIN, hired.tells.recv()).await.unwrap();
        if let Some(Tells::Line(line)) = told {
            lines.push(line);
        }
    }
    assert!(
        lines[0].starts_with("looking for the master") && lines[1].contains("not there yet"),
        "{lines:?}"
    );
    hired.stop.send(true).unwrap();
    tokio::task::spawn_blocking(|| hired.working.join().unwrap()).await.unwrap().unwrap();
}

/// A child process that is ended with the test, and what it said on standard error.
struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it is installed");
        let (tell, lines) = std::sync::mpsc::channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stderr.take().unwrap()), Box::new(child.stdout.take().unwrap())];
        for stream in streams {
            let tell = tell.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            });
        }
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line that holds the text.
    fn says(&mut self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("it never said {text}:\n{}", self.said.join("\n")));
            self.said.push(line);
            if self.said.last().is_some_and(|line| line.contains(text)) {
                return;
            }
        }
    }

    /// Waits for its end: exit code and all that it said.
    fn ends(mut self) -> (Option<i32>, String) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(90)) {
            self.said.push(line);
        }
        (self.child.wait().unwrap().code(), self.said.join("\n"))
    }
}

fn grantcheck(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grantcheck"));
    command.args(arguments).current_dir(root());
    command
}

const SUITE: [&str; 3] = ["suites/load/token.yaml", "--select", SCENARIO];

/// A headless Locust master of six users, and its folder.
fn master(name: &str, seconds: &str) -> (Running, u16, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("locust-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let bridge = folder.join("bridge.py").display().to_string();
    let written = grantcheck(&["worker", "--bridge", &bridge]).args(SUITE).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    // A port that was free a moment ago: Locust takes no other.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(root().join("target/peers/locust/bin/locust"));
    command.args(["-f", &bridge, "--master", "--headless", "--expect-workers", "2", "--enable-rebalancing"]);
    command.args([
        "--users",
        "6",
        "--spawn-rate",
        "6",
        "--run-time",
        seconds,
        "--master-bind-host",
        "127.0.0.1",
    ]);
    command.args([
        "--master-bind-port",
        &port.to_string(),
        "--csv",
        "locust",
        "--grantcheck-reports",
        "reports",
    ]);
    command.args(["--grantcheck", env!("CARGO_BIN_EXE_grantcheck")]).current_dir(&folder);
    (Running::start(&mut command), port, folder)
}

fn worker(port: u16, name: &str) -> Running {
    let master = format!("127.0.0.1:{port}");
    let arguments =
        ["worker", "--master", &master, "--name", name, "--threads", "1", "--threshold", "rate > 1/s"];
    Running::start(grantcheck(&arguments).args(SUITE))
}

/// The merged report of the one test of a folder, and Locust's own number of requests.
fn told(folder: &Path) -> (LoadReport, u64) {
    let tests: Vec<_> =
        std::fs::read_dir(folder.join("reports")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(tests.len(), 1);
    let report = std::fs::read_to_string(tests[0].join("report.json")).unwrap();
    let stats = std::fs::read_to_string(folder.join("locust_stats.csv")).unwrap();
    let total = stats.lines().find(|line| line.contains(",Aggregated,")).unwrap();
    (serde_json::from_str(&report).unwrap(), total.split(',').nth(2).unwrap().parse().unwrap())
}

fn parts(report: &LoadReport) -> BTreeMap<&str, &str> {
    report.run.parts.iter().filter_map(|part| part.split_once(": ")).collect()
}

#[test]
#[ignore = "needs locust from PyPI in target/peers/locust; .ci/run --full installs it"]
fn a_locust_master_is_served_by_two_workers_exactly() {
    let (mut master, port, folder) = master("two", "8s");
    let workers = [worker(port, "one"), worker(port, "two")];
    master.says("All users spawned");
    let (exit, text) = master.ends();
    for worker in workers {
        let (exit, text) = worker.ends();
        assert_eq!(exit, Some(0), "{text}");
    }
    let (report, requests) = told(&folder);
    assert_eq!(exit, Some(0), "{text}\n{:?}", report.because);
    assert!(text.contains("2 of 2 workers handed in their report"), "{text}");
    assert!(!text.contains("different version"), "{text}");
    assert_eq!(parts(&report).into_keys().collect::<Vec<_>>(), ["worker one", "worker two"]);
    // What Locust added up of what it was told each three seconds, and what the exact histograms hold.
    assert_eq!((report.total.requests, report.total.latency.gauge().unwrap().count()), (requests, requests));
    assert!(report.thresholds[0].holds && requests > 100, "{text}");
}

#[test]
#[ignore = "needs locust from PyPI in target/peers/locust; .ci/run --full installs it"]
fn a_locust_master_goes_on_when_a_worker_is_killed() {
    let (mut master, port, folder) = master("killed", "16s");
    let (staying, mut killed) = (worker(port, "staying"), worker(port, "killed"));
    master.says("All users spawned");
    // Six seconds of what it plays: two messages of statistics went out.
    (0..6).for_each(|_| killed.says("requests/s"));
    drop(killed);
    master.says("setting state to missing");
    // The other one gets all the users.
    master.says("All users spawned");
    let (exit, text) = master.ends();
    assert_eq!(staying.ends().0, Some(0));
    let (report, requests) = told(&folder);
    assert!(text.contains("1 of 2 workers handed in their report"), "{text}");
    // Nobody vouches for what is missing.
    assert_eq!((exit, report.run.missing.len()), (Some(3), 1), "{text}\n{:?}", report.because);
    assert_eq!(parts(&report).into_keys().collect::<Vec<_>>(), ["worker staying"]);
    // What the lost one told before is in Locust's statistics alone.
    assert!(
        report.total.requests > 100 && requests > report.total.requests,
        "{requests} {}",
        report.total.requests
    );
    let most = report.series.iter().map(|point| point.in_flight).max();
    assert!(most > Some(3), "{most:?}");
}
