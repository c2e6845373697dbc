//! Frames: the twin's, however they are cut, in bounded memory; the same records where they are only
//! counted; and equal when written out again.

use ringway::limits::IDLE_FRAME_BYTES;
use ringway::sse::decode::{SseDecoder, SseItem};
use ringway::sse::encode;
use ringway::sse::record::{self, Cutter};

use crate::pieces;
use crate::plain_sse;

/// An event stream.
pub fn check(input: &[u8]) {
    let found = pieces::same_in_all_ways(input, |pieces| items(pieces, 1 << 20));
    assert_eq!(found, Ok(plain_sse::items(input)));
    let _ = pieces::same_in_all_ways(input, |pieces| items(pieces, 48));

    let expected: Vec<Vec<u8>> = plain_sse::data(input, false);
    let data = pieces::same_in_all_ways(input, records);
    assert_eq!(data, expected);
    again(input);
}

/// All items, or what came before a record that was too long.
fn items(pieces: &[&[u8]], max: usize) -> Result<Vec<plain_sse::Item>, Vec<plain_sse::Item>> {
    let mut decoder = SseDecoder::new(max);
    let mut items = Vec::new();
    for piece in pieces {
        let mut frames = decoder.push(piece);
        while let Some(item) = frames.next() {
            items.push(match item {
                Ok(SseItem::Comment) => plain_sse::Item::Comment,
                Ok(SseItem::Frame(frame)) => plain_sse::Item::Frame {
                    event: frame.event.to_vec(),
                    data: frame.data.to_vec(),
                },
                Err(_) => return Err(items),
            });
        }
        // Three buffers that may each be twice as large as what they hold.
        assert!(decoder.held_bytes() <= 6 * max.max(IDLE_FRAME_BYTES));
    }
    if let Ok(Some(frame)) = decoder.finish() {
        let (event, data) = (frame.event.to_vec(), frame.data.to_vec());
        items.push(plain_sse::Item::Rest { event, data });
    }
    Ok(items)
}

/// The data of the records that were ended, as those who only pass a stream on see them.
fn records(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut cutter, mut record, mut joined) = (Cutter::new(), Vec::new(), Vec::new());
    let (mut all, mut is_first) = (Vec::new(), true);
    for piece in pieces {
        let mut rest = *piece;
        while let Some(end) = cutter.end(rest) {
            record.extend_from_slice(&rest[..end]);
            let data = record::data(&record, is_first, &mut joined);
            all.extend(data.map(<[u8]>::to_vec));
            (record, is_first) = (Vec::new(), false);
            rest = &rest[end..];
        }
        record.extend_from_slice(rest);
    }
    all
}

/// The input as an event's data, its first part as the name.
fn again(input: &[u8]) {
    let (event, data) = input.split_at(input.len() / 4);
    let event: Vec<u8> = event
        .iter()
        .copied()
        .filter(|b| !b"\r\n".contains(b))
        .collect();
    let data: Vec<u8> = data.iter().copied().filter(|b| *b != b'\r').collect();
    let mut out = Vec::new();
    encode::frame(&mut out, &event, &data);
    assert_eq!(
        plain_sse::items(&out),
        [plain_sse::Item::Frame { event, data }]
    );
}
