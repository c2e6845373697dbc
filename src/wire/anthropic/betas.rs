//! Flags of beta features, as a request's head has them.

/// One value for `anthropic-beta` from several: each flag once, in order. What is no flag is left out.
#[must_use]
pub fn joined<'v>(values: impl IntoIterator<Item = &'v str>) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    let flags = values.into_iter().flat_map(|value| value.split(','));
    for flag in flags.map(str::trim) {
        let is_flag = (1..=FLAG_BYTES_MAX).contains(&flag.len())
            && flag.bytes().all(|byte| byte.is_ascii_graphic());
        if is_flag && kept.len() < FLAGS_MAX && !kept.contains(&flag) {
            kept.push(flag);
        }
    }
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Longest flag, and most flags, that are sent on.
const FLAG_BYTES_MAX: usize = 128;
const FLAGS_MAX: usize = 64;
