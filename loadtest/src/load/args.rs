//! What was typed of load.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::load::job::Told;
use crate::load::round::Target;
use crate::load::schedule::Arrival;
use crate::wire::Wire;

/// Load through targets that run.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// `NAME=ADDRESS[,PID]`; several take turns, and the first is what the others are held against
    #[arg(long = "target", value_name = "TARGET", required = true, value_parser = target)]
    pub targets: Vec<Target>,
    /// What is sent
    #[arg(long, value_enum, default_value_t = Kind::Whole)]
    pub load: Kind,
    /// Wire of the client
    #[arg(long, value_enum, default_value_t = Wire::Openai)]
    pub wire: Wire,
    /// Model that is asked for
    #[arg(long, default_value = "fast")]
    pub model: String,
    /// Open loop: requests a second, due whatever became of those before
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// How they follow each other in an open loop
    #[arg(long, value_enum, default_value_t = Arrival::Poisson, requires = "rate")]
    pub arrivals: Arrival,
    /// Connections: all busy in a closed loop, the most under way in an open one
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub connections: u32,
    /// Seconds of each round's window
    #[arg(long, default_value_t = 3.0, value_parser = some_seconds)]
    pub seconds: f64,
    /// Seconds before the window
    #[arg(long, default_value_t = 0.5, value_parser = seconds)]
    pub warm_up: f64,
    /// Rounds
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Bytes of text in the question
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u32).range(..=100_000_000))]
    pub body_bytes: u32,
    /// What the mock shall do, as `gap_ms=20,deltas=100`
    #[arg(long, default_value = "", value_name = "SCRIPT")]
    pub script: String,
    /// Where the mock is told
    #[arg(long, value_enum, default_value_t = Told::Header)]
    pub told: Told,
    /// The gateway changes the wire: thinking may be left out
    #[arg(long)]
    pub translated: bool,
    /// Seconds that an answer may take
    #[arg(long, default_value_t = 30.0, value_parser = some_seconds)]
    pub timeout: f64,
    /// Seed of the arrivals
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Count system calls in a last round, with strace
    #[arg(long)]
    pub syscalls: bool,
    /// Where results go
    #[command(flatten)]
    pub out: OutArgs,
}

/// Files that results are written to.
#[derive(Args, Clone, Debug, Default)]
pub struct OutArgs {
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a page with plots to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Whole answers.
    Whole,
    /// Streams, one after the other on each connection.
    Stream,
    /// Streams that stay open; memory of each.
    Hold,
}

/// Reads `NAME=ADDRESS[,PID]`.
///
/// # Errors
/// What cannot be read, and addresses that are not of this host alone.
pub fn target(text: &str) -> Result<Target, String> {
    let (name, rest) = text.split_once('=').ok_or("expected NAME=ADDRESS[,PID]")?;
    let (address, pid) = match rest.split_once(',') {
        Some((address, pid)) => (
            address,
            Some(pid.parse().map_err(|_| "PID: expected a number")?),
        ),
        None => (rest, None),
    };
    let address: SocketAddr = address.parse().map_err(|_| "ADDRESS: expected ip:port")?;
    if !address.ip().is_loopback() {
        return Err("load is sent to loopback addresses only".to_owned());
    }
    Ok(Target {
        name: name.to_owned(),
        address,
        pid,
    })
}

/// Reads a count of seconds.
///
/// # Errors
/// What is no number, or none that a run could last.
pub fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number of seconds")?;
    match (0.0..=SECONDS_MAX).contains(&number) {
        true => Ok(number),
        false => Err(format!("expected 0 to {SECONDS_MAX} seconds")),
    }
}

/// Reads a count of seconds that is not nought.
///
/// # Errors
/// Those of [`seconds`], and less than a millisecond.
pub fn some_seconds(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        number if number < SECONDS_MIN => Err(format!("expected at least {SECONDS_MIN} seconds")),
        number => Ok(number),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number")?;
    match number > 0.0 && number <= RATE_MAX {
        true => Ok(number),
        false => Err(format!(
            "expected more than 0 and at most {RATE_MAX} a second"
        )),
    }
}

/// A day.
const SECONDS_MAX: f64 = 86_400.0;
/// What the timers here can tell.
const SECONDS_MIN: f64 = 0.001;
/// Requests a second.
const RATE_MAX: f64 = 1_000_000.0;

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn target_is_a_name_and_a_loopback_address() {
        let read = target("a=127.0.0.1:80,7").unwrap();
        assert_eq!((read.name.as_str(), read.pid), ("a", Some(7)));
        for wrong in ["a", "a=80", "a=127.0.0.1:80,x", "a=10.0.0.1:80"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
