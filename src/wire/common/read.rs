//! Reading request members with refusals that name the place.
//!
//! Objects come through [`object`] or [`single`], which refuse a member that stands there twice:
//! what is read of it and what another parser takes could be two requests.
//!
//! A [`FieldPath`] is a path that lives on the stack and is spelled out only when something is wrong.

use core::fmt;
use std::borrow::Cow;

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::Request;
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};

/// Where a value stands in the request: `messages[2].content`.
#[derive(Clone, Copy, Debug)]
pub struct FieldPath<'p> {
    parent: Option<&'p Self>,
    part: Part,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Name(&'static str),
    Index(usize),
}

impl<'p> FieldPath<'p> {
    /// A member of the outermost object.
    #[must_use]
    pub const fn root(name: &'static str) -> Self {
        Self {
            parent: None,
            part: Part::Name(name),
        }
    }

    /// A member of the object at this place.
    #[must_use]
    pub const fn member(&'p self, name: &'static str) -> Self {
        Self {
            parent: Some(self),
            part: Part::Name(name),
        }
    }

    /// An element of the array at this place.
    #[must_use]
    pub const fn element(&'p self, index: usize) -> Self {
        Self {
            parent: Some(self),
            part: Part::Index(index),
        }
    }

    /// A refusal of the value here.
    #[must_use]
    #[cold]
    pub fn refuse(&self, text: &str) -> Rejection {
        Rejection::invalid(self.to_string(), format!("{self}: {text}"))
    }

    /// A refusal of a member of the object here that stands there twice.
    #[must_use]
    #[cold]
    pub fn member_twice(&self, name: Raw<'_>) -> Rejection {
        let param = format!("{self}.{}", shown(name));
        let text = format!("{param}: the member stands in the request twice");
        Rejection::invalid(param, text)
    }

    /// A refusal that says what was expected and what stands here.
    #[must_use]
    #[cold]
    pub fn expected(&self, what: &str, found: Value<'_>) -> Rejection {
        self.refuse(&format!("expected {what}, found {}", kind_text(found)))
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.part {
            Part::Name(name) if self.parent.is_none() => f.write_str(name),
            Part::Name(name) => write!(f, ".{name}"),
            Part::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The string at `place`.
///
/// # Errors
/// When it is none.
pub fn string<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Raw<'t>, Rejection> {
    value
        .as_raw()
        .ok_or_else(|| place.expected("a string", value))
}

/// The string that must stand as member `name` of `object`.
///
/// # Errors
/// When it is missing or no string.
pub fn string_member<'t>(
    object: Value<'t>,
    name: &'static str,
    place: &FieldPath<'_>,
) -> Result<Raw<'t>, Rejection> {
    let place = place.member(name);
    match object.get_set(name) {
        Some(value) => string(value, &place),
        None => Err(place.refuse("expected a string, found nothing")),
    }
}

/// The string that may stand as member `name` of `object`.
///
/// # Errors
/// When it is there and no string.
pub fn string_maybe<'t>(
    object: Value<'t>,
    name: &'static str,
    place: &FieldPath<'_>,
) -> Result<Option<Raw<'t>>, Rejection> {
    let Some(value) = object.get_set(name) else {
        return Ok(None);
    };
    string(value, &place.member(name)).map(Some)
}

/// The object at `place`.
///
/// # Errors
/// When it is none, or has a member twice.
pub fn object<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Value<'t>, Rejection> {
    single(opaque(value, place)?, place)
}

/// The object at `place`, which is copied as it stands and not judged.
///
/// # Errors
/// When it is none.
pub fn opaque<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Value<'t>, Rejection> {
    match value.kind() {
        JsonKind::Object => Ok(value),
        _ => Err(place.expected("an object", value)),
    }
}

/// The object that must stand as member `name` of `object`.
///
/// # Errors
/// When it is missing, no object, or has a member twice.
pub fn object_member<'t>(
    parent: Value<'t>,
    name: &'static str,
    place: &FieldPath<'_>,
) -> Result<Value<'t>, Rejection> {
    let place = place.member(name);
    match parent.get_set(name) {
        Some(value) => object(value, &place),
        None => Err(place.refuse("expected an object, found nothing")),
    }
}

/// The value at `place`, of whatever kind.
///
/// # Errors
/// When it is an object with a member twice.
pub fn single<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Value<'t>, Rejection> {
    match value.repeated_name() {
        None => Ok(value),
        Some(name) => Err(place.member_twice(name)),
    }
}

/// The refusal of a member of the outermost object that stands there twice.
#[must_use]
#[cold]
pub fn root_member_twice(name: Raw<'_>) -> Rejection {
    let name = shown(name);
    let text = format!("{name}: the member stands in the request twice");
    Rejection::invalid(name, text)
}

/// The array at `place`.
///
/// # Errors
/// When it is none.
pub fn array<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Value<'t>, Rejection> {
    match value.kind() {
        JsonKind::Array => Ok(value),
        _ => Err(place.expected("an array", value)),
    }
}

/// The boolean at `place`.
///
/// # Errors
/// When it is none.
pub fn boolean(value: Value<'_>, place: &FieldPath<'_>) -> Result<bool, Rejection> {
    value
        .as_bool()
        .ok_or_else(|| place.expected("a boolean", value))
}

/// The digits of the number at `place`.
///
/// # Errors
/// When it is none.
pub fn number<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<&'t str, Rejection> {
    value
        .as_number()
        .ok_or_else(|| place.expected("a number", value))
}

/// The whole positive number at `place`.
///
/// # Errors
/// When it is none.
pub fn positive(value: Value<'_>, place: &FieldPath<'_>) -> Result<u64, Rejection> {
    match value.as_u64() {
        Some(number) if number > 0 => Ok(number),
        _ => Err(place.refuse("expected a whole number of at least 1")),
    }
}

/// The decoded string: borrowed where it holds no escape.
#[must_use]
pub fn decoded(raw: Raw<'_>) -> Cow<'_, str> {
    match raw.plain() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(raw.decode()),
    }
}

/// A member that no table knows.
#[must_use]
pub fn unknown(name: Raw<'_>) -> Member {
    Member::Unknown(shown(name))
}

/// Lists the members of an object that have no word: what is `known` has one, `null` asks for
/// nothing.
pub fn strays(value: Value<'_>, known: &[&str], request: &mut Request<'_>) {
    for (name, member) in value.members() {
        if !member.is_null() && !known.iter().any(|known| name.is(known)) {
            request.list(unknown(name));
        }
    }
}

/// A name of the client's as it may stand in a header: short and plain, else one word for all.
#[must_use]
pub fn shown(name: Raw<'_>) -> Cow<'static, str> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    match name.plain() {
        Some(text) if (1..=SHOWN_BYTES_MAX).contains(&text.len()) && text.bytes().all(safe) => {
            Cow::Owned(text.to_owned())
        }
        _ => Cow::Borrowed("unknown"),
    }
}

fn kind_text(value: Value<'_>) -> &'static str {
    match value.kind() {
        JsonKind::Object => "an object",
        JsonKind::Array => "an array",
        JsonKind::String => "a string",
        JsonKind::Number => "a number",
        JsonKind::Bool => "a boolean",
        JsonKind::Null => "null",
    }
}

const SHOWN_BYTES_MAX: usize = 48;
