//! The demo from start to exit code.

use core::time::Duration;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Instant;

use crate::cli::{DemoArgs, Exit, VERSION};
use crate::demo::direction::{self, DIRECTIONS, Outcome, Setting};
use crate::demo::plan::plan;
use crate::demo::show::Show;
use crate::demo::stub::model::Pace;
use crate::demo::stub::server::Stub;
use crate::demo::{lines, table};
use crate::server::control::Ended;
use crate::server::run::{self, RunningGateway, StartOptions};

/// Runs the demo, or serves. [`Exit::Done`] only if every direction was right; when serving, if it
/// was asked to stop.
///
/// # Errors
/// Something could not be started, or the output does not take what is written.
pub fn run(args: &DemoArgs, colour: bool, out: &mut impl Write) -> io::Result<Exit> {
    let stub = Stub::start()?;
    let driver = args.driver.as_deref().unwrap_or("auto");
    let options = StartOptions {
        signals: args.serve,
        ..StartOptions::default()
    };
    let running = run::start(plan(stub.address(), driver, args.serve)?, &options)?;
    let Some(gateway) = running.tcp() else {
        return Err(io::Error::other("the gateway has no address"));
    };
    let Some(driver) = running.drivers.first().copied() else {
        return Err(io::Error::other("the gateway has no worker"));
    };
    let greeting = greeting(gateway, stub.address(), (running.drivers.len(), driver));
    let told = write!(out, "{greeting}").and_then(|()| {
        if args.serve {
            check_quietly(gateway, out)
        } else {
            stream(gateway, driver, colour, out)
        }
    });
    if args.serve && matches!(told, Ok(Exit::Done)) {
        let text = lines::lines(gateway, running.admin.as_deref());
        write!(out, "\n{text}\nStays up until Ctrl-C.\n")?;
        out.flush()?;
        return end(running);
    }
    running.stop();
    let ended = end(running);
    told.and_then(|exit| match exit {
        Exit::Done => ended,
        Exit::Failed | Exit::Refused => Ok(exit),
    })
}

fn end(running: RunningGateway) -> io::Result<Exit> {
    Ok(match running.wait()? {
        Ended::Stopped => Exit::Done,
        Ended::WorkerLost => Exit::Failed,
    })
}

fn greeting(gateway: SocketAddr, stub: SocketAddr, (count, driver): (usize, &str)) -> String {
    let workers = if count == 1 { "worker" } else { "workers" };
    format!(
        "ringway {VERSION}\n\
         The provider is a stub, built into this program: no model runs, nothing leaves this host.\n\
         gateway  http://{gateway}  ({count} {workers}, {driver})\n\
         stub     http://{stub}  (both wires)\n"
    )
}

/// All directions, shown as they come, then the table.
fn stream(
    gateway: SocketAddr,
    driver: &str,
    colour: bool,
    out: &mut impl Write,
) -> io::Result<Exit> {
    let pace = Pace::Steady;
    let (first, each) = (pace.first().as_millis(), pace.each().as_millis());
    writeln!(
        out,
        "pace     first token after {first} ms, then one every {each} ms"
    )?;
    let paced = Setting {
        gateway,
        fast: false,
        companions: COMPANIONS,
        deadline: Instant::now() + DEMO_LIMIT,
    };
    let unpaced = Setting {
        fast: true,
        ..paced
    };
    let mut outcomes = Vec::with_capacity(DIRECTIONS.len());
    for direction in DIRECTIONS {
        write!(out, "\n{} stub", direction.name())?;
        out.flush()?;
        // Without pauses first: another way to be wrong, and the connections are there for the
        // figures.
        let warm = direction::run(direction, &unpaced, &mut |_| Ok(()))?;
        let mut show = Show::new(out, colour);
        let mut outcome = direction::run(direction, &paced, &mut |delta| show.delta(delta))?;
        show.end()?;
        outcome.fault = outcome.fault.or(warm.fault);
        outcomes.push(outcome);
    }
    writeln!(out)?;
    table::table(&outcomes, driver, out)?;
    let count = COMPANIONS + 1;
    writeln!(
        out,
        "\nTTFT and gaps: of the stream shown, at its client, the stub's pauses included.\n\
         CPU: all threads of the gateway, over {count} such streams at once."
    )?;
    verdict(&outcomes, out)
}

/// All directions without pauses, unshown: whoever stays up shall find it working.
fn check_quietly(gateway: SocketAddr, out: &mut impl Write) -> io::Result<Exit> {
    let setting = Setting {
        gateway,
        fast: true,
        companions: 0,
        deadline: Instant::now() + DEMO_LIMIT,
    };
    let mut outcomes = Vec::with_capacity(DIRECTIONS.len());
    for direction in DIRECTIONS {
        outcomes.push(direction::run(direction, &setting, &mut |_| Ok(()))?);
    }
    verdict(&outcomes, out)
}

fn verdict(outcomes: &[Outcome], out: &mut impl Write) -> io::Result<Exit> {
    let mut wrong = 0;
    for outcome in outcomes {
        if let Some(fault) = &outcome.fault {
            wrong += 1;
            let fault = fault.escape_debug();
            writeln!(out, "wrong: {}: {fault}", outcome.direction.name())?;
        }
    }
    let count = outcomes.len();
    let exit = if wrong == 0 {
        writeln!(
            out,
            "{count} of {count} directions right: thinking, text, tool calls, usage and end, \
             in the client's wire."
        )?;
        Exit::Done
    } else {
        let right = count.saturating_sub(wrong);
        writeln!(out, "{right} of {count} directions right.")?;
        Exit::Failed
    };
    out.flush()?;
    Ok(exit)
}

/// Streams beside the one that is shown: one alone would measure little but waking up.
const COMPANIONS: usize = 15;

/// For all four directions.
const DEMO_LIMIT: Duration = Duration::from_secs(9);
