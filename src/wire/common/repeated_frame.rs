//! Reads a frame that repeats the one before, its text apart, without indexing it.
//!
//! Nearly all frames of a stream are such repetitions. What a frame does to a decoder is the same
//! as what the one before did, as long as only its text differs and no frame of another shape came
//! between.
//!
//! The decoder asks [`RepeatedFrame::read`] first. Where that finds nothing it decodes the frame as a whole,
//! noting its events in [`SingleDelta`], and hands the result to [`RepeatedFrame::learn`].

use core::ops::Range;

use crate::chat::event::Event;
use crate::json::raw::Raw;
use crate::json::template::{Template, span_in};
use crate::limits::IDLE_FRAME_BYTES;

/// The frame before, if it was one delta and nothing else.
#[derive(Debug, Default)]
pub struct RepeatedFrame {
    template: Template,
    /// Which of the template's strings is the text.
    place: usize,
    kind: Option<Kind>,
}

/// A delta without its text.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text { block: u32 },
    Refusal,
    Thinking { block: u32 },
    ToolArguments { tool: u32 },
}

impl RepeatedFrame {
    /// The one event of a frame like the frame before. Text that is empty might mean something
    /// else, so such a frame is none. Whether arguments are whole by now is for the caller to say.
    #[must_use]
    pub fn read<'t>(&self, data: &'t [u8]) -> Option<Event<'t>> {
        let kind = self.kind?;
        let text = *self.template.read(data)?.get(self.place)?;
        (!text.is_empty()).then_some(match kind {
            Kind::Text { block } => Event::Text { block, text },
            Kind::Refusal => Event::Refusal { text },
            Kind::Thinking { block } => Event::Thinking { block, text },
            Kind::ToolArguments { tool } => Event::ToolArguments {
                tool,
                json: text,
                whole: false,
            },
        })
    }

    /// Remembers a frame whose events went by `only`; `others` are further strings of it that vary
    /// and mean nothing.
    pub fn learn(&mut self, data: &[u8], only: &SingleDelta, others: [Option<Raw<'_>>; 2]) {
        self.kind = None;
        let (Some((kind, text)), 1) = (only.delta.clone(), only.events) else {
            return;
        };
        let mut holes = [text.clone(), EMPTY, EMPTY];
        let mut count = 1;
        let spans = others
            .into_iter()
            .flatten()
            .filter_map(|other| span_in(data, other));
        for (span, hole) in spans.zip(holes.iter_mut().skip(1)) {
            *hole = span;
            count += 1;
        }
        let Some(holes) = holes.get_mut(..count) else {
            return;
        };
        holes.sort_unstable_by_key(|hole| hole.start);
        self.place = holes.iter().position(|hole| *hole == text).unwrap_or(0);
        self.template.learn(data, holes, IDLE_FRAME_BYTES);
        self.kind = Some(kind);
    }

    /// Forgets the frame before.
    pub const fn forget(&mut self) {
        self.kind = None;
    }
}

/// Notes the events of one frame.
#[derive(Debug, Default)]
pub struct SingleDelta {
    events: u32,
    delta: Option<(Kind, Range<usize>)>,
}

impl SingleDelta {
    /// Notes an event of the frame with this data.
    pub fn note(&mut self, event: &Event<'_>, data: &[u8]) {
        self.events = self.events.saturating_add(1);
        let (kind, text) = match *event {
            Event::Text { block, text } => (Kind::Text { block }, text),
            Event::Refusal { text } => (Kind::Refusal, text),
            Event::Thinking { block, text } => (Kind::Thinking { block }, text),
            Event::ToolArguments { tool, json, .. } => (Kind::ToolArguments { tool }, json),
            Event::Start { .. }
            | Event::Signature { .. }
            | Event::Redacted { .. }
            | Event::Citation(_)
            | Event::BlockStop { .. }
            | Event::ToolStart { .. }
            | Event::ToolStop { .. }
            | Event::Ping
            | Event::End(_) => return,
        };
        self.delta = span_in(data, text).map(|span| (kind, span));
    }
}

const EMPTY: Range<usize> = 0..0;
