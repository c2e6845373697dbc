//! What routing needs from a request's body, found in one scan without a tree.
//!
//! [`peek`] checks the whole document by the one grammar and, on the way, finds the members of the
//! outermost object that the gateway routes by, with their spans; escaped spellings of names are
//! seen, repeats are refused. It also tells a body that was sent to the other wire's endpoint, and
//! what the content needs of a model (see `needs`): images, PDF documents and audio in messages and
//! one level down in tool results, in documents made of blocks too, and tools; and how much of the
//! body is the data of such parts (see `media`).
//!
//! A body is looked into along a few paths only (`PeekPath`, with the members that mean something at
//! each); of everything else the grammar alone is checked.
//!
//! Promises: no allocation; a fault of the JSON outranks any other, among others the first in the
//! document is told, and what is missing comes last.
//!
//! Not here: which model ids exist, members that only a provider understands (they pass), what a
//! route changes (see `peek_edits`), the removal of reasoning from histories (see `history`).

use core::ops::Range;

use crate::json::error::JsonErrorKind;
use crate::json::raw::{ESCAPE_BYTES_MAX, Raw};
use crate::json::rewrite::MemberSpan;
use crate::json::scan;
use crate::json::sink::{Scalar, Sink};
use crate::limits::Limits;
use crate::wire::kind::Wire;
use crate::wire::peek::fault::{self, Param, PeekFault, PeekFaultKind};
use crate::wire::peek::found::{Found, Peek, Usage};
use crate::wire::peek::media::{Part, PartKind};
use crate::wire::peek::path::{Inner, PeekPath};
use crate::wire::peek::required_capabilities::Need;
use crate::wire::peek::routed_members::{Kind, Known, OWN};

/// Looks into a body that was sent to the endpoint of `wire`.
///
/// # Errors
/// The document's own fault if it has one, else the first of the others.
pub fn peek(body: &[u8], wire: Wire, limits: &Limits) -> Result<Peek, PeekFault> {
    let mut peek = Peek::default();
    peek_into(body, wire, limits, &mut peek).map(|()| peek)
}

/// The same, noted in `peek`, which is new: more than a kilobyte that needs no moving.
///
/// # Errors
/// Those of [`peek`].
pub fn peek_into(
    body: &[u8],
    wire: Wire,
    limits: &Limits,
    peek: &mut Peek,
) -> Result<(), PeekFault> {
    let mut peeker = Peeker::new(body, Some(wire), limits.json_members_max, peek);
    scan::document(body, limits.json_depth_max, &mut peeker)?;
    for known in [Known::Model, Known::Messages] {
        if peeker.peek.get(known).is_none() {
            peeker.blame(PeekFaultKind::Missing, Param::Top(known.name()), 0);
        }
    }
    peeker.fault.map_or(Ok(()), Err)
}

/// Looks into a JSON body on a relayed endpoint: for its model, if it names one, and for the
/// members that are the gateway's own. A document that is no object has neither. It is no chat: a
/// byte order mark and any number of members pass.
///
/// # Errors
/// The document's own fault, else the first of the others: a member that is repeated or of a wrong
/// type, a promise that is not kept.
pub fn peek_relayed(body: &[u8], limits: &Limits) -> Result<Peek, PeekFault> {
    let mut peek = Peek::default();
    let mut peeker = Peeker::new(body, None, usize::MAX, &mut peek);
    match scan::marked_document(body, limits.json_depth_max, &mut peeker) {
        Err(error) if error.kind == JsonErrorKind::NotObject => return Ok(Peek::default()),
        scanned => scanned?,
    }
    peeker.fault.map_or(Ok(peek), Err)
}

/// A value as its first byte and, for scalars, its last tell it.
struct Seen {
    kind: Kind,
    /// With its quotes, if it is a string.
    start: usize,
    /// Of a string's body; empty for anything else.
    text: Range<usize>,
    escaped: bool,
}

struct Peeker<'b> {
    body: &'b [u8],
    /// The endpoint's wire; none on relayed ones, where few members are looked at.
    wire: Option<Wire>,
    members_max: usize,
    fault: Option<PeekFault>,
    peek: &'b mut Peek,
    place: PeekPath,
    /// The container that is open is not looked into: its end comes next.
    passes_over: bool,
    /// The known member of the outermost object whose value comes or came last.
    current: Option<Known>,
    /// The opening quote of that object's last name.
    name_start: usize,
    /// The last name in `place`, if that lies deeper.
    inner: Option<Inner>,
    /// Elements of `messages`, `tools` or `functions` so far.
    item_count: u32,
    /// The outermost object's last name is `input`, on a relayed endpoint.
    is_input: bool,
    /// What the block at hand has said of itself.
    block: Block,
    /// What the part at hand has said of itself.
    part: Part,
}

/// What tells a PDF document, whichever of it comes first.
#[derive(Clone, Copy, Default)]
struct Block {
    /// It is a document.
    document: bool,
    /// Its source is an address: the wire has those of PDF documents alone.
    address: bool,
    /// Its source is of the type of PDF documents.
    pdf: bool,
}

impl<'b> Peeker<'b> {
    fn new(body: &'b [u8], wire: Option<Wire>, members_max: usize, peek: &'b mut Peek) -> Self {
        Self {
            body,
            wire,
            members_max,
            fault: None,
            peek,
            place: PeekPath::Outside,
            passes_over: false,
            current: None,
            name_start: 0,
            inner: None,
            item_count: 0,
            is_input: false,
            block: Block::default(),
            part: Part::default(),
        }
    }

    /// Notes the first fault; the scan goes on, because a fault of the JSON outranks it.
    #[cold]
    fn blame(&mut self, kind: PeekFaultKind, param: Param, at: usize) {
        let param = Some(param);
        self.fault.get_or_insert(PeekFault { kind, param, at });
    }

    fn text(&self, span: Range<usize>) -> &'b [u8] {
        self.body.get(span).unwrap_or_default()
    }

    /// Whether the string at `span` decodes to `text`.
    #[inline]
    fn spells(&self, span: &Range<usize>, escaped: bool, text: &str) -> bool {
        if escaped {
            return self.spells_escaped(span, text);
        }
        self.text(span.clone()) == text.as_bytes()
    }

    #[cold]
    fn spells_escaped(&self, span: &Range<usize>, text: &str) -> bool {
        span.len() <= text.len() * ESCAPE_BYTES_MAX
            && Raw::from_checked(self.text(span.clone())).is(text)
    }

    #[inline(never)]
    fn root_name(&mut self, span: &Range<usize>, escaped: bool) -> Result<(), JsonErrorKind> {
        let start = span.start.saturating_sub(1);
        if let Some(found) = self.current_found() {
            found.member.after_start = Some(start);
        }
        self.peek.tail.member_count += 1;
        if self.peek.tail.member_count > self.members_max {
            return Err(JsonErrorKind::Members);
        }
        self.name_start = start;
        self.is_input = self.wire.is_none() && self.spells(span, escaped, "input");
        let known = if escaped {
            Known::ALL
                .into_iter()
                .find(|known| self.spells(span, true, known.name()))
        } else {
            Known::from_name(self.text(span.clone()))
        };
        self.current = known.filter(|&known| self.wire.is_some() || is_read_everywhere(known));
        Ok(())
    }

    fn current_found(&mut self) -> Option<&mut Found> {
        let current = self.current? as usize;
        self.peek.found.get_mut(current)?.as_mut()
    }

    /// A value begins, in a container that is looked into.
    #[inline(always)]
    fn begin(&mut self, seen: &Seen) -> Result<(), JsonErrorKind> {
        match self.place {
            PeekPath::Outside if seen.kind != Kind::Object => return Err(JsonErrorKind::NotObject),
            PeekPath::Root => {
                if let Some(known) = self.current {
                    self.begin_known(known, seen);
                }
            }
            PeekPath::Messages | PeekPath::Tools | PeekPath::Functions => {
                self.item_count = self.item_count.saturating_add(1);
            }
            // Of others, members alone: lists have none.
            _ => match self.inner {
                Some(inner) if !inner.is_container() => self.begin_inner(inner, seen),
                _ => {}
            },
        }
        Ok(())
    }

    #[inline(never)]
    fn begin_known(&mut self, known: Known, seen: &Seen) {
        let repeated = self.peek.get(known).is_some() && known.must_be_single();
        if let Some(slot) = self.peek.found.get_mut(known as usize) {
            *slot = Some(Found {
                member: MemberSpan {
                    index: self.peek.tail.member_count.saturating_sub(1),
                    start: self.name_start,
                    end: seen.start,
                    before_end: self.peek.tail.at,
                    after_start: None,
                },
                value_start: seen.start,
                kind: seen.kind,
            });
        }
        let fault = if repeated {
            Some(PeekFaultKind::Repeated)
        } else {
            fault::of_known(known, (seen.kind, seen.text.is_empty()), self.wire)
        };
        if let Some(kind) = fault {
            let at = if repeated {
                self.name_start
            } else {
                seen.start
            };
            self.blame(kind, Param::Top(known.name()), at);
        }
    }

    #[inline(never)]
    fn begin_inner(&mut self, inner: Inner, seen: &Seen) {
        if inner == Inner::IncludeUsage {
            self.peek.options.usage_count += 1;
            self.peek.options.usage = Some(Usage {
                kind: seen.kind,
                start: seen.start,
                end: seen.start,
            });
            return;
        }
        if inner == Inner::UserId {
            self.peek.user_id = (seen.kind == Kind::String).then(|| seen.text.clone());
            return;
        }
        if seen.kind == Kind::String && inner.tells_of_parts() {
            self.note_part(inner, seen);
        }
        let Some(wire) = self.wire else { return };
        if let Some(other) = self.foreign(inner, seen).filter(|&other| other != wire) {
            let list = match self.place {
                PeekPath::Tool => "tools",
                _ => "messages",
            };
            let param = Param::Item {
                list,
                index: self.item_count.saturating_sub(1),
                name: match inner {
                    Inner::Type => "content",
                    _ => self.place.name_of(inner),
                },
            };
            self.blame(PeekFaultKind::WrongEndpoint(other), param, seen.start);
        }
    }

    /// Notes what a part, or what it carries, says of itself: what a model must take, and its data.
    fn note_part(&mut self, inner: Inner, seen: &Seen) {
        let text = Raw::from_checked(self.text(seen.text.clone()));
        match (inner, self.place) {
            (Inner::Type, PeekPath::Block | PeekPath::Result) => {
                let kind = PartKind::of(text, seen.escaped);
                self.part.is_of(kind);
                match kind {
                    Some(PartKind::Image | PartKind::Address) => self.need(Need::Vision),
                    Some(PartKind::Audio) => self.need(Need::Audio),
                    Some(PartKind::Document) => self.block.document = true,
                    Some(PartKind::InputImage | PartKind::File) | None => {}
                }
            }
            (Inner::Type, PeekPath::Inset | PeekPath::ResultInset) => {
                let kind = PartKind::of(text, seen.escaped);
                self.part.is_of(kind);
                if kind == Some(PartKind::Image) {
                    self.need(Need::Vision);
                }
            }
            (Inner::Type, place) => {
                self.part.has_source(text);
                let is_own = matches!(place, PeekPath::Source | PeekPath::ResultSource);
                self.block.address |= is_own && text.is("url");
            }
            (Inner::MediaType, _) => {
                let is_pdf = text.is("application/pdf");
                self.part.has_pdf(is_pdf);
                self.block.pdf |= is_pdf;
            }
            (Inner::FileData, place) => {
                let kind = self.part.has_file(text);
                if let (Some(need), PeekPath::File) = (kind, place) {
                    self.need(need);
                }
            }
            (Inner::Data, PeekPath::Audio) => self.part.has_recording(text),
            (Inner::Data, _) => self.part.has_data(text),
            (Inner::ImageUrl | Inner::Url, _) => self.part.has_address(text),
            _ => {}
        }
    }

    /// Notes a need; of relayed bodies none is told.
    fn need(&mut self, need: Need) {
        if self.wire.is_none() {
            return;
        }
        self.peek.needs.add(need, self.item_count.saturating_sub(1));
    }

    /// The wire that alone has this member, or this value of it.
    fn foreign(&self, inner: Inner, seen: &Seen) -> Option<Wire> {
        let is_one_of = |words: &[&str]| {
            let is = |word: &&str| self.spells(&seen.text, seen.escaped, word);
            seen.kind == Kind::String && words.iter().any(is)
        };
        match inner {
            Inner::Role => {
                is_one_of(&["tool", "developer", "function"]).then_some(Wire::OpenAiChat)
            }
            Inner::ToolCalls | Inner::Function => {
                (seen.kind != Kind::Null).then_some(Wire::OpenAiChat)
            }
            Inner::Type if self.place == PeekPath::Block => {
                is_one_of(&["tool_use", "tool_result"]).then_some(Wire::AnthropicMessages)
            }
            Inner::InputSchema => (seen.kind != Kind::Null).then_some(Wire::AnthropicMessages),
            Inner::IncludeUsage
            | Inner::UserId
            | Inner::Content
            | Inner::Type
            | Inner::Source
            | Inner::MediaType
            | Inner::Data
            | Inner::File
            | Inner::FileData
            | Inner::ImageUrl
            | Inner::Url
            | Inner::InputAudio
            | Inner::Output => None,
        }
    }

    /// A value of the current place has ended.
    #[inline]
    fn end(&mut self, end: usize) {
        match self.place {
            PeekPath::Root => {
                self.peek.tail.at = end;
                if let Some(found) = self.current_found() {
                    found.member.end = end;
                }
            }
            PeekPath::Options => {
                self.peek.options.tail.at = end;
                if self.inner == Some(Inner::IncludeUsage)
                    && let Some(usage) = &mut self.peek.options.usage
                {
                    usage.end = end;
                }
            }
            _ => {}
        }
    }

    /// The place inside a container that opens, if it is looked into.
    fn inside(&self, object: bool) -> Option<PeekPath> {
        let list = match self.current {
            _ if self.is_input => Some(Known::Messages),
            current => current,
        };
        self.place
            .inside(object, (list, self.inner), self.wire.is_none())
    }

    fn enter(&mut self, place: PeekPath, at: usize) {
        self.place = place;
        self.inner = None;
        match place {
            PeekPath::Root => self.peek.tail.at = at + 1,
            PeekPath::Options => self.peek.options.tail.at = at + 1,
            PeekPath::Messages | PeekPath::Tools | PeekPath::Functions => self.item_count = 0,
            PeekPath::Block | PeekPath::Result => {
                self.block = Block::default();
                self.part = Part::default();
            }
            PeekPath::Inset | PeekPath::ResultInset => self.part = Part::default(),
            _ => {}
        }
    }

    fn leave(&mut self) {
        if self.place == PeekPath::Messages && self.item_count == 0 && self.wire.is_some() {
            let at = self.peek.span(Known::Messages).map_or(0, |span| span.start);
            let param = Param::Top(Known::Messages.name());
            self.blame(PeekFaultKind::NotList, param, at);
        }
        match self.place {
            PeekPath::Inset | PeekPath::ResultInset => self.end_part(),
            PeekPath::Block | PeekPath::Result => {
                self.end_part();
                let Block {
                    document,
                    address,
                    pdf,
                } = self.block;
                if pdf || (document && address) {
                    self.need(Need::Pdf);
                }
            }
            PeekPath::Tools | PeekPath::Functions if self.item_count > 0 => self.need(Need::Tools),
            _ => {}
        }
        self.place = self.place.parent();
        self.inner = None;
    }

    fn end_part(&mut self) {
        self.part.count(&mut self.peek.media);
        if self.place != PeekPath::Block {
            // Of the part around it nothing counts that came before.
            self.part = Part::default();
        }
    }
}

impl Sink for Peeker<'_> {
    #[inline]
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind> {
        if self.place == PeekPath::Root {
            return self.root_name(&span, escaped);
        }
        if self.place == PeekPath::Options {
            self.peek.options.tail.member_count += 1;
        }
        let text = self.text(span.clone());
        let mut members = self.place.members().iter();
        self.inner = members
            .find(|(name, _)| {
                name.as_bytes() == text || (escaped && self.spells_escaped(&span, name))
            })
            .map(|&(_, inner)| inner);
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        if !self.place.has_counted_values() && self.inner.is_none_or(Inner::is_container) {
            return Ok(());
        }
        let (kind, escaped, quote) = match scalar {
            Scalar::String { escaped } => (Kind::String, escaped, 1),
            Scalar::Number => (Kind::Number, false, 0),
            Scalar::True => (Kind::Bool(true), false, 0),
            Scalar::False => (Kind::Bool(false), false, 0),
            Scalar::Null => (Kind::Null, false, 0),
        };
        let end = span.end + quote;
        self.begin(&Seen {
            kind,
            start: span.start.saturating_sub(quote),
            text: span,
            escaped,
        })?;
        self.end(end);
        Ok(())
    }

    fn open(&mut self, object: bool, at: usize) -> Result<bool, JsonErrorKind> {
        self.begin(&Seen {
            kind: if object { Kind::Object } else { Kind::Array },
            start: at,
            text: 0..0,
            escaped: false,
        })?;
        match self.inside(object) {
            Some(place) => self.enter(place, at),
            None => self.passes_over = true,
        }
        Ok(!self.passes_over)
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        if !core::mem::take(&mut self.passes_over) {
            self.leave();
        }
        self.end(end);
        Ok(())
    }
}

/// The members that are looked at on relayed endpoints too: what routes, and what is the gateway's
/// own.
fn is_read_everywhere(known: Known) -> bool {
    known == Known::Model || OWN.contains(&known)
}

#[cfg(test)]
mod tests;
