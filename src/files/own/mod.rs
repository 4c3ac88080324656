//! Data of a user's own simulations: pairs, or trajectories whose successive states are pairs, from an HDF5 or NumPy
//! (`.npz`) file (docs/own_data.md).

mod arrays;

use crate::{
    learning::{Label, Labels, LearningError, Pairs},
    systems::StatePoint,
};
use arrays::Arrays;
use ndarray::{Array2, Array3, ArrayD, Axis, Ix1, Ix2, Ix3, s};
use std::path::{Path, PathBuf};

/// Why a user's data cannot be learned from.
#[derive(Debug, thiserror::Error)]
pub enum OwnDataError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The arrays do not belong together.
    #[error("{}: {reason} (docs/own_data.md)", .path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The values cannot be learned from.
    #[error(transparent)]
    Learning(#[from] LearningError),
}

/// Trajectories of equally many records, at the same times.
#[derive(Clone, Debug)]
pub struct Trajectories {
    /// States `[trajectory, record, component]`; NaN after the end of a trajectory.
    pub states: Array3<f64>,
    /// Time of each record.
    pub times: Vec<f64>,
    /// Condition of each trajectory.
    pub conditions: Option<Vec<StatePoint>>,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct OwnData {
    /// Names and units.
    pub labels: Labels,
    /// K: the noise variance of the increments over that of the equation.
    pub patches: f64,
    /// Trajectories, or pairs of unknown trajectories.
    pub content: Content,
}

/// States in time, or pairs.
#[derive(Clone, Debug)]
pub enum Content {
    /// Trajectories.
    Trajectories(Trajectories),
    /// Pairs.
    Pairs(Box<Pairs>),
}

impl OwnData {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, arrays are missing or do not belong together, or a value is not finite.
    pub fn read(path: &Path) -> Result<Self, OwnDataError> {
        let arrays = Arrays::read(path).map_err(|reason| OwnDataError::Read { path: path.into(), reason })?;
        let wrong = |reason: String| OwnDataError::Layout { path: path.into(), reason };
        let z = arrays.get("z").ok_or_else(|| wrong(format!("it has no array z; it has {}", arrays.names())))?;
        let content = match z.ndim() {
            2 if arrays.get("increment").is_some() => Content::Pairs(Box::new(pairs(&arrays, z).map_err(wrong)?)),
            3 => Content::Trajectories(trajectories(&arrays, z).map_err(wrong)?),
            2 => {
                let reason = "z has two axes, [pair, component], but there is no increment. Trajectories have three, \
                              [trajectory, record, component]";
                return Err(wrong(reason.into()));
            }
            axes => return Err(wrong(format!("z has {axes} axes; it must have 2 or 3"))),
        };
        let (components, condition_axes) = match &content {
            Content::Trajectories(found) => {
                (found.states.len_of(Axis(2)), found.conditions.as_ref().map_or(0, |all| all[0].0.len()))
            }
            Content::Pairs(pairs) => {
                pairs.check()?;
                (pairs.components(), pairs.condition.as_ref().map_or(0, Array2::ncols))
            }
        };
        let patches = match arrays.get("K") {
            Some(value) if value.len() == 1 => value.iter().copied().next().unwrap_or(1.0),
            Some(value) => return Err(wrong(format!("K must be one number, not {}", value.len()))),
            None => 1.0,
        };
        Ok(Self { labels: labels(&arrays, components, condition_axes).map_err(wrong)?, patches, content })
    }

    /// The pairs to learn from, those of trajectories only where `chosen`. Pairs of a trajectory end with its last state.
    ///
    /// # Errors
    /// When a value is not finite before the end of its trajectory.
    pub fn pairs(&self, chosen: impl Fn(usize) -> bool) -> Result<Pairs, OwnDataError> {
        let pairs = match &self.content {
            Content::Pairs(pairs) => Pairs::clone(pairs),
            Content::Trajectories(trajectories) => trajectories.pairs(chosen),
        };
        pairs.check()?;
        Ok(pairs)
    }
}

impl Trajectories {
    /// Number of trajectories.
    pub fn count(&self) -> usize {
        self.states.len_of(Axis(0))
    }

    /// Some of the trajectories.
    pub fn chosen(&self, rows: &[usize]) -> Self {
        Self {
            states: self.states.select(Axis(0), rows),
            times: self.times.clone(),
            conditions: self.conditions.as_ref().map(|all| rows.iter().map(|&row| all[row].clone()).collect()),
        }
    }

    /// Records of a trajectory before its end, after which all is NaN.
    fn records(&self, trajectory: usize) -> usize {
        let states = self.states.index_axis(Axis(0), trajectory);
        states.outer_iter().rposition(|state| !state.iter().all(|value| value.is_nan())).map_or(0, |last| last + 1)
    }

    fn pairs(&self, chosen: impl Fn(usize) -> bool) -> Pairs {
        let steps = |trajectory: usize| (1..self.records(trajectory)).map(move |record| (trajectory, record));
        let rows: Vec<(usize, usize)> = (0..self.count()).filter(|&row| chosen(row)).flat_map(steps).collect();
        let size = self.states.len_of(Axis(2));
        let (mut z, mut increment) = (Array2::zeros((rows.len(), size)), Array2::zeros((rows.len(), size)));
        for (row, &(trajectory, record)) in rows.iter().enumerate() {
            for component in 0..size {
                let [before, after] = [record - 1, record].map(|record| self.states[[trajectory, record, component]]);
                z[[row, component]] = before as f32;
                increment[[row, component]] = (after - before) as f32;
            }
        }
        let dt = rows.iter().map(|&(_, record)| (self.times[record] - self.times[record - 1]) as f32);
        Pairs {
            z,
            increment,
            compensator: None,
            deviation: None,
            dt: dt.collect(),
            trajectory: rows.iter().map(|&(trajectory, _)| trajectory as u32).collect(),
            condition: self.conditions.as_ref().map(|all| table(rows.iter().map(|&(trajectory, _)| &all[trajectory]))),
        }
    }
}

/// Numbers of one axis, or one number for all.
fn list(arrays: &Arrays, name: &str, count: usize) -> Result<Option<Vec<f64>>, String> {
    let Some(array) = arrays.get(name) else { return Ok(None) };
    match array.len() {
        length if length == count => Ok(Some(array.iter().copied().collect())),
        1 => Ok(Some(vec![array.iter().copied().next().unwrap_or(f64::NAN); count])),
        length => Err(format!("{name} has {length} numbers; it must have {count}, or one for all")),
    }
}

/// The conditions of so many items, `[item]` or `[item, axis]`, or one number for all.
fn conditions(arrays: &Arrays, count: usize) -> Result<Option<Vec<StatePoint>>, String> {
    match arrays.get("condition") {
        Some(array) if array.ndim() == 2 && array.len_of(Axis(0)) == count && !array.is_empty() => {
            Ok(Some(array.outer_iter().map(|point| StatePoint(point.iter().copied().collect())).collect()))
        }
        _ => Ok(list(arrays, "condition", count)?.map(|all| all.into_iter().map(StatePoint::from).collect())),
    }
}

/// Conditions as an array `[item, axis]`.
fn table<'a>(conditions: impl Iterator<Item = &'a StatePoint>) -> Array2<f32> {
    let rows: Vec<&StatePoint> = conditions.collect();
    let axes = rows.first().map_or(1, |point| point.0.len());
    Array2::from_shape_fn((rows.len(), axes), |(row, axis)| rows[row].0[axis] as f32)
}

fn single_precision<D: ndarray::Dimension>(array: &ArrayD<f64>, name: &str) -> Result<ndarray::Array<f32, D>, String> {
    let array = array.mapv(|value| value as f32).into_dimensionality::<D>();
    array.map_err(|_| format!("{name} must have the axes of z"))
}

fn pairs(arrays: &Arrays, z: &ArrayD<f64>) -> Result<Pairs, String> {
    let count = z.len_of(Axis(0));
    let increment = arrays.get("increment").ok_or("there is no increment")?;
    let dt = list(arrays, "dt", count)?.ok_or("pairs need dt, the time of each increment, or one for all")?;
    let trajectory = list(arrays, "trajectory", count)?;
    let compensator = arrays.get("compensator").map(|array| single_precision::<Ix2>(array, "compensator"));
    Ok(Pairs {
        z: single_precision::<Ix2>(z, "z")?,
        increment: single_precision::<Ix2>(increment, "increment")?,
        compensator: compensator.transpose()?,
        deviation: None,
        dt: dt.into_iter().map(|dt| dt as f32).collect(),
        trajectory: match trajectory {
            Some(trajectory) => trajectory.into_iter().map(|index| index as u32).collect(),
            None => (0..count as u32).collect(),
        },
        condition: conditions(arrays, count)?.map(|all| table(all.iter())),
    })
}

fn trajectories(arrays: &Arrays, z: &ArrayD<f64>) -> Result<Trajectories, String> {
    let states = z.clone().into_dimensionality::<Ix3>().map_err(|error| error.to_string())?;
    let (count, records, _) = states.dim();
    if count == 0 || records < 2 {
        return Err(format!("z holds {count} trajectories of {records} records; it must have two records at least"));
    }
    let times = match (arrays.get("time"), arrays.get("dt")) {
        (Some(time), _) => time.clone().into_dimensionality::<Ix1>().map_err(|_| "time must have one axis")?.to_vec(),
        (None, Some(dt)) if dt.len() == 1 => {
            let dt = dt.iter().copied().next().unwrap_or(f64::NAN);
            (0..records).map(|record| record as f64 * dt).collect()
        }
        _ => return Err("trajectories need dt, the time between records, or time, that of each record".into()),
    };
    if times.len() != records || times.windows(2).any(|pair| !(pair[0] < pair[1] && pair[1].is_finite())) {
        return Err(format!("time must be {records} ascending numbers, one for each record of z"));
    }
    if states.slice(s![.., 0, ..]).iter().any(|value| !value.is_finite()) {
        return Err("the first state of every trajectory must be finite".into());
    }
    Ok(Trajectories { conditions: conditions(arrays, count)?, states, times })
}

fn labels(arrays: &Arrays, components: usize, condition_axes: usize) -> Result<Labels, String> {
    let mut labels = Labels::numbered(components);
    for (name, set) in [("names", true), ("units", false)] {
        let Some(texts) = arrays.texts(name) else { continue };
        if texts.len() != components {
            return Err(format!("{name} has {} entries, but z has {components} components", texts.len()));
        }
        for (label, text) in labels.components.iter_mut().zip(texts) {
            *(if set { &mut label.name } else { &mut label.unit }) = text.clone();
        }
    }
    let text = |name: &str| arrays.texts(name).and_then(|texts| texts.first().cloned());
    labels.time_unit = text("time_unit").unwrap_or_else(|| "1".into());
    let texts = |name: &str| arrays.texts(name).map_or(&[][..], |texts| texts);
    let (names, units) = (texts("condition_name"), texts("condition_unit"));
    let label = |axis| Label {
        name: names.get(axis).cloned().unwrap_or_else(|| "condition".into()),
        unit: units.get(axis).cloned().unwrap_or_else(|| "1".into()),
    };
    labels.condition = (0..condition_axes).map(label).collect();
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr3;

    #[test]
    fn successive_states_are_pairs_until_a_trajectory_ends() {
        let nan = f64::NAN;
        let states = arr3(&[[[0.0], [1.0], [3.0]], [[5.0], [4.0], [nan]]]);
        let all =
            Trajectories { states, times: vec![0.0, 0.5, 2.0], conditions: Some(vec![300.0.into(), 400.0.into()]) };
        let pairs = all.pairs(|_| true);
        assert_eq!(pairs.z.iter().copied().collect::<Vec<_>>(), [0.0, 1.0, 5.0]);
        assert_eq!(pairs.increment.iter().copied().collect::<Vec<_>>(), [1.0, 2.0, -1.0]);
        assert_eq!(pairs.dt.to_vec(), [0.5, 1.5, 0.5]);
        assert_eq!(pairs.trajectory.to_vec(), [0, 0, 1]);
        assert_eq!(pairs.condition.unwrap().into_raw_vec_and_offset().0, [300.0, 300.0, 400.0]);
        assert_eq!(all.pairs(|trajectory| trajectory == 1).dt.len(), 1);
    }
}
