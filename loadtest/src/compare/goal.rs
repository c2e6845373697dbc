//! What is to be reached, and whether it was.

use crate::report::data::{Judged, Told};

/// A figure that a kind of load is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// CPU of a unit, at most so many times that of the contestant of this name.
    Cpu(&'static str, f64),
    /// Latency beyond the direct one, at p50 and p99, at most 10 % more than nginx's.
    AddedLatency,
    /// The same for the first delta.
    AddedFirst,
}

/// Judges every contestant of ours.
#[must_use]
pub fn judge(goal: Goal, targets: &[Told]) -> Vec<Judged> {
    let ours = targets.iter().filter(|told| told.name.starts_with(OURS));
    let named = |name: &str| targets.iter().find(|told| told.name == name);
    match goal {
        Goal::Cpu(base, reach) => {
            let Some(base) = named(base) else {
                return Vec::new();
            };
            ours.filter_map(|told| cpu(told, base, reach)).collect()
        }
        Goal::AddedLatency | Goal::AddedFirst => {
            let (Some(direct), Some(nginx)) = (named("direct"), named("nginx")) else {
                return Vec::new();
            };
            ours.flat_map(|told| added(goal, told, direct, nginx))
                .collect()
        }
    }
}

fn cpu(told: &Told, base: &Told, reach: f64) -> Option<Judged> {
    let mut ratios = told.clone();
    ratios.against(&base.cpu_us);
    let ratio = ratios.ratio()?;
    let (name, base) = (&told.name, &base.name);
    Some(Judged {
        text: format!("{name}: CPU {ratio:.2} x {base}, to reach {reach:.2}"),
        pass: ratio <= reach,
    })
}

fn added(goal: Goal, told: &Told, direct: &Told, nginx: &Told) -> [Judged; 2] {
    let of = |told: &Told| match goal {
        Goal::AddedFirst => told.ttft,
        Goal::AddedLatency | Goal::Cpu(..) => told.latency,
    };
    let what = match goal {
        Goal::AddedFirst => "first delta",
        Goal::AddedLatency | Goal::Cpu(..) => "latency",
    };
    let (own, direct, nginx) = (of(told), of(direct), of(nginx));
    let name = &told.name;
    [
        ("p50", own.p50, direct.p50, nginx.p50),
        ("p99", own.p99, direct.p99, nginx.p99),
    ]
    .map(|(quantile, own, direct, nginx)| {
        let own = own.saturating_sub(direct) as f64 / 1e3;
        let nginx = nginx.saturating_sub(direct) as f64 / 1e3;
        let text = format!(
            "{name}: {what} {quantile} +{own:.0} us, nginx +{nginx:.0} us, to reach at most 10 % more"
        );
        Judged {
            text,
            pass: own <= nginx * 1.1,
        }
    })
}

/// A value that must not exceed a bound.
#[must_use]
pub fn at_most(name: &str, what: &str, (value, unit): (f64, &str), bound: f64) -> Judged {
    Judged {
        text: format!("{name}: {what} {value:.1} {unit}, to reach {bound:.1}"),
        pass: value <= bound,
    }
}

/// How names of our contestants begin.
pub const OURS: &str = "ringway";

#[cfg(test)]
mod tests {
    use super::{Goal, at_most, judge};
    use crate::load::figures::{Figures, Percentiles};
    use crate::load::round::{Cost, Round};
    use crate::report::data::{Told, Unit, tell};

    fn told(name: &str, cpu_ns: &[u64], latency: u64) -> Told {
        let round = |&cpu_ns: &u64| {
            let mut figures = Figures::new(1);
            figures.done = 1;
            let cost = Cost {
                cpu_ns,
                ..Cost::default()
            };
            Round {
                figures,
                wall_ns: 1,
                cost: Some(cost),
            }
        };
        let rounds: Vec<Round> = cpu_ns.iter().map(round).collect();
        let mut told = tell(name, Unit::Request, &rounds);
        told.latency = Percentiles {
            count: 1,
            p50: latency,
            p99: latency * 2,
            ..Percentiles::default()
        };
        told
    }

    #[test]
    fn cpu_is_judged_by_the_median_of_ratios_at_the_bound_and_past_it() {
        let nginx = told("nginx", &[1000, 2000, 1000], 1);
        let at = told("ringway-uring", &[850, 1700, 100], 1);
        let past = told("ringway-epoll", &[860, 1720, 100], 1);
        let judged = judge(Goal::Cpu("nginx", 0.85), &[nginx, at, past]);
        assert_eq!(
            judged.iter().map(|j| j.pass).collect::<Vec<_>>(),
            [true, false]
        );
        assert!(
            judged[0].text.contains("0.85 x nginx"),
            "{}",
            judged[0].text
        );
    }

    #[test]
    fn latency_is_judged_by_what_is_added() {
        let all = |own| {
            let direct = told("direct", &[], 100_000);
            let nginx = told("nginx", &[1], 200_000);
            [direct, nginx, told("ringway-uring", &[1], own)]
        };
        let passes = |own| judge(Goal::AddedLatency, &all(own)).iter().all(|j| j.pass);
        assert!(passes(210_000) && !passes(210_100));
    }

    #[test]
    fn nothing_is_judged_without_the_one_to_compare_with() {
        let alone = [told("ringway-uring", &[1], 1)];
        assert!(judge(Goal::Cpu("nginx", 1.0), &alone).is_empty());
        assert!(judge(Goal::AddedLatency, &alone).is_empty());
    }

    #[test]
    fn bounds_hold_at_the_bound() {
        assert!(at_most("a", "b", (8.0, "MiB"), 8.0).pass);
        assert!(!at_most("a", "b", (8.01, "MiB"), 8.0).pass);
    }
}
