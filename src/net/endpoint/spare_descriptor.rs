//! A spare descriptor per listener, so that where none is left a client can still be refused with a reply.
//!
//! Only accepting uses it. [`SpareDescriptor::lend`] gives it up and takes it back within one step of
//! its thread; where another thread was quicker, nobody connects to a provider ([`is_short`]) until
//! the next free descriptor is the spare one again.

use core::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Socket, Type};

/// Spare descriptors that are lost, over all threads.
static LOST: AtomicUsize = AtomicUsize::new(0);

/// One listener's spare descriptor.
pub(in crate::net) struct SpareDescriptor(Option<Socket>);

impl SpareDescriptor {
    /// Takes a descriptor, if there is one.
    pub(in crate::net) fn new() -> Self {
        let spare = Self(open());
        // Counted only once it is known to be missing: others are connecting meanwhile.
        if spare.0.is_none() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        spare
    }

    /// Whether it is there, or can be had again.
    pub(in crate::net) fn restore(&mut self) -> bool {
        if self.0.is_none() {
            self.0 = open();
            if self.0.is_some() {
                LOST.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.is_some()
    }

    /// Lets `use_it` have the descriptor, which must be free again when it returns. `None` where the
    /// spare descriptor is lost.
    pub(in crate::net) fn lend<T>(&mut self, use_it: impl FnOnce() -> T) -> Option<T> {
        drop(self.0.take()?);
        LOST.fetch_add(1, Ordering::Relaxed);
        let result = use_it();
        self.restore();
        Some(result)
    }
}

impl Drop for SpareDescriptor {
    fn drop(&mut self) {
        if self.0.is_none() {
            LOST.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn open() -> Option<Socket> {
    Socket::new(Domain::UNIX, Type::DGRAM, None).ok()
}

/// Whether a listener lacks its spare descriptor: no connection to a provider is opened then.
pub(in crate::net) fn is_short() -> bool {
    LOST.load(Ordering::Relaxed) > 0
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{SpareDescriptor, is_short};
    use crate::net::endpoint::connect::connect;
    use crate::net::error::NetErrorKind;
    use crate::net::test_support::{WAITS, endpoint_at, in_children, limit_descriptors, listen};

    #[test]
    fn p29_reserve_that_was_lost_comes_back_before_anyone_connects() {
        let name = "net::endpoint::spare_descriptor::tests::p29_reserve_that_was_lost_comes_back_before_anyone_connects";
        in_children(name, || async {
            let (_listener, address) = listen();
            let endpoint = endpoint_at(address, None);
            let mut spare = SpareDescriptor::new();
            limit_descriptors(64);
            let take_all = || std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            let mut hoard: Vec<File> = take_all();
            assert_eq!(spare.lend(|| hoard.len()), Some(hoard.len()));
            assert!(!is_short(), "lent and given back");
            // Another thread takes it meanwhile.
            let stolen: Vec<File> = spare.lend(take_all).expect("was there");
            assert_eq!(stolen.len(), 1);
            assert!(is_short() && !spare.restore());
            assert_eq!(spare.lend(|| ()), None);
            // A descriptor is free, and it is not for connecting.
            hoard.pop();
            let refused = connect(&endpoint, WAITS, |_| true).await.err();
            assert_eq!(
                refused.map(|error| error.kind()),
                Some(NetErrorKind::Exhausted)
            );
            assert!(spare.restore() && !is_short());
            // With another one free it is.
            hoard.pop();
            assert!(connect(&endpoint, WAITS, |_| true).await.is_ok());
            drop(stolen);
            drop(spare);
            assert!(!is_short());
        });
    }
}
