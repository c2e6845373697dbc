//! One event of a stub's stream, ready to be sent.

/// An event's bytes, its blank line included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is sent.
    pub bytes: Vec<u8>,
    /// Whether it carries a token: those are paced.
    pub is_token: bool,
}
