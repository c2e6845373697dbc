//! Amounts of money in a configuration.

use crate::config::fault::{At, Faults, shown};
use crate::govern::money;

/// Nano-dollars of an amount as written.
pub(super) fn dollars(said: &At<String>, faults: &mut Faults) -> Option<u64> {
    let read = money::parse(&said.value);
    if read.is_none() {
        let text = format!(
            "expected dollars, such as 25 or \"0.075\", nine decimals at most, found `{}`",
            shown(&said.value)
        );
        faults.push(&said.place, text);
    }
    read
}
