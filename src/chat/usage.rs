//! Token counts and how an answer ended, as both wires can say them.

/// Token counts of one answer. A member that the provider did not name is `None`, never a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input that was neither read from nor written to a cache.
    pub input: Option<u64>,
    /// Input read from a cache.
    pub cache_read: Option<u64>,
    /// Input written to a cache.
    pub cache_write: Option<u64>,
    /// The part of `cache_write` that is kept for an hour; the rest is kept for five minutes.
    pub cache_write_hour: Option<u64>,
    /// Output, reasoning included.
    pub output: Option<u64>,
    /// The part of `output` that was reasoning.
    pub reasoning: Option<u64>,
    /// The part of `input` that was audio.
    pub audio_input: Option<u64>,
    /// The part of `output` that was audio.
    pub audio_output: Option<u64>,
    /// Searches of the web that the provider ran for the model.
    pub web_searches: Option<u64>,
    /// Pages of the web that the provider fetched for the model.
    pub web_fetches: Option<u64>,
}

impl Usage {
    /// All input: uncached, read and written.
    #[must_use]
    pub fn input_total(&self) -> u64 {
        let parts = [self.input, self.cache_read, self.cache_write];
        parts.into_iter().flatten().fold(0, u64::saturating_add)
    }

    /// The largest of the counts, or all input together.
    #[must_use]
    pub fn largest(&self) -> u64 {
        let each = [
            Some(self.input_total()),
            self.cache_write_hour,
            self.output,
            self.reasoning,
            self.audio_input,
            self.audio_output,
            self.web_searches,
            self.web_fetches,
        ];
        each.into_iter().flatten().max().unwrap_or(0)
    }

    /// Whether the provider named any count.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model was done.
    EndTurn,
    /// A stop sequence matched.
    StopSequence,
    /// The output limit was reached.
    MaxTokens,
    /// The context window was full.
    ContextWindow,
    /// Tools are to be called.
    ToolUse,
    /// The model or a filter refused.
    Refusal,
    /// Server tools paused the turn; the client sends it back to go on.
    Pause,
    /// The context was compacted.
    Compaction,
    /// A reason that this crate does not know.
    Other,
}

/// The one tri-state end of an exchange, plus the time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not ended yet.
    Open,
    /// The wire's own terminator was seen.
    Complete,
    /// The provider reported an error within the stream.
    UpstreamError,
    /// The stream broke off or was malformed.
    Truncated,
}
