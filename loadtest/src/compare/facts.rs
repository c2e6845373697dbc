//! Figures that are not CPU under load: start, telemetry's price, system calls, growth.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::{self, SECOND};
use crate::compare::args::Pace;
use crate::compare::configs::Telemetry;
use crate::compare::contestant::{Contestant, ask, free_port, loopback};
use crate::compare::goal::{OURS, at_most};
use crate::compare::memory;
use crate::compare::scene::{CHAT, SCENES, Scene};
use crate::compare::stage::Stage;
use crate::load::figures::median;
use crate::load::progress::Progress;
use crate::load::round::{Mode, Round, Shape, Target, round, settle};
use crate::load::run::{Side, calls, rounds};
use crate::process::Launch;
use crate::report::data::{Judged, Row, Section, Told, Unit, spread, tell};
use crate::report::table;

/// From exec to the first answer, without a configuration.
///
/// # Errors
/// A gateway that does not start.
pub async fn start(stage: &Stage) -> io::Result<Section> {
    let mut section = Section {
        name: "start".to_owned(),
        about: format!("exec to first answer, no configuration, median of {STARTS}"),
        columns: ["ms", "least", "largest"].map(str::to_owned).to_vec(),
        ..Section::default()
    };
    for driver in DRIVERS {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            times.push(start_once(stage, driver).await?);
        }
        let name = format!("{OURS}-{driver}");
        let (low, high) = spread(&times);
        let middle = median(&times);
        section
            .verdicts
            .push(at_most(&name, "exec to first answer", (middle, "ms"), 15.0));
        let cells = [middle, low, high].map(|ms| format!("{ms:.1}")).to_vec();
        section.rows.push(Row { name, cells });
    }
    Ok(section)
}

async fn start_once(stage: &Stage, driver: &str) -> io::Result<f64> {
    let port = free_port()?;
    let listen = loopback(port).to_string();
    let args = [
        "serve",
        "--listen",
        &listen,
        "--admin",
        "off",
        "--driver",
        driver,
        "--workers",
        "1",
    ];
    let launch = Launch {
        name: "start".to_owned(),
        program: stage.ringway.clone(),
        args: args.map(str::to_owned).to_vec(),
        env: vec![
            ("OPENAI_API_KEY".to_owned(), "none".to_owned()),
            (
                "OPENAI_BASE_URL".to_owned(),
                format!("http://{}/v1", loopback(stage.ground.mock)),
            ),
        ],
        core: stage.ground.core,
        log: stage.ground.dir.join("start.out"),
    };
    let begun = clock::now();
    let mut started = launch.start(&stage.ground.launcher)?;
    let until = begun + 5 * SECOND;
    // Refused at once while nobody listens, so this looks as often as the kernel answers.
    let stream = loop {
        if let Ok(stream) = TcpStream::connect(loopback(port)) {
            break stream;
        }
        if clock::now() > until {
            started.check()?;
            return Err(io::Error::other("no answer within 5 s of the start"));
        }
        std::thread::yield_now();
    };
    let answered = ask(stream, "/v1/models");
    let took = clock::now() - begun;
    started.end().await;
    match answered {
        Some(_) => Ok(took as f64 / 1e6),
        None => Err(io::Error::other("the first connection got no answer")),
    }
}

/// What all telemetry costs, against none.
///
/// # Errors
/// A gateway that does not come up.
pub async fn telemetry(stage: &Stage, pace: &Pace, progress: &Progress) -> io::Result<Section> {
    let ground = &stage.ground;
    let off = ground
        .ringway(&stage.ringway, "uring", Telemetry::Off)
        .await?;
    let on = ground
        .ringway(&stage.ringway, "uring", Telemetry::All)
        .await?;
    let scene = named("paced-256")?;
    let section = Section {
        name: "telemetry".to_owned(),
        about: "all of it on against all of it off: log, meters' listener, timing header, usage; \
                256 streams, a delta every 20 ms"
            .to_owned(),
        columns: table::columns("event", "off"),
        ..Section::default()
    };
    let what = ("all on against off", 103.0);
    let section = pair(section, scene, [&off, &on], what, (pace, progress)).await?;
    on.end().await;
    off.end().await;
    Ok(section)
}

/// CPU of an event with two workers, against one.
///
/// # Errors
/// A gateway that does not come up.
pub async fn two_workers(stage: &Stage, pace: &Pace, progress: &Progress) -> io::Result<Section> {
    let ground = &stage.ground;
    let one = fresh(stage, "uring").await?;
    let two = ground
        .ringway(&stage.ringway, "uring", Telemetry::TwoWorkers)
        .await?;
    let section = Section {
        name: "two-workers".to_owned(),
        about: "two workers against one, 1,000 streams, a delta every 100 ms".to_owned(),
        columns: table::columns("event", "one"),
        notes: vec![
            "both share the contestants' core: what a second worker costs, not what it brings"
                .to_owned(),
        ],
        ..Section::default()
    };
    let scene = named("paced-1000")?;
    let what = ("two workers against one", 110.0);
    let section = pair(section, scene, [&one, &two], what, (pace, progress)).await?;
    two.end().await;
    one.end().await;
    Ok(section)
}

/// Holds the second of two gateways against the first; `what` it is called, and its most in per cent.
async fn pair(
    mut section: Section,
    scene: &Scene,
    [one, two]: [&Contestant; 2],
    (what, most): (&str, f64),
    (pace, progress): (&Pace, &Progress),
) -> io::Result<Section> {
    let sides = vec![side(scene, one)?, side(scene, two)?];
    section = held(section, scene, &sides, (pace, progress)).await?;
    if let Some(ratio) = section.targets.last().and_then(Told::ratio) {
        let name = format!("{OURS}-uring");
        let judged = at_most(&name, what, (100.0 * ratio, "%"), most);
        section.verdicts.push(judged);
    }
    Ok(section)
}

/// What governance costs, against a gateway that knows one key of its configuration.
///
/// # Errors
/// A gateway that does not come up.
pub async fn governance(
    stage: &Stage,
    pace: &Pace,
    progress: &Progress,
) -> io::Result<Vec<Section>> {
    let mut sections = Vec::new();
    for (scene, unit) in [
        (named("whole")?, "request"),
        (named("whole-openai-to-anthropic")?, "request"),
        (named("stream")?, "event"),
        (&CHAT, "event"),
    ] {
        let load = scene.name;
        let off = fresh(stage, "uring").await?;
        let (on, key) = stage.ground.governed(&stage.ringway, "uring").await?;
        let (target, job) = side(scene, &on)?;
        let job = Rc::try_unwrap(job).map_err(|_| io::ErrorKind::InvalidInput)?;
        let sides = vec![side(scene, &off)?, (target, Rc::new(job.with_key(&key)))];
        let section = Section {
            name: format!("governance-{load}"),
            about: format!(
                "keys of a store, tiers, residency, limits, budgets, prices, usage records and \
                    three targets, against one key of the configuration and one target; {}",
                scene.about
            ),
            columns: table::columns(unit, "off"),
            ..Section::default()
        };
        let mut section = held(section, scene, &sides, (pace, progress)).await?;
        if let Some(ratio) = section.targets.last().and_then(Told::ratio) {
            let name = format!("{OURS}-uring");
            let what = format!("all on against off, {load}");
            section
                .verdicts
                .push(at_most(&name, &what, (100.0 * ratio, "%"), 103.0));
        }
        sections.push(section);
        on.end().await;
        off.end().await;
    }
    Ok(sections)
}

/// The rounds of several sides in turn, the first of which the others are held against.
async fn held(
    mut section: Section,
    scene: &Scene,
    sides: &[Side],
    (pace, progress): (&Pace, &Progress),
) -> io::Result<Section> {
    let all = rounds(&shape(scene, pace), sides, pace.rounds, progress).await?;
    let mut told: Vec<_> = sides
        .iter()
        .zip(&all)
        .map(|((target, _), rounds)| tell(&target.name, scene.unit(), rounds))
        .collect();
    let base = told
        .first()
        .map(|told| told.cpu_us.clone())
        .unwrap_or_default();
    for told in &mut told {
        told.against(&base);
    }
    section.rows = told.iter().map(table::row).collect();
    section.targets = told;
    table::drop_empty(&mut section);
    Ok(section)
}

/// System calls of a request.
pub async fn system_calls(stage: &Stage) -> Section {
    let mut section = Section {
        name: "system-calls".to_owned(),
        about: "for each whole request, 64 connections, counted by strace in a run of their own"
            .to_owned(),
        columns: vec!["calls/request".to_owned()],
        ..Section::default()
    };
    for contestant in &stage.contestants {
        match counted(contestant).await {
            Ok(None) => {}
            Ok(Some(count)) => {
                let name = contestant.name.clone();
                if name == "ringway-uring" {
                    let text = format!("{name}: {count:.2} system calls a request, to reach 0.50");
                    let pass = count <= 0.5;
                    section.verdicts.push(Judged { text, pass });
                }
                let cells = vec![format!("{count:.2}")];
                section.rows.push(Row { name, cells });
            }
            Err(fault) => {
                section.notes.push(format!("{}: {fault}", contestant.name));
                break;
            }
        }
    }
    section
}

async fn counted(contestant: &Contestant) -> io::Result<Option<f64>> {
    let measured = ["ringway-uring", "ringway-epoll", "nginx", "haproxy"];
    let Some(pid) = contestant.target.pid else {
        return Ok(None);
    };
    if !measured.contains(&contestant.name.as_str()) {
        return Ok(None);
    }
    let scene = named("whole")?;
    let (target, job) = side(scene, contestant)?;
    let shape = Shape {
        window: Duration::from_millis(600),
        ..shape(scene, &CALLS_PACE)
    };
    let count = calls(&shape, &job, (&target, pid), Unit::Request).await?;
    settle(Some(pid)).await;
    Ok(Some(count))
}

/// CPU of an event at the same total rate over ever more streams.
///
/// # Errors
/// A contestant that is gone.
pub async fn growth(stage: &Stage, pace: &Pace) -> io::Result<Section> {
    let mut section = Section {
        name: "growth".to_owned(),
        about: "10,000 deltas a second over 100, 1,000 and 10,000 streams: CPU us of each"
            .to_owned(),
        columns: ["100", "1,000", "10,000", "largest / least"]
            .map(str::to_owned)
            .to_vec(),
        ..Section::default()
    };
    for contestant in &stage.contestants {
        let ours = contestant.name.starts_with(OURS);
        if !ours && !PROXIES.contains(&contestant.name.as_str()) {
            continue;
        }
        let costs = match grown(contestant, pace).await {
            Ok(costs) => costs,
            Err(fault) => {
                memory::failed(&contestant.name, &fault, &mut section);
                continue;
            }
        };
        let (low, high) = spread(&costs);
        let mut cells: Vec<String> = costs.iter().map(|cost| format!("{cost:.2}")).collect();
        cells.push(format!("{:.2}", high / low));
        let name = contestant.name.clone();
        if ours {
            section.verdicts.push(Judged {
                text: format!(
                    "{name}: CPU of an event grows {:.2} x, to reach 1.10",
                    high / low
                ),
                pass: high / low <= 1.1,
            });
        }
        section.rows.push(Row { name, cells });
    }
    Ok(section)
}

async fn grown(contestant: &Contestant, pace: &Pace) -> io::Result<Vec<f64>> {
    let mut costs = Vec::new();
    for (count, gap_ms) in GROWTH {
        let count = count.min(memory::streams_allowed().saturating_sub(ENDING));
        costs.push(cost_over(contestant, pace, count, gap_ms).await?);
    }
    Ok(costs)
}

/// CPU of an event over so many streams with this gap.
async fn cost_over(
    contestant: &Contestant,
    pace: &Pace,
    count: usize,
    gap: u64,
) -> io::Result<f64> {
    let mut request = named("paced-256")?
        .request(contestant)
        .ok_or(io::ErrorKind::InvalidInput)?;
    request.script = format!("deltas=100000,gap_ms={gap}");
    let job = Rc::new(request.job().map_err(io::Error::other)?);
    let spread = Duration::from_millis(gap.max(count as u64 / 4));
    let shape = Shape {
        mode: Mode::Hold(spread),
        connections: count,
        warm: spread + Duration::from_millis(gap) + pace.warm,
        window: pace.window,
        seed: 1,
    };
    let mut costs = Vec::new();
    for _ in 0..3 {
        let one: Round = round(&shape, &job, &contestant.target, None).await?;
        if let Some(why) = &one.figures.first_wrong {
            return Err(io::Error::other(why.clone()));
        }
        let events = one.figures.tokens.max(1);
        costs.push(
            one.cost
                .map_or(0.0, |cost| cost.cpu_ns as f64 / 1e3 / events as f64),
        );
        settle(contestant.target.pid).await;
    }
    Ok(median(&costs))
}

/// Large bodies, through a gateway of their own on each driver.
///
/// # Errors
/// A gateway that does not come up.
pub async fn large_bodies(stage: &Stage) -> io::Result<Section> {
    let mut section = memory::large_section();
    for driver in DRIVERS {
        let one = fresh(stage, driver).await?;
        if let Err(fault) = memory::large_bodies(&one, &mut section).await {
            memory::failed(&one.name, &fault, &mut section);
        }
        one.end().await;
    }
    Ok(section)
}

/// Ten thousand streams, through a gateway of their own on each driver.
///
/// # Errors
/// A gateway that does not come up.
pub async fn ten_thousand(stage: &Stage) -> io::Result<Section> {
    let mut section = memory::many_section();
    for driver in DRIVERS {
        let one = fresh(stage, driver).await?;
        if let Err(fault) = memory::ten_thousand(&one, &mut section).await {
            memory::failed(&one.name, &fault, &mut section);
        }
        one.end().await;
    }
    Ok(section)
}

/// A gateway that has done nothing yet.
async fn fresh(stage: &Stage, driver: &str) -> io::Result<Contestant> {
    let ground = &stage.ground;
    ground
        .ringway(&stage.ringway, driver, Telemetry::Usual)
        .await
}

/// The scene of a name.
fn named(name: &str) -> io::Result<&'static Scene> {
    let found = SCENES.iter().find(|scene| scene.name == name);
    found.ok_or_else(|| io::Error::other(format!("no load called {name}")))
}

/// A contestant and what it is asked in a scene.
fn side(scene: &Scene, contestant: &Contestant) -> io::Result<Side> {
    let request = scene
        .request(contestant)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let job = request.job().map_err(io::Error::other)?;
    let target: Target = contestant.target.clone();
    Ok((target, Rc::new(job)))
}

/// A scene's rounds at a pace.
#[must_use]
pub fn shape(scene: &Scene, pace: &Pace) -> Shape {
    let (mode, fill) = scene.mode();
    Shape {
        mode,
        connections: scene.connections,
        warm: pace.warm + fill,
        window: pace.window,
        seed: 1,
    }
}

const CALLS_PACE: Pace = Pace {
    rounds: 1,
    warm: Duration::ZERO,
    window: Duration::from_millis(600),
    rest: Duration::ZERO,
    full: false,
    end: Duration::MAX,
};
/// Drivers of ringway.
const DRIVERS: [&str; 2] = ["uring", "epoll"];
/// Starts of which the median is told.
const STARTS: usize = 7;
/// Whose growth is told beside ours.
const PROXIES: [&str; 2] = ["nginx", "haproxy"];
/// Streams of a round before that may still be ending.
const ENDING: usize = 600;
/// Streams, and milliseconds between two deltas of each.
const GROWTH: [(usize, u64); 3] = [(100, 10), (1_000, 100), (10_000, 1_000)];
