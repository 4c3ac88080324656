//! What a run shows: lines, how far a stage is and how long it may still take, and observables against time; or the same
//! as events for programs, one JSON object a line (`--json`).

use crate::workflow::Stage;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::{
    io::{IsTerminal, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Seconds between lines of progress in a batch log.
const LINE_SECONDS: f64 = 20.0;
/// Seconds between events of progress.
const EVENT_SECONDS: f64 = 2.0;
/// Seconds between changes of a bar.
const BAR_SECONDS: f64 = 0.1;
/// Seconds between lines of observables, at least; and as a share of the time since the start, so that long runs print
/// some hundreds of lines.
const OBSERVABLES_SECONDS: (f64, f64) = (3.0, 0.01);

/// The form of what is shown on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// Nothing.
    Nothing,
}

/// The screen of a rank: threads share it.
pub struct Screen {
    form: Form,
    start: Instant,
    under_way: Mutex<UnderWay>,
}

/// What is being computed.
#[derive(Default)]
struct UnderWay {
    work: Option<Work>,
    /// When observables were last shown.
    observed: Option<Instant>,
}

/// The items of a stage.
struct Work {
    name: String,
    unit: &'static str,
    items: usize,
    done: usize,
    /// Items' worth of what is unfinished.
    parts: f64,
    start: Instant,
    shown: Instant,
    bar: Option<ProgressBar>,
}

/// Progress over a number of items, shown until it is dropped.
#[must_use = "progress ends when it is dropped"]
pub struct Progress<'a>(&'a Screen);

impl Screen {
    /// A screen that shows things in a form.
    pub fn new(form: Form) -> Self {
        Self { form, start: Instant::now(), under_way: Mutex::default() }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a line: the run continues when nobody reads it.
    pub fn say(&self, text: &str) {
        match self.form {
            Form::Text => self.under_way().print(text),
            Form::Json => self.event(&json!({"event": "message", "text": text.trim()})),
            Form::Nothing => {}
        }
    }

    /// Shows an event to programs. People get lines instead.
    pub fn event(&self, event: &Value) {
        if self.form == Form::Json {
            self.under_way().print(&event.to_string());
        }
    }

    /// Whether people see an event as a line.
    pub fn is_text(&self) -> bool {
        self.form == Form::Text
    }

    /// Progress from 0 of `items`.
    pub fn progress(&self, name: &str, items: usize, unit: &'static str) -> Progress<'_> {
        let bar = (self.form == Form::Text && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{prefix:9} {wide_bar:.blue} {msg}");
            let bar = ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name.to_owned());
            bar
        });
        let now = Instant::now();
        let work = Work { name: name.into(), unit, items, done: 0, parts: 0.0, start: now, shown: now, bar };
        self.under_way().work = Some(work);
        Progress(self)
    }

    /// Counts a part of an item as done, until the item is.
    pub fn part(&self, share: f64) {
        let mut under_way = self.under_way();
        if let Some(work) = &mut under_way.work {
            work.parts += share;
        }
        self.show_progress(&mut under_way);
    }

    fn show_progress(&self, under_way: &mut UnderWay) {
        let Some(work) = &mut under_way.work else { return };
        let seconds = match (self.form, &work.bar) {
            (Form::Text, Some(_)) => BAR_SECONDS,
            (Form::Text, None) => LINE_SECONDS,
            (Form::Json, _) => EVENT_SECONDS,
            (Form::Nothing, _) => return,
        };
        let last = work.done == work.items && self.form == Form::Json;
        if !last && (work.shown.elapsed().as_secs_f64() < seconds || work.done == work.items) {
            return;
        }
        work.shown = Instant::now();
        match (self.form, &work.bar) {
            (Form::Json, _) => under_way.print_event(),
            (_, Some(bar)) => {
                bar.set_position((1000.0 * work.share()) as u64);
                bar.set_message(work.text());
            }
            _ => eprintln!("{:9} {}", work.name, work.text()),
        }
    }

    /// Shows the observables of a trajectory at a time, now and then.
    pub fn observables(&self, stage: Stage, trajectory: usize, time: f64, named: &[(&str, f64)]) {
        if self.form == Form::Nothing {
            return;
        }
        let mut under_way = self.under_way();
        let (least, share) = OBSERVABLES_SECONDS;
        let pause = least.max(share * self.start.elapsed().as_secs_f64());
        let first = under_way.observed.is_none();
        if under_way.observed.is_some_and(|last| last.elapsed() < Duration::from_secs_f64(pause)) {
            return;
        }
        under_way.observed = Some(Instant::now());
        if self.form == Form::Json {
            let values: Map<String, Value> = named.iter().map(|&(name, value)| (name.into(), json!(value))).collect();
            let event = json!({"event": "observables", "stage": stage.name(), "trajectory": trajectory, "time": time, "values": values});
            return under_way.print(&event.to_string());
        }
        let width = |name: &str| name.len().max(14);
        if first {
            let names: String = named.iter().map(|(name, _)| format!(" {name:>0$}", width(name))).collect();
            under_way.print(&format!("{:9} {:>10} {:>12}{names}", "", "trajectory", "time"));
        }
        let values: String = named.iter().map(|(name, value)| format!(" {value:0$.6}", width(name))).collect();
        under_way.print(&format!("{:9} {trajectory:10} {time:12.4}{values}", stage.name()));
    }
}

impl UnderWay {
    /// Prints a line, above the bar where there is one.
    fn print(&self, line: &str) {
        let print = || writeln!(std::io::stdout(), "{line}").ok();
        match self.work.as_ref().and_then(|work| work.bar.as_ref()) {
            Some(bar) => bar.suspend(print),
            None => print(),
        };
    }

    fn print_event(&self) {
        let Some(work) = &self.work else { return };
        let (done, left) = (work.items as f64 * work.share(), work.seconds_left());
        let event = json!({
            "event": "progress", "stage": work.name, "done": done, "of": work.items, "unit": work.unit, "seconds_left": left,
        });
        self.print(&event.to_string());
    }
}

impl Work {
    /// The share of the work that is done.
    fn share(&self) -> f64 {
        ((self.done as f64 + self.parts) / self.items.max(1) as f64).min(1.0)
    }

    /// The time that the rest takes at the rate so far.
    fn seconds_left(&self) -> Option<f64> {
        let share = self.share();
        (share > 0.0).then(|| self.start.elapsed().as_secs_f64() * (1.0 - share) / share)
    }

    fn text(&self) -> String {
        let Self { unit, items, done, .. } = self;
        let left = self.seconds_left().map_or(String::new(), |seconds| format!(", {seconds:.0} s left"));
        format!("{:.1} %, {done}/{items} {unit}{left}", 100.0 * self.share())
    }
}

impl Progress<'_> {
    /// Counts `items` more as done, with their parts.
    pub fn advance(&mut self, items: usize) {
        let mut under_way = self.0.under_way();
        if let Some(work) = &mut under_way.work {
            work.done += items;
            work.parts = 0.0;
        }
        self.0.show_progress(&mut under_way);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way();
        if let Some(bar) = under_way.work.take().and_then(|work| work.bar) {
            bar.finish_and_clear();
        }
        under_way.observed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_items_count_until_the_items_do() {
        let screen = Screen::new(Form::Nothing);
        let share = || screen.under_way().work.as_ref().map(Work::share);
        assert_eq!(share(), None);
        let mut progress = screen.progress("truth", 4, "trajectories");
        screen.part(0.5);
        screen.part(0.5);
        assert_eq!(share(), Some(0.25));
        let left = screen.under_way().work.as_ref().and_then(Work::seconds_left);
        assert!(left.is_some_and(|seconds| seconds >= 0.0));
        progress.advance(2);
        assert_eq!(share(), Some(0.5));
        assert!(
            screen.under_way().work.as_ref().is_some_and(|work| work.text().starts_with("50.0 %, 2/4 trajectories"))
        );
        drop(progress);
        assert_eq!(share(), None);
    }
}
