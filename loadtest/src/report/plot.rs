//! Plots as inline SVG: lines and bars, coloured by the page's own variables so that they follow
//! its light or dark dress.

use std::fmt::Write;

/// A line of a plot.
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its colour: a contestant has one on all of a section's plots.
    pub colour: usize,
    /// Points, x rising.
    pub points: Vec<(f64, f64)>,
}

/// How an axis is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten.
    Log,
    /// Percentiles: each nine the same length.
    Nines,
}

/// A bar of a chart.
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: usize,
    /// Its length.
    pub value: f64,
    /// From the least to the largest of what it stands for.
    pub spread: (f64, f64),
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.max(LEAST).log10(),
            Self::Nines => -(1.0 - value.min(NINES_MAX)).log10(),
        }
    }
}

/// Lines over two axes, values in milliseconds.
#[must_use]
pub fn lines(title: &str, x: (Scale, &str), lines: &[Line]) -> String {
    let (scale, x_name) = x;
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        (low, if high > low { high } else { low + 1.0 })
    };
    if all().next().is_none() {
        return String::new();
    }
    let (left, right) = range(&mut all().map(|point| scale.place(point.0)));
    let (low, high) = range(&mut all().map(|point| Scale::Log.place(point.1)));
    let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
    let at_x =
        |value: f64| LEFT + (scale.place(value) - left) / (right - left) * (WIDTH - LEFT - RIGHT);
    let at_y = |value: f64| {
        TOP + (high - Scale::Log.place(value)) / (high - low) * (HEIGHT - TOP - BOTTOM)
    };
    let mut out = begin(title, HEIGHT);
    for power in (low as i32)..=(high as i32) {
        let value = 10_f64.powi(power);
        let y = at_y(value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            told(value),
        );
    }
    for (value, name) in ticks(scale, left, right) {
        let x = at_x(value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
        );
    }
    let _ = write!(
        out,
        "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - RIGHT,
        HEIGHT - 4.0,
        escape(x_name),
    );
    for line in lines {
        let colour = line.colour % COLOURS;
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", at_x(*x), at_y(*y)))
            .collect();
        let _ = write!(
            out,
            "<polyline class=\"line c{colour}\" points=\"{}\"><title>{}</title></polyline>",
            points.join(" "),
            escape(&line.name),
        );
    }
    out += "</svg>";
    out + &legend(lines)
}

/// Bars with the spread that they stand for.
#[must_use]
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let high = bars
        .iter()
        .map(|bar| bar.spread.1.max(bar.value))
        .fold(0.0, f64::max);
    if bars.is_empty() || high <= 0.0 || !high.is_finite() {
        return String::new();
    }
    let height = 20.0 + bars.len() as f64 * BAR;
    let start = 150.0;
    let at = |value: f64| start + value / high * (WIDTH - start - 70.0);
    let mut out = begin(title, height);
    for (index, bar) in bars.iter().enumerate() {
        let y = 10.0 + index as f64 * BAR;
        let middle = y + BAR / 2.0 - 3.0;
        let (low, top) = (at(bar.spread.0), at(bar.spread.1));
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"bar f{}\" x=\"{start}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>\
             <path class=\"whisker\" d=\"M{low:.1} {middle:.1}H{top:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{:.2}</text>",
            start - 8.0,
            middle + 4.0,
            escape(&bar.name),
            bar.colour % COLOURS,
            at(bar.value) - start,
            BAR - 6.0,
            top.max(at(bar.value)) + 6.0,
            middle + 4.0,
            bar.value,
        );
    }
    out + "</svg>"
}

/// Text between tags.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn begin(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(
        "<h3>{title}</h3><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">"
    )
}

fn legend(lines: &[Line]) -> String {
    let mut out = "<p class=\"legend\">".to_owned();
    for line in lines {
        let (colour, name) = (line.colour % COLOURS, escape(&line.name));
        let _ = write!(out, "<span><i class=\"f{colour}\"></i>{name}</span> ");
    }
    out + "</p>"
}

fn ticks(scale: Scale, left: f64, right: f64) -> Vec<(f64, String)> {
    match scale {
        Scale::Nines => [
            (0.0, "0"),
            (0.5, "50"),
            (0.9, "90"),
            (0.99, "99"),
            (0.999, "99.9"),
            (0.9999, "99.99"),
        ]
        .map(|(value, name)| (value, name.to_owned()))
        .to_vec(),
        Scale::Linear | Scale::Log => (0..=4)
            .map(|part| left + (right - left) * f64::from(part) / 4.0)
            .map(|value| (value, told(value)))
            .collect(),
    }
}

fn told(value: f64) -> String {
    match value {
        value if value >= 10.0 || value == 0.0 => format!("{value:.0}"),
        value if value >= 0.1 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 36.0;
const BAR: f64 = 24.0;
/// The least value that a logarithmic axis shows: a microsecond.
const LEAST: f64 = 0.001;
/// The last percentile that an axis of nines shows.
const NINES_MAX: f64 = 0.999_99;
/// Colours that the page has.
pub const COLOURS: usize = 10;
