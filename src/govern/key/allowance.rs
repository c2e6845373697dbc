//! What a key or a tenant may use, as it is written down.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::govern::key::document::{DocumentFault, Object, fault};
use crate::govern::value::money;
use crate::limits::RATE_MAX;

/// Bounds of one key or tenant; `None` bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Allowance {
    /// Requests in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub requests_per_minute: Option<u64>,
    /// Tokens, input and output, in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub concurrent: Option<u64>,
    /// Dollars in a day of UTC; held as nano-dollars.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "dollars")]
    #[schema(value_type = String, required = false, pattern = r"^[0-9]+(\.[0-9]{1,9})?$")]
    pub budget_day: Option<u64>,
    /// Dollars in a month of UTC; held as nano-dollars.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "dollars")]
    #[schema(value_type = String, required = false, pattern = r"^[0-9]+(\.[0-9]{1,9})?$")]
    pub budget_month: Option<u64>,
}

impl Allowance {
    /// Takes the members of the bounds out of an object; budgets are dollars, as strings.
    ///
    /// # Errors
    /// The first member that is not as it should be.
    pub fn take(object: &mut Object<'_>) -> Result<Self, DocumentFault> {
        let mut rate = |name| object.whole(name, 1..=RATE_MAX);
        let requests_per_minute = rate("requests_per_minute")?;
        let tokens_per_minute = rate("tokens_per_minute")?;
        let concurrent = rate("concurrent")?;
        let mut dollars = |name| {
            let wrong = || {
                let text = "expected dollars as a string, such as \"25\" or \"0.075\"";
                fault(name, text)
            };
            let given = object.text(name, DOLLARS_BYTES_MAX).map_err(|_| wrong())?;
            let read = given.map(|given| money::parse(&given).ok_or_else(wrong));
            read.transpose()
        };
        Ok(Self {
            requests_per_minute,
            tokens_per_minute,
            concurrent,
            budget_day: dollars("budget_day")?,
            budget_month: dollars("budget_month")?,
        })
    }

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

fn dollars<S: Serializer>(nanos: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    nanos.map(money::show).serialize(to)
}

const DOLLARS_BYTES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::Allowance;
    use crate::govern::key::client_key::Rules;

    #[test]
    fn bounds_are_read_as_they_are_written() {
        let allowance = Allowance {
            requests_per_minute: Some(600),
            tokens_per_minute: Some(1),
            concurrent: Some(32),
            budget_day: Some(75_000_000),
            budget_month: Some(25_000_000_000),
        };
        let rules = Rules {
            allowance,
            ..Rules::default()
        };
        let text = rules.document();
        assert!(text.contains("\"budget_day\":\"0.075\""), "{text}");
        assert_eq!(Rules::parse(text.as_bytes()).unwrap(), rules);
        assert_eq!(Rules::default().document(), "{}");
    }

    #[test]
    fn bounds_that_mean_nothing_are_refused_by_name() {
        for (member, value) in [
            ("requests_per_minute", "0"),
            ("tokens_per_minute", "1.5"),
            ("concurrent", "\"3\""),
            ("concurrent", "1000000000001"),
            ("budget_day", "25"),
            ("budget_month", "\"-1\""),
        ] {
            let text = format!("{{\"{member}\":{value}}}");
            let fault = Rules::parse(text.as_bytes()).unwrap_err();
            assert_eq!(fault.member, member, "{text}");
        }
    }
}
