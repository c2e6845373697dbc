//! Requests that are due, and clients that wait for one: on one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// What is due.
#[derive(Debug, Default)]
pub struct Queue {
    due: RefCell<VecDeque<u64>>,
    sleepers: RefCell<Vec<Waker>>,
    closed: Cell<bool>,
}

impl Queue {
    /// Adds a request that was due at this moment; false if there is no room.
    pub fn push(&self, due: u64) -> bool {
        let mut queue = self.due.borrow_mut();
        if queue.len() >= DUE_MAX {
            return false;
        }
        queue.push_back(due);
        // The client that waited the shortest has the warmest connection.
        if let Some(sleeper) = self.sleepers.borrow_mut().pop() {
            sleeper.wake();
        }
        true
    }

    /// Says that no more will come.
    pub fn close(&self) {
        self.closed.set(true);
        for sleeper in self.sleepers.borrow_mut().drain(..) {
            sleeper.wake();
        }
    }

    /// Waits for the next; nothing when the queue is closed and empty.
    pub async fn next(&self) -> Option<u64> {
        poll_fn(|context| {
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return Poll::Ready(Some(due));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            self.sleepers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Takes what is left.
    pub fn drain(&self) -> usize {
        self.due.borrow_mut().drain(..).count()
    }
}

/// A signal that all who wait for it see.
#[derive(Debug, Default)]
pub struct Stop {
    given: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Stop {
    /// Gives it.
    pub fn give(&self) {
        self.given.set(true);
        for waker in self.waiting.borrow_mut().drain(..) {
            waker.wake();
        }
    }

    /// Whether it was given.
    pub const fn is_given(&self) -> bool {
        self.given.get()
    }

    /// What `future` gives; nothing if the signal comes first.
    pub async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let mut listed = false;
        poll_fn(|context| {
            if self.given.get() {
                return Poll::Ready(None);
            }
            if !listed {
                self.waiting.borrow_mut().push(context.waker().clone());
                listed = true;
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}

/// Requests that may be due and not sent.
const DUE_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::{DUE_MAX, Queue};

    #[test]
    fn queue_takes_its_bound_and_no_more() {
        let queue = Queue::default();
        assert!((0..DUE_MAX as u64).all(|due| queue.push(due)));
        assert!(!queue.push(0));
        assert_eq!(queue.drain(), DUE_MAX);
    }
}
