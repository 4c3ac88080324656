//! One metric out of those of several models.

use crate::evaluation::Metric;
use ndarray::Array2;

/// Parts that the equilibrium of a trajectory is cut into where there are fewer trajectories than [`FEW`]: their scatter
/// gives the errors then, which are right where a part is longer than the memory of the system.
const PARTS: usize = 4;
const FEW: usize = 8;

/// Mean over training seeds with the error between them; with one seed its own error.
pub fn over_models(found: &[Metric], unit: &str) -> Metric {
    match found {
        [one] => one.clone(),
        many => Metric::mean_of(&many.iter().map(|metric| metric.value).collect::<Vec<_>>(), unit),
    }
}

/// Parts of each trajectory whose scatter gives errors: one, the whole trajectory, where there are enough of them.
pub fn parts(sample: &Array2<f64>) -> usize {
    if sample.nrows() < FEW { PARTS.min(sample.ncols()) } else { 1 }
}
