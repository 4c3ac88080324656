//! Names and colours of kinds of models, sources of metrics and conditions.

use crate::{
    config::Input,
    report::{Axis, Colour},
    scores::{ModelKind, Source},
};

/// Name and colour of each kind of model.
pub fn roles(kind: ModelKind) -> (&'static str, Colour) {
    match kind {
        ModelKind::Ours => ("ours", Colour::Ours),
        ModelKind::Baseline => ("baseline", Colour::Baseline),
    }
}

/// Name and colour of each source of metrics.
pub fn roles_of_source(source: Source) -> (&'static str, Colour) {
    match source {
        Source::Truth => ("direct simulation", Colour::Truth),
        Source::Pairs => ("training pairs without a model", Colour::Guide),
        Source::Model(ModelKind::Ours) => ("learned", Colour::Ours),
        Source::Model(kind) => roles(kind),
    }
}

/// What a page calls times, starts and conditions.
pub struct Names {
    /// Title of each group of trajectories of equal start and condition.
    pub groups: Vec<String>,
    /// For each group, the unit that its times are shown in, and how many of it a unit of the data is.
    pub times: Vec<(f64, String)>,
    /// Title of each condition; empty for a single one.
    pub conditions: Vec<String>,
}

impl Names {
    /// Those of an input. Times are in s, or a part of it, where the unit of time is known.
    pub fn of(input: &Input) -> Self {
        let system = &input.system;
        let last = input.truth_duration();
        let groups = system.conditions().len() * input.truth.starts.len();
        let title = |group: usize| {
            let (condition, start) = input.truth_start(group * input.truth.trajectories);
            let of_condition = condition_label(input, condition);
            let start = format!("start {}", input.truth.starts[start]);
            if of_condition.is_empty() { start } else { format!("{start}, {of_condition}") }
        };
        let time = |group: usize| {
            let (condition, _) = input.truth_start(group * input.truth.trajectories);
            system.seconds(condition).map_or((1.0, system.time_unit().to_owned()), |seconds| in_seconds(seconds, last))
        };
        Self {
            groups: (0..groups).map(title).collect(),
            times: (0..groups).map(time).collect(),
            conditions: (0..system.conditions().len()).map(|index| condition_label(input, index)).collect(),
        }
    }

    /// The times of the data in the unit of a group.
    pub fn times_of(&self, group: usize, times: &[f64]) -> Vec<f64> {
        times.iter().map(|time| time * self.times[group].0).collect()
    }

    /// The axis of the times of a group: logarithmic, with 0 before the first record.
    pub fn time_axis(&self, group: usize, times: &[f64]) -> Axis {
        let (factor, unit) = &self.times[group];
        let first = times.iter().copied().find(|time| *time > 0.0).unwrap_or(f64::NAN);
        Axis::logarithmic(if unit == "1" { "time".into() } else { format!("time ({unit})") })
            .with_zero_before(first * factor)
    }
}

/// A part of a second in which `last` units of so many seconds are at least 1, and the factor to it.
fn in_seconds(seconds: f64, last: f64) -> (f64, String) {
    let parts = [(1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")];
    let part = parts.into_iter().find(|(factor, _)| seconds * factor * last >= 1.0).unwrap_or((1e12, "ps"));
    (seconds * part.0, part.1.to_owned())
}

/// The name of a condition in figures: `1500 K`, or `3.4 J / k_B, not in the data`. Empty for a single condition.
fn condition_label(input: &Input, index: usize) -> String {
    let Some(value) = input.system.named_condition(index) else { return String::new() };
    if input.is_in_data(index) { value } else { format!("{value}, not in the data") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_a_part_of_a_second_that_fits() {
        assert_eq!(in_seconds(0.01, 1e4), (0.01, "s".into()));
        let (factor, unit) = in_seconds(2e-9, 3e3);
        assert!((factor - 2e-3).abs() < 1e-12 && unit == "µs");
        assert_eq!(in_seconds(1e-15, 10.0).1, "ps");
    }
}
