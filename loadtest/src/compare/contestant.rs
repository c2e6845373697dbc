//! Whoever takes part: a process, where it listens, what leads through it to the mock.

use std::fs;
use std::io;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::clock::{self, SECOND};
use crate::compare::configs::{self, ANTHROPIC, OPENAI, Telemetry};
use crate::compare::file::{Gateway, Routes, ready_parts};
use crate::load::job::Told;
use crate::load::round::Target;
use crate::process::{Launch, Started, find};
use crate::wire::Wire;

/// What sort of contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The mock itself, nothing between.
    Direct,
    /// A gateway that reads what it relays.
    Gateway,
    /// A proxy that changes nothing.
    Proxy,
    /// What it costs at the least.
    Floor,
}

/// A contestant that runs.
#[derive(Debug)]
pub struct Contestant {
    /// Its name.
    pub name: String,
    /// Its sort.
    pub sort: Sort,
    /// Where load goes.
    pub target: Target,
    /// Models that lead to the mock.
    pub routes: Routes,
    /// Where the mock is told what to do.
    pub told: Told,
    started: Option<Started>,
}

/// What all are started with.
#[derive(Debug)]
pub struct Ground {
    /// The load program, which launches.
    pub launcher: PathBuf,
    /// The folder for configurations and logs.
    pub dir: PathBuf,
    /// The mock's port.
    pub mock: u16,
    /// The core of contestants.
    pub core: Option<usize>,
}

impl Contestant {
    /// The mock itself.
    #[must_use]
    pub fn direct(mock: u16) -> Self {
        Self {
            name: "direct".to_owned(),
            sort: Sort::Direct,
            target: Target {
                name: "direct".to_owned(),
                address: loopback(mock),
                pid: None,
            },
            routes: any(),
            told: Told::Header,
            started: None,
        }
    }

    /// The model that a client of this wire asks for; none where the contestant has no such route.
    /// One that changes nothing is held against translations in the client's own wire.
    #[must_use]
    pub fn model(&self, wire: Wire, translated: bool) -> Option<&str> {
        let routes = &self.routes;
        let route = match (wire, translated && self.sort == Sort::Gateway) {
            (Wire::Openai, false) => &routes.openai,
            (Wire::Anthropic, false) => &routes.anthropic,
            (Wire::Openai, true) => &routes.openai_translated,
            (Wire::Anthropic, true) => &routes.anthropic_translated,
        };
        route.as_deref()
    }

    /// An error if its process has ended.
    ///
    /// # Errors
    /// That it has ended, and what it said last.
    pub fn check(&mut self) -> io::Result<()> {
        self.started.as_mut().map_or(Ok(()), Started::check)
    }

    /// Ends it.
    pub async fn end(self) {
        if let Some(started) = self.started {
            started.end().await;
        }
    }
}

impl Ground {
    /// Starts ringway on a driver.
    ///
    /// # Errors
    /// A gateway that does not come up.
    pub async fn ringway(
        &self,
        program: &Path,
        driver: &str,
        telemetry: Telemetry,
    ) -> io::Result<Contestant> {
        let (port, admin) = (free_port()?, free_port()?);
        let name = match telemetry {
            Telemetry::Usual => format!("ringway-{driver}"),
            Telemetry::TwoWorkers => format!("two-workers-{driver}"),
            Telemetry::All => format!("all-on-{driver}"),
            Telemetry::Off => format!("all-off-{driver}"),
        };
        let text = configs::ringway(port, admin, self.mock, &self.dir, telemetry);
        let path = self.write(&format!("{name}.toml"), &text)?;
        let args = ["serve", "--driver", driver, "--config", &path];
        let launch = self.launch(&name, program, &args);
        self.begin(launch, Sort::Gateway, port, own_routes()).await
    }

    /// Starts ringway with everything that governs; gives the key that it lets in.
    ///
    /// # Errors
    /// A key that cannot be made, a gateway that does not come up.
    pub async fn governed(&self, program: &Path, driver: &str) -> io::Result<(Contestant, String)> {
        let port = free_port()?;
        let name = format!("governed-{driver}");
        let database = self.dir.join(format!("{name}-{port}.db"));
        let made = Command::new(program)
            .args(configs::governed_key(&database))
            .output()?;
        let said: serde_json::Value = serde_json::from_slice(&made.stdout)
            .map_err(|_| io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()))?;
        let key = said.get("key").and_then(serde_json::Value::as_str);
        let key = key.ok_or_else(|| io::Error::other("`keys create` showed no key"))?;
        let text = configs::governed(port, self.mock, &self.dir, &database);
        let path = self.write(&format!("{name}.toml"), &text)?;
        let args = ["serve", "--driver", driver, "--config", &path];
        let launch = self.launch(&name, program, &args);
        let routes = own_routes();
        let contestant = self.begin(launch, Sort::Gateway, port, routes).await?;
        Ok((contestant, key.to_owned()))
    }

    /// Starts nginx.
    ///
    /// # Errors
    /// That it is missing, with the line that installs it, or does not come up.
    pub async fn nginx(&self) -> io::Result<Contestant> {
        let program = installed("nginx")?;
        let port = free_port()?;
        let text = configs::nginx(port, self.mock, &self.dir);
        let path = self.write("nginx.conf", &text)?;
        let prefix = self.dir.display().to_string();
        let errors = format!("{prefix}/nginx-error.log");
        let args = ["-c", &path, "-p", &prefix, "-e", &errors];
        let launch = self.launch("nginx", &program, &args);
        self.begin(launch, Sort::Proxy, port, any()).await
    }

    /// Starts haproxy.
    ///
    /// # Errors
    /// That it is missing, with the line that installs it, or does not come up.
    pub async fn haproxy(&self) -> io::Result<Contestant> {
        let program = installed("haproxy")?;
        let port = free_port()?;
        let path = self.write("haproxy.cfg", &configs::haproxy(port, self.mock))?;
        let launch = self.launch("haproxy", &program, &["-db", "-f", &path]);
        self.begin(launch, Sort::Proxy, port, any()).await
    }

    /// Starts a floor: a program that takes where to listen and where everything goes.
    ///
    /// # Errors
    /// One that does not come up.
    pub async fn floor(&self, name: &str, program: &Path, args: &[&str]) -> io::Result<Contestant> {
        let port = free_port()?;
        let (listen, upstream) = (loopback(port).to_string(), loopback(self.mock).to_string());
        let mut all = args.to_vec();
        all.extend(["--listen", &listen, "--upstream", &upstream]);
        let launch = self.launch(name, program, &all);
        self.begin(launch, Sort::Floor, port, any()).await
    }

    /// Starts a gateway that a file describes.
    ///
    /// # Errors
    /// One that does not come up.
    pub async fn described(&self, gateway: &Gateway) -> io::Result<Contestant> {
        let port = free_port()?;
        let filled = |text: &str| {
            text.replace("{port}", &port.to_string())
                .replace("{mock}", &format!("http://{}", loopback(self.mock)))
                .replace("{dir}", &self.dir.display().to_string())
        };
        for (name, text) in &gateway.files {
            self.write(name, &filled(text))?;
        }
        let command: Vec<String> = gateway.command.iter().map(|word| filled(word)).collect();
        let (program, args) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut launch = self.launch(&gateway.name, Path::new(program), &args);
        launch.env = gateway
            .env
            .iter()
            .map(|(k, v)| (k.clone(), filled(v)))
            .collect();
        let mut begun = self
            .begin(launch, Sort::Gateway, port, gateway.routes.clone())
            .await?;
        begun.told = gateway.told;
        let url = filled(&gateway.ready);
        let (ready_port, path) = ready_parts(&url).ok_or(io::ErrorKind::InvalidInput)?;
        let ready_port = ready_port.parse().unwrap_or(port);
        self.await_ready(&mut begun, ready_port, path).await?;
        Ok(begun)
    }

    async fn await_ready(&self, begun: &mut Contestant, port: u16, path: &str) -> io::Result<()> {
        let until = clock::now() + READY_SECONDS * SECOND;
        let mut last = None;
        while clock::now() < until {
            begun.check()?;
            last = get(loopback(port), path);
            if last == Some(200) {
                return Ok(());
            }
            monoio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = last.map_or_else(|| "nothing".to_owned(), |status| status.to_string());
        Err(io::Error::other(format!(
            "{}: {path}: expected 200 within {READY_SECONDS} s, found {found}",
            begun.name
        )))
    }

    fn launch(&self, name: &str, program: &Path, args: &[&str]) -> Launch {
        Launch {
            name: name.to_owned(),
            program: program.to_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: Vec::new(),
            core: self.core,
            log: self.dir.join(format!("{name}.out")),
        }
    }

    fn write(&self, name: &str, text: &str) -> io::Result<String> {
        let path = self.dir.join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Starts a program and waits until it listens.
    async fn begin(
        &self,
        launch: Launch,
        sort: Sort,
        port: u16,
        routes: Routes,
    ) -> io::Result<Contestant> {
        let mut started = launch.start(&self.launcher)?;
        await_listening(&mut started, port).await?;
        let target = Target {
            name: launch.name.clone(),
            address: loopback(port),
            pid: Some(started.id()),
        };
        Ok(Contestant {
            name: launch.name,
            sort,
            target,
            routes,
            told: Told::Header,
            started: Some(started),
        })
    }
}

/// The models of our own configurations.
fn own_routes() -> Routes {
    Routes {
        openai: Some(OPENAI.to_owned()),
        anthropic: Some(ANTHROPIC.to_owned()),
        openai_translated: Some(ANTHROPIC.to_owned()),
        anthropic_translated: Some(OPENAI.to_owned()),
    }
}

/// Waits until a process listens.
///
/// # Errors
/// That it ended, or that it takes too long.
pub async fn await_listening(started: &mut Started, port: u16) -> io::Result<()> {
    let until = clock::now() + READY_SECONDS * SECOND;
    while TcpStream::connect(loopback(port)).is_err() {
        started.check()?;
        if clock::now() > until {
            let text = format!("port {port} does not listen: {}", started.said());
            return Err(io::Error::other(text));
        }
        monoio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// The status of a GET, if there is an answer.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Option<u16> {
    ask(TcpStream::connect(address).ok()?, path)
}

/// The status of a GET on a connection, if there is an answer.
#[must_use]
pub fn ask(mut stream: TcpStream, path: &str) -> Option<u16> {
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut buf = [0; 1024];
    while !answer.contains(&b'\n') {
        let count = stream.read(&mut buf).ok().filter(|count| *count > 0)?;
        answer.extend_from_slice(buf.get(..count)?);
    }
    let line = std::str::from_utf8(&answer)
        .ok()?
        .lines()
        .next()?
        .to_owned();
    line.split(' ').nth(1)?.parse().ok()
}

/// A port that the system has free.
///
/// # Errors
/// None left.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(loopback(0))?.local_addr()?.port())
}

/// An address of this host alone.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn installed(program: &str) -> io::Result<PathBuf> {
    let cure = || io::Error::other(format!("not installed: apt-get install {program}"));
    find(program).ok_or_else(cure)
}

/// Routes of those to whom a model is a word like any other.
fn any() -> Routes {
    let any = || Some("any".to_owned());
    Routes {
        openai: any(),
        anthropic: any(),
        openai_translated: any(),
        anthropic_translated: any(),
    }
}

/// Seconds that a contestant may take to come up.
const READY_SECONDS: u64 = 30;
