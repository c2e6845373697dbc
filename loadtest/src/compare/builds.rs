//! Finds the programs that are compared, and builds those of this repository that are not there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// A program of this repository.
pub struct Build {
    /// Its file.
    pub program: PathBuf,
    /// What should be known of it.
    pub note: Option<String>,
}

/// The gateway's program: the one that was named, or the one beside this program.
///
/// # Errors
/// No program and no way to build one.
pub fn ringway(named: Option<&Path>) -> io::Result<Build> {
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(Build {
                program: path.to_owned(),
                note: None,
            }),
            false => Err(invalid(format!(
                "--ringway {}: no such file",
                path.display()
            ))),
        };
    }
    let beside = beside("ringway")?;
    let root = repository();
    if !beside.is_file() {
        let cure = format!(
            "no {}: run `cargo build --release` first, or name it with --ringway",
            beside.display()
        );
        let root = root.ok_or_else(|| io::Error::other(cure.clone()))?;
        build(&root.join("Cargo.toml"), &["-p", "ringway"])?;
        if !beside.is_file() {
            return Err(io::Error::other(cure));
        }
        return Ok(Build {
            program: beside,
            note: None,
        });
    }
    let note = root
        .filter(|root| is_older(&beside, &root.join("src")))
        .map(|_| {
            "ringway is older than its source: `cargo build --release` brings it up to date"
                .to_owned()
        });
    Ok(Build {
        program: beside,
        note,
    })
}

/// The proxy on monoio-http's own codecs, a package outside the workspace.
///
/// # Errors
/// Why it is not there, with the line that builds it.
pub fn monoio_http() -> io::Result<PathBuf> {
    let line = "cargo build --release --manifest-path loadtest/monoio-http/Cargo.toml";
    let cure = |fault: &dyn std::fmt::Display| io::Error::other(format!("{fault}; {line}"));
    let root = repository().ok_or_else(|| cure(&"not built"))?;
    let folder = root.join("loadtest/monoio-http");
    let program = folder.join("target/release/ringway-monoio-http");
    if !program.is_file() {
        build(&folder.join("Cargo.toml"), &[]).map_err(|fault| cure(&fault))?;
    }
    match program.is_file() {
        true => Ok(program),
        false => Err(cure(&"not built")),
    }
}

/// A program in the folder of this one.
///
/// # Errors
/// This program's own place is not known.
pub fn beside(name: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(&own);
    // Test programs stand one folder below the others.
    let folder = match folder.ends_with("deps") {
        true => folder.parent().unwrap_or(folder),
        false => folder,
    };
    Ok(folder.join(name))
}

/// The repository that this program was built in, if it still stands there.
fn repository() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let is_root = |folder: &&Path| folder.join("loadtest/Cargo.toml").is_file();
    own.ancestors().find(is_root).map(Path::to_owned)
}

fn build(manifest: &Path, args: &[&str]) -> io::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    eprintln!(
        "building {} once; this time does not count",
        manifest.display()
    );
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--quiet", "--manifest-path"])
        .arg(manifest)
        .args(args);
    let status = command.status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("cargo build ended with {status}"))),
    }
}

/// Whether any file below a folder was changed after `program` was made.
fn is_older(program: &Path, folder: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let Some(made) = changed(program) else {
        return false;
    };
    newest(folder, 0).is_some_and(|newest| newest > made)
}

fn newest(folder: &Path, depth: usize) -> Option<SystemTime> {
    if depth > DEPTH_MAX {
        return None;
    }
    let entries = fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| match entry.file_type().ok()?.is_dir() {
        true => newest(&entry.path(), depth + 1),
        false => entry.metadata().ok()?.modified().ok(),
    });
    times.max()
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Folders within folders of the source.
const DEPTH_MAX: usize = 8;
