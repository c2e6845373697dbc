//! `ringway demo`: the main job with no key and no configuration, on this host alone.
//!
//! `run` starts `stub` (a provider of both wires, built in) and the gateway (`plan`), then takes
//! the four directions one after the other (`direction`): `client` sends, `reader` takes the
//! stream's records apart, `openai_check` and `anthropic_check` hold each of them against its wire
//! and gather what they mean (`meaning`), `show` prints it as it comes. `figures` and `cpu` give
//! the numbers of `table`; `lines` is what `--serve` prints.
//!
//! Promise: what is called right was read by readers of this folder alone; they share nothing
//! with the gateway's translators but the JSON grammar and the framing of HTTP.

pub mod anthropic_check;
pub mod client;
pub mod cpu;
pub mod direction;
pub mod figures;
pub mod lines;
pub mod meaning;
pub mod openai_check;
pub mod plan;
pub mod reader;
pub mod run;
pub mod show;
pub mod stub;
pub mod table;
