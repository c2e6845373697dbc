//! The runtime that the programs of this crate run on: io_uring, or epoll where the kernel gives no ring.

use std::io;
use std::thread;
use std::time::Duration;

use monoio::time::TimeDriver;
use monoio::{FusionDriver, FusionRuntime, IoUringDriver, LegacyDriver, RuntimeBuilder};

/// A runtime with timers.
pub type Runtime = FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>>;

/// Builds a runtime whose ring has `entries` entries.
///
/// The kernel gives the locked memory of a ring back some time after its process has ended, so a
/// shortage is waited out for a second. After that the runtime runs on epoll, and stderr says so.
///
/// # Errors
/// Neither driver can be had.
#[expect(clippy::disallowed_methods, reason = "no runtime runs yet")]
pub fn build(entries: u32) -> io::Result<Runtime> {
    for _ in 0..TRIES {
        let built = RuntimeBuilder::<FusionDriver>::new()
            .with_entries(entries)
            .enable_timer()
            .build();
        match built {
            Err(fault) if fault.kind() == io::ErrorKind::OutOfMemory => thread::sleep(PAUSE),
            built => return built,
        }
    }
    eprintln!("locked memory is short (see `ulimit -l`): running on epoll instead of io_uring");
    let runtime = RuntimeBuilder::<LegacyDriver>::new()
        .enable_timer()
        .build()?;
    Ok(runtime.into())
}

const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
