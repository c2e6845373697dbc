//! A configuration document as plain data with lines; knows no syntax.

/// A value and the line on which it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigNode {
    /// From 1; 0: not in a file.
    pub line: u32,
    /// The value.
    pub value: ConfigValue,
}

/// What a configuration is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue {
    /// A string.
    Text(String),
    /// A whole number that fits.
    Whole(i64),
    /// `true` or `false`
    Flag(bool),
    /// An array.
    List(Vec<ConfigNode>),
    /// A table, members in the order of the file.
    Table(Vec<ConfigEntry>),
    /// What no key takes (a date, a fraction), by its name.
    Other(&'static str),
}

/// A member of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    /// Its key.
    pub name: String,
    /// Line of the key.
    pub line: u32,
    /// Its value.
    pub node: ConfigNode,
}

impl ConfigValue {
    /// The type's name, for faults.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Whole(_) => "a whole number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}
