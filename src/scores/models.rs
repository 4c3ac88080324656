//! Metrics over several models.

use crate::evaluation::Metric;
use ndarray::Array2;

/// With fewer trajectories than [`FEW`], the equilibrium of each is cut into this many parts. The errors then come from
/// the scatter of the parts. They are right if a part is longer than the correlation time.
const PARTS: usize = 4;
const FEW: usize = 8;

/// Mean over training seeds, with the standard error between them. A single seed has its own error.
pub fn over_models(found: &[Metric], unit: &str) -> Metric {
    match found {
        [one] => one.clone(),
        many => Metric::mean_of(&many.iter().map(|metric| metric.value).collect::<Vec<_>>(), unit),
    }
}

/// Number of parts of each trajectory for errors: one if there are enough trajectories.
pub fn parts(sample: &Array2<f64>) -> usize {
    if sample.nrows() < FEW { PARTS.min(sample.ncols()) } else { 1 }
}
