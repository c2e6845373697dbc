//! Sections as text for a terminal.

use crate::load::figures::Percentiles;
use crate::report::data::{Row, Section, Told, spread};

/// A section as lines.
#[must_use]
pub fn text(section: &Section) -> String {
    let mut out = format!("\n{}\n", section.name);
    if !section.about.is_empty() {
        out += &format!("  {}\n", section.about);
    }
    out += &table(&section.columns, &section.rows);
    for note in &section.notes {
        out += &format!("  note: {note}\n");
    }
    for verdict in &section.verdicts {
        let word = if verdict.pass { "pass" } else { "MISS" };
        out += &format!("  {word}  {}\n", verdict.text);
    }
    out
}

/// Rows in columns: names to the left, figures to the right.
#[must_use]
pub fn table(columns: &[String], rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = columns.iter().map(|heading| width(heading)).collect();
    let names = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    for row in rows {
        for (width_max, cell) in widths.iter_mut().zip(&row.cells) {
            *width_max = (*width_max).max(width(cell));
        }
    }
    let mut out = String::new();
    let heading = Row {
        name: String::new(),
        cells: columns.to_vec(),
    };
    for row in [&heading].into_iter().chain(rows) {
        let mut line = format!("  {:<names$}", row.name);
        for (width, cell) in widths.iter().zip(&row.cells) {
            line += &format!("  {cell:>width$}");
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// Headings of the rows that [`row`] makes.
#[must_use]
pub fn columns(unit: &str, base: &str) -> Vec<String> {
    let heads = [
        format!("cpu us/{unit}"),
        format!("x {base}"),
        "spread".to_owned(),
        format!("{unit}s/s"),
        "latency ms p50".to_owned(),
        "p90".to_owned(),
        "p99".to_owned(),
        "p99.9".to_owned(),
        "max".to_owned(),
        "ttft p50".to_owned(),
        "p99".to_owned(),
        "relay us p50".to_owned(),
        "p99".to_owned(),
        "gap ms p99".to_owned(),
        "wrong".to_owned(),
    ];
    heads.into()
}

/// A target's figures as a row.
#[must_use]
pub fn row(told: &Told) -> Row {
    let (low, high) = spread(&told.ratios);
    let dash = || "–".to_owned();
    let milli = |percentiles: &Percentiles, value: u64| match percentiles.count {
        0 => dash(),
        _ => format!("{:.2}", value as f64 / 1e6),
    };
    let micro = |percentiles: &Percentiles, value: u64| match percentiles.count {
        0 => dash(),
        _ => format!("{:.0}", value as f64 / 1e3),
    };
    let (latency, ttft, relay, gap) = (&told.latency, &told.ttft, &told.relay, &told.gap);
    let spread = match told.ratios.is_empty() {
        true => dash(),
        false => format!("{low:.2}-{high:.2}"),
    };
    Row {
        name: told.name.clone(),
        cells: vec![
            told.cpu().map_or_else(dash, |cpu| format!("{cpu:.2}")),
            told.ratio()
                .map_or_else(dash, |ratio| format!("{ratio:.2}")),
            spread,
            format!("{:.0}", told.per_second),
            milli(latency, latency.p50),
            milli(latency, latency.p90),
            milli(latency, latency.p99),
            milli(latency, latency.p999),
            milli(latency, latency.max),
            milli(ttft, ttft.p50),
            milli(ttft, ttft.p99),
            micro(relay, relay.p50),
            micro(relay, relay.p99),
            milli(gap, gap.p99),
            told.wrong.to_string(),
        ],
    }
}

/// Leaves out the columns in which no row says anything.
pub fn drop_empty(section: &mut Section) {
    let said: Vec<bool> = (0..section.columns.len())
        .map(|at| {
            section
                .rows
                .iter()
                .any(|row| row.cells.get(at).is_some_and(|cell| cell != "–"))
        })
        .collect();
    let keep = |cells: &mut Vec<String>| {
        let mut said = said.iter();
        cells.retain(|_| said.next().copied().unwrap_or(true));
    };
    keep(&mut section.columns);
    for row in &mut section.rows {
        keep(&mut row.cells);
    }
}

#[cfg(test)]
mod tests {
    use super::{drop_empty, table, text};
    use crate::report::data::{Judged, Row, Section};

    fn section() -> Section {
        let row = |name: &str, cells: [&str; 2]| Row {
            name: name.to_owned(),
            cells: cells.map(str::to_owned).to_vec(),
        };
        Section {
            name: "whole".to_owned(),
            columns: vec!["cpu".to_owned(), "ttft".to_owned()],
            rows: vec![row("a", ["1.00", "–"]), row("longer", ["12.00", "–"])],
            verdicts: vec![Judged {
                text: "a: 1.00, to reach 0.85".to_owned(),
                pass: false,
            }],
            ..Section::default()
        }
    }

    #[test]
    fn rows_stand_in_columns() {
        let section = section();
        let text = table(&section.columns, &section.rows);
        let expected = "            cpu  ttft\n  a        1.00     –\n  longer  12.00     –\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn columns_without_figures_are_left_out_and_misses_stand_out() {
        let mut section = section();
        drop_empty(&mut section);
        assert_eq!(section.columns, ["cpu"]);
        let text = text(&section);
        assert!(
            !text.contains("ttft") && text.contains("MISS  a: 1.00"),
            "{text}"
        );
    }
}
