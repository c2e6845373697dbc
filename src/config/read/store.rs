//! `[store]`, and texts that come from a file or a variable.

use std::path::PathBuf;

use crate::config::read::fields::TableReader;
use crate::config::read::node::ConfigNode;
use crate::config::schema::fault::Faults;
use crate::config::schema::file::{StoreConfig, TextSource};

/// Reads the section.
pub fn store(node: ConfigNode, path: &str, faults: &mut Faults) -> Option<StoreConfig> {
    let mut fields = TableReader::new(node, path, faults)?;
    let place = fields.place();
    let url = source(&mut fields, Some("url"), ["url_file", "url_env"]);
    if url == TextSource::Unset {
        let text = "`url` is missing; say url = \"sqlite:ringway.db\", or url_file or url_env for \
                    one with a password";
        fields.faults.push(&place, text);
    }
    let snapshot = fields
        .text("snapshot")
        .map(|given| given.map(PathBuf::from));
    let ca_file = fields.text("ca_file").map(|given| given.map(PathBuf::from));
    fields.finish();
    Some(StoreConfig {
        place,
        url,
        snapshot,
        ca_file,
    })
}

/// Where a text comes from: at most one of the members `here`, `file` and `variable`.
pub fn source(
    fields: &mut TableReader<'_>,
    here: Option<&'static str>,
    [file, variable]: [&'static str; 2],
) -> TextSource {
    let given = here
        .and_then(|here| fields.text(here))
        .map(TextSource::Inline);
    let file = fields.text(file);
    let file = file.map(|given| TextSource::File(given.map(PathBuf::from)));
    let variable = fields.text(variable).map(TextSource::Variable);
    let mut found = given.into_iter().chain(file).chain(variable);
    let first = found.next().unwrap_or_default();
    let place = match found.next() {
        Some(TextSource::File(given)) => Some(given.place),
        Some(TextSource::Inline(given) | TextSource::Variable(given)) => Some(given.place),
        Some(TextSource::Unset) | None => None,
    };
    if let Some(place) = place {
        let text = "it is set elsewhere already; keep one of the two";
        fields.faults.push(&place, text);
    }
    first
}
