//! Members of requests and answers by what they mean, whichever wire spells them.
//!
//! Readers list what a request gives beyond the neutral vocabulary, targets give a verdict on each,
//! notes name what was lost; only a client's wire turns a member into a name.

use std::borrow::Cow;

/// What a member means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// How many tokens the answer may have.
    MaxTokens,
    /// Sampling temperature.
    Temperature,
    /// Nucleus sampling.
    TopP,
    /// Sampling among the most likely tokens.
    TopK,
    /// Sequences that end the answer.
    Stop,
    /// The seed of sampling.
    Seed,
    /// Biases of single tokens.
    LogitBias,
    /// The penalty by frequency.
    FrequencyPenalty,
    /// The penalty by presence.
    PresencePenalty,
    /// How many choices are asked for.
    ChoiceCount,
    /// Log probabilities of tokens.
    Logprobs,
    /// How many alternatives have log probabilities.
    TopLogprobs,
    /// How long answers shall be.
    Verbosity,
    /// Text that the answer probably repeats.
    Prediction,
    /// What the answer's audio shall be.
    Audio,
    /// Which kinds of content the answer may have.
    Modalities,
    /// A safety check by the provider.
    Moderation,
    /// What a stream shall hold beside its events.
    StreamOptions,
    /// Whether the provider keeps the exchange.
    Store,
    /// Key–value pairs that the provider keeps.
    Metadata,
    /// The opaque id of the end user.
    EndUser,
    /// Which capacity serves the request.
    ServiceTier,
    /// The key by which the provider finds its cache.
    PromptCacheKey,
    /// How the provider caches the prompt.
    PromptCacheOptions,
    /// How long the provider caches the prompt.
    PromptCacheRetention,
    /// Cache marks.
    CacheControl,
    /// Beta features that the body asks for.
    Betas,
    /// Beta features that the head asks for.
    BetaHeader,
    /// How hard to think.
    Effort,
    /// How many tokens to think.
    ReasoningBudget,
    /// The switch of thinking.
    Thinking,
    /// Reasoning of earlier turns.
    ReasoningHistory,
    /// A vendor's signature of a call.
    CallSignature,
    /// The form of the answer's text.
    OutputFormat,
    /// That a tool's arguments keep to its schema.
    StrictSchema,
    /// The list of tools, where one of them means less at the target.
    Tools,
    /// Tools that run at the provider.
    ServerTools,
    /// Which tool to call.
    ToolChoice,
    /// Arguments of calls, where they are no JSON object.
    ToolCalls,
    /// That a tool is loaded when it is needed.
    DeferLoading,
    /// That a tool's arguments stream before they are checked.
    EagerInputStreaming,
    /// Who called a tool.
    Caller,
    /// The conversation's turns.
    Messages,
    /// A picture.
    Image,
    /// A document.
    Document,
    /// Citations of sources.
    Citations,
    /// What a document is about, for the model alone.
    DocumentContext,
    /// What the provider removes from the context by itself.
    ContextManagement,
    /// Faster sampling.
    Speed,
    /// Diagnostics in the answer.
    Diagnostics,
    /// Where the model runs.
    InferenceGeo,
    /// Servers whose tools the provider calls.
    McpServers,
    /// A container in which the provider runs code.
    Container,
    /// Models that the provider falls back to.
    Fallbacks,
    /// A conversation that the provider keeps.
    Thread,
    /// What the provider compacts.
    Compaction,
    /// How the provider bills.
    BillingPolicy,
    /// Why the model stopped.
    StopReason,
    /// Blocks of an answer.
    Content,
    /// A member that no table knows, by a name that may stand in a header.
    Unknown(Cow<'static, str>),
}

impl Member {
    /// Stands for all members past a bound.
    pub const OTHERS: Self = Self::Unknown(Cow::Borrowed("others"));
}
