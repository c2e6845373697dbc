//! One round: clients start, a warm-up, a window in which all is counted, the end.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use monoio::io::AsyncReadRent;
use monoio::net::UnixStream;
use serde::Serialize;

use crate::account::{self, Memory};
use crate::clock::{self, SECOND};
use crate::load::client::{Client, Window};
use crate::load::figures::Figures;
use crate::load::job::Job;
use crate::load::progress::Progress;
use crate::load::queue::{Queue, Stop};
use crate::load::schedule::{Arrival, Schedule, pace};

/// Where load goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called.
    pub name: String,
    /// Where it listens; loopback.
    pub address: SocketAddr,
    /// Its process, where its costs are wanted.
    pub pid: Option<u32>,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Each connection asks when it has its answer.
    Closed,
    /// Requests are due at moments of their own; connections are the most that are under way.
    Open(Arrival, f64),
    /// Streams that stay open, begun one after the other over this time, cut at the end.
    Hold(Duration),
}

/// A round's shape.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How requests follow each other.
    pub mode: Mode,
    /// Connections.
    pub connections: usize,
    /// Time before the window.
    pub warm: Duration,
    /// The window.
    pub window: Duration,
    /// Seed of the schedule.
    pub seed: u64,
}

/// What a round brought.
#[derive(Clone, Debug)]
pub struct Round {
    /// Counts and histograms.
    pub figures: Figures,
    /// The window's length as it was.
    pub wall_ns: u64,
    /// What it cost.
    pub cost: Option<Cost>,
}

/// What the kernel says that the target used.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// CPU time within the window.
    pub cpu_ns: u64,
    /// Memory before the round.
    pub before: Memory,
    /// Memory at the window's end.
    pub after: Memory,
    /// Open descriptors at the window's end.
    pub descriptors: usize,
}

/// Sends one round to a target.
///
/// # Errors
/// A target whose process is gone, a schedule that cannot be kept.
pub async fn round(
    shape: &Shape,
    job: &Rc<Job>,
    target: &Target,
    progress: Option<&Progress>,
) -> io::Result<Round> {
    let run_ms = u64::try_from(shape.window.as_millis()).unwrap_or(u64::MAX);
    let window = Rc::new(Window::new(run_ms));
    let stop = Rc::new(Stop::default());
    if let Some(progress) = progress {
        progress.follow(&target.name, &window);
    }
    let pids = target.pid.map(account::tree);
    let memory = |pids: &Option<Vec<u32>>| pids.as_deref().map(account::memory).transpose();
    let cpu = |pids: &Option<Vec<u32>>| pids.as_deref().map(account::cpu_nanos).transpose();
    let before = memory(&pids)?;
    let clients = Clients {
        shape: shape.clone(),
        job: Rc::clone(job),
        address: target.address,
        window: Rc::clone(&window),
        stop: Rc::clone(&stop),
        queue: Rc::default(),
    };
    let running = clients.start()?;
    monoio::time::sleep(shape.warm).await;
    let pids = target.pid.map(account::tree);
    let cpu_before = cpu(&pids)?;
    let start = clock::now();
    window.start.set(start);
    monoio::time::sleep(shape.window).await;
    let cpu_after = cpu(&pids)?;
    let end = clock::now();
    window.end.set(end);
    let after = memory(&pids)?;
    let descriptors = pids.as_deref().map(account::descriptors).transpose()?;
    stop.give();
    for client in running {
        client.await;
    }
    let unsent = clients.queue.drain();
    let mut figures = window.figures.borrow().clone();
    if unsent > 0 {
        figures.wrong += unsent as u64;
        figures
            .first_wrong
            .get_or_insert_with(|| format!("{unsent} requests were never sent"));
    }
    let cost = cpu_before.zip(cpu_after).map(|(before_ns, after_ns)| Cost {
        cpu_ns: after_ns.saturating_sub(before_ns),
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
        descriptors: descriptors.unwrap_or(0),
    });
    Ok(Round {
        figures,
        wall_ns: end - start,
        cost,
    })
}

/// All clients of a round.
struct Clients {
    shape: Shape,
    job: Rc<Job>,
    address: SocketAddr,
    window: Rc<Window>,
    stop: Rc<Stop>,
    queue: Rc<Queue>,
}

impl Clients {
    fn start(&self) -> io::Result<Vec<monoio::task::JoinHandle<()>>> {
        let read_bytes = match self.shape.mode {
            Mode::Hold(_) => HELD_READ,
            Mode::Closed | Mode::Open(..) => BUSY_READ,
        };
        let count = self.shape.connections;
        let mut running = Vec::with_capacity(count + 1);
        for index in 0..count {
            let mut client = Client::new(self.address, read_bytes);
            let (job, window) = (Rc::clone(&self.job), Rc::clone(&self.window));
            let (stop, queue) = (Rc::clone(&self.stop), Rc::clone(&self.queue));
            running.push(match self.shape.mode {
                Mode::Closed => monoio::spawn(async move {
                    while !stop.is_given()
                        && patient(client.ask(&job, clock::now(), &window).await).await
                    {
                    }
                }),
                Mode::Open(..) => monoio::spawn(async move {
                    while let Some(due) = queue.next().await {
                        client.ask(&job, due, &window).await;
                    }
                }),
                Mode::Hold(spread) => {
                    let delay = spread.mul_f64(index as f64 / count.max(1) as f64);
                    monoio::spawn(hold(client, job, window, stop, delay))
                }
            });
        }
        if let Mode::Open(arrival, rate) = self.shape.mode {
            running.push(self.feed(arrival, rate)?);
        }
        Ok(running)
    }

    /// Puts requests into the queue as they become due: a thread keeps the time, a socket brings
    /// it here.
    fn feed(&self, arrival: Arrival, rate: f64) -> io::Result<monoio::task::JoinHandle<()>> {
        let schedule = Schedule::new(arrival, rate, self.shape.seed);
        let (read, write) = StdUnixStream::pair()?;
        read.set_nonblocking(true)?;
        let start = clock::now();
        let length = self.shape.warm + self.shape.window;
        let end = start + u64::try_from(length.as_nanos()).unwrap_or(u64::MAX - start);
        let paced = schedule.clone();
        thread::Builder::new()
            .name("pace".to_owned())
            .spawn(move || pace(paced, start, end, write))?;
        let mut read = UnixStream::from_std(read)?;
        let (queue, window) = (Rc::clone(&self.queue), Rc::clone(&self.window));
        Ok(monoio::spawn(async move {
            let mut due = schedule.map(|offset| start + offset);
            let mut buf = Vec::with_capacity(4096);
            loop {
                let (count, back) = read.read(buf).await;
                buf = back;
                let count = count.unwrap_or(0);
                if count == 0 {
                    break;
                }
                for due in due.by_ref().take(count) {
                    if !queue.push(due) {
                        window
                            .figures
                            .borrow_mut()
                            .fail("a request was never sent".to_owned());
                    }
                }
                buf.clear();
            }
            queue.close();
        }))
    }
}

/// A moment's rest after a failure, so that a target that is down is not hammered.
async fn patient(is_right: bool) -> bool {
    if !is_right {
        monoio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

async fn hold(
    mut client: Client,
    job: Rc<Job>,
    window: Rc<Window>,
    stop: Rc<Stop>,
    delay: Duration,
) {
    let under_way = Cell::new(false);
    let held = stop.or(async {
        monoio::time::sleep(delay).await;
        loop {
            under_way.set(true);
            let is_right = client.ask(&job, clock::now(), &window).await;
            under_way.set(false);
            patient(is_right).await;
        }
    });
    let _: Option<()> = held.await;
    client.leave();
    window.figures.borrow_mut().cut += u64::from(under_way.get());
}

/// Waits until a process has come to rest after a round: bounded, because some never do.
pub async fn settle(pid: Option<u32>) {
    let Some(pid) = pid else {
        return;
    };
    let mut before = account::cpu_nanos(&account::tree(pid)).unwrap_or(0);
    let until = clock::now() + 2 * SECOND;
    while clock::now() < until {
        monoio::time::sleep(Duration::from_millis(25)).await;
        let now = account::cpu_nanos(&account::tree(pid)).unwrap_or(0);
        if now.saturating_sub(before) < 500_000 {
            return;
        }
        before = now;
    }
}

/// A read of a stream that is mostly quiet.
const HELD_READ: usize = 4 * 1024;
/// A read of a busy connection.
const BUSY_READ: usize = 64 * 1024;
