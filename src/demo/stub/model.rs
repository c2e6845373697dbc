//! What each model's name stands for.

use core::time::Duration;

/// A name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// What is answered.
    pub act: Act,
    /// How fast.
    pub pace: Pace,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An answer as it should be.
    Tell(Answer),
    /// An error with this status.
    Refuse(u16),
    /// An answer that goes wrong.
    Spoil(Spoil),
}

/// Kinds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A text.
    Text,
    /// Thinking and a text.
    Thinking,
    /// Tool calls.
    Tools,
    /// Thinking, a text, tool calls.
    All,
    /// The last user text.
    Echo,
    /// A refusal.
    Refusal,
}

/// How an answer goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// An error is the first event.
    ErrorStart,
    /// An error after some tokens.
    ErrorMid,
    /// The connection is cut within an event.
    Break,
    /// A clean end of the body without the wire's end marker.
    End,
    /// Nothing after the head.
    Silent,
    /// No head.
    Reset,
}

/// Pauses between tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As of a quick model.
    Steady,
    /// To watch.
    Slow,
    /// None.
    Fast,
}

impl Pace {
    /// From the request to the first token.
    #[must_use]
    pub const fn first(self) -> Duration {
        match self {
            Self::Steady => Duration::from_millis(40),
            Self::Slow => Duration::from_secs(1),
            Self::Fast => Duration::ZERO,
        }
    }

    /// From one token to the next.
    #[must_use]
    pub const fn each(self) -> Duration {
        match self {
            Self::Steady => Duration::from_millis(10),
            Self::Slow => Duration::from_millis(250),
            Self::Fast => Duration::ZERO,
        }
    }
}

impl Model {
    /// What a name stands for; nothing if the stub has no such model.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("stub-")?;
        let (what, pace) = if rest == "slow" {
            ("text", Pace::Slow)
        } else if let Some(what) = rest.strip_suffix("-slow") {
            (what, Pace::Slow)
        } else if let Some(what) = rest.strip_suffix("-fast") {
            (what, Pace::Fast)
        } else {
            (rest, Pace::Steady)
        };
        let act = match what {
            "text" => Act::Tell(Answer::Text),
            "thinking" => Act::Tell(Answer::Thinking),
            "tools" => Act::Tell(Answer::Tools),
            "all" => Act::Tell(Answer::All),
            "echo" => Act::Tell(Answer::Echo),
            "refusal" => Act::Tell(Answer::Refusal),
            "error-start" => Act::Spoil(Spoil::ErrorStart),
            "error-mid" => Act::Spoil(Spoil::ErrorMid),
            "break" => Act::Spoil(Spoil::Break),
            "end" => Act::Spoil(Spoil::End),
            "silent" => Act::Spoil(Spoil::Silent),
            "reset" => Act::Spoil(Spoil::Reset),
            other => Act::Refuse(status(other.strip_prefix("error-")?)?),
        };
        Some(Self { act, pace })
    }
}

fn status(digits: &str) -> Option<u16> {
    let status = digits.parse().ok()?;
    (digits.len() == 3 && (400..=599).contains(&status)).then_some(status)
}

/// The models that are listed. Further names: other statuses, and `-fast` or `-slow` behind each.
pub const LISTED: [&str; 15] = [
    "stub-text",
    "stub-thinking",
    "stub-tools",
    "stub-all",
    "stub-echo",
    "stub-refusal",
    "stub-slow",
    "stub-error-429",
    "stub-error-529",
    "stub-error-start",
    "stub-error-mid",
    "stub-break",
    "stub-end",
    "stub-silent",
    "stub-reset",
];

#[cfg(test)]
mod tests {
    use super::{Act, Answer, LISTED, Model, Pace, Spoil};

    #[test]
    fn names_listed_are_all_known() {
        for name in LISTED {
            assert!(Model::of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_with_suffix_change_the_pace_alone() {
        let all = |pace| Model {
            act: Act::Tell(Answer::All),
            pace,
        };
        assert_eq!(Model::of("stub-all"), Some(all(Pace::Steady)));
        assert_eq!(Model::of("stub-all-fast"), Some(all(Pace::Fast)));
        assert_eq!(Model::of("stub-all-slow"), Some(all(Pace::Slow)));
        assert_eq!(Model::of("stub-slow"), Model::of("stub-text-slow"));
        assert_eq!(
            Model::of("stub-break-fast").map(|model| model.act),
            Some(Act::Spoil(Spoil::Break))
        );
    }

    #[test]
    fn names_unknown_or_with_odd_status_are_no_models() {
        for name in [
            "gpt-4o",
            "stub-",
            "stub-error-200",
            "stub-error-0429",
            "stub-error-600",
        ] {
            assert_eq!(Model::of(name), None, "{name}");
        }
        let refused = Model::of("stub-error-503").map(|model| model.act);
        assert_eq!(refused, Some(Act::Refuse(503)));
    }
}
