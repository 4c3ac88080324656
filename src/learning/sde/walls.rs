//! Walls around the data: half-spaces of the coordinates that hold all training states. Predicted states are kept within
//! them, because nothing is known of the equation beyond.
//!
//! A state that has stepped over a wall is moved back along its normal, to the nearest point within: the projected Euler
//! scheme for reflected diffusions (Pettersson, Stoch. Process. Appl. 59, 295 (1995)).

use crate::{
    parallel::Ranks,
    rng::{Purpose, stream},
};
use ndarray::{Array2, ArrayView1, ArrayView2};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Random directions of walls for each coordinate; more follow the data more closely.
const DIRECTIONS: usize = 32;
/// Walls that a state may step over at once.
pub(super) const CORNERS: usize = 8;

/// For each wall the outward normal u and the bound h: u x <= h at all training states x.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walls {
    /// Unit vectors, `[walls][coordinate]`.
    pub normals: Vec<Vec<f64>>,
    /// Largest value of each u x.
    pub bounds: Vec<f64>,
}

impl Walls {
    /// Walls along both directions of each axis, and along random ones, around no states yet.
    pub fn new(coordinates: usize) -> Self {
        let axis = |index: usize, sign: f64| (0..coordinates).map(|i| if i == index { sign } else { 0.0 }).collect();
        let axes = (0..coordinates).flat_map(|index| [axis(index, 1.0), axis(index, -1.0)]);
        let mut rng = stream(0, Purpose::Weights, [0, 1]);
        let mut random = || -> Vec<f64> {
            let vector: Vec<f64> = (0..coordinates).map(|_| StandardNormal.sample(&mut rng)).collect();
            let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
            vector.into_iter().map(|value| value / length).collect()
        };
        let others = if coordinates > 1 { DIRECTIONS * coordinates } else { 0 };
        let normals: Vec<Vec<f64>> = axes.chain((0..others).map(|_| random())).collect();
        Self { bounds: vec![f64::NEG_INFINITY; normals.len()], normals }
    }

    /// Moves the walls outward until they hold `states` `[pairs, r]`.
    pub fn widen(&mut self, states: ArrayView2<f64>) {
        let size = self.normals[0].len();
        let normals = Array2::from_shape_fn((size, self.normals.len()), |(row, wall)| self.normals[wall][row]);
        for row in states.dot(&normals).outer_iter() {
            self.bounds.iter_mut().zip(row).for_each(|(bound, &value)| *bound = bound.max(value));
        }
    }

    /// The walls around the states of all ranks. Collective.
    pub fn together(mut self, ranks: &dyn Ranks) -> Self {
        for bound in &mut self.bounds {
            *bound = ranks.gather(*bound).into_iter().fold(f64::NEG_INFINITY, f64::max);
        }
        self
    }

    /// Whether a state `[r]` lies within them, up to rounding.
    pub fn hold(&self, state: ArrayView1<f64>) -> bool {
        let beyond = |normal: &Vec<f64>| normal.iter().zip(state).map(|(u, x)| u * x).sum::<f64>();
        self.normals
            .iter()
            .zip(&self.bounds)
            .all(|(normal, bound)| beyond(normal) <= bound + 1e-6 * (1.0 + bound.abs()))
    }

    pub(super) fn tensors(&self, kind: Kind, device: Device) -> WallTensors {
        let (walls, size) = (self.normals.len() as i64, self.normals[0].len() as i64);
        let tensor = |values: &[f64]| Tensor::from_slice(values).to_kind(kind).to_device(device);
        WallTensors { normals: tensor(&self.normals.concat()).view([walls, size]), bounds: tensor(&self.bounds) }
    }
}

/// The walls on the device.
pub(super) struct WallTensors {
    normals: Tensor,
    bounds: Tensor,
}

impl WallTensors {
    /// The same walls.
    pub fn shallow_clone(&self) -> Self {
        Self { normals: self.normals.shallow_clone(), bounds: self.bounds.shallow_clone() }
    }

    /// Walls that also hold the states `[n, r]` where a prediction starts: a start outside the data is the user's choice.
    pub fn around(&self, states: &Tensor) -> Self {
        let most = states.matmul(&self.normals.tr()).amax([0].as_slice(), false);
        Self { normals: self.normals.shallow_clone(), bounds: self.bounds.maximum(&most) }
    }

    /// The states `[n, r]`, those beyond the walls moved back, and 1 for those that were, `[n]`, if there are any.
    pub fn keep(&self, states: &Tensor) -> (Tensor, Option<Tensor>) {
        let (mut states, mut moved) = (states.shallow_clone(), None);
        for _ in 0..CORNERS {
            let (beyond, wall) = (states.matmul(&self.normals.tr()) - &self.bounds).max_dim(1, true);
            let outside = beyond.gt(0.0);
            if outside.any().int64_value(&[]) == 0 {
                break;
            }
            moved.get_or_insert_with(|| outside.squeeze_dim(1).to_kind(Kind::Double));
            let back = beyond.relu() * self.normals.index_select(0, &wall.squeeze_dim(1));
            states = &states - back;
        }
        (states, moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Alone;
    use ndarray::{arr1, arr2};

    #[test]
    fn states_beyond_the_walls_are_moved_back() {
        let mut walls = Walls::new(2);
        let data = arr2(&[[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]]);
        walls.widen(data.view());
        let walls = walls.together(&Alone);
        let tensors = walls.tensors(Kind::Double, Device::Cpu);
        let states = Tensor::from_slice(&[0.2, 0.3, 5.0, 0.0, 0.0, -7.0, 1.0, 2.0, f64::NAN, 0.0]).view([5, 2]);
        let (kept, moved) = tensors.keep(&states);
        assert_eq!(Vec::<f64>::try_from(moved.unwrap()).unwrap(), [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert!(tensors.keep(&Tensor::zeros([3, 2], (Kind::Double, Device::Cpu))).1.is_none());
        let kept: Vec<f64> = Vec::try_from(kept.view([-1])).unwrap();
        assert_eq!(&kept[..2], &[0.2, 0.3]);
        assert!(walls.hold(arr1(&[0.2, 0.3]).view()) && !walls.hold(arr1(&[0.9, 1.9]).view()));
        assert!(kept[8].is_nan());
        let outside = Tensor::from_slice(&[3.0, 0.0]).view([1, 2]);
        let wider: Vec<f64> = Vec::try_from(tensors.around(&outside).keep(&outside).0.view([-1])).unwrap();
        assert_eq!(wider, [3.0, 0.0]);
        for state in kept[..8].chunks(2) {
            let beyond = |(u, h): (&Vec<f64>, &f64)| u[0] * state[0] + u[1] * state[1] - h;
            let most = walls.normals.iter().zip(&walls.bounds).map(beyond).fold(0.0, f64::max);
            assert!(most < 0.05, "{state:?} is {most} beyond");
        }
    }
}
