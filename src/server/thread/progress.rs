//! How far the end of the process has come, for all threads to read.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::Arc;

use tokio::sync::Notify;

use crate::proxy::shared::drain::Phase;

/// How far the end has come, as everyone may read it.
#[derive(Debug)]
pub struct DrainProgress {
    phase: AtomicU8,
    dropped: Arc<AtomicU64>,
    restarts: AtomicU64,
    /// Somebody asks for the end.
    pub stop: Notify,
    /// A worker has ended though nobody asked.
    pub worker_lost: Notify,
}

impl DrainProgress {
    /// Nothing has ended; `dropped` counts lost log lines.
    #[must_use]
    pub fn new(dropped: Arc<AtomicU64>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Open as u8),
            dropped,
            restarts: AtomicU64::new(0),
            stop: Notify::new(),
            worker_lost: Notify::new(),
        }
    }

    /// How far the end has come.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Closing,
            2 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Log lines that were lost.
    pub fn log_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How often tasks of the control thread were begun again.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// One was.
    pub fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// The end has come this far.
    pub fn advance(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }
}
