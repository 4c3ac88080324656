//! The likelihood of perceptron drift and diffusion and its gradient, written out for processors in float32.
//!
//! The values are those of autograd. Samples are processed block by block, so activations stay in cache, and no graph
//! is kept. With L y = r and w = L^{-T} y the derivatives of |y|^2 + 2 sum_i log L_ii are 2 w with respect to r, and -2
//! w_i y_j + 2 delta_ij / L_ii with respect to L_ij, i >= j.

use crate::learning::{
    sde::{
        FLOOR, Networks, SHIFT,
        matmul::{Addend, Left, add_rows, matmul, padded, tanh, tanh_slope},
    },
    train::{
        network::{Activation, Mlp},
        parameters::Layout,
    },
};

/// Samples per block. The activations of a block fit the second-level cache.
const BLOCK: usize = 96;

/// Positions of the layers of a perceptron in the flat vector.
struct LayerPlan {
    widths: Vec<usize>,
    weights: Vec<usize>,
    activation: Activation,
}

/// The gradient for one drift and one diffusion.
pub struct PerceptronGradient {
    drift: LayerPlan,
    diffusion: LayerPlan,
    full: bool,
}

impl PerceptronGradient {
    /// `None` if a network is not a perceptron with tanh or relu, or if the model has a condition.
    pub fn new(networks: &Networks, layout: &Layout) -> Option<Self> {
        if networks.embedding.is_some() {
            return None;
        }
        let (diffusion, full) = networks.diffusion.as_mlp()?;
        let drift = LayerPlan::new(networks.drift.as_mlp()?, layout)?;
        Some(Self { drift, diffusion: LayerPlan::new(diffusion, layout)?, full })
    }

    /// Sum of the loss over packed rows (see `Scales::pack`) of length `row`, and its gradient with respect to the flat
    /// vector `weights`.
    pub fn gradient(&self, weights: &[f32], rows: &[f32], row: usize) -> (f64, Vec<f32>) {
        let size = self.drift.widths[0];
        let samples = rows.len() / row;
        let block = BLOCK.min(samples).max(1);
        let mut gradient = vec![0.0; weights.len()];
        let mut drift = Workspace::new(&self.drift, weights, block);
        let mut diffusion = Workspace::new(&self.diffusion, weights, block);
        let mut loss = 0.0;
        let mut spare = Spare::new(size);
        for rows in rows.chunks(block * row) {
            let count = rows.len() / row;
            drift.forward(&self.drift, rows, row, count);
            diffusion.forward(&self.diffusion, rows, row, count);
            for (sample, values) in rows.chunks_exact(row).enumerate() {
                loss += step(self.full, values, drift.output(sample), diffusion.output(sample), &mut spare);
            }
            drift.backward(&self.drift, count);
            diffusion.backward(&self.diffusion, count);
        }
        drift.collect(&self.drift, &mut gradient);
        diffusion.collect(&self.diffusion, &mut gradient);
        (loss, gradient)
    }
}

/// Memory for one sample.
struct Spare {
    /// Diagonal of L, and the slope of softplus there.
    diagonal: Vec<f32>,
    slope: Vec<f32>,
    /// The elements of L below the diagonal, column by column.
    lower: Vec<f32>,
    vector: Vec<f32>,
}

impl Spare {
    fn new(size: usize) -> Self {
        let zeros = || vec![0.0; size];
        Self { diagonal: zeros(), slope: zeros(), lower: vec![0.0; size * (size - 1) / 2], vector: zeros() }
    }

    /// Replaces `vector` by w = L^-T y with L y = vector. Adds the derivatives of `sign` |y|^2 with respect to L, and
    /// returns this term.
    fn square(&self, sign: f32, full: bool, vector: &mut [f32], by_diagonal: &mut [f32], by_lower: &mut [f32]) -> f64 {
        let size = vector.len();
        let mut next = 0;
        for column in 0..size {
            vector[column] /= self.diagonal[column];
            if full {
                let (y, below) = (vector[column], &mut vector[column + 1..]);
                below.iter_mut().zip(&self.lower[next..]).for_each(|(rest, element)| *rest -= element * y);
                next += size - 1 - column;
            }
        }
        let mut sum = 0.0;
        for column in (0..size).rev() {
            let y = vector[column];
            let mut w = y;
            if full {
                next -= size - 1 - column;
                let elements = self.lower[next..].iter().zip(&mut by_lower[next..]);
                for ((element, by_element), below) in elements.zip(&vector[column + 1..]) {
                    w -= element * below;
                    *by_element -= sign * 2.0 * below * y;
                }
            }
            w /= self.diagonal[column];
            by_diagonal[column] -= sign * 2.0 * w * y;
            vector[column] = w;
            sum += f64::from(y * y);
        }
        f64::from(sign) * sum
    }
}

/// Loss of one sample: `values` is its packed row. The outputs of the networks are replaced by the derivatives with
/// respect to them.
fn step(full: bool, values: &[f32], drift: &mut [f32], factor: &mut [f32], spare: &mut Spare) -> f64 {
    let size = spare.diagonal.len();
    let (increment, root) = (&values[size..2 * size], values[2 * size]);
    let quiet = (values.len() > 2 * size + 1).then(|| &values[2 * size + 1..]);
    let (by_diagonal, by_lower) = factor.split_at_mut(size);
    let drift = &mut drift[..size];
    let mut determinant = 1.0;
    for (index, diagonal) in by_diagonal.iter_mut().enumerate() {
        let raised = *diagonal + SHIFT as f32;
        let grown = (-raised.abs()).exp();
        let soft = raised.max(0.0) + (1.0 + grown).ln() + FLOOR as f32;
        spare.diagonal[index] = soft;
        spare.slope[index] = if raised > 0.0 { 1.0 / (1.0 + grown) } else { grown / (1.0 + grown) };
        *diagonal = 2.0 / soft;
        determinant *= f64::from(soft);
    }
    if full {
        let elements = spare.lower.len();
        spare.lower.copy_from_slice(&by_lower[..elements]);
        by_lower[..elements].fill(0.0);
    }
    let seen = quiet.unwrap_or(increment);
    drift.iter_mut().zip(seen).for_each(|(drift, seen)| *drift = seen - *drift * root);
    let mut loss = 2.0 * determinant.ln() + spare.square(1.0, full, drift, by_diagonal, by_lower);
    if let Some(quiet) = quiet {
        let mut vector = std::mem::take(&mut spare.vector);
        for (sign, of) in [(1.0, increment), (-1.0, quiet)] {
            vector.copy_from_slice(of);
            loss += spare.square(sign, full, &mut vector, by_diagonal, by_lower);
        }
        spare.vector = vector;
    }
    by_diagonal.iter_mut().zip(&spare.slope).for_each(|(derivative, slope)| *derivative *= slope);
    drift.iter_mut().for_each(|w| *w *= -2.0 * root);
    loss
}

impl LayerPlan {
    fn new(network: &Mlp, layout: &Layout) -> Option<Self> {
        if !matches!(network.activation(), Activation::Tanh | Activation::Relu) {
            return None;
        }
        let offsets = layout.offsets();
        let shapes: Vec<_> = layout.shapes().collect();
        let mut widths: Vec<usize> = network.layers().iter().map(|&layer| shapes[layer][1] as usize).collect();
        widths.push(shapes[*network.layers().last()?][0] as usize);
        let weights = network.layers().iter().map(|&layer| offsets[layer]).collect();
        Some(Self { widths, weights, activation: network.activation() })
    }

    fn layers(&self) -> usize {
        self.weights.len()
    }
}

/// Working memory of one perceptron: weights in both orders, activations of a block, sums of the gradients of weights.
struct Workspace {
    forward: Vec<Vec<f32>>,
    backward: Vec<Vec<f32>>,
    bias: Vec<Vec<f32>>,
    activations: Vec<Vec<f32>>,
    deltas: [Vec<f32>; 2],
    gradient: Vec<Vec<f32>>,
    bias_gradient: Vec<Vec<f32>>,
    zeros: Vec<f32>,
}

impl Workspace {
    fn new(plan: &LayerPlan, weights: &[f32], block: usize) -> Self {
        let pairs = || plan.widths.windows(2).zip(&plan.weights);
        let spread = |transposed: bool| {
            pairs().map(|(pair, &offset)| rearrange(&weights[offset..], pair[0], pair[1], transposed)).collect()
        };
        let bias = pairs()
            .map(|(pair, &offset)| {
                let mut bias = vec![0.0; padded(pair[1])];
                let first = offset + pair[0] * pair[1];
                bias[..pair[1]].copy_from_slice(&weights[first..first + pair[1]]);
                bias
            })
            .collect();
        let widest = plan.widths.iter().map(|&width| padded(width)).max().unwrap_or(0);
        Self {
            forward: spread(true),
            backward: spread(false),
            bias,
            activations: plan.widths.iter().map(|&width| vec![0.0; block * padded(width)]).collect(),
            deltas: [vec![0.0; block * widest], vec![0.0; block * widest]],
            gradient: plan.widths.windows(2).map(|pair| vec![0.0; pair[1] * padded(pair[0])]).collect(),
            bias_gradient: plan.widths[1..].iter().map(|&width| vec![0.0; padded(width)]).collect(),
            zeros: vec![0.0; widest],
        }
    }

    /// Computes the activations of `count` samples. The inputs are the first values of each of the `rows` of length
    /// `row`.
    fn forward(&mut self, plan: &LayerPlan, rows: &[f32], row: usize, count: usize) {
        let width = plan.widths[0];
        for (to, from) in self.activations[0].chunks_exact_mut(padded(width)).zip(rows.chunks_exact(row)) {
            to[..width].copy_from_slice(&from[..width]);
        }
        for layer in 0..plan.layers() {
            let (inner, columns) = (plan.widths[layer], padded(plan.widths[layer + 1]));
            let (done, next) = self.activations.split_at_mut(layer + 1);
            let outputs = &mut next[0][..count * columns];
            let inputs = Left::Rows(&done[layer], padded(inner));
            matmul(count, inner, columns, inputs, &self.forward[layer], Addend::Row(&self.bias[layer]), outputs);
            if layer + 1 < plan.layers() {
                match plan.activation {
                    Activation::Relu => outputs.iter_mut().for_each(|value| *value = value.max(0.0)),
                    _ => tanh(outputs),
                }
            }
        }
    }

    /// Outputs of one sample.
    fn output(&mut self, sample: usize) -> &mut [f32] {
        let last = self.activations.len() - 1;
        let width = self.bias[last - 1].len();
        &mut self.activations[last][sample * width..(sample + 1) * width]
    }

    /// Adds the gradients of `count` samples, whose derivatives have replaced the outputs.
    fn backward(&mut self, plan: &LayerPlan, count: usize) {
        let outputs = padded(plan.widths[plan.layers()]);
        self.deltas[0][..count * outputs].copy_from_slice(&self.activations[plan.layers()][..count * outputs]);
        for layer in (0..plan.layers()).rev() {
            let (inputs, outputs) = (plan.widths[layer], plan.widths[layer + 1]);
            let (wide_inputs, wide_outputs) = (padded(inputs), padded(outputs));
            let [delta, before] = &mut self.deltas;
            let by_output = Left::Columns(delta, wide_outputs);
            let activations = &self.activations[layer];
            matmul(outputs, count, wide_inputs, by_output, activations, Addend::Itself, &mut self.gradient[layer]);
            add_rows(&mut self.bias_gradient[layer], &delta[..count * wide_outputs]);
            if layer > 0 {
                let before = &mut before[..count * wide_inputs];
                let by_sample = Left::Rows(delta, wide_outputs);
                matmul(count, outputs, wide_inputs, by_sample, &self.backward[layer], Addend::Row(&self.zeros), before);
                match plan.activation {
                    Activation::Relu => before.iter_mut().zip(activations).for_each(|(slope, value)| {
                        *slope = if *value > 0.0 { *slope } else { 0.0 };
                    }),
                    _ => tanh_slope(before, activations),
                }
                self.deltas.swap(0, 1);
            }
        }
    }

    /// Writes the sums into the flat gradient.
    fn collect(&self, plan: &LayerPlan, gradient: &mut [f32]) {
        for (layer, (pair, &offset)) in plan.widths.windows(2).zip(&plan.weights).enumerate() {
            let [inputs, outputs] = [pair[0], pair[1]];
            let rows = gradient[offset..offset + inputs * outputs].chunks_exact_mut(inputs);
            for (to, from) in rows.zip(self.gradient[layer].chunks_exact(padded(inputs))) {
                to.copy_from_slice(&from[..inputs]);
            }
            let first = offset + inputs * outputs;
            gradient[first..first + outputs].copy_from_slice(&self.bias_gradient[layer][..outputs]);
        }
    }
}

/// A weight `[outputs, inputs]`, optionally transposed, with padded rows.
fn rearrange(weight: &[f32], inputs: usize, outputs: usize, transposed: bool) -> Vec<f32> {
    let (rows, columns) = if transposed { (inputs, outputs) } else { (outputs, inputs) };
    let wide = padded(columns);
    let mut values = vec![0.0; rows * wide];
    for (row, to) in values.chunks_exact_mut(wide).enumerate() {
        if transposed {
            to[..columns].iter_mut().enumerate().for_each(|(column, value)| *value = weight[column * inputs + row]);
        } else {
            to[..columns].copy_from_slice(&weight[row * columns..(row + 1) * columns]);
        }
    }
    values
}
