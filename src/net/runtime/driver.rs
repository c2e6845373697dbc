//! The driver: io_uring where it can be had, epoll where not, and running a worker on it.
//!
//! What `auto` tries, in order: io_uring as wanted (8192 completion slots, no interrupts for task work),
//! io_uring with the kernel's defaults, io_uring with 256 entries (small memlock limits), epoll.
//! A [`DriverReport`] says which one was taken and why not the one before; it goes to the start-up line, a
//! metric and the readiness answer.
//!
//! A runtime is never dropped: the kernel may still write into buffers of pending reads. It is
//! leaked when its worker ends, and the process ends soon after.

use core::cell::Cell;
use core::fmt;
use std::io;

use monoio::time::TimeDriver;
use monoio::{FusionRuntime, IoUringDriver, LegacyDriver, RuntimeBuilder};

use crate::net::runtime::task::{self, CatchPanic};
use crate::net::runtime::{alarm, buffers, loop_turn};

thread_local! {
    static CURRENT: Cell<Option<DriverKind>> = const { Cell::new(None) };
}

/// What the configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// The best that works.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    /// epoll.
    Epoll,
}

/// A driver in one of its configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// io_uring with the flags we want.
    Uring,
    /// io_uring with the kernel's defaults.
    UringPlain,
    /// io_uring with 256 entries.
    UringSmall,
    /// epoll.
    Epoll,
}

/// Which driver a worker got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverReport {
    /// The driver.
    pub kind: DriverKind,
    /// The error number of the first kind that could not be had.
    pub errno: Option<i32>,
    /// What an operator can do to get io_uring.
    pub hint: Option<&'static str>,
}

/// Why a worker could not run, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverError {
    /// None of the kinds asked for could be had.
    Unavailable(DriverReport),
    /// The worker's main task panicked.
    Panicked,
}

impl DriverKind {
    /// The word for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uring | Self::UringPlain | Self::UringSmall => "io_uring",
            Self::Epoll => "epoll",
        }
    }

    /// Whether this is io_uring.
    #[must_use]
    pub const fn is_uring(self) -> bool {
        !matches!(self, Self::Epoll)
    }
}

impl DriverChoice {
    /// Reads the word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "uring" => Some(Self::Uring),
            "epoll" => Some(Self::Epoll),
            _ => None,
        }
    }

    const fn kinds(self) -> &'static [DriverKind] {
        match self {
            Self::Auto => &[
                DriverKind::Uring,
                DriverKind::UringPlain,
                DriverKind::UringSmall,
                DriverKind::Epoll,
            ],
            Self::Uring => &[
                DriverKind::Uring,
                DriverKind::UringPlain,
                DriverKind::UringSmall,
            ],
            Self::Epoll => &[DriverKind::Epoll],
        }
    }
}

impl fmt::Display for DriverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match self.kind {
            DriverKind::UringPlain => f.write_str(" (kernel defaults)")?,
            DriverKind::UringSmall => f.write_str(" (256 entries)")?,
            DriverKind::Uring | DriverKind::Epoll => {}
        }
        if let Some(errno) = self.errno {
            write!(f, "; before it: {}", io::Error::from_raw_os_error(errno))?;
        }
        if let Some(hint) = self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(report) => write!(f, "driver cannot be had: {report}"),
            Self::Panicked => f.write_str("the worker's main task panicked"),
        }
    }
}

impl core::error::Error for DriverError {}

/// Runs `main` on a driver of this thread until it ends; `on_start` is told which driver it is.
///
/// # Errors
///
/// When no driver can be had, or when `main` panics.
pub fn run_worker<M, F>(
    choice: DriverChoice,
    on_start: impl FnOnce(&DriverReport),
    main: M,
) -> Result<F::Output, DriverError>
where
    M: FnOnce() -> F,
    F: Future,
{
    let (mut runtime, report) = first_available(choice, build)?;
    CURRENT.set(Some(report.kind));
    on_start(&report);
    loop_turn::reset();
    alarm::reset();
    let output = runtime.block_on(async {
        drop(task::spawn(alarm::keep()));
        drop(task::spawn(loop_turn::end_watcher(!report.kind.is_uring())));
        CatchPanic { future: main() }.await
    });
    CURRENT.set(None);
    core::mem::forget(runtime);
    output.ok_or(DriverError::Panicked)
}

/// Frees memory that this thread's runtime has grown to and no longer uses; to be called now and then.
pub fn release_memory() {
    buffers::trim_unused();
    alarm::trim();
    loop_turn::trim();
}

/// The driver of this thread, where a worker runs on it.
#[must_use]
pub fn current() -> Option<DriverKind> {
    CURRENT.get()
}

type Runtime = FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>>;

/// Tries the kinds in order. Generic over the attempt so that tests can make some fail.
fn first_available<R>(
    choice: DriverChoice,
    mut attempt: impl FnMut(DriverKind) -> io::Result<R>,
) -> Result<(R, DriverReport), DriverError> {
    let mut report = DriverReport {
        kind: DriverKind::Epoll,
        errno: None,
        hint: None,
    };
    for &kind in choice.kinds() {
        report.kind = kind;
        match attempt(kind) {
            Ok(built) => return Ok((built, report)),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                report.errno.get_or_insert(errno);
                report.hint = report.hint.or_else(|| hint_for(errno));
            }
        }
    }
    Err(DriverError::Unavailable(report))
}

fn build(kind: DriverKind) -> io::Result<Runtime> {
    match kind {
        DriverKind::Uring => build_uring(WANTED_ENTRIES, &wanted_ring()),
        DriverKind::UringPlain => build_uring(WANTED_ENTRIES, &io_uring::IoUring::builder()),
        DriverKind::UringSmall => build_uring(SMALL_ENTRIES, &io_uring::IoUring::builder()),
        DriverKind::Epoll => Ok(RuntimeBuilder::<LegacyDriver>::new()
            .enable_timer()
            .build()?
            .into()),
    }
}

fn build_uring(entries: u32, ring: &io_uring::Builder) -> io::Result<Runtime> {
    // Built directly first: the probe behind `detect_uring` tells no error number, and says yes
    // where only its own two entries fit the memlock limit.
    let runtime = RuntimeBuilder::<IoUringDriver>::new()
        .uring_builder(ring.clone())
        .with_entries(entries)
        .enable_timer()
        .build()?;
    if !monoio::utils::detect_uring() {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    Ok(runtime.into())
}

fn wanted_ring() -> io_uring::Builder {
    let mut ring = io_uring::IoUring::builder();
    ring.setup_cqsize(COMPLETION_ENTRIES).setup_coop_taskrun();
    ring
}

const fn hint_for(errno: i32) -> Option<&'static str> {
    match errno {
        libc::EPERM | libc::EACCES => Some(
            "io_uring is denied here: allow io_uring_setup, io_uring_enter and io_uring_register \
             in the seccomp profile and set kernel.io_uring_disabled to 0, or set driver to epoll",
        ),
        libc::ENOMEM | libc::ENOBUFS => {
            Some("locked memory is short: raise LimitMEMLOCK or --ulimit memlock")
        }
        libc::ENOSYS | libc::EOPNOTSUPP => {
            Some("the kernel lacks io_uring or operations of it: 5.6 or later has them")
        }
        libc::EMFILE | libc::ENFILE => Some("descriptors are short: raise LimitNOFILE"),
        _ => None,
    }
}

const WANTED_ENTRIES: u32 = 1024;
const SMALL_ENTRIES: u32 = 256;
/// Completions of one turn that need no overflow list in the kernel.
const COMPLETION_ENTRIES: u32 = 8192;

#[cfg(test)]
mod tests;
