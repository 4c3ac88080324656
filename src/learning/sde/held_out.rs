//! Coverage of pairs that the training did not see: the probability integral transform.
//!
//! With the true drift and diffusion the normalised residuals y of an increment are standard normal, so u = Phi(y) is
//! uniform in [0, 1] (M. Rosenblatt, Ann. Math. Statist. 23, 470 (1952)). The largest distance between the distribution
//! of u and the uniform one is the statistic of Kolmogorov and Smirnov.

use crate::{
    learning::{
        LearningError, Pairs,
        sde::{Sde, calibration::residuals},
        tensor::vector,
    },
    parallel::{Ranks, total_over},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Bins of u. The distance is looked at between them.
const BINS: usize = 200;

/// How well a model's distribution of increments covers held-out pairs, by coordinate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Number of held-out pairs of all ranks.
    pub pairs: usize,
    /// Share of the increments within the central 90 % interval of the model.
    pub within_90: Vec<f64>,
    /// Largest distance between the distribution of u and the uniform one. Independent pairs of the model itself exceed
    /// 1.63 / sqrt(pairs) in one case of a hundred.
    pub distance: Vec<f64>,
}

/// The coverage of the held-out `pairs` of all ranks. `None` when there are none. Collective.
///
/// # Errors
/// When the pairs do not fit the model.
pub fn held_out(
    model: &Sde,
    pairs: &Pairs,
    covariance_factor: f64,
    ranks: &dyn Ranks,
) -> Result<Option<HeldOut>, LearningError> {
    let count = ranks.gather(pairs.dt.len() as f64).iter().sum::<f64>();
    if count == 0.0 {
        return Ok(None);
    }
    let residuals = residuals(model, pairs, covariance_factor)?;
    let mut counts = vec![0.0; residuals.ncols() * BINS];
    for (column, counts) in residuals.columns().into_iter().zip(counts.chunks_exact_mut(BINS)) {
        let y = Tensor::from_slice(&column.to_vec()).to_kind(Kind::Double);
        let u: Vec<f64> = vector(&(((y / 2.0_f64.sqrt()).erf() + 1.0) * 0.5));
        u.iter().for_each(|u| counts[((u * BINS as f64) as usize).min(BINS - 1)] += 1.0);
    }
    total_over(ranks, &mut counts);
    let outside = BINS / 20;
    let within = |bins: &[f64]| bins[outside..BINS - outside].iter().sum::<f64>() / count;
    let distance = |bins: &[f64]| {
        let below = bins.iter().scan(0.0, |sum, bin| {
            *sum += bin / count;
            Some(*sum)
        });
        below.enumerate().map(|(bin, below)| (below - (bin + 1) as f64 / BINS as f64).abs()).fold(0.0, f64::max)
    };
    Ok(Some(HeldOut {
        pairs: count as usize,
        within_90: counts.chunks(BINS).map(within).collect(),
        distance: counts.chunks(BINS).map(distance).collect(),
    }))
}
