use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use super::{Tickets, poll_admit};
use crate::govern::account::usage::{
    Account, Accounts, Amount, Hold, LimitKind, LimitRefusal, Now, RateStatuses, day_of, month_of,
};
use crate::govern::key::allowance::Allowance;
use crate::govern::lease::lease_queue::{LeaseQueue, WhenDown};
use crate::govern::lease::lease_request::{
    BudgetGrant, BudgetRequest, ConcurrencyGrant, ConcurrencyRequest, LeaseAmounts, LeaseGrant,
    LeaseNeeds, LeaseRequest, RateGrant, RateRequest,
};

/// The shared counters, as plainly as they can be written.
#[derive(Default)]
struct Twin {
    rates: [HashMap<u64, u64>; 2],
    running: HashMap<usize, (u64, u64)>,
    money: BudgetGrant,
    base: (u64, u64),
    epoch: u64,
    settles: u64,
    /// The last order of each replica, and what it was answered.
    orders: HashMap<usize, (u64, LeaseGrant)>,
    /// Who holds something, and the last recall that each has answered.
    holders: HashMap<usize, (u64, LeaseAmounts)>,
    recalls: u64,
    /// What was granted and charged so far.
    total: LeaseAmounts,
    /// Recalls on their way: to whom, and their numbers.
    sent: Vec<(usize, u64)>,
}

impl Twin {
    fn forget(&mut self, now_ms: u64) {
        *self = Self {
            epoch: self.epoch + 1,
            settles: now_ms + 2_000,
            recalls: self.recalls,
            ..Self::default()
        };
    }

    fn carry_out(&mut self, order: &LeaseRequest, replica: usize, now_ms: u64) -> LeaseGrant {
        let is_settling = now_ms < self.settles;
        let places = order
            .places
            .map_or_else(ConcurrencyGrant::default, |mut order| {
                if is_settling {
                    order.want = order.held;
                }
                self.places(order, replica, now_ms)
            });
        if let Some((id, grant)) = self.orders.get(&replica)
            && *id == order.id
        {
            return LeaseGrant {
                places,
                ..grant.clone()
            };
        }
        let [requests, tokens] = &mut self.rates;
        let rate = |order: &Option<RateRequest>, slots: &mut HashMap<u64, u64>| {
            order.as_ref().map_or_else(RateGrant::default, |order| {
                rate(order, slots, is_settling, now_ms / 1000)
            })
        };
        let (requests, tokens) = (rate(&order.requests, requests), rate(&order.tokens, tokens));
        let money = match &order.money {
            Some(money) => self.money(order, money, is_settling, now_ms),
            None => BudgetGrant::default(),
        };
        let wanted = |needs: &LeaseNeeds, granted: u64| granted < needs.wanted;
        let is_short = places.granted < order.places.map_or(0, |it| it.wanted)
            || (order.requests.as_ref()).is_some_and(|it| wanted(&it.needs, requests.granted))
            || (order.tokens.as_ref()).is_some_and(|it| wanted(&it.needs, tokens.granted))
            || (order.money.as_ref()).is_some_and(|it| wanted(&it.needs, money.granted));
        let (recall, is_recalling, pledged) = self.recall(order, replica, is_short);
        let rates = [&requests, &tokens].map(|it| it.granted + it.ready);
        let kept = order.places.map_or(0, |it| it.held) + order.pledged.places;
        self.total.places += places.granted.saturating_sub(kept);
        let owed = |rate: &Option<RateRequest>| rate.as_ref().map_or(0, |it| it.needs.owed);
        self.total.requests += rates[0] + owed(&order.requests);
        self.total.tokens += rates[1] + owed(&order.tokens);
        let owed = order.money.as_ref().map_or(0, |it| it.needs.owed);
        self.total.money += money.granted + owed;
        let took = places.granted + rates[0] + rates[1] + money.granted > 0;
        self.holders.remove(&replica);
        if order.holds || took {
            self.holders
                .insert(replica, (order.answered, order.pledged));
        }
        let grant = LeaseGrant {
            requests,
            tokens,
            places,
            money,
            epoch: self.epoch.to_string().into(),
            recall,
            is_recalling: is_recalling || is_settling && is_short,
            total: self.total,
            pledged,
        };
        self.orders.insert(replica, (order.id, grant.clone()));
        grant
    }

    /// Asks the others who hold something, where that is too little.
    fn recall(
        &mut self,
        order: &LeaseRequest,
        replica: usize,
        is_short: bool,
    ) -> (u64, bool, LeaseAmounts) {
        let mut recall = order.recall;
        if is_short && recall == 0 {
            self.recalls += 1;
            recall = self.recalls;
        }
        let (mut is_recalling, mut pledged) = (false, LeaseAmounts::default());
        self.holders.retain(|&who, (answered, waits)| {
            if who == replica || !is_short {
                return true;
            }
            let is_late = *answered < recall;
            if is_late && order.gives_up {
                return false;
            }
            if is_late {
                self.sent.push((who, recall));
                is_recalling = true;
            } else {
                pledged = pledged.plus(*waits);
            }
            true
        });
        (recall, is_recalling, pledged)
    }

    fn places(
        &mut self,
        order: ConcurrencyRequest,
        replica: usize,
        now_ms: u64,
    ) -> ConcurrencyGrant {
        self.running.retain(|_, (_, ends)| *ends > now_ms);
        let others = self.running.iter().filter(|(who, _)| **who != replica);
        let others: u64 = others.map(|(_, (count, _))| count).sum();
        let room = order.limit.saturating_sub(others);
        let granted = order.want.min(room).max(order.held);
        self.running.insert(replica, (granted, now_ms + 5_000));
        ConcurrencyGrant {
            granted,
            left: room.saturating_sub(granted),
        }
    }

    fn money(
        &mut self,
        whole: &LeaseRequest,
        order: &BudgetRequest,
        is_settling: bool,
        now_ms: u64,
    ) -> BudgetGrant {
        let (money, base) = (&mut self.money, &mut self.base);
        if day_of(now_ms) > money.day {
            (money.day, money.on_day, base.0) = (day_of(now_ms), 0, 0);
        }
        if month_of(now_ms) > money.month {
            (money.month, money.in_month, base.1) = (month_of(now_ms), 0, 0);
        }
        let (known, is_new) = (&whole.known, *whole.epoch != *self.epoch.to_string());
        let more = |now: u64, base: u64, said: u64| match (is_new, whole.epoch.is_empty()) {
            (false, _) => 0,
            (true, true) => said.saturating_sub(now),
            (true, false) => said.saturating_sub(base),
        };
        if known.day == money.day {
            let more = more(money.on_day, base.0, known.on_day);
            (money.on_day, base.0) = (money.on_day + more, base.0 + more);
        }
        if known.month == money.month {
            let more = more(money.in_month, base.1, known.in_month);
            (money.in_month, base.1) = (money.in_month + more, base.1 + more);
        }
        let back = match is_new && whole.is_again {
            true => &[][..],
            false => &order.back,
        };
        for &(day, amount) in back {
            if day == money.day {
                money.on_day = money.on_day.saturating_sub(amount);
            }
            if month_of(day * 86_400_000) == money.month {
                money.in_month = money.in_month.saturating_sub(amount);
            }
        }
        money.on_day += order.needs.owed;
        money.in_month += order.needs.owed;
        let left =
            |limit: Option<u64>, spent| limit.map_or(u64::MAX, |it| it.saturating_sub(spent));
        let room = left(order.day, money.on_day).min(left(order.month, money.in_month));
        let room = if is_settling { 0 } else { room };
        money.granted = granted(&order.needs, room);
        money.on_day += money.granted;
        money.in_month += money.granted;
        *money
    }
}

fn granted(needs: &LeaseNeeds, room: u64) -> u64 {
    let granted = needs.want.min(room);
    if granted < needs.least { 0 } else { granted }
}

fn rate(
    order: &RateRequest,
    slots: &mut HashMap<u64, u64>,
    is_settling: bool,
    second: u64,
) -> RateGrant {
    slots.retain(|slot, _| slot + 61 >= second);
    for (slot, amount) in &order.back {
        if let Some(used) = slots.get_mut(slot) {
            *used = used.saturating_sub(*amount);
        }
    }
    *slots.entry(second).or_default() += order.needs.owed;
    let sum: u64 = slots.values().sum();
    let room = order.limit.saturating_sub(sum);
    let granted = granted(&order.needs, if is_settling { 0 } else { room });
    *slots.entry(second).or_default() += granted;
    let mut ready = order.needs.ready;
    if is_settling || room < granted + ready + order.limit.div_ceil(4) {
        ready = 0;
    }
    if ready > 0 {
        *slots.entry(second + 5).or_default() += ready;
    }
    RateGrant {
        granted,
        ready,
        left: room - granted - ready,
        slot: second,
        wait_ms: 1_000,
        reset_ms: 62_000,
    }
}

fn at(ms: u64) -> Now {
    Now {
        nanos: ms * 1_000_000,
        unix_ms: ms,
    }
}

fn pool(when_down: WhenDown) -> Arc<LeaseQueue<Account>> {
    let pool = Arc::new(LeaseQueue::new(when_down));
    pool.set_up(true);
    pool
}

type Asked = Poll<(Result<Hold, LimitRefusal>, RateStatuses)>;

fn ask(account: &Arc<Account>, amount: Amount, tickets: &mut Tickets, now: Now) -> Asked {
    let accounts = Accounts {
        key: Some(account),
        tenant: None,
    };
    poll_admit(
        accounts,
        amount,
        now,
        tickets,
        &Context::from_waker(Waker::noop()),
    )
}

fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    }
}

/// A replica of a world in which time is a number.
struct Replica {
    /// None has that of another that died.
    number: usize,
    /// The epoch that it has heard of last.
    epoch: u64,
    account: Arc<Account>,
    waiting: Vec<Waiting>,
    running: Vec<(Hold, Amount, usize)>,
    /// An order that is on its way, when it is carried out and when it is answered.
    order: Option<(LeaseRequest, u64, Option<LeaseGrant>)>,
}

/// A request that waits.
struct Waiting {
    amount: Amount,
    tickets: Tickets,
    /// Of requests, tokens, places and money: there was no room at some moment since it came.
    was_full: [bool; 4],
}

/// What was let in: when, tokens, cost, and whether it has ended.
struct Entry {
    at: u64,
    tokens: u64,
    cost: u64,
}

struct World {
    twin: Twin,
    replicas: Vec<Replica>,
    book: Vec<Entry>,
    allowance: Allowance,
    now: u64,
    /// Replicas die, and answers are lost.
    is_rough: bool,
    /// The counters forget everything now and then.
    forgets: bool,
    /// Replicas that there were.
    made: usize,
    refused: usize,
}

impl World {
    fn replica(allowance: Allowance, number: usize, epoch: u64) -> Replica {
        Replica {
            number,
            epoch,
            account: Arc::new(Account::shared(allowance, "k:a", &pool(WhenDown::Closed))),
            waiting: Vec::new(),
            running: Vec::new(),
            order: None,
        }
    }

    fn step(&mut self, number: usize, random: &mut impl FnMut(u64) -> u64) {
        let now = at(self.now);
        let replica = &mut self.replicas[number];
        if random(3) == 0 {
            let tokens = 1 + random(40);
            let amount = Amount {
                tokens,
                cost: tokens * 3,
            };
            replica.waiting.push(Waiting {
                amount,
                tickets: Tickets::default(),
                was_full: [false; 4],
            });
            self.note_full();
        }
        let replica = &mut self.replicas[number];
        let waiting = core::mem::take(&mut replica.waiting);
        for mut it in waiting {
            let amount = it.amount;
            match ask(&replica.account, amount, &mut it.tickets, now) {
                Poll::Pending => replica.waiting.push(it),
                Poll::Ready((Ok(hold), _)) => {
                    replica.running.push((hold, amount, self.book.len()));
                    self.book.push(Entry {
                        at: self.now,
                        tokens: amount.tokens,
                        cost: amount.cost,
                    });
                }
                Poll::Ready((Err(refused), _)) => {
                    let at = match refused.bound {
                        LimitKind::Requests => 0,
                        LimitKind::Tokens => 1,
                        LimitKind::Concurrent => 2,
                        LimitKind::BudgetDay | LimitKind::BudgetMonth => 3,
                        LimitKind::Shared => panic!("the counters answer"),
                    };
                    let is_right = it.was_full[at] || self.is_rough || self.forgets;
                    assert!(is_right, "{refused:?} {amount:?} {:?}", it.was_full);
                    self.refused += 1;
                }
            }
        }
        if !replica.running.is_empty() && random(4) == 0 {
            let which = usize::try_from(random(1 << 20)).unwrap() % replica.running.len();
            let (hold, amount, entry) = replica.running.swap_remove(which);
            let entry = &mut self.book[entry];
            if random(5) == 0 {
                (entry.tokens, entry.cost) = (0, 0);
                drop(hold);
            } else {
                entry.tokens = random(amount.tokens + 1);
                entry.cost = random(amount.cost + 1);
                let used = Amount {
                    tokens: entry.tokens,
                    cost: entry.cost,
                };
                hold.settle(used, now);
            }
        }
        self.exchange(number, random);
        if self.is_rough && random(400) == 0 {
            self.made += 1;
            self.replicas[number] = Self::replica(self.allowance, self.made, self.twin.epoch);
        }
        if self.forgets && random(600) == 0 {
            self.twin.forget(self.now);
        }
    }

    /// One step of a replica's exchange with the counters.
    fn exchange(&mut self, number: usize, random: &mut impl FnMut(u64) -> u64) {
        let now = at(self.now);
        for (who, recall) in core::mem::take(&mut self.twin.sent) {
            // Some are lost.
            let found = self.replicas.iter().find(|it| it.number == who);
            if let Some(found) = found.filter(|_| !self.is_rough || random(10) > 0) {
                found.account.recall(recall, now.nanos);
            }
        }
        let replica = &mut self.replicas[number];
        let is_new = replica.epoch != self.twin.epoch;
        replica.epoch = self.twin.epoch;
        match replica.order.take() {
            None if is_new || replica.account.is_due(now.nanos) || !replica.waiting.is_empty() => {
                let order = replica.account.order(now.nanos);
                replica.order = Some((order, now.nanos, None));
            }
            None => {}
            Some((order, begun, None)) => {
                if self.is_rough && random(20) == 0 {
                    replica.account.fail();
                } else {
                    let grant = self.twin.carry_out(&order, replica.number, self.now);
                    replica.order = Some((order, begun, Some(grant)));
                }
            }
            Some((_, _, Some(_))) if self.is_rough && random(20) == 0 => {
                replica.account.fail();
            }
            Some((_, begun, Some(grant))) => replica.account.apply(&grant, begun),
        }
    }

    /// Notes for which requests there is no room by now, with what was used and what runs. What was used of
    /// a rate counts for a few seconds more than a minute.
    fn note_full(&mut self) {
        let (mut requests, mut tokens, mut cost) = (0, 0, 0);
        let today = day_of(self.now) * 86_400_000;
        for entry in self.book.iter().rev() {
            if entry.at + 68_000 > self.now {
                requests += 1;
                tokens += entry.tokens;
            }
            // A lease of the day before may be used a moment later.
            if entry.at + 5_000 > today {
                cost += entry.cost;
            }
        }
        // A place that was granted to a request is its own, also before that runs.
        let mut running = 0;
        for replica in &self.replicas {
            let places = self.twin.running.get(&replica.number);
            let has = replica.running.len() as u64;
            let most = has + replica.waiting.len() as u64;
            running += places.map_or(0, |it| it.0).min(most).max(has);
        }
        let allowance = &self.allowance;
        for waiting in self.replicas.iter_mut().flat_map(|it| &mut it.waiting) {
            let amount = waiting.amount;
            for (was_full, (used, need, limit)) in waiting.was_full.iter_mut().zip([
                (requests, 1, allowance.requests_per_minute),
                (tokens, amount.tokens, allowance.tokens_per_minute),
                (running, 1, allowance.concurrent),
                (cost, amount.cost, allowance.budget_day),
            ]) {
                *was_full |= limit.is_some_and(|limit| used + need > limit);
            }
        }
    }

    fn check(&self) {
        let recent = self
            .book
            .iter()
            .rev()
            .take_while(|it| it.at + 60_000 > self.now);
        let (mut requests, mut tokens) = (0, 0);
        for entry in recent {
            requests += 1;
            tokens += entry.tokens;
        }
        // Of rates nobody knows more than the counters.
        if !self.forgets {
            assert!(requests <= self.allowance.requests_per_minute.unwrap());
            assert!(tokens <= self.allowance.tokens_per_minute.unwrap());
        }
        let today = day_of(self.now);
        let spent: u64 = self
            .book
            .iter()
            .filter(|it| day_of(it.at) == today)
            .map(|it| it.cost)
            .sum();
        assert!(spent <= self.allowance.budget_day.unwrap(), "{spent}");
        if !self.is_rough && !self.forgets {
            let running: usize = self.replicas.iter().map(|it| it.running.len()).sum();
            assert!(running as u64 <= self.allowance.concurrent.unwrap());
        }
    }
}

/// Three replicas, delays, and in half of the rounds lost answers and replicas that die.
#[test]
fn whatever_happens_replicas_together_never_use_more_than_the_limits() {
    let (mut let_in, mut full, mut refused) = (0, 0, 0);
    for seed in 1..=80 {
        let mut random = random(seed);
        let allowance = Allowance {
            requests_per_minute: Some(5 + random(200)),
            tokens_per_minute: Some(100 + random(3_000)),
            concurrent: Some(1 + random(30)),
            budget_day: Some(500 + random(20_000)),
            budget_month: None,
        };
        let mut world = World {
            twin: Twin::default(),
            replicas: (0..3).map(|it| World::replica(allowance, it, 0)).collect(),
            book: Vec::new(),
            allowance,
            // A day ends meanwhile.
            now: 20_000 * 86_400_000 - 60_000,
            is_rough: seed % 2 == 0,
            forgets: seed % 4 >= 2,
            made: 3,
            refused: 0,
        };
        for _ in 0..3_000 {
            world.now += random(80);
            let number = usize::try_from(random(3)).unwrap();
            world.step(number, &mut random);
            world.check();
            world.note_full();
        }
        refused += world.refused;
        let_in += world.book.len();
        full += usize::from(world.book.len() > 20);
    }
    assert!(
        let_in > 8_000 && full > 60 && refused > 8_000,
        "{let_in} {full} {refused}"
    );
}

/// Brings one account up to date, as long as it has something to say.
fn refresh(account: &Account, twin: &mut Twin, ms: u64) {
    refresh_of(0, account, twin, ms);
}

/// The same of one replica of several.
fn refresh_of(replica: usize, account: &Account, twin: &mut Twin, ms: u64) {
    let now = at(ms).nanos;
    let order = account.order(now);
    let grant = twin.carry_out(&order, replica, ms);
    account.apply(&grant, now);
}

const START: u64 = 20_000 * 86_400_000;

fn lone(allowance: Allowance) -> Arc<Account> {
    Arc::new(Account::shared(allowance, "k:a", &pool(WhenDown::Closed)))
}

#[test]
fn a_request_waits_for_the_first_lease_and_is_refused_once_nothing_is_left() {
    let account = lone(Allowance {
        requests_per_minute: Some(1),
        ..Allowance::default()
    });
    let mut twin = Twin::default();
    let mut tickets = Tickets::default();
    let amount = Amount::default();
    assert!(ask(&account, amount, &mut tickets, at(START)).is_pending());
    refresh(&account, &mut twin, START);
    let Poll::Ready((Ok(_hold), standings)) = ask(&account, amount, &mut tickets, at(START)) else {
        panic!("not let in");
    };
    let standing = standings.requests.unwrap();
    assert_eq!((standing.limit, standing.remaining), (1, 0));
    let mut tickets = Tickets::default();
    // Something may have come free since.
    assert!(ask(&account, amount, &mut tickets, at(START)).is_pending());
    refresh(&account, &mut twin, START);
    let Poll::Ready((Err(refused), _)) = ask(&account, amount, &mut tickets, at(START)) else {
        panic!("not refused");
    };
    assert_eq!(refused.bound, LimitKind::Requests);
    assert!(refused.wait.is_some());
    // Later on it is asked again.
    let mut tickets = Tickets::default();
    assert!(ask(&account, amount, &mut tickets, at(START + 500)).is_pending());
    refresh(&account, &mut twin, START + 500);
    assert!(matches!(
        ask(&account, amount, &mut tickets, at(START + 500)),
        Poll::Ready((Err(_), _))
    ));
}

#[test]
fn what_is_given_back_and_what_is_owed_reaches_the_counters() {
    let account = lone(Allowance {
        tokens_per_minute: Some(1_000),
        concurrent: Some(10),
        budget_day: Some(1_000),
        ..Allowance::default()
    });
    let mut twin = Twin::default();
    for (used, spent) in [(10, 10), (250, 260)] {
        let amount = Amount {
            tokens: 100,
            cost: 100,
        };
        let mut tickets = Tickets::default();
        assert!(ask(&account, amount, &mut tickets, at(START)).is_pending());
        refresh(&account, &mut twin, START);
        let Poll::Ready((Ok(hold), _)) = ask(&account, amount, &mut tickets, at(START)) else {
            panic!("not let in");
        };
        assert_eq!(twin.running[&0].0, 1);
        let used = Amount {
            tokens: used,
            cost: used,
        };
        hold.settle(used, at(START));
        account.close();
        refresh(&account, &mut twin, START + 10);
        assert_eq!(twin.money.on_day, spent);
        assert_eq!(twin.rates[1].values().sum::<u64>(), spent);
        assert_eq!(twin.running[&0].0, 0);
        assert!(account.rests());
    }
}

/// Asks, with a new order made and answered where the request waits for one.
fn let_in(account: &Arc<Account>, twin: &mut Twin, amount: Amount, ms: u64) -> Hold {
    let mut tickets = Tickets::default();
    for _ in 0..2 {
        match ask(account, amount, &mut tickets, at(ms)) {
            Poll::Ready((judged, _)) => return judged.unwrap(),
            Poll::Pending => refresh(account, twin, ms),
        }
    }
    panic!("not let in");
}

const BOUNDED: Allowance = Allowance {
    requests_per_minute: None,
    tokens_per_minute: Some(100),
    concurrent: Some(1),
    budget_day: Some(100),
    budget_month: None,
};
const SIXTY: Amount = Amount {
    tokens: 60,
    cost: 60,
};

#[test]
fn what_was_granted_for_a_request_is_there_when_it_looks() {
    let account = lone(BOUNDED);
    let mut twin = Twin::default();
    let mut tickets = Tickets::default();
    assert!(ask(&account, SIXTY, &mut tickets, at(START)).is_pending());
    refresh(&account, &mut twin, START);
    // Somebody looks after the account before the request does.
    let later = START + 20;
    assert!(!account.is_due(at(later).nanos));
    let order = account.order(at(later).nanos);
    assert!(order.tokens.unwrap().back.is_empty() && order.money.unwrap().back.is_empty());
    let judged = ask(&account, SIXTY, &mut tickets, at(later));
    assert!(matches!(judged, Poll::Ready((Ok(_), _))), "{judged:?}");
}

#[test]
fn what_is_on_its_way_back_refuses_nobody() {
    let of = |tokens, cost| Amount { tokens, cost };
    for (bounds, used) in [
        (
            Allowance {
                concurrent: None,
                budget_day: None,
                ..BOUNDED
            },
            of(10, 0),
        ),
        (
            Allowance {
                tokens_per_minute: None,
                concurrent: None,
                ..BOUNDED
            },
            of(0, 10),
        ),
        (
            Allowance {
                tokens_per_minute: None,
                budget_day: None,
                ..BOUNDED
            },
            of(0, 0),
        ),
    ] {
        for wait_ms in [1, 300, 1_200] {
            let account = lone(bounds);
            let mut twin = Twin::default();
            let hold = let_in(&account, &mut twin, SIXTY, START);
            let later = START + wait_ms;
            hold.settle(used, at(later));
            // An order that says so is not answered yet.
            let order = account.order(at(later).nanos);
            let mut tickets = Tickets::default();
            let judged = ask(&account, SIXTY, &mut tickets, at(later));
            let Poll::Ready((judged, _)) = judged else {
                let grant = twin.carry_out(&order, 0, later);
                account.apply(&grant, at(later).nanos);
                refresh(&account, &mut twin, later);
                let judged = ask(&account, SIXTY, &mut tickets, at(later));
                assert!(
                    matches!(judged, Poll::Ready((Ok(_), _))),
                    "{bounds:?}: {judged:?}"
                );
                continue;
            };
            judged.unwrap();
        }
    }
}

#[test]
fn what_was_said_long_ago_refuses_nobody_while_it_is_asked_again() {
    let account = lone(Allowance {
        requests_per_minute: Some(1),
        ..Allowance::default()
    });
    let mut twin = Twin::default();
    let amount = Amount::default();
    drop(let_in(&account, &mut twin, amount, START));
    let later = START + 120_000;
    let tickets = &mut [Tickets::default(); 2];
    for tickets in tickets {
        assert!(ask(&account, amount, tickets, at(later)).is_pending());
        let _ = account.order(at(later).nanos);
    }
}

#[test]
fn tokens_of_two_seconds_go_back_to_both() {
    let account = lone(Allowance {
        tokens_per_minute: Some(1_000),
        ..Allowance::default()
    });
    let mut twin = Twin::default();
    let tokens = |tokens| Amount { tokens, cost: 0 };
    let mut tickets = [Tickets::default(); 2];
    for (amount, tickets) in [100, 50].into_iter().zip(&mut tickets) {
        assert!(ask(&account, tokens(amount), tickets, at(START + 500)).is_pending());
    }
    let first = let_in(&account, &mut twin, tokens(100), START + 500);
    let second = let_in(&account, &mut twin, tokens(400), START + 1_100);
    assert_eq!(twin.rates[1].len(), 2);
    second.settle(tokens(7), at(START + 1_200));
    drop(first);
    account.close();
    refresh(&account, &mut twin, START + 1_200);
    assert_eq!(twin.rates[1].values().sum::<u64>(), 7);
}

#[test]
fn what_a_provider_made_up_is_owed_to_the_bound_and_no_further_while_the_counters_are_away() {
    let pool = pool(WhenDown::Local);
    let bounds = Allowance {
        tokens_per_minute: Some(1_000),
        budget_day: Some(1_000),
        ..Allowance::default()
    };
    let account = Arc::new(Account::shared(bounds, "k:a", &pool));
    let mut twin = Twin::default();
    let amount = Amount {
        tokens: 10,
        cost: 10,
    };
    let mut tickets = Tickets::default();
    assert!(ask(&account, amount, &mut tickets, at(START)).is_pending());
    refresh(&account, &mut twin, START);
    let Poll::Ready((Ok(first), _)) = ask(&account, amount, &mut tickets, at(START)) else {
        panic!("not let in");
    };
    let mut tickets = Tickets::default();
    assert!(ask(&account, amount, &mut tickets, at(START)).is_pending());
    refresh(&account, &mut twin, START);
    let Poll::Ready((Ok(second), _)) = ask(&account, amount, &mut tickets, at(START)) else {
        panic!("not let in");
    };
    let most = Amount {
        tokens: u64::MAX,
        cost: u64::MAX,
    };
    first.settle(most, at(START));
    let owed = |order: &LeaseRequest| {
        let (tokens, money) = (order.tokens.as_ref(), order.money.as_ref());
        (tokens.unwrap().needs.owed, money.unwrap().needs.owed)
    };
    let lost = account.order(at(START).nanos);
    second.settle(most, at(START));
    account.fail();
    // It is sent again as it was.
    let again = account.order(at(START).nanos);
    assert!(again.is_again && again.id == lost.id && owed(&again) == owed(&lost));
    account.apply(&LeaseGrant::default(), at(START).nanos);
    let next = account.order(at(START).nanos);
    let all = u64::MAX - 10;
    assert_eq!((owed(&lost), owed(&next)), ((all, all), (all, all)));
}

#[test]
fn what_was_let_in_alone_is_owed_and_what_others_spent_is_remembered() {
    let bounds = Allowance {
        budget_day: Some(1_000),
        ..Allowance::default()
    };
    let pool = pool(WhenDown::Local);
    let account = Arc::new(Account::shared(bounds, "k:a", &pool));
    let mut twin = Twin {
        money: BudgetGrant {
            day: day_of(START),
            on_day: 700,
            month: month_of(START),
            in_month: 700,
            ..BudgetGrant::default()
        },
        ..Twin::default()
    };
    refresh(&account, &mut twin, START);
    pool.set_up(false);
    let mut tickets = Tickets::default();
    let mut cost = |cost| {
        let amount = Amount { tokens: 0, cost };
        let Poll::Ready((judged, _)) = ask(&account, amount, &mut tickets, at(START)) else {
            panic!("nobody waits for counters that are away");
        };
        judged
    };
    assert!(cost(301).is_err(), "others have spent 700");
    let used = Amount {
        tokens: 0,
        cost: 200,
    };
    cost(300).unwrap().settle(used, at(START));
    pool.set_up(true);
    refresh(&account, &mut twin, START);
    assert_eq!(twin.money.on_day, 900);
}

/// Many threads at one account of each of three replicas, and one that orders for all.
#[test]
fn many_threads_of_three_replicas_spend_a_budget_to_the_last_and_no_more() {
    let bounds = Allowance {
        budget_day: Some(300),
        requests_per_minute: Some(1_000),
        ..Allowance::default()
    };
    let accounts = [(); 3].map(|()| lone(bounds));
    let twin = Mutex::new(Twin::default());
    let is_over = Mutex::new(0);
    let clock = AtomicU64::new(START);
    let spent: u64 = thread::scope(|scope| {
        let clients: Vec<_> = (0..24)
            .map(|number| {
                let account = &accounts[number % 3];
                let (is_over, clock) = (&is_over, &clock);
                scope.spawn(move || {
                    let mut spent = 0;
                    let mut tickets = Tickets::default();
                    let amount = Amount { tokens: 0, cost: 3 };
                    loop {
                        let now = at(clock.load(Ordering::Relaxed));
                        match ask(account, amount, &mut tickets, now) {
                            Poll::Pending => thread::yield_now(),
                            Poll::Ready((Ok(hold), _)) => {
                                tickets = Tickets::default();
                                hold.settle(Amount { tokens: 0, cost: 1 }, now);
                                spent += 1;
                            }
                            Poll::Ready((Err(refused), _)) => {
                                assert_eq!(refused.bound, LimitKind::BudgetDay);
                                *is_over.lock().unwrap() += 1;
                                return spent;
                            }
                        }
                    }
                })
            })
            .collect();
        while *is_over.lock().unwrap() < 24 {
            let ms = clock.fetch_add(1, Ordering::Relaxed);
            for (replica, account) in accounts.iter().enumerate() {
                let twin = &mut twin.lock().unwrap();
                for (who, recall) in core::mem::take(&mut twin.sent) {
                    accounts[who].recall(recall, at(ms).nanos);
                }
                refresh_of(replica, account, twin, ms);
            }
            thread::yield_now();
        }
        clients.into_iter().map(|it| it.join().unwrap()).sum()
    });
    for (replica, account) in accounts.iter().enumerate() {
        account.close();
        let ms = clock.load(Ordering::Relaxed);
        refresh_of(replica, account, &mut twin.lock().unwrap(), ms);
    }
    let told = twin.lock().unwrap().money;
    assert_eq!(told.on_day, spent);
    // Somebody may have been refused while others held what they gave back later.
    assert!((200..=300).contains(&spent), "{spent}");
}

/// Three replicas, each of which has room for two requests of [`SIXTY`] by one bound.
fn rooms_for_two() -> [Allowance; 3] {
    let none = Allowance::default();
    [
        Allowance {
            concurrent: Some(2),
            ..none
        },
        Allowance {
            tokens_per_minute: Some(130),
            ..none
        },
        Allowance {
            budget_day: Some(130),
            ..none
        },
    ]
}

/// One account of three replicas, and their counters.
struct Three {
    accounts: [Arc<Account>; 3],
    twin: Twin,
    ms: u64,
}

impl Three {
    fn new(bounds: Allowance) -> Self {
        Self {
            accounts: [(); 3].map(|()| lone(bounds)),
            twin: Twin::default(),
            ms: START,
        }
    }

    /// One order of a replica, after it has heard what is recalled.
    fn order(&mut self, replica: usize) {
        let now = at(self.ms).nanos;
        let sent = core::mem::take(&mut self.twin.sent);
        for (who, recall) in sent {
            self.accounts[who].recall(recall, now);
        }
        refresh_of(replica, &self.accounts[replica], &mut self.twin, self.ms);
    }

    fn ask(&self, replica: usize, tickets: &mut Tickets) -> Poll<Result<Hold, LimitRefusal>> {
        ask(&self.accounts[replica], SIXTY, tickets, at(self.ms)).map(|(judged, _)| judged)
    }

    /// Lets a request in that has to wait for one order.
    fn let_in(&mut self, replica: usize) -> Hold {
        let mut tickets = Tickets::default();
        assert!(self.ask(replica, &mut tickets).is_pending());
        self.order(replica);
        match self.ask(replica, &mut tickets) {
            Poll::Ready(judged) => judged.unwrap(),
            Poll::Pending => panic!("not let in"),
        }
    }

    fn end(&self, hold: Hold) {
        let used = Amount { tokens: 1, cost: 1 };
        hold.settle(used, at(self.ms));
    }
}

#[test]
fn a_client_that_moves_on_to_another_replica_is_not_counted_at_both() {
    for bounds in rooms_for_two() {
        let mut world = Three::new(bounds);
        let moving = world.let_in(0);
        let ended = world.let_in(2);
        world.end(ended);
        // The last replica has not said yet that its request has ended.
        let mut tickets = Tickets::default();
        assert!(world.ask(1, &mut tickets).is_pending());
        world.order(1);
        // All answer the recall, the first while its request runs.
        world.order(0);
        world.order(2);
        // That client goes on to the last one, before the first can say so.
        world.end(moving);
        let moved = world.let_in(2);
        world.ms += 30;
        assert!(world.ask(1, &mut tickets).is_pending(), "{bounds:?}");
        world.order(1);
        let judged = world.ask(1, &mut tickets);
        assert!(judged.is_pending(), "{bounds:?}: {judged:?}");
        world.order(0);
        world.order(1);
        let judged = world.ask(1, &mut tickets);
        assert!(
            matches!(judged, Poll::Ready(Ok(_))),
            "{bounds:?}: {judged:?}"
        );
        drop(moved);
    }
}

#[test]
fn a_request_is_refused_once_all_have_said_that_what_they_hold_is_used() {
    for bounds in rooms_for_two() {
        let mut world = Three::new(bounds);
        let _running = [world.let_in(0), world.let_in(2)];
        let mut tickets = Tickets::default();
        assert!(world.ask(1, &mut tickets).is_pending());
        world.order(1);
        world.order(0);
        world.ms += 30;
        // One has not answered.
        assert!(world.ask(1, &mut tickets).is_pending());
        world.order(1);
        assert!(world.ask(1, &mut tickets).is_pending(), "{bounds:?}");
        world.order(2);
        world.order(1);
        let judged = world.ask(1, &mut tickets);
        assert!(
            matches!(judged, Poll::Ready(Err(_))),
            "{bounds:?}: {judged:?}"
        );
    }
}

#[test]
fn what_is_used_up_is_asked_for_again_after_a_while() {
    let bounds = Allowance {
        requests_per_minute: Some(1),
        ..Allowance::default()
    };
    let account = lone(bounds);
    let mut twin = Twin::default();
    let amount = Amount::default();
    drop(let_in(&account, &mut twin, amount, START));
    let mut tickets = Tickets::default();
    assert!(ask(&account, amount, &mut tickets, at(START)).is_pending());
    refresh(&account, &mut twin, START);
    let mut tries = Vec::new();
    for ms in [0, 1, 249, 250] {
        let now = at(START + ms);
        tries.push(ask(&account, amount, &mut Tickets::default(), now).is_pending());
    }
    assert_eq!(tries, [false, false, false, true]);
    // The order that it waits for has time: the one before was refused.
    let order = account.order(at(START + 250).nanos);
    let grant = twin.carry_out(&order, 0, START + 250);
    account.apply(&grant, at(START + 250).nanos);
    for (ms, is_patient) in [(289, true), (290, false)] {
        assert_eq!(account.is_patient(at(START + ms).nanos), is_patient, "{ms}");
    }
}
