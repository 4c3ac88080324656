//! Calibration of the learned noise. With the true drift and diffusion the residuals y = L^{-1} (q - mu dt) /
//! sqrt(lambda dt) of the training increments q are standard normal at every state. Residuals are in the coordinates of
//! the model.

use crate::{
    learning::{
        LearningError, Pairs,
        sde::{Sde, likelihood::Factor, moments::moments},
        tensor::vector,
    },
    parallel::{Ranks, total_over},
};
use ndarray::{Array2, s};
use std::ops::Range;
use tch::{Kind, Tensor, no_grad};

/// Normalised residuals y, `[pairs, r]`.
///
/// # Errors
/// When the pairs do not fit the model.
pub fn residuals(model: &Sde, pairs: &Pairs, covariance_factor: f64) -> Result<Array2<f32>, LearningError> {
    let independent = model.coordinates().independent();
    if model.parts().2.moment_steps > 0 {
        return residuals_of_moments(model, pairs);
    }
    let mut values = Vec::with_capacity(pairs.dt.len() * independent);
    in_chunks(model, pairs, &mut |rows, drift, factor| {
        let increment = model.coordinates().increments(pairs.increment.slice(s![rows.clone(), ..]));
        let increment = upload(model, increment.iter(), independent);
        let dt = upload(model, pairs.dt.slice(s![rows]).iter(), 1);
        let solved = factor.solve(&(increment - drift * &dt)) / (dt * covariance_factor).sqrt();
        values.extend(vector::<f32>(&solved.to_kind(Kind::Float)));
    })?;
    Ok(Array2::from_shape_vec((pairs.dt.len(), independent), values).expect("one residual a coordinate"))
}

/// The residuals of a model that was trained on the moments of increments.
fn residuals_of_moments(model: &Sde, pairs: &Pairs) -> Result<Array2<f32>, LearningError> {
    let (steps, independent) = (model.parts().2.moment_steps, model.coordinates().independent());
    let mut values = Vec::with_capacity(pairs.dt.len() * independent);
    in_chunks(model, pairs, &mut |rows, _, _| {
        let coordinates = model.coordinates();
        let x = coordinates.states(pairs.z.slice(s![rows.clone(), ..]));
        let increment = coordinates.increments(pairs.increment.slice(s![rows.clone(), ..]));
        let [x, increment] = [&x, &increment].map(|array| upload(model, array.iter(), independent));
        let dt = upload(model, pairs.dt.slice(s![rows]).iter(), 1);
        let (mean, factor) = moments(&|x| model.fields(x), &x, &dt, steps);
        values.extend(vector::<f32>(&factor.solve(&(increment - mean)).to_kind(Kind::Float)));
    })?;
    Ok(Array2::from_shape_vec((pairs.dt.len(), independent), values).expect("one residual a coordinate"))
}

/// Bins of the histogram of the residuals, from -END to END.
const BINS: usize = 40;
const END: f64 = 4.0;

/// Statistics of the normalised residuals of the pairs of all ranks, by coordinate.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Variance. It is 1 for a calibrated model, with a statistical error of sqrt(2 / pairs). Above 1 the learned noise
    /// is too small.
    pub variance: Vec<f64>,
    /// Probability density in each bin between [`edges`]. It is normal for a calibrated model.
    pub density: Vec<Vec<f64>>,
}

/// Edges of the bins of the histogram of the residuals.
pub fn edges() -> Vec<f64> {
    (0..=BINS).map(|edge| END * (2.0 * edge as f64 / BINS as f64 - 1.0)).collect()
}

/// Statistics of the residuals of the pairs of all ranks. Every rank passes its own pairs.
///
/// # Errors
/// When the pairs do not fit the model.
pub fn calibration(
    model: &Sde,
    pairs: &Pairs,
    covariance_factor: f64,
    ranks: &dyn Ranks,
) -> Result<Calibration, LearningError> {
    let residuals = residuals(model, pairs, covariance_factor)?;
    let columns = || residuals.columns().into_iter();
    let mut first = vec![residuals.nrows() as f64];
    first.extend(columns().map(|column| column.iter().map(|&value| f64::from(value)).sum::<f64>()));
    total_over(ranks, &mut first);
    let count = first[0];
    let mut squares: Vec<f64> = columns()
        .zip(&first[1..])
        .map(|(column, sum)| column.iter().map(|&value| (f64::from(value) - sum / count).powi(2)).sum())
        .collect();
    total_over(ranks, &mut squares);
    let width = 2.0 * END / BINS as f64;
    let mut counts = vec![0.0; residuals.ncols() * BINS];
    for (column, counts) in columns().zip(counts.chunks_exact_mut(BINS)) {
        for &value in column {
            let bin = ((f64::from(value) + END) / width).floor();
            if (0.0..BINS as f64).contains(&bin) {
                counts[bin as usize] += 1.0;
            }
        }
    }
    total_over(ranks, &mut counts);
    Ok(Calibration {
        variance: squares.into_iter().map(|square| square / count).collect(),
        density: counts.chunks(BINS).map(|bins| bins.iter().map(|bin| bin / (count * width)).collect()).collect(),
    })
}

/// Learned drift at the states and conditions of pairs, `[pairs, d]`, in physical units.
///
/// # Errors
/// When the pairs do not fit the model.
pub fn drift(model: &Sde, pairs: &Pairs) -> Result<Array2<f32>, LearningError> {
    let mut values = Vec::with_capacity(pairs.z.len());
    in_chunks(model, pairs, &mut |_, drift, _| {
        values.extend(vector::<f32>(&model.map().rates(&drift).to_kind(Kind::Float)));
    })?;
    Ok(Array2::from_shape_vec(pairs.z.dim(), values).expect("one drift a state"))
}

/// Learned noise sqrt(Sigma_00) of the first component at the states of pairs, `[pairs]`, in physical units.
///
/// # Errors
/// When the pairs do not fit the model.
pub fn noise(model: &Sde, pairs: &Pairs) -> Result<Vec<f32>, LearningError> {
    let mut values = Vec::with_capacity(pairs.dt.len());
    in_chunks(model, pairs, &mut |_, _, factor| {
        let first = model.map().noise(&factor.matrix()).select(1, 0);
        let squares = first.square().sum_dim_intlist(1, false, None::<Kind>);
        values.extend(vector::<f32>(&squares.sqrt().to_kind(Kind::Float)));
    })?;
    Ok(values)
}

/// Passes drift and factor at the pairs, in the coordinates of the model, to `take`, one block of rows after another.
fn in_chunks(
    model: &Sde,
    pairs: &Pairs,
    take: &mut dyn FnMut(Range<usize>, Tensor, Factor),
) -> Result<(), LearningError> {
    const CHUNK: usize = 4_096;
    pairs.check()?;
    if pairs.condition.is_none() {
        model.complete()?;
    }
    let components = model.components();
    if pairs.components() != components {
        let found = pairs.components();
        return Err(LearningError::Components { what: "the pairs", found, expected: components });
    }
    for first in (0..pairs.dt.len()).step_by(CHUNK) {
        let rows = first..pairs.dt.len().min(first + CHUNK);
        let x = model.coordinates().states(pairs.z.slice(s![rows.clone(), ..]));
        let x = upload(model, x.iter(), model.coordinates().independent());
        let condition = pairs.condition.as_ref().map(|values| {
            let values = values.slice(s![rows.clone(), ..]);
            upload(model, values.iter(), values.ncols())
        });
        no_grad(|| {
            let (drift, factor) = match &condition {
                Some(condition) => model.fields_at_condition(&x, Some(condition)),
                None => model.fields(&x),
            };
            take(rows, drift, factor);
        });
    }
    Ok(())
}

/// Values as a tensor `[-1, columns]` with the precision and on the device of the model.
fn upload<'v, T: tch::kind::Element + Copy + 'v>(
    model: &Sde,
    values: impl Iterator<Item = &'v T>,
    columns: usize,
) -> Tensor {
    let values: Vec<T> = values.copied().collect();
    Tensor::from_slice(&values).to_kind(model.kind()).to_device(model.device()).view([-1, columns as i64])
}
