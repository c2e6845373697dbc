//! The mock as a program: one thread and one listening socket for each core.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::thread;

use clap::{Arg, ArgMatches, Command, value_parser};
use monoio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use crate::driver;
use crate::mock::script::{KEYS, Script};
use crate::mock::serve::{Connection, Shelf};

/// What was typed.
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Threads.
    pub threads: usize,
    /// What it does where a request does not say otherwise.
    pub script: Script,
}

/// The arguments: one for each word of a script, and a few.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new("ringway-mock")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A provider of the OpenAI and the Anthropic wire that does what it is told")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:9001")
                .value_parser(value_parser!(SocketAddr))
                .help("Loopback address to listen on; port 0 for one that is free"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=256))
                .help("Threads [one for each core that it may use]"),
        );
    for key in KEYS {
        let long = key.name.replace('_', "-");
        let arg = Arg::new(key.name).long(long).value_name("VALUE");
        command = command.arg(arg.help(key.help).help_heading("Script"));
    }
    command
}

/// What the arguments come to.
///
/// # Errors
/// An address that others reach, or a script's word with a wrong value.
pub fn settings(matches: &ArgMatches) -> Result<Settings, String> {
    let Some(&listen) = matches.get_one::<SocketAddr>("listen") else {
        return Err("no address to listen on".to_owned());
    };
    if !listen.ip().is_loopback() {
        return Err(format!("--listen {listen}: expected a loopback address"));
    }
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = matches.get_one::<u16>("threads");
    let threads = threads.map_or_else(cores, |&count| usize::from(count));
    let mut script = Script::default();
    for key in KEYS {
        if let Some(value) = matches.get_one::<String>(key.name) {
            script.set(key.name, value)?;
        }
    }
    Ok(Settings {
        listen,
        threads,
        script,
    })
}

/// Listens, says where on standard output, and serves until the process is ended.
///
/// # Errors
/// An address that cannot be had, or a runtime that cannot be built.
pub fn run(settings: &Settings) -> io::Result<()> {
    let first = listener(settings.listen)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..settings.threads {
        listeners.push(listener(address)?);
    }
    println!("mock provider on {address}");
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let script = settings.script.clone();
            thread::spawn(move || serve(listener, script))
        })
        .collect();
    for thread in threads {
        let ended = thread.join();
        ended.map_err(|_| io::Error::other("a thread of the mock panicked"))??;
    }
    Ok(())
}

fn listener(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn serve(listener: StdListener, script: Script) -> io::Result<()> {
    let mut runtime = driver::build(4096)?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        let shelf = Rc::new(RefCell::new(Shelf::new(script)));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors: those that leave make room.
                monoio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            };
            let connection = Connection::new(stream, Rc::clone(&shelf));
            monoio::spawn(async move {
                // A client that leaves ends its connection, nothing else.
                let _ = connection.serve().await;
            });
        }
    })
}

const BACKLOG: i32 = 4096;

const EXAMPLES: &str = "\
A script is also taken from a request: `x-mock: gap_ms=20,deltas=100`, or a model named
`mock:gap_ms=20,deltas=100`. The header outranks the model, both outrank these flags.

Examples:
  ringway-mock                                   both wires on 127.0.0.1:9001
  ringway-mock --gap-ms 20 --deltas 200          paced streams
  ringway-mock --listen 127.0.0.1:0 --threads 1  on a free port, which is printed
  ringway-mock --thinking 5 --tools 2 --cut 1    everything, cut byte by byte

Exit codes: 1 it failed while it ran, 2 the arguments are at fault.";

#[cfg(test)]
mod tests {
    use super::{command, settings};

    #[test]
    fn flags_set_the_words_of_the_script() {
        let matches = command().get_matches_from(["mock", "--gap-ms", "20", "--tools", "2"]);
        let script = settings(&matches).unwrap().script;
        assert_eq!((script.gap_us, script.tools), (20_000, 2));
    }

    #[test]
    fn address_that_others_reach_is_refused() {
        let matches = command().get_matches_from(["mock", "--listen", "0.0.0.0:9001"]);
        assert!(settings(&matches).is_err());
    }

    #[test]
    fn arguments_hold_together() {
        command().debug_assert();
    }
}
