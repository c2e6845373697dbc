//! Injected failures on real sockets: a gateway on loopback serves a script of thirty exchanges, over
//! and over; each time one more of its reads, writes, connects, accepts and looks fails instead of
//! being done. The process lives, no answer is wrong, descriptors and memory return.
//!
//! In a process of its own, because counting is over the whole process. `cargo test` lets each
//! operation fail with one of the errors, in turn; with `RINGWAY_INJECTED_FAILURES=all` with every one.

use core::time::Duration;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::config::load::file::load_text;
use crate::net::sim::injected_failure;
use crate::net::test_support;
use crate::route::compile::plan::compile;
use crate::server::run::{RunningGateway, StartOptions, start};
use crate::sim::answers::{answer, end_mark, request, tokens};
use crate::sim::client::{ParsedAnswer, parse};
use crate::sim::plan;
use crate::sim::provider::number_in;
use crate::sim::script::{AnswerFraming, ProviderAction, ScriptedRequest};
use crate::wire::kind::Wire;

const ERRNOS: [i32; 6] = [
    libc::ENOMEM,
    libc::ENOBUFS,
    libc::EMFILE,
    libc::ECONNRESET,
    libc::ECANCELED,
    libc::EINTR,
];

/// Exchanges of a script.
const EXCHANGES: usize = 30;
/// Operations that fail with every error in any case: those of the first exchanges.
const FIRST: u64 = 12;
/// Exchanges that one failure may cost: those of one connection that are under way.
const LOST_MAX: usize = 2;
/// Longest wait of a client, and for what must come: more than every timeout of the gateway.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a long run may keep: histograms that grew, free lists that filled up.
const KEPT_BYTES_MAX: i64 = 512 * 1024;

#[test]
fn any_one_operation_that_fails_costs_no_more_than_its_exchange() {
    const NAME: &str =
        "sim::injected_failures::any_one_operation_that_fails_costs_no_more_than_its_exchange";
    match test_support::child_word() {
        Some(driver) => fail_every_operation(&driver),
        None => {
            println!("{}", test_support::in_child(NAME, "epoll"));
            if test_support::has_uring() {
                println!("{}", test_support::in_child(NAME, "uring"));
            }
        }
    }
}

fn fail_every_operation(driver: &str) {
    let stage = Stage::new(driver);
    for _ in 0..3 {
        assert_eq!(stage.play(0, 0).right, EXCHANGES);
    }
    let descriptors = descriptors();
    let bytes = test_support::process_bytes();
    let all = std::env::var("RINGWAY_INJECTED_FAILURES").is_ok_and(|word| word == "all");
    let rounds = if all { ERRNOS.len() } else { 1 };
    // The first operations with every error: each sort of operation is among them.
    for (nth, errno) in (1..=FIRST).flat_map(|nth| ERRNOS.map(|errno| (nth, errno))) {
        stage.run_with_failure(nth, errno);
    }
    let (mut runs, mut lost) = (0, 0);
    for round in 0..rounds {
        let mut nth = 1;
        loop {
            let errno = ERRNOS[(nth + round) % ERRNOS.len()];
            let right = stage.run_with_failure(nth as u64, errno);
            if injected_failure::count() < nth as u64 {
                break;
            }
            until("the descriptors return", || {
                descriptors_now() <= descriptors
            });
            runs += 1;
            lost += EXCHANGES - right;
            nth += 1;
        }
    }
    for _ in 0..3 {
        assert_eq!(stage.play(0, 0).right, EXCHANGES);
    }
    until("the descriptors return", || {
        descriptors_now() == descriptors
    });
    let kept = test_support::process_bytes() - bytes;
    assert!(
        kept <= KEPT_BYTES_MAX,
        "{kept} bytes kept after {runs} runs"
    );
    assert!(
        runs > 100 && lost > runs / 20,
        "{runs} runs, {lost} exchanges lost"
    );
    println!("{driver}: {runs} operations failed, {lost} exchanges lost, {kept} bytes kept");
    stage.end();
}

/// A gateway and its providers.
struct Stage {
    running: RunningGateway,
    address: SocketAddr,
    asks: Arc<Vec<ScriptedRequest>>,
    tries: Arc<Mutex<Vec<usize>>>,
}

/// What came of a script.
#[derive(Debug, Default)]
struct ReceivedAnswer {
    right: usize,
    /// The others' numbers.
    lost: Vec<usize>,
}

impl Stage {
    fn new(driver: &str) -> Self {
        let asks: Arc<Vec<ScriptedRequest>> = Arc::new((0..EXCHANGES).map(ask).collect());
        let tries = Arc::new(Mutex::new(vec![0; EXCHANGES]));
        let bases = [Wire::OpenAiChat, Wire::AnthropicMessages].map(|wire| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (asks, tries) = (Arc::clone(&asks), Arc::clone(&tries));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (asks, tries) = (Arc::clone(&asks), Arc::clone(&tries));
                    let stream = stream.unwrap();
                    thread::spawn(move || provide(stream, wire, &asks, &tries));
                }
            });
            format!("http://{address}")
        });
        let mut text = plan::text(0, [&format!("{}/v1", bases[0]), &bases[1]], false);
        text = text.replace(
            "[server]\n",
            &format!(
                "[server]\nlog = \"off\"\nadmin = \"off\"\nworkers = 1\ndriver = \"{driver}\"\n"
            ),
        );
        let secret = |_: &str| Some("sk-simulated-0123456789".to_owned());
        let loaded = load_text(&text, "injected_failures.toml", Path::new("."), &secret);
        let plan = compile(loaded)
            .unwrap_or_else(|faults| panic!("{faults}"))
            .plan;
        let running = start(plan, &StartOptions::default()).unwrap();
        let address = running.tcp().unwrap();
        Self {
            running,
            address,
            asks,
            tries,
        }
    }

    /// The script, with operation `nth` failing; how many exchanges went right.
    fn run_with_failure(&self, nth: u64, errno: i32) -> usize {
        let came = self.play(nth, errno);
        assert!(
            came.right + LOST_MAX >= EXCHANGES,
            "operation {nth} failing with {errno}: {came:?}"
        );
        came.right
    }

    /// The script, with operation `nth` failing.
    fn play(&self, nth: u64, errno: i32) -> ReceivedAnswer {
        self.tries.lock().unwrap().fill(0);
        let _told = SharedNotices { nth, errno };
        injected_failure::arm(nth, errno);
        let mut came = ReceivedAnswer::default();
        let mut line: Option<(TcpStream, Vec<u8>)> = None;
        for (number, ask) in self.asks.iter().enumerate() {
            // Some connections serve once, some three times.
            if number % 4 == 0 {
                line = None;
            }
            let (mut stream, mut input) = line.take().unwrap_or_else(|| self.dial());
            match exchange(&mut stream, &mut input, ask, number) {
                Some(true) => {
                    came.right += 1;
                    line = Some((stream, input));
                }
                Some(false) => {
                    came.lost.push(number);
                    line = Some((stream, input));
                }
                None => came.lost.push(number),
            }
        }
        came
    }

    fn dial(&self) -> (TcpStream, Vec<u8>) {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        (stream, Vec::new())
    }

    fn end(self) {
        self.running.stop();
        self.running.wait().unwrap();
    }
}

/// Names the failure under which something went wrong.
struct SharedNotices {
    nth: u64,
    errno: i32,
}

impl Drop for SharedNotices {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("operation {} failing with {}", self.nth, self.errno);
        }
    }
}

/// All four directions, whole and streamed, small and large.
fn ask(number: usize) -> ScriptedRequest {
    ScriptedRequest {
        wire: [Wire::OpenAiChat, Wire::AnthropicMessages][number % 2],
        stream: !number.is_multiple_of(3),
        usage: number.is_multiple_of(5),
        model: number / 2 % 4,
        pad: if number % 10 == 7 {
            100_000
        } else {
            number * 10
        },
        is_chunked: number.is_multiple_of(7),
        pieces: 1 + number % 6,
        piece_pad: if number % 8 == 5 { 6_000 } else { 20 },
        actions: Vec::new(),
        framing: AnswerFraming::Chunked,
        leave: None,
        key: None,
        tier: None,
    }
}

/// One exchange: right, refused or broken, or no answer at all (the connection is gone).
///
/// # Panics
/// At an answer that is wrong, and at one that does not come.
fn exchange(
    stream: &mut TcpStream,
    input: &mut Vec<u8>,
    ask: &ScriptedRequest,
    number: usize,
) -> Option<bool> {
    // The gateway may have closed before it read anything.
    let _ = stream.write_all(&request(ask, number));
    let mut piece = [0; 16_384];
    loop {
        if let ParsedAnswer::Whole(heard) = parse(input) {
            input.drain(..heard.consumed);
            check(&heard.payload, ask, number);
            if heard.status != 200 {
                assert!(
                    (500..600).contains(&heard.status),
                    "{number}: {}",
                    heard.status
                );
                return (!heard.is_last).then_some(false);
            }
            let text = String::from_utf8_lossy(&heard.payload);
            assert_eq!(tokens(&heard.payload).len(), ask.pieces, "{number}: {text}");
            assert!(
                !ask.stream || text.ends_with(end_mark(ask.wire)),
                "{number}: {text}"
            );
            return Some(true);
        }
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => input.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{number}: no answer: {error}"),
        }
    }
    if let ParsedAnswer::Part(heard) = parse(input) {
        check(&heard.payload, ask, number);
        let mark = end_mark(ask.wire).as_bytes();
        assert!(
            memchr::memmem::find(&heard.payload, mark).is_none(),
            "{number}: an invented end"
        );
    }
    None
}

/// Only bytes of this exchange, of one try, in order.
fn check(payload: &[u8], ask: &ScriptedRequest, number: usize) {
    let tokens = tokens(payload);
    assert!(tokens.len() <= ask.pieces, "{number}: {tokens:?}");
    for (piece, token) in tokens.iter().enumerate() {
        assert_eq!(
            *token,
            [number, tokens[0][1], piece],
            "{number}: {tokens:?}"
        );
    }
}

/// A provider's side of one connection.
fn provide(mut stream: TcpStream, wire: Wire, asks: &[ScriptedRequest], tries: &Mutex<Vec<usize>>) {
    let mut input = Vec::new();
    let mut piece = [0; 65_536];
    stream.set_nodelay(true).unwrap();
    loop {
        while let Some(body) = take_request(&mut input) {
            let number = number_in(&body, asks.len()).unwrap();
            let attempt = {
                let mut tries = tries.lock().unwrap();
                tries[number] += 1;
                tries[number] - 1
            };
            let with_usage = memchr::memmem::find(&body, b"\"include_usage\"").is_some();
            let place = (number, attempt);
            let answer = answer(
                wire,
                place,
                &asks[number],
                ProviderAction::Answer,
                with_usage,
            );
            // In two writes, so that the gateway waits within the answer.
            let (head, rest) = answer.bytes.split_at(answer.bytes.len() / 2);
            if stream
                .write_all(head)
                .and_then(|()| stream.write_all(rest))
                .is_err()
            {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(count) => input.extend_from_slice(&piece[..count]),
        }
    }
}

/// The first request of what was read, if it is whole.
fn take_request(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let head_end = memchr::memmem::find(input, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&input[..head_end]).to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length: ").unwrap();
    let length: usize = rest.split_once("\r\n").unwrap().0.parse().unwrap();
    let body = input.get(head_end..head_end + length)?.to_vec();
    input.drain(..head_end + length);
    Some(body)
}

/// Descriptors of the process, once their number stands still.
fn descriptors() -> usize {
    let mut last = 0;
    until("the descriptors settle", || {
        let before = core::mem::replace(&mut last, descriptors_now());
        before == last
    });
    last
}

fn descriptors_now() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never came: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}
