use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use super::NetStream;
use crate::limits::{KIB, MIB, QUIET_READ_BYTES};
use crate::net::connection::socket::Readiness;
use crate::net::connection::vectored_write::WritePiece;
use crate::net::endpoint::connect::connect;
use crate::net::error::NetErrorKind;
use crate::net::runtime::task;
use crate::net::runtime::timer::{sleep, within};
use crate::net::test_support::{
    WAITS, allocations, endpoint_at, hear, in_children, is_gone, on_both_drivers, pair, pattern,
    poll_once, say, until,
};

#[test]
fn echo_comes_back_byte_for_byte() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(100_000);
        let echo = task::spawn(async move {
            let mut heard = Vec::new();
            while server.reader.read(&mut heard).await.expect("reads") > 0 {
                let end = heard.len();
                let (result, mut back) = server.writer.write(heard, 0..end).await;
                result.expect("writes");
                back.clear();
                heard = back;
            }
            server.half_close().await.expect("closes");
        });
        say(&mut client, &sent).await;
        client.half_close().await.expect("half closes");
        assert_eq!(hear(&mut client, sent.len()).await, sent);
        assert_eq!(client.reader.read(&mut Vec::new()).await, Ok(0));
        assert_eq!(echo.await, Some(()));
    });
}

#[test]
fn read_dropped_in_many_select_rounds_loses_nothing() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(20_000);
        let expected = sent.clone();
        let writing = task::spawn(async move {
            for piece in sent.chunks(97) {
                say(&mut client, piece).await;
                task::yield_now().await;
            }
            client
        });
        let mut heard = Vec::new();
        let mut given_up = 0;
        while heard.len() < expected.len() {
            // One poll and away, as a select that another branch wins.
            match poll_once(Box::pin(server.reader.read(&mut heard))).await {
                Some(result) => assert_ne!(result, Ok(0)),
                None => given_up += 1,
            }
            task::yield_now().await;
        }
        assert_eq!(heard, expected);
        assert!(given_up > 0);
        drop(writing.await);
    });
}

#[test]
fn read_pending_over_silence_is_handed_out_later() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let mut heard = Vec::new();
        for _ in 0..20 {
            assert_eq!(within(2, server.reader.read(&mut heard)).await, None);
        }
        assert!(!server.is_clean_idle());
        say(&mut client, b"at last").await;
        assert_eq!(server.reader.read(&mut heard).await, Ok(7));
        assert_eq!(heard, b"at last");
        assert!(server.is_clean_idle());
    });
}

#[test]
fn read_beside_write_in_one_task_both_go_on() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let mut heard = Vec::new();
        let NetStream { reader, writer, .. } = &mut server;
        assert_eq!(poll_once(Box::pin(reader.read(&mut heard))).await, None);
        let (written, _) = writer.write(b"while it reads".to_vec(), 6..14).await;
        written.expect("writes");
        assert_eq!(hear(&mut client, 8).await, b"it reads");
        say(&mut client, b"and back").await;
        assert_eq!(reader.read(&mut heard).await, Ok(8));
    });
}

#[test]
fn read_after_peer_closed_is_clean_end_and_after_reset_an_error() {
    on_both_drivers(|| async {
        let (client, mut server) = pair().await;
        drop(client);
        assert_eq!(server.reader.read(&mut Vec::new()).await, Ok(0));

        let (client, mut server) = pair().await;
        client.reset();
        let error = server
            .reader
            .read(&mut Vec::new())
            .await
            .expect_err("a reset");
        assert_eq!(error.kind(), NetErrorKind::Reset);
        assert!(is_gone(error));
    });
}

#[test]
fn reset_while_reading_wakes_the_reader_and_tells_the_peer() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        assert_eq!(
            poll_once(Box::pin(client.reader.read(&mut Vec::new()))).await,
            None
        );
        client.reset();
        let error = server
            .reader
            .read(&mut Vec::new())
            .await
            .expect_err("a reset");
        assert_eq!(error.kind(), NetErrorKind::Reset);
    });
}

#[test]
fn bytes_before_a_reset_in_a_full_read_come_first() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(3 * QUIET_READ_BYTES);
        say(&mut client, &sent).await;
        let mut heard = hear(&mut server, sent.len()).await;
        assert_eq!(heard, sent);
        client.reset();
        let result = server.reader.read(&mut heard).await;
        assert!(matches!(result, Err(error) if is_gone(error)), "{result:?}");
    });
}

#[test]
fn p13_drop_while_reading_peer_sees_the_end_and_descriptor_closes() {
    on_both_drivers(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let endpoint = endpoint_at(listener.local_addr().expect("address"), None);
        let peer = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("accepts");
            peer.write_all(b"x").expect("writes");
            peer.read(&mut [0; 16]).expect("a clean end")
        });
        let mut stream = connect(&endpoint, WAITS, |_| true).await.expect("connects");
        assert_eq!(hear(&mut stream, 1).await, b"x");
        assert_eq!(
            poll_once(Box::pin(stream.reader.read(&mut Vec::new()))).await,
            None
        );
        let link = format!("/proc/self/fd/{}", stream.socket.as_fd().as_raw_fd());
        let before = std::fs::read_link(&link).expect("open");
        drop(stream);
        until(|| peer.is_finished()).await;
        assert_eq!(peer.join().expect("no panic"), 0);
        until(|| std::fs::read_link(&link).ok().as_ref() != Some(&before)).await;
    });
}

#[test]
fn p13_drop_amid_a_write_resets_a_peer_that_does_not_read_and_descriptor_closes() {
    let name = "net::connection::stream::tests::\
                p13_drop_amid_a_write_resets_a_peer_that_does_not_read_and_descriptor_closes";
    in_children(name, || async {
        drop(pair().await);
        sleep(50).await;
        let before = open_descriptors();
        let (mut client, server) = pair().await;
        let large = pattern(16 * MIB);
        let end = large.len();
        let writing = Box::pin(client.writer.write(large, 0..end));
        assert!(within(50, writing).await.is_none(), "somebody has read");
        drop(client);
        until(|| server.socket.has_peer_ended()).await;
        let mut server = server;
        let mut heard = Vec::new();
        let ended = loop {
            match server.reader.read(&mut heard).await {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error.kind()),
            }
        };
        assert_eq!(ended, Some(NetErrorKind::Reset));
        assert!(heard.len() < end);
        drop(server);
        until(|| open_descriptors() <= before).await;
    });
}

#[test]
fn abort_while_reading_ends_the_read() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        assert_eq!(
            poll_once(Box::pin(client.reader.read(&mut Vec::new()))).await,
            None
        );
        client.abort();
        assert_eq!(client.reader.read(&mut Vec::new()).await, Ok(0));
        assert_eq!(server.reader.read(&mut Vec::new()).await, Ok(0));
        let (result, buffer) = client.writer.write(b"late".to_vec(), 0..4).await;
        assert_eq!(
            result.map_err(|error| error.kind()),
            Err(NetErrorKind::Closed)
        );
        assert_eq!(buffer, b"late");
    });
}

#[test]
fn half_close_peer_reads_all_and_may_still_write() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        say(&mut client, b"question").await;
        client.half_close().await.expect("half closes");
        assert_eq!(hear(&mut server, 8).await, b"question");
        assert_eq!(server.reader.read(&mut Vec::new()).await, Ok(0));
        say(&mut server, b"answer").await;
        assert_eq!(hear(&mut client, 6).await, b"answer");
    });
}

#[test]
fn write_of_eight_mib_to_slow_reader_arrives_whole() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(8 * MIB);
        let expected = sent.clone();
        let writing = task::spawn(async move {
            let end = sent.len();
            let (result, buffer) = client.writer.write(sent, 0..end).await;
            result.expect("writes");
            assert_eq!(buffer.len(), end);
            client
        });
        sleep(20).await;
        assert!(
            !writing.is_finished(),
            "a peer that does not read stops the writer"
        );
        let mut heard = Vec::new();
        let mut largest = 0;
        while heard.len() < expected.len() {
            largest = largest.max(server.reader.read(&mut heard).await.expect("reads"));
        }
        assert!(heard == expected);
        assert!(largest <= 66 * KIB, "one read brought {largest}");
        drop(writing.await);
    });
}

#[test]
fn fill_of_five_mib_grows_by_doubling_and_keeps_what_was_there() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(5 * MIB);
        let expected = sent.clone();
        let writing = task::spawn(async move {
            let end = sent.len();
            client.writer.write(sent, 0..end).await.0.expect("writes");
            client
        });
        // A pending read that fill has to honour.
        assert_eq!(
            poll_once(Box::pin(server.reader.read(&mut Vec::new()))).await,
            None
        );
        let mut body = b"head".to_vec();
        while body.len() < expected.len() + 4 {
            let left = expected.len() + 4 - body.len();
            let length = body.len();
            let (result, grown) = server.reader.fill(body, left).await;
            let count = result.expect("reads");
            assert!(count > 0 && count <= left);
            assert_eq!(grown.len(), length + count);
            assert!(
                grown.capacity() <= (2 * grown.len()).max(80 * KIB),
                "{}",
                grown.capacity()
            );
            body = grown;
        }
        assert_eq!(&body[..4], b"head");
        assert!(body[4..] == expected);
        drop(writing.await);
    });
}

#[test]
fn fill_with_max_leaves_the_rest_for_the_next_read() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        say(&mut client, b"bodynext request").await;
        let (result, body) = server.reader.fill(Vec::with_capacity(100), 4).await;
        assert_eq!((result, body.as_slice()), (Ok(4), b"body".as_slice()));
        let (result, body) = server.reader.fill(body, 0).await;
        assert_eq!((result, body.len()), (Ok(0), 4));
        assert_eq!(hear(&mut server, 12).await, b"next request");
    });
}

#[test]
fn fill_dropped_midway_next_read_brings_only_what_is_new() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let mut filling = Box::pin(server.reader.fill(b"already here".to_vec(), 100));
        assert!(poll_once(&mut filling).await.is_none());
        drop(filling);
        say(&mut client, b"new").await;
        let mut heard = Vec::new();
        assert_eq!(server.reader.read(&mut heard).await, Ok(3));
        assert_eq!(heard, b"new");
    });
}

#[test]
fn read_into_empty_swaps_and_into_filled_appends() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        say(&mut client, b"first").await;
        let mut heard = Vec::new();
        assert_eq!(server.reader.read(&mut heard).await, Ok(5));
        assert!(heard.capacity() >= QUIET_READ_BYTES);
        say(&mut client, b" second").await;
        assert_eq!(server.reader.read(&mut heard).await, Ok(7));
        assert_eq!(heard, b"first second");
    });
}

#[test]
fn quiet_read_after_a_burst_holds_two_kib_again() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let sent = pattern(300 * KIB);
        let expected = sent.len();
        let writing = task::spawn(async move {
            say(&mut client, &sent).await;
            client
        });
        hear(&mut server, expected).await;
        let mut client = writing.await.expect("no panic");
        let mut heard = Vec::new();
        assert_eq!(
            poll_once(Box::pin(server.reader.read(&mut heard))).await,
            None
        );
        say(&mut client, b"!").await;
        assert_eq!(server.reader.read(&mut heard).await, Ok(1));
        assert!(
            heard.capacity() < 2 * QUIET_READ_BYTES,
            "held {}",
            heard.capacity()
        );
    });
}

#[test]
fn exchange_in_steady_state_allocates_nothing() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let (mut question, mut heard) = (pattern(300), Vec::new());
        let mut spent = Vec::with_capacity(400);
        for _ in 0..400 {
            let before = allocations();
            let (result, back) = client.writer.write(question, 0..300).await;
            result.expect("writes");
            question = back;
            assert_eq!(server.reader.read(&mut heard).await, Ok(300));
            heard.clear();
            spent.push(allocations() - before);
        }
        // Other tests run on the same worker: enough rounds are their own.
        let quiet = spent.iter().skip(20).filter(|&&count| count == 0).count();
        assert!(quiet > 40, "only {quiet} of 380 rounds allocated nothing");
    });
}

#[test]
fn nodelay_keepalive_and_close_on_exec_are_set_on_both_sides() {
    on_both_drivers(|| async {
        let (client, server) = pair().await;
        for stream in [&client, &server] {
            let socket = socket2::SockRef::from(&stream.socket);
            assert!(socket.tcp_nodelay().expect("option"));
            assert!(socket.keepalive().expect("option"));
            assert!(socket.tcp_user_timeout().expect("option").is_some());
            let flags = std::fs::read_to_string(format!(
                "/proc/self/fdinfo/{}",
                stream.socket.as_fd().as_raw_fd()
            ))
            .expect("open");
            let flags = flags
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .expect("flags");
            let flags = i32::from_str_radix(flags.trim(), 8).expect("octal");
            assert_ne!(flags & libc::O_CLOEXEC, 0);
        }
        assert_eq!(client.peer(), server.local());
        assert_eq!(client.local(), server.peer());
        assert_eq!(client.tls(), None);
    });
}

#[test]
fn refuse_client_reads_the_words_then_the_end() {
    on_both_drivers(|| async {
        let (mut client, server) = pair().await;
        say(&mut client, b"a request that nobody reads").await;
        until(|| server.socket.look() == Readiness::Something).await;
        server.refuse(b"go away");
        assert_eq!(hear(&mut client, 7).await, b"go away");
        assert_eq!(client.reader.read(&mut Vec::new()).await, Ok(0));
    });
}

#[test]
fn write_pieces_of_two_buffers_arrive_in_order_and_nothing_else() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let body = Rc::new(pattern(3 * MIB));
        let ours = Rc::new(b"HEAD\"new\"TAIL".to_vec());
        let piece = |buffer: &Rc<Vec<u8>>, range| WritePiece {
            buffer: Rc::clone(buffer),
            range,
        };
        let cut = 1_000_000;
        let mut pieces = vec![
            piece(&ours, 0..4),
            piece(&body, 0..cut),
            piece(&body, 7..7),
            piece(&ours, 4..9),
            piece(&body, cut + 11..body.len()),
            piece(&ours, 9..13),
            piece(&ours, 12..99),
        ];
        // More than the kernel takes in one list.
        pieces.extend((0..3_000).map(|at| piece(&body, at..at + 1)));
        let expected = [
            b"HEAD",
            &body[..cut],
            b"\"new\"",
            &body[cut + 11..],
            b"TAIL",
            &body[..3_000],
        ];
        let expected = expected.concat();
        let count = expected.len();
        let writing = task::spawn(async move {
            client.writer.write_pieces(pieces).await.expect("writes");
            client.half_close().await.expect("closes");
            client
        });
        assert!(hear(&mut server, count).await == expected);
        assert_eq!(server.reader.read(&mut Vec::new()).await, Ok(0));
        drop(writing.await);
        assert_eq!(Rc::strong_count(&body), 1);
    });
}

#[test]
fn write_pieces_to_a_peer_that_is_gone_is_an_error_not_a_signal() {
    on_both_drivers(|| async {
        let (mut client, server) = pair().await;
        server.reset();
        until(|| !client.is_clean_idle()).await;
        let mut result = Ok(());
        for _ in 0..3 {
            let piece = WritePiece {
                buffer: Rc::new(pattern(100_000)),
                range: 0..100_000,
            };
            result = result.and(client.writer.write_pieces(vec![piece]).await);
        }
        assert!(is_gone(result.expect_err("gone")));
    });
}

#[test]
fn write_shared_leaves_the_buffer_to_its_owner() {
    on_both_drivers(|| async {
        let (mut client, mut server) = pair().await;
        let body = Rc::new(b"kept for a retry".to_vec());
        client
            .writer
            .write_shared(Rc::clone(&body), 5..8)
            .await
            .expect("writes");
        assert_eq!(hear(&mut server, 3).await, b"for");
        assert_eq!(Rc::strong_count(&body), 1);
    });
}

#[test]
fn futures_stay_small_because_every_connection_task_holds_them() {
    on_both_drivers(|| async {
        let (mut client, _server) = pair().await;
        let endpoint = endpoint_at("127.0.0.1:1".parse().expect("address"), None);
        let connecting = size_of_val(&connect(&endpoint, WAITS, |_| true));
        assert!(connecting <= 2 * KIB, "connect: {connecting}");
        let filling = size_of_val(&client.reader.fill(Vec::new(), 1));
        assert!(filling <= 256, "fill: {filling}");
        let writing = size_of_val(&client.writer.write(Vec::new(), 0..0));
        assert!(writing <= KIB, "write: {writing}");
        assert!(size_of::<NetStream>() <= 512);
    });
}

#[test]
fn endings_of_every_kind_leak_no_descriptor_and_lose_no_byte() {
    let name =
        "net::connection::stream::tests::endings_of_every_kind_leak_no_descriptor_and_lose_no_byte";
    in_children(name, || async {
        drop(pair().await);
        sleep(50).await;
        let before = open_descriptors();
        for seed in 0..40 {
            let tasks: Vec<_> = (0..10)
                .map(|lane| task::spawn(ending(seed * 10 + lane)))
                .collect();
            for ended in tasks {
                assert_eq!(ended.await, Some(()));
            }
        }
        until(|| open_descriptors() <= before).await;
    });
}

/// One connection that carries some bytes and ends in one of many ways, by `seed`.
async fn ending(seed: usize) {
    let (mut near, mut far) = pair().await;
    let sent = pattern(seed * 97 % 9_000);
    let expected = sent.clone();
    let mut heard = Vec::new();
    // A read that is pending over all of it, some of the time.
    if seed.is_multiple_of(2) {
        assert_eq!(poll_once(Box::pin(far.reader.read(&mut heard))).await, None);
    }
    say(&mut near, &sent).await;
    while heard.len() < expected.len() {
        match within(1, far.reader.read(&mut heard)).await {
            Some(result) => assert_ne!(result, Ok(0)),
            None => task::yield_now().await,
        }
    }
    assert!(heard == expected);
    // More than the kernel's buffers take.
    let large = if matches!(seed % 7, 3 | 4) {
        vec![7; 16 * MIB]
    } else {
        Vec::new()
    };
    match seed % 7 {
        0 => drop(near),
        1 => near.reset(),
        2 => near.abort(),
        // Dropped in the middle of a write that the peer does not take.
        3 => assert!(
            poll_once(Box::pin(near.writer.write(large, 0..16 * MIB)))
                .await
                .is_none()
        ),
        4 => {
            let piece = WritePiece {
                buffer: Rc::new(large),
                range: 0..16 * MIB,
            };
            assert!(
                within(1, near.writer.write_pieces(vec![piece]))
                    .await
                    .is_none()
            );
        }
        // Dropped while both sides read.
        5 => {
            assert!(
                poll_once(Box::pin(near.reader.read(&mut heard)))
                    .await
                    .is_none()
            );
            assert!(
                poll_once(Box::pin(far.reader.fill(heard, 1_000)))
                    .await
                    .is_none()
            );
        }
        _ => near.half_close().await.expect("half closes"),
    }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

#[test]
fn a_request_is_known_to_be_undelivered_only_behind_an_end_that_came_before_it() {
    on_both_drivers(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("address");
        for is_read in [false, true] {
            let endpoint = endpoint_at(address, None);
            let mut client = connect(&endpoint, WAITS, |_| true).await.expect("up");
            let (mut peer, _) = listener.accept().expect("comes");
            say(&mut client, b"one").await;
            peer.read_exact(&mut [0; 3]).expect("reads");
            if is_read {
                say(&mut client, b"two").await;
                peer.read_exact(&mut [0; 3]).expect("reads");
                drop(peer);
            } else {
                drop(peer);
                // Its end is here before anything more is written.
                until(|| client.socket.has_peer_ended()).await;
                say(&mut client, b"two").await;
            }
            assert_eq!(client.reader.read(&mut Vec::new()).await, Ok(0));
            assert_eq!(client.may_be_delivered(), is_read);
        }
    });
}
