//! `ringway-relay`: the floors that `ringway-load compare` holds gateways against.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use loadtest::relay::{hyper_proxy, monoio_bytes};

/// Relays to one address, on one thread, and does nothing else.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// How.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
    /// Where everything goes.
    #[arg(long)]
    upstream: SocketAddr,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Bytes, on monoio.
    Bytes,
    /// HTTP by hyper's server and client, on tokio.
    Hyper,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.listen.ip().is_loopback() || !args.upstream.ip().is_loopback() {
        eprintln!("ringway-relay: expected loopback addresses");
        return ExitCode::from(2);
    }
    let ended = match args.kind {
        Kind::Bytes => monoio_bytes(args.listen, args.upstream),
        Kind::Hyper => hyper_proxy(args.listen, args.upstream),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("ringway-relay: {fault}");
            ExitCode::FAILURE
        }
    }
}
