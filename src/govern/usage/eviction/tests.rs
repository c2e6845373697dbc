use super::Eviction;
use crate::govern::usage::frames;
use crate::govern::usage::segment_index::{Holder, HolderBytes, each_frame, holder, tenant};

fn held(refusals: u64, tenants: &[u64]) -> HolderBytes {
    let tenants = tenants.iter().zip(1..);
    let mut held: HolderBytes = tenants
        .map(|(&bytes, name)| (Holder::Tenant(name), bytes))
        .collect();
    held.insert(Holder::Refusals, refusals);
    held
}

fn losses(refusals: u64, tenants: &[u64], bytes: u64) -> (u64, Vec<u64>) {
    let eviction = Eviction::new(&held(refusals, tenants), bytes);
    let of = |holder| eviction.losses.get(&holder).copied().unwrap_or(0);
    let tenants = (1..=tenants.len() as u64).map(|name| of(Holder::Tenant(name)));
    (of(Holder::Refusals), tenants.collect())
}

#[test]
fn refusals_go_first_then_whoever_holds_most_down_to_the_next() {
    for (refusals, tenants, bytes, expected) in [
        (100, &[50, 900][..], 100, (100, vec![0, 0])),
        (100, &[50, 900], 99, (99, vec![0, 0])),
        (100, &[50, 900], 101, (100, vec![0, 1])),
        (0, &[50, 900], 850, (0, vec![0, 850])),
        (0, &[50, 900], 852, (0, vec![1, 851])),
        (0, &[300, 300, 300], 30, (0, vec![10, 10, 10])),
        (0, &[300, 200, 100], 200, (0, vec![150, 50, 0])),
        (0, &[7], 0, (0, vec![0])),
        (5, &[3, 4], 12, (5, vec![3, 4])),
        (5, &[3, 4], 1_000, (5, vec![3, 4])),
        (5, &[], 1_000, (5, vec![])),
    ] {
        let found = losses(refusals, tenants, bytes);
        assert_eq!(found, expected, "{refusals} {tenants:?} {bytes}");
    }
}

#[test]
fn shares_are_enough_and_nobody_loses_below_another_who_lost_nothing() {
    let mut state = 7_u64;
    let mut draw = |most: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % most
    };
    for _ in 0..2_000 {
        let tenants: Vec<u64> = (0..1 + draw(9)).map(|_| 1 + draw(1_000)).collect();
        let refusals = draw(300);
        let all = refusals + tenants.iter().sum::<u64>();
        let bytes = draw(all + 100);
        let (of_refusals, lost) = losses(refusals, &tenants, bytes);
        let sum = of_refusals + lost.iter().sum::<u64>();
        assert!(sum >= bytes.min(all) && sum <= all);
        // Rounding alone takes more: less than one byte a tenant.
        assert!(sum < bytes.min(all) + tenants.len() as u64);
        for (has, lost) in tenants.iter().zip(&lost).filter(|(_, lost)| **lost > 0) {
            assert_eq!(of_refusals, refusals);
            let left = has - lost;
            assert!(
                tenants
                    .iter()
                    .zip(&lost_of(&tenants, bytes, refusals))
                    .all(|(has, lost)| has - lost <= left + 1)
            );
        }
    }
}

fn lost_of(tenants: &[u64], bytes: u64, refusals: u64) -> Vec<u64> {
    losses(refusals, tenants, bytes).1
}

#[test]
fn what_is_not_lost_is_kept_byte_for_byte_in_its_order() {
    let payload = |name: &str, number: u32| {
        format!("{{\"id\":\"\",\"time\":{number},\"tenant\":\"{name}\",\"key_id\":null}}")
    };
    let names = ["loud", "calm", "loud", "loud", "calm"];
    let mut bytes = Vec::new();
    let mut frames = Vec::new();
    for (name, number) in names.iter().zip(0..) {
        let before = bytes.len();
        let start = frames::open(&mut bytes);
        bytes.extend_from_slice(payload(name, number).as_bytes());
        assert!(frames::close(&mut bytes, start));
        frames.push(bytes[before..].to_vec());
    }
    bytes.extend_from_slice(b"torn");
    let mut held = HolderBytes::new();
    let size = frames[0].len() as u64;
    each_frame(&bytes, |record, place| {
        *held.entry(holder(record)).or_default() += place.end - place.start;
    });
    let run = |bytes_lost: u64, done: u64| {
        let (mut kept, mut lost) = (Vec::new(), Vec::new());
        let mut eviction = Eviction::new(&held, bytes_lost);
        eviction.apply(&bytes, done, &mut kept, |record, _| {
            let name = core::str::from_utf8(tenant(record).unwrap()).unwrap();
            lost.push(name.to_owned());
        });
        (kept, lost)
    };
    assert_eq!(run(1, 0), (frames[1..].concat(), vec!["loud".into()]));
    // One byte more than the other one has not: both lose.
    let expected = frames[3..].concat();
    assert_eq!(run(size, 0).0, frames[1..].concat());
    assert_eq!(run(size + 1, 0).0, expected);
    let (kept, lost) = run(2 * size, 0);
    assert_eq!(lost.iter().filter(|it| *it == "loud").count(), 2);
    assert_eq!(
        kept.len() + lost.len() * frames[0].len(),
        5 * frames[0].len()
    );
    // The store has the first three: they go, and are no loss.
    assert_eq!(run(1, 3 * size), (frames[4].clone(), vec!["loud".into()]));
    assert_eq!(run(u64::MAX, 5 * size), (Vec::new(), Vec::new()));
}
