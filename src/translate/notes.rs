//! What a translation left out or changed, as the response header names it.
//!
//! A note is a **loss**, but for what the wires' own rules leave behind or say in another place:
//! reasoning that only its own model reads, instructions that became text of the user.
//!
//! Names may come from a client, so they are bounded: past [`NOTES_MAX`] names the rest is one
//! name, `others`.

use std::borrow::Cow;

use crate::limits::NOTES_MAX;

/// Names of members that were dropped or changed: sorted, each once in all (but `others`), no
/// values. At most [`NOTES_MAX`] names, and `others` in each list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    dropped: Vec<Cow<'static, str>>,
    changed: Vec<Cow<'static, str>>,
    /// The first loss.
    loss: Option<Cow<'static, str>>,
}

impl Notes {
    /// Nothing was lost.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            dropped: Vec::new(),
            changed: Vec::new(),
            loss: None,
        }
    }

    /// `member` was left out, and is lost.
    pub fn dropped(&mut self, member: impl Into<Cow<'static, str>>) {
        let member = member.into();
        self.loss.get_or_insert_with(|| member.clone());
        self.left_out(member);
    }

    /// `member` went on with another meaning or value: a loss.
    pub fn changed(&mut self, member: impl Into<Cow<'static, str>>) {
        let member = member.into();
        self.loss.get_or_insert_with(|| member.clone());
        self.reworded(member);
    }

    /// `member` was left out, whatever became of it before; the answer means the same without.
    pub fn left_out(&mut self, member: impl Into<Cow<'static, str>>) {
        let member = member.into();
        if member != OTHERS
            && let Ok(at) = self.changed.binary_search(&member)
        {
            self.changed.remove(at);
        }
        let is_full = self.is_full();
        insert(&mut self.dropped, member, is_full);
    }

    /// `member` went on in another form that means the same, unless it was left out.
    pub fn reworded(&mut self, member: impl Into<Cow<'static, str>>) {
        let member = member.into();
        if member == OTHERS || self.dropped.binary_search(&member).is_err() {
            let is_full = self.is_full();
            insert(&mut self.changed, member, is_full);
        }
    }

    /// Whether no name but `others` can be added.
    fn is_full(&self) -> bool {
        let named = |list: &[Cow<'_, str>]| list.iter().filter(|name| **name != OTHERS).count();
        named(&self.dropped) + named(&self.changed) >= NOTES_MAX
    }

    /// These notes and those of `other`.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for member in &other.dropped {
            self.left_out(member.clone());
        }
        for member in &other.changed {
            self.reworded(member.clone());
        }
        self.loss = self.loss.or_else(|| other.loss.clone());
        self
    }

    /// Whether nothing was left out or changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.changed.is_empty()
    }

    /// The first loss: what a strict request is refused for.
    #[must_use]
    pub fn loss(&self) -> Option<&str> {
        self.loss.as_deref()
    }

    /// How many members were dropped or changed.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.dropped.len() + self.changed.len()
    }

    /// The value of `x-ringway-translation`: `dropped=logit_bias,seed; changed=temperature`.
    #[must_use]
    pub fn header(&self) -> String {
        let mut text = String::new();
        for (label, names) in [("dropped", &self.dropped), ("changed", &self.changed)] {
            if names.is_empty() {
                continue;
            }
            let gap = if text.is_empty() { "" } else { "; " };
            text.push_str(gap);
            text.push_str(label);
            for (rank, name) in names.iter().enumerate() {
                text.push(if rank == 0 { '=' } else { ',' });
                text.push_str(name);
            }
        }
        text
    }
}

/// Inserts `member`, or `others` in its place where the names `are_full`.
fn insert(names: &mut Vec<Cow<'static, str>>, member: Cow<'static, str>, are_full: bool) {
    match names.binary_search(&member) {
        Ok(_) => {}
        Err(at) if !are_full || member == OTHERS => names.insert(at, member),
        Err(_) => insert(names, Cow::Borrowed(OTHERS), are_full),
    }
}

/// Stands for all names past [`NOTES_MAX`].
const OTHERS: &str = "others";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lists_sorted_names_once() {
        let mut notes = Notes::new();
        notes.dropped("seed");
        notes.dropped("logit_bias");
        notes.dropped("seed");
        assert_eq!(notes.header(), "dropped=logit_bias,seed");
        notes.changed("temperature");
        assert_eq!(
            notes.header(),
            "dropped=logit_bias,seed; changed=temperature"
        );
        assert_eq!(notes.count(), 3);
    }

    #[test]
    fn what_is_named_is_a_loss_only_where_the_meaning_suffers() {
        let mut notes = Notes::new();
        notes.left_out("cache_control");
        notes.reworded("messages");
        assert_eq!(notes.header(), "dropped=cache_control; changed=messages");
        assert_eq!((notes.loss(), notes.count()), (None, 2));
        let mut more = Notes::new();
        more.changed("top_p");
        more.dropped("seed");
        assert_eq!(more.loss(), Some("top_p"));
        assert_eq!(notes.clone().with(&more).loss(), Some("top_p"));
        assert_eq!(more.with(&notes).loss(), Some("top_p"));
        notes.dropped("cache_control");
        assert_eq!(notes.loss(), Some("cache_control"));
    }

    #[test]
    fn names_past_the_bound_are_others_and_no_loss_is_forgotten() {
        let mut notes = Notes::new();
        for number in 0..NOTES_MAX {
            notes.left_out(format!("m{number:02}"));
        }
        assert_eq!(notes.count(), NOTES_MAX);
        assert!(!notes.header().contains("others"), "{}", notes.header());
        notes.dropped("one_more");
        notes.changed("another");
        for number in 0..1_000 {
            notes.dropped(format!("x{number}"));
            notes.changed(format!("y{number}"));
        }
        assert_eq!(notes.count(), NOTES_MAX + 2);
        assert!(notes.header().ends_with(",others; changed=others"));
        assert_eq!(notes.loss(), Some("one_more"));
        // A name that is known stays itself.
        notes.changed("m00");
        assert_eq!(notes.count(), NOTES_MAX + 2);
        let both = Notes::new().with(&notes).with(&notes);
        assert_eq!(both, notes);
    }

    #[test]
    fn member_that_is_dropped_is_not_changed_as_well() {
        let mut notes = Notes::new();
        notes.changed("a");
        notes.dropped("a");
        notes.dropped("b");
        notes.changed("b");
        assert_eq!(notes.header(), "dropped=a,b");
        let mut more = Notes::new();
        more.changed("a");
        more.changed("c");
        more.dropped("d");
        assert_eq!(notes.with(&more).header(), "dropped=a,b,d; changed=c");
    }
}
