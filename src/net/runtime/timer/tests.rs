use super::{Deadline, sleep, within};
use crate::net::runtime::clock::now;
use crate::net::test_support::{allocations, on_both_drivers, poll_once};

#[test]
fn deadline_set_comes_not_early() {
    on_both_drivers(|| async {
        let begun = now();
        let mut deadline = Deadline::new();
        deadline.set_in(20);
        deadline.expired().await;
        assert!(now().ms_since(begun) >= 20);
        // Stays expired until it is set again.
        assert!(poll_once(Box::pin(deadline.expired())).await.is_some());
        deadline.clear();
        assert_eq!(within(10, deadline.expired()).await, None);
    });
}

#[test]
fn deadline_moved_ahead_again_and_again_arms_the_timer_once() {
    on_both_drivers(|| async {
        let begun = now();
        let mut deadline = Deadline::new();
        deadline.set_in(1_500);
        assert!(poll_once(Box::pin(deadline.expired())).await.is_none());
        let armed = deadline.armed_for;
        for ms in 1_500..1_700 {
            deadline.set_in(ms);
            assert_eq!(deadline.armed_for, armed, "only stored");
        }
        deadline.set_in(1_600);
        deadline.expired().await;
        assert!(now().ms_since(begun) >= 1_600);
        assert!(deadline.armed_for > armed, "armed anew when it fired early");
    });
}

#[test]
fn deadline_brought_nearer_comes_sooner() {
    on_both_drivers(|| async {
        let begun = now();
        let mut deadline = Deadline::new();
        deadline.set_in(60_000);
        assert!(poll_once(Box::pin(deadline.expired())).await.is_none());
        deadline.set_in(10);
        deadline.expired().await;
        assert!(now().ms_since(begun) < 30_000);
    });
}

#[test]
fn deadline_far_beyond_the_wheel_is_pending_and_does_not_panic() {
    on_both_drivers(|| async {
        let mut deadline = Deadline::new();
        deadline.set_in(u64::MAX);
        assert_eq!(within(5, deadline.expired()).await, None);
    });
}

#[test]
fn deadline_in_steady_state_allocates_nothing() {
    on_both_drivers(|| async {
        let mut deadline = Deadline::new();
        deadline.set_in(60_000);
        core::future::poll_fn(|cx| {
            assert!(deadline.poll_expired(cx).is_pending());
            let before = allocations();
            for _ in 0..1_000 {
                deadline.set_in(60_000);
                assert!(deadline.poll_expired(cx).is_pending());
            }
            assert_eq!(allocations(), before);
            core::task::Poll::Ready(())
        })
        .await;
    });
}

#[test]
fn within_gives_the_result_or_none_in_time() {
    on_both_drivers(|| async {
        assert_eq!(within(10_000, async { 5 }).await, Some(5));
        let begun = now();
        assert_eq!(within(10, sleep(60_000)).await, None);
        assert!(now().ms_since(begun) >= 10);
    });
}
