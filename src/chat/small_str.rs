//! A short text that is kept where it stands: the names and ids of one exchange.

use core::fmt;
use core::ops::Deref;

/// A text. A short one, of 38 bytes at most, lies in the value itself and costs no allocation.
#[derive(Clone)]
pub struct SmallStr(Kept);

#[derive(Clone)]
enum Kept {
    Here {
        bytes: [u8; HERE_BYTES_MAX],
        length: u8,
    },
    Apart(Box<str>),
}

impl From<&str> for SmallStr {
    fn from(text: &str) -> Self {
        let mut bytes = [0; HERE_BYTES_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Kept::Here { bytes, length })
            }
            _ => Self(Kept::Apart(text.into())),
        }
    }
}

impl SmallStr {
    /// Its bytes, with no second look whether they are UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Here { bytes, length } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Kept::Apart(text) => text.as_bytes(),
        }
    }
}

impl Deref for SmallStr {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Kept::Here { .. } => core::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Kept::Apart(text) => text,
        }
    }
}

impl PartialEq for SmallStr {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for SmallStr {}

impl fmt::Debug for SmallStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Longest text without memory of its own: ids of models and requests, with few exceptions.
const HERE_BYTES_MAX: usize = 38;

const _: () = assert!(size_of::<SmallStr>() == 40);

#[cfg(test)]
mod tests {
    use super::{HERE_BYTES_MAX, SmallStr};

    #[test]
    fn texts_of_every_length_read_as_they_were_written() {
        for length in 0..3 * HERE_BYTES_MAX {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let kept = SmallStr::from(text.as_str());
            assert_eq!((&*kept, kept.as_bytes()), (text.as_str(), text.as_bytes()));
            assert_eq!(kept.clone(), kept);
            assert_eq!(format!("{kept:?}"), format!("{text:?}"));
        }
        assert_ne!(SmallStr::from("a"), SmallStr::from("b"));
    }
}
