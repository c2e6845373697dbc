//! What the architecture promises of every file: held here, so that it stays true.
//!
//! Read as text, on purpose: a rule that needs a parser is a rule that nobody can check by eye.
//! Which floor may import which stands in ARCHITECTURE.md and is held by `tests/docs/map.rs`; the
//! doors of outside crates stand there too and are held here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// A file of the repository.
struct File {
    /// From the repository's root.
    path: String,
    text: String,
}

impl File {
    /// The text without tests, comments and blank lines.
    fn code(&self) -> String {
        let text = match self.text.find("#[cfg(test)]\nmod tests") {
            Some(end) => &self.text[..end],
            None => &self.text,
        };
        let lines = text.lines().filter(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with("//")
        });
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below folders or at paths, by their endings.
fn files(places: &[&str], endings: &[&str]) -> Vec<File> {
    let mut paths = Vec::new();
    for place in places {
        collect(&root().join(place), &mut paths);
    }
    paths.sort();
    let named = paths.into_iter().filter_map(|path| {
        let ending = path.extension()?.to_str()?;
        endings.contains(&ending).then_some(path)
    });
    let files = named.map(|path| File {
        path: path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    });
    files.collect()
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        found.extend(path.is_file().then(|| path.to_owned()));
        return;
    }
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_others = name.starts_with(".venv");
        if !is_others && !matches!(name, "target" | "node_modules" | "corpus") {
            collect(&path, found);
        }
    }
}

/// The library's and the program's own files, those apart that are tests alone.
fn sources() -> Vec<File> {
    let all = files(&["src"], &["rs"]);
    let for_tests: Vec<String> = all.iter().flat_map(test_modules).collect();
    let is_test = |path: &str| {
        path.ends_with("tests.rs")
            || path.contains("/tests/")
            || for_tests.iter().any(|one| one == path)
    };
    let sources: Vec<File> = all
        .into_iter()
        .filter(|file| !is_test(&file.path))
        .collect();
    assert!(sources.len() > 100, "only {} sources", sources.len());
    sources
}

/// Paths of modules that a `mod.rs` declares for tests alone.
fn test_modules(file: &File) -> Vec<String> {
    let Some(folder) = file.path.strip_suffix("mod.rs") else {
        return Vec::new();
    };
    let declared = file.text.split("#[cfg(test)]\n").skip(1);
    let names = declared.filter_map(|rest| {
        let line = rest.lines().next()?;
        line.rsplit_once("mod ")?.1.strip_suffix(';')
    });
    names.map(|name| format!("{folder}{name}.rs")).collect()
}

/// Whether `code` names `word` as a whole word, or as the beginning of a path.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let ends = word.ends_with("::") || !after.is_some_and(is_part);
        !before.is_some_and(is_part) && ends
    })
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn mod_and_lib_files_hold_docs_and_mod_lines_alone() {
    for file in files(&["src"], &["rs"]) {
        let name = file.path.rsplit('/').next().unwrap();
        if !matches!(name, "mod.rs" | "lib.rs") {
            continue;
        }
        assert!(file.text.starts_with("//! "), "{}: no docs", file.path);
        for line in file.code().lines() {
            let is_mod = line.strip_suffix(';').is_some_and(|rest| {
                let rest = rest.strip_prefix("pub ").unwrap_or(rest);
                let rest = match rest.split_once(") ") {
                    Some((within, rest)) if within.starts_with("pub(") => rest,
                    _ => rest,
                };
                rest.starts_with("mod ")
            });
            assert!(is_mod || line.starts_with("#["), "{}: {line}", file.path);
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is() {
    for file in files(&["src", "tests", "benches", "loadtest"], &["rs"]) {
        let mut lines = file.text.lines();
        // Inner attributes of a whole file may stand before its docs.
        let first = lines.find(|line| line.starts_with("//! ") || !is_attribute_line(line));
        let told = first.is_some_and(|line| line.starts_with("//! "));
        // Tests beside their file say by their place what they are.
        assert!(
            told || file.path.ends_with("tests.rs"),
            "{}: {first:?}",
            file.path
        );
    }
}

fn is_attribute_line(line: &str) -> bool {
    line.starts_with("#![") || line.starts_with("    ") || line.starts_with(")]") || line.is_empty()
}

/// Imports of a file, as paths of files.
fn imports<'f>(file: &File, paths: &BTreeSet<&'f str>) -> Vec<&'f str> {
    let code = file.code();
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let statement = rest
            .split([';', '(', '<', '>', ' ', ')', ','])
            .next()
            .unwrap();
        let whole = rest.split(';').next().unwrap();
        // `crate::a::{b, c}` names several.
        let names: Vec<String> = match whole.split_once('{') {
            Some((stem, list)) if stem.ends_with("::") && !stem.contains([' ', '(']) => {
                let list = list.split('}').next().unwrap();
                list.split(',')
                    .map(|one| format!("{stem}{}", one.trim()))
                    .collect()
            }
            _ => vec![statement.trim().to_owned()],
        };
        for name in names {
            let parts: Vec<&str> = name.split("::").collect();
            // The longest beginning of the path that is a file.
            let longest = (1..=parts.len()).rev().find_map(|count| {
                let path = format!("src/{}.rs", parts[..count].join("/"));
                paths.get(path.as_str()).copied()
            });
            found.extend(longest);
        }
    }
    found
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let sources = sources();
    let paths: BTreeSet<&str> = sources.iter().map(|file| file.path.as_str()).collect();
    let mut graph: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in &sources {
        let mut targets = imports(file, &paths);
        targets.retain(|target| *target != file.path);
        targets.sort_unstable();
        targets.dedup();
        graph.insert(&file.path, targets);
    }
    let edges: usize = graph.values().map(Vec::len).sum();
    assert!(edges > 300, "only {edges} imports were found");
    // Files that import nothing of what is left go, and those that nothing left imports, until
    // none goes: circles are what stays.
    loop {
        let before = graph.len();
        let left: BTreeSet<&str> = graph.keys().copied().collect();
        let wanted: BTreeSet<&str> = graph.values().flatten().copied().collect();
        for targets in graph.values_mut() {
            targets.retain(|target| left.contains(target));
        }
        graph.retain(|path, targets| !targets.is_empty() && wanted.contains(path));
        if graph.len() == before {
            break;
        }
    }
    assert!(graph.is_empty(), "in a circle: {graph:#?}");
}

#[test]
fn each_outside_crate_has_one_door() {
    let (_, table) = ARCHITECTURE
        .split_once("\n| crate | named in |\n|---|---|\n")
        .unwrap();
    let table = table.split("\n\n").next().unwrap();
    let sources = sources();
    let mut doors = 0;
    for row in table.lines() {
        let (crates, places) = row.trim_matches('|').split_once(" | ").unwrap();
        let places: Vec<&str> = quoted(places).collect();
        for name in quoted(crates) {
            doors += 1;
            let name = name.replace('-', "_");
            let mut found = 0;
            for file in &sources {
                let code = file.code();
                let named =
                    names(&code, &format!("{name}::")) || code.contains(&format!("use {name};"));
                found += usize::from(named);
                let is_door = places.iter().any(|place| {
                    let folder = place.ends_with('/') && file.path.starts_with(place);
                    folder || file.path == *place
                });
                assert!(
                    is_door || !named,
                    "{} names {name}; its door is {places:?}",
                    file.path
                );
            }
            assert!(found > 0, "{name} is named nowhere");
        }
    }
    assert!(doors >= 14, "{doors} doors");
    for file in &sources {
        if !["src/net/", "src/server/", "src/main.rs", "src/demo/"]
            .iter()
            .any(|p| file.path.starts_with(p))
        {
            assert!(!names(&file.code(), "libc::"), "{} names libc", file.path);
        }
    }
}

/// Files that may hold `unsafe`, and for tests alone the last one.
const UNSAFE: [&str; 11] = [
    "src/json/simd/avx2.rs",
    "src/json/simd/neon.rs",
    "src/json/simd/sse2.rs",
    "src/net/runtime/recycled_future.rs",
    "src/net/connection/vectored_write.rs",
    "src/net/connection/socket.rs",
    "src/net/endpoint/inherited.rs",
    "src/net/runtime/task.rs",
    "src/server/thread/host.rs",
    "src/main.rs",
    "src/net/test_support.rs",
];

#[test]
fn unsafe_stands_in_listed_files_with_a_reason_and_a_proof_each() {
    for file in files(&["src"], &["rs"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        let is_unsafe = |line: &str| {
            let line = line.trim_start();
            !line.starts_with("//")
                && ["unsafe {", "unsafe fn", "unsafe impl"]
                    .iter()
                    .any(|word| line.contains(word))
        };
        let uses: Vec<usize> = (0..lines.len())
            .filter(|&at| is_unsafe(lines[at]))
            .collect();
        let expected =
            file.text.contains("unsafe_code,") || file.text.contains("expect(unsafe_code");
        assert_eq!(!uses.is_empty(), expected, "{}", file.path);
        if uses.is_empty() {
            continue;
        }
        assert!(
            UNSAFE.contains(&file.path.as_str()),
            "{} is not listed",
            file.path
        );
        for at in uses {
            let above = lines[at.saturating_sub(6)..at].join("\n");
            let told = above.contains("SAFETY:")
                || above.contains("# Safety")
                || lines[at].contains("unsafe impl");
            assert!(told, "{}:{}: no proof", file.path, at + 1);
        }
    }
    for path in UNSAFE {
        assert!(root().join(path).exists(), "{path} is gone");
        let is_named = ARCHITECTURE.contains(&format!("`{path}`"));
        assert!(
            is_named || path == "src/net/test_support.rs",
            "{path} is not in ARCHITECTURE.md"
        );
    }
}

/// Lines of code that a file may have before it asks to be split.
const LINES_MAX: usize = 500;

#[test]
fn files_are_short_and_so_are_lines() {
    for file in sources() {
        let count = file.code().lines().count();
        assert!(count <= LINES_MAX, "{}: {count} lines of code", file.path);
    }
    for file in files(&["src", "tests", "loadtest", "benches"], &["rs"]) {
        for (number, line) in file.text.lines().enumerate() {
            // What the formatter leaves alone: text between quotes.
            let is_data =
                line.contains('"') || line.trim_start().starts_with("//") || line.contains('{');
            let width = line.chars().count();
            assert!(
                width <= 110 || is_data,
                "{}:{}: {width} wide",
                file.path,
                number + 1
            );
        }
    }
}

#[test]
fn code_holds_no_shortcuts_outside_tests() {
    let shortcuts = [
        ".unwrap()",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "println!(",
        "print!(",
        "#[allow(",
        "#![allow(",
        "thread::sleep(",
    ];
    for file in sources() {
        let code = file.code();
        for shortcut in shortcuts {
            // The demo is a program that talks.
            let talks = file.path.starts_with("src/demo/") && shortcut.starts_with("print");
            assert!(
                talks || !code.contains(shortcut),
                "{}: {shortcut}",
                file.path
            );
        }
    }
}

/// Folders inside the wall.
const CODECS: [&str; 9] = [
    "json",
    "sse",
    "http1",
    "chat",
    "wire",
    "translate",
    "provider",
    "config",
    "route",
];

#[test]
fn codecs_know_no_clock_no_chance_and_no_runtime() {
    let strange = [
        "std::time",
        "core::time",
        "Instant",
        "SystemTime",
        "getrandom",
        "std::net",
        "std::thread",
        "tokio",
        "monoio",
        "async fn",
        "std::env",
    ];
    for file in sources() {
        let folder = file.path.split('/').nth(1).unwrap();
        if !CODECS.contains(&folder) {
            continue;
        }
        let code = file.code();
        for word in strange {
            assert!(!names(&code, word), "{}: {word}", file.path);
        }
        let is_loader = file.path == "src/config/load/file.rs";
        assert!(
            is_loader || !code.contains("std::fs"),
            "{}: std::fs",
            file.path
        );
    }
}

#[test]
fn a_wire_does_not_know_the_other_and_only_the_closed_sets_know_both() {
    for file in sources() {
        let code = file.code();
        let (openai, anthropic) = (
            code.contains("wire::openai"),
            code.contains("wire::anthropic"),
        );
        assert!(
            !(file.path.starts_with("src/wire/openai/") && anthropic),
            "{}",
            file.path
        );
        assert!(
            !(file.path.starts_with("src/wire/anthropic/") && openai),
            "{}",
            file.path
        );
        let is_set = file.path.starts_with("src/wire/") || file.path.starts_with("src/translate/");
        assert!(
            is_set || !(openai || anthropic),
            "{} looks inside a wire",
            file.path
        );
    }
}

#[test]
fn the_program_ends_in_one_place() {
    for file in sources() {
        let ends = file.code().contains("process::exit") || file.code().contains("process::abort");
        assert!(!ends, "{} ends the process", file.path);
    }
}

#[test]
fn nothing_tells_where_it_was_written() {
    let places = [env!("CARGO_MANIFEST_DIR"), "/home/", "/Users/", "/root/"].map(str::to_owned);
    let all = [
        "src",
        "tests",
        "benches",
        "loadtest",
        "fuzz",
        "docs",
        "examples",
        ".ci",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "Cargo.toml",
        "ringway.example.toml",
        "build.rs",
        "clippy.toml",
    ];
    for file in files(
        &all,
        &[
            "rs", "md", "toml", "sh", "py", "ts", "mjs", "json", "run", "yml",
        ],
    ) {
        if file.path == "tests/it/tidy.rs" || file.path.starts_with("tests/fixtures/") {
            continue;
        }
        for place in &places {
            assert!(
                !file.text.contains(place.as_str()),
                "{} names {place}",
                file.path
            );
        }
    }
}

#[test]
fn tests_do_not_sleep_and_none_is_ignored() {
    for file in files(&["src", "tests"], &["rs"]) {
        if file.path == "tests/it/tidy.rs" {
            continue;
        }
        for word in ["thread::sleep(", "#[ignore", "#[should_panic"] {
            assert!(!file.text.contains(word), "{}: {word}", file.path);
        }
    }
}
