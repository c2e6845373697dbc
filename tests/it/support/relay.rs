//! A way to a Unix socket of a server that can become a black hole: its connections stay open, and
//! nothing goes through them any more.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A relay that listens in a folder of its own. Its threads end with the connections.
pub(crate) struct Relay {
    dead: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Relay {
    /// Listens at `place` for `server`.
    pub(crate) fn start(place: &Path, server: PathBuf) -> Self {
        let listener = UnixListener::bind(place).unwrap();
        let relay = Self {
            dead: Arc::default(),
            accepted: Arc::default(),
        };
        let (dead, accepted) = (Arc::clone(&relay.dead), Arc::clone(&relay.accepted));
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&server)) else {
                    continue;
                };
                for (from, to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    let dead = Arc::clone(&dead);
                    thread::spawn(move || {
                        forward(from, to, || dead.load(Ordering::SeqCst) > number)
                    });
                }
            }
        });
        relay
    }

    /// From now on nothing goes through the connections that there are. New ones are forwarded.
    pub(crate) fn swallow(&self) {
        let accepted = self.accepted.load(Ordering::SeqCst);
        self.dead.store(accepted, Ordering::SeqCst);
    }
}

fn forward(mut from: UnixStream, mut to: UnixStream, is_dead: impl Fn() -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        // What is swallowed is read, as the host of a dead peer's router does.
        if !is_dead() && to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    if !is_dead() {
        let _ = to.shutdown(std::net::Shutdown::Both);
    }
}
