//! One connection to a target: asks, reads, records.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;

use crate::clock::{self, MILLISECOND};
use crate::load::figures::Figures;
use crate::load::job::Job;
use crate::load::reader::Reader;
use crate::socket;

/// The window within which figures count.
#[derive(Debug)]
pub struct Window {
    /// When it began; 0 before.
    pub start: Cell<u64>,
    /// When it ended; the largest number before.
    pub end: Cell<u64>,
    /// What was recorded.
    pub figures: RefCell<Figures>,
}

impl Window {
    /// A window that is not open yet, of a run of this length.
    #[must_use]
    pub fn new(run_ms: u64) -> Self {
        Self {
            start: Cell::new(u64::MAX),
            end: Cell::new(u64::MAX),
            figures: RefCell::new(Figures::new(run_ms)),
        }
    }

    fn holds(&self, moment: u64) -> bool {
        (self.start.get()..self.end.get()).contains(&moment)
    }
}

/// A client with one connection, or none yet.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    read_bytes: usize,
    /// A pause after each read: a client that does not keep up.
    pub pause: Option<Duration>,
    stamps: Vec<u64>,
    /// Status of the last answer; 0 where none came.
    pub status: u16,
}

impl Client {
    /// A client of this address that reads so many bytes at once.
    #[must_use]
    pub const fn new(address: SocketAddr, read_bytes: usize) -> Self {
        Self {
            address,
            stream: None,
            read_bytes,
            pause: None,
            stamps: Vec::new(),
            status: 0,
        }
    }

    /// Connects if it is not connected.
    ///
    /// # Errors
    /// A target that does not listen.
    pub async fn connect(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect_addr(self.address).await?;
            stream.set_nodelay(true)?;
            if self.pause.is_some() {
                socket::hold_little(&stream)?;
            }
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Breaks the connection off, whatever is under way on it.
    pub fn leave(&mut self) {
        if let Some(stream) = self.stream.take() {
            socket::shut(&stream);
        }
    }

    /// Asks once and waits for the answer. Records and counts it; says whether it was as it should
    /// be. After anything else the connection is gone.
    pub async fn ask(&mut self, job: &Job, due: u64, window: &Window) -> bool {
        let asked = monoio::time::timeout(job.timeout, self.exchange(job, due, window)).await;
        let asked = asked.unwrap_or_else(|_| Err(format!("no end within {:?}", job.timeout)));
        if let Err(why) = asked {
            self.leave();
            window.figures.borrow_mut().fail(why);
            return false;
        }
        let now = clock::now();
        let mut figures = window.figures.borrow_mut();
        if window.holds(due) {
            figures.latency.saturating_record(now.saturating_sub(due));
        }
        figures.done += u64::from(window.holds(now));
        true
    }

    async fn exchange(&mut self, job: &Job, due: u64, window: &Window) -> Result<(), String> {
        loop {
            let is_reused = self.stream.is_some();
            match self.attempt(job, due, window).await? {
                Attempt::Judged(verdict) => return verdict,
                // A kept connection may end just when it is used; that is nobody's fault, once.
                Attempt::Stale if is_reused => self.leave(),
                Attempt::Stale => {
                    self.leave();
                    return Reader::new(job).finish();
                }
            }
        }
    }

    async fn attempt(&mut self, job: &Job, due: u64, window: &Window) -> Result<Attempt, String> {
        self.connect()
            .await
            .map_err(|fault| format!("connect: {fault}"))?;
        let Some(stream) = &mut self.stream else {
            return Err("not connected".to_owned());
        };
        if stream.write_all(job.bytes.clone()).await.0.is_err() && job.bytes.len() < SURELY_SENT {
            return Ok(Attempt::Stale);
        }
        self.status = 0;
        let mut reader = Reader::new(job);
        let mut buf = Vec::with_capacity(self.read_bytes);
        let mut last = None;
        loop {
            let (read, back) = stream.read(buf).await;
            buf = back;
            // A reset is an end like any other: the judge says what it is worth.
            if read.unwrap_or(0) == 0 {
                if !reader.begun {
                    return Ok(Attempt::Stale);
                }
                self.status = reader.status;
                let verdict = reader.finish();
                self.leave();
                return Ok(Attempt::Judged(verdict));
            }
            let over = reader.push(&buf, &mut self.stamps)?;
            if !self.stamps.is_empty() {
                record(&mut self.stamps, &mut last, due, window);
            }
            if over {
                let closes = reader.closes;
                self.status = reader.status;
                let verdict = reader.finish();
                if closes {
                    self.leave();
                }
                return Ok(Attempt::Judged(verdict));
            }
            buf.clear();
            if let Some(pause) = self.pause {
                monoio::time::sleep(pause).await;
            }
        }
    }
}

enum Attempt {
    Judged(Result<(), String>),
    Stale,
}

/// Records deltas that were read together.
fn record(stamps: &mut Vec<u64>, last: &mut Option<u64>, due: u64, window: &Window) {
    let now = clock::now();
    let first = last.replace(now);
    if !window.holds(now) {
        stamps.clear();
        return;
    }
    let figures = &mut *window.figures.borrow_mut();
    if first.is_none() && window.holds(due) {
        figures.ttft.saturating_record(now.saturating_sub(due));
    }
    figures.tokens += stamps.len() as u64;
    let at_ms = (now - window.start.get()) / MILLISECOND;
    let mut before = first;
    for stamp in stamps.drain(..) {
        figures.relay.saturating_record(now.saturating_sub(stamp));
        if let Some(before) = before {
            let gap = now.saturating_sub(before);
            figures.gap.saturating_record(gap);
            figures.gaps.record(at_ms, gap);
        }
        before = Some(now);
    }
}

/// A request that did not fit the kernel's buffers: its provider may have answered before its end.
const SURELY_SENT: usize = 64 * 1024;
