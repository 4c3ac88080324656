//! Finite-size observables of a magnet from samples of its magnetisation per site, M in [-1, 1].
//!
//! `chi = n/T (<M^2> - <|M|>^2)` with n = L^2 sites, Binder cumulant `U = 1 - <M^4> / (3 <M^2>^2)`
//! (K. Binder, Z. Phys. B 43, 119 (1981)). At T_c, `<|M|> ~ L^(-beta/nu)`, `chi ~ L^(gamma/nu)`, `dU/dT ~ L^(1/nu)`.

use ndarray::{ArrayView2, Axis};

use super::bootstrap::{Statistic, blocks, standard_errors, stream_of};
use super::{Diverged, EvaluationError, Metric, finite_trajectories};

/// Equilibrium observables of one system at one temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct Criticality {
    /// `<|M|>`.
    pub magnetisation: Metric,
    /// `chi = n/T (<M^2> - <|M|>^2)`.
    pub susceptibility: Metric,
    /// `U = 1 - <M^4> / (3 <M^2>^2)`; 2/3 in the ordered phase, 0 for a Gaussian.
    pub binder: Metric,
    /// Diverged trajectories, counted as the prediction side.
    pub diverged: Diverged,
}

/// Observables of `magnetisation` [trajectory, time] for `sites` sites at `temperature` (J = k_B = 1).
///
/// Errors are bootstrapped over blocks of `block` successive times; take a block of several correlation times, or 0
/// for whole trajectories. All times count as equilibrium: cut the transient off before.
///
/// # Errors
/// When the temperature is not above 0, or every trajectory has diverged.
pub fn criticality(
    magnetisation: ArrayView2<f64>,
    sites: usize,
    temperature: f64,
    block: usize,
    resamples: usize,
    seed: u64,
) -> Result<Criticality, EvaluationError> {
    if temperature.is_nan() || temperature <= 0.0 {
        return Err(EvaluationError::Value { what: "the temperature", value: temperature });
    }
    let kept = finite_trajectories(&magnetisation);
    let length = if block == 0 { magnetisation.ncols() } else { block };
    let pieces = blocks(magnetisation.select(Axis(0), &kept).view(), length);
    if pieces.is_empty() {
        return Err(EvaluationError::Empty("the set of blocks of the magnetisation"));
    }
    let moments: Vec<Moments> = pieces
        .outer_iter()
        .map(|block| block.iter().map(|&m| Moments::of(m)).sum::<Moments>() * (length as f64).recip())
        .collect();
    let stiffness = sites as f64 / temperature;
    let mean = |sum: Moments, weight: f64| observables(sum * weight.recip(), stiffness);
    let values = mean(moments.iter().copied().sum(), moments.len() as f64);
    let mut rng = stream_of(Statistic::Criticality, seed);
    let errors = standard_errors(&[moments.len()], resamples, &mut rng, |weights| {
        let drawn = moments.iter().zip(&weights[0]).map(|(moments, &weight)| *moments * weight);
        mean(drawn.sum(), weights[0].iter().sum())
    });
    let metric = |index: usize| Metric::new(values[index], errors[index], moments.len(), "1");
    Ok(Criticality {
        magnetisation: metric(0),
        susceptibility: metric(1),
        binder: metric(2),
        diverged: Diverged {
            prediction: magnetisation.nrows() - kept.len(),
            prediction_of: magnetisation.nrows(),
            ..Diverged::default()
        },
    })
}

/// <|M|>, chi and U of the moments; `stiffness` is sites / temperature.
pub(super) fn observables(mean: Moments, stiffness: f64) -> [f64; 3] {
    let susceptibility = stiffness * (mean.second - mean.absolute * mean.absolute);
    [mean.absolute, susceptibility, 1.0 - mean.fourth / (3.0 * mean.second * mean.second)]
}

/// `<|M|>`, `<M^2>`, `<M^4>`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    absolute: f64,
    second: f64,
    fourth: f64,
}

impl Moments {
    pub(super) fn of(m: f64) -> Self {
        Self { absolute: m.abs(), second: m * m, fourth: m.powi(4) }
    }
}

impl std::iter::Sum for Moments {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::default(), |sum, term| Self {
            absolute: sum.absolute + term.absolute,
            second: sum.second + term.second,
            fourth: sum.fourth + term.fourth,
        })
    }
}

impl std::ops::Mul<f64> for Moments {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self { absolute: self.absolute * factor, second: self.second * factor, fourth: self.fourth * factor }
    }
}

/// One curve of a finite-size collapse: abscissa, ordinate and standard error of each point, already rescaled.
pub type ScaledCurve = Vec<(f64, f64, f64)>;

/// Quality S of a data collapse: mean square distance of each point from the other curves at its abscissa, in units of
/// the errors. About 1 for a perfect collapse within errors, larger for a poor one; NaN when no curves overlap.
/// After J. Houdayer and A. K. Hartmann, Phys. Rev. B 70, 014418 (2004), with linear interpolation between neighbours.
pub fn collapse_quality(curves: &[ScaledCurve]) -> f64 {
    let mut sorted = curves.to_vec();
    sorted.iter_mut().for_each(|curve| curve.sort_by(|a, b| a.0.total_cmp(&b.0)));
    let mut deviations = Vec::new();
    for (own, curve) in sorted.iter().enumerate() {
        for &(x, y, error) in curve {
            let others = sorted.iter().enumerate().filter(|(other, _)| *other != own);
            let expected: Vec<_> = others.filter_map(|(_, other)| interpolate(other, x)).collect();
            if expected.is_empty() {
                continue;
            }
            let weight: f64 = expected.iter().map(|(_, variance)| variance.recip()).sum();
            let mean = expected.iter().map(|(value, variance)| value / variance).sum::<f64>() / weight;
            deviations.push((y - mean).powi(2) / (error * error + weight.recip()));
        }
    }
    deviations.iter().sum::<f64>() / deviations.len() as f64
}

/// Value and variance of a sorted curve at `x`; `None` outside it.
fn interpolate(curve: &ScaledCurve, x: f64) -> Option<(f64, f64)> {
    curve.windows(2).find(|pair| pair[0].0 <= x && x <= pair[1].0 && pair[0].0 < pair[1].0).map(|pair| {
        let share = (x - pair[0].0) / (pair[1].0 - pair[0].0);
        let variance = ((1.0 - share) * pair[0].2).powi(2) + (share * pair[1].2).powi(2);
        ((1.0 - share) * pair[0].1 + share * pair[1].1, variance)
    })
}
