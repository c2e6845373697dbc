use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Resolver, interleave};
use crate::limits::ADDRESSES_MAX;
use crate::net::endpoint::connect::{ProviderEndpoint, connect};
use crate::net::runtime::task;
use crate::net::test_support::{WAITS, listen, on_both_drivers, until};

fn addresses(list: &[&str]) -> Vec<SocketAddr> {
    list.iter()
        .map(|text| text.parse().expect("address"))
        .collect()
}

#[test]
fn interleave_takes_turns_beginning_with_the_first_family() {
    let check = |input: &[&str], expected: &[&str]| {
        assert_eq!(interleave(&addresses(input)), addresses(expected));
    };
    check(&[], &[]);
    check(
        &["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1"],
        &["[::1]:1", "1.0.0.1:1", "[::2]:1", "[::3]:1"],
    );
    check(
        &["1.0.0.1:1", "1.0.0.2:1", "[::1]:1"],
        &["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"],
    );
    check(&["1.0.0.1:1", "1.0.0.1:1"], &["1.0.0.1:1"]);
    let many: Vec<SocketAddr> = (0..40).map(|last| ([10, 0, 0, last], 1).into()).collect();
    assert_eq!(interleave(&many).len(), ADDRESSES_MAX);
}

/// Runs a resolver on a control thread of its own until the test lets go of the sender.
fn control_thread(endpoints: Vec<Arc<ProviderEndpoint>>) -> tokio::sync::oneshot::Sender<()> {
    let (running, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("builds");
        runtime.block_on(async {
            let mut resolver = Resolver::new(endpoints);
            tokio::select! {
                () = resolver.run() => {}
                _ = ended => {}
            }
        });
        runtime.shutdown_timeout(Duration::from_millis(10));
    });
    running
}

#[test]
fn worker_connects_by_name_that_the_control_thread_resolves() {
    on_both_drivers(|| async {
        let (mut listener, address) = listen();
        let endpoint = Arc::new(ProviderEndpoint::new("localhost", address.port(), None));
        let _running = control_thread(vec![Arc::clone(&endpoint)]);
        let accepting = task::spawn(async move { listener.accept().await });
        let stream = connect(&endpoint, WAITS, |_| true).await.expect("connects");
        assert_eq!(stream.peer(), Some(address));
        drop(accepting.await);
    });
}

#[test]
fn resolver_asked_soon_after_looks_again_and_keeps_what_is_good() {
    on_both_drivers(|| async {
        let endpoint = Arc::new(ProviderEndpoint::new("localhost", 80, None));
        let literal = Arc::new(ProviderEndpoint::new("127.0.0.1", 80, None));
        let _running = control_thread(vec![Arc::clone(&endpoint), literal]);
        until(|| !endpoint.addresses().is_empty()).await;
        // Someone loses them; an ask brings them back within the pause between look-ups.
        endpoint.resolved(addresses(&["192.0.2.1:80"]));
        endpoint.ask();
        let begun = std::time::Instant::now();
        until(|| {
            endpoint
                .addresses()
                .iter()
                .all(|found| found.ip().is_loopback())
        })
        .await;
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "not before the refresh"
        );
    });
}
