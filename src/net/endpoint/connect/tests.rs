use std::net::SocketAddr;
use std::sync::Arc;

use super::{ConnectTimeouts, ProviderEndpoint, connect};
use crate::net::error::{NetError, NetErrorKind, NetOperation};
use crate::net::runtime::clock::now;
use crate::net::runtime::task;
use crate::net::runtime::timer::sleep;
use crate::net::test_support::{WAITS, endpoint_at, hear, listen, on_both_drivers, say};

/// An address where nobody listens.
fn dead_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("address")
}

/// An address that swallows connections: a listener with a full queue, which nobody accepts from.
/// What fills it must live on.
fn silent_address() -> (socket2::Socket, Vec<socket2::Socket>, SocketAddr) {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("address");
    listener.bind(&any.into()).expect("binds");
    listener.listen(0).expect("listens");
    let address = listener.local_addr().expect("address");
    let mut filling = Vec::new();
    for _ in 0..4 {
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("socket");
        client.set_nonblocking(true).expect("option");
        let _ = client.connect(&address);
        filling.push(client);
    }
    (listener, filling, address.as_socket().expect("ip"))
}

fn endpoint_with(list: Vec<SocketAddr>) -> ProviderEndpoint {
    let endpoint = ProviderEndpoint::new("provider.test", 443, None);
    endpoint.resolved(list);
    endpoint
}

#[test]
fn connect_where_nobody_listens_is_refused() {
    on_both_drivers(|| async {
        let endpoint = endpoint_at(dead_address(), None);
        let error = connect(&endpoint, WAITS, |_| true).await.err();
        assert_eq!(
            error,
            Some(NetError::new(NetOperation::Connect, NetErrorKind::Refused))
        );
    });
}

#[test]
fn connect_into_silence_runs_out_of_time() {
    on_both_drivers(|| async {
        let (_listener, _filling, address) = silent_address();
        sleep(5).await;
        let begun = now();
        let waits = ConnectTimeouts {
            connect_ms: 60,
            ..WAITS
        };
        let error = connect(&endpoint_at(address, None), waits, |_| true)
            .await
            .err();
        assert_eq!(
            error,
            Some(NetError::new(NetOperation::Connect, NetErrorKind::Timeout))
        );
        assert!((60..3_000).contains(&now().ms_since(begun)));
    });
}

#[test]
fn connect_with_first_address_refusing_takes_the_second_at_once() {
    on_both_drivers(|| async {
        let (mut listener, address) = listen();
        let endpoint = Arc::new(endpoint_with(vec![dead_address(), dead_address(), address]));
        let begun = now();
        let accepting = task::spawn(async move { listener.accept().await });
        let stream = connect(&endpoint, WAITS, |_| true).await.expect("connects");
        assert_eq!(stream.peer(), Some(address));
        assert!(
            now().ms_since(begun) < 200,
            "a refusal gives up its head start"
        );
        drop(accepting.await);
        // The one that answered is tried first from now on.
        assert_eq!(endpoint.addresses().first(), Some(&address));
    });
}

#[test]
fn connect_with_first_address_silent_takes_the_second_after_the_head_start() {
    on_both_drivers(|| async {
        let (_listener, _filling, silent) = silent_address();
        sleep(5).await;
        let (mut listener, address) = listen();
        let endpoint = endpoint_with(vec![silent, address]);
        let begun = now();
        let accepting = task::spawn(async move {
            let mut far = listener.accept().await.expect("accepts");
            say(&mut far, b"second").await;
            far
        });
        let mut stream = connect(&endpoint, WAITS, |_| true).await.expect("connects");
        assert!((250..2_000).contains(&now().ms_since(begun)));
        assert_eq!(hear(&mut stream, 6).await, b"second");
        drop(accepting.await);
    });
}

#[test]
fn connect_before_the_first_resolution_waits_for_it_and_no_longer() {
    on_both_drivers(|| async {
        let (mut listener, address) = listen();
        let endpoint = Arc::new(ProviderEndpoint::new("late.test", 80, None));
        let resolving = Arc::clone(&endpoint);
        drop(task::spawn(async move {
            sleep(20).await;
            resolving.resolved(vec![address]);
        }));
        let accepting = task::spawn(async move { listener.accept().await });
        assert!(connect(&endpoint, WAITS, |_| true).await.is_ok());
        drop(accepting.await);

        let never = ProviderEndpoint::new("never.test", 80, None);
        let waits = ConnectTimeouts {
            resolve_ms: 30,
            ..WAITS
        };
        let error = connect(&never, waits, |_| true).await.err();
        assert_eq!(
            error,
            Some(NetError::new(NetOperation::Resolve, NetErrorKind::Timeout))
        );
        assert!(never.take_ask());
    });
}

#[test]
fn connect_to_a_name_without_address_fails_as_soon_as_that_is_known() {
    on_both_drivers(|| async {
        let endpoint = Arc::new(ProviderEndpoint::new("none.test", 80, None));
        let resolving = Arc::clone(&endpoint);
        drop(task::spawn(async move {
            sleep(10).await;
            resolving.resolved(Vec::new());
        }));
        let begun = now();
        let error = connect(
            &endpoint,
            ConnectTimeouts {
                resolve_ms: 30_000,
                ..WAITS
            },
            |_| true,
        )
        .await
        .err();
        assert_eq!(
            error,
            Some(NetError::new(
                NetOperation::Resolve,
                NetErrorKind::NoAddress
            ))
        );
        assert!(now().ms_since(begun) < 10_000);
    });
}

#[test]
fn resolved_empty_keeps_the_last_good_answer_and_more_than_the_bound_is_cut() {
    let address = |last: u8| SocketAddr::from(([127, 0, 0, last], 80));
    let endpoint = endpoint_with(vec![address(1), address(2)]);
    endpoint.resolved(Vec::new());
    assert_eq!(endpoint.addresses(), [address(1), address(2)]);
    endpoint.resolved((1..=20).map(address).collect());
    assert_eq!(endpoint.addresses().len(), crate::limits::ADDRESSES_MAX);
    let literal = ProviderEndpoint::new("::1", 8080, None);
    assert_eq!(
        literal.addresses(),
        ["[::1]:8080".parse().expect("address")]
    );
    assert!(!literal.needs_resolver());
}

#[test]
fn connect_goes_only_to_addresses_that_are_admitted() {
    on_both_drivers(|| async {
        let (_listener, address) = listen();
        let other: SocketAddr = SocketAddr::from(([127, 0, 0, 9], address.port()));
        let endpoint = endpoint_with(vec![other, address]);
        let error = connect(&endpoint, WAITS, |_| false).await.err();
        assert_eq!(
            error,
            Some(NetError::new(NetOperation::Connect, NetErrorKind::Barred))
        );
        let stream = connect(&endpoint, WAITS, |ip| ip == address.ip()).await;
        assert_eq!(stream.expect("connects").peer(), Some(address));
    });
}
