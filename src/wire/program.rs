//! Runs a client program: one process in a group of its own, which ends with it, whatever it left behind.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::Error;
use super::clock::Watch;
pub use crate::subject::Launch;

/// The most bytes that are kept of each stream; half of them are its beginning, half its end.
const MOST_OUTPUT: usize = 256 * 1024;
/// How long a group has between being asked to end and being ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often is looked whether a group that was asked to end is there.
const LOOK: Duration = Duration::from_millis(5);
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
    /// Whether it wrote more to one of them than is kept: the middle is left out.
    pub cut: bool,
    /// How long it ran, what it left behind not counted.
    pub took: Duration,
}

/// Runs a program to its end. Its group is asked to end and two seconds later ended when its time is up, when it ended
/// and left somebody behind, and when nobody waits for this any more.
///
/// # Errors
/// It cannot be started.
pub async fn run(launch: &Launch) -> Result<Ended, Error> {
    let running = Running::start(launch)?;
    let (tell, told) = oneshot::channel();
    // A task of its own ends the group in peace when this future is dropped.
    tokio::spawn(running.watch(launch.within, PATIENCE, tell));
    told.await.map_err(|_| cannot(launch, "there is no time left for it".to_owned()))
}

/// A process with its group.
struct Running {
    group: Group,
    child: Child,
}

impl Running {
    #[allow(clippy::disallowed_methods)]
    fn start(launch: &Launch) -> Result<Self, Error> {
        let (program, arguments) = launch
            .command
            .split_first()
            .ok_or_else(|| cannot(launch, "the command names no program".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&launch.folder).env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("no_proxy", "127.0.0.1,localhost");
        command.envs(launch.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn().map_err(|why| cannot(launch, why_not(launch, program, &why)))?;
        let group = Group::of(&child);
        Ok(Self { group, child })
    }

    /// Waits for the end of it, or for nobody to ask any more.
    async fn watch(mut self, within: Duration, patience: Duration, mut tell: oneshot::Sender<Ended>) {
        let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let (exit, took) = {
            let life = async {
                let watch = Watch::start();
                let exit = tokio::select! {
                    biased;
                    status = self.child.wait() => status.map_or(Exit::Code(-1), exit),
                    () = sleep(within) => Exit::TimedOut,
                    () = tell.closed() => Exit::TimedOut,
                };
                let took = Duration::from_micros(watch.micros());
                self.end(patience).await;
                (exit, took)
            };
            // Both streams all the time: a full pipe would hold the program up.
            let reading = async { tokio::join!(stdout.read(out), stderr.read(err)) };
            tokio::pin!(life, reading);
            let mut read = false;
            let ended = loop {
                tokio::select! {
                    ended = &mut life => break ended,
                    _ = &mut reading, if !read => read = true,
                }
            };
            if !read {
                let _ = timeout(LAST_WORDS, reading).await;
            }
            ended
        };
        let cut = stdout.is_cut() || stderr.is_cut();
        let _ = tell.send(Ended { exit, stdout: stdout.text(), stderr: stderr.text(), cut, took });
    }

    /// Ends the group: asked first, and ended where it does not listen.
    async fn end(&mut self, patience: Duration) {
        self.group.ask();
        let gone = async {
            let _ = self.child.wait().await;
            while self.group.is_there() {
                sleep(LOOK).await;
            }
        };
        if timeout(patience, gone).await.is_err() {
            self.group.kill();
            let _ = self.child.start_kill();
            let _ = timeout(patience, self.child.wait()).await;
        }
        self.group.forget();
    }
}

fn exit(status: ExitStatus) -> Exit {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Exit::Signal(signal);
    }
    Exit::Code(status.code().unwrap_or(-1))
}

/// A group of processes, which is ended at the latest when this is dropped: where the runtime comes to its end, there
/// is no time for patience.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

// The number of a group is given to nobody else as long as somebody is in it, and once nobody is, nothing more is sent.
#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)))
    }

    fn ask(&self) {
        self.send(rustix::process::Signal::TERM);
    }

    fn kill(&self) {
        self.send(rustix::process::Signal::KILL);
    }

    fn send(&self, signal: rustix::process::Signal) {
        if let Some(id) = self.0 {
            let _ = rustix::process::kill_process_group(id, signal);
        }
    }

    fn is_there(&self) -> bool {
        self.0.is_some_and(|id| rustix::process::test_kill_process_group(id).is_ok())
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where there are no groups of processes, the program alone is ended, as its handle is dropped.
#[cfg(not(unix))]
struct Group;

#[cfg(not(unix))]
impl Group {
    fn of(_: &Child) -> Self {
        Self
    }

    fn ask(&self) {}

    fn kill(&self) {}

    fn is_there(&self) -> bool {
        false
    }

    fn forget(&mut self) {}
}

fn cannot(launch: &Launch, why: String) -> Error {
    Error::Program { command: launch.command.first().cloned().unwrap_or_default(), why }
}

/// Why a program cannot be started, in words that help. The system says the same of a folder, a program and an
/// interpreter that is not there.
#[allow(clippy::disallowed_methods)]
fn why_not(launch: &Launch, program: &str, why: &io::Error) -> String {
    let folder = launch.folder.display();
    match why.kind() {
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
        io::ErrorKind::PermissionDenied => "it may not be executed".to_owned(),
        _ => why.to_string(),
    }
}

/// Beginning and end of a stream.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How many bytes came between them.
    left_out: usize,
}

impl Kept {
    /// Reads to the end.
    async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            self.push(&buffer[..length]);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = (MOST_OUTPUT / 2 - self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(MOST_OUTPUT / 2);
        self.tail.drain(..over);
        self.left_out += over;
    }

    fn is_cut(&self) -> bool {
        self.left_out > 0
    }

    fn text(mut self) -> String {
        let tail: &[u8] = self.tail.make_contiguous();
        if self.left_out == 0 {
            self.head.extend_from_slice(tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        // Between words, so that no half of a secret stays, which nobody would recognise.
        let end = self.head.iter().rposition(|byte| ends_word(*byte)).map_or(self.head.len(), |at| at + 1);
        let start = tail.iter().position(|byte| ends_word(*byte)).unwrap_or(0);
        let left_out = self.left_out + self.head.len() - end + start;
        let (head, tail) =
            (String::from_utf8_lossy(&self.head[..end]), String::from_utf8_lossy(&tail[start..]));
        format!("{head}\n[{left_out} bytes are left out]\n{tail}")
    }
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pieces: &[&[u8]]) -> Kept {
        let mut kept = Kept::default();
        pieces.iter().for_each(|piece| kept.push(piece));
        kept
    }

    #[test]
    fn what_fits_is_kept_as_it_came() {
        let whole = vec![b'a'; MOST_OUTPUT];
        let kept = kept(&[&whole[..1000], &whole[1000..]]);
        assert!(!kept.is_cut());
        assert_eq!(kept.text().as_bytes(), whole);
    }

    #[test]
    fn no_word_is_cut_in_two() {
        let line = b"access_token=00Dxx0000001gPL\n";
        let lines = line.repeat(MOST_OUTPUT / 10);
        let kept = kept(&[&lines]);
        assert!(kept.is_cut());
        let text = kept.text();
        let odd: Vec<_> =
            text.lines().filter(|one| !one.is_empty() && one.as_bytes() != &line[..line.len() - 1]).collect();
        assert!(matches!(odd[..], [marker] if marker.ends_with(" bytes are left out]")), "{odd:?}");
        let left: usize = odd[0].trim_start_matches('[').split(' ').next().unwrap().parse().unwrap();
        assert_eq!(text.len() - odd[0].len() - 2 + left, lines.len());
        assert!(text.len() < MOST_OUTPUT + 100);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn who_does_not_listen_is_ended() {
        let deaf = "trap '' TERM; echo begun; while :; do sleep 1; done";
        let command = ["sh", "-c", deaf].map(str::to_owned).to_vec();
        let (folder, within) = (std::path::PathBuf::from("."), Duration::from_millis(100));
        let running = Running::start(&Launch { command, env: Vec::new(), folder, within }).unwrap();
        let (tell, told) = oneshot::channel();
        running.watch(within, Duration::from_millis(100), tell).await;
        let ended = told.await.unwrap();
        assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::TimedOut, "begun\n"));
        assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(kept(&[b"a\xffb"]).text(), "a\u{fffd}b");
    }
}
