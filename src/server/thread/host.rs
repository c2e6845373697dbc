//! What the machine allows: descriptors, memory, core files.

#![expect(
    unsafe_code,
    reason = "prctl and rlimits have no safe door in the standard library"
)]

use std::fs;

use crate::limits::{CONNECTION_BYTES, CONNECTION_TLS_BYTES, DESCRIPTORS_KEPT, Limits};
use crate::proxy::shared::memory_budget;

/// No core files, no debugger of another process: keys are in this memory. The limit of open
/// descriptors is raised to its ceiling.
pub fn harden() {
    // SAFETY: PR_SET_DUMPABLE takes one number and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live, initialised structure.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    let mut files = files_limit();
    files.rlim_cur = files.rlim_max;
    // SAFETY: as above.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files) };
}

/// Bytes that all large buffers may hold together.
#[must_use]
pub fn budget_bytes(limits: &Limits) -> usize {
    match limits.held_budget_bytes {
        0 => memory_budget::default_bytes(memory_max()),
        bytes => bytes,
    }
}

/// Most client connections: as many as have descriptors for themselves and a provider's, and what the
/// memory holds beside the budget.
#[must_use]
pub fn connections_max(limits: &Limits, is_tls: bool) -> usize {
    if limits.connections_max > 0 {
        return limits.connections_max;
    }
    let files = served_by(usize::try_from(files_limit().rlim_cur).unwrap_or(usize::MAX));
    let memory = memory_max().map_or(usize::MAX, |memory| {
        held_by(memory.saturating_sub(budget_bytes(limits)), is_tls)
    });
    files.min(memory).max(1)
}

/// Clients, each with one connection to a provider, beside which so many descriptors leave enough for
/// everything else: who asks whether the gateway lives gets an answer when it is full.
const fn served_by(descriptors: usize) -> usize {
    let kept = descriptors / 4;
    let kept = match kept < DESCRIPTORS_KEPT {
        true => kept,
        false => DESCRIPTORS_KEPT,
    };
    (descriptors - kept) / 2
}

/// Connections that so much memory holds.
const fn held_by(memory: usize, is_tls: bool) -> usize {
    let tls = if is_tls { CONNECTION_TLS_BYTES } else { 0 };
    memory / (CONNECTION_BYTES + tls)
}

fn files_limit() -> libc::rlimit {
    let mut files = libc::rlimit {
        rlim_cur: 1024,
        rlim_max: 1024,
    };
    // SAFETY: the pointer is to a live structure that the call fills.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files
}

/// The memory limit of this process's control group, where there is one.
fn memory_max() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let own = format!("/sys/fs/cgroup{path}/memory.max");
    let read = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    read(&own).or_else(|| read("/sys/fs/cgroup/memory.max"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::KIB;

    #[test]
    fn configured_bounds_outrank_what_the_machine_says() {
        let limits = Limits {
            connections_max: 7,
            held_budget_bytes: 9,
            ..Limits::default()
        };
        assert_eq!(connections_max(&limits, true), 7);
        assert_eq!(budget_bytes(&limits), 9);
        assert!(connections_max(&Limits::default(), true) > 0);
        assert!(
            connections_max(&Limits::default(), true) <= connections_max(&Limits::default(), false)
        );
    }

    #[test]
    fn p29_clients_and_their_providers_leave_descriptors_for_everything_else() {
        for (descriptors, clients) in [
            (0, 0),
            (64, 24),
            (4 * DESCRIPTORS_KEPT, 192),
            (1024, 448),
            (1 << 20, (1 << 19) - 64),
        ] {
            assert_eq!(served_by(descriptors), clients, "{descriptors}");
        }
    }

    #[test]
    fn p27_memory_holds_a_connection_for_each_64_kib_and_fewer_with_tls() {
        assert_eq!(held_by(64 * KIB - 1, false), 0);
        assert_eq!(held_by(64 * KIB, false), 1);
        assert_eq!(held_by(112 * KIB - 1, true), 0);
        assert_eq!(held_by(112 * KIB, true), 1);
    }
}
