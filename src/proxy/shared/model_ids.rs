//! Model ids as clients and logs are shown them, and a page of their list.

use crate::http1::target::decode_id;
use crate::limits::LOGGED_ID_BYTES_MAX;

/// The text of a 404: what was asked, cut and escaped, and what was perhaps meant.
#[must_use]
pub fn unknown_model(asked: &str, near: &[&str]) -> String {
    let shown: String = bounded(asked)
        .chars()
        .flat_map(char::escape_debug)
        .collect();
    let mut message = format!("model `{shown}` does not exist or this key may not use it");
    for (rank, id) in near.iter().enumerate() {
        message.push_str(if rank == 0 { "; near ids: " } else { ", " });
        message.push_str(id);
    }
    message
}

/// An id cut to what is logged and repeated.
#[must_use]
pub fn bounded(id: &str) -> &str {
    id.get(..id.floor_char_boundary(LOGGED_ID_BYTES_MAX))
        .unwrap_or_default()
}

/// Which part of the list of models is asked for, in the members of the Anthropic wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many; without it, all.
    limit: Option<usize>,
    after: Option<String>,
    before: Option<String>,
}

impl Page {
    /// Reads a query; members that it does not know ask for nothing.
    ///
    /// # Errors
    /// The member that is of the wrong form.
    pub fn read(query: &[u8]) -> Result<Self, &'static str> {
        let mut page = Self::default();
        for pair in query.split(|&byte| byte == b'&') {
            let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            let mut decoded = Vec::new();
            decode_id(value.get(1..).unwrap_or_default(), &mut decoded);
            let value = String::from_utf8_lossy(&decoded).into_owned();
            match name {
                b"limit" => {
                    let limit = value.parse().ok().filter(|n| (1..=PAGE_MAX).contains(n));
                    page.limit = Some(limit.ok_or("limit")?);
                }
                b"after_id" => page.after = Some(value),
                b"before_id" => page.before = Some(value),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The part of `listed`, and whether there is more of it in the same direction.
    ///
    /// # Errors
    /// The member that names an id that is not in the list.
    pub fn of<'l, T>(
        &self,
        listed: &'l [T],
        id_of: impl Fn(&T) -> &str,
    ) -> Result<(&'l [T], bool), &'static str> {
        let place = |id: &str| listed.iter().position(|listed| id_of(listed) == id);
        let start = match &self.after {
            Some(id) => place(id).ok_or("after_id")? + 1,
            None => 0,
        };
        let end = match &self.before {
            Some(id) => place(id).ok_or("before_id")?,
            None => listed.len(),
        };
        let range = listed.get(start..end).unwrap_or_default();
        let count = self.limit.unwrap_or(range.len()).min(range.len());
        let (first, last) = match self.before {
            // The page right before an id.
            Some(_) if self.after.is_none() => (range.len() - count, range.len()),
            _ => (0, count),
        };
        let page = range.get(first..last).unwrap_or_default();
        Ok((page, page.len() < range.len()))
    }
}

/// Most models of one page.
const PAGE_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn pages_follow_each_other_in_both_directions() {
        let ids = ["a", "b", "c/d", "e"];
        let listed: Vec<(&str, &str)> = ids.into_iter().map(|id| (id, "p")).collect();
        for (query, expected, more) in [
            ("", &ids[..], false),
            ("limit=4", &ids, false),
            ("limit=3", &ids[..3], true),
            ("limit=2&after_id=a", &ids[1..3], true),
            ("limit=2&after_id=b", &ids[2..], false),
            ("after_id=e", &[], false),
            ("limit=1&before_id=c%2Fd", &ids[1..2], true),
            ("limit=2&before_id=c/d", &ids[..2], false),
            ("other=1&limit", &ids, false),
        ] {
            let read = Page::read(query.as_bytes());
            if query.ends_with("limit") {
                assert_eq!(read, Err("limit"));
                continue;
            }
            let read = read.unwrap();
            let (page, has_more) = read.of(&listed, |listed| listed.0).unwrap();
            let found: Vec<&str> = page.iter().map(|(id, _)| *id).collect();
            assert_eq!((found.as_slice(), has_more), (expected, more), "{query}");
        }
    }

    #[test]
    fn limits_and_ids_out_of_range_are_named() {
        for query in ["limit=0", "limit=1001", "limit=x"] {
            assert_eq!(Page::read(query.as_bytes()), Err("limit"), "{query}");
        }
        assert!(Page::read(b"limit=1000").is_ok());
        for name in ["after_id", "before_id"] {
            let page = Page::read(format!("{name}=z").as_bytes()).unwrap();
            assert_eq!(page.of(&["a"], |id| id), Err(name));
        }
    }
}
