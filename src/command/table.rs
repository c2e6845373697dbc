//! Tables for terminals: columns as wide as they have to be, texts to the left, numbers to the right.

use core::ops::Range;
use std::io::{self, Write};

/// Prints rows, the heading first. `numbers` are the columns that stand to the right.
///
/// # Errors
/// They cannot be printed.
pub fn write_table<R: AsRef<[String]>>(
    rows: &[R],
    numbers: &Range<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let width = |column| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.as_ref().iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match numbers.contains(&column) {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        let cells: Vec<String> = cells.collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
