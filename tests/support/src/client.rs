//! A client that sends bytes as they are and reads answers without mercy.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::http::{self, Body, OwnedHead};
use crate::wait::DEADLINE;

/// One connection.
pub struct Client {
    io: Box<dyn Io>,
    socket: Socket,
    input: Vec<u8>,
    ended: Option<End>,
    /// Why it was cut, for who reads that a test failed.
    failure: Option<std::io::Error>,
}

/// An answer as far as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: OwnedHead,
    pub body: Vec<u8>,
    pub end: End,
    framing: Body,
}

/// How an answer, or a connection, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// More may come.
    Open,
    /// By its own framing.
    Whole,
    /// The connection was closed in good order: the end of an answer without framing.
    Closed,
    /// The connection was closed or reset before the framing's end.
    Cut,
}

trait Io: Read + Write {}
impl<T: Read + Write> Io for T {}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.connect(&SockAddr::from(address)).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        Self::plain(socket)
    }

    /// A connection whose kernels hold few bytes, on both sides: small segments keep the peer's
    /// send buffer small.
    pub fn connect_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.set_tcp_mss(1_000).unwrap();
        socket.connect(&SockAddr::from(address)).unwrap();
        Self::plain(socket)
    }

    pub fn connect_unix(path: &Path) -> Self {
        Self::plain(UnixStream::connect(path).unwrap().into_socket())
    }

    pub fn connect_tls(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> Self {
        let mut client = Self::connect(address);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let session = ClientConnection::new(config, name).unwrap();
        let plain = client.socket.try_clone().unwrap();
        client.io = Box::new(StreamOwned::new(session, plain));
        client
    }

    fn plain(socket: Socket) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        Self {
            io: Box::new(socket.try_clone().unwrap()),
            socket,
            input: Vec::new(),
            ended: None,
            failure: None,
        }
    }

    /// Sends bytes; whether the gateway still wants them is seen by its answer.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.io.write_all(bytes.as_ref());
        let _ = sent.and_then(|()| self.io.flush());
    }

    /// Sends bytes until the gateway takes no more of them for a while.
    pub fn stuff(&mut self, bytes: impl AsRef<[u8]>) {
        let wait = Some(Duration::from_millis(200));
        self.socket.set_write_timeout(wait).unwrap();
        self.send(bytes);
        self.socket.set_write_timeout(Some(DEADLINE)).unwrap();
    }

    /// Sends a request and reads its whole answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Reads a whole answer.
    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        self.finish(&mut answer);
        answer
    }

    /// Reads the whole answer to a HEAD request: a head alone, whatever it declares.
    pub fn answer_to_head(&mut self) -> Answer {
        let mut answer = self.read_head();
        answer.framing = Body::Length(0);
        answer.end = End::Whole;
        answer
    }

    /// Reads an answer's head. The body is read by the methods below.
    pub fn head(&mut self) -> Answer {
        let mut answer = self.read_head();
        self.digest(&mut answer);
        answer
    }

    fn read_head(&mut self) -> Answer {
        let (status, head, framing, length) = loop {
            if let Some(head) = http::head(&self.input).unwrap() {
                let status = head.status().unwrap();
                assert!(head.line.starts_with("HTTP/1.1 "), "{head:?}");
                let framing = match status {
                    204 | 304 | 100..=199 => Body::Length(0),
                    _ => head.body(false).unwrap(),
                };
                break (status, OwnedHead::from(&head), framing, head.len);
            }
            let shown = String::from_utf8_lossy(&self.input).into_owned();
            assert!(
                self.read(),
                "no answer, but {:?} ({:?}) after {shown:?}",
                self.ended,
                self.failure
            );
        };
        self.input.drain(..length);
        Answer {
            status,
            head,
            body: Vec::new(),
            end: End::Open,
            framing,
        }
    }

    /// Reads until the body holds `text`.
    pub fn until(&mut self, answer: &mut Answer, text: &str) {
        while http::find(&answer.body, text.as_bytes()).is_none() {
            assert_eq!(answer.end, End::Open, "no {text:?} in {}", answer.text());
            self.read();
            self.digest(answer);
        }
    }

    /// One more read.
    pub fn more(&mut self, answer: &mut Answer) {
        assert_eq!(answer.end, End::Open, "{}", answer.text());
        self.read();
        self.digest(answer);
    }

    /// Reads to the answer's end, whatever it is.
    pub fn finish(&mut self, answer: &mut Answer) {
        while answer.end == End::Open {
            self.read();
            self.digest(answer);
        }
    }

    /// Whether the connection ends without another byte, and in good order.
    pub fn is_closed(&mut self) -> bool {
        while self.read() {}
        assert_eq!(
            String::from_utf8_lossy(&self.input),
            "",
            "bytes behind the last answer"
        );
        self.ended == Some(End::Closed)
    }

    /// Reads to the end of the connection; whether anything in clear came that looks like HTTP.
    pub fn heard_http(&mut self) -> bool {
        while self.read() {}
        http::find(&self.input, b"HTTP/").is_some()
    }

    /// Whether nothing at all comes within `wait`.
    pub fn is_quiet(&mut self, wait: Duration) -> bool {
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let mut byte = [0];
        let quiet = matches!(
            self.io.read(&mut byte),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        );
        self.socket.set_read_timeout(Some(DEADLINE)).unwrap();
        quiet
    }

    /// Leaves in good order; says when.
    pub fn leave(self) -> Instant {
        let now = Instant::now();
        drop(self);
        now
    }

    /// Leaves with a reset; says when.
    pub fn break_off(self) -> Instant {
        self.socket.set_linger(Some(Duration::ZERO)).unwrap();
        self.leave()
    }

    /// Whether anything comes within `wait`; it is kept.
    pub fn hears_within(&mut self, wait: Duration) -> bool {
        let before = self.input.len();
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let mut piece = [0; 4096];
        match self.io.read(&mut piece) {
            Ok(0) => self.ended = Some(End::Closed),
            Ok(count) => self.input.extend_from_slice(&piece[..count]),
            Err(_) => {}
        }
        self.socket.set_read_timeout(Some(DEADLINE)).unwrap();
        self.input.len() > before || self.ended.is_some()
    }

    /// Lets so much time pass; what comes meanwhile is kept. False when the answer ended.
    pub fn is_quiet_but_pings(&mut self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.ended.is_some() {
                self.socket.set_read_timeout(Some(DEADLINE)).unwrap();
                return self.ended.is_none();
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut piece = [0; 4096];
            match self.io.read(&mut piece) {
                Ok(0) => self.ended = Some(End::Closed),
                Ok(count) => self.input.extend_from_slice(&piece[..count]),
                Err(error) => {
                    let kind = error.kind();
                    if !matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                        self.ended = Some(End::Cut);
                    }
                }
            }
        }
    }

    /// Ends our direction and keeps reading.
    pub fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    fn digest(&mut self, answer: &mut Answer) {
        let taken = answer.framing.take(&mut self.input, &mut answer.body);
        if taken.unwrap() {
            answer.end = End::Whole;
        } else if let Some(end) = self.ended {
            answer.end = match answer.framing {
                Body::UntilClose => end,
                Body::Length(_) | Body::Chunked(_) => End::Cut,
            };
        }
    }

    /// One read; false at the end of the connection.
    fn read(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let mut piece = vec![0; 64 * 1024];
        match self.io.read(&mut piece) {
            Ok(0) => self.ended = Some(End::Closed),
            Ok(count) => self.input.extend_from_slice(&piece[..count]),
            Err(error) => {
                let stuck = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                let shown = String::from_utf8_lossy(&self.input);
                assert!(!stuck, "the gateway fell silent after {shown:?}");
                self.ended = Some(End::Cut);
                self.failure = Some(error);
            }
        }
        self.ended.is_none()
    }
}

impl Answer {
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {self:?} {}", self.text()))
    }
}

/// From the standard library's stream to the socket under it.
trait IntoSocket {
    fn into_socket(self) -> Socket;
}

impl IntoSocket for UnixStream {
    fn into_socket(self) -> Socket {
        Socket::from(std::os::fd::OwnedFd::from(self))
    }
}
