//! All weights of a model in one flat vector, with the named weights as views of it. Ranks thus average one buffer, and
//! an optimiser step takes a handful of operations.

use crate::rng::{Purpose, stream};
use rand::Rng as _;
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// First values of a weight.
#[derive(Clone, Debug)]
pub enum Start {
    /// Uniform in `-bound..bound`.
    Uniform(f64),
    /// One value for all elements.
    Constant(f64),
}

/// One named weight.
#[derive(Clone, Debug)]
struct LayoutEntry {
    name: String,
    shape: Vec<i64>,
    start: Start,
}

/// The list of a model's weights. Networks hold positions in it.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    entries: Vec<LayoutEntry>,
}

impl Layout {
    /// Appends a weight and returns its position.
    pub fn add(&mut self, name: &str, shape: &[i64], start: Start) -> usize {
        self.entries.push(LayoutEntry { name: name.into(), shape: shape.into(), start });
        self.entries.len() - 1
    }

    /// Appends weight `[outputs, inputs]` and bias `[outputs]` of an affine map, both uniform within `gain /
    /// sqrt(inputs)`. Returns the position of the weight; the bias follows it.
    pub fn linear(&mut self, name: &str, inputs: i64, outputs: i64, gain: f64) -> usize {
        let bound = gain / (inputs.max(1) as f64).sqrt();
        let position = self.add(&format!("{name}.weight"), &[outputs, inputs], Start::Uniform(bound));
        self.add(&format!("{name}.bias"), &[outputs], Start::Uniform(bound));
        position
    }

    /// Names of the weights, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// Shapes of the weights, in order.
    pub fn shapes(&self) -> impl Iterator<Item = &[i64]> {
        self.entries.iter().map(|entry| entry.shape.as_slice())
    }

    /// Offset of each weight's first scalar in the flat vector.
    pub fn offsets(&self) -> Vec<usize> {
        let counts = self.shapes().map(|shape| shape.iter().product::<i64>() as usize);
        counts.scan(0, |next, count| Some(std::mem::replace(next, *next + count))).collect()
    }

    /// Number of scalars.
    pub fn scalars(&self) -> i64 {
        self.shapes().map(|shape| shape.iter().product::<i64>()).sum()
    }

    /// First values of all scalars, drawn from the stream (seed, weights, model).
    fn start(&self, seed: u64, model: u64) -> Vec<f64> {
        let mut rng = stream(seed, Purpose::Weights, [model, 0]);
        let mut values = Vec::with_capacity(self.scalars() as usize);
        for entry in &self.entries {
            let count = entry.shape.iter().product::<i64>();
            values.extend((0..count).map(|_| match entry.start {
                Start::Uniform(bound) => bound * (2.0 * rng.random::<f64>() - 1.0),
                Start::Constant(value) => value,
            }));
        }
        values
    }
}

/// The weights of a model: `flat` owns the scalars, `leaves` are views of it for autograd.
#[derive(Debug)]
pub struct Parameters {
    layout: Arc<Layout>,
    flat: Tensor,
    leaves: Vec<Tensor>,
}

impl Parameters {
    /// First weights. The same `seed` and `model` give the same weights on every device.
    pub fn draw(layout: Layout, seed: u64, model: u64, kind: Kind, device: Device) -> Self {
        let flat = Tensor::from_slice(&layout.start(seed, model)).to_kind(kind).to_device(device);
        Self::over(Arc::new(layout), flat)
    }

    /// Weights over an existing vector of `layout.scalars()` scalars.
    pub fn over(layout: Arc<Layout>, flat: Tensor) -> Self {
        let mut offset = 0;
        let leaves = layout
            .shapes()
            .map(|shape| {
                let count = shape.iter().product();
                let view = flat.narrow(0, offset, count).view(shape);
                offset += count;
                view.detach().set_requires_grad(true)
            })
            .collect();
        Self { layout, flat, leaves }
    }

    /// Other views of the same scalars, for another thread.
    pub fn share(&self) -> Self {
        Self::over(self.layout.clone(), self.flat.shallow_clone())
    }

    /// The same weights in memory of their own.
    pub fn copied(&self) -> Self {
        Self::over(self.layout.clone(), self.snapshot())
    }

    /// The list of weights.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All scalars, `[scalars]`.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// All scalars, for the optimiser to change.
    pub fn flat_mut(&mut self) -> &mut Tensor {
        &mut self.flat
    }

    /// The weights in the order of the layout.
    pub fn leaves(&self) -> &[Tensor] {
        &self.leaves
    }

    /// A copy of all scalars.
    pub fn snapshot(&self) -> Tensor {
        no_grad(|| self.flat.copy())
    }

    /// Restores a snapshot.
    pub fn restore(&mut self, snapshot: &Tensor) {
        no_grad(|| self.flat.copy_(snapshot));
    }

    /// Gradient of the scalar `loss` with respect to all scalars, `[scalars]`.
    ///
    /// # Errors
    /// When the tensor library refuses the backward pass.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, tch::TchError> {
        let pieces = Tensor::f_run_backward(&[loss], &self.leaves, false, false)?;
        let pieces: Vec<_> = pieces
            .iter()
            .zip(&self.leaves)
            .map(|(piece, leaf)| if piece.defined() { piece.reshape([-1]) } else { leaf.zeros_like().reshape([-1]) })
            .collect();
        Tensor::f_cat(&pieces, 0)
    }

    /// Euclidean norm and largest magnitude of all scalars.
    pub fn norms(&self) -> (f64, f64) {
        no_grad(|| {
            let wide = self.flat.to_kind(Kind::Double);
            (wide.norm().double_value(&[]), wide.abs().max().double_value(&[]))
        })
    }
}
