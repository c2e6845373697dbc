#![expect(
    unsafe_code,
    reason = "a future is placed into, and dropped within, a buffer of the free lists"
)]
//! Futures in buffers of the thread's free lists instead of on the heap.
//!
//! An exchange's state is some kilobytes and lives for one request. The allocator hands out blocks of
//! such a size in turn, memory that no cache holds any more; the free lists hand out what was given
//! back last, and ask the allocator for nothing.

use core::mem::{align_of, size_of};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use crate::net::runtime::buffers::{self, Class};

/// A pinned future in a buffer of the free lists.
pub struct RecycledFuture<F> {
    /// Lies within `buffer`, aligned.
    future: NonNull<F>,
    buffer: Vec<u8>,
}

/// Makes a future in a buffer of this thread's free lists.
///
/// It is made there and not moved there: what it starts with is written, and the kilobytes that it will
/// want are not copied.
pub fn boxed<F: Future>(make: impl FnOnce() -> F) -> RecycledFuture<F> {
    let room = size_of::<F>() + align_of::<F>();
    let mut buffer = buffers::take(Class::fitting(room));
    buffer.reserve(room);
    let start = buffer.as_mut_ptr();
    // SAFETY: what aligns is less than the alignment, and the capacity holds that and the future.
    let place = unsafe { start.add(start.align_offset(align_of::<F>())) }.cast::<F>();
    // SAFETY: `place` is aligned, within memory that nobody else reads or writes. Should `make` panic,
    // nothing was written, and the buffer is freed.
    unsafe { place.write(make()) };
    // SAFETY: a pointer into an allocation is not null.
    let future = unsafe { NonNull::new_unchecked(place) };
    RecycledFuture { future, buffer }
}

impl<F: Future> Future for RecycledFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: written by `boxed`, dropped by `drop` alone; `self` is borrowed for as long as this is.
        let future = unsafe { self.future.as_mut() };
        // SAFETY: it is never moved: the buffer is neither changed nor given away before its drop.
        unsafe { Pin::new_unchecked(future) }.poll(cx)
    }
}

impl<F> Drop for RecycledFuture<F> {
    fn drop(&mut self) {
        // SAFETY: written by `boxed` and dropped here, once. Should its own drop panic, the buffer is
        // freed and not used again.
        unsafe { self.future.drop_in_place() };
        buffers::give(core::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use std::rc::Rc;

    use super::boxed;
    use crate::net::runtime::buffers;
    use crate::net::test_support::allocations;

    #[repr(align(128))]
    struct Aligned([u8; 128]);

    /// Holds `value` over an await, `N` bytes in all at least.
    async fn held<const N: usize>(value: Rc<u8>) -> usize {
        let (large, aligned) = ([*value; N], Aligned([*value; 128]));
        let mut first = true;
        core::future::poll_fn(|_| {
            if core::mem::take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        assert_eq!((&raw const aligned).addr() % 128, 0);
        large
            .iter()
            .chain(&aligned.0)
            .filter(|&&byte| byte == *value)
            .count()
    }

    #[test]
    fn boxed_of_every_size_and_alignment_runs_and_is_dropped_once() {
        let value = Rc::new(7);
        let mut context = Context::from_waker(Waker::noop());
        let mut small = pin!(boxed(|| held::<10>(Rc::clone(&value))));
        let mut middle = pin!(boxed(|| held::<5_000>(Rc::clone(&value))));
        let mut huge = pin!(boxed(|| held::<100_000>(Rc::clone(&value))));
        assert!(small.as_mut().poll(&mut context).is_pending());
        assert!(middle.as_mut().poll(&mut context).is_pending());
        assert!(huge.as_mut().poll(&mut context).is_pending());
        assert_eq!(small.as_mut().poll(&mut context), Poll::Ready(138));
        assert_eq!(middle.as_mut().poll(&mut context), Poll::Ready(5_128));
        assert_eq!(huge.as_mut().poll(&mut context), Poll::Ready(100_128));
        assert_eq!(Rc::strong_count(&value), 1, "what they held is gone");
        {
            let mut left = pin!(boxed(|| held::<10>(Rc::clone(&value))));
            assert!(left.as_mut().poll(&mut context).is_pending());
            assert_eq!(Rc::strong_count(&value), 2);
        }
        assert_eq!(Rc::strong_count(&value), 1, "dropped early");
    }

    #[test]
    fn boxed_in_steady_state_allocates_nothing() {
        let value = Rc::new(7);
        let run = || {
            let mut future = pin!(boxed(|| held::<3_000>(Rc::clone(&value))));
            let mut context = Context::from_waker(Waker::noop());
            while future.as_mut().poll(&mut context).is_pending() {}
        };
        buffers::trim();
        run();
        let before = allocations();
        (0..100).for_each(|_| run());
        assert_eq!(allocations(), before);
        buffers::trim();
    }
}
