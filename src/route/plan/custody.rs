//! What answers and records say of where a request went, ready to be written: names of fields, whole
//! lines for every target of the configuration, and its members of a record.
//!
//! A fact that is not stated has no line. Values were checked when they were read: none holds a
//! byte that could end a line.

use crate::govern::usage::record::{self, Names};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{Target, TargetFacts};

/// The prefix of these fields where none is configured.
pub const PREFIX: &str = "x-ringway-";
/// Where a chain of custody begins, where nothing else is configured.
pub const ORIGIN: &str = "ringway";

/// Names and lines of the fields that tell where a request went.
#[derive(Debug)]
pub struct CustodyFields {
    prefix: Box<str>,
    /// Where every chain of custody begins.
    pub origin: Box<str>,
    /// The name of the exchange's id.
    pub request_id: Box<str>,
    /// The names of the model that was asked, as its provider knows it.
    pub models: [Box<str>; 2],
    /// All names, as browsers are told them.
    pub exposed: Box<str>,
    by_provider: Box<[TargetCustody]>,
    by_target: Box<[TargetCustody]>,
}

/// What is configured of one target.
#[derive(Clone, Debug, Default)]
struct TargetCustody {
    lines: Box<[u8]>,
    /// What a record says of it.
    record: Box<[u8]>,
    /// The same where nothing was asked of it: its provider's name.
    unasked: Box<[u8]>,
    /// How a record begins a try at it; empty for a provider, whose models differ.
    names: Box<[u8]>,
}

impl CustodyFields {
    /// The names under a prefix, and the lines of all targets; `target_count` of them are numbered.
    #[must_use]
    pub fn new(
        (prefix, origin): (&str, &str),
        providers: &[Provider],
        targets: &[&Target],
        target_count: usize,
    ) -> Self {
        let given = |provider: &Provider, facts| given((prefix, origin), &provider.name, facts);
        let mut by_target = vec![TargetCustody::default(); target_count];
        for target in targets {
            let place = target.number.and_then(|number| by_target.get_mut(number));
            let provider = providers.get(target.provider);
            if let (Some(place), Some(provider)) = (place, provider) {
                let own = target.facts.as_deref();
                *place = TargetCustody {
                    names: names(provider, &target.model),
                    ..given(provider, own.unwrap_or(&provider.facts))
                };
            }
        }
        let name = |fact| format!("{prefix}{fact}").into_boxed_str();
        let exposed: Vec<String> = FACTS.map(|fact| format!("{prefix}{fact}")).into();
        Self {
            prefix: prefix.into(),
            origin: origin.into(),
            request_id: name("request-id"),
            models: [name("resolved-model"), name("resolved-litellm-model")],
            exposed: exposed.join(", ").into(),
            by_provider: providers
                .iter()
                .map(|provider| given(provider, &provider.facts))
                .collect(),
            by_target: by_target.into(),
        }
    }

    /// The lines of a target: by its number, or where it has none, those of its provider.
    #[must_use]
    pub fn lines(&self, provider: usize, number: Option<usize>) -> &[u8] {
        self.given(provider, number)
            .map_or(&[], |given| &given.lines)
    }

    /// The same as a record says it, by [`record::Custody::write`].
    #[must_use]
    pub fn record(&self, provider: usize, number: Option<usize>) -> &[u8] {
        self.given(provider, number)
            .map_or(&[], |given| &given.record)
    }

    /// What a record says of a provider of which nothing was asked.
    #[must_use]
    pub fn unasked(&self, provider: usize) -> &[u8] {
        self.given(provider, None)
            .map_or(&[], |given| &given.unasked)
    }

    /// How a record begins a try at the target of this number, by [`Names::write`].
    #[must_use]
    pub fn names(&self, number: usize) -> Option<&[u8]> {
        let given = self.by_target.get(number)?;
        (!given.names.is_empty()).then_some(&given.names)
    }

    fn given(&self, provider: usize, number: Option<usize>) -> Option<&TargetCustody> {
        let numbered = number.and_then(|number| self.by_target.get(number));
        numbered.or_else(|| self.by_provider.get(provider))
    }

    /// Whether a field's name claims to be one of these.
    #[must_use]
    pub fn is_claimed_by(&self, name: &[u8]) -> bool {
        let start = name.get(..self.prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(self.prefix.as_bytes()))
    }
}

fn given((prefix, origin): (&str, &str), provider: &str, facts: &TargetFacts) -> TargetCustody {
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
    TargetCustody {
        lines: out.into_bytes().into(),
        record: record((origin, provider), facts),
        unasked: record_of(&record::Custody {
            provider: Some(provider.as_bytes()),
            ..record::Custody::default()
        }),
        names: Box::default(),
    }
}

fn record((origin, provider): (&str, &str), facts: &TargetFacts) -> Box<[u8]> {
    record_of(&record::Custody {
        provider: Some(provider.as_bytes()),
        tier: bytes_of(facts.tier.as_deref()),
        region: bytes_of(facts.region.as_deref()),
        jurisdiction: bytes_of(facts.jurisdiction.as_deref()),
        label: bytes_of(facts.custody_label.as_deref()),
        credential_source: bytes_of(facts.credential_source.as_deref()),
        origin: Some(origin.as_bytes()),
    })
}

fn record_of(stated: &record::Custody<'_>) -> Box<[u8]> {
    let mut out = Vec::new();
    stated.write(&mut out);
    out.into()
}

fn bytes_of(text: Option<&str>) -> Option<&[u8]> {
    text.map(str::as_bytes)
}

fn names(provider: &Provider, model: &str) -> Box<[u8]> {
    let names = Names {
        provider: Some(provider.name.as_bytes()),
        model: Some(model.as_bytes()),
        host: Some(provider.endpoint.host.as_bytes()),
    };
    let mut out = Vec::new();
    names.write(&mut out);
    out.into()
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
