//! Where commands run that reach over the network, and how they hear that they are to end.

use std::future::Future;
use tokio::sync::watch;

use super::CannotStart;
use crate::wire::signals;

/// A runtime that listens, from its beginning on, for whoever asks the command to end.
pub(super) struct Runtime {
    tokio: tokio::runtime::Runtime,
    stop: watch::Receiver<bool>,
}

impl Runtime {
    /// A runtime that listens.
    ///
    /// # Errors
    /// The system has no threads for it.
    pub fn new() -> Result<Self, CannotStart> {
        let tokio = deaf()?;
        let (tell, stop) = watch::channel(false);
        let asked = {
            let _within = tokio.enter();
            signals::asked_to_end()
        };
        tokio.spawn(async move {
            asked.await;
            let _ = tell.send(true);
            // Whoever asks once more has been heard.
            tell.closed().await;
        });
        Ok(Self { tokio, stop })
    }

    /// Becomes true when the command is to end.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// Runs something to its end; it has to look at [`stop`](Self::stop) itself.
    pub fn block_on<T>(&self, something: impl Future<Output = T>) -> T {
        self.tokio.block_on(something)
    }

    /// Runs what comes before anything is played.
    ///
    /// # Errors
    /// The command was to end before that.
    pub fn prepare<T>(&self, something: impl Future<Output = T>) -> Result<T, CannotStart> {
        let mut stop = self.stop();
        self.tokio.block_on(async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Err(CannotStart::Interrupted),
                done = something => Ok(done),
            }
        })
    }
}

/// Ends when the command is to end.
pub(super) async fn told_to_end(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

/// A runtime for what does not take long, or is ended by somebody else.
///
/// # Errors
/// The system has no threads for it.
pub(super) fn deaf() -> Result<tokio::runtime::Runtime, CannotStart> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|why| crate::wire::Error::Listen { address: "the runtime".into(), why }.into())
}
