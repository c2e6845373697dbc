//! Paths and headings that the documents name, and the map of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::{ARCHITECTURE, CONTRIBUTING, codes, files, pages, rows};

/// The places in a page that a link can name: its headings, as GitHub spells them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let spelled = headings.map(|line| {
        let name = line.trim_start_matches('#').trim().to_lowercase();
        let kept = name
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    spelled.collect()
}

#[test]
fn pages_link_only_to_files_and_headings_that_exist() {
    let pages = pages();
    assert!(pages.len() >= 20, "{pages:?}");
    for (page, text) in &pages {
        for link in text.split("](").skip(1) {
            let (target, _) = link.split_once(')').unwrap();
            if target.contains("://") {
                continue;
            }
            let (target, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match target {
                "" => page.clone(),
                target => page.parent().unwrap().join(target),
            };
            assert!(file.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(file).unwrap());
                let is_known = known.contains(anchor);
                assert!(is_known, "{}: {target}#{anchor}", page.display());
            }
        }
    }
}

#[test]
fn every_page_is_in_the_index_of_the_documents() {
    let index = fs::read_to_string("docs/README.md").unwrap();
    for entry in fs::read_dir("docs").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "README.md" || index.contains(&format!("({name})")),
            "{name}"
        );
    }
}

/// Folders of the source, and its files that are modules of their own, with their text.
fn parts() -> BTreeMap<String, Vec<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let mut parts: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for path in found {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let part = name.split(['/', '.']).next().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let named = (name.to_owned(), text);
        parts.entry(part.to_owned()).or_default().push(named);
    }
    parts
}

#[test]
fn architecture_names_only_paths_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for page in [ARCHITECTURE, CONTRIBUTING] {
        for named in codes(page) {
            let is_path = named.starts_with("src/") || named.starts_with("tests/");
            if is_path && !named.contains(['*', '<', ' ']) {
                count += 1;
                assert!(root.join(named).exists(), "{named}");
            }
        }
    }
    assert!(count > 30, "{count}");
}

/// Files of the source that a text names from the repository's root, as `src/a/b.rs`.
fn named_sources(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let words = text.split(move |c| !is_part(c));
    let paths = words.map(|word| word.trim_end_matches('.'));
    paths.filter(|path| path.starts_with("src/") && Path::new(path).extension().is_some())
}

#[test]
fn scripts_and_settings_name_only_source_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("Cargo.toml"), root.join("fuzz/run.sh")];
    for folder in [".ci", "src/store", "src/server", "examples"] {
        files(&root.join(folder), &mut found);
    }
    for folder in ["claude", "js", "python", "schema", "stub"] {
        files(&root.join("tests/clients").join(folder), &mut found);
    }
    let mut count = 0;
    for path in found {
        // What is no text names nothing, and Rust's own paths are the compiler's to check.
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for named in named_sources(&text).filter(|_| !is_rust) {
            count += 1;
            assert!(root.join(named).exists(), "{}: {named}", path.display());
        }
    }
    assert!(count >= 3, "{count}");
}

/// Folders below `src`, as `src/a/b/`, whose files are read as code.
fn folders(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.join("mod.rs").exists() {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            found.insert(format!("{}/", name.to_str().unwrap()));
            folders(&path, found);
        }
    }
}

#[test]
fn architecture_has_a_paragraph_for_every_folder_that_has_rooms_or_is_one() {
    let (_, map) = ARCHITECTURE.split_once("\n## The tree\n").unwrap();
    let (map, _) = map.split_once("\n## ").unwrap();
    let mut there = BTreeSet::new();
    folders(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut there,
    );
    assert!(there.len() > 40, "{there:?}");
    let mapped: BTreeSet<String> = codes(map)
        .into_iter()
        .filter(|named| named.starts_with("src/") && named.ends_with('/'))
        .map(str::to_owned)
        .collect();
    // What lies within a wire's folder is told by the wire's own docs.
    let wanted = there.iter().filter(|name| {
        !["src/wire/openai/", "src/wire/anthropic/"]
            .iter()
            .any(|wire| name.starts_with(wire) && name.len() > wire.len())
    });
    assert_eq!(mapped, wanted.cloned().collect::<BTreeSet<_>>());
}

/// The parts of the crate that a file's code imports, its tests apart.
fn imports(text: &str) -> BTreeSet<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| {
        let own = line.split("crate::").skip(1);
        own.chain(line.split("ringway::").skip(1))
    });
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    paths
        .map(|path| path.split(|c| !is_name(c)).next().unwrap_or_default())
        .collect()
}

#[test]
fn architecture_table_of_floors_is_what_the_code_imports() {
    let rows = rows(ARCHITECTURE, "## Which way dependencies point");
    let plain = |cell: &str| -> Vec<String> {
        let cell = cell.trim_matches('`');
        let names = cell.split(',').filter_map(|name| name.split('(').next());
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let mut floors: BTreeMap<String, (u32, Vec<String>)> = BTreeMap::new();
    for row in &rows {
        let floor = row[0].parse().unwrap();
        for part in plain(row[1]) {
            floors.insert(part, (floor, plain(row[2])));
        }
    }
    for (part, files) in parts() {
        if matches!(part.as_str(), "lib" | "limits") {
            continue;
        }
        let (floor, listed) = floors
            .get(&part)
            .unwrap_or_else(|| panic!("{part} stands on no floor"));
        for below in listed.iter().filter(|below| *below != "limits") {
            assert!(floors[below].0 < *floor, "{part} lists {below}");
        }
        for (name, text) in files.iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
            for import in imports(text) {
                let is_listed = listed.iter().any(|each| each == import);
                let is_free = import == part || import == "limits";
                assert!(is_listed || is_free, "{name} imports {import}");
            }
        }
    }
}

#[test]
fn rooms_of_a_folder_import_only_rooms_that_stand_after_them() {
    let rows = rows(ARCHITECTURE, "### Rooms");
    assert!(rows.len() >= 8, "{rows:?}");
    let parts = parts();
    let mut imports = 0;
    for row in &rows {
        let folder = row[0];
        let order: Vec<&str> = row[1].split(", ").collect();
        let place = |room: &str| order.iter().position(|each| *each == room);
        for (name, text) in &parts[folder] {
            let own = name.split(['/', '.']).nth(1).unwrap();
            let is_aside = matches!(own, "mod" | "sim" | "test_support") || !name.ends_with(".rs");
            if is_aside || name.ends_with("tests.rs") {
                continue;
            }
            let at = place(own).unwrap_or_else(|| panic!("{name} is in no room"));
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            for path in code.split(&format!("crate::{folder}::")).skip(1) {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let room = path.split(|c| !is_name(c)).next().unwrap();
                let Some(below) = place(room) else { continue };
                imports += 1;
                assert!(below >= at, "{name} imports {folder}::{room}");
            }
        }
    }
    assert!(imports > 300, "{imports}");
}

/// Files that name two wires: the dispatch, and those that have yet to move what they know of a wire
/// into its folder. The list may only become shorter.
const NAMES_TWO_WIRES: [&str; 7] = [
    "proxy/own/catalogue.rs",
    "translate/relay_tap.rs",
    "translate/request.rs",
    "translate/tap.rs",
    "wire/codec.rs",
    "wire/peek/body.rs",
    "wire/peek/fault.rs",
];

/// What a file's code calls the wires: variants of `Wire`, folders of `wire`.
fn named_wires<'t>(text: &'t str, wires: &BTreeSet<String>) -> BTreeSet<&'t str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = lines.flat_map(|line| {
        let variants = line.split("Wire::").skip(1);
        variants.chain(line.split("wire::").skip(1))
    });
    names
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap())
        .filter(|name| wires.contains(*name))
        .collect()
}

/// With n wires there are to be 2n codecs, not one for each pair.
#[test]
fn only_the_dispatch_and_listed_files_name_two_wires() {
    let parts = parts();
    let kind = parts["wire"]
        .iter()
        .find(|(name, _)| name == "wire/kind.rs");
    let (_, variants) = kind.unwrap().1.split_once("pub enum Wire {").unwrap();
    let (variants, _) = variants.split_once('}').unwrap();
    let variants = variants
        .lines()
        .map(|line| line.trim().trim_end_matches(','));
    let mut wires: BTreeSet<String> = variants
        .filter(|line| !line.is_empty() && !line.starts_with(['/', '#']))
        .map(str::to_owned)
        .collect();
    let count = wires.len();
    let folders = parts["wire"].iter().filter_map(|(name, _)| {
        let (folder, file) = name.strip_prefix("wire/")?.split_once('/')?;
        (file == "request/read.rs").then(|| folder.to_owned())
    });
    wires.extend(folders);
    assert_eq!(wires.len(), 2 * count, "{wires:?}");
    // The judges know the wires from outside.
    let judged = |name: &str| !name.starts_with("demo/") && !name.starts_with("sim/");
    let mut found = BTreeSet::new();
    for (name, text) in parts.values().flatten() {
        let is_code = name.ends_with(".rs") && !name.ends_with("tests.rs") && judged(name);
        if is_code && named_wires(text, &wires).len() > 1 {
            found.insert(name.as_str());
        }
    }
    let listed = BTreeSet::from(NAMES_TWO_WIRES);
    assert_eq!(found, listed, "take those that name one wire off the list");
}
