#![expect(
    clippy::disallowed_methods,
    reason = "threads of this program alone wait here"
)]
//! A flood of connections beside a stream: what a client sees of a stranger who connects and closes.
//!
//! A provider here sends an event every `EVENT_MS`; one client reads that stream through the gateway.
//! First nothing else happens, then a process of its own connects and closes at a fixed rate, without a
//! byte. What is told is the largest gap between two reads of the stream, in both times.
//!
//! Not here: what the flood costs the gateway, and whether its connections are served.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::process::Scratch;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Flood<'f> {
    /// The gateway's program.
    pub gateway: &'f Path,
    /// Its driver.
    pub driver: &'f str,
    /// Connections a second.
    pub rate: u32,
    /// How long it is flooded.
    pub lasts: Duration,
}

/// What a client saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The largest gap before the flood.
    pub calm: Duration,
    /// The largest gap within it.
    pub flooded: Duration,
    /// Connections that were made, a second.
    pub rate: f64,
}

/// Ends with what started it.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that ended by itself needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Flood<'_> {
    /// Runs the gateway on its driver and measures.
    ///
    /// # Errors
    /// Whatever cannot be started, or a stream that ends.
    pub fn run(&self) -> io::Result<Seen> {
        let folder = Scratch::new(&format!("flood-{}", self.driver))?;
        let provider = provide()?;
        let config = folder.path().join("ringway.toml");
        std::fs::write(&config, config_of(self.driver, provider))?;
        let (_gateway, address) = start(self.gateway, &config)?;
        let mut stream = ask(address)?;
        let calm = largest_gap(&mut stream, Instant::now() + CALM)?;
        let mut flooder = Command::new(std::env::current_exe()?)
            .args(["--victim", &address.to_string()])
            .args(["--rate", &self.rate.to_string()])
            .args(["--seconds", &self.lasts.as_secs().to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let flooded = largest_gap(&mut stream, Instant::now() + self.lasts);
        let mut told = String::new();
        if let Some(output) = &mut flooder.stdout {
            output.read_to_string(&mut told)?;
        }
        flooder.wait()?;
        let made: f64 = told.trim().parse().unwrap_or(0.0);
        Ok(Seen {
            calm,
            flooded: flooded?,
            rate: made / self.lasts.as_secs_f64(),
        })
    }
}

/// Connects to `victim` and closes, at this rate; how often. Sources take turns, so that none runs out
/// of ports.
///
/// # Errors
/// A socket that cannot be made.
pub fn connect_and_close(victim: SocketAddr, rate: u32, lasts: Duration) -> io::Result<u64> {
    let begun = Instant::now();
    let (mut made, mut tried) = (0_u64, 0_u64);
    while begun.elapsed() < lasts {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)).floor();
        if tried as f64 >= due {
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        let host = u8::try_from(tried % SOURCES).unwrap_or_default() + 2;
        let source = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0);
        tried += 1;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::V4(source).into())?;
        // A queue that is full makes this wait a little: the flood is slower then, and says so.
        if socket
            .connect_timeout(&victim.into(), Duration::from_millis(50))
            .is_ok()
        {
            made += 1;
        }
    }
    Ok(made)
}

/// A provider that answers every request with a stream which does not end.
fn provide() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                // The client leaves in the end.
                let _ = send_events(stream);
            });
        }
    });
    Ok(address)
}

fn send_events(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = Vec::new();
    let mut buffer = [0; 4096];
    while !asked.ends_with(b"}") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => asked.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    let event = "data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    loop {
        stream.write_all(chunk.as_bytes())?;
        thread::sleep(Duration::from_millis(EVENT_MS));
    }
}

fn config_of(driver: &str, provider: SocketAddr) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nworkers = 1\ndriver = \"{driver}\"\n\
         [[provider]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"http://{provider}/v1\"\n\
         key_env = \"FLOOD_KEY\"\n[[model]]\nid = \"m\"\ntargets = [\"up/m\"]\n"
    )
}

fn start(program: &Path, config: &Path) -> io::Result<(Gateway, SocketAddr)> {
    let mut child = Command::new(program)
        .args(["serve", "--config"])
        .arg(config)
        .env("FLOOD_KEY", "k")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let errors = child.stderr.take();
    let gateway = Gateway(child);
    let mut lines = BufReader::new(errors.ok_or_else(|| io::Error::other("no standard error"))?);
    let mut said = String::new();
    loop {
        let before = said.len();
        if lines.read_line(&mut said)? == 0 {
            return Err(io::Error::other(format!("did not start: {said}")));
        }
        let line = said.get(before..).unwrap_or_default().trim();
        let address = line.strip_prefix("ringway: listening on ");
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
            return Ok((gateway, address));
        }
    }
}

/// Asks for the stream and reads its first event.
fn ask(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let body =
        "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes())?;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while memchr::memmem::find(&seen, b"data: ").is_none() {
        match stream.read(&mut buffer)? {
            0 => {
                let told = String::from_utf8_lossy(&seen).into_owned();
                return Err(io::Error::other(format!("no stream: {told}")));
            }
            read => seen.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(stream)
}

/// The largest gap between two reads up to then.
fn largest_gap(stream: &mut TcpStream, until: Instant) -> io::Result<Duration> {
    let mut buffer = [0; 4096];
    let mut last = Instant::now();
    let mut largest = Duration::ZERO;
    while last < until {
        if stream.read(&mut buffer)? == 0 {
            return Err(io::Error::other("the stream ended"));
        }
        let now = Instant::now();
        largest = largest.max(now - last);
        last = now;
    }
    Ok(largest)
}

/// From one event to the next.
const EVENT_MS: u64 = 20;
/// How long the stream is watched before the flood.
const CALM: Duration = Duration::from_secs(2);
/// Addresses that the flood comes from.
const SOURCES: u64 = 200;
