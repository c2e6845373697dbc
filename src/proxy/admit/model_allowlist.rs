//! What a key that may use some models alone may relay.
//!
//! One rule: a request with a body names its model where it can be read, and every model that it
//! names is one that the key may use. Only what is put into store names none; what makes use of it
//! later has to.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::target::decode_id;
use crate::limits::Limits;
use crate::proxy::shared::model_ids::unknown_model;
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::compiled::Plan;
use crate::wire::peek::model_names;

/// Whose request it is and what it is sent to.
#[derive(Clone, Copy)]
pub struct Limited<'r> {
    /// The key, which has `models`.
    key: &'r ClientKey,
    plan: &'r Plan,
    /// Behind `/v1`.
    path: &'r [u8],
}

impl<'r> Limited<'r> {
    /// The rule for this key; nothing if it may use every model.
    #[must_use]
    pub fn of(key: Option<&'r ClientKey>, plan: &'r Plan, path: &'r [u8]) -> Option<Self> {
        let key = key.filter(|key| key.models.is_some())?;
        Some(Self { key, plan, path })
    }

    /// Whether a body has to name a model.
    #[must_use]
    pub fn must_name(&self) -> bool {
        let path = self.path;
        let stores = path == b"/files" || path == b"/uploads" || path.starts_with(b"/uploads/");
        !stores && in_path(path).next().is_none()
    }

    /// Judges what the path names. Behind an id may stand what is done with it (`id:verb`).
    ///
    /// # Errors
    /// A model that the key may not use.
    pub fn judge_path(&self) -> Result<(), Rejection> {
        for model in in_path(self.path) {
            if !self.key.allows(&model) && !self.key.allows(without_verb(&model)) {
                return Err(self.unknown(&model));
            }
        }
        Ok(())
    }

    /// Judges a body that was held. `names`: its outermost object has a `model`.
    ///
    /// # Errors
    /// It names a model that the key may not use, or none.
    pub fn judge(&self, body: &[u8], names: bool, limits: &Limits) -> Result<(), Rejection> {
        let allows = |model: &str| self.key.allows(model);
        let read = model_names::first_forbidden(body, false, limits, &allows);
        if let Some(model) = read.map_err(|_| unnamed())? {
            return Err(self.unknown(&model));
        }
        // The requests of a batch name theirs each.
        if names || self.path == BATCHES || !self.must_name() {
            return Ok(());
        }
        Err(unnamed())
    }

    /// Judges what a query names.
    ///
    /// # Errors
    /// A model that the key may not use.
    pub fn judge_query(&self, query: &[u8]) -> Result<(), Rejection> {
        let mut models = in_query(query);
        let forbidden = models.find(|model| !self.key.allows(model));
        forbidden.map_or(Ok(()), |model| Err(self.unknown(&model)))
    }

    fn unknown(&self, model: &str) -> Rejection {
        unknown(model, &self.plan.near(model, Some(self.key)))
    }
}

/// The models that a path names: what stands behind a segment that is known to hold them.
fn in_path(path: &[u8]) -> impl Iterator<Item = String> {
    let mut holds = false;
    path.split(|&byte| byte == b'/').filter_map(move |segment| {
        let mut text = Vec::with_capacity(segment.len());
        decode_id(segment, &mut text);
        let is_holder = |name: &&[u8]| text.eq_ignore_ascii_case(name);
        let is_model = core::mem::replace(&mut holds, MODEL_SEGMENTS.iter().any(is_holder));
        (is_model && !segment.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
    })
}

/// The models that a query names.
fn in_query(query: &[u8]) -> impl Iterator<Item = String> {
    let pairs = query.split(|&byte| byte == b'&' || byte == b';');
    pairs.filter_map(|pair| {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let (mut name, mut value) = (Vec::new(), Vec::new());
        decode_id(halves.next().unwrap_or_default(), &mut name);
        decode_id(halves.next().unwrap_or_default(), &mut value);
        (name == b"model").then(|| String::from_utf8_lossy(&value).into_owned())
    })
}

/// A model of a path, without what is done with it (`id:verb`).
fn without_verb(model: &str) -> &str {
    model.rsplit_once(':').map_or(model, |(id, _)| id)
}

/// The models that a path and a query name and that may have rules of their own. They are held to
/// those whatever the body names.
#[must_use]
pub fn in_head(plan: &Plan, path: &[u8], query: Option<&[u8]>) -> Vec<String> {
    if !plan.tells_apart() {
        return Vec::new();
    }
    let of_path = in_path(path).flat_map(|model| {
        let id = without_verb(&model).to_owned();
        [model, id]
    });
    let of_query = in_query(query.unwrap_or_default());
    let named = of_path.chain(of_query);
    named.filter(|model| plan.is_told_apart(model)).collect()
}

/// The first model that a chat names beside its own and that its key may not use: as a fallback, or
/// for a tool.
#[must_use]
pub fn in_chat(key: Option<&ClientKey>, body: &[u8], limits: &Limits) -> Option<String> {
    let key = key.filter(|key| key.models.is_some())?;
    let allows = |model: &str| key.allows(model);
    // What is no JSON has been refused before.
    model_names::first_forbidden(body, true, limits, &allows).ok()?
}

/// The refusal of a model that does not exist or that the key may not use.
#[must_use]
pub fn unknown(model: &str, near: &[&str]) -> Rejection {
    Rejection::unknown_model(unknown_model(model, near))
}

/// The refusal of a body without a model that could be judged.
#[must_use]
pub fn unnamed() -> Rejection {
    let message = "this key may use some models alone, and this body names none that can be read; \
                   name one as `model` in a JSON object or a form";
    Rejection::new(ErrorKind::Permission, message, "unnamed_model").with_param("model")
}

/// Where bodies name their models in their requests, none for themselves.
pub const BATCHES: &[u8] = b"/messages/batches";
/// Segments of a path behind which a model stands.
const MODEL_SEGMENTS: &[&[u8]] = &[b"models", b"engines", b"deployments", b"checkpoints"];
