//! What is sent: drawn from a seed, so that a run can be repeated.

use std::time::Duration;

use crate::chance::Chance;
use crate::compare::configs::{ANTHROPIC, OPENAI};
use crate::load::job::{Request, Told};
use crate::wire::Wire;

/// One exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What is asked.
    pub request: Request,
    /// The client leaves after this.
    pub leave_after: Option<Duration>,
    /// The client rests after each read.
    pub pause: Option<Duration>,
}

/// Draws the next exchange.
#[must_use]
pub fn draw(chance: &mut Chance) -> Exchange {
    let wire = if one_in(chance, 2) {
        Wire::Openai
    } else {
        Wire::Anthropic
    };
    let translated = one_in(chance, 2);
    let stream = !one_in(chance, 3);
    let model = match (wire, translated) {
        (Wire::Openai, false) | (Wire::Anthropic, true) => OPENAI,
        (Wire::Anthropic, false) | (Wire::Openai, true) => ANTHROPIC,
    };
    let mut script = if stream {
        streamed(chance)
    } else {
        whole(chance)
    };
    let mut leave_after = None;
    if one_in(chance, 6) {
        let (fault, is_silent) = fault(chance, stream);
        script += &fault;
        // Only the client's leaving ends a silence.
        leave_after = is_silent.then(|| millis(chance, 20, 300));
    }
    if one_in(chance, 10) {
        leave_after = Some(millis(chance, 0, 150));
    }
    let pause = one_in(chance, 20).then(|| millis(chance, 1, 20));
    let body_bytes = match chance.below(50) {
        0 => 300_000 + below(chance, 3_000_000),
        1..=5 => 10_000 + below(chance, 100_000),
        _ => below(chance, 4000),
    };
    Exchange {
        request: Request {
            wire,
            model: model.to_owned(),
            stream,
            body_bytes,
            script,
            told: Told::Header,
            translated,
            timeout: Duration::from_secs(60),
        },
        leave_after,
        pause,
    }
}

fn streamed(chance: &mut Chance) -> String {
    let mut script = format!("deltas={}", 1 + chance.below(80));
    script += &tag(chance);
    for (odds, text) in [
        (3, format!(",gap_ms={}", 1 + chance.below(5))),
        (3, format!(",batch={}", 1 + chance.below(20))),
        (4, format!(",thinking={}", 1 + chance.below(10))),
        (4, format!(",tools={}", 1 + chance.below(4))),
        (4, format!(",comments={}", 1 + chance.below(7))),
        (4, ",crlf=on".to_owned()),
        (4, format!(",delta_bytes={}", 25 + chance.below(2000))),
        (6, format!(",cut={}", 7 + chance.below(400))),
        (6, format!(",head_ms={}", chance.below(20))),
    ] {
        if one_in(chance, odds) {
            script += &text;
        }
    }
    script
}

fn whole(chance: &mut Chance) -> String {
    let bytes = match chance.below(20) {
        0 => chance.below(3_000_000),
        1..=4 => chance.below(100_000),
        _ => chance.below(2000),
    };
    let mut script = format!("answer_bytes={bytes}{}", tag(chance));
    for (odds, text) in [
        (4, ",thinking=1".to_owned()),
        (4, format!(",tools={}", 1 + chance.below(4))),
        (4, format!(",cut={}", 1000 + chance.below(3000))),
        (6, format!(",head_ms={}", chance.below(20))),
    ] {
        if one_in(chance, odds) {
            script += &text;
        }
    }
    script
}

/// Binds the answer to its request: by a number of its own, or by what the request held.
fn tag(chance: &mut Chance) -> String {
    match one_in(chance, 3) {
        true => ",count=on".to_owned(),
        false => format!(",input={}", 1 + chance.below(4_000_000_000)),
    }
}

/// Something that goes wrong, and whether it is silence.
fn fault(chance: &mut Chance, stream: bool) -> (String, bool) {
    let after = chance.below(20);
    match chance.below(if stream { 6 } else { 4 }) {
        0 => {
            let statuses = [400, 401, 404, 413, 429, 500, 502, 503, 529];
            let at = below(chance, statuses.len());
            let status = statuses.get(at).copied().unwrap_or(500);
            (format!(",error={status}"), false)
        }
        1 => (",reset=on".to_owned(), false),
        2 => (format!(",reset_after={after}"), false),
        3 => (format!(",close_after={after}"), false),
        4 => (format!(",error_after={after}"), false),
        _ => (format!(",silence_after={after}"), true),
    }
}

fn one_in(chance: &mut Chance, odds: u64) -> bool {
    chance.below(odds) == 0
}

fn below(chance: &mut Chance, end: usize) -> usize {
    usize::try_from(chance.below(end as u64)).unwrap_or(0)
}

fn millis(chance: &mut Chance, from: u64, to: u64) -> Duration {
    Duration::from_millis(from + chance.below(to - from))
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::chance::Chance;
    use crate::mock::script::Fault;

    #[test]
    fn traffic_of_one_seed_repeats_and_every_script_can_be_read() {
        let (mut one, mut other) = (Chance::new(3), Chance::new(3));
        let (mut faults, mut left, mut slow, mut translated) = (0, 0, 0, 0);
        let count = 2000;
        for _ in 0..count {
            let exchange = draw(&mut one);
            assert_eq!(format!("{exchange:?}"), format!("{:?}", draw(&mut other)));
            let script = exchange.request.job().unwrap().expect.script;
            faults += usize::from(script.fault != Fault::None);
            left += usize::from(exchange.leave_after.is_some());
            slow += usize::from(exchange.pause.is_some());
            translated += usize::from(exchange.request.translated);
            if matches!(script.fault, Fault::SilenceAfter(_)) {
                assert!(exchange.leave_after.is_some());
            }
        }
        assert!((count / 8..count / 4).contains(&faults), "{faults}");
        assert!(left > count / 15 && slow > count / 40, "{left} {slow}");
        assert!(
            (count * 2 / 5..count * 3 / 5).contains(&translated),
            "{translated}"
        );
    }
}
