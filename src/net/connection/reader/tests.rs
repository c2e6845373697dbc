use core::future::poll_fn;
use core::task::Poll;
use std::time::Instant;

use crate::limits::{BUSY_READ_BYTES, MIDDLE_READ_BYTES, QUIET_READ_BYTES, UNBROKEN_READ_BYTES};
use crate::net::connection::reader::ConnectionReader;
use crate::net::connection::socket::Readiness;
use crate::net::runtime::buffers::free_bytes;
use crate::net::runtime::driver;
use crate::net::runtime::task::yield_now;
use crate::net::runtime::timer::sleep;
use crate::net::test_support::{
    hear, in_children, on_both_drivers, pair, pattern, poll_once, say, until,
};

#[test]
fn reader_that_never_waits_rests_past_the_bound_on_epoll_alone() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let is_epoll = driver::current() == Some(driver::DriverKind::Epoll);
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
            Readiness::Something,
            "the rest waits"
        );
        assert!(before <= free_bytes() + QUIET_READ_BYTES);
        assert_eq!(hear(&mut server, sent.len()).await, sent);
    });
}

/// Lets the read that waits doze.
async fn doze(reader: &mut ConnectionReader) {
    poll_fn(|cx| {
        reader.doze(cx);
        Poll::Ready(())
    })
    .await;
}

#[test]
fn dozing_read_gives_its_buffer_back_and_loses_nothing_of_what_comes_later() {
    in_children(
        "net::connection::reader::tests::dozing_read_gives_its_buffer_back_and_loses_nothing_of_what_comes_later",
        || async {
            let (mut client, mut server) = pair().await;
            server.reader.may_doze();
            for round in 0..3 {
                let mut none = Vec::new();
                assert_eq!(
                    poll_once(Box::pin(server.reader.read(&mut none))).await,
                    None
                );
                let waiting = free_bytes();
                doze(&mut server.reader).await;
                while free_bytes() != waiting + QUIET_READ_BYTES {
                    let mut none = Vec::new();
                    assert_eq!(
                        poll_once(Box::pin(server.reader.read(&mut none))).await,
                        None
                    );
                    sleep(1).await;
                }
                assert!(!server.reader.is_empty(), "it still waits");
                // A second time there is nothing to give back.
                doze(&mut server.reader).await;
                sleep(2).await;
                assert_eq!(free_bytes(), waiting + QUIET_READ_BYTES);
                let sent = pattern(1 + round * QUIET_READ_BYTES);
                say(&mut client, &sent).await;
                assert_eq!(hear(&mut server, sent.len()).await, sent);
            }
            let mut none = Vec::new();
            assert_eq!(
                poll_once(Box::pin(server.reader.read(&mut none))).await,
                None
            );
            doze(&mut server.reader).await;
            drop(client);
            let mut rest = Vec::new();
            assert_eq!(server.reader.read(&mut rest).await, Ok(0));
        },
    );
}

#[test]
fn doze_that_comes_when_bytes_do_loses_none_of_them() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        server.reader.may_doze();
        let mut expected = Vec::new();
        let mut heard = Vec::new();
        for round in 0..200_u32 {
            let mut into = Vec::new();
            let early = poll_once(Box::pin(server.reader.read(&mut into))).await;
            assert_eq!(early, None, "all was heard");
            let word = round.to_le_bytes();
            expected.extend_from_slice(&word);
            // The read may have brought it, be about to, or be called back.
            match round % 3 {
                0 => {
                    say(&mut client, &word).await;
                    doze(&mut server.reader).await;
                }
                1 => {
                    doze(&mut server.reader).await;
                    say(&mut client, &word).await;
                }
                _ => {
                    doze(&mut server.reader).await;
                    yield_now().await;
                    say(&mut client, &word).await;
                }
            }
            while heard.len() < expected.len() {
                let mut into = Vec::new();
                server.reader.read(&mut into).await.expect("reads");
                heard.extend_from_slice(&into);
            }
            assert_eq!(heard, expected, "round {round}");
        }
    });
}

/// Waits until bytes are there and the driver has heard of them.
async fn arrived(reader: &ConnectionReader) {
    until(|| reader.socket.look() == Readiness::Something).await;
    sleep(2).await;
}
