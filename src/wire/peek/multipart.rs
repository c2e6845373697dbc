//! Finds the `model` field of a `multipart/form-data` body as it passes.
//!
//! [`Finder::push`] takes the body cut at any place. It copies what it cannot judge yet: at most a
//! delimiter's length of a file, one part's head, or one model id.
//!
//! Invariants:
//! - the same field or fault comes out for every way of cutting the same body;
//! - a second `model` is a fault: what routes a request must have one reading;
//! - line ends are CRLF and a delimiter stands on a line of its own, as RFC 2046 §5.1.1 has it;
//!   no other line of a part, its first included, starts like one.
//!
//! Not here: any other field but those that ask for a promise about data, and what the parts hold.

use core::ops::Range;

use memchr::memmem;

use crate::limits::{FORM_HEAD_BYTES_MAX, MODEL_ID_BYTES_MAX};

/// The field that names the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where its value lies in the body.
    pub span: Range<u64>,
    /// The value.
    pub value: String,
}

/// Why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// Not a form as RFC 7578 has it.
    Malformed,
    /// A second `model`.
    Repeated,
    /// A `model` that is empty, too long or no text.
    NotText,
    /// A field that asks for a promise about data that is not kept yet.
    Promise,
    /// A field that asks for a tier, which is not taken out of a form.
    Tier,
}

impl FormFault {
    /// What was expected or found, as a fixed text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "request body: malformed multipart/form-data",
            Self::Repeated => "model: this field is repeated",
            Self::NotText => "model: expected a non-empty text",
            Self::Promise => {
                "pii_substitution: this gateway does not keep this promise about data yet; leave \
                 the field out to send the request without it"
            }
            Self::Tier => {
                "privacy_tier: this field cannot be taken out of a form; say it in the header \
                 X-Privacy-Tier"
            }
        }
    }
}

/// What is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Up to the next delimiter: a part's content, or what stands before the first part.
    Content { is_model: bool },
    /// What follows a delimiter on its line.
    Line,
    /// The part's head.
    Head,
    /// Behind the last delimiter.
    Over,
}

/// The state of one body.
#[derive(Clone, Debug)]
pub struct Finder {
    /// CRLF, two dashes, the boundary.
    delimiter: Vec<u8>,
    /// What came and is not judged yet.
    carry: Vec<u8>,
    /// Where `carry` starts in the body, plus the CRLF that is thought to stand before it.
    at: u64,
    /// Bytes of `carry` that hold no delimiter. 0 <= searched <= carry.len().
    searched: usize,
    state: State,
    field: Option<Field>,
}

impl Finder {
    /// A finder for the body that this content type announces; `None` if that is no form.
    #[must_use]
    pub fn new(content_type: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(content_type).ok()?;
        let (media, parameters) = text.split_once(';')?;
        if !media.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary").ok()??;
        if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
            return None;
        }
        Some(Self {
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            carry: LINE_END.to_vec(),
            at: 0,
            searched: 0,
            state: State::Content { is_model: false },
            field: None,
        })
    }

    /// The field, once it was seen.
    #[must_use]
    pub const fn field(&self) -> Option<&Field> {
        self.field.as_ref()
    }

    /// Takes the next part of the body.
    ///
    /// # Errors
    /// Why the form is refused.
    pub fn push(&mut self, input: &[u8]) -> Result<(), FormFault> {
        self.carry.extend_from_slice(input);
        while match self.state {
            State::Content { is_model } => self.content(is_model)?,
            State::Line => self.line()?,
            State::Head => self.head()?,
            State::Over => {
                self.drop_front(self.carry.len());
                false
            }
        } {}
        Ok(())
    }

    /// Looks for the delimiter; says whether there was one.
    fn content(&mut self, is_model: bool) -> Result<bool, FormFault> {
        let unseen = self.carry.get(self.searched..).unwrap_or_default();
        if let Some(found) = memmem::find(unseen, &self.delimiter) {
            let end = self.searched + found;
            if is_model {
                self.keep(end)?;
            }
            self.drop_front(end + self.delimiter.len());
            self.state = State::Line;
            return Ok(true);
        }
        let kept = self.delimiter.len() - 1;
        if is_model {
            if self.carry.len() > LINE_END.len() + MODEL_ID_BYTES_MAX + kept {
                return Err(FormFault::NotText);
            }
            self.searched = self.carry.len().saturating_sub(kept);
        } else {
            self.drop_front(self.carry.len().saturating_sub(kept));
        }
        Ok(false)
    }

    /// The model's value lies in front of `end`.
    fn keep(&mut self, end: usize) -> Result<(), FormFault> {
        if self.field.is_some() {
            return Err(FormFault::Repeated);
        }
        // Nothing, where the delimiter follows the head at once.
        let value = self.carry.get(LINE_END.len()..end).unwrap_or_default();
        let text = core::str::from_utf8(value).map_err(|_| FormFault::NotText)?;
        if text.is_empty() || text.len() > MODEL_ID_BYTES_MAX {
            return Err(FormFault::NotText);
        }
        self.field = Some(Field {
            span: self.at..self.at + text.len() as u64,
            value: text.to_owned(),
        });
        Ok(())
    }

    /// The rest of a delimiter's line: nothing, or two dashes after the last part.
    fn line(&mut self) -> Result<bool, FormFault> {
        if self.carry.starts_with(b"--") {
            self.state = State::Over;
            return Ok(true);
        }
        let blanks = self
            .carry
            .iter()
            .take_while(|&&byte| matches!(byte, b' ' | b'\t'))
            .count();
        if blanks > BOUNDARY_BYTES_MAX {
            return Err(FormFault::Malformed);
        }
        let rest = self.carry.get(blanks..).unwrap_or_default();
        match rest {
            b"" | b"\r" => Ok(false),
            b"-" if blanks == 0 => Ok(false),
            _ if rest.starts_with(b"\r\n") => {
                // The line's end stays: with the next one it ends a head without fields.
                self.drop_front(blanks);
                self.state = State::Head;
                Ok(true)
            }
            _ => Err(FormFault::Malformed),
        }
    }

    fn head(&mut self) -> Result<bool, FormFault> {
        let from = self.searched.saturating_sub(3);
        let unseen = self.carry.get(from..).unwrap_or_default();
        let Some(found) = memmem::find(unseen, b"\r\n\r\n") else {
            self.searched = self.carry.len();
            return if self.carry.len() > FORM_HEAD_BYTES_MAX {
                Err(FormFault::Malformed)
            } else {
                Ok(false)
            };
        };
        let end = from + found;
        if end > FORM_HEAD_BYTES_MAX {
            return Err(FormFault::Malformed);
        }
        let is_model = names_model(self.carry.get(..end).unwrap_or_default())?;
        if is_model && self.field.is_some() {
            return Err(FormFault::Repeated);
        }
        // The empty line's end stays: a delimiter may follow at once.
        self.drop_front(end + LINE_END.len());
        self.state = State::Content { is_model };
        Ok(true)
    }

    fn drop_front(&mut self, len: usize) {
        self.carry.drain(..len);
        self.at += len as u64;
        self.searched = 0;
    }
}

/// Whether the part with this head is the field `model`. A head that two readers could take for
/// two fields is a fault, and so is a field that asks for what is not kept.
fn names_model(head: &[u8]) -> Result<bool, FormFault> {
    // A file's name may be in another encoding; field names are plain.
    let text = String::from_utf8_lossy(head);
    let mut field = None;
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        if line.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(FormFault::Malformed);
        }
        let (name, value) = line.split_once(':').ok_or(FormFault::Malformed)?;
        if !is_token(name) {
            return Err(FormFault::Malformed);
        }
        if name.eq_ignore_ascii_case("content-disposition") {
            let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
            let named = parameter(parameters, "name")?;
            if !is_token(kind.trim()) || field.replace(named).is_some() {
                return Err(FormFault::Malformed);
            }
        }
    }
    match field.flatten().as_deref() {
        Some("privacy_tier") => Err(FormFault::Tier),
        Some("pii_substitution") => Err(FormFault::Promise),
        name => Ok(name == Some("model")),
    }
}

/// The value of a parameter, out of its quotes. Nothing in the list may stand where readers differ:
/// `wanted` once and in its plain form, no blanks around `=`, nothing behind a closing quote.
fn parameter(list: &str, wanted: &str) -> Result<Option<String>, FormFault> {
    const BETWEEN: [char; 3] = [';', ' ', '\t'];
    let mut found = None;
    let mut list = list.trim_matches(BETWEEN);
    while !list.is_empty() {
        let (name, rest) = list.split_once('=').ok_or(FormFault::Malformed)?;
        let (value, behind) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted).ok_or(FormFault::Malformed)?,
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                let (value, behind) = rest.split_at(end);
                (value.trim_end().to_owned(), behind)
            }
        };
        let is_ended = behind.is_empty() || behind.trim_start().starts_with(';');
        let is_plain = rest.starts_with('"') || !value.starts_with(' ') && !value.contains('"');
        if !is_token(name) || !is_ended || !is_plain {
            return Err(FormFault::Malformed);
        }
        let (base, extended) = name
            .split_once('*')
            .map_or((name, false), |(b, _)| (b, true));
        if base.eq_ignore_ascii_case(wanted) && (extended || found.replace(value).is_some()) {
            return Err(FormFault::Malformed);
        }
        list = behind.trim_start_matches(BETWEEN);
    }
    Ok(found)
}

/// Whether `name` can be a field's or a parameter's name (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

/// What stands up to the closing quote, and what follows that.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// RFC 2046 allows 70.
const BOUNDARY_BYTES_MAX: usize = 200;
/// Belongs to the delimiter behind it; before the first one it is thought.
const LINE_END: &[u8] = b"\r\n";

#[cfg(test)]
mod tests;
