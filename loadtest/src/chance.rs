//! Numbers that look random and repeat by their seed (splitmix64).

/// A source of them.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, of all 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            end => self.draw() % end,
        }
    }

    /// A fraction above 0 and at most 1.
    pub fn fraction(&mut self) -> f64 {
        ((self.draw() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// An exponentially distributed time of this mean: what lies between arrivals that do not know
    /// of each other.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -self.fraction().ln() * mean
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn chance_of_one_seed_repeats_and_of_another_differs() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            [chance.draw(), chance.draw(), chance.draw()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn exponential_has_its_mean_and_its_spread() {
        let mut chance = Chance::new(1);
        let count = 200_000;
        let drawn: Vec<f64> = (0..count).map(|_| chance.exponential(50.0)).collect();
        let mean = drawn.iter().sum::<f64>() / f64::from(count);
        let spread = drawn.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / f64::from(count);
        assert!((mean - 50.0).abs() < 1.0, "{mean}");
        assert!((spread.sqrt() - 50.0).abs() < 2.0, "{spread}");
        assert!(drawn.iter().all(|d| *d >= 0.0 && d.is_finite()));
    }

    #[test]
    fn below_stays_below_and_takes_nothing_from_nothing() {
        let mut chance = Chance::new(3);
        assert!((0..1000).all(|_| chance.below(3) < 3));
        assert_eq!(chance.below(0), 0);
    }
}
