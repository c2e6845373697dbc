//! ringway: an LLM gateway that streams between the OpenAI and Anthropic wires.
//!
//! Two halves in one crate. The **codecs** ([`json`], [`sse`], [`http1`], [`chat`], [`wire`],
//! [`translate`], with [`provider`], [`config`] and [`route`] on top) are pure functions and small
//! state machines over bytes: no runtime, no clock, no randomness. The **shell** (`telemetry`,
//! `net`, `proxy`, `server`, behind the feature `server`) is threads, sockets, TLS, timers and
//! pools. `ARCHITECTURE.md` is the map.
//!
//! # The codecs as a library
//!
//! Depend on the crate with `default-features = false`: no runtime, TLS or socket crate comes
//! along. Every bound is an argument ([`limits::Limits`] has the defaults), input may be cut at any
//! place, and nothing that a peer sends panics.
//!
//! ## Frames out of an event stream
//!
//! [`sse::decode::SseDecoder`] lends out frames that borrow from the input; only a record that
//! straddles two inputs is copied.
//!
//! ```
//! use ringway::sse::decode::{SseDecoder, SseItem};
//!
//! # fn main() -> Result<(), ringway::sse::decode::FrameTooLong> {
//! let mut decoder = SseDecoder::new(1024 * 1024);
//! let mut seen = Vec::new();
//! for input in [&b"event: greeting\ndata: hel"[..], b"lo\n\n: still here\n\ndata: bye\r\n\r\n"] {
//!     let mut frames = decoder.push(input);
//!     while let Some(item) = frames.next() {
//!         match item? {
//!             SseItem::Frame(frame) => seen.push((frame.event.to_vec(), frame.data.to_vec())),
//!             SseItem::Comment => {} // The other side lives.
//!         }
//!     }
//! }
//! let expected = [(b"greeting".to_vec(), b"hello".to_vec()), (Vec::new(), b"bye".to_vec())];
//! assert_eq!(seen, expected);
//! # Ok(())
//! # }
//! ```
//!
//! ## Another model in a request, every other byte as it was
//!
//! [`wire::peek::body::peek`] checks the whole body and remembers where the members lie that routing
//! needs; [`wire::peek::edits::edits_for`] replaces and removes by those spans. Blanks, digits,
//! escapes and the order of members survive.
//!
//! ```
//! use ringway::limits::Limits;
//! use ringway::wire::kind::Wire;
//! use ringway::wire::peek::body::peek;
//! use ringway::wire::peek::edits::{Overrides, edits_for};
//!
//! let body = br#"{ "mod\u0065l":"fast", "seed":1.50,
//!     "messages":[{"role":"user","content":"\u00e9"}]}"#;
//! let found = peek(body, Wire::OpenAiChat, &Limits::default()).expect("a request of the wire");
//! assert_eq!(found.model(body).decode(), "fast");
//! assert!(!found.stream());
//!
//! let overrides = Overrides { model: Some("gpt-5-mini"), inject_usage: false };
//! let mut out = Vec::new();
//! edits_for(&found, &overrides).apply(body, &mut out);
//! let expected = br#"{ "mod\u0065l":"gpt-5-mini", "seed":1.50,
//!     "messages":[{"role":"user","content":"\u00e9"}]}"#;
//! assert_eq!(out, expected);
//! ```
//!
//! ## A request of one wire as a request of the other
//!
//! [`translate::request::translate`] also says what the other wire cannot say, and what the
//! answer's translation has to know.
//!
//! ```
//! use ringway::json::tape::Tape;
//! use ringway::limits::Limits;
//! use ringway::translate::models::ModelTable;
//! use ringway::translate::request::translate;
//! use ringway::translate::request_context::{Hints, RequestContext};
//! use ringway::wire::kind::{Dialect, Wire};
//!
//! let (table, dialect, limits) = (ModelTable::builtin(), Dialect::default(), Limits::default());
//! let model = "claude-haiku-4-5";
//! let context = RequestContext {
//!     from: Wire::OpenAiChat,
//!     to: Wire::AnthropicMessages,
//!     dialect: &dialect,
//!     model,
//!     facts: table.facts(model),
//!     hints: Hints::default(),
//!     limits: &limits,
//!     created: 1_700_000_000,
//!     seed: 7,
//! };
//! let body = br#"{"model":"fast","max_tokens":64,"seed":1,"messages":[
//!     {"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#;
//! let mut out = Vec::new();
//! let done = translate(body, &mut Tape::new(), &context, &mut out).expect("a good request");
//!
//! assert_eq!(done.notes.header(), "dropped=seed");
//! let text = String::from_utf8(out).expect("JSON is UTF-8");
//! assert!(text.contains(r#""system":[{"type":"text","text":"Be brief."}]"#), "{text}");
//! assert!(text.contains(r#""max_tokens":64"#), "{text}");
//! ```
//!
//! ## A stream of one wire as a stream of the other
//!
//! [`translate::stream::StreamTranslator`] writes one event for each that comes, at once. An end is
//! written only for an end that came.
//!
//! ```
//! use ringway::chat::usage::{End, StopReason};
//! use ringway::translate::answer_context::AnswerContext;
//! use ringway::translate::stream::StreamTranslator;
//! use ringway::wire::kind::Wire;
//!
//! let upstream = concat!(
//!     r#"data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}"#,
//!     "\n\n",
//!     r#"data: {"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop"}]}"#,
//!     "\n\ndata: [DONE]\n\n",
//! );
//! let (from, to) = (Wire::OpenAiChat, Wire::AnthropicMessages);
//! let mut whole = StreamTranslator::new(from, to, AnswerContext::default(), 1024 * 1024);
//! let mut out = Vec::new();
//! for byte in upstream.bytes() {
//!     whole.push(&[byte], &mut out); // Any cut gives the same bytes.
//! }
//! assert_eq!(whole.finish(true, &mut out).end, End::Complete);
//! assert_eq!(whole.stop(), Some(StopReason::EndTurn));
//! let text = String::from_utf8(out).expect("JSON is UTF-8");
//! assert!(text.contains(r#""delta":{"type":"text_delta","text":"Hi"}"#), "{text}");
//! assert!(text.contains("event: message_stop\n"), "{text}");
//!
//! // The same stream, cut after its text: an error event, and no end.
//! let mut cut = StreamTranslator::new(from, to, AnswerContext::default(), 1024 * 1024);
//! let mut out = Vec::new();
//! cut.push(&upstream.as_bytes()[..90], &mut out);
//! assert_eq!(cut.finish(false, &mut out).end, End::Truncated);
//! let text = String::from_utf8(out).expect("JSON is UTF-8");
//! assert!(text.contains("event: error\n") && !text.contains("message_stop"), "{text}");
//! ```
//!
//! ## Watching a stream that passes as it is
//!
//! [`translate::tap::Tap`] only looks: the bytes themselves go on untouched. It knows first token,
//! deltas, usage, stop reason and how the stream ended, without decoding every frame.
//!
//! ```
//! use ringway::chat::usage::End;
//! use ringway::translate::tap::Tap;
//! use ringway::wire::kind::Wire;
//!
//! let mut tap = Tap::new(Wire::OpenAiChat, 1024 * 1024);
//! let first = tap.push(br#"data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}"#);
//! assert!(!first.content, "the event has not ended yet");
//! let second = tap.push(b"\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}\n\n");
//! assert!(second.content);
//! assert_eq!((second.deltas, second.events), (1, 2));
//! assert_eq!(tap.usage().input, Some(9));
//!
//! // No finish reason and no `[DONE]` came: this answer is not whole.
//! assert_eq!(tap.finish(true).end, End::Truncated);
//! ```

pub mod chat;
pub mod config;
pub mod govern;
pub mod http1;
pub mod json;
pub mod limits;
pub mod provider;
pub mod route;
pub mod sse;
pub mod translate;
pub mod wire;

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod command;
#[cfg(feature = "server")]
pub mod demo;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod proxy;
#[cfg(feature = "server")]
pub mod server;
#[cfg(all(feature = "server", any(test, feature = "sim")))]
pub mod sim;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
