//! What was typed for `ringway-load soak`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::load::args::{OutArgs, target};
use crate::load::round::Target;

/// `ringway-load soak`
#[derive(Args, Clone, Debug)]
pub struct SoakArgs {
    /// How long, as 30s, 10m or 8h
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub duration: Duration,
    /// Clients at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub clients: u32,
    /// Time between two pauses at which memory and descriptors are looked at
    #[arg(long, value_parser = duration)]
    pub cycle: Option<Duration>,
    /// Seed of what is sent: the same seed sends the same
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Driver of the gateway that is started
    #[arg(long, default_value = "auto", value_parser = ["auto", "uring", "epoll"])]
    pub driver: String,
    /// The gateway's program [next to this one; built if it is not there]
    #[arg(long, value_name = "FILE")]
    pub ringway: Option<PathBuf>,
    /// Instead of starting one: `NAME=ADDRESS,PID` of a gateway that leads to the mock of --mock
    #[arg(long, value_name = "TARGET", value_parser = target, requires = "mock_port")]
    pub target: Option<Target>,
    /// Port on which the mock shall listen for that gateway
    #[arg(long, value_name = "PORT")]
    pub mock_port: Option<u16>,
    /// MiB that memory may grow by, beside a tenth
    #[arg(long, default_value_t = 16.0)]
    pub memory_slack: f64,
    /// Descriptors that may stay open, beside a tenth: kept connections vary
    #[arg(long, default_value_t = 32)]
    pub descriptor_slack: usize,
    /// Where results go
    #[command(flatten)]
    pub out: OutArgs,
}

impl SoakArgs {
    /// The time between two pauses: at least four of them in a run.
    #[must_use]
    pub fn cycle(&self) -> Duration {
        let usual = (self.duration / 8).clamp(Duration::from_secs(1), Duration::from_secs(60));
        self.cycle.unwrap_or(usual).max(Duration::from_millis(100))
    }
}

/// Reads a time with its unit.
///
/// # Errors
/// What has no unit, or is no time that a run could last.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| WANTED)?;
    let seconds = match unit {
        "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3600),
        _ => return Err(WANTED.to_owned()),
    };
    match (1..=SECONDS_MAX).contains(&seconds) {
        true => Ok(Duration::from_secs(seconds)),
        false => Err("expected 1s to 720h".to_owned()),
    }
}

const WANTED: &str = "expected a time as 30s, 10m or 8h";
/// A month.
const SECONDS_MAX: u64 = 720 * 3600;

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Traffic: both wires, whole and streamed, same wire and translated, tools, thinking, comments, cuts;
one in six is broken by the provider, one in ten is left by the client, some read slowly, some send
megabytes. HUP is sent to the gateway in every cycle. Each answer carries a number of its request.

Examples:
  ringway-load soak                                   a minute
  ringway-load soak --duration 8h --html soak.html
  ringway-load soak --duration 10m --driver epoll --seed 7

Exit codes: 0 every answer was as it had to be, memory and descriptors stayed flat, and the gateway
ended with 0 when it was told to; 1 otherwise; 2 the arguments are at fault; 130 ended by Ctrl-C.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn duration_has_a_unit_and_bounds() {
        for (text, seconds) in [
            ("30s", 30),
            ("10m", 600),
            ("8h", 28_800),
            ("720h", 2_592_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in [
            "",
            "5",
            "0s",
            "721h",
            "m",
            "1d",
            "-1s",
            "99999999999999999999h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
