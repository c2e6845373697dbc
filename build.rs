//! Tells the program what it was built from: commit, drivers, crypto provider.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let drivers = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => "uring, epoll",
        _ => "kqueue",
    };
    let crypto = match env::var_os("CARGO_FEATURE_AWS_LC_RS") {
        Some(_) => "aws-lc-rs",
        None => "ring",
    };
    println!(
        "cargo::rustc-env=RINGWAY_BUILD=(commit {commit}; drivers: {drivers}; crypto: {crypto})"
    );
}

/// What git says, where there is a git and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let said = said.trim();
    (output.status.success() && !said.is_empty()).then(|| said.to_owned())
}
