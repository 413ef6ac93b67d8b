//! Cutting a client program off: it runs in a network of its own, in which there is nothing but the doors of the org, so that
//! no run reaches a real org by accident. What goes to a door's port inside is carried out by a socket of the file system,
//! which no network has to lead to, and a callback is carried in the same way. Linux, where the system lets users make
//! networks (`unshare --user --net`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::Command;
use tokio::task::{AbortHandle, JoinSet};

use super::Error;
use super::files::Private;
use crate::subject::Launch;

/// What a program exits with that could not be cut off.
pub const CANNOT: u8 = 125;
/// The name of the socket by which callbacks come in.
const BACK: &str = "back";
/// The command of this program that stands inside.
const INSIDE: &str = "inside";

/// Who makes networks here: this program, to be started once more inside of each.
#[derive(Clone, Debug)]
pub struct Wall(PathBuf);

impl Wall {
    /// Finds out whether the machine lets us; `program` is grantcheck itself.
    #[allow(clippy::disallowed_methods)]
    pub async fn possible(program: &Path) -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "ip", "link", "set", "lo", "up"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let may = command.status().await.is_ok_and(|status| status.success());
        may.then(|| Self(program.to_owned()))
    }
}

/// The ways between a program that is cut off and the doors of one play. They are closed when this is dropped.
pub struct Ways {
    wall: Wall,
    folder: Private,
    ports: Vec<u16>,
    back: Option<u16>,
    tasks: Vec<AbortHandle>,
}

impl Ways {
    /// Opens them: to these ports of this machine, and for callbacks to that one.
    ///
    /// # Errors
    /// A socket cannot be made, or the port of the callback is taken.
    pub async fn open(wall: &Wall, ports: &[u16], back: Option<u16>) -> Result<Self, Error> {
        let folder = Private::new()?;
        let mut ways = Self { wall: wall.clone(), ports: ports.to_vec(), back, folder, tasks: Vec::new() };
        for port in ports {
            let listener = listening(&ways.at(&port.to_string()))?;
            let port = *port;
            ways.carry(async move {
                while let Ok((inside, _)) = listener.accept().await {
                    tokio::spawn(carried(inside, TcpStream::connect(("127.0.0.1", port))));
                }
            });
        }
        if let Some(port) = back {
            let address = format!("127.0.0.1:{port}");
            let fail = |why| Error::Listen { address: address.clone(), why };
            let listener = super::host::listen(&address).await.map_err(fail)?;
            let path = ways.at(BACK);
            ways.carry(async move {
                while let Ok((outside, _)) = listener.accept().await {
                    tokio::spawn(carried(outside, UnixStream::connect(path.clone())));
                }
            });
        }
        Ok(ways)
    }

    /// How a program is started so that it is cut off.
    pub fn around(&self, launch: Launch) -> Launch {
        let mut command: Vec<String> =
            ["unshare", "--user", "--map-root-user", "--net", "--"].map(str::to_owned).to_vec();
        command.push(self.wall.0.display().to_string());
        command.extend([INSIDE.to_owned(), "--folder".to_owned(), self.folder.path()]);
        command.extend(self.ports.iter().map(|port| format!("--port={port}")));
        command.extend(self.back.map(|port| format!("--back={port}")));
        command.push("--".to_owned());
        command.extend(launch.command.iter().cloned());
        Launch { command, ..launch }
    }

    fn at(&self, name: &str) -> PathBuf {
        let folder: &Path = self.folder.as_ref();
        folder.join(name)
    }

    fn carry(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Stands inside of a network that has nothing yet: opens the ways, and runs the program to its end. Returns what it exits
/// with.
///
/// # Errors
/// The network, a way, or the program cannot be begun.
#[allow(clippy::disallowed_methods)]
pub async fn inside(
    folder: &Path,
    ports: &[u16],
    back: Option<u16>,
    command: &[String],
) -> std::io::Result<u8> {
    let lo = Command::new("ip").args(["link", "set", "lo", "up"]).stdin(Stdio::null()).status().await?;
    if !lo.success() {
        return Err(std::io::Error::other("the loopback interface does not come up"));
    }
    let mut ways = JoinSet::new();
    for port in ports {
        let listener = TcpListener::bind(("127.0.0.1", *port)).await?;
        let path = folder.join(port.to_string());
        ways.spawn(async move {
            while let Ok((program, _)) = listener.accept().await {
                tokio::spawn(carried(program, UnixStream::connect(path.clone())));
            }
        });
    }
    if let Some(port) = back {
        let path = folder.join(BACK);
        // Where the program was started before, its way is still there.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path)?;
        ways.spawn(async move {
            while let Ok((callback, _)) = listener.accept().await {
                tokio::spawn(carried(callback, TcpStream::connect(("127.0.0.1", port))));
            }
        });
    }
    std::thread::spawn(end_with_our_own);
    let (program, arguments) = command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status().await?;
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ok(u8::try_from(128 + signal).unwrap_or(CANNOT));
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Ends the group that the program is in once the grantcheck that began it is gone: its end of our standard input is closed then,
/// however it came to its end. It takes a thread, because what reads in a task of the runtime would hold that up.
fn end_with_our_own() {
    // Nothing is ever written to it.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::KILL);
}

fn listening(path: &Path) -> Result<UnixListener, Error> {
    let fail = |why| Error::Listen { address: path.display().to_string(), why };
    UnixListener::bind(path).map_err(fail)
}

/// Carries what comes on one end to the other, both ways, until both are over.
async fn carried<A, B>(mut near: A, far: impl Future<Output = std::io::Result<B>>)
where
    A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    B: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Ok(mut far) = far.await {
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
