//! Watches a relayed answer for token counts, model, deltas and the event that ends it.
//!
//! The tap alters and delays nothing, and no fault of what passes is a fault here: an endpoint that is
//! relayed may answer whatever it likes. A stream of events is looked at event by event, everything
//! else that begins with a brace as one document. Neither is kept: what matters is picked out as it
//! passes (see `json::pick`), so that an event or a document may be of any length.
//!
//! Invariant: the same is told for every way of cutting the same answer.

use crate::chat::usage::{End, StopReason, Usage};
use crate::json::pick::{Picker, VALUE_BYTES_MAX};
use crate::json::raw::Raw;
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::Tape;
use crate::limits::LOGGED_ID_BYTES_MAX;
use crate::translate::progress::Progress;
use crate::wire::anthropic::usage as anthropic_usage;
use crate::wire::kind::Wire;
use crate::wire::openai::relayed_usage;

/// Reads along one relayed answer.
#[derive(Debug)]
pub struct RelayTap {
    wire: Wire,
    form: Form,
    picker: Picker,
    line: Line,
    /// The start of a line, until it is known what the line is. At most [`FIELD`] long.
    start: Vec<u8>,
    /// No line has ended: a byte order mark may open this one.
    is_first: bool,
    /// The last line ended with a CR, whose LF may follow.
    after_cr: bool,
    /// How much of [`DONE`] the event's data has spelled; `None`: it is something else.
    done: Option<usize>,
    /// The event at hand has data.
    has_data: bool,
    usage: Usage,
    stop: Option<StopReason>,
    model: Option<Box<str>>,
    progress: Progress,
    tape: Tape,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Not known yet: nothing but blanks and a byte order mark has come.
    Unknown,
    /// One JSON object.
    Document,
    /// Events.
    Events,
    /// Anything else.
    Other,
}

/// What the line of an event stream at hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Its field's name is still coming.
    Start,
    /// Data.
    Data,
    /// Another field, or a comment.
    Skipped,
}

impl RelayTap {
    /// A tap on an answer of a provider of `wire`.
    #[must_use]
    pub fn new(wire: Wire, is_events: bool) -> Self {
        Self {
            wire,
            form: if is_events {
                Form::Events
            } else {
                Form::Unknown
            },
            picker: Picker::new(NAMES, "response"),
            line: Line::Start,
            start: Vec::new(),
            is_first: true,
            after_cr: false,
            done: Some(0),
            has_data: false,
            usage: Usage::default(),
            stop: None,
            model: None,
            progress: Progress::START,
            tape: Tape::new(),
        }
    }

    /// Looks at a piece of the body.
    pub fn push(&mut self, input: &[u8]) -> Progress {
        (self.progress.deltas, self.progress.events) = (0, 0);
        if self.form == Form::Unknown {
            let first = input
                .iter()
                .find(|byte| !byte.is_ascii_whitespace() && !MARK.contains(byte));
            self.form = match first {
                None => Form::Unknown,
                Some(b'{') => Form::Document,
                Some(_) => Form::Other,
            };
        }
        match self.form {
            Form::Document => self.picker.push(input),
            Form::Events => self.lines(input),
            Form::Unknown | Form::Other => {}
        }
        self.progress
    }

    /// Ends the body: what a document has said counts if it is `whole`, as does an event without its
    /// blank line.
    pub fn finish(&mut self, whole: bool) -> Progress {
        (self.progress.deltas, self.progress.events) = (0, 0);
        if whole {
            match self.form {
                Form::Document => self.take(),
                Form::Events => self.event(),
                Form::Unknown | Form::Other => {}
            }
        }
        self.progress.end = if whole { End::Complete } else { End::Truncated };
        self.progress
    }

    /// Whether the answer is a stream of events.
    #[must_use]
    pub fn is_events(&self) -> bool {
        self.form == Form::Events
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Why the model stopped, where the answer says so.
    #[must_use]
    pub const fn stop(&self) -> Option<StopReason> {
        self.stop
    }

    /// The model that the provider says is answering, cut to what is logged.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Bytes of memory that are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.picker.held_bytes()
    }

    fn lines(&mut self, input: &[u8]) {
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            if core::mem::take(&mut self.after_cr) && byte == b'\n' {
                rest = after;
                continue;
            }
            if self.line == Line::Start {
                rest = after;
                self.start_of_line(byte);
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (text, behind) = rest.split_at(end);
            if self.line == Line::Data {
                self.data(text);
            }
            if let Some((&end, after)) = behind.split_first() {
                self.after_cr = end == b'\r';
                self.line = Line::Start;
                rest = after;
            } else {
                rest = behind;
            }
        }
    }

    fn start_of_line(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\r') {
            self.is_first = false;
            self.after_cr = byte == b'\r';
            if self.start.is_empty() {
                self.event();
            }
            self.start.clear();
            return;
        }
        self.start.push(byte);
        self.is_first &= MARK.starts_with(&self.start);
        if self.start == MARK && core::mem::take(&mut self.is_first) {
            self.start.clear();
        } else if self.start == FIELD {
            self.line = Line::Data;
            self.start.clear();
        } else if !FIELD.starts_with(&self.start) && !MARK.starts_with(&self.start) {
            self.line = Line::Skipped;
            self.start.clear();
        }
    }

    fn data(&mut self, text: &[u8]) {
        self.has_data |= !text.is_empty();
        for byte in text {
            match self.done {
                Some(0) if *byte == b' ' => {}
                Some(at) if DONE.get(at) == Some(byte) => self.done = Some(at + 1),
                Some(_) => self.done = None,
                None => break,
            }
        }
        self.picker.push(text);
    }

    /// An event has ended.
    fn event(&mut self) {
        if !core::mem::take(&mut self.has_data) {
            return;
        }
        self.progress.events = self.progress.events.saturating_add(1);
        if self.done == Some(DONE.len()) {
            self.progress.end = End::Complete;
        }
        self.done = Some(0);
        let is = |name: usize, text: &str| self.picker.text(name).is_some_and(|it| it.is(text));
        if ENDS.iter().any(|kind| is(TYPE, kind)) {
            self.progress.end = End::Complete;
        }
        let is_delta = self.picker.value(TYPE).is_some_and(|kind| {
            let kind = kind.strip_suffix(b"\"").unwrap_or(kind);
            kind.ends_with(b".delta")
        });
        if is_delta || is(OBJECT, "text_completion") && !self.usage.is_known() {
            self.progress.content = true;
            self.progress.deltas = self.progress.deltas.saturating_add(1);
        }
        self.take();
        self.picker.reset();
    }

    /// Takes over what the document or event at hand says.
    fn take(&mut self) {
        if let Some(usage) = self.picker.value(USAGE)
            && let Ok(object) = self.tape.read(usage, DEPTH_MAX, VALUE_BYTES_MAX)
        {
            match self.wire {
                Wire::OpenAiChat => {
                    self.usage = relayed_usage::read(object).unwrap_or(self.usage);
                }
                Wire::AnthropicMessages => anthropic_usage::merge(object, &mut self.usage),
            }
        }
        if self.model.is_none()
            && let Some(model) = self.picker.text(MODEL).filter(|model| !model.is_empty())
        {
            self.model = Some(model.decode_start(LOGGED_ID_BYTES_MAX).into());
        }
        self.stop = match self.picker.text(STATUS) {
            Some(status) => stop_of(status),
            None => self.stop,
        };
    }
}

/// Why a response of this status stopped.
fn stop_of(status: Raw<'_>) -> Option<StopReason> {
    if status.is("completed") {
        Some(StopReason::EndTurn)
    } else if status.is("incomplete") {
        Some(StopReason::MaxTokens)
    } else {
        None
    }
}

/// Members that are picked out, of the document or event and of a `response` in it.
const NAMES: &[&str] = &["usage", "model", "type", "status", "object"];
const USAGE: usize = 0;
const MODEL: usize = 1;
const TYPE: usize = 2;
const STATUS: usize = 3;
const OBJECT: usize = 4;
/// Kinds of events behind which a stream has no more to say.
const ENDS: &[&str] = &[
    "response.completed",
    "response.incomplete",
    "response.failed",
    "image_generation.completed",
    "image_edit.completed",
    "transcript.text.done",
    "speech.audio.done",
];
const FIELD: &[u8] = b"data:";
const DONE: &[u8] = b"[DONE]";
const MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::RelayTap;
    use crate::chat::usage::{End, StopReason};
    use crate::wire::kind::Wire;

    const STREAM: &str = "\u{feff}event: response.created\r\ndata: {\"type\":\"response.created\",\"response\":{\"model\":\"gpt-x\",\"usage\":null,\"status\":\"in_progress\"}}\r\n\r\n\
        : note\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"data: {\\\"usage\\\":1}\"}\n\n\
        data:{\"type\":\"response.completed\",\ndata: \"response\":{\"output\":[{\"usage\":1}],\"status\":\"completed\",\"usage\":{\"input_tokens\":11,\"output_tokens\":4}}}\n\n";

    #[test]
    fn a_stream_of_responses_is_read_for_every_cut() {
        let bytes = STREAM.as_bytes();
        for cut in 0..=bytes.len() {
            let mut tap = RelayTap::new(Wire::OpenAiChat, true);
            let (first, second) = bytes.split_at(cut);
            let one = tap.push(first);
            let two = tap.push(second);
            assert_eq!(two.end, End::Complete, "{cut}");
            assert_eq!((one.deltas + two.deltas, one.events + two.events), (1, 3));
            let usage = tap.usage();
            assert_eq!((usage.input, usage.output), (Some(11), Some(4)), "{cut}");
            assert_eq!(tap.model(), Some("gpt-x"));
            assert_eq!(tap.stop(), Some(StopReason::EndTurn));
        }
    }

    #[test]
    fn a_document_is_read_once_it_is_whole_and_anything_else_never() {
        let document = br#" {"object":"list","data":[{"usage":{"prompt_tokens":1}}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
        for (whole, input) in [(true, Some(8)), (false, None)] {
            let mut tap = RelayTap::new(Wire::OpenAiChat, false);
            for byte in document {
                tap.push(&[*byte]);
            }
            tap.finish(whole);
            assert_eq!(tap.usage().input, input);
        }
        let mut tap = RelayTap::new(Wire::OpenAiChat, false);
        tap.push(b"ID3{\"usage\":{\"prompt_tokens\":8}}");
        assert_eq!(tap.finish(true).end, End::Complete);
        assert!(!tap.usage().is_known());
    }

    #[test]
    fn the_end_of_completions_is_their_terminator() {
        let mut tap = RelayTap::new(Wire::OpenAiChat, true);
        let chunk = "data: {\"object\":\"text_completion\",\"choices\":[{\"text\":\"a\"}]}\n\n";
        let progress = tap.push(chunk.repeat(3).as_bytes());
        assert_eq!((progress.deltas, progress.end), (3, End::Open));
        assert_eq!(tap.push(b"data: [DONE]\n\n").end, End::Complete);
    }
}
