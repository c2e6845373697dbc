//! Load through one or several gateways, interleaved in rounds, with their CPU time from the
//! kernel. Prints one line per target and round, then medians and ratios to the first target.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use loadtest::account;
use loadtest::http::Answer;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;

/// Sends load and asks the kernel what it cost.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// `NAME=ADDRESS[,PID]`; the first one is what the others are held against.
    #[arg(long = "target", required = true)]
    targets: Vec<Target>,
    /// What is sent.
    #[arg(long, value_enum, default_value_t = Load::Whole)]
    load: Load,
    /// Wire of the client.
    #[arg(long, value_enum, default_value_t = Wire::Openai)]
    wire: Wire,
    /// Model that is asked for.
    #[arg(long, default_value = "fast")]
    model: String,
    /// Connections (whole) or streams.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds, the targets in turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Bytes of text in the question.
    #[arg(long, default_value_t = 700)]
    body_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Load {
    /// Whole answers, one request after the other on each connection.
    Whole,
    /// Streams, one after the other on each connection.
    Stream,
    /// Open streams, then tell how much memory each costs.
    Hold,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wire {
    Openai,
    Anthropic,
}

#[derive(Clone)]
struct Target {
    name: String,
    address: SocketAddr,
    pid: Option<u32>,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("expected NAME=ADDRESS[,PID]")?;
        let (address, pid) = match rest.split_once(',') {
            Some((address, pid)) => (address, Some(pid.parse().map_err(|_| "PID: a number")?)),
            None => (rest, None),
        };
        let address: SocketAddr = address.parse().map_err(|_| "ADDRESS: ip:port")?;
        if !address.ip().is_loopback() {
            return Err("load is sent to loopback addresses only".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            address,
            pid,
        })
    }
}

/// What one round brought.
struct Round {
    done: u64,
    events: u64,
    wrong: u64,
    latency_us: Histogram<u64>,
    gap_us: Histogram<u64>,
}

impl Round {
    fn new() -> Self {
        let histogram = || {
            Histogram::new_with_max(3_600_000_000, 3).expect("three digits up to an hour are legal")
        };
        Self {
            done: 0,
            events: 0,
            wrong: 0,
            latency_us: histogram(),
            gap_us: histogram(),
        }
    }
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .with_entries(4096)
        .enable_timer()
        .build()?;
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); args.targets.len()];
    let mut wrong = 0;
    for number in 0..args.rounds {
        for (index, target) in args.targets.iter().enumerate() {
            let pids = target.pid.map(account::tree).unwrap_or_default();
            let before = account::cpu_nanos(&pids)?;
            let memory = account::pss_bytes(&pids)?;
            let started = Instant::now();
            let (round, held) = runtime.block_on(run(&args, target, &pids));
            let spent = account::cpu_nanos(&pids)? - before;
            let units = match args.load {
                Load::Whole => round.done,
                Load::Stream | Load::Hold => round.events,
            };
            let cost = spent as f64 / 1_000.0 / units.max(1) as f64;
            costs[index].push(cost);
            wrong += round.wrong;
            println!(
                "round {number} {:<14} {:>9.0} units/s  cpu {cost:>8.2} us/unit  \
                 latency us p50 {} p99 {} max {}  gap us p50 {} p99 {}  wrong {}{}",
                target.name,
                units as f64 / started.elapsed().as_secs_f64(),
                round.latency_us.value_at_quantile(0.5),
                round.latency_us.value_at_quantile(0.99),
                round.latency_us.max(),
                round.gap_us.value_at_quantile(0.5),
                round.gap_us.value_at_quantile(0.99),
                round.wrong,
                held.map_or_else(String::new, |held| format!(
                    "  memory {:.1} MiB before, {:.1} KiB per stream",
                    memory as f64 / 1_048_576.0,
                    held.saturating_sub(memory) as f64 / 1_024.0 / args.connections as f64
                )),
            );
        }
    }
    println!();
    let first = median(&costs[0]);
    for (target, costs) in args.targets.iter().zip(&costs) {
        let (low, high) = (min(costs), max(costs));
        let median = median(costs);
        println!(
            "{:<14} cpu us/unit: median {median:.2} (min {low:.2}, max {high:.2})  ratio {:.3}",
            target.name,
            median / first
        );
    }
    if wrong > 0 {
        return Err(std::io::Error::other(format!("{wrong} answers were wrong")));
    }
    Ok(())
}

async fn run(args: &Args, target: &Target, pids: &[u32]) -> (Round, Option<u64>) {
    let round = Rc::new(RefCell::new(Round::new()));
    let request: Rc<[u8]> = request(args).into();
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let mut tasks = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        let (round, request) = (Rc::clone(&round), Rc::clone(&request));
        let (address, load, wire) = (target.address, args.load, args.wire);
        tasks.push(monoio::spawn(async move {
            if client(address, &request, until, (load, wire), &round)
                .await
                .is_err()
            {
                round.borrow_mut().wrong += 1;
            }
        }));
    }
    let mut held = None;
    if args.load == Load::Hold {
        monoio::time::sleep(Duration::from_millis(args.seconds * 700)).await;
        held = account::pss_bytes(pids).ok();
    }
    for task in tasks {
        task.await;
    }
    let round = Rc::try_unwrap(round)
        .map(RefCell::into_inner)
        .unwrap_or_else(|_| Round::new());
    (round, held)
}

async fn client(
    address: SocketAddr,
    request: &[u8],
    until: Instant,
    (load, wire): (Load, Wire),
    round: &RefCell<Round>,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_addr(address).await?;
    stream.set_nodelay(true)?;
    let mut buf = Vec::with_capacity(64 * 1024);
    let streams = load != Load::Whole;
    while Instant::now() < until {
        let started = Instant::now();
        stream.write_all(request.to_vec()).await.0?;
        let mut answer = Answer::default();
        let mut last = None;
        loop {
            if Instant::now() >= until && streams {
                return Ok(());
            }
            buf.clear();
            let (read, back) = stream.read(buf).await;
            buf = back;
            if read? == 0 {
                return Err(std::io::Error::other("closed"));
            }
            let before = answer.events;
            let whole = answer.push(&buf).map_err(std::io::Error::other)?;
            let now = Instant::now();
            let came = answer.events - before;
            if streams && came > 0 {
                let mut round = round.borrow_mut();
                round.events += came as u64;
                let gap = last.replace(now).map(|last| now - last);
                if let Some(gap) = gap {
                    round.gap_us.saturating_record(micros(gap));
                }
            }
            if whole {
                let mut round = round.borrow_mut();
                round.done += 1;
                round.latency_us.saturating_record(micros(now - started));
                let right = answer.ends_well(streams, wire == Wire::Anthropic);
                round.wrong += u64::from(!right);
                break;
            }
        }
    }
    Ok(())
}

fn request(args: &Args) -> Vec<u8> {
    let text = "y".repeat(args.body_bytes);
    let stream = args.load != Load::Whole;
    let (path, extra) = match args.wire {
        Wire::Openai if stream => (
            "/v1/chat/completions",
            ",\"stream_options\":{\"include_usage\":true}",
        ),
        Wire::Openai => ("/v1/chat/completions", ""),
        Wire::Anthropic => ("/v1/messages", ",\"max_tokens\":1024"),
    };
    let body = format!(
        "{{\"model\":\"{}\",\"stream\":{stream}{extra},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}",
        args.model
    );
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer load-test-key\r\n\
         content-type: application/json\r\naccept: application/json\r\nuser-agent: ringway-load\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
