//! What was found in a request's body: spans and kinds of what routing needs.
//!
//! Not here: the looking (see `peek`), what a route changes (see `peek_edits`).

use core::ops::Range;

use crate::json::raw::Raw;
use crate::json::rewrite::{MemberSpan, ObjectEnd};
use crate::wire::peek::media::Media;
use crate::wire::peek::required_capabilities::Needs;
use crate::wire::peek::routed_members::{KNOWN_COUNT, Kind, Known};

/// What a body says. Spans belong to the body that was peeked at.
#[derive(Clone, Debug, Default)]
pub struct Peek {
    pub(in crate::wire) found: [Option<Found>; KNOWN_COUNT],
    pub(in crate::wire) tail: ObjectEnd,
    pub(in crate::wire) options: Options,
    pub(in crate::wire) needs: Needs,
    pub(in crate::wire) media: Media,
    /// The last `metadata.user_id` that is a string, less its quotes.
    pub(in crate::wire) user_id: Option<Range<usize>>,
}

/// What `stream_options` holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Where it ends.
    pub tail: ObjectEnd,
    /// Its last `include_usage`.
    pub usage: Option<Usage>,
    /// How many it has.
    pub usage_count: usize,
}

/// The value of `include_usage`.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// What it is.
    pub kind: Kind,
    /// Where it starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Peek {
    /// The model's id, still escaped.
    #[must_use]
    pub fn model<'b>(&self, body: &'b [u8]) -> Raw<'b> {
        self.text_of(body, Known::Model)
    }

    /// The member's value, which is a string, still escaped.
    #[must_use]
    pub fn text_of<'b>(&self, body: &'b [u8], known: Known) -> Raw<'b> {
        let source = self.source(body, known).unwrap_or_default();
        let inner = source.len().saturating_sub(1);
        Raw::from_checked(source.get(1..inner).unwrap_or_default())
    }

    /// Whether a stream is asked for.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.kind(Known::Stream) == Some(Kind::Bool(true))
    }

    /// Whether the client itself asks for usage in its stream.
    #[must_use]
    pub fn asks_usage(&self) -> bool {
        self.options
            .usage
            .is_some_and(|usage| usage.kind == Kind::Bool(true))
    }

    /// What its content needs of a model; of a relayed body, nothing.
    #[must_use]
    pub const fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Images, documents and recordings that it carries; of a relayed body, those of an `input` list.
    #[must_use]
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Whether the request may go to other targets than the first.
    #[must_use]
    pub fn allows_fallbacks(&self) -> bool {
        self.kind(Known::AllowFallbacks) != Some(Kind::Bool(false))
    }

    /// The output limit that the client sets, if it is a number. Services differ in which of the two
    /// names they know: of both the larger one counts.
    #[must_use]
    pub fn max_tokens(&self, body: &[u8]) -> Option<u64> {
        let both = [Known::MaxCompletionTokens, Known::MaxTokens].into_iter();
        both.filter_map(|known| self.count(body, known)).max()
    }

    /// How many answers the client asks for.
    #[must_use]
    pub fn choices(&self, body: &[u8]) -> u64 {
        self.count(body, Known::N).unwrap_or(1).max(1)
    }

    /// A number, rounded up where it is no whole one: some services take `3.0` and `1e3`.
    fn count(&self, body: &[u8], known: Known) -> Option<u64> {
        let digits = core::str::from_utf8(self.source(body, known)?).ok()?;
        digits.parse().ok().or_else(|| {
            let number: f64 = digits.parse().ok()?;
            let whole = format!("{:.0}", number.max(0.0).ceil());
            Some(whole.parse().unwrap_or(u64::MAX))
        })
    }

    /// What names the session that the request belongs to, still escaped.
    #[must_use]
    pub fn session<'b>(&self, body: &'b [u8]) -> Option<&'b [u8]> {
        let own = [Known::PromptCacheKey, Known::User].into_iter();
        let own = own.filter(|&known| self.kind(known) == Some(Kind::String));
        let own = own.filter_map(|known| {
            let quoted = self.source(body, known)?;
            quoted.get(1..quoted.len().saturating_sub(1))
        });
        let user_id = self.user_id.clone().and_then(|span| body.get(span));
        own.chain(user_id).find(|name| !name.is_empty())
    }

    /// What the member's value is, if the body has the member.
    #[must_use]
    pub fn kind(&self, known: Known) -> Option<Kind> {
        Some(self.get(known)?.kind)
    }

    /// Where the member's value lies, quotes included.
    #[must_use]
    pub fn span(&self, known: Known) -> Option<Range<usize>> {
        let found = self.get(known)?;
        Some(found.value_start..found.member.end)
    }

    /// The member's value as it stands in the body, quotes included.
    #[must_use]
    pub fn source<'b>(&self, body: &'b [u8], known: Known) -> Option<&'b [u8]> {
        body.get(self.span(known)?)
    }

    /// Where the whole member lies.
    #[must_use]
    pub fn member(&self, known: Known) -> Option<MemberSpan> {
        Some(self.get(known)?.member)
    }

    /// Where the outermost object ends.
    #[must_use]
    pub const fn tail(&self) -> ObjectEnd {
        self.tail
    }

    /// What `stream_options` holds; nothing if it is no object.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    pub(in crate::wire) fn get(&self, known: Known) -> Option<&Found> {
        self.found.get(known as usize)?.as_ref()
    }
}

/// A member that was found.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Found {
    pub(in crate::wire) member: MemberSpan,
    pub(in crate::wire) value_start: usize,
    pub(in crate::wire) kind: Kind,
}
