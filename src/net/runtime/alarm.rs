//! Alarms: all waiting for time of a thread, on one timer of the runtime.
//!
//! A timer of the runtime takes 640 bytes, and every connection has one. Here each is a place in a
//! list and one in a heap, 48 bytes in all; one task, the keeper, waits for the one that is due first.
//!
//! - An alarm is never early. It rings once, for whoever polled it last.
//! - Setting, moving and taking down take logarithmic time, a poll constant time.
//! - In steady state nothing is allocated.

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};

use monoio::time;

use crate::net::runtime::clock::{self, Instant};

thread_local! {
    static ALARMS: RefCell<Timers> = const { RefCell::new(Timers::new()) };
}

/// Waits until a point in time; from its first poll on it is set, until it rings or is dropped.
#[derive(Debug)]
pub(crate) struct Sleep {
    at: Instant,
    state: SleepState,
}

#[derive(Clone, Copy, Debug)]
enum SleepState {
    New,
    /// Set, at this place of the list.
    Set(usize),
    Fired,
}

/// A wait until `at`.
pub(in crate::net) const fn sleep_until(at: Instant) -> Sleep {
    Sleep {
        at,
        state: SleepState::New,
    }
}

/// Forgets the alarms of a runtime that this thread had before.
pub(in crate::net) fn reset() {
    // Not dropped while it is borrowed: a waker may be the last hold on a task that has alarms.
    drop(ALARMS.replace(Timers::new()));
}

/// Gives back what the lists have grown to, where nothing is set.
pub(in crate::net) fn trim() {
    ALARMS.with_borrow_mut(|alarms| {
        if alarms.heap.is_empty() && alarms.free.len() == alarms.places.len() {
            alarms.heap = Vec::new();
            alarms.places = Vec::new();
            alarms.free = Vec::new();
            alarms.due = Vec::new();
        }
    });
}

/// Rings every alarm that is due. A task of its own; never ends.
pub(in crate::net) async fn keep() {
    let mut timer = pin!(time::sleep(core::time::Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let now = clock::now();
            let (mut due, next) = ALARMS.with_borrow_mut(|alarms| {
                alarms.keeper.get_or_insert_with(|| cx.waker().clone());
                let mut due = core::mem::take(&mut alarms.due);
                let next = alarms.take_due(now, &mut due);
                (due, next)
            });
            due.drain(..).for_each(Waker::wake);
            ALARMS.with_borrow_mut(|alarms| alarms.due = due);
            let Some(next) = next else {
                return Poll::<()>::Pending;
            };
            timer.as_mut().reset(next.to_runtime());
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

impl Sleep {
    /// Moves it.
    pub(in crate::net) fn reset(&mut self, at: Instant) {
        self.at = at;
        match self.state {
            SleepState::New => {}
            SleepState::Set(place) => ALARMS.with_borrow_mut(|alarms| alarms.place_at(place, at)),
            SleepState::Fired => self.state = SleepState::New,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let place = match self.state {
            SleepState::Fired => return Poll::Ready(()),
            SleepState::Set(place) => place,
            SleepState::New => {
                let waker = cx.waker().clone();
                let place = ALARMS.with_borrow_mut(|alarms| alarms.set(self.at, waker));
                self.state = SleepState::Set(place);
                return Poll::Pending;
            }
        };
        let (has_fired, _other) = ALARMS.with_borrow_mut(|alarms| alarms.poll(place, cx.waker()));
        if has_fired {
            self.state = SleepState::Fired;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let SleepState::Set(place) = self.state {
            // Its waker outlives the borrow, see `reset`. A thread that ends has dropped the list.
            let _waker = ALARMS.try_with(|alarms| alarms.borrow_mut().unset(place));
        }
    }
}

struct Timers {
    /// None is due before its parent, the one at half its place.
    heap: Vec<TimerEntry>,
    places: Vec<TimerSlot>,
    /// Places that nobody has.
    free: Vec<usize>,
    /// Empty, but for while the keeper wakes; kept so that no turn allocates.
    due: Vec<Waker>,
    keeper: Option<Waker>,
    /// When the keeper wakes, if nobody wakes it.
    kept_for: Option<Instant>,
}

#[derive(Clone, Copy)]
struct TimerEntry {
    at: Instant,
    place: usize,
}

struct TimerSlot {
    /// Where in the heap; none once it has has_fired.
    heap_at: Option<usize>,
    /// Whom it wakes, until it has.
    waker: Option<Waker>,
}

impl Timers {
    const fn new() -> Self {
        Self {
            heap: Vec::new(),
            places: Vec::new(),
            free: Vec::new(),
            due: Vec::new(),
            keeper: None,
            kept_for: None,
        }
    }

    fn set(&mut self, at: Instant, waker: Waker) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(TimerSlot {
                heap_at: None,
                waker: None,
            });
            self.places.len() - 1
        });
        self.places[place].waker = Some(waker);
        self.place_at(place, at);
        place
    }

    /// Whether the alarm has has_fired; its place is free then. Else `waker` is whom it wakes, and the one
    /// before is given back.
    fn poll(&mut self, place: usize, waker: &Waker) -> (bool, Option<Waker>) {
        let set = &mut self.places[place];
        if set.heap_at.is_none() {
            self.free.push(place);
            return (true, None);
        }
        let is_same = set.waker.as_ref().is_some_and(|one| one.will_wake(waker));
        let other = (!is_same).then(|| set.waker.replace(waker.clone()));
        (false, other.flatten())
    }

    /// Takes an alarm down and gives its waker back. One of an earlier runtime is not here any more.
    fn unset(&mut self, place: usize) -> Option<Waker> {
        let set = self.places.get_mut(place)?;
        let waker = set.waker.take();
        if let Some(heap_at) = set.heap_at.take() {
            self.remove(heap_at);
        }
        self.free.push(place);
        waker
    }

    /// Sets or moves an alarm; the keeper is woken where it would come too late.
    fn place_at(&mut self, place: usize, at: Instant) {
        let heap_at = self.places[place].heap_at.unwrap_or_else(|| {
            self.heap.push(TimerEntry { at, place });
            self.heap.len() - 1
        });
        self.heap[heap_at].at = at;
        self.settle(heap_at);
        if self.kept_for.is_none_or(|kept_for| at < kept_for) {
            self.kept_for = Some(at);
            self.keeper.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// Moves wakers of all that is due into `due`; when the next one is.
    fn take_due(&mut self, now: Instant, due: &mut Vec<Waker>) -> Option<Instant> {
        while let Some(&TimerEntry { at, place }) = self.heap.first() {
            if at > now {
                break;
            }
            self.remove(0);
            let set = &mut self.places[place];
            set.heap_at = None;
            due.extend(set.waker.take());
        }
        self.kept_for = self.heap.first().map(|first| first.at);
        self.kept_for
    }

    fn remove(&mut self, heap_at: usize) {
        self.heap.swap_remove(heap_at);
        if heap_at < self.heap.len() {
            self.settle(heap_at);
        }
    }

    /// Moves what is at `at` up or down to where it belongs.
    fn settle(&mut self, mut at: usize) {
        let due = self.heap[at];
        while at > 0 && due.at < self.heap[(at - 1) / 2].at {
            self.put(at, self.heap[(at - 1) / 2]);
            at = (at - 1) / 2;
        }
        while let Some(child) = self
            .earlier_child(at)
            .filter(|&it| self.heap[it].at < due.at)
        {
            self.put(at, self.heap[child]);
            at = child;
        }
        self.put(at, due);
    }

    fn earlier_child(&self, at: usize) -> Option<usize> {
        let (one, two) = (2 * at + 1, 2 * at + 2);
        let first = self.heap.get(one)?;
        let is_two = self.heap.get(two).is_some_and(|it| it.at < first.at);
        Some(if is_two { two } else { one })
    }

    fn put(&mut self, at: usize, due: TimerEntry) {
        self.heap[at] = due;
        self.places[due.place].heap_at = Some(at);
    }
}

const _: () = assert!(size_of::<TimerEntry>() + size_of::<TimerSlot>() <= 48);

#[cfg(test)]
mod tests;
