//! The drift that pairs show by themselves: their mean rate of change in bins of one component.

use ndarray::{ArrayView1, ArrayView2};

/// Bins of a component, and fewest pairs of one that counts.
const BINS: usize = 24;
const FEWEST: f64 = 20.0;

/// Mean rates of change against one component, by bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BinnedDrift {
    /// Centres of the bins.
    pub centre: Vec<f64>,
    /// Mean rate of change of the pairs.
    pub found: Vec<f64>,
    /// Its standard error.
    pub error: Vec<f64>,
    /// Mean of the learned drift over the same pairs.
    pub learned: Vec<f64>,
}

/// Bins pairs by one component: states and increments `[pair, component]`, durations, and the learned drift `[pair,
/// component]`. The bins cover all but the outermost half per cent on either side.
pub fn binned_drift(
    z: ArrayView2<f64>,
    increment: ArrayView2<f64>,
    dt: ArrayView1<f64>,
    learned: ArrayView2<f64>,
    component: usize,
) -> BinnedDrift {
    let mut sorted: Vec<f64> = z.column(component).to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(0.005), at(0.995));
    let width = (high - low) / BINS as f64;
    // Pairs, time, increment, its square, learned increment.
    let mut sums = [[0.0; 5]; BINS];
    for (row, &dt) in dt.iter().enumerate() {
        let bin = ((z[[row, component]] - low) / width).floor();
        if (0.0..BINS as f64).contains(&bin) {
            let increment = increment[[row, component]];
            let more = [1.0, dt, increment, increment * increment, learned[[row, component]] * dt];
            sums[bin as usize].iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }
    let mut binned = BinnedDrift::default();
    for (bin, [count, time, increment, square, drift]) in sums.into_iter().enumerate() {
        if count >= FEWEST {
            binned.centre.push(low + (bin as f64 + 0.5) * width);
            binned.found.push(increment / time);
            binned.error.push((square - increment * increment / count).max(0.0).sqrt() / time);
            binned.learned.push(drift / time);
        }
    }
    binned
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    #[test]
    fn drift_of_the_pairs_is_found_in_bins() {
        const COUNT: usize = 4000;
        let z = Array2::from_shape_fn((COUNT, 1), |(row, _)| row as f64 / COUNT as f64);
        let (increment, dt, learned) =
            (z.mapv(|z| -2.0 * z * 0.1), Array1::from_elem(COUNT, 0.1), Array2::ones((COUNT, 1)));
        let found = binned_drift(z.view(), increment.view(), dt.view(), learned.view(), 0);
        assert_eq!(found.centre.len(), BINS);
        assert!(found.centre.iter().zip(&found.found).all(|(z, rate)| (rate + 2.0 * z).abs() < 1e-3), "{found:?}");
        assert!(found.learned.iter().all(|rate| (rate - 1.0).abs() < 1e-6));
    }
}
