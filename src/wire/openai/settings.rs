//! What the writers of answers must know of the request.

/// Which members carry reasoning.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent members of an answer"
)]
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// `reasoning_content`
    pub text: bool,
    /// `reasoning_details`
    pub details: bool,
    /// `thinking_blocks`
    pub thinking_blocks: bool,
    /// `content_blocks`
    pub content_blocks: bool,
}

/// The part of a request that shapes its answer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Members that carry reasoning.
    pub carried: Carried,
    /// The client asked for the usage chunk.
    pub include_usage: bool,
    /// The client asked with `functions`.
    pub legacy_function: bool,
    /// The client's names of its custom tools.
    pub custom_tools: Vec<String>,
    /// Seconds since 1970, for `created`.
    pub created: u64,
    /// Makes the ids that the upstream left out.
    pub seed: u64,
    /// Bytes that may be held back.
    pub held_bytes_max: usize,
}
