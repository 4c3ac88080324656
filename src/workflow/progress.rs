//! Progress: a bar on a terminal, or regular lines with rate and remaining time in a batch log.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// Seconds between lines in a batch log.
const INTERVAL: Duration = Duration::from_secs(20);

/// Progress over a number of items.
pub struct Progress {
    name: String,
    unit: &'static str,
    items: usize,
    done: usize,
    start: Instant,
    last: Instant,
    visible: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts at 0 of `items`. Prints nothing unless `visible`.
    pub fn new(name: &str, items: usize, unit: &'static str, visible: bool) -> Self {
        let bar = (visible && std::io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{prefix:9} {wide_bar:.blue} {pos}/{len} {msg} {per_sec}, {eta} left")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(items as u64).with_style(style);
            bar.set_prefix(name.to_owned());
            bar.set_message(unit);
            bar
        });
        let now = Instant::now();
        Self { name: name.into(), unit, items, done: 0, start: now, last: now, visible, bar }
    }

    /// Counts `items` more as done.
    pub fn advance(&mut self, items: usize) {
        self.done += items;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done as u64);
        } else if self.visible && self.last.elapsed() >= INTERVAL && self.done < self.items {
            self.last = Instant::now();
            let rate = self.done as f64 / self.start.elapsed().as_secs_f64();
            let left = (self.items - self.done) as f64 / rate;
            let Self { name, unit, items, done, .. } = self;
            eprintln!("{name:9} {done}/{items} {unit}, {rate:.1}/s, {left:.0} s left");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
