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

use super::http::{self, Framing, Head};
use super::wait::DEADLINE;

/// One connection.
pub(crate) struct Client {
    io: Box<dyn Io>,
    socket: Socket,
    input: Vec<u8>,
    ended: Option<End>,
}

/// An answer as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
    framing: Framing,
}

/// How an answer, or a connection, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
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
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.connect(&SockAddr::from(address)).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        Self::plain(socket)
    }

    /// A connection whose kernels hold few bytes, on both sides: small segments keep the peer's
    /// send buffer small.
    pub(crate) fn connect_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.set_tcp_mss(1_000).unwrap();
        socket.connect(&SockAddr::from(address)).unwrap();
        Self::plain(socket)
    }

    pub(crate) fn connect_unix(path: &Path) -> Self {
        Self::plain(UnixStream::connect(path).unwrap().into_socket())
    }

    pub(crate) fn connect_tls(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> Self {
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
        }
    }

    /// Sends bytes; whether the gateway still wants them is seen by its answer.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.io.write_all(bytes.as_ref());
        let _ = sent.and_then(|()| self.io.flush());
    }

    /// Sends bytes until the gateway takes no more of them for a while.
    pub(crate) fn stuff(&mut self, bytes: impl AsRef<[u8]>) {
        let wait = Some(Duration::from_millis(200));
        self.socket.set_write_timeout(wait).unwrap();
        self.send(bytes);
        self.socket.set_write_timeout(Some(DEADLINE)).unwrap();
    }

    /// Sends a request and reads its whole answer.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Reads a whole answer.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        self.finish(&mut answer);
        answer
    }

    /// Reads the whole answer to a HEAD request: a head alone, whatever it declares.
    pub(crate) fn answer_to_head(&mut self) -> Answer {
        let mut answer = self.head();
        answer.framing = Framing::None;
        self.digest(&mut answer);
        self.finish(&mut answer);
        answer
    }

    /// Reads an answer's head. The body is read by the methods below.
    pub(crate) fn head(&mut self) -> Answer {
        let (head, length) = loop {
            if let Some(found) = Head::read(&self.input) {
                break found;
            }
            let shown = String::from_utf8_lossy(&self.input).into_owned();
            assert!(
                self.read(),
                "no answer, but {:?} after {shown:?}",
                self.ended
            );
        };
        self.input.drain(..length);
        let status = status_of(&head);
        let framing = match status {
            204 | 304 | 100..=199 => Framing::None,
            _ => head.framing().unwrap_or(Framing::UntilClose),
        };
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
            end: End::Open,
            framing,
        };
        self.digest(&mut answer);
        answer
    }

    /// Reads until the body holds `text`.
    pub(crate) fn until(&mut self, answer: &mut Answer, text: &str) {
        while http::find(&answer.body, text.as_bytes()).is_none() {
            assert_eq!(answer.end, End::Open, "no {text:?} in {}", answer.text());
            self.read();
            self.digest(answer);
        }
    }

    /// One more read.
    pub(crate) fn more(&mut self, answer: &mut Answer) {
        assert_eq!(answer.end, End::Open, "{}", answer.text());
        self.read();
        self.digest(answer);
    }

    /// Reads to the answer's end, whatever it is.
    pub(crate) fn finish(&mut self, answer: &mut Answer) {
        while answer.end == End::Open {
            self.read();
            self.digest(answer);
        }
    }

    /// Whether the connection ends without another byte, and in good order.
    pub(crate) fn is_closed(&mut self) -> bool {
        while self.read() {}
        assert_eq!(
            String::from_utf8_lossy(&self.input),
            "",
            "bytes behind the last answer"
        );
        self.ended == Some(End::Closed)
    }

    /// Reads to the end of the connection; whether anything in clear came that looks like HTTP.
    pub(crate) fn heard_http(&mut self) -> bool {
        while self.read() {}
        http::find(&self.input, b"HTTP/").is_some()
    }

    /// Whether nothing at all comes within `wait`.
    pub(crate) fn is_quiet(&mut self, wait: Duration) -> bool {
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
    pub(crate) fn leave(self) -> Instant {
        let now = Instant::now();
        drop(self);
        now
    }

    /// Leaves with a reset; says when.
    pub(crate) fn break_off(self) -> Instant {
        self.socket.set_linger(Some(Duration::ZERO)).unwrap();
        self.leave()
    }

    /// Whether anything comes within `wait`; it is kept.
    pub(crate) fn hears_within(&mut self, wait: Duration) -> bool {
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
    pub(crate) fn is_quiet_but_pings(&mut self, wait: Duration) -> bool {
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
    pub(crate) fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    fn digest(&mut self, answer: &mut Answer) {
        let end = match answer.framing {
            // Large bodies come like this: they are not read twice.
            Framing::Length(length) => {
                let there = self.input.len().min(length);
                let fresh = answer.body.len()..there;
                answer.body.extend_from_slice(&self.input[fresh]);
                (there == length).then_some(length)
            }
            framing @ (Framing::None | Framing::Chunked | Framing::UntilClose) => {
                let body = http::body(&self.input, framing);
                answer.body = body.payload;
                body.end
            }
        };
        if let Some(length) = end {
            self.input.drain(..length);
            answer.end = End::Whole;
        } else if let Some(end) = self.ended {
            answer.end = match answer.framing {
                Framing::UntilClose => end,
                Framing::None | Framing::Length(_) | Framing::Chunked => End::Cut,
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
            }
        }
        self.ended.is_none()
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {self:?} {}", self.text()))
    }
}

fn status_of(head: &Head) -> u16 {
    let mut words = head.line.split(' ');
    assert_eq!(words.next(), Some("HTTP/1.1"), "{head:?}");
    words.next().unwrap().parse().unwrap()
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
