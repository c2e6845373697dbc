//! Telling a worker's connections that the process is ending.
//!
//! Idle connections close at once, running exchanges finish, and past the drain limit what is
//! left is cut. Each connection parks its waker here once; nothing is polled for.

use core::cell::{Cell, RefCell};
use core::task::Waker;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Open,
    /// Readiness says no; requests are still taken.
    Closing,
    /// No new request; running exchanges finish.
    Draining,
    /// The limit has passed: everything ends now.
    Cut,
}

/// The state of one worker; shared by its connections.
#[derive(Debug)]
pub struct Drain {
    phase: Cell<Phase>,
    wakers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
}

/// A connection's place; gives it back when dropped.
#[derive(Debug)]
pub struct Seat<'d> {
    drain: &'d Drain,
    at: usize,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            phase: Cell::new(Phase::Open),
            wakers: RefCell::default(),
            free: RefCell::default(),
        }
    }
}

impl Drain {
    /// How far the end has come.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Connections that are open.
    pub fn seated(&self) -> usize {
        self.wakers.borrow().len() - self.free.borrow().len()
    }

    /// Moves on to `phase` (never back) and wakes every connection.
    pub fn advance(&self, phase: Phase) {
        if phase <= self.phase.get() {
            return;
        }
        self.phase.set(phase);
        let wakers: Vec<Waker> = self.wakers.borrow().iter().flatten().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Takes a place for a connection whose task `waker` wakes.
    pub fn sit(&self, waker: Waker) -> Seat<'_> {
        let mut wakers = self.wakers.borrow_mut();
        let at = self.free.borrow_mut().pop().unwrap_or(wakers.len());
        match wakers.get_mut(at) {
            Some(place) => *place = Some(waker),
            None => wakers.push(Some(waker)),
        }
        Seat { drain: self, at }
    }

    /// Gives back what the places have grown to, where none is taken.
    pub fn trim(&self) {
        if self.seated() == 0 {
            self.wakers.take();
            self.free.take();
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.drain.wakers.borrow_mut().get_mut(self.at) {
            *place = None;
        }
        self.drain.free.borrow_mut().push(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_reused_and_phases_only_advance() {
        let drain = Drain::default();
        let first = drain.sit(Waker::noop().clone());
        {
            let _second = drain.sit(Waker::noop().clone());
            assert_eq!(drain.seated(), 2);
        }
        let _third = drain.sit(Waker::noop().clone());
        assert_eq!(drain.wakers.borrow().len(), 2);
        drain.trim();
        assert_eq!(drain.seated(), 2, "nobody lost a place");
        drop(first);
        assert_eq!(drain.seated(), 1);
        drain.advance(Phase::Cut);
        drain.advance(Phase::Draining);
        assert_eq!(drain.phase(), Phase::Cut);
    }

    #[test]
    fn places_of_a_crowd_are_given_back_when_it_has_left() {
        let drain = Drain::default();
        let crowd: Vec<_> = (0..100).map(|_| drain.sit(Waker::noop().clone())).collect();
        drop(crowd);
        drain.trim();
        assert_eq!(drain.wakers.borrow().capacity(), 0);
        assert_eq!(drain.free.borrow().capacity(), 0);
        let _next = drain.sit(Waker::noop().clone());
        assert_eq!(drain.seated(), 1);
    }
}
