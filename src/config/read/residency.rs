//! `residency = { jurisdictions = …, regions = …, providers = … }`, wherever it stands.

use crate::config::read::fields::TableReader;
use crate::config::schema::fault::Located;
use crate::config::schema::file::ResidencyConfig;

/// Reads a rule; one that restricts nothing, or leaves nothing, is a fault.
pub fn residency(fields: &mut TableReader<'_>) -> Option<ResidencyConfig> {
    let (node, place) = fields.node("residency")?;
    let mut members = TableReader::new(node, &place.path, fields.faults)?;
    let given = ResidencyConfig {
        jurisdictions: set(&mut members, "jurisdictions"),
        regions: set(&mut members, "regions"),
        providers: set(&mut members, "providers"),
    };
    let faults = members.finish();
    if given == ResidencyConfig::default() && faults.is_empty() {
        let text = "restricts nothing; name `jurisdictions`, `regions` or `providers`, or leave \
                    it out";
        faults.push(&place, text);
    }
    Some(given)
}

fn set(members: &mut TableReader<'_>, name: &'static str) -> Option<Vec<Located<String>>> {
    let before = members.faults.len();
    let given = members.texts(name)?;
    if given.is_empty() && members.faults.len() == before {
        let text = format!("`{name}` is empty and would leave nothing; leave it out to allow all");
        let place = members.place();
        members.faults.push(&place, text);
    }
    Some(given)
}
