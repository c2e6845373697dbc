#![expect(
    unsafe_code,
    reason = "pin projection of one field; a local pin would store the task twice"
)]
//! Tasks: spawning with panics contained, and yielding.
//!
//! A panic ends the task that had it and nothing else (P31): it is counted on its thread, and its
//! place, never its payload, goes to the reporter given to [`report_panics`].
//!
//! A task must not wake itself: the runtime would run it before all others, and timers would stand
//! still. [`yield_now`] is the way to let others run.

use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::net::sim::task::{JoinHandle, spawn as begin};

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// A spawned task. Dropping it lets the task run on.
///
/// Awaiting it gives the task's result, or `None` if it panicked.
pub struct Task<T>(JoinHandle<Option<T>>);

impl<T> Task<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Runs `future` as a task of this thread.
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Task(begin(CatchPanic { future }))
}

/// Lets the other tasks, timers and sockets of this thread have their turn.
pub async fn yield_now() {
    begin(async {}).await;
}

/// Panics that tasks of this thread have had.
#[must_use]
pub fn panic_count() -> u64 {
    PANICS.get()
}

/// From now on every panic of the process calls `report` with its file and line, in place of
/// the standard message, which holds the payload.
pub fn report_panics(report: fn(file: &str, line: u32)) {
    std::panic::set_hook(Box::new(move |info| match info.location() {
        Some(place) => report(place.file(), place.line()),
        None => report("unknown", 0),
    }));
}

/// A future whose panic becomes `None`.
pub(in crate::net) struct CatchPanic<F> {
    pub(in crate::net) future: F,
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `future` is never moved: it is reached through this projection alone, and
        // `CatchPanic` has neither a `Drop` nor an `Unpin` of its own.
        let future = unsafe { self.map_unchecked_mut(|guarded| &mut guarded.future) };
        // Unwind safety: after a panic the future is not polled again, only dropped.
        if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            return Poll::Ready(Some(ready!(polled)));
        }
        PANICS.set(PANICS.get().saturating_add(1));
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests;
