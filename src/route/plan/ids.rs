//! Ids of providers and targets that outlive a plan: small numbers, given in order, so that tables over them
//! stay arrays. Not here: what they are given to (see `plan_ids`).

/// A provider of this process, under one name and at one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId(pub(super) u32);

impl ProviderId {
    /// Its row in a table over them.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A model at such a provider, with what is stated of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub(super) u32);
