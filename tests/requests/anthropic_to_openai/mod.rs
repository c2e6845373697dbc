//! Requests of the Anthropic wire towards OpenAI models, by subject.

mod dialects;
mod members;
mod messages;
mod places;
mod shared;
mod thinking;
mod tools;
