//! One request as it was taken in: its bytes, its head, whose it is.

use core::ops::Range;
use std::rc::Rc;

use crate::http1::head::RequestHead;
use crate::proxy::admit::authentication::Presented;
use crate::proxy::admit::request_options;
use crate::route::plan::client_key::KeyHandle;
use crate::wire::kind::Wire;

/// A request of which the head has been judged and the body, where it is held, read.
#[derive(Debug)]
pub struct Inbound {
    /// Head and body.
    pub bytes: Rc<Vec<u8>>,
    /// The head; its spans point into `bytes`.
    pub head: RequestHead,
    /// Where the body lies in `bytes`.
    pub body: Range<usize>,
    /// The client's wire.
    pub wire: Wire,
    /// The client's key, where keys are configured.
    pub key: Option<KeyHandle>,
    /// What the head presented.
    pub presented: Presented,
}

impl Inbound {
    /// The tenant's number; past all of them without a key.
    #[must_use]
    pub fn tenant(&self) -> usize {
        self.key
            .as_ref()
            .map_or(usize::MAX, |key| key.tenant.number)
    }

    /// The body's bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }

    /// A head field's value.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.head.field(&self.bytes, name)
    }

    /// A head field's value as text; a value that is not is as good as none.
    #[must_use]
    pub fn text_field(&self, name: &str) -> Option<&str> {
        core::str::from_utf8(self.field(name)?).ok()
    }

    /// The key that may go to a provider in caller's-key mode.
    #[must_use]
    pub fn callers_key(&self) -> Option<&[u8]> {
        self.bytes.get(self.presented.callers.clone()?)
    }

    /// The provider that the head names, for a bare model. One that is no text is nobody's name.
    #[must_use]
    pub fn provider_header(&self) -> Option<&str> {
        let named = request_options::PROVIDERS
            .iter()
            .find_map(|name| self.field(name))?;
        Some(core::str::from_utf8(named).unwrap_or_default())
    }

    /// Whether the query is exactly `beta=true`.
    #[must_use]
    pub fn is_beta(&self) -> bool {
        self.head.query(&self.bytes) == Some(b"beta=true")
    }
}
