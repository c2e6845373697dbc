//! Frames to bytes.
//!
//! Every frame leaves as `event: <name>` (if it has one), `data: <data>` and an empty line, with LF
//! line ends: the shape that both wires' clients read. No `id:` line is ever written, because
//! clients' readers break on it.

/// Appends a whole frame. Line ends inside `data` become further data lines; an event name is cut
/// at its first line end.
pub fn frame(out: &mut Vec<u8>, event: &[u8], data: &[u8]) {
    let name_end = memchr::memchr2(b'\r', b'\n', event).unwrap_or(event.len());
    if name_end > 0 {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.get(..name_end).unwrap_or_default());
        out.push(b'\n');
    }
    let mut rest = data;
    while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
        data_line(out, rest.get(..end).unwrap_or_default());
        let behind = rest.get(end..).unwrap_or_default();
        rest = behind
            .strip_prefix(b"\r\n")
            .or_else(|| behind.get(1..))
            .unwrap_or_default();
    }
    data_line(out, rest);
    out.push(b'\n');
}

/// Opens a frame whose data, without line ends, is appended by the caller; then [`close`].
pub fn open(out: &mut Vec<u8>, event: &str) {
    debug_assert!(!event.contains(['\r', '\n']));
    if !event.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
}

/// Ends the frame that [`open`] began.
pub fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n\n");
}

/// Appends a comment: a sign of life that clients skip. `text` holds no line end.
pub fn comment(out: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.contains(['\r', '\n']));
    out.extend_from_slice(b": ");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\n\n");
}

fn data_line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(line);
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
