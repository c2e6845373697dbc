//! A provider that follows a script: raw sockets, a thread per connection.
//!
//! Each connection follows its own script (the last one serves all further connections). What
//! came is kept: requests as they were, when each connection ended and how.

use core::time::Duration;
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::http::{self, Body, OwnedHead};
use crate::script::{Script, Step, always};
use crate::wait::{self, DEADLINE};

/// A running provider. Dropping it closes everything.
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The connection's number, from nought.
    pub connection: usize,
    pub head: OwnedHead,
    pub body: Vec<u8>,
}

/// How the peer ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEnd {
    Closed,
    Reset,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    sockets: Vec<Option<TcpStream>>,
    ends: Vec<Option<(Instant, PeerEnd)>>,
    over: Vec<bool>,
    sent: usize,
    gates: usize,
    stopped: bool,
}

/// A port that nobody else can take and at which nobody listens.
pub struct ClosedPort(Socket);

impl ClosedPort {
    pub fn bind() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&SockAddr::from(any)).unwrap();
        Self(socket)
    }

    pub fn origin(&self) -> String {
        let address = self.0.local_addr().unwrap();
        format!("http://{}", address.as_socket().unwrap())
    }
}

impl Provider {
    /// A provider whose nth connection follows the nth script.
    pub fn start(scripts: Vec<Script>) -> Self {
        Self::listen(scripts, None)
    }

    /// The same over TLS.
    pub fn start_tls(scripts: Vec<Script>, tls: Arc<ServerConfig>) -> Self {
        Self::listen(scripts, Some(tls))
    }

    /// Every connection follows the same script.
    pub fn all(script: Script) -> Self {
        Self::start(vec![script])
    }

    /// Every request gets the same answer.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::all(always(answer))
    }

    fn listen(scripts: Vec<Script>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepted = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let Ok(socket) = socket else { return };
                if accepted.state().stopped {
                    return;
                }
                let script = scripts
                    .get(number)
                    .or_else(|| scripts.last())
                    .unwrap()
                    .clone();
                accepted.enter(&socket);
                let shared = Arc::clone(&accepted);
                let tls = tls.clone();
                thread::spawn(move || Connection::run(number, socket, tls, &script, &shared));
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Lets one waiting connection go on.
    pub fn open(&self) {
        self.shared.state().gates += 1;
        self.shared.changed.notify_all();
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.state().ends.len()
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// Bytes sent so far by `Flood`.
    pub fn sent(&self) -> usize {
        self.shared.state().sent
    }

    /// The only request that came.
    pub fn only_request(&self) -> Request {
        let requests = self.wait_requests(1);
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }

    /// Waits until so many requests have come.
    pub fn wait_requests(&self, count: usize) -> Vec<Request> {
        self.wait(&format!("{count} requests"), |state| {
            (state.requests.len() >= count).then(|| state.requests.clone())
        })
    }

    /// Waits until the peer has ended a connection; says when that was read.
    pub fn wait_end(&self, connection: usize) -> (Instant, PeerEnd) {
        self.wait("the end of a connection", |state| {
            state.ends.get(connection).copied().flatten()
        })
    }

    /// Waits until a connection is over, whichever side ended it.
    pub fn wait_over(&self, connection: usize) {
        self.wait("a connection that is over", |state| {
            let over = state.over.get(connection).copied();
            over.filter(|over| *over).map(|_| ())
        });
    }

    fn wait<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        let mut state = self.shared.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen = state.requests.len();
                drop(state);
                panic!("the provider never saw {what}, but {seen} requests");
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.stopped = true;
        for socket in state.sockets.iter().flatten() {
            // One that is closed already is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock has said so already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, socket: &TcpStream) {
        socket.set_nodelay(true).unwrap();
        let mut state = self.state();
        state.ends.push(None);
        state.over.push(false);
        state.sockets.push(Some(socket.try_clone().unwrap()));
        drop(state);
        self.changed.notify_all();
    }
}

trait Io: Read + Write {}
impl<T: Read + Write> Io for T {}

struct Connection<'s> {
    number: usize,
    socket: Option<TcpStream>,
    io: Box<dyn Io>,
    input: Vec<u8>,
    /// What has not come of the last request's body.
    awaited: Body,
    shared: &'s Shared,
}

/// The peer has ended the connection; noted already.
struct Gone;

impl Connection<'_> {
    fn run(
        number: usize,
        socket: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        script: &[Step],
        shared: &Shared,
    ) {
        let plain = socket.try_clone().unwrap();
        let io: Box<dyn Io> = match tls {
            None => Box::new(plain),
            Some(config) => {
                let session = ServerConnection::new(config).unwrap();
                Box::new(StreamOwned::new(session, plain))
            }
        };
        let mut connection = Connection {
            number,
            socket: Some(socket),
            io,
            input: Vec::new(),
            awaited: Body::Length(0),
            shared,
        };
        if connection.follow(script).is_ok() {
            while connection.read().is_ok() {}
        }
        shared.state().over[number] = true;
        shared.changed.notify_all();
    }

    fn follow(&mut self, script: &[Step]) -> Result<(), Gone> {
        let mut at = 0;
        while let Some(step) = script.get(at) {
            at += 1;
            match step {
                Step::Request => self.request(true)?,
                Step::Head => self.request(false)?,
                Step::Rest => self.rest()?,
                Step::Send(bytes) => self.send(bytes)?,
                Step::Deaf => return Err(self.deaf()),
                Step::Gate => self.gate()?,
                Step::Flood(bytes) => self.flood(bytes)?,
                Step::Close => {
                    self.shutdown();
                    return Err(Gone);
                }
                Step::Reset => return Err(self.reset()),
                Step::Again => at = 0,
            }
        }
        Ok(())
    }

    fn request(&mut self, is_whole: bool) -> Result<(), Gone> {
        let (head, length) = loop {
            if let Some(head) = http::head(&self.input).unwrap() {
                self.awaited = head.body(true).unwrap();
                break (OwnedHead::from(&head), head.len);
            }
            self.read()?;
        };
        self.input.drain(..length);
        let mut body = Vec::new();
        while !self.awaited.take(&mut self.input, &mut body).unwrap() && is_whole {
            self.read()?;
        }
        let request = Request {
            connection: self.number,
            head,
            body,
        };
        self.shared.state().requests.push(request);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn rest(&mut self) -> Result<(), Gone> {
        while !self.awaited.take(&mut self.input, &mut Vec::new()).unwrap() {
            self.read()?;
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        match self.io.write_all(bytes).and_then(|()| self.io.flush()) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.note(PeerEnd::Reset)),
        }
    }

    fn gate(&self) -> Result<(), Gone> {
        let mut state = self.shared.state();
        while state.gates == 0 {
            if state.stopped {
                return Err(Gone);
            }
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.gates -= 1;
        Ok(())
    }

    /// Waits for a reset without reading.
    fn deaf(&self) -> Gone {
        let socket = self.socket.as_ref().unwrap();
        wait::until("a reset", || {
            let stopped = self.shared.state().stopped;
            (stopped || socket.take_error().unwrap().is_some()).then_some(())
        });
        self.note(PeerEnd::Reset)
    }

    /// Writes until the peer closes; what the kernel took is counted.
    fn flood(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if let Some(socket) = &self.socket {
            // What the kernel holds for us says nothing of the gateway.
            let socket = socket2::SockRef::from(socket);
            socket.set_send_buffer_size(32 << 10).unwrap();
        }
        loop {
            match self.io.write(bytes) {
                Ok(count) => {
                    self.shared.state().sent += count;
                    self.shared.changed.notify_all();
                }
                Err(_) => return Err(self.note(PeerEnd::Reset)),
            }
        }
    }

    fn read(&mut self) -> Result<(), Gone> {
        let mut piece = [0; 16 * 1024];
        match self.io.read(&mut piece) {
            Ok(0) => Err(self.note(PeerEnd::Closed)),
            Ok(count) => {
                self.input.extend_from_slice(&piece[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.note(PeerEnd::Closed))
            }
            Err(_) => Err(self.note(PeerEnd::Reset)),
        }
    }

    fn note(&self, end: PeerEnd) -> Gone {
        self.shared.state().ends[self.number] = Some((Instant::now(), end));
        self.shared.changed.notify_all();
        Gone
    }

    fn shutdown(&self) {
        if let Some(socket) = &self.socket {
            // One that is closed already is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Lets go of every handle to the socket, so that the kernel resets the connection.
    fn reset(&mut self) -> Gone {
        if let Some(socket) = &self.socket {
            let linger = Some(Duration::ZERO);
            socket2::SockRef::from(socket).set_linger(linger).unwrap();
        }
        self.shared.state().sockets[self.number] = None;
        self.io = Box::new(Cursor::new(Vec::new()));
        self.socket = None;
        Gone
    }
}
