//! What models of others than Anthropic and `OpenAI` take: data alone, pattern by pattern.
//!
//! Sources: who takes `reasoning_effort`, and which levels: xAI's page on reasoning (grok-3-mini low
//! and high, grok-4.3 none to high, other Grok models refuse it), Groq's (qwen3 `none` and `default`
//! alone, so that it is left out there), Gemini's on `OpenAI` compatibility, Ollama's list of thinking
//! models (2026). Windows, limits, images, PDF, audio and tools: the list of models of `LiteLLM`
//! 1.109.1 (2026-11); Meta's cards of Llama 3.1 and 3.3, which are of text alone. What none of them
//! says is not said here; of a limit that is as large as the window nothing is said either.

use crate::chat::request::Effort;
use crate::translate::models::table::LOW_TO_HIGH;
use crate::translate::models::{Efforts, ModelFacts};

/// Patterns and facts; the order says nothing.
pub(super) const BUILTIN: &[(&str, ModelFacts)] = &[
    (
        "deepseek-*",
        ModelFacts {
            tools: Some(true),
            ..ModelFacts::UNKNOWN
        },
    ),
    ("deepseek-reasoner*", ModelFacts::UNKNOWN),
    ("deepseek-r1*", BLIND_REASONING),
    ("deepseek-r1-distill*", ModelFacts::UNKNOWN),
    (
        "deepseek-v3*",
        ModelFacts {
            tools: Some(true),
            ..BLIND
        },
    ),
    (
        "deepseek-v3.1*",
        ModelFacts {
            tools: Some(true),
            ..BLIND_REASONING
        },
    ),
    ("deepseek-flash*", DEEPSEEK_4),
    ("deepseek-v4-flash*", DEEPSEEK_4),
    (
        "deepseek-v4-pro*",
        ModelFacts {
            vision: Some(false),
            ..DEEPSEEK_4
        },
    ),
    ("qwen3*", REASONING),
    ("qwen3*instruct*", ModelFacts::UNKNOWN),
    ("qwen3-coder*", ModelFacts::UNKNOWN),
    // The ids of Groq.
    ("qwen/qwen3*", ModelFacts::UNKNOWN),
    (
        "qwen/qwen3.8-27b",
        ModelFacts {
            output_tokens_max: Some(16_384),
            context_tokens: Some(131_072),
            ..SEEING
        },
    ),
    ("qwen3-vl*", SEEING_REASONING),
    ("llama-3.1-8b*", BLIND),
    ("llama-3.1-70b*", BLIND),
    ("llama-3.1-405b*", BLIND),
    ("llama-3.3-70b*", BLIND),
    ("meta-llama-3.1-8b*", BLIND),
    ("meta-llama-3.1-70b*", BLIND),
    ("meta-llama-3.1-405b*", BLIND),
    ("llama3.1*", BLIND),
    ("llama3.3*", BLIND),
    ("llama3-1-*", BLIND),
    ("llama3-3-*", BLIND),
    ("magistral*", REASONING),
    ("magistral-medium-latest", MAGISTRAL),
    ("magistral-small-latest", MAGISTRAL),
    ("mistral-large-latest", MISTRAL),
    ("mistral-large-2512*", MISTRAL),
    ("mistral-large-3*", MISTRAL),
    (
        "mistral-large-4*",
        ModelFacts {
            context_tokens: Some(1_048_576),
            ..MISTRAL
        },
    ),
    ("mistral-medium-latest", MISTRAL),
    ("mistral-medium-2604*", MISTRAL),
    ("mistral-medium-3*", MISTRAL),
    ("mistral-small-latest", MISTRAL),
    ("mistral-small-2603*", MISTRAL),
    ("ministral-14b-*", MISTRAL),
    ("ministral-8b-*", MISTRAL),
    (
        "ministral-3b-*",
        ModelFacts {
            context_tokens: Some(131_072),
            ..MISTRAL
        },
    ),
    (
        "pixtral-large*",
        ModelFacts {
            context_tokens: Some(128_000),
            ..MISTRAL
        },
    ),
    (
        "voxtral-small*",
        ModelFacts {
            context_tokens: Some(32_768),
            structured_outputs: Some(true),
            audio: Some(true),
            tools: Some(true),
            ..ModelFacts::UNKNOWN
        },
    ),
    (
        "codestral*",
        ModelFacts {
            tools: Some(true),
            ..ModelFacts::UNKNOWN
        },
    ),
    (
        "devstral*",
        ModelFacts {
            tools: Some(true),
            ..ModelFacts::UNKNOWN
        },
    ),
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
            reasoning: Some(true),
            ..GROK_4
        },
    ),
    ("grok-4.20*", GROK_4),
    (
        "grok-4.20-multi-agent*",
        ModelFacts {
            tools: None,
            ..GROK_4
        },
    ),
    (
        "grok-4.5*",
        ModelFacts {
            context_tokens: Some(500_000),
            ..GROK_4
        },
    ),
    (
        "grok-4.6*",
        ModelFacts {
            context_tokens: Some(500_000),
            ..GROK_4
        },
    ),
    (
        "grok-4.7*",
        ModelFacts {
            context_tokens: Some(500_000),
            ..GROK_4
        },
    ),
    ("gemini-2.0-flash*", GEMINI_2),
    ("gemini-flash-latest", GEMINI),
    ("gemini-flash-lite-latest", GEMINI),
    ("gemini-pro-latest", GEMINI),
    (
        "gemini-4*",
        ModelFacts {
            output_tokens_max: None,
            ..GEMINI
        },
    ),
    ("gemma-4-*", SEEING),
    (
        "gemini-2.5*",
        ModelFacts {
            efforts: LOW_TO_HIGH,
            ..GEMINI_REASONING
        },
    ),
    (
        "gemini-2.5-flash*",
        ModelFacts {
            efforts: LOW_TO_HIGH.and(Effort::None),
            ..GEMINI_REASONING
        },
    ),
    ("gemini-2.5-flash-image*", ModelFacts::UNKNOWN),
    ("gemini-2.5-computer-use*", SEEING),
    ("gemini-2.5-flash-preview-tts*", DEAF),
    ("gemini-2.5-pro-preview-tts*", DEAF),
    (
        "gemini-3*",
        ModelFacts {
            efforts: LOW_TO_HIGH,
            ..GEMINI_REASONING
        },
    ),
    ("gemini-3*image*", ModelFacts::UNKNOWN),
];

/// Models that reason, of whom no more is known.
const REASONING: ModelFacts = ModelFacts {
    reasoning: Some(true),
    ..ModelFacts::UNKNOWN
};
/// Models of text alone.
const BLIND: ModelFacts = ModelFacts {
    vision: Some(false),
    pdf: Some(false),
    audio: Some(false),
    ..ModelFacts::UNKNOWN
};
/// The same that reason.
const BLIND_REASONING: ModelFacts = ModelFacts {
    reasoning: Some(true),
    ..BLIND
};
/// Models that speak and take nothing but text, no tools either.
const DEAF: ModelFacts = ModelFacts {
    tools: Some(false),
    ..BLIND
};
/// Models that take images and tools, of whom no more is known.
const SEEING: ModelFacts = ModelFacts {
    vision: Some(true),
    tools: Some(true),
    ..ModelFacts::UNKNOWN
};
/// The same that reason.
const SEEING_REASONING: ModelFacts = ModelFacts {
    reasoning: Some(true),
    ..SEEING
};
/// `DeepSeek` V4.
const DEEPSEEK_4: ModelFacts = ModelFacts {
    output_tokens_max: Some(393_216),
    context_tokens: Some(1_000_000),
    ..SEEING
};
/// Mistral's models since Large 3.
const MISTRAL: ModelFacts = ModelFacts {
    context_tokens: Some(262_144),
    structured_outputs: Some(true),
    ..SEEING
};
const MAGISTRAL: ModelFacts = ModelFacts {
    reasoning: Some(true),
    ..MISTRAL
};
/// Grok from 4.20 on. Which of them take `reasoning_effort` is said one by one.
const GROK_4: ModelFacts = ModelFacts {
    context_tokens: Some(1_000_000),
    structured_outputs: Some(true),
    ..SEEING
};
/// Gemini from 2.5 on.
const GEMINI: ModelFacts = ModelFacts {
    output_tokens_max: Some(65_536),
    context_tokens: Some(1_048_576),
    structured_outputs: Some(true),
    pdf: Some(true),
    audio: Some(true),
    ..SEEING
};
const GEMINI_REASONING: ModelFacts = ModelFacts {
    reasoning: Some(true),
    ..GEMINI
};
const GEMINI_2: ModelFacts = ModelFacts {
    output_tokens_max: Some(8192),
    ..GEMINI
};
