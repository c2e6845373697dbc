//! CPU time of the gateway's threads: those called `ringway-…` and no other of this process.
//!
//! The kernel's scheduler counts it to the nanosecond in `/proc/self/task/*/schedstat`; where there
//! is none, `stat` has it in ticks of 10 ms. What a running thread has used since its last turn may
//! be missing.

use std::fs;
use std::path::Path;

/// Nanoseconds so far; nothing where the kernel does not tell.
#[must_use]
pub fn gateway_nanos() -> Option<u64> {
    let mut sum: u64 = 0;
    let mut found = false;
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let folder = task.path();
        // A thread that ended in between is none of the gateway's.
        let Ok(name) = fs::read_to_string(folder.join("comm")) else {
            continue;
        };
        if name.starts_with(THREADS) {
            sum = sum.saturating_add(scheduled(&folder).or_else(|| ticked(&folder))?);
            found = true;
        }
    }
    found.then_some(sum)
}

fn scheduled(folder: &Path) -> Option<u64> {
    let text = fs::read_to_string(folder.join("schedstat")).ok()?;
    text.split(' ').next()?.parse().ok()
}

fn ticked(folder: &Path) -> Option<u64> {
    ticks(&fs::read_to_string(folder.join("stat")).ok()?)?.checked_mul(TICK_NANOS)
}

/// Ticks in user code and in the kernel: the 14th and 15th field; the second, the name, may hold
/// anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ').skip(11);
    let mut field = || fields.next()?.parse::<u64>().ok();
    field()?.checked_add(field()?)
}

/// What the names of the gateway's threads start with.
const THREADS: &str = "ringway-";
/// The kernel tells ticks of 100 a second, whatever its own are.
const TICK_NANOS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;
    use std::time::Instant;

    use super::{gateway_nanos, ticks};

    #[test]
    fn nanos_of_a_busy_gateway_thread_grow() {
        let worker = thread::Builder::new().name("ringway-test".to_owned());
        let grown = worker.spawn(|| {
            let end = Instant::now() + Duration::from_secs(10);
            let before = gateway_nanos().unwrap();
            while Instant::now() < end {
                if gateway_nanos().unwrap() > before {
                    return true;
                }
            }
            false
        });
        assert!(grown.unwrap().join().unwrap());
    }

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1 2"), None);
        assert_eq!(ticks(""), None);
    }
}
