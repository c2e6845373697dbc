//! HTTP/1.1 by a plain reading of its rules, line by line over the whole input: the twin that heads
//! and bodies are held against.

use std::net::Ipv6Addr;

use ringway::http1::body::BodyLimits;
use ringway::http1::framing::BodyFraming;
use ringway::http1::head::HeadLimits;
use ringway::http1::method::Method;

/// What an input comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading<T> {
    /// More must come.
    Open,
    /// No continuation makes it good.
    Bad,
    /// It is whole, and takes so many bytes.
    Whole(T, usize),
}

/// A head.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Method, target and version, or version, status and reason.
    pub start: [Vec<u8>; 3],
    /// Name and trimmed value.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// How the body ends.
    pub framing: BodyFraming,
    /// Whether the connection stays.
    pub keep_alive: bool,
    /// Whether `100 Continue` is awaited.
    pub expect_continue: bool,
}

/// Reads a request's head.
pub fn request(input: &[u8], limits: &HeadLimits) -> Reading<Head> {
    let start = if input.starts_with(b"\r\n") { 2 } else { 0 };
    read(input, start, limits, |line, fields| {
        let parts: Vec<&[u8]> = line.split(|&b| b == b' ').collect();
        let [method, target, version] = parts[..] else {
            return None;
        };
        let is_10 = is_10(version)?;
        let good = is_token(method) && method != b"CONNECT";
        if !good || target.len() > limits.target_bytes_max || !is_target(method, target) {
            return None;
        }
        let hosts = values(fields, b"host");
        if hosts.len() > 1 || (hosts.is_empty() && !is_10) || !hosts.iter().all(|it| is_host(it)) {
            return None;
        }
        let expects = values(fields, b"expect");
        if !expects
            .iter()
            .all(|it| it.eq_ignore_ascii_case(b"100-continue"))
        {
            return None;
        }
        let framing = declared(fields, is_10)?.unwrap_or(BodyFraming::None);
        Some(Head {
            start: [method, target, version].map(<[u8]>::to_vec),
            fields: fields.to_vec(),
            framing,
            keep_alive: keeps_alive(fields, is_10),
            expect_continue: !expects.is_empty() && !is_10 && !framing.is_empty(),
        })
    })
}

/// Reads the head of the answer to `method`.
pub fn response(input: &[u8], limits: &HeadLimits, method: Method) -> Reading<Head> {
    read(input, 0, limits, |line, fields| {
        let (version, rest) = line.split_at_checked(8)?;
        let is_10 = is_10(version)?;
        let (status, reason) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
        let code: u16 = std::str::from_utf8(status).ok()?.parse().ok()?;
        let reason_is_good = reason.is_empty() || (reason[0] == b' ' && is_value(reason));
        if status[0] == b'+' || !(100..600).contains(&code) || code == 101 || !reason_is_good {
            return None;
        }
        let declared = declared(fields, is_10)?;
        let silent = declared.is_none_or(BodyFraming::is_empty);
        let (framing, reusable) = match code {
            100..=199 if !silent => return None,
            100..=199 | 304 => (BodyFraming::None, true),
            204 => (BodyFraming::None, silent),
            _ if method == Method::Head => (BodyFraming::None, true),
            _ => (
                declared.unwrap_or(BodyFraming::UntilClose),
                declared.is_some(),
            ),
        };
        Some(Head {
            start: [version, status, reason].map(<[u8]>::to_vec),
            fields: fields.to_vec(),
            framing,
            keep_alive: reusable && keeps_alive(fields, is_10),
            expect_continue: false,
        })
    })
}

/// Reads a chunked body: its payload so far, or all of it.
pub fn chunked(input: &[u8], limits: &BodyLimits) -> (Vec<u8>, Reading<()>) {
    let mut payload = Vec::new();
    let mut overhead = 0;
    let mut at = 0;
    let max = usize::try_from(limits.bytes_max).unwrap_or(usize::MAX);
    let mut last = false;
    loop {
        let rest = &input[at..];
        let Some(len) = find(rest, b"\r\n") else {
            let open = if input.len() > max {
                Reading::Bad
            } else {
                Reading::Open
            };
            return (payload, open);
        };
        let line = &rest[..len];
        at += len + 2;
        if last {
            if line.is_empty() {
                let end = if at > max {
                    Reading::Bad
                } else {
                    Reading::Whole((), at)
                };
                return (payload, end);
            }
            let colon = line.iter().position(|&b| b == b':').unwrap_or(0);
            overhead += line.len() as u64 + 1;
            if !is_token(&line[..colon]) || !is_value(&line[colon..]) {
                return (payload, Reading::Bad);
            }
        }
        if !last {
            let digits = line.iter().position(|&b| b == b';').unwrap_or(line.len());
            let extension = &line[digits..];
            overhead += extension.len() as u64 + u64::from(!extension.is_empty());
            let text = String::from_utf8_lossy(&line[..digits]);
            let hex = (1..=16).contains(&digits) && text.bytes().all(|b| b.is_ascii_hexdigit());
            if !hex || extension.contains(&b'\t') || !is_value(extension) {
                return (payload, Reading::Bad);
            }
            let size = usize::try_from(u64::from_str_radix(&text, 16).unwrap()).unwrap();
            last = size == 0;
            if at > max || size > max - at || overhead > limits.overhead_bytes_max {
                return (payload, Reading::Bad);
            }
            if !last {
                let data = &input[at..input.len().min(at + size)];
                payload.extend_from_slice(data);
                let behind = &input[at + data.len()..];
                match behind {
                    _ if data.len() < size => return (payload, Reading::Open),
                    [] | [b'\r'] if input.len() <= max => return (payload, Reading::Open),
                    [b'\r', b'\n', ..] if at + size + 2 <= max => at += size + 2,
                    _ => return (payload, Reading::Bad),
                }
            }
        }
        if overhead > limits.overhead_bytes_max || at > max {
            return (payload, Reading::Bad);
        }
    }
}

type Fields = [(Vec<u8>, Vec<u8>)];

fn read(
    input: &[u8],
    start: usize,
    limits: &HeadLimits,
    judge: impl Fn(&[u8], &Fields) -> Option<Head>,
) -> Reading<Head> {
    let Some(len) = find(&input[start..], b"\r\n\r\n") else {
        return Reading::Open;
    };
    let end = start + len + 4;
    if end > limits.bytes_max {
        return Reading::Bad;
    }
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut rest = &input[start..end - 2];
    while let Some(len) = find(rest, b"\r\n") {
        lines.push(&rest[..len]);
        rest = &rest[len + 2..];
    }
    let Some((first, lines)) = lines.split_first() else {
        return Reading::Bad;
    };
    if lines.len() > limits.fields_max {
        return Reading::Bad;
    }
    let mut fields = Vec::new();
    for line in lines {
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            return Reading::Bad;
        };
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        let fits = name.len() <= limits.name_bytes_max && value.len() <= limits.value_bytes_max;
        if !fits || !is_token(name) || !is_value(value) {
            return Reading::Bad;
        }
        fields.push((name.to_vec(), value.to_vec()));
    }
    match judge(first, &fields) {
        Some(head) => Reading::Whole(head, end),
        None => Reading::Bad,
    }
}

/// The declared framing, if there is any; nothing where there is more than one reading.
fn declared(fields: &Fields, is_10: bool) -> Option<Option<BodyFraming>> {
    let (lengths, codings) = (
        values(fields, b"content-length"),
        values(fields, b"transfer-encoding"),
    );
    match (&lengths[..], &codings[..]) {
        ([], []) => Some(None),
        ([length], []) => {
            let text = std::str::from_utf8(length).ok()?;
            let number: u64 = text.parse().ok()?;
            (number.to_string() == text).then_some(Some(BodyFraming::Length(number)))
        }
        ([], [coding]) if !is_10 && coding.eq_ignore_ascii_case(b"chunked") => {
            Some(Some(BodyFraming::Chunked))
        }
        _ => None,
    }
}

fn keeps_alive(fields: &Fields, is_10: bool) -> bool {
    let connection = values(fields, b"connection");
    let options = connection
        .iter()
        .flat_map(|value| value.split(|&b| b == b','));
    let options: Vec<&[u8]> = options.map(trim).collect();
    let says = |word: &[u8]| {
        options
            .iter()
            .any(|option| option.eq_ignore_ascii_case(word))
    };
    !says(b"close") && (!is_10 || says(b"keep-alive"))
}

fn values<'f>(fields: &'f Fields, name: &[u8]) -> Vec<&'f [u8]> {
    let named = fields
        .iter()
        .filter(|(each, _)| each.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_slice()).collect()
}

fn is_10(version: &[u8]) -> Option<bool> {
    match version {
        b"HTTP/1.0" => Some(true),
        b"HTTP/1.1" => Some(false),
        _ => None,
    }
}

fn is_target(method: &[u8], target: &[u8]) -> bool {
    let clean = !target.is_empty() && target.iter().all(|b| b.is_ascii_graphic() && *b != b'#');
    let text = String::from_utf8_lossy(target);
    let scheme = ["http://", "https://"];
    let scheme = scheme
        .iter()
        .find(|it| text.to_ascii_lowercase().starts_with(**it));
    clean
        && (target[0] == b'/'
            || (text == "*" && method == b"OPTIONS")
            || scheme.is_some_and(|scheme| {
                let rest = &text[scheme.len()..];
                is_host(rest.split(['/', '?']).next().unwrap().as_bytes())
            }))
}

fn is_host(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let bracket = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (good, port) = match bracket {
        Some((literal, port)) => (is_literal(literal), port),
        None if text.starts_with('[') => return false,
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (is_name(&text[..end]), &text[end..])
        }
    };
    let port_is_good = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| {
            let number = digits.parse::<u16>();
            digits.is_empty()
                || (digits.len() <= 5
                    && number.is_ok()
                    && digits.bytes().all(|b| b.is_ascii_digit()))
        });
    good && port_is_good
}

fn is_literal(literal: &str) -> bool {
    match literal.strip_prefix(['v', 'V']) {
        Some(future) => future.split_once('.').is_some_and(|(version, address)| {
            let hex = !version.is_empty() && version.bytes().all(|b| b.is_ascii_hexdigit());
            hex && !address.is_empty()
                && !address.contains('%')
                && is_name(&address.replace(':', "x"))
        }),
        None => literal.parse::<Ipv6Addr>().is_ok(),
    }
}

fn is_name(name: &str) -> bool {
    let mut parts = name.split('%');
    let plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&b))
    };
    !name.is_empty()
        && parts.next().is_some_and(plain)
        && parts.all(|part| {
            let hex = part
                .get(..2)
                .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            hex && plain(&part[2..])
        })
}

fn is_token(text: &[u8]) -> bool {
    let good = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !text.is_empty() && text.iter().all(good)
}

fn is_value(text: &[u8]) -> bool {
    text.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7F))
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|b| !b" \t".contains(b))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| !b" \t".contains(b))
        .map_or(start, |at| at + 1);
    &text[start..end]
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
