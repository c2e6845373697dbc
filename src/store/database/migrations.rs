//! The steps that a database has gone through, and those that it has yet to go.
//!
//! A step is a file of SQL that is never changed once it was released: what has to change comes as
//! another. The database knows how many it has taken. A step is one transaction, but for those of
//! PostgreSQL that make indexes concurrently: their statements come one by one, and all of them again where
//! one was not the last.

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
];

const _: () = assert!(SQLITE.len() == POSTGRES.len());

/// The steps that come behind the first `taken`.
///
/// # Errors
/// The database has taken steps that this program does not know.
pub fn left(
    steps: &'static [&'static str],
    taken: i64,
) -> Result<&'static [&'static str], StoreError> {
    let known = usize::try_from(taken).ok();
    known.and_then(|taken| steps.get(taken..)).ok_or_else(|| {
        StoreError::down(format!(
            "the database is of a newer version ({taken}) than this program knows ({}); run the \
             newer program",
            steps.len()
        ))
    })
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

#[cfg(test)]
mod tests {
    use super::{POSTGRES, SQLITE, is_concurrent, left, statements};

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
    fn what_is_left_is_what_was_not_taken_and_a_newer_database_is_refused() {
        assert_eq!(left(SQLITE, 0).unwrap().len(), SQLITE.len());
        let all = i64::try_from(SQLITE.len()).unwrap();
        assert!(left(SQLITE, all).unwrap().is_empty());
        for wrong in [all + 1, -1] {
            assert!(left(SQLITE, wrong).unwrap_err().text.contains("newer"));
        }
    }
}
