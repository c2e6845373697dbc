use std::time::Instant;

use crate::limits::UNBROKEN_READ_BYTES;
use crate::net::driver;
use crate::net::kit::{on_both_drivers, pair, poll_once, say, until};
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

/// Waits until bytes are there and the driver has heard of them.
async fn arrived(reader: &Reader) {
    until(|| reader.socket.look() == Look::Something).await;
    sleep(2).await;
}
