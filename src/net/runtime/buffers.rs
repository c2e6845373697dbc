//! Buffers: free lists per thread.
//!
//! [`take`] hands out an empty `Vec<u8>` of one of four sizes, [`give`] takes it back. What a
//! thread keeps is bounded by `FREE_BUFFERS_MAX`. In steady state no read or write allocates, and
//! neither does [`share`], where what it made comes back by [`unshare`].
//!
//! Not here: the process-wide budget for large buffers (see `proxy::budget`).

use core::cell::RefCell;
use std::rc::Rc;

use crate::limits::{
    BUSY_READ_BYTES, FREE_BUFFERS_MAX, FREE_SHARES_MAX, MIDDLE_READ_BYTES, QUIET_READ_BYTES,
    STATE_BYTES,
};

thread_local! {
    static FREE: RefCell<[FreeList<Vec<u8>>; 4]> = const { RefCell::new([const { FreeList::new() }; 4]) };
    /// What [`share`] counts owners in, empty.
    static SHARES: RefCell<FreeList<Rc<Vec<u8>>>> = const { RefCell::new(FreeList::new()) };
}

/// Free things of one kind: the buffers of a size, say.
struct FreeList<T> {
    free: Vec<T>,
    /// The fewest that lay here since the last [`trim_unused`]: so many were not needed.
    unused: usize,
}

impl<T> FreeList<T> {
    const fn new() -> Self {
        Self {
            free: Vec::new(),
            unused: 0,
        }
    }

    fn pop(&mut self) -> Option<T> {
        let one = self.free.pop();
        self.unused = self.unused.min(self.free.len());
        one
    }

    /// Takes one in, where fewer than `most` lie here.
    fn push(&mut self, one: T, most: usize) {
        if self.free.len() < most {
            self.free.push(one);
        }
    }

    /// Frees those at the bottom, which have lain here for longest.
    fn trim_unused(&mut self) {
        self.free.drain(..self.unused);
        self.unused = self.free.len();
        // The list itself lives on between what is freed, and would hold the memory around it.
        self.free.shrink_to(2 * self.unused);
    }
}

/// A size of buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 1.5 KiB: what a quiet connection holds.
    Quiet,
    /// 4 KiB.
    State,
    /// 16 KiB.
    Middle,
    /// 32 KiB: what a busy connection reads at once.
    Busy,
}

impl Class {
    const ALL: [Self; 4] = [Self::Quiet, Self::State, Self::Middle, Self::Busy];

    /// Capacity of its buffers, at least.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Quiet => QUIET_READ_BYTES,
            Self::State => STATE_BYTES,
            Self::Middle => MIDDLE_READ_BYTES,
            Self::Busy => BUSY_READ_BYTES,
        }
    }

    /// The smallest class that holds `bytes`; the largest one if none does.
    #[must_use]
    pub const fn fitting(bytes: usize) -> Self {
        if bytes <= QUIET_READ_BYTES {
            Self::Quiet
        } else if bytes <= STATE_BYTES {
            Self::State
        } else if bytes <= MIDDLE_READ_BYTES {
            Self::Middle
        } else {
            Self::Busy
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Quiet => 0,
            Self::State => 1,
            Self::Middle => 2,
            Self::Busy => 3,
        }
    }

    /// The class whose list a buffer of this capacity goes to: at least its size, and less than
    /// twice that, so that the lists' bound in buffers is one in bytes.
    fn of_capacity(capacity: usize) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|class| (class.bytes()..2 * class.bytes()).contains(&capacity))
    }
}

/// An empty buffer of at least the class's size.
#[must_use]
pub fn take(class: Class) -> Vec<u8> {
    FREE.with_borrow_mut(|free| free[class.index()].pop())
        .unwrap_or_else(|| Vec::with_capacity(class.bytes()))
}

/// Makes room for `more` bytes behind those of `buffer`, in a buffer of a class where one is large
/// enough. Growing by itself would double it.
pub fn make_room(buffer: &mut Vec<u8>, more: usize) {
    let wanted = buffer.len().saturating_add(more);
    if wanted <= buffer.capacity() {
        return;
    }
    if wanted > Class::Busy.bytes() {
        return buffer.reserve(more);
    }
    let mut larger = take(Class::fitting(wanted));
    larger.extend_from_slice(buffer);
    give(core::mem::replace(buffer, larger));
}

/// Takes a buffer back. One that fits no class, or finds its list full, is freed.
pub fn give(mut buffer: Vec<u8>) {
    let Some(class) = Class::of_capacity(buffer.capacity()) else {
        return;
    };
    buffer.clear();
    let most = FREE_BUFFERS_MAX[class.index()];
    FREE.with_borrow_mut(|free| free[class.index()].push(buffer, most));
}

/// A buffer that several may read.
#[must_use]
pub fn share(buffer: Vec<u8>) -> Rc<Vec<u8>> {
    let mut share = SHARES.with_borrow_mut(FreeList::pop).unwrap_or_default();
    match Rc::get_mut(&mut share) {
        Some(place) => *place = buffer,
        None => return Rc::new(buffer),
    }
    share
}

/// The buffer again, where nobody else reads it any more.
pub fn unshare(mut share: Rc<Vec<u8>>) -> Option<Vec<u8>> {
    let buffer = core::mem::take(Rc::get_mut(&mut share)?);
    SHARES.with_borrow_mut(|shares| shares.push(share, FREE_SHARES_MAX));
    Some(buffer)
}

/// Frees what the thread's lists hold.
pub fn trim() {
    FREE.with_borrow_mut(|free| free.iter_mut().for_each(|list| *list = FreeList::new()));
    SHARES.replace(FreeList::new());
}

/// Frees what nobody took since the last call: what a burst has left.
pub(in crate::net) fn trim_unused() {
    FREE.with_borrow_mut(|free| free.iter_mut().for_each(FreeList::trim_unused));
    SHARES.with_borrow_mut(FreeList::trim_unused);
}

/// Bytes that the thread's lists hold.
#[cfg(test)]
pub(in crate::net) fn free_bytes() -> usize {
    FREE.with_borrow(|free| {
        let buffers = free.iter().flat_map(|list| &list.free);
        buffers.map(Vec::capacity).sum()
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{
        Class, FREE, free_bytes, give, make_room, share, take, trim, trim_unused, unshare,
    };
    use crate::limits::{FREE_BUFFERS_MAX, FREE_SHARES_MAX, KIB};

    #[test]
    fn take_after_give_returns_same_memory_emptied() {
        let mut first = take(Class::Quiet);
        first.extend_from_slice(b"left over");
        let place = first.as_ptr();
        give(first);
        let second = take(Class::Quiet);
        assert_eq!(second.as_ptr(), place);
        assert!(second.is_empty());
        assert!(second.capacity() >= Class::Quiet.bytes());
    }

    #[test]
    fn give_over_the_bound_frees() {
        trim();
        for class in Class::ALL {
            let many: Vec<_> = (0..300).map(|_| take(class)).collect();
            many.into_iter().for_each(give);
        }
        let bound = Class::ALL
            .into_iter()
            .map(|class| FREE_BUFFERS_MAX[class.index()] * class.bytes())
            .sum::<usize>();
        assert_eq!(free_bytes(), bound);
        trim();
        assert_eq!(free_bytes(), 0);
    }

    #[test]
    fn trim_unused_frees_what_nobody_took_since_the_last_time() {
        trim();
        let burst: Vec<_> = (0..10).map(|_| take(Class::Quiet)).collect();
        burst.into_iter().for_each(give);
        trim_unused();
        assert_eq!(free_bytes(), 10 * Class::Quiet.bytes(), "all were in use");
        let two = [take(Class::Quiet), take(Class::Quiet)];
        two.into_iter().for_each(give);
        trim_unused();
        assert_eq!(free_bytes(), 2 * Class::Quiet.bytes());
        trim_unused();
        assert_eq!(free_bytes(), 0);
        let shares: Vec<_> = (0..100).map(|_| share(Vec::new())).collect();
        for share in shares {
            unshare(share);
        }
        trim_unused();
        trim_unused();
        FREE.with_borrow(|free| assert!(free.iter().all(|list| list.free.capacity() == 0)));
        super::SHARES.with_borrow(|shares| assert_eq!(shares.free.capacity(), 0));
    }

    #[test]
    fn make_room_keeps_what_is_there_and_takes_the_smallest_class_that_fits() {
        trim();
        for (there, more, capacity) in [
            (0, 1, Class::Quiet.bytes()),
            (10, Class::Quiet.bytes() - 10, Class::Quiet.bytes()),
            (10, Class::Quiet.bytes() - 9, Class::State.bytes()),
            (10, Class::State.bytes() - 9, Class::Middle.bytes()),
            (10, Class::Busy.bytes() - 10, Class::Busy.bytes()),
        ] {
            let mut buffer = vec![7; there];
            make_room(&mut buffer, more);
            assert_eq!((buffer.len(), buffer.capacity()), (there, capacity));
            assert!(buffer.iter().all(|&byte| byte == 7));
            let place = buffer.as_ptr();
            make_room(&mut buffer, more);
            assert_eq!(buffer.as_ptr(), place, "there was room");
        }
        let mut large = vec![7; 10];
        make_room(&mut large, Class::Busy.bytes() - 9);
        assert!(large.capacity() > Class::Busy.bytes());
        trim();
    }

    #[test]
    fn unshare_gives_the_buffer_back_to_its_last_reader_alone() {
        trim();
        let first = share(b"first".to_vec());
        let second = Rc::clone(&first);
        assert_eq!(unshare(first), None);
        assert_eq!(unshare(second).as_deref(), Some(&b"first"[..]));
        let third = share(b"third".to_vec());
        assert_eq!(third.as_slice(), b"third", "nothing of the one before");
        let many: Vec<_> = (0..FREE_SHARES_MAX + 9).map(|_| share(vec![7])).collect();
        for share in many {
            assert_eq!(unshare(share), Some(vec![7]));
        }
        super::SHARES.with_borrow(|shares| assert_eq!(shares.free.len(), FREE_SHARES_MAX));
        trim();
    }

    #[test]
    fn give_of_odd_capacity_is_kept_only_near_a_class() {
        trim();
        give(Vec::new());
        give(Vec::with_capacity(1000));
        give(Vec::with_capacity(10 * KIB));
        give(Vec::with_capacity(200 * KIB));
        assert_eq!(free_bytes(), 0);
        give(Vec::with_capacity(2 * KIB));
        assert_eq!(free_bytes(), 2 * KIB);
        trim();
    }
}
