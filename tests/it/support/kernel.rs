//! What the kernel holds of connections: how much of what was written nobody has taken yet.

use std::fs;
use std::net::SocketAddr;

/// Bytes between the two ends of every connection on IPv4 to or from `address`: what the one end has
/// sent and the other has not read. Exact while nothing moves.
pub(crate) fn queued(address: SocketAddr) -> usize {
    let port = format!(":{:04X}", address.port());
    fs::read_to_string("/proc/net/tcp")
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, state, queues, ..] = fields[..] else {
                panic!("no line of a socket: {line}");
            };
            // A listener's queue counts connections.
            let listens = state == "0A";
            if listens || !(local.ends_with(&port) || remote.ends_with(&port)) {
                return 0;
            }
            let (unsent, unread) = queues.split_once(':').unwrap();
            [unsent, unread]
                .map(|bytes| usize::from_str_radix(bytes, 16).unwrap())
                .iter()
                .sum()
        })
        .sum()
}
