//! The figures of a run as plain data: what JSON, page and table are made from.

use serde::Serialize;

use crate::account::Machine;
use crate::load::figures::{Figures, Percentiles, median, percentiles};
use crate::load::round::{Cost, Round};
use crate::load::series::Point;

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was run.
    pub command: String,
    /// On what.
    pub machine: Machine,
    /// One for each kind of load.
    pub sections: Vec<Section>,
}

/// One kind of load, for all targets.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// What was sent, in a line.
    pub about: String,
    /// Headings of the table, after the name's.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What was to be reached, and whether it was.
    pub verdicts: Vec<Judged>,
    /// Remarks: what could not be measured, and why.
    pub notes: Vec<String>,
    /// Figures of each target.
    pub targets: Vec<Told>,
}

/// A row of a table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Whose.
    pub name: String,
    /// As many as there are headings.
    pub cells: Vec<String>,
}

/// A figure held against what is to be reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Who, what, how much.
    pub text: String,
    /// Whether it was reached.
    pub pass: bool,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Requests with their answers.
    Request,
    /// Deltas of streams.
    Event,
}

impl Unit {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Event => "event",
        }
    }
}

/// Figures of one target.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The target.
    pub name: String,
    /// What is counted.
    pub unit: Unit,
    /// Units a second, over all rounds.
    pub per_second: f64,
    /// CPU microseconds of each unit, one value a round; none without a process.
    pub cpu_us: Vec<f64>,
    /// Against the first target with a process, round by round.
    pub ratios: Vec<f64>,
    /// Costs of each round.
    pub costs: Vec<Cost>,
    /// Of requests.
    pub latency: Percentiles,
    /// To the first delta.
    pub ttft: Percentiles,
    /// Between deltas.
    pub gap: Percentiles,
    /// From provider to client, of each delta.
    pub relay: Percentiles,
    /// Latency by percentile; of deltas' relay where no request ended.
    pub curve: Vec<(f64, u64)>,
    /// Gaps over time, of the first round that has any.
    pub gaps: Vec<Point>,
    /// Answers that were wrong.
    pub wrong: u64,
    /// The first of them.
    pub first_wrong: Option<String>,
    /// System calls of each unit, where they were counted.
    pub syscalls: Option<f64>,
}

/// Sums up the rounds of a target.
#[must_use]
pub fn tell(name: &str, unit: Unit, rounds: &[Round]) -> Told {
    let mut sum = Figures::new(0);
    let (mut units, mut wall) = (0, 0);
    let mut cpu_us = Vec::with_capacity(rounds.len());
    for round in rounds {
        sum.add(&round.figures);
        let count = units_of(&round.figures, unit);
        units += count;
        wall += round.wall_ns;
        if let Some(cost) = round.cost {
            cpu_us.push(cost.cpu_ns as f64 / 1e3 / count.max(1) as f64);
        }
    }
    let curved = if sum.latency.is_empty() {
        &sum.relay
    } else {
        &sum.latency
    };
    Told {
        name: name.to_owned(),
        unit,
        per_second: units as f64 * 1e9 / wall.max(1) as f64,
        cpu_us,
        ratios: Vec::new(),
        costs: rounds.iter().filter_map(|round| round.cost).collect(),
        latency: percentiles(&sum.latency),
        ttft: percentiles(&sum.ttft),
        gap: percentiles(&sum.gap),
        relay: percentiles(&sum.relay),
        curve: CURVE
            .iter()
            .map(|&q| (q, curved.value_at_quantile(q)))
            .collect(),
        gaps: sum.gaps.points(),
        wrong: sum.wrong,
        first_wrong: sum.first_wrong,
        syscalls: None,
    }
}

/// Units that a round counted.
#[must_use]
pub const fn units_of(figures: &Figures, unit: Unit) -> u64 {
    match unit {
        Unit::Request => figures.done,
        Unit::Event => figures.tokens,
    }
}

impl Told {
    /// Sets the ratios of CPU time to another target's, round by round.
    pub fn against(&mut self, base: &[f64]) {
        let pairs = self.cpu_us.iter().zip(base);
        self.ratios = pairs.map(|(own, base)| own / base).collect();
    }

    /// CPU microseconds of a unit: the median of the rounds.
    #[must_use]
    pub fn cpu(&self) -> Option<f64> {
        (!self.cpu_us.is_empty()).then(|| median(&self.cpu_us))
    }

    /// The ratio: the median of the rounds.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (!self.ratios.is_empty()).then(|| median(&self.ratios))
    }
}

/// The least and the largest of some values.
#[must_use]
pub fn spread(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// Quantiles of the curve.
const CURVE: [f64; 15] = [
    0.0, 0.25, 0.5, 0.65, 0.75, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999,
];

#[cfg(test)]
mod tests {
    use super::{Unit, spread, tell};
    use crate::load::figures::Figures;
    use crate::load::round::{Cost, Round};

    fn round(done: u64, cpu_ns: u64) -> Round {
        let mut figures = Figures::new(10);
        figures.done = done;
        for _ in 0..done {
            figures.latency.record(1000).unwrap();
        }
        let cost = Cost {
            cpu_ns,
            ..Cost::default()
        };
        Round {
            figures,
            wall_ns: 500_000_000,
            cost: Some(cost),
        }
    }

    #[test]
    fn rounds_are_told_each_and_in_sum() {
        let rounds = [round(10, 100_000), round(20, 400_000), round(10, 300_000)];
        let mut told = tell("a", Unit::Request, &rounds);
        assert_eq!(told.cpu_us, [10.0, 20.0, 30.0]);
        assert_eq!(told.cpu(), Some(20.0));
        assert_eq!(told.latency.count, 40);
        assert!((told.per_second - 40.0 / 1.5).abs() < 1e-9);
        told.against(&[10.0, 10.0, 20.0]);
        assert_eq!(told.ratios, [1.0, 2.0, 1.5]);
        assert_eq!(told.ratio(), Some(1.5));
        assert_eq!(spread(&told.ratios), (1.0, 2.0));
    }

    #[test]
    fn target_without_a_process_has_no_cost_and_no_ratio() {
        let mut round = round(1, 1);
        round.cost = None;
        let mut told = tell("a", Unit::Event, &[round]);
        told.against(&[1.0]);
        assert_eq!((told.cpu(), told.ratio()), (None, None));
    }
}
