//! Every corpus, every fixture and every finding through the properties of its target.

use std::fs;
use std::path::{Path, PathBuf};

use ringway_properties::recipe::MARK;
use ringway_properties::targets::{Check, TARGETS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a folder and of the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Runs `check` on `input`, and says which it was should it panic.
fn holds(check: Check, input: &[u8], name: &str) {
    let outcome = std::panic::catch_unwind(|| check(input));
    assert!(outcome.is_ok(), "the property does not hold for {name}");
}

#[test]
fn properties_hold_for_every_corpus_and_every_finding() {
    for (name, check) in TARGETS {
        let corpus = files(&root().join("fuzz/corpus").join(name));
        assert!(!corpus.is_empty(), "{name} has no corpus");
        let findings = files(&root().join("tests/fixtures/regression").join(name));
        for file in corpus.iter().chain(&findings) {
            holds(check, &fs::read(file).unwrap(), &file.display().to_string());
        }
    }
}

#[test]
fn properties_hold_for_every_fixture_of_both_wires() {
    let fixtures = files(&root().join("tests/fixtures"));
    assert!(fixtures.len() > 100);
    for file in fixtures {
        let input = fs::read(&file).unwrap();
        for (name, check) in TARGETS {
            holds(check, &input, &format!("{name}: {}", file.display()));
        }
    }
}

#[test]
fn properties_hold_for_recorded_exchanges() {
    let beside = root().join("../shared/recorded");
    let folder = std::env::var_os("RINGWAY_RECORDED").map_or(beside, PathBuf::from);
    let bodies = files(&folder);
    let bodies = bodies.iter().filter(|path| !path.ends_with("meta.json"));
    let bodies: Vec<_> = bodies
        .filter(|path| path.metadata().unwrap().len() < 1 << 16)
        .collect();
    if bodies.is_empty() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no recorded exchanges: set RINGWAY_RECORDED"
        );
        println!("not run: no recorded exchanges in {}", folder.display());
        return;
    }
    assert!(bodies.len() > 400);
    for (name, check) in TARGETS.iter().filter(|(name, _)| is_of_bodies(name)) {
        for file in &bodies {
            holds(
                *check,
                &fs::read(file).unwrap(),
                &format!("{name}: {}", file.display()),
            );
        }
    }
}

/// Whether a target reads JSON bodies or event streams.
fn is_of_bodies(name: &str) -> bool {
    ["json", "sse", "tap", "trans"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[test]
fn properties_hold_for_recipes() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let rounds = std::env::var("RECIPE_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let mut input = vec![MARK];
        input.extend((0..40 + round % 200).map(|_| byte()));
        for (name, check) in TARGETS {
            holds(
                check,
                &input,
                &format!("{name}: recipe {}", input.escape_ascii()),
            );
        }
    }
}

#[test]
fn every_target_has_a_short_file_and_a_place_in_the_manifest() {
    let fuzz = root().join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    // The gateway itself is run by one more, whose corpus is replayed beside the simulation.
    let targets = files(&fuzz.join("fuzz_targets"));
    assert_eq!(targets.len(), TARGETS.len() + 1);
    for (name, _) in TARGETS {
        let path = format!("fuzz_targets/{name}.rs");
        let text = fs::read_to_string(fuzz.join(&path)).unwrap();
        assert!(
            text.lines().count() <= 15 && text.contains("ringway_properties::"),
            "{path}"
        );
        assert!(manifest.contains(&format!("path = \"{path}\"")), "{path}");
    }
    let corpora = files(&fuzz.join("corpus"));
    let bytes: u64 = corpora
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(bytes < 1 << 20, "{bytes} bytes of corpora");
}
