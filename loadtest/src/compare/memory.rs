//! What contestants hold: at rest, for open streams, for idle connections, for large bodies.
//!
//! Costs are counted from the memory of a process that has done nothing yet, so that what earlier
//! load left behind is not given away for free.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::account;
use crate::clock;
use crate::compare::configs::BUDGET_BYTES;
use crate::compare::contestant::Contestant;
use crate::compare::goal::{OURS, at_most};
use crate::load::client::{Client, Window};
use crate::load::job::{Job, Request};
use crate::load::round::{Mode, Shape, round, settle};
use crate::process::descriptors;
use crate::report::data::{Judged, Row, Section};
use crate::wire::Wire;

/// Memory of each contestant before any load, bytes.
///
/// # Errors
/// A contestant that is gone.
pub fn idle(contestants: &[Contestant]) -> io::Result<Vec<u64>> {
    contestants.iter().map(now).collect()
}

/// Memory of a contestant with all below it; 0 without a process.
fn now(contestant: &Contestant) -> io::Result<u64> {
    let pid = contestant.target.pid;
    pid.map_or(Ok(0), |pid| Ok(account::memory(&account::tree(pid))?.pss))
}

/// The table of memory: at rest, for each quiet stream, for each idle connection.
///
/// # Errors
/// A contestant that is gone.
pub async fn held(contestants: &[Contestant], idle: &[u64]) -> io::Result<Section> {
    let mut section = Section {
        name: "memory".to_owned(),
        about: format!(
            "proportional set size: at rest, for each of {STREAMS} open streams without deltas, for \
             each of {STREAMS} kept connections {} s after one request each",
            KEPT_FOR.as_secs()
        ),
        columns: ["idle MiB", "KiB/stream", "KiB/connection"]
            .map(str::to_owned)
            .to_vec(),
        ..Section::default()
    };
    for (contestant, &idle) in contestants.iter().zip(idle) {
        if contestant.target.pid.is_none() || contestant.model(Wire::Openai, false).is_none() {
            continue;
        }
        match costs(contestant, idle).await {
            Err(fault) => failed(&contestant.name, &fault, &mut section),
            Ok((per_connection, per_stream)) => {
                let name = contestant.name.clone();
                let idle = idle as f64 / MIB;
                if name.starts_with(OURS) {
                    section.verdicts.extend([
                        at_most(&name, "at rest", (idle, "MiB"), 8.0),
                        at_most(&name, "quiet stream", (per_stream, "KiB"), 10.0),
                        at_most(&name, "idle connection", (per_connection, "KiB"), 3.0),
                    ]);
                }
                let cells = [idle, per_stream, per_connection];
                let cells = cells.map(|value| format!("{value:.1}")).to_vec();
                section.rows.push(Row { name, cells });
            }
        }
    }
    Ok(section)
}

/// KiB of each idle connection and of each open stream.
async fn costs(contestant: &Contestant, idle: u64) -> io::Result<(f64, f64)> {
    // Connections first: what a thousand streams leave behind would be counted as theirs.
    let kept = keep_connections(contestant).await?;
    settle(contestant.target.pid).await;
    let request = request(contestant, true, QUIET).ok_or(io::ErrorKind::InvalidInput)?;
    let streams = open_streams(contestant, &request, STREAMS).await?;
    settle(contestant.target.pid).await;
    Ok((
        kib_each(kept, idle, STREAMS),
        kib_each(streams, idle, STREAMS),
    ))
}

/// What could not be measured: a remark, and of ours a miss.
pub fn failed(name: &str, fault: &io::Error, section: &mut Section) {
    let text = format!("{name}: {fault}");
    match name.starts_with(OURS) {
        true => section.verdicts.push(Judged { text, pass: false }),
        false => section.notes.push(text),
    }
}

fn kib_each(bytes: u64, idle: u64, count: usize) -> f64 {
    bytes.saturating_sub(idle) as f64 / 1024.0 / count as f64
}

fn request(contestant: &Contestant, stream: bool, script: &str) -> Option<Request> {
    Some(Request {
        wire: Wire::Openai,
        model: contestant.model(Wire::Openai, false)?.to_owned(),
        stream,
        body_bytes: 700,
        script: script.to_owned(),
        told: contestant.told,
        translated: false,
        timeout: Duration::from_secs(60),
    })
}

/// Memory with so many streams open, bytes.
///
/// # Errors
/// A contestant that is gone.
async fn open_streams(contestant: &Contestant, request: &Request, count: usize) -> io::Result<u64> {
    let job = Rc::new(request.job().map_err(io::Error::other)?);
    let mut open = 0;
    for patience in [1, 4] {
        let spread = Duration::from_micros(300 * patience * count as u64);
        let shape = Shape {
            mode: Mode::Hold(spread),
            connections: count,
            warm: spread + Duration::from_millis(500),
            window: Duration::from_millis(100),
            seed: 1,
        };
        let round = round(&shape, &job, &contestant.target, None).await?;
        if let Some(why) = round.figures.first_wrong {
            return Err(io::Error::other(why));
        }
        let cost = round.cost.unwrap_or_default();
        // Both sides of each: what is not open yet costs nothing.
        open = cost.descriptors / 2;
        if open >= count {
            return Ok(cost.after.pss);
        }
        settle(contestant.target.pid).await;
    }
    Err(io::Error::other(format!(
        "{open} of {count} streams were open"
    )))
}

/// Memory with connections that are kept after one request each, bytes.
async fn keep_connections(contestant: &Contestant) -> io::Result<u64> {
    let request = request(contestant, false, "").ok_or(io::ErrorKind::InvalidInput)?;
    let job = request.job().map_err(io::Error::other)?;
    let window = Window::new(0);
    let mut clients = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        let mut client = Client::new(contestant.target.address, 4096);
        client.ask(&job, clock::now(), &window).await;
        clients.push(client);
    }
    if let Some(why) = window.figures.borrow().first_wrong.clone() {
        return Err(io::Error::other(why));
    }
    monoio::time::sleep(KEPT_FOR).await;
    let held = now(contestant)?;
    for client in &mut clients {
        client.leave();
    }
    Ok(held)
}

/// Memory after all load and a rest, against that before it.
///
/// # Errors
/// A contestant that is gone.
pub async fn after(
    contestants: &[Contestant],
    idle: &[u64],
    rest: Duration,
) -> io::Result<Section> {
    monoio::time::sleep(rest).await;
    let mut section = Section {
        name: "memory-after".to_owned(),
        about: format!("{} s after all of the load above", rest.as_secs()),
        columns: ["idle MiB", "after MiB", "ratio"]
            .map(str::to_owned)
            .to_vec(),
        ..Section::default()
    };
    if rest < Duration::from_secs(60) {
        section
            .notes
            .push("the figure to reach is for 60 s of rest: see --full".to_owned());
    }
    for (contestant, &idle) in contestants.iter().zip(idle) {
        let after = now(contestant)?;
        if idle == 0 {
            continue;
        }
        let ratio = after as f64 / idle as f64;
        let name = contestant.name.clone();
        if name.starts_with(OURS) {
            section
                .verdicts
                .push(at_most(&name, "after the load", (ratio, "x idle"), 1.3));
        }
        let cells = vec![
            format!("{:.1}", idle as f64 / MIB),
            format!("{:.1}", after as f64 / MIB),
            format!("{ratio:.2}"),
        ];
        section.rows.push(Row { name, cells });
    }
    Ok(section)
}

/// Many large bodies at once, through a gateway that has done nothing yet: its peak, and what
/// became of them.
///
/// # Errors
/// A contestant that is gone.
pub async fn large_bodies(contestant: &Contestant, section: &mut Section) -> io::Result<()> {
    let Some(pid) = contestant.target.pid else {
        return Ok(());
    };
    let request = Request {
        body_bytes: LARGE_BYTES,
        ..request(contestant, false, "").ok_or(io::ErrorKind::InvalidInput)?
    };
    let job: Rc<Job> = Rc::new(request.job().map_err(io::Error::other)?);
    let window = Rc::new(Window::new(0));
    let tasks: Vec<_> = (0..LARGE_COUNT)
        .map(|_| {
            let (job, window) = (Rc::clone(&job), Rc::clone(&window));
            let mut client = Client::new(contestant.target.address, 4096);
            monoio::spawn(async move {
                let right = client.ask(&job, clock::now(), &window).await;
                (right, client.status)
            })
        })
        .collect();
    let (mut right, mut refused) = (0, 0);
    for task in tasks {
        match task.await {
            (true, _) => right += 1,
            (false, 503) => refused += 1,
            (false, _) => {}
        }
    }
    let other = LARGE_COUNT - right - refused;
    let peak = account::peak(&account::tree(pid))? as f64 / MIB;
    let budget = BUDGET_BYTES as f64 / MIB;
    let name = contestant.name.clone();
    section
        .verdicts
        .push(at_most(&name, "peak", (peak, "MiB"), budget + 32.0));
    let cells = vec![
        format!("{peak:.0}"),
        right.to_string(),
        refused.to_string(),
        other.to_string(),
    ];
    section.rows.push(Row { name, cells });
    if other > 0 {
        let why = window
            .figures
            .borrow()
            .first_wrong
            .clone()
            .unwrap_or_default();
        section
            .notes
            .push(format!("{}: first of the others: {why}", contestant.name));
    }
    Ok(())
}

/// The heading of the table of large bodies.
#[must_use]
pub fn large_section() -> Section {
    Section {
        name: "large-bodies".to_owned(),
        about: format!(
            "{LARGE_COUNT} requests of {} MB at once; what finds no room is refused with a 503",
            LARGE_BYTES / 1_000_000
        ),
        columns: ["peak MiB", "answered", "503", "other"]
            .map(str::to_owned)
            .to_vec(),
        ..Section::default()
    }
}

/// Ten thousand open streams through a gateway that has done nothing yet.
///
/// # Errors
/// A contestant that is gone.
pub async fn ten_thousand(contestant: &Contestant, section: &mut Section) -> io::Result<()> {
    let request = request(contestant, true, QUIET).ok_or(io::ErrorKind::InvalidInput)?;
    let count = MANY_STREAMS.min(streams_allowed());
    let idle = now(contestant)?;
    let held = open_streams(contestant, &request, count).await?;
    let each = kib_each(held, idle, count);
    // Where the host allows fewer, those that are missing are reckoned at the price of the others.
    let all = idle as f64 / MIB + each / 1024.0 * MANY_STREAMS as f64;
    let name = contestant.name.clone();
    section
        .verdicts
        .push(at_most(&name, "10,000 open streams", (all, "MiB"), 110.0));
    let cells = vec![
        count.to_string(),
        format!("{:.1}", held as f64 / MIB),
        format!("{each:.1}"),
        format!("{all:.1}"),
    ];
    if count < MANY_STREAMS {
        let note = format!(
            "{name}: {count} were open: the limit of {} descriptors allows no more",
            descriptors()
        );
        section.notes.push(note);
    }
    section.rows.push(Row { name, cells });
    Ok(())
}

/// The heading of the table of ten thousand streams.
#[must_use]
pub fn many_section() -> Section {
    Section {
        name: "ten-thousand".to_owned(),
        about: "10,000 open streams without deltas through a gateway that has done nothing yet, \
                proportional set size"
            .to_owned(),
        columns: ["open", "MiB", "KiB/stream", "10,000: MiB"]
            .map(str::to_owned)
            .to_vec(),
        ..Section::default()
    }
}

/// Streams that a gateway can hold at a time: each is two descriptors of it, and it has some of its own.
#[must_use]
pub fn streams_allowed() -> usize {
    let room = descriptors().saturating_sub(OWN_DESCRIPTORS) / 2;
    usize::try_from(room).unwrap_or(MANY_STREAMS)
}

/// Streams that are open and quiet.
const QUIET: &str = "deltas=100,gap_ms=600000";
const STREAMS: usize = 1000;
/// A connection is idle when it has been so for a while: a gateway may have given memory back by then.
const KEPT_FOR: Duration = Duration::from_secs(15);
const MANY_STREAMS: usize = 10_000;
/// Descriptors of a gateway that are no stream's, and those of connections that just end.
const OWN_DESCRIPTORS: u64 = 200;
const LARGE_COUNT: usize = 80;
const LARGE_BYTES: usize = 30_000_000;
const MIB: f64 = 1_048_576.0;
