//! Runs a client program: one process in a group of its own, which ends with it, whatever it left behind.

pub(super) mod group;
mod kept;

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use self::group::Group;
use self::kept::Kept;
use super::Error;
use super::clock::Watch;
pub use crate::subject::Launch;

/// How long a group has between being asked to end and being ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long is waited at most between two looks whether a group that was asked to end is there.
const LOOK: Duration = Duration::from_millis(50);
/// How long is waited between two looks at the arguments of the processes that descend from it: many live for milliseconds.
const GLANCE: Duration = Duration::from_millis(5);
/// How many lines of arguments are kept.
const MOST_LINES: usize = 4096;
/// How long is read on from a pipe that somebody holds open who left the group.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// What a process needs whatever it does. Nothing else of our own environment comes to it: no secret of a target, and
/// no proxy, which would stand between it and the org.
const INHERITED: &[&str] = &["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "SYSTEMROOT"];

/// How a program came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Its time was up, and it was ended.
    TimedOut,
    /// It was killed in the middle of its work, with everything that it started.
    Killed,
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to its standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// What it wrote to its standard error; what is not UTF-8 is replaced.
    pub stderr: String,
    /// The arguments of its processes, each line once, as far as somebody looked while they ran.
    pub arguments: Vec<String>,
    /// Whether it wrote more to one of them than is kept: the middle is left out.
    pub cut: bool,
    /// How long it ran, what it left behind not counted.
    pub took: Duration,
}

/// Runs a program to its end. Its group is asked to end and two seconds later ended when its time is up, when it ended
/// and left somebody behind, and when nobody waits for this any more. When `death` comes, it is killed without being asked.
/// `users` takes the authorize URLs that it prints.
///
/// # Errors
/// It cannot be started.
pub async fn run(
    launch: &Launch,
    users: Option<UnboundedSender<String>>,
    death: impl Future<Output = ()> + Send + 'static,
) -> Result<Ended, Error> {
    start(launch, Stdio::null(), users, death).await
}

/// The same of one whose standard input ends with us, by whatever end we come to: whoever stands between us and a program
/// that is cut off can tell by it that nobody is left to end it.
///
/// # Errors
/// It cannot be started.
pub async fn run_held(
    launch: &Launch,
    users: Option<UnboundedSender<String>>,
    death: impl Future<Output = ()> + Send + 'static,
) -> Result<Ended, Error> {
    start(launch, Stdio::piped(), users, death).await
}

async fn start(
    launch: &Launch,
    stdin: Stdio,
    users: Option<UnboundedSender<String>>,
    death: impl Future<Output = ()> + Send + 'static,
) -> Result<Ended, Error> {
    let running = Running::start(launch, stdin)?;
    let (tell, told) = oneshot::channel();
    // A task of its own ends the group in peace when this future is dropped.
    tokio::spawn(running.watch(launch.within, PATIENCE, users, death, tell));
    told.await.map_err(|_| cannot(launch, "there is no time left for it".to_owned()))
}

/// A process with its group.
struct Running {
    group: Group,
    child: Child,
    /// What it reads, where it reads anything: nothing is ever written to it.
    _stdin: Option<ChildStdin>,
}

impl Running {
    #[allow(clippy::disallowed_methods)]
    fn start(launch: &Launch, stdin: Stdio) -> Result<Self, Error> {
        let (program, arguments) = launch
            .command
            .split_first()
            .ok_or_else(|| cannot(launch, "the command names no program".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&launch.folder).env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("no_proxy", "127.0.0.1,localhost");
        command.envs(launch.env.iter().map(|(name, value)| (name, value)));
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|why| cannot(launch, why_not(launch, program, &why)))?;
        let group = Group::of(&child);
        // Waiting for a child closes what it reads.
        let stdin = child.stdin.take();
        Ok(Self { group, child, _stdin: stdin })
    }

    /// Waits for the end of it, or for nobody to ask any more.
    async fn watch(
        mut self,
        within: Duration,
        patience: Duration,
        users: Option<UnboundedSender<String>>,
        death: impl Future<Output = ()>,
        mut tell: oneshot::Sender<Ended>,
    ) {
        let (mut stdout, mut stderr) = (Kept::telling(users.clone()), Kept::telling(users));
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let (lines, mut arguments) = (self.group.arguments(), Vec::new());
        let (exit, took) = {
            let life = async {
                let watch = Watch::start();
                let exit = tokio::select! {
                    biased;
                    status = self.child.wait() => status.map_or(Exit::Code(-1), exit),
                    () = sleep(within) => Exit::TimedOut,
                    () = tell.closed() => Exit::TimedOut,
                    () = death => {
                        self.group.kill();
                        Exit::Killed
                    }
                };
                let took = Duration::from_micros(watch.micros());
                self.end(patience).await;
                (exit, took)
            };
            // Both streams all the time: a full pipe would hold the program up.
            let reading = async { tokio::join!(stdout.read(out), stderr.read(err)) };
            tokio::pin!(life, reading);
            let mut read = false;
            let (mut looks, mut glances) = (tokio::time::interval(LOOK), tokio::time::interval(GLANCE));
            let mut keep = |line: String| {
                if arguments.len() < MOST_LINES && !arguments.contains(&line) {
                    arguments.push(line);
                }
            };
            let ended = loop {
                tokio::select! {
                    ended = &mut life => break ended,
                    _ = &mut reading, if !read => read = true,
                    _ = looks.tick() => lines.now().into_iter().for_each(&mut keep),
                    _ = glances.tick() => lines.of_descendants().into_iter().for_each(&mut keep),
                }
            };
            if !read {
                let _ = timeout(LAST_WORDS, reading).await;
            }
            ended
        };
        let cut = stdout.is_cut() || stderr.is_cut();
        let _ = tell.send(Ended { exit, stdout: stdout.text(), stderr: stderr.text(), arguments, cut, took });
    }

    /// Ends the group: asked first, and ended where it does not listen.
    async fn end(&mut self, patience: Duration) {
        self.group.ask();
        let gone = async {
            let _ = self.child.wait().await;
            let mut pause = Duration::from_millis(1);
            while self.group.is_alive() {
                sleep(pause).await;
                pause = (pause * 2).min(LOOK);
            }
        };
        if timeout(patience, gone).await.is_err() {
            self.group.kill();
            let _ = self.child.start_kill();
            let _ = timeout(patience, self.child.wait()).await;
        }
    }
}

fn exit(status: ExitStatus) -> Exit {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Exit::Signal(signal);
    }
    Exit::Code(status.code().unwrap_or(-1))
}

/// A program that cannot be started, and why.
pub fn cannot(launch: &Launch, why: String) -> Error {
    Error::Program { command: launch.command.first().cloned().unwrap_or_default(), why }
}

/// What would be said of a program that somebody else could not start, where it is not there or may not be executed.
#[allow(clippy::disallowed_methods)]
pub fn not_there(launch: &Launch) -> Option<Error> {
    let program = launch.command.first()?;
    let at = launch.folder.join(program);
    let kind = match program.contains('/') && at.exists() {
        true if is_executable(&at) => return None,
        true => io::ErrorKind::PermissionDenied,
        false => io::ErrorKind::NotFound,
    };
    Some(cannot(launch, why_not(launch, program, &kind.into())))
}

/// Whether a file may be executed by somebody.
#[allow(clippy::disallowed_methods)]
pub(super) fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    let executable = std::fs::metadata(path).is_ok_and(|file| {
        file.is_file() && std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o111 != 0
    });
    #[cfg(not(unix))]
    let executable = path.is_file();
    executable
}

/// Why a program cannot be started, in words that help. The system says the same of a folder, a program and an
/// interpreter that is not there.
#[allow(clippy::disallowed_methods)]
fn why_not(launch: &Launch, program: &str, why: &io::Error) -> String {
    let folder = launch.folder.display();
    match why.kind() {
        io::ErrorKind::InvalidInput if launch.command.iter().any(|word| word.contains('\0')) => {
            "there is a NUL character in its arguments, which no system takes; leave it out".to_owned()
        }
        io::ErrorKind::InvalidInput
            if launch.env.iter().any(|(name, text)| format!("{name}{text}").contains('\0')) =>
        {
            "there is a NUL character in its environment, which no system takes; leave it out".to_owned()
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !launch.folder.is_dir() => {
            format!("its folder {folder} is not there")
        }
        io::ErrorKind::NotFound if launch.folder.join(program).is_file() && program.contains('/') => {
            "the interpreter that its first line names is not there".to_owned()
        }
        io::ErrorKind::NotFound if Path::new(program).is_absolute() => "there is no such file".to_owned(),
        io::ErrorKind::NotFound if program.contains('/') => format!("there is no such file from {folder}"),
        io::ErrorKind::NotFound if program.contains(' ') => {
            "there is no program of that name; each argument is an item of its own".to_owned()
        }
        io::ErrorKind::NotFound => "no folder of PATH has a program of that name".to_owned(),
        io::ErrorKind::PermissionDenied if program.contains('/') && launch.folder.join(program).is_dir() => {
            "it is a folder; name the program in it".to_owned()
        }
        io::ErrorKind::PermissionDenied => "it may not be executed".to_owned(),
        _ => why.to_string(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_listen_is_ended() {
        let deaf = "trap '' TERM; echo begun; while :; do sleep 1; done";
        let command = ["sh", "-c", deaf].map(str::to_owned).to_vec();
        let (folder, within) = (std::path::PathBuf::from("."), Duration::from_millis(300));
        let running =
            Running::start(&Launch { command, env: Vec::new(), folder, within }, Stdio::null()).unwrap();
        let (tell, told) = oneshot::channel();
        running.watch(within, Duration::from_millis(100), None, std::future::pending(), tell).await;
        let ended = told.await.unwrap();
        assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::TimedOut, "begun\n"));
        assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
    }
}
