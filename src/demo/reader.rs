//! Server-sent events as the demo's client reads them: strictly, so that what is odd is seen.
//!
//! Lines end in LF; a record is at most one `event` line, one `data` line and comments. That is
//! all that either wire's own service sends. Anything else is a fault.

/// One record with data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The event's name, where there is one.
    pub event: Option<String>,
    /// Its data.
    pub data: String,
}

/// Takes a stream apart.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    held: Vec<u8>,
}

impl Reader {
    /// Adds bytes as they came.
    ///
    /// # Errors
    /// A record that does not end.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.held.len() + bytes.len() > HELD_BYTES_MAX {
            return Err(format!("a record longer than {HELD_BYTES_MAX} bytes"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole record; comments are passed over.
    ///
    /// # Errors
    /// A line that has no place in a stream.
    pub fn take(&mut self) -> Result<Option<Record>, String> {
        while let Some(end) = memchr::memmem::find(&self.held, b"\n\n") {
            let text: Vec<u8> = self.held.drain(..end + 2).collect();
            let text = core::str::from_utf8(&text).map_err(|_| "a record that is no UTF-8")?;
            if let Some(record) = record(text.trim_end_matches('\n'))? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// A record lacks its end.
    pub fn finish(&self) -> Result<(), String> {
        if self.held.is_empty() {
            Ok(())
        } else {
            Err("the stream ends within a record".to_owned())
        }
    }
}

fn record(text: &str) -> Result<Option<Record>, String> {
    let mut event = None;
    let mut data = None;
    for line in text.split('\n') {
        let slot = if line.starts_with(':') {
            continue;
        } else if line.starts_with("event: ") {
            &mut event
        } else if line.starts_with("data: ") {
            &mut data
        } else {
            let start: String = line.chars().take(SHOWN_CHARS).collect();
            return Err(format!("a line that is neither event nor data: {start:?}"));
        };
        let value = line.split_once(": ").map(|(_, value)| value.to_owned());
        if core::mem::replace(slot, value).is_some() {
            return Err("a record with a line of each kind twice".to_owned());
        }
    }
    match (event, data) {
        (event, Some(data)) => Ok(Some(Record { event, data })),
        (None, None) => Ok(None),
        (Some(event), None) => Err(format!("event {event:?} without data")),
    }
}

/// Bytes of one record, and of what came with it.
const HELD_BYTES_MAX: usize = 1024 * 1024;
/// Of a line that is not understood.
const SHOWN_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::{Reader, Record};

    #[test]
    fn reader_any_split_gives_the_same_records() {
        let text = ": hello\n\nevent: a\ndata: {\"é\":1}\n\ndata: [DONE]\n\n";
        for at in 0..=text.len() {
            let mut reader = Reader::default();
            let mut records = Vec::new();
            for part in [&text.as_bytes()[..at], &text.as_bytes()[at..]] {
                reader.push(part).unwrap();
                while let Some(record) = reader.take().unwrap() {
                    records.push(record);
                }
            }
            reader.finish().unwrap();
            let expected = [
                Record {
                    event: Some("a".to_owned()),
                    data: "{\"é\":1}".to_owned(),
                },
                Record {
                    event: None,
                    data: "[DONE]".to_owned(),
                },
            ];
            assert_eq!(records, expected, "cut at {at}");
        }
    }

    #[test]
    fn reader_of_odd_lines_says_what_is_odd() {
        for (text, fault) in [
            ("id: 7\n\n", "neither event nor data"),
            ("data: a\r\n\r\n\n\n", "neither event nor data"),
            ("data: a\ndata: b\n\n", "twice"),
            ("event: a\n\n", "without data"),
        ] {
            let mut reader = Reader::default();
            reader.push(text.as_bytes()).unwrap();
            let found = reader.take().unwrap_err();
            assert!(found.contains(fault), "{text:?}: {found}");
        }
        let mut reader = Reader::default();
        reader.push(b"data: a\n").unwrap();
        assert_eq!(reader.take(), Ok(None));
        assert!(reader.finish().is_err());
    }
}
