//! Stand-ins for the runtime's tasks: the world's where there is one, else the runtime's.

use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use crate::net::sim::world::{self, SimTaskOwner};

/// A spawned task.
pub enum JoinHandle<T> {
    /// The runtime's.
    Runtime(monoio::task::JoinHandle<T>),
    /// The world's.
    World(Rc<RefCell<TaskOutcome<T>>>),
}

/// What became of a task.
pub struct TaskOutcome<T> {
    is_over: bool,
    output: Option<T>,
    waker: Option<Waker>,
}

impl<T> JoinHandle<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self {
            Self::Runtime(handle) => handle.is_finished(),
            Self::World(outcome) => outcome.borrow().is_over,
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut *self {
            Self::Runtime(handle) => Pin::new(handle).poll(cx),
            Self::World(outcome) => {
                let mut outcome = outcome.borrow_mut();
                match outcome.output.take() {
                    Some(output) => Poll::Ready(output),
                    None => {
                        outcome.waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            }
        }
    }
}

/// Runs `future` as a task of this thread.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let Some(world) = world::current() else {
        return JoinHandle::Runtime(monoio::spawn(future));
    };
    let outcome = Rc::new(RefCell::new(TaskOutcome {
        is_over: false,
        output: None,
        waker: None,
    }));
    let told = Rc::clone(&outcome);
    world.spawn(SimTaskOwner::Gateway, async move {
        let output = future.await;
        let mut outcome = told.borrow_mut();
        outcome.is_over = true;
        outcome.output = Some(output);
        outcome.waker.take().into_iter().for_each(Waker::wake);
    });
    JoinHandle::World(outcome)
}
