//! `[limits]`, bound by bound.

use crate::config::read::limits::{read, slots};
use crate::config::read::node::{ConfigEntry, ConfigNode, ConfigValue};
use crate::config::schema::fault::Faults;
use crate::limits::Limits;

fn table(entries: &[(&str, i64)]) -> ConfigNode {
    let entries = entries.iter().map(|&(name, value)| ConfigEntry {
        name: name.to_owned(),
        line: 2,
        node: ConfigNode {
            line: 2,
            value: ConfigValue::Whole(value),
        },
    });
    ConfigNode {
        line: 1,
        value: ConfigValue::Table(entries.collect()),
    }
}

fn read_all(entries: &[(&str, i64)]) -> (Limits, Vec<String>) {
    let mut faults = Faults::new("f");
    let (limits, shared) = read(table(entries), "limits", &mut faults);
    assert_eq!(shared, None);
    (limits, faults.lines())
}

/// Names of the fields, from the printed struct.
fn field_names() -> Vec<String> {
    let printed = format!("{:?}", Limits::default());
    let body = printed.strip_prefix("Limits { ").unwrap();
    let fields = body.split(", ");
    fields
        .map(|field| field.split_once(':').unwrap().0.to_owned())
        .collect()
}

#[test]
fn limits_have_every_field_settable_by_its_own_name() {
    let mut limits = Limits::default();
    let listed: Vec<&str> = slots(&mut limits).iter().map(|slot| slot.0).collect();
    assert_eq!(listed, field_names());
}

#[test]
fn limits_at_both_ends_of_their_range_are_taken_and_one_past_refused() {
    let mut limits = Limits::default();
    for (name, _, range) in slots(&mut limits) {
        for end in [*range.start(), *range.end()] {
            let (set, faults) = read_all(&[(name, i64::try_from(end).unwrap())]);
            let printed = format!("{set:?}");
            let given = format!("{name}: {end}");
            assert!(printed.contains(&given), "{name} {end}");
            let ranges = faults.iter().filter(|line| line.contains("expected"));
            assert_eq!(ranges.count(), 0, "{faults:?}");
        }
        let past = i64::try_from(*range.end()).unwrap() + 1;
        let (set, faults) = read_all(&[(name, past)]);
        assert_eq!(set, Limits::default());
        let (low, high) = (range.start(), range.end());
        let text = format!("f:2: limits.{name}: expected {low} to {high}, found {past}");
        assert_eq!(faults, [text]);
        let (set, _) = read_all(&[(name, -1)]);
        assert_eq!(set, Limits::default());
    }
}

#[test]
fn limits_default_is_within_every_range() {
    let mut limits = Limits::default();
    for (name, slot, range) in slots(&mut limits) {
        let value = match slot {
            super::LimitSlot::Size(value) => *value as u64,
            super::LimitSlot::Count(value) => u64::from(*value),
            super::LimitSlot::Wide(value) => *value,
        };
        assert!(range.contains(&value), "{name}");
    }
}

#[test]
fn limits_with_unknown_name_say_the_nearest() {
    let (_, faults) = read_all(&[("body_byte_max", 5_000_000)]);
    assert_eq!(
        faults,
        ["f:2: limits.body_byte_max: unknown key; did you mean `body_bytes_max`?"]
    );
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let (_, faults) = read_all(&[("head_bytes_max", 4_096), ("cooldown_ms", 90_000)]);
    assert_eq!(
        faults,
        [
            "f:1: limits: target_bytes_max (8192) is larger than head_bytes_max (4096)",
            "f:1: limits: field_value_bytes_max (16384) is larger than head_bytes_max (4096)",
            "f:1: limits: cooldown_ms (90000) is longer than cooldown_max_ms (60000)",
        ]
    );
}
