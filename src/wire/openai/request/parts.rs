//! Content parts of the OpenAI wire: text, images, files.

use std::borrow::Cow;

use crate::chat::rejection::Rejection;
use crate::chat::request::{Block, DocumentSource, Json, Request, Role, Source, TextRun};
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::base64;
use crate::wire::common::read::{self, FieldPath};

/// The blocks of `content`: a string is one text, as are bare strings in a row within an array; `null`
/// and an empty string are none. The model's own may hold thinking.
///
/// # Errors
/// A refusal where a part is of the wrong form or of a kind that has no word.
pub fn read<'t>(
    content: Option<Value<'t>>,
    role: Role,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<Vec<Block<'t>>, Rejection> {
    let Some(content) = content.filter(|content| !content.is_null()) else {
        return Ok(Vec::new());
    };
    match content.kind() {
        JsonKind::String => {
            let text = content.as_raw().filter(|text| !text.is_empty());
            Ok(text.map(Block::text).into_iter().collect())
        }
        JsonKind::Array => {
            let mut blocks = Vec::new();
            let mut strings = Vec::new();
            for (index, value) in content.elements().enumerate() {
                if let Some(text) = value.as_raw() {
                    strings.push(text);
                    continue;
                }
                blocks.extend(joined(&mut strings));
                blocks.push(part(value, role, &place.element(index), request)?);
            }
            blocks.extend(joined(&mut strings));
            Ok(blocks)
        }
        _ => Err(place.expected("a string or an array", content)),
    }
}

/// Bare strings as one block: a block for each would take ten times the memory of the string.
fn joined<'t>(strings: &mut Vec<Raw<'t>>) -> Option<Block<'t>> {
    let text = match strings.as_slice() {
        [] => return None,
        [text] => TextRun::Raw(*text),
        texts => TextRun::Joined(texts.to_vec()),
    };
    strings.clear();
    Some(Block::Text { text, cache: None })
}

fn part<'t>(
    value: Value<'t>,
    role: Role,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<Block<'t>, Rejection> {
    read::object(value, place)?;
    let kind = read::string_member(value, "type", place)?;
    strays(value, kind, request);
    let mut block = if kind.is("text") {
        Block::text(text(value, "text", place)?)
    } else if kind.is("refusal") {
        Block::text(text(value, "refusal", place)?)
    } else if kind.is("image_url") {
        image(value, place)?
    } else if kind.is("file") {
        file(value, place)?
    } else if role == Role::Assistant && (kind.is("thinking") || kind.is("reasoning")) {
        thinking(value)
    } else if role == Role::Assistant && kind.is("redacted_thinking") {
        let data = text(value, "data", place)?;
        Block::Redacted { data }
    } else if kind.is("input_audio") || kind.is("video_url") {
        return Err(place.refuse("this model takes no audio or video"));
    } else {
        let place = place.member("type");
        return Err(place.refuse("expected text, image_url or file"));
    };
    if let Some(slot) = block.cache_mut() {
        *slot = mark(value, place)?;
    }
    Ok(block)
}

/// Lists the members of a part that have no word. How closely a picture is looked at is the model's
/// own affair.
fn strays(part: Value<'_>, kind: Raw<'_>, request: &mut Request<'_>) {
    let name = read::decoded(kind);
    let known: &[&str] = match name.as_ref() {
        "text" | "refusal" => &[],
        "image_url" => &["url", "detail"],
        "file" => &["file_data", "file_id", "file_url", "filename", "mime_type"],
        _ => return,
    };
    read::strays(part, &[&PART, [name.as_ref()].as_slice()].concat(), request);
    if let Some(inner) = part.get_set(&name).filter(|_| !known.is_empty()) {
        read::strays(inner, known, request);
    }
}

/// Thinking within the content: a block of the Anthropic wire, or what other services call so,
/// which carries no signature.
fn thinking(value: Value<'_>) -> Block<'_> {
    let string = |name: &str| value.get_set(name).and_then(Value::as_raw);
    let text = string("thinking");
    Block::Thinking {
        signature: text.and_then(|_| string("signature")),
        text: TextRun::Raw(text.unwrap_or(Raw::EMPTY)),
    }
}

/// The part's text; none is as good as an empty one, which is left out later.
fn text<'t>(
    value: Value<'t>,
    name: &'static str,
    place: &FieldPath<'_>,
) -> Result<Raw<'t>, Rejection> {
    Ok(read::string_maybe(value, name, place)?.unwrap_or(Raw::EMPTY))
}

/// The cache mark of a part, a message or a tool: `cache_control` as it stands, or an explicit
/// breakpoint of the OpenAI wire.
///
/// # Errors
/// When the breakpoint has a member twice.
pub fn mark<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Option<Json<'t>>, Rejection> {
    if let Some(control) = value.get_set("cache_control") {
        return Ok(Some(Json::Borrowed(control.source())));
    }
    let Some(point) = value.get_set("prompt_cache_breakpoint") else {
        return Ok(None);
    };
    read::single(point, &place.member("prompt_cache_breakpoint"))?;
    let has = |name: &str, text: &str| point.get(name).is_some_and(|it| it.is_str(text));
    if !has("mode", "explicit") {
        return Ok(None);
    }
    let long = has("ttl", "12h");
    let mark: &[u8] = if long {
        br#"{"type":"ephemeral","ttl":"1h"}"#
    } else {
        br#"{"type":"ephemeral"}"#
    };
    Ok(Some(Json::Borrowed(mark)))
}

fn image<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Block<'t>, Rejection> {
    let place = place.member("image_url");
    let inner = value.get_set("image_url");
    let inner = inner.ok_or_else(|| place.refuse("expected an object, found nothing"))?;
    // Some clients put the address where the object belongs.
    let url = match inner.as_raw() {
        Some(url) => url,
        None => read::string_member(read::object(inner, &place)?, "url", &place)?,
    };
    let place = place.member("url");
    match data_url(url) {
        Some((head, data)) => data_block(&head, data, None, &place),
        None if is_http(url) => Ok(Block::Image {
            source: Source::Url(url),
            cache: None,
        }),
        None => Err(place.refuse("expected an http, https or data address")),
    }
}

fn file<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Block<'t>, Rejection> {
    let inner = read::object_member(value, "file", place)?;
    let place = place.member("file");
    let title = read::string_maybe(inner, "filename", &place)?;
    if let Some(data) = read::string_maybe(inner, "file_data", &place)? {
        let place = place.member("file_data");
        let named = read::string_maybe(inner, "mime_type", &place)?;
        return match data_url(data) {
            Some((head, data)) => data_block(&head, data, title, &place),
            None => {
                let media = named.map_or(Cow::Borrowed(PDF), read::decoded);
                let head = format!("{media};base64");
                data_block(&head, data, title, &place)
            }
        };
    }
    if let Some(url) = read::string_maybe(inner, "file_url", &place)? {
        if !is_http(url) {
            return Err(place
                .member("file_url")
                .refuse("expected an http or https address"));
        }
        return Ok(pdf(Source::Url(url), title));
    }
    let id = read::string_member(inner, "file_id", &place)?;
    if !id.bytes().starts_with(b"file_") {
        let place = place.member("file_id");
        return Err(place.refuse("the file is not known to the provider of this model"));
    }
    Ok(pdf(Source::File(id), title))
}

/// A document or image from a data URL's head (`image/png;base64`) and its text.
fn data_block<'t>(
    head: &str,
    data: Raw<'t>,
    title: Option<Raw<'t>>,
    place: &FieldPath<'_>,
) -> Result<Block<'t>, Rejection> {
    let mut words = head.split(';');
    let media = words.next().unwrap_or_default().trim().to_ascii_lowercase();
    if !words.any(|word| word.trim().eq_ignore_ascii_case("base64")) {
        return Err(place.refuse("expected base64 in the data address"));
    }
    if media == PDF {
        let media = Cow::Borrowed(PDF);
        return Ok(pdf(Source::Base64 { media, data }, title));
    }
    if media.starts_with("text/") {
        let text = base64::decode(&data.decode());
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| place.refuse("expected UTF-8 text in base64"))?;
        return Ok(Block::Document {
            source: DocumentSource::Text(TextRun::Plain(text)),
            title,
            cache: None,
        });
    }
    let known = IMAGES.iter().find(|(name, _)| *name == media);
    let (_, media) = known.ok_or_else(|| {
        place.refuse("expected image/jpeg, image/png, image/gif, image/webp or application/pdf")
    })?;
    Ok(Block::Image {
        source: Source::Base64 {
            media: Cow::Borrowed(*media),
            data,
        },
        cache: None,
    })
}

const fn pdf<'t>(source: Source<'t>, title: Option<Raw<'t>>) -> Block<'t> {
    Block::Document {
        source: DocumentSource::Pdf(source),
        title,
        cache: None,
    }
}

/// Head and text of a data URL; the text stays escaped.
fn data_url(url: Raw<'_>) -> Option<(String, Raw<'_>)> {
    let bytes = url.bytes();
    if !bytes.get(..5)?.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let comma = memchr::memchr(b',', bytes)?;
    let head = Raw::from_checked(bytes.get(5..comma)?).decode();
    Some((head, Raw::from_checked(bytes.get(comma + 1..)?)))
}

fn is_http(url: Raw<'_>) -> bool {
    // Escaped slashes (`http:\/\/`) are as good as plain ones.
    let start: Vec<u8> = url
        .bytes()
        .iter()
        .copied()
        .filter(|b| *b != b'\\')
        .take(8)
        .collect();
    let start = start.to_ascii_lowercase();
    start.starts_with(b"http://") || start.starts_with(b"https://")
}

/// Members of every part that have a word.
const PART: [&str; 3] = ["type", "cache_control", "prompt_cache_breakpoint"];
const PDF: &str = "application/pdf";
const IMAGES: [(&str, &str); 5] = [
    ("image/jpeg", "image/jpeg"),
    ("image/jpg", "image/jpeg"),
    ("image/png", "image/png"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
];
