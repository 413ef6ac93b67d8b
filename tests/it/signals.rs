//! What comes of a command that somebody ends before it is done.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Folder, listens, root, until};

const SUITE: &str = "suites/org/client-credentials.yaml";

/// A target whose server is this one.
fn target(folder: &Folder, server: &TcpListener) -> String {
    let text = format!(
        "org: http://{}\nprofile: rfc\napps: {{ main: {{ client_id: a, client_secret: b-secret, flows: [client-credentials] }} }}\nendpoints: {{ token: /token }}\ndisposable: true\n",
        server.local_addr().unwrap()
    );
    folder.put("target.yaml", &text)
}

/// Starts a command as a terminal does: whoever runs these tests may ignore that their own terminal goes away.
fn start(arguments: &[&str]) -> Child {
    let program = env!("CARGO_BIN_EXE_grantcheck");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let mut command = if ignored & 1 == 1 { Command::new("env") } else { Command::new(program) };
    if ignored & 1 == 1 {
        command.args(["--default-signal=HUP", program]);
    }
    command.args(arguments).current_dir(root()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// The exit code and standard error of a command that ends.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn ctrl_c_ends_at_once_and_still_writes_the_report() {
    let folder = Folder::new("interrupt");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (target, report) = (target(&folder, &server), format!("json={}", folder.path("o.json")));
    let child =
        start(&["run", SUITE, "--target", &target, "--budget", "99", "--within", "60s", "--report", &report]);
    // Two documents are looked for and answered with nothing; the first token request is left hanging.
    let held = loop {
        let (mut stream, _) = server.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        if line.starts_with("POST /token") {
            break stream;
        }
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
    };
    send("-INT", &child);
    assert_eq!(end(child).0, Some(130));
    let report: serde_json::Value = serde_json::from_str(&folder.read("o.json")).unwrap();
    assert_eq!(report["interrupted"], true);
    drop(held);
}

/// A server that never answers is not waited for.
#[test]
fn who_ends_a_command_before_anything_is_played_is_told_so() {
    let folder = Folder::new("interrupted-early");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = target(&folder, &server);
    for (command, signal, told) in [
        (&["run", SUITE][..], "-INT", "interrupted: nothing was played"),
        (&["run", SUITE], "-HUP", "interrupted: nothing was played"),
        (&["load", SUITE, "--users", "1", "--for", "1s"], "-TERM", "interrupted: nothing was played"),
        (&["explore", "--seed", "1"], "-INT", "seed 1"),
    ] {
        let given = ["--target", &target, "--budget", "99", "--within", "60s"];
        // A load has no budget.
        let given = if command[0] == "load" { &[given[0], given[1], given[4], given[5]][..] } else { &given };
        let child = start(&[command, given].concat());
        let (held, _) = server.accept().unwrap();
        send(signal, &child);
        let (code, err) = end(child);
        assert_eq!(code, Some(130), "{command:?}: {err}");
        assert!(err.contains(told), "{command:?}: {err}");
        drop(held);
    }
}

/// Of a herd that did not go yet nothing is held against anybody.
#[test]
fn a_load_that_ends_before_its_herd_goes_is_no_failure() {
    let herd = ["load", "suites/load/renewal-herd.yaml", "--users", "1", "--for", "10m", "--herd", "6"];
    let mut child = start(&herd);
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    send("-INT", &child);
    let (code, err) = end(child);
    assert_eq!(code, Some(130), "{line}{err}");
}

#[test]
fn a_server_whose_terminal_goes_away_keeps_its_recording() {
    let folder = Folder::new("hangup");
    let file = folder.path("r.json");
    let mut child = start(&["serve", "--listen", "127.0.0.1:0", "--record", &file]);
    let address = listens(&mut child);
    let mut stream = TcpStream::connect(&address).unwrap();
    let asked = "POST /services/oauth2/token HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n";
    write!(stream, "{asked}Host: {address}\r\n\r\n").unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    send("-HUP", &child);
    assert_eq!(end(child).0, Some(0));
    assert!(folder.read("r.json").contains("/services/oauth2/token"));
}

/// `nohup` starts a command with that signal ignored.
#[cfg(target_os = "linux")]
#[test]
fn who_was_started_to_outlive_its_terminal_outlives_it() {
    let program = env!("CARGO_BIN_EXE_grantcheck");
    let script = format!("trap '' HUP; exec {program} serve --listen 127.0.0.1:0");
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = listens(&mut child);
    send("-HUP", &child);
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /services/data HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn what_cancels_a_run_ends_the_program_that_it_started() {
    let folder = Folder::new("cancelled");
    let (report, pid) = (format!("json={}", folder.path("o.json")), folder.path("pid"));
    let text = format!(
        "command: [sh, -c, \"echo $$ > {pid}; exec sleep 600\"]\nflows: [client-credentials]\nwithin: 10m\nnetwork: true\n"
    );
    let program = folder.put("sleeper.yaml", &text);
    for signal in ["-INT", "-TERM"] {
        let suite = "suites/client/server-to-server.yaml";
        let child = start(&["run", suite, "--jobs", "1", "--program", &program, "--report", &report]);
        let started = || std::fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'));
        until("the program starts", started);
        let its = std::fs::read_to_string(&pid).unwrap().trim().to_owned();
        send(signal, &child);
        assert_eq!(end(child).0, Some(130), "{signal}");
        until("the program is ended", || {
            let stat = std::fs::read_to_string(format!("/proc/{its}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "))
        });
        let written: serde_json::Value = serde_json::from_str(&folder.read("o.json")).unwrap();
        assert_eq!(written["interrupted"], true);
        std::fs::remove_file(&pid).unwrap();
    }
}
