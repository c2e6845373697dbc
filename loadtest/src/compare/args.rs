//! What was typed for `ringway-load compare`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::load::args::{OutArgs, some_seconds};

/// `ringway-load compare`
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Three minutes: short windows, three rounds (the default)
    #[arg(long)]
    pub quick: bool,
    /// A quarter of an hour: seven rounds, and what takes time: ten thousand streams, growth, rest
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
    /// Rounds of each kind of load [3, with --full 7]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: Option<u32>,
    /// Seconds of each window [0.4, with --full 2]
    #[arg(long, value_parser = some_seconds)]
    pub seconds: Option<f64>,
    /// Further gateways, described in a file; may be given several times
    #[arg(long = "gateway", value_name = "FILE")]
    pub gateways: Vec<PathBuf>,
    /// Only contestants whose name begins like this, beside nginx; may be given several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Only kinds of load whose name begins like this; may be given several times
    #[arg(long = "load", value_name = "NAME")]
    pub loads: Vec<String>,
    /// The gateway's program [next to this one; built if it is not there]
    #[arg(long, value_name = "FILE")]
    pub ringway: Option<PathBuf>,
    /// Exit with 1 also when a figure is missed
    #[arg(long)]
    pub strict: bool,
    /// Where results go
    #[command(flatten)]
    pub out: OutArgs,
}

/// How long everything takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Rounds.
    pub rounds: u32,
    /// Before each window.
    pub warm: Duration,
    /// Each window.
    pub window: Duration,
    /// Rest before memory is looked at again after the load.
    pub rest: Duration,
    /// Whether what takes minutes is done too.
    pub full: bool,
    /// No new kind of load begins after this.
    pub end: Duration,
}

impl CompareArgs {
    /// The pace that was asked for.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let mut pace = if self.full { FULL } else { QUICK };
        pace.rounds = self.rounds.unwrap_or(pace.rounds);
        pace.window = self.seconds.map_or(pace.window, Duration::from_secs_f64);
        // Who asks for more knows that it takes longer.
        let grown = f64::from(pace.rounds) * pace.window.as_secs_f64();
        let usual = if self.full { 14.0 } else { 1.2 };
        pace.end = pace.end.mul_f64((grown / usual).max(1.0));
        pace
    }
}

const QUICK: Pace = Pace {
    rounds: 3,
    warm: Duration::from_millis(150),
    window: Duration::from_millis(400),
    rest: Duration::from_secs(5),
    full: false,
    end: Duration::from_secs(165),
};

const FULL: Pace = Pace {
    rounds: 7,
    warm: Duration::from_millis(500),
    window: Duration::from_secs(2),
    rest: Duration::from_secs(60),
    full: true,
    end: Duration::from_secs(3600),
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Contestants: direct (no gateway), ringway-uring, ringway-epoll, nginx, haproxy, relay-bytes and
relay-hyper (floors), monoio-http, and those of --gateway. One that is not installed is named as
missing, with the line that installs it.

Examples:
  ringway-load compare --quick
  ringway-load compare --full --html report.html --json report.json
  ringway-load compare --load paced --only ringway --rounds 7 --seconds 2
  ringway-load compare --gateway other.toml

A file for --gateway, with {port}, {mock} and {dir} filled in:
  [[gateway]]
  name = \"other\"
  command = [\"other\", \"--config\", \"{dir}/other.yaml\"]
  ready = \"http://127.0.0.1:{port}/health\"
  [gateway.routes]
  openai = \"a-model\"             # OpenAI client, OpenAI provider
  openai_translated = \"b-model\"  # OpenAI client, Anthropic provider
  [gateway.files]
  \"other.yaml\" = \"listen: {port}\\nupstream: {mock}/v1\\n\"

Exit codes: 0 done, 1 an answer was wrong or a program failed (with --strict also: a figure was
missed), 2 the arguments are at fault, 130 ended by Ctrl-C or TERM.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::{FULL, QUICK};
    use crate::args::{Arguments, Command};

    fn pace(words: &[&str]) -> super::Pace {
        let words = ["l", "compare"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Some(Command::Compare(args)) => args.pace(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn quick_is_the_default_and_longer_windows_get_more_time() {
        assert_eq!(pace(&[]), QUICK);
        assert_eq!(pace(&["--quick"]), QUICK);
        assert_eq!(pace(&["--full"]), FULL);
        let longer = pace(&["--seconds", "2"]);
        assert_eq!(longer.window, Duration::from_secs(2));
        assert!(longer.end > QUICK.end * 4);
    }
}
