//! `ringway-flood`: what a stream's client sees while a stranger connects and closes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use loadtest::flood::{Flood, connect_and_close};

/// Measures the largest gap of a stream of one event each 20 ms through the gateway, on both drivers,
/// calm and while a process connects and closes.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// The gateway's program.
    #[arg(long, default_value = "target/release/ringway")]
    gateway: PathBuf,
    /// Connections a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// How long each driver is flooded.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The largest gap that passes, in milliseconds.
    #[arg(long, default_value_t = 100)]
    gap_max_ms: u64,
    /// The gateway's drivers.
    #[arg(long, value_delimiter = ',', default_value = "uring,epoll")]
    drivers: Vec<String>,
    /// Only flood this address, and say how many connections were made.
    #[arg(long, hide = true)]
    victim: Option<SocketAddr>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let lasts = Duration::from_secs(args.seconds);
    if let Some(victim) = args.victim {
        return flood(victim, args.rate, lasts);
    }
    let mut passes = true;
    for driver in &args.drivers {
        let flood = Flood {
            gateway: &args.gateway,
            driver,
            rate: args.rate,
            lasts,
        };
        let seen = match flood.run() {
            Ok(seen) => seen,
            Err(fault) => {
                eprintln!("ringway-flood: {driver}: {fault}");
                return ExitCode::from(2);
            }
        };
        let is_met = seen.flooded <= Duration::from_millis(args.gap_max_ms);
        passes &= is_met;
        println!(
            "{driver}: largest gap calm {:.1} ms, flooded {:.1} ms, at {:.0} connections a second: {}",
            seen.calm.as_secs_f64() * 1e3,
            seen.flooded.as_secs_f64() * 1e3,
            seen.rate,
            if is_met { "pass" } else { "MISS" }
        );
    }
    if passes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn flood(victim: SocketAddr, rate: u32, lasts: Duration) -> ExitCode {
    if !victim.ip().is_loopback() {
        eprintln!("ringway-flood: expected a loopback address");
        return ExitCode::from(2);
    }
    match connect_and_close(victim, rate, lasts) {
        Ok(made) => {
            println!("{made}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("ringway-flood: {fault}");
            ExitCode::FAILURE
        }
    }
}
