//! What asks this process to end: Ctrl-C, the end of its terminal, and what a service manager or CI sends that cancels it.

use std::future::Future;
use std::path::Path;

use super::files;

/// Ends once somebody asks this process to end. From this call on nothing of that ends it by itself; it has to be called
/// within a runtime.
#[cfg(unix)]
pub fn asked_to_end() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    // Whoever started it with `nohup` wants it to outlive the terminal.
    let kinds = [
        Some(SignalKind::interrupt()),
        Some(SignalKind::terminate()),
        (!hangup_may_be_ignored()).then(SignalKind::hangup),
    ];
    let mut signals: Vec<_> = kinds.into_iter().flatten().filter_map(|kind| signal(kind).ok()).collect();
    std::future::poll_fn(move |cx| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
        if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
}

/// Ends once somebody asks this process to end.
#[cfg(not(unix))]
pub fn asked_to_end() -> impl Future<Output = ()> + Send + 'static {
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Whether this process was started so that it outlives its terminal, or may have been: not every system tells.
#[cfg(unix)]
fn hangup_may_be_ignored() -> bool {
    let status = files::read(Path::new("/proc/self/status")).unwrap_or_default();
    ignores_hangup(&status).unwrap_or(true)
}

/// What Linux tells of it: one bit for each signal, the lowest for the first, which is SIGHUP (proc_pid_status(5)).
#[cfg(unix)]
fn ignores_hangup(status: &str) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    Some(u64::from_str_radix(mask.trim(), 16).ok()? & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn who_was_started_to_outlive_its_terminal_does() {
        let status = |mask: &str| format!("Name:\tgrantcheck\nSigBlk:\t1\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert_eq!(ignores_hangup(&status("0000000000000001")), Some(true));
        assert_eq!(ignores_hangup(&status("0000000000001000")), Some(false));
        assert_eq!(ignores_hangup(&status("?")), None);
        assert_eq!(ignores_hangup(""), None);
    }
}
