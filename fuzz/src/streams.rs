//! One stream through everything that reads streams.

use ringway::chat::usage::End;
use ringway::translate::context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::kind::Wire;

/// What one stream came to, in one form that can be compared.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    translated: Vec<u8>,
    stripped: Vec<u8>,
    deltas: (u32, u32),
    ends: (End, End),
}

/// Runs a stream of `from` that arrives in `pieces` and ends cleanly.
pub fn seen<'i>(from: Wire, pieces: impl IntoIterator<Item = &'i [u8]>) -> Seen {
    let to = match from {
        Wire::OpenAiChat => Wire::AnthropicMessages,
        Wire::AnthropicMessages => Wire::OpenAiChat,
    };
    let mut translator = StreamTranslator::new(from, to, AnswerContext::default(), 1 << 10);
    let (mut tap, mut strip) = (Tap::new(from, 1 << 10), UsageStrip::new(1 << 10));
    let (mut translated, mut stripped) = (Vec::new(), Vec::new());
    let mut deltas = (0, 0);
    for piece in pieces {
        deltas.0 += translator.push(piece, &mut translated).deltas;
        deltas.1 += tap.push(piece).deltas;
        strip.push(piece, &mut stripped);
    }
    deltas.0 += translator.finish(true, &mut translated).deltas;
    deltas.1 += tap.finish(true).deltas;
    strip.finish(&mut stripped);
    let ends = (translator.end(), tap.end());
    let text = String::from_utf8_lossy(&translated);
    let told = text.contains("\nevent: message_stop\n") || text.contains("\ndata: [DONE]\n");
    assert_eq!(told, ends.0 == End::Complete);
    assert!(ends.0 != End::Open && ends.1 != End::Open);
    Seen {
        translated,
        stripped,
        deltas,
        ends,
    }
}
