//! What a translation left out or changed, as the response header names it.
//!
//! A note is a **loss**, but for what the wires' own rules leave behind or say in another place:
//! reasoning that only its own model reads, instructions that became text of the user.
//!
//! Notes hold members; the client's wire spells them. Unknown members have names of the client's, so
//! all are bounded: past [`NOTES_MAX`] names the rest is one name, `others`.

use crate::chat::member::Member;
use crate::limits::NOTES_MAX;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Members that were dropped or changed: sorted by their names in the client's wire, each name once in
/// all (but `others`), no values. At most [`NOTES_MAX`] names, and `others` in each list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    client: Wire,
    dropped: Vec<Member>,
    changed: Vec<Member>,
    /// The first loss.
    loss: Option<Member>,
}

impl Default for Notes {
    fn default() -> Self {
        Self::new(Wire::OpenAiChat)
    }
}

impl Notes {
    /// Nothing was lost; a client of the wire `client` will read what is.
    #[must_use]
    pub const fn new(client: Wire) -> Self {
        Self {
            client,
            dropped: Vec::new(),
            changed: Vec::new(),
            loss: None,
        }
    }

    /// The wire of the client that reads them.
    #[must_use]
    pub const fn client(&self) -> Wire {
        self.client
    }

    /// `member` was left out, and is lost.
    pub fn dropped(&mut self, member: Member) {
        self.loss.get_or_insert_with(|| member.clone());
        self.left_out(member);
    }

    /// `member` went on with another meaning or value: a loss.
    pub fn changed(&mut self, member: Member) {
        self.loss.get_or_insert_with(|| member.clone());
        self.reworded(member);
    }

    /// `member` was left out, whatever became of it before; the answer means the same without.
    pub fn left_out(&mut self, member: Member) {
        if member != Member::OTHERS
            && let Ok(at) = self.find(&self.changed, &member)
        {
            self.changed.remove(at);
        }
        let is_full = self.is_full();
        insert(self.client, &mut self.dropped, member, is_full);
    }

    /// `member` went on in another form that means the same, unless it was left out.
    pub fn reworded(&mut self, member: Member) {
        if member == Member::OTHERS || self.find(&self.dropped, &member).is_err() {
            let is_full = self.is_full();
            insert(self.client, &mut self.changed, member, is_full);
        }
    }

    fn find(&self, list: &[Member], member: &Member) -> Result<usize, usize> {
        place_in(self.client, list, member)
    }

    /// Whether no name but `others` can be added.
    fn is_full(&self) -> bool {
        let named = |list: &[Member]| list.iter().filter(|it| **it != Member::OTHERS).count();
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
    pub const fn loss(&self) -> Option<&Member> {
        self.loss.as_ref()
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
        for (label, members) in [("dropped", &self.dropped), ("changed", &self.changed)] {
            if members.is_empty() {
                continue;
            }
            let gap = if text.is_empty() { "" } else { "; " };
            text.push_str(gap);
            text.push_str(label);
            for (rank, member) in members.iter().enumerate() {
                text.push(if rank == 0 { '=' } else { ',' });
                text.push_str(codec::member_name(self.client, member));
            }
        }
        text
    }
}

/// Inserts `member`, or `others` in its place where the names `are_full`.
fn insert(client: Wire, list: &mut Vec<Member>, member: Member, are_full: bool) {
    match place_in(client, list, &member) {
        Ok(_) => {}
        Err(at) if !are_full || member == Member::OTHERS => list.insert(at, member),
        Err(_) => insert(client, list, Member::OTHERS, are_full),
    }
}

/// Where a member of this name stands in a list, or belongs.
fn place_in(client: Wire, list: &[Member], member: &Member) -> Result<usize, usize> {
    let name = codec::member_name(client, member);
    list.binary_search_by(|it| codec::member_name(client, it).cmp(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: impl Into<String>) -> Member {
        Member::Unknown(name.into().into())
    }

    #[test]
    fn header_lists_sorted_names_once() {
        let mut notes = Notes::default();
        notes.dropped(Member::Seed);
        notes.dropped(Member::LogitBias);
        notes.dropped(Member::Seed);
        assert_eq!(notes.header(), "dropped=logit_bias,seed");
        notes.changed(Member::Temperature);
        assert_eq!(
            notes.header(),
            "dropped=logit_bias,seed; changed=temperature"
        );
        assert_eq!(notes.count(), 3);
    }

    #[test]
    fn what_is_named_is_a_loss_only_where_the_meaning_suffers() {
        let mut notes = Notes::default();
        notes.left_out(Member::CacheControl);
        notes.reworded(Member::Messages);
        assert_eq!(notes.header(), "dropped=cache_control; changed=messages");
        assert_eq!((notes.loss(), notes.count()), (None, 2));
        let mut more = Notes::default();
        more.changed(Member::TopP);
        more.dropped(Member::Seed);
        assert_eq!(more.loss(), Some(&Member::TopP));
        assert_eq!(notes.clone().with(&more).loss(), Some(&Member::TopP));
        assert_eq!(more.with(&notes).loss(), Some(&Member::TopP));
        notes.dropped(Member::CacheControl);
        assert_eq!(notes.loss(), Some(&Member::CacheControl));
    }

    #[test]
    fn names_past_the_bound_are_others_and_no_loss_is_forgotten() {
        let mut notes = Notes::default();
        for number in 0..NOTES_MAX {
            notes.left_out(unknown(format!("m{number:02}")));
        }
        assert_eq!(notes.count(), NOTES_MAX);
        assert!(!notes.header().contains("others"), "{}", notes.header());
        notes.dropped(unknown("one_more"));
        notes.changed(unknown("another"));
        for number in 0..1_000 {
            notes.dropped(unknown(format!("x{number}")));
            notes.changed(unknown(format!("y{number}")));
        }
        assert_eq!(notes.count(), NOTES_MAX + 2);
        assert!(notes.header().ends_with(",others; changed=others"));
        assert_eq!(notes.loss(), Some(&unknown("one_more")));
        // A name that is known stays itself.
        notes.changed(unknown("m00"));
        assert_eq!(notes.count(), NOTES_MAX + 2);
        let both = Notes::default().with(&notes).with(&notes);
        assert_eq!(both, notes);
    }

    #[test]
    fn member_that_is_dropped_is_not_changed_as_well() {
        let mut notes = Notes::default();
        notes.changed(unknown("a"));
        notes.dropped(unknown("a"));
        notes.dropped(unknown("b"));
        notes.changed(unknown("b"));
        assert_eq!(notes.header(), "dropped=a,b");
        let mut more = Notes::default();
        more.changed(unknown("a"));
        more.changed(unknown("c"));
        more.dropped(unknown("d"));
        assert_eq!(notes.with(&more).header(), "dropped=a,b,d; changed=c");
    }
}
