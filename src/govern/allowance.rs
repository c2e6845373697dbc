//! What a key or a tenant may use, as it is written down.

/// Bounds of one key or tenant; `None` bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// Tokens, input and output, in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time.
    pub concurrent: Option<u64>,
    /// Nano-dollars in a day of UTC.
    pub budget_day: Option<u64>,
    /// Nano-dollars in a month of UTC.
    pub budget_month: Option<u64>,
}

impl Allowance {
    /// Whether nothing is bounded, so that nothing need be counted.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    /// Whether money is bounded.
    #[must_use]
    pub const fn has_budget(&self) -> bool {
        self.budget_day.is_some() || self.budget_month.is_some()
    }
}
