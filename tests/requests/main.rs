//! Requests from one wire to the other: tables of verdicts, goldens, recorded bodies, and what a
//! body may do to us. Needs only the codecs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test that cannot read its own case has failed; tables are long"
)]

mod anthropic_to_openai;
mod counting;
mod documented;
mod duplicates;
mod errors;
mod escaped;
mod golden;
mod headers;
mod misplaced;
mod nested;
mod openai_to_anthropic;
mod properties;
mod reasoning;
mod recorded;
mod seldom;
mod strict;
mod support;
