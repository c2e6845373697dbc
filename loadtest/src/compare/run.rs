//! The comparison from beginning to end.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::account;
use crate::compare::args::{CompareArgs, Pace};
use crate::compare::contestant::Contestant;
use crate::compare::facts;
use crate::compare::file::{self, Gateway};
use crate::compare::goal::judge;
use crate::compare::memory;
use crate::compare::scene::{SCENES, Scene};
use crate::compare::stage::{OWN, Stage};
use crate::load::progress::Progress;
use crate::load::run::{Side, rounds};
use crate::report::data::{Report, Section, tell};
use crate::report::table;
use crate::report::write::{check, command, write};

/// Compares; how many answers were wrong, and with `--strict` how many figures were missed.
///
/// # Errors
/// A gateway or the mock that does not run, a file that cannot be read or written.
pub async fn run(args: &CompareArgs) -> io::Result<u64> {
    let machine = account::machine();
    let mut gateways = Vec::new();
    for path in &args.gateways {
        gateways.extend(file::read(path)?);
    }
    let wanted = wanted(args)?;
    check(&args.out)?;
    check_names(&args.only, &gateways)?;
    let mut stage = Stage::set(args, &gateways).await?;
    let begun = Instant::now();
    let pace = args.pace();
    let progress = Progress::new(wanted.len() as u64 + FACTS);
    println!(
        "{}, {} cores, {}",
        machine.cpu, machine.cores, machine.kernel
    );
    for note in &stage.notes {
        println!("note: {note}");
    }
    let mut run = Run {
        pace,
        begun,
        progress,
        sections: Vec::new(),
        load: args.loads.clone(),
    };
    let measured = run.all(&mut stage, &wanted).await;
    run.progress.end();
    let notes = std::mem::take(&mut stage.notes);
    stage.end().await;
    measured?;
    let sections = run.sections;
    let wrong: u64 = sections
        .iter()
        .flat_map(|s| &s.targets)
        .map(|told| told.wrong)
        .sum();
    let missed = summary(&sections, begun);
    let command = format!("{} ({})", command(), notes.join("; "));
    let report = Report {
        command,
        machine,
        sections,
    };
    write(&report, &args.out)?;
    Ok(wrong + if args.strict { missed } else { 0 })
}

/// The kinds of load that were asked for.
fn wanted(args: &CompareArgs) -> io::Result<Vec<&'static Scene>> {
    let loads = &args.loads;
    for name in loads {
        let known = SCENES.iter().map(|scene| scene.name).chain(FACT_NAMES);
        let known: Vec<&str> = known.collect();
        if !known.iter().any(|known| known.starts_with(name.as_str())) {
            let text = format!("--load {name}: known are {}", known.join(", "));
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    }
    Ok(SCENES
        .iter()
        .filter(|scene| is_wanted(loads, scene.name))
        .filter(|scene| !scene.full || args.full || !loads.is_empty())
        .collect())
}

/// Whether each has a name of its own, and each of `--only` names somebody.
fn check_names(only: &[String], gateways: &[Gateway]) -> io::Result<()> {
    let invalid = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    let mut known = OWN.to_vec();
    for Gateway { name, .. } in gateways {
        if known.contains(&name.as_str()) {
            return invalid(format!("--gateway: two contestants are called {name:?}"));
        }
        known.push(name);
    }
    for name in only {
        if !known.iter().any(|known| known.starts_with(name.as_str())) {
            return invalid(format!("--only {name}: known are {}", known.join(", ")));
        }
    }
    Ok(())
}

fn is_wanted(loads: &[String], name: &str) -> bool {
    loads.is_empty() || loads.iter().any(|load| name.starts_with(load.as_str()))
}

struct Run {
    pace: Pace,
    begun: Instant,
    progress: Progress,
    sections: Vec<Section>,
    load: Vec<String>,
}

impl Run {
    async fn all(&mut self, stage: &mut Stage, scenes: &[&Scene]) -> io::Result<()> {
        // What a program still prepares after it listens belongs to it too.
        monoio::time::sleep(Duration::from_millis(500)).await;
        let idle = memory::idle(&stage.contestants)?;
        // First what wants processes that have done nothing yet.
        if self.next("memory") {
            let held = memory::held(&stage.contestants, &idle).await?;
            self.told(held);
        }
        for scene in scenes {
            if self.next(scene.name) {
                stage.check()?;
                let section = self.scene(scene, &stage.contestants).await?;
                self.told(section);
            }
        }
        if self.next("telemetry") {
            let section = facts::telemetry(stage, &self.pace, &self.progress).await?;
            self.told(section);
        }
        if self.is_long_wanted("governance") && self.next("governance") {
            for section in facts::governance(stage, &self.pace, &self.progress).await? {
                self.told(section);
            }
        }
        if self.next("system-calls") {
            let section = facts::system_calls(stage).await;
            self.told(section);
        }
        if self.next("start") {
            let section = facts::start(stage).await?;
            self.told(section);
        }
        if self.next("large-bodies") {
            let section = facts::large_bodies(stage).await?;
            self.told(section);
        }
        if self.is_long_wanted("ten-thousand") && self.next("ten-thousand") {
            let section = facts::ten_thousand(stage).await?;
            self.told(section);
        }
        if self.is_long_wanted("growth") && self.next("growth") {
            let section = facts::growth(stage, &self.pace).await?;
            self.told(section);
        }
        if self.is_long_wanted("two-workers") && self.next("two-workers") {
            let section = facts::two_workers(stage, &self.pace, &self.progress).await?;
            self.told(section);
        }
        if self.next("memory-after") {
            let section = memory::after(&stage.contestants, &idle, self.pace.rest).await?;
            self.told(section);
        }
        stage.check()
    }

    /// Whether a part that takes minutes is to run: with `--full`, or where it is asked for by name.
    fn is_long_wanted(&self, name: &str) -> bool {
        self.pace.full || !self.load.is_empty() && is_wanted(&self.load, name)
    }

    /// Whether a part is wanted and there is time for it.
    fn next(&mut self, name: &str) -> bool {
        if !is_wanted(&self.load, name) {
            return false;
        }
        self.progress.say(name);
        if self.begun.elapsed() < self.pace.end {
            return true;
        }
        let section = Section {
            name: name.to_owned(),
            notes: vec!["not run: the time is up on this host; --full has more".to_owned()],
            ..Section::default()
        };
        self.told(section);
        false
    }

    fn told(&mut self, section: Section) {
        self.progress.print(table::text(&section).trim_end());
        self.progress.step();
        self.sections.push(section);
    }

    async fn scene(&self, scene: &Scene, contestants: &[Contestant]) -> io::Result<Section> {
        let mut sides: Vec<Side> = Vec::new();
        for contestant in contestants
            .iter()
            .filter(|contestant| scene.who.has(contestant))
        {
            if let Some(request) = scene.request(contestant) {
                let job = request.job().map_err(io::Error::other)?;
                sides.push((contestant.target.clone(), Rc::new(job)));
            }
        }
        let shape = facts::shape(scene, &self.pace);
        let bar = Progress::new(sides.len() as u64 * u64::from(self.pace.rounds));
        let all = rounds(&shape, &sides, self.pace.rounds, &bar).await?;
        bar.end();
        let unit = scene.unit();
        let mut targets: Vec<_> = sides
            .iter()
            .zip(&all)
            .map(|((target, _), rounds)| tell(&target.name, unit, rounds))
            .collect();
        let base = targets.iter().find(|told| told.name == BASE);
        let base = base.or_else(|| targets.iter().find(|told| !told.cpu_us.is_empty()));
        let (name, cpu) = base.map_or((String::new(), Vec::new()), |base| {
            (base.name.clone(), base.cpu_us.clone())
        });
        for told in &mut targets {
            told.against(&cpu);
        }
        let mut section = Section {
            name: scene.name.to_owned(),
            about: scene.about.to_owned(),
            columns: table::columns(unit.name(), &name),
            rows: targets.iter().map(table::row).collect(),
            verdicts: scene
                .goals
                .iter()
                .flat_map(|goal| judge(*goal, &targets))
                .collect(),
            ..Section::default()
        };
        let wrong = targets
            .iter()
            .filter_map(|told| Some((told, told.first_wrong.as_ref()?)));
        let wrong = wrong.map(|(told, why)| format!("{}: first wrong answer: {why}", told.name));
        section.notes.extend(wrong);
        if scene.is_held() && targets.iter().any(|told| told.name == "monoio-http") {
            section.notes.push(HELD_BACK.to_owned());
        }
        section.targets = targets;
        table::drop_empty(&mut section);
        Ok(section)
    }
}

/// Prints what was reached and what was missed; how much was missed.
fn summary(sections: &[Section], begun: Instant) -> u64 {
    let all = sections
        .iter()
        .flat_map(|s| s.verdicts.iter().map(move |v| (&s.name, v)));
    let all: Vec<_> = all.collect();
    let missed: Vec<_> = all.iter().filter(|(_, verdict)| !verdict.pass).collect();
    println!(
        "\n{} of {} figures reached in {} s; allocations and the codecs alone are \
         `cargo test --test alloc` and `cargo bench`",
        all.len() - missed.len(),
        all.len(),
        begun.elapsed().as_secs()
    );
    for (section, verdict) in &missed {
        println!("  MISS  {section}: {}", verdict.text);
    }
    missed.len() as u64
}

/// What its figures would otherwise be taken for.
const HELD_BACK: &str = "monoio-http's encoder holds chunks back until 8 KiB have come: cheap, and \
                         no stream, as its relay time says";
/// Whom ratios are told against.
const BASE: &str = "nginx";
/// Parts beside the kinds of load.
const FACTS: u64 = FACT_NAMES.len() as u64;
const FACT_NAMES: [&str; 10] = [
    "memory",
    "telemetry",
    "governance",
    "system-calls",
    "start",
    "large-bodies",
    "ten-thousand",
    "growth",
    "two-workers",
    "memory-after",
];
