//! Token counts of the endpoints beside chats: responses, completions, embeddings, images,
//! transcriptions.
//!
//! Two spellings: `input_tokens` with `output_tokens`, as Responses has them, and `prompt_tokens` with
//! `completion_tokens`. In both the input holds what a cache gave or took, which the neutral form
//! keeps apart. An endpoint that gives no text back names no output: it is nought then.

use crate::chat::usage::Usage;
use crate::json::tape::Value;
use crate::wire::openai::usage;

/// Reads a `usage` object; nothing if it tells no tokens.
#[must_use]
pub fn read(object: Value<'_>) -> Option<Usage> {
    let mut usage = usage::read(object).or_else(|| read_responses(object))?;
    usage.output = usage.output.or_else(|| usage.input.map(|_| 0));
    Some(usage)
}

fn read_responses(object: Value<'_>) -> Option<Usage> {
    let count = |name| object.get(name).and_then(Value::as_u64);
    let (input, output) = (count("input_tokens"), count("output_tokens"));
    // Some services tell of embeddings and rankings no more than the sum.
    let input = input.or_else(|| count("total_tokens").filter(|_| output.is_none()));
    if input.is_none() && output.is_none() {
        return None;
    }
    // Transcriptions spell the first of these without the `s`.
    let details = object.get_set("input_tokens_details");
    let details = details.or_else(|| object.get_set("input_token_details"));
    let of_input = |name| details?.get(name).and_then(Value::as_u64);
    let of_output = |name| {
        let details = object.get_set("output_tokens_details")?;
        details.get(name).and_then(Value::as_u64)
    };
    let (cached, written) = (of_input("cached_tokens"), of_input("cache_write_tokens"));
    let apart = cached.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Some(Usage {
        input: input.map(|all| all.saturating_sub(apart)),
        cache_read: cached,
        cache_write: written,
        output,
        reasoning: of_output("reasoning_tokens"),
        audio_input: of_input("audio_tokens"),
        audio_output: of_output("audio_tokens"),
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::chat::usage::Usage;
    use crate::json::tape::Tape;

    fn check(object: &str, expected: Option<Usage>) {
        let mut tape = Tape::new();
        let root = tape.read(object.as_bytes(), 8, 100).unwrap();
        assert_eq!(read(root), expected, "{object}");
    }

    #[test]
    fn both_spellings_are_read_and_what_a_cache_gave_stands_apart() {
        let usage = Usage {
            input: Some(60),
            cache_read: Some(30),
            cache_write: Some(10),
            output: Some(20),
            reasoning: Some(5),
            ..Usage::default()
        };
        check(
            r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":30,
                "cache_write_tokens":10},"output_tokens":20,
                "output_tokens_details":{"reasoning_tokens":5},"total_tokens":120}"#,
            Some(usage),
        );
        let embedded = Usage {
            input: Some(8),
            output: Some(0),
            ..Usage::default()
        };
        check(r#"{"prompt_tokens":8,"total_tokens":8}"#, Some(embedded));
        check(r#"{"total_tokens":8}"#, Some(embedded));
        let heard = Usage {
            audio_input: Some(7),
            ..embedded
        };
        check(
            r#"{"type":"tokens","input_tokens":8,"input_token_details":{"audio_tokens":7}}"#,
            Some(heard),
        );
        check(r#"{"type":"duration","seconds":3}"#, None);
        check("{}", None);
        check("[1]", None);
    }
}
