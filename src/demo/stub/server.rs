//! The stub's socket and threads.
//!
//! One thread accepts, each connection has its own: this is a toy's load, and blocking code is the
//! plainest. At most [`CONNECTIONS_MAX`] at a time; further ones are closed at once.

use core::time::Duration;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::demo::stub::connection;
use crate::demo::stub::shared::Shared;

/// A running stub; dropping it ends it.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    /// Starts a stub on a loopback port that the system gives.
    ///
    /// # Errors
    /// No port, or no thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("stub-accept".to_owned())
            .spawn(move || accept(&listener, &seen))?;
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.stop();
        // Wakes the accepting thread; the connections look for themselves.
        let woken = TcpStream::connect_timeout(&self.address, WAKE_LIMIT);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            // It ends without a value; a panic of its own has been printed.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.is_stopped() {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, most likely: give others time to close theirs.
            let _ = shared.wait_until(Instant::now() + ACCEPT_PAUSE);
            continue;
        };
        if shared.is_stopped() || shared.open_count() >= CONNECTIONS_MAX {
            continue;
        }
        shared.opened();
        let place = Place(Arc::clone(shared));
        // Without a thread the connection is closed, and its place given back.
        let _ = thread::Builder::new()
            .name("stub-peer".to_owned())
            .spawn(move || connection::serve(stream, &place.0));
    }
}

/// A connection's place; given back however its thread ends.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Connections at a time.
pub const CONNECTIONS_MAX: usize = 256;
/// Between two tries to accept when one failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// For the connection that ends the accepting.
const WAKE_LIMIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use super::Stub;
    use crate::demo::stub::answer::KEY;

    fn connect(stub: &Stub) -> TcpStream {
        let stream = TcpStream::connect(stub.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream
    }

    fn ask(stream: &mut TcpStream, model: &str, end: &str) {
        let body = format!(
            r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"x"}}]}}"#
        );
        let length = body.len();
        let request = format!(
            "POST /v1/chat/completions {end}host: x\r\nauthorization: Bearer {KEY}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
    }

    /// Reads until the answer holds `text`, or its end.
    fn read(stream: &mut TcpStream, text: &str) -> String {
        let mut found = String::new();
        let mut piece = [0; 4096];
        while !found.contains(text) {
            let count = stream.read(&mut piece).unwrap();
            if count == 0 {
                break;
            }
            found.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        found
    }

    #[test]
    fn stub_answers_one_request_after_the_other_on_a_connection() {
        let stub = Stub::start().unwrap();
        let mut stream = connect(&stub);
        for number in 1..=3 {
            ask(&mut stream, "stub-text-fast", "HTTP/1.1\r\n");
            let text = read(&mut stream, "[DONE]\n\n\r\n0\r\n\r\n");
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
            assert!(text.contains(&format!("chatcmpl-stub0000000{number}")));
        }
    }

    #[test]
    fn stub_closes_where_that_is_the_answer() {
        let stub = Stub::start().unwrap();
        for (model, version, end) in [
            ("stub-reset", "HTTP/1.1\r\n", ""),
            ("stub-break-fast", "HTTP/1.1\r\n", "\r\n"),
            ("stub-text-fast", "HTTP/1.0\r\n", "data: [DONE]\n\n"),
        ] {
            let mut stream = connect(&stub);
            ask(&mut stream, model, version);
            let text = read(&mut stream, "no such text");
            assert!(text.ends_with(end) && !text.contains("0\r\n\r\n"), "{text}");
            assert_eq!(text.is_empty(), model == "stub-reset");
        }
    }

    #[test]
    fn stub_that_is_dropped_ends_its_silence() {
        let stub = Stub::start().unwrap();
        let mut stream = connect(&stub);
        ask(&mut stream, "stub-silent", "HTTP/1.1\r\n");
        read(&mut stream, "\r\n\r\n");
        let started = Instant::now();
        drop(stub);
        assert_eq!(read(&mut stream, "no such text"), "");
        assert!(started.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn stub_refuses_what_is_no_http() {
        let stub = Stub::start().unwrap();
        let mut stream = connect(&stub);
        stream.write_all(b"GET / HTTP/1.1\nhost: x\n\n").unwrap();
        let text = read(&mut stream, "no such text");
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    }
}
