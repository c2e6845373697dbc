//! One connection to the mock: requests read, answers written as their scripts say.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use monoio::time::Instant;
use ringway_test_support::http::{Body, Head, head};

use crate::clock;
use crate::mock::answer::{Answer, answer, refusal};
use crate::mock::ask::{Ends, HEADER, script_in_model, script_of, wire_of};
use crate::mock::script::{Fault, Script};
use crate::socket;
use crate::wire::Wire;

/// What all connections of a thread share: the flags, and answers that were made before.
pub struct Shelf {
    base: Script,
    made: HashMap<(Wire, String), Rc<Made>>,
}

/// A script and its answers.
struct Made {
    script: Script,
    answer: Answer,
}

impl Shelf {
    /// One for these flags.
    #[must_use]
    pub fn new(base: Script) -> Self {
        let made = HashMap::new();
        Self { base, made }
    }
}

/// A connection.
pub struct Connection {
    stream: TcpStream,
    shelf: Rc<RefCell<Shelf>>,
    pending: Vec<u8>,
    ends: Ends,
    out: Vec<u8>,
}

/// Whether a connection goes on after an answer.
#[derive(PartialEq, Eq)]
enum Then {
    Next,
    Close,
}

impl Connection {
    /// A connection that was accepted.
    #[must_use]
    pub fn new(stream: TcpStream, shelf: Rc<RefCell<Shelf>>) -> Self {
        Self {
            stream,
            shelf,
            pending: Vec::new(),
            ends: Ends::default(),
            out: Vec::new(),
        }
    }

    /// Serves until the client leaves or a script ends the connection.
    ///
    /// # Errors
    /// A client that broke off, or whose request cannot be read.
    pub async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            let Some(head_bytes) = self.read_head().await? else {
                return Ok(());
            };
            let Some((wire, stream, made)) = self.read_request(&head_bytes).await? else {
                continue;
            };
            let made = match made {
                Ok(made) => made,
                Err(fault) => {
                    self.send(refusal(wire, 400, &fault)).await?;
                    continue;
                }
            };
            wait(made.script.head_us).await;
            let then = match (made.script.fault, stream) {
                (Fault::ResetAtOnce, _) => self.reset()?,
                (Fault::Status(_), _) => self.send_cut(&made.answer.whole, 0).await?,
                (_, true) => self.stream(&made).await?,
                (_, false) => self.whole(&made).await?,
            };
            if then == Then::Close {
                return Ok(());
            }
        }
    }

    /// The bytes of the next head; nothing when the client left before it.
    async fn read_head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let found = head(&self.pending).map_err(io::Error::other)?;
            if let Some(len) = found.map(|head| head.len) {
                let bytes = self.pending.get(..len).unwrap_or_default().to_vec();
                self.pending.drain(..len);
                return Ok(Some(bytes));
            }
            if self.read(SMALL_READ).await? == 0 {
                return match self.pending.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Reads the body that belongs to a head, then finds what is asked. Nothing where the request
    /// was answered here.
    async fn read_request(&mut self, bytes: &[u8]) -> io::Result<Option<Asked>> {
        let head = head(bytes).map_err(io::Error::other)?;
        let head = head.ok_or(io::ErrorKind::InvalidData)?;
        if head.field("expect").is_some() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()).await?;
        }
        self.ends.clear();
        let mut body = head.body(true).map_err(io::Error::other)?;
        loop {
            self.take_body(&mut body)?;
            if body.is_done() {
                break;
            }
            let size = if is_large(body) {
                LARGE_READ
            } else {
                SMALL_READ
            };
            if self.read(size).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.pending.shrink_to(SMALL_READ);
        match wire_of(head.path()) {
            Some(wire) => Ok(Some((wire, self.ends.stream(), self.made(&head, wire)))),
            None => {
                let answer = match head.path() {
                    "/ready" => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
                    _ => refusal(Wire::Openai, 404, "no such path"),
                };
                self.send(answer).await?;
                Ok(None)
            }
        }
    }

    fn take_body(&mut self, body: &mut Body) -> io::Result<()> {
        let mut at = 0;
        while !body.is_done() {
            let rest = self.pending.get(at..).unwrap_or_default();
            let (used, payload) = body.step(rest).map_err(io::Error::other)?;
            if used == 0 {
                break;
            }
            self.ends.push(payload);
            at += used;
        }
        self.pending.drain(..at);
        Ok(())
    }

    /// The answers of a request's script, from the shelf where they are.
    fn made(&self, head: &Head<'_>, wire: Wire) -> Result<Rc<Made>, String> {
        let mut shelf = self.shelf.borrow_mut();
        let mut name = head.field(HEADER).unwrap_or_default().to_owned();
        let in_model = script_in_model(self.ends.model());
        if !in_model.is_empty() {
            name = format!("{in_model};{name}");
        }
        let key = (wire, name);
        if let Some(made) = shelf.made.get(&key)
            && !made.script.count
        {
            return Ok(Rc::clone(made));
        }
        let mut script = script_of(head, &self.ends, &shelf.base)?;
        if script.count {
            script.input = self.ends.tildes;
        }
        let answer = answer(&script, wire);
        let made = Rc::new(Made { script, answer });
        // Scripts with a number of their own come once: the shelf is for those that repeat.
        if shelf.made.len() >= SHELF_MAX {
            shelf.made.clear();
        }
        if made.answer.whole.len() <= LARGE_READ {
            shelf.made.insert(key, Rc::clone(&made));
        }
        Ok(made)
    }

    async fn whole(&mut self, made: &Made) -> io::Result<Then> {
        let whole = &made.answer.whole;
        let half = whole.get(..whole.len() / 2).unwrap_or_default();
        match made.script.fault {
            Fault::ResetAfter(_) => {
                self.send_cut(half, made.script.cut).await?;
                self.reset()
            }
            Fault::CloseAfter(_) | Fault::ErrorAfter(_) => {
                self.send_cut(half, made.script.cut).await?;
                Ok(Then::Close)
            }
            Fault::SilenceAfter(_) => {
                self.send_cut(half, made.script.cut).await?;
                self.silence().await
            }
            Fault::None | Fault::Status(_) | Fault::ResetAtOnce => {
                self.send_cut(whole, made.script.cut).await
            }
        }
    }

    async fn stream(&mut self, made: &Made) -> io::Result<Then> {
        let script = &made.script;
        let fault_after = match script.fault {
            Fault::ErrorAfter(n)
            | Fault::ResetAfter(n)
            | Fault::CloseAfter(n)
            | Fault::SilenceAfter(n) => n.min(script.deltas + script.thinking),
            Fault::None | Fault::Status(_) | Fault::ResetAtOnce => u32::MAX,
        };
        let started = Instant::now();
        let mut turns = 0;
        let mut sent = 0;
        self.out.extend_from_slice(&made.answer.head);
        for section in &made.answer.sections {
            self.out.extend_from_slice(&section.open);
            let mut number = 0;
            while number < section.count && sent < fault_after {
                if script.gap_us > 0 {
                    self.flush(script.cut).await?;
                    turns += 1;
                    let due = started + Duration::from_micros(script.gap_us * turns);
                    monoio::time::sleep_until(due).await;
                }
                let stamp = clock::now();
                for _ in 0..script
                    .batch
                    .min(section.count - number)
                    .min(fault_after - sent)
                {
                    section.delta.write(number, stamp, &mut self.out);
                    number += 1;
                    sent += 1;
                }
                self.flush(script.cut).await?;
            }
            if sent >= fault_after {
                self.flush(script.cut).await?;
                return self.fail(made).await;
            }
            self.out.extend_from_slice(&section.close);
        }
        self.flush(script.cut).await?;
        Ok(Then::Next)
    }

    async fn fail(&mut self, made: &Made) -> io::Result<Then> {
        match made.script.fault {
            Fault::ErrorAfter(_) => self.send_cut(&made.answer.error_event, 0).await,
            Fault::ResetAfter(_) => self.reset(),
            Fault::SilenceAfter(_) => self.silence().await,
            Fault::CloseAfter(_) | Fault::None | Fault::Status(_) | Fault::ResetAtOnce => {
                Ok(Then::Close)
            }
        }
    }

    /// Says nothing until the client leaves.
    async fn silence(&mut self) -> io::Result<Then> {
        while self.pending.len() < LARGE_READ && self.read(SMALL_READ).await? > 0 {}
        Ok(Then::Close)
    }

    /// Ends the connection with a reset: closed with bytes that nobody will read.
    fn reset(&self) -> io::Result<Then> {
        socket::reset_when_closed(&self.stream)?;
        Ok(Then::Close)
    }

    async fn read(&mut self, size: usize) -> io::Result<usize> {
        let buf = Vec::with_capacity(size);
        let (read, buf) = self.stream.read(buf).await;
        let read = read?;
        if self.pending.is_empty() {
            self.pending = buf;
        } else {
            self.pending.extend_from_slice(&buf);
        }
        Ok(read)
    }

    async fn flush(&mut self, cut: usize) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        if cut == 0 {
            let (written, mut out) = self.stream.write_all(out).await;
            written?;
            out.clear();
            out.shrink_to(SMALL_READ);
            self.out = out;
            return Ok(());
        }
        self.send_cut(&out, cut).await.map(|_| ())
    }

    async fn send_cut(&mut self, bytes: &[u8], cut: usize) -> io::Result<Then> {
        let cut = if cut == 0 { bytes.len().max(1) } else { cut };
        for part in bytes.chunks(cut) {
            self.send(part.to_vec()).await?;
        }
        Ok(Then::Next)
    }

    async fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.stream.write_all(bytes).await.0.map(|_| ())
    }
}

/// What a request asks for, and what it gets or why not.
type Asked = (Wire, bool, Result<Rc<Made>, String>);

async fn wait(micros: u64) {
    if micros > 0 {
        monoio::time::sleep(Duration::from_micros(micros)).await;
    }
}

const fn is_large(body: Body) -> bool {
    match body {
        Body::Length(left) => left > SMALL_READ as u64,
        Body::Chunked(_) => true,
        Body::UntilClose => false,
    }
}

/// A read of a quiet connection.
const SMALL_READ: usize = 4 * 1024;
/// A read of a large body.
const LARGE_READ: usize = 256 * 1024;
/// Scripts whose answers are kept.
const SHELF_MAX: usize = 64;
