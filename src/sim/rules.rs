//! The plan on which keys have rules: tiers, residency, limits, budgets, the order `cost` and the
//! slowest stream. What its keys are, and what they say in the configuration.

use core::fmt::Write as _;

use crate::json::hex;
use crate::route::plan::client_key::digest_of;

/// Its number.
pub(super) const RULED: usize = 3;

/// A key that clients come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SimKey {
    /// Nothing is bounded.
    Open,
    /// Targets of the first tier alone.
    Near,
    /// Targets within one jurisdiction alone.
    Home,
    /// A budget that nobody uses up, and its tenant's.
    Rich,
    /// A budget for few requests at one time.
    Poor,
    /// One request at one time.
    Lone,
    /// So many requests a minute: [`FEW`].
    Few,
}

/// All of them.
pub(super) const KEYS: [SimKey; 7] = [
    SimKey::Open,
    SimKey::Near,
    SimKey::Home,
    SimKey::Rich,
    SimKey::Poor,
    SimKey::Lone,
    SimKey::Few,
];
/// Requests a minute of the key that has few.
pub(super) const FEW: usize = 3;
/// Nano-dollars of the key that has little.
pub(super) const POOR_NANOS: u64 = 12_000_000;
/// Nano-dollars for a token of input and of output, by the providers in order: the first is dear where
/// much is answered, the second where much is asked.
pub(super) const PRICES: [(u64, u64); 2] = [(1_000, 100_000), (100_000, 1_000)];
/// Tiers of the providers, in order.
pub(super) const TIERS: [&str; 2] = ["near", "far"];

impl SimKey {
    /// What the client shows.
    pub(super) fn secret(self) -> String {
        format!("rw-sim-{self:?}")
    }

    /// What records and its tenant call it.
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether a request may be refused for what others have used.
    pub(super) const fn is_tight(self) -> bool {
        matches!(self, Self::Poor | Self::Lone | Self::Few)
    }

    fn rules(self) -> String {
        match self {
            Self::Open => String::new(),
            Self::Near => format!("tiers = [\"{}\"]\n", TIERS[0]),
            Self::Home => "residency = { jurisdictions = [\"CA\"] }\n".to_owned(),
            Self::Rich => "budget_month = \"1000\"\ntokens_per_minute = 100000000\n".to_owned(),
            Self::Poor => "budget_month = \"0.012\"\n".to_owned(),
            Self::Lone => "concurrent = 1\n".to_owned(),
            Self::Few => format!("requests_per_minute = {FEW}\n"),
        }
    }
}

/// What stands in its `[limits]`: a stream brings two deltas within its first second.
pub(super) const LIMITS: &str = "stream_rate_min = 2\nstream_rate_window_ms = 1000\n";
/// What a model says there that has several targets.
pub(super) const ORDER: &str = "order = \"cost\"\n";

/// What a provider says there, by its place.
pub(super) fn provider(place: usize) -> String {
    let jurisdiction = ["CA", "US"].get(place).copied().unwrap_or_default();
    let tier = TIERS.get(place).copied().unwrap_or_default();
    format!("tier = \"{tier}\"\njurisdiction = \"{jurisdiction}\"\n")
}

/// Its keys, tenants and prices.
pub(super) fn tables() -> String {
    let mut text = "[[tenant]]\nname = \"rich\"\nbudget_month = \"1000\"\n".to_owned();
    for key in KEYS {
        let name = key.name();
        let digest = hex::text(&digest_of(key.secret().as_bytes()));
        let rules = key.rules();
        let _ = write!(
            text,
            "[[key]]\nsha256 = \"{digest}\"\nid = \"{name}\"\ntenant = \"{name}\"\n{rules}"
        );
    }
    for (provider, (input, output)) in ["openai", "anthropic"].into_iter().zip(PRICES) {
        // Dollars for a million tokens are thousands of nano-dollars for one.
        let (input, output) = (input / 1_000, output / 1_000);
        let _ = write!(
            text,
            "[prices.\"{provider}/*\"]\ninput = \"{input}\"\noutput = \"{output}\"\n"
        );
    }
    text
}
