use ringway_test_support::http::{Body, Chunk, head};

use super::{Expect, Judge, Verdict};
use crate::mock::answer::{Answer, answer};
use crate::mock::script::{Fault, Script};
use crate::wire::Wire;

const BOTH: [Wire; 2] = [Wire::Openai, Wire::Anthropic];

fn expect(script: &str, wire: Wire, stream: bool) -> Expect {
    let script = Script::default().with(script).unwrap();
    Expect {
        wire,
        stream,
        input: script.input,
        script,
        translated: false,
    }
}

/// The payload of a stream's chunks.
fn payload(answer: &Answer) -> Vec<u8> {
    let mut chunks = Vec::new();
    for section in &answer.sections {
        chunks.extend_from_slice(&section.open);
        for number in 0..section.count {
            section
                .delta
                .write(number, u64::from(number) + 7, &mut chunks);
        }
        chunks.extend_from_slice(&section.close);
    }
    let mut body = Body::Chunked(Chunk::Size);
    let (mut at, mut out) = (0, Vec::new());
    while !body.is_done() {
        let (used, part) = body.step(&chunks[at..]).unwrap();
        out.extend_from_slice(part);
        at += used;
    }
    assert_eq!(at, chunks.len());
    out
}

fn stream(script: &str, wire: Wire) -> Vec<u8> {
    payload(&answer(&expect(script, wire, true).script, wire))
}

fn judged(expect: &Expect, body: &[u8], cut: usize, is_whole: bool) -> Verdict {
    let mut judge = Judge::new(expect);
    let mut stamps = Vec::new();
    for part in body.chunks(cut) {
        if let Err(fault) = judge.push(part, &mut stamps) {
            return Verdict::Wrong(fault);
        }
    }
    judge.finish(200, is_whole, &mut Vec::new())
}

const SCRIPTS: [&str; 6] = [
    "deltas=3",
    "deltas=4,thinking=2,tools=2",
    "deltas=5,comments=2,crlf=on",
    "deltas=2,usage=off",
    "deltas=0",
    "deltas=3,delta_bytes=60,input=77",
];

#[test]
fn streams_as_sent_are_right_for_every_cut() {
    for wire in BOTH {
        for script in SCRIPTS {
            let body = stream(script, wire);
            let expect = expect(script, wire, true);
            for cut in [1, 2, 3, 50, 331, body.len()] {
                let verdict = judged(&expect, &body, cut, true);
                assert_eq!(verdict, Verdict::Right, "{wire:?} {script} {cut}");
            }
        }
    }
}

#[test]
fn whole_answers_as_sent_are_right_and_remembered() {
    for wire in BOTH {
        for script in [
            "answer_bytes=9",
            "tools=2,thinking=1",
            "answer_bytes=0",
            "input=5",
        ] {
            let expect = expect(script, wire, false);
            let bytes = answer(&expect.script, wire).whole;
            let body = &bytes[head(&bytes).unwrap().unwrap().len..];
            let mut good = Vec::new();
            for _ in 0..2 {
                let mut judge = Judge::new(&expect);
                judge.push(body, &mut Vec::new()).unwrap();
                assert_eq!(
                    judge.finish(200, true, &mut good),
                    Verdict::Right,
                    "{script}"
                );
                assert_eq!(good, body);
            }
        }
    }
}

#[test]
fn whole_answer_short_or_longer_or_of_another_request_is_wrong() {
    for wire in BOTH {
        let expect = expect("answer_bytes=9,input=5", wire, false);
        for other in [
            "answer_bytes=8,input=5",
            "answer_bytes=10,input=5",
            "answer_bytes=9,input=6",
        ] {
            let script = Script::default().with(other).unwrap();
            let bytes = answer(&script, wire).whole;
            let body = &bytes[head(&bytes).unwrap().unwrap().len..];
            let verdict = judged(&expect, body, 64, true);
            assert!(
                matches!(verdict, Verdict::Wrong(_)),
                "{wire:?} {other}: {verdict:?}"
            );
        }
    }
}

#[test]
fn whole_answer_cut_short_is_never_right() {
    for wire in BOTH {
        let expect = expect("answer_bytes=9", wire, false);
        let bytes = answer(&expect.script, wire).whole;
        let body = &bytes[head(&bytes).unwrap().unwrap().len..];
        for end in 0..body.len() {
            let verdict = judged(&expect, &body[..end], 64, true);
            assert!(matches!(verdict, Verdict::Wrong(_)), "{end}: {verdict:?}");
            let verdict = judged(&expect, &body[..end], 64, false);
            assert!(matches!(verdict, Verdict::Broken(_)), "{end}: {verdict:?}");
        }
    }
}

/// Records of a stream, their blank lines included.
fn records(body: &[u8]) -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(body).unwrap();
    text.split_inclusive("\n\n")
        .map(|record| record.as_bytes().to_vec())
        .collect()
}

#[test]
fn stream_without_any_one_of_its_telling_records_is_never_right() {
    for wire in BOTH {
        let script = "deltas=3,thinking=2,tools=1";
        let expect = expect(script, wire, true);
        let all = records(&stream(script, wire));
        let mut missed = 0;
        for at in 0..all.len() {
            let mut fewer = all.clone();
            let gone = String::from_utf8(fewer.remove(at)).unwrap();
            let judged = judged(&expect, &fewer.concat(), 4096, true);
            // The role and the signature are nothing that the mock's answers differ in.
            let silent = ["\"content\":\"\"", "signature_delta"];
            let silent = silent.iter().any(|word| gone.contains(word));
            assert!(
                silent || judged != Verdict::Right,
                "{wire:?}: without {gone}"
            );
            missed += usize::from(judged != Verdict::Right);
        }
        assert!(missed >= 3 + 2 + 3 + 2, "{wire:?}: {missed}");
    }
}

#[test]
fn stream_with_any_record_doubled_or_two_swapped_is_wrong() {
    for wire in BOTH {
        let script = "deltas=3";
        let expect = expect(script, wire, true);
        let all = records(&stream(script, wire));
        let is_delta = |record: &Vec<u8>| record.windows(2).any(|two| two == b"@0");
        let is_end = |record: &Vec<u8>| {
            let text = String::from_utf8_lossy(record);
            text.contains("[DONE]") || text.contains("message_stop")
        };
        let mut wrong = 0;
        for at in 0..all.len() {
            if !is_delta(&all[at]) && !is_end(&all[at]) {
                continue;
            }
            let mut doubled = all.clone();
            doubled.insert(at, all[at].clone());
            let verdict = judged(&expect, &doubled.concat(), 4096, true);
            assert!(
                matches!(verdict, Verdict::Wrong(_)),
                "{wire:?} {at}: {verdict:?}"
            );
            wrong += 1;
            if is_delta(&all[at]) && is_delta(&all[at + 1]) {
                let mut swapped = all.clone();
                swapped.swap(at, at + 1);
                let verdict = judged(&expect, &swapped.concat(), 4096, true);
                assert!(
                    matches!(verdict, Verdict::Wrong(_)),
                    "{wire:?} {at}: {verdict:?}"
                );
            }
        }
        assert_eq!(wrong, 4, "{wire:?}");
    }
}

#[test]
fn stream_cut_at_any_byte_is_never_right() {
    for wire in BOTH {
        let script = "deltas=3";
        let expect = expect(script, wire, true);
        let body = stream(script, wire);
        for end in 0..body.len() {
            for is_whole in [true, false] {
                let verdict = judged(&expect, &body[..end], 4096, is_whole);
                assert_ne!(verdict, Verdict::Right, "{wire:?} {end} {is_whole}");
            }
        }
    }
}

#[test]
fn stream_with_a_changed_text_usage_or_argument_is_wrong() {
    for wire in BOTH {
        let script = "deltas=3,tools=1,input=77,delta_bytes=30";
        let expect = expect(script, wire, true);
        let body = String::from_utf8(stream(script, wire)).unwrap();
        for (from, to) in [
            ("xxxxx", "xxxxy"),
            (":77", ":78"),
            ("Par", "Pax"),
            ("weather", "wether"),
            ("\"tool_", "\"pause_"),
            ("\"index\":0", "\"index\":1"),
        ] {
            assert!(body.contains(from), "{wire:?} {from}");
            let changed = body.replace(from, to);
            let verdict = judged(&expect, changed.as_bytes(), 4096, true);
            assert!(
                matches!(verdict, Verdict::Wrong(_)),
                "{wire:?} {from}: {verdict:?}"
            );
        }
    }
}

#[test]
fn stream_whose_events_a_reader_would_not_tell_apart_is_wrong() {
    for wire in BOTH {
        let expect = expect("deltas=3,thinking=2,tools=1,comments=2", wire, true);
        let body =
            String::from_utf8(stream("deltas=3,thinking=2,tools=1,comments=2", wire)).unwrap();
        for (at, _) in body.match_indices("\n\n") {
            // A comment belongs to whatever stands around it.
            if body[..at].ends_with(": mock") || body[at..].starts_with("\n\n: mock") {
                continue;
            }
            let run_on = format!("{}{}", &body[..at], &body[at + 1..]);
            let verdict = judged(&expect, run_on.as_bytes(), 4096, true);
            assert!(matches!(verdict, Verdict::Wrong(_)), "{at}: {verdict:?}");
        }
        for (at, name) in body.match_indices("event: ") {
            for (from, to) in [("event: ", "event: x"), ("event: ", ": ")] {
                let named = format!("{}{to}{}", &body[..at], &body[at + from.len()..]);
                let verdict = judged(&expect, named.as_bytes(), 4096, true);
                assert!(matches!(verdict, Verdict::Wrong(_)), "{name}: {verdict:?}");
            }
        }
        assert_eq!(judged(&expect, body.as_bytes(), 4096, true), Verdict::Right);
    }
}

#[test]
fn broken_answers_are_right_only_where_the_provider_broke_them() {
    for wire in BOTH {
        let mut expect = expect("deltas=3", wire, true);
        let body = stream("deltas=3", wire);
        let right = judged(&expect, &body, 4096, true);
        let broken = judged(&expect, &body[..body.len() / 2], 4096, false);
        assert!(expect.judge(right.clone()).is_ok());
        assert!(expect.judge(broken.clone()).is_err());
        expect.script.fault = Fault::CloseAfter(3);
        let lie = judged(&expect, &body, 4096, true);
        assert!(expect.judge(right).is_err());
        assert!(expect.judge(lie).is_err());
        assert!(expect.judge(broken).is_ok());
        let ended_and_broken = judged(&expect, &body, 4096, false);
        assert!(expect.judge(ended_and_broken).is_err());
    }
}

#[test]
fn status_that_is_no_success_is_broken() {
    let expect = expect("deltas=3", Wire::Openai, true);
    let verdict = Judge::new(&expect).finish(502, true, &mut Vec::new());
    assert!(matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
}

#[test]
fn thinking_may_be_missing_only_behind_a_translation() {
    for wire in BOTH {
        let body = stream("deltas=3", wire);
        let mut expect = expect("deltas=3,thinking=2", wire, true);
        expect.script.usage = false;
        assert_ne!(judged(&expect, &body, 4096, true), Verdict::Right);
        expect.translated = true;
        assert_eq!(judged(&expect, &body, 4096, true), Verdict::Right);
    }
}

#[test]
fn half_an_event_is_no_fault_only_of_a_broken_stream_and_only_before_the_error() {
    let error = "\n\ndata: {\"error\":{\"message\":\"cut\"}}\n\n";
    let whole = stream("deltas=3", Wire::Openai);
    let half = [&whole[..whole.len() / 2], error.as_bytes()].concat();
    let mut expect = expect("deltas=3", Wire::Openai, true);
    let verdict = judged(&expect, &half, 4096, false);
    assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
    expect.script.fault = Fault::ResetAfter(2);
    for is_whole in [true, false] {
        let verdict = judged(&expect, &half, 4096, is_whole);
        assert!(matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
    }
    let name = format!("event{error}");
    let verdict = judged(&expect, name.as_bytes(), 4096, true);
    assert!(matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
    let goes_on = [&half[..], &whole].concat();
    let verdict = judged(&expect, &goes_on, 4096, true);
    assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
}
