//! What was typed for `ringway-load`.

use clap::{Parser, Subcommand};

use crate::compare::args::CompareArgs;
use crate::load::args::LoadArgs;
use crate::soak::args::SoakArgs;
use crate::{compare, soak};

/// `ringway-load`
#[derive(Debug, Parser)]
#[command(
    name = "ringway-load",
    version,
    about = "Sends load through gateways, checks every answer, asks the kernel what it cost",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// What to do; without one, load is sent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Load.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// Other things than plain load.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start mock and contestants, send the same load through each, print ratios
    #[command(after_help = compare::args::EXAMPLES)]
    Compare(CompareArgs),
    /// Mixed traffic with faults for as long as you like; memory and descriptors must stay flat
    #[command(after_help = soak::args::EXAMPLES)]
    Soak(SoakArgs),
    /// Become another program, pinned, bound to end with the caller
    #[command(hide = true)]
    Launch {
        /// The core.
        #[arg(long)]
        core: Option<usize>,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

const EXAMPLES: &str = "\
Examples:
  ringway-load compare --quick              everything, in three minutes, from built programs
  ringway-load soak --duration 2h           mixed traffic with faults; 0 only if all stayed well
  ringway-load --target a=127.0.0.1:8080,$PID --model mock/any
  ringway-load --target a=127.0.0.1:8080 --target b=127.0.0.1:8081 --load stream \\
      --script gap_ms=20,deltas=50 --connections 256 --html report.html
  ringway-load --target a=127.0.0.1:8080 --rate 2000 --arrivals poisson

Exit codes:
  0  done, every answer was right
  1  an answer was wrong, or a program failed
  2  the arguments are at fault
  130  ended by Ctrl-C or TERM";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Command};

    #[test]
    fn arguments_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn subcommands_and_plain_load_are_told_apart() {
        let plain = Arguments::try_parse_from(["l", "--target", "a=127.0.0.1:1"]).unwrap();
        assert!(plain.command.is_none());
        let compare = Arguments::try_parse_from(["l", "compare", "--quick"]).unwrap();
        assert!(matches!(compare.command, Some(Command::Compare(args)) if args.quick));
        assert!(
            Arguments::try_parse_from(["l", "--rounds", "0", "--target", "a=127.0.0.1:1"]).is_err()
        );
        assert!(
            Arguments::try_parse_from(["l", "--rate", "0", "--target", "a=127.0.0.1:1"]).is_err()
        );
    }
}
