use ringway_test_support::stride::STRIDE;

use super::{HEAD_BYTES, JournalFrames, MARK, check, close, open, whole_length};
use crate::limits::RECORD_BYTES_MAX;

fn framed(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut journal = Vec::new();
    for payload in payloads {
        let start = open(&mut journal);
        journal.extend_from_slice(payload);
        assert!(close(&mut journal, start));
    }
    journal
}

/// Two hundred records, short ones: every flip of every bit reads the journal from its start.
fn records() -> Vec<Vec<u8>> {
    let record = |n: u128| format!("{{\"id\":\"{:032x}\"}}", n * 0x9e37_79b9_7f4a_7c15);
    (1..=200).map(|n| record(n).into_bytes()).collect()
}

#[test]
fn check_is_of_length_and_payload() {
    // RFC 3720, appendix B.4: 32 bytes of noughts, here with the first four as the length.
    assert_eq!(check([0; 4], &[0; 28]), 0x8a91_36aa);
    let rising: Vec<u8> = (4..32).collect();
    assert_eq!(check([0, 1, 2, 3], &rising), 0x46dd_794e);
}

#[test]
fn p33_every_prefix_of_two_hundred_records_gives_those_that_are_whole() {
    let records = records();
    let journal = framed(&records);
    let size = journal.len() / records.len();
    for length in (0..=journal.len()).step_by(STRIDE) {
        let mut frames = JournalFrames::new(&journal[..length]);
        let found: Vec<&[u8]> = frames.by_ref().collect();
        let whole = length / size;
        assert_eq!(found, records[..whole], "{length}");
        assert_eq!((frames.end(), frames.damaged_bytes()), (whole * size, 0));
        assert_eq!(whole_length(&journal[..length]), whole * size);
    }
}

#[test]
fn p33_every_flip_of_a_bit_among_two_hundred_records_costs_the_one_it_lies_in() {
    let records = records();
    let mut journal = framed(&records);
    let size = journal.len() / records.len();
    for bit in (0..8 * journal.len()).step_by(STRIDE) {
        journal[bit / 8] ^= 1 << (bit % 8);
        let hit = bit / 8 / size;
        let mut found = JournalFrames::new(&journal);
        for (number, record) in records.iter().enumerate() {
            if number != hit {
                assert_eq!(found.next(), Some(record.as_slice()), "bit {bit}");
            }
        }
        assert_eq!(found.next(), None, "bit {bit}");
        journal[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn frame_that_was_torn_amid_others_costs_itself_alone() {
    let records = &records()[..3];
    let journal = framed(records);
    let size = journal.len() / 3;
    for kept in 0..size {
        let mut torn = journal.clone();
        torn.drain(size + kept..2 * size);
        let mut frames = JournalFrames::new(&torn);
        let found: Vec<&[u8]> = frames.by_ref().collect();
        assert_eq!(found, [&records[0], &records[2]], "{kept}");
        assert_eq!(frames.damaged_bytes(), kept);
    }
}

#[test]
fn payloads_of_every_bound_are_framed_and_others_left_out() {
    for (length, fits) in [
        (0, false),
        (1, true),
        (RECORD_BYTES_MAX, true),
        (RECORD_BYTES_MAX + 1, false),
    ] {
        let mut journal = b"before".to_vec();
        let start = open(&mut journal);
        journal.resize(start + HEAD_BYTES + length, b'x');
        assert_eq!(close(&mut journal, start), fits, "{length}");
        assert_eq!(
            journal.len(),
            if fits {
                start + HEAD_BYTES + length
            } else {
                start
            }
        );
        let found = JournalFrames::new(&journal).next().map(<[u8]>::len);
        assert_eq!(found, fits.then_some(length));
    }
}

#[test]
fn bytes_full_of_marks_are_no_frames() {
    let noise = MARK.repeat(2_000);
    assert_eq!(JournalFrames::new(&noise).next(), None);
    assert_eq!(whole_length(&noise), 0);
}
