//! Holds answers against what the mock was told to send: text, usage, end.
//!
//! Of a stream, the first events of a shape are parsed; those that differ from the one before only
//! in their text are compared with it byte for byte, which is as strict and ten times cheaper: the
//! judge shares its core with the mock. Whole answers that repeat are compared likewise.
//!
//! A reader of the body alone: time and sockets are the caller's.

use std::collections::BTreeMap;

use crate::load::meaning::{self, Said};
use crate::load::order::Order;
use crate::load::tokens::Tokens;
use crate::mock::answer::{ARGUMENTS, THOUGHT, TOOL};
use crate::mock::script::{Fault, Script};
use crate::token::FILLER;
use crate::wire::Wire;

/// What an answer must be.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The client's wire.
    pub wire: Wire,
    /// Whether it is a stream.
    pub stream: bool,
    /// What the mock does.
    pub script: Script,
    /// Whether the gateway changes the wire: thinking may then be left out.
    pub translated: bool,
    /// Input tokens that usage must tell, if it is told.
    pub input: u64,
}

/// How an answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it was sent, and finished.
    Right,
    /// Not finished, and it does not look so: a status, an error, an end without end marker.
    Broken(String),
    /// Not what was sent, or finished where it should not be.
    Wrong(String),
}

impl Expect {
    /// Whether the mock breaks the answer.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        match self.script.fault {
            Fault::None => false,
            Fault::Status(_)
            | Fault::ResetAtOnce
            | Fault::ErrorAfter(_)
            | Fault::ResetAfter(_)
            | Fault::CloseAfter(_)
            | Fault::SilenceAfter(_) => true,
        }
    }

    /// Turns what an answer was into whether it should have been so.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, verdict: Verdict) -> Result<(), String> {
        match (verdict, self.is_broken()) {
            (Verdict::Right, false) | (Verdict::Broken(_), true) => Ok(()),
            (Verdict::Right, true) => Err("finished, though the provider broke it".to_owned()),
            (Verdict::Broken(why), false) => Err(format!("not finished: {why}")),
            (Verdict::Wrong(why), _) => Err(why),
        }
    }
}

/// Reads one answer's body.
#[derive(Debug)]
pub struct Judge<'e> {
    expect: &'e Expect,
    carry: Vec<u8>,
    shape: Shape,
    order: Order,
    text: Tokens,
    thinking: Tokens,
    tools: Vec<String>,
    arguments: BTreeMap<u64, String>,
    said: Said,
    ends: u32,
    after_end: bool,
    half: bool,
}

/// The event before, around its text.
#[derive(Debug, Default)]
struct Shape {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl<'e> Judge<'e> {
    /// A judge of one answer.
    #[must_use]
    pub fn new(expect: &'e Expect) -> Self {
        Self {
            expect,
            carry: Vec::new(),
            shape: Shape::default(),
            order: Order::new(expect.wire),
            text: Tokens::new(expect.script.delta_bytes),
            thinking: Tokens::new(expect.script.delta_bytes),
            tools: Vec::new(),
            arguments: BTreeMap::new(),
            said: Said::default(),
            ends: 0,
            after_end: false,
            half: false,
        }
    }

    /// Takes the next part of the body; appends the moments of deltas that are whole now.
    ///
    /// # Errors
    /// What was not sent like this.
    pub fn push(&mut self, mut part: &[u8], stamps: &mut Vec<u64>) -> Result<(), String> {
        if !self.expect.stream {
            self.carry.extend_from_slice(part);
            return self.bounded();
        }
        while let Some(end) = memchr::memchr(b'\n', part) {
            let (line, rest) = part.split_at(end);
            part = rest.get(1..).unwrap_or_default();
            if self.carry.is_empty() {
                self.line(line, stamps)?;
            } else {
                let mut carry = std::mem::take(&mut self.carry);
                carry.extend_from_slice(line);
                self.line(&carry, stamps)?;
                carry.clear();
                self.carry = carry;
            }
        }
        self.carry.extend_from_slice(part);
        self.bounded()
    }

    fn bounded(&self) -> Result<(), String> {
        match self.carry.len() > KEPT_BYTES_MAX {
            true => Err(format!("more than {KEPT_BYTES_MAX} bytes in one piece")),
            false => Ok(()),
        }
    }

    fn line(&mut self, line: &[u8], stamps: &mut Vec<u64>) -> Result<(), String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(data) = line.strip_prefix(b"data:") else {
            return self.other(line);
        };
        let data = data.strip_prefix(b" ").unwrap_or(data);
        self.after_end |= self.ends > 0;
        if !self.order.data() {
            return Err("data behind data without a blank line".to_owned());
        }
        if let Some(text) = self.shape.text_of(data)
            && self.order.is_named(TEXT_EVENT)
        {
            return self.text.push(text, stamps);
        }
        let said = match meaning::event(self.expect.wire, data) {
            Ok(said) => said,
            Err(fault) => return self.half_of(&fault),
        };
        if self.half && !said.error {
            return Err("an event after half of one".to_owned());
        }
        self.order.event(&said.kind, said.place)?;
        self.thinking.push(said.thinking.as_bytes(), stamps)?;
        self.text.push(said.text.as_bytes(), stamps)?;
        self.shape.learn(data, &said);
        self.take(said);
        Ok(())
    }

    /// A line without data.
    fn other(&mut self, line: &[u8]) -> Result<(), String> {
        match line.first() {
            None => self.order.blank(),
            Some(b':') => {}
            _ if line.starts_with(b"id:") => {}
            _ => match line.strip_prefix(b"event:") {
                Some(name) => self.order.named(name),
                None => {
                    return self.half_of(&format!("a line \"{}\"", line.escape_ascii()));
                }
            },
        }
        Ok(())
    }

    /// Bytes that a provider sent before it broke are passed on as they came: half of an event, once.
    fn half_of(&mut self, fault: &str) -> Result<(), String> {
        match self.expect.is_broken() && !self.half {
            true => {
                self.half = true;
                Ok(())
            }
            false => Err(fault.to_owned()),
        }
    }

    fn take(&mut self, said: Said) {
        self.tools.extend(said.tools);
        for (call, piece) in said.arguments {
            *self.arguments.entry(call).or_default() += &piece;
        }
        self.said.input = said.input.or(self.said.input);
        self.said.output = said.output.or(self.said.output);
        self.said.stop = said.stop.or_else(|| self.said.stop.take());
        self.said.error |= said.error;
        self.ends += u32::from(said.end);
    }

    /// The verdict, when the body is over: whether it ended as its framing must, and the status.
    #[must_use]
    pub fn finish(mut self, status: u16, is_whole: bool, good: &mut Vec<u8>) -> Verdict {
        if status != 200 {
            let said = self.carry.get(..200).unwrap_or(&self.carry).escape_ascii();
            return Verdict::Broken(format!("status {status} {said}"));
        }
        if !is_whole {
            return match self.ends > 0 && self.expect.is_broken() {
                true => Verdict::Wrong("an end marker on a broken body".to_owned()),
                false => Verdict::Broken("the body broke off".to_owned()),
            };
        }
        if !self.expect.stream {
            return self.finish_whole(good);
        }
        if (self.said.error || self.half) && self.ends == 0 {
            return Verdict::Broken("an error event".to_owned());
        }
        self.verdict(None)
    }

    fn finish_whole(&mut self, good: &mut Vec<u8>) -> Verdict {
        if !good.is_empty() && *good == self.carry {
            return Verdict::Right;
        }
        let said = match meaning::whole(self.expect.wire, &self.carry) {
            Ok(said) => said,
            Err(fault) => return Verdict::Wrong(fault),
        };
        let (text, thought) = (said.text.clone(), said.thinking.clone());
        self.take(said);
        let verdict = self.verdict(Some((&text, &thought)));
        if verdict == Verdict::Right {
            *good = std::mem::take(&mut self.carry);
        }
        verdict
    }

    fn verdict(&self, whole: Option<(&str, &str)>) -> Verdict {
        let script = &self.expect.script;
        let faults = [
            (self.ends != 1, format!("{} ends", self.ends)),
            (self.said.error, "an error beside an end".to_owned()),
            (self.after_end, "an event after the end".to_owned()),
            (
                self.order.is_open(),
                "an end without a blank line".to_owned(),
            ),
            (!self.stop_is_right(), self.stop_fault()),
            (!self.texts_are_right(whole), self.text_fault(whole)),
            (
                !self.tools_are_right(),
                format!("tool calls {:?}", self.arguments),
            ),
            (!self.usage_is_right(), self.usage_fault()),
        ];
        // A stream that ends without any end marker is visibly unfinished: not a lie.
        if self.ends == 0 && self.expect.stream {
            return Verdict::Broken("no end marker".to_owned());
        }
        let wrong = faults.into_iter().find(|(is_wrong, _)| *is_wrong);
        match wrong {
            Some((_, why)) => Verdict::Wrong(why),
            None if script.fault == Fault::None => Verdict::Right,
            None => Verdict::Wrong("finished, though the provider broke it".to_owned()),
        }
    }

    fn texts_are_right(&self, whole: Option<(&str, &str)>) -> bool {
        let script = &self.expect.script;
        let left_out = |is_empty: bool| is_empty && self.expect.translated;
        match whole {
            None => {
                let whole = self.text.is_whole() && self.thinking.is_whole();
                let thought = self.thinking.count;
                whole
                    && self.text.count == script.deltas
                    && (thought == script.thinking || left_out(thought == 0))
            }
            Some((text, thought)) => {
                let expected = if script.thinking > 0 { THOUGHT } else { "" };
                text.len() == script.answer_bytes
                    && text.bytes().all(|byte| byte == FILLER)
                    && (thought == expected || left_out(thought.is_empty()))
            }
        }
    }

    fn text_fault(&self, whole: Option<(&str, &str)>) -> String {
        let script = &self.expect.script;
        match whole {
            None => format!(
                "{} of {} deltas, {} of {} of thinking",
                self.text.count, script.deltas, self.thinking.count, script.thinking
            ),
            Some((text, _)) => format!("{} of {} bytes of text", text.len(), script.answer_bytes),
        }
    }

    fn stop_is_right(&self) -> bool {
        let expected = match (self.expect.wire, self.expect.script.tools > 0) {
            (Wire::Openai, false) => "stop",
            (Wire::Openai, true) => "tool_calls",
            (Wire::Anthropic, false) => "end_turn",
            (Wire::Anthropic, true) => "tool_use",
        };
        self.said.stop.as_deref() == Some(expected)
    }

    fn stop_fault(&self) -> String {
        match &self.said.stop {
            Some(reason) => format!("stopped by {reason:?}"),
            None => "no reason to stop".to_owned(),
        }
    }

    fn tools_are_right(&self) -> bool {
        let count = self.expect.script.tools as usize;
        let expected: serde_json::Value = serde_json::from_str(ARGUMENTS).unwrap_or_default();
        let same = |text: &String| {
            serde_json::from_str(text).is_ok_and(|v: serde_json::Value| v == expected)
        };
        self.tools.len() == count
            && self.tools.iter().all(|name| name == TOOL)
            && self.arguments.len() == count
            && self.arguments.values().all(same)
    }

    fn usage_is_right(&self) -> bool {
        if !self.expect.script.usage {
            return true;
        }
        let output = match self.expect.stream {
            true => self.expect.script.stream_tokens(),
            false => self.expect.script.answer_bytes as u64,
        };
        (self.said.input, self.said.output) == (Some(self.expect.input), Some(output))
    }

    fn usage_fault(&self) -> String {
        let (input, output) = (self.said.input, self.said.output);
        format!(
            "usage {input:?} in, {output:?} out; {} in was due",
            self.expect.input
        )
    }
}

impl Shape {
    /// Remembers an event that says text alone, once, unescaped; forgets the last one otherwise.
    fn learn(&mut self, data: &[u8], said: &Said) {
        self.before.clear();
        self.after.clear();
        let is_delta = said.kind == TEXT_EVENT || said.kind.is_empty();
        let only_text = Said {
            text: said.text.clone(),
            kind: said.kind.clone(),
            place: said.place,
            ..Said::default()
        };
        if said.text.is_empty() || !is_delta || *said != only_text {
            return;
        }
        let mut found = memchr::memmem::find_iter(data, said.text.as_bytes());
        if let (Some(at), None) = (found.next(), found.next()) {
            let (before, rest) = data.split_at(at);
            self.before.extend_from_slice(before);
            self.after
                .extend_from_slice(rest.get(said.text.len()..).unwrap_or_default());
        }
    }

    /// The text of an event that differs from the remembered one in nothing else.
    fn text_of<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        if self.before.is_empty() {
            return None;
        }
        let text = data
            .strip_prefix(&*self.before)?
            .strip_suffix(&*self.after)?;
        let plain = memchr::memchr2(b'"', b'\\', text).is_none();
        plain.then_some(text)
    }
}

/// The event that has text in the Anthropic wire; in the other one events have no kind.
const TEXT_EVENT: &str = "content_block_delta";
/// A whole answer, or a line of a stream.
const KEPT_BYTES_MAX: usize = 128 << 20;

#[cfg(test)]
mod tests;
