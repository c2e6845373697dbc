//! What models of Anthropic and `OpenAI` take: data alone, pattern by pattern.
//!
//! Sources: Anthropic's model overviews and migration guides of each model from Opus 4.6 to the
//! 5.5 line, its pages on thinking, effort, structured outputs and mid-conversation system
//! messages (2026-08 to 2026-11), recorded answers that name supported levels; OpenAI's model
//! pages and its reasoning guide (2026), and for windows, images, PDF and tools of its newest models
//! the list of models of `LiteLLM` 1.109.1 (2026-11). What none of them says is not said here. What
//! is not listed is as [`ModelFacts::UNKNOWN`].
//!
//! Not here: models of others (see `others`).

use crate::chat::request::Effort;
use crate::translate::models::{Efforts, ModelFacts, Sampling, Thinking};

/// Patterns and facts; the order says nothing.
pub(super) const BUILTIN: &[(&str, ModelFacts)] = &[
    (
        "claude-2*",
        ModelFacts {
            context_tokens: None,
            tools: None,
            vision: Some(false),
            pdf: Some(false),
            ..CLAUDE_3
        },
    ),
    (
        "claude-instant*",
        ModelFacts {
            context_tokens: None,
            tools: None,
            vision: Some(false),
            pdf: Some(false),
            ..CLAUDE_3
        },
    ),
    (
        "claude-3-*",
        ModelFacts {
            pdf: Some(false),
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
    (
        "claude-*",
        ModelFacts {
            audio: None,
            ..CLAUDE_UNFORCED
        },
    ),
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
            structured_outputs: Some(true),
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
            context_tokens: Some(8192),
            structured_outputs: Some(false),
            vision: Some(false),
            pdf: Some(false),
            ..GPT
        },
    ),
    (
        "gpt-4-32k*",
        ModelFacts {
            output_tokens_max: Some(8192),
            context_tokens: Some(32_768),
            structured_outputs: Some(false),
            vision: Some(false),
            pdf: Some(false),
            ..GPT
        },
    ),
    (
        "gpt-4-vision*",
        ModelFacts {
            output_tokens_max: Some(4096),
            structured_outputs: Some(false),
            pdf: None,
            tools: None,
            ..GPT
        },
    ),
    (
        "gpt-4-turbo*",
        ModelFacts {
            output_tokens_max: Some(4096),
            structured_outputs: Some(false),
            ..GPT
        },
    ),
    (
        "gpt-4-1106*",
        ModelFacts {
            output_tokens_max: Some(4096),
            structured_outputs: Some(false),
            vision: None,
            pdf: None,
            ..GPT
        },
    ),
    (
        "gpt-4-0125*",
        ModelFacts {
            output_tokens_max: Some(4096),
            structured_outputs: Some(false),
            vision: None,
            pdf: None,
            ..GPT
        },
    ),
    ("gpt-4o*", GPT),
    ("gpt-4o-audio*", GPT_AUDIO),
    ("gpt-4o-mini-audio*", GPT_AUDIO),
    ("gpt-audio*", GPT_AUDIO),
    ("gpt-4o-search*", ModelFacts { tools: None, ..GPT }),
    ("gpt-4o-mini-search*", ModelFacts { tools: None, ..GPT }),
    ("chatgpt-4o*", ModelFacts { tools: None, ..GPT }),
    (
        "gpt-4.1*",
        ModelFacts {
            output_tokens_max: Some(32_768),
            context_tokens: Some(1_047_576),
            ..GPT
        },
    ),
    ("gpt-4.5*", GPT),
    ("o1*", O_SERIES),
    (
        "o1-mini*",
        ModelFacts {
            vision: Some(false),
            pdf: Some(false),
            tools: None,
            efforts: Efforts::NONE,
            ..O_SERIES
        },
    ),
    ("o3*", O_SERIES),
    (
        "o3-mini*",
        ModelFacts {
            vision: Some(false),
            pdf: Some(false),
            ..O_SERIES
        },
    ),
    ("o4*", O_SERIES),
    (
        "o3-deep-research*",
        ModelFacts {
            structured_outputs: None,
            tools: None,
            ..O_SERIES
        },
    ),
    (
        "o4-mini-deep-research*",
        ModelFacts {
            structured_outputs: None,
            tools: None,
            ..O_SERIES
        },
    ),
    // A new model of the line is most likely like the newest.
    ("gpt-5.*", GPT_5_6),
    ("gpt-5", GPT_5),
    ("gpt-5-*", GPT_5),
    ("gpt-5-chat*", ModelFacts { tools: None, ..GPT }),
    ("gpt-5.1*", GPT_5_1),
    ("gpt-5.1-chat*", GPT),
    ("gpt-5.1-codex-max*", GPT_5_2),
    ("gpt-5.2*", GPT_5_2),
    ("gpt-5.3*", GPT_5_3),
    (
        "gpt-5.4*",
        ModelFacts {
            context_tokens: Some(1_050_000),
            ..GPT_5_3
        },
    ),
    (
        "gpt-5.5*",
        ModelFacts {
            context_tokens: Some(1_050_000),
            ..GPT_5_3
        },
    ),
    (
        "gpt-oss*",
        ModelFacts {
            output_tokens_max: Some(131_072),
            context_tokens: Some(131_072),
            vision: Some(false),
            pdf: Some(false),
            efforts: LOW_TO_HIGH,
            reasoning: Some(true),
            sampling: Sampling::All,
            ..GPT_5
        },
    ),
    // A new line of models is most likely like the newest.
    ("gpt-6*", GPT_5_6),
];

/// What most models take that take levels at all.
pub(super) const LOW_TO_HIGH: Efforts = Efforts::range(Effort::Low, Effort::High);
const LOW_TO_MAX: Efforts = Efforts::range(Effort::Low, Effort::Max);

/// Claude 2 and 3.
const CLAUDE_3: ModelFacts = ModelFacts {
    output_tokens_max: Some(4096),
    context_tokens: Some(200_000),
    thinking: Some(Thinking::None),
    reasoning: Some(false),
    structured_outputs: Some(false),
    vision: Some(true),
    pdf: Some(true),
    audio: Some(false),
    tools: Some(true),
    ..ModelFacts::UNKNOWN
};
/// Claude 3.7 and 4: thinking by budget.
const CLAUDE_4: ModelFacts = ModelFacts {
    output_tokens_max: Some(64_000),
    thinking: Some(Thinking::Budget),
    reasoning: Some(true),
    ..CLAUDE_3
};
/// Claude 4.5: one sampling member at a time, structured outputs.
const CLAUDE_4_5: ModelFacts = ModelFacts {
    sampling: Sampling::Exclusive,
    structured_outputs: Some(true),
    ..CLAUDE_4
};
/// Claude 4.6: adaptive thinking beside the budget, no prefill.
const CLAUDE_4_6: ModelFacts = ModelFacts {
    output_tokens_max: Some(128_000),
    context_tokens: Some(1_000_000),
    sampling: Sampling::Exclusive,
    thinking: Some(Thinking::AdaptiveOff),
    reasoning: Some(true),
    // Levels as the API's own refusal of `xhigh` names them.
    efforts: LOW_TO_HIGH.and(Effort::Max),
    structured_outputs: Some(true),
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
    thinking: Some(Thinking::AdaptiveOn),
    ..CLAUDE_4_8
};
/// Fable and Mythos 5: thinking cannot be turned off.
const CLAUDE_ALWAYS: ModelFacts = ModelFacts {
    thinking: Some(Thinking::Always),
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
    context_tokens: Some(128_000),
    reasoning: Some(false),
    structured_outputs: Some(true),
    vision: Some(true),
    pdf: Some(true),
    audio: Some(false),
    tools: Some(true),
    ..ModelFacts::UNKNOWN
};
/// The same that listen and speak instead of seeing.
const GPT_AUDIO: ModelFacts = ModelFacts {
    structured_outputs: Some(false),
    vision: Some(false),
    pdf: None,
    audio: Some(true),
    ..GPT
};
/// The same without pictures and schemas.
const GPT_TEXT: ModelFacts = ModelFacts {
    output_tokens_max: Some(4096),
    context_tokens: Some(16_385),
    structured_outputs: Some(false),
    vision: Some(false),
    pdf: Some(false),
    ..GPT
};
/// The o-series.
const O_SERIES: ModelFacts = ModelFacts {
    output_tokens_max: Some(100_000),
    context_tokens: Some(200_000),
    sampling: Sampling::None,
    efforts: LOW_TO_HIGH,
    reasoning: Some(true),
    ..GPT
};
const GPT_5: ModelFacts = ModelFacts {
    output_tokens_max: Some(128_000),
    context_tokens: Some(400_000),
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
/// From here on nothing is said of audio.
const GPT_5_3: ModelFacts = ModelFacts {
    audio: None,
    ..GPT_5_2
};
const GPT_5_6: ModelFacts = ModelFacts {
    audio: None,
    context_tokens: Some(1_050_000),
    efforts: LOW_TO_MAX.and(Effort::None),
    ..GPT_5
};
