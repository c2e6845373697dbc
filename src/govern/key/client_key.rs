//! A client's key and its tenant, wherever they are kept, and what they look like as JSON.
//!
//! The key itself is never held: its digest stands for it, and is in no document.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::govern::key::allowance::Allowance;
use crate::govern::key::document::{
    DocumentFault, Object, WORD_BYTES_MAX, WORDS_MAX, check_text, fault, object,
};
use crate::govern::key::residency::Residency;
use crate::govern::value::date;
use crate::govern::value::text::is_masked;
use crate::json::tape::Tape;
use crate::limits::MODEL_ID_BYTES_MAX;

/// SHA-256 of a client's key.
pub type KeyDigest = [u8; 32];

/// One client key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Key {
    /// What it is called in records and by operators: `key_` and 16 hexadecimal digits, or what the
    /// configuration says.
    #[schema(value_type = String)]
    pub id: Box<str>,
    /// SHA-256 of the key.
    #[serde(skip)]
    pub digest: KeyDigest,
    /// Whose requests these are.
    #[schema(value_type = String)]
    pub tenant: Box<str>,
    /// The operator's name for it; may be empty.
    #[schema(value_type = String)]
    pub name: Box<str>,
    /// When it was made; nought, the beginning of 1970, where nobody knows.
    #[serde(rename = "created", serialize_with = "moment")]
    #[schema(value_type = String, format = DateTime)]
    pub created_ms: u64,
    /// From then on it is unknown; absent or null: never.
    #[serde(rename = "expires", serialize_with = "moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub expires_ms: Option<u64>,
    /// Since then it is unknown.
    #[serde(rename = "revoked", serialize_with = "moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub revoked_ms: Option<u64>,
    /// Until then the secret before the last rotation is good too.
    #[serde(rename = "former_until", serialize_with = "end_of_former")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub former: Option<Former>,
    /// What it may do.
    #[serde(flatten)]
    pub rules: Rules,
}

/// A key with its secret, as those see it who have just made it.
#[derive(Serialize, ToSchema)]
pub struct KeyWithSecret<'k> {
    /// The key.
    #[serde(flatten)]
    pub shown: &'k Key,
    /// The secret; kept nowhere.
    pub key: &'k str,
}

/// The digest that a key had before it was rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// SHA-256 of the key.
    pub digest: KeyDigest,
    /// From then on it is unknown, in Unix milliseconds.
    pub until_ms: u64,
}

/// What a key may do; `None` restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rules {
    /// Patterns of model ids that may be asked for; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 256)]
    pub models: Option<Vec<String>>,
    /// Tiers of targets that may be used; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 64)]
    pub tiers: Option<Vec<String>>,
    /// Endpoints with state at the provider that may be used, or `*`; absent: as the gateway has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 64)]
    pub relay: Option<Vec<String>>,
    /// Where its requests may go; a set that is absent restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub residency: Option<Residency>,
    /// What it may use.
    #[serde(flatten)]
    pub allowance: Allowance,
    /// The operator's own words about it.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "by_name")]
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    pub metadata: Vec<(String, String)>,
}

/// One tenant and what holds for all of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TenantBounds)]
pub struct Tenant {
    /// What its records, sums and limits go by: no other tenant ever has it. Empty in one of the
    /// configuration that says none: see [`id_of`].
    #[serde(skip)]
    pub id: Box<str>,
    /// Its name, as keys say it. Once it is gone another tenant may have it.
    #[serde(skip)]
    pub name: Box<str>,
    /// Where its requests may go; a set that is absent restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub residency: Option<Residency>,
    /// What all of its keys together may use.
    #[serde(flatten)]
    pub allowance: Allowance,
}

/// A tenant as those see it who manage keys.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
pub struct ShownTenant<'t> {
    /// What its records, sums and limits go by. No tenant gets the id of another one, a present or a former
    /// one.
    pub id: &'t str,
    /// Its name.
    pub name: &'t str,
    /// Where the rules in force stand; the configuration outranks the store.
    pub source: TenantSource,
    /// Its rules.
    #[serde(flatten)]
    pub rules: &'t Tenant,
}

/// Where the rules of a tenant stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantSource {
    /// The configuration, which outranks the store.
    Configuration,
    /// The store.
    Store,
}

impl TenantSource {
    /// Its name in documents and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Store => "store",
        }
    }
}

/// The tenants that count: those of the configuration, and those of the store that it does not name, by
/// name or id. By name.
#[must_use]
pub fn outranked(given: &[Tenant], stored: &[Tenant]) -> Vec<(Tenant, TenantSource)> {
    let others = stored.iter();
    let others = others.filter(|tenant| {
        let mut given = given.iter();
        !given.any(|it| it.name == tenant.name || it.id == tenant.id)
    });
    let others = others.map(|tenant| (tenant.clone(), TenantSource::Store));
    let given = given.iter().map(|tenant| {
        let row = stored.iter().find(|row| row.name == tenant.name);
        let known = tenant.known_as(row.map(|row| &*row.id));
        (known, TenantSource::Configuration)
    });
    let mut all: Vec<_> = given.chain(others).collect();
    all.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
    all
}

/// The tenant of this name among those of the configuration.
#[must_use]
pub fn configured_tenant<'t>(given: &'t [Tenant], name: &str) -> Option<&'t Tenant> {
    given.iter().find(|tenant| *tenant.name == *name)
}

/// The id of a tenant: what the configuration says, else that of the store's row of its name, else the
/// name.
#[must_use]
pub fn id_of<'t>(given: Option<&'t Tenant>, stored: Option<&'t str>, name: &'t str) -> &'t str {
    let given = given.map(|tenant| &*tenant.id);
    given.filter(|id| !id.is_empty()).or(stored).unwrap_or(name)
}

/// The id that a tenant has before the store has a row of it, if the configuration knows it; `names` are
/// those that its keys say.
#[must_use]
pub fn configured_tenant_id<'t>(
    given: &'t [Tenant],
    mut names: impl Iterator<Item = &'t str>,
    name: &'t str,
) -> Option<&'t str> {
    let tenant = configured_tenant(given, name);
    let is_known = tenant.is_some() || names.any(|known| known == name);
    is_known.then(|| id_of(tenant, None, name))
}

/// Why a tenant of the configuration is not changed in the store.
#[must_use]
pub fn configured_elsewhere(name: &str) -> String {
    format!(
        "tenant {name:?} stands in the configuration, which outranks the store; change its \
         [[tenant]] there"
    )
}

/// Why a key is not made in the store under an id of the configuration's.
#[must_use]
pub fn configured_id(id: &str) -> String {
    format!(
        "a key of the configuration has the id `{id}`; records and limits go by it, choose another one"
    )
}

impl Key {
    /// Reads what somebody wants a new key to be. Its digest, and its id where none is given, come
    /// later.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn wanted(text: &[u8]) -> Result<Self, DocumentFault> {
        let mut tape = Tape::new();
        let mut object = object(&mut tape, text)?;
        let tenant = object.text("tenant", TENANT_BYTES_MAX)?;
        let tenant = tenant.ok_or_else(|| fault("tenant", "is missing"))?;
        check_new_tenant(&tenant)?;
        let id = object.text("id", ID_BYTES_MAX)?;
        id.as_deref().map_or(Ok(()), check_id)?;
        let name = object.text("name", TENANT_BYTES_MAX)?;
        let expires = object.text("expires", DATE_BYTES_MAX)?;
        let expires_ms =
            expires.map(|given| date::parse(&given).ok_or_else(|| fault("expires", EXPECTED_DATE)));
        let rules = Rules::take(&mut object)?;
        object.finish()?;
        Ok(Self {
            id: id.unwrap_or_default().into(),
            tenant: tenant.into(),
            name: name.unwrap_or_default().into(),
            expires_ms: expires_ms.transpose()?,
            rules,
            ..Self::default()
        })
    }

    /// Holds the end of a new key against the time: one in the past would never be let in.
    ///
    /// # Errors
    /// It has passed.
    pub fn check_expiry(&self, now_ms: u64) -> Result<(), DocumentFault> {
        match self.expires_ms {
            Some(end) if end <= now_ms => {
                let text = format!("expected a moment to come, found {}", date::text(end));
                Err(fault("expires", text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Tenant {
    /// A tenant of this name with the rules that stand in a document of their own.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(name: &str, rules: &[u8]) -> Result<Self, DocumentFault> {
        let mut tape = Tape::new();
        let mut object = object(&mut tape, rules)?;
        let residency = Residency::take(&mut object)?;
        let allowance = Allowance::take(&mut object)?;
        object.finish()?;
        Ok(Self {
            id: Box::default(),
            name: name.into(),
            residency,
            allowance,
        })
    }

    /// The tenant with its id; `stored` is that of the store's row of its name, where there is one.
    #[must_use]
    pub fn known_as(&self, stored: Option<&str>) -> Self {
        let id = id_of(Some(self), stored, &self.name).into();
        Self { id, ..self.clone() }
    }

    /// The rules alone, as [`Tenant::parse`] reads them.
    #[must_use]
    pub fn document(&self) -> String {
        document(self)
    }

    /// The tenant as those see it who manage keys, with where its rules stand.
    #[must_use]
    pub fn shown(&self, source: TenantSource) -> ShownTenant<'_> {
        ShownTenant {
            id: &self.id,
            name: &self.name,
            source,
            rules: self,
        }
    }
}

impl Rules {
    /// Takes the members of the rules out of an object.
    ///
    /// # Errors
    /// The first member that is not as it should be.
    pub fn take(object: &mut Object<'_>) -> Result<Self, DocumentFault> {
        Ok(Self {
            models: object.texts("models", (PATTERNS_MAX, MODEL_ID_BYTES_MAX))?,
            tiers: object.texts("tiers", (WORDS_MAX, WORD_BYTES_MAX))?,
            residency: Residency::take(object)?,
            relay: object.texts("relay", (WORDS_MAX, WORD_BYTES_MAX))?,
            allowance: Allowance::take(object)?,
            metadata: object.words(
                "metadata",
                METADATA_MAX,
                (WORD_BYTES_MAX, METADATA_BYTES_MAX),
            )?,
        })
    }

    /// Reads rules that stand alone.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &[u8]) -> Result<Self, DocumentFault> {
        let mut tape = Tape::new();
        let mut object = object(&mut tape, text)?;
        let rules = Self::take(&mut object)?;
        object.finish()?;
        Ok(rules)
    }

    /// The rules alone, as [`Rules::parse`] reads them.
    #[must_use]
    pub fn document(&self) -> String {
        document(self)
    }
}

fn document(rules: &impl Serialize) -> String {
    serde_json::to_string(rules).expect("texts and numbers under names")
}

fn moment<S: Serializer>(ms: &u64, to: S) -> Result<S::Ok, S::Error> {
    date::text(*ms).serialize(to)
}

fn moment_if_any<S: Serializer>(ms: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    ms.map(date::text).serialize(to)
}

fn end_of_former<S: Serializer>(former: &Option<Former>, to: S) -> Result<S::Ok, S::Error> {
    moment_if_any(&former.map(|former| former.until_ms), to)
}

fn by_name<S: Serializer>(words: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(words.iter().map(|(name, word)| (name, word)))
}

/// Whether this can be a key's id: it stands in records, paths and command lines. Dots alone are taken
/// out of a path by whoever sends it.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_step = matches!(text, "." | "..");
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain) && !is_step
}

/// Holds a tenant's name against what every place takes. Records are found by it, so that two tenants
/// may not be the same there.
///
/// # Errors
/// It is empty, too long, or has characters that records show as another one.
pub fn check_tenant(name: &str) -> Result<(), DocumentFault> {
    check_text("tenant", name, TENANT_BYTES_MAX)?;
    match name.chars().find(|&c| is_masked(c)) {
        Some(c) => {
            let text = format!(
                "expected text without {}, which turns its direction or ends its line",
                c.escape_unicode()
            );
            Err(fault("tenant", text))
        }
        None => Ok(()),
    }
}

/// Holds the name of a new tenant against what every place takes: one that looks like an id could be
/// taken for another tenant.
///
/// # Errors
/// It can be no name, or looks like an id.
pub fn check_new_tenant(name: &str) -> Result<(), DocumentFault> {
    check_tenant(name)?;
    let digits = name.strip_prefix(TENANT_ID_PREFIX).unwrap_or_default();
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() == TENANT_ID_DIGITS && digits.bytes().all(is_digit) {
        let text = "expected a name, found what looks like the id of a tenant";
        return Err(fault("tenant", text));
    }
    Ok(())
}

/// Holds a key's own name against what every place takes. It may be empty.
///
/// # Errors
/// It is too long, or has control characters.
pub fn check_name(name: &str) -> Result<(), DocumentFault> {
    if name.is_empty() {
        return Ok(());
    }
    check_text("name", name, TENANT_BYTES_MAX)
}

/// Holds an id against what every place takes.
///
/// # Errors
/// It is none.
pub fn check_id(id: &str) -> Result<(), DocumentFault> {
    if is_id(id) {
        return Ok(());
    }
    let text = format!("expected 1 to {ID_BYTES_MAX} letters, digits, `_`, `-` or `.`");
    Err(fault("id", text))
}

/// What an `expires` should have been.
pub const EXPECTED_DATE: &str =
    "expected a day or a second in UTC, such as 2027-01-31 or 2027-01-31T08:30:00Z";
/// What ids of tenants begin with, as databases make them.
const TENANT_ID_PREFIX: &str = "tn_";
/// Hexadecimal digits behind it.
const TENANT_ID_DIGITS: usize = 16;
/// Longest date.
const DATE_BYTES_MAX: usize = 32;
/// Most patterns of one key.
pub const PATTERNS_MAX: usize = 256;
/// Longest id of a key.
pub const ID_BYTES_MAX: usize = 64;
/// Longest name of a tenant, or of a key.
pub const TENANT_BYTES_MAX: usize = 128;
/// Words of the operator about one key, and the longest of them.
pub const METADATA_MAX: usize = 16;
/// Longest word of the operator.
pub const METADATA_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
