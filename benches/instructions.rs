//! Instructions of every case of `cases`, counted by callgrind and held against a baseline.
//!
//! `cargo bench --no-default-features --bench instructions` fails when a case takes more or less
//! than [`TOLERANCE`] beyond its line in `benches/instructions.toml`: less is good news that the
//! baseline must learn of. `-- --bless` writes the baseline anew.
//!
//! Times vary with the machine and its load, instructions do not. What would make them vary is kept
//! out: one optimised build without features, the same environment, callgrind's own processor
//! (AVX2, whatever the host has beyond it), no hashing by random keys. What remains is the compiler:
//! the baseline says which one it is of, and another one is held to [`TOLERANCE_OTHER`] only.
//!
//! `-- tap/` counts the cases alone whose names start so.
//!
//! A case is run [`WARM_UPS`] times uncounted, so that what is counted is the steady state.
//!
//! Without `--bench`, as `cargo test --benches` calls it, each case runs once, and the baseline
//! must have a line for each.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that talks"
)]

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod cases;
mod growth;

use cases::case::Case;

/// Counts by case, in instructions per unit.
type Counts = BTreeMap<String, f64>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let only = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    let only = only.map_or("", String::as_str);
    let done = if has(COUNTED) {
        run_counted(only);
        Ok(())
    } else if has("--bench") {
        check(only, has("--bless"))
    } else {
        try_out()
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs each case once, and looks whether the baseline has the same cases.
fn try_out() -> Result<(), String> {
    let mut cases = cases::all();
    cases.extend(growth::cases(growth::SMALL));
    for case in &mut cases {
        (case.run)();
    }
    let names: Vec<&String> = cases.iter().map(|case| &case.name).collect();
    let (_, baseline) = read_baseline()?;
    let unknown = names.iter().find(|name| !baseline.contains_key(**name));
    let stale = baseline.keys().find(|name| !names.contains(name));
    match (unknown, stale) {
        (None, None) => Ok(()),
        (Some(name), _) => Err(format!("{BASELINE}: no line for {name}; {HOW_TO_BLESS}")),
        (None, Some(name)) => Err(format!("{BASELINE}: no case called {name}; {HOW_TO_BLESS}")),
    }
}

/// What runs under callgrind: everything below [`counted`] is counted, a part ends at each call.
fn run_counted(only: &str) {
    for mut case in cases_with(only) {
        // A cold start weighs nothing in what is large, and that takes long.
        let warm_ups = if case.bytes < LARGE { WARM_UPS } else { 0 };
        for _ in 0..warm_ups {
            (case.run)();
        }
        let times = runs_of(&case);
        counted(black_box(&mut *case.run), times);
    }
}

/// The cases whose names start with `only`.
fn cases_with(only: &str) -> Vec<Case> {
    let mut cases = cases::all();
    if only.is_empty() || only.starts_with("linear") {
        cases.extend(growth::cases(growth::LARGE));
    }
    cases.retain(|case| case.name.starts_with(only));
    cases
}

#[inline(never)]
fn counted(run: &mut dyn FnMut(), times: usize) {
    for _ in 0..times {
        run();
    }
}

/// Small cases run more often, so that the loop around them and a rare branch weigh little.
fn runs_of(case: &Case) -> usize {
    (BYTES_PER_CASE / case.bytes).clamp(1, RUNS_MAX)
}

fn check(only: &str, bless: bool) -> Result<(), String> {
    if cfg!(debug_assertions) || cfg!(feature = "server") {
        return Err(format!(
            "instructions are counted of one build only: {HOW_TO_RUN}"
        ));
    }
    let counts = count(only)?;
    growth::check(&counts)?;
    let compiler = compiler()?;
    if bless && only.is_empty() {
        return write_baseline(&compiler, &counts);
    }
    let (of, mut baseline) = read_baseline()?;
    baseline.retain(|name, _| name.starts_with(only));
    let same = of == compiler;
    let tolerance = if same { TOLERANCE } else { TOLERANCE_OTHER };
    if !same {
        println!(
            "the baseline is of {of}, this is {compiler}: held to {:.0} % instead of {:.0} %",
            100.0 * TOLERANCE_OTHER,
            100.0 * TOLERANCE
        );
    }
    let moved = table(&baseline, &counts, tolerance);
    if moved == 0 {
        return Ok(());
    }
    Err(format!(
        "{moved} cases moved by more than {:.0} %. Slower: mend it, or say in the commit what it \
         buys. Faster: good. Either way {HOW_TO_BLESS}",
        100.0 * tolerance
    ))
}

/// Prints both counts of each case; tells how many moved beyond `tolerance`.
fn table(baseline: &Counts, counts: &Counts, tolerance: f64) -> usize {
    let mut moved = 0;
    println!(
        "{:<44} {:>14} {:>14}",
        "instructions per unit", "baseline", "now"
    );
    for (name, &now) in counts {
        let Some(&before) = baseline.get(name) else {
            moved += 1;
            println!("{name:<44} {:>14} {now:>14.1}  new", "");
            continue;
        };
        let change = now / before - 1.0;
        let is_moved = change.abs() > tolerance;
        moved += usize::from(is_moved);
        let mark = if is_moved { "  <-- moved" } else { "" };
        println!(
            "{name:<44} {before:>14.1} {now:>14.1} {:>+7.1} %{mark}",
            100.0 * change
        );
    }
    let gone = baseline.keys().filter(|name| !counts.contains_key(*name));
    for name in gone {
        moved += 1;
        println!("{name:<44} is no case any more");
    }
    moved
}

/// Counts every case in one run of this program under callgrind.
fn count(only: &str) -> Result<Counts, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("callgrind.out");
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--combine-dumps=yes", "--quiet"])
        .args([
            "--toggle-collect=instructions::counted",
            "--dump-before=instructions::counted",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([COUNTED, only])
        .env_clear()
        .envs(ENVIRONMENT)
        .output()
        .map_err(|error| format!("valgrind: {error}; it installs by: apt-get install valgrind"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind: {}\n{said}", output.status));
    }
    let text = fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let totals = totals(&text);
    let cases = cases_with(only);
    if totals.len() != cases.len() {
        return Err(format!("{} counts of {} cases", totals.len(), cases.len()));
    }
    let per_unit = |(case, total): (&Case, u64)| {
        let units = case.units * runs_of(case);
        (case.name.clone(), total as f64 / units as f64)
    };
    Ok(cases.iter().zip(totals).map(per_unit).collect())
}

/// What callgrind's parts count. The first ends before anything was counted.
fn totals(text: &str) -> Vec<u64> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("totals:"));
    let counts = lines.filter_map(|count| count.trim().parse().ok());
    counts.filter(|&count| count > 0).collect()
}

/// The compiler in use, as it names itself.
fn compiler() -> Result<String, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.map_err(|error| format!("rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(BASELINE)
}

/// The compiler that the baseline is of, and its counts.
fn read_baseline() -> Result<(String, Counts), String> {
    let text = fs::read_to_string(baseline_path());
    let text = text.map_err(|error| format!("{BASELINE}: {error}; {HOW_TO_BLESS}"))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(" = "));
    let mut compiler = String::new();
    let mut counts = Counts::new();
    for (name, value) in pairs {
        match value.parse() {
            Ok(count) => drop(counts.insert(name.trim_matches('"').to_owned(), count)),
            Err(_) => compiler = value.trim_matches('"').to_owned(),
        }
    }
    Ok((compiler, counts))
}

fn write_baseline(compiler: &str, counts: &Counts) -> Result<(), String> {
    let mut text = format!(
        "# Instructions per unit of each case; written by `{HOW_TO_RUN} -- --bless`.\n\
         compiler = \"{compiler}\"\n\n[counts]\n"
    );
    for (name, count) in counts {
        let _ = writeln!(text, "\"{name}\" = {count:.1}");
    }
    fs::write(baseline_path(), text).map_err(|error| format!("{BASELINE}: {error}"))?;
    println!("{BASELINE}: {} cases", counts.len());
    Ok(())
}

/// All that the counted program sees: what stands here moves its stack, and by that a percent of
/// some counts. Without `rep movsb`, which callgrind counts byte by byte.
const ENVIRONMENT: [(&str, &str); 2] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS"),
];

const BASELINE: &str = "benches/instructions.toml";
const COUNTED: &str = "--counted";
const HOW_TO_RUN: &str = "cargo bench --no-default-features --bench instructions";
const HOW_TO_BLESS: &str =
    "renew it: cargo bench --no-default-features --bench instructions -- --bless";
/// How far a count may be off.
const TOLERANCE: f64 = 0.03;
/// The same where the baseline is another compiler's.
const TOLERANCE_OTHER: f64 = 0.2;
/// Uncounted runs of a case: buffers have grown, templates are learnt, searches prepared.
const WARM_UPS: usize = 2;
/// About as much input is counted of each case.
const BYTES_PER_CASE: usize = 200_000;
const RUNS_MAX: usize = 200;
/// From so many bytes on a case is not warmed up.
const LARGE: usize = 1_000_000;
