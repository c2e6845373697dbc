//! `ringway-load`: load, comparisons, endurance. See `loadtest/README.md`.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use loadtest::args::{Arguments, Command};
use loadtest::{compare, driver, load, process, signals, soak};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Launch { core, command }) = &arguments.command {
        let fault = process::become_program(*core, command);
        eprintln!("{}: {fault}", command.first().map_or("", String::as_str));
        return ExitCode::FAILURE;
    }
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("ringway-load: {wrong} failures");
            ExitCode::FAILURE
        }
        Err(fault) if fault.kind() == io::ErrorKind::InvalidInput => {
            eprintln!("ringway-load: {fault}");
            ExitCode::from(2)
        }
        Err(fault) => {
            eprintln!("ringway-load: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for; how much of it failed.
fn run(arguments: &Arguments) -> io::Result<u64> {
    signals::watch()?;
    process::raise_descriptors();
    let mut runtime = driver::build(8192)?;
    runtime.block_on(async {
        match &arguments.command {
            None => load::run::run(&arguments.load).await,
            Some(Command::Compare(args)) => compare::run::run(args).await,
            Some(Command::Soak(args)) => soak::run::run(args).await,
            Some(Command::Launch { .. }) => Ok(0),
        }
    })
}
