//! What the kernel says of processes: CPU time, memory, descriptors, children.
//!
//! CPU time is the scheduler's own (`schedstat`, in nanoseconds), threads of the kernel that work
//! for a ring included. A thread that ended between two looks takes its time with it: gateways keep
//! theirs.

use std::fs;
use std::io;

/// CPU time of all threads of these processes, in nanoseconds.
///
/// # Errors
/// A process that is gone.
pub fn cpu_nanos(pids: &[u32]) -> io::Result<u64> {
    let mut sum = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task")).map_err(of(*pid))? {
            let path = task?.path().join("schedstat");
            // A thread may end between the two looks.
            let text = fs::read_to_string(path).unwrap_or_default();
            sum += first_number(&text);
        }
    }
    Ok(sum)
}

/// Names the process that could not be looked at.
fn of(pid: u32) -> impl FnOnce(io::Error) -> io::Error {
    move |fault| io::Error::new(fault.kind(), format!("process {pid}: {fault}"))
}

/// Memory of processes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    /// Resident, each shared page counted in full for each process.
    pub rss: u64,
    /// Resident, shared pages counted in part.
    pub pss: u64,
}

/// Memory of these processes together.
///
/// # Errors
/// A process that is gone.
pub fn memory(pids: &[u32]) -> io::Result<Memory> {
    let mut sum = Memory::default();
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).map_err(of(*pid))?;
        let one = parse_memory(&text);
        sum.rss += one.rss;
        sum.pss += one.pss;
    }
    Ok(sum)
}

fn parse_memory(text: &str) -> Memory {
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        1024 * line.map_or(0, first_number)
    };
    Memory {
        rss: line("Rss:"),
        pss: line("Pss:"),
    }
}

/// The most that was resident of these processes together, each at its own time, in bytes.
///
/// # Errors
/// A process that is gone.
pub fn peak(pids: &[u32]) -> io::Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).map_err(of(*pid))?;
        sum += parse_peak(&text);
    }
    Ok(sum)
}

fn parse_peak(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    1024 * line.map_or(0, first_number)
}

/// Open descriptors of these processes together.
///
/// # Errors
/// A process that is gone.
pub fn descriptors(pids: &[u32]) -> io::Result<usize> {
    let mut sum = 0;
    for pid in pids {
        sum += fs::read_dir(format!("/proc/{pid}/fd"))
            .map_err(of(*pid))?
            .count();
    }
    Ok(sum)
}

/// A process and its children, down to the last.
#[must_use]
pub fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace();
            found.extend(children.filter_map(|pid| pid.parse::<u32>().ok()));
        }
        if found.len() > TREE_MAX {
            break;
        }
    }
    found
}

/// The host, for reports.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Machine {
    /// Model of the first processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's name and version.
    pub kernel: String,
    /// Processes that want a core, over the last minute, as a figure of how busy the host is.
    pub load: String,
}

/// Looks at the host.
#[must_use]
pub fn machine() -> Machine {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|rest| rest.split_once(": "))
        .map(|(_, name)| name);
    let release = rustix::system::uname();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Machine {
        cpu: model.unwrap_or("unknown").trim().to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: format!("Linux {}", release.release().to_string_lossy()),
        load: load.split(' ').next().unwrap_or_default().to_owned(),
    }
}

fn first_number(text: &str) -> u64 {
    let first = text.split_whitespace().next();
    first.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Processes of one tree that are counted.
const TREE_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::{
        Memory, cpu_nanos, descriptors, first_number, memory, parse_memory, parse_peak, tree,
    };

    #[test]
    fn memory_lines_are_read_in_bytes() {
        let text = "55-7f ---p 00000000 00:00 0    [rollup]\nRss:     2228 kB\nPss:  408 kB\n\
                    Pss_Dirty: 96 kB\n";
        let expected = Memory {
            rss: 2228 * 1024,
            pss: 408 * 1024,
        };
        assert_eq!(parse_memory(text), expected);
        assert_eq!(parse_memory(""), Memory::default());
        assert_eq!(
            parse_peak("VmPeak:\t 9 kB\nVmHWM:\t    1728 kB\n"),
            1728 * 1024
        );
    }

    #[test]
    fn process_that_is_gone_is_named() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let gone = [child.id()];
        let faults = [
            cpu_nanos(&gone).unwrap_err(),
            memory(&gone).unwrap_err(),
            descriptors(&gone).map(|_| ()).unwrap_err(),
        ];
        for fault in faults {
            let text = fault.to_string();
            assert!(text.contains(&format!("process {}", gone[0])), "{text}");
        }
    }

    #[test]
    fn scheduler_line_gives_its_first_number() {
        assert_eq!(first_number("123456789 42 7\n"), 123_456_789);
        assert_eq!(first_number("n/a"), 0);
        assert_eq!(first_number(""), 0);
    }

    #[test]
    fn own_process_has_time_memory_and_descriptors() {
        let own = [id()];
        let mut sum = 0_u64;
        let before = cpu_nanos(&own).unwrap();
        // The scheduler's account is brought up to date when it looks, not when we do.
        while cpu_nanos(&own).unwrap() == before {
            sum = sum.wrapping_mul(31).wrapping_add(before);
        }
        assert!(memory(&own).unwrap().rss > 0, "{sum}");
        let count = descriptors(&own).unwrap();
        let more: Vec<_> = (0..16)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        assert!(descriptors(&own).unwrap() >= count.saturating_sub(8) + more.len() / 2);
        assert!(cpu_nanos(&[u32::MAX]).is_err());
    }

    #[test]
    fn tree_holds_children_of_children() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 600 & wait"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let started = std::time::Instant::now();
        let mut found = tree(child.id());
        while found.len() < 2 && started.elapsed().as_secs() < 10 {
            found = tree(child.id());
        }
        assert_eq!(found.first(), Some(&child.id()));
        assert!(found.len() >= 2, "{found:?}");
        for pid in found.iter().skip(1) {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
