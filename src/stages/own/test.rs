//! Test trajectories: ordered by condition and start, as scores need them.

use crate::evaluation::StatePoint;
use crate::{files::own::Trajectories, learning::Labels, workflow::StageError};
use ndarray::{Axis, s};
use std::cmp::Ordering;

/// Test trajectories of equally many records.
pub(super) struct Test {
    /// Ordered by condition, then by start.
    pub trajectories: Trajectories,
    /// The conditions, ascending; one without a meaning for a single equation.
    pub conditions: Vec<StatePoint>,
    /// Starts that several trajectories share; 1 where all have starts of their own.
    pub starts: usize,
    /// Trajectories that ended early and are left out.
    pub left_out: usize,
}

impl Test {
    /// Orders the trajectories. Those with equal first states have one start.
    ///
    /// # Errors
    /// When records are not equally spaced, or conditions have different numbers of trajectories.
    pub fn of(all: Trajectories, labels: &Labels) -> Result<Self, StageError> {
        let refused = |reason: String| StageError::Engine(reason.into());
        let expected = labels.components.len();
        if all.states.len_of(Axis(2)) != expected {
            let found = all.states.len_of(Axis(2));
            return Err(refused(format!("the test trajectories have {found} components, but the data {expected}")));
        }
        if all.conditions.is_some() == labels.condition.is_empty() {
            return Err(refused(
                "either both the data and the test trajectories have conditions, or none of them".into(),
            ));
        }
        let interval = all.times[1] - all.times[0];
        if all.times.windows(2).any(|pair| (pair[1] - pair[0] - interval).abs() > 1e-6 * interval) {
            return Err(refused("the records of test trajectories must be equally spaced in time".into()));
        }
        let whole = |&row: &usize| all.states.index_axis(Axis(0), row).iter().all(|value| value.is_finite());
        let mut rows: Vec<usize> = (0..all.count()).filter(whole).collect();
        let left_out = all.count() - rows.len();
        let condition = |row: usize| all.conditions.as_ref().map_or_else(|| 0.0.into(), |all| all[row].clone());
        let first = |row: usize| all.states.slice(s![row, 0, ..]).to_vec();
        rows.sort_by(|&one, &other| {
            let starts =
                || first(one).iter().zip(&first(other)).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
            let order = condition(one).partial_cmp(&condition(other)).unwrap_or(Ordering::Equal);
            order.then_with(|| starts().unwrap_or(Ordering::Equal))
        });
        let by_condition: Vec<&[usize]> = rows.chunk_by(|&one, &other| condition(one) == condition(other)).collect();
        if by_condition.is_empty() || by_condition.iter().any(|group| group.len() != by_condition[0].len()) {
            let counts: Vec<usize> = by_condition.iter().map(|group| group.len()).collect();
            return Err(refused(format!(
                "the conditions have {counts:?} whole test trajectories; give equally many at each, and one at least"
            )));
        }
        let conditions = by_condition.iter().map(|group| condition(group[0])).collect();
        let groups = |group: &&[usize]| -> Vec<usize> {
            group.chunk_by(|&one, &other| first(one) == first(other)).map(<[usize]>::len).collect()
        };
        let sizes: Vec<Vec<usize>> = by_condition.iter().map(groups).collect();
        let size = sizes[0][0];
        let equal =
            size > 1 && sizes.iter().all(|own| own.len() == sizes[0].len() && own.iter().all(|&other| other == size));
        let starts = if equal { sizes[0].len() } else { 1 };
        Ok(Self { trajectories: all.chosen(&rows), conditions, starts, left_out })
    }

    /// The conditions in words.
    pub fn texts(&self, labels: &Labels) -> Vec<String> {
        let axes = || labels.condition.iter().map(|label| (label.name.as_str(), label.unit.as_str()));
        self.conditions.iter().map(|condition| condition.with_units(axes())).collect()
    }

    /// Titles of the groups of equal condition and start.
    pub fn titles(&self, labels: &Labels) -> Vec<String> {
        let each = self.trajectories.count() / (self.conditions.len() * self.starts);
        let conditions = self.texts(labels);
        let title = |group: usize| {
            let state = self.trajectories.states.slice(s![group * each, 0, ..]);
            let start = state.iter().map(|value| format!("{value:.3}")).collect::<Vec<_>>().join(", ");
            let start = if self.starts > 1 { format!("start {start}") } else { "all starts".into() };
            match labels.condition.is_empty() {
                true => start,
                false => format!("{start}, {}", conditions[group / self.starts]),
            }
        };
        (0..self.conditions.len() * self.starts).map(title).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn trajectories_are_grouped_by_condition_and_start() {
        let starts = [2.0, 1.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0];
        let mut states = Array3::from_shape_fn((8, 3, 1), |(row, record, _)| starts[row] + 0.1 * record as f64);
        let conditions = Some([9.0, 9.0, 9.0, 9.0, 5.0, 5.0, 5.0, 5.0].map(StatePoint::from).to_vec());
        let mut labels = Labels::numbered(1);
        let all = |states: &Array3<f64>, conditions: &Option<Vec<StatePoint>>| Trajectories {
            states: states.clone(),
            times: vec![0.0, 1.0, 2.0],
            conditions: conditions.clone(),
        };
        labels.condition = vec![crate::learning::Label { name: "T".into(), unit: "K".into() }];
        let test = Test::of(all(&states, &conditions), &labels).unwrap();
        assert_eq!((test.conditions.clone(), test.starts, test.left_out), (vec![5.0.into(), 9.0.into()], 2, 0));
        assert_eq!(test.titles(&labels)[2], "start 1.000, 9 K");
        assert_eq!(test.trajectories.states.slice(s![.., 0, 0]).to_vec(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        states[[0, 2, 0]] = f64::NAN;
        let error = Test::of(all(&states, &conditions), &labels).err().unwrap().to_string();
        assert!(error.contains("[4, 3] whole test trajectories"), "{error}");
        labels.condition.clear();
        let test = Test::of(all(&states, &None), &labels).unwrap();
        assert_eq!((test.starts, test.left_out), (1, 1));
    }
}
