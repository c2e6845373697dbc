//! What the mock does with a request: the same words as flags, in a model's name and in a header.
//!
//! `gap_ms=20,deltas=100,usage=off` is a script. As flags: `--gap-ms 20 --deltas 100 --usage off`.
//! As a model: `mock:gap_ms=20,deltas=100`. As a header: `x-mock: gap_ms=20,deltas=100`. What a
//! request says outranks the flags, the header outranks the model.

use crate::token::TOKEN_BYTES_MIN;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// From a whole request to the answer's head.
    pub head_us: u64,
    /// Between two deltas.
    pub gap_us: u64,
    /// Text deltas of a stream.
    pub deltas: u32,
    /// Bytes of a delta's text.
    pub delta_bytes: usize,
    /// Deltas that go out in one write.
    pub batch: u32,
    /// Thinking deltas before the text; in a whole answer, one thinking part if not 0.
    pub thinking: u32,
    /// Tool calls after the text.
    pub tools: u32,
    /// Whether usage is told.
    pub usage: bool,
    /// Input tokens that usage tells.
    pub input: u64,
    /// Whether usage tells, as input tokens, how many `~` the request's body held.
    pub count: bool,
    /// A comment line after so many deltas; 0 for none.
    pub comments: u32,
    /// Whether event lines end in CR LF.
    pub crlf: bool,
    /// Bytes of each write; 0 for as many as there are.
    pub cut: usize,
    /// Bytes of a whole answer's text.
    pub answer_bytes: usize,
    /// What goes wrong.
    pub fault: Fault,
}

/// What goes wrong with an answer. So many deltas are those that there are, at the most: a broken
/// answer never ends as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// An answer of this status with an error in the wire's form.
    Status(u16),
    /// The connection is reset before any head.
    ResetAtOnce,
    /// An error event after so many deltas, then the end.
    ErrorAfter(u32),
    /// A reset after so many deltas; of a whole answer, after half of it.
    ResetAfter(u32),
    /// The connection is closed after so many deltas, the body unfinished.
    CloseAfter(u32),
    /// Nothing more after so many deltas, the connection open.
    SilenceAfter(u32),
}

impl Default for Script {
    fn default() -> Self {
        Self {
            head_us: 0,
            gap_us: 0,
            deltas: 100,
            delta_bytes: TOKEN_BYTES_MIN,
            batch: 1,
            thinking: 0,
            tools: 0,
            usage: true,
            input: 10,
            count: false,
            comments: 0,
            crlf: false,
            cut: 0,
            answer_bytes: 700,
            fault: Fault::None,
        }
    }
}

/// A word of the scripts.
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
    read: fn(&mut Script, &str) -> Result<(), String>,
}

impl Script {
    /// This script with what `text` changes.
    ///
    /// # Errors
    /// A word or a value that is not known.
    pub fn with(&self, text: &str) -> Result<Self, String> {
        let mut script = self.clone();
        for pair in text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(format!("script: expected key=value, found {pair:?}"));
            };
            script.set(name.trim(), value.trim())?;
        }
        Ok(script)
    }

    /// Sets one word.
    ///
    /// # Errors
    /// A word or a value that is not known.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            return Err(format!(
                "script: no key {name:?}; known: {}",
                known.join(", ")
            ));
        };
        (key.read)(self, value).map_err(|fault| format!("script: {name}: {fault}"))
    }

    /// Tokens that usage tells for a stream.
    #[must_use]
    pub const fn stream_tokens(&self) -> u64 {
        self.deltas as u64 + self.thinking as u64
    }
}

fn number<N: TryFrom<u64>>(value: &str, max: u64) -> Result<N, String> {
    let parsed = value.parse().ok().filter(|number| *number <= max);
    let parsed = parsed.and_then(|number| N::try_from(number).ok());
    parsed.ok_or_else(|| format!("expected a number up to {max}, found {value:?}"))
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("expected on or off, found {value:?}")),
    }
}

fn status(value: &str) -> Result<u16, String> {
    let status: u16 = number(value, 599)?;
    match status {
        400..=599 => Ok(status),
        _ => Err(format!(
            "expected a status from 400 to 599, found {value:?}"
        )),
    }
}

/// An hour, in microseconds: no wait is longer.
const WAIT_MAX_US: u64 = 3_600_000_000;
/// Deltas of one stream: what their number's digits can tell.
pub const DELTAS_MAX: u64 = 0xff_ffff;
/// Text of one delta.
const DELTA_BYTES_MAX: u64 = 1 << 20;
/// Text of a whole answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Every word.
pub const KEYS: &[Key] = &[
    Key {
        name: "head_ms",
        help: "Milliseconds from a whole request to the answer's head",
        read: |s, v| number(v, WAIT_MAX_US / 1000).map(|ms: u64| s.head_us = ms * 1000),
    },
    Key {
        name: "gap_ms",
        help: "Milliseconds between two deltas; 0 for back to back",
        read: |s, v| number(v, WAIT_MAX_US / 1000).map(|ms: u64| s.gap_us = ms * 1000),
    },
    Key {
        name: "deltas",
        help: "Text deltas of a stream [100]",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.deltas = n),
    },
    Key {
        name: "delta_bytes",
        help: "Bytes of a delta's text [25, the least]",
        read: |s, v| match number(v, DELTA_BYTES_MAX)? {
            bytes if bytes < TOKEN_BYTES_MIN => Err(format!("at least {TOKEN_BYTES_MIN}")),
            bytes => {
                s.delta_bytes = bytes;
                Ok(())
            }
        },
    },
    Key {
        name: "batch",
        help: "Deltas that go out in one write [1]",
        read: |s, v| number(v, 1024).map(|n: u32| s.batch = n.max(1)),
    },
    Key {
        name: "thinking",
        help: "Thinking deltas before the text [0]",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.thinking = n),
    },
    Key {
        name: "tools",
        help: "Tool calls after the text [0]",
        read: |s, v| number(v, 64).map(|n| s.tools = n),
    },
    Key {
        name: "usage",
        help: "Whether usage is told, on or off [on]",
        read: |s, v| switch(v).map(|on| s.usage = on),
    },
    Key {
        name: "input",
        help: "Input tokens that usage tells [10]",
        read: |s, v| number(v, u64::from(u32::MAX)).map(|n| s.input = n),
    },
    Key {
        name: "count",
        help: "Usage tells how many ~ the request held, on or off [off]",
        read: |s, v| switch(v).map(|on| s.count = on),
    },
    Key {
        name: "comments",
        help: "A comment line after so many deltas [0, none]",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.comments = n),
    },
    Key {
        name: "crlf",
        help: "Event lines end in CR LF, on or off [off]",
        read: |s, v| switch(v).map(|on| s.crlf = on),
    },
    Key {
        name: "cut",
        help: "Bytes of each write; 1 cuts byte by byte [0, whole pieces]",
        read: |s, v| number(v, 1 << 20).map(|n| s.cut = n),
    },
    Key {
        name: "answer_bytes",
        help: "Bytes of a whole answer's text [700]",
        read: |s, v| number(v, ANSWER_BYTES_MAX).map(|n| s.answer_bytes = n),
    },
    Key {
        name: "error",
        help: "Answer with this status, 400 to 599, and an error",
        read: |s, v| status(v).map(|n| s.fault = Fault::Status(n)),
    },
    Key {
        name: "reset",
        help: "Reset the connection before any head, on or off [off]",
        read: |s, v| {
            switch(v).map(|on| match (on, s.fault) {
                (true, _) => s.fault = Fault::ResetAtOnce,
                (false, Fault::ResetAtOnce) => s.fault = Fault::None,
                (false, _) => {}
            })
        },
    },
    Key {
        name: "error_after",
        help: "An error event after so many deltas",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.fault = Fault::ErrorAfter(n)),
    },
    Key {
        name: "reset_after",
        help: "Reset after so many deltas",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.fault = Fault::ResetAfter(n)),
    },
    Key {
        name: "close_after",
        help: "Close, unfinished, after so many deltas",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.fault = Fault::CloseAfter(n)),
    },
    Key {
        name: "silence_after",
        help: "Nothing more after so many deltas, the connection open",
        read: |s, v| number(v, DELTAS_MAX).map(|n| s.fault = Fault::SilenceAfter(n)),
    },
];

#[cfg(test)]
mod tests {
    use super::{DELTAS_MAX, Fault, KEYS, Script};

    #[test]
    fn script_of_every_kind_of_value_is_read() {
        let text = "gap_ms=20, deltas=7,usage=off,crlf=on,cut=1,error_after=3,input=99";
        let expected = Script {
            gap_us: 20_000,
            deltas: 7,
            usage: false,
            crlf: true,
            cut: 1,
            input: 99,
            fault: Fault::ErrorAfter(3),
            ..Script::default()
        };
        assert_eq!(Script::default().with(text), Ok(expected));
        assert_eq!(Script::default().with(""), Ok(Script::default()));
    }

    #[test]
    fn script_keeps_what_it_does_not_name() {
        let base = Script::default().with("deltas=3,tools=2").unwrap();
        let changed = base.with("deltas=4").unwrap();
        assert_eq!((changed.deltas, changed.tools), (4, 2));
        let reset = base.with("reset=on").unwrap();
        assert_eq!(reset.with("reset=off"), Ok(base.clone()));
        let broken = base.with("close_after=1").unwrap();
        assert_eq!(broken.with("reset=off"), Ok(broken));
    }

    #[test]
    fn script_with_a_wrong_word_or_value_says_what_was_expected() {
        for (text, words) in [
            ("gap=20", "no key \"gap\"; known: head_ms, gap_ms"),
            ("deltas", "expected key=value"),
            ("deltas=x", "expected a number up to"),
            ("usage=yes", "expected on or off"),
            ("error=200", "from 400 to 599"),
            ("delta_bytes=24", "at least 25"),
        ] {
            let fault = Script::default().with(text).unwrap_err();
            assert!(fault.contains(words), "{text}: {fault}");
        }
    }

    #[test]
    fn numbers_are_taken_at_their_bound_and_not_past_it() {
        let at = format!("deltas={DELTAS_MAX}");
        let past = format!("deltas={}", DELTAS_MAX + 1);
        assert!(Script::default().with(&at).is_ok());
        assert!(Script::default().with(&past).is_err());
    }

    #[test]
    fn every_key_takes_some_value_and_refuses_nonsense() {
        for key in KEYS {
            let mut script = Script::default();
            let good = ["on", "429", "30"];
            assert!(
                good.iter().any(|v| script.set(key.name, v).is_ok()),
                "{}",
                key.name
            );
            assert!(script.set(key.name, "-").is_err(), "{}", key.name);
        }
    }
}
