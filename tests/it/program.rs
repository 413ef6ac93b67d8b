//! Processes: how they end, what is kept of what they write, and that nothing of them is left.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use grantcheck::wire::Error;
use grantcheck::wire::isolation::Wall;
use grantcheck::wire::program::{Ended, Exit, Launch, not_there, run};
use tokio::task::spawn_blocking;

fn launch(command: &[&str]) -> Launch {
    Launch {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        folder: PathBuf::from("/"),
        within: Duration::from_secs(20),
    }
}

fn shell(script: &str) -> Launch {
    launch(&["sh", "-c", script])
}

async fn ended(launch: &Launch) -> Ended {
    run(launch, None, std::future::pending()).await.unwrap()
}

/// A pipe that tells when everybody who has it open is gone.
struct Witness(PathBuf);

impl Witness {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grantcheck-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Self(path)
    }

    /// A script whose processes all have the pipe open from its begin.
    fn script(&self, script: &str) -> Launch {
        shell(&format!("exec 3>{}; echo begun >&3; {script}", self.0.display()))
    }

    /// Comes back when the script has begun.
    async fn begun(&self) -> BufReader<std::fs::File> {
        let path = self.0.clone();
        let wait = spawn_blocking(move || {
            let mut pipe = BufReader::new(std::fs::File::open(path).unwrap());
            let mut line = String::new();
            pipe.read_line(&mut line).unwrap();
            assert_eq!(line, "begun\n");
            pipe
        });
        wait.await.unwrap()
    }

    /// Comes back when nobody has the pipe open any more.
    async fn nobody_is_left(mut pipe: BufReader<std::fs::File>) {
        let wait = spawn_blocking(move || pipe.read_to_end(&mut Vec::new()).unwrap());
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("somebody is left").unwrap();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_program_ends_with_its_code_or_by_a_signal() {
    for (script, exit) in [
        ("echo done", Exit::Code(0)),
        ("echo no >&2; exit 1", Exit::Code(1)),
        ("exit 89", Exit::Code(89)),
        ("kill -KILL $$", Exit::Signal(9)),
        ("kill -TERM $$", Exit::Signal(15)),
    ] {
        let ended = ended(&shell(script)).await;
        assert_eq!(ended.exit, exit, "{script}");
        assert_eq!(
            (ended.stdout == "done\n", ended.stderr == "no\n"),
            (exit == Exit::Code(0), exit == Exit::Code(1))
        );
        assert!(!ended.cut);
    }
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_child() {
    let witness = Witness::new("hangs");
    let script =
        Launch { within: Duration::from_millis(300), ..witness.script("sleep 1000 & echo said; sleep 1000") };
    let (pipe, ended) = tokio::join!(witness.begun(), ended(&script));
    assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::TimedOut, "said\n"));
    assert!(ended.took >= script.within && ended.took < script.within * 5, "{:?}", ended.took);
    Witness::nobody_is_left(pipe).await;
}

#[tokio::test]
async fn what_a_program_says_when_it_is_asked_to_end_is_kept() {
    let script = "trap 'echo cleaned up; exit 7' TERM; echo begun; sleep 1000 & wait";
    let ended = ended(&Launch { within: Duration::from_millis(300), ..shell(script) }).await;
    assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::TimedOut, "begun\ncleaned up\n"));
}

#[tokio::test]
async fn a_child_that_is_left_behind_is_ended() {
    let witness = Witness::new("left");
    let (pipe, ended) = {
        let script = witness.script("sleep 1000 & echo done; exit 1");
        tokio::join!(witness.begun(), async { ended(&script).await })
    };
    assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::Code(1), "done\n"));
    Witness::nobody_is_left(pipe).await;
}

#[tokio::test]
async fn a_program_that_nobody_waits_for_any_more_is_ended() {
    let witness = Witness::new("dropped");
    let script = witness.script("sleep 1000 & sleep 1000");
    let pipe = tokio::select! {
        pipe = witness.begun() => pipe,
        ended = ended(&script) => panic!("{ended:?}"),
    };
    Witness::nobody_is_left(pipe).await;
}

#[test]
fn a_program_does_not_outlive_the_runtime() {
    let witness = Witness::new("runtime");
    // It does not listen: at the end of the runtime there is no time to ask.
    let script = witness.script("trap '' TERM; while :; do sleep 1000; done");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let pipe = runtime.block_on(async {
        tokio::spawn(async move { run(&script, None, std::future::pending()).await.unwrap() });
        witness.begun().await
    });
    runtime.shutdown_background();
    let after = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    after.block_on(Witness::nobody_is_left(pipe));
}

#[tokio::test]
async fn ten_megabytes_are_read_and_their_begin_and_end_kept() {
    let many = "head -c 10000000 /dev/zero | tr '\\0' x";
    let ended = ended(&shell(&format!("echo first; {many}; echo; echo last; {many} >&2"))).await;
    assert_eq!((ended.exit, ended.cut), (Exit::Code(0), true));
    assert!(ended.stdout.starts_with("first\n") && ended.stdout.ends_with("last\n"));
    for stream in [&ended.stdout, &ended.stderr] {
        assert!(stream.len() < 256 * 1024 + 100, "{}", stream.len());
        assert!(stream.contains(" bytes are left out]"));
    }
}

#[tokio::test]
async fn a_program_gets_what_it_is_given_and_little_else() {
    let env = [("GRANTCHECK_FLOW", "jwt-bearer"), ("LANG", "tlh")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let ended = ended(&Launch { env: env.to_vec(), ..launch(&["env"]) }).await;
    let env: BTreeMap<_, _> = ended.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!((env["GRANTCHECK_FLOW"], env["LANG"]), ("jwt-bearer", "tlh"));
    assert_eq!(env["no_proxy"], "127.0.0.1,localhost");
    assert!(env.contains_key("PATH"));
    let known = ["GRANTCHECK_FLOW", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "USER", "no_proxy"];
    assert!(env.keys().all(|name| known.contains(name)), "{:?}", env.keys());
}

#[tokio::test]
async fn a_program_has_its_folder_and_nothing_to_read() {
    let folder = std::fs::canonicalize(std::env::temp_dir()).unwrap();
    let ended = ended(&Launch { folder: folder.clone(), ..shell("cat; pwd -P") }).await;
    assert_eq!((ended.exit, Path::new(ended.stdout.trim())), (Exit::Code(0), folder.as_path()));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let elsewhere = Launch { folder: PathBuf::from("/no/such/folder"), ..shell("true") };
    for (launch, told) in [
        (launch(&["grantcheck-no-such-program", "x"]), "no folder of PATH has a program of that name"),
        (launch(&["python3 fetch.py"]), "each argument is an item of its own"),
        (launch(&["/no/such/program"]), "there is no such file"),
        (launch(&["./no-such-program"]), "there is no such file from /"),
        (launch(&["/etc/passwd"]), "it may not be executed"),
        (launch(&["/etc"]), "it is a folder; name the program in it"),
        (launch(&["./etc"]), "it is a folder; name the program in it"),
        (launch(&["sh", "a\0b"]), "a NUL character in its arguments"),
        (
            Launch { env: vec![("A".into(), "a\0b".into())], ..shell("true") },
            "NUL character in its environment",
        ),
        (launch(&[]), "names no program"),
        (elsewhere, "its folder /no/such/folder is not there"),
    ] {
        let why = run(&launch, None, std::future::pending()).await.unwrap_err();
        assert!(matches!(why, Error::Program { .. }), "{why}");
        assert!(why.to_string().contains(told), "{why}");
    }
    // Where somebody else starts it, who cuts it off, the same is told.
    for program in ["/etc", "./etc"] {
        let why = not_there(&launch(&[program])).unwrap().to_string();
        assert!(why.contains("it is a folder"), "{why}");
    }
}

#[test]
fn a_program_that_is_cut_off_ends_with_a_grantcheck_that_is_killed() {
    let grantcheck = Path::new(env!("CARGO_BIN_EXE_grantcheck"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if runtime.block_on(Wall::possible(grantcheck)).is_none() {
        // Where users may make no networks, nobody stands between grantcheck and the program.
        return;
    }
    let folder = std::env::temp_dir().join(format!("grantcheck-held-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Who is not ended ends by itself, and says so.
    let program =
        "command: [sh, -c, 'exec 3>pipe; sleep 20; echo survived >&3']\nflows: client-credentials\n";
    std::fs::write(folder.join("held.yaml"), program).unwrap();
    let suite =
        "suite: held\njudges: client\nscenarios:\n  - scenario: it works\n    flow: client-credentials\n";
    std::fs::write(folder.join("suite.yaml"), suite).unwrap();
    let mut run = Command::new(grantcheck)
        .args(["run", "suite.yaml", "--program", "held.yaml"])
        .current_dir(&folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Open as soon as the program has opened its end, and over when nobody has that any more.
    let mut left = std::fs::File::open(&pipe).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    let mut said = String::new();
    left.read_to_string(&mut said).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(said, "");
}
