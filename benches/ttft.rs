//! What the gateway adds to the time to first token, on both drivers and in all four directions.
//!
//! `cargo bench --bench ttft`
//!
//! A gateway in this process, with one worker and an access log, stands between a client and a
//! provider on loopback. The provider writes its head, the stream's opening and its first delta at
//! once; measured is from before that write until the client's first read has returned. `direct` is
//! the same without a gateway: the floor, with its two wake-ups. All take turns, a round each.

#![expect(clippy::print_stdout, reason = "a program that talks")]

use core::fmt;
use core::time::Duration;
use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use hdrhistogram::Histogram;
use ringway::config::load::file::load_text;
use ringway::http1::encode;
use ringway::route::compile::plan::compile;
use ringway::server::run::{self, RunningGateway, StartOptions};
use ringway::wire::kind::Wire;
use tempfile::TempDir;

const WIRES: [Wire; 2] = [Wire::OpenAiChat, Wire::AnthropicMessages];

fn main() {
    let rounds = if env::args().any(|it| it == "--bench") {
        ROUNDS
    } else {
        1
    };
    let provider = Provider::start();
    let folder = tempfile::tempdir().expect("a folder");
    let gateways: Vec<(&str, RunningGateway)> = ["uring", "epoll"]
        .into_iter()
        .filter_map(|driver| Some((driver, gateway(driver, provider.address, &folder)?)))
        .collect();
    let mut contestants = Vec::new();
    for wire in WIRES {
        let name = format!("direct {}", wire.name());
        contestants.push(Contestant::new(name, provider.address, wire, wire));
    }
    for (driver, running) in &gateways {
        let address = running.tcp().expect("it listens on TCP");
        for (client, upstream) in WIRES.into_iter().flat_map(|c| WIRES.map(|u| (c, u))) {
            let name = format!("{driver} {}→{}", client.name(), upstream.name());
            contestants.push(Contestant::new(name, address, client, upstream));
        }
    }
    for _ in 0..rounds {
        for contestant in &mut contestants {
            contestant.round(&provider);
        }
    }
    println!(
        "{:<28} {:>9} {:>9} {:>9}",
        "time to first byte, µs", "p50", "p99", "exchanges"
    );
    for contestant in &contestants {
        println!("{contestant}");
    }
    drop(contestants);
    for (_, running) in gateways {
        running.stop();
        running.wait().expect("a clean end");
    }
}

/// A gateway on `driver`, if the kernel has that.
fn gateway(driver: &str, provider: SocketAddr, folder: &TempDir) -> Option<RunningGateway> {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"off\"\nworkers = 1\ndriver = \"{driver}\"\n\
         log = \"{}\"\n[limits]\ndrain_timeout_ms = 1000\n\
         [[provider]]\nname = \"openai\"\nkind = \"openai\"\nbase_url = \"http://{provider}/v1\"\n\
         key = \"none\"\n\
         [[provider]]\nname = \"anthropic\"\nkind = \"anthropic\"\nbase_url = \"http://{provider}\"\n\
         key = \"none\"\n\
         [[model]]\nid = \"openai\"\ntargets = \"openai/m\"\n\
         [[model]]\nid = \"anthropic\"\ntargets = \"anthropic/m\"\n",
        folder.path().join(driver).display()
    );
    let loaded = load_text(&text, "ttft", folder.path(), &|_| None);
    let compiled = compile(loaded).expect("a configuration without fault");
    match run::start(compiled.plan, &StartOptions::default()) {
        Ok(running) => Some(running),
        Err(error) => {
            println!("without {driver}: {error}");
            None
        }
    }
}

/// A stream cut behind its first delta, in chunks: with the head in front, and the rest.
fn stream(wire: Wire) -> [Vec<u8>; 2] {
    let (stream, delta) = match wire {
        Wire::OpenAiChat => (
            include_str!("../tests/fixtures/openai/streams/text.sse"),
            "\"content\":\"Hel\"",
        ),
        Wire::AnthropicMessages => (
            include_str!("../tests/fixtures/anthropic/streams/text.sse"),
            "\"text\":\"Hel\"",
        ),
    };
    let (before, behind) = stream.split_once(delta).expect("the fixture has it");
    let (end, rest) = behind.split_once("\n\n").expect("the frame ends");
    let start = format!("{before}{delta}{end}\n\n");
    let chunk = |out: &mut Vec<u8>, text: &str| {
        let mark = encode::chunk_open(out);
        out.extend_from_slice(text.as_bytes());
        encode::chunk_close(out, mark);
    };
    let mut first = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                      transfer-encoding: chunked\r\n\r\n"
        .to_vec();
    chunk(&mut first, &start);
    let mut second = Vec::new();
    chunk(&mut second, rest);
    encode::last_chunk(&mut second);
    [first, second]
}

/// A provider of both wires: one stream for each request, its rest when it is told so. One exchange
/// at a time.
struct Provider {
    address: SocketAddr,
    /// When the first bytes were written.
    written: Receiver<Instant>,
    /// Says that the client has them.
    go: Sender<()>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (write, written) = channel();
        let (go, told) = channel();
        let told = Arc::new(Mutex::new(told));
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (write, told) = (write.clone(), Arc::clone(&told));
                thread::spawn(move || serve(socket, &write, &told));
            }
        });
        Self {
            address,
            written,
            go,
        }
    }
}

/// Serves a connection until its peer closes it.
fn serve(mut socket: TcpStream, written: &Sender<Instant>, told: &Mutex<Receiver<()>>) {
    socket.set_nodelay(true).expect("a socket");
    let streams = WIRES.map(stream);
    let mut request = Vec::new();
    while read_request(&mut socket, &mut request) {
        let is_anthropic = request.starts_with(b"POST /v1/messages ");
        let [first, rest] = &streams[usize::from(is_anthropic)];
        let now = Instant::now();
        socket.write_all(first).expect("a peer that reads");
        written.send(now).expect("a client that waits");
        let told = told.lock().expect("one exchange at a time");
        told.recv().expect("a client that waits");
        socket.write_all(rest).expect("a peer that reads");
        request.clear();
    }
}

fn read_request(socket: &mut TcpStream, request: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return false,
        }
        let text = String::from_utf8_lossy(request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head.split_once("content-length: ").map_or("", |it| it.1);
        let length = length.split("\r\n").next().unwrap_or_default();
        if Ok(body.len()) == length.parse() {
            return true;
        }
    }
}

/// A client and what stands before the provider, if anything.
struct Contestant {
    name: String,
    socket: TcpStream,
    request: Vec<u8>,
    /// In nanoseconds.
    times: Histogram<u64>,
}

impl Contestant {
    fn new(name: String, address: SocketAddr, client: Wire, upstream: Wire) -> Self {
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_nodelay(true).expect("a socket");
        let limit = Some(Duration::from_secs(10));
        socket.set_read_timeout(limit).expect("a socket");
        Self {
            name,
            socket,
            request: request(client, upstream),
            times: Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("bounds in order"),
        }
    }

    fn round(&mut self, provider: &Provider) {
        for _ in 0..EXCHANGES {
            let time = self.exchange(provider);
            let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            self.times.saturating_record(nanoseconds);
        }
    }

    /// One request and its answer; the time from the provider's first write to our first read.
    fn exchange(&mut self, provider: &Provider) -> Duration {
        let mut answer = vec![0; 16 << 10];
        self.socket.write_all(&self.request).expect("it reads");
        let mut count = self.socket.read(&mut answer).expect("it answers");
        let read = Instant::now();
        let written = provider.written.recv().expect("it wrote");
        provider.go.send(()).expect("it waits");
        while !answer[..count].ends_with(b"\r\n0\r\n\r\n") {
            let more = self.socket.read(&mut answer[count..]).expect("it goes on");
            assert!(more > 0, "{}: cut", self.name);
            count += more;
        }
        let text = String::from_utf8_lossy(&answer[..count]);
        let is_whole = text.contains("[DONE]") || text.contains("message_stop");
        assert!(text.contains("Hel") && is_whole, "{}: {text}", self.name);
        read.duration_since(written)
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |quantile: f64| self.times.value_at_quantile(quantile) as f64 / 1000.0;
        let (name, count) = (&self.name, self.times.len());
        write!(
            f,
            "{name:<28} {:>9.1} {:>9.1} {count:>9}",
            at(0.5),
            at(0.99)
        )
    }
}

/// A chat request of the wire `client` for the model called after the wire `upstream`.
fn request(client: Wire, upstream: Wire) -> Vec<u8> {
    let path = match client {
        Wire::OpenAiChat => "/v1/chat/completions",
        Wire::AnthropicMessages => "/v1/messages",
    };
    let body = format!(
        r#"{{"model":"{}","max_tokens":100,"stream":true,"messages":[{{"role":"user","content":"Hi"}}]}}"#,
        upstream.name()
    );
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Turns that each contestant takes.
const ROUNDS: usize = 20;
/// Exchanges of one turn.
const EXCHANGES: usize = 100;
