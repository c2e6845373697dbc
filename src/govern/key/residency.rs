//! Where requests may go: sets of jurisdictions, regions and providers.
//!
//! What a target does not state is not known to be allowed: a set refuses it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::govern::key::document::{DocumentFault, Object, WORD_BYTES_MAX, WORDS_MAX, fault};

/// A rule about where requests may go. A set that is absent restricts nothing; each that is there
/// must hold what the target states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Residency {
    /// Jurisdictions that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 64)]
    pub jurisdictions: Option<Vec<String>>,
    /// Regions that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 64)]
    pub regions: Option<Vec<String>>,
    /// Providers that are allowed, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 64)]
    pub providers: Option<Vec<String>>,
}

/// What a target states of where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetLocation<'p> {
    /// Whose law it is under.
    pub jurisdiction: Option<&'p str>,
    /// Its region.
    pub region: Option<&'p str>,
    /// Its provider's name.
    pub provider: &'p str,
}

impl Residency {
    /// Takes `residency` out of an object of operators.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(object: &mut Object<'_>) -> Result<Option<Self>, DocumentFault> {
        let Some(value) = object.take("residency") else {
            return Ok(None);
        };
        let mut object = Object::new("residency", value)?;
        let mut set = |name| match object.texts(name, (WORDS_MAX, WORD_BYTES_MAX))? {
            Some(set) if set.is_empty() => Err(fault(
                name,
                "is empty and would leave nothing; leave it out to allow all",
            )),
            set => Ok(set),
        };
        let residency = Self {
            jurisdictions: set("jurisdictions")?,
            regions: set("regions")?,
            providers: set("providers")?,
        };
        object.finish()?;
        if residency == Self::default() {
            let text =
                "restricts nothing; name jurisdictions, regions or providers, or leave it out";
            return Err(fault("residency", text));
        }
        Ok(Some(residency))
    }

    /// Whether requests may go to this place.
    #[must_use]
    pub fn admits(&self, place: TargetLocation<'_>) -> bool {
        holds(self.jurisdictions.as_deref(), place.jurisdiction)
            && holds(self.regions.as_deref(), place.region)
            && holds(self.providers.as_deref(), Some(place.provider))
    }
}

fn holds(set: Option<&[String]>, stated: Option<&str>) -> bool {
    let Some(set) = set else { return true };
    stated.is_some_and(|stated| set.iter().any(|allowed| allowed == stated))
}

#[cfg(test)]
mod tests {
    use super::{Residency, TargetLocation};

    #[test]
    fn ni9_every_set_that_is_there_must_hold_what_the_target_states() {
        let canada = TargetLocation {
            jurisdiction: Some("CA"),
            region: Some("ca-central-1"),
            provider: "bedrock",
        };
        let unstated = TargetLocation {
            provider: "bedrock",
            ..TargetLocation::default()
        };
        let set = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        let rule = |jurisdictions, regions, providers| Residency {
            jurisdictions,
            regions,
            providers,
        };
        for (rule, of_canada, of_unstated) in [
            (rule(None, None, None), true, true),
            (rule(set(&["US", "CA"]), None, None), true, false),
            (rule(set(&["ca"]), None, None), false, false),
            (rule(None, set(&["ca-central-1"]), None), true, false),
            (rule(None, None, set(&["bedrock"])), true, true),
            (rule(set(&["CA"]), None, set(&["vertex"])), false, false),
            (rule(set(&["CA"]), set(&["ca-west-1"]), None), false, false),
            (rule(set(&[]), None, None), false, false),
        ] {
            let found = (rule.admits(canada), rule.admits(unstated));
            assert_eq!(found, (of_canada, of_unstated), "{rule:?}");
        }
    }
}
