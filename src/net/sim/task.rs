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
            Self::World(fate) => fate.borrow().is_over,
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut *self {
            Self::Runtime(handle) => Pin::new(handle).poll(cx),
            Self::World(fate) => {
                let mut fate = fate.borrow_mut();
                match fate.output.take() {
                    Some(output) => Poll::Ready(output),
                    None => {
                        fate.waker = Some(cx.waker().clone());
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
    let fate = Rc::new(RefCell::new(TaskOutcome {
        is_over: false,
        output: None,
        waker: None,
    }));
    let told = Rc::clone(&fate);
    world.spawn(SimTaskOwner::Gateway, async move {
        let output = future.await;
        let mut fate = told.borrow_mut();
        fate.is_over = true;
        fate.output = Some(output);
        fate.waker.take().into_iter().for_each(Waker::wake);
    });
    JoinHandle::World(fate)
}
