//! What is known of models, by id. The data stand in `models/table.rs` and
//! `models/others.rs`.
//!
//! An id is matched as it stands and without what clouds and aggregators put around it
//! (`anthropic/claude-opus-4.6`, `bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0`,
//! `claude-sonnet-4-5@20250929`). The pattern with the most literal characters wins; entries of
//! the configuration win over built-in ones.
//!
//! Not here: prices, and which provider serves a model.

use crate::chat::request::Effort;

/// What a model takes. What is not known is `None`, and never a reason to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// Most tokens of one answer; `None` where unknown.
    pub output_tokens_max: Option<u32>,
    /// Tokens of the context window.
    pub context_tokens: Option<u32>,
    /// Which sampling members are taken.
    pub sampling: Sampling,
    /// How thinking is controlled (Anthropic wire); see [`ModelFacts::thinks_by`].
    pub thinking: Option<Thinking>,
    /// Which effort levels are taken.
    pub efforts: Efforts,
    /// Whether the model reasons (OpenAI wire); `None` where unknown.
    pub reasoning: Option<bool>,
    /// Answers in the form of a schema: on the Anthropic wire `output_config.format` and strict tools.
    pub structured_outputs: Option<bool>,
    /// `tool_choice` may force a tool.
    pub forced_tools: bool,
    /// The last turn may be the assistant's.
    pub prefill: bool,
    /// Role `system` is taken within `messages` (Anthropic wire).
    pub system_in_messages: bool,
    /// Images are taken.
    pub vision: Option<bool>,
    /// PDF documents are taken.
    pub pdf: Option<bool>,
    /// Recorded speech and sound are taken.
    pub audio: Option<bool>,
    /// Tools are taken.
    pub tools: Option<bool>,
}

/// Which sampling members a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// All of them.
    All,
    /// `temperature` or `top_p`, not both.
    Exclusive,
    /// None but the default values.
    None,
}

/// How thinking is controlled on the Anthropic wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// Not at all.
    None,
    /// `enabled` with a budget.
    Budget,
    /// `adaptive`, off unless asked for.
    AdaptiveOff,
    /// `adaptive`, on unless `disabled`.
    AdaptiveOn,
    /// `adaptive`, cannot be turned off.
    Always,
}

/// A set of effort levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efforts(u8);

/// The facts of all models.
#[derive(Clone, Debug, Default)]
pub struct ModelTable {
    added: Vec<(String, ModelFacts)>,
}

/// Why a fact of the configuration could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactFault {
    /// No such fact: one of [`FACT_NAMES`] is expected.
    Name,
    /// The value is of the wrong form.
    Value {
        /// What was expected.
        expected: &'static str,
    },
}

impl Efforts {
    /// No level at all.
    pub const NONE: Self = Self(0);

    /// The levels from `first` to `last`.
    #[must_use]
    pub const fn range(first: Effort, last: Effort) -> Self {
        let below = (1u8 << first as u8) - 1;
        let upto = u8::MAX >> (7 - last as u8);
        Self(upto & !below)
    }

    /// These levels and one more.
    #[must_use]
    pub const fn and(self, effort: Effort) -> Self {
        Self(self.0 | 1 << effort as u8)
    }

    /// The levels that the other set has too.
    #[must_use]
    pub const fn shared(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the model takes none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the model takes `effort`.
    #[must_use]
    pub const fn has(self, effort: Effort) -> bool {
        self.0 & (1 << effort as u8) != 0
    }

    /// The nearest level that the model takes: at most `effort` where there is one, else the
    /// lowest above it. [`Effort::None`] is never a stand-in.
    #[must_use]
    pub fn nearest(self, effort: Effort) -> Option<Effort> {
        let taken = |&level: &Effort| level != Effort::None && self.has(level);
        let mut all = Effort::ALL.into_iter();
        let below = all.clone().rev().find(|e| *e <= effort && taken(e));
        below.or_else(|| all.find(taken))
    }
}

impl ModelFacts {
    /// What is known of a model that no entry names.
    pub const UNKNOWN: Self = Self {
        output_tokens_max: None,
        context_tokens: None,
        sampling: Sampling::All,
        thinking: None,
        efforts: Efforts::NONE,
        reasoning: None,
        structured_outputs: None,
        forced_tools: true,
        prefill: true,
        system_in_messages: false,
        vision: None,
        pdf: None,
        audio: None,
        tools: None,
    };

    /// How thinking is controlled; of a model that nothing is known of, by a budget.
    #[must_use]
    pub fn thinks_by(&self) -> Thinking {
        self.thinking.unwrap_or(Thinking::Budget)
    }

    /// The effort levels, where they are known: those of a model that takes none may be unknown.
    #[must_use]
    pub fn known_efforts(&self) -> Option<Efforts> {
        let is_known =
            !self.efforts.is_empty() || self.reasoning == Some(false) || self.thinking.is_some();
        is_known.then_some(self.efforts)
    }

    /// Tokens that are asked for where the client names no limit.
    #[must_use]
    pub fn output_tokens_asked(&self) -> u32 {
        self.output_tokens_max.unwrap_or(OUTPUT_TOKENS_UNSAID)
    }

    /// Sets the fact called `name`, as the configuration spells it.
    ///
    /// # Errors
    /// When there is no such fact, or the value is of the wrong form.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), FactFault> {
        match name {
            "output_tokens_max" => self.output_tokens_max = Some(number(value)?),
            "context_tokens" => self.context_tokens = Some(number(value)?),
            "sampling" => self.sampling = sampling(value)?,
            "thinking" => self.thinking = Some(thinking(value)?),
            "efforts" => self.efforts = efforts(value)?,
            "reasoning" => self.reasoning = Some(boolean(value)?),
            "structured_outputs" => self.structured_outputs = Some(boolean(value)?),
            "forced_tools" => self.forced_tools = boolean(value)?,
            "prefill" => self.prefill = boolean(value)?,
            "system_in_messages" => self.system_in_messages = boolean(value)?,
            "vision" => self.vision = Some(boolean(value)?),
            "pdf" => self.pdf = Some(boolean(value)?),
            "audio" => self.audio = Some(boolean(value)?),
            "tools" => self.tools = Some(boolean(value)?),
            _ => return Err(FactFault::Name),
        }
        Ok(())
    }
}

impl Default for ModelFacts {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl ModelTable {
    /// What this crate knows.
    #[must_use]
    pub const fn builtin() -> Self {
        Self { added: Vec::new() }
    }

    /// The same with entries of the configuration: pattern (`*` matches any characters) and facts.
    #[must_use]
    pub const fn extended(added: Vec<(String, ModelFacts)>) -> Self {
        Self { added }
    }

    /// What is known of the model called `id` at its provider.
    #[must_use]
    pub fn facts(&self, id: &str) -> &ModelFacts {
        let core = core_of(id);
        let added = self
            .added
            .iter()
            .map(|(glob, facts)| (glob.as_str(), facts));
        let builtin = table::BUILTIN.iter().chain(others::BUILTIN);
        let builtin = builtin.map(|(glob, facts)| (*glob, facts));
        best(added, id, &core)
            .or_else(|| best(builtin, id, &core))
            .unwrap_or(&ModelFacts::UNKNOWN)
    }
}

/// The facts whose pattern matches with the most literal characters.
fn best<'e>(
    entries: impl Iterator<Item = (&'e str, &'e ModelFacts)>,
    id: &str,
    core: &str,
) -> Option<&'e ModelFacts> {
    let literal = |glob: &str| glob.bytes().filter(|&b| b != b'*').count();
    entries
        .filter(|(glob, _)| matches(glob, id) || (core != id && matches(glob, core)))
        .max_by_key(|(glob, _)| literal(glob))
        .map(|(_, facts)| facts)
}

/// The id without what clouds and aggregators put around it, in lower case.
fn core_of(id: &str) -> String {
    let last = id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
    if let Some((_, claude)) = last.split_once("claude-") {
        // Aggregators write the version with a dot.
        return format!("claude-{}", claude.replace('.', "-"));
    }
    let vendors = ["openai.", "meta.", "mistral."];
    let found = vendors.iter().find_map(|vendor| last.split_once(vendor));
    found.map_or_else(|| last.clone(), |(_, rest)| rest.to_owned())
}

/// Whether `glob` matches all of `text`; `*` stands for any characters. Nearly all patterns differ
/// from an id before their first `*`: those are told by their bytes alone (a look-up 25,700 → 8,600
/// instructions, a quarter of a short request's translation before).
fn matches(glob: &str, text: &str) -> bool {
    let pairs = glob.bytes().zip(text.bytes());
    let same = pairs.take_while(|(g, t)| g == t && *g != b'*').count();
    match glob.split_at_checked(same) {
        Some((_, "")) => same == text.len(),
        Some((_, rest)) => match (rest.strip_prefix('*'), text.get(same..)) {
            (Some(behind), Some(text)) => ends_in(behind, text),
            _ => false,
        },
        None => false,
    }
}

/// Whether `text` is anything, then the pieces of `glob` with anything between them.
fn ends_in(glob: &str, text: &str) -> bool {
    let mut rest = text;
    let mut pieces = glob.split('*');
    let last = pieces.next_back().unwrap_or_default();
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

fn number(value: &str) -> Result<u32, FactFault> {
    let expected = "a whole number";
    value.parse().map_err(|_| FactFault::Value { expected })
}

fn boolean(value: &str) -> Result<bool, FactFault> {
    let expected = "`true` or `false`";
    value.parse().map_err(|_| FactFault::Value { expected })
}

fn sampling(value: &str) -> Result<Sampling, FactFault> {
    match value {
        "all" => Ok(Sampling::All),
        "exclusive" => Ok(Sampling::Exclusive),
        "none" => Ok(Sampling::None),
        _ => Err(FactFault::Value {
            expected: "`all`, `exclusive` or `none`",
        }),
    }
}

fn thinking(value: &str) -> Result<Thinking, FactFault> {
    match value {
        "none" => Ok(Thinking::None),
        "budget" => Ok(Thinking::Budget),
        "adaptive_off" => Ok(Thinking::AdaptiveOff),
        "adaptive_on" => Ok(Thinking::AdaptiveOn),
        "always" => Ok(Thinking::Always),
        _ => Err(FactFault::Value {
            expected: "`none`, `budget`, `adaptive_off`, `adaptive_on` or `always`",
        }),
    }
}

/// Names, parted by commas or blanks: `low, medium, high`.
fn efforts(value: &str) -> Result<Efforts, FactFault> {
    let expected = "a list of none, minimal, low, medium, high, xhigh, max";
    let words = value.split([',', ' ']).filter(|word| !word.is_empty());
    words.into_iter().try_fold(Efforts::NONE, |set, word| {
        let found = Effort::ALL.into_iter().find(|effort| effort.name() == word);
        let effort = found.ok_or(FactFault::Value { expected })?;
        Ok(set.and(effort))
    })
}

/// Output limit of a model that no entry names, where one has to be sent.
const OUTPUT_TOKENS_UNSAID: u32 = 8192;
/// The facts that a configuration may set.
pub const FACT_NAMES: [&str; 14] = [
    "output_tokens_max",
    "context_tokens",
    "sampling",
    "thinking",
    "efforts",
    "reasoning",
    "structured_outputs",
    "forced_tools",
    "prefill",
    "system_in_messages",
    "vision",
    "pdf",
    "audio",
    "tools",
];

mod others;
mod table;
#[cfg(test)]
mod tests;
