//! What must hold of keys with rules after a run: where requests went, what was let in, what was
//! charged. Its arithmetic is its own.

use crate::net::runtime::clock;
use crate::route::plan::compiled::Plan;
use crate::sim::answers::{USED, request};
use crate::sim::judge::LoggedRecord;
use crate::sim::observations::{ClientObservation, Observations, ObservedEnd, ProviderObservation};
use crate::sim::rules::{FEW, KEYS, POOR_NANOS, PRICES, RULED, SimKey};
use crate::sim::script::{FaultLevel, PROVIDERS, ProviderAction, ScriptedRequest, SimScript};
use crate::wire::kind::Wire;

/// Everything that is wrong with what keys were allowed; `lived`: how long the run took.
pub(super) fn audit(
    script: &SimScript,
    observations: &Observations,
    records: &[LoggedRecord],
    plan: &Plan,
    lived: u64,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if script.plan != RULED {
        return wrong;
    }
    let (seen, served) = (observations.seen.borrow(), observations.served.borrow());
    let all = observations
        .asks
        .iter()
        .enumerate()
        .filter_map(|(number, ask)| {
            let one = AuditedExchange {
                number,
                ask,
                sight: seen.get(&number)?,
                served: served.get(&number).map_or(&[], Vec::as_slice),
                record: records.iter().find(|record| record.number == Some(number)),
            };
            Some(one)
        });
    let all: Vec<AuditedExchange<'_>> = all.collect();
    let ledger = KeyAudit {
        script,
        all: &all,
        is_calm: script.fault_rates.jumping == 0 && lived < MINUTE_NANOS,
    };
    for one in &all {
        ledger.check_way(one, &mut wrong);
        ledger.check_pace(one, &mut wrong);
    }
    ledger.check_few(&mut wrong);
    ledger.check_lone(&mut wrong);
    ledger.check_refusals(&mut wrong);
    ledger.check_accounts(plan, &mut wrong);
    wrong
}

/// One exchange and what is known of it.
struct AuditedExchange<'e> {
    number: usize,
    ask: &'e ScriptedRequest,
    sight: &'e ClientObservation,
    served: &'e [ProviderObservation],
    record: Option<&'e LoggedRecord>,
}

impl AuditedExchange<'_> {
    fn is_of(&self, key: SimKey) -> bool {
        self.ask.key == Some(key)
    }

    fn told(&self) -> String {
        let actions: Vec<ProviderAction> = self.served.iter().map(|served| served.action).collect();
        let (end, left) = (self.sight.end, self.sight.left_at);
        format!("{actions:?} {end:?} left {left:?} {:?}", self.record)
    }

    fn was_refused(&self) -> bool {
        self.sight.end == ObservedEnd::Whole && self.sight.status != 200 && self.served.is_empty()
    }

    /// What it is charged, in nano-dollars; nothing where the provider did not say all.
    fn charge(&self) -> Option<u64> {
        let end = self.record.map(|record| record.end.as_str());
        match (end, self.served.last()) {
            (Some("refused"), _) | (None, None) => Some(0),
            (Some("complete"), Some(served)) => {
                let place = PROVIDERS.iter().position(|wire| *wire == served.wire)?;
                let (input, output) = PRICES.get(place)?;
                Some(USED.0 * input + USED.1 * output)
            }
            _ => None,
        }
    }
}

struct KeyAudit<'l> {
    script: &'l SimScript,
    all: &'l [AuditedExchange<'l>],
    /// Time went on by itself, and less than a minute.
    is_calm: bool,
}

impl KeyAudit<'_> {
    fn of(&self, key: SimKey) -> impl Iterator<Item = &AuditedExchange<'_>> {
        self.all.iter().filter(move |one| one.is_of(key))
    }

    /// Whether the keys' clients are one and everything of it is asked in turn.
    fn has_one_client(&self, key: SimKey) -> bool {
        let has_it = |client: &&Vec<usize>| {
            let mut asks = self.all.iter().filter(|one| client.contains(&one.number));
            asks.any(|one| one.is_of(key))
        };
        self.script.lanes.iter().filter(has_it).count() == 1
    }

    /// Nowhere but where tier, residency and model lead, and first where it costs least.
    fn check_way(&self, one: &AuditedExchange<'_>, wrong: &mut Vec<String>) {
        let number = one.number;
        if let Some(served) = one.served.iter().find(|it| !one.ask.may_go(it.wire)) {
            let (key, tier) = (one.ask.key, one.ask.tier);
            wrong.push(format!(
                "exchange {number} of {key:?}, tier {tier:?}, went to {:?}",
                served.wire
            ));
        }
        let is_fair = self.script.style == FaultLevel::Fair;
        let (end, status) = (one.sight.end, one.sight.status);
        if is_fair
            && one.ask.choices() == 0
            && !matches!((end, status), (ObservedEnd::Whole, 400 | 403))
        {
            wrong.push(format!(
                "exchange {number} may go nowhere and saw {end:?} {status}"
            ));
        }
        // Whoever has stepped back is not asked first, whatever it costs.
        let is_good = |served: &ProviderObservation| {
            matches!(
                served.action,
                ProviderAction::Answer
                    | ProviderAction::AnswerAndClose
                    | ProviderAction::AnswerAndJunk
            )
        };
        let are_good = || self.all.iter().flat_map(|one| one.served).all(is_good);
        let due = cheapest(one.ask, number);
        if let (Some(first), Some(due)) = (one.served.first(), due)
            && one.ask.choices() == 2
            && first.wire != due
            && is_fair
            && are_good()
        {
            wrong.push(format!(
                "exchange {number} went to {:?}, where it costs more",
                first.wire
            ));
        }
    }

    /// A slow stream gives way where another target is left; one that is not does not.
    fn check_pace(&self, one: &AuditedExchange<'_>, wrong: &mut Vec<String>) {
        let (number, fault_rates) = (one.number, self.script.fault_rates);
        if !self.is_calm || fault_rates.failing > 0 {
            return;
        }
        let is_slow = |served: &ProviderObservation| {
            matches!(
                served.action,
                ProviderAction::Slow | ProviderAction::Stall(_) | ProviderAction::Silence
            )
        };
        let gave_way = one.record.is_some_and(|record| record.is_slow);
        if gave_way && !one.served.iter().any(is_slow) {
            wrong.push(format!("exchange {number} gave way, and nobody was slow"));
        }
        let is_kept = matches!(one.served, [only] if only.action == ProviderAction::Slow);
        if self.script.style == FaultLevel::Fair && is_kept && one.ask.choices() == 2 {
            wrong.push(format!("exchange {number} kept a slow stream"));
        }
    }

    /// So many requests a minute, and no fewer.
    fn check_few(&self, wrong: &mut Vec<String>) {
        if !self.is_calm {
            return;
        }
        let let_in = self
            .of(SimKey::Few)
            .filter(|one| !one.served.is_empty())
            .count();
        let asked = self
            .of(SimKey::Few)
            .filter(|one| one.ask.choices() > 0)
            .count();
        let due = asked.min(FEW);
        if let_in > due || self.script.style == FaultLevel::Fair && let_in < due {
            wrong.push(format!(
                "{let_in} of {asked} requests a minute were let in, {due} were due"
            ));
        }
    }

    /// One request at one time, as the providers see it.
    fn check_lone(&self, wrong: &mut Vec<String>) {
        let mut spans: Vec<(u64, u64, usize)> = Vec::new();
        for one in self.of(SimKey::Lone) {
            for served in one.served {
                let ends = [
                    served.said_at.get(),
                    served.finished_at.get(),
                    served.gateway.ended_at(),
                ];
                let end = ends.into_iter().flatten().min().unwrap_or(u64::MAX);
                // One that came when the gateway had left it already runs for no time.
                if end > served.asked_at {
                    spans.push((served.asked_at, end, one.number));
                }
            }
        }
        spans.sort_unstable();
        let both = spans.windows(2).find_map(|two| match two {
            [first, second] if second.0 < first.1 && first.2 != second.2 => Some((first, second)),
            _ => None,
        });
        if let Some((first, second)) = both {
            let told = |number: usize| self.all.get(number).map(AuditedExchange::told);
            let (one, other) = (told(first.2), told(second.2));
            wrong.push(format!(
                "{first:?} and {second:?} ran at one time: {one:?}, {other:?}"
            ));
        }
    }

    /// Whoever asks in turn finds that what was reserved before has come back.
    fn check_refusals(&self, wrong: &mut Vec<String>) {
        if self.script.style != FaultLevel::Fair {
            return;
        }
        for key in [SimKey::Lone, SimKey::Poor] {
            let is_small = self.of(key).all(|one| one.ask.pad == 0);
            let in_turn = self.has_one_client(key) && (key == SimKey::Lone || is_small);
            let refused = |one: &&AuditedExchange<'_>| one.was_refused() && one.ask.choices() > 0;
            if let Some(one) = self.of(key).find(refused).filter(|_| in_turn) {
                let (number, status) = (one.number, one.sight.status);
                wrong.push(format!(
                    "exchange {number} of {key:?}, alone, was refused with {status}"
                ));
            }
        }
    }

    /// Nothing is reserved any more, and what was charged is what was used.
    fn check_accounts(&self, plan: &Plan, wrong: &mut Vec<String>) {
        let now = clock::unix_millis();
        for key in KEYS {
            let secret = key.secret();
            let found = plan.keys.find(secret.as_bytes());
            let accounts = found.map(|found| found.accounts()).unwrap_or_default();
            let charges = self.of(key).map(AuditedExchange::charge);
            let (mut due, mut is_exact) = (0, true);
            for charge in charges {
                due += charge.unwrap_or(0);
                is_exact &= charge.is_some();
            }
            for account in [accounts.key, accounts.tenant].into_iter().flatten() {
                let out = account.out();
                if out != (0, 0) {
                    wrong.push(format!("{key:?} still reserves {out:?}"));
                }
                let spent = account.spent(now).in_month;
                if !account.allowance().has_budget() {
                    continue;
                }
                if spent < due || is_exact && spent != due {
                    wrong.push(format!("{key:?} is charged {spent}, {due} were used"));
                }
                if key == SimKey::Poor && spent > POOR_NANOS {
                    wrong.push(format!("{key:?} has spent {spent}"));
                }
            }
        }
    }
}

/// Where a request costs least; nothing where that is too near to say by its length alone.
fn cheapest(ask: &ScriptedRequest, number: usize) -> Option<Wire> {
    let bytes = request(ask, number);
    let head = memchr::memmem::find(&bytes, b"\r\n\r\n")?;
    match bytes.len() - head {
        ..230 => Some(Wire::AnthropicMessages),
        300.. => Some(Wire::OpenAiChat),
        _ => None,
    }
}

const MINUTE_NANOS: u64 = 60_000_000_000;
