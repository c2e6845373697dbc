use super::ConnectionPool;
use crate::net::connection::stream::NetStream;
use crate::net::runtime::clock::now;
use crate::net::test_support::{hear, on_both_drivers, pair, poll_once, say, until};

/// Waits until the driver has heard of what makes `stream` unfit.
async fn until_disturbed(stream: &mut NetStream) {
    until(|| !stream.is_undisturbed(true)).await;
}

#[test]
fn p9_take_gives_the_last_one_put_first() {
    on_both_drivers(|| async {
        let (first, _far_first) = pair().await;
        let (second, _far_second) = pair().await;
        let ports = [first.local(), second.local()];
        let mut pool = ConnectionPool::new(8, 1_000);
        pool.put(3, Box::new(first), now());
        pool.put(3, Box::new(second), now());
        assert_eq!(pool.idle(3), 2);
        assert!(pool.take(4, now()).is_none());
        let taken = pool.take(3, now()).expect("warm");
        assert_eq!(taken.local(), ports[1]);
        assert_eq!(pool.take(3, now()).expect("colder").local(), ports[0]);
        assert!(pool.take(3, now()).is_none());
        let counts = pool.counts();
        assert_eq!((counts.reused, counts.missed, counts.idle), (2, 2, 0));
    });
}

#[test]
fn p9_take_after_peer_closed_sent_bytes_or_reset_discards() {
    on_both_drivers(|| async {
        let mut pool = ConnectionPool::new(8, 60_000);
        let (good, mut far_good) = pair().await;
        // Both ends: connections to different places may have one local port.
        let ends = (good.local(), good.peer());
        pool.put(0, Box::new(good), now());
        for way in 0..3 {
            let (near, mut far) = pair().await;
            pool.put(0, Box::new(near), now());
            let _far = match way {
                0 => {
                    drop(far);
                    None
                }
                1 => {
                    say(&mut far, b"unasked").await;
                    Some(far)
                }
                _ => {
                    far.reset();
                    None
                }
            };
            let lists = pool.lists.get_mut(0).expect("there");
            until_disturbed(&mut lists.last_mut().expect("there").stream).await;
            let mut taken = pool.take(0, now()).expect("the good one below");
            assert_eq!((taken.local(), taken.peer()), ends);
            // The read that waited while it lay idle brings the answer.
            say(&mut far_good, b"answer").await;
            assert_eq!(hear(&mut taken, 6).await, b"answer");
            pool.put(0, taken, now());
        }
        assert_eq!(pool.counts().stale, 3);
    });
}

#[test]
fn p9_take_in_the_turn_of_the_put_looks_at_the_socket_or_takes_another() {
    on_both_drivers(|| async {
        let mut pool = ConnectionPool::new(8, 60_000);
        let (near, mut far) = pair().await;
        say(&mut far, b"unasked").await;
        until(|| !near.is_clean_idle()).await;
        pool.put(0, Box::new(near), now());
        assert!(pool.take(0, now()).is_none());
        assert_eq!(pool.counts().stale, 1);

        let (heard, _far_heard) = pair().await;
        let port = heard.local();
        pool.put(0, Box::new(heard), now());
        crate::net::runtime::timer::sleep(2).await;
        let (fresh, _far_fresh) = pair().await;
        pool.put(0, Box::new(fresh), now());
        assert_eq!(pool.take(0, now()).expect("the one below").local(), port);
        assert!(pool.take(0, now()).is_some(), "looked at, and good");
    });
}

#[test]
fn put_with_read_pending_is_refused() {
    on_both_drivers(|| async {
        let mut pool = ConnectionPool::new(8, 60_000);
        let (mut reading, _far) = pair().await;
        assert!(
            poll_once(Box::pin(reading.reader.read(&mut Vec::new())))
                .await
                .is_none()
        );
        pool.put(0, Box::new(reading), now());
        assert_eq!((pool.idle(0), pool.counts().stale), (0, 1));
    });
}

#[test]
fn take_and_reap_after_the_idle_timeout_close() {
    on_both_drivers(|| async {
        let mut pool = ConnectionPool::new(8, 1_000);
        let begun = now();
        let (old, mut far_old) = pair().await;
        let (young, _far_young) = pair().await;
        pool.put(0, Box::new(old), begun);
        pool.put(0, Box::new(young), begun.plus_ms(600));
        pool.reap(begun.plus_ms(999));
        assert_eq!(pool.idle(0), 2);
        pool.reap(begun.plus_ms(1_000));
        assert_eq!((pool.idle(0), pool.counts().expired), (1, 1));
        assert_eq!(far_old.reader.read(&mut Vec::new()).await, Ok(0));
        assert!(pool.take(0, begun.plus_ms(1_600)).is_none());
        assert_eq!((pool.counts().expired, pool.counts().idle), (2, 0));
    });
}

#[test]
fn put_past_the_cap_closes_the_oldest() {
    on_both_drivers(|| async {
        let mut pool = ConnectionPool::new(2, 60_000);
        let mut fars = Vec::new();
        for _ in 0..3 {
            let (near, far) = pair().await;
            pool.put(0, Box::new(near), now());
            fars.push(far);
        }
        assert_eq!((pool.idle(0), pool.counts().overflowed), (2, 1));
        assert_eq!(fars[0].reader.read(&mut Vec::new()).await, Ok(0));
        pool.clear();
        assert_eq!(fars[2].reader.read(&mut Vec::new()).await, Ok(0));
        assert_eq!(pool.counts().idle, 0);
        let (near, _far) = pair().await;
        let mut none = ConnectionPool::new(0, 60_000);
        none.put(0, Box::new(near), now());
        assert!(none.take(0, now()).is_none());
    });
}
