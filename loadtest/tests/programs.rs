#![cfg(test)]
//! The programs as they are run: what the mock does when it is told, what the load says of it, that
//! nothing which was started outlives the one who started it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const MOCK: &str = env!("CARGO_BIN_EXE_ringway-mock");
const LOAD: &str = env!("CARGO_BIN_EXE_ringway-load");
const FLOOD: &str = env!("CARGO_BIN_EXE_ringway-flood");
const RELAY: &str = env!("CARGO_BIN_EXE_ringway-relay");

/// A mock that is ended with the test.
struct Mock {
    child: Child,
    address: String,
}

impl Mock {
    fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(MOCK);
        command
            .args(["--listen", "127.0.0.1:0", "--threads", "1"])
            .args(flags);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }

    /// What comes until the connection ends, and whether it ended with a reset.
    fn ask(&self, path: &str, header: &str, body: &str) -> (String, bool) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\n{header}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        // The mock keeps connections; its side ends when ours does, or when it is told to break (then
        // ours may have ended already).
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        (String::from_utf8(answer).unwrap(), ended.is_err())
    }

    fn stream(&self, script: &str) -> (String, bool) {
        let header = format!("x-mock: {script}\r\n");
        self.ask(
            "/v1/chat/completions",
            &header,
            "{\"model\":\"a\",\"stream\":true}",
        )
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn mock_is_scripted_by_flags_by_model_and_by_header() {
    let mock = Mock::start(&["--deltas", "2", "--answer-bytes", "5"]);
    let path = "/v1/chat/completions";
    let deltas = |(answer, _): (String, bool)| answer.matches("\"content\":\"@").count();
    assert_eq!(deltas(mock.ask(path, "", "{\"stream\":true}")), 2);
    let body = "{\"model\":\"mock:deltas=3\",\"stream\":true}";
    assert_eq!(deltas(mock.ask(path, "", body)), 3);
    assert_eq!(deltas(mock.ask(path, "x-mock: deltas=4\r\n", body)), 4);
    let (whole, _) = mock.ask("/v1/messages", "", "{}");
    assert!(whole.contains("\"text\":\"xxxxx\""), "{whole}");
}

#[test]
fn mock_refuses_a_script_that_it_cannot_read() {
    let mock = Mock::start(&[]);
    let (answer, _) = mock.stream("dletas=4");
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("no key 'dletas'"),
        "{answer}"
    );
    let output = Command::new(MOCK).args(["--deltas", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn mock_breaks_where_it_is_told_to() {
    let mock = Mock::start(&["--deltas", "5"]);
    let deltas = |answer: &str| answer.matches("\"content\":\"@").count();
    let (answer, reset) = mock.stream("close_after=2");
    assert_eq!(
        (deltas(&answer), reset, answer.contains("[DONE]")),
        (2, false, false)
    );
    let (answer, _) = mock.stream("error_after=3");
    assert_eq!((deltas(&answer), answer.contains("\"error\"")), (3, true));
    assert!(
        !answer.contains("[DONE]") && answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
    let (answer, reset) = mock.stream("reset=on");
    assert!(answer.is_empty() && reset);
    let (answer, _) = mock.stream("error=429");
    assert!(
        answer.starts_with("HTTP/1.1 429 ") && answer.contains("\"error\""),
        "{answer}"
    );
    // More than there are is all of them: a broken answer never ends as it should.
    let (answer, _) = mock.stream("close_after=99");
    assert_eq!((deltas(&answer), answer.contains("[DONE]")), (5, false));
    // Silence lasts until the client's side ends, which it has.
    let (answer, _) = mock.stream("silence_after=1");
    assert_eq!((deltas(&answer), answer.contains("[DONE]")), (1, false));
}

#[test]
fn mock_cuts_comments_and_line_ends_as_told_and_says_the_same() {
    let mock = Mock::start(&["--deltas", "4"]);
    let (plain, _) = mock.stream("tools=1");
    let (cut, _) = mock.stream("tools=1,cut=1");
    let without_stamps = |answer: &str| {
        let parts: Vec<&str> = answer
            .split('@')
            .enumerate()
            .filter_map(|(at, part)| (at % 2 == 0).then_some(part))
            .collect();
        parts.concat()
    };
    assert_eq!(without_stamps(&plain), without_stamps(&cut));
    let (comments, _) = mock.stream("comments=2");
    assert_eq!(comments.matches(": mock\n\n").count(), 2);
    let (crlf, _) = mock.stream("crlf=on");
    assert!(crlf.contains("data: [DONE]\r\n\r\n"), "{crlf}");
}

#[test]
fn mock_tells_how_much_of_a_request_came() {
    let mock = Mock::start(&[]);
    let body = format!("{{\"messages\":\"{}\"}}", "~".repeat(300_000));
    for header in ["x-mock: count=on\r\n", "x-mock: deltas=1, count = on\r\n"] {
        let (answer, _) = mock.ask("/v1/messages", header, &body);
        assert!(answer.contains("\"input_tokens\":300000"), "{answer}");
    }
    let named = body.replace("{", "{\"model\":\"mock:count=on\",");
    let (answer, _) = mock.ask("/v1/messages", "", &named);
    assert!(answer.contains("\"input_tokens\":300000"), "{answer}");
}

fn load(mock: &Mock, words: &[&str]) -> Output {
    let target = format!("m={},{}", mock.address, mock.child.id());
    let mut command = Command::new(LOAD);
    command.args([
        "--target",
        &target,
        "--rounds",
        "1",
        "--seconds",
        "0.2",
        "--warm-up",
        "0.05",
    ]);
    command.args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn load_of_every_kind_finds_the_mock_right() {
    let mock = Mock::start(&[]);
    for words in [
        &["--load", "whole", "--connections", "4"][..],
        &[
            "--load",
            "stream",
            "--script",
            "deltas=9,tools=2,thinking=3",
        ],
        &[
            "--load",
            "stream",
            "--wire",
            "anthropic",
            "--script",
            "cut=9,deltas=4,crlf=on,tools=1",
        ],
        &[
            "--load",
            "hold",
            "--connections",
            "30",
            "--script",
            "gap_ms=5,deltas=10000",
        ],
        &[
            "--rate",
            "500",
            "--arrivals",
            "constant",
            "--connections",
            "8",
        ],
        &[
            "--rate", "500", "--load", "stream", "--told", "model", "--script", "deltas=3",
        ],
        &[
            "--body-bytes",
            "200000",
            "--script",
            "count=on",
            "--connections",
            "2",
        ],
    ] {
        let output = load(&mock, words);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn load_that_meets_wrong_answers_says_so_and_fails() {
    // The mock is told one thing by its flags, the load expects another.
    let mock = Mock::start(&["--deltas", "7", "--answer-bytes", "699"]);
    for (words, why) in [
        (&["--load", "whole"][..], "699 of 700 bytes of text"),
        (&["--load", "stream"], "7 of 100 deltas"),
        (
            &[
                "--load",
                "stream",
                "--script",
                "deltas=100,input=11",
                "--told",
                "model",
                "--wire",
                "anthropic",
            ],
            "",
        ),
    ] {
        let output = load(&mock, words);
        let text = said(&output);
        let code = if why.is_empty() { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains(why), "{words:?}: {text}");
    }
}

#[test]
fn load_writes_figures_and_a_page() {
    let mock = Mock::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (folder.path().join("a.json"), folder.path().join("a.html"));
    let words = [
        "--load",
        "stream",
        "--script",
        "deltas=9",
        "--json",
        json.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ];
    let output = load(&mock, &words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let told = &json["sections"][0]["targets"][0];
    assert!(told["gap"]["count"].as_u64() > Some(0), "{told}");
    assert!(told["cpu_us"][0].as_f64() > Some(0.0), "{told}");
    assert!(fs::read_to_string(html).unwrap().contains("<svg"));
}

#[test]
fn relays_pass_answers_on_unchanged() {
    let mock = Mock::start(&[]);
    for kind in ["bytes", "hyper"] {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let listen = format!("127.0.0.1:{port}");
        let mut relay = Command::new(RELAY)
            .args([
                "--kind",
                kind,
                "--listen",
                &listen,
                "--upstream",
                &mock.address,
            ])
            .spawn()
            .unwrap();
        wait(|| TcpStream::connect(&listen).is_ok());
        let through = Mock {
            child: relay_stand_in(),
            address: listen,
        };
        for words in [
            &["--connections", "3"][..],
            &["--load", "stream", "--script", "deltas=20,tools=1"],
        ] {
            let output = load(&through, words);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{kind} {words:?}: {}",
                said(&output)
            );
        }
        relay.kill().unwrap();
        relay.wait().unwrap();
    }
}

/// A process that does nothing, for the place of one whose costs nobody asks for.
fn relay_stand_in() -> Child {
    Command::new("sleep").arg("60").spawn().unwrap()
}

#[test]
fn launched_programs_end_with_the_one_who_launched_them() {
    let mut command = Command::new("sh");
    // The shell stays the launcher's parent, and is killed without any chance to end its children.
    command.args(["-c", &format!("{LOAD} launch -- sleep 600 & echo $!; wait")]);
    let mut shell = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let status = format!("/proc/{}/comm", line.trim());
    wait(|| fs::read_to_string(&status).is_ok_and(|name| name.trim() == "sleep"));
    shell.kill().unwrap();
    shell.wait().unwrap();
    wait(|| !fs::read_to_string(&status).is_ok_and(|name| name.trim() == "sleep"));
}

#[test]
fn arguments_at_fault_are_told_with_code_two() {
    for words in [
        &["--target", "a=10.0.0.1:80"][..],
        &["compare", "--load", "nothing-like-this"],
        &["compare", "--gateway", "/nowhere.toml"],
        &["soak", "--duration", "5"],
        &["compare", "--quick", "--full"],
        &["compare", "--only", "nobody"],
        &["compare", "--json", "/nowhere/a.json"],
        &["soak", "--html", "/nowhere/a.html"],
        &["--target", "a=127.0.0.1:1", "--json", "/nowhere/a.json"],
        &["--target", "a=127.0.0.1:1", "--script", "gap=1"],
        &["--target", "a=127.0.0.1:1", "--seconds", "0"],
        &["--target", "a=127.0.0.1:1", "--timeout", "0"],
        &["--target", "a=127.0.0.1:1", "--load", "hold", "--rate", "9"],
        &["--target", "a=127.0.0.1:1", "--target", "a=127.0.0.1:2"],
        &["--target", "a=127.0.0.1:1,4294967295"],
    ] {
        let output = Command::new(LOAD).args(words).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{words:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    for words in [&["--help"][..], &["compare", "--help"], &["soak", "--help"]] {
        let output = Command::new(LOAD).args(words).output().unwrap();
        let text = said(&output);
        assert!(
            text.contains("Examples:") && text.contains("xit codes:"),
            "{text}"
        );
    }
    let mock = Command::new(MOCK).arg("--help").output().unwrap();
    assert!(said(&mock).contains("--silence-after"), "{}", said(&mock));
}

/// Waits for a condition.
fn wait(mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "it never came about");
        std::thread::yield_now();
    }
}

#[test]
fn flood_connects_and_closes_as_often_as_it_is_told_and_harms_loopback_alone() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let victim = listener.local_addr().unwrap().to_string();
    let accepts = std::thread::spawn(move || {
        let mut empty = 0;
        while empty < 200 {
            let (mut stream, _) = listener.accept().unwrap();
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "it sends nothing");
            empty += 1;
        }
    });
    let flood = |victim: &str, rate: &str| {
        let args = ["--victim", victim, "--rate", rate, "--seconds", "2"];
        Command::new(FLOOD).args(args).output().unwrap()
    };
    let output = flood(&victim, "500");
    assert!(output.status.success(), "{output:?}");
    let made: u64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!((200..=1_000).contains(&made), "{made}");
    accepts.join().unwrap();
    assert_eq!(flood("192.0.2.1:80", "1").status.code(), Some(2));
}
