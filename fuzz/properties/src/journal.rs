//! Frames of a journal are those that a plain twin finds byte by byte; of records that were framed
//! here, damage takes those that it touches, and brings none. What is known of a segment finds every record
//! by its id, and eviction keeps or loses each record, whole.

use std::collections::HashMap;

use ringway::govern::usage::eviction::Eviction;
use ringway::govern::usage::frames::{HEAD_BYTES, JournalFrames, MARK, close, open, whole_length};
use ringway::govern::usage::record::{id_at, start_into};
use ringway::govern::usage::segment_index::{Contents, Holder, HolderBytes, add_up, holder};
use ringway::limits::RECORD_BYTES_MAX;

/// A journal; and the same bytes as records of one, which is then damaged.
pub fn check(input: &[u8]) {
    let found = found(input);
    assert_eq!(found, twin(input));
    let mut again = Vec::new();
    for (end, payload) in &found {
        let start = open(&mut again);
        again.extend_from_slice(payload);
        assert!(close(&mut again, start));
        let frame = &input[end - HEAD_BYTES - payload.len()..*end];
        assert!(again.ends_with(frame), "a frame is written as it was read");
    }
    assert_eq!(whole_length(&again), again.len());
    assert!(whole_length(input) <= input.len());
    damaged(input);
    evicted(input);
    if let Some((said, rest)) = input.split_first() {
        evicted(&recovered(*said, rest));
    }
}

/// A segment of records like ours, each byte of `rest` one, and damage before some of them.
fn recovered(said: u8, rest: &[u8]) -> Vec<u8> {
    let mut journal = Vec::new();
    for (number, &byte) in rest.iter().take(200).enumerate() {
        if byte % 16 == said % 16 {
            journal.extend_from_slice(&MARK[..usize::from(byte / 16) % 4]);
        }
        let start = open(&mut journal);
        let id = u128::from(byte) << 80 | (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        start_into(id, &mut journal);
        let tenant = byte % 5;
        let asked = if byte & 32 == 0 { "" } else { "{}" };
        let text = format!(
            "\",\"time\":1,\"tenant\":\"t{tenant}\",\"charged_nanos\":null,\"outcome\":\"refused\",\
             \"attempts\":[{asked}],\"attempts_left_out\":0}}"
        );
        journal.extend_from_slice(text.as_bytes());
        assert!(close(&mut journal, start));
    }
    journal
}

fn evicted(journal: &[u8]) {
    let contents = Contents::read(journal, 7, 64);
    let mut held = HolderBytes::new();
    add_up(journal, &mut held);
    held.retain(|_, bytes| *bytes > 0);
    assert_eq!(held.values().sum::<u64>(), journal.len() as u64);
    assert!(contents.held().is_none_or(|it| *it == held));
    let all = found(journal);
    for (end, record) in &all {
        let Some((id, _)) = id_at(record) else {
            continue;
        };
        let end = *end as u64 + 7;
        let is_there = |place: std::ops::Range<u64>| place.start < end && end <= place.end;
        assert!(contents.places(id).any(is_there));
    }
    let bytes = journal.len() as u64 / 3;
    let done = journal.len() as u64 / 7;
    let mut eviction = Eviction::new(&held, bytes);
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    eviction.apply(journal, done, &mut kept, |record, _| {
        lost.push(record.to_vec())
    });
    let mut lost = lost.into_iter().peekable();
    let mut kept = JournalFrames::new(&kept).peekable();
    let mut losses: HashMap<Holder, u64> = HashMap::new();
    for (end, record) in all.iter().filter(|(end, _)| *end as u64 > done) {
        if lost.next_if(|it| it == record).is_some() {
            *losses.entry(holder(record)).or_default() += (record.len() + HEAD_BYTES) as u64;
        } else {
            assert_eq!(kept.next(), Some(*record), "at {end}");
        }
    }
    assert_eq!((lost.next(), kept.next()), (None, None));
    for (holder, bytes) in losses {
        assert!(bytes <= held[&holder]);
    }
}

/// The first bytes say where and how, the rest are the records.
fn damaged(input: &[u8]) {
    let Some((said, text)) = input.split_first_chunk::<4>() else {
        return;
    };
    // No record holds control bytes: JSON escapes them.
    let text: Vec<u8> = text.iter().map(|&b| b.max(b' ')).collect();
    let records: Vec<&[u8]> = text.chunks(1 + usize::from(said[0] % 60)).collect();
    let (mut journal, mut ends) = (Vec::new(), vec![0]);
    for record in &records {
        let start = open(&mut journal);
        journal.extend_from_slice(record);
        assert!(close(&mut journal, start));
        ends.push(journal.len());
    }
    if journal.is_empty() {
        return;
    }
    let at = usize::from(u16::from_le_bytes([said[1], said[2]])) % journal.len();
    let hit = ends.iter().rposition(|&end| end <= at).unwrap_or(0);
    if said[3] < 8 {
        journal[at] ^= 1 << said[3];
        let kept = records
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != hit);
        let kept: Vec<&[u8]> = kept.map(|(_, record)| *record).collect();
        assert_eq!(payloads(&journal), kept);
    } else {
        journal.truncate(at);
        assert_eq!(payloads(&journal), records[..hit]);
        assert_eq!(whole_length(&journal), ends[hit]);
    }
}

fn payloads(journal: &[u8]) -> Vec<&[u8]> {
    JournalFrames::new(journal).collect()
}

/// Payloads with the ends of their frames.
fn found(journal: &[u8]) -> Vec<(usize, &[u8])> {
    let mut frames = JournalFrames::new(journal);
    let mut found = Vec::new();
    while let Some(payload) = frames.next() {
        found.push((frames.end(), payload));
    }
    found
}

/// The same, each place looked at, the check bit by bit.
fn twin(journal: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at + HEAD_BYTES < journal.len() {
        let (head, rest) = journal[at..].split_at(HEAD_BYTES);
        let number = |from: usize| u32::from_le_bytes(head[from..from + 4].try_into().unwrap());
        let length = number(4) as usize;
        let fits = &head[..4] == MARK && (1..=RECORD_BYTES_MAX.min(rest.len())).contains(&length);
        if fits && crc(&[&head[4..8], &rest[..length]].concat()) == number(8) {
            at += HEAD_BYTES + length;
            found.push((at, &rest[..length]));
        } else {
            at += 1;
        }
    }
    found
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0x82f6_3b78
        } else {
            crc >> 1
        }
    };
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), step)
    })
}
