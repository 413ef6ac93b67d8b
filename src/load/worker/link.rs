//! The connection to a master, which is made anew whenever it is lost.

use bytes::Bytes;
use std::pin::Pin;
use std::time::Duration;

use crate::wire::clock::Watch;
use crate::wire::zmtp::{Broken, Dealer};

/// How long it waits before it tries again.
const AGAIN: Duration = Duration::from_secs(1);

type Connecting = Pin<Box<dyn Future<Output = Result<Dealer, Broken>> + Send>>;

/// A connection, or the way to one.
pub(super) enum Link {
    Down(Connecting),
    Up(Dealer, Watch),
}

/// What is heard over it.
pub(super) enum Heard {
    Connected,
    Message(Bytes),
}

impl Link {
    /// Connects at once.
    pub(super) fn to(master: &str, name: &str) -> Self {
        Self::after(Duration::ZERO, master, name)
    }

    /// Connects after a while.
    pub(super) fn again(master: &str, name: &str) -> Self {
        Self::after(AGAIN, master, name)
    }

    fn after(wait: Duration, master: &str, name: &str) -> Self {
        let (master, name) = (master.to_owned(), name.to_owned());
        Self::Down(Box::pin(async move {
            // A master that is gone is not knocked at without a pause.
            tokio::time::sleep(wait).await;
            Dealer::connect(&master, &name).await
        }))
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up(..))
    }

    /// For how long it is up, in microseconds.
    pub(super) fn age(&self) -> u64 {
        match self {
            Self::Down(_) => 0,
            Self::Up(_, since) => since.micros(),
        }
    }

    /// Waits for what comes next. Who stops waiting loses nothing.
    pub(super) async fn next(&mut self) -> Result<Heard, Broken> {
        match self {
            Self::Up(dealer, _) => dealer.receive().await.map(Heard::Message),
            Self::Down(connecting) => {
                let dealer = connecting.await?;
                *self = Self::Up(dealer, Watch::start());
                Ok(Heard::Connected)
            }
        }
    }

    /// Sends a message; where nobody is there, it is lost, as whatever it says is said again.
    pub(super) async fn send(&self, message: &[u8]) -> Result<(), Broken> {
        match self {
            Self::Up(dealer, _) => dealer.send(message).await,
            Self::Down(_) => Ok(()),
        }
    }
}
