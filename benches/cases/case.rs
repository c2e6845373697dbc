//! One piece of work whose cost is of interest.

/// Work that can be repeated at will. Its answer is asserted by every run.
pub(crate) struct Case {
    /// `group/what`.
    pub(crate) name: String,
    /// Events that one run takes, or 1: what its cost is divided by.
    pub(crate) units: usize,
    /// Bytes of input that one run takes.
    pub(crate) bytes: usize,
    pub(crate) run: Box<dyn FnMut()>,
}

impl Case {
    /// A case that takes one head, body or answer per run.
    pub(crate) fn piece(
        name: impl Into<String>,
        bytes: usize,
        run: impl FnMut() + 'static,
    ) -> Self {
        Self::events(name, (1, bytes), run)
    }

    /// A case that takes so many events per run.
    pub(crate) fn events(
        name: impl Into<String>,
        (units, bytes): (usize, usize),
        run: impl FnMut() + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            units,
            bytes,
            run: Box::new(run),
        }
    }
}
