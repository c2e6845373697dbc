//! Choices of a recipe, and what they damage.

use arbitrary::Unstructured;
use serde_json::{Value, json};

/// Makes choices from a recipe's bytes; where they end, the first of every choice.
pub struct Cook<'r>(Unstructured<'r>);

impl<'r> Cook<'r> {
    /// A cook that goes by `choices`.
    pub fn new(choices: &'r [u8]) -> Self {
        Self(Unstructured::new(choices))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end - 1).unwrap_or(0)
    }

    /// One of `list`.
    pub fn one<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Yes in one of `of` cases.
    pub fn rarely(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    /// Up to `max - 1` of what `make` makes.
    pub fn some(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> Value) -> Vec<Value> {
        (0..self.below(max)).map(|_| make(self)).collect()
    }

    /// A text: a plain one, an odd one, or any.
    pub fn text(&mut self) -> String {
        match self.below(TEXTS.len() + 1) {
            0 => self
                .0
                .arbitrary::<&str>()
                .unwrap_or_default()
                .chars()
                .take(40)
                .collect(),
            known => TEXTS[known - 1].to_owned(),
        }
    }

    /// A member that is often left out.
    pub fn maybe(
        &mut self,
        object: &mut Value,
        name: &str,
        value: impl FnOnce(&mut Self) -> Value,
    ) {
        if self.below(3) == 1 {
            object[name] = value(self);
        }
    }

    /// `value` as bytes, changed in none to three places of its structure and its text.
    pub fn damaged(&mut self, mut value: Value) -> Vec<u8> {
        while self.rarely(3) {
            self.change(&mut value);
        }
        let text = if self.rarely(4) {
            serde_json::to_vec_pretty(&value)
        } else {
            serde_json::to_vec(&value)
        };
        let mut text = text.expect("a value has a form in JSON");
        while self.rarely(6) {
            self.scratch(&mut text);
        }
        text
    }

    /// Puts something else in one place of the tree.
    pub fn change(&mut self, value: &mut Value) {
        let mut at = value;
        // Down to a place at random; the loop ends where a value holds no other.
        while self.below(5) > 0 {
            let len = at
                .as_object()
                .map(serde_json::Map::len)
                .or(at.as_array().map(Vec::len));
            let Some(len @ 1..) = len else { break };
            let choice = self.below(len);
            let child = match at {
                Value::Object(members) => members.values_mut().nth(choice),
                Value::Array(list) => list.get_mut(choice),
                _ => None,
            };
            at = child.expect("the choice is below the count");
        }
        match at {
            Value::Array(list) if !list.is_empty() && self.below(2) == 0 => {
                let which = self.below(list.len());
                match self.below(3) {
                    0 => drop(list.remove(which)),
                    1 => list.push(list[which].clone()),
                    _ => list.swap(0, which),
                }
            }
            Value::Object(members) if !members.is_empty() && self.below(2) == 0 => {
                let which = self.below(members.len());
                let name = members.keys().nth(which).cloned().unwrap_or_default();
                let value = members.remove(&name).unwrap_or_default();
                if self.below(2) == 0 {
                    members.insert(self.text(), value);
                }
            }
            at => *at = self.odd(),
        }
    }

    /// A value of any kind.
    pub fn odd(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(0),
            3 => json!(-1),
            4 => json!(1e300),
            5 => json!(u64::MAX),
            6 => json!(""),
            7 => json!([]),
            8 => json!({}),
            9 => json!([null]),
            10 => json!([{"type": "text"}]),
            _ => json!(self.text()),
        }
    }

    /// Changes, removes, repeats or adds bytes in one place.
    pub fn scratch(&mut self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let at = self.below(text.len());
        let end = (at + self.below(48)).min(text.len());
        match self.below(5) {
            0 => text[at] = b"{}[]\",:\\\n\r 0tn"[self.below(14)],
            1 => drop(text.drain(at..end)),
            2 => {
                let piece = text[at..end].to_vec();
                text.splice(at..at, piece);
            }
            3 => text.truncate(at),
            _ => drop(text.splice(at..at, b"\\ud83d".iter().copied())),
        }
    }
}

/// Texts that mean something somewhere, or are hard to carry.
const TEXTS: [&str; 16] = [
    "a",
    "",
    "two words",
    "\u{1F600}\u{e9}",
    "quote \" backslash \\ line\nreturn\rnul\u{0}",
    "{\"a\":[1,{\"b\":null}]}",
    "data: [DONE]\n\n",
    "f",
    "json_response",
    "tool name.with/odd:bytes",
    "https://a.example/i.png",
    "data:image/png;base64,AA==",
    "data:application/pdf;base64,JVBE",
    "thinking",
    "assistant",
    "x-anthropic-billing-header: cch=1;",
];
