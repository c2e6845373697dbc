//! Event streams by the letter of the HTML standard, line by line over the whole stream.

/// What a stream consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A record that its blank line has ended.
    Frame { event: Vec<u8>, data: Vec<u8> },
    /// A comment.
    Comment,
    /// A record that nothing has ended.
    Rest { event: Vec<u8>, data: Vec<u8> },
}

/// All items of a stream.
pub fn items(stream: &[u8]) -> Vec<Item> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut items = Vec::new();
    let (mut event, mut data): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
    let (lines, last) = lines(stream);
    for (at, line) in lines.iter().chain([&last]).enumerate() {
        let unfinished = at == lines.len();
        match line.iter().position(|&b| b == b':') {
            _ if line.is_empty() && unfinished => {}
            None if line.is_empty() => {
                let event = std::mem::take(&mut event);
                items.extend(data.take().map(|data| Item::Frame { event, data }));
            }
            Some(0) if unfinished => {}
            Some(0) => items.push(Item::Comment),
            colon => {
                let (name, value) = line.split_at(colon.unwrap_or(line.len()));
                let value = value.strip_prefix(b":").unwrap_or(value);
                let value = value.strip_prefix(b" ").unwrap_or(value);
                match name {
                    b"event" => event = value.to_vec(),
                    b"data" => match &mut data {
                        Some(data) => {
                            data.push(b'\n');
                            data.extend_from_slice(value);
                        }
                        None => data = Some(value.to_vec()),
                    },
                    _ => {}
                }
            }
        }
    }
    items.extend(data.map(|data| Item::Rest { event, data }));
    items
}

/// The lines of a stream without their ends, and what follows the last end.
fn lines(mut rest: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    while let Some(end) = rest.iter().position(|b| b"\r\n".contains(b)) {
        lines.push(&rest[..end]);
        let len = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + len..];
    }
    (lines, rest)
}

/// The data of all records, and of the unfinished one if `clean`.
pub fn data(stream: &[u8], clean: bool) -> Vec<Vec<u8>> {
    let data = items(stream).into_iter().filter_map(|item| match item {
        Item::Frame { data, .. } => Some(data),
        Item::Rest { data, .. } => clean.then_some(data),
        Item::Comment => None,
    });
    data.collect()
}
