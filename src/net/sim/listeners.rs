//! Addresses that are listened on, and connecting to them.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use crate::net::sim::socket::{self, SimHandle, SimSocket};
use crate::net::sim::world;

thread_local! {
    static LISTENERS: RefCell<BTreeMap<SocketAddr, Weak<SimBacklog>>> = const { RefCell::new(BTreeMap::new()) };
}

/// An address that is listened on, until this is dropped.
pub struct SimListener(Rc<SimBacklog>);

#[derive(Default)]
struct SimBacklog {
    waiting: RefCell<VecDeque<SimSocket>>,
    waker: RefCell<Option<Waker>>,
}

/// Listens on `address`.
#[must_use]
pub fn listen(address: SocketAddr) -> SimListener {
    let queue = Rc::<SimBacklog>::default();
    let known = Rc::downgrade(&queue);
    LISTENERS.with_borrow_mut(|listeners| listeners.insert(address, known));
    SimListener(queue)
}

impl SimListener {
    /// The next connection.
    pub async fn accept(&self) -> SimSocket {
        poll_fn(|cx| {
            if let Some(end) = self.0.waiting.borrow_mut().pop_front() {
                return Poll::Ready(end);
            }
            *self.0.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// The gateway's end of a new connection to `address`; nothing without a world.
///
/// # Errors
/// Nobody listens there, or a failure is injected.
pub async fn connect(address: SocketAddr) -> Option<io::Result<SimHandle>> {
    let world = world::current()?;
    let pause = world.draw(|random| random.pick(&[0, 0, 1, 20])) * 50_000;
    socket::pass(&world, pause).await;
    if world.draw(|random| random.one_in(world.fault_rates().unreachable)) {
        let errno = world.draw(|random| random.pick(&CONNECT_FAULTS));
        world.note(u64::from(errno.unsigned_abs()));
        if errno == 0 {
            // The address does not answer at all.
            return core::future::pending().await;
        }
        return Some(Err(io::Error::from_raw_os_error(errno)));
    }
    let known = LISTENERS.with_borrow(|listeners| listeners.get(&address).and_then(Weak::upgrade));
    let Some(queue) = known else {
        return Some(Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)));
    };
    let (ours, theirs) = socket::pair(&world);
    queue.waiting.borrow_mut().push_back(theirs);
    queue.waker.take().into_iter().for_each(Waker::wake);
    Some(Ok(Rc::new(ours)))
}

/// What a connect may fail with; nought: it hangs.
const CONNECT_FAULTS: [i32; 7] = [
    0,
    libc::ECONNREFUSED,
    libc::EMFILE,
    libc::ENOBUFS,
    libc::ECANCELED,
    libc::ENOMEM,
    libc::EHOSTUNREACH,
];
