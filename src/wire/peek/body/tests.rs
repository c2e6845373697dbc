use super::*;
use crate::json::error::JsonErrorKind;
use crate::wire::kind::Wire::{AnthropicMessages as A, OpenAiChat as C};

fn look(body: &str, wire: Wire) -> Result<Peek, PeekFault> {
    peek(body.as_bytes(), wire, &Limits::default())
}

/// The fault of `body` as `param: kind @ offset`.
fn fault(body: &str, wire: Wire) -> String {
    match look(body, wire) {
        Ok(_) => "none".into(),
        Err(fault) => {
            let param = fault
                .param
                .map_or_else(|| "-".into(), |param| param.to_string());
            format!("{param}: {:?} @ {}", fault.kind, fault.at)
        }
    }
}

#[test]
fn peek_finds_what_routing_needs() {
    let body = r#" {"x":{"model":"no"},"mod\u0065l" : "gpt-\u0034o","messages":[{"role":"user","content":[]}],
        "stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":12,"allow_fallbacks":false} "#;
    let peek = look(body, C).unwrap();
    assert!(peek.model(body.as_bytes()).is("gpt-4o"));
    assert!(peek.stream() && peek.asks_usage() && !peek.allows_fallbacks());
    assert_eq!(peek.max_tokens(body.as_bytes()), Some(12));
    assert_eq!(
        peek.source(body.as_bytes(), Known::StreamOptions),
        Some(&br#"{"include_usage":true}"#[..])
    );
}

#[test]
fn peek_nulls_count_as_absent_where_they_may() {
    let body = r#"{"model":"m","messages":[1],"stream":null,"max_tokens":null,"allow_fallbacks":null,
        "privacy_tier":null,"pii_substitution":false,"system":null,"routing":"price"}"#;
    let peek = look(body, C).unwrap();
    assert!(!peek.stream() && peek.allows_fallbacks());
    assert_eq!(peek.max_tokens(body.as_bytes()), None);
}

#[test]
fn peek_counts_are_read_as_services_read_them() {
    for (said, tokens, choices) in [
        ("", None, 1),
        (r#""n":null,"max_tokens":null,"#, None, 1),
        (r#""n":3,"max_tokens":100,"#, Some(100), 3),
        (r#""n":0,"max_tokens":0,"#, Some(0), 1),
        (r#""n":-2,"max_tokens":-1,"#, Some(0), 1),
        (r#""n":2.0,"max_tokens":1e3,"#, Some(1_000), 2),
        (r#""n":2.1,"max_tokens":1E+3,"#, Some(1_000), 3),
        (r#""n":1e400,"max_tokens":1e30,"#, Some(u64::MAX), u64::MAX),
        (r#""n":"3","max_tokens":"9","#, None, 1),
        (r#""n":[3],"max_tokens":{},"#, None, 1),
        (r#""max_tokens":9,"max_completion_tokens":2,"#, Some(9), 1),
        (r#""max_tokens":2,"max_completion_tokens":9,"#, Some(9), 1),
        (
            r#""max_tokens":2,"max_completion_tokens":null,"#,
            Some(2),
            1,
        ),
    ] {
        let body = format!(r#"{{{said}"model":"m","messages":[1]}}"#);
        let peek = look(&body, C).unwrap();
        assert_eq!(peek.max_tokens(body.as_bytes()), tokens, "{said}");
        assert_eq!(peek.choices(body.as_bytes()), choices, "{said}");
    }
    let twice = r#"{"n":1,"model":"m","messages":[1],"n":9}"#;
    assert_eq!(fault(twice, C), "n: Repeated @ 34");
}

#[test]
fn peek_faults_name_member_and_offset() {
    let cases = [
        ("", "-: Json(Empty) @ 0"),
        ("\u{feff}{}", "-: Json(ByteOrderMark) @ 0"),
        ("[]", "-: Json(NotObject) @ 0"),
        ("\"x\"", "-: Json(NotObject) @ 0"),
        ("{} {}", "-: Json(Trailing) @ 3"),
        (r#"{"model":"m","messages":[1]"#, "-: Json(Cut) @ 27"),
        ("{}", "model: Missing @ 0"),
        (r#"{"model":"m"}"#, "messages: Missing @ 0"),
        (r#"{"model":"","messages":[1]}"#, "model: NotText @ 9"),
        (r#"{"model":1,"messages":[1]}"#, "model: NotText @ 9"),
        (r#"{"model":null,"messages":[1]}"#, "model: NotText @ 9"),
        (r#"{"model":"m","messages":[]}"#, "messages: NotList @ 24"),
        (
            r#"{"model":"m","messages":{"a":[]}}"#,
            "messages: NotList @ 24",
        ),
        (r#"{"model":"m","messages":null}"#, "messages: NotList @ 24"),
        (
            r#"{"model":"m","messages":[1],"stream":1}"#,
            "stream: NotBool @ 37",
        ),
        (
            r#"{"model":"m","messages":[1],"allow_fallbacks":"no"}"#,
            "allow_fallbacks: NotBool @ 46",
        ),
        (
            r#"{"model":"m","messages":[1],"model":"n"}"#,
            "model: Repeated @ 28",
        ),
        (
            r#"{"model":"m","messages":[1],"m\u006fdel":"n"}"#,
            "model: Repeated @ 28",
        ),
        (
            r#"{"model":"m","messages":[1],"privacy_tier":["x"]}"#,
            "privacy_tier: NotText @ 43",
        ),
        (
            r#"{"model":"m","messages":[1],"privacy_tier":""}"#,
            "privacy_tier: NotText @ 43",
        ),
        (
            r#"{"model":"m","messages":[1],"pii_substitution":true}"#,
            "pii_substitution: Promise @ 47",
        ),
        (
            r#"{"model":"m","messages":[1],"pii_substitution":1}"#,
            "pii_substitution: NotBool @ 47",
        ),
        // A fault of the JSON outranks what came before it.
        (
            r#"{"model":1,"messages":[1],}"#,
            "-: Json(ExpectedName) @ 26",
        ),
        // Repeats of what we do not route by are the provider's matter.
        (
            r#"{"model":"m","messages":[1],"seed":1,"seed":2,"tools":[],"tools":[]}"#,
            "none",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(fault(body, C), expected, "{body}");
    }
}

#[test]
fn peek_every_routed_member_repeated_is_refused() {
    for known in Known::ALL
        .into_iter()
        .filter(|known| known.must_be_single())
    {
        let name = known.name();
        let body = format!(r#"{{"model":"m","messages":[1],"{name}":null,"{name}":null}}"#);
        let expected = format!("{name}: Repeated");
        // On the client's wire where the member is at home, so that nothing else is wrong first.
        let said = fault(&body, C);
        assert!(
            said.starts_with(&expected) || said.starts_with(&format!("{name}: Not")),
            "{said}"
        );
    }
}

#[test]
fn o7_body_of_the_other_wire_names_the_right_endpoint() {
    let cases = [
        (
            A,
            r#"{"role":"user"},{"role":"tool"}"#,
            "",
            "messages[1].role",
        ),
        (A, r#"{"role":"developer"}"#, "", "messages[0].role"),
        (A, r#"{"role":"f\u0075nction"}"#, "", "messages[0].role"),
        (A, r#"{"tool_calls":[]}"#, "", "messages[0].tool_calls"),
        (
            A,
            "1",
            r#","max_completion_tokens":5"#,
            "max_completion_tokens",
        ),
        (
            A,
            "1",
            r#","tools":[{},{"function":{}}]"#,
            "tools[1].function",
        ),
        (C, "1", r#","system":"x""#, "system"),
        (C, "1", r#","system":[]"#, "system"),
        (
            C,
            r#"{"content":[{"type":"text"},{"type":"tool_use"}]}"#,
            "",
            "messages[0].content",
        ),
        (
            C,
            r#"{"content":[{"type":"tool_result"}]}"#,
            "",
            "messages[0].content",
        ),
        (
            C,
            "1",
            r#","tools":[{"input_schema":{}}]"#,
            "tools[0].input_schema",
        ),
    ];
    for (wire, messages, more, param) in cases {
        let body = format!(r#"{{"model":"m","messages":[{messages}]{more}}}"#);
        let other = if wire == A { C } else { A };
        let said = fault(&body, wire);
        let expected = format!("{param}: WrongEndpoint({other:?})");
        assert!(said.starts_with(&expected), "{body}: {said}");
        assert_eq!(fault(&body, other), "none", "{body}");
    }
}

#[test]
fn o7_extensions_of_either_wire_are_not_the_other_wire() {
    let cases = [
        (
            A,
            r#"{"role":"system"}"#,
            r#","thinking":{},"tools":[{"type":"web_search_20250305","name":"x"}]"#,
        ),
        (
            A,
            r#"{"role":"assistant","tool_calls":null}"#,
            r#","max_completion_tokens":null"#,
        ),
        (
            A,
            r#"{"role":"user","content":[{"type":"tool_result","content":[{"role":"tool"}]}]}"#,
            "",
        ),
        (
            A,
            r#"{"role":"user","content":[{"type":"tool_use","input":{"function":1,"tool_calls":[]}}]}"#,
            "",
        ),
        (
            C,
            r#"{"role":"user","content":[{"type":"text","cache_control":{}}]}"#,
            r#","thinking":{},"cache_control":{}"#,
        ),
        (
            C,
            r#"{"role":"assistant","content_blocks":[{"type":"tool_use"}],"content":"tool_use"}"#,
            "",
        ),
        (C, r#"{"content":{"type":"tool_use"}}"#, ""),
        (
            C,
            "1",
            r#","tools":[{"type":"web_search_20250305"},{"function":{"parameters":{"input_schema":1}}}]"#,
        ),
    ];
    for (wire, messages, more) in cases {
        let body = format!(r#"{{"model":"m","messages":[{messages}]{more}}}"#);
        assert_eq!(fault(&body, wire), "none", "{body}");
    }
}

#[test]
fn peek_limits_hold_at_and_past() {
    let limits = Limits {
        json_depth_max: 4,
        json_members_max: 3,
        ..Limits::default()
    };
    let kind = |body: &str| {
        peek(body.as_bytes(), C, &limits)
            .map_err(|fault| (fault.kind, fault.at))
            .err()
    };
    assert_eq!(kind(r#"{"model":"m","messages":[[[]]],"a":1}"#), None);
    let deep = r#"{"model":"m","messages":[[[[]]]]}"#;
    assert_eq!(
        kind(deep),
        Some((PeekFaultKind::Json(JsonErrorKind::Depth), 27))
    );
    let wide = r#"{"model":"m","messages":[1],"a":1,"b":2}"#;
    assert_eq!(
        kind(wide),
        Some((PeekFaultKind::Json(JsonErrorKind::Members), 34))
    );
}

#[test]
fn a_relayed_bodys_model_and_the_gateways_own_members_are_found_and_nothing_else() {
    let limits = Limits::default();
    let model = |body: &str| {
        peek_relayed(body.as_bytes(), &limits)
            .map(|peek| {
                let span = peek.span(Known::Model);
                span.map(|span| body.get(span).unwrap().to_owned())
            })
            .map_err(|fault| fault.kind)
    };
    assert_eq!(
        model(r#"{"input":"x","m\u006fdel":"e","stream":1}"#),
        Ok(Some("\"e\"".into()))
    );
    assert_eq!(
        model(r#"{"input":["model"],"messages":0,"system":1}"#),
        Ok(None)
    );
    assert_eq!(model(r#"{"model":7}"#), Err(PeekFaultKind::NotText));
    assert_eq!(
        model(r#"{"model":"a","model":"a"}"#),
        Err(PeekFaultKind::Repeated)
    );
    assert_eq!(
        model(r#"{"privacy_tier":null,"stream":1,"stream":2}"#),
        Ok(None)
    );
    assert_eq!(model(r#"{"privacy_tier":"x"}"#), Ok(None));
    for tier in [r#"{"privacy_tier":1}"#, r#"{"privacy_tier":""}"#] {
        assert_eq!(model(tier), Err(PeekFaultKind::NotText));
    }
    let promise = r#"{"pii_substitution":true}"#;
    assert_eq!(model(promise), Err(PeekFaultKind::Promise));
    assert_eq!(
        model(r#"{"allow_fallbacks":"no"}"#),
        Err(PeekFaultKind::NotBool)
    );
    assert_eq!(
        model(r#"{"routing":1,"routing":2}"#),
        Err(PeekFaultKind::Repeated)
    );
    assert_eq!(model("[]"), Ok(None));
    assert_eq!(model("{"), Err(PeekFaultKind::Json(JsonErrorKind::Cut)));
    // What a chat may not have.
    assert_eq!(model("\u{feff}{\"model\":\"e\"}"), Ok(Some("\"e\"".into())));
    assert_eq!(model("\u{feff}[]"), Ok(None));
    assert_eq!(
        model("\u{feff}\u{feff}{}"),
        Err(PeekFaultKind::Json(JsonErrorKind::ExpectedValue))
    );
    let wide = format!(r#"{{{}"model":"e"}}"#, r#""a":1,"#.repeat(2_000));
    assert_eq!(model(&wide), Ok(Some("\"e\"".into())));
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        model(&format!(r#"{{"model":"e","a":{open}{close}}}"#))
    };
    assert_eq!(deep(127), Ok(Some("\"e\"".into())));
    assert_eq!(deep(128), Err(PeekFaultKind::Json(JsonErrorKind::Depth)));
}

#[test]
fn faults_print_what_to_do() {
    let said = look(r#"{"model":"m","messages":[{"role":"tool"}]}"#, A).unwrap_err();
    assert_eq!(
        said.to_string(),
        "messages[0].role: this is the form of OpenAI Chat Completions; send it to \
         /v1/chat/completions (at byte 33)"
    );
}

#[test]
fn body_cut_at_every_byte_is_refused() {
    let body =
        r#"{"model":"m\u0041","messages":[{"role":"user","content":"é"}],"stream":false,"n":1}"#;
    for end in 0..body.len() {
        let cut = body.as_bytes().get(..end).unwrap();
        let fault = peek(cut, C, &Limits::default()).unwrap_err();
        assert!(matches!(fault.kind, PeekFaultKind::Json(_)), "{end}");
    }
    assert!(look(body, C).is_ok());
}

/// What the content of a body needs, and the fields that do.
fn check_needs(wire: Wire, member: &str, expected: &[&str]) {
    let body = format!(r#"{{"model":"m",{member}}}"#);
    let peek = peek(body.as_bytes(), wire, &Limits::default()).unwrap();
    let needs = peek.needs();
    let found: Vec<String> = needs
        .iter()
        .map(|need| format!("{} {}", need.name(), needs.field(need)))
        .collect();
    assert_eq!(found, expected, "{member}");
    assert_eq!(needs.is_empty(), expected.is_empty());
    let relayed = peek_relayed(body.as_bytes(), &Limits::default()).unwrap();
    assert!(relayed.needs().is_empty());
}

fn said(parts: &str) -> String {
    format!(r#""messages":[{{"role":"user","content":"x"}},{{"role":"user","content":[{parts}]}}]"#)
}

const IMAGES: &str = "images messages[1].content";
const PDF: &str = "PDF documents messages[1].content";
const AUDIO: &str = "audio input messages[1].content";

#[test]
fn ni14_needs_of_openai_parts_are_seen_in_passing() {
    for (parts, expected) in [
        (r#"{"type":"text","text":"image_url"}"#, &[][..]),
        (r#"{"type":"image_url","image_url":{"url":"u"}}"#, &[IMAGES]),
        (
            r#"{"image_url":{"url":"u"},"t\u0079pe":"image\u005furl"}"#,
            &[IMAGES],
        ),
        (
            r#"{"type":"input_audio","input_audio":{"data":"","format":"wav"}}"#,
            &[AUDIO],
        ),
        (r#"{"type":"file","file":{"file_id":"file-1"}}"#, &[]),
        (
            r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AA"}}"#,
            &[PDF],
        ),
        (
            r#"{"file":{"file_data":"data:application\/pdf;base64,AA"},"type":"file"}"#,
            &[PDF],
        ),
        (
            r#"{"type":"file","file":{"file_data":"data:image/png;base64,AA"}}"#,
            &[IMAGES],
        ),
        (
            r#"{"type":"file","file":{"file_data":"\u0064ata\u003aapplication\u002Fpdf;base64,AA"}}"#,
            &[PDF],
        ),
        (
            r#"{"type":"file","file":{"file_data":"d\u0061ta:im\u0061ge\/png;base64,AA"}}"#,
            &[IMAGES],
        ),
        // What stands for another text is no prefix of this one.
        (
            r#"{"type":"file","file":{"file_data":"data:image"}},{"type":"file","file":{"file_data":"\\data:image/png"}}"#,
            &[],
        ),
        (
            r#"{"type":"file","file":{"file_data":"data:text/plain;base64,AA"}}"#,
            &[],
        ),
        (
            r#"{"type":"input_audio"},{"type":"image_url"},{"type":"image_url"}"#,
            &[IMAGES, AUDIO],
        ),
    ] {
        check_needs(C, &said(parts), expected);
    }
}

#[test]
fn ni14_needs_of_anthropic_blocks_are_seen_in_passing() {
    for (parts, expected) in [
        (
            r#"{"type":"image","source":{"type":"url","url":"u"}}"#,
            &[IMAGES][..],
        ),
        (
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png"}}"#,
            &[IMAGES],
        ),
        (
            r#"{"type":"document","source":{"type":"url","url":"u"}}"#,
            &[PDF],
        ),
        (
            r#"{"source":{"url":"u","type":"url"},"type":"document"}"#,
            &[PDF],
        ),
        (
            r#"{"source":{"media_type":"application/pdf"},"type":"document"}"#,
            &[PDF],
        ),
        (
            r#"{"type":"document","source":{"type":"file","file_id":"f"}}"#,
            &[],
        ),
        (
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain"}}"#,
            &[],
        ),
        (r#"{"type":"tool_result","content":"image"}"#, &[]),
        (
            r#"{"type":"tool_result","content":[{"type":"image"}]}"#,
            &[IMAGES],
        ),
        (
            r#"{"content":[{"type":"document","source":{"type":"url"}},{"type":"text"}],"type":"tool_result"}"#,
            &[PDF],
        ),
        (
            r#"{"type":"document","source":{"media_type":"application\u002fpdf"}}"#,
            &[PDF],
        ),
        // What a model says, and what a tool is given, is no content that has to be taken.
        (
            r#"{"type":"tool_use","input":{"type":"image","source":{"type":"url"}}}"#,
            &[],
        ),
        (
            r#"{"type":"tool_use","input":{"content":[{"type":"image"}]}}"#,
            &[],
        ),
    ] {
        check_needs(A, &said(parts), expected);
    }
}

#[test]
fn ni14_needs_of_documents_made_of_blocks_are_seen_in_tools_results_too() {
    for (parts, expected) in [
        (
            r#"{"type":"document","source":{"type":"content","content":[{"type":"text"},{"type":"image","source":{"type":"url"}}]}}"#,
            &[IMAGES][..],
        ),
        (
            r#"{"source":{"content":[{"t\u0079pe":"im\u0061ge"}],"type":"content"},"type":"document"}"#,
            &[IMAGES],
        ),
        (
            r#"{"type":"tool_result","content":[{"type":"document","source":{"type":"content","content":[{"type":"image"}]}}]}"#,
            &[IMAGES],
        ),
        (
            r#"{"type":"document","source":{"type":"content","content":"image"}}"#,
            &[],
        ),
        (
            r#"{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x","content":[{"type":"image"}]},{"source":{"type":"url"},"type":"document"}]}}"#,
            &[],
        ),
        // What is said of an inset is not said of its document.
        (
            r#"{"type":"document","source":{"content":[{"type":"url"}],"type":"content"}}"#,
            &[],
        ),
    ] {
        check_needs(A, &said(parts), expected);
    }
}

#[test]
fn ni14_tools_are_a_need_where_there_are_any() {
    let plain = r#""messages":[{"role":"user","content":"x"}]"#;
    for (member, expected) in [
        (r#""tools":[{"type":"x"}]"#, &["tools tools"][..]),
        (r#""tools":[]"#, &[]),
        (r#""tools":null"#, &[]),
        (r#""functions":[{"name":"f"}]"#, &["tools tools"]),
        (r#""functions":[],"functions":[{}]"#, &["tools tools"]),
    ] {
        for wire in [A, C] {
            check_needs(wire, &format!("{member},{plain}"), expected);
        }
    }
}

#[test]
fn lg10_a_session_is_named_by_the_first_of_its_carriers_that_says_something() {
    for (members, expected) in [
        (
            r#""user":"u","metadata":{"user_id":"m"},"prompt_cache_key":"c""#,
            "c",
        ),
        (
            r#""metadata":{"a":{"user_id":"no"},"user_id":"m"},"user":"u""#,
            "u",
        ),
        (
            r#""prompt_cache_key":"","user":null,"metadata":{"user_id":"m"}"#,
            "m",
        ),
        (r#""us\u0065r":"\u0061""#, r"\u0061"),
        (r#""metadata":{"user_id":"a","user_\u0069d":"b"}"#, "b"),
        (r#""user":"a","user":"b""#, "b"),
        (r#""user":7,"prompt_cache_key":["a"],"metadata":"m""#, ""),
        (r#""metadata":{"user_id":{"a":1}},"x":{"user_id":"no"}"#, ""),
    ] {
        let body = format!(r#"{{"model":"m","messages":[1],{members}}}"#);
        let body = body.as_bytes();
        let peek = peek(body, Wire::OpenAiChat, &Limits::default()).unwrap();
        let session = peek.session(body).unwrap_or_default();
        assert_eq!(session, expected.as_bytes(), "{members}");
    }
}

/// How many pieces of media a message with these parts carries, and their bytes.
fn media_of(parts: &str, wire: Wire) -> (u64, usize) {
    let body = format!(r#"{{"model":"m",{}}}"#, said(parts));
    let peek = peek(body.as_bytes(), wire, &Limits::default()).unwrap();
    (peek.media().count, peek.media().bytes)
}

/// Holds parts against what they carry: so many images of DATA, or of ADDRESS with its label.
fn check_media(wire: Wire, cases: &[(&str, u64, usize)]) {
    let data = "QUJD".repeat(1_000);
    for (parts, count, labels) in cases {
        let parts = parts
            .replace(
                "NESTED",
                r#"[{"type":"text","text":"DATA"},{"type":"image",PNG}]"#,
            )
            .replace(
                "PNG",
                r#""source":{"type":"base64","media_type":"image/png","data":"DATA"}"#,
            )
            .replace(
                "PDF",
                r#""source":{"type":"base64","media_type":"application/pdf","data":"DATA"}"#,
            )
            .replace("ADDRESS", "data:image/png;base64,DATA")
            .replace("DATA", &data);
        let bytes = usize::try_from(*count).unwrap() * data.len() + labels;
        assert_eq!(media_of(&parts, wire), (*count, bytes), "{parts:.120}");
    }
}

#[test]
fn media_of_openai_parts_is_what_its_type_says_and_text_is_text() {
    check_media(
        C,
        &[
            (r#"{"type":"text","text":"DATA"}"#, 0, 0),
            (r#"{"type":"text","text":"ADDRESS"}"#, 0, 0),
            (r#"{"type":"image_url","text":"ADDRESS"}"#, 0, 0),
            (r#"{"type":"text","image_url":{"url":"ADDRESS"}}"#, 0, 0),
            (r#"{"type":"image_url","image_url":{"url":"DATA"}}"#, 0, 0),
            (
                r#"{"type":"image_url","image_url":{"url":"ADDRESS"}}"#,
                1,
                22,
            ),
            (
                r#"{"image_url":{"url":"ADDRESS"},"type":"image_url"}"#,
                1,
                22,
            ),
            (r#"{"type":"image_url","image_url":"ADDRESS"}"#, 1, 22),
            (
                r#"{"t\u0079pe":"image\u005furl","image\u005Furl":{"ur\u006c":"\u0064ata:,DATA"}}"#,
                1,
                11,
            ),
            // Of two types the last counts.
            (
                r#"{"type":"image_url","image_url":{"url":"ADDRESS"},"type":"text"}"#,
                0,
                0,
            ),
            (
                r#"{"type":"input_audio","input_audio":{"data":"DATA","format":"wav"}}"#,
                1,
                0,
            ),
            (
                r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,DATA"}}"#,
                1,
                28,
            ),
            (
                r#"{"type":"file","file":{"file_data":"data:text/plain;base64,DATA"}}"#,
                0,
                0,
            ),
            (
                r#"{"type":"image_url","image_url":{"url":"ADDRESS"}},{"type":"text","text":"ADDRESS"},{"type":"image_url","image_url":{"url":"ADDRESS"}}"#,
                2,
                44,
            ),
        ],
    );
}

#[test]
fn media_of_anthropic_blocks_is_what_its_type_says_and_text_is_text() {
    check_media(
        A,
        &[
            (r#"{"type":"text","text":"DATA"}"#, 0, 0),
            (r#"{"type":"image",PNG}"#, 1, 0),
            (r#"{PNG,"type":"image"}"#, 1, 0),
            (r#"{"type":"text","text":"x",PNG}"#, 0, 0),
            (
                r#"{"type":"image","source":{"data":"DATA","t\u0079pe":"base64"}}"#,
                1,
                0,
            ),
            (
                r#"{"type":"image","source":{"type":"url","url":"DATA"}}"#,
                0,
                0,
            ),
            (r#"{"type":"document",PDF}"#, 1, 0),
            (
                r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"DATA"}}"#,
                0,
                0,
            ),
            (r#"{"type":"document",PNG}"#, 0, 0),
            (
                r#"{"type":"tool_result","tool_use_id":"t","content":NESTED}"#,
                1,
                0,
            ),
            (
                r#"{"type":"document","source":{"type":"content","content":NESTED}}"#,
                1,
                0,
            ),
            (
                r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"content","content":NESTED}},{"type":"image",PNG}]}"#,
                2,
                0,
            ),
            (
                r#"{"type":"tool_result","tool_use_id":"t","content":"DATA"}"#,
                0,
                0,
            ),
            (
                r#"{"type":"tool_use","id":"t","name":"n","input":{"type":"image",PNG}}"#,
                0,
                0,
            ),
            // What a part within says is not said of the part around it.
            (r#"{"content":[{PNG}],"type":"image"}"#, 0, 0),
        ],
    );
}

#[test]
fn media_counts_from_its_least_size_on() {
    for (length, expected) in [(2_047, (0, 0)), (2_048, (1, 2_048))] {
        let data = "A".repeat(length);
        let source = format!(r#"{{"type":"base64","media_type":"image/png","data":"{data}"}}"#);
        let parts = format!(r#"{{"type":"image","source":{source}}}"#);
        assert_eq!(media_of(&parts, A), expected, "{length}");
    }
}

#[test]
fn media_of_relayed_bodies_is_that_of_their_input_lists() {
    let data = format!("data:image/png;base64,{}", "QUJD".repeat(1_000));
    let image = format!(r#"{{"type":"input_image","image_url":"{data}"}}"#);
    let text = format!(r#"{{"type":"input_text","text":"{data}"}}"#);
    let one = (1, data.len());
    for (body, expected) in [
        (format!(r#"{{"model":"m","input":"{data}"}}"#), (0, 0)),
        (
            format!(r#"{{"input":[{{"role":"user","content":[{text}]}}]}}"#),
            (0, 0),
        ),
        (
            format!(r#"{{"input":[{{"role":"user","content":[{text},{image}]}}]}}"#),
            one,
        ),
        (
            format!(r#"{{"inpu\u0074":[{{"role":"user","content":[{image}]}}]}}"#),
            one,
        ),
        (
            format!(
                r#"{{"input":[{{"type":"function_call_output","call_id":"c","output":[{image}]}}]}}"#
            ),
            one,
        ),
        (
            format!(
                r#"{{"input":[{{"role":"user","content":[{{"type":"input_file","file_data":"{data}"}}]}}]}}"#
            ),
            one,
        ),
        (
            format!(r#"{{"instructions":[{{"content":[{image}]}}]}}"#),
            (0, 0),
        ),
        (r#"{"input":[],"messages":[]}"#.to_owned(), (0, 0)),
    ] {
        let peek = peek_relayed(body.as_bytes(), &Limits::default()).unwrap();
        let media = (peek.media().count, peek.media().bytes);
        assert_eq!(media, expected, "{body:.120}");
    }
}
