//! A configuration out of four environment variables, for a start without a file.
//!
//! Both providers exist, at the addresses that their own SDKs use unless a variable says another.
//! Where we have no key of ours, the caller's own is used.

use std::sync::{Mutex, PoisonError};

use crate::config::schema::fault::{Located, Location};
use crate::config::schema::file::{Config, KeySource, ProviderConfig};
use crate::config::schema::secret::Secret;

/// Looks up an environment variable.
pub type Lookup<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Variables that were taken out of the environment because they hold credentials: a configuration that
/// is read again finds them here.
#[derive(Debug, Default)]
pub struct RetainedVariables(Mutex<Vec<(String, Secret)>>);

impl RetainedVariables {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Keeps the variables of these names, as `env` has them. One that it has no more stays as it was.
    pub fn retain(&self, names: &[String], env: Lookup<'_>) {
        for name in names {
            // Not with the lock held: the variable may come from here.
            if let Some(value) = env(name) {
                let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                kept.retain(|(known, _)| known != name);
                kept.push((name.clone(), Secret::new(value.into_bytes())));
            }
        }
    }

    /// The value of a variable that was kept.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, value) = kept.iter().find(|(known, _)| known == name)?;
        String::from_utf8(value.expose().to_vec()).ok()
    }
}

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
