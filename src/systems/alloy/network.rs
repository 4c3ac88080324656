//! The published barrier network: four hidden layers of 128, ReLU, on the species of the turned environment
//! (NNK; Xing et al., Nat. Commun. 15, 3879, 2024).
//!
//! Its input is the 9 x 9 x 9 half-lattice cube around the vacancy, row-major, with the species number at the sites within
//! 7.5 Angstrom and 0 elsewhere: only 112 rows of the first layer ever count. Each BatchNorm,
//! gamma (x - mean) / sqrt(variance + 1e-5) + beta, is folded into the layer before it. All eight jumps go through the layers
//! together, as lanes of vectors.

use super::{
    barriers::{BarrierError, Barriers},
    environment::{JUMPS, OFFSETS, SITES, Turned},
    weights::{Arrays, read_arrays},
};
use std::path::Path;

/// Width of the hidden layers.
const WIDTH: usize = 128;
/// Number of hidden layers.
const LAYERS: usize = 4;
/// Outputs computed together, one vector register each.
const BLOCK: usize = 8;
/// Side of the input cube.
const CUBE: usize = 9;
/// The constant of the BatchNorms.
const EPSILON: f64 = 1e-5;

/// One value for each jump.
type Lanes = [f32; JUMPS];

/// Names of the arrays of a hidden layer, in the order of the published file.
pub(super) const PARTS: [&str; 6] = ["weight", "bias", "bn_gamma", "bn_beta", "bn_mean", "bn_var"];

/// An affine map, stored by blocks of outputs: `[block][input][output of the block]`.
#[derive(Clone, Debug)]
struct Layer {
    weights: Vec<[f32; BLOCK]>,
    bias: Vec<[f32; BLOCK]>,
}

/// The network, ready to evaluate.
#[derive(Clone, Debug)]
pub struct Network {
    layers: Vec<Layer>,
    head: Vec<f32>,
    head_bias: f32,
}

impl Network {
    /// Reads the published file (`.npy`) or the same arrays by name (`.npz`: `layer0.weight` ... `output.bias`).
    ///
    /// # Errors
    /// When the file cannot be read, an array is missing or has another shape, or a number is not finite.
    pub fn read(path: &Path) -> Result<Self, BarrierError> {
        Self::new(&read_arrays(path)?)
    }

    /// The network of named arrays.
    ///
    /// # Errors
    /// When an array is missing or has another shape, or a number is not finite.
    pub fn new(arrays: &Arrays) -> Result<Self, BarrierError> {
        let layers = (0..LAYERS).map(|layer| folded(arrays, layer)).collect::<Result<_, _>>()?;
        let head = arrays.get("output.weight", &[WIDTH, 1])?.to_vec();
        let head_bias = arrays.get("output.bias", &[1])?[0];
        Ok(Self { layers, head, head_bias })
    }
}

/// A hidden layer with its BatchNorm folded in; of the first layer the 112 rows that count.
fn folded(arrays: &Arrays, layer: usize) -> Result<Layer, BarrierError> {
    let inputs = if layer == 0 { CUBE.pow(3) } else { WIDTH };
    let part = |name: &str| arrays.get(&format!("layer{layer}.{name}"), &[WIDTH]);
    let weight = arrays.get(&format!("layer{layer}.weight"), &[inputs, WIDTH])?;
    let [bias, gamma, beta, mean, variance] =
        [part(PARTS[1])?, part(PARTS[2])?, part(PARTS[3])?, part(PARTS[4])?, part(PARTS[5])?];
    let rows: Vec<usize> = if layer == 0 { OFFSETS.iter().map(cube_index).collect() } else { (0..WIDTH).collect() };
    let scale = |output: usize| f64::from(gamma[output]) / (f64::from(variance[output]) + EPSILON).sqrt();
    let shift =
        |output: usize| (f64::from(bias[output]) - f64::from(mean[output])) * scale(output) + f64::from(beta[output]);
    let blocks = (0..WIDTH).step_by(BLOCK);
    let block = |first: usize| {
        let scale: [f64; BLOCK] = std::array::from_fn(|output| scale(first + output));
        let row = move |&row: &usize| {
            std::array::from_fn(|output| (f64::from(weight[row * WIDTH + first + output]) * scale[output]) as f32)
        };
        rows.iter().map(row).collect::<Vec<_>>()
    };
    let folded = Layer {
        weights: blocks.clone().flat_map(block).collect(),
        bias: blocks.map(|first| std::array::from_fn(|output| shift(first + output) as f32)).collect(),
    };
    let finite = folded.weights.iter().chain(&folded.bias).flatten().all(|value| value.is_finite());
    finite
        .then_some(folded)
        .ok_or_else(|| BarrierError::NotFinite { name: format!("layer{layer}, BatchNorm folded in") })
}

/// Where an offset stands in the flattened input cube.
fn cube_index(offset: &[isize; 3]) -> usize {
    offset.iter().fold(0, |index, &value| index * CUBE + (value + CUBE as isize / 2) as usize)
}

impl Layer {
    /// ReLU of the affine map.
    #[inline]
    fn apply(&self, inputs: &[Lanes], outputs: &mut [Lanes; WIDTH]) {
        let blocks = self.weights.chunks_exact(inputs.len()).zip(&self.bias);
        for ((rows, bias), outputs) in blocks.zip(outputs.as_chunks_mut::<BLOCK>().0) {
            let mut sums: [Lanes; BLOCK] = bias.map(|bias| [bias; JUMPS]);
            for (row, input) in rows.iter().zip(inputs) {
                for (sum, &weight) in sums.iter_mut().zip(row) {
                    for (sum, &input) in sum.iter_mut().zip(input) {
                        *sum = weight.mul_add(input, *sum);
                    }
                }
            }
            *outputs = sums.map(|sum| sum.map(|value| value.max(0.0)));
        }
    }
}

impl Barriers for Network {
    fn heights(&self, turned: &Turned) -> [f32; JUMPS] {
        let mut inputs = [[0.0; JUMPS]; SITES];
        for (input, species) in inputs.iter_mut().zip(turned) {
            *input = species.map(f32::from);
        }
        let (mut values, mut next) = ([[0.0; JUMPS]; WIDTH], [[0.0; JUMPS]; WIDTH]);
        let (first, others) = self.layers.split_first().expect("the network has four layers");
        first.apply(&inputs, &mut values);
        for layer in others {
            layer.apply(&values, &mut next);
            std::mem::swap(&mut values, &mut next);
        }
        let mut heights = [self.head_bias; JUMPS];
        for (&weight, values) in self.head.iter().zip(&values) {
            for (height, &value) in heights.iter_mut().zip(values) {
                *height = weight.mul_add(value, *height);
            }
        }
        heights
    }
}
