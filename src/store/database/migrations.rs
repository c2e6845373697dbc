//! The steps that a database has gone through, and those that it has yet to go.
//!
//! A step is a file of SQL that is never changed once it was released: what has to change comes as
//! another. The database knows how many it has taken, which is the number of its schema, and from which
//! schema on a program may use it (`ringway_schema.compatible_from`). So a program runs on a database that
//! a newer one has brought up to date, unless a step since then says otherwise.
//!
//! A step is one transaction, but for those of PostgreSQL that make indexes concurrently: their statements
//! come one by one, and all of them again where one was not the last.

use crate::store::error::StoreError;

/// Steps of a SQLite file, the first one first.
pub const SQLITE: &[&str] = &[
    include_str!("migrations/sqlite/0001_keys.sql"),
    include_str!("migrations/sqlite/0002_usage.sql"),
    include_str!("migrations/sqlite/0003_listings.sql"),
    include_str!("migrations/sqlite/0004_requests.sql"),
    include_str!("migrations/sqlite/0005_key_order.sql"),
    include_str!("migrations/sqlite/0006_changes.sql"),
    include_str!("migrations/sqlite/0007_sums.sql"),
    include_str!("migrations/sqlite/0008_tenant_ids.sql"),
    include_str!("migrations/sqlite/0009_compatible.sql"),
];
/// The same of a PostgreSQL database.
pub const POSTGRES: &[&str] = &[
    include_str!("migrations/postgres/0001_keys.sql"),
    include_str!("migrations/postgres/0002_usage.sql"),
    include_str!("migrations/postgres/0003_listings.sql"),
    include_str!("migrations/postgres/0004_requests.sql"),
    include_str!("migrations/postgres/0005_key_order.sql"),
    include_str!("migrations/postgres/0006_changes.sql"),
    include_str!("migrations/postgres/0007_sums.sql"),
    include_str!("migrations/postgres/0008_tenant_ids.sql"),
    include_str!("migrations/postgres/0009_compatible.sql"),
];

const _: () = assert!(SQLITE.len() == POSTGRES.len());

/// The schema of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// How many steps it has taken.
    pub number: i64,
    /// From which number on a program may use it; `None`: it has not taken that step.
    pub compatible_from: Option<i64>,
    /// The version of the program that brought it up to date last, where that is known.
    pub migrated_by: String,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is brought up to date; a file that is not there is made.
    Create,
    /// It is brought up to date.
    Write,
    /// Nothing in it is changed.
    Read,
}

impl Schema {
    /// The steps that a database of this schema has yet to take.
    ///
    /// # Errors
    /// Programs that know as few steps as this one may not use it.
    pub fn left(
        &self,
        steps: &'static [&'static str],
    ) -> Result<&'static [&'static str], StoreError> {
        let known = usize::try_from(self.number).ok();
        if let Some(left) = known.and_then(|taken| steps.get(taken..)) {
            return Ok(left);
        }
        let ours = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        match self.compatible_from {
            Some(from) if self.number > 0 && from <= ours => Ok(&[]),
            _ => Err(self.newer(ours)),
        }
    }

    /// Whether the database can be read as it is.
    ///
    /// # Errors
    /// It is too old, or this program is.
    pub fn check_readable(&self, steps: &'static [&'static str]) -> Result<(), StoreError> {
        self.left(steps)?;
        if self.number >= READABLE_FROM {
            return Ok(());
        }
        Err(StoreError::down(format!(
            "the database has schema {}, and this command, which changes nothing, reads schema \
             {READABLE_FROM} and later; start `ringway serve` of this version with it once",
            self.number
        )))
    }

    fn newer(&self, ours: i64) -> StoreError {
        let by = match self.migrated_by.as_str() {
            "" => String::new(),
            version => format!(" by ringway {version}"),
        };
        let from = self.compatible_from.unwrap_or(self.number);
        StoreError::down(format!(
            "the database was brought to schema {}{by}, which is for programs that know schema {from} or \
             later; this one, ringway {PROGRAM}, knows {ours}; run the newer program",
            self.number
        ))
    }
}

/// Whether the statements of a step are to run one by one, outside of a transaction.
#[must_use]
pub fn is_concurrent(step: &str) -> bool {
    step.contains(" CONCURRENTLY ")
}

/// The statements of a step that has none with a semicolon in it.
pub fn statements(step: &str) -> impl Iterator<Item = &str> {
    let statements = step.split(';').map(str::trim);
    statements.filter(|statement| !statement.is_empty())
}

/// The version of this program.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// Asks for the schema, beside its number, of a database that has taken the step that makes the table.
pub const COMPATIBLE: &str = "SELECT compatible_from, migrated_by FROM ringway_schema";
/// Says which version of the program brought the database up to date.
pub const MIGRATED: &str = concat!(
    "UPDATE ringway_schema SET migrated_by = '",
    env!("CARGO_PKG_VERSION"),
    "'"
);
/// The number from which on a schema has a table for that.
pub const COMPATIBLE_SINCE: i64 = 9;
/// The oldest schema that questions about usage are asked of: its tenants have ids.
const READABLE_FROM: i64 = 8;

#[cfg(test)]
mod tests {
    use super::{POSTGRES, SQLITE, Schema, is_concurrent, statements};

    #[test]
    fn steps_that_make_indexes_concurrently_come_statement_by_statement() {
        let steps = POSTGRES.iter().filter(|step| is_concurrent(step));
        for step in steps {
            for statement in statements(step) {
                assert!(statement.contains("INDEX"), "{statement}");
                assert_eq!(statement.matches("$$").count(), 0);
            }
        }
        assert_eq!(statements("a;\nb;\n").collect::<Vec<_>>(), ["a", "b"]);
        assert!(is_concurrent(POSTGRES[2]) && !is_concurrent(POSTGRES[1]));
    }

    #[test]
    fn what_is_left_is_what_was_not_taken_and_a_newer_database_says_for_whom_it_is() {
        let schema = |number, compatible_from| Schema {
            number,
            compatible_from,
            migrated_by: "9.8.7".to_owned(),
        };
        let all = i64::try_from(SQLITE.len()).unwrap();
        let left = |schema: Schema| schema.left(SQLITE).map(<[_]>::len);
        assert_eq!(left(schema(0, None)), Ok(SQLITE.len()));
        for from in [None, Some(1), Some(all)] {
            assert_eq!(left(schema(all, from)), Ok(0));
        }
        for from in [1, all] {
            assert_eq!(left(schema(all + 1, Some(from))), Ok(0));
        }
        for wrong in [
            schema(all + 1, None),
            schema(all + 1, Some(all + 1)),
            schema(-1, Some(1)),
        ] {
            let text = left(wrong).unwrap_err().text;
            assert!(text.contains("by ringway 9.8.7"), "{text}");
        }
        let readable = |number| schema(number, Some(1)).check_readable(SQLITE).is_ok();
        assert_eq!(
            [0, 7, 8, all, all + 1].map(readable),
            [false, false, true, true, true]
        );
    }
}
