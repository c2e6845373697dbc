//! A line on the terminal that says what goes on; nothing where there is no terminal.

use std::rc::Rc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::load::client::Window;

/// The line.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A line for so many steps, each told of by [`Progress::step`].
    #[must_use]
    pub fn new(steps: u64) -> Self {
        let bar = ProgressBar::new(steps);
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Says what is done now.
    pub fn say(&self, words: impl Into<String>) {
        self.0.set_message(words.into());
    }

    /// A step is over.
    pub fn step(&self) {
        self.0.inc(1);
    }

    /// So many steps are over.
    pub fn at(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// Prints a line of the result above it.
    pub fn print(&self, line: &str) {
        self.0.suspend(|| println!("{line}"));
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }

    /// Tells live figures of a window until it is over.
    pub fn follow(&self, name: &str, window: &Rc<Window>) {
        if self.0.is_hidden() {
            return;
        }
        let (bar, name, window) = (self.0.clone(), name.to_owned(), Rc::clone(window));
        monoio::spawn(async move {
            while window.end.get() == u64::MAX {
                monoio::time::sleep(Duration::from_millis(250)).await;
                let figures = window.figures.borrow();
                bar.set_message(format!(
                    "{name}: {} answers, {} deltas, p99 {:.2} ms, {} wrong",
                    figures.done,
                    figures.tokens,
                    figures.latency.value_at_quantile(0.99) as f64 / 1e6,
                    figures.wrong
                ));
            }
        });
    }
}
