//! Provider errors in the client's wire, and our own.

use ringway::chat::error::{ApiError, ErrorKind};
use ringway::json::tape::Tape;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::error::{ClientError, in_answer, scrub, translate};
use ringway::translate::stream::StreamTranslator;
use ringway::translate::stream_error;
use ringway::wire::codec::{write_error, write_error_event};
use ringway::wire::kind::Wire::{self, AnthropicMessages as A, OpenAiChat as C};
use serde_json::{Value, json};

fn run(from: Wire, status: u16, body: &str) -> (ClientError, Value) {
    run_with(from, status, body, true, &[])
}

fn run_with(
    from: Wire,
    status: u16,
    body: &str,
    has_retry_after: bool,
    secrets: &[&[u8]],
) -> (ClientError, Value) {
    let to = if from == A { C } else { A };
    let body = body.as_bytes();
    let told = translate(
        (from, to),
        status,
        body,
        has_retry_after,
        secrets,
        &mut Tape::new(),
    );
    let error = ApiError {
        kind: told.kind,
        message: &told.message,
        param: told.param.as_deref(),
        code: told.code.as_deref(),
    };
    let mut out = Vec::new();
    write_error(to, &error, "req_1", &mut out);
    let json = serde_json::from_slice(&out).unwrap();
    (told, json)
}

fn anthropic(kind: &str, message: &str) -> String {
    json!({"type":"error","error":{"type":kind,"message":message},"request_id":"req_x"}).to_string()
}

fn openai(code: Value, kind: &str, message: &str) -> String {
    json!({"error":{"message":message,"type":kind,"param":null,"code":code}}).to_string()
}

#[test]
fn f6_f7_anthropic_statuses_keep_their_number_and_find_their_type() {
    for (status, kind, expected_type, code) in [
        (
            400,
            "invalid_request_error",
            "invalid_request_error",
            Value::Null,
        ),
        (
            401,
            "authentication_error",
            "invalid_request_error",
            json!("invalid_api_key"),
        ),
        (
            402,
            "billing_error",
            "insufficient_quota",
            json!("insufficient_quota"),
        ),
        (403, "permission_error", "permission_error", Value::Null),
        (
            404,
            "not_found_error",
            "invalid_request_error",
            json!("model_not_found"),
        ),
        (409, "conflict_error", "invalid_request_error", Value::Null),
        (
            413,
            "request_too_large",
            "invalid_request_error",
            json!("request_too_large"),
        ),
        (
            422,
            "invalid_request_error",
            "invalid_request_error",
            Value::Null,
        ),
        (
            429,
            "rate_limit_error",
            "rate_limit_error",
            json!("rate_limit_exceeded"),
        ),
        (500, "api_error", "server_error", Value::Null),
        (503, "api_error", "server_error", Value::Null),
        (504, "timeout_error", "server_error", json!("timeout")),
        (529, "overloaded_error", "server_error", json!("overloaded")),
    ] {
        let (answer, body) = run(A, status, &anthropic(kind, "why"));
        assert_eq!(answer.status, status);
        let expected =
            json!({"error":{"message":"why","type":expected_type,"param":null,"code":code}});
        assert_eq!(body, expected, "{status}");
        assert_eq!(
            answer.should_retry,
            (status == 402).then_some(false),
            "{status}"
        );
    }
}

#[test]
fn f2_f4_openai_statuses_keep_their_number_and_find_their_type() {
    for (status, expected) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ] {
        let (answer, body) = run(C, status, &openai(Value::Null, "x", "why"));
        assert_eq!(answer.status, status);
        let expected =
            json!({"type":"error","error":{"type":expected,"message":"why"},"request_id":"req_1"});
        assert_eq!(body, expected, "{status}");
        assert_eq!(answer.should_retry, (status == 402).then_some(false));
    }
}

#[test]
fn must_pass_example_five_exhausted_quota_is_402() {
    for body in [
        openai(
            json!("insufficient_quota"),
            "insufficient_quota",
            "no money",
        ),
        openai(Value::Null, "insufficient_quota", "no money"),
    ] {
        let (answer, json) = run(C, 429, &body);
        assert_eq!(
            (answer.status, answer.kind, answer.should_retry),
            (402, ErrorKind::Billing, Some(false))
        );
        assert_eq!(json["error"]["type"], "billing_error");
        assert_eq!(json["error"]["message"], "no money");
    }
}

#[test]
fn f5_answers_that_are_none_are_502() {
    for (from, status) in [(A, 302), (C, 301), (A, 200), (C, 204), (C, 700)] {
        let (answer, body) = run(from, status, "<html>");
        assert_eq!(answer.status, 502);
        assert_eq!(answer.kind, ErrorKind::Api);
        assert_eq!(body["error"]["message"], format!("upstream error {status}"));
    }
}

#[test]
fn context_overflow_says_what_agents_look_for() {
    let (_, body) = run(
        C,
        400,
        &openai(
            json!("context_length_exceeded"),
            "invalid_request_error",
            "8192 at most",
        ),
    );
    assert_eq!(body["error"]["message"], "prompt is too long: 8192 at most");
    let (_, body) = run(
        A,
        400,
        &anthropic("invalid_request_error", "prompt is too long: 9 > 8"),
    );
    assert_eq!(body["error"]["code"], "context_length_exceeded");
    assert_eq!(body["error"]["message"], "prompt is too long: 9 > 8");
    let (_, body) = run(
        C,
        400,
        &openai(json!("content_filter"), "invalid_request_error", "filtered"),
    );
    assert_eq!(body["error"]["message"], "filtered");
}

#[test]
fn content_filters_say_so_as_answers_and_within_streams() {
    let blocked = "Output blocked by content filtering policy";
    let (_, body) = run(A, 400, &anthropic("invalid_request_error", blocked));
    let expected = json!({"error":{"message":blocked,"type":"invalid_request_error","param":null,"code":"content_filter"}});
    assert_eq!(body, expected);
    let azure = r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400}}"#;
    for (from, data, expected) in [
        (A, anthropic("invalid_request_error", blocked), expected),
        (
            C,
            azure.to_owned(),
            json!({"type":"error","error":{"type":"invalid_request_error","message":"filtered"}}),
        ),
        (
            C,
            openai(json!("content_policy_violation"), "image_error", "filtered"),
            json!({"type":"error","error":{"type":"invalid_request_error","message":"filtered"}}),
        ),
    ] {
        let to = if from == A { C } else { A };
        let mut stream = StreamTranslator::new(from, to, AnswerContext::default(), 1 << 20);
        let mut out = Vec::new();
        stream.push(format!("data: {data}\n\n").as_bytes(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let (_, told) = text.rsplit_once("data: ").unwrap();
        let told: Value = serde_json::from_str(told).unwrap();
        assert_eq!(told, expected, "{data}");
        let facts = stream.upstream_error().unwrap();
        assert_eq!(stream_error::told((from, to), facts).status, 400);
    }
}

#[test]
fn spend_caps_are_not_retried() {
    let body = anthropic("rate_limit_error", "cap");
    assert_eq!(
        run_with(A, 429, &body, false, &[]).0.should_retry,
        Some(false)
    );
    assert_eq!(run_with(A, 429, &body, true, &[]).0.should_retry, None);
    assert_eq!(
        run_with(C, 429, &openai(Value::Null, "requests", "slow"), false, &[])
            .0
            .should_retry,
        None
    );
}

#[test]
fn error_bodies_of_every_shape_give_their_message() {
    for (body, expected) in [
        (r#"{"error":{"message":"m","code":42}}"#, "m"),
        (r#"{"error":"m"}"#, "m"),
        (r#"{"message":"m"}"#, "m"),
        (r#"{"Message":"m"}"#, "m"),
        (r#"{"detail":"m"}"#, "m"),
        (r#"{"detail":[{"loc":["body"],"msg":"m","type":"t"}]}"#, "m"),
        (r#"[{"error":{"message":"m","code":400}}]"#, "m"),
        (r#"{"object":"error","message":"m","code":40303}"#, "m"),
        (r#"{"error":{"message":""},"message":"m"}"#, "m"),
        (r#""m""#, "m"),
        ("<html><body>502</body></html>", "upstream error 400"),
        ("Too many requests", "upstream error 400"),
        ("", "upstream error 400"),
        (r#"{"error":{}}"#, "upstream error 400"),
        (r#"{"error":{"message":"cut"#, "upstream error 400"),
        (r#"{"error":{"message":"\ud83d"}}"#, r"\ud83d"),
    ] {
        for from in [A, C] {
            let (answer, json) = run(from, 400, body);
            assert_eq!(json["error"]["message"], expected, "{body}");
            assert_eq!(answer.status, 400);
        }
    }
}

#[test]
fn credentials_are_blanked_out() {
    let secret: &[u8] = b"sk-live-123";
    let body = anthropic(
        "authentication_error",
        "bad key sk-live-123, again sk-live-123",
    );
    let (_, json) = run_with(A, 401, &body, true, &[b"", secret]);
    assert_eq!(
        json["error"]["message"],
        "bad key [credential], again [credential]"
    );
    assert_eq!(scrub(b"nothing here", &[secret]).as_ref(), b"nothing here");
    assert!(matches!(
        scrub(b"nothing", &[secret]),
        std::borrow::Cow::Borrowed(_)
    ));
}

#[test]
fn own_errors_have_the_exact_shape_of_each_wire() {
    let error = ApiError {
        kind: ErrorKind::NotFound,
        message: "no model \"x\"\n",
        param: Some("model"),
        code: None,
    };
    let mut out = Vec::new();
    write_error(C, &error, "req_1", &mut out);
    assert_eq!(out, br#"{"error":{"message":"no model \"x\"\n","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#);
    out.clear();
    write_error(A, &error, "req_1", &mut out);
    assert_eq!(out, br#"{"type":"error","error":{"type":"not_found_error","message":"no model \"x\"\n"},"request_id":"req_1"}"#);
    out.clear();
    write_error_event(C, &error, "req_1", &mut out);
    assert!(out.starts_with(b"data: {\"error\":{") && out.ends_with(b"}}\n\n"));
    out.clear();
    write_error_event(A, &error, "", &mut out);
    assert_eq!(out, b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"no model \\\"x\\\"\\n\"}}\n\n");
}

#[test]
fn stream_errors_are_read_by_their_own_words() {
    let mut tape = Tape::new();
    for (wire, data, kind) in [
        (
            A,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            ErrorKind::Overloaded,
        ),
        (
            C,
            r#"{"error":{"message":"m","type":"server_error","code":null}}"#,
            ErrorKind::Api,
        ),
        (
            C,
            r#"{"error":{"message":"m","code":429}}"#,
            ErrorKind::RateLimit,
        ),
        (
            C,
            r#"{"error":{"message":"m","type":"invalid_request_error","code":"tool_use_failed"}}"#,
            ErrorKind::InvalidRequest,
        ),
        (C, r#"{"error":"m"}"#, ErrorKind::Api),
    ] {
        let root = tape.read(data.as_bytes(), 16, 100).unwrap();
        let facts = ringway::wire::codec::read_error(wire, root);
        assert_eq!(
            (facts.kind, facts.message.as_deref()),
            (kind, Some("m")),
            "{data}"
        );
    }
}

#[test]
fn error_that_is_all_of_a_stream_has_the_status_of_its_class() {
    use ringway::chat::error::ErrorFacts;
    use ringway::translate::stream_error::told;
    let cases = [
        (ErrorKind::InvalidRequest, 400),
        (ErrorKind::Authentication, 401),
        (ErrorKind::Billing, 402),
        (ErrorKind::Permission, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::MethodNotAllowed, 405),
        (ErrorKind::RequestTimeout, 408),
        (ErrorKind::Conflict, 409),
        (ErrorKind::TooLarge, 413),
        (ErrorKind::RateLimit, 429),
        (ErrorKind::Api, 502),
        (ErrorKind::Overloaded, 503),
        (ErrorKind::Timeout, 504),
    ];
    for (kind, status) in cases {
        let facts = ErrorFacts {
            kind,
            message: Some("m".into()),
            param: Some("p".into()),
            code: None,
        };
        for (from, to) in [(C, C), (C, A), (A, C), (A, A)] {
            let told = told((from, to), &facts);
            // 529 is the Anthropic wire's own.
            let expected = if from == A && status == 503 {
                529
            } else {
                status
            };
            assert_eq!((told.status, told.kind), (expected, kind));
            assert_eq!(
                (told.message.as_str(), told.param.as_deref()),
                ("m", Some("p"))
            );
            let last_word = (kind == ErrorKind::Billing).then_some(false);
            assert_eq!(told.should_retry, last_word, "{kind:?}");
        }
    }
}

#[test]
fn any_bytes_give_one_valid_error_of_bounded_size() {
    let body = openai(json!("x"), "y", &"m".repeat(200_000));
    let (answer, json) = run(C, 500, &body);
    assert_eq!(
        (answer.status, json["error"]["message"].as_str()),
        (500, Some("upstream error 500"))
    );
    let whole = anthropic("api_error", "why \u{1F600}");
    for end in 0..whole.len() {
        if let Some(cut) = whole.get(..end) {
            let (told, _) = run(A, 500, cut);
            assert_eq!(told.status, 500);
        }
    }
}

#[test]
fn successes_that_report_an_error_are_502_with_its_words_and_class() {
    let choice = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"error","error":{"code":502,"message":"words"}}]}"#;
    for (from, body, message, kind) in [
        (
            C,
            r#"{"error":{"message":"words","code":429}}"#,
            "words",
            ErrorKind::RateLimit,
        ),
        (
            C,
            r#"{"error":{"message":"words","type":"insufficient_quota"}}"#,
            "words",
            ErrorKind::Billing,
        ),
        (
            C,
            r#"{"error":{"message":"words"},"choices":[{"message":{"content":"x"}}]}"#,
            "words",
            ErrorKind::Api,
        ),
        (C, choice, "words", ErrorKind::Api),
        (
            C,
            r#"{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}"#,
            "upstream error 502",
            ErrorKind::Api,
        ),
        (
            C,
            r#"{"error":{"message":"no","code":"context_length_exceeded"}}"#,
            "prompt is too long: no",
            ErrorKind::InvalidRequest,
        ),
        (
            C,
            r#"[{"error":{"message":"words"}}]"#,
            "words",
            ErrorKind::Api,
        ),
        (
            C,
            r#"{"detail":"the key is sk-1"}"#,
            "the key is [credential]",
            ErrorKind::Api,
        ),
        (
            A,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"words"}}"#,
            "words",
            ErrorKind::Overloaded,
        ),
        (A, r#"{"message":"words"}"#, "words", ErrorKind::Api),
    ] {
        let wires = (from, if from == A { C } else { A });
        let told = in_answer(wires, body.as_bytes(), &[b"sk-1"], &mut Tape::new());
        let told = told.unwrap_or_else(|| panic!("{body}"));
        assert_eq!((told.status, told.kind), (502, kind), "{body}");
        assert_eq!(told.message, message, "{body}");
        let never = (kind == ErrorKind::Billing).then_some(false);
        assert_eq!(told.should_retry, never, "{body}");
    }
    let too_long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9"}}"#;
    let told = in_answer((A, C), too_long.as_bytes(), &[], &mut Tape::new()).unwrap();
    assert_eq!(told.code.as_deref(), Some("context_length_exceeded"));
    for (from, body) in [
        (C, "{}"),
        (C, "words"),
        (C, r#"{"choices":[{"message":{"content":"x"}}]}"#),
        (C, r#"{"choices":[]}"#),
        (A, r#"{"type":"message","content":"x"}"#),
    ] {
        let wires = (from, if from == A { C } else { A });
        assert_eq!(
            in_answer(wires, body.as_bytes(), &[], &mut Tape::new()),
            None,
            "{body}"
        );
    }
}

#[test]
fn b_contexts_too_long_are_said_in_the_words_that_agents_look_for() {
    for text in [
        "This model's maximum context length is 8192 tokens. However, you requested 9000",
        "the request exceeds the available context size, try increasing it",
    ] {
        let (answer, body) = run(C, 400, &openai(json!(400), "BadRequestError", text));
        assert_eq!(answer.status, 400);
        let told = body["error"]["message"].as_str().unwrap();
        assert_eq!(told, format!("prompt is too long: {text}"));
    }
}

#[test]
fn b_messages_within_messages_are_found() {
    for message in [
        json!({"detail": [{"type": "missing", "msg": "Field required"}]}),
        json!({"detail": "Field required"}),
        json!([{"msg": "Field required"}]),
    ] {
        let body = json!({"object": "error", "message": message}).to_string();
        let (answer, body) = run(C, 422, &body);
        assert_eq!(answer.status, 422);
        assert_eq!(body["error"]["message"], "Field required");
    }
}
