//! Shared ways to run a stream through the codecs.

use ringway::chat::usage::End;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::progress::Progress;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::codec::ClientNeeds;
use ringway::wire::kind::Wire;
use ringway::wire::openai::settings::Needs;

pub(crate) const EVENT_BYTES_MAX: usize = 1 << 20;

/// A request that asked for a stream with usage.
pub(crate) fn context() -> AnswerContext {
    needing(Needs::default())
}

/// The same of an OpenAI client with these `needs` beside the usage.
pub(crate) fn needing(needs: Needs) -> AnswerContext {
    AnswerContext {
        stream: true,
        needs: ClientNeeds::OpenAi(Needs {
            include_usage: true,
            created: 1_700_000_000,
            ..needs
        }),
        seed: 7,
        ..AnswerContext::default()
    }
}

/// Every wire of a provider with every other of a client.
pub(crate) fn pairs() -> impl Iterator<Item = (Wire, Wire)> {
    let froms = Wire::ALL.into_iter();
    let pairs = froms.flat_map(|from| Wire::ALL.map(|to| (from, to)));
    pairs.filter(|(from, to)| from != to)
}

pub(crate) const fn other(wire: Wire) -> Wire {
    match wire {
        Wire::OpenAiChat => Wire::AnthropicMessages,
        Wire::AnthropicMessages => Wire::OpenAiChat,
    }
}

/// What came out of a translator, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
    pub(crate) deltas: u32,
    pub(crate) events: u32,
    pub(crate) content: bool,
    pub(crate) end: End,
}

impl Out {
    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes).unwrap()
    }
}

/// Translates pieces from `from` to the other wire; then the body ends.
pub(crate) fn translate_pieces(
    from: Wire,
    context: AnswerContext,
    pieces: &[&[u8]],
    clean: bool,
) -> Out {
    translate_between((from, other(from)), context, pieces, clean)
}

/// Translates pieces from one wire to another; then the body ends.
pub(crate) fn translate_between(
    (from, to): (Wire, Wire),
    context: AnswerContext,
    pieces: &[&[u8]],
    clean: bool,
) -> Out {
    let mut translator = StreamTranslator::new(from, to, context, EVENT_BYTES_MAX);
    let mut bytes = Vec::new();
    let mut total = Total::default();
    for piece in pieces {
        total.add(translator.push(piece, &mut bytes));
    }
    total.add(translator.finish(clean, &mut bytes));
    let length = bytes.len();
    translator.push(b"data: {\"more\":1}\n\n", &mut bytes);
    translator.finish(clean, &mut bytes);
    assert_eq!(bytes.len(), length, "written after the end");
    total.out(bytes)
}

/// Translates a whole body that ended cleanly.
pub(crate) fn translate(from: Wire, context: AnswerContext, body: &str) -> Out {
    translate_pieces(from, context, &[body.as_bytes()], true)
}

/// Runs pieces through a tap; then the body ends.
pub(crate) fn tap_pieces(wire: Wire, pieces: &[&[u8]], clean: bool) -> (Tap, Out) {
    let mut tap = Tap::new(wire, EVENT_BYTES_MAX);
    let mut total = Total::default();
    for piece in pieces {
        total.add(tap.push(piece));
    }
    total.add(tap.finish(clean));
    (tap, total.out(Vec::new()))
}

/// Runs pieces through a usage strip.
pub(crate) fn strip_pieces(pieces: &[&[u8]]) -> Vec<u8> {
    let mut strip = UsageStrip::new(EVENT_BYTES_MAX);
    let mut out = Vec::new();
    for piece in pieces {
        strip.push(piece, &mut out);
    }
    strip.finish(&mut out);
    out
}

#[derive(Default)]
struct Total {
    deltas: u32,
    events: u32,
    last: Option<Progress>,
}

impl Total {
    fn add(&mut self, progress: Progress) {
        self.deltas += progress.deltas;
        self.events += progress.events;
        self.last = Some(progress);
    }

    fn out(self, bytes: Vec<u8>) -> Out {
        let last = self.last.unwrap();
        Out {
            bytes,
            deltas: self.deltas,
            events: self.events,
            content: last.content,
            end: last.end,
        }
    }
}
