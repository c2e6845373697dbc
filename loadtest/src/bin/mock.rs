//! `ringway-mock`: a provider that does what it is told. See `loadtest/README.md`.

use std::process::ExitCode;

use loadtest::mock::run::{command, run, settings};

fn main() -> ExitCode {
    let settings = match settings(&command().get_matches()) {
        Ok(settings) => settings,
        Err(fault) => {
            eprintln!("ringway-mock: {fault}");
            return ExitCode::from(2);
        }
    };
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("ringway-mock: {fault}");
            ExitCode::FAILURE
        }
    }
}
