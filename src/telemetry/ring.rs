//! A worker's way out for log lines: a bounded ring of bytes, whole lines only.
//!
//! The worker never waits: a line that does not fit is dropped and counted. The thread on the
//! other end drains the ring every few milliseconds, so that no worker pays for waking it.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// The worker's end.
pub struct LineSender {
    ring: rtrb::Producer<u8>,
    dropped: Arc<AtomicU64>,
}

/// The log thread's end.
pub struct LineReceiver {
    ring: rtrb::Consumer<u8>,
}

/// A ring of `capacity` bytes; `dropped` counts the lines that did not fit.
#[must_use]
pub fn line_ring(capacity: usize, dropped: Arc<AtomicU64>) -> (LineSender, LineReceiver) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (
        LineSender {
            ring: producer,
            dropped,
        },
        LineReceiver { ring: consumer },
    )
}

impl LineSender {
    /// Hands over one line (its newline included), or drops and counts it.
    pub fn send(&mut self, line: &[u8]) {
        if self.ring.push_entire_slice(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LineReceiver {
    /// Takes everything that is there into `out`; returns how much it was.
    pub fn drain(&mut self, out: &mut Vec<u8>) -> usize {
        let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        let taken = chunk.len();
        chunk.commit_all();
        taken
    }

    /// Whether the worker is gone and nothing is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ring.is_abandoned() && self.ring.slots() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_ring_drops_whole_lines_and_counts_them() {
        let dropped = Arc::new(AtomicU64::new(0));
        let (mut sender, mut receiver) = line_ring(10, Arc::clone(&dropped));
        for line in ["abcd\n", "efgh\n", "x\n"] {
            sender.send(line.as_bytes());
        }
        let mut out = Vec::new();
        assert_eq!(receiver.drain(&mut out), 10);
        sender.send(b"y\n");
        receiver.drain(&mut out);
        assert_eq!(out, b"abcd\nefgh\ny\n");
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}
