//! The autoencoder: strided convolutions and two affine maps down to the closure variables, a perceptron back up.

use super::ClosureInput;
use crate::learning::{
    descent::Objective,
    network::{Activation, Mlp},
    parameters::{Layout, Start},
};
use tch::{Kind, Reduction, Tensor};

/// Edge length of a convolution kernel.
const KERNEL: i64 = 3;

/// The networks; weights come with each call. A patch with one extent is a patch of one row.
#[derive(Clone, Debug)]
pub struct Autoencoder {
    rows: i64,
    columns: i64,
    convolutions: Vec<usize>,
    head: Mlp,
    decoder: Mlp,
}

impl Autoencoder {
    /// Networks for patches of `extents` with a number of `observables`, and the list of their weights.
    pub fn new(input: &ClosureInput, extents: &[usize], observables: usize) -> (Self, Layout) {
        let mut layout = Layout::default();
        let (mut rows, mut columns) = match *extents {
            [columns] => (1, columns as i64),
            _ => (extents[0] as i64, extents[1] as i64),
        };
        let (full_rows, full_columns) = (rows, columns);
        let kernel_rows = if rows == 1 { 1 } else { KERNEL };
        let mut channels = 1;
        let mut convolutions = Vec::new();
        for (layer, &next) in input.channels.iter().enumerate() {
            let next = next as i64;
            let bound = 1.0 / ((channels * kernel_rows * KERNEL) as f64).sqrt();
            let name = format!("encoder.convolution.{layer}");
            let shape = [next, channels, kernel_rows, KERNEL];
            convolutions.push(layout.add(&format!("{name}.weight"), &shape, Start::Uniform(bound)));
            layout.add(&format!("{name}.bias"), &[next], Start::Uniform(bound));
            channels = next;
            rows = (rows + 1) / 2;
            columns = (columns + 1) / 2;
        }
        let (hidden, variables) = (input.hidden as i64, input.variables as i64);
        let widths = [channels * rows * columns, hidden, variables];
        let head = Mlp::new(&mut layout, "encoder.head", &widths, Activation::Relu, 1.0);
        let widths = [observables as i64 + variables, hidden, 2 * hidden, full_rows * full_columns];
        let decoder = Mlp::new(&mut layout, "decoder", &widths, Activation::Relu, 1.0);
        (Self { rows: full_rows, columns: full_columns, convolutions, head, decoder }, layout)
    }

    /// Closure variables `[samples, variables]`, unscaled, of spins `[samples, patch sites]`.
    pub fn encode(&self, weights: &[Tensor], spins: &Tensor) -> Tensor {
        let mut maps = spins.view([-1, 1, self.rows, self.columns]);
        let padding = [if self.rows == 1 { 0 } else { KERNEL / 2 }, KERNEL / 2];
        for &position in &self.convolutions {
            let (weight, bias) = (&weights[position], Some(&weights[position + 1]));
            maps = maps.conv2d(weight, bias, [2, 2], padding, [1, 1], 1).relu();
        }
        self.head.forward(weights, &maps.flatten(1, -1))
    }

    /// Logits `[samples, patch sites]` of standardised observables and unscaled closure variables, side by side.
    pub fn decode(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        self.decoder.forward(weights, inputs)
    }
}

impl Objective for Autoencoder {
    /// Binary cross-entropy per site of spins (`batch[0]`), given standardised observables (`batch[1]`).
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor {
        let spins = batch[0].to_kind(Kind::Float);
        let variables = self.encode(weights, &spins);
        let logits = self.decode(weights, &Tensor::cat(&[&batch[1], &variables], 1));
        let target = (spins + 1.0) * 0.5;
        let total = logits.binary_cross_entropy_with_logits(&target, None::<Tensor>, None::<Tensor>, Reduction::Sum);
        total / (self.rows * self.columns) as f64
    }
}
