//! A provider's error: whatever it sends, one valid error in the client's wire, without a credential.

use ringway::chat::error::ApiError;
use ringway::json::tape::Tape;
use ringway::limits::ERROR_BODY_BYTES_MAX;
use ringway::translate::error::{scrub, translate};
use ringway::wire::codec::{write_error, write_error_event};
use ringway::wire::kind::Wire;

use crate::{json, plain_sse};

/// What is blanked out in every input.
const SECRETS: [&[u8]; 3] = [b"sk-ab12", b"", b"k\"\\/\n1"];

/// An error answer's body; its status follows from its length.
pub fn check(input: &[u8]) {
    let status = 300 + u16::try_from(input.len() % 300).expect("below 300");
    let clean = scrub(input, &SECRETS);
    for secret in SECRETS.iter().filter(|secret| !secret.is_empty()) {
        assert!(!contains(&clean, secret));
    }
    for (from, to) in [
        (Wire::OpenAiChat, Wire::AnthropicMessages),
        (Wire::AnthropicMessages, Wire::OpenAiChat),
    ] {
        let has_time = input.len().is_multiple_of(2);
        let told = translate(
            (from, to),
            status,
            input,
            has_time,
            &SECRETS,
            &mut Tape::new(),
        );
        assert!((400..600).contains(&told.status), "{}", told.status);
        let texts = [Some(&told.message), told.param.as_ref()];
        for text in texts.into_iter().flatten() {
            let leaks = SECRETS
                .iter()
                .any(|it| !it.is_empty() && contains(text.as_bytes(), it));
            assert!(!leaks && text.len() <= 8 * ERROR_BODY_BYTES_MAX);
        }
        assert!(!told.message.is_empty());
        let error = ApiError {
            kind: told.kind,
            message: &told.message,
            param: told.param.as_deref(),
            code: told.code.as_deref(),
        };
        let mut body = Vec::new();
        write_error(to, &error, "req_1", &mut body);
        judge(to, &body, &told.message);
        let mut event = Vec::new();
        write_error_event(to, &error, "req_1", &mut event);
        let frames = plain_sse::data(&event, false);
        assert_eq!(frames.len(), 1, "one error is one event");
        judge(to, &frames[0], &told.message);
    }
}

/// The body is an error of the wire that says `message`.
fn judge(wire: Wire, body: &[u8], message: &str) {
    let members = json::members(body).expect("an error is an object");
    let error = json::all(&members, "error");
    assert_eq!(error.len(), 1);
    let said = json::first(error[0], "message").and_then(json::text);
    assert_eq!(said.as_deref(), Some(message));
    assert!(json::first(error[0], "type").and_then(json::text).is_some());
    if wire == Wire::AnthropicMessages {
        assert_eq!(json::all(&members, "type"), ["\"error\""]);
    }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}
