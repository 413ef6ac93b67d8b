//! The only I/O: sockets, clocks, dice, files and processes. Nothing below this level can fail for an outside reason.

pub mod agent;
mod asking;
pub mod authority;
pub mod browser;
mod calling;
mod calls;
pub mod chromium;
pub mod clock;
pub mod counterpart;
pub mod dice;
pub mod files;
pub mod host;
#[cfg_attr(not(unix), path = "isolation/nowhere.rs")]
pub mod isolation;
mod leaving;
pub mod line;
mod login;
mod named_credential;
mod noticed;
pub mod own;
mod patience;
pub mod process;
pub mod program;
pub mod proxy;
pub mod renewal;
pub mod signals;
pub mod store;
pub mod stubs;
mod tls;
pub mod transport;
pub mod zmtp;

pub use clock::Clock;
pub use transport::Transport;

/// What the outside world got in the way of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{path}: {why}")]
    File {
        /// As it was given.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// A file that is larger than what is read.
    #[error("{path}: longer than {limit} bytes, which is the most that is read")]
    TooLong {
        /// As it was given.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// A client program that cannot be started.
    #[error("cannot start {command}: {why}")]
    Program {
        /// The program, without its arguments.
        command: String,
        /// What is in the way.
        why: String,
    },
    /// A client that runs already, or should, and cannot be set going.
    #[error("cannot reach the trigger at {host}: {why}")]
    Trigger {
        /// Its host and port.
        host: String,
        /// What is in the way.
        why: String,
    },
    /// A certificate authority that cannot be used.
    #[error("the certificate authority cannot be used: {0}")]
    Authority(String),
}
