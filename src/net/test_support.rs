#![expect(unsafe_code, reason = "a counting allocator, for tests")]
//! For the tests of `net`: one worker per driver, pairs of streams, counted allocations.

use core::cell::Cell;
use core::pin::Pin;
use core::sync::atomic::{AtomicI64, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use futures_channel::mpsc::{UnboundedSender, unbounded};

use crate::net::connection::stream::NetStream;
use crate::net::connection::tls::ClientTls;
use crate::net::endpoint::connect::{ConnectTimeouts, ProviderEndpoint, connect};
use crate::net::endpoint::listen::{Address, Listener, bind};
use crate::net::error::{NetError, NetErrorKind};
use crate::net::runtime::driver::{self, DriverChoice, DriverError};
use crate::net::runtime::task;

/// Runs `body` on a worker of each driver. Where there is no io_uring, on epoll alone, and says so.
pub(crate) fn on_both_drivers<F, R>(body: F)
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = ()> + 'static,
{
    on_worker(EPOLL.as_ref().expect("epoll is everywhere"), body.clone());
    match URING.as_ref() {
        Ok(worker) => on_worker(worker, body),
        Err(error) => println!("ran on epoll alone: {error}"),
    }
}

/// Whether the tests have io_uring.
pub(crate) fn has_uring() -> bool {
    URING.is_ok()
}

/// Two ends of a TCP connection: the connecting one and the accepting one.
pub(crate) async fn pair() -> (NetStream, NetStream) {
    let (mut listener, address) = listen();
    let endpoint = endpoint_at(address, None);
    let accepted = task::spawn(async move { listener.accept().await.expect("accepts") });
    let client = connect(&endpoint, WAITS, |_| true).await.expect("connects");
    (client, accepted.await.expect("no panic"))
}

/// A listener on a free port of the loopback.
pub(crate) fn listen() -> (Listener, SocketAddr) {
    let mut bound = bind(&Address::parse("127.0.0.1:0").expect("address"), 1).expect("binds");
    let seat = bound.take_seats().pop().expect("one seat");
    let Address::Tcp(address) = *bound.address() else {
        panic!("tcp")
    };
    (
        Listener::open(seat, || b"full".to_vec()).expect("opens"),
        address,
    )
}

pub(crate) fn endpoint_at(address: SocketAddr, tls: Option<ClientTls>) -> Arc<ProviderEndpoint> {
    Arc::new(ProviderEndpoint::new(
        &address.ip().to_string(),
        address.port(),
        tls,
    ))
}

/// Runs the test `name` again in a process of its own, where [`child_word`] is `word`; returns what
/// it printed.
pub(crate) fn in_child(name: &str, word: &str) -> String {
    let output = Command::new(std::env::current_exe().expect("path"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, word)
        .output()
        .expect("runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{word}: {text}"
    );
    text
}

/// In a process that [`in_child`] started: its word.
pub(crate) fn child_word() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs the test `name` in a child process for each driver; in the child, `body` on that driver.
pub(crate) fn in_children<F, R>(name: &str, body: F)
where
    F: FnOnce() -> R,
    R: Future<Output = ()>,
{
    if let Some(word) = child_word() {
        let choice = DriverChoice::parse(&word).expect("a driver");
        match driver::run_worker(choice, |_| (), body) {
            Ok(()) => {}
            // Locked memory is counted per user: a second process may find none left.
            Err(DriverError::Unavailable(report)) => println!("not run: {report}"),
            Err(DriverError::Panicked) => panic!("on {word}"),
        }
        return;
    }
    in_child(name, "epoll");
    if has_uring() {
        in_child(name, "uring");
    }
}

/// From now on this process may open `count` descriptors, or two more than it has.
pub(crate) fn limit_descriptors(count: u64) {
    use std::os::fd::AsRawFd;
    // Everything the process needs is open by now; what counts is how many more there may be.
    let next = std::fs::File::open("/dev/null").expect("opens").as_raw_fd();
    let text = format!("{}", count.max(u64::try_from(next).expect("a number") + 2));
    let status = Command::new("prlimit")
        .args([
            "--pid",
            &std::process::id().to_string(),
            &format!("--nofile={text}:{text}"),
        ])
        .status()
        .expect("prlimit runs");
    assert!(status.success());
}

/// Polls until `condition` holds; the worker goes on in between.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        crate::net::runtime::timer::sleep(1).await;
    }
}

/// Polls `future` once.
pub(crate) async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    core::future::poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Writes all of `bytes`.
pub(crate) async fn say(stream: &mut NetStream, bytes: &[u8]) {
    let (result, _) = stream.writer.write(bytes.to_vec(), 0..bytes.len()).await;
    result.expect("writes");
}

/// Reads until `count` bytes are there.
pub(crate) async fn hear(stream: &mut NetStream, count: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < count {
        assert_ne!(
            stream.reader.read(&mut heard).await,
            Ok(0),
            "ended after {}",
            heard.len()
        );
    }
    heard
}

/// Whether the peer went away: by reset, by closing, or by cutting a TLS connection.
pub(crate) fn is_gone(error: NetError) -> bool {
    matches!(
        error.kind(),
        NetErrorKind::Reset | NetErrorKind::Closed | NetErrorKind::Cut
    )
}

/// Bytes whose place can be told from their value.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count)
        .map(|at| u8::try_from((at * 31 + at / 251) % 256).expect("a byte"))
        .collect()
}

/// Allocations that this thread has made.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that this thread has allocated less those it has freed.
pub(crate) fn held_bytes() -> i64 {
    HELD.get()
}

/// Bytes that the process has allocated less those it has freed.
pub(crate) fn process_bytes() -> i64 {
    PROCESS.load(Ordering::Relaxed)
}

pub(crate) const WAITS: ConnectTimeouts = ConnectTimeouts {
    resolve_ms: 2_000,
    connect_ms: 5_000,
    handshake_ms: 5_000,
};

type TestJob = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

type TestWorker = Result<UnboundedSender<TestJob>, DriverError>;

static EPOLL: LazyLock<TestWorker> = LazyLock::new(|| worker(DriverChoice::Epoll));
static URING: LazyLock<TestWorker> = LazyLock::new(|| worker(DriverChoice::Uring));

fn worker(choice: DriverChoice) -> TestWorker {
    let (sender, mut jobs) = unbounded::<TestJob>();
    let (started, start) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let told = started.clone();
        let serve = || async move {
            while let Ok(job) = jobs.recv().await {
                monoio::spawn(job());
            }
        };
        let ended = driver::run_worker(choice, |_| told.send(Ok(())).expect("waited for"), serve);
        let _ = started.send(ended);
    });
    start.recv().expect("the thread answers")?;
    Ok(sender)
}

fn on_worker<F, R>(worker: &UnboundedSender<TestJob>, body: F)
where
    F: FnOnce() -> R + Send + 'static,
    R: Future<Output = ()> + 'static,
{
    let (report, outcome) = std::sync::mpsc::channel();
    let job: TestJob = Box::new(move || {
        Box::pin(async move {
            let body = core::panic::AssertUnwindSafe(body());
            let caught = CaughtPanic(Box::pin(body.0));
            let _ = report.send(caught.await);
        })
    });
    worker.unbounded_send(job).expect("the worker lives");
    match outcome.recv_timeout(HANG).expect("the test hangs") {
        Ok(()) => {}
        Err(payload) => resume_unwind(payload),
    }
}

/// A future whose panic becomes its result, payload and all.
struct CaughtPanic(Pin<Box<dyn Future<Output = ()>>>);

impl Future for CaughtPanic {
    type Output = std::thread::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut core::task::Context<'_>) -> Poll<Self::Output> {
        let inner = core::panic::AssertUnwindSafe(|| self.0.as_mut().poll(cx));
        match std::panic::catch_unwind(inner) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

const CHILD: &str = "RINGWAY_TEST_CHILD";
const HANG: Duration = Duration::from_secs(60);

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

static PROCESS: AtomicI64 = AtomicI64::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count() {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

fn hold(more: usize, less: usize) {
    let bytes = i64::try_from(more).unwrap_or(0) - i64::try_from(less).unwrap_or(0);
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
    PROCESS.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches a
// thread-local number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
