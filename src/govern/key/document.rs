//! Reading small JSON documents of operators: typed members, bounds, and what nobody asked for.
//!
//! Every getter takes its member out; [`Object::finish`] refuses what is left. `null` counts as
//! absent. The first fault ends the reading.

use core::fmt;
use core::ops::RangeInclusive;

use crate::govern::value::text::is_masked;
use crate::json::tape::{JsonKind, Tape, Value};

/// What is wrong with a document, and with which member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFault {
    /// The member, or nothing for the document itself.
    pub member: String,
    /// What was expected.
    pub text: String,
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member.as_str() {
            "" => out.write_str(&self.text),
            member => write!(out, "{member}: {}", self.text),
        }
    }
}

/// The members of one object, taken out one by one.
pub struct Object<'t> {
    members: Vec<(String, Value<'t>)>,
    asked: Vec<&'static str>,
}

/// Reads a document that is an object.
///
/// # Errors
/// It is none, is too large, or has a member twice.
pub fn object<'t>(tape: &'t mut Tape, text: &'t [u8]) -> Result<Object<'t>, DocumentFault> {
    let read = tape.read(text, DEPTH_MAX, VALUES_MAX);
    let value = read.map_err(|error| fault("", format!("expected JSON: {error}")))?;
    Object::new("", value)
}

impl<'t> Object<'t> {
    /// The members of an object that stands as `member`.
    ///
    /// # Errors
    /// It is none, or has a member twice.
    pub fn new(member: &str, value: Value<'t>) -> Result<Self, DocumentFault> {
        if value.kind() != JsonKind::Object {
            return Err(fault(member, "expected an object"));
        }
        if let Some(name) = value.repeated_name() {
            return Err(fault(&name.decode_start(NAME_SHOWN_BYTES), "stands twice"));
        }
        let mut members = Vec::new();
        value.each_member(|name, value| {
            members.push((String::from_utf8_lossy(name).into_owned(), value));
        });
        Ok(Self {
            members,
            asked: Vec::new(),
        })
    }

    /// A member, unless it is `null`.
    pub fn take(&mut self, name: &'static str) -> Option<Value<'t>> {
        self.asked.push(name);
        let at = self.members.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.members.remove(at);
        (!value.is_null()).then_some(value)
    }

    /// A string of 1 to `bytes_max` bytes without control characters.
    ///
    /// # Errors
    /// It is another thing.
    pub fn text(
        &mut self,
        name: &'static str,
        bytes_max: usize,
    ) -> Result<Option<String>, DocumentFault> {
        let value = self.take(name);
        value
            .map(|value| text_of(name, value, bytes_max))
            .transpose()
    }

    /// An array of such strings, `count_max` at most.
    ///
    /// # Errors
    /// It is another thing.
    pub fn texts(
        &mut self,
        name: &'static str,
        (count_max, bytes_max): (usize, usize),
    ) -> Result<Option<Vec<String>>, DocumentFault> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        if value.kind() != JsonKind::Array {
            return Err(fault(name, "expected an array of strings"));
        }
        let mut texts = Vec::new();
        for element in value.elements() {
            if texts.len() == count_max {
                return Err(fault(name, format!("expected {count_max} strings at most")));
            }
            texts.push(text_of(name, element, bytes_max)?);
        }
        Ok(Some(texts))
    }

    /// A whole number of this range.
    ///
    /// # Errors
    /// It is another thing.
    pub fn whole(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, DocumentFault> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = value.as_u64().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        let wrong = || {
            let text = format!("expected a whole number from {least} to {most}");
            fault(name, text)
        };
        number.ok_or_else(wrong).map(Some)
    }

    /// An object of words by name.
    ///
    /// # Errors
    /// It is another thing, or has too much.
    pub fn words(
        &mut self,
        name: &'static str,
        count_max: usize,
        (name_bytes_max, word_bytes_max): (usize, usize),
    ) -> Result<Vec<(String, String)>, DocumentFault> {
        let Some(value) = self.take(name) else {
            return Ok(Vec::new());
        };
        let Self { members, .. } = Self::new(name, value)?;
        if members.len() > count_max {
            return Err(fault(name, format!("expected {count_max} members at most")));
        }
        let read = members.into_iter().map(|(word, value)| {
            check_text(name, &word, name_bytes_max)?;
            Ok((word, text_of(name, value, word_bytes_max)?))
        });
        read.collect()
    }

    /// Refuses what nobody asked for.
    ///
    /// # Errors
    /// There is such a member.
    pub fn finish(self) -> Result<(), DocumentFault> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(NAME_SHOWN_BYTES).collect();
                let text = match self.asked.as_slice() {
                    [] => "unknown member".to_owned(),
                    known => format!("unknown member; known: {}", known.join(", ")),
                };
                Err(fault(&shown, text))
            }
        }
    }
}

/// What is wrong with `member`. Its name may be anything, and is shown on terminals and in lines: what
/// these obey is `?`.
pub fn fault(member: &str, text: impl Into<String>) -> DocumentFault {
    let shown = |c| if is_masked(c) { '?' } else { c };
    DocumentFault {
        member: member.chars().map(shown).collect(),
        text: text.into(),
    }
}

/// Holds a text of operators against what every place takes.
///
/// # Errors
/// It is empty, too long, or has control characters.
pub fn check_text(member: &str, text: &str, bytes_max: usize) -> Result<(), DocumentFault> {
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        let text = format!("expected 1 to {bytes_max} bytes of text without control characters");
        return Err(fault(member, text));
    }
    Ok(())
}

fn text_of(member: &str, value: Value<'_>, bytes_max: usize) -> Result<String, DocumentFault> {
    let Some(raw) = value.as_raw() else {
        return Err(fault(member, "expected a string"));
    };
    let text = raw.decode();
    check_text(member, &text, bytes_max)?;
    Ok(text)
}

/// Words of one set, and the longest of them.
pub const WORDS_MAX: usize = 64;
/// Longest word of a set.
pub const WORD_BYTES_MAX: usize = 128;
/// Nesting of a document.
const DEPTH_MAX: u32 = 8;
/// Values and names of a document.
const VALUES_MAX: usize = 8 * 1024;
/// A name that is shown is cut here.
const NAME_SHOWN_BYTES: usize = 64;
