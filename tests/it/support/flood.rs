//! A provider that sends without end to thousands of connections, from one thread and with one
//! descriptor each.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use socket2::SockRef;

/// A running provider. Dropping it closes everything.
pub(crate) struct Flood {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    sent: AtomicUsize,
    is_over: AtomicBool,
}

/// One connection: what of the first or of a later piece is still to be sent.
struct Line {
    socket: TcpStream,
    is_asked: bool,
    is_begun: bool,
    at: usize,
}

impl Flood {
    /// Answers every request with `first`, and then `piece` over and over, where there is one.
    pub(crate) fn start(first: Vec<u8>, piece: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        thread::spawn(move || {
            let mut lines: Vec<Line> = Vec::new();
            while !told.is_over.load(Ordering::Relaxed) {
                let mut is_busy = false;
                while let Ok((socket, _)) = listener.accept() {
                    lines.push(Line::begin(socket));
                    told.connections.store(lines.len(), Ordering::Relaxed);
                }
                for line in &mut lines {
                    let sent = line.go_on(&first, &piece);
                    told.sent.fetch_add(sent, Ordering::Relaxed);
                    is_busy |= sent > 0;
                }
                if !is_busy {
                    thread::park_timeout(Duration::from_millis(5));
                }
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Bytes that the kernel has taken so far.
    pub(crate) fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Line {
    fn begin(socket: TcpStream) -> Self {
        // What the kernel holds for us says nothing of the gateway.
        SockRef::from(&socket).set_send_buffer_size(4_096).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            is_asked: false,
            is_begun: false,
            at: 0,
        }
    }

    /// Sends what the kernel takes now.
    fn go_on(&mut self, first: &[u8], piece: &[u8]) -> usize {
        if !self.is_asked {
            // A request is small and comes in one piece; what it says does not matter.
            self.is_asked = matches!(self.socket.read(&mut [0; 4_096]), Ok(1..));
            return 0;
        }
        let bytes = if self.is_begun { piece } else { first };
        let count = self.socket.write(&bytes[self.at..]).unwrap_or(0);
        self.at += count;
        if self.at == bytes.len() {
            (self.is_begun, self.at) = (true, 0);
        }
        count
    }
}

/// Waits until no other test floods, and lets this process have all the descriptors it may, of which
/// `count` are for this test.
pub(crate) fn allow_descriptors(count: usize) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A flood that failed leaves nothing behind that another could trip over.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let own = std::process::id().to_string();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let most = files.unwrap().split_whitespace().nth(1).unwrap();
    let enough = most.parse::<usize>().is_ok_and(|most| most >= count);
    assert!(enough, "{count} descriptors are not allowed here: {most}");
    let status = Command::new("prlimit")
        .args(["--pid", &own, &format!("--nofile={most}:")])
        .status()
        .unwrap();
    assert!(status.success());
    turn
}
