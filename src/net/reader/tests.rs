use core::future::poll_fn;
use core::task::Poll;
use std::time::Instant;

use crate::limits::{BUSY_READ_BYTES, MIDDLE_READ_BYTES, QUIET_READ_BYTES, UNBROKEN_READ_BYTES};
use crate::net::buffers::free_bytes;
use crate::net::driver;
use crate::net::kit::{hear, on_both_drivers, pair, pattern, poll_once, say, until};
use crate::net::reader::Reader;
use crate::net::socket::Look;
use crate::net::timer::sleep;

#[test]
fn reader_that_never_waits_rests_past_the_bound_on_epoll_alone() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let is_epoll = driver::current() == Some(driver::Rung::Epoll);
        server.reader.count_unbroken(UNBROKEN_READ_BYTES);
        say(&mut client, b"in the bound").await;
        arrived(&server.reader).await;
        let mut heard = Vec::new();
        let first = poll_once(Box::pin(server.reader.read(&mut heard))).await;
        if !is_epoll {
            // Every read waits for the driver's turn.
            assert_eq!((first, server.reader.unbroken), (None, 0));
            return;
        }
        assert_eq!(first, Some(Ok(12)));
        say(&mut client, b"past it").await;
        arrived(&server.reader).await;
        server.reader.rest.set_in(5);
        let begun = Instant::now();
        assert_eq!(
            poll_once(Box::pin(server.reader.read(&mut heard))).await,
            None
        );
        assert_eq!(server.reader.read(&mut heard).await, Ok(7));
        assert!(begun.elapsed().as_millis() >= 5);
        assert_eq!(server.reader.unbroken, 7);
    });
}

#[test]
fn read_of_plenty_takes_as_much_as_is_asked_for_and_no_more() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(3 * BUSY_READ_BYTES);
        for most in [MIDDLE_READ_BYTES - 1, MIDDLE_READ_BYTES, BUSY_READ_BYTES] {
            say(&mut client, &sent).await;
            let (mut heard, mut largest) = (Vec::new(), 0);
            while heard.len() < sent.len() {
                let mut into = Vec::new();
                let count = poll_fn(|cx| server.reader.poll_read_most(cx, &mut into, most)).await;
                assert_eq!(count, Ok(into.len()));
                assert!(into.capacity() < 2 * most.max(MIDDLE_READ_BYTES));
                largest = largest.max(into.len());
                heard.extend_from_slice(&into);
            }
            assert_eq!(heard, sent);
            assert_eq!(largest, most, "all of it was there");
        }
    });
}

#[test]
fn begin_takes_one_small_buffer_and_keeps_it_for_the_next_read() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(2 * QUIET_READ_BYTES);
        say(&mut client, &sent).await;
        arrived(&server.reader).await;
        let before = free_bytes();
        for _ in 0..3 {
            poll_fn(|cx| {
                server.reader.begin(cx);
                Poll::Ready(())
            })
            .await;
            sleep(1).await;
        }
        assert!(!server.reader.is_empty());
        assert_eq!(
            server.reader.socket.look(),
            Look::Something,
            "the rest waits"
        );
        assert!(before <= free_bytes() + QUIET_READ_BYTES);
        assert_eq!(hear(&mut server, sent.len()).await, sent);
    });
}

/// Waits until bytes are there and the driver has heard of them.
async fn arrived(reader: &Reader) {
    until(|| reader.socket.look() == Look::Something).await;
    sleep(2).await;
}
