//! The steps that a database has gone through, and those that it has yet to go.
//!
//! A step is a file of SQL that is never changed once it was released: what has to change comes as
//! another. The database knows how many it has taken.

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

#[cfg(test)]
mod tests {
    use super::{SQLITE, left};

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
