//! The table at the end of the demo.

use core::time::Duration;
use std::io::{self, Write};

use crate::command::table::write_table;
use crate::demo::direction::Outcome;

/// Prints the outcomes as a table, a line each, all with the driver in use.
///
/// # Errors
/// They cannot be printed.
pub fn table(outcomes: &[Outcome], driver: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(outcomes.iter().map(|outcome| row(outcome, driver)));
    write_table(&rows, &(1..COLUMNS - 2), out)
}

fn row(outcome: &Outcome, driver: &str) -> [String; COLUMNS] {
    let figures = &outcome.figures;
    let micros = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
    let checked = match outcome.fault {
        None => "right",
        Some(_) => "WRONG",
    };
    [
        outcome.direction.name(),
        millis(figures.ttft),
        millis(figures.gap(50)),
        millis(figures.gap(99)),
        figures.events.to_string(),
        figures.tokens.to_string(),
        figures.cpu_per_event.map_or_else(unknown, micros),
        driver.to_owned(),
        checked.to_owned(),
    ]
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(unknown, |time| format!("{:.1}", time.as_secs_f64() * 1e3))
}

fn unknown() -> String {
    "-".to_owned()
}

const COLUMNS: usize = 9;

const TITLES: [&str; COLUMNS] = [
    "client → provider",
    "TTFT ms",
    "gap p50 ms",
    "gap p99 ms",
    "events",
    "tokens",
    "CPU µs/event",
    "driver",
    "checked",
];

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::Instant;

    use super::table;
    use crate::demo::direction::{DIRECTIONS, Outcome};
    use crate::demo::figures::Figures;

    #[test]
    fn table_aligns_columns_and_says_what_is_wrong_or_unknown() {
        let start = Instant::now();
        let mut figures = Figures::start(start);
        for at in [1, 3, 6] {
            figures.token(start + Duration::from_millis(at));
        }
        figures.events = 4;
        figures.cpu_per_event = Some(Duration::from_nanos(12_500));
        let right = Outcome {
            direction: DIRECTIONS[0],
            figures,
            fault: None,
        };
        let wrong = Outcome {
            direction: DIRECTIONS[1],
            figures: Figures::start(start),
            fault: Some("no".to_owned()),
        };
        let expected = "\
client → provider      TTFT ms  gap p50 ms  gap p99 ms  events  tokens  CPU µs/event  driver  checked
OpenAI → OpenAI            1.0         2.0         3.0       4       0          12.5  epoll   right
Anthropic → Anthropic        -           -           -       0       0             -  epoll   WRONG
";
        let mut out = Vec::new();
        table(&[right, wrong], "epoll", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
