//! Requests of the OpenAI wire towards Claude models, by subject.

mod formats;
mod members;
mod messages;
mod parts;
mod shared;
mod thinking;
mod tools;
