//! What models take: data alone, pattern by pattern.
//!
//! Sources: Anthropic's model overviews and migration guides of each model from Opus 4.6 to the
//! 5.5 line, its pages on thinking, effort, structured outputs and mid-conversation system
//! messages (2026-08 to 2026-11), recorded answers that name supported levels; OpenAI's model
//! pages and its reasoning guide (2026). Who takes `reasoning_effort`, and which levels: xAI's page
//! on reasoning (grok-3-mini low and high, grok-4.3 none to high, other Grok models refuse it),
//! Groq's (gpt-oss low to high; qwen3 `none` and `default` alone, so that it is left out there),
//! Gemini's on OpenAI compatibility, Ollama's list of thinking models. What is not listed is assumed
//! as [`ModelFacts::UNKNOWN`].

use crate::chat::request::Effort;
use crate::translate::models::{Efforts, ModelFacts, Sampling, Thinking};

/// Patterns and facts; the order says nothing.
pub(super) const BUILTIN: &[(&str, ModelFacts)] = &[
    (
        "claude-2*",
        ModelFacts {
            vision: false,
            pdf: false,
            ..CLAUDE_3
        },
    ),
    (
        "claude-instant*",
        ModelFacts {
            vision: false,
            pdf: false,
            ..CLAUDE_3
        },
    ),
    (
        "claude-3-*",
        ModelFacts {
            pdf: false,
            ..CLAUDE_3
        },
    ),
    (
        "claude-3-5-*",
        ModelFacts {
            output_tokens_max: Some(8192),
            ..CLAUDE_3
        },
    ),
    ("claude-3-7-*", CLAUDE_4),
    // A new line of models is most likely like the newest.
    ("claude-*", CLAUDE_UNFORCED),
    ("claude-sonnet-4*", CLAUDE_4),
    (
        "claude-opus-4*",
        ModelFacts {
            output_tokens_max: Some(32_000),
            ..CLAUDE_4
        },
    ),
    (
        "claude-opus-4-1*",
        ModelFacts {
            output_tokens_max: Some(32_000),
            structured_outputs: true,
            ..CLAUDE_4_5
        },
    ),
    ("claude-sonnet-4-5*", CLAUDE_4_5),
    ("claude-haiku-4-5*", CLAUDE_4_5),
    (
        "claude-opus-4-5*",
        ModelFacts {
            efforts: LOW_TO_HIGH,
            ..CLAUDE_4_5
        },
    ),
    ("claude-opus-4-6*", CLAUDE_4_6),
    ("claude-sonnet-4-6*", CLAUDE_4_6),
    ("claude-opus-4-7*", CLAUDE_4_7),
    ("claude-opus-4-8*", CLAUDE_4_8),
    ("claude-opus-5*", CLAUDE_5),
    ("claude-opus-5-5*", CLAUDE_UNFORCED),
    (
        "claude-sonnet-5*",
        ModelFacts {
            system_in_messages: false,
            ..CLAUDE_5
        },
    ),
    ("claude-sonnet-5-5*", CLAUDE_UNFORCED),
    (
        "claude-haiku-5*",
        ModelFacts {
            forced_tools: false,
            ..CLAUDE_5
        },
    ),
    ("claude-fable-5*", CLAUDE_ALWAYS),
    ("claude-fable-5-1*", CLAUDE_UNFORCED),
    ("claude-mythos-5*", CLAUDE_ALWAYS),
    ("claude-mythos-5-1*", CLAUDE_UNFORCED),
    ("claude-mythos-preview*", CLAUDE_UNFORCED),
    ("gpt-3.5*", GPT_TEXT),
    (
        "gpt-4*",
        ModelFacts {
            output_tokens_max: Some(8192),
            structured_outputs: false,
            vision: false,
            pdf: false,
            ..GPT
        },
    ),
    (
        "gpt-4-turbo*",
        ModelFacts {
            output_tokens_max: Some(4096),
            structured_outputs: false,
            ..GPT
        },
    ),
    ("gpt-4o*", GPT),
    ("chatgpt-4o*", GPT),
    (
        "gpt-4.1*",
        ModelFacts {
            output_tokens_max: Some(32_768),
            context_tokens: 1_047_576,
            ..GPT
        },
    ),
    ("gpt-4.5*", GPT),
    ("o1*", O_SERIES),
    (
        "o1-mini*",
        ModelFacts {
            vision: false,
            pdf: false,
            efforts: Efforts::NONE,
            ..O_SERIES
        },
    ),
    ("o3*", O_SERIES),
    (
        "o3-mini*",
        ModelFacts {
            vision: false,
            pdf: false,
            ..O_SERIES
        },
    ),
    ("o4*", O_SERIES),
    // A new model of the line is most likely like the newest.
    ("gpt-5.*", GPT_5_6),
    ("gpt-5", GPT_5),
    ("gpt-5-*", GPT_5),
    ("gpt-5-chat*", GPT),
    ("gpt-5.1*", GPT_5_1),
    ("gpt-5.1-chat*", GPT),
    ("gpt-5.1-codex-max*", GPT_5_2),
    ("gpt-5.2*", GPT_5_2),
    ("gpt-5.3*", GPT_5_2),
    (
        "gpt-5.4*",
        ModelFacts {
            context_tokens: 1_050_000,
            ..GPT_5_2
        },
    ),
    (
        "gpt-5.5*",
        ModelFacts {
            context_tokens: 1_050_000,
            ..GPT_5_2
        },
    ),
    (
        "gpt-oss*",
        ModelFacts {
            vision: false,
            pdf: false,
            efforts: LOW_TO_HIGH,
            reasoning: Some(true),
            sampling: Sampling::All,
            ..GPT_5
        },
    ),
    // A new line of models is most likely like the newest.
    ("gpt-6*", GPT_5_6),
    (
        "deepseek-*",
        ModelFacts {
            vision: false,
            pdf: false,
            ..ModelFacts::UNKNOWN
        },
    ),
    ("deepseek-r1*", BLIND_REASONING),
    ("deepseek-r1-distill*", ModelFacts::UNKNOWN),
    ("deepseek-v3.1*", BLIND_REASONING),
    ("qwen3*", REASONING),
    ("qwen3*instruct*", ModelFacts::UNKNOWN),
    ("qwen3-coder*", ModelFacts::UNKNOWN),
    // The ids of Groq.
    ("qwen/qwen3*", ModelFacts::UNKNOWN),
    ("magistral*", REASONING),
    (
        "grok-3-mini*",
        ModelFacts {
            efforts: Efforts::NONE.and(Effort::Low).and(Effort::High),
            ..REASONING
        },
    ),
    (
        "grok-4.3*",
        ModelFacts {
            efforts: LOW_TO_HIGH.and(Effort::None),
            ..REASONING
        },
    ),
    (
        "gemini-2.5*",
        ModelFacts {
            efforts: LOW_TO_HIGH,
            ..REASONING
        },
    ),
    (
        "gemini-2.5-flash*",
        ModelFacts {
            efforts: LOW_TO_HIGH.and(Effort::None),
            ..REASONING
        },
    ),
    ("gemini-2.5-flash-image*", ModelFacts::UNKNOWN),
    (
        "gemini-3*",
        ModelFacts {
            efforts: LOW_TO_HIGH,
            ..REASONING
        },
    ),
    ("gemini-3*image*", ModelFacts::UNKNOWN),
];

/// Models that reason, of whom no more is known.
const REASONING: ModelFacts = ModelFacts {
    reasoning: Some(true),
    ..ModelFacts::UNKNOWN
};
/// The same without pictures and documents.
const BLIND_REASONING: ModelFacts = ModelFacts {
    vision: false,
    pdf: false,
    ..REASONING
};

const LOW_TO_HIGH: Efforts = Efforts::range(Effort::Low, Effort::High);
const LOW_TO_MAX: Efforts = Efforts::range(Effort::Low, Effort::Max);

/// Claude 2 and 3.
const CLAUDE_3: ModelFacts = ModelFacts {
    output_tokens_max: Some(4096),
    context_tokens: 200_000,
    thinking: Thinking::None,
    reasoning: Some(false),
    ..ModelFacts::UNKNOWN
};
/// Claude 3.7 and 4: thinking by budget.
const CLAUDE_4: ModelFacts = ModelFacts {
    output_tokens_max: Some(64_000),
    thinking: Thinking::Budget,
    reasoning: Some(true),
    ..CLAUDE_3
};
/// Claude 4.5: one sampling member at a time, structured outputs.
const CLAUDE_4_5: ModelFacts = ModelFacts {
    sampling: Sampling::Exclusive,
    structured_outputs: true,
    ..CLAUDE_4
};
/// Claude 4.6: adaptive thinking beside the budget, no prefill.
const CLAUDE_4_6: ModelFacts = ModelFacts {
    output_tokens_max: Some(128_000),
    context_tokens: 1_000_000,
    sampling: Sampling::Exclusive,
    thinking: Thinking::AdaptiveOff,
    reasoning: Some(true),
    // Levels as the API's own refusal of `xhigh` names them.
    efforts: LOW_TO_HIGH.and(Effort::Max),
    structured_outputs: true,
    prefill: false,
    ..CLAUDE_3
};
/// Opus 4.7: no sampling, all levels.
const CLAUDE_4_7: ModelFacts = ModelFacts {
    sampling: Sampling::None,
    efforts: LOW_TO_MAX,
    ..CLAUDE_4_6
};
/// Opus 4.8: system messages in place.
const CLAUDE_4_8: ModelFacts = ModelFacts {
    system_in_messages: true,
    ..CLAUDE_4_7
};
/// Opus 5 and the lines after it: thinking on unless disabled.
const CLAUDE_5: ModelFacts = ModelFacts {
    thinking: Thinking::AdaptiveOn,
    ..CLAUDE_4_8
};
/// Fable and Mythos 5: thinking cannot be turned off.
const CLAUDE_ALWAYS: ModelFacts = ModelFacts {
    thinking: Thinking::Always,
    ..CLAUDE_5
};
/// The same from 5.1 on, and the larger 5.5 models: no forced tools either.
const CLAUDE_UNFORCED: ModelFacts = ModelFacts {
    forced_tools: false,
    ..CLAUDE_ALWAYS
};

/// OpenAI models that do not reason.
const GPT: ModelFacts = ModelFacts {
    output_tokens_max: Some(16_384),
    context_tokens: 128_000,
    reasoning: Some(false),
    structured_outputs: true,
    ..ModelFacts::UNKNOWN
};
/// The same without pictures and schemas.
const GPT_TEXT: ModelFacts = ModelFacts {
    output_tokens_max: Some(4096),
    context_tokens: 16_385,
    structured_outputs: false,
    vision: false,
    pdf: false,
    ..GPT
};
/// The o-series.
const O_SERIES: ModelFacts = ModelFacts {
    output_tokens_max: Some(100_000),
    context_tokens: 200_000,
    sampling: Sampling::None,
    efforts: LOW_TO_HIGH,
    reasoning: Some(true),
    ..GPT
};
const GPT_5: ModelFacts = ModelFacts {
    output_tokens_max: Some(128_000),
    context_tokens: 400_000,
    efforts: Efforts::range(Effort::Minimal, Effort::High),
    ..O_SERIES
};
const GPT_5_1: ModelFacts = ModelFacts {
    efforts: LOW_TO_HIGH.and(Effort::None),
    ..GPT_5
};
const GPT_5_2: ModelFacts = ModelFacts {
    efforts: Efforts::range(Effort::Low, Effort::Xhigh).and(Effort::None),
    ..GPT_5
};
const GPT_5_6: ModelFacts = ModelFacts {
    context_tokens: 1_050_000,
    efforts: LOW_TO_MAX.and(Effort::None),
    ..GPT_5
};
