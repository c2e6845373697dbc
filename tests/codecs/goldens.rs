//! Every fixture in the other wire: the diff of a golden is reviewed as code.

use std::fs;
use std::path::{Path, PathBuf};

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::response;
use ringway::wire::kind::Wire;

use crate::support::{context, pairs, translate_between};

/// The fixtures of one kind, by name.
pub(crate) fn fixtures(wire: Wire, kind: &str) -> Vec<(String, String)> {
    let folder = root().join("fixtures").join(wire.name()).join(kind);
    let mut fixtures: Vec<(String, String)> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    fixtures.sort();
    assert!(fixtures.len() > 8, "{} has fixtures", folder.display());
    fixtures
}

pub(crate) fn fixture(wire: Wire, kind: &str, name: &str) -> String {
    fs::read_to_string(
        root()
            .join("fixtures")
            .join(wire.name())
            .join(kind)
            .join(name),
    )
    .unwrap()
}

pub(crate) const WIRES: [Wire; Wire::ALL.len()] = Wire::ALL;

#[test]
fn streams_of_every_fixture_match_their_goldens() {
    for wires in pairs() {
        for (name, body) in fixtures(wires.0, "streams") {
            let out = translate_between(wires, context(), &[body.as_bytes()], true);
            check(wires, "streams", &name, out.text());
        }
    }
}

#[test]
fn answers_of_every_fixture_match_their_goldens() {
    for wires in pairs() {
        for (name, body) in fixtures(wires.0, "answers") {
            let mut out = Vec::new();
            let (mut tape, limits) = (Tape::new(), Limits::default());
            response::translate(
                wires,
                body.as_bytes(),
                &context(),
                &mut tape,
                &limits,
                &mut out,
            )
            .unwrap();
            let pretty: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let pretty = serde_json::to_string_pretty(&pretty).unwrap();
            check(wires, "answers", &name, &format!("{pretty}\n"));
        }
    }
}

#[test]
fn goldens_belong_to_a_fixture_each() {
    for wires in pairs() {
        for kind in ["streams", "answers"] {
            let known: Vec<String> = fixtures(wires.0, kind)
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            for entry in fs::read_dir(golden_folder(wires, kind)).unwrap() {
                let name = entry.unwrap().file_name().to_string_lossy().into_owned();
                assert!(known.contains(&name), "{name} has no fixture");
            }
        }
    }
}

fn check(wires: (Wire, Wire), kind: &str, name: &str, actual: &str) {
    let path = golden_folder(wires, kind).join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, golden, "{} (BLESS=1 rewrites it)", path.display());
}

fn golden_folder((from, to): (Wire, Wire), kind: &str) -> PathBuf {
    let pair = format!("{}-to-{}", from.name(), to.name());
    root().join("golden").join(pair).join(kind)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}
