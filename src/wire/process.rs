//! What the system says of this process.

use super::files;
use std::path::Path;

/// Processor time that this process used so far, in microseconds; none where the system does not tell.
pub fn cpu() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let micros = used.tv_sec.saturating_mul(1_000_000).saturating_add(used.tv_nsec / 1000);
        u64::try_from(micros).ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Memory that this process has, in bytes; 0 where the system does not tell.
pub fn memory() -> u64 {
    resident(&files::read(Path::new("/proc/self/status")).unwrap_or_default())
}

/// `VmRSS:  1234 kB`.
fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: Option<u64> = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

/// The name of this machine; `localhost` where the system does not tell.
pub fn host() -> String {
    let name = files::read(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    1024 kB\n"), 1_048_576);
        assert_eq!((resident(""), resident("VmRSS: many")), (0, 0));
        assert!(!host().is_empty() && !host().contains(char::is_whitespace));
    }
}
