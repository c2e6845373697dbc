//! Whole answers: valid JSON in the client's wire, of bounded size, or a fault and nothing written.

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::response::translate;
use ringway::translate::tap::{self, Whole};

use crate::stream_judge::{contexts, other};
use crate::{json, pieces, recipe};

/// A provider's answer.
pub fn check(input: &[u8]) {
    let limits = Limits::default();
    for (from, body) in recipe::answers(input) {
        let to = other(from);
        let contexts = contexts();
        for setting in pieces::settings(input, contexts.len()) {
            let context = &contexts[setting];
            let mut out = b"before".to_vec();
            let mut tape = Tape::new();
            let told = translate((from, to), &body, context, &mut tape, &limits, &mut out);
            let Ok(facts) = told else {
                assert_eq!(out, b"before");
                continue;
            };
            let out = out.strip_prefix(b"before").expect("an answer is appended");
            let members = json::members(out).expect("an answer is an object");
            assert!(
                out.len() <= 8 * body.len() + 4096,
                "{} from {}",
                out.len(),
                body.len()
            );
            let content = json::all(&members, "content");
            let choices = json::all(&members, "choices");
            assert_eq!(content.len() + choices.len(), 1);
            // Who reads the translated answer as its own wire's finds the same end.
            let Some(Whole::Answer(seen)) = tap::whole(to, out, &mut Tape::new()) else {
                panic!("no answer: {}", String::from_utf8_lossy(out));
            };
            assert!(
                seen.stop.is_some() && facts.stop.is_some(),
                "{:?} {:?} {}",
                seen.stop,
                facts.stop,
                String::from_utf8_lossy(out)
            );
        }
    }
}
