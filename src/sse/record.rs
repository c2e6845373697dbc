//! Where the records of a stream end, without reading them.
//!
//! For whoever passes a stream on as it is and looks at some of its records only. A record is
//! everything up to and including its blank line; comments and stray blank lines are records
//! without data.
//!
//! Invariant: the same ends are found for every way of cutting the same input. A CR ends its line
//! at once; the LF of a cut CRLF opens the bytes of the next record and ends no line.

/// A record as both wires send nearly all of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simple<'i> {
    /// The event name; empty if none was given.
    pub event: &'i [u8],
    /// The one data line's value.
    pub data: &'i [u8],
    /// Bytes of the record, its blank line included.
    pub len: usize,
}

/// The record that `input` opens with, if it is whole and simple: one `data` line behind at most
/// one `event` line, a blank behind each colon, LF behind each line. Found by one search through
/// the data instead of one for each line (a frame of either wire 580–740 → 290–310 instructions in
/// the bench `sse/decode`).
#[must_use]
pub fn simple(input: &[u8]) -> Option<Simple<'_>> {
    let (event, at) = match input.strip_prefix(EVENT) {
        None => (&[][..], 0),
        Some(rest) => {
            let end = memchr::memchr2(b'\n', b'\r', rest)?;
            (rest.get(..end)?, EVENT.len() + end + 1)
        }
    };
    if at > 0 && input.get(at - 1) != Some(&b'\n') {
        return None;
    }
    let rest = input.get(at..)?.strip_prefix(DATA)?;
    let end = memchr::memchr2(b'\n', b'\r', rest)?;
    let (data, behind) = rest.split_at_checked(end)?;
    behind.starts_with(b"\n\n").then_some(Simple {
        event,
        data,
        len: at + DATA.len() + end + 2,
    })
}

/// Finds the ends of records.
#[derive(Clone, Copy, Debug)]
pub struct Cutter {
    /// The line at hand has no byte yet.
    blank: bool,
    /// The last byte was a CR, whose LF may follow.
    after_cr: bool,
}

impl Cutter {
    /// A cutter for a new stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            blank: true,
            after_cr: false,
        }
    }

    /// Whether the input so far ends where a record may begin, with no half of a CRLF to come.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        self.blank && !self.after_cr
    }

    /// The offset behind the first record that ends in `input`; the caller goes on from there.
    /// Nothing if the input ends within a record, which the next input continues.
    pub fn end(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.after_cr && !input.is_empty() {
            self.after_cr = false;
            at = usize::from(input.first() == Some(&b'\n'));
        }
        loop {
            let rest = input.get(at..)?;
            let Some(found) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.blank &= rest.is_empty();
                return None;
            };
            let ends_record = self.blank && found == 0;
            self.blank = true;
            at += found + 1;
            if rest.get(found) == Some(&b'\r') {
                match input.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if ends_record {
                return Some(at);
            }
        }
    }
}

impl Default for Cutter {
    fn default() -> Self {
        Self::new()
    }
}

/// The length that limits are held against: up to the first byte of the last line end, without the
/// LF of a cut CRLF in front. It does not depend on how the stream is cut.
#[must_use]
pub fn len(record: &[u8]) -> usize {
    let in_front = record.len() > 1 && record.starts_with(b"\n");
    let behind = record.ends_with(b"\r\n");
    record.len() - usize::from(in_front) - usize::from(behind)
}

/// The data of a record: its one `data` line as it stands, or several joined by LF in `joined`.
/// Nothing if it has none. A byte order mark is one only in front of a stream's `first` record.
pub fn data<'r>(record: &'r [u8], first: bool, joined: &'r mut Vec<u8>) -> Option<&'r [u8]> {
    let record = unmarked(record, first);
    if let Some(value) = only_line(record) {
        return Some(value);
    }
    let mut one_line: Option<&'r [u8]> = None;
    let mut many = false;
    let mut rest = record;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let Some(value) = data_value(line) else {
            continue;
        };
        match one_line {
            None => one_line = Some(value),
            Some(one) => {
                if !many {
                    many = true;
                    joined.clear();
                    joined.extend_from_slice(one);
                }
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
        }
    }
    if many { Some(joined) } else { one_line }
}

/// The event name of a record; empty if it has none. `first` as in [`data`].
#[must_use]
pub fn event(record: &[u8], first: bool) -> &[u8] {
    let lines = unmarked(record, first).split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut names = lines.filter_map(|line| value(line, b"event"));
    names.next_back().unwrap_or_default()
}

/// Whether a record that has no blank line yet lacks nothing where its stream ends: it is comments
/// and blank lines alone.
#[must_use]
pub fn is_idle(record: &[u8]) -> bool {
    let mut lines = record.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.all(is_idle_line)
}

/// Whether a line, cut or whole, is a comment or has nothing but blanks.
#[must_use]
pub fn is_idle_line(line: &[u8]) -> bool {
    line.starts_with(b":") || line.trim_ascii().is_empty()
}

/// The first record of a stream without the mark in front of it; any other as it is.
fn unmarked(record: &[u8], first: bool) -> &[u8] {
    match record.strip_prefix(MARK) {
        Some(rest) if first => rest,
        _ => record,
    }
}

/// The data of a record of one `data` line behind at most one `event` line, as nearly all are.
fn only_line(record: &[u8]) -> Option<&[u8]> {
    let line = record
        .strip_suffix(b"\n\n")
        .or_else(|| record.strip_suffix(b"\r\n\r\n"))?;
    // Events of one of the wires are named by a line before it.
    let line = if line.starts_with(b"event:") {
        match line.split_at(memchr::memchr2(b'\n', b'\r', line)?).1 {
            [b'\r', b'\n', line @ ..] | [b'\n', line @ ..] => line,
            _ => return None,
        }
    } else {
        line
    };
    let value = data_value(line)?;
    memchr::memchr2(b'\n', b'\r', value)
        .is_none()
        .then_some(value)
}

/// The value of a `data` line.
fn data_value(line: &[u8]) -> Option<&[u8]> {
    value(line, b"data")
}

/// The value of a line, if that is its field's name.
fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest {
        [] => Some(rest),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";
/// How the lines of a simple record begin.
const EVENT: &[u8] = b"event: ";
const DATA: &[u8] = b"data: ";

#[cfg(test)]
mod tests {
    use super::*;

    fn records(pieces: &[&[u8]]) -> Vec<String> {
        let mut cutter = Cutter::new();
        let mut ends = Vec::new();
        let mut current = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = cutter.end(rest) {
                current.extend_from_slice(&rest[..end]);
                ends.push(String::from_utf8(core::mem::take(&mut current)).unwrap());
                rest = &rest[end..];
            }
            current.extend_from_slice(rest);
        }
        ends.push(String::from_utf8(current).unwrap());
        ends
    }

    #[test]
    fn cutter_ends_records_at_blank_lines_of_every_kind() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "data: a\n\ndata: b\n\n",
                &["data: a\n\n", "data: b\n\n", ""],
            ),
            ("data: a\r\n\r\nb", &["data: a\r\n\r\n", "b"]),
            ("a\r\rb\r\r", &["a\r\r", "b\r\r", ""]),
            ("a\n\r\nb", &["a\n\r\n", "b"]),
            ("a\r\n\nb", &["a\r\n\n", "b"]),
            ("\n\na", &["\n", "\n", "a"]),
        ];
        for (input, expected) in cases {
            assert_eq!(records(&[input.as_bytes()]), expected, "{input:?}");
        }
    }

    #[test]
    fn cutter_any_split_finds_the_same_ends_up_to_a_cut_crlf() {
        let input = b": c\r\n\r\ndata: a\ndata: b\r\n\r\nevent: x\rdata\r\r\n\ndata: z";
        let whole = records(&[input]);
        for at in 0..=input.len() {
            let (a, b) = input.split_at(at);
            let split = records(&[a, b]);
            assert_eq!(split.concat().as_bytes(), input);
            let trim = |all: &[String]| -> Vec<String> {
                all.iter().map(|it| it.trim().to_owned()).collect()
            };
            assert_eq!(trim(&split), trim(&whole), "cut at {at}");
        }
    }

    #[test]
    fn simple_records_are_read_as_the_general_way_reads_them_and_no_other() {
        let records = [
            ("data: a\n\n", Some(("", "a"))),
            ("event: x\ndata: a\n\nmore", Some(("x", "a"))),
            ("event: \ndata: \n\n", Some(("", ""))),
            ("data: a\n", None),
            ("data: a\n\r\n", None),
            ("data: a\r\n\r\n", None),
            ("data:a\n\n", None),
            ("data: a\ndata: b\n\n", None),
            ("event: x\r\ndata: a\n\n", None),
            ("event: x\rdata: a\n\n", None),
            ("event: x\nevent: y\ndata: a\n\n", None),
            ("event: x\n\n", None),
            ("\ndata: a\n\n", None),
            (": c\n\n", None),
            ("", None),
        ];
        for (input, expected) in records {
            let found = simple(input.as_bytes());
            let read = found.map(|it| (it.event, it.data));
            let expected = expected.map(|(event, data)| (event.as_bytes(), data.as_bytes()));
            assert_eq!(read, expected, "{input:?}");
            let Some(found) = found else { continue };
            let record = &input.as_bytes()[..found.len];
            assert_eq!(Cutter::new().end(input.as_bytes()), Some(found.len));
            assert_eq!(event(record, true), found.event, "{input:?}");
            assert_eq!(data(record, true, &mut Vec::new()), Some(found.data));
        }
    }

    #[test]
    fn event_is_the_last_one_named() {
        let cases = [
            ("data: a\n\n", ""),
            ("event: x\ndata: a\n\n", "x"),
            ("\nevent:x\r\ndata: event: y\r\n\r\n", "x"),
            ("data: a\revent: x\revent: y\r\r", "y"),
            ("event: x\nevent\ndata: a\n\n", ""),
            ("\u{feff}event: x\ndata: a\n\n", "x"),
            ("events: x\n: event: y\n\n", ""),
        ];
        for (record, expected) in cases {
            assert_eq!(
                event(record.as_bytes(), true),
                expected.as_bytes(),
                "{record:?}"
            );
        }
    }

    #[test]
    fn data_joins_lines_and_skips_other_fields() {
        let cases: [(&str, Option<&str>); 12] = [
            ("data: a\n\n", Some("a")),
            ("event: x\ndata: a\n\n", Some("a")),
            ("event: x\r\ndata: a\r\n\r\n", Some("a")),
            ("event: x\rdata: a\ndata: b\n\n", Some("a\nb")),
            ("data: a\rdata: b\n\n", Some("a\nb")),
            ("event: x\n\n", None),
            ("data:a\r\n\r\n", Some("a")),
            ("event: x\ndata:  a\n: c\ndata: b\n\n", Some(" a\nb")),
            ("\ndata: a\n\n", Some("a")),
            ("data\n\n", Some("")),
            (": comment\n\n", None),
            ("database: a\n\n", None),
        ];
        for (record, expected) in cases {
            let mut joined = Vec::new();
            let found = data(record.as_bytes(), false, &mut joined);
            assert_eq!(found, expected.map(str::as_bytes), "{record:?}");
        }
    }

    #[test]
    fn byte_order_mark_counts_in_front_of_the_first_record_alone() {
        let record = "\u{FEFF}data: a\n\u{FEFF}data: b\ndata: c\n\n".as_bytes();
        let mut joined = Vec::new();
        assert_eq!(data(record, true, &mut joined), Some(&b"a\nc"[..]));
        assert_eq!(data(record, false, &mut joined), Some(&b"c"[..]));
    }

    #[test]
    fn len_of_a_record_is_the_same_however_its_line_ends_were_cut() {
        let cases: [(&[u8], usize); 6] = [
            (b"a\r\n\r\n", 4),
            (b"a\r\n\r", 4),
            (b"\na\r\n\r", 4),
            (b"a\n\n", 3),
            (b"\n", 1),
            (b"", 0),
        ];
        for (record, expected) in cases {
            assert_eq!(len(record), expected, "{record:?}");
        }
    }
}
