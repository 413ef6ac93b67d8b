//! A group of processes: asked to end, looked for, ended.

use tokio::process::Child;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// A group of processes, which is ended at the latest when this is dropped: where the runtime comes to its end, there
/// is no time for patience.
#[cfg(unix)]
pub(super) struct Group(Option<Pid>);

// The number of a group is given to nobody else as long as somebody is in it; once nobody is, it is forgotten here.
#[cfg(unix)]
impl Group {
    /// The group that a process leads.
    pub(super) fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// Asks all of them to end.
    pub(super) fn ask(&mut self) {
        self.send(Signal::TERM);
    }

    /// Ends all of them.
    pub(super) fn kill(&mut self) {
        self.send(Signal::KILL);
    }

    fn send(&mut self, signal: Signal) {
        self.0 = self.0.filter(|id| kill_process_group(*id, signal).is_ok());
    }

    /// Whether one of them is alive.
    pub(super) fn is_alive(&mut self) -> bool {
        self.0 = self.0.filter(|id| test_kill_process_group(*id).is_ok());
        self.0.is_some_and(is_alive)
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether one of a group is alive. Whom nobody buries, as in a container whose first process does not, stays in it dead.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)]
fn is_alive(group: Pid) -> bool {
    let Ok(all) = std::fs::read_dir("/proc") else { return true };
    let group = group.as_raw_nonzero().to_string();
    let is_process = |name: &std::ffi::OsString| name.as_encoded_bytes()[0].is_ascii_digit();
    all.flatten().filter(|entry| is_process(&entry.file_name())).any(|process| {
        let stat = std::fs::read(process.path().join("stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        // `12 (any name) S 1 12 ...`: state, parent, group.
        let mut fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
        let (state, _, its) = (fields.next(), fields.next(), fields.next());
        its == Some(&group) && !matches!(state, Some("Z" | "X"))
    })
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_alive(_: Pid) -> bool {
    true
}

/// Where there are no groups of processes, the program alone is ended, as its handle is dropped.
#[cfg(not(unix))]
pub(super) struct Group;

#[cfg(not(unix))]
impl Group {
    pub(super) fn of(_: &Child) -> Self {
        Self
    }

    pub(super) fn ask(&mut self) {}

    pub(super) fn kill(&mut self) {}

    pub(super) fn is_alive(&mut self) -> bool {
        false
    }
}
