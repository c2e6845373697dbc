//! What a streamed answer said, whatever its wire, and what it should have said.

use crate::demo::stub::script::{Block, Counts, Script, Stop};

/// What one record added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Nothing to read.
    Silent,
    /// Thinking.
    Thinking(String),
    /// A piece of text.
    Text(String),
    /// A tool call by name.
    Call(String),
    /// A piece of its arguments.
    Arguments(String),
}

impl Delta {
    /// Whether it carries a token.
    #[must_use]
    pub const fn is_token(&self) -> bool {
        match self {
            Self::Silent | Self::Call(_) => false,
            Self::Thinking(_) | Self::Text(_) | Self::Arguments(_) => true,
        }
    }
}

/// An answer, gathered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// All thinking.
    pub thinking: String,
    /// The signature that came with it.
    pub signature: String,
    /// All text.
    pub text: String,
    /// Tool calls in order.
    pub calls: Vec<Call>,
    /// Why it ended.
    pub stop: Option<Stop>,
    /// Token counts.
    pub counts: Option<Counts>,
}

/// A tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as they came.
    pub arguments: String,
}

impl Meaning {
    /// Adds a delta; arguments belong to the call at hand.
    ///
    /// # Errors
    /// Arguments without a call.
    pub fn add(&mut self, delta: &Delta) -> Result<(), String> {
        match delta {
            Delta::Silent | Delta::Call(_) => {}
            Delta::Thinking(text) => self.thinking.push_str(text),
            Delta::Text(text) => self.text.push_str(text),
            Delta::Arguments(text) => {
                let call = self.calls.last_mut();
                let call = call.ok_or("tool arguments without a call")?;
                call.arguments.push_str(text);
            }
        }
        Ok(())
    }

    /// Holds the answer against the script that the provider was to tell. `id_start` opens the
    /// provider's call ids, `signature` is what must come with the thinking.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare(&self, script: &Script, id_start: &str, signature: &str) -> Result<(), String> {
        let joined = |wanted: fn(&Block) -> bool| -> String {
            let blocks = script.blocks.iter().filter(|block| wanted(block));
            blocks.flat_map(Block::pieces).map(String::as_str).collect()
        };
        let thinking = joined(|block| matches!(block, Block::Thinking(_)));
        let text = joined(|block| matches!(block, Block::Text(_)));
        same("thinking", &self.thinking, &thinking)?;
        same("signature", &self.signature, signature)?;
        same("text", &self.text, &text)?;
        self.compare_calls(script, id_start)?;
        if self.stop != Some(script.stop) {
            return Err(format!(
                "stop: expected {:?}, found {:?}",
                script.stop, self.stop
            ));
        }
        if self.counts != Some(script.counts) {
            let (expected, found) = (script.counts, self.counts);
            return Err(format!("usage: expected {expected:?}, found {found:?}"));
        }
        Ok(())
    }

    fn compare_calls(&self, script: &Script, id_start: &str) -> Result<(), String> {
        let expected = script.blocks.iter().filter_map(|block| match block {
            Block::Tool { name, pieces } => Some((name, pieces.concat())),
            Block::Thinking(_) | Block::Text(_) => None,
        });
        let expected: Vec<(&String, String)> = expected.collect();
        if self.calls.len() != expected.len() {
            let (expected, found) = (expected.len(), self.calls.len());
            return Err(format!("tool calls: expected {expected}, found {found}"));
        }
        let mut ids: Vec<&str> = Vec::new();
        for (call, (name, arguments)) in self.calls.iter().zip(expected) {
            same("tool name", &call.name, name)?;
            same("tool arguments", &call.arguments, &arguments)?;
            if !call.id.starts_with(id_start) || ids.contains(&call.id.as_str()) {
                let id = &call.id;
                return Err(format!("tool id: expected a new {id_start}…, found {id:?}"));
            }
            ids.push(&call.id);
        }
        Ok(())
    }
}

fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let pairs = found.bytes().zip(expected.bytes());
    let at = pairs.take_while(|(one, other)| one == other).count();
    Err(format!(
        "{what}: differs from what the provider sent at byte {at}: {found:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Call, Delta, Meaning};
    use crate::demo::stub::asked::{Asked, Tool};
    use crate::demo::stub::model::Answer;
    use crate::demo::stub::script::Script;

    fn told() -> (Script, Meaning) {
        let asked = Asked {
            output_max: u64::MAX,
            tools: vec![Tool {
                name: "f".to_owned(),
                example: "{}".to_owned(),
            }],
            ..Asked::default()
        };
        let script = Script::new(Answer::All, &asked);
        let whole = |at: usize| script.blocks[at].pieces().concat();
        let meaning = Meaning {
            thinking: whole(0),
            signature: "s".to_owned(),
            text: whole(1),
            calls: vec![Call {
                id: "call_1".to_owned(),
                name: "f".to_owned(),
                arguments: "{}".to_owned(),
            }],
            stop: Some(script.stop),
            counts: Some(script.counts),
        };
        (script, meaning)
    }

    #[test]
    fn compare_of_the_same_finds_no_difference() {
        let (script, meaning) = told();
        assert_eq!(meaning.compare(&script, "call_", "s"), Ok(()));
    }

    #[test]
    fn compare_of_any_change_names_it() {
        type Change = fn(&mut Meaning);
        let changes: [(&str, Change); 8] = [
            ("thinking", |it| it.thinking.push('x')),
            ("signature", |it| it.signature.clear()),
            ("text", |it| it.text.truncate(1)),
            ("tool calls", |it| it.calls.clear()),
            ("tool arguments", |it| it.calls[0].arguments.insert(1, ' ')),
            ("tool id", |it| it.calls[0].id.insert(0, 'x')),
            ("stop", |it| it.stop = None),
            ("usage", |it| it.counts = None),
        ];
        for (name, change) in changes {
            let (script, mut meaning) = told();
            change(&mut meaning);
            let fault = meaning.compare(&script, "call_", "s").unwrap_err();
            assert!(fault.starts_with(name), "{name}: {fault}");
        }
    }

    #[test]
    fn add_of_arguments_without_a_call_is_refused() {
        let mut meaning = Meaning::default();
        assert!(meaning.add(&Delta::Arguments("{".to_owned())).is_err());
    }
}
