//! Reading the documents: tables by their headings, names by their backticks.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const README: &str = include_str!("../../README.md");
pub(crate) const CONFIGURATION: &str = include_str!("../../docs/CONFIGURATION.md");
pub(crate) const ENDPOINTS: &str = include_str!("../../docs/ENDPOINTS.md");
pub(crate) const FAILURES: &str = include_str!("../../docs/FAILURES.md");
pub(crate) const LIMITS: &str = include_str!("../../docs/LIMITS.md");
pub(crate) const OPERATIONS: &str = include_str!("../../docs/OPERATIONS.md");
pub(crate) const RESIDENCY: &str = include_str!("../../docs/RESIDENCY.md");
pub(crate) const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
pub(crate) const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");

/// Rows of the first table below a heading, as cells.
pub(crate) fn rows<'t>(paper: &'t str, heading: &str) -> Vec<Vec<&'t str>> {
    let (_, below) = paper
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no heading {heading}"));
    let table: Vec<&str> = below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .collect();
    let cells = |line: &'t str| line.trim_matches('|').split(" | ").map(str::trim).collect();
    table.into_iter().skip(2).map(cells).collect()
}

/// What stands between backticks in a cell.
pub(crate) fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

pub(crate) fn code(cell: &str) -> &str {
    codes(cell).first().copied().unwrap_or(cell)
}

/// First cells of a table, each a name in backticks.
pub(crate) fn names<'t>(paper: &'t str, heading: &str) -> Vec<&'t str> {
    let rows = rows(paper, heading);
    assert!(!rows.is_empty(), "{heading}");
    rows.into_iter().map(|row| code(row[0])).collect()
}

pub(crate) fn sorted<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// Every file of a folder, from the repository's root.
pub(crate) fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every document of the repository that is held against the code, with its text.
pub(crate) fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["", "docs", "benches", "fuzz", "loadtest"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        found.extend(entries.map(|entry| entry.unwrap().path()));
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    let texts = found.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    });
    texts.collect()
}
