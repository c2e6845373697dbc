//! Which page of a list is wanted, and where the next one begins: `next` of one page is `after` for the next,
//! as in lists of usage records.

use crate::govern::key::client_key::{check_id, check_tenant};
use crate::govern::key::document::DocumentFault;
use crate::http1::target::query_pairs;
use crate::limits::PAGE_ROWS_MAX;
use crate::server::admin::api::answer::Refusal;

/// What a query asks for.
pub struct Page {
    /// Keys of this tenant alone.
    pub tenant: Option<String>,
    /// Behind this id or name.
    pub after: Option<String>,
    /// This many at most.
    pub limit: usize,
}

impl Page {
    /// Reads which keys are wanted.
    ///
    /// # Errors
    /// The parameter that is not as it should be.
    pub fn of_keys(query: &str) -> Result<Self, Refusal> {
        Self::read(query, &["tenant", "after", "limit"], check_id)
    }

    /// Reads which tenants are wanted.
    ///
    /// # Errors
    /// The parameter that is not as it should be.
    pub fn of_tenants(query: &str) -> Result<Self, Refusal> {
        Self::read(query, &["after", "limit"], check_tenant)
    }

    fn read(
        query: &str,
        known: &[&str],
        check_after: impl Fn(&str) -> Result<(), DocumentFault>,
    ) -> Result<Self, Refusal> {
        let mut page = Self {
            tenant: None,
            after: None,
            limit: LIMIT,
        };
        let mut taken = Vec::new();
        for (name, value) in query_pairs(query) {
            let shown: String = name.chars().take(NAME_SHOWN_CHARS).collect();
            if taken.contains(&name) {
                return Err(Refusal::invalid(&shown, "stands twice"));
            }
            taken.push(name);
            match name {
                "tenant" if known.contains(&name) => {
                    check_tenant(&value)?;
                    page.tenant = Some(value);
                }
                "after" => {
                    check_after(&value).map_err(|fault| Refusal::invalid(name, fault.text))?;
                    page.after = Some(value);
                }
                "limit" => page.limit = limit(&value)?,
                _ => {
                    let text = format!("unknown parameter; known: {}", known.join(", "));
                    return Err(Refusal::invalid(&shown, text));
                }
            }
        }
        Ok(page)
    }
}

fn limit(value: &str) -> Result<usize, Refusal> {
    let limit = value.parse().ok();
    let limit = limit.filter(|limit| (1..=PAGE_ROWS_MAX).contains(limit));
    let expected = || {
        Refusal::invalid(
            "limit",
            format!("expected a number from 1 to {PAGE_ROWS_MAX}"),
        )
    };
    limit.ok_or_else(expected)
}

/// Rows of a page where nobody says how many.
const LIMIT: usize = 100;
/// A name that is shown is cut here.
const NAME_SHOWN_CHARS: usize = 64;
