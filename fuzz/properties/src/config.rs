//! A configuration: never a panic, the same faults each time, and every fault with its place.

use ringway::config::load::file::{Loaded, parse};
use ringway::config::load::material::{Credential, Material, ProviderMaterial};
use ringway::config::schema::fault::Faults;
use ringway::route::compile::plan::compile;
use ringway::route::select::listing::listing;

/// A configuration file. What it points at is not read: every provider gets no key.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let told = outcome(text);
    assert_eq!(outcome(text), told);
    let Err(faults) = told else { return };
    assert!(!faults.is_empty());
    let lines = text.bytes().filter(|&b| b == b'\n').count() + 1;
    for fault in faults {
        assert!(!fault.contains('\n'), "{fault}");
        let (source, rest) = fault
            .split_once(": ")
            .expect("a fault has a place and a text");
        assert!(!rest.is_empty(), "{fault}");
        if let Some(line) = source.strip_prefix("f:") {
            let line: usize = line
                .parse()
                .expect("a line's number stands behind the file's name");
            assert!((1..=lines).contains(&line), "{fault} of {lines} lines");
        }
    }
}

/// The plan as it is listed, or the faults.
fn outcome(text: &str) -> Result<Vec<String>, Vec<String>> {
    let mut faults = Faults::new("f");
    let config = parse(text, &mut faults);
    let none = |_: &_| ProviderMaterial {
        credential: Credential::None,
        ca_pem: None,
    };
    let material = Material {
        providers: config.providers.iter().map(none).collect(),
        ..Material::default()
    };
    match compile(Loaded {
        config,
        material,
        faults,
    }) {
        Ok(compiled) => Ok([compiled.warnings, vec![listing(&compiled.plan, false)]].concat()),
        Err(faults) => Err(faults.lines()),
    }
}
