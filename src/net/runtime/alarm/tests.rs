use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Wake;

use super::{ALARMS, Sleep, Timers, sleep_until, trim};
use crate::net::runtime::clock::{Instant, now};
use crate::net::sim::seeded_random::SeededRandom;
use crate::net::test_support::{allocations, in_children, on_both_drivers};

fn sleep(ms: u64) -> Sleep {
    sleep_until(now().plus_ms(ms))
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn alarms_ring_as_a_sorted_list_would_for_every_way_of_setting_moving_and_taking_down() {
    for seed in 0..200 {
        let mut chance = SeededRandom::new(seed);
        let mut alarms = Timers::new();
        let mut twin: BTreeMap<usize, (Instant, Arc<Bell>)> = BTreeMap::new();
        let mut clock = 0;
        for _ in 0..300 {
            let at = Instant::from_nanos(clock + chance.below(100) as u64);
            let held: Vec<usize> = twin.keys().copied().collect();
            match chance.below(5) {
                0 | 1 => {
                    let bell = Arc::new(Bell::default());
                    let place = alarms.set(at, Waker::from(Arc::clone(&bell)));
                    assert!(
                        twin.insert(place, (at, bell)).is_none(),
                        "a place of its own"
                    );
                }
                2 if !held.is_empty() => {
                    let place = chance.pick(&held);
                    alarms.place_at(place, at);
                    twin.get_mut(&place).expect("held").0 = at;
                }
                3 if !held.is_empty() => {
                    let place = chance.pick(&held);
                    assert!(alarms.unset(place).is_some());
                    twin.remove(&place);
                }
                _ => clock += chance.below(30) as u64,
            }
            let now = Instant::from_nanos(clock);
            let mut due = Vec::new();
            let next = alarms.take_due(now, &mut due);
            due.into_iter().for_each(Waker::wake);
            twin.retain(|&place, (at, bell)| {
                let is_due = *at <= now;
                assert_eq!(
                    bell.0.load(Ordering::Relaxed),
                    usize::from(is_due),
                    "seed {seed}"
                );
                if is_due {
                    assert!(alarms.poll(place, Waker::noop()).0);
                }
                !is_due
            });
            assert_eq!(next, twin.values().map(|(at, _)| *at).min(), "seed {seed}");
            assert_eq!(alarms.heap.len(), twin.len());
        }
    }
}

#[test]
fn sleeps_of_many_tasks_end_in_their_order_and_never_early() {
    on_both_drivers(|| async {
        let begun = now();
        let mut tasks = Vec::new();
        for ms in [40, 5, 30, 10, 20] {
            tasks.push((
                ms,
                crate::net::runtime::task::spawn(async move {
                    sleep(ms).await;
                    now()
                }),
            ));
        }
        let mut ended = Vec::new();
        for (ms, task) in tasks {
            let at = task.await.expect("no panic");
            assert!(at.ms_since(begun) >= ms);
            ended.push((ms, at));
        }
        ended.sort();
        assert!(ended.is_sorted_by_key(|(_, at)| *at), "{ended:?}");
    });
}

#[test]
fn sleep_wakes_the_task_that_polled_it_last() {
    on_both_drivers(|| async {
        let mut sleep = sleep(10);
        let first = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&first));
        assert!(
            Pin::new(&mut sleep)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        sleep.await;
        assert_eq!(first.0.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn setting_and_dropping_allocates_nothing_and_what_a_burst_took_is_given_back() {
    in_children(
        "net::runtime::alarm::tests::setting_and_dropping_allocates_nothing_and_what_a_burst_took_is_given_back",
        || async {
            sleep(1).await;
            let far = now().plus_ms(3_600_000);
            let poll = |sleep: &mut Sleep| {
                let polled = Pin::new(sleep).poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(polled, Poll::Pending);
            };
            let mut burst: Vec<_> = (0..1_000).map(|_| sleep_until(far)).collect();
            burst.iter_mut().for_each(poll);
            let before = allocations();
            for _ in 0..10 {
                let mut one = sleep_until(far);
                poll(&mut one);
                one.reset(far.plus_ms(1));
                poll(&mut one);
            }
            assert_eq!(allocations(), before);
            trim();
            ALARMS.with_borrow(|alarms| assert_eq!(alarms.places.len(), 1_001, "still set"));
            drop(burst);
            trim();
            ALARMS.with_borrow(|alarms| {
                let lists = alarms.places.capacity() + alarms.heap.capacity();
                assert_eq!(lists + alarms.free.capacity() + alarms.due.capacity(), 0);
                assert!(alarms.keeper.is_some(), "who is woken for the next one");
            });
            sleep(1).await;
        },
    );
}
