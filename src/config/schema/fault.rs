//! What is wrong with a configuration, and where: all of it, not only the first.
//!
//! A [`ConfigFault`] prints as `file:line: key: text`; texts say what was expected, what was found, and
//! the cure. Values that may be credentials are never in a text: the caller sees to that, and puts
//! any other value in as [`shown`]. Every fault prints on one line.

use core::fmt;

/// Where something stands: a line of the file and a key, or a key alone (a variable, an option).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Line of the file, from 1; 0: not in a file.
    pub line: u32,
    /// `model[2].targets[0]`, `OPENAI_BASE_URL`, `--listen`; empty: the file itself.
    pub path: String,
}

impl Location {
    /// A place that is in no file: a variable or an option.
    #[must_use]
    pub fn outside(name: &str) -> Self {
        Self {
            line: 0,
            path: name.to_owned(),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Location,
}

impl<T> Located<T> {
    /// A value that is in no file.
    pub fn outside(value: T, name: &str) -> Self {
        Self {
            value,
            place: Location::outside(name),
        }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: change(self.value),
            place: self.place,
        }
    }
}

/// One thing that is wrong, or (as a warning) probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where.
    pub place: Location,
    /// What, and the cure.
    pub text: String,
}

/// All that is wrong with one configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Name of the file, as it was given; empty where there is none.
    source: String,
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigFault>,
}

impl Faults {
    /// No faults yet, of a file of this name.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a fault: the configuration cannot be run.
    pub fn push(&mut self, place: &Location, text: impl Into<String>) {
        self.faults.push(ConfigFault {
            place: place.clone(),
            text: text.into(),
        });
    }

    /// Adds a warning: it can be run, but is probably not meant.
    pub fn warn(&mut self, place: &Location, text: impl Into<String>) {
        self.warnings.push(ConfigFault {
            place: place.clone(),
            text: text.into(),
        });
    }

    /// Whether the configuration can be run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many faults there are; warnings do not count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// The faults, one a line, in the order of the file.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.printed(&self.faults)
    }

    /// The warnings, one a line, in the order of the file.
    #[must_use]
    pub fn warning_lines(&self) -> Vec<String> {
        self.printed(&self.warnings)
    }

    fn printed(&self, faults: &[ConfigFault]) -> Vec<String> {
        let mut sorted: Vec<&ConfigFault> = faults.iter().collect();
        sorted.sort_by_key(|fault| fault.place.line);
        sorted.into_iter().map(|fault| self.line(fault)).collect()
    }

    fn line(&self, fault: &ConfigFault) -> String {
        let ConfigFault { place, text } = fault;
        one_line(&match (place.line, place.path.as_str()) {
            (0, "") => format!("{}: {text}", self.source),
            (0, path) => format!("{path}: {text}"),
            (line, "") => format!("{}:{line}: {text}", self.source),
            (line, path) => format!("{}:{line}: {path}: {text}", self.source),
        })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.lines().join("\n"))
    }
}

impl core::error::Error for Faults {}

/// A configured value as a fault's text shows it: a long one is cut.
#[must_use]
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Longest part of a value that a fault shows.
const SHOWN_CHARS_MAX: usize = 128;

/// Characters that end a line, move a terminal's cursor or turn the direction of text, escaped.
fn one_line(text: &str) -> String {
    let turns = |c| matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The known name closest to an unknown one, where one is close enough to be meant.
#[must_use]
pub fn nearest<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let (score, name) = scored(unknown, known)?;
    (score > 0.75).then_some(name)
}

/// The known name closest to an unknown one, however far off it is.
#[must_use]
pub fn closest<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    scored(unknown, known).map(|(_, name)| name)
}

fn scored<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> Option<(f64, &'n str)> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .max_by(|left, right| left.0.total_cmp(&right.0))
}

#[cfg(test)]
mod tests {
    use super::{Faults, Location, SHOWN_CHARS_MAX, closest, nearest, shown};

    #[test]
    fn faults_print_sorted_by_line_with_what_is_known_of_the_place() {
        let mut faults = Faults::new("ringway.toml");
        let at = |line, path: &str| Location {
            line,
            path: path.to_owned(),
        };
        faults.push(&at(12, "model[2].targets[0]"), "no provider named `x`");
        faults.push(&at(3, ""), "expected `=`");
        faults.push(&Location::outside("OPENAI_BASE_URL"), "no host");
        faults.push(&Location::default(), "cannot be read");
        faults.warn(&at(1, "server"), "odd");
        assert_eq!(
            faults.lines(),
            [
                "OPENAI_BASE_URL: no host",
                "ringway.toml: cannot be read",
                "ringway.toml:3: expected `=`",
                "ringway.toml:12: model[2].targets[0]: no provider named `x`",
            ]
        );
        assert_eq!(faults.warning_lines(), ["ringway.toml:1: server: odd"]);
        assert_eq!(faults.len(), 4);
    }

    #[test]
    fn faults_print_on_one_line_whatever_stands_in_them() {
        let mut faults = Faults::new("a\nb");
        let place = Location {
            line: 1,
            path: "c\r\nd".to_owned(),
        };
        faults.push(
            &place,
            "`\u{1B}[2J\u{85}\u{2028}\u{202E}` is no kind, é is none",
        );
        assert_eq!(
            faults.lines(),
            [r"a\nb:1: c\r\nd: `\u{1b}[2J\u{85}\u{2028}\u{202e}` is no kind, é is none"]
        );
    }

    #[test]
    fn shown_values_are_cut_behind_a_whole_character() {
        let longest = "é".repeat(SHOWN_CHARS_MAX);
        assert_eq!(shown(""), "");
        assert_eq!(shown(&longest), longest);
        assert_eq!(shown(&format!("{longest}xy")), format!("{longest}…"));
    }

    #[test]
    fn nearest_to_a_slip_is_the_name_meant_and_to_noise_nothing() {
        let known = ["base_url", "key_file", "key_env", "name"];
        assert_eq!(nearest("base-url", known), Some("base_url"));
        assert_eq!(nearest("keyfile", known), Some("key_file"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(closest("zkey", known), Some("key_env"));
        assert_eq!(closest("x", []), None);
    }
}
