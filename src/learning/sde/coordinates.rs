//! The coordinates in which an equation is learned: x = (z - origin) S and z = origin + x P, where P S = 1.
//!
//! z is a latent state in physical units. First, its components are divided by their ranges. Second, linearly dependent
//! components are removed before training and reconstructed afterwards: their diffusion is singular, and its likelihood
//! unbounded. An example are numbers of pairs with a constant sum. The principal axes of the increments then replace
//! the components, without the axes along which nothing moves. Third, every coordinate is scaled to mean 0 and standard
//! deviation 1.

use crate::{
    learning::{LearningError, Pairs, tensor::vector},
    parallel::{Ranks, total_over},
};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Axes with less than this share of the largest variance of the increments are removed.
const STILL: f64 = 1e-5;
/// Rows converted at a time, to avoid a second copy of all pairs.
const CHUNK: usize = 65_536;

/// The affine map between latent states of d components in physical units and r <= d standardised, linearly independent
/// coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Mean of the states, `[d]`.
    origin: Vec<f64>,
    /// S, `[d, r]`, row after row.
    standard: Vec<f64>,
    /// P, `[r, d]`, row after row.
    physical: Vec<f64>,
}

impl Coordinates {
    /// The coordinates for the pairs of all ranks. Every rank passes its own pairs.
    ///
    /// # Errors
    /// When the tensor library finds no eigenvectors.
    pub fn over(ranks: &dyn Ranks, pairs: &Pairs) -> Result<Self, LearningError> {
        let (states, range) = (pairs.z.view(), ranges(ranks, pairs.z.view()));
        let axes = moving_axes(ranks, pairs.increment.view(), &range)?;
        let mut sums = vec![states.nrows() as f64];
        sums.extend(states.columns().into_iter().map(|column| column.iter().map(|&z| f64::from(z)).sum::<f64>()));
        total_over(ranks, &mut sums);
        let samples = sums.remove(0);
        let origin = Array1::from(sums) / samples;
        let mut squares = vec![0.0; axes.ncols()];
        for rows in states.axis_chunks_iter(Axis(0), CHUNK) {
            let along = ((rows.mapv(f64::from) - &origin) / &range).dot(&axes);
            squares.iter_mut().zip(along.columns()).for_each(|(sum, column)| *sum += column.dot(&column));
        }
        total_over(ranks, &mut squares);
        let centre = (&origin / &range).dot(&axes);
        let moves = |spread: f64, centre: f64| spread > 1e-7 * centre.abs() && spread > 1e-30;
        let spread = squares.iter().map(|square| (square / samples).sqrt()).zip(&centre);
        let spread: Array1<f64> =
            spread.map(|(spread, &centre)| if moves(spread, centre) { spread } else { 1.0 }).collect();
        let range = range.insert_axis(Axis(1));
        Ok(Self {
            origin: origin.to_vec(),
            standard: (&axes / &range / &spread).iter().copied().collect(),
            physical: (&axes * &range * &spread).t().iter().copied().collect(),
        })
    }

    /// Number d of components of a latent state.
    pub fn components(&self) -> usize {
        self.origin.len()
    }

    /// Number r of coordinates.
    pub fn independent(&self) -> usize {
        self.standard.len() / self.components()
    }

    /// S, `[d, r]`.
    pub fn standard(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.components(), self.independent()), &self.standard).expect("S is d x r")
    }

    /// P, `[r, d]`.
    pub fn physical(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.independent(), self.components()), &self.physical).expect("P is r x d")
    }

    /// Coordinates `[n, r]` of states `[n, d]`.
    pub fn states<T: Copy + Into<f64>>(&self, z: ArrayView2<T>) -> Array2<f64> {
        (z.mapv(T::into) - ArrayView1::from(&self.origin)).dot(&self.standard())
    }

    /// Increments `[n, r]` of the coordinates for increments `[n, d]` of the states.
    pub fn increments(&self, increments: ArrayView2<f32>) -> Array2<f64> {
        increments.mapv(f64::from).dot(&self.standard())
    }

    /// Whether coordinate i depends on component i alone, for all i.
    pub fn is_by_component(&self) -> bool {
        let off_diagonal = |((row, column), &value): ((usize, usize), &f64)| row != column && value != 0.0;
        self.independent() == self.components() && !self.standard().indexed_iter().any(off_diagonal)
    }

    /// log det P P^T, twice the logarithm of the physical volume of a unit cube of the coordinates.
    pub(super) fn logarithm_of_volume(&self) -> f64 {
        let gram = self.physical().dot(&self.physical().t());
        matrix(gram.view(), Device::Cpu).logdet().double_value(&[])
    }

    pub(super) fn tensors(&self, device: Device) -> CoordinateTensors {
        CoordinateTensors {
            origin: Tensor::from_slice(&self.origin).to_device(device),
            standard: matrix(self.standard(), device),
            physical: matrix(self.physical(), device),
        }
    }
}

/// The map on the device, always in double precision.
pub(super) struct CoordinateTensors {
    origin: Tensor,
    standard: Tensor,
    physical: Tensor,
}

impl CoordinateTensors {
    /// Coordinates `[n, r]` of states `[n, d]`.
    pub fn states(&self, z: &Tensor) -> Tensor {
        (z.to_kind(Kind::Double) - &self.origin).matmul(&self.standard)
    }

    /// States `[.., d]` of coordinates `[.., r]`.
    pub fn physical(&self, x: &Tensor) -> Tensor {
        self.rates(x) + &self.origin
    }

    /// Rates or increments `[.., d]` of the states for those of the coordinates, `[.., r]`.
    pub fn rates(&self, rates: &Tensor) -> Tensor {
        rates.to_kind(Kind::Double).matmul(&self.physical)
    }

    /// Noise factors `[n, d, r]` of the states for those of the coordinates, `[n, r, r]`.
    pub fn noise(&self, factor: &Tensor) -> Tensor {
        self.physical.tr().matmul(&factor.to_kind(Kind::Double))
    }
}

/// The range of each component over all ranks, 1 for a component that never changes.
fn ranges(ranks: &dyn Ranks, states: ArrayView2<f32>) -> Array1<f64> {
    let most = |column: ArrayView1<f32>, sign: f64| {
        let own = column.iter().fold(f64::NEG_INFINITY, |most, &value| most.max(sign * f64::from(value)));
        ranks.gather(own).into_iter().fold(f64::NEG_INFINITY, f64::max)
    };
    let range = |column| most(column, 1.0) + most(column, -1.0);
    states.columns().into_iter().map(range).map(|range| if range > 0.0 { range } else { 1.0 }).collect()
}

/// Orthonormal axes `[d, r]` along which the increments, in units of `range`, are not zero. If all components are
/// independent, these are the axes of the components.
fn moving_axes(
    ranks: &dyn Ranks,
    increments: ArrayView2<f32>,
    range: &Array1<f64>,
) -> Result<Array2<f64>, LearningError> {
    let size = range.len();
    let mut products = Array2::<f64>::zeros((size, size));
    for rows in increments.axis_chunks_iter(Axis(0), CHUNK) {
        let rows = rows.mapv(f64::from) / range;
        products += &rows.t().dot(&rows);
    }
    let mut products: Vec<f64> = products.into_iter().collect();
    total_over(ranks, &mut products);
    let (variances, directions) = Tensor::from_slice(&products).view([size as i64; 2]).f_linalg_eigh("L")?;
    let (variances, directions): (Vec<f64>, Vec<f64>) = (vector(&variances), vector(&directions));
    let moving: Vec<usize> = (0..size).rev().filter(|&axis| variances[axis] > STILL * variances[size - 1]).collect();
    if moving.len() == size || moving.is_empty() {
        return Ok(Array2::eye(size));
    }
    Ok(Array2::from_shape_fn((size, moving.len()), |(row, column)| directions[row * size + moving[column]]))
}

fn matrix(values: ArrayView2<f64>, device: Device) -> Tensor {
    let (rows, columns) = values.dim();
    let flat: Vec<f64> = values.iter().copied().collect();
    Tensor::from_slice(&flat).view([rows as i64, columns as i64]).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parallel::Alone,
        rng::{Purpose, stream},
    };
    use rand::Rng as _;

    /// Pairs of three components in different units. If `bound`, the third component is 1 minus the other two.
    fn pairs(bound: bool) -> Pairs {
        let mut rng = stream(1, Purpose::Bench, [0, 0]);
        let mut draw = |sum: f32| {
            let free = Array2::from_shape_simple_fn((200, 3), || rng.random::<f32>());
            let last = |row: usize| if bound { sum - free[[row, 0]] - free[[row, 1]] } else { free[[row, 2]] };
            let unit = [1.0, 1e-3, 1e4];
            Array2::from_shape_fn((200, 3), |(row, column)| {
                unit[column] * if column == 2 { last(row) } else { free[[row, column]] }
            })
        };
        let (z, increment) = (draw(1.0), draw(0.0));
        Pairs {
            z,
            increment,
            compensator: None,
            deviation: None,
            dt: Array1::ones(200),
            trajectory: Array1::zeros(200),
            condition: None,
        }
    }

    #[test]
    fn dependent_components_are_removed_and_reconstructed() {
        for (bound, independent) in [(true, 2), (false, 3)] {
            let pairs = pairs(bound);
            let map = Coordinates::over(&Alone, &pairs).unwrap();
            assert_eq!((map.components(), map.independent(), map.is_by_component()), (3, independent, !bound));
            let (x, dx) = (map.states(pairs.z.view()), map.increments(pairs.increment.view()));
            for column in x.columns() {
                assert!(column.mean().unwrap().abs() < 1e-9 && (column.std(0.0) - 1.0).abs() < 1e-9);
            }
            let tensors = map.tensors(Device::Cpu);
            let near = |found: &Tensor, expected: &Array2<f32>| {
                let found: Vec<f64> = vector(found);
                let close = |(found, &expected): (&f64, &f32)| {
                    (found - f64::from(expected)).abs() < 1e-5 * f64::from(expected.abs()).max(1e-3)
                };
                found.iter().zip(expected).all(close)
            };
            assert!(near(&tensors.physical(&matrix(x.view(), Device::Cpu)), &pairs.z));
            assert!(near(&tensors.rates(&matrix(dx.view(), Device::Cpu)), &pairs.increment));
            let moved = map.states((&pairs.z + &pairs.increment).view());
            assert!((moved - x - dx).iter().all(|error| error.abs() < 1e-4), "increments turn alike");
        }
    }
}
