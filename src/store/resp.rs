//! The protocol of Redis, as far as it is spoken here: commands out, values in.

use core::fmt::Write as _;

use memchr::memmem;

/// A value that a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word, such as `OK`.
    Word(String),
    /// What could not be done, in words.
    Error(String),
    /// A number.
    Number(i64),
    /// A text; `None`: no value.
    Text(Option<Vec<u8>>),
    /// Several values.
    List(Vec<Self>),
}

/// What no server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Appends a command.
pub fn command(parts: &[&[u8]], out: &mut Vec<u8>) {
    let head = |mark: char, count: usize, out: &mut Vec<u8>| {
        let mut text = String::new();
        let _ = write!(text, "{mark}{count}\r\n");
        out.extend_from_slice(text.as_bytes());
    };
    head('*', parts.len(), out);
    for part in parts {
        head('$', part.len(), out);
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// The first value of `bytes` and its length; `None`: there is less than one. Lists hold at most
/// `values_max` values, and no lists.
///
/// # Errors
/// There is something else.
pub fn value(bytes: &[u8], values_max: usize) -> Result<Option<(Value, usize)>, Malformed> {
    read(bytes, values_max, true)
}

fn read(
    bytes: &[u8],
    values_max: usize,
    may_list: bool,
) -> Result<Option<(Value, usize)>, Malformed> {
    let Some(end) = memmem::find(bytes, b"\r\n") else {
        return Ok(None);
    };
    let (line, length) = (&bytes[..end], end + 2);
    let (mark, line) = line.split_first().ok_or(Malformed)?;
    let text = || String::from_utf8_lossy(line).into_owned();
    let number = || -> Result<i64, Malformed> {
        let digits = core::str::from_utf8(line).map_err(|_| Malformed)?;
        digits.parse().map_err(|_| Malformed)
    };
    let count = || -> Result<Option<usize>, Malformed> {
        match number()? {
            -1 => Ok(None),
            count => usize::try_from(count).map(Some).map_err(|_| Malformed),
        }
    };
    let value = match mark {
        b'+' => Value::Word(text()),
        b'-' => Value::Error(text()),
        b':' => Value::Number(number()?),
        b'$' => return text_value(bytes, length, count()?),
        b'*' if may_list => return list(bytes, length, count()?.ok_or(Malformed)?, values_max),
        _ => return Err(Malformed),
    };
    Ok(Some((value, length)))
}

fn text_value(
    bytes: &[u8],
    at: usize,
    count: Option<usize>,
) -> Result<Option<(Value, usize)>, Malformed> {
    let Some(count) = count else {
        return Ok(Some((Value::Text(None), at)));
    };
    let end = at.checked_add(count).ok_or(Malformed)?;
    let ends = end.checked_add(2).ok_or(Malformed)?;
    match (bytes.get(at..end), bytes.get(end..ends)) {
        (Some(text), Some(b"\r\n")) => Ok(Some((Value::Text(Some(text.to_vec())), ends))),
        (_, Some(_)) => Err(Malformed),
        (_, None) => Ok(None),
    }
}

fn list(
    bytes: &[u8],
    mut at: usize,
    count: usize,
    values_max: usize,
) -> Result<Option<(Value, usize)>, Malformed> {
    if count > values_max {
        return Err(Malformed);
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let Some((value, length)) = read(&bytes[at..], values_max, false)? else {
            return Ok(None);
        };
        values.push(value);
        at += length;
    }
    Ok(Some((Value::List(values), at)))
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Value, command, value};

    #[test]
    fn commands_are_lists_of_texts() {
        let mut out = Vec::new();
        command(&[b"EVALSHA", b"", b"a\r\nb"], &mut out);
        assert_eq!(out, b"*3\r\n$7\r\nEVALSHA\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
    }

    #[test]
    fn values_are_read_once_they_are_whole() {
        let cases = [
            (&b"+OK\r\n"[..], Value::Word("OK".to_owned())),
            (b"-ERR no\r\n", Value::Error("ERR no".to_owned())),
            (b":-12\r\n", Value::Number(-12)),
            (b"$-1\r\n", Value::Text(None)),
            (b"$4\r\na\r\nb\r\n", Value::Text(Some(b"a\r\nb".to_vec()))),
            (
                b"*2\r\n:1\r\n$1\r\na\r\n",
                Value::List(vec![Value::Number(1), Value::Text(Some(b"a".to_vec()))]),
            ),
        ];
        for (bytes, expected) in cases {
            for end in 0..bytes.len() {
                assert_eq!(value(&bytes[..end], 2), Ok(None), "{end} of {expected:?}");
            }
            let more = [bytes, b":5"].concat();
            assert_eq!(value(&more, 2), Ok(Some((expected, bytes.len()))));
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        for bytes in [
            &b"\r\n"[..],
            b"?\r\n",
            b":1x\r\n",
            b":99999999999999999999\r\n",
            b"$-2\r\n",
            b"$1\r\nabc\r\n",
            b"$9223372036854775807\r\nabc",
            b"*3\r\n",
            b"*-1\r\n",
            b"*1\r\n*0\r\n",
        ] {
            let read = value(bytes, 2);
            let waits = bytes.starts_with(b"$922");
            assert_eq!(
                read,
                if waits { Ok(None) } else { Err(Malformed) },
                "{bytes:?}"
            );
        }
    }
}
