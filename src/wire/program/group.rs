//! A group of processes: asked to end, looked for, ended.

use tokio::process::Child;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// A group of processes, which is ended at the latest when this is dropped: where the runtime comes to its end, there
/// is no time for patience.
#[cfg(unix)]
pub(in crate::wire) struct Group(Option<Pid>);

// The number of a group is given to nobody else as long as somebody is in it; once nobody is, it is forgotten here.
#[cfg(unix)]
impl Group {
    /// The group that a process leads.
    pub(in crate::wire) fn of(leader: &Child) -> Self {
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

    /// Who looks at the arguments of its processes, as long as the group is there.
    pub(super) fn arguments(&self) -> Arguments {
        Arguments(self.0)
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

/// Looks at what everybody on the machine can read: the arguments of the processes of a group.
#[cfg(unix)]
pub(super) struct Arguments(Option<Pid>);

#[cfg(unix)]
impl Arguments {
    /// The command lines of all of them that are there now, without the programs' own names.
    pub(super) fn now(&self) -> Vec<String> {
        self.0.map(|leader| command_lines(members(leader))).unwrap_or_default()
    }

    /// The same of those alone that descend from the program, which takes no look at every process of the machine.
    pub(super) fn of_descendants(&self) -> Vec<String> {
        self.0.map(|leader| command_lines(descendants(leader))).unwrap_or_default()
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)]
fn command_lines(processes: Vec<std::path::PathBuf>) -> Vec<String> {
    let read = |process: &std::path::Path| std::fs::read(process.join("cmdline")).unwrap_or_default();
    let line = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.split('\0').skip(1).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    processes.iter().map(|process| line(read(process))).filter(|line| !line.is_empty()).collect()
}

/// The most processes of a program that are looked at at a time.
#[cfg(target_os = "linux")]
const MOST_PROCESSES: usize = 256;

/// The folders of a process and of those that it and its descendants began.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)]
fn descendants(leader: Pid) -> Vec<std::path::PathBuf> {
    let at = |id: &str| std::path::Path::new("/proc").join(id);
    let mut found = vec![at(&leader.as_raw_nonzero().to_string())];
    let mut next = 0;
    while let Some(process) = found.get(next).filter(|_| next < MOST_PROCESSES) {
        let tasks = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        let begun = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let begun: Vec<_> =
            begun.flat_map(|ids| ids.split_whitespace().map(at).collect::<Vec<_>>()).collect();
        found.extend(begun);
        next += 1;
    }
    found
}

#[cfg(all(unix, not(target_os = "linux")))]
fn command_lines(_: Vec<std::path::PathBuf>) -> Vec<String> {
    Vec::new()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn descendants(_: Pid) -> Vec<std::path::PathBuf> {
    Vec::new()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn members(_: Pid) -> Vec<std::path::PathBuf> {
    Vec::new()
}

/// Whether one of a group is alive. Whom nobody buries, as in a container whose first process does not, stays in it dead.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)]
fn is_alive(group: Pid) -> bool {
    std::fs::read_dir("/proc").is_err() || !members(group).is_empty()
}

/// The folders of those of a group that are alive.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)]
fn members(group: Pid) -> Vec<std::path::PathBuf> {
    let group = group.as_raw_nonzero().to_string();
    let is_process = |name: &std::ffi::OsString| name.as_encoded_bytes()[0].is_ascii_digit();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let belongs = |process: &std::fs::DirEntry| {
        let stat = std::fs::read(process.path().join("stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        // `12 (any name) S 1 12 ...`: state, parent, group.
        let mut fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
        let (state, _, its) = (fields.next(), fields.next(), fields.next());
        its == Some(&group) && !matches!(state, Some("Z" | "X"))
    };
    all.filter(|entry| is_process(&entry.file_name())).filter(belongs).map(|entry| entry.path()).collect()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_alive(_: Pid) -> bool {
    true
}

/// Where there are no groups of processes, the program alone is ended, as its handle is dropped.
#[cfg(not(unix))]
pub(in crate::wire) struct Group;

#[cfg(not(unix))]
impl Group {
    pub(in crate::wire) fn of(_: &Child) -> Self {
        Self
    }

    pub(super) fn ask(&mut self) {}

    pub(super) fn kill(&mut self) {}

    pub(super) fn is_alive(&mut self) -> bool {
        false
    }

    pub(super) fn arguments(&self) -> Arguments {
        Arguments
    }
}

#[cfg(not(unix))]
pub(super) struct Arguments;

#[cfg(not(unix))]
impl Arguments {
    pub(super) fn now(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn of_descendants(&self) -> Vec<String> {
        Vec::new()
    }
}
