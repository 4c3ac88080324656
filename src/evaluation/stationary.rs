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
/// Iterations for the slowest rate; the next one is several times as large.
const ITERATIONS: usize = 40;

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
/// them) and the slowest rate of relaxation, with errors by the jackknife over words. `symmetric` adds the mirror image of every pair.
///
/// # Errors
/// [`EvaluationError::Empty`] when fewer than two bins of M have enough pairs.
pub fn criticality_of_pairs(
    pairs: impl IntoIterator<Item = MagnetPair>,
    patches: usize,
    symmetric: bool,
    sites: usize,
    temperature: f64,
) -> Result<[Metric; 5], EvaluationError> {
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
    let without = |left_out: usize| -> Option<[f64; 5]> {
        let mut sum = vec![Bin::default(); BINS];
        for (_, group) in groups.iter().enumerate().filter(|(group, _)| *group != left_out) {
            sum.iter_mut().flatten().zip(group.iter().flatten()).for_each(|(sum, term)| *sum += term);
        }
        Some(Law::of(&sum, patches as f64)?.quantities(sites as f64 / temperature))
    };
    let values = without(GROUPS).ok_or(EvaluationError::Empty("the set of bins with enough training pairs"))?;
    let left_out: Option<Vec<[f64; 5]>> = (words >= GROUPS).then(|| (0..GROUPS).map(without).collect()).flatten();
    Ok(std::array::from_fn(|quantity| {
        let each = left_out.as_ref().map(|all| all.iter().map(|values| values[quantity]).collect::<Vec<_>>());
        let unit = if quantity < 3 { "1" } else { "1/time" };
        Metric::new(values[quantity], each.map(|each| jackknife_variance(&each).sqrt()), count, unit)
    }))
}

/// A law over bins of M: trapezoids in M for all integrals.
struct Law {
    magnetisation: Vec<f64>,
    /// Sigma per unit of time.
    variance: Vec<f64>,
    density: Vec<f64>,
    width: Vec<f64>,
}

impl Law {
    /// The law over the bins that count.
    fn of(bins: &[Bin], patches: f64) -> Option<Self> {
        let counts = |[count, .., squares]: &&Bin| *count >= FEWEST && *squares > 0.0;
        let kept: Vec<&Bin> = bins.iter().filter(counts).collect();
        let of = |value: fn(&Bin, f64) -> f64| kept.iter().map(|bin| value(bin, patches)).collect::<Vec<f64>>();
        let magnetisation = of(|[count, m, ..], _| m / count);
        let variance = of(|[.., time, _, squares], patches| squares / time / patches);
        let slope = of(|[.., increment, squares], patches| 2.0 * increment * patches / squares);
        let steps: Vec<f64> = magnetisation.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut exponents = vec![-variance.first()?.ln()];
        let mut integral = 0.0;
        for (bin, step) in steps.iter().enumerate() {
            integral += 0.5 * (slope[bin] + slope[bin + 1]) * step;
            exponents.push(integral - variance[bin + 1].ln());
        }
        let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let step = |bin: Option<usize>| bin.and_then(|bin| steps.get(bin)).copied().unwrap_or(0.0);
        let width: Vec<f64> = (0..kept.len()).map(|bin| 0.5 * (step(bin.checked_sub(1)) + step(Some(bin)))).collect();
        let density: Vec<f64> = exponents.iter().map(|exponent| (exponent - largest).exp()).collect();
        let total: f64 = density.iter().zip(&width).map(|(density, width)| density * width).sum();
        let density = density.iter().map(|density| density / total).collect();
        (total > 0.0).then_some(Self { magnetisation, variance, density, width })
    }

    /// <|M|>, chi, U, the rate of reversals and the slowest rate of relaxation.
    fn quantities(&self, stiffness: f64) -> [f64; 5] {
        let weights = self.density.iter().zip(&self.width).map(|(density, width)| density * width);
        let sum: Moments = weights.zip(&self.magnetisation).map(|(weight, m)| Moments::of(*m) * weight).sum();
        let [absolute, susceptibility, binder] = observables(sum, stiffness);
        let between = (0..self.width.len()).filter(|&bin| 2.0 * self.magnetisation[bin].abs() <= absolute);
        let passage: f64 = between.map(|bin| self.width[bin] / (self.variance[bin] * self.density[bin])).sum();
        [absolute, susceptibility, binder, passage.recip(), self.slowest_rate()]
    }

    /// The least rate above 0 at which a function of M relaxes under dM = f dt + Sigma^(1/2) dB: inverse iteration. The
    /// solution x of (Sigma P x')' / 2 = -P g follows from two sums.
    fn slowest_rate(&self) -> f64 {
        let weights: Vec<f64> = self.density.iter().zip(&self.width).map(|(density, width)| density * width).collect();
        let total: f64 = weights.iter().sum();
        let mean =
            |values: &[f64]| values.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>() / total;
        let flow = |bin: usize| 0.5 * self.variance[bin] * self.density[bin];
        let (mut function, mut rate) = (self.magnetisation.clone(), 0.0);
        for _ in 0..ITERATIONS {
            let centre = mean(&function);
            let size = mean(&function.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>()).sqrt();
            function.iter_mut().for_each(|value| *value = (*value - centre) / size);
            let (mut outflow, mut value) = (0.0, 0.0);
            let mut next = vec![0.0];
            for bin in 1..function.len() {
                outflow += weights[bin - 1] * function[bin - 1];
                let step = self.magnetisation[bin] - self.magnetisation[bin - 1];
                value -= outflow * step / (0.5 * (flow(bin - 1) + flow(bin)));
                next.push(value);
            }
            let centre = mean(&next);
            let product: Vec<f64> = next.iter().zip(&function).map(|(next, now)| (next - centre) * now).collect();
            rate = mean(&product).recip();
            function = next;
        }
        rate
    }
}
