//! The text exposition format of Prometheus: heads, values, histograms.
//!
//! Not here: which metrics there are (see `scrape`).

use core::fmt::Write as _;

use crate::telemetry::values::Values;

/// What a histogram's values are counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds, printed as seconds.
    Time,
    /// Tokens.
    Tokens,
}

/// The series of a histogram under these labels.
pub fn histogram(out: &mut String, name: &str, labels: &str, values: &Values, unit: Unit) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (text, count) in values.up_to_edges() {
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{text}\"}} {count}");
    }
    let _ = writeln!(
        out,
        "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}",
        values.count()
    );
    if unit == Unit::Tokens {
        line(out, &format!("{name}_sum"), labels, values.sum());
    } else {
        let (whole, micros) = (values.sum() / 1_000_000, values.sum() % 1_000_000);
        let braces = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        let _ = writeln!(out, "{name}_sum{braces} {whole}.{micros:06}");
    }
    line(out, &format!("{name}_count"), labels, values.count());
}

/// What a histogram is.
pub fn histogram_head(out: &mut String, name: &str, help: &str) {
    head(out, name, "histogram", help);
}

/// What a metric is.
pub fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// One value.
pub fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let braces = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    };
    let _ = writeln!(out, "{name}{braces} {value}");
}

/// A label's value between its quotes.
pub fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
