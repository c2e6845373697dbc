//! A stream of the OpenAI wire, held against its grammar.
//!
//! ```text
//! stream := first delta* finish usage done
//! ```
//!
//! One id, time and model on all chunks; the role once, on the first; one kind of growth a delta;
//! calls numbered from 0, id and name on their first fragment only; one finish reason; one usage
//! chunk without choices behind it; `[DONE]` as the last.

use crate::demo::meaning::{Call, Delta, Meaning};
use crate::demo::reader::Record;
use crate::demo::stub::script::{Counts, Stop};
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::{EVENT_VALUES_MAX, Limits};

/// Checks one stream.
#[derive(Debug, Default)]
pub struct Checker {
    /// `id`, `created` and `model` as they stood on the first chunk.
    label: Option<[Vec<u8>; 3]>,
    state: State,
    meaning: Meaning,
    tape: Tape,
}

/// What may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    First,
    Deltas,
    Usage,
    Done,
    Over,
}

impl Checker {
    /// Takes the next record.
    ///
    /// # Errors
    /// What the wire does not allow here.
    pub fn record(&mut self, record: &Record) -> Result<Delta, String> {
        if let Some(event) = &record.event {
            return Err(format!("an event name on the OpenAI wire: {event:?}"));
        }
        if record.data == "[DONE]" {
            return self.end(State::Done, State::Over).map(|()| Delta::Silent);
        }
        let mut tape = core::mem::take(&mut self.tape);
        let depth = Limits::default().json_depth_max;
        let chunk = tape.read(record.data.as_bytes(), depth, EVENT_VALUES_MAX);
        let delta = chunk
            .map_err(|error| format!("a chunk that is no JSON: {error}"))
            .and_then(|chunk| self.chunk(chunk));
        self.tape = tape;
        delta
    }

    /// Ends the stream: what it said.
    ///
    /// # Errors
    /// It had not come to its end.
    pub fn finish(self) -> Result<Meaning, String> {
        match self.state {
            State::Over => Ok(self.meaning),
            state => Err(format!("the stream ended early (in {state:?})")),
        }
    }

    fn end(&mut self, from: State, to: State) -> Result<(), String> {
        if self.state != from {
            return Err(format!("out of order: {to:?} in {:?}", self.state));
        }
        self.state = to;
        Ok(())
    }

    fn chunk(&mut self, chunk: Value<'_>) -> Result<Delta, String> {
        if chunk.get("error").is_some() {
            let text = String::from_utf8_lossy(chunk.source()).into_owned();
            return Err(format!("an error within the stream: {text}"));
        }
        self.check_label(chunk)?;
        let choices = chunk
            .get("choices")
            .filter(|it| it.kind() == JsonKind::Array);
        let choices = choices.ok_or("a chunk without choices")?;
        let usage = chunk.get_set("usage");
        let mut elements = choices.elements();
        let Some(choice) = elements.next() else {
            self.end(State::Usage, State::Done)?;
            self.meaning.counts = Some(counts(usage.ok_or("neither choices nor usage")?)?);
            return Ok(Delta::Silent);
        };
        if elements.next().is_some() || choice.get("index").and_then(Value::as_u64) != Some(0) {
            return Err("a choice that was not asked for".to_owned());
        }
        if usage.is_some() {
            return Err("usage on a chunk with choices".to_owned());
        }
        let delta = choice
            .get("delta")
            .filter(|it| it.kind() == JsonKind::Object);
        let delta = delta.ok_or("a choice without delta")?;
        match choice.get_set("finish_reason") {
            Some(reason) => {
                self.end(State::Deltas, State::Usage)?;
                if delta.members().next().is_some() {
                    return Err("a delta with members beside the finish reason".to_owned());
                }
                self.meaning.stop = Some(stop(reason)?);
                Ok(Delta::Silent)
            }
            None => self.delta(delta),
        }
    }

    /// Members that all chunks have in common.
    fn check_label(&mut self, chunk: Value<'_>) -> Result<(), String> {
        let is_chunk = |object: Value<'_>| object.is_str("chat.completion.chunk");
        if !chunk.get("object").is_some_and(is_chunk) {
            return Err("object is not chat.completion.chunk".to_owned());
        }
        let mut label = [Vec::new(), Vec::new(), Vec::new()];
        let kinds = [JsonKind::String, JsonKind::Number, JsonKind::String];
        for ((slot, name), kind) in label.iter_mut().zip(["id", "created", "model"]).zip(kinds) {
            let value = chunk.get(name).filter(|value| value.kind() == kind);
            let value = value.ok_or_else(|| format!("a chunk without {name}"))?;
            if value.as_raw().is_some_and(|raw| raw.is_empty()) {
                return Err(format!("an empty {name}"));
            }
            *slot = value.source().to_vec();
        }
        match &self.label {
            Some(first) if *first != label => Err("id, created or model changed".to_owned()),
            Some(_) => Ok(()),
            None => {
                self.label = Some(label);
                Ok(())
            }
        }
    }

    fn delta(&mut self, delta: Value<'_>) -> Result<Delta, String> {
        let role = delta.get("role");
        if self.state == State::First {
            if !role.is_some_and(|role| role.is_str("assistant")) {
                return Err("the first delta has no role".to_owned());
            }
            self.state = State::Deltas;
        } else if role.is_some() {
            return Err("the role came twice".to_owned());
        }
        if self.state != State::Deltas {
            return Err(format!("a delta in {:?}", self.state));
        }
        let mut found = Vec::new();
        for (name, value) in delta.members() {
            if value.is_null() {
                continue;
            }
            match name.decode().as_str() {
                "role" => {}
                "content" => found.extend(growth(value, Delta::Text)?),
                "reasoning_content" => found.extend(growth(value, Delta::Thinking)?),
                "reasoning_details" => self.details(value)?,
                "tool_calls" => found.push(self.tool_call(value)?),
                other => return Err(format!("a delta with {other:?}")),
            }
        }
        let mut found = found.into_iter();
        let delta = found.next().unwrap_or(Delta::Silent);
        if found.next().is_some() {
            return Err("a delta that grows in two ways".to_owned());
        }
        self.meaning.add(&delta)?;
        Ok(delta)
    }

    fn tool_call(&mut self, list: Value<'_>) -> Result<Delta, String> {
        let mut elements = list.elements();
        let call = elements.next().ok_or("empty tool_calls")?;
        if elements.next().is_some() {
            return Err("two tool calls in one delta".to_owned());
        }
        let index = call.get("index").and_then(Value::as_u64);
        let index = index.ok_or("a tool call without index")?;
        let count = self.meaning.calls.len() as u64;
        let function = call.get("function").ok_or("a tool call without function")?;
        let arguments = text(function.get("arguments"), "arguments")?;
        if index == count {
            let is_function = |kind: Value<'_>| kind.is_str("function");
            if !call.get("type").is_some_and(is_function) {
                return Err("a tool call that is no function".to_owned());
            }
            let name = text(function.get("name"), "name")?;
            self.meaning.calls.push(Call {
                id: text(call.get("id"), "id")?,
                name: name.clone(),
                arguments,
            });
            return Ok(Delta::Call(name));
        }
        if index.checked_add(1) != Some(count) {
            return Err(format!("arguments for call {index} of {count}"));
        }
        if call.get("id").is_some() || function.get("name").is_some() {
            return Err("id or name of a tool call came twice".to_owned());
        }
        Ok(Delta::Arguments(arguments))
    }

    /// Details repeat the thinking; they alone bring the signature.
    fn details(&mut self, list: Value<'_>) -> Result<(), String> {
        for entry in list.elements() {
            if !entry
                .get("type")
                .is_some_and(|kind| kind.is_str("reasoning.text"))
            {
                return Err("a reasoning detail that is no text".to_owned());
            }
            if let Some(signature) = entry.get_set("signature") {
                self.meaning.signature += &text(Some(signature), "signature")?;
            }
        }
        Ok(())
    }
}

fn growth(value: Value<'_>, make: fn(String) -> Delta) -> Result<Option<Delta>, String> {
    let piece = text(Some(value), "a growing member")?;
    Ok((!piece.is_empty()).then(|| make(piece)))
}

fn text(value: Option<Value<'_>>, name: &str) -> Result<String, String> {
    let raw = value.and_then(Value::as_raw);
    let raw = raw.ok_or_else(|| format!("{name} is no string"))?;
    Ok(raw.decode())
}

fn stop(reason: Value<'_>) -> Result<Stop, String> {
    let text = text(Some(reason), "finish_reason")?;
    match text.as_str() {
        "stop" => Ok(Stop::Done),
        "length" => Ok(Stop::Length),
        "tool_calls" => Ok(Stop::Tools),
        "content_filter" => Ok(Stop::Refusal),
        other => Err(format!("finish reason {other:?}")),
    }
}

fn counts(usage: Value<'_>) -> Result<Counts, String> {
    let number = |value: Option<Value<'_>>, name: &str| {
        let number = value.and_then(|value| value.get(name)?.as_u64());
        number.ok_or_else(|| format!("usage without {name}"))
    };
    let counts = Counts {
        input: number(Some(usage), "prompt_tokens")?,
        output: number(Some(usage), "completion_tokens")?,
        cached: number(usage.get("prompt_tokens_details"), "cached_tokens")?,
        thinking: number(usage.get("completion_tokens_details"), "reasoning_tokens")?,
    };
    if number(Some(usage), "total_tokens")? != counts.input.saturating_add(counts.output) {
        return Err("total_tokens is not the sum".to_owned());
    }
    Ok(counts)
}

#[cfg(test)]
mod tests;
