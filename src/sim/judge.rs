//! What must hold after a run, exchange by exchange.

use crate::sim::answers::{end_mark, tokens};
use crate::sim::observations::{ClientObservation, Observations, ObservedEnd, ProviderObservation};
use crate::sim::script::{FaultLevel, GARBAGE, MODELS, ProviderAction, ScriptedRequest, SimScript};
use crate::wire::kind::Wire;

/// One access line, as far as it is looked at.
#[derive(Debug)]
pub(super) struct LoggedRecord {
    id: String,
    pub(super) end: String,
    status: u16,
    /// The exchange, where its model was read.
    pub(super) number: Option<usize>,
    /// One of its tries was given up because its stream was slow.
    pub(super) is_slow: bool,
    /// One of its tries waited for a head until its time ran out.
    is_late: bool,
}

/// The records in the text of an access log.
pub(super) fn records(log: &[u8]) -> Vec<LoggedRecord> {
    let text = String::from_utf8_lossy(log);
    text.lines().map(record).collect()
}

fn record(line: &str) -> LoggedRecord {
    // Members of attempts stand before those of the exchange that have the same name.
    let member = |name: &str| {
        let (_, rest) = line.rsplit_once(&format!("\"{name}\":"))?;
        let rest = rest.strip_prefix('"').unwrap_or(rest);
        let end = rest.find(['"', ',', '}']).unwrap_or(rest.len());
        rest.get(..end)
    };
    let number = member("model_asked").and_then(|model| {
        let (name, number) = model.rsplit_once('.')?;
        MODELS.contains(&name).then(|| number.parse().ok())?
    });
    LoggedRecord {
        id: member("id").unwrap_or_default().to_owned(),
        end: member("end").unwrap_or_default().to_owned(),
        status: member("status")
            .and_then(|status| status.parse().ok())
            .unwrap_or(0),
        number,
        is_slow: line.contains("\"slow_stream\""),
        is_late: line.contains("\"head_timeout\""),
    }
}

/// Everything that is wrong with a run's exchanges.
pub(super) fn judge(
    script: &SimScript,
    observations: &Observations,
    records: &[LoggedRecord],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let (seen, served) = (observations.seen.borrow(), observations.served.borrow());
    let mut unnamed = records
        .iter()
        .filter(|record| record.number.is_none())
        .count();
    // One of the plans has a budget that a few large bodies exhaust, for others too.
    let is_large = |ask: &ScriptedRequest| ask.pad > 10_000 || ask.pieces * ask.piece_pad > 20_000;
    let is_tight = script.plan == 1 && observations.asks.iter().any(is_large);
    for (number, ask) in observations.asks.iter().enumerate() {
        let Some(sight) = seen.get(&number) else {
            wrong.push(format!("exchange {number}: its client never came to it"));
            continue;
        };
        let own: Vec<&LoggedRecord> = records
            .iter()
            .filter(|record| record.number == Some(number))
            .collect();
        let case = JudgedExchange {
            script,
            ask,
            number,
            sight,
            served: served.get(&number).map_or(&[], Vec::as_slice),
            own,
            is_killed: observations.killed.borrow().contains(&sight.connection),
            is_tight,
        };
        let mut found = Vec::new();
        case.check_payload(&mut found);
        case.check_record(records, &mut unnamed, &mut found);
        case.check_leaving(&mut found);
        case.check_service(&mut found);
        let told = found
            .into_iter()
            .map(|what| format!("exchange {number}: {what}; {}", case.describe()));
        wrong.extend(told);
    }
    wrong
}

/// One exchange and all that is known of it.
struct JudgedExchange<'c> {
    script: &'c SimScript,
    ask: &'c ScriptedRequest,
    number: usize,
    sight: &'c ClientObservation,
    served: &'c [ProviderObservation],
    own: Vec<&'c LoggedRecord>,
    is_killed: bool,
    /// Memory may be short.
    is_tight: bool,
}

impl JudgedExchange<'_> {
    fn describe(&self) -> String {
        let ScriptedRequest {
            wire,
            stream,
            framing,
            leave,
            model,
            ..
        } = self.ask;
        let actions: Vec<_> = self
            .served
            .iter()
            .map(|served| (served.wire, served.action))
            .collect();
        let ClientObservation {
            end,
            status,
            left_at,
            ..
        } = self.sight;
        let payload = String::from_utf8_lossy(&self.sight.payload);
        let tail: String = payload.chars().rev().take(300).collect();
        let tail: String = tail.chars().rev().collect();
        format!(
            "{wire:?} stream={stream} model={model} {framing:?} leave={leave:?} saw {end:?} {status} \
             left={left_at:?} killed={} records={:?} actions={actions:?} …{tail:?}",
            self.is_killed, self.own
        )
    }

    /// The gateway's own operations may have failed, or time jumped past its limits.
    fn is_rough(&self) -> bool {
        let fault_rates = self.script.fault_rates;
        fault_rates.failing > 0 || fault_rates.jumping > 0 || self.is_killed
    }

    /// The client has the terminator of its stream.
    fn has_end_mark(&self) -> bool {
        let mark = end_mark(self.ask.wire).as_bytes();
        self.ask.stream && memchr::memmem::find(&self.sight.payload, mark).is_some()
    }

    /// Whether what went out early was cut here.
    fn is_cut_early(&self, bytes: &[u8]) -> bool {
        self.script.has_early_heads() && self.ask.stream && EARLY.starts_with(bytes)
    }

    /// The right bytes, and an end only where one came.
    fn check_payload(&self, wrong: &mut Vec<String>) {
        let (sight, payload) = (self.sight, self.sight.payload.as_slice());
        if sight.end == ObservedEnd::Nonsense {
            wrong.push("what came is no answer".to_owned());
        }
        let tokens = tokens(payload);
        if tokens.iter().any(|token| token[0] != self.number) {
            wrong.push("bytes of another exchange".to_owned());
            return;
        }
        if sight.status != 200 {
            return;
        }
        let last = self.served.len().saturating_sub(1);
        let attempt = tokens.first().map_or(last, |token| token[1]);
        let in_order = tokens
            .iter()
            .enumerate()
            .all(|(piece, token)| token[1..] == [attempt, piece]);
        if !in_order {
            wrong.push(format!("pieces lost, doubled or mixed: {tokens:?}"));
        }
        let Some(served) = self.served.get(attempt) else {
            let has_end = memchr::memmem::find(payload, end_mark(self.ask.wire).as_bytes());
            let is_early = payload.starts_with(EARLY) || self.is_cut_early(payload);
            if is_early && has_end.is_none() && sight.end != ObservedEnd::Whole {
                return;
            }
            wrong.push("an answer that no provider gave".to_owned());
            return;
        };
        let sent = served.answer.payload_in(served.sent.get());
        let has_meaning = served.answer.meant_at > 0 && sent >= served.answer.meant_at;
        let marks = match self.ask.stream {
            true => {
                let mark = end_mark(self.ask.wire).as_bytes();
                memchr::memmem::find_iter(payload, mark).count()
            }
            false => usize::from(sight.end == ObservedEnd::Whole),
        };
        if marks > usize::from(has_meaning) {
            wrong.push("an end that no provider gave".to_owned());
        }
        if sight.end == ObservedEnd::Whole && (marks != 1 || tokens.len() != self.ask.pieces) {
            wrong.push(format!(
                "a whole answer with {marks} ends and {} pieces",
                tokens.len()
            ));
        }
        if served.wire == self.ask.wire {
            self.check_bytes(served, wrong);
        }
    }

    /// On one wire: every byte as the provider sent it.
    fn check_bytes(&self, served: &ProviderObservation, wrong: &mut Vec<String>) {
        let strips = self.ask.stream && self.ask.wire == Wire::OpenAiChat && !self.ask.usage;
        let answer = &served.answer;
        let wanted = if strips {
            &answer.stripped
        } else {
            &answer.payload
        };
        let mut payload = self.sight.payload.as_slice();
        while let Some(behind) = payload.strip_prefix(EARLY) {
            payload = behind;
        }
        if self.sight.end == ObservedEnd::Whole {
            if payload != wanted.as_slice() {
                wrong.push("not the provider's bytes".to_owned());
            }
            return;
        }
        // What broke off is the beginning of the answer, and in a stream the gateway's error event.
        let common = |of: &[u8]| {
            payload
                .iter()
                .zip(of)
                .take_while(|(one, two)| one == two)
                .count()
        };
        let rest = payload.get(common(wanted).max(common(&answer.payload))..);
        let rest = rest.unwrap_or_default().trim_ascii_start();
        // The error event may begin as the one that did not come: it is looked at from its start.
        let last = memchr::memmem::rfind(payload, b"\n\n").map_or(0, |at| at + 2);
        let last = payload.get(last..).unwrap_or_default();
        let begins =
            |bytes: &[u8], start: &[u8]| bytes.starts_with(start) || start.starts_with(bytes);
        let told = self.ask.stream
            && ERROR_STARTS
                .iter()
                .any(|start| begins(rest, start) || (!last.is_empty() && begins(last, start)));
        let inside = self.ask.stream && memchr::memmem::find(payload, b"\"error\"").is_some();
        let is_garbage = matches!(served.action, ProviderAction::Garble(_))
            && (GARBAGE.starts_with(rest) || memchr::memmem::find(rest, GARBAGE).is_some());
        let is_early = self.is_cut_early(rest);
        if !(rest.is_empty() || is_early || is_garbage || told || inside || self.is_rough()) {
            wrong.push(format!(
                "bytes that nobody sent: {:?}",
                String::from_utf8_lossy(rest)
            ));
        }
    }

    /// One record, and it says what the client saw.
    fn check_record(&self, all: &[LoggedRecord], unnamed: &mut usize, wrong: &mut Vec<String>) {
        let sight = self.sight;
        if self.own.len() > 1 {
            wrong.push("more than one record".to_owned());
        }
        let by_id = sight
            .id
            .as_ref()
            .map(|id| all.iter().filter(|one| one.id == *id).count());
        if by_id.is_some_and(|count| count != 1) && !self.is_killed {
            wrong.push(format!("{by_id:?} records with its id"));
        }
        let Some(record) = self.own.first() else {
            if sight.end == ObservedEnd::Whole && sight.status == 200 {
                wrong.push("no record".to_owned());
            } else if !self.served.is_empty() && !self.is_killed {
                wrong.push("sent upstream without a record".to_owned());
            } else if sight.end != ObservedEnd::Nothing {
                *unnamed = unnamed.saturating_sub(1);
            }
            return;
        };
        let is_silent = |served: &ProviderObservation| {
            matches!(
                served.action,
                ProviderAction::Silence | ProviderAction::Stall(_)
            )
        };
        let is_excused = self.script.fault_rates.jumping > 0 || self.ask.pad > 10_000;
        if record.is_late && !is_excused && !self.served.iter().any(is_silent) {
            wrong.push("it waited for a head that nobody owed".to_owned());
        }
        let end = record.end.as_str();
        let fits = match (sight.end, sight.status) {
            (ObservedEnd::Whole, 200) => end == "complete",
            (ObservedEnd::Whole, status) => end == "refused" && record.status == status,
            // A connection to the client that fails behind the terminator has delivered all.
            (ObservedEnd::Broken, _) if self.is_rough() => end != "complete" || self.has_end_mark(),
            (ObservedEnd::Broken, _) => matches!(end, "truncated" | "upstream_error"),
            (ObservedEnd::Nothing, _) => end != "complete",
            (ObservedEnd::Left, _) => true,
            (ObservedEnd::Nonsense, _) => false,
        };
        let is_lost = self.script.fault_rates.losing > 0
            && matches!(sight.end, ObservedEnd::Nothing | ObservedEnd::Broken);
        if !fits && !is_lost {
            wrong.push(format!("the record says {end}"));
        }
    }

    /// Whoever left has no provider working for him.
    fn check_leaving(&self, wrong: &mut Vec<String>) {
        let Some(left_at) = self.sight.left_at else {
            return;
        };
        for served in self.served {
            let answer = &served.answer;
            let sent = answer.payload_in(served.sent.get());
            let is_said = answer.meant_at > 0 && sent >= answer.meant_at;
            let wait = if is_said { READ_OUT_NANOS } else { GONE_NANOS };
            let due = left_at.max(served.asked_at) + wait;
            let is_over = |at: Option<u64>| at.is_some_and(|at| at <= due);
            if !is_over(served.finished_at.get()) && !is_over(served.gateway.ended_at()) {
                let ended = served.gateway.ended_at();
                wrong.push(format!("upstream went on: left {left_at}, ended {ended:?}"));
            }
        }
    }

    /// What must have gone well.
    fn check_service(&self, wrong: &mut Vec<String>) {
        let sight = self.sight;
        if sight.is_behind_last && !(self.own.is_empty() && self.served.is_empty()) {
            wrong.push("it ran behind the last answer of its connection".to_owned());
        }
        if sight.is_behind_last
            || sight.is_cut_off
            || sight.amid_drain
            || sight.left_at.is_some()
            || self.is_rough()
        {
            return;
        }
        if self.script.style == FaultLevel::Fair {
            let may_lack =
                self.is_tight || self.ask.may_be_refused() && sight.end == ObservedEnd::Whole;
            if (sight.end, sight.status) != (ObservedEnd::Whole, 200) && !may_lack {
                wrong.push("no answer in fair fault_rates".to_owned());
            }
            return;
        }
        if sight.end == ObservedEnd::Nothing && self.script.fault_rates.losing == 0 {
            wrong.push("nobody told the client anything".to_owned());
        }
        // An end that lacks its blank line must not get it with our words.
        let mark = end_mark(self.ask.wire).trim_end().as_bytes();
        let last = memchr::memmem::rfind(&sight.payload, b"\n\n").map_or(0, |at| at + 2);
        let has = |what: &[u8]| memchr::memmem::find(&sight.payload, what).is_some();
        let is_told = has(b"\"error\"")
            || has(end_mark(self.ask.wire).as_bytes())
            || sight
                .payload
                .get(last..)
                .unwrap_or_default()
                .starts_with(mark)
            || self.script.fault_rates.losing > 0;
        if sight.end == ObservedEnd::Broken && self.ask.stream && sight.status == 200 && !is_told {
            wrong.push("a broken stream without a word".to_owned());
        }
    }
}

/// A client that leaves is noticed within so much time.
const GONE_NANOS: u64 = 101_000_000;
/// One that has its answer leaves nothing but the end of a framing, which is waited for so long.
const READ_OUT_NANOS: u64 = 1_101_000_000;

/// Behind a head that went out early.
const EARLY: &[u8] = b": ping\n\n";
const ERROR_STARTS: [&[u8]; 2] = [b"data: {\"error\"", b"event: error\n"];
