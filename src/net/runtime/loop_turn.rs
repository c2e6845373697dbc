//! Turns of the event loop: on epoll the writes of a turn wait for its end, and on both drivers `mark` and
//! `has_passed` tell whether the kernel's events were read in between.
//!
//! A write on epoll is a system call made on the spot, and wakes a peer that sleeps. Spread over a
//! turn, between one task's work and the next's, writes find their peer asleep again and again; made
//! together they find it awake. io_uring does so by itself: it submits when the tasks have run.
//!
//! ```text
//!   woken    a  b  c                  a: read, work, wait     b: …     c: …
//!   then     (end watcher)            wakes those that wait
//!   then     a  b  c                  a: write                b: write c: write
//! ```
//!
//! On epoll a whole request went from 26.9 to 22.2 µs of CPU (docs/PERFORMANCE.md).
//!
//! On io_uring `end` never waits. Without an end watcher, as in a simulated world, no turn ever passes.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

thread_local! {
    static TURN: RefCell<LoopTurn> = const { RefCell::new(LoopTurn::new()) };
}

struct LoopTurn {
    /// Wakes the end watcher, where there is one.
    end_watcher: Option<Waker>,
    /// Tasks that wait for the end. Drained every turn.
    waiting: Vec<Waker>,
    /// Empty, but for while the end watcher wakes; kept so that no turn allocates.
    woken: Vec<Waker>,
    /// Turns that have ended, of those that a task asked about.
    count: u64,
    /// Writes wait for the end.
    defers_writes: bool,
    /// The end watcher is to be woken in this turn.
    is_called: bool,
}

impl LoopTurn {
    const fn new() -> Self {
        Self {
            end_watcher: None,
            waiting: Vec::new(),
            woken: Vec::new(),
            count: 0,
            defers_writes: false,
            is_called: false,
        }
    }

    /// Queues the end watcher behind all that is to run in this turn.
    fn call(&mut self) {
        if !self.is_called
            && let Some(end_watcher) = &self.end_watcher
        {
            self.is_called = true;
            end_watcher.wake_by_ref();
        }
    }
}

/// Forgets the end watcher of a runtime that this thread had before.
pub(in crate::net) fn reset() {
    TURN.set(LoopTurn::new());
}

/// Frees the lists where no task waits.
pub(in crate::net) fn trim() {
    TURN.with_borrow_mut(|turn| {
        if turn.waiting.is_empty() {
            turn.waiting = Vec::new();
            turn.woken = Vec::new();
        }
    });
}

/// Notes the end of every turn that a task asks about. A task of its own; never ends. With `defers_writes`,
/// [`end`] waits for it.
pub(in crate::net) async fn end_watcher(defers_writes: bool) {
    poll_fn(|cx| {
        let mut ended = TURN.with_borrow_mut(|turn| {
            turn.end_watcher.get_or_insert_with(|| cx.waker().clone());
            turn.defers_writes = defers_writes;
            turn.is_called = false;
            turn.count += 1;
            let empty = core::mem::take(&mut turn.woken);
            core::mem::replace(&mut turn.waiting, empty)
        });
        ended.drain(..).for_each(Waker::wake);
        TURN.with_borrow_mut(|turn| turn.woken = ended);
        Poll::Pending
    })
    .await
}

/// Waits until every task that was woken before has run. Safe to drop.
pub(in crate::net) async fn end() {
    let mut begun = None;
    poll_fn(|cx| {
        TURN.with_borrow_mut(|turn| {
            if !turn.defers_writes || *begun.get_or_insert(turn.count) != turn.count {
                return Poll::Ready(());
            }
            turn.call();
            turn.waiting.push(cx.waker().clone());
            Poll::Pending
        })
    })
    .await
}

/// Whether the task that runs has just begun to wait for the end of this turn: it runs again before the
/// kernel's events are read, and need not look at anything else before that (an event relayed on epoll takes
/// 500 instructions less).
#[must_use]
pub fn is_awaited(cx: &Context<'_>) -> bool {
    TURN.with_borrow(|turn| {
        let latest = turn.waiting.last();
        latest.is_some_and(|waker| waker.will_wake(cx.waker()))
    })
}

/// Marks this turn, for [`has_passed`].
pub(in crate::net) fn mark() -> u64 {
    TURN.with_borrow_mut(|turn| {
        turn.call();
        turn.count
    })
}

/// Whether the turn that was marked is over: what the kernel had to tell at its end has been heard.
pub(in crate::net) fn has_passed(mark: u64) -> bool {
    TURN.with_borrow(|turn| turn.count != mark)
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;
    use core::future::poll_fn;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use std::rc::Rc;

    use crate::net::runtime::driver::{self, DriverChoice};
    use crate::net::runtime::loop_turn;
    use crate::net::runtime::task;
    use crate::net::test_support::{allocations, has_uring};

    /// The order in which three tasks, woken together, do their work and then their writes.
    fn order(choice: DriverChoice) -> String {
        let told = Rc::new(RefCell::new(String::new()));
        let heard = Rc::clone(&told);
        let main = || async move {
            let tasks = ["a", "b", "c"].map(|name| {
                let told = Rc::clone(&told);
                task::spawn(async move {
                    told.borrow_mut().push_str(name);
                    loop_turn::end().await;
                    told.borrow_mut().push_str(&name.to_uppercase());
                })
            });
            for task in tasks {
                task.await.expect("no panic");
            }
        };
        driver::run_worker(choice, |_| (), main).expect("runs");
        heard.take()
    }

    #[test]
    fn end_comes_after_the_work_of_all_on_epoll_and_at_once_on_uring() {
        assert_eq!(order(DriverChoice::Epoll), "abcABC");
        if has_uring() {
            assert_eq!(order(DriverChoice::Uring), "aAbBcC");
        }
        assert_eq!(
            order(DriverChoice::Epoll),
            "abcABC",
            "a second runtime of one thread"
        );
    }

    #[test]
    fn is_awaited_by_the_task_that_waits_for_the_end_until_it_comes() {
        for (choice, expected) in [(DriverChoice::Epoll, true), (DriverChoice::Uring, false)] {
            if choice == DriverChoice::Uring && !has_uring() {
                continue;
            }
            let main = || async move {
                // The end watcher has run, and told how writes go out.
                task::spawn(async {}).await.expect("no panic");
                let mut ending = pin!(loop_turn::end());
                let mut is_awaited = Vec::new();
                poll_fn(|cx| {
                    is_awaited.push(loop_turn::is_awaited(cx));
                    let polled = ending.as_mut().poll(cx);
                    is_awaited.push(loop_turn::is_awaited(cx));
                    polled
                })
                .await;
                let other = poll_fn(|_| {
                    let nobody = &mut Context::from_waker(Waker::noop());
                    Poll::Ready(loop_turn::is_awaited(nobody))
                });
                assert!(!other.await);
                is_awaited
            };
            let seen = driver::run_worker(choice, |_| (), main).expect("runs");
            let waits: &[bool] = if expected {
                &[false, true, false, false]
            } else {
                &[false, false]
            };
            assert_eq!(seen, waits, "{choice:?}");
        }
    }

    #[test]
    fn end_in_steady_state_allocates_nothing_and_holds_no_one() {
        let main = || async {
            for _ in 0..8 {
                loop_turn::end().await;
            }
            let before = allocations();
            for _ in 0..100 {
                loop_turn::end().await;
            }
            assert_eq!(allocations(), before);
            loop_turn::TURN.with_borrow(|turn| assert!(turn.waiting.is_empty()));
            loop_turn::trim();
            loop_turn::TURN.with_borrow(|turn| {
                assert_eq!(turn.waiting.capacity() + turn.woken.capacity(), 0);
            });
            loop_turn::end().await;
        };
        driver::run_worker(DriverChoice::Epoll, |_| (), main).expect("runs");
    }
}
