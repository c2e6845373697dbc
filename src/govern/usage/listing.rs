//! A page of usage records: what is asked for, by the members of a query, and what comes back.

use crate::govern::key::client_key::check_tenant;
use crate::govern::usage::aggregate::Filter;
use crate::govern::usage::record::id_of;
use crate::govern::value::date;
use crate::json::hex;
use crate::json::write::Writer;
use crate::limits::PAGE_ROWS_MAX;

/// A place between two records: time and id of the one before it.
pub type PagePosition = (u64, [u8; 16]);

/// Which records are asked for, the newest first.
#[derive(Clone, Debug)]
pub struct Listing {
    /// All of them that count.
    pub filter: Filter,
    /// Those of the tenant that has this name now: `filter` is yet to say its id.
    pub tenant_name: Option<String>,
    /// Only those behind this place.
    pub behind: Option<PagePosition>,
    /// At most so many.
    pub count: usize,
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingFault {
    /// The member at fault.
    pub param: String,
    /// What was expected.
    pub text: String,
}

/// Records, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPage {
    /// The records as they were written.
    pub records: Vec<String>,
    /// The place behind the last one, where there are more.
    pub next: Option<PagePosition>,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            tenant_name: None,
            behind: None,
            count: COUNT,
        }
    }
}

impl Listing {
    /// Reads the members of a query. `tenant`: the id of the tenant whose records alone
    /// may be seen.
    ///
    /// # Errors
    /// The first member that is wrong.
    pub fn read<'q>(
        pairs: impl Iterator<Item = (&'q str, String)>,
        tenant: Option<&str>,
        now_ms: u64,
    ) -> Result<Self, ListingFault> {
        let mut listing = Self::default();
        let mut taken = Vec::new();
        for (name, value) in pairs {
            if taken.contains(&name) {
                return Err(fault(&shown(name), "stands twice"));
            }
            taken.push(name);
            listing.take(name, value, (tenant, now_ms))?;
        }
        let Filter {
            since_ms, until_ms, ..
        } = listing.filter;
        if let (Some(since), Some(until)) = (since_ms, until_ms)
            && since >= until
        {
            return Err(fault("since", "expected a moment before that of until"));
        }
        if listing.tenant_name.is_some() && listing.filter.tenant.is_some() {
            return Err(fault("tenant_id", "expected it without `tenant`"));
        }
        if let Some(tenant) = tenant {
            listing.filter.tenant = Some(tenant.to_owned());
        }
        Ok(listing)
    }

    fn take(
        &mut self,
        name: &str,
        value: String,
        (tenant, now_ms): (Option<&str>, u64),
    ) -> Result<(), ListingFault> {
        let filter = &mut self.filter;
        match name {
            "key" | "model" if value.is_empty() => {
                return Err(fault(name, "expected a name, found none"));
            }
            "tenant" if tenant.is_none() => {
                check_tenant(&value).map_err(|wrong| fault(name, &wrong.text))?;
                self.tenant_name = Some(value);
            }
            "tenant_id" if tenant.is_none() => {
                check_tenant(&value).map_err(|wrong| fault(name, &wrong.text))?;
                filter.tenant = Some(value);
            }
            "key" => filter.key = Some(value),
            "model" => filter.model = Some(value),
            "since" => filter.since_ms = Some(moment(name, &value, now_ms)?),
            "until" => filter.until_ms = Some(moment(name, &value, now_ms)?),
            "limit" => {
                let count = value
                    .parse()
                    .ok()
                    .filter(|count| (1..=PAGE_ROWS_MAX).contains(count));
                let expected = format!("expected a number from 1 to {PAGE_ROWS_MAX}");
                self.count = count.ok_or_else(|| fault(name, &expected))?;
            }
            "after" => {
                let expected = "expected what `next` of the page before said";
                self.behind = Some(place(&value).ok_or_else(|| fault(name, expected))?);
            }
            other => {
                let known = match tenant {
                    Some(_) => "unknown parameter; known: key, model, since, until, limit, after",
                    None => {
                        "unknown parameter; known: tenant, tenant_id, key, model, since, until, limit, \
                         after"
                    }
                };
                return Err(fault(&shown(other), known));
            }
        }
        Ok(())
    }
}

impl RecordPage {
    /// Appends the page as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"records\":[");
        for (rank, record) in self.records.iter().enumerate() {
            if rank > 0 {
                out.push(b',');
            }
            out.extend_from_slice(record.as_bytes());
        }
        out.extend_from_slice(b"],\"next\":");
        match self.next {
            Some(place) => _ = Writer::new(out).string(&place_text(place)),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
}

fn moment(name: &str, value: &str, now_ms: u64) -> Result<u64, ListingFault> {
    date::moment(value, now_ms).ok_or_else(|| fault(name, date::EXPECTED_MOMENT))
}

fn shown(name: &str) -> String {
    name.escape_debug().take(NAME_SHOWN_MAX).collect()
}

fn place_text((time, id): PagePosition) -> String {
    let mut text = format!("{time}-").into_bytes();
    hex::into(&id, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn place(text: &str) -> Option<PagePosition> {
    let (time, id) = text.split_once('-')?;
    let is_plain = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let time = time.parse().ok().filter(|_| is_plain)?;
    let is_bare = !id.starts_with("rw_");
    let id = id_of(id.as_bytes()).filter(|_| is_bare)?;
    Some((time, id.to_be_bytes()))
}

fn fault(param: &str, text: &str) -> ListingFault {
    ListingFault {
        param: param.to_owned(),
        text: text.to_owned(),
    }
}

/// Records of a page where nobody says how many.
const COUNT: usize = 100;
/// What is shown of a name that nobody knows.
const NAME_SHOWN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Listing, RecordPage};

    const NOW: u64 = 1_800_000_000_000;

    fn read(query: &str, tenant: Option<&str>) -> Result<Listing, (String, String)> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap());
        let pairs = pairs.map(|(name, value)| (name, value.to_owned()));
        Listing::read(pairs, tenant, NOW).map_err(|fault| (fault.param, fault.text))
    }

    #[test]
    fn members_are_read_and_a_page_leads_to_the_next() {
        let page = RecordPage {
            records: vec!["{\"a\":1}".to_owned(), "{}".to_owned()],
            next: Some((7, [0xab; 16])),
        };
        let mut text = Vec::new();
        page.write(&mut text);
        let place = format!("7-{}", "ab".repeat(16));
        let expected = format!("{{\"records\":[{{\"a\":1}},{{}}],\"next\":\"{place}\"}}");
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let query = format!("key=k&model=m&since=1h&until=2030-01-01&limit=1000&after={place}");
        let listing = read(&query, Some("blue")).unwrap();
        assert_eq!(listing.behind, page.next);
        assert_eq!(listing.count, 1_000);
        assert_eq!(listing.filter.since_ms, Some(NOW - 3_600_000));
        assert_eq!(listing.filter.tenant.as_deref(), Some("blue"));
        let of_red = read("tenant=red", None).unwrap();
        assert_eq!(of_red.tenant_name.as_deref(), Some("red"));
        let of_former = read("tenant_id=tn_1", None).unwrap();
        assert_eq!(of_former.filter.tenant.as_deref(), Some("tn_1"));
    }

    #[test]
    fn members_that_are_wrong_are_named() {
        for (query, param, text) in [
            ("limit=0", "limit", "1 to 1000"),
            ("limit=1001", "limit", "1 to 1000"),
            ("limit=1e1", "limit", "1 to 1000"),
            ("key=", "key", "found none"),
            ("model=", "model", "found none"),
            ("since=yesterday", "since", "expected a day"),
            ("until=", "until", "expected a day"),
            ("since=1h&until=2h", "since", "before that of until"),
            ("after=7", "after", "`next`"),
            (
                "after=+7-00000000000000000000000000000000",
                "after",
                "`next`",
            ),
            (
                "after=7-rw_00000000000000000000000000000000",
                "after",
                "`next`",
            ),
            ("after=99999999999999999999-0", "after", "`next`"),
            ("key=a&key=a", "key", "twice"),
            ("order=up", "order", "known: key, model"),
            ("tenant=red", "tenant", "unknown parameter"),
            ("tenant_id=red", "tenant_id", "unknown parameter"),
        ] {
            let (found, told) = read(query, Some("blue")).unwrap_err();
            assert_eq!(found, param, "{query}");
            assert!(told.contains(text), "{query}: {told}");
        }
        let (_, told) = read("order=up", None).unwrap_err();
        assert!(told.contains("known: tenant, tenant_id, key"), "{told}");
        let (param, _) = read("tenant=red&tenant_id=tn_1", None).unwrap_err();
        assert_eq!(param, "tenant_id");
    }
}
