//! Top-level members of a request by one table: which are read, and which are listed for the target.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::Request;
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::read;

/// A member's name, what its reader does with it, and the value that asks for nothing.
pub type Row = (&'static str, Rule, Neutral);

/// What the reader of a wire does with a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It has a word in the neutral vocabulary.
    Read,
    /// It is the gateway's own, and was acted on before.
    Own,
    /// It has no word in the neutral vocabulary: the target says what becomes of it.
    Listed(Member),
}

/// The value of a member that asks for nothing (`null` always does).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neutral {
    /// Only `null`.
    Null,
    /// This number.
    Number(u32),
    /// `false`
    False,
    /// An empty object or array.
    Empty,
    /// `["text"]`
    TextOnly,
}

/// The members that a request has of a table.
#[derive(Debug)]
pub struct Members<'t> {
    table: &'static [Row],
    /// Each with its place in the table, in that order: few of many, so that a look-up passes few by.
    present: Vec<(usize, Value<'t>)>,
}

impl<'t> Members<'t> {
    /// Sorts the members of `root` by `table`; what is neither read nor neutral is listed in `request.members`.
    ///
    /// # Errors
    /// When a member stands there twice: two readings of one request.
    pub fn sort(
        root: Value<'t>,
        table: &'static [Row],
        request: &mut Request<'_>,
    ) -> Result<Self, Rejection> {
        if let Some(name) = root.repeated_name() {
            return Err(read::root_member_twice(name));
        }
        let mut present = Vec::with_capacity(PRESENT_MOST);
        for (name, value) in root.members() {
            match place_of(name, table) {
                Some(place) => present.push((place, value)),
                None if value.is_null() => {}
                None => request.list(read::unknown(name)),
            }
        }
        present.sort_unstable_by_key(|(place, _)| *place);
        let this = Self { table, present };
        this.list(request);
        Ok(this)
    }

    /// The member called `name`, unless it is `null` or missing.
    #[must_use]
    pub fn get(&self, name: &'static str) -> Option<Value<'t>> {
        debug_assert!(
            self.table.iter().any(|(known, ..)| *known == name),
            "{name} is not in the table"
        );
        let is_it = |place: usize| {
            self.table
                .get(place)
                .is_some_and(|(known, ..)| *known == name)
        };
        let mut present = self.present.iter();
        let (_, value) = present.find(|(place, _)| is_it(*place))?;
        (!value.is_null()).then_some(*value)
    }

    fn list(&self, request: &mut Request<'_>) {
        for (place, value) in &self.present {
            if let Some((_, Rule::Listed(member), neutral)) = self.table.get(*place)
                && !is_neutral(*value, *neutral)
            {
                request.list(member.clone());
            }
        }
    }
}

/// Where a name stands in a table.
fn place_of(name: Raw<'_>, table: &[Row]) -> Option<usize> {
    let bytes = name.bytes();
    if bytes.contains(&b'\\') {
        return table.iter().position(|(known, ..)| name.is(known));
    }
    table
        .iter()
        .position(|(known, ..)| known.as_bytes() == bytes)
}

/// Members of a request, nearly always.
const PRESENT_MOST: usize = 16;

fn is_neutral(value: Value<'_>, neutral: Neutral) -> bool {
    if value.is_null() {
        return true;
    }
    match neutral {
        Neutral::Null => false,
        Neutral::Number(number) => is_number(value, number),
        Neutral::False => value.as_bool() == Some(false),
        Neutral::Empty => match value.kind() {
            JsonKind::Object => value.members().next().is_none(),
            JsonKind::Array => value.elements().next().is_none(),
            _ => false,
        },
        Neutral::TextOnly => {
            value.kind() == JsonKind::Array
                && value.elements().all(|element| element.is_str("text"))
        }
    }
}

/// `0`, `0.0`, `-0.0` alike.
fn is_number(value: Value<'_>, number: u32) -> bool {
    let found = value.as_number().and_then(|digits| digits.parse().ok());
    found.is_some_and(|found: f64| found == f64::from(number))
}
