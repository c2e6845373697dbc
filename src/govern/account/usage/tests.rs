use std::sync::{Arc, Barrier};
use std::thread;

use super::{
    Account, Accounts, Amount, BudgetUse, DAY_MS, Hold, LimitKind, LimitRefusal, Now, Whose, admit,
    day_of, month_of,
};
use crate::govern::key::allowance::Allowance;

const SECOND: u64 = 1_000_000_000;

fn account(allowance: Allowance) -> Arc<Account> {
    Arc::new(Account::new(allowance))
}

fn budget(limit: u64) -> Allowance {
    Allowance {
        budget_day: Some(limit),
        ..Allowance::default()
    }
}

fn one(account: &Arc<Account>) -> Accounts<'_> {
    Accounts {
        key: Some(account),
        tenant: None,
    }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, cost: 0 }
}

fn cost(cost: u64) -> Amount {
    Amount { tokens: 0, cost }
}

fn at(second: u64) -> Now {
    Now {
        nanos: second * SECOND,
        unix_ms: second * 1000,
    }
}

fn ask(account: &Arc<Account>, amount: Amount, now: Now) -> Result<Hold, LimitRefusal> {
    admit(one(account), amount, now).0
}

#[test]
fn two_hundred_threads_at_once_at_the_edge_of_a_budget_reserve_all_of_it_and_no_more() {
    let (key, tenant) = (account(budget(1_000)), account(budget(730)));
    let barrier = Barrier::new(200);
    let holds: Vec<Option<Hold>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(|| {
                    let accounts = Accounts {
                        key: Some(&key),
                        tenant: Some(&tenant),
                    };
                    barrier.wait();
                    admit(accounts, cost(10), at(1)).0.ok()
                })
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let held: Vec<Hold> = holds.into_iter().flatten().collect();
    assert_eq!(held.len(), 73);
    // Each costs twice what it reserved: that much more, and nothing on top.
    for hold in held {
        hold.settle(cost(20), at(2));
    }
    assert_eq!(key.spent(2_000).on_day, 1_460);
    assert_eq!(tenant.spent(2_000).on_day, 1_460);
    let refused = ask(&key, cost(1), at(3)).unwrap_err();
    assert_eq!(
        (refused.bound, refused.limit),
        (LimitKind::BudgetDay, 1_000)
    );
}

#[test]
fn what_one_account_refuses_is_not_reserved_on_the_other() {
    let key = account(Allowance {
        requests_per_minute: Some(10),
        tokens_per_minute: Some(100),
        concurrent: Some(5),
        budget_month: Some(100),
        ..Allowance::default()
    });
    let tenant = account(Allowance {
        requests_per_minute: Some(1),
        ..Allowance::default()
    });
    let both = Accounts {
        key: Some(&key),
        tenant: Some(&tenant),
    };
    let amount = Amount {
        tokens: 60,
        cost: 60,
    };
    let first = admit(both, amount, at(1)).0.unwrap();
    let (refused, standings) = admit(both, tokens(1), at(1));
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.bound, refused.whose),
        (LimitKind::Requests, Whose::Tenant)
    );
    assert_eq!(standings.requests.unwrap().remaining, 0, "the tenant's");
    assert_eq!(standings.tokens.unwrap().remaining, 40);
    drop(first);
    let (held, standings) = admit(one(&key), tokens(100), at(1));
    assert!(held.is_ok());
    assert_eq!(standings.requests.unwrap().remaining, 8, "a request counts");
    assert_eq!(standings.tokens.unwrap().remaining, 0, "its tokens do not");
}

#[test]
fn a_hold_that_is_dropped_has_spent_nothing() {
    let account = account(Allowance {
        concurrent: Some(1),
        ..budget(100)
    });
    let hold = ask(&account, cost(100), at(1)).unwrap();
    assert_eq!(
        ask(&account, cost(1), at(1)).unwrap_err().bound,
        LimitKind::BudgetDay
    );
    drop(hold);
    let hold = ask(&account, cost(100), at(1)).unwrap();
    hold.settle(cost(40), at(2));
    assert_eq!(account.spent(2_000).on_day, 40);
    let hold = ask(&account, cost(60), at(3)).unwrap();
    drop(hold);
    assert_eq!(
        ask(&account, cost(61), at(3)).unwrap_err().bound,
        LimitKind::BudgetDay
    );
}

#[test]
fn requests_at_one_time_are_held_until_they_are_settled_or_dropped() {
    let account = account(Allowance {
        concurrent: Some(2),
        ..Allowance::default()
    });
    let ask = || ask(&account, tokens(1), at(1));
    let (first, second) = (ask().unwrap(), ask().unwrap());
    assert_eq!(ask().unwrap_err().bound, LimitKind::Concurrent);
    first.settle(tokens(1), at(1));
    let third = ask().unwrap();
    assert!(ask().is_err());
    drop((second, third));
    assert!(ask().is_ok());
}

#[test]
fn tokens_are_settled_by_what_was_used_whichever_way() {
    let account = account(Allowance {
        tokens_per_minute: Some(1_000),
        ..Allowance::default()
    });
    let left = |now| {
        let standings = admit(one(&account), tokens(0), now).1;
        standings.tokens.unwrap().remaining
    };
    let hold = ask(&account, tokens(600), at(1)).unwrap();
    hold.settle(tokens(100), at(5));
    assert_eq!(left(at(5)), 900);
    let hold = ask(&account, tokens(500), at(6)).unwrap();
    hold.settle(tokens(800), at(30));
    assert_eq!(left(at(30)), 100);
    let refused = ask(&account, tokens(101), at(30)).unwrap_err();
    assert_eq!(refused.bound, LimitKind::Tokens);
    assert_eq!(
        refused.wait,
        Some(32 * SECOND),
        "the 100 of second 1 go first"
    );
    let never = ask(&account, tokens(1_001), at(30)).unwrap_err();
    assert_eq!((never.bound, never.wait), (LimitKind::Tokens, None));
}

#[test]
fn tokens_that_were_not_counted_when_a_request_was_let_in_take_none_of_others_back() {
    let requests = Allowance {
        requests_per_minute: Some(10),
        ..Allowance::default()
    };
    let account = account(requests);
    let running = [(); 2].map(|()| ask(&account, tokens(60), at(1)).unwrap());
    account.allow(Allowance {
        tokens_per_minute: Some(100),
        ..requests
    });
    let other = ask(&account, tokens(50), at(1)).unwrap();
    let [ended, dropped] = running;
    ended.settle(tokens(10), at(1));
    drop(dropped);
    other.settle(tokens(50), at(1));
    let standing = admit(one(&account), tokens(41), at(1)).1.tokens.unwrap();
    assert_eq!(standing.remaining, 40, "fifty and the ten that were used");
}

#[test]
fn a_budget_is_there_anew_with_its_day_and_month_and_what_is_held_goes_with_it() {
    let account = account(Allowance {
        budget_day: Some(100),
        budget_month: Some(150),
        ..Allowance::default()
    });
    // January 30 and 31, February 1, 1970.
    let day = |day: u64| Now {
        nanos: day * 86_400 * SECOND,
        unix_ms: day * DAY_MS + 5,
    };
    ask(&account, cost(90), day(29))
        .unwrap()
        .settle(cost(90), day(29));
    assert_eq!(
        ask(&account, cost(11), day(29)).unwrap_err().bound,
        LimitKind::BudgetDay
    );
    let over_night = ask(&account, cost(10), day(29)).unwrap();
    assert_eq!(
        ask(&account, cost(61), day(30)).unwrap_err().bound,
        LimitKind::BudgetMonth
    );
    over_night.settle(cost(60), day(30));
    let spent = account.spent(day(30).unix_ms);
    assert_eq!((spent.on_day, spent.in_month), (60, 150));
    assert!(ask(&account, cost(0), day(30)).is_err(), "all is spent");
    let spent = account.spent(day(31).unix_ms);
    assert_eq!((spent.on_day, spent.in_month), (0, 0));
    // A clock that is set back.
    ask(&account, cost(100), day(31))
        .unwrap()
        .settle(cost(100), day(31));
    assert!(ask(&account, cost(1), day(30)).is_err());
}

#[test]
fn a_day_in_the_future_ends_when_the_clock_is_set_right_and_what_was_spent_counts_on() {
    let account = account(budget(100));
    let day = |number: u64| number * 86_400_000;
    let hour = 3_600_000;
    let later = |unix_ms| Now {
        unix_ms,
        ..Now::default()
    };
    let ahead = later(day(40));
    ask(&account, cost(100), ahead)
        .unwrap()
        .settle(cost(100), ahead);
    for (unix_ms, expected) in [
        (day(40) - hour, 40),
        (day(40) - hour - 1, 39),
        (day(9), 9),
        (day(9) + 1, 9),
    ] {
        let spent = account.spent(unix_ms);
        let month = month_of(day(expected));
        let now = (spent.day, spent.on_day, spent.month, spent.in_month);
        assert_eq!(now, (expected, 100, month, 100), "{unix_ms}");
        assert!(ask(&account, cost(1), later(unix_ms)).is_err());
    }
    assert!(ask(&account, cost(100), later(day(10))).is_ok());
}

#[test]
fn other_bounds_hold_at_once_and_what_was_used_counts_on() {
    let account = account(Allowance {
        requests_per_minute: Some(10),
        ..Allowance::default()
    });
    for _ in 0..7 {
        drop(ask(&account, tokens(0), at(1)).unwrap());
    }
    account.allow(Allowance {
        requests_per_minute: Some(8),
        ..budget(5)
    });
    drop(ask(&account, tokens(0), at(2)).unwrap());
    assert_eq!(
        ask(&account, tokens(0), at(2)).unwrap_err().bound,
        LimitKind::Requests
    );
    account.allow(Allowance::default());
    assert!(ask(&account, cost(u64::MAX), at(2)).is_ok());
}

#[test]
fn what_was_spent_before_is_taken_over_for_the_same_day_and_month_alone() {
    let before = BudgetUse {
        day: 31,
        on_day: 30,
        month: 1,
        in_month: 80,
    };
    for (day, on_day, in_month) in [(31, 31, 81), (32, 1, 81), (70, 1, 1)] {
        let account = account(budget(1_000));
        let unix_ms = day * DAY_MS;
        let now = Now { nanos: 1, unix_ms };
        ask(&account, cost(1), now).unwrap().settle(cost(1), now);
        account.restore(&before, unix_ms);
        let spent = account.spent(unix_ms);
        assert_eq!((spent.on_day, spent.in_month), (on_day, in_month));
    }
}

/// Random requests that are settled, dropped or left running, held against plain sums of the same.
#[test]
fn whatever_happens_agrees_with_plain_sums() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..100 {
        let (limit, most) = (100 + random(1000), 1 + random(5));
        let account = account(Allowance {
            concurrent: Some(most),
            ..budget(limit)
        });
        let mut running: Vec<(Hold, u64)> = Vec::new();
        let mut spent = 0;
        for _ in 0..300 {
            if random(3) == 0 && !running.is_empty() {
                let place = usize::try_from(random(running.len() as u64)).unwrap();
                let (hold, reserved) = running.swap_remove(place);
                if random(2) == 0 {
                    drop(hold);
                } else {
                    let used = random(reserved + 2);
                    hold.settle(cost(used), at(1));
                    spent += used;
                }
                continue;
            }
            let amount = random(60);
            let reserved: u64 = running.iter().map(|(_, n)| n).sum();
            let fits = spent + reserved + amount.max(1) <= limit && (running.len() as u64) < most;
            let asked = ask(&account, cost(amount), at(1));
            assert_eq!(asked.is_ok(), fits);
            running.extend(asked.ok().map(|hold| (hold, amount)));
            assert_eq!(account.spent(1_000).on_day, spent);
        }
    }
}

#[test]
fn months_follow_the_calendar_for_two_hundred_years() {
    let mut day = 0;
    for month in 0..12 * 200_u64 {
        let (year, of_year) = (1970 + month / 12, month % 12);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match of_year {
            1 => 28 + u64::from(leap),
            3 | 5 | 8 | 10 => 30,
            _ => 31,
        };
        assert_eq!(month_of(day * DAY_MS), month, "{year}-{}", of_year + 1);
        assert_eq!(month_of((day + days) * DAY_MS - 1), month);
        assert_eq!(day_of((day + 1) * DAY_MS - 1), day);
        day += days;
    }
}
