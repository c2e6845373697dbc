//! `ringway check`: the routes of a configuration, or all that is wrong with it.

use std::io::{self, Write};

use crate::cli::{CheckArgs, Exit, ServeArgs};
use crate::command::prepare::prepare;
use crate::config::environment::Lookup;
use crate::route::listing::listing;

/// Prints routes to `out`, faults and warnings to `errors`. Fails only where writing does.
pub fn run(
    args: &CheckArgs,
    env: Lookup<'_>,
    colour: bool,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let as_served = ServeArgs {
        config: args.config.clone(),
        ..ServeArgs::default()
    };
    let compiled = match prepare(&as_served, env) {
        Ok(compiled) => compiled,
        Err(faults) => {
            for line in faults.lines() {
                writeln!(errors, "{line}")?;
            }
            for line in faults.warning_lines() {
                writeln!(errors, "warning: {line}")?;
            }
            return Ok(Exit::Refused);
        }
    };
    for line in &compiled.warnings {
        writeln!(errors, "warning: {line}")?;
    }
    write!(out, "{}", listing(&compiled.plan, colour))?;
    out.flush()?;
    Ok(Exit::Done)
}
