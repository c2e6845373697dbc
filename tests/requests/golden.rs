//! Each fixture in its one translation, to the byte. `BLESS=1` rewrites; the diff is read as code.

use std::path::{Path, PathBuf};

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::Run;

#[test]
fn fixtures_of_each_wire_translate_to_their_goldens_in_every_other() {
    for from in Wire::ALL {
        for to in Wire::ALL.into_iter().filter(|to| *to != from) {
            check(from, to);
        }
    }
}

fn check(from: Wire, to: Wire) {
    let wire = from.name();
    let pair = format!("{wire}-to-{}", to.name());
    let mut count = 0;
    for fixture in fixtures(wire) {
        let body = std::fs::read_to_string(&fixture).unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        let model = json["model"].as_str().unwrap();
        let out = Run::between(from, to, model).ok(&body);
        // Notes on the first line, the body behind it.
        let mut found = out.notes.into_bytes();
        found.push(b'\n');
        found.extend(out.bytes);
        found.push(b'\n');
        let case = fixture.file_stem().unwrap().to_string_lossy().into_owned();
        let golden = root().join(format!("tests/golden/{pair}/requests/{case}"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, &found).unwrap();
        }
        let expected = std::fs::read(&golden)
            .unwrap_or_else(|e| panic!("{}: {e}: BLESS=1 writes it", golden.display()));
        assert_eq!(
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(&expected),
            "{case}"
        );
        count += 1;
    }
    assert!(count >= 5, "{count} fixtures of {wire}");
}

/// Fixtures of one wire, in order.
pub(crate) fn fixtures(wire: &str) -> Vec<PathBuf> {
    let folder = root().join(format!("tests/fixtures/{wire}/requests"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
