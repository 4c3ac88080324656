//! The published barrier network, with four hidden layers of 128 and ReLU, on the environment in the frame of each jump
//! (NNK; Xing et al., Nat. Commun. 15, 3879, 2024).
//!
//! Its input is the 9 x 9 x 9 half-lattice cube around the vacancy, row-major. It is the index of the species at the
//! sites within 7.5 Angstrom and 0 elsewhere, so only 112 rows of the first layer matter. Each BatchNorm, gamma (x -
//! mean) / sqrt(variance + 1e-5) + beta, is folded into the layer before it. Sixteen outputs of four jumps are computed
//! together, so each weight is read once for four jumps and the sums stay in vector registers.

use crate::systems::alloy::{
    barriers::{BarrierError, Barriers, arrays::Arrays},
    environment::{Environment, JUMPS, OFFSETS, OPERATIONS, SITES, Turned},
};
use std::path::Path;

/// Width of the hidden layers.
const WIDTH: usize = 128;
/// Number of hidden layers.
const LAYERS: usize = 4;
/// Outputs computed together, eight to a vector register.
const BLOCK: usize = 16;
/// Jumps computed together.
const TOGETHER: usize = 4;
/// Side of the input cube.
const CUBE: usize = 9;
/// The constant of the BatchNorms.
const EPSILON: f64 = 1e-5;

/// Names of the arrays of a hidden layer, in the order of the published file.
const PARTS: [&str; 6] = ["weight", "bias", "bn_gamma", "bn_beta", "bn_mean", "bn_var"];

/// An affine map, stored by blocks of outputs: `[block][input][output of the block]`.
#[derive(Clone, Debug)]
struct Layer {
    weights: Vec<[f32; BLOCK]>,
    bias: Vec<[f32; BLOCK]>,
}

/// The network, with folded BatchNorms.
#[derive(Clone, Debug)]
pub struct PublishedNetwork {
    layers: Vec<Layer>,
    last_layer: Vec<f32>,
    last_bias: f32,
}

impl PublishedNetwork {
    /// Reads the arrays `layer0.weight` to `output.bias` of a `.npz` file.
    ///
    /// # Errors
    /// When the file cannot be read, or an array is missing, has another shape, or holds NaN or infinity.
    pub fn read(path: &Path) -> Result<Self, BarrierError> {
        Self::new(&Arrays::from_npz(path)?)
    }

    /// The network of named arrays.
    ///
    /// # Errors
    /// When an array is missing, has another shape, or holds NaN or infinity.
    pub fn new(arrays: &Arrays) -> Result<Self, BarrierError> {
        let layers = (0..LAYERS).map(|layer| folded(arrays, layer)).collect::<Result<_, _>>()?;
        let last_layer = arrays.get("output.weight", &[WIDTH, 1])?.to_vec();
        let last_bias = arrays.get("output.bias", &[1])?[0];
        Ok(Self { layers, last_layer, last_bias })
    }
}

/// A hidden layer with its BatchNorm folded in. The first layer has only the 112 rows that matter.
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

/// Index of an offset in the flattened input cube.
fn cube_index(offset: &[isize; 3]) -> usize {
    offset.iter().fold(0, |index, &value| index * CUBE + (value + CUBE as isize / 2) as usize)
}

impl Layer {
    /// ReLU of the affine map, `[jump][output]` of `[jump][input]`.
    fn apply<const INPUTS: usize>(&self, inputs: &[[f32; INPUTS]; JUMPS], outputs: &mut [[f32; WIDTH]; JUMPS]) {
        let blocks = self.weights.chunks_exact(INPUTS).zip(&self.bias);
        for (block, (rows, bias)) in blocks.enumerate() {
            let jumps = inputs.as_chunks::<TOGETHER>().0.iter().zip(outputs.as_chunks_mut::<TOGETHER>().0);
            for (inputs, outputs) in jumps {
                for (sums, outputs) in sums(rows, bias, inputs).iter().zip(outputs) {
                    let outputs = &mut outputs[block * BLOCK..][..BLOCK];
                    outputs.iter_mut().zip(sums.as_flattened()).for_each(|(output, sum)| *output = sum.max(0.0));
                }
            }
        }
    }
}

/// One block of outputs of some jumps, before the ReLU.
#[inline]
fn sums<const INPUTS: usize>(
    rows: &[[f32; BLOCK]],
    bias: &[f32; BLOCK],
    inputs: &[[f32; INPUTS]; TOGETHER],
) -> [[[f32; 8]; BLOCK / 8]; TOGETHER] {
    let bias: [[f32; 8]; BLOCK / 8] = std::array::from_fn(|half| std::array::from_fn(|output| bias[8 * half + output]));
    let mut sums = [bias; TOGETHER];
    for (input, row) in rows.iter().enumerate().take(INPUTS) {
        for (sums, inputs) in sums.iter_mut().zip(inputs) {
            for (sums, weights) in sums.iter_mut().zip(row.as_chunks::<8>().0) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = weight.mul_add(inputs[input], *sum);
                }
            }
        }
    }
    sums
}

impl PublishedNetwork {
    /// Outputs of the network for an environment in the frame of each jump.
    fn outputs(&self, turned: &Turned) -> [f32; JUMPS] {
        let inputs: [[f32; SITES]; JUMPS] =
            std::array::from_fn(|jump| std::array::from_fn(|site| f32::from(turned[site][jump])));
        let (mut values, mut next) = ([[0.0; WIDTH]; JUMPS], [[0.0; WIDTH]; JUMPS]);
        let (first, others) = self.layers.split_first().expect("the network has four layers");
        first.apply(&inputs, &mut values);
        for layer in others {
            layer.apply(&values, &mut next);
            std::mem::swap(&mut values, &mut next);
        }
        values.map(|values| {
            let products = self.last_layer.iter().zip(&values).map(|(weight, value)| weight * value);
            self.last_bias + products.sum::<f32>()
        })
    }
}

impl Barriers for PublishedNetwork {
    fn heights(&self, environment: &Environment) -> [f32; JUMPS] {
        self.outputs(&environment.turned())
    }

    fn symmetrised(&self, environment: &Environment) -> [f32; JUMPS] {
        let turned = environment.turned();
        let mut sum = [0.0; JUMPS];
        for operation in OPERATIONS.iter() {
            let moved = std::array::from_fn(|site| turned[operation[site]]);
            sum.iter_mut().zip(self.outputs(&moved)).for_each(|(sum, height)| *sum += height);
        }
        sum.map(|sum| sum / OPERATIONS.len() as f32)
    }
}
