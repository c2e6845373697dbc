//! Picks the values of some members out of a document that passes in pieces.
//!
//! For documents that are passed on as they come and of which one small member matters, wherever it
//! stands: the document is not kept. Members of the outermost object are looked at, and those of
//! one object in it, the value of [`Picker::new`]'s `within`. Names may be escaped. Of members that
//! stand twice the last one counts.
//!
//! Invariants:
//! - the same values come out for every way of cutting the same document;
//! - at most [`VALUE_BYTES_MAX`] bytes of each value are held; a longer value counts as absent.
//!
//! Not here: whether the document is valid (see `scan`).

use crate::json::lexeme::string_end;
use crate::json::raw::Raw;

/// Looks for members by their names.
#[derive(Debug)]
pub struct Picker {
    names: &'static [&'static str],
    within: &'static str,
    /// One for each name, as its value stands in the document.
    values: Vec<Vec<u8>>,
    depth: u32,
    /// The outermost value is an object.
    is_object: bool,
    /// The object at depth two is the value of `within`.
    is_within: bool,
    in_string: bool,
    after_backslash: bool,
    /// The next string of an object that is looked at is a name.
    expects_name: bool,
    /// The string at hand is a name; its bytes so far are in `name`.
    is_name: bool,
    name: Vec<u8>,
    /// The member whose value comes.
    member: PickedMember,
    /// The value at hand is kept.
    keeps: bool,
}

/// A member of an object that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PickedMember {
    /// Any other.
    Other,
    /// The one with this number among the names.
    Named(usize),
    /// The one whose own members are looked at.
    Within,
}

impl Picker {
    /// Looks for these members, and for the same of the object that is the value of `within`.
    #[must_use]
    pub fn new(names: &'static [&'static str], within: &'static str) -> Self {
        Self {
            names,
            within,
            values: names.iter().map(|_| Vec::new()).collect(),
            depth: 0,
            is_object: false,
            is_within: false,
            in_string: false,
            after_backslash: false,
            expects_name: false,
            is_name: false,
            name: Vec::new(),
            member: PickedMember::Other,
            keeps: false,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, input: &[u8]) {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            let start = at;
            at += 1;
            if self.in_string {
                if !self.after_backslash && byte != b'"' && byte != b'\\' {
                    // The bulk of a document.
                    let rest = input.get(at..).unwrap_or_default();
                    at += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                }
                self.string(byte, input.get(start..at).unwrap_or_default());
            } else {
                self.outside(byte);
            }
        }
    }

    /// The value of a member by its number among the names, as it stands in the document.
    #[must_use]
    pub fn value(&self, number: usize) -> Option<&[u8]> {
        let value = self.values.get(number)?.trim_ascii();
        (!value.is_empty()).then_some(value)
    }

    /// The value of a member that is a string, still escaped.
    #[must_use]
    pub fn text(&self, number: usize) -> Option<Raw<'_>> {
        let quoted = self.value(number)?.strip_prefix(b"\"")?;
        let (end, _) = string_end(quoted, 0).ok()?;
        (end + 1 == quoted.len()).then(|| Raw::from_checked(quoted.get(..end).unwrap_or_default()))
    }

    /// Makes ready for another document.
    pub fn reset(&mut self) {
        self.values.iter_mut().for_each(Vec::clear);
        self.depth = 0;
        self.is_object = false;
        self.is_within = false;
        self.in_string = false;
        self.after_backslash = false;
        self.expects_name = false;
        self.is_name = false;
        self.member = PickedMember::Other;
        self.keeps = false;
    }

    /// Bytes of memory that are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.values.iter().map(Vec::capacity).sum()
    }

    /// Bytes of a string: one that may end it or escape what follows, or many that do neither.
    fn string(&mut self, first: u8, bytes: &[u8]) {
        self.keep(bytes);
        if self.after_backslash {
            self.after_backslash = false;
        } else if first == b'\\' {
            self.after_backslash = true;
        } else if first == b'"' {
            self.in_string = false;
            if core::mem::take(&mut self.is_name) {
                self.member = self.member();
            }
            return;
        }
        // A name that is longer than any that is looked for is cut, and equal to none.
        if self.is_name && self.name.len() <= NAME_BYTES_MAX {
            let room = NAME_BYTES_MAX + 1 - self.name.len();
            let part = bytes.get(..room).unwrap_or(bytes);
            self.name.extend_from_slice(part);
        }
    }

    fn outside(&mut self, byte: u8) {
        let is_level = self.is_level();
        match byte {
            b'"' => {
                self.in_string = true;
                if is_level && core::mem::take(&mut self.expects_name) {
                    self.is_name = true;
                    self.name.clear();
                }
            }
            b'{' | b'[' => {
                if self.depth == 0 {
                    self.is_object = byte == b'{';
                }
                self.depth = self.depth.saturating_add(1);
                let enters = self.depth == 2 && is_level && self.member == PickedMember::Within;
                self.is_within |= enters && byte == b'{';
                self.expects_name = self.is_level() && byte == b'{';
            }
            b'}' | b']' => {
                if is_level {
                    self.keeps = false;
                    self.is_within = false;
                    self.member = PickedMember::Other;
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if is_level && !self.keeps => {
                if let PickedMember::Named(number) = self.member {
                    self.keeps = true;
                    self.values.get_mut(number).into_iter().for_each(Vec::clear);
                    return;
                }
            }
            b',' if is_level => {
                self.keeps = false;
                self.member = PickedMember::Other;
                self.expects_name = true;
            }
            _ => {}
        }
        self.keep(&[byte]);
    }

    /// Whether the object at hand is one that is looked at.
    const fn is_level(&self) -> bool {
        self.is_object && (self.depth == 1 || self.depth == 2 && self.is_within)
    }

    /// The member whose name has been read. The document is not checked: what is no name of JSON is none
    /// that is looked for.
    fn member(&self) -> PickedMember {
        let is_plain = |byte: &u8| (b' '..0x7F).contains(byte) && *byte != b'\\';
        if !self.name.iter().all(is_plain) {
            let quoted = [&*self.name, b"\""].concat();
            let end = string_end(&quoted, 0).map(|(end, _)| end);
            if end != Ok(self.name.len()) {
                return PickedMember::Other;
            }
        }
        let name = Raw::from_checked(&self.name);
        match self.names.iter().position(|known| name.is(known)) {
            Some(number) => PickedMember::Named(number),
            None if self.depth == 1 && name.is(self.within) => PickedMember::Within,
            None => PickedMember::Other,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let PickedMember::Named(number) = self.member else {
            return;
        };
        let Some(value) = self.values.get_mut(number).filter(|_| self.keeps) else {
            return;
        };
        if value.len() + bytes.len() > VALUE_BYTES_MAX {
            value.clear();
            self.keeps = false;
            // What follows belongs to no member that is kept.
            self.member = PickedMember::Other;
        } else {
            value.extend_from_slice(bytes);
        }
    }
}

/// Longest value that is kept.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;
/// Longest name that is looked at, escapes included.
const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::{Picker, VALUE_BYTES_MAX};

    const NAMES: &[&str] = &["usage", "type"];

    fn picked(pieces: &[&[u8]]) -> [Option<String>; 2] {
        let mut picker = Picker::new(NAMES, "response");
        for piece in pieces {
            picker.push(piece);
        }
        [0, 1].map(|number| {
            let value = picker.value(number)?;
            Some(String::from_utf8(value.to_vec()).unwrap())
        })
    }

    #[test]
    fn members_are_picked_for_every_cut_and_nothing_else_is() {
        for (document, usage, kind) in [
            (
                r#"{"a":[{"usage":1}],"usage":{"x":[1,{"y":"}"}]},"type":"t"}"#,
                Some(r#"{"x":[1,{"y":"}"}]}"#),
                Some("\"t\""),
            ),
            (
                r#"{"type":"a","response":{"usage":{"n":1},"x":{"usage":2}},"z":{"usage":3}}"#,
                Some(r#"{"n":1}"#),
                Some("\"a\""),
            ),
            (r#"{"us\u0061ge" : 7 , "usage":8}"#, Some("8"), None),
            (r#"{"us\u0061ge" : 7 }"#, Some("7"), None),
            (r#"{"x":"usage","y":"\"usage\":1,\\"}"#, None, None),
            (r#"[{"usage":1}]"#, None, None),
            (r#"{"response":[{"usage":1}]}"#, None, None),
            (r#"{"x":{"response":{"usage":1}}}"#, None, None),
            (r#"{"usage":null}"#, Some("null"), None),
            ("[DONE]", None, None),
        ] {
            let expected = [usage, kind].map(|value| value.map(str::to_owned));
            let bytes = document.as_bytes();
            for first in 0..=bytes.len() {
                for second in [first, (first + 1).min(bytes.len()), bytes.len()] {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(picked(&pieces), expected, "{document} {first} {second}");
                }
            }
        }
    }

    #[test]
    fn a_value_is_kept_up_to_the_bound_and_one_past_it_counts_as_absent() {
        for (length, is_kept) in [(VALUE_BYTES_MAX - 2, true), (VALUE_BYTES_MAX - 1, false)] {
            let text = "x".repeat(length);
            let document = format!(r#"{{"usage":"{text}","type":"t"}}"#);
            let [usage, kind] = picked(&[document.as_bytes()]);
            assert_eq!(usage.is_some(), is_kept);
            assert_eq!(kind.as_deref(), Some("\"t\""));
        }
    }

    #[test]
    fn names_that_are_no_text_are_none_that_is_looked_for() {
        for name in [
            &b"\xFF"[..],
            b"us\x80age",
            b"usage\x01",
            b"\\usage",
            b"\xED\xA0\x80",
        ] {
            let document = [b"{\"", name, b"\":1,\"type\":\"t\"}"].concat();
            let [usage, kind] = picked(&[&document]);
            assert_eq!((usage, kind.as_deref()), (None, Some("\"t\"")));
        }
        let [usage, _] = picked(&[br#"{"\u0075sage":1}"#]);
        assert_eq!(usage.as_deref(), Some("1"));
    }
}
