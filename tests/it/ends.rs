//! Where an answer ends, and what may stand there: lengths, last chunks, terminators, errors.

use ringway::wire::kind::Wire;

use crate::support::client::End;
use crate::support::directions::{DIRECTIONS, SAME_WIRE, each_way};
use crate::support::gateway::{Gateway, MODEL};
use crate::support::http::post;
use crate::support::provider::Provider;
use crate::support::script::{Script, Step, then};
use crate::support::wires::{chat, events, path, told_last};

/// A chat on the OpenAI wire with usage asked for: nothing is taken out of its stream.
fn with_usage(wire: Wire) -> String {
    let body = chat(wire, MODEL, true);
    match wire {
        Wire::OpenAiChat => body.replace(
            "\"stream\":true",
            "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
        ),
        Wire::AnthropicMessages => body,
    }
}

/// The head of an answer of this type and length.
fn sized(kind: &str, length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n")
}

/// A stream of a declared length, of which the last bytes are missing.
fn short_stream(text: &str, missing: usize) -> Script {
    let head = sized("text/event-stream", text.len());
    let sent = [&*head, &text[..text.len() - missing]].concat();
    then(sent, Step::Close)
}

#[test]
fn p12_a_stream_of_declared_length_that_is_cut_is_cut_for_the_client_too() {
    each_way(&DIRECTIONS, |driver, direction| {
        let text = events(direction.upstream);
        let cuts = [1, 2, 8, 30, 60, 100, 200];
        let scripts = cuts.map(|missing| short_stream(&text, missing));
        let provider = Provider::start(scripts.to_vec());
        let gateway = Gateway::on(driver, direction, &provider);
        for missing in cuts {
            let body = with_usage(direction.client);
            let request = post(path(direction.client), "", body);
            let got = gateway.client().ask(request);
            assert_eq!((got.status, got.end), (200, End::Cut), "{missing} missing");
            assert_eq!(got.field("content-length"), None, "{missing} missing");
            if !direction.is_translated() {
                let came = &text[..text.len() - missing];
                assert!(got.text().starts_with(came), "{missing} missing");
                // The gap is not filled: blank lines would end the provider's last event.
                told_last(direction.client, got.text());
            }
        }
        for line in gateway.lines(cuts.len()) {
            assert_eq!(line["end"], "truncated", "{line}");
        }
    });
}

#[test]
fn a_stream_of_declared_length_comes_whole_without_it() {
    each_way(&SAME_WIRE, |driver, direction| {
        let text = events(direction.upstream);
        let provider = Provider::all(short_stream(&text, 0));
        let gateway = Gateway::on(driver, direction, &provider);
        let body = with_usage(direction.client);
        let got = gateway
            .client()
            .ask(post(path(direction.client), "", &body));
        assert_eq!((got.text(), got.end), (&*text, End::Whole));
        assert_eq!(got.field("transfer-encoding"), Some("chunked"));
        let length = body.len();
        let old = format!(
            "POST {} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}",
            path(direction.client)
        );
        let got = gateway.client().ask(old);
        assert_eq!((got.text(), got.end), (&*text, End::Closed));
        assert_eq!(got.field("content-length"), None);
        for line in gateway.lines(2) {
            assert_eq!(line["end"], "complete", "{line}");
        }
    });
}
