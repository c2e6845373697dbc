//! Plain load: the targets in turn, round by round, then a table and the files.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::account;
use crate::load::args::{Kind, LoadArgs};
use crate::load::job::{Job, Request};
use crate::load::progress::Progress;
use crate::load::round::{Mode, Round, Shape, Target, round, settle};
use crate::report::data::{Report, Section, Unit, tell, units_of};
use crate::report::write::{check, command, write};
use crate::report::{data, table};
use crate::syscalls::Watch;

/// Sends it all; how many answers were wrong.
///
/// # Errors
/// A target that is gone, a file that cannot be written.
pub async fn run(args: &LoadArgs) -> io::Result<u64> {
    let machine = account::machine();
    check(&args.out)?;
    check_targets(&args.targets)?;
    if args.load == Kind::Hold && args.rate.is_some() {
        return Err(invalid(
            "--rate: streams that stay open have none".to_owned(),
        ));
    }
    let job = Rc::new(request(args).job().map_err(invalid)?);
    let shape = shape(args, &job);
    let unit = match args.load {
        Kind::Whole => Unit::Request,
        Kind::Stream | Kind::Hold => Unit::Event,
    };
    let progress = Progress::new(u64::from(args.rounds) * args.targets.len() as u64);
    let sides: Vec<Side> = args
        .targets
        .iter()
        .map(|t| (t.clone(), Rc::clone(&job)))
        .collect();
    let all = rounds(&shape, &sides, args.rounds, &progress).await?;
    let calls = match args.syscalls {
        true => Some(count_calls(&shape, &job, &args.targets, unit).await?),
        false => None,
    };
    progress.end();
    let section = section(args, unit, &all, calls);
    let wrong = section.targets.iter().map(|told| told.wrong).sum();
    println!("{}", table::text(&section));
    for told in &section.targets {
        if let Some(why) = &told.first_wrong {
            println!("  {}: first wrong answer: {why}", told.name);
        }
    }
    let sections = vec![section];
    let report = Report {
        command: command(),
        machine,
        sections,
    };
    write(&report, &args.out)?;
    Ok(wrong)
}

/// Whether figures can be told apart by name, and each process can be looked at.
fn check_targets(targets: &[Target]) -> io::Result<()> {
    for (at, target) in targets.iter().enumerate() {
        let name = &target.name;
        if targets.iter().take(at).any(|other| other.name == *name) {
            return Err(invalid(format!("--target: two are called {name:?}")));
        }
        if let Some(pid) = target.pid {
            let looked = account::memory(&account::tree(pid));
            looked.map_err(|fault| invalid(format!("--target {name}: {fault}")))?;
        }
    }
    Ok(())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn request(args: &LoadArgs) -> Request {
    Request {
        wire: args.wire,
        model: args.model.clone(),
        stream: args.load != Kind::Whole,
        body_bytes: args.body_bytes as usize,
        script: args.script.clone(),
        told: args.told,
        translated: args.translated,
        timeout: Duration::from_secs_f64(args.timeout),
    }
}

fn shape(args: &LoadArgs, job: &Job) -> Shape {
    let gap = Duration::from_micros(job.expect.script.gap_us);
    let mode = match (args.load, args.rate) {
        (Kind::Hold, _) => Mode::Hold(gap),
        (Kind::Whole | Kind::Stream, Some(rate)) => Mode::Open(args.arrivals, rate),
        (Kind::Whole | Kind::Stream, None) => Mode::Closed,
    };
    Shape {
        mode,
        connections: args.connections as usize,
        warm: Duration::from_secs_f64(args.warm_up),
        window: Duration::from_secs_f64(args.seconds),
        seed: args.seed,
    }
}

/// A target, and what it is asked.
pub type Side = (Target, Rc<Job>);

/// All rounds of all targets: in each round another one begins, so that none always comes first.
///
/// # Errors
/// A target that is gone.
pub async fn rounds(
    shape: &Shape,
    sides: &[Side],
    count: u32,
    progress: &Progress,
) -> io::Result<Vec<Vec<Round>>> {
    let mut all: Vec<Vec<Round>> = vec![Vec::new(); sides.len()];
    for number in 0..count as usize {
        for turn in 0..sides.len() {
            let index = (turn + number) % sides.len();
            let (Some((target, job)), Some(own)) = (sides.get(index), all.get_mut(index)) else {
                continue;
            };
            progress.say(&target.name);
            let shape = Shape {
                seed: shape.seed + number as u64,
                ..shape.clone()
            };
            own.push(round(&shape, job, target, Some(progress)).await?);
            settle(target.pid).await;
            progress.step();
        }
    }
    Ok(all)
}

/// System calls of each unit, for each target that has a process.
async fn count_calls(
    shape: &Shape,
    job: &Rc<Job>,
    targets: &[Target],
    unit: Unit,
) -> io::Result<Vec<Option<f64>>> {
    let mut counts = Vec::new();
    for target in targets {
        let Some(pid) = target.pid else {
            counts.push(None);
            continue;
        };
        counts.push(Some(calls(shape, job, (target, pid), unit).await?));
    }
    Ok(counts)
}

/// System calls of each unit of one target, in a round of its own.
///
/// # Errors
/// No strace, or no right to trace.
pub async fn calls(
    shape: &Shape,
    job: &Rc<Job>,
    (target, pid): (&Target, u32),
    unit: Unit,
) -> io::Result<f64> {
    let out = std::env::temp_dir().join(format!("ringway-calls-{}", std::process::id()));
    let watch = Watch::start(&account::tree(pid), &out)?;
    // All of the round is counted, so all of its units are: no warm-up.
    let shape = Shape {
        warm: Duration::ZERO,
        ..shape.clone()
    };
    monoio::time::sleep(Duration::from_millis(200)).await;
    let round = round(&shape, job, target, None).await;
    let count = watch.end().await;
    let _ = std::fs::remove_file(&out);
    Ok(count? as f64 / units_of(&round?.figures, unit).max(1) as f64)
}

fn section(
    args: &LoadArgs,
    unit: Unit,
    all: &[Vec<Round>],
    calls: Option<Vec<Option<f64>>>,
) -> Section {
    let mut targets: Vec<data::Told> = args
        .targets
        .iter()
        .zip(all)
        .map(|(target, rounds)| tell(&target.name, unit, rounds))
        .collect();
    let base = targets
        .first()
        .map(|told| told.cpu_us.clone())
        .unwrap_or_default();
    let base_name = args.targets.first().map_or("", |target| &target.name);
    for told in &mut targets {
        told.against(&base);
    }
    let mut section = Section {
        name: format!("{:?} load, {} connections", args.load, args.connections).to_lowercase(),
        about: format!(
            "{} client, model {}, script {:?}, {} rounds of {} s",
            args.wire.name(),
            args.model,
            args.script,
            args.rounds,
            args.seconds
        ),
        columns: table::columns(unit.name(), base_name),
        rows: targets.iter().map(table::row).collect(),
        ..Section::default()
    };
    if args.load == Kind::Hold {
        section
            .columns
            .extend(["idle MiB".to_owned(), "KiB/stream".to_owned()]);
    }
    if calls.is_some() {
        section.columns.push(format!("calls/{}", unit.name()));
    }
    for (index, (row, told)) in section.rows.iter_mut().zip(&mut targets).enumerate() {
        if args.load == Kind::Hold {
            row.cells.extend(memory_cells(told, args.connections));
        }
        if let Some(calls) = &calls {
            told.syscalls = calls.get(index).copied().flatten();
            row.cells.push(
                told.syscalls
                    .map_or_else(|| "–".to_owned(), |n| format!("{n:.2}")),
            );
        }
    }
    section.targets = targets;
    table::drop_empty(&mut section);
    section
}

/// Memory before the first round, and what each stream added in the median round.
fn memory_cells(told: &data::Told, streams: u32) -> [String; 2] {
    let Some(first) = told.costs.first() else {
        return ["–".to_owned(), "–".to_owned()];
    };
    let per_stream: Vec<f64> = told
        .costs
        .iter()
        .map(|cost| {
            cost.after.pss.saturating_sub(first.before.pss) as f64 / 1024.0 / f64::from(streams)
        })
        .collect();
    let idle = first.before.pss as f64 / 1_048_576.0;
    let each = crate::load::figures::median(&per_stream);
    [format!("{idle:.1}"), format!("{each:.1}")]
}
