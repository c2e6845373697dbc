//! `ringway check`: the routes of a configuration, or all that is wrong with it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process;

use crate::cli::{CheckArgs, Exit, ServeArgs};
use crate::command::prepare::read;
use crate::config::load::environment::Lookup;
use crate::config::load::file::Loaded;
use crate::config::schema::fault::Location;
use crate::config::schema::file::LogSink;
use crate::config::schema::store_url::StorePlace;
use crate::route::compile::plan::compile;
use crate::route::select::listing::listing;

/// Prints routes to `out`, faults and warnings to `errors`. Fails only where writing does.
pub fn run(
    args: &CheckArgs,
    (env, now_ms): (Lookup<'_>, u64),
    colour: bool,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let as_served = ServeArgs {
        config: args.config.clone(),
        ..ServeArgs::default()
    };
    let mut loaded = read(&as_served, env, now_ms);
    check_writable(&mut loaded);
    let compiled = match compile(loaded) {
        Ok(compiled) => compiled,
        Err(faults) => {
            for line in faults.lines() {
                writeln!(errors, "{line}")?;
            }
            for line in faults.warning_lines() {
                writeln!(errors, "warning: {line}")?;
            }
            return Ok(Exit::Refused);
        }
    };
    for line in &compiled.warnings {
        writeln!(errors, "warning: {line}")?;
    }
    write!(out, "{}", listing(&compiled.plan, colour))?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Tries each place that `serve` writes to: modes alone do not tell of read-only disks and access lists.
fn check_writable(loaded: &mut Loaded) {
    let Loaded {
        config,
        material,
        faults,
    } = loaded;
    let mut check = |place: &Location, path: &Path, tried: io::Result<()>| {
        if let Err(error) = tried {
            let text = format!(
                "{} cannot be written to by this user: {error}; make it writable, or check as the user \
                 that serves",
                path.display()
            );
            faults.push(place, text);
        }
    };
    if let (Some(given), Some(folder)) = (&config.usage.journal, &material.journal) {
        // It is made where it is missing, with the folders above it.
        let mut known = folder.ancestors().filter(|folder| folder.exists());
        check(
            &given.place,
            folder,
            probe(known.next().unwrap_or_else(|| Path::new(""))),
        );
    }
    if let LogSink::File(path) = &config.server.log {
        let tried = match path.exists() {
            true => OpenOptions::new().append(true).open(path).map(drop),
            false => probe(parent(path)),
        };
        check(&Location::outside("server.log"), path, tried);
    }
    if let (Some(given), Some(store)) = (&config.store, &material.store) {
        if let StorePlace::Sqlite(path) = &store.place {
            check(&given.place, path, probe(parent(path)));
        }
        check(
            &given.place,
            &store.snapshot,
            probe(parent(&store.snapshot)),
        );
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

/// Makes a file in a folder and removes it.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".ringway-check-{}", process::id()));
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)
}
