//! Service tiers in the OpenAI wire's words.

use crate::json::raw::Raw;

/// A tier of the Anthropic wire as this one calls it; tiers of its own stay.
#[must_use]
pub fn read(tier: Raw<'_>) -> Option<&'static str> {
    let word = tier.plain()?;
    let found = WORDS.iter().find(|(known, _)| word == *known);
    found.map(|(_, own)| *own)
}

const WORDS: [(&str, &str); 7] = [
    ("standard", "default"),
    ("batch", "flex"),
    ("priority", "priority"),
    ("default", "default"),
    ("flex", "flex"),
    ("auto", "auto"),
    ("scale", "scale"),
];
