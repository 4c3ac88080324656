//! Mean and covariance of an equation after a finite time, instead of one Euler step: for pairs of whole systems whose
//! drift changes within dt.
//!
//! A normal distribution with mean m and covariance P obeys m' = E mu(x) and P' = E mu(x) (x - m)^T + its transpose +
//! E Sigma(x), in which E is over this distribution; for small P that is m' = mu(m) and P' = J P + P J^T + Sigma(m).
//! The means are those over 2 d points m +- sqrt(d) l_j, with P = L L^T and l_j the columns of L: exact for cubic mu
//! (I. Arasaratnam and S. Haykin, IEEE Trans. Autom. Control 54, 1254 (2009)). Time advances by the classical Runge-Kutta
//! method of fourth order.

use crate::learning::sde::likelihood::Factor;
use tch::{Kind, Tensor};

/// Drift and diffusion factor at states `[n, d]`.
pub(super) type Fields<'a> = &'a dyn Fn(&Tensor) -> (Tensor, Factor);

/// A normal distribution for each sample.
struct Normal {
    /// `[n, d]`
    mean: Tensor,
    /// `[n, d, d]`
    covariance: Tensor,
}

/// Mean displacement `[n, d]` from the states `start` `[n, d]`, and the factor of its covariance, after `time` `[n, 1]`
/// in so many steps.
pub(super) fn moments(fields: Fields, start: &Tensor, time: &Tensor, steps: usize) -> (Tensor, Factor) {
    let step = time / steps as f64;
    let half = &step / 2.0;
    let size = start.size()[1];
    let zero = Tensor::zeros([start.size()[0], size, size], (start.kind(), start.device()));
    let mut state = Normal { mean: start.shallow_clone(), covariance: zero };
    for nth in 0..steps {
        let first = if nth == 0 { first_slope(fields, start) } else { slope(fields, &state) };
        let second = slope(fields, &advanced(&state, &first, &half));
        let third = slope(fields, &advanced(&state, &second, &half));
        let fourth = slope(fields, &advanced(&state, &third, &step));
        let mean = |of: fn(&Normal) -> &Tensor| (of(&first) + (of(&second) + of(&third)) * 2.0 + of(&fourth)) / 6.0;
        let slope = Normal { mean: mean(|slope| &slope.mean), covariance: mean(|slope| &slope.covariance) };
        state = advanced(&state, &slope, &step);
    }
    (state.mean - start, cholesky(&state.covariance))
}

fn advanced(state: &Normal, slope: &Normal, step: &Tensor) -> Normal {
    Normal {
        mean: &state.mean + &slope.mean * step,
        covariance: &state.covariance + &slope.covariance * step.unsqueeze(-1),
    }
}

/// The rates of change of a distribution without a width.
fn first_slope(fields: Fields, start: &Tensor) -> Normal {
    let (drift, factor) = fields(start);
    Normal { mean: drift, covariance: square(&factor.matrix()) }
}

/// The rates of change of mean and covariance.
fn slope(fields: Fields, state: &Normal) -> Normal {
    let (count, size) = (state.mean.size()[0], state.mean.size()[1]);
    // Row j is sqrt(d) times column j of the factor.
    let offsets = cholesky(&state.covariance).matrix().transpose(1, 2) * (size as f64).sqrt();
    let mean = state.mean.unsqueeze(1);
    let points = Tensor::cat(&[&mean + &offsets, &mean - &offsets], 1).view([count * 2 * size, size]);
    let (drift, factor) = fields(&points);
    let drift = drift.view([count, 2 * size, size]);
    let differences = drift.narrow(1, 0, size) - drift.narrow(1, size, size);
    let with_state = differences.transpose(1, 2).matmul(&offsets) / (2 * size) as f64;
    let noise = square(&factor.matrix()).view([count, 2 * size, size, size]).mean_dim(1, false, None::<Kind>);
    Normal {
        mean: drift.mean_dim(1, false, None::<Kind>),
        covariance: &with_state + with_state.transpose(1, 2) + noise,
    }
}

/// L L^T.
fn square(matrix: &Tensor) -> Tensor {
    matrix.matmul(&matrix.transpose(-2, -1))
}

/// The factors of positive matrices `[n, d, d]`, element by element: for few components faster than a routine that
/// takes one matrix after the other.
fn cholesky(matrix: &Tensor) -> Factor {
    let size = matrix.size()[1] as usize;
    let element = |row: usize, column: usize| matrix.select(1, row as i64).narrow(1, column as i64, 1);
    let mut columns: Vec<Vec<Tensor>> = Vec::with_capacity(size);
    for column in 0..size {
        let rest = |row: usize| {
            let known = columns.iter().map(|done: &Vec<Tensor>| &done[row] * &done[column]);
            known.fold(element(row, column), |rest, product| rest - product)
        };
        let diagonal = rest(column).clamp_min(1e-12).sqrt();
        let mut values: Vec<Tensor> = (0..column).map(|_| diagonal.zeros_like()).collect();
        let below: Vec<Tensor> = (column + 1..size).map(|row| rest(row) / &diagonal).collect();
        values.push(diagonal);
        values.extend(below);
        columns.push(values);
    }
    let diagonal: Vec<&Tensor> = (0..size).map(|index| &columns[index][index]).collect();
    let lower: Vec<&Tensor> =
        columns.iter().enumerate().flat_map(|(column, values)| values[column + 1..].iter()).collect();
    Factor { diagonal: Tensor::cat(&diagonal, 1), lower: (size > 1).then(|| Tensor::cat(&lower, 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Of dx = (a + b x) dt + sigma dB the moments are known; so they are of the two components of a rotation with noise
    /// in one of them, and the steps are of fourth order.
    #[test]
    fn moments_of_linear_equations_are_found_to_fourth_order() {
        let start = Tensor::from_slice(&[0.5, -1.0, 2.0, 0.3]).view([2, 2]);
        let rates = Tensor::from_slice(&[-1.0, 2.0, -2.0, -0.5]).view([2, 2]);
        let fields = |x: &Tensor| {
            let samples = x.size()[0];
            let diagonal = Tensor::from_slice(&[0.3, 0.2]).expand([samples, 2], false);
            let lower = Tensor::from_slice(&[0.1]).expand([samples, 1], false);
            (x.matmul(&rates.tr()), Factor { diagonal, lower: Some(lower) })
        };
        let time = Tensor::from_slice(&[0.4, 0.8]).view([2, 1]);
        let noise = Tensor::from_slice(&[0.09, 0.03, 0.03, 0.05]).view([2, 2]);
        // exp(A t) by its series, and the covariance by Simpson's rule.
        let exponential = |time: f64| {
            let matrix = &rates * time;
            let one = Tensor::eye(2, (Kind::Double, Device::Cpu));
            (1..25).rev().fold(one.copy(), |sum, n| &one + matrix.matmul(&sum) / f64::from(n))
        };
        let error = |steps: usize| {
            let (mean, factor) = moments(&fields, &start, &time, steps);
            let found = square(&factor.matrix());
            let mut worst = 0.0_f64;
            for (row, time) in [0.4, 0.8].into_iter().enumerate() {
                let end = exponential(time).matmul(&start.get(row as i64).unsqueeze(1)).squeeze_dim(1);
                let shift = end - start.get(row as i64) - mean.get(row as i64);
                let part = |nth: usize| {
                    let map = exponential(time * nth as f64 / 40.0);
                    let weight = if nth == 0 || nth == 40 { 1.0 } else { 2.0 + 2.0 * (nth % 2) as f64 };
                    map.matmul(&noise).matmul(&map.tr()) * weight
                };
                let covariance = (1..=40).fold(part(0), |sum, nth| sum + part(nth)) * (time / 120.0);
                let of = |difference: Tensor| difference.abs().max().double_value(&[]);
                worst = worst.max(of(shift)).max(of(covariance - found.get(row as i64)));
            }
            worst
        };
        let (coarse, fine) = (error(2), error(4));
        println!("{coarse} and {fine}");
        assert!(coarse < 0.01 && (13.0..20.0).contains(&(coarse / fine)), "{coarse} in 2 steps, {fine} in 4");
    }
}
