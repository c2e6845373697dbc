//! A configuration out of four environment variables, for a start without a file.
//!
//! Both providers exist, at the addresses that their own SDKs use unless a variable says another.
//! Where we have no key of ours, the caller's own is used.

use crate::config::schema::fault::{Located, Location};
use crate::config::schema::file::{Config, KeySource, ProviderConfig};

/// Looks up an environment variable.
pub type Lookup<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The configuration that the environment asks for.
#[must_use]
pub fn config(env: Lookup<'_>) -> Config {
    Config {
        providers: vec![
            provider("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", env),
            provider("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", env),
        ],
        ..Config::default()
    }
}

fn provider(name: &str, key: &str, base_url: &str, env: Lookup<'_>) -> ProviderConfig {
    let url = env(base_url).filter(|url| !url.is_empty());
    ProviderConfig {
        place: Location::outside(key),
        name: Some(Located::outside(name.to_owned(), base_url)),
        kind: Some(Located::outside(name.to_owned(), base_url)),
        base_url: url.map(|url| Located::outside(url, base_url)),
        key: KeySource::VariableOrCaller(Located::outside(key.to_owned(), key)),
        ..ProviderConfig::default()
    }
}
