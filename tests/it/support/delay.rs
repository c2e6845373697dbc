//! A relay between gateways and a Redis that delays what passes, and stalls.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

/// A relay to a Unix socket. It ends with the process; its connections with their ends.
pub(crate) struct Relay {
    address: SocketAddr,
    stalls: Arc<AtomicBool>,
}

impl Relay {
    /// A relay to this socket; each direction is delayed by `delay`.
    pub(crate) fn start(socket: &str, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stalls = Arc::<AtomicBool>::default();
        let (socket, stalled) = (socket.to_owned(), Arc::clone(&stalls));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(Path::new(&socket)))
                else {
                    continue;
                };
                client.set_nodelay(true).unwrap();
                let there = (client.try_clone().unwrap(), server.try_clone().unwrap());
                pass(there, delay, Arc::default(), |it: &UnixStream| {
                    let _ = it.shutdown(std::net::Shutdown::Both);
                });
                pass(
                    (server, client),
                    delay,
                    Arc::clone(&stalled),
                    |it: &TcpStream| {
                        let _ = it.shutdown(std::net::Shutdown::Both);
                    },
                );
            }
        });
        Self { address, stalls }
    }

    /// Where gateways find the Redis.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Keeps all answers back, or lets them go.
    pub(crate) fn stall(&self, stalls: bool) {
        self.stalls.store(stalls, Ordering::Relaxed);
    }
}

fn pass<R: Read + Send + 'static, W: Write + Send + 'static>(
    (mut from, mut to): (R, W),
    delay: Duration,
    stalls: Arc<AtomicBool>,
    close: impl Fn(&W) + Send + 'static,
) {
    let (sender, parts) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if sender
                .send((Instant::now(), buffer[..read].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (came, part) in parts {
            while stalls.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_millis(1));
            }
            while let Some(left) = delay.checked_sub(came.elapsed()).filter(|it| !it.is_zero()) {
                thread::park_timeout(left);
            }
            if to.write_all(&part).is_err() {
                break;
            }
        }
        close(&to);
    });
}
