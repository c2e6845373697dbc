//! Whole exchanges in a simulated world: clients, the gateway and providers, all determined by one seed.
//!
//! For tests and fuzzing: built with `cfg(test)` or the feature `sim`, never otherwise. What stands
//! above `net` runs as it is; `net::sim` is the world below it.
//!
//! [`run::run`] makes a script out of a seed, lets it happen, and says what was wrong: with an
//! answer, a record, a connection, a buffer. The same seed does the same again.
//!
//! | file | holds |
//! |---|---|
//! | `script` | what clients and providers do, and how often operations fail, by a seed |
//! | `plan` | the configurations that runs use |
//! | `rules` | the one whose keys have rules |
//! | `answers` | the providers' answers, with the exchange's token in every piece |
//! | `observations` | what clients and providers saw |
//! | `provider`, `client` | the simulated providers and clients |
//! | `judge` | checks of every exchange |
//! | `audit` | checks of limits, budgets and routing where keys have rules |
//! | `run` | one seed from beginning to end |
//! | `injected_failures` | a gateway on real sockets, of whose operations one after the other fails |

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
