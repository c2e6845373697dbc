//! What is counted, timed and logged; filled by the shell at fixed points.
//!
//! `exchange` is the record of one exchange, `gaps` a stream's inter-token latencies, `meter` a
//! worker's histograms of `values`, `log` the access line, `ring` the way out of a worker, `scrape` the text
//! that Prometheus reads. Nothing here knows a socket or a clock: times come in as numbers.

pub mod attempts;
pub mod counters;
pub mod ends;
pub mod exchange;
pub mod exposition;
pub mod gaps;
pub mod log;
pub mod losses;
pub mod meter;
pub mod reasons;
pub mod ring;
pub mod scrape;
pub mod scrape_store;
pub mod scrape_usage;
pub mod values;
