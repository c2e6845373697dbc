//! A worker's way out for log lines and usage records: a bounded ring of bytes, whole pieces only.
//!
//! The worker never waits: a piece that does not fit is dropped and counted. The thread on the
//! other end drains the ring every few milliseconds, at a [`DrainPace`] that follows the load, so that no worker
//! pays for waking it. When nothing has come for a while it sleeps, and the next piece rings its [`ThreadWaker`].
//!
//! A ring touches all of its memory sooner or later. So the one that is always there is small; one that
//! holds a burst is made when it is full, and freed when it has been drained:
//!
//! ```text
//!   sender    ── small is full ──► makes a large one, hands it over, writes there
//!   receiver  ── drains small, then what the large one held before that
//!   sender    ── the large one is empty ──► lets it go, writes to the small one again
//! ```
//!
//! Pieces of one worker keep their order.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use core::time::Duration;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

use rtrb::{Consumer, Producer, RingBuffer};

/// Wakes the thread at the other end of rings, if it sleeps. A copy wakes the same thread.
#[derive(Clone, Debug, Default)]
pub struct ThreadWaker(Arc<Sleeper>);

#[derive(Debug, Default)]
struct Sleeper {
    is_asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

impl ThreadWaker {
    /// Wakes the thread if it sleeps; one atomic load where it is awake.
    pub fn wake(&self) {
        // Either it sees what came before this, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.0.is_asleep.load(Ordering::Relaxed) {
            self.unpark();
        }
    }

    #[cold]
    fn unpark(&self) {
        if self.0.is_asleep.swap(false, Ordering::Relaxed)
            && let Some(thread) = self.0.thread.get()
        {
            thread.unpark();
        }
    }

    /// Sleeps until it is woken, `most` at the longest, unless something `has_come` already. One thread alone
    /// may sleep by a waker.
    pub fn sleep(&self, most: Duration, has_come: impl FnOnce() -> bool) {
        self.0.thread.get_or_init(thread::current);
        self.0.is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !has_come() {
            thread::park_timeout(most);
        }
        self.0.is_asleep.store(false, Ordering::Relaxed);
    }
}

/// Nothing has come for so long: the thread that drains rings sleeps.
pub const QUIET: Duration = Duration::from_secs(1);

/// How long the thread that drains rings lets them fill: shorter under load, so that what is always there
/// holds it all, still in the caches, and nobody makes large rings again and again.
#[derive(Clone, Copy, Debug)]
pub struct DrainPace {
    pause: Duration,
    most: Duration,
    /// Bytes of each small ring.
    room: usize,
}

impl DrainPace {
    /// Pauses of `most`, for rings that hold `room` bytes.
    #[must_use]
    pub const fn new(most: Duration, room: usize) -> Self {
        Self {
            pause: most,
            most,
            room,
        }
    }

    /// The next pause, when one ring gave at most so many bytes behind the last.
    pub fn after(&mut self, taken: usize) -> Duration {
        if taken > self.room / 2 {
            self.pause = (self.pause / 2).max(self.most / PAUSES);
        } else if taken < self.room / 8 {
            self.pause = (self.pause * 2).min(self.most);
        }
        self.pause
    }
}

/// The shortest pause is this part of the longest.
const PAUSES: u32 = 16;

/// The worker's end.
pub struct RingSender {
    small: Producer<u8>,
    /// Holds bytes, or was just drained.
    large: Option<Producer<u8>>,
    large_bytes: usize,
    handover: Producer<Consumer<u8>>,
    dropped: Arc<AtomicU64>,
    waker: ThreadWaker,
}

/// The other thread's end.
pub struct RingReceiver {
    small: Consumer<u8>,
    large: Option<Consumer<u8>>,
    handover: Consumer<Consumer<u8>>,
}

/// A ring of `small` bytes, and of `large` bytes more in a burst; `dropped` counts the pieces that
/// did not fit, `waker` wakes the thread that drains it.
#[must_use]
pub fn byte_ring(
    small: usize,
    large: usize,
    dropped: Arc<AtomicU64>,
    waker: ThreadWaker,
) -> (RingSender, RingReceiver) {
    let (producer, consumer) = RingBuffer::new(small);
    // The next large one is made when the one before is empty, and it is empty once it was taken.
    let (handover, taken) = RingBuffer::new(1);
    (
        RingSender {
            small: producer,
            large: None,
            large_bytes: large,
            handover,
            dropped,
            waker,
        },
        RingReceiver {
            small: consumer,
            large: None,
            handover: taken,
        },
    )
}

impl RingSender {
    /// Hands over one piece, or drops and counts it; whether it was handed over.
    pub fn send(&mut self, piece: &[u8]) -> bool {
        if self
            .large
            .as_ref()
            .is_some_and(|large| large.slots() == self.large_bytes)
        {
            self.large = None;
        }
        let sent = match self.large.as_mut() {
            Some(large) => large.push_entire_slice(piece).is_ok(),
            None => self.small.push_entire_slice(piece).is_ok() || self.send_to_large(piece),
        };
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.waker.wake();
        sent
    }

    #[cold]
    fn send_to_large(&mut self, piece: &[u8]) -> bool {
        let (mut large, consumer) = RingBuffer::new(self.large_bytes);
        let sent = large.push_entire_slice(piece).is_ok() && self.handover.push(consumer).is_ok();
        self.large = sent.then_some(large);
        sent
    }
}

impl RingReceiver {
    /// Takes everything that is there into `out`; returns how much it was.
    pub fn drain(&mut self, out: &mut Vec<u8>) -> usize {
        let before = out.len();
        if self.large.is_none() {
            self.large = self.handover.pop().ok();
        }
        // What the large one holds now is younger than all of the small one's; what comes to it from
        // here on may be older than what comes there.
        let held = self.large.as_ref().map_or(0, Consumer::slots);
        take(&mut self.small, usize::MAX, out);
        if let Some(large) = &mut self.large {
            take(large, held, out);
            if large.is_abandoned() && large.slots() == 0 {
                self.large = None;
            }
        }
        out.len() - before
    }

    /// Bytes of the ring that is always there.
    #[must_use]
    pub fn room(&self) -> usize {
        self.small.buffer().capacity()
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.small.slots() == 0
            && self.handover.slots() == 0
            && self.large.as_ref().is_none_or(|large| large.slots() == 0)
    }

    /// Whether the worker is gone and nothing is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.small.is_abandoned() && self.is_empty()
    }
}

/// Moves what `ring` holds, `most` bytes of it, to `out`.
fn take(ring: &mut Consumer<u8>, most: usize, out: &mut Vec<u8>) {
    if let Ok(chunk) = ring.read_chunk(ring.slots().min(most)) {
        let (first, second) = chunk.as_slices();
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        chunk.commit_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_shrink_while_rings_fill_and_grow_back() {
        let most = Duration::from_millis(16);
        let mut pace = DrainPace::new(most, 800);
        let mut after = |taken| pace.after(taken).as_millis();
        assert_eq!([0, 100, 400].map(&mut after), [16, 16, 16]);
        assert_eq!([401, 200, 5_000].map(&mut after), [8, 8, 4]);
        assert_eq!([900, 900, 900].map(&mut after), [2, 1, 1]);
        assert_eq!([100, 99, 0, 0].map(&mut after), [1, 2, 4, 8]);
        assert_eq!([0, 0].map(&mut after), [16, 16]);
    }

    #[test]
    fn full_rings_drop_whole_lines_and_count_them() {
        let dropped = Arc::new(AtomicU64::new(0));
        let (mut sender, mut receiver) =
            byte_ring(5, 10, Arc::clone(&dropped), ThreadWaker::default());
        for line in ["0123\n", "abcd\n", "efgh\n", "x\n"] {
            sender.send(line.as_bytes());
        }
        let mut out = Vec::new();
        assert_eq!(receiver.drain(&mut out), 15);
        sender.send(b"y\n");
        receiver.drain(&mut out);
        assert_eq!(out, b"0123\nabcd\nefgh\ny\n");
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn large_ring_is_there_for_a_burst_alone() {
        let (mut sender, mut receiver) = byte_ring(4, 100, Arc::default(), ThreadWaker::default());
        let mut out = Vec::new();
        for _ in 0..3 {
            for line in ["1\n", "2\n", "3\n", "4\n"] {
                sender.send(line.as_bytes());
            }
            assert!(sender.large.is_some());
            receiver.drain(&mut out);
            assert!(receiver.large.is_some(), "the sender may write to it yet");
            sender.send(b"5\n");
            assert!(sender.large.is_none());
            receiver.drain(&mut out);
            assert!(receiver.large.is_none());
            assert_eq!(out, b"1\n2\n3\n4\n5\n");
            out.clear();
        }
    }

    #[test]
    fn lines_keep_their_order_across_both_rings_and_threads() {
        let (mut sender, mut receiver) = byte_ring(64, 256, Arc::default(), ThreadWaker::default());
        let thread = thread::spawn(move || {
            for number in 0..100_000_u32 {
                sender.send(format!("{number}\n").as_bytes());
            }
        });
        let (mut out, mut last) = (Vec::new(), None);
        while !receiver.is_done() {
            out.clear();
            receiver.drain(&mut out);
            for line in out
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let number: u32 = std::str::from_utf8(line).unwrap().parse().unwrap();
                assert!(last < Some(number), "{number} behind {last:?}");
                last = Some(number);
            }
        }
        thread.join().unwrap();
        assert!(last.is_some());
    }

    #[test]
    fn every_piece_is_taken_soon_by_one_who_sleeps_whenever_nothing_is_there() {
        const PIECES: usize = 2_000;
        let waker = ThreadWaker::default();
        let (mut sender, mut receiver) = byte_ring(64, 64, Arc::default(), waker.clone());
        let taken = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&taken);
        let thread = thread::spawn(move || {
            let mut out = Vec::new();
            while !receiver.is_done() {
                // A ring that was not heard would hold this up beyond any patience.
                waker.sleep(Duration::from_secs(3_600), || !receiver.is_empty());
                let count = receiver.drain(&mut out) as u64;
                told.fetch_add(count, Ordering::Release);
            }
        });
        for sent in 1..=PIECES as u64 {
            sender.send(b"x");
            while taken.load(Ordering::Acquire) < sent {
                thread::yield_now();
            }
        }
        let waker = sender.waker.clone();
        drop(sender);
        while !thread.is_finished() {
            waker.wake();
            thread::yield_now();
        }
        thread.join().unwrap();
    }
}
