//! The report as one page: no script, nothing to fetch, light or dark as the reader's system is.

use std::fmt::Write;

use crate::load::figures::Percentiles;
use crate::report::data::{Report, Section, Told, spread};
use crate::report::plot::{Bar, COLOURS, Line, Scale, bars, escape, lines};

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>ringway-load</title>\
         <style>{STYLE}{}</style></head><body><main><h1>ringway-load</h1>",
        colours()
    );
    let machine = &report.machine;
    let _ = write!(
        out,
        "<p class=\"about\"><code>{}</code><br>{}, {} cores, {}, load before the run {}</p>",
        escape(&report.command),
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.kernel),
        escape(&machine.load),
    );
    verdicts(report, &mut out);
    for section in &report.sections {
        write_section(section, &mut out);
    }
    out + "</main></body></html>\n"
}

fn verdicts(report: &Report, out: &mut String) {
    let all = report.sections.iter();
    let all: Vec<_> = all
        .flat_map(|s| s.verdicts.iter().map(move |v| (s, v)))
        .collect();
    if all.is_empty() {
        return;
    }
    *out += "<h2>What was to be reached</h2><table class=\"verdicts\">";
    for (section, verdict) in all {
        let (class, word) = if verdict.pass {
            ("pass", "pass")
        } else {
            ("miss", "miss")
        };
        let _ = write!(
            out,
            "<tr><td class=\"{class}\">{word}</td><td>{}</td><td>{}</td></tr>",
            escape(&section.name),
            escape(&verdict.text),
        );
    }
    *out += "</table>";
}

fn write_section(section: &Section, out: &mut String) {
    let _ = write!(
        out,
        "<section><h2>{}</h2><p class=\"about\">{}</p>",
        escape(&section.name),
        escape(&section.about)
    );
    *out += "<div class=\"wide\"><table><tr><th></th>";
    for heading in &section.columns {
        let _ = write!(out, "<th>{}</th>", escape(heading));
    }
    *out += "</tr>";
    for row in &section.rows {
        let _ = write!(out, "<tr><th>{}</th>", escape(&row.name));
        for cell in &row.cells {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        *out += "</tr>";
    }
    *out += "</table></div>";
    for note in &section.notes {
        let _ = write!(out, "<p class=\"about\">{}</p>", escape(note));
    }
    for told in &section.targets {
        if let Some(wrong) = &told.first_wrong {
            let _ = write!(
                out,
                "<p class=\"miss\">{}: first wrong answer: {}</p>",
                escape(&told.name),
                escape(wrong)
            );
        }
    }
    plots(&section.targets, out);
    percentile_table(&section.targets, out);
    *out += "</section>";
}

fn plots(targets: &[Told], out: &mut String) {
    let Some(first) = targets.first() else {
        return;
    };
    let numbered = || targets.iter().enumerate();
    let costs: Vec<Bar> = numbered()
        .filter_map(|(colour, told)| {
            let value = told.cpu()?;
            Some(Bar {
                name: told.name.clone(),
                colour,
                value,
                spread: spread(&told.cpu_us),
            })
        })
        .collect();
    let unit = first.unit.name();
    *out += &bars(
        &format!("CPU per {unit}, µs: median of the rounds, least to largest"),
        &costs,
    );
    let curve = |(colour, told): (usize, &Told)| Line {
        name: told.name.clone(),
        colour,
        points: told
            .curve
            .iter()
            .map(|&(q, ns)| (q, ns as f64 / 1e6))
            .collect(),
    };
    let some = |(_, told): &(usize, &Told)| told.curve.iter().any(|point| point.1 > 0);
    let curves: Vec<Line> = numbered().filter(some).map(curve).collect();
    let what = match first.latency.count {
        0 => "Relay time of a delta by percentile, ms",
        _ => "Latency by percentile, ms",
    };
    *out += &lines(what, (Scale::Nines, "percentile"), &curves);
    let over_time = |(colour, told): (usize, &Told)| Line {
        name: told.name.clone(),
        colour,
        points: told
            .gaps
            .iter()
            .map(|point| (point.at_ms as f64, point.p99 as f64 / 1e6))
            .collect(),
    };
    let gaps: Vec<Line> = numbered()
        .filter(|(_, told)| told.gaps.len() > 1)
        .map(over_time)
        .collect();
    *out += &lines(
        "Gaps between deltas over time, p99, ms",
        (Scale::Linear, "ms of the round"),
        &gaps,
    );
}

fn percentile_table(targets: &[Told], out: &mut String) {
    if targets.is_empty() {
        return;
    }
    *out += "<details><summary>All percentiles, µs</summary><div class=\"wide\"><table><tr><th></th>\
             <th></th><th>count</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>";
    for told in targets {
        let kinds: [(&str, &Percentiles); 4] = [
            ("latency", &told.latency),
            ("first delta", &told.ttft),
            ("gap", &told.gap),
            ("relay", &told.relay),
        ];
        for (kind, p) in kinds.into_iter().filter(|(_, p)| p.count > 0) {
            let _ = write!(
                out,
                "<tr><th>{}</th><td>{kind}</td><td>{}</td>",
                escape(&told.name),
                p.count
            );
            for value in [p.p50, p.p90, p.p99, p.p999, p.max] {
                let _ = write!(out, "<td>{:.1}</td>", value as f64 / 1e3);
            }
            *out += "</tr>";
        }
    }
    *out += "</table></div></details>";
}

fn colours() -> String {
    let mut out = String::new();
    for index in 0..COLOURS {
        let _ = write!(
            out,
            ".c{index}{{stroke:var(--c{index})}}.f{index}{{fill:var(--c{index});\
             background:var(--c{index})}}"
        );
    }
    out
}

/// Colours are those of Tol's bright and muted sets, told apart also by those who see few.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1d21;--soft:#5b6470;--paper:#fff;--rule:#dfe3e8;\
--pass:#187a3c;--miss:#b3261e;--c0:#4477aa;--c1:#ee6677;--c2:#228833;--c3:#b8860b;--c4:#2aa1c4;\
--c5:#aa3377;--c6:#888;--c7:#332288;--c8:#117733;--c9:#882255}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#9aa4b0;--paper:#14171a;--rule:#2c3238;\
--pass:#5fd38a;--miss:#ff8a80;--c0:#77aadd;--c1:#ee8866;--c2:#88cc88;--c3:#eedd88;--c4:#99ddff;\
--c5:#ffaabb;--c6:#bbb;--c7:#aaaaff;--c8:#bbcc33;--c9:#dd99cc}}\
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:68rem;margin:0 auto;padding:2rem 1.2rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin:2.5rem 0 .3rem}h3{font-size:.9rem;margin:1.6rem 0 .3rem;\
font-weight:600;color:var(--soft)}.about{color:var(--soft);margin:.2rem 0 .8rem}\
code{font-size:.9em}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;\
font-variant-numeric:tabular-nums}th,td{padding:.25rem .7rem;text-align:right;\
border-bottom:1px solid var(--rule);white-space:nowrap}th{font-weight:600}\
th:first-child,.verdicts td{text-align:left}.verdicts td{white-space:normal}\
.pass{color:var(--pass)}.miss{color:var(--miss);font-weight:600}\
svg{width:100%;max-width:52rem;height:auto;display:block}.grid{stroke:var(--rule)}\
.tick{fill:var(--soft);font-size:11px}.line{fill:none;stroke-width:1.8}\
.whisker{stroke:var(--ink);stroke-width:1.4;opacity:.75}.bar{opacity:.85}\
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.85rem;margin:.3rem 0}\
.legend i{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:.4em}\
summary{cursor:pointer;color:var(--soft);margin-top:1rem}";

#[cfg(test)]
mod tests {
    use super::page;
    use crate::account::machine;
    use crate::load::figures::Figures;
    use crate::load::round::{Cost, Round};
    use crate::report::data::{Judged, Report, Section, Unit, tell};
    use crate::report::table;

    fn report() -> Report {
        let mut figures = Figures::new(1000);
        for at in 1..1000 {
            figures.latency.record(at * 1000).unwrap();
            figures.relay.record(at * 100).unwrap();
            figures.gaps.record(at, at * 1000);
        }
        figures.done = 999;
        figures.fail("text <b> & \"more\"".to_owned());
        let cost = Cost {
            cpu_ns: 1_000_000,
            ..Cost::default()
        };
        let round = Round {
            figures,
            wall_ns: 1_000_000_000,
            cost: Some(cost),
        };
        let told = tell("a <gateway>", Unit::Request, &[round]);
        let section = Section {
            name: "whole".to_owned(),
            columns: table::columns("request", "nginx"),
            rows: vec![table::row(&told)],
            verdicts: vec![Judged {
                text: "0.9 of 0.85".to_owned(),
                pass: false,
            }],
            targets: vec![told],
            ..Section::default()
        };
        Report {
            command: "ringway-load compare".to_owned(),
            machine: machine(),
            sections: vec![section],
        }
    }

    #[test]
    fn page_fetches_nothing_and_runs_nothing() {
        let page = page(&report());
        for word in [
            "http://", "https://", "<script", "src=", "@import", "url(", "<link", "href=",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn page_shows_curve_gaps_bars_and_misses_in_both_dresses() {
        let page = page(&report());
        assert_eq!(page.matches("<svg").count(), 3);
        assert_eq!(page.matches("<polyline").count(), 2);
        assert_eq!(page.matches("class=\"bar").count(), 1);
        assert!(page.contains("prefers-color-scheme:dark"));
        assert!(page.contains("<td class=\"miss\">miss</td>"));
    }

    #[test]
    fn page_escapes_what_others_wrote() {
        let page = page(&report());
        assert!(page.contains("a &lt;gateway&gt;") && !page.contains("<gateway>"));
        assert!(page.contains("text &lt;b&gt; &amp; &quot;more&quot;"));
    }

    #[test]
    fn every_tag_that_opens_closes() {
        let page = page(&report());
        for tag in [
            "table", "tr", "section", "svg", "div", "details", "p", "span",
        ] {
            let opened = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn json_holds_the_same_figures() {
        let json = serde_json::to_value(report()).unwrap();
        let told = &json["sections"][0]["targets"][0];
        assert_eq!(told["latency"]["count"], 999);
        assert_eq!(told["wrong"], 1);
    }
}
