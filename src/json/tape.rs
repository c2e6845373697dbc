//! A whole document as a flat index of spans, read through cheap cursors.
//!
//! [`Tape::read`] checks the document by the one grammar and keeps a node per value and name;
//! the nodes' memory is kept from document to document, so reading a delta allocates nothing once
//! warm. [`Value`] walks the index: strings come out as [`Raw`], every value as its exact source
//! bytes.
//!
//! Invariants: at most `values_max` nodes are kept; a value's source is a slice of the input.
//!
//! Not here: numbers as floats (they are copied as they stand), editing (see `rewrite`).

use core::ops::Range;
use std::borrow::Cow;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::raw::Raw;
use crate::json::scan;
use crate::json::sink::{Scalar, Sink};

/// The reusable index of one document.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<TapeNode>,
    open: Vec<u32>,
    /// Most containers that were open at once.
    depth: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

/// One value of a document that a [`Tape`] has read.
#[derive(Clone, Copy)]
pub struct Value<'t> {
    text: &'t [u8],
    nodes: &'t [TapeNode],
    at: usize,
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            open: Vec::new(),
            depth: 0,
        }
    }

    /// Checks `text` and indexes it, forgetting the document before.
    ///
    /// # Errors
    /// The first fault of the text; [`JsonErrorKind::Values`] past `values_max` values and names.
    pub fn read<'t>(
        &'t mut self,
        text: &'t [u8],
        depth_max: u32,
        values_max: usize,
    ) -> Result<Value<'t>, JsonError> {
        self.nodes.clear();
        self.open.clear();
        self.depth = 0;
        if u32::try_from(text.len()).is_err() {
            return Err(JsonError {
                kind: JsonErrorKind::Values,
                at: 0,
            });
        }
        let mut builder = Builder {
            tape: self,
            values_max: values_max.min(NODES_MAX),
        };
        scan::document(text, depth_max, &mut builder)?;
        Ok(Value {
            text,
            nodes: &self.nodes,
            at: 0,
        })
    }

    /// How many containers of the last document lie in each other.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Bytes of memory that the index holds on to.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<TapeNode>() + self.open.capacity() * size_of::<u32>()
    }

    /// Gives memory back when the last document made the index larger than `nodes` values.
    pub fn shrink_to(&mut self, nodes: usize) {
        if self.nodes.capacity() > nodes {
            self.nodes.clear();
            self.nodes.shrink_to(nodes);
        }
    }
}

impl<'t> Value<'t> {
    /// What this value is.
    #[must_use]
    pub fn kind(self) -> JsonKind {
        match self.node().tag {
            TapeTag::Object => JsonKind::Object,
            TapeTag::Array => JsonKind::Array,
            TapeTag::String | TapeTag::Escaped => JsonKind::String,
            TapeTag::Number => JsonKind::Number,
            TapeTag::True | TapeTag::False => JsonKind::Bool,
            TapeTag::Null => JsonKind::Null,
        }
    }

    /// The value as it stands in the document, quotes included.
    #[must_use]
    pub fn source(self) -> &'t [u8] {
        self.text.get(self.span()).unwrap_or_default()
    }

    /// Where [`Value::source`] lies in the document.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        let node = self.node();
        let (start, end) = (node.start as usize, node.end as usize);
        match node.tag {
            TapeTag::String | TapeTag::Escaped => start - 1..end + 1,
            _ => start..end,
        }
    }

    /// The string's body, if this is a string.
    #[must_use]
    pub fn as_raw(self) -> Option<Raw<'t>> {
        let node = self.node();
        matches!(node.tag, TapeTag::String | TapeTag::Escaped)
            .then(|| Raw::from_checked(self.slice(node)))
    }

    /// Whether this is a string that decodes to `text`.
    #[must_use]
    pub fn is_str(self, text: &str) -> bool {
        self.as_raw().is_some_and(|raw| raw.is(text))
    }

    /// The boolean, if this is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.node().tag {
            TapeTag::True => Some(true),
            TapeTag::False => Some(false),
            _ => None,
        }
    }

    /// The number's digits as they stand, if this is a number.
    #[must_use]
    pub fn as_number(self) -> Option<&'t str> {
        let node = self.node();
        (node.tag == TapeTag::Number).then(|| core::str::from_utf8(self.slice(node)).unwrap_or("0"))
    }

    /// The number, if it is a whole one that fits (`3.0` and `3e2` are whole too).
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        let node = self.node();
        if node.tag != TapeTag::Number {
            return None;
        }
        let digits = self.slice(node);
        short_whole(digits).or_else(|| {
            let digits = core::str::from_utf8(digits).ok()?;
            digits.parse().ok().or_else(|| whole_from_float(digits))
        })
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.node().tag == TapeTag::Null
    }

    /// The members of an object in order; nothing for anything else.
    #[must_use]
    pub fn members(self) -> ObjectMembers<'t> {
        ObjectMembers {
            value: self,
            walk: self.walk(TapeTag::Object),
        }
    }

    /// The elements of an array in order; nothing for anything else.
    #[must_use]
    pub fn elements(self) -> ArrayElements<'t> {
        ArrayElements {
            value: self,
            walk: self.walk(TapeTag::Array),
        }
    }

    /// The member called `name`, `null` or not. Of several the last: usual parsers take that.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let Range { start, end } = self.walk(TapeTag::Object);
        let (mut at, mut found) = (start, None);
        while at < end
            && let Some([key, value, ..]) = self.nodes.get(at..)
        {
            if self.is_name(key, name) {
                found = Some(at + 1);
            }
            at = value.next as usize;
        }
        found.map(|at| Self { at, ..self })
    }

    /// Hands out every member of an object, `null` or not, in order and under its decoded name: one
    /// walk where several members are wanted. Of several of a name the last is to be taken.
    #[inline]
    pub fn each_member(self, mut take: impl FnMut(&[u8], Self)) {
        let Range { start, end } = self.walk(TapeTag::Object);
        let mut at = start;
        while at < end
            && let Some([key, value, ..]) = self.nodes.get(at..)
        {
            let member = Self { at: at + 1, ..self };
            match key.tag {
                TapeTag::String => take(self.slice(*key), member),
                _ => take(
                    decoded(Raw::from_checked(self.slice(*key))).as_bytes(),
                    member,
                ),
            }
            at = value.next as usize;
        }
    }

    /// Whether `key` is a name that decodes to `name`; most are told apart by their length alone.
    fn is_name(self, key: &TapeNode, name: &str) -> bool {
        let length = key.end.saturating_sub(key.start) as usize;
        match key.tag {
            TapeTag::String => length == name.len() && self.slice(*key) == name.as_bytes(),
            _ => Raw::from_checked(self.slice(*key)).is(name),
        }
    }

    /// A name that stands in this object twice, however it is spelled.
    #[must_use]
    pub fn repeated_name(self) -> Option<Raw<'t>> {
        if self.members().nth(PAIRWISE_MAX).is_some() {
            return self.repeated_of_many();
        }
        let Range { start, end } = self.walk(TapeTag::Object);
        let mut at = start;
        while at < end
            && let Some([key, value, ..]) = self.nodes.get(at..)
        {
            if self.has_before(key, start..at) {
                return Some(Raw::from_checked(self.slice(*key)));
            }
            at = value.next as usize;
        }
        None
    }

    /// Whether a name of this object stands in it once more among the members at `before`.
    fn has_before(self, name: &TapeNode, before: Range<usize>) -> bool {
        let mut at = before.start;
        while at < before.end
            && let Some([key, value, ..]) = self.nodes.get(at..)
        {
            if self.is_same_name(key, name) {
                return true;
            }
            at = value.next as usize;
        }
        false
    }

    /// Whether two names decode to the same text; most are told apart by their length alone.
    #[inline]
    fn is_same_name(self, a: &TapeNode, b: &TapeNode) -> bool {
        if (a.tag, b.tag) == (TapeTag::String, TapeTag::String) {
            let length = |node: &TapeNode| node.end.saturating_sub(node.start);
            return length(a) == length(b) && self.slice(*a) == self.slice(*b);
        }
        decoded(Raw::from_checked(self.slice(*a))) == decoded(Raw::from_checked(self.slice(*b)))
    }

    /// The same by sorting: pairs of many names would be too many.
    #[cold]
    fn repeated_of_many(self) -> Option<Raw<'t>> {
        let mut names: Vec<_> = self
            .members()
            .map(|(name, _)| (decoded(name), name))
            .collect();
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut pairs = names.windows(2);
        pairs.find_map(|pair| match pair {
            [(a, _), (b, name)] if a == b => Some(*name),
            _ => None,
        })
    }

    /// The member called `name` as in [`Value::get`], unless it is `null`.
    #[must_use]
    pub fn get_set(self, name: &str) -> Option<Self> {
        self.get(name).filter(|value| !value.is_null())
    }

    fn node(self) -> TapeNode {
        self.nodes.get(self.at).copied().unwrap_or(TapeNode::NULL)
    }

    fn slice(self, node: TapeNode) -> &'t [u8] {
        self.text
            .get(node.start as usize..node.end as usize)
            .unwrap_or_default()
    }

    fn walk(self, tag: TapeTag) -> Range<usize> {
        let node = self.node();
        if node.tag == tag {
            self.at + 1..node.next as usize
        } else {
            0..0
        }
    }

    fn child(self, at: usize) -> (Self, usize) {
        let child = Self { at, ..self };
        (child, child.node().next as usize)
    }
}

impl core::fmt::Debug for Value<'_> {
    /// Kind and span only: bodies do not belong in debug output.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.span())
    }
}

/// Iterates over the members of an object.
#[derive(Clone, Debug)]
pub struct ObjectMembers<'t> {
    value: Value<'t>,
    walk: Range<usize>,
}

impl<'t> Iterator for ObjectMembers<'t> {
    type Item = (Raw<'t>, Value<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.walk.is_empty() {
            return None;
        }
        let (name, value_at) = self.value.child(self.walk.start);
        let (value, after) = self.value.child(value_at);
        self.walk.start = after;
        Some((Raw::from_checked(name.slice(name.node())), value))
    }
}

/// Iterates over the elements of an array.
#[derive(Clone, Debug)]
pub struct ArrayElements<'t> {
    value: Value<'t>,
    walk: Range<usize>,
}

impl<'t> Iterator for ArrayElements<'t> {
    type Item = Value<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.walk.is_empty() {
            return None;
        }
        let (value, after) = self.value.child(self.walk.start);
        self.walk.start = after;
        Some(value)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TapeTag {
    Object,
    Array,
    String,
    Escaped,
    Number,
    True,
    False,
    Null,
}

/// 16 bytes a value. Strings and names span their body, everything else its whole source.
#[derive(Clone, Copy, Debug)]
struct TapeNode {
    start: u32,
    end: u32,
    /// Index of the node behind this value and all it holds.
    next: u32,
    tag: TapeTag,
}

impl TapeNode {
    const NULL: Self = Self {
        start: 0,
        end: 0,
        next: 0,
        tag: TapeTag::Null,
    };
}

struct Builder<'t> {
    tape: &'t mut Tape,
    values_max: usize,
}

impl Builder<'_> {
    #[inline]
    fn push(&mut self, tag: TapeTag, span: Range<usize>) -> Result<(), JsonErrorKind> {
        let nodes = &mut self.tape.nodes;
        if nodes.len() >= self.values_max {
            return Err(JsonErrorKind::Values);
        }
        let next = word(nodes.len()) + 1;
        nodes.push(TapeNode {
            start: word(span.start),
            end: word(span.end),
            next,
            tag,
        });
        Ok(())
    }
}

impl Sink for Builder<'_> {
    #[inline]
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind> {
        self.push(
            if escaped {
                TapeTag::Escaped
            } else {
                TapeTag::String
            },
            span,
        )
    }

    #[inline]
    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        let tag = match scalar {
            Scalar::String { escaped: false } => TapeTag::String,
            Scalar::String { escaped: true } => TapeTag::Escaped,
            Scalar::Number => TapeTag::Number,
            Scalar::True => TapeTag::True,
            Scalar::False => TapeTag::False,
            Scalar::Null => TapeTag::Null,
        };
        self.push(tag, span)
    }

    #[inline]
    fn open(&mut self, object: bool, at: usize) -> Result<bool, JsonErrorKind> {
        let index = word(self.tape.nodes.len());
        self.push(
            if object {
                TapeTag::Object
            } else {
                TapeTag::Array
            },
            at..at,
        )?;
        self.tape.open.push(index);
        self.tape.depth = self.tape.depth.max(self.tape.open.len());
        Ok(true)
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        let next = word(self.tape.nodes.len());
        let index = self.tape.open.pop().unwrap_or_default() as usize;
        if let Some(node) = self.tape.nodes.get_mut(index) {
            node.end = word(end);
            node.next = next;
        }
        Ok(())
    }
}

/// An offset of the text or a place among the nodes: [`Tape::read`] takes no more of either than fit.
#[inline]
fn word(n: usize) -> u32 {
    debug_assert!(n <= u32::MAX as usize);
    #[expect(clippy::cast_possible_truncation, reason = "bounded by `Tape::read`")]
    let word = n as u32;
    word
}

fn decoded(name: Raw<'_>) -> Cow<'_, str> {
    name.plain()
        .map_or_else(|| Cow::Owned(name.decode()), Cow::Borrowed)
}

/// Most nodes: each has a place, and one is behind the last.
const NODES_MAX: usize = u32::MAX as usize - 1;

/// Members that are compared each with each.
const PAIRWISE_MAX: usize = 16;

/// A number that is digits alone, and few enough of them to fit whatever they are.
fn short_whole(digits: &[u8]) -> Option<u64> {
    if digits.len() > SHORT_DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

/// Digits of which no number is too large.
const SHORT_DIGITS_MAX: usize = 19;

/// `3.0`, `3e2`: whole numbers in a float's clothes. Exact up to 2^53, refused beyond.
fn whole_from_float(digits: &str) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number: f64 = digits.parse().ok()?;
    if !(0.0..=EXACT_MAX).contains(&number) || number.fract() != 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, in range"
    )]
    Some(number as u64)
}

#[cfg(test)]
mod tests;
