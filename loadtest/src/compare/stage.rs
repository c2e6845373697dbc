//! Mock and contestants, started and pinned; ended when this is.

use std::io;
use std::path::PathBuf;

use crate::compare::args::CompareArgs;
use crate::compare::builds;
use crate::compare::configs::Telemetry;
use crate::compare::contestant::{Contestant, Ground, await_listening, free_port};
use crate::compare::file::Gateway;
use crate::compare::goal::OURS;
use crate::process::{self, Launch, Scratch, Started};

/// All that runs.
pub struct Stage {
    /// Those that take part.
    pub contestants: Vec<Contestant>,
    /// What is missing, and how it would be there.
    pub notes: Vec<String>,
    /// What further ones are started with.
    pub ground: Ground,
    /// The gateway's program.
    pub ringway: PathBuf,
    mock: Started,
    // Dropped last: the logs of all others lie in it.
    _scratch: Scratch,
}

impl Stage {
    /// Starts everything.
    ///
    /// # Errors
    /// No gateway, no mock, or a gateway of a file that does not come up. Others that are not
    /// there are noted.
    pub async fn set(args: &CompareArgs, gateways: &[Gateway]) -> io::Result<Self> {
        let build = builds::ringway(args.ringway.as_deref())?;
        let wanted = |name: &str| is_wanted(&args.only, name);
        let monoio_http = wanted("monoio-http").then(builds::monoio_http);
        let scratch = Scratch::new("compare")?;
        let mut notes: Vec<String> = build.note.into_iter().collect();
        let core = place(&mut notes)?;
        let (mock, port) = start_mock(&scratch, None, core.1).await?;
        let ground = Ground {
            launcher: std::env::current_exe()?,
            dir: scratch.path().to_owned(),
            mock: port,
            core: core.0,
        };
        let mut contestants = Vec::new();
        let mut add = |name: &str, begun: io::Result<Contestant>| match begun {
            Ok(contestant) => contestants.push(contestant),
            Err(fault) => notes.push(format!("{name} takes no part: {fault}")),
        };
        if wanted("direct") {
            add("direct", Ok(Contestant::direct(port)));
        }
        for driver in ["uring", "epoll"] {
            let name = format!("{OURS}-{driver}");
            if wanted(&name) {
                add(
                    &name,
                    ground
                        .ringway(&build.program, driver, Telemetry::Usual)
                        .await,
                );
            }
        }
        add("nginx", ground.nginx().await);
        if wanted("haproxy") {
            add("haproxy", ground.haproxy().await);
        }
        let relay = builds::beside("ringway-relay")?;
        for (name, kind) in [("relay-bytes", "bytes"), ("relay-hyper", "hyper")] {
            if wanted(name) {
                add(name, ground.floor(name, &relay, &["--kind", kind]).await);
            }
        }
        if let Some(program) = monoio_http {
            let begun = match program {
                Ok(program) => ground.floor("monoio-http", &program, &[]).await,
                Err(fault) => Err(fault),
            };
            add("monoio-http", begun);
        }
        for gateway in gateways {
            contestants.push(ground.described(gateway).await?);
        }
        if !contestants
            .iter()
            .any(|contestant| contestant.target.pid.is_some())
        {
            return Err(io::Error::other(notes.join("; ")));
        }
        Ok(Self {
            contestants,
            notes,
            ground,
            ringway: build.program,
            mock,
            _scratch: scratch,
        })
    }

    /// An error if anything that was started has ended.
    ///
    /// # Errors
    /// Which, and what it said last.
    pub fn check(&mut self) -> io::Result<()> {
        self.mock.check()?;
        self.contestants.iter_mut().try_for_each(Contestant::check)
    }

    /// Ends everything.
    pub async fn end(self) {
        for contestant in self.contestants {
            contestant.end().await;
        }
        self.mock.end().await;
    }
}

/// Contestants that no file describes.
pub const OWN: [&str; 8] = [
    "direct",
    "ringway-uring",
    "ringway-epoll",
    "nginx",
    "haproxy",
    "relay-bytes",
    "relay-hyper",
    "monoio-http",
];

/// Whether a contestant was asked for; nginx always is, as the one to compare with.
fn is_wanted(only: &[String], name: &str) -> bool {
    only.is_empty() || name == "nginx" || only.iter().any(|o| name.starts_with(o.as_str()))
}

/// Places this program and gives the cores of contestants and mock: contestants alone on theirs.
fn place(notes: &mut Vec<String>) -> io::Result<(Option<usize>, Option<usize>)> {
    match *process::cores() {
        [first, second, third, ..] => {
            process::pin(third)?;
            notes.push(format!(
                "cores: contestants {first}, mock {second}, load {third}"
            ));
            Ok((Some(first), Some(second)))
        }
        [first, second] => {
            process::pin(second)?;
            notes.push(format!(
                "cores: contestants {first}, mock and load {second}"
            ));
            Ok((Some(first), Some(second)))
        }
        _ => {
            notes.push("one core for all: nothing is pinned, and ratios say little".to_owned());
            Ok((None, None))
        }
    }
}

/// Starts the mock on a port, or on one that the system has free.
///
/// # Errors
/// A mock that does not come up.
pub async fn start_mock(
    scratch: &Scratch,
    port: Option<u16>,
    core: Option<usize>,
) -> io::Result<(Started, u16)> {
    let port = port.map_or_else(free_port, Ok)?;
    let listen = format!("127.0.0.1:{port}");
    let args = ["--listen", &listen, "--threads", "1"];
    let launch = Launch {
        name: "mock".to_owned(),
        program: builds::beside("ringway-mock")?,
        args: args.map(str::to_owned).to_vec(),
        env: Vec::new(),
        core,
        log: scratch.path().join("mock.out"),
    };
    let mut mock = launch.start(&builds::beside("ringway-load")?)?;
    await_listening(&mut mock, port).await?;
    Ok((mock, port))
}
