//! Frames of a journal are those that a plain twin finds byte by byte; of records that were framed
//! here, damage takes those that it touches, and brings none.

use ringway::govern::journal::{Frames, HEAD_BYTES, MARK, close, open, whole_length};
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
    Frames::new(journal).collect()
}

/// Payloads with the ends of their frames.
fn found(journal: &[u8]) -> Vec<(usize, &[u8])> {
    let mut frames = Frames::new(journal);
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
