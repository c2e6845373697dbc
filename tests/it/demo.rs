//! `ringway demo`, as people start it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::support::client::Client;
use super::support::directions::drivers;
use super::support::{http, wait};

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ringway"))
        .arg("demo")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn demo_on_each_driver_streams_and_is_right_in_all_directions() {
    thread::scope(|scope| {
        for driver in drivers() {
            scope.spawn(|| run(driver.name()));
        }
    });
}

fn run(driver: &str) {
    let mut child = start(&["--driver", driver]);
    let mut stdout = child.stdout.take().unwrap();
    let mut text = Vec::new();
    let mut piece = [0; 16 * 1024];
    let mut reads = 0;
    loop {
        let count = stdout.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        reads += 1;
        text.extend_from_slice(&piece[..count]);
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(output.stderr, b"");
    // Tokens were flushed one by one, not kept until the end.
    assert!(reads > 100, "{reads} reads: {text}");
    assert!(text.contains("The provider is a stub"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    for direction in [
        "OpenAI → OpenAI",
        "Anthropic → Anthropic",
        "OpenAI → Anthropic",
        "Anthropic → OpenAI",
    ] {
        let mut rows = text.lines().filter(|line| line.starts_with(direction));
        let row = rows.next_back().unwrap();
        assert!(row.ends_with("right"), "{row}");
        let cells: Vec<&str> = row.split_whitespace().skip(3).collect();
        assert_eq!(cells.len(), 8, "{row}");
        // On a busy machine tokens come together: the gap between them is nought then.
        assert!(
            cells[..6]
                .iter()
                .all(|cell| cell.parse::<f64>().is_ok_and(|n| n >= 0.0)),
            "{row}"
        );
        assert!(cells[0].parse::<f64>().is_ok_and(|n| n > 0.0), "{row}");
    }
    assert!(text.contains("4 of 4 directions right"), "{text}");
}

#[test]
fn demo_that_serves_prints_lines_answers_and_ends_with_zero_when_told() {
    for signal in ["TERM", "INT"] {
        let mut child = start(&["--serve"]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut until = |text: &str| {
            let found = lines
                .by_ref()
                .map(Result::unwrap)
                .find(|line| line.contains(text));
            found.unwrap_or_else(|| panic!("never said {text:?}"))
        };
        let gateway = until("gateway  http://");
        let gateway = gateway.split("http://").nth(1).unwrap();
        let address: SocketAddr = gateway.split_whitespace().next().unwrap().parse().unwrap();
        until("4 of 4 directions right");
        until("curl -N http://");
        until("OpenAI(base_url=");
        until("Anthropic(base_url=");
        until("new OpenAI({");
        until("new Anthropic({");
        until("Stays up");
        let body = r#"{"model":"anthropic/stub-echo-fast","messages":[{"role":"user","content":"hello there"}]}"#;
        let mut client = Client::connect(address);
        let answer = client.ask(http::post("/v1/chat/completions", "", body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.json()["choices"][0]["message"]["content"],
            "hello there"
        );
        until("\"model_asked\":\"anthropic/stub-echo-fast\"");
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let status = wait::until("the demo's end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}
