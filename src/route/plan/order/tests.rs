use super::*;

/// Targets of the same priority with these weights.
fn weighing(weights: &[u32]) -> Vec<RankedTarget> {
    let each = weights.iter().enumerate();
    let standings = each.map(|(place, &weight)| RankedTarget {
        place,
        identity: identity(["p", &format!("model-{place}")]),
        drawn: 0.0,
        priority: 0,
        weight,
        is_cooling: false,
        figure: None,
    });
    standings.collect()
}

fn arranged(order: TargetOrder, draw: Draw, standings: &[RankedTarget]) -> Vec<usize> {
    let mut standings = standings.to_vec();
    arrange(order, draw, &mut standings);
    standings.iter().map(|it| it.place).collect()
}

/// How often each place comes first over so many draws of chance.
fn firsts(order: TargetOrder, standings: &[RankedTarget], draws: u64) -> Vec<u64> {
    let mut counts = vec![0; standings.len()];
    for seed in 0..draws {
        counts[arranged(order, Draw::Chance(seed), standings)[0]] += 1;
    }
    counts
}

fn sessions() -> impl Iterator<Item = Draw> {
    (0..10_000).map(|n: u32| Draw::Session(session(format!("session-{n}").as_bytes())))
}

#[test]
fn lg10_priority_keeps_the_list_and_cooling_targets_stand_behind_whatever_their_priority() {
    let mut all = weighing(&[1, 9, 1, 1]);
    for (standing, priority) in all.iter_mut().zip([2, 1, 1, 2]) {
        standing.priority = priority;
    }
    assert_eq!(
        arranged(TargetOrder::Priority, Draw::Chance(1), &all),
        [1, 2, 0, 3]
    );
    all[1].is_cooling = true;
    all[2].is_cooling = true;
    assert_eq!(
        arranged(TargetOrder::Priority, Draw::Chance(1), &all),
        [0, 3, 1, 2]
    );
}

#[test]
fn no_order_crosses_a_priority_or_leaves_a_target_out() {
    let mut all = weighing(&[1, 5, 2, 0, 7]);
    for (standing, priority) in all.iter_mut().zip([1, 0, 1, 0, 1]) {
        standing.priority = priority;
        standing.figure = Some(1_000 - 100 * u64::from(priority));
    }
    for order in TargetOrder::ALL {
        for draw in sessions().take(100).chain((0..100).map(Draw::Chance)) {
            let got = arranged(order, draw, &all);
            let (level, rest) = got.split_at(2);
            assert!(level.iter().all(|place| [1, 3].contains(place)), "{got:?}");
            let mut rest = rest.to_vec();
            rest.sort_unstable();
            assert_eq!(rest, [0, 2, 4]);
        }
    }
}

#[test]
fn weights_are_shares_of_the_first_places_and_none_means_last() {
    let counts = firsts(TargetOrder::Weighted, &weighing(&[1, 3, 0, 6]), 100_000);
    for (count, share) in counts.iter().zip([10_000, 30_000, 0, 60_000]) {
        assert!(count.abs_diff(share) < 1_000, "{counts:?}");
    }
    let last = arranged(
        TargetOrder::Weighted,
        Draw::Chance(7),
        &weighing(&[0, 1, 0]),
    );
    assert_eq!(last, [1, 0, 2]);
}

#[test]
fn lg10_a_sessions_target_is_always_the_same_and_sessions_are_spread_by_weight() {
    let all = weighing(&[1, 1, 2]);
    let mut counts = [0_u32; 3];
    for draw in sessions() {
        let got = arranged(TargetOrder::Weighted, draw, &all);
        assert_eq!(got, arranged(TargetOrder::Weighted, draw, &all));
        counts[got[0]] += 1;
    }
    for (count, share) in counts.iter().zip([2_500, 2_500, 5_000]) {
        assert!(count.abs_diff(share) < 300, "{counts:?}");
    }
}

#[test]
fn targets_of_one_weight_stand_as_they_do_among_others() {
    let [even, uneven] = [[3, 3, 3, 3], [3, 3, 3, 1]].map(|weights| weighing(&weights));
    for draw in sessions().take(1_000) {
        let [even, uneven] = [&even, &uneven].map(|all| {
            let mut got = arranged(TargetOrder::Weighted, draw, all);
            got.retain(|&place| place != 3);
            got
        });
        assert_eq!(even, uneven);
    }
}

#[test]
fn lg10_when_a_target_dies_its_sessions_move_and_no_other() {
    let well = weighing(&[1, 1, 1, 1]);
    for dead in 0..well.len() {
        let mut after = well.clone();
        after[dead].is_cooling = true;
        let mut gone = well.clone();
        gone.remove(dead);
        let (mut moved, mut reached) = (0, [0_u32; 4]);
        for draw in sessions() {
            let before = arranged(TargetOrder::Weighted, draw, &well)[0];
            let now = arranged(TargetOrder::Weighted, draw, &after)[0];
            assert_eq!(now, arranged(TargetOrder::Weighted, draw, &gone)[0]);
            assert!(before == dead || now == before);
            if now != before {
                moved += 1;
                reached[now] += 1;
            }
        }
        // A quarter of them, spread over the three that are left.
        assert!(2_500_u32.abs_diff(moved) < 300, "{moved}");
        for (place, count) in reached.iter().enumerate() {
            let share = if place == dead { 0 } else { moved / 3 };
            assert!(count.abs_diff(share) < 150, "{reached:?}");
        }
    }
}

#[test]
fn the_better_of_two_goes_first_and_the_slowest_never() {
    for order in [TargetOrder::Latency, TargetOrder::Throughput] {
        let mut all = weighing(&[1, 1, 1]);
        for (standing, figure) in all.iter_mut().zip([300, 100, 200]) {
            standing.figure = Some(figure);
        }
        let counts = firsts(order, &all, 9_000);
        assert_eq!(counts[0], 0);
        // The best of three is among two drawn in two of three cases.
        assert!(counts[1].abs_diff(6_000) < 300, "{counts:?}");
        all[0].figure = None;
        let counts = firsts(order, &all, 9_000);
        assert!(
            counts[0].abs_diff(6_000) < 300,
            "unknown is tried: {counts:?}"
        );
    }
}

#[test]
fn lg10_the_lowest_cost_goes_first_the_unknown_last_and_equals_are_drawn() {
    let mut all = weighing(&[1, 1, 3, 9, 1]);
    for (standing, figure) in all
        .iter_mut()
        .zip([Some(30), Some(20), Some(20), None, Some(40)])
    {
        standing.figure = figure;
    }
    for draw in sessions().take(100).chain((0..100).map(Draw::Chance)) {
        let got = arranged(TargetOrder::Cost, draw, &all);
        assert_eq!(got[2..], [0, 4, 3], "{got:?}");
    }
    let counts = firsts(TargetOrder::Cost, &all, 10_000);
    assert!(counts[1].abs_diff(2_500) < 300, "{counts:?}");
    assert_eq!(counts[1] + counts[2], 10_000);
    // Neither what is well nor a priority gives way to a lower cost.
    all[1].is_cooling = true;
    all[2].priority = 1;
    assert_eq!(
        arranged(TargetOrder::Cost, Draw::Chance(1), &all),
        [0, 4, 3, 2, 1]
    );
}

#[test]
fn a_session_leaves_its_home_for_one_that_is_twice_as_good() {
    let mut all = weighing(&[1, 1]);
    let homes: Vec<_> = sessions()
        .take(200)
        .map(|draw| (draw, arranged(TargetOrder::Weighted, draw, &all)[0]))
        .collect();
    for (figures, expected) in [
        ([None, None], None),
        ([Some(100), Some(51)], None),
        ([Some(100), Some(49)], Some(1)),
        ([None, Some(1)], None),
        ([Some(1), None], None),
    ] {
        for (standing, figure) in all.iter_mut().zip(figures) {
            standing.figure = figure;
        }
        for &(draw, home) in &homes {
            let got = arranged(TargetOrder::Latency, draw, &all)[0];
            assert_eq!(got, expected.unwrap_or(home), "{figures:?}");
        }
    }
}

#[test]
fn deployments_of_one_model_at_one_provider_draw_each_for_themselves() {
    let names = [
        ["p", "m", "ca"],
        ["p", "m", "us"],
        ["p", "mc", "a"],
        ["pm", "", "ca"],
    ];
    let mut identities = names.map(identity).to_vec();
    identities.sort_unstable();
    identities.dedup();
    assert_eq!(identities.len(), names.len());
}
