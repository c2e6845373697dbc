use std::path::Path;

use super::*;
use crate::config::load::file::load_text;
use crate::route::compile::plan::compile_after;

const SECOND: u64 = 1_000_000_000;

/// Targets of these providers, numbered in order.
fn targets(providers: &[usize]) -> Vec<Target> {
    let numbered = providers.iter().enumerate().map(|(number, &provider)| {
        let mut target = Target::new(provider, "m");
        target.number = Some(number);
        target
    });
    numbered.collect()
}

/// What is remembered of `targets` at providers with so many credentials each.
fn health(counts: &[usize], targets: &[Target]) -> Health {
    Health::of(counts, targets.len(), core::iter::once(targets))
}

fn limits() -> Limits {
    Limits {
        cooldown_ms: 1_000,
        cooldown_max_ms: 60_000,
        ..Limits::default()
    }
}

fn slot(target: &Target) -> Slot {
    Slot::of(target, 0)
}

fn fail(health: &Health, slot: Slot, scope: Scope, now_ns: u64) -> bool {
    health.failed((slot, scope), None, now_ns, &limits())
}

#[track_caller]
fn check(health: &Health, slot: Slot, now_ns: u64, expected: State) {
    assert_eq!(health.state(slot, now_ns), expected, "at {now_ns}");
}

#[test]
fn lg10_a_failure_opens_for_a_while_and_a_good_answer_closes() {
    let all = targets(&[0, 1]);
    let health = health(&[1, 1], &all);
    let slot = slot(&all[0]);
    check(&health, slot, 0, State::Closed);
    assert!(fail(&health, slot, Scope::Target, 1));
    check(&health, slot, SECOND, State::Open);
    check(&health, slot, SECOND + 1, State::HalfOpen);
    check(&health, Slot::of(&all[1], 0), 1, State::Closed);
    health.succeeded(slot, SECOND + 2);
    check(&health, slot, SECOND + 2, State::Closed);
}

#[test]
fn cool_downs_double_with_failures_in_a_row_up_to_their_bound_and_start_anew() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    let slot = slot(&all[0]);
    let mut now = 1;
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert!(fail(&health, slot, Scope::Target, now));
        check(&health, slot, now + seconds * SECOND - 1, State::Open);
        now += seconds * SECOND;
        check(&health, slot, now, State::HalfOpen);
    }
    health.succeeded(slot, now);
    fail(&health, slot, Scope::Target, now + 1);
    check(&health, slot, now + SECOND + 1, State::HalfOpen);
}

#[test]
fn failures_while_open_are_one_failure() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    let slot = slot(&all[0]);
    let opened = [1, 1, 2, SECOND / 2, SECOND].map(|now| fail(&health, slot, Scope::Target, now));
    assert_eq!(opened, [true, false, false, false, false]);
    check(&health, slot, SECOND + 1, State::HalfOpen);
    // The first one after that doubles.
    fail(&health, slot, Scope::Target, SECOND + 1);
    check(&health, slot, 3 * SECOND, State::Open);
    check(&health, slot, 3 * SECOND + 1, State::HalfOpen);
}

#[test]
fn lg10_half_open_lets_one_through_and_its_answer_decides() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    let slot = slot(&all[0]);
    assert!(health.try_probe(slot, 1), "closed: everyone may");
    fail(&health, slot, Scope::Target, 1);
    assert!(!health.try_probe(slot, SECOND), "open: nobody is needed");
    let due = SECOND + 1;
    assert!(health.try_probe(slot, due));
    assert!(!health.try_probe(slot, due));
    check(&health, slot, due, State::Open);
    // It fails: open for twice as long.
    assert!(fail(&health, slot, Scope::Target, due + 5));
    check(&health, slot, due + 5 + 2 * SECOND - 1, State::Open);
    let due = due + 5 + 2 * SECOND;
    assert!(health.try_probe(slot, due));
    health.succeeded(slot, due + 1);
    assert!(health.try_probe(slot, due + 2) && health.try_probe(slot, due + 2));
}

#[test]
fn who_went_to_see_and_never_came_back_is_followed_by_another() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    let slot = slot(&all[0]);
    fail(&health, slot, Scope::Target, 1);
    assert!(health.try_probe(slot, SECOND + 1));
    assert!(!health.try_probe(slot, 2 * SECOND));
    assert!(health.try_probe(slot, 2 * SECOND + 1));
    // However long it was open, that takes ten seconds at most.
    let away = Some(600_000);
    health.failed((slot, Scope::Target), away, 3 * SECOND, &limits());
    let due = 603 * SECOND;
    assert!(health.try_probe(slot, due));
    assert!(!health.try_probe(slot, due + 10 * SECOND - 1));
    assert!(health.try_probe(slot, due + 10 * SECOND));
}

#[test]
fn a_rate_of_failures_keeps_the_row_that_single_ones_do_not() {
    let all = targets(&[0]);
    for (goods, expected) in [(1, 16), (3, 1)] {
        let health = health(&[1], &all);
        let slot = slot(&all[0]);
        let mut now = 1;
        // Every failure is followed by good answers.
        let mut wait = 0;
        for _ in 0..14 {
            fail(&health, slot, Scope::Target, now);
            wait = (1..100)
                .find(|&it| health.state(slot, now + it * SECOND) == State::HalfOpen)
                .unwrap();
            now += 1;
            (0..goods).for_each(|_| health.succeeded(slot, now));
        }
        // Of one good answer for each, from the fifth on: five failures before the tenth answer.
        assert!(wait >= expected, "{goods}: {wait}");
        assert!(goods == 1 || wait == expected, "{goods}: {wait}");
        // A minute later nothing is left of it.
        now += 61 * SECOND;
        fail(&health, slot, Scope::Target, now);
        check(&health, slot, now + SECOND, State::HalfOpen);
    }
}

#[test]
fn what_fails_is_what_opens() {
    let all = targets(&[0, 0, 1]);
    let named = Target::new(0, "by-a-client");
    // Two credentials at the first provider.
    let slots = [
        Slot::of(&all[0], 0),
        Slot::of(&all[0], 1),
        Slot::of(&all[1], 0),
        Slot::of(&all[1], 1),
        Slot::of(&named, 0),
        Slot::of(&named, 1),
        Slot::of(&all[2], 0),
    ];
    for (scope, at, expected) in [
        (Scope::Target, 0, [1, 1, 0, 0, 0, 0, 0]),
        (Scope::Provider, 0, [1, 1, 1, 1, 1, 1, 0]),
        (Scope::Credential, 1, [0, 1, 0, 1, 0, 1, 0]),
        (Scope::Lane, 0, [1, 0, 0, 0, 0, 0, 0]),
        (Scope::Lane, 5, [0, 1, 0, 1, 0, 1, 0]),
        (Scope::Target, 4, [0; 7]),
        // With one credential its use is the target.
        (Scope::Lane, 6, [0, 0, 0, 0, 0, 0, 1]),
    ] {
        let health = health(&[2, 1], &all);
        let opened = fail(&health, slots[at], scope, 1);
        assert_eq!(opened, expected.contains(&1));
        let open = slots.map(|slot| u8::from(health.state(slot, 2) == State::Open));
        assert_eq!(open, expected, "{scope:?} {at}");
        let view = health.view(slots[at], scope, 2);
        assert_eq!(
            view.map(|it| (it.state, it.left_ms, it.failures)),
            opened.then_some((State::Open, 1_000, 1))
        );
        health.succeeded(slots[at], 3);
        let open = slots.map(|slot| u8::from(health.state(slot, 3) == State::Open));
        assert_eq!(open, [0; 7], "{scope:?} {at}");
    }
}

#[test]
fn lg10_retry_after_is_waited_for_on_its_credential_within_an_hour() {
    let all = targets(&[0]);
    let health = health(&[2], &all);
    let [first, second] = [0, 1].map(|credential| Slot::of(&all[0], credential));
    health.failed((first, Scope::Lane), Some(9_000), 1, &limits());
    check(&health, first, 9 * SECOND, State::Open);
    check(&health, first, 9 * SECOND + 1, State::HalfOpen);
    check(&health, second, 1, State::Closed);
    // Shorter than what it would wait anyway; and a longer one that comes while it waits.
    health.failed((second, Scope::Lane), Some(10), 1, &limits());
    check(&health, second, SECOND, State::Open);
    health.failed((second, Scope::Lane), Some(5_000), 2, &limits());
    check(&health, second, 5 * SECOND, State::Open);
    health.failed((first, Scope::Lane), Some(u64::MAX), 10 * SECOND, &limits());
    let hour = 3_600 * SECOND;
    check(&health, first, 10 * SECOND + hour - 1, State::Open);
    check(&health, first, 10 * SECOND + hour, State::HalfOpen);
}

#[test]
fn without_cool_downs_nothing_opens() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    let none = Limits {
        cooldown_ms: 0,
        ..limits()
    };
    for now in 1..5 {
        assert!(!health.failed((slot(&all[0]), Scope::Target), None, now, &none));
        check(&health, slot(&all[0]), now, State::Closed);
    }
}

#[test]
fn figures_follow_what_is_measured_and_fade() {
    let all = targets(&[0, 1]);
    let health = health(&[1, 1], &all);
    let read = |now| health.figure(TargetOrder::Latency, Some(0), now);
    assert_eq!(read(1), None);
    health.first_token(slot(&all[0]), 800, 1);
    assert_eq!(read(1), Some(800));
    health.first_token(slot(&all[0]), 400, 2);
    assert_eq!(read(2), Some(700));
    assert_eq!(read(2 + 30 * SECOND), Some(350));
    assert_eq!(read(2 + 60 * SECOND), Some(175));
    assert_eq!(read(u64::MAX), Some(0));
    assert_eq!(health.figure(TargetOrder::Throughput, Some(0), 2), None);
    assert_eq!(health.figure(TargetOrder::Latency, Some(1), 2), None);
    health.each_token(slot(&all[1]), 9, 2);
    assert_eq!(health.figure(TargetOrder::Throughput, Some(1), 2), Some(9));
    assert_eq!(health.figure(TargetOrder::Weighted, Some(1), 2), None);
}

#[test]
fn a_target_that_stands_alone_is_not_measured() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    health.first_token(slot(&all[0]), 800, 1);
    assert_eq!(health.figure(TargetOrder::Latency, Some(0), 1), None);
}

#[test]
fn lg10_threads_share_one_view() {
    let all = targets(&[0]);
    let health = health(&[1], &all);
    let slot = slot(&all[0]);
    fail(&health, slot, Scope::Target, 1);
    let let_through = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(|| health.try_probe(slot, 2 * SECOND)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(let_through.iter().filter(|&&it| it).count(), 1);
}

/// A plan of providers `a`, with two keys, and `b`, at these places, and a model with these targets.
fn plan_after(former: Option<&Plan>, (keys, port): ([&str; 2], u16), is_turned: bool) -> Plan {
    let a = format!(
        "[[provider]]\nname = \"a\"\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
         keys = [{{ env = \"{}\" }}, {{ env = \"{}\" }}]\n",
        keys[0], keys[1]
    );
    let b = format!(
        "[[provider]]\nname = \"b\"\nkind = \"openai-compatible\"\n\
         base_url = \"http://127.0.0.1:{port}/v1\"\nkey = \"none\"\n"
    );
    let (providers, targets) = match is_turned {
        false => ([a, b], "\"a/x\", \"b/x\", \"b/y\""),
        true => ([b, a], "\"b/y\", \"b/x\", \"a/z\", \"a/x\""),
    };
    let text = format!(
        "{}[[model]]\nid = \"m\"\ntargets = [{targets}]\n",
        providers.concat()
    );
    let env = |name: &str| Some(format!("key-{name}"));
    let loaded = load_text(&text, "ringway.toml", Path::new(""), &env);
    let ids = former.map(|plan| plan.ids.clone()).unwrap_or_default();
    compile_after(loaded, ids)
        .unwrap_or_else(|faults| panic!("{faults}"))
        .plan
}

fn of<'p>(plan: &'p Plan, name: &str) -> &'p Target {
    let (provider, model) = name.split_once('/').unwrap();
    let mut all = plan.models.iter().flat_map(|model| &model.targets);
    let provider = plan.provider_index(provider).unwrap();
    all.find(|it| it.provider == provider && *it.model == *model)
        .unwrap()
}

#[test]
fn what_is_remembered_follows_its_provider_key_and_target_into_the_next_plan() {
    let first = plan_after(None, (["K1", "K2"], 2), false);
    let health = Health::new(&first);
    let at = |plan: &Plan, name: &str, key| Slot::of(of(plan, name), key);
    fail(&health, at(&first, "a/x", 1), Scope::Credential, 1);
    fail(&health, at(&first, "b/y", 0), Scope::Target, 1);
    fail(&health, at(&first, "b/x", 0), Scope::Provider, 1);
    health.first_token(at(&first, "a/x", 0), 800, 1);
    let second = plan_after(Some(&first), (["K2", "K3"], 2), true);
    assert_eq!(of(&first, "b/y").id, of(&second, "b/y").id);
    assert_ne!(of(&first, "b/y").number, of(&second, "b/y").number);
    let next = Health::after(&second, (&first, &health));
    let view = |health: &Health, slot, scope| health.view(slot, scope, 2).unwrap().state;
    // The second key stands first now, and the third one is new.
    for (key, expected) in [(0, State::Open), (1, State::Closed)] {
        let slot = at(&second, "a/x", key);
        assert_eq!(view(&next, slot, Scope::Credential), expected, "{key}");
    }
    assert_eq!(
        view(&next, at(&second, "b/y", 0), Scope::Target),
        State::Open
    );
    assert_eq!(
        view(&next, at(&second, "b/x", 0), Scope::Target),
        State::Closed
    );
    assert_eq!(
        view(&next, at(&second, "b/x", 0), Scope::Provider),
        State::Open
    );
    assert_eq!(
        view(&next, at(&second, "a/z", 0), Scope::Target),
        State::Closed
    );
    let number = of(&second, "a/x").number;
    assert_eq!(next.figure(TargetOrder::Latency, number, 1), Some(800));
    // An exchange on the former plan ends well: both know.
    health.succeeded(at(&first, "b/y", 0), 2);
    assert_eq!(
        view(&next, at(&second, "b/y", 0), Scope::Target),
        State::Closed
    );
    // At another address it is another provider, and the first one is itself when it comes back.
    fail(&health, at(&first, "b/x", 0), Scope::Provider, 3);
    let third = plan_after(Some(&second), (["K1", "K2"], 9), false);
    let moved = Health::after(&third, (&second, &next));
    assert_eq!(
        view(&moved, at(&third, "b/x", 0), Scope::Provider),
        State::Closed
    );
    let fourth = plan_after(Some(&third), (["K1", "K2"], 2), false);
    let ids = |plan: &Plan| -> Vec<_> { plan.providers.iter().map(|it| it.id).collect() };
    assert_eq!(ids(&fourth), ids(&first));
    assert_ne!(ids(&third), ids(&first));
}
