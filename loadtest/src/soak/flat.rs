//! Whether memory and descriptors stayed flat: samples taken at rest, the later ones held against
//! the first third.

use serde::Serialize;

/// What a process held while nothing was under way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Seconds from the start.
    pub at: f64,
    /// Proportional set size, bytes.
    pub pss: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

/// What may grow.
#[derive(Clone, Copy, Debug)]
pub struct Slack {
    /// Bytes, beside a tenth.
    pub bytes: u64,
    /// Descriptors, beside a tenth.
    pub descriptors: usize,
}

/// What grew; nothing if all stayed flat.
///
/// # Errors
/// Too few samples to say.
pub fn grown(samples: &[Sample], slack: Slack) -> Result<Vec<String>, String> {
    if samples.len() < SAMPLES_MIN {
        let text = format!(
            "{} samples, at least {SAMPLES_MIN} say something",
            samples.len()
        );
        return Err(text);
    }
    let (first, later) = samples.split_at(samples.len() / 3);
    let pss = first.iter().map(|sample| sample.pss).max().unwrap_or(0);
    let open = first
        .iter()
        .map(|sample| sample.descriptors)
        .max()
        .unwrap_or(0);
    let pss_max = pss + pss / 10 + slack.bytes;
    let open_max = open + open / 10 + slack.descriptors;
    let mut grown = Vec::new();
    if let Some(sample) = later.iter().find(|sample| sample.pss > pss_max) {
        let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
        grown.push(format!(
            "memory grew: {:.1} MiB after {:.0} s, {:.1} MiB would do",
            mib(sample.pss),
            sample.at,
            mib(pss_max)
        ));
    }
    if let Some(sample) = later.iter().find(|sample| sample.descriptors > open_max) {
        grown.push(format!(
            "descriptors grew: {} after {:.0} s, {open_max} would do",
            sample.descriptors, sample.at
        ));
    }
    Ok(grown)
}

/// Samples that say something: one to hold the others against, two to be held.
pub const SAMPLES_MIN: usize = 3;

#[cfg(test)]
mod tests {
    use super::{SAMPLES_MIN, Sample, Slack, grown};

    const SLACK: Slack = Slack {
        bytes: 1000,
        descriptors: 5,
    };

    fn samples(values: &[(u64, usize)]) -> Vec<Sample> {
        let sample = |&(pss, descriptors): &(u64, usize)| Sample {
            at: 1.0,
            pss,
            descriptors,
        };
        values.iter().map(sample).collect()
    }

    #[test]
    fn samples_at_the_bound_are_flat_and_past_it_have_grown() {
        let at = samples(&[(10_000, 100), (12_000, 115), (9000, 20)]);
        assert_eq!(grown(&at, SLACK), Ok(vec![]));
        let memory = samples(&[(10_000, 100), (12_001, 100), (9000, 20)]);
        assert_eq!(grown(&memory, SLACK).unwrap().len(), 1);
        let open = samples(&[(10_000, 100), (10_000, 116), (99_000, 20)]);
        assert_eq!(grown(&open, SLACK).unwrap().len(), 2);
    }

    #[test]
    fn too_few_samples_say_nothing() {
        let few = samples(&[(1, 1)].repeat(SAMPLES_MIN - 1));
        assert!(grown(&few, SLACK).is_err());
    }
}
