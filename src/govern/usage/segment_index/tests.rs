use super::{
    Contents, HOLDERS_MAX, Holder, HolderBytes, add_up, holder, is_refusal, tenant, time_ms,
};
use crate::govern::usage::frames;
use crate::govern::usage::record::{Names, Try, UsageRecord, Whom};

/// A record of this tenant; `is_asked`: a provider was.
fn record(id: u128, tenant: Option<&str>, is_asked: bool) -> Vec<u8> {
    let names = Names::default();
    let tried = Try {
        whom: Whom::Named(names),
        address: None,
        tls_name: None,
        tls_version: None,
        started_ms: Some(1),
        duration_us: 1,
        status: 200,
        fault: None,
    };
    let mut out = Vec::new();
    let record = UsageRecord {
        id,
        tenant: tenant.map(str::as_bytes),
        outcome: "refused",
        ..UsageRecord::default()
    };
    record.write(&[], is_asked.then_some(tried).into_iter(), &mut out);
    out
}

fn framed(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let start = frames::open(&mut out);
        out.extend_from_slice(record);
        assert!(frames::close(&mut out, start));
    }
    out
}

/// An id of a moment, the rest of it scattered.
fn id(ms: u64, number: u64) -> u128 {
    let random = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    u128::from(ms) << 80 | random >> 48
}

#[test]
fn a_tenant_is_told_apart_by_its_id_where_there_is_one() {
    let of = |tenant_id: Option<&'static str>| {
        let mut out = Vec::new();
        let record = UsageRecord {
            tenant: Some(b"blue"),
            tenant_id: tenant_id.map(str::as_bytes),
            outcome: "complete",
            ..UsageRecord::default()
        };
        record.write(&[], core::iter::empty(), &mut out);
        assert_eq!(tenant(&out), Some(&b"blue"[..]));
        holder(&out)
    };
    let [first, second, none] = [of(Some("tn_1")), of(Some("tn_2")), of(None)];
    assert!(first != second && second != none && first != none);
    assert_eq!(of(Some("tn_1")), first);
    // The id of a tenant of an earlier version is its name.
    assert_eq!(of(Some("blue")), none);
}

#[test]
fn records_without_an_asked_provider_are_nobodys_and_others_their_tenants() {
    assert!(is_refusal(&record(1, Some("blue"), false)));
    assert!(!is_refusal(&record(1, Some("blue"), true)));
    let write = |record: UsageRecord<'_>| {
        let mut out = Vec::new();
        record.write(&[], core::iter::empty(), &mut out);
        out
    };
    for (it, expected) in [
        (
            UsageRecord {
                outcome: "complete",
                ..UsageRecord::default()
            },
            false,
        ),
        (
            UsageRecord {
                outcome: "cancelled",
                ..UsageRecord::default()
            },
            true,
        ),
        (
            UsageRecord {
                outcome: "refused",
                charged_nanos: Some(1),
                ..UsageRecord::default()
            },
            false,
        ),
        (
            UsageRecord {
                operation: "refusals",
                outcome: "complete",
                ..UsageRecord::default()
            },
            true,
        ),
        (
            UsageRecord {
                model_asked: Some(b"\",\"outcome\":\"complete\",\"operation\":\"refusals"),
                charged_nanos: Some(1),
                outcome: "refused",
                ..UsageRecord::default()
            },
            false,
        ),
    ] {
        assert_eq!(is_refusal(&write(it)), expected, "{it:?}");
    }
    for (name, told) in [
        ("blue", "blue"),
        ("a\"b", "a\\\"b"),
        ("\\", "\\\\"),
        ("", ""),
    ] {
        let with = record(7, Some(name), true);
        assert_eq!(tenant(&with), Some(told.as_bytes()), "{name}");
        assert_eq!(holder(&with), holder(&record(8, Some(name), true)));
        assert_ne!(holder(&with), holder(&record(7, Some("red"), true)));
        assert_ne!(holder(&with), holder(&record(7, None, true)));
    }
    assert_eq!(tenant(&record(7, None, true)), None);
}

#[test]
fn every_record_lies_where_its_id_is_looked_for_and_others_are_looked_for_nearly_nowhere() {
    const RECORDS: u64 = 10_000;
    const PART_BYTES: u64 = 64 << 10;
    let ids: Vec<u128> = (0..RECORDS)
        .map(|number| id(1_000 + number / 10, number))
        .collect();
    let records: Vec<Vec<u8>> = ids
        .iter()
        .map(|&id| record(id, Some("blue"), true))
        .collect();
    let bytes = framed(&records);
    let mut contents = Contents::default();
    let (half, _) = bytes.split_at(framed(&records[..4_000]).len());
    contents.add(half, 0, PART_BYTES);
    contents.add(&bytes[half.len()..], half.len() as u64, PART_BYTES);
    let mut read = 0;
    for id in &ids {
        let places: Vec<_> = contents.places(*id).collect();
        let holds = |place: &core::ops::Range<u64>| {
            let at = |at: u64| usize::try_from(at).unwrap();
            let (start, end) = (at(place.start), at(place.end));
            let found = frames::JournalFrames::new(&bytes[start..end]);
            found
                .into_iter()
                .any(|it| crate::govern::usage::record::id_at(it).unwrap().0 == *id)
        };
        assert!(places.iter().any(holds));
        let long = |place: &core::ops::Range<u64>| place.end - place.start > PART_BYTES;
        assert!(!places.iter().any(long));
        read += places.iter().map(|it| it.end - it.start).sum::<u64>();
    }
    // Each reads its own part, and now and then one beside it.
    assert!(read <= RECORDS * PART_BYTES * 5 / 4, "{read}");
    let absent = (0..RECORDS).map(|number| id(1_000 + number / 10, number + RECORDS));
    let looked: usize = absent.map(|id| contents.places(id).count()).sum();
    assert!((looked as u64) < RECORDS / 4, "{looked}");
    for ms in [0, 999, 2_000] {
        assert_eq!(contents.places(id(ms, 1)).count(), 0, "{ms}");
    }
    assert_eq!(time_ms(id(1_234, 5)), 1_234);
}

#[test]
fn bytes_add_up_with_damage_and_one_holder_too_many_is_told() {
    let records = [record(1, Some("blue"), true), record(2, Some("red"), false)];
    let mut bytes = framed(&records);
    let whole = bytes.len() as u64;
    bytes.extend_from_slice(b"torn");
    let contents = Contents::read(&bytes, 0, 1 << 16);
    let held = contents.held().unwrap();
    assert_eq!(held.values().sum::<u64>(), whole + 4);
    let of_blue = (records[0].len() + 12) as u64;
    assert_eq!(held[&holder(&records[0])], of_blue);
    assert_eq!(held[&Holder::Refusals], whole - of_blue + 4);
    let mut again = HolderBytes::new();
    add_up(&bytes, &mut again);
    assert_eq!(&again, held);
    let mut contents = Contents::default();
    for number in 0..=HOLDERS_MAX {
        assert!(contents.held().is_some());
        let name = number.to_string();
        contents.add(&framed(&[record(1, Some(&name), true)]), 0, 1 << 16);
    }
    assert!(contents.held().is_none());
}

#[test]
fn a_segment_that_is_read_by_pieces_holds_what_it_holds_as_a_whole() {
    let frame = |number: u64| {
        framed(&[record(
            id(number, number),
            Some("blue"),
            number.is_multiple_of(3),
        )])
    };
    let mut bytes = Vec::new();
    for number in 0..600 {
        bytes.extend_from_slice(&frame(number));
        if number == 200 {
            // Damage longer than a piece, with the beginning of a frame in it.
            bytes.extend_from_slice(&[b'x'; 40_000]);
            bytes.extend_from_slice(frame(number).split_at(30).0);
        }
    }
    bytes.extend_from_slice(b"torn");
    let whole = Contents::read(&bytes, 0, 1 << 12);
    for piece in [20_000, 30_001] {
        let (mut contents, mut at) = (Contents::default(), 0);
        while bytes.len() - at > piece {
            let taken = contents.add_whole(&bytes[at..at + piece], at as u64, 1 << 12);
            assert!(taken > 0 && taken <= piece as u64);
            at += usize::try_from(taken).unwrap();
        }
        contents.add(&bytes[at..], at as u64, 1 << 12);
        assert_eq!(contents.held(), whole.held());
        for number in 0..600 {
            let id = id(number, number);
            assert!(whole.places(id).count() > 0);
            assert!(contents.places(id).eq(whole.places(id)), "{id}");
        }
    }
}
