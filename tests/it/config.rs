//! The example configuration: it runs as it is, and names every setting that there is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ringway::config::load::file::load_text;
use ringway::limits::Limits;
use ringway::route::compile::plan::{Compiled, compile};
use ringway::wire::kind::Dialect;

const EXAMPLE: &str = include_str!("../../ringway.example.toml");

fn compiled(text: &str, folder: &Path) -> Compiled {
    let loaded = load_text(text, "example", folder, &|_| None);
    compile(loaded).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The example with every setting in force. Callers' keys go with no client keys, so there are
/// none of the first.
fn uncommented() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    let lines: Vec<&str> = lines.collect();
    lines
        .join("\n")
        .replace("key = \"caller\"", "key = \"none\"")
}

/// A folder with the files that the example names.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    for (name, label) in [
        ("cert.pem", "CERTIFICATE"),
        ("ca.pem", "CERTIFICATE"),
        ("key.pem", "PRIVATE KEY"),
    ] {
        let path = folder.path().join("tls").join(name);
        let text = format!("-----BEGIN {label}-----\nAA==\n-----END {label}-----\n");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let admin = folder.path().join("keys/admin");
    fs::create_dir(folder.path().join("keys")).unwrap();
    fs::write(&admin, "0123456789abcdef\n").unwrap();
    fs::set_permissions(&admin, fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

#[test]
fn example_as_it_ships_compiles_without_a_warning() {
    let compiled = compiled(EXAMPLE, Path::new(""));
    assert_eq!(compiled.warnings, [""; 0]);
    assert_eq!(compiled.plan.limits, Limits::default());
    assert_eq!(compiled.plan.providers.len(), 2);
}

#[test]
fn example_with_every_setting_in_force_compiles_to_the_defaults_it_claims() {
    let folder = folder();
    let plan = compiled(&uncommented(), folder.path()).plan;
    assert_eq!(plan.limits, Limits::default());
    assert_eq!(plan.providers.len(), 3);
    assert_eq!(plan.providers[2].dialect, Dialect::compatible());
    assert!(plan.server.tls.is_some());
    assert!(!plan.is_open());
}

#[test]
fn example_names_every_setting_that_is_known() {
    let mut named = BTreeSet::new();
    for line in uncommented().lines().filter(|line| !line.starts_with('#')) {
        let header = line
            .strip_prefix("[provider.")
            .and_then(|line| line.strip_suffix(']'));
        let member = line.split_once(" =").map(|(name, _)| name);
        named.extend(header.or(member).map(str::to_owned));
    }
    for section in [
        "[server]",
        "[limits]",
        "[[provider]]",
        "[[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"none\"\n[provider.dialect]",
        "[[model]]",
        "[[model]]\nid = \"m\"\n[[model.targets]]",
        "[[key]]",
        "[[tenant]]",
        "[prices.x]",
        "[budgets]",
        "[store]",
        "[model_facts.x]",
        "[usage]",
    ] {
        let text = format!("{section}\n\"?\" = 1\n[[provider]]\nname = \"b\"\nkind = \"openai\"");
        let loaded = load_text(&text, "x", Path::new(""), &|_| None);
        let faults = compile(loaded).unwrap_err().lines();
        let known = faults.iter().find_map(|line| line.split_once("known: "));
        let (_, known) = known.unwrap_or_else(|| panic!("{section}: {faults:?}"));
        for name in known.split(", ") {
            let named_inline = uncommented().contains(&format!(" {name} = "));
            // One of the sources of a key is enough to be checked; the others are prose.
            let is_prose = [
                "key_file",
                "key_env",
                "url_file",
                "url_env",
                "shared_file",
                "shared_env",
                "admin_key_env",
            ]
            .contains(&name);
            let is_there =
                named.contains(name) || named_inline || is_prose && EXAMPLE.contains(name);
            assert!(is_there, "{section}: {name}");
        }
    }
}
