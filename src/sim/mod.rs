//! Whole exchanges in a simulated world: clients, the gateway, providers, all out of one number.
//!
//! For tests and fuzzing: built with `cfg(test)` or the feature `sim`, never otherwise. What stands
//! above `net` runs as it is; `net::sim` is the world below it.
//!
//! [`run::run`] makes a script out of a seed, lets it happen, and says what was wrong: with an
//! answer, a record, a connection, a buffer. The same seed does the same again.
//!
//! | file | holds |
//! |---|---|
//! | `script` | what a seed asks of clients, providers and the weather |
//! | `plan` | the configuration that is run on |
//! | `rules` | the one on which keys have rules |
//! | `answers` | what providers say, with the exchange's token in every piece |
//! | `book` | what happened, as each side saw it |
//! | `provider`, `client` | the actors |
//! | `judge` | what must hold of all that |
//! | `audit` | what must hold where keys have rules |
//! | `run` | one seed from beginning to end |
//! | `strikes` | the nth failure on real sockets |

mod answers;
mod audit;
mod client;
#[cfg(test)]
mod injected_failures;
mod judge;
mod observations;
mod plan;
mod provider;
mod rules;
pub mod run;
mod script;
#[cfg(test)]
mod tests;
