//! A figure of a provider's rate limit, as its response head tells it.

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit<'v> {
    /// What is limited.
    pub measure: Measure,
    /// What is told of it.
    pub figure: Figure<'v>,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
}

/// What is told of a rate. Counts are their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure<'v> {
    /// How many there may be.
    Limit(&'v str),
    /// How many are left.
    Remaining(&'v str),
    /// Milliseconds until all are there again.
    Reset(u64),
}

impl Measure {
    /// Its name in the fields of both wires.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }

    /// The measure called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Requests, Self::Tokens];
        all.into_iter().find(|measure| measure.name() == name)
    }
}

impl<'v> Figure<'v> {
    /// Its name in the fields of both wires.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit(_) => "limit",
            Self::Remaining(_) => "remaining",
            Self::Reset(_) => "reset",
        }
    }

    /// The figure called `name`, of a field's value; `reset` reads a time.
    #[must_use]
    pub fn read(
        name: &str,
        value: &'v str,
        reset: impl FnOnce(&str) -> Option<u64>,
    ) -> Option<Self> {
        match name {
            "limit" => count(value).map(Self::Limit),
            "remaining" => count(value).map(Self::Remaining),
            "reset" => reset(value).map(Self::Reset),
            _ => None,
        }
    }

    /// The value of its field; `reset` spells a time.
    #[must_use]
    pub fn value(self, reset: impl FnOnce(u64) -> String) -> String {
        match self {
            Self::Limit(digits) | Self::Remaining(digits) => digits.to_owned(),
            Self::Reset(ms) => reset(ms),
        }
    }
}

/// A plain number, so that nothing else can travel as one.
fn count(value: &str) -> Option<&str> {
    let value = value.trim();
    let plain = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    plain.then_some(value)
}
