//! Why a request went where it went: a few fixed words, in the order in which they came up.

/// The words, without a word twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reasons {
    words: [&'static str; REASONS_MAX],
    /// 0 <= count <= [`REASONS_MAX`].
    count: usize,
}

impl Reasons {
    /// Adds a word, unless it stands there already or there is no room left.
    pub fn push(&mut self, word: &'static str) {
        if self.iter().any(|known| known == word) {
            return;
        }
        if let Some(free) = self.words.get_mut(self.count) {
            *free = word;
            self.count += 1;
        }
    }

    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.words.iter().copied().take(self.count)
    }
}

/// Words of one exchange.
const REASONS_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::Reasons;

    #[test]
    fn words_come_once_in_order_up_to_their_bound() {
        let mut reasons = Reasons::default();
        assert_eq!(reasons.iter().count(), 0);
        for word in ["a", "b", "a", "c", "d", "e", "f", "g"] {
            reasons.push(word);
        }
        let words: Vec<_> = reasons.iter().collect();
        assert_eq!(words, ["a", "b", "c", "d", "e", "f"]);
    }
}
