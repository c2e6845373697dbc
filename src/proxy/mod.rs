//! The life of one exchange: from the client's first byte to the answer's last.
//!
//! | room | what it does | takes | gives |
//! |---|---|---|---|
//! | `serve` | keeps a client's connection, finds the endpoint of each request | a connection | a settled exchange |
//! | `passthrough` | forwards what no wire describes | an admitted request | an answer, byte for byte |
//! | `chat` | tries targets one after the other | a request's facts | a committed answer, or a refusal |
//! | `own` | answers without a provider | a request | a reply |
//! | `answer` | moves a provider's answer to the client | an answer's head | the answer's end |
//! | `upstream` | makes one attempt at one provider | prepared bytes | an answer's head |
//! | `admit` | lets a request in, or rejects it | a request's head | its key, its reservation |
//! | `client` | reads requests, writes heads and replies | bytes | a request as read |
//! | `shared` | holds what all of them use | | |
//!
//! A room imports only rooms below it in this table, each by the full path of one of its files; the
//! order is held by a test.

pub mod admit;
pub mod answer;
pub mod chat;
pub mod client;
pub mod own;
pub mod passthrough;
pub mod serve;
pub mod shared;
pub mod upstream;
