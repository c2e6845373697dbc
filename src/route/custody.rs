//! What answers say of where a request went, ready to be written: names of fields, and whole lines
//! for every target of the configuration.
//!
//! A fact that is not stated has no line. Values were checked when they were read: none holds a
//! byte that could end a line.

use crate::route::target::{Target, TargetFacts};
use crate::route::upstream::Provider;

/// The prefix of these fields where none is configured.
pub const PREFIX: &str = "x-ringway-";
/// Where a chain of custody begins, where nothing else is configured.
pub const ORIGIN: &str = "ringway";

/// Names and lines of the fields that tell where a request went.
#[derive(Debug)]
pub struct Custody {
    prefix: Box<str>,
    /// The name of the exchange's id.
    pub request_id: Box<str>,
    /// The names of the model that was asked, as its provider knows it.
    pub models: [Box<str>; 2],
    /// All names, as browsers are told them.
    pub exposed: Box<str>,
    by_provider: Box<[Box<[u8]>]>,
    by_target: Box<[Box<[u8]>]>,
}

impl Custody {
    /// The names under a prefix, and the lines of all targets; `target_count` of them are numbered.
    #[must_use]
    pub fn new(
        (prefix, origin): (&str, &str),
        providers: &[Provider],
        targets: &[&Target],
        target_count: usize,
    ) -> Self {
        let lines = |provider: &Provider, facts| lines((prefix, origin), &provider.name, facts);
        let mut by_target = vec![Box::default(); target_count];
        for target in targets {
            let place = target.number.and_then(|number| by_target.get_mut(number));
            let provider = providers.get(target.provider);
            if let (Some(place), Some(provider)) = (place, provider) {
                let own = target.facts.as_deref();
                *place = lines(provider, own.unwrap_or(&provider.facts));
            }
        }
        let name = |fact| format!("{prefix}{fact}").into_boxed_str();
        let exposed: Vec<String> = FACTS.map(|fact| format!("{prefix}{fact}")).into();
        Self {
            prefix: prefix.into(),
            request_id: name("request-id"),
            models: [name("resolved-model"), name("resolved-litellm-model")],
            exposed: exposed.join(", ").into(),
            by_provider: providers
                .iter()
                .map(|provider| lines(provider, &provider.facts))
                .collect(),
            by_target: by_target.into(),
        }
    }

    /// The lines of a target: by its number, or where it has none, those of its provider.
    #[must_use]
    pub fn lines(&self, provider: usize, number: Option<usize>) -> &[u8] {
        let numbered = number.and_then(|number| self.by_target.get(number));
        let found = numbered.or_else(|| self.by_provider.get(provider));
        found.map_or(&[], |lines| lines)
    }

    /// Whether a field's name claims to be one of these.
    #[must_use]
    pub fn is_claimed_by(&self, name: &[u8]) -> bool {
        let start = name.get(..self.prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(self.prefix.as_bytes()))
    }
}

fn lines((prefix, origin): (&str, &str), provider: &str, facts: &TargetFacts) -> Box<[u8]> {
    let path = facts.custody_label.as_ref();
    let path = path.map(|label| format!("{origin} -> {label}"));
    let mut out = String::new();
    for (name, value) in [
        ("resolved-tier", facts.tier.as_deref()),
        ("resolved-provider", Some(provider)),
        ("resolved-region", facts.region.as_deref()),
        ("resolved-jurisdiction", facts.jurisdiction.as_deref()),
        ("custody-path", path.as_deref()),
        ("credential-source", facts.credential_source.as_deref()),
    ] {
        if let Some(value) = value {
            out.push_str(&format!("{prefix}{name}: {value}\r\n"));
        }
    }
    out.into_bytes().into()
}

/// The fields, without their prefix.
pub const FACTS: [&str; 9] = [
    "request-id",
    "resolved-tier",
    "resolved-provider",
    "resolved-region",
    "resolved-jurisdiction",
    "custody-path",
    "credential-source",
    "resolved-model",
    "resolved-litellm-model",
];
