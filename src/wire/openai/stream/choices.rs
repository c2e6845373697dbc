//! Which choices of a stream have finished.
//!
//! A stream without `[DONE]` is whole if every choice that was seen has a finish reason and the
//! body ended cleanly.

/// Choices seen and finished, by index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choices {
    seen: u128,
    finished: u128,
    /// An index too large for the masks came by: only `[DONE]` can end such a stream.
    beyond: bool,
}

impl Choices {
    /// Notes a choice of a chunk, and whether the chunk finishes it.
    pub const fn note(&mut self, index: u64, finished: bool) {
        if index >= 128 {
            self.beyond = true;
            return;
        }
        let bit = 1u128 << index;
        self.seen |= bit;
        if finished {
            self.finished |= bit;
        }
    }

    /// Whether some choice was seen.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.beyond || self.seen != 0
    }

    /// Whether some choice was seen and all that were seen have finished.
    #[must_use]
    pub const fn all_finished(&self) -> bool {
        !self.beyond && self.seen != 0 && self.seen == self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_finished_needs_every_choice_seen() {
        let mut choices = Choices::default();
        assert!(!choices.all_finished());
        choices.note(0, true);
        assert!(choices.all_finished());
        choices.note(127, false);
        assert!(!choices.all_finished());
        choices.note(127, true);
        assert!(choices.all_finished());
        choices.note(128, true);
        assert!(!choices.all_finished());
    }
}
