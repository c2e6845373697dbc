//! Takes reasoning out of the assistant messages of a Chat Completions history.
//!
//! Translated answers carry reasoning in members that the wire does not define; clients send them
//! back, and some providers refuse a message that has them. Only those members go; every other byte
//! of the body stays.
//!
//! Not here: which provider refuses them (`Dialect::strips_reasoning`).

use core::ops::Range;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::raw::Raw;
use crate::json::rewrite::{Edits, MemberSpan};
use crate::json::scan;
use crate::json::sink::{Scalar, Sink};
use crate::limits::{HISTORY_EDITS_MAX, Limits};

/// The carriers of reasoning in an assistant message.
pub const REASONING: [&str; 5] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "content_blocks",
];

/// The edits that take [`REASONING`] out of every message of the role `assistant`.
///
/// # Errors
/// The document's fault, or [`JsonErrorKind::Values`] when more than [`HISTORY_EDITS_MAX`] members
/// would have to go.
pub fn strip_reasoning(body: &[u8], limits: &Limits) -> Result<Edits, JsonError> {
    strip(body, limits, HISTORY_EDITS_MAX)
}

fn strip(body: &[u8], limits: &Limits, edits_max: usize) -> Result<Edits, JsonError> {
    let mut stripper = Stripper {
        body,
        edits: Edits::new(),
        edits_left: edits_max,
        depth: 0,
        in_messages: false,
        message: false,
        name: Name::Other,
        name_start: 0,
        index: 0,
        last_end: 0,
        members: Vec::new(),
        pending: None,
        assistant: false,
    };
    scan::document(body, limits.json_depth_max, &mut stripper)?;
    Ok(stripper.edits)
}

/// What the last name that counts was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Messages,
    Role,
    Reasoning,
    Other,
}

/// Walks outermost object (depth 1), `messages` (2), message (3).
struct Stripper<'b> {
    body: &'b [u8],
    edits: Edits,
    edits_left: usize,
    /// Open containers.
    depth: u32,
    /// Depth 2 is the array `messages`.
    in_messages: bool,
    /// Depth 3 is a message.
    message: bool,
    name: Name,
    name_start: usize,
    /// Members of the message so far.
    index: usize,
    /// Behind the message's last value.
    last_end: usize,
    /// Members of the message that carry reasoning.
    members: Vec<MemberSpan>,
    /// The last of them, until what follows it is known.
    pending: Option<MemberSpan>,
    /// The message's last role is `assistant`.
    assistant: bool,
}

impl Stripper<'_> {
    fn text(&self, span: Range<usize>) -> Raw<'_> {
        Raw::from_checked(self.body.get(span).unwrap_or_default())
    }

    fn message_name(&mut self, span: &Range<usize>) -> Result<(), JsonErrorKind> {
        let start = span.start.saturating_sub(1);
        self.settle(Some(start))?;
        let text = self.text(span.clone());
        self.name = if text.is("role") {
            Name::Role
        } else if REASONING.iter().any(|name| text.is(name)) {
            Name::Reasoning
        } else {
            Name::Other
        };
        self.name_start = start;
        self.index += 1;
        Ok(())
    }

    /// Files the pending member, now that what follows it is known.
    fn settle(&mut self, after_start: Option<usize>) -> Result<(), JsonErrorKind> {
        if let Some(member) = self.pending.take() {
            self.edits_left = self
                .edits_left
                .checked_sub(1)
                .ok_or(JsonErrorKind::Values)?;
            self.members.push(MemberSpan {
                after_start,
                ..member
            });
        }
        Ok(())
    }

    /// A value of the message has ended.
    fn end(&mut self, end: usize) {
        if self.name == Name::Reasoning {
            self.pending = Some(MemberSpan {
                index: self.index.saturating_sub(1),
                start: self.name_start,
                end,
                before_end: self.last_end,
                after_start: None,
            });
        }
        self.last_end = end;
        self.name = Name::Other;
    }
}

impl Sink for Stripper<'_> {
    fn name(&mut self, span: Range<usize>, _escaped: bool) -> Result<(), JsonErrorKind> {
        match self.depth {
            1 => {
                let messages = self.text(span).is("messages");
                self.name = if messages {
                    Name::Messages
                } else {
                    Name::Other
                };
                Ok(())
            }
            3 if self.message => self.message_name(&span),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        if self.depth == 3 && self.message {
            let quote = usize::from(matches!(scalar, Scalar::String { .. }));
            let end = span.end + quote;
            if self.name == Name::Role {
                self.assistant = quote == 1 && self.text(span).is("assistant");
            }
            self.end(end);
        }
        Ok(())
    }

    fn open(&mut self, object: bool, at: usize) -> Result<bool, JsonErrorKind> {
        let looks_inside = match self.depth {
            0 => true,
            1 => {
                self.in_messages = !object && self.name == Name::Messages;
                self.in_messages
            }
            2 if object && self.in_messages => {
                self.message = true;
                self.assistant = false;
                self.index = 0;
                self.last_end = at + 1;
                self.name = Name::Other;
                true
            }
            _ => false,
        };
        self.depth += 1;
        Ok(looks_inside)
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        self.depth = self.depth.saturating_sub(1);
        match self.depth {
            1 => self.in_messages = false,
            2 if self.message => {
                self.settle(None)?;
                if self.assistant {
                    self.edits.remove_members(&self.members);
                }
                self.members.clear();
                self.message = false;
            }
            3 if self.message => self.end(end),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
