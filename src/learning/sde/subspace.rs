//! The directions in which latent states move at all. Components that depend on each other exactly, such as numbers of pairs that
//! add up to a constant, have a singular diffusion, whose likelihood has no bound; the equation is then learned in the principal
//! axes of the increments, without those along which nothing moves.

use crate::{
    learning::{LearningError, tensor::vector},
    parallel::{Ranks, total_over},
};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use tch::{Kind, Tensor};

/// Axes along which increments have less than this share of their largest variance are left out.
const STILL: f64 = 1e-5;

/// Coordinates of the states that can be reached: x = (z - origin) axes and z = origin + x axes^T.
#[derive(Clone, Debug, PartialEq)]
pub struct Subspace {
    /// A state of it, `[d]`.
    pub origin: Array1<f64>,
    /// Orthonormal directions, `[d, r]`: those of the components themselves where all are independent.
    pub axes: Array2<f64>,
}

impl Subspace {
    /// The subspace of the states and increments `[pairs, d]` of all ranks, each of which passes its own.
    ///
    /// # Errors
    /// When the tensor library finds no eigenvectors.
    pub fn over(
        ranks: &dyn Ranks,
        states: ArrayView2<f32>,
        increments: ArrayView2<f32>,
    ) -> Result<Self, LearningError> {
        let size = states.ncols();
        let mut sums = vec![states.nrows() as f64];
        sums.extend(states.axis_iter(Axis(1)).map(|column| column.iter().map(|&value| f64::from(value)).sum::<f64>()));
        let increments = increments.mapv(f64::from);
        sums.extend(increments.t().dot(&increments));
        total_over(ranks, &mut sums);
        let squares = Tensor::from_slice(&sums[1 + size..]).view([size as i64; 2]);
        let (variances, directions) = squares.f_linalg_eigh("L")?;
        let variances: Vec<f64> = vector(&variances.to_kind(Kind::Double));
        let directions = Array2::from_shape_vec((size, size), vector(&directions.contiguous()))
            .map_err(|error| LearningError::Shape(error.to_string()))?;
        let moving: Vec<usize> =
            (0..size).rev().filter(|&axis| variances[axis] > STILL * variances[size - 1]).collect();
        if moving.len() == size || moving.is_empty() {
            return Ok(Self { origin: Array1::zeros(size), axes: Array2::eye(size) });
        }
        let origin = sums[1..=size].iter().map(|sum| sum / sums[0]).collect();
        Ok(Self { origin, axes: directions.select(Axis(1), &moving).as_standard_layout().into_owned() })
    }

    /// Coordinates `[n, r]` of states `[n, d]`.
    pub fn coordinates(&self, states: ArrayView2<f32>) -> Array2<f32> {
        (states.mapv(f64::from) - &self.origin).dot(&self.axes).mapv(|value| value as f32)
    }

    /// Increments `[n, d]` in coordinates, `[n, r]`.
    pub fn increments(&self, increments: ArrayView2<f32>) -> Array2<f32> {
        increments.mapv(f64::from).dot(&self.axes).mapv(|value| value as f32)
    }

    /// States `[n, d]` with coordinates `[n, r]`.
    pub fn states(&self, coordinates: ArrayView2<f32>) -> Array2<f32> {
        (coordinates.mapv(f64::from).dot(&self.axes.t()) + &self.origin).mapv(|value| value as f32)
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

    /// Three components of which the third is 1 less the others; then the same without that bond.
    #[test]
    fn dependent_components_are_left_out_and_put_back() {
        let mut rng = stream(1, Purpose::Bench, [0, 0]);
        let mut draw = |sum: Option<f32>| {
            Array2::from_shape_simple_fn((200, 3), || rng.random::<f32>())
                .map_axis(Axis(1), |row| [row[0], row[1], sum.map_or(row[2], |sum| sum - row[0] - row[1])])
        };
        let flat = |rows: Array1<[f32; 3]>| Array2::from_shape_fn((200, 3), |(row, column)| rows[row][column]);
        let (states, increments) = (flat(draw(Some(1.0))), flat(draw(Some(0.0))));
        let bound = Subspace::over(&Alone, states.view(), increments.view()).unwrap();
        assert_eq!(bound.axes.dim(), (3, 2));
        let again = bound.states(bound.coordinates(states.view()).view());
        assert!((&again - &states).iter().all(|error| error.abs() < 1e-5));
        let moved = bound.states(bound.coordinates((&states + &increments).view()).view());
        let sum = bound.coordinates(states.view()) + bound.increments(increments.view());
        assert!((moved - bound.states(sum.view())).iter().all(|error| error.abs() < 1e-5), "increments turn alike");
        let (states, increments) = (flat(draw(None)), flat(draw(None)));
        let free = Subspace::over(&Alone, states.view(), increments.view()).unwrap();
        assert_eq!(free.coordinates(states.view()), states, "independent components stay as they are");
    }
}
