//! Scores: arrays in, numbers out.
//!
//! The same functions score the truth against itself, against this method and against the baseline, so nothing here
//! knows where an array came from: no files, no ranks, no networks. Arrays are `[trajectory, time, component]`, or
//! `[trajectory, time]` for one scalar.
//!
//! A trajectory with a value that is not finite has *diverged*. It is left out of means (one NaN would erase the other
//! trajectories) and counted in the result ([`Diverged`]), so that a model cannot look better by blowing up.
//!
//! Whole trajectories are the independent units of every bootstrap and jackknife, because successive times of one
//! trajectory are correlated. Long equilibrium runs are cut into blocks first ([`bootstrap::blocks`]).

pub mod binned_drift;
pub mod bootstrap;
pub mod criticality;
pub mod distributions;
pub mod fit;
pub mod metric;
pub mod mmd;
pub mod relaxation;
pub mod scaling;
pub mod stationary;
pub mod trajectories;

mod observable;
mod state_point;

use ndarray::{ArrayBase, Axis, Data, Dimension, RemoveAxis};
use serde::{Deserialize, Serialize};

pub use metric::{Metric, Metrics};
pub use observable::{Observable, Symmetry};
pub use state_point::StatePoint;

/// Why a score cannot be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// Two arrays that must share their times and components do not.
    #[error("the truth has times and components {truth:?} but the prediction {prediction:?}: put both on one grid")]
    Shape {
        /// Extents of the truth after the trajectory axis.
        truth: Vec<usize>,
        /// Extents of the prediction after the trajectory axis.
        prediction: Vec<usize>,
    },
    /// There is nothing to average.
    #[error("{0} is empty: a score needs at least one value")]
    Empty(&'static str),
    /// A component index outside the array.
    #[error("component {component} was asked for, but the arrays have {components}")]
    Component {
        /// The index asked for.
        component: usize,
        /// How many components there are.
        components: usize,
    },
    /// The reference of a relative error vanishes.
    #[error("the mean of truth^2 is zero, so a relative error has no meaning: choose other components")]
    ZeroReference,
    /// No trajectory of the truth is finite.
    #[error(
        "all {0} trajectories of one start of the direct simulation left the finite numbers, so there is nothing to \
         compare with: make the step of the system shorter, or its noise smaller"
    )]
    NoTruth(usize),
    /// A value that must be finite (or positive, for logarithms) is not.
    #[error("{what} holds {value}, which is not allowed here")]
    Value {
        /// Which input.
        what: &'static str,
        /// The offending value.
        value: f64,
    },
    /// Inputs of a fit disagree or are too few.
    #[error("a fit with {parameters} parameters got {points} points: it needs at least as many, with distinct x")]
    TooFewPoints {
        /// Number of fitted parameters.
        parameters: usize,
        /// Number of points given.
        points: usize,
    },
}

/// How many trajectories left the finite numbers, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverged {
    /// Diverged trajectories of the truth.
    pub truth: usize,
    /// All trajectories of the truth.
    pub truth_of: usize,
    /// Diverged trajectories of the prediction.
    pub prediction: usize,
    /// All trajectories of the prediction.
    pub prediction_of: usize,
}

impl Diverged {
    /// The counts of two sets together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            truth: self.truth + other.truth,
            truth_of: self.truth_of + other.truth_of,
            prediction: self.prediction + other.prediction,
            prediction_of: self.prediction_of + other.prediction_of,
        }
    }

    /// The diverged predictions as a metric.
    pub fn metric(self) -> Metric {
        Metric::exact(self.prediction as f64, self.prediction_of, "trajectories")
    }
}

/// Indices along the first axis whose values are all finite.
pub fn finite_trajectories<S, D>(trajectories: &ArrayBase<S, D>) -> Vec<usize>
where
    S: Data<Elem = f64>,
    D: Dimension + RemoveAxis,
{
    let finite = |(index, one): (usize, ndarray::ArrayView<f64, D::Smaller>)| {
        one.iter().all(|value| value.is_finite()).then_some(index)
    };
    trajectories.axis_iter(Axis(0)).enumerate().filter_map(finite).collect()
}
