//! A provider that is none: both wires, scripted by the model's name, on a loopback port.
//!
//! `server` accepts and keeps a thread per connection, `connection` reads requests and writes
//! answers, `answer` decides what is answered, `asked` reads requests as strictly as the providers
//! do, `model` says what each name does, `script` what is told, `schema` makes values that fit a
//! schema, `openai` and `anthropic` put it on their wire, `fault` is what errors look like.
//!
//! | model | answer |
//! |---|---|
//! | `stub-text` | a text |
//! | `stub-thinking` | thinking, then a text |
//! | `stub-tools` | calls up to two of the declared tools; once it has their results, a text |
//! | `stub-all` | thinking, a text and tool calls in one answer |
//! | `stub-echo` | the last user text |
//! | `stub-refusal` | a refusal as of a safety system |
//! | `stub-slow` | `stub-text` at four tokens a second, the first after one second |
//! | `stub-error-429` | that status, with the error body of the wire; any of 400 to 599 |
//! | `stub-error-start` | 200, then a stream that opens with an error |
//! | `stub-error-mid` | 200, some tokens, then an error within the stream |
//! | `stub-break` | the connection is cut in the middle of an event |
//! | `stub-end` | the body ends cleanly, but without the wire's end marker |
//! | `stub-silent` | a head, then nothing |
//! | `stub-reset` | the connection is closed before any head |
//!
//! `-fast` behind a name: no pauses; `-slow`: long ones. Asked for a JSON schema, the texts are a
//! JSON value that fits it. `max_tokens` cuts an answer short.
//!
//! It answers `POST /v1/chat/completions`, `POST /v1/messages`, `POST /v1/messages/count_tokens`,
//! `GET /v1/models` and `GET /v1/models/{id}`, wants the key [`KEY`](crate::demo::stub::answer::KEY)
//! in the form of the wire, and refuses members that the providers refuse.
//!
//! Not here: anything of the gateway. It knows no provider from this one.

pub mod answer;
pub mod anthropic;
pub mod asked;
pub mod connection;
pub mod fault;
pub mod frame;
pub mod model;
pub mod openai;
pub mod schema;
pub mod script;
pub mod server;
pub mod shared;
