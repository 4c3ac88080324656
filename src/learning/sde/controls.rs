//! Control variates: known quantities with mean 0 in every state, from which least squares find how much of the noise of
//! the increments they carry. To take that away changes no mean, whatever the coefficients are.
//!
//! There are two. The *deviation* of a patch from the mean of the whole lattice, of which the part that relaxes is no
//! noise of the lattice: over all patches of a lattice it is 0. And the *martingale* of the events, the increment less its
//! compensator, which is noise of the lattice but need not be noise of its drift. Both may matter differently in
//! different states, so each is also multiplied by z and z^2.

use crate::{
    learning::{LearningError, tensor::vector},
    parallel::{Ranks, total_over},
};
use ndarray::{Array1, Array2, ArrayView1, s};
use tch::Tensor;

/// Rows at a time.
const BLOCK: usize = 16_384;
/// Added to the diagonal of the normal equations of controls of unit size, for those that depend on each other.
const RIDGE: f64 = 1e-6;

/// Takes from `targets` `[pairs, d]` what `controls`, arrays `[pairs, d]`, explain of them, as functions of `z`
/// `[pairs, d]` by least squares over the pairs of all ranks, each weighted with 1 / `dt`. Collective.
///
/// # Errors
/// When the tensor library refuses to solve the normal equations.
pub fn remove(
    targets: &mut Array2<f32>,
    controls: &[&Array2<f32>],
    (z, dt): (&Array2<f32>, &Array1<f32>),
    ranks: &dyn Ranks,
) -> Result<(), LearningError> {
    let columns = controls.iter().map(|control| control.ncols()).sum::<usize>() * (1 + 2 * z.ncols());
    let width = columns + targets.ncols();
    let rows = |block: std::ops::Range<usize>| {
        let mut products = Array2::<f64>::zeros((block.len(), columns));
        for (row, mut to) in block.zip(products.outer_iter_mut()) {
            let values = controls.iter().flat_map(|control| multiples(control.row(row), z.row(row)));
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
        products
    };
    let blocks = || (0..z.nrows()).step_by(BLOCK).map(|first| first..z.nrows().min(first + BLOCK));
    let mut sums = Array2::<f64>::zeros((columns, width));
    for block in blocks() {
        let left = rows(block.clone());
        let mut weighted = left.clone();
        weighted.outer_iter_mut().zip(&dt.slice(s![block.clone()])).for_each(|(mut row, &dt)| row /= f64::from(dt));
        sums.slice_mut(s![.., ..columns]).scaled_add(1.0, &weighted.t().dot(&left));
        let targets = targets.slice(s![block, ..]).mapv(f64::from);
        sums.slice_mut(s![.., columns..]).scaled_add(1.0, &weighted.t().dot(&targets));
    }
    let mut all: Vec<f64> = sums.into_iter().collect();
    total_over(ranks, &mut all);
    let coefficients = solve(Array2::from_shape_vec((columns, width), all).expect("as many sums"))?;
    for block in blocks() {
        let explained = rows(block.clone()).dot(&coefficients).mapv(|value| value as f32);
        targets.slice_mut(s![block, ..]).scaled_add(-1.0, &explained);
    }
    Ok(())
}

/// Each value times 1, z_k and z_k^2 of every k.
fn multiples<'a>(values: ArrayView1<'a, f32>, z: ArrayView1<'a, f32>) -> impl Iterator<Item = f64> + 'a {
    let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
    let factors: Vec<f64> = std::iter::once(1.0).chain(z.iter().copied()).chain(z.iter().map(|z| z * z)).collect();
    values.into_iter().flat_map(move |&value| factors.clone().into_iter().map(move |factor| factor * f64::from(value)))
}

/// The coefficients `[columns, targets]` that solve the normal equations: sums of products of the controls with each
/// other and with the targets.
fn solve(sums: Array2<f64>) -> Result<Array2<f64>, LearningError> {
    let (columns, width) = sums.dim();
    let size: Vec<f64> = (0..columns).map(|column| sums[[column, column]].max(f64::MIN_POSITIVE).sqrt()).collect();
    let scaled = Array2::from_shape_fn((columns, columns), |(row, column)| {
        let ridge = if row == column { RIDGE } else { 0.0 };
        sums[[row, column]] / (size[row] * size[column]) + ridge
    });
    let right =
        Array2::from_shape_fn((columns, width - columns), |(row, target)| sums[[row, columns + target]] / size[row]);
    let tensor = |values: Array2<f64>| {
        let (rows, columns) = values.dim();
        Tensor::from_slice(&values.into_iter().collect::<Vec<_>>()).view([rows as i64, columns as i64])
    };
    let found: Vec<f64> = vector(&Tensor::f_linalg_solve(&tensor(scaled), &tensor(right), true)?);
    let found =
        Array2::from_shape_vec((columns, width - columns), found).expect("one coefficient a control and target");
    Ok(Array2::from_shape_fn(found.dim(), |(row, target)| found[[row, target]] / size[row]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parallel::Alone,
        rng::{Purpose, stream},
    };
    use rand::Rng as _;
    use rand_distr::{Distribution, StandardNormal};

    /// A target of mean z and noise that is a control times a function of z, and a little more; a second control is the
    /// double of the first.
    #[test]
    fn what_controls_explain_is_removed_and_the_mean_stays() {
        const COUNT: usize = 20_000;
        let mut rng = stream(3, Purpose::Bench, [50, 0]);
        let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
        let control = Array2::from_shape_simple_fn((COUNT, 1), &mut normal);
        let rest = Array2::from_shape_simple_fn((COUNT, 1), || 0.1 * normal());
        let z = Array2::from_shape_simple_fn((COUNT, 1), || stream_uniform(&mut rng));
        let dt = Array1::ones(COUNT);
        let mut target = &z + &(&control * &(1.0 - 2.0 * &z)) + &rest;
        remove(&mut target, &[&control, &(2.0 * &control)], (&z, &dt), &Alone).unwrap();
        let left = (&target - &z - &rest).mapv(|value| value * value).mean().unwrap().sqrt();
        assert!(left < 0.03, "{left} is left");
    }

    fn stream_uniform(rng: &mut crate::rng::Rng) -> f32 {
        rng.random()
    }
}
