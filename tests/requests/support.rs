//! One way to run a translation and to look at what came out.

use ringway::chat::rejection::Rejection;
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::models::ModelTable;
use ringway::translate::request::{Translated, translate};
use ringway::translate::request_context::{Hints, RequestContext};
use ringway::wire::codec::ClientNeeds;
use ringway::wire::kind::{Dialect, Wire};
use ringway::wire::openai::settings::Needs;
use serde_json::Value;

/// A translation to run: the defaults are what most cases want.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    pub(crate) from: Wire,
    pub(crate) to: Wire,
    pub(crate) model: &'a str,
    pub(crate) dialect: Dialect,
    pub(crate) hints: Hints<'a>,
}

/// What came out, read by an independent judge.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
    pub(crate) json: Value,
    pub(crate) notes: String,
    pub(crate) translated: Translated,
}

impl Out {
    /// What an OpenAI client needs of the answer.
    pub(crate) fn needs(&self) -> &Needs {
        match &self.translated.answer.needs {
            ClientNeeds::OpenAi(needs) => needs,
            ClientNeeds::Anthropic => panic!("a client of the OpenAI wire"),
        }
    }
}

impl<'a> Run<'a> {
    /// An OpenAI client, `model` at an Anthropic provider.
    pub(crate) fn to_anthropic(model: &'a str) -> Self {
        Self::between(Wire::OpenAiChat, Wire::AnthropicMessages, model)
    }

    /// An Anthropic client, `model` at an OpenAI provider.
    pub(crate) fn to_openai(model: &'a str) -> Self {
        Self::between(Wire::AnthropicMessages, Wire::OpenAiChat, model)
    }

    /// A client of the wire `from`, `model` at a provider of the wire `to`.
    pub(crate) fn between(from: Wire, to: Wire, model: &'a str) -> Self {
        Self {
            from,
            to,
            model,
            dialect: Dialect::default(),
            hints: Hints::default(),
        }
    }

    pub(crate) fn dialect(mut self, change: impl FnOnce(&mut Dialect)) -> Self {
        change(&mut self.dialect);
        self
    }

    pub(crate) fn hints(mut self, change: impl FnOnce(&mut Hints<'a>)) -> Self {
        change(&mut self.hints);
        self
    }

    pub(crate) fn bytes(&self, body: &[u8]) -> Result<(Vec<u8>, Translated), Rejection> {
        let table = ModelTable::builtin();
        let context = RequestContext {
            from: self.from,
            to: self.to,
            dialect: &self.dialect,
            model: self.model,
            facts: table.facts(self.model),
            hints: self.hints,
            limits: &Limits::default(),
            created: 1,
            seed: 2,
        };
        let mut out = Vec::new();
        let translated = translate(body, &mut Tape::new(), &context, &mut out)?;
        Ok((out, translated))
    }

    pub(crate) fn run(&self, body: &str) -> Result<Out, Rejection> {
        let (bytes, translated) = self.bytes(body.as_bytes())?;
        let json = serde_json::from_slice(&bytes)
            .unwrap_or_else(|e| panic!("not JSON: {e}: {}", String::from_utf8_lossy(&bytes)));
        Ok(Out {
            bytes,
            json,
            notes: translated.notes.header(),
            translated,
        })
    }

    /// A translation that must succeed.
    pub(crate) fn ok(&self, body: &str) -> Out {
        self.run(body)
            .unwrap_or_else(|rejection| panic!("rejected: {rejection:?}\nbody: {body}"))
    }

    /// A translation that must be refused; its param.
    pub(crate) fn refused(&self, body: &str) -> String {
        match self.run(body) {
            Err(rejection) => rejection.param().unwrap_or_default().to_owned(),
            Ok(out) => panic!("taken: {}\nbody: {body}", out.json),
        }
    }
}

/// A request of the OpenAI wire with one user message and these further members.
pub(crate) fn chat(members: &str) -> String {
    with(
        r#"{"model":"m","max_tokens":4000,"messages":[{"role":"user","content":"hi"}]"#,
        members,
    )
}

/// The same with these messages.
pub(crate) fn chat_messages(messages: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":4000,"messages":{messages}}}"#)
}

/// A request of the Anthropic wire with one user message and these further members.
pub(crate) fn messages(members: &str) -> String {
    with(
        r#"{"model":"m","max_tokens":4000,"messages":[{"role":"user","content":"hi"}]"#,
        members,
    )
}

fn with(start: &str, members: &str) -> String {
    let gap = if members.is_empty() { "" } else { "," };
    format!("{start}{gap}{members}}}")
}

/// JSON written down in a test.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}
