//! What a translation left out or changed, as the response header names it.

use std::borrow::Cow;

/// Names of members that were dropped or changed: sorted, each once in all, no values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    dropped: Vec<Cow<'static, str>>,
    changed: Vec<Cow<'static, str>>,
}

impl Notes {
    /// Nothing was lost.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            dropped: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// `member` was left out, whatever became of it before.
    pub fn dropped(&mut self, member: impl Into<Cow<'static, str>>) {
        let member = member.into();
        if let Ok(at) = self.changed.binary_search(&member) {
            self.changed.remove(at);
        }
        insert(&mut self.dropped, member);
    }

    /// `member` went on with another meaning or value, unless it was left out.
    pub fn changed(&mut self, member: impl Into<Cow<'static, str>>) {
        let member = member.into();
        if self.dropped.binary_search(&member).is_err() {
            insert(&mut self.changed, member);
        }
    }

    /// These notes and those of `other`.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        other.dropped.iter().for_each(|it| self.dropped(it.clone()));
        other.changed.iter().for_each(|it| self.changed(it.clone()));
        self
    }

    /// Whether nothing was lost.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.changed.is_empty()
    }

    /// The first loss: what a strict request is refused for.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.dropped
            .first()
            .or_else(|| self.changed.first())
            .map(AsRef::as_ref)
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

fn insert(names: &mut Vec<Cow<'static, str>>, member: Cow<'static, str>) {
    if let Err(at) = names.binary_search(&member) {
        names.insert(at, member);
    }
}

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
