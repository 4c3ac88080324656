//! Closure variables by dynamics: means of known local functions, chosen because the drift of the observables depends on
//! them. A reconstruction keeps what varies most in a patch, which need not be what drives the observables.
//!
//! The drift L z of whole snapshots is regressed on 1, z and all products of two observables, with and without functions
//! of the library (ordinary least squares, in closed form). One function is added at a time, the one that explains
//! most of what is left, while it explains at least half of that.

use crate::{
    learning::{LearningError, tensor::vector},
    parallel::{Ranks, total_over},
};
use ndarray::{Array2, ArrayView2, s};
use tch::Tensor;

/// A function is added if it multiplies 1 - R^2, in the geometric mean over the observables, by at most this.
const MOST_LEFT: f64 = 0.5;
/// What is left of a drift that counts as explained.
const NOTHING_LEFT: f64 = 1e-5;
/// Added to the diagonal of the normal equations of columns of unit size: functions may depend on each other.
const RIDGE: f64 = 1e-9;

/// The functions that were chosen, and what they explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Indices in the library, in the order of the choice.
    pub chosen: Vec<usize>,
    /// For each of them its linear regression on 1 and the observables, `[1 + d]`. The closure variable is what is left:
    /// functions and observables may be nearly proportional, and an equation for both would be ill-conditioned.
    pub linear: Vec<Vec<f64>>,
    /// R^2 of the drift of each observable without and with them; NaN for a drift that does not vary.
    pub r_squared: Vec<[f64; 2]>,
}

/// Chooses functions, at most `most` beyond those that are `given`, from `library` `[snapshots, functions]` for the drift
/// `[snapshots, d]` of the observables `z` `[snapshots, d]`. Collective: every rank passes its own snapshots.
///
/// # Errors
/// When the tensor library refuses to solve the normal equations.
pub fn select(
    z: ArrayView2<f64>,
    library: ArrayView2<f64>,
    drift: ArrayView2<f64>,
    (given, most): (&[usize], usize),
    ranks: &dyn Ranks,
) -> Result<Selection, LearningError> {
    let sums = Sums::new(z, library, drift, ranks);
    let observables = z.ncols();
    let mut chosen = given.to_vec();
    let without = sums.r_squared(&[])?;
    let mut with = sums.r_squared(&chosen)?;
    // The geometric mean of 1 - R^2.
    let left = |r_squared: &[f64]| {
        let known = r_squared.iter().filter(|value| value.is_finite());
        let logarithms: f64 = known.clone().map(|value| (1.0 - value).max(NOTHING_LEFT).ln()).sum();
        (logarithms / known.count().max(1) as f64).exp()
    };
    while chosen.len() < given.len() + most {
        let mut best: Option<(usize, Vec<f64>)> = None;
        for function in (0..library.ncols()).filter(|function| !chosen.contains(function)) {
            let found = sums.r_squared(&[&chosen[..], &[function]].concat())?;
            if best.as_ref().is_none_or(|(_, known)| left(&found) < left(known)) {
                best = Some((function, found));
            }
        }
        match best.filter(|(_, found)| left(found) <= MOST_LEFT * left(&with)) {
            Some((function, found)) => {
                chosen.push(function);
                with = found;
            }
            None => break,
        }
    }
    let r_squared = (0..observables).map(|observable| [without[observable], with[observable]]).collect();
    let linear = chosen.iter().map(|&function| sums.linear(function, observables)).collect::<Result<_, _>>()?;
    Ok(Selection { chosen, linear, r_squared })
}

/// Coefficients and right-hand sides `[columns, targets]` of a regression on columns of unit size, and their sizes.
type Solved = (Array2<f64>, Array2<f64>, Vec<f64>);

/// Sums of products of all columns: 1, z, products of z, the library, the drift.
struct Sums {
    products: Array2<f64>,
    /// Columns that are always used.
    base: usize,
    functions: usize,
}

impl Sums {
    fn new(z: ArrayView2<f64>, library: ArrayView2<f64>, drift: ArrayView2<f64>, ranks: &dyn Ranks) -> Self {
        let (d, functions) = (z.ncols(), library.ncols());
        let base = 1 + d + d * (d + 1) / 2;
        let width = base + functions + d;
        let mut products = Array2::<f64>::zeros((width, width));
        for first in (0..z.nrows()).step_by(4096) {
            let rows = first..(first + 4096).min(z.nrows());
            let mut columns = Array2::<f64>::ones((rows.len(), width));
            for (row, mut to) in rows.zip(columns.outer_iter_mut()) {
                let squares = (0..d).flat_map(|i| (i..d).map(move |j| z[[row, i]] * z[[row, j]]));
                let values = z.row(row).to_vec().into_iter().chain(squares).chain(library.row(row).to_vec());
                to.iter_mut().skip(1).zip(values.chain(drift.row(row).to_vec())).for_each(|(to, value)| *to = value);
            }
            products = products + columns.t().dot(&columns);
        }
        let mut all: Vec<f64> = products.into_iter().collect();
        total_over(ranks, &mut all);
        let products = Array2::from_shape_vec((width, width), all).expect("as many sums");
        Self { products, base, functions }
    }

    /// The linear regression of a function on 1 and the observables.
    fn linear(&self, function: usize, observables: usize) -> Result<Vec<f64>, LearningError> {
        let columns: Vec<usize> = (0..1 + observables).collect();
        let target = self.base + function;
        let (found, _, size) = self.solved(&columns, target..target + 1)?;
        Ok(found.column(0).iter().zip(size).map(|(coefficient, size)| coefficient / size).collect())
    }

    /// R^2 of the drift of each observable with some functions.
    fn r_squared(&self, functions: &[usize]) -> Result<Vec<f64>, LearningError> {
        let columns: Vec<usize> = (0..self.base).chain(functions.iter().map(|index| self.base + index)).collect();
        let targets = self.base + self.functions..self.products.ncols();
        let (found, right, _) = self.solved(&columns, targets.clone())?;
        let count = self.products[[0, 0]];
        let of_target = |target: usize| {
            let index = targets.start + target;
            let total = self.products[[index, index]] - self.products[[0, index]].powi(2) / count;
            let explained = found.slice(s![.., target]).dot(&right.slice(s![.., target]));
            let left = self.products[[index, index]] - explained;
            if total > 1e-12 * self.products[[index, index]] { 1.0 - left / total } else { f64::NAN }
        };
        Ok((0..targets.len()).map(of_target).collect())
    }

    /// The regression of targets on columns.
    fn solved(&self, columns: &[usize], targets: std::ops::Range<usize>) -> Result<Solved, LearningError> {
        let size: Vec<f64> = columns.iter().map(|&column| self.products[[column, column]].sqrt().max(1e-300)).collect();
        let matrix = Array2::from_shape_fn((columns.len(), columns.len()), |(row, column)| {
            let ridge = if row == column { RIDGE } else { 0.0 };
            self.products[[columns[row], columns[column]]] / (size[row] * size[column]) + ridge
        });
        let right = Array2::from_shape_fn((columns.len(), targets.len()), |(row, target)| {
            self.products[[columns[row], targets.start + target]] / size[row]
        });
        let tensor = |values: &Array2<f64>| {
            let (rows, columns) = values.dim();
            Tensor::from_slice(&values.iter().copied().collect::<Vec<_>>()).view([rows as i64, columns as i64])
        };
        let found: Vec<f64> = vector(&Tensor::f_linalg_solve(&tensor(&matrix), &tensor(&right), true)?);
        let found = Array2::from_shape_vec(right.dim(), found).expect("one coefficient a column and target");
        Ok((found, right, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parallel::Alone,
        rng::{Purpose, stream},
    };
    use rand::Rng as _;

    /// Drifts that depend on the first and the third of four functions: both are found, the others are not.
    #[test]
    fn what_drives_the_observables_is_chosen() {
        let mut rng = stream(4, Purpose::Bench, [60, 0]);
        let mut uniform = |columns| Array2::from_shape_simple_fn((2_000, columns), || rng.random_range(-1.0..1.0));
        let (z, library) = (uniform(2), uniform(4));
        let drift = Array2::from_shape_fn((2_000, 2), |(row, observable)| {
            let quadratic = 0.3 - z[[row, 0]] + 0.5 * z[[row, 0]] * z[[row, 1]];
            quadratic + [0.8 * library[[row, 2]], 0.4 * library[[row, 0]]][observable]
        });
        let found = select(z.view(), library.view(), drift.view(), (&[], 4), &Alone).unwrap();
        assert_eq!(found.chosen, [2, 0]);
        for [without, with] in &found.r_squared {
            assert!(*without < 0.9 && *with > 1.0 - 1e-6, "{without} {with}");
        }
        let given = select(z.view(), library.view(), drift.view(), (&[1], 0), &Alone).unwrap();
        assert_eq!(given.chosen, [1], "chosen by name, whatever it explains");
        let closed = select(z.view(), library.view(), (&z * 2.0).view(), (&[], 4), &Alone).unwrap();
        assert!(closed.chosen.is_empty() && closed.r_squared.iter().all(|[without, _]| *without > 1.0 - 1e-6));
    }
}
