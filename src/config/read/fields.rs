//! Reading one table: typed members, ranges, and what nobody asked for.
//!
//! Every getter takes its member out and remembers the name; [`TableReader::finish`] reports what is
//! left, with the nearest of the names that were asked for. A member of a wrong type is a fault
//! and counts as absent.

use core::ops::RangeInclusive;

use crate::config::read::node::{ConfigEntry, ConfigNode, ConfigValue};
use crate::config::schema::fault::{Faults, Located, Location, closest, nearest, shown};

/// The members of one table, taken out one by one.
#[derive(Debug)]
pub struct TableReader<'f> {
    place: Location,
    entries: Vec<ConfigEntry>,
    asked: Vec<&'static str>,
    /// Where faults go; also for the caller's own.
    pub faults: &'f mut Faults,
}

impl<'f> TableReader<'f> {
    /// The members of a table that stands at `path`; `None` (and a fault) where it is none.
    pub fn new(node: ConfigNode, path: &str, faults: &'f mut Faults) -> Option<Self> {
        let place = Location {
            line: node.line,
            path: path.to_owned(),
        };
        let ConfigValue::Table(entries) = node.value else {
            faults.push(&place, wrong_type("a table", &node.value));
            return None;
        };
        Some(Self {
            place,
            entries,
            asked: Vec::new(),
            faults,
        })
    }

    /// Where the table stands.
    #[must_use]
    pub fn place(&self) -> Location {
        self.place.clone()
    }

    /// A string that is not empty.
    pub fn text(&mut self, name: &'static str) -> Option<Located<String>> {
        let (node, place) = self.take(name)?;
        self.text_of(node, place)
    }

    /// A string that must be there.
    pub fn required_text(&mut self, name: &'static str, cure: &str) -> Option<Located<String>> {
        self.require(name, cure);
        self.text(name)
    }

    /// Reports a member that must be there and is not.
    pub fn require(&mut self, name: &str, cure: &str) {
        if !self.entries.iter().any(|entry| entry.name == name) {
            let text = format!("`{name}` is missing; {cure}");
            self.faults.push(&self.place, text);
        }
    }

    /// A whole number within a range.
    pub fn whole(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Located<u64>> {
        let (node, place) = self.take(name)?;
        let value = match node.value {
            ConfigValue::Whole(value) => value,
            other => {
                self.faults
                    .push(&place, wrong_type("a whole number", &other));
                return None;
            }
        };
        let found = u64::try_from(value).ok();
        let Some(value) = found.filter(|value| range.contains(value)) else {
            let (low, high) = (range.start(), range.end());
            let text = format!("expected {low} to {high}, found {value}");
            self.faults.push(&place, text);
            return None;
        };
        Some(Located { value, place })
    }

    /// An amount: a string, or a whole number as its digits.
    pub fn amount(&mut self, name: &'static str) -> Option<Located<String>> {
        let (node, place) = self.take(name)?;
        self.amount_of(node, place)
    }

    /// The amount of a node that stands at `place`.
    pub fn amount_of(&mut self, mut node: ConfigNode, place: Location) -> Option<Located<String>> {
        if let ConfigValue::Whole(number) = node.value {
            node.value = ConfigValue::Text(number.to_string());
        }
        self.text_of(node, place)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<Located<bool>> {
        let (node, place) = self.take(name)?;
        match node.value {
            ConfigValue::Flag(value) => Some(Located { value, place }),
            other => {
                self.faults
                    .push(&place, wrong_type("true or false", &other));
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Option<Located<T>> {
        let given = self.text(name)?;
        let chosen = words.iter().find(|(word, _)| *word == given.value);
        if let Some((_, value)) = chosen {
            return Some(given.map(|_| *value));
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let text = format!(
            "expected one of {}, found `{}`",
            known.join(", "),
            shown(&given.value)
        );
        self.faults.push(&given.place, text);
        None
    }

    /// Strings: one, or an array of them.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<Located<String>>> {
        let items = self.items(name)?;
        let texts = items
            .into_iter()
            .filter_map(|(node, place)| self.text_of(node, place));
        Some(texts.collect())
    }

    /// Values of any type: one, or an array of them, each with its place.
    pub fn items(&mut self, name: &'static str) -> Option<Vec<(ConfigNode, Location)>> {
        let (node, place) = self.take(name)?;
        let ConfigValue::List(items) = node.value else {
            return Some(vec![(node, place)]);
        };
        let placed = items.into_iter().enumerate().map(|(index, node)| {
            let path = format!("{}[{index}]", place.path);
            let line = node.line;
            (node, Location { line, path })
        });
        Some(placed.collect())
    }

    /// The tables of an array of tables, each with its path.
    pub fn tables(&mut self, name: &'static str) -> Vec<(ConfigNode, String)> {
        let Some((node, place)) = self.take(name) else {
            return Vec::new();
        };
        match node.value {
            ConfigValue::List(items) => {
                let placed = items.into_iter().enumerate();
                placed
                    .map(|(index, node)| (node, format!("{}[{index}]", place.path)))
                    .collect()
            }
            other => {
                let text = format!("expected `[[{name}]]`, found {}", other.type_name());
                self.faults.push(&place, text);
                Vec::new()
            }
        }
    }

    /// Whatever stands there, with its place.
    pub fn node(&mut self, name: &'static str) -> Option<(ConfigNode, Location)> {
        self.take(name)
    }

    /// The members of a table whose names are the operator's own, in the order of the file.
    pub fn open_table(&mut self, name: &'static str) -> Option<Vec<(Located<String>, ConfigNode)>> {
        let (node, place) = self.take(name)?;
        let entries = match node.value {
            ConfigValue::Table(entries) => entries,
            other => {
                self.faults.push(&place, wrong_type("a table", &other));
                return None;
            }
        };
        let placed = entries.into_iter().map(|entry| {
            let place = Location {
                line: entry.line,
                path: format!("{}.{}", place.path, quoted(&entry.name)),
            };
            let name = Located {
                value: entry.name,
                place,
            };
            (name, entry.node)
        });
        Some(placed.collect())
    }

    /// The string of a node that stands at `place`.
    pub fn text_of(&mut self, node: ConfigNode, place: Location) -> Option<Located<String>> {
        match node.value {
            ConfigValue::Text(value) if value.is_empty() => {
                self.faults
                    .push(&place, "expected a string that is not empty");
                None
            }
            ConfigValue::Text(value) => Some(Located { value, place }),
            other => {
                self.faults.push(&place, wrong_type("a string", &other));
                None
            }
        }
    }

    /// Reports what nobody asked for; gives the faults back.
    pub fn finish(self) -> &'f mut Faults {
        for entry in &self.entries {
            let place = self.place_of(&entry.name, entry.line);
            let text = match nearest(&entry.name, self.asked.iter().copied()) {
                Some(name) => format!("unknown key; did you mean `{name}`?"),
                None => {
                    let closest = closest(&entry.name, self.asked.iter().copied());
                    let hint = closest.map_or_else(String::new, |name| {
                        format!("; the nearest that is known is `{name}`")
                    });
                    format!("unknown key{hint}; known: {}", self.asked.join(", "))
                }
            };
            self.faults.push(&place, text);
        }
        self.faults
    }

    fn take(&mut self, name: &'static str) -> Option<(ConfigNode, Location)> {
        self.asked.push(name);
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        let entry = self.entries.remove(at);
        let place = self.place_of(name, entry.line);
        Some((entry.node, place))
    }

    fn place_of(&self, name: &str, line: u32) -> Location {
        let name = quoted(name);
        let path = match self.place.path.as_str() {
            "" => name,
            path => format!("{path}.{name}"),
        };
        Location { line, path }
    }
}

/// What a fault says about a wrong type.
#[must_use]
pub fn wrong_type(expected: &str, found: &ConfigValue) -> String {
    format!("expected {expected}, found {}", found.type_name())
}

/// A key as it is written in a path: quoted where it is not a bare one.
#[must_use]
pub fn quoted(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let shown = shown(name);
    if !name.is_empty() && name.chars().all(is_bare) {
        return shown;
    }
    format!("{shown:?}")
}
