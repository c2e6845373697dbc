//! Reports to files.

use std::fs;
use std::io;
use std::path::Path;

use crate::load::args::OutArgs;
use crate::report::data::Report;
use crate::report::page::page;

/// Whether the files that are asked for can be written: found out before the load, not hours later.
///
/// # Errors
/// A file that cannot be written, named.
pub fn check(out: &OutArgs) -> io::Result<()> {
    for path in out.json.iter().chain(&out.html) {
        let is_new = !path.exists();
        let opened = fs::OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|fault| {
            let text = format!("{}: {fault}", path.display());
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        if is_new {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Writes what was asked for.
///
/// # Errors
/// A file that cannot be written, named.
pub fn write(report: &Report, out: &OutArgs) -> io::Result<()> {
    let named = |path: &Path, text: String| {
        let written = fs::write(path, text);
        written.map_err(|fault| io::Error::other(format!("{}: {fault}", path.display())))
    };
    if let Some(path) = &out.json {
        named(path, serde_json::to_string_pretty(report)? + "\n")?;
    }
    if let Some(path) = &out.html {
        named(path, page(report))?;
    }
    Ok(())
}

/// The command that was typed.
#[must_use]
pub fn command() -> String {
    let mut words = std::env::args();
    let program = words.next().unwrap_or_default();
    let name = Path::new(&program)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let words: Vec<String> = name.into_iter().chain(words).collect();
    words.join(" ")
}
