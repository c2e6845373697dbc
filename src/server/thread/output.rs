//! The thread that writes: access lines from every worker, notices from anyone.
//!
//! Nobody waits for it. A full ring, a closed or stuck reader, a full disk: lines are dropped and
//! counted, serving goes on.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::config::schema::file::LogSink;
use crate::limits::KIB;
use crate::telemetry::ring::{DrainPace, QUIET, RingReceiver, RingSender, ThreadWaker, byte_ring};

/// Says things on standard error, by way of the output thread.
#[derive(Clone, Debug)]
pub struct Notices {
    sender: SyncSender<String>,
    dropped: Arc<AtomicU64>,
    reopens: Arc<AtomicBool>,
    waker: ThreadWaker,
}

/// Notices on their way to the output thread.
pub type NoticeReceiver = Receiver<String>;

/// The running thread.
pub struct OutputThread {
    thread: JoinHandle<()>,
    is_ended: Arc<AtomicBool>,
}

impl Notices {
    /// Notices, and where the output thread takes them; they wait until it runs.
    #[must_use]
    pub fn new() -> (Self, NoticeReceiver) {
        let (sender, receiver) = sync_channel(NOTICES_MAX);
        let notices = Self {
            sender,
            dropped: Arc::default(),
            reopens: Arc::default(),
            waker: ThreadWaker::default(),
        };
        (notices, receiver)
    }

    /// How many lines, these and those of the access log, could not be written.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// A ring for the access lines of one worker, of this many bytes, and of as many more in a burst. Lines
    /// without room are counted as notices are.
    #[must_use]
    pub fn log_ring(&self, bytes: usize, burst_bytes: usize) -> (RingSender, RingReceiver) {
        byte_ring(bytes, burst_bytes, self.dropped(), self.waker.clone())
    }

    /// Says one line; dropped and counted when too many wait.
    pub fn say(&self, line: impl Into<String>) {
        if self.sender.try_send(line.into()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.waker.wake();
    }

    /// Has the access log opened by its name again, where it is a file: whoever has moved it away gets a
    /// new one.
    pub fn reopen(&self) {
        self.reopens.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl OutputThread {
    /// Writes what still waits and ends the thread.
    pub fn finish(self) {
        self.is_ended.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // A sink that is stuck must not keep the process: give it a moment.
        for _ in 0..50 {
            if self.thread.is_finished() {
                return;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// Starts the thread. It writes what comes by the workers' `rings` to the access log, and what comes by
/// `receiver`, the other end of `notices`, to standard error; `give_back` gives memory that the thread has
/// freed back to the system.
///
/// # Errors
/// The log file cannot be opened, in words, or the thread not started.
pub fn start(
    sink: &LogSink,
    rings: Vec<RingReceiver>,
    (notices, receiver): (&Notices, NoticeReceiver),
    give_back: Option<fn(bool)>,
) -> io::Result<OutputThread> {
    let writer = open(sink)?;
    let path = match sink {
        LogSink::File(path) => Some(path.clone()),
        LogSink::Stdout | LogSink::Stderr | LogSink::Off => None,
    };
    let log = Log {
        sink: writer,
        path,
        reopens: Arc::clone(&notices.reopens),
    };
    let is_ended = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&is_ended);
    let lost = Arc::clone(&notices.dropped);
    let waker = notices.waker.clone();
    let thread = thread::Builder::new()
        .name("ringway-output".to_owned())
        .spawn(move || {
            run(log, (rings, &waker), &receiver, &ended, &lost, give_back);
        })?;
    Ok(OutputThread { thread, is_ended })
}

/// The access log.
struct Log {
    sink: LogWriter,
    /// Its name, where it is a file.
    path: Option<PathBuf>,
    /// It is to be opened by its name again.
    reopens: Arc<AtomicBool>,
}

impl Log {
    /// Opens a file again if somebody has asked for it. Where it cannot be opened the old one goes on.
    fn reopen(&mut self) {
        if let Some(path) = &self.path
            && self.reopens.swap(false, Ordering::AcqRel)
        {
            match open_file(path) {
                Ok(file) => self.sink = LogWriter::File(file),
                Err(error) => {
                    let _ = writeln!(io::stderr(), "ringway: {error}; the old file goes on");
                }
            }
        }
    }
}

enum LogWriter {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(File),
    Off,
}

fn open(sink: &LogSink) -> io::Result<LogWriter> {
    Ok(match sink {
        LogSink::Stdout => LogWriter::Stdout(io::stdout()),
        LogSink::Stderr => LogWriter::Stderr(io::stderr()),
        LogSink::Off => LogWriter::Off,
        LogSink::File(path) => LogWriter::File(open_file(path)?),
    })
}

fn open_file(path: &Path) -> io::Result<File> {
    // The lines tell who asks for what, and when.
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(LOG_MODE)
        .open(path);
    file.map_err(|error| io::Error::other(format!("server.log {}: {error}", path.display())))
}

fn run(
    mut log: Log,
    (mut rings, waker): (Vec<RingReceiver>, &ThreadWaker),
    notices: &NoticeReceiver,
    is_ended: &AtomicBool,
    dropped: &AtomicU64,
    give_back: Option<fn(bool)>,
) {
    let mut lines = Vec::with_capacity(LINES_BYTES);
    let mut came = Instant::now();
    let mut pace = DrainPace::new(IDLE, rings.first().map_or(0, RingReceiver::room));
    loop {
        let last = is_ended.load(Ordering::Acquire);
        while let Ok(notice) = notices.try_recv() {
            if writeln!(io::stderr(), "ringway: {notice}").is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        log.reopen();
        lines.clear();
        let taken = rings.iter_mut().map(|ring| ring.drain(&mut lines)).max();
        if !lines.is_empty() && write(&mut log.sink, &lines).is_err() {
            let count = memchr::memchr_iter(b'\n', &lines).count() as u64;
            dropped.fetch_add(count, Ordering::Relaxed);
        }
        if last {
            return;
        }
        if !lines.is_empty() {
            came = Instant::now();
        } else if lines.capacity() > LINES_BYTES {
            lines = Vec::with_capacity(LINES_BYTES);
            // What the burst grew through is the allocator's yet.
            give_back.iter().for_each(|give_back| give_back(true));
        }
        if came.elapsed() < QUIET {
            thread::park_timeout(pace.after(taken.unwrap_or(0)));
        } else {
            waker.sleep(QUIET, || rings.iter().any(|ring| !ring.is_empty()));
        }
    }
}

fn write(sink: &mut LogWriter, lines: &[u8]) -> io::Result<()> {
    match sink {
        LogWriter::Stdout(out) => out.lock().write_all(lines).and_then(|()| out.flush()),
        LogWriter::Stderr(out) => out.write_all(lines),
        LogWriter::File(file) => file.write_all(lines),
        LogWriter::Off => Ok(()),
    }
}

/// The mode of an access log that is made here, less what the umask takes.
const LOG_MODE: u32 = 0o640;
/// Lines that are written together; what a burst makes of it is given back.
const LINES_BYTES: usize = 64 * KIB;
/// Between two looks at rings that are nearly empty.
const IDLE: Duration = Duration::from_millis(50);
/// Notices that may wait.
const NOTICES_MAX: usize = 1024;
