//! The equilibrium of a magnet that training pairs imply by themselves, without a model.
//!
//! A patch that evolves in fixed surroundings keeps detailed balance, whatever the time it evolves for. To second order
//! in the increments f = (Sigma P)' / 2P then holds for the mean f and the variance Sigma of the increments at each M
//! per unit of time, and with it P(M) ~ exp(integral of 2 f / Sigma) / Sigma. Passages of such a diffusion from -m to m
//! and back alternate at a rate of 1 / integral of dM / (Sigma P) from -m to m: the inverse of the mean of both mean
//! first passage times. Where this law differs from that of the direct simulation the pairs are at fault (too few,
//! snapshots too early, other surroundings than fixed ones), where a model differs from it the training is.

use super::{
    EvaluationError, Metric,
    bootstrap::jackknife_variance,
    criticality::{Moments, observables},
};

/// Bins of M, and fewest pairs of one that counts.
const BINS: usize = 512;
const FEWEST: f64 = 50.0;
/// Groups of trajectories that are left out in turn for the errors.
const GROUPS: usize = 20;

/// One training pair of a magnet.
#[derive(Clone, Copy, Debug)]
pub struct MagnetPair {
    /// M of the snapshot.
    pub magnetisation: f64,
    /// K times the change of M.
    pub increment: f64,
    /// The same or, where the rates of the law are known, a number with the same mean and less noise.
    pub quiet: f64,
    /// Duration.
    pub time: f64,
    /// The word that the pair is from: pairs of different words are independent.
    pub word: usize,
}

/// Sums over the pairs of a bin: 1, M, time, quiet increment, increment^2.
type Bin = [f64; 5];

/// <|M|>, chi and the Binder cumulant (see [`super::criticality::Criticality`]) of the law that `pairs` imply, for K =
/// `patches`, and the rate of reversals between -<|M|>/2 and <|M|>/2 (as [`super::distributions::reversal_rate`] counts
/// them), with errors by the jackknife over words. `symmetric` adds the mirror image of every pair.
///
/// # Errors
/// [`EvaluationError::Empty`] when fewer than two bins of M have enough pairs.
pub fn criticality_of_pairs(
    pairs: impl IntoIterator<Item = MagnetPair>,
    patches: usize,
    symmetric: bool,
    sites: usize,
    temperature: f64,
) -> Result<[Metric; 4], EvaluationError> {
    let mut groups = vec![vec![Bin::default(); BINS]; GROUPS];
    let (mut count, mut words) = (0, 0);
    for MagnetPair { magnetisation, increment, quiet, time, word } in pairs {
        count += 1;
        words = words.max(word + 1);
        for sign in [1.0, -1.0].into_iter().take(1 + usize::from(symmetric)) {
            let position = 0.5 * (sign * magnetisation + 1.0) * BINS as f64;
            let terms = [1.0, sign * magnetisation, time, sign * quiet, increment * increment];
            let bin = &mut groups[word % GROUPS][(position as usize).min(BINS - 1)];
            bin.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
    }
    let without = |left_out: usize| {
        let mut sum = vec![Bin::default(); BINS];
        for (_, group) in groups.iter().enumerate().filter(|(group, _)| *group != left_out) {
            sum.iter_mut().flatten().zip(group.iter().flatten()).for_each(|(sum, term)| *sum += term);
        }
        law(&sum, patches as f64, sites as f64 / temperature)
    };
    let values = without(GROUPS).ok_or(EvaluationError::Empty("the set of bins with enough training pairs"))?;
    let left_out: Option<Vec<[f64; 4]>> = (words >= GROUPS).then(|| (0..GROUPS).map(without).collect()).flatten();
    Ok(std::array::from_fn(|quantity| {
        let each = left_out.as_ref().map(|all| all.iter().map(|values| values[quantity]).collect::<Vec<_>>());
        let unit = if quantity < 3 { "1" } else { "1/time" };
        Metric::new(values[quantity], each.map(|each| jackknife_variance(&each).sqrt()), count, unit)
    }))
}

/// <|M|>, chi, U and rate of the law over the bins that count: trapezoids in M for all integrals.
fn law(bins: &[Bin], patches: f64, stiffness: f64) -> Option<[f64; 4]> {
    let kept: Vec<[f64; 3]> = bins
        .iter()
        .filter(|[count, .., squares]| *count >= FEWEST && *squares > 0.0)
        .map(|[count, m, time, increment, squares]| {
            let variance = squares / time / patches;
            [m / count, 2.0 * increment / time / variance, variance]
        })
        .collect();
    let widths: Vec<f64> = kept.windows(2).map(|pair| pair[1][0] - pair[0][0]).collect();
    let mut exponents = vec![-kept.first()?[2].ln()];
    let mut integral = 0.0;
    for (pair, width) in kept.windows(2).zip(&widths) {
        integral += 0.5 * (pair[0][1] + pair[1][1]) * width;
        exponents.push(integral - pair[1][2].ln());
    }
    let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let density: Vec<f64> = exponents.iter().map(|exponent| (exponent - largest).exp()).collect();
    let width = |bin: Option<usize>| bin.and_then(|bin| widths.get(bin)).copied().unwrap_or(0.0);
    let width = |bin: usize| 0.5 * (width(bin.checked_sub(1)) + width(Some(bin)));
    let total: f64 = density.iter().enumerate().map(|(bin, density)| density * width(bin)).sum();
    let terms = kept.iter().zip(&density).enumerate();
    let sum: Moments =
        terms.clone().map(|(index, (bin, density))| Moments::of(bin[0]) * (density * width(index))).sum();
    let [absolute, susceptibility, binder] = observables(sum * total.recip(), stiffness);
    let between = terms.filter(|(_, (bin, _))| 2.0 * bin[0].abs() <= absolute);
    let passage: f64 = between.map(|(index, (bin, density))| width(index) * total / (bin[2] * density)).sum();
    (total > 0.0).then_some([absolute, susceptibility, binder, passage.recip()])
}
