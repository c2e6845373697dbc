//! `[limits]`: every bound by its own name, with the range it may have, and the counters that several
//! replicas share.

use core::ops::RangeInclusive;
use std::path::PathBuf;

use crate::config::read::fields::TableReader;
use crate::config::read::node::ConfigNode;
use crate::config::read::store::source;
use crate::config::schema::fault::{Faults, Location};
use crate::config::schema::file::{SharedConfig, SharedDown, TextSource};
use crate::limits::{HEAD_FIELDS_CEILING, KIB, Limits, MIB};

/// Reads `[limits]`; what is not set stays at its default.
pub fn read(node: ConfigNode, path: &str, faults: &mut Faults) -> (Limits, Option<SharedConfig>) {
    let mut limits = Limits::default();
    let place = Location {
        line: node.line,
        path: path.to_owned(),
    };
    let Some(mut fields) = TableReader::new(node, path, faults) else {
        return (limits, None);
    };
    for (name, slot, range) in slots(&mut limits) {
        if let Some(given) = fields.whole(name, range) {
            slot.set(given.value);
        }
    }
    let shared = shared(&mut fields);
    fields.finish();
    relations(&limits, &place, faults);
    (limits, shared)
}

/// The counters that several replicas share.
fn shared(fields: &mut TableReader<'_>) -> Option<SharedConfig> {
    let url = source(fields, Some("shared"), ["shared_file", "shared_env"]);
    let ca_file = fields.text("shared_ca_file");
    let down = fields.choice("shared_down", &SHARED_DOWN);
    if url == TextSource::Unset {
        let places = [
            ca_file.map(|given| given.place),
            down.map(|given| given.place),
        ];
        for place in places.into_iter().flatten() {
            let text = "nothing is shared; say shared = \"redis://…\", or leave this out";
            fields.faults.push(&place, text);
        }
        return None;
    }
    Some(SharedConfig {
        url,
        ca_file: ca_file.map(|given| given.map(PathBuf::from)),
        down: down.map_or_else(SharedDown::default, |given| given.value),
    })
}

/// One bound, to be set.
enum LimitSlot<'l> {
    Size(&'l mut usize),
    Count(&'l mut u32),
    Wide(&'l mut u64),
}

impl LimitSlot<'_> {
    /// Sets the bound; its range keeps every value within the type.
    fn set(self, value: u64) {
        match self {
            Self::Size(slot) => *slot = usize::try_from(value).unwrap_or(usize::MAX),
            Self::Count(slot) => *slot = u32::try_from(value).unwrap_or(u32::MAX),
            Self::Wide(slot) => *slot = value,
        }
    }
}

/// Name, place and range of every bound. Taken apart in full: a new one finds this line.
#[expect(clippy::too_many_lines, reason = "one line per bound")]
fn slots(limits: &mut Limits) -> Vec<(&'static str, LimitSlot<'_>, RangeInclusive<u64>)> {
    use LimitSlot::{Count, Size, Wide};
    let Limits {
        head_bytes_max,
        head_fields_max,
        field_name_bytes_max,
        field_value_bytes_max,
        target_bytes_max,
        body_bytes_max,
        relay_body_bytes_max,
        chunk_overhead_bytes_max,
        json_depth_max,
        json_members_max,
        json_values_max,
        response_head_bytes_max,
        response_fields_max,
        interim_responses_max,
        event_bytes_max,
        answer_bytes_max,
        held_bytes_max,
        held_budget_bytes,
        connections_max,
        requests_per_connection_max,
        head_timeout_ms,
        body_stall_timeout_ms,
        body_rate_min,
        body_rate_large_min,
        idle_timeout_ms,
        connect_timeout_ms,
        handshake_timeout_ms,
        resolve_timeout_ms,
        answer_head_timeout_ms,
        stream_stall_timeout_ms,
        first_token_timeout_ms,
        stream_rate_min,
        stream_rate_window_ms,
        write_stall_timeout_ms,
        ping_interval_ms,
        drain_timeout_ms,
        drain_delay_ms,
        attempts_max,
        attempts_timeout_ms,
        retry_budget_percent,
        pool_idle_max,
        pool_idle_timeout_ms,
        cooldown_ms,
        cooldown_max_ms,
    } = limits;
    vec![
        ("head_bytes_max", Size(head_bytes_max), HEAD),
        ("head_fields_max", Size(head_fields_max), FIELDS),
        (
            "field_name_bytes_max",
            Size(field_name_bytes_max),
            64..=64 * K,
        ),
        ("field_value_bytes_max", Size(field_value_bytes_max), HEAD),
        ("target_bytes_max", Size(target_bytes_max), 256..=64 * K),
        ("body_bytes_max", Size(body_bytes_max), BODY),
        (
            "relay_body_bytes_max",
            Wide(relay_body_bytes_max),
            K..=K * K * K * K,
        ),
        (
            "chunk_overhead_bytes_max",
            Size(chunk_overhead_bytes_max),
            16..=M,
        ),
        ("json_depth_max", Count(json_depth_max), 8..=128),
        ("json_members_max", Size(json_members_max), 16..=1_000_000),
        (
            "json_values_max",
            Size(json_values_max),
            1_000..=100_000_000,
        ),
        (
            "response_head_bytes_max",
            Size(response_head_bytes_max),
            HEAD,
        ),
        ("response_fields_max", Size(response_fields_max), FIELDS),
        (
            "interim_responses_max",
            Count(interim_responses_max),
            0..=1_000,
        ),
        ("event_bytes_max", Size(event_bytes_max), K..=64 * M),
        ("answer_bytes_max", Size(answer_bytes_max), BODY),
        ("held_bytes_max", Size(held_bytes_max), K..=16 * M),
        ("held_budget_bytes", Size(held_budget_bytes), 0..=K * K * M),
        ("connections_max", Size(connections_max), 0..=10_000_000),
        (
            "requests_per_connection_max",
            Count(requests_per_connection_max),
            COUNT,
        ),
        ("head_timeout_ms", Wide(head_timeout_ms), WAIT),
        ("body_stall_timeout_ms", Wide(body_stall_timeout_ms), WAIT),
        ("body_rate_min", Wide(body_rate_min), 0..=1024 * M),
        (
            "body_rate_large_min",
            Wide(body_rate_large_min),
            0..=1024 * M,
        ),
        ("idle_timeout_ms", Wide(idle_timeout_ms), WAIT),
        ("connect_timeout_ms", Wide(connect_timeout_ms), WAIT),
        ("handshake_timeout_ms", Wide(handshake_timeout_ms), WAIT),
        ("resolve_timeout_ms", Wide(resolve_timeout_ms), WAIT),
        ("answer_head_timeout_ms", Wide(answer_head_timeout_ms), WAIT),
        (
            "stream_stall_timeout_ms",
            Wide(stream_stall_timeout_ms),
            WAIT,
        ),
        (
            "first_token_timeout_ms",
            Wide(first_token_timeout_ms),
            WAIT_OR_NONE,
        ),
        ("stream_rate_min", Wide(stream_rate_min), STREAM_RATE),
        (
            "stream_rate_window_ms",
            Wide(stream_rate_window_ms),
            100..=60_000,
        ),
        ("write_stall_timeout_ms", Wide(write_stall_timeout_ms), WAIT),
        ("ping_interval_ms", Wide(ping_interval_ms), WAIT),
        ("drain_timeout_ms", Wide(drain_timeout_ms), WAIT_OR_NONE),
        ("drain_delay_ms", Wide(drain_delay_ms), WAIT_OR_NONE),
        ("attempts_max", Count(attempts_max), 1..=32),
        ("attempts_timeout_ms", Wide(attempts_timeout_ms), WAIT),
        ("retry_budget_percent", Count(retry_budget_percent), 0..=100),
        ("pool_idle_max", Size(pool_idle_max), 0..=10_000),
        ("pool_idle_timeout_ms", Wide(pool_idle_timeout_ms), WAIT),
        ("cooldown_ms", Wide(cooldown_ms), WAIT_OR_NONE),
        ("cooldown_max_ms", Wide(cooldown_max_ms), WAIT_OR_NONE),
    ]
}

/// Bounds that only make sense together.
fn relations(limits: &Limits, place: &Location, faults: &mut Faults) {
    let pairs = [
        ("target_bytes_max", limits.target_bytes_max),
        ("field_value_bytes_max", limits.field_value_bytes_max),
        ("field_name_bytes_max", limits.field_name_bytes_max),
    ];
    for (name, value) in pairs {
        if value > limits.head_bytes_max {
            let head = limits.head_bytes_max;
            let text = format!("{name} ({value}) is larger than head_bytes_max ({head})");
            faults.push(place, text);
        }
    }
    if limits.cooldown_ms > limits.cooldown_max_ms {
        let (first, longest) = (limits.cooldown_ms, limits.cooldown_max_ms);
        let text = format!("cooldown_ms ({first}) is longer than cooldown_max_ms ({longest})");
        faults.push(place, text);
    }
}

const SHARED_DOWN: [(&str, SharedDown); 2] =
    [("local", SharedDown::Local), ("closed", SharedDown::Closed)];
const K: u64 = KIB as u64;
const M: u64 = MIB as u64;
const HEAD: RangeInclusive<u64> = K..=M;
const FIELDS: RangeInclusive<u64> = 8..=HEAD_FIELDS_CEILING as u64;
/// Positions in a body are held in 32 bits.
const BODY: RangeInclusive<u64> = K..=1024 * M;
const COUNT: RangeInclusive<u64> = 1..=4_000_000_000;
/// From a millisecond to a day.
const WAIT: RangeInclusive<u64> = 1..=86_400_000;
/// The same, or none at all.
pub const WAIT_OR_NONE: RangeInclusive<u64> = 0..=86_400_000;
/// Deltas per second.
pub const STREAM_RATE: RangeInclusive<u64> = 0..=1_000;

const _: () = assert!(1024 * MIB <= u32::MAX as usize);

#[cfg(test)]
mod tests;
