//! Money that was spent in a day and a month.

/// Money that was spent and is still reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetUse {
    /// The day, since 1970.
    pub day: u64,
    /// Nano-dollars on it.
    pub on_day: u64,
    /// The month, since 1970.
    pub month: u64,
    /// Nano-dollars in it.
    pub in_month: u64,
}
