//! Bodies that are nested as deeply as they may be, and what a translation puts around them.

use ringway::json::tape::Tape;
use ringway::limits::Limits;

use crate::support::{Run, chat, messages};

const DEPTH_MAX: usize = 128;

/// An object of `depth` containers.
fn nest(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

#[test]
fn what_the_provider_would_be_told_too_deeply_is_refused_with_the_cure() {
    type Body = fn(&str) -> String;
    let tool: Body = |it| messages(&format!(r#""tools":[{{"name":"f","input_schema":{it}}}]"#));
    let function: Body = |it| {
        chat(&format!(
            r#""tools":[{{"type":"function","function":{{"name":"f","parameters":{it}}}}}]"#
        ))
    };
    let marked: Body = |it| {
        messages("").replace(
            r#""messages":"#,
            &format!(r#""system":[{{"type":"text","text":"t","cache_control":{it}}}],"messages":"#),
        )
    };
    let message: Body = |it| chat("").replace(r#""hi""#, &format!(r#""hi","cache_control":{it}"#));
    let plain = Run::to_openai("gpt-5.1");
    let marks = plain
        .clone()
        .dialect(|dialect| dialect.cache_control = true);
    let claude = Run::to_anthropic("claude-opus-4-6");
    // Levels around the nest when it is read, and when it is told.
    for (run, body, read, told) in [
        (&plain, tool, 3, 4),
        (&claude, function, 4, 3),
        (&marks, marked, 3, 5),
        (&claude, message, 3, 5),
    ] {
        let deepest = DEPTH_MAX - read.max(told);
        let (out, _) = run.bytes(body(&nest(deepest)).as_bytes()).unwrap();
        let mut tape = Tape::new();
        assert!(tape.read(&out, 128, usize::MAX).is_ok());
        assert_eq!(tape.depth(), told + deepest);
        let deeper = body(&nest(deepest + 1));
        let rejection = run.bytes(deeper.as_bytes()).unwrap_err();
        let cause = if told > read {
            "128 levels"
        } else {
            "nested too deeply"
        };
        assert!(
            rejection.message().contains(cause),
            "{}",
            rejection.message()
        );
        assert!(rejection.param().is_none());
    }
    assert_eq!(Limits::default().json_depth_max as usize, DEPTH_MAX);
}

#[test]
fn arguments_that_come_as_a_string_stay_within_the_limit_as_an_object() {
    let call = |depth: usize| {
        let text = nest(depth).replace('"', "\\\"");
        chat("").replace(
            r#"{"role":"user","content":"hi"}"#,
            &format!(
                r#"{{"role":"user","content":"hi"}},{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{text}"}}}}]}},{{"role":"tool","tool_call_id":"c","content":"r"}}"#
            ),
        )
    };
    let claude = Run::to_anthropic("claude-opus-4-6");
    assert_eq!(claude.ok(&call(96)).notes, "");
    assert_eq!(claude.ok(&call(97)).notes, "changed=tool_calls");
}
