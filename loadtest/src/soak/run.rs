//! The endurance run: cycles of traffic, a pause with a look after each, a summary.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Serialize;

use crate::account;
use crate::chance::Chance;
use crate::clock;
use crate::compare::builds;
use crate::compare::configs::{self, Telemetry};
use crate::compare::contestant::{await_listening, free_port, loopback};
use crate::compare::stage::start_mock;
use crate::load::client::{Client, Window};
use crate::load::progress::Progress;
use crate::load::queue::Stop;
use crate::load::round::{Target, settle};
use crate::process::{self, Launch, Scratch, Started};
use crate::report::data::{Judged, Report, Row, Section};
use crate::report::table;
use crate::report::write::{check, command, write};
use crate::soak::args::SoakArgs;
use crate::soak::flat::{Sample, Slack, grown};
use crate::soak::traffic::draw;

/// What became of all exchanges.
#[derive(Clone, Debug, Default, Serialize)]
struct Tally {
    asked: u64,
    as_sent: u64,
    broken_as_told: u64,
    left: u64,
    wrong: u64,
    first: Vec<String>,
}

impl Tally {
    fn told(&self) -> String {
        format!(
            "{} asked, {} left, {} broken as told, {} wrong",
            self.asked, self.left, self.broken_as_told, self.wrong
        )
    }
}

/// Runs it; how much failed.
///
/// # Errors
/// A mock or a gateway that does not run.
pub async fn run(args: &SoakArgs) -> io::Result<u64> {
    let machine = account::machine();
    check(&args.out)?;
    let scratch = Scratch::new("soak")?;
    let (mut mock, mock_port) = start_mock(&scratch, args.mock_port, None).await?;
    let mut own = None;
    let target = match &args.target {
        Some(target) if target.pid.is_some() => target.clone(),
        Some(_) => return Err(invalid("--target: expected NAME=ADDRESS,PID")),
        None => {
            let (started, address) = start_gateway(args, &scratch, mock_port).await?;
            let pid = Some(started.id());
            own = Some(started);
            let name = format!("ringway ({})", args.driver);
            Target { name, address, pid }
        }
    };
    let mut soak = Soak {
        args,
        tally: Rc::default(),
        samples: Vec::new(),
        begun: Instant::now(),
    };
    let ran = soak.cycles(&target, &mut own, &mut mock).await;
    let ended = match own {
        Some(gateway) => gateway.stop().await.map(Some),
        None => Ok(None),
    };
    mock.end().await;
    ran?;
    let section = soak.section(&target, ended);
    println!("{}", table::text(&section).trim_start());
    let failed = section
        .verdicts
        .iter()
        .filter(|verdict| !verdict.pass)
        .count();
    let sections = vec![section];
    let report = Report {
        command: command(),
        machine,
        sections,
    };
    write(&report, &args.out)?;
    Ok(failed as u64)
}

async fn start_gateway(
    args: &SoakArgs,
    scratch: &Scratch,
    mock: u16,
) -> io::Result<(Started, SocketAddr)> {
    let build = builds::ringway(args.ringway.as_deref())?;
    if let Some(note) = build.note {
        println!("note: {note}");
    }
    let (port, admin) = (free_port()?, free_port()?);
    let text = configs::ringway(port, admin, mock, scratch.path(), Telemetry::All);
    // Hours of access lines would fill the disk; the ring in front of them is what is tested.
    let log = format!("log = \"{}/ringway-{port}.log\"", scratch.path().display());
    let text = text.replace(&log, "log = \"/dev/null\"");
    let path = scratch.path().join("ringway.toml");
    std::fs::write(&path, text)?;
    let path = path.display().to_string();
    let words = ["serve", "--driver", &args.driver, "--config", &path];
    let launch = Launch {
        name: "ringway".to_owned(),
        program: build.program,
        args: words.map(str::to_owned).to_vec(),
        env: Vec::new(),
        core: None,
        log: scratch.path().join("ringway.out"),
    };
    let mut started = launch.start(&builds::beside("ringway-load")?)?;
    await_listening(&mut started, port).await?;
    Ok((started, loopback(port)))
}

struct Soak<'a> {
    args: &'a SoakArgs,
    tally: Rc<RefCell<Tally>>,
    samples: Vec<Sample>,
    begun: Instant,
}

impl Soak<'_> {
    async fn cycles(
        &mut self,
        target: &Target,
        own: &mut Option<Started>,
        mock: &mut Started,
    ) -> io::Result<()> {
        let progress = Progress::new(self.args.duration.as_secs());
        let mut cycle = 0;
        while self.begun.elapsed() < self.args.duration {
            self.traffic(target, cycle, &progress).await;
            cycle += 1;
            settle(target.pid).await;
            monoio::time::sleep(REST).await;
            if let Some(gateway) = own {
                gateway.check()?;
            }
            mock.check()?;
            let pids = target.pid.map(account::tree).unwrap_or_default();
            self.samples.push(Sample {
                at: self.begun.elapsed().as_secs_f64(),
                pss: account::memory(&pids)?.pss,
                descriptors: account::descriptors(&pids)?,
            });
        }
        progress.end();
        Ok(())
    }

    /// Traffic of one cycle, a HUP in its middle.
    async fn traffic(&self, target: &Target, cycle: u64, progress: &Progress) {
        let stop = Rc::new(Stop::default());
        let mut running = Vec::new();
        for index in 0..u64::from(self.args.clients) {
            let seed = self.args.seed ^ (cycle << 32) ^ (index << 16);
            let (tally, stop) = (Rc::clone(&self.tally), Rc::clone(&stop));
            running.push(monoio::spawn(client(target.address, seed, tally, stop)));
        }
        let half = self.args.cycle() / 2;
        for part in 0..2 {
            if part == 1
                && let Some(pid) = target.pid
            {
                process::send(pid, Signal::HUP);
            }
            let until = Instant::now() + half;
            while Instant::now() < until {
                progress.say(self.tally.borrow().told());
                progress.at(self.begun.elapsed().as_secs());
                let rest = until.saturating_duration_since(Instant::now());
                monoio::time::sleep(rest.min(Duration::from_millis(500))).await;
            }
        }
        stop.give();
        for client in running {
            client.await;
        }
    }

    fn section(&self, target: &Target, ended: io::Result<Option<i32>>) -> Section {
        let tally = self.tally.borrow();
        let mut section = Section {
            name: "soak".to_owned(),
            about: format!(
                "{}, {} clients, {} s, seed {}: {} asked, {} answered as sent, {} broken as told, \
                 {} left by the client, {} wrong",
                target.name,
                self.args.clients,
                self.begun.elapsed().as_secs(),
                self.args.seed,
                tally.asked,
                tally.as_sent,
                tally.broken_as_told,
                tally.left,
                tally.wrong
            ),
            columns: ["MiB at rest", "descriptors"].map(str::to_owned).to_vec(),
            ..Section::default()
        };
        section.rows = shown(&self.samples);
        section
            .notes
            .extend(tally.first.iter().map(|why| format!("wrong: {why}")));
        section.verdicts.push(Judged {
            text: format!("{} wrong answers of {}", tally.wrong, tally.asked),
            pass: tally.wrong == 0 && tally.as_sent > 0,
        });
        let slack = Slack {
            bytes: (self.args.memory_slack * 1_048_576.0) as u64,
            descriptors: self.args.descriptor_slack,
        };
        let (pass, text) = match grown(&self.samples, slack) {
            Ok(grown) if grown.is_empty() => {
                (true, "memory and descriptors stayed flat".to_owned())
            }
            Ok(grown) => (false, grown.join("; ")),
            Err(few) => (false, few),
        };
        section.verdicts.push(Judged { text, pass });
        match ended {
            Ok(None) => {}
            Ok(Some(code)) => section.verdicts.push(Judged {
                text: format!("the gateway ended with {code} when it was told to"),
                pass: code == 0,
            }),
            Err(fault) => section.verdicts.push(Judged {
                text: format!("the gateway did not end: {fault}"),
                pass: false,
            }),
        }
        section
    }
}

/// One client: exchange after exchange until the signal.
async fn client(address: SocketAddr, seed: u64, tally: Rc<RefCell<Tally>>, stop: Rc<Stop>) {
    let mut chance = Chance::new(seed);
    let window = Window::new(0);
    let mut client = Client::new(address, 16 * 1024);
    while !stop.is_given() {
        let exchange = draw(&mut chance);
        let Ok(job) = exchange.request.job() else {
            continue;
        };
        tally.borrow_mut().asked += 1;
        if exchange.pause != client.pause {
            client.leave();
            client.pause = exchange.pause;
        }
        let asked = client.ask(&job, clock::now(), &window);
        let after = exchange.leave_after.unwrap_or(job.timeout * 2);
        // At the end of a cycle all clients leave: what is under way then is cut.
        let right = stop
            .or(monoio::time::timeout(after, asked))
            .await
            .and_then(Result::ok);
        let mut tally = tally.borrow_mut();
        match right {
            None => {
                tally.left += 1;
                client.leave();
            }
            Some(true) if job.expect.is_broken() => tally.broken_as_told += 1,
            Some(true) => tally.as_sent += 1,
            Some(false) => {
                tally.wrong += 1;
                let why = window
                    .figures
                    .borrow_mut()
                    .first_wrong
                    .take()
                    .unwrap_or_default();
                if tally.first.len() < TOLD_MAX {
                    let request = &exchange.request;
                    let (wire, model) = (request.wire.name(), &request.model);
                    let script = &request.script;
                    tally
                        .first
                        .push(format!("{why} ({wire} client, model {model}, {script})"));
                }
            }
        }
    }
    client.leave();
}

/// Samples as rows: all of a short run, every so many of a long one.
fn shown(samples: &[Sample]) -> Vec<Row> {
    let every = samples.len().div_ceil(ROWS_MAX).max(1);
    let rows = samples.iter().enumerate();
    let rows = rows.filter(|(at, _)| at % every == 0 || at + 1 == samples.len());
    rows.map(|(_, sample)| Row {
        name: format!("{:.0} s", sample.at),
        cells: vec![
            format!("{:.1}", sample.pss as f64 / 1_048_576.0),
            sample.descriptors.to_string(),
        ],
    })
    .collect()
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Rest before a sample: connections that were left are gone by then.
const REST: Duration = Duration::from_millis(500);
/// Wrong answers that are told in words.
const TOLD_MAX: usize = 10;
/// Samples that are shown.
const ROWS_MAX: usize = 24;
