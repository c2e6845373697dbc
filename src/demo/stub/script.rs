//! What an answer tells, before it is put on a wire.
//!
//! Everything follows from the request, so whoever has the request knows the answer. A piece is a
//! token: usage counts them.

use crate::demo::stub::asked::{Asked, Tool};
use crate::demo::stub::model::Answer;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// In order.
    pub blocks: Vec<Block>,
    /// Why it ends.
    pub stop: Stop,
    /// What it costs.
    pub counts: Counts,
}

/// A part of an answer, piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Thinking, signed at its end where the wire has signatures.
    Thinking(Vec<String>),
    /// A text.
    Text(Vec<String>),
    /// A tool call.
    Tool {
        /// The tool.
        name: String,
        /// Its arguments: JSON in pieces.
        pieces: Vec<String>,
    },
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All is said.
    Done,
    /// The output limit.
    Length,
    /// Tools are to run.
    Tools,
    /// Refused.
    Refusal,
}

/// Token counts; each includes its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of the input.
    pub input: u64,
    /// Of it from the cache.
    pub cached: u64,
    /// All of the output.
    pub output: u64,
    /// Of it thinking.
    pub thinking: u64,
}

impl Block {
    /// Its pieces.
    #[must_use]
    pub fn pieces(&self) -> &[String] {
        match self {
            Self::Thinking(pieces) | Self::Text(pieces) | Self::Tool { pieces, .. } => pieces,
        }
    }

    fn pieces_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Thinking(pieces) | Self::Text(pieces) | Self::Tool { pieces, .. } => pieces,
        }
    }
}

impl Script {
    /// The answer of this kind to a request.
    #[must_use]
    pub fn new(answer: Answer, asked: &Asked) -> Self {
        let text = || match &asked.schema_example {
            Some(json) => Block::Text(cut_evenly(json)),
            None => Block::Text(words(TEXT)),
        };
        let thinking = || Block::Thinking(words(THINKING));
        let (blocks, stop) = match answer {
            Answer::Text => (vec![text()], Stop::Done),
            Answer::Thinking => (vec![thinking(), text()], Stop::Done),
            Answer::Echo => (vec![Block::Text(words(&asked.last_text))], Stop::Done),
            Answer::Refusal => (vec![Block::Text(words(REFUSAL))], Stop::Refusal),
            Answer::Tools | Answer::All if asked.has_results => {
                (vec![Block::Text(words(RESULTS_TEXT))], Stop::Done)
            }
            Answer::Tools if asked.tools.is_empty() => {
                (vec![Block::Text(words(NO_TOOLS_TEXT))], Stop::Done)
            }
            Answer::Tools => (calls(&asked.tools), Stop::Tools),
            Answer::All if asked.tools.is_empty() => (vec![thinking(), text()], Stop::Done),
            Answer::All => {
                let mut blocks = vec![thinking(), text()];
                blocks.extend(calls(&asked.tools));
                (blocks, Stop::Tools)
            }
        };
        let counts = Counts {
            input: asked.input_tokens,
            cached: asked.input_tokens / 2,
            ..Counts::default()
        };
        let mut script = Self {
            blocks,
            stop,
            counts,
        };
        script.cut(asked.output_max);
        script
    }

    /// Cuts the answer at `output_max` tokens and counts what is left.
    fn cut(&mut self, output_max: u64) {
        let mut left = usize::try_from(output_max).unwrap_or(usize::MAX);
        let mut whole = true;
        self.blocks.retain_mut(|block| {
            let begun = left > 0;
            let pieces = block.pieces_mut();
            whole &= pieces.len() <= left;
            pieces.truncate(left);
            left = left.saturating_sub(pieces.len());
            begun
        });
        if !whole {
            self.stop = Stop::Length;
        }
        let count = |block: &Block| block.pieces().len() as u64;
        self.counts.output = self.blocks.iter().map(count).sum();
        let thoughts = self.blocks.iter();
        let thoughts = thoughts.filter(|block| matches!(block, Block::Thinking(_)));
        self.counts.thinking = thoughts.map(count).sum();
    }
}

/// Calls of the first tools.
fn calls(tools: &[Tool]) -> Vec<Block> {
    let called = tools.iter().take(CALLS_MAX);
    let calls = called.map(|tool| Block::Tool {
        name: tool.name.clone(),
        pieces: cut_evenly(&tool.example),
    });
    calls.collect()
}

/// Words with the blank before them: what tokens look like.
fn words(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let ends = text.match_indices(' ').map(|(at, _)| at);
    for end in ends.chain([text.len()]) {
        if let Some(piece) = text.get(start..end).filter(|piece| !piece.is_empty()) {
            pieces.push(piece.to_owned());
            start = end;
        }
    }
    pieces
}

/// Pieces of a few characters, as arguments come.
fn cut_evenly(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES).max(1));
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// The proof that comes with thinking on the Anthropic wire.
pub const SIGNATURE: &str = "c3R1Yi1zaWduYXR1cmU+Lz0rYWJjZGVmZ2hpamtsbW5vcA==";

const THINKING: &str = "The user wants to see tokens arrive. I am a stub: I think nothing, but I \
can say so one word after another, and then call the tools that I was given.";

const TEXT: &str = "Hello! I am a stub provider, and every word of this is its own event. \
Some of them are hard to carry: \"quotes\", back\\slashes, a\ttab, a line end\nhere, Zürich, \
日本語, and an emoji 🦀 that takes two escapes. None may get lost on its way across.";

const REFUSAL: &str = "I cannot help with that.";

const RESULTS_TEXT: &str = "The tools have answered, and with their results this is done.";

const NO_TOOLS_TEXT: &str = "No tools were declared, so none is called.";

/// Tools that one answer calls.
const CALLS_MAX: usize = 2;

/// Bytes of a piece of arguments; a character is longer at most.
const PIECE_BYTES: usize = 7;

const _: () = assert!(PIECE_BYTES >= 4);

#[cfg(test)]
mod tests {
    use super::{Block, Script, Stop, cut_evenly, words};
    use crate::demo::stub::asked::{Asked, Tool};
    use crate::demo::stub::model::Answer;

    fn asked(output_max: u64) -> Asked {
        Asked {
            output_max,
            input_tokens: 41,
            tools: vec![Tool {
                name: "f".to_owned(),
                example: "{\"a\":\"日本語日本語\"}".to_owned(),
            }],
            ..Asked::default()
        }
    }

    #[test]
    fn pieces_join_to_the_whole() {
        for text in ["", " ", "a b", " a  b ", "日本語 🦀🦀🦀"] {
            assert_eq!(words(text).concat(), text);
            assert_eq!(cut_evenly(text).concat(), text);
        }
    }

    #[test]
    fn script_past_the_output_limit_is_cut_there() {
        let whole = Script::new(Answer::All, &asked(u64::MAX));
        assert_eq!(whole.stop, Stop::Tools);
        assert_eq!(whole.counts.cached, 20);
        let at = Script::new(Answer::All, &asked(whole.counts.output));
        assert_eq!(at, whole);
        let past = Script::new(Answer::All, &asked(whole.counts.output - 1));
        assert_eq!(past.stop, Stop::Length);
        assert_eq!(past.counts.output, whole.counts.output - 1);
        let one = Script::new(Answer::All, &asked(1));
        assert!(matches!(one.blocks.as_slice(), [Block::Thinking(_)]));
    }

    #[test]
    fn script_with_tool_results_calls_no_more_tools() {
        let mut asked = asked(u64::MAX);
        asked.has_results = true;
        let script = Script::new(Answer::Tools, &asked);
        assert!(matches!(script.blocks.as_slice(), [Block::Text(_)]));
        assert_eq!(script.stop, Stop::Done);
    }
}
