use core::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::{Address, Listener, RuntimeListener, bind};
use crate::limits::ACCEPT_BATCH;
use crate::net::endpoint::connect::connect;
use crate::net::error::{NetError, NetErrorKind, NetOperation};
use crate::net::runtime::task;
use crate::net::runtime::timer::sleep;
use crate::net::sim::injected_failure;
use crate::net::test_support::{
    WAITS, endpoint_at, hear, in_children, limit_descriptors, listen, on_both_drivers, say, until,
};

fn loopback() -> Address {
    Address::parse("127.0.0.1:0").expect("address")
}

fn tcp_of(address: &Address) -> SocketAddr {
    match address {
        Address::Tcp(address) => *address,
        Address::Unix(path) => panic!("not tcp: {}", path.display()),
    }
}

#[test]
fn address_texts_parse_and_print_alike() {
    for text in [
        "127.0.0.1:80",
        "[::1]:8080",
        "0.0.0.0:1",
        "unix:/run/ringway.sock",
    ] {
        let address = Address::parse(text).expect("an address");
        assert_eq!(address.to_string(), text);
        assert_eq!(address.is_local(), text != "0.0.0.0:1");
    }
    for text in ["", "unix:", "localhost:80", "127.0.0.1", "1.2.3.4:99999"] {
        assert_eq!(Address::parse(text), None, "{text}");
    }
}

#[test]
fn bind_gives_every_worker_a_seat_on_one_port() {
    let mut bound = bind(&loopback(), 4).expect("binds");
    let address = tcp_of(bound.address());
    assert_ne!(address.port(), 0);
    let seats = bound.take_seats();
    assert_eq!(seats.len(), 4);
    for seat in &seats {
        assert_eq!(
            seat.socket.local_addr().expect("address").as_socket(),
            Some(address)
        );
    }
    assert!(bound.take_seats().is_empty());
}

#[test]
fn bind_of_taken_port_is_an_error_even_among_reuseport_sockets() {
    let in_use = Err(NetError::new(NetOperation::Bind, NetErrorKind::InUse));
    let first = bind(&loopback(), 2).expect("binds");
    assert_eq!(bind(first.address(), 2).map(|_| ()), in_use);
    let plain = TcpListener::bind("127.0.0.1:0").expect("binds");
    let taken = Address::Tcp(plain.local_addr().expect("address"));
    assert_eq!(bind(&taken, 1).map(|_| ()), in_use);
    let address = first.address().clone();
    drop(first);
    assert!(bind(&address, 2).is_ok());
}

#[test]
fn bind_of_both_families_on_one_port_works() {
    let Ok(six) = bind(&Address::parse("[::1]:0").expect("address"), 1) else {
        // No IPv6 on this machine.
        assert!(TcpListener::bind("[::1]:0").is_err());
        return;
    };
    let port = tcp_of(six.address()).port();
    let four = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
    // The port may be another program's on IPv4; then the error says so.
    if let Err(error) = bind(&four, 1) {
        assert_eq!(error.kind(), NetErrorKind::InUse);
    }
}

#[test]
fn unix_socket_echo_and_file_is_removed_afterwards() {
    on_both_drivers(|| async {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ringway.sock");
        let mut bound = bind(&Address::Unix(path.clone()), 2).expect("binds");
        let mut seats = bound.take_seats();
        assert_eq!(seats.len(), 2);
        let mut listener = Listener::open(seats.pop().expect("seat"), Vec::new).expect("opens");
        let client = std::thread::spawn({
            let path = path.clone();
            move || {
                use std::io::Write;
                let mut client = UnixStream::connect(path).expect("connects");
                client.write_all(b"over unix").expect("writes");
                let mut heard = [0; 9];
                client.read_exact(&mut heard).expect("reads");
                heard
            }
        });
        let mut stream = listener.accept().await.expect("accepts");
        assert_eq!((stream.peer(), stream.local()), (None, None));
        assert!(stream.is_clean_idle() || !client.is_finished());
        let heard = hear(&mut stream, 9).await;
        say(&mut stream, &heard).await;
        until(|| client.is_finished()).await;
        assert_eq!(&client.join().expect("no panic"), b"over unix");
        assert!(path.exists());
        drop(bound);
        assert!(!path.exists());
    });
}

#[test]
fn unix_socket_dead_file_is_replaced_live_or_foreign_one_is_not() {
    let folder = tempfile::tempdir().expect("folder");
    let address = Address::Unix(folder.path().join("a.sock"));
    let live = bind(&address, 1).expect("binds");
    let in_use = Err(NetError::new(NetOperation::Bind, NetErrorKind::InUse));
    assert_eq!(bind(&address, 1).map(|_| ()), in_use);

    let path = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("binds"));
    assert!(path.exists(), "left behind");
    let again = bind(&Address::Unix(path.clone()), 1).expect("replaces");
    // Replaced behind our back: not ours to remove.
    std::fs::remove_file(&path).expect("removes");
    std::fs::write(&path, b"someone else's").expect("writes");
    drop(again);
    assert!(path.exists());
    assert_eq!(bind(&Address::Unix(path), 1).map(|_| ()), in_use);
    drop(live);
}

#[test]
fn stop_ends_a_pending_accept_and_then_accepts_no_more() {
    on_both_drivers(|| async {
        let (mut listener, address) = listen();
        let stopper = listener.stopper();
        let accepting = task::spawn(async move {
            let first = listener.accept().await.map(drop);
            let second = listener.accept().await.map(drop);
            (first, second)
        });
        sleep(5).await;
        stopper.stop();
        let stopped = Err(NetError::new(NetOperation::Accept, NetErrorKind::Stopped));
        assert_eq!(accepting.await, Some((stopped, stopped)));
        sleep(10).await;
        let error = connect(&endpoint_at(address, None), WAITS, |_| true)
            .await
            .err();
        assert_eq!(error.map(NetError::kind), Some(NetErrorKind::Refused));
    });
}

#[test]
fn accept_cancelled_by_nobody_is_told_and_goes_on() {
    let name = "net::endpoint::listen::tests::accept_cancelled_by_nobody_is_told_and_goes_on";
    in_children(name, || async {
        let (mut listener, address) = listen();
        injected_failure::arm(1, libc::ECANCELED);
        let failed = listener.accept().await.err().map(NetError::kind);
        assert_eq!(failed, Some(NetErrorKind::Os(libc::ECANCELED)));
        assert_eq!(listener.stopper().counts().failed, 1);
        let connecting = connect(&endpoint_at(address, None), WAITS, |_| true).await;
        assert!(connecting.is_ok() && listener.accept().await.is_ok());
    });
}

#[test]
fn p32_stop_with_clients_in_the_queue_hands_them_out_first() {
    on_both_drivers(|| async {
        let (mut listener, address) = listen();
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(
                connect(&endpoint_at(address, None), WAITS, |_| true)
                    .await
                    .expect("queued"),
            );
        }
        listener.stopper().stop();
        let mut served = 0;
        let end = loop {
            match listener.accept().await {
                Ok(mut stream) => {
                    say(&mut stream, b"served").await;
                    served += 1;
                }
                Err(error) => break error,
            }
        };
        assert_eq!((served, end.kind()), (5, NetErrorKind::Stopped));
        assert_eq!(listener.stopper().counts().accepted, 5);
        for client in &mut clients {
            assert_eq!(hear(client, 6).await, b"served");
        }
    });
}

#[test]
fn p29_accept_without_descriptors_refuses_politely_and_resumes() {
    let name =
        "net::endpoint::listen::tests::p29_accept_without_descriptors_refuses_politely_and_resumes";
    in_children(name, starve);
}

/// Lets descriptors run out under a listener.
async fn starve() {
    let (mut listener, address) = listen();
    let mut waiting: Vec<TcpStream> = (0..3)
        .map(|_| TcpStream::connect(address).expect("queued"))
        .collect();
    let mut hoard = Vec::new();
    limit_descriptors(64);
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let accepting = task::spawn(async move {
        let stream = listener.accept().await.expect("accepts in the end");
        (stream, listener)
    });
    // Each of those who wait is told so; nobody hangs.
    for client in &mut waiting {
        client.set_nonblocking(true).expect("option");
        let mut told = Vec::new();
        until(|| match client.read_to_end(&mut told) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                false
            }
        })
        .await;
        assert_eq!(told, b"full");
    }
    assert!(!accepting.is_finished());
    drop(hoard);
    let _client = TcpStream::connect(address).expect("connects");
    let (_stream, listener) = accepting.await.expect("no panic");
    let counts = listener.stopper().counts();
    assert_eq!((counts.accepted, counts.refused), (1, 3));
    // One or two failed accepts a refusal: it waits, it does not spin.
    assert!((1..=20).contains(&counts.exhausted), "{counts:?}");
}

#[test]
fn accept_that_fails_says_why_and_goes_on_once_the_socket_is_well_again() {
    on_both_drivers(|| async {
        let (mut listener, _) = listen();
        let (RuntimeListener::Tcp(_, socket) | RuntimeListener::Unix(_, socket)) = &listener.inner;
        let socket = socket.try_clone().expect("a descriptor");
        socket.shutdown(Shutdown::Both).expect("stops listening");
        for count in 1..3 {
            let failure = listener.accept().await.err().expect("does not listen");
            assert_eq!(failure.kind(), NetErrorKind::Os(libc::EINVAL));
            assert_eq!(listener.stopper().counts().failed, count);
        }
        socket.listen(8).expect("listens again");
        let address = socket.local_addr().expect("a port").as_socket();
        let _client = TcpStream::connect(address.expect("tcp")).expect("queued");
        assert!(listener.accept().await.is_ok());
    });
}

#[test]
fn bind_of_an_address_that_is_let_go_a_moment_later_succeeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("late.sock");
    let taken = TcpListener::bind("127.0.0.1:0").expect("binds");
    let tcp = Address::Tcp(taken.local_addr().expect("address"));
    let unix = std::os::unix::net::UnixListener::bind(&path).expect("binds");
    let unix_address = Address::Unix(path);
    std::thread::scope(|scope| {
        let bound = [&tcp, &unix_address].map(|address| scope.spawn(move || bind(address, 1)));
        // The listeners end while the others try; who was slow finds them gone already.
        drop((taken, unix));
        for bound in bound {
            assert!(bound.join().expect("no panic").is_ok());
        }
    });
}

#[test]
fn client_that_connects_while_an_address_is_taken_is_refused_or_served() {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = core::net::Ipv4Addr::new(127, high | 64, middle, low);
    let mut broken = 0;
    for _ in 0..4_000 {
        // On an address of this process alone: a port that is free again is soon another's.
        let free = TcpListener::bind((own, 0)).expect("binds");
        let address = free.local_addr().expect("address");
        drop(free);
        let client = std::thread::spawn(move || {
            let mut broken = 0;
            loop {
                let Ok(mut stream) = TcpStream::connect(address) else {
                    continue;
                };
                // A port of its own that happens to be this one answers itself.
                let is_own = stream.local_addr().ok() == stream.peer_addr().ok();
                if !is_own && stream.read_exact(&mut [0]).is_ok() {
                    return broken;
                }
                broken += usize::from(!is_own);
            }
        });
        let mut bound = bind(&Address::Tcp(address), 1).expect("binds");
        let seat = bound.take_seats().pop().expect("a seat");
        let listener = TcpListener::from(seat.into_descriptor());
        let (mut accepted, _) = listener.accept().expect("accepts");
        accepted.write_all(b"x").expect("writes");
        broken += client.join().expect("no panic");
    }
    assert_eq!(broken, 0, "connections were taken and thrown away");
}

#[test]
fn accepting_a_crowd_lets_other_tasks_run_behind_every_batch() {
    for is_stopped in [false, true] {
        on_both_drivers(move || async move {
            let (mut listener, address) = listen();
            let count = 4 * ACCEPT_BATCH;
            let _clients: Vec<_> = (0..count)
                .map(|_| TcpStream::connect(address).expect("queued"))
                .collect();
            if is_stopped {
                listener.stopper().stop();
            }
            let (turns, is_over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
            let (counted, over) = (Rc::clone(&turns), Rc::clone(&is_over));
            let counting = task::spawn(async move {
                while !over.get() {
                    counted.set(counted.get() + 1);
                    task::yield_now().await;
                }
            });
            let (mut before, mut in_a_row) = (0, 0);
            for number in 0..count {
                drop(listener.accept().await.expect("waits in the queue"));
                if turns.get() == before {
                    in_a_row += 1;
                    assert!(in_a_row <= ACCEPT_BATCH, "{number}, stopped: {is_stopped}");
                } else {
                    (before, in_a_row) = (turns.get(), 1);
                }
            }
            is_over.set(true);
            counting.await.expect("no panic");
        });
    }
}

#[test]
fn stop_hands_out_what_the_queue_can_hold_though_clients_go_on_coming() {
    on_both_drivers(|| async {
        let (mut listener, address) = listen();
        listener.left_after_stop = 3;
        listener.stopper().stop();
        let _clients: Vec<_> = (0..5)
            .map(|_| TcpStream::connect(address).expect("queued"))
            .collect();
        for _ in 0..3 {
            assert!(listener.accept().await.is_ok());
        }
        let end = listener.accept().await.err().map(NetError::kind);
        assert_eq!(end, Some(NetErrorKind::Stopped));
    });
}
