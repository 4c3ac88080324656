//! Closure variables: what a patch says beyond its observables, learned by an autoencoder
//! (arXiv 2511.12842, section 3.3).
//!
//! The encoder phi^ sees one patch; the decoder sees the patch's observables and phi^ and gives the logit of every
//! site. Trained on the binary cross-entropy of the sites, phi^ carries what the observables leave out.
//! Afterwards each closure variable is scaled to [0, 1] over the training patches.

mod encode;
mod network;

use super::{
    EpochRecord, LearningError, Run, TrainInput,
    course::{Samples, optimise},
    descent::{Descent, Rows, vector},
    optimiser::AdamW,
    pairs::finite,
    parameters::Parameters,
    store,
};
use crate::{
    parallel::Ranks,
    rng::{Purpose, stream},
};
use ndarray::{Array2, ArrayView2};
use network::Autoencoder;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tch::{Device, Kind, Tensor};

/// The autoencoder and its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClosureInput {
    /// Number of closure variables; 0 for none.
    pub variables: usize,
    /// Channels of the encoder's convolutions, each with stride 2.
    pub channels: Vec<usize>,
    /// Width of the hidden layers of encoder and decoder.
    pub hidden: usize,
    /// Passes over the patches.
    pub epochs: usize,
    /// Patches per step, over all ranks together.
    pub batch: usize,
    /// First learning rate.
    pub learning_rate: f64,
}

impl Default for ClosureInput {
    fn default() -> Self {
        Self { variables: 2, channels: vec![8, 16], hidden: 64, epochs: 20, batch: 256, learning_rate: 1e-3 }
    }
}

/// Training patches of spins.
#[derive(Clone, Debug)]
pub struct Patches<'a> {
    /// Spins -1 and 1, `[samples, patch sites]`, the last extent fastest.
    pub values: ArrayView2<'a, i8>,
    /// Extents of a patch, one or two.
    pub extents: Vec<usize>,
    /// Observables of the patches, `[samples, m]`.
    pub observables: ArrayView2<'a, f32>,
}

impl Patches<'_> {
    fn check(&self) -> Result<(), LearningError> {
        let (samples, sites) = self.values.dim();
        if !(1..=2).contains(&self.extents.len()) || self.extents.iter().product::<usize>() != sites {
            return Err(LearningError::Shape(format!(
                "patches of {sites} sites have the extents {:?}; one or two extents with that product are needed",
                self.extents
            )));
        }
        if self.observables.nrows() != samples || samples < 2 {
            return Err(LearningError::Shape(format!(
                "{samples} patches come with {} rows of observables; equal numbers of at least 2 are needed",
                self.observables.nrows()
            )));
        }
        if let Some(value) = self.values.iter().find(|value| value.abs() != 1) {
            return Err(LearningError::Shape(format!("a patch holds the spin {value}; spins are -1 and 1")));
        }
        finite("observables", self.observables.iter(), self.observables.ncols())
    }
}

/// What a model file holds beside the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shape {
    extents: Vec<usize>,
    observables: usize,
    /// Mean and standard deviation of each observable over the training patches.
    centre: Vec<f32>,
    spread: Vec<f32>,
    /// Smallest value and range of each closure variable over the training patches.
    smallest: Vec<f32>,
    range: Vec<f32>,
}

/// A trained autoencoder.
pub struct Closure {
    input: ClosureInput,
    shape: Shape,
    network: Autoencoder,
    parameters: Parameters,
}

/// Most training patches that the range of the closure variables is taken from.
const RANGE_SAMPLES: usize = 100_000;

impl Closure {
    /// Trains on `patches`, the same on every rank; a tenth of them, drawn at random, is held out. The losses in the records are the binary
    /// cross-entropy per site. `observer` sees each epoch as it ends.
    ///
    /// # Errors
    /// When the input or the patches are unusable, or the loss becomes NaN or infinite.
    pub fn fit(
        patches: &Patches,
        input: &ClosureInput,
        seed: u64,
        ranks: &dyn Ranks,
        device: Device,
        observer: &mut dyn FnMut(&EpochRecord),
    ) -> Result<(Self, Vec<EpochRecord>), LearningError> {
        let train = TrainInput {
            epochs: input.epochs,
            batch: input.batch,
            learning_rate: input.learning_rate,
            plateau_patience: 3,
            ..TrainInput::default()
        };
        train.check()?;
        patches.check()?;
        let (mut shape, observables) = standardised(patches);
        (shape.smallest, shape.range) = (vec![0.0; input.variables], vec![1.0; input.variables]);
        let (network, layout) = Autoencoder::new(input, &patches.extents, shape.observables);
        let parameters = Parameters::draw(layout, seed, 1, Kind::Float, device);
        let mut closure = Self { input: input.clone(), shape, network: network.clone(), parameters };
        if input.variables == 0 {
            return Ok((closure, Vec::new()));
        }
        let samples = patches.values.nrows();
        let spins = Tensor::from_slice(patches.values.as_standard_layout().as_slice().unwrap_or_default());
        let data =
            [spins, Tensor::from_slice(&observables)].map(|tensor| tensor.view([samples as i64, -1]).to_device(device));
        let mut rows: Vec<usize> = (0..samples).collect();
        rows.shuffle(&mut stream(seed, Purpose::Split, [1, 0]));
        let held = rows.split_off(samples - (samples / 10).max(1));

        let optimiser = AdamW::new(closure.parameters.flat(), train.weight_decay, None);
        let shared = closure.parameters.share();
        let data = (&data[..], Rows { first: 0, owned: ranks.share(samples) });
        let mut descent = Descent::new(Arc::new(network), shared, optimiser, data, train.threads, ranks);
        let cut = Samples { rows, held, offsets: [0.0; 2] };
        let records = optimise(&mut descent, &cut, &train, &Run::new(seed, ranks, device), observer)?;
        drop(descent);
        closure.take_range(patches.values.slice(ndarray::s![..samples.min(RANGE_SAMPLES), ..]));
        Ok((closure, records))
    }

    /// Number of closure variables.
    pub fn variables(&self) -> usize {
        self.input.variables
    }

    /// Extents of a patch.
    pub fn extents(&self) -> &[usize] {
        &self.shape.extents
    }

    /// Closure variables of patches `[samples, patch sites]`, `[samples, variables]`. Within [0, 1] on the
    /// training patches; the mean over the patches of one snapshot is the closure part of its latent state.
    ///
    /// # Panics
    /// When the patches have another number of sites than those of the training.
    pub fn encode(&self, values: ArrayView2<i8>) -> Array2<f32> {
        let mut encoded = self.encode_raw(values);
        for mut row in encoded.rows_mut() {
            for ((value, smallest), range) in row.iter_mut().zip(&self.shape.smallest).zip(&self.shape.range) {
                *value = (*value - smallest) / range;
            }
        }
        encoded
    }

    /// Logits of the sites `[samples, patch sites]` for given observables `[samples, m]` and closure variables
    /// `[samples, variables]` as [`Closure::encode`] gives them.
    ///
    /// # Errors
    /// When the columns do not fit the model.
    pub fn decode(
        &self,
        observables: ArrayView2<f32>,
        variables: ArrayView2<f32>,
    ) -> Result<Array2<f32>, LearningError> {
        let found = (observables.ncols(), variables.ncols());
        if found != (self.shape.observables, self.input.variables) || observables.nrows() != variables.nrows() {
            return Err(LearningError::Shape(format!(
                "the decoder takes {} observables and {} closure variables per patch, not {} and {}",
                self.shape.observables, self.input.variables, found.0, found.1
            )));
        }
        let shape = &self.shape;
        let mut rows = Vec::with_capacity(observables.len() + variables.len());
        for (observables, variables) in observables.outer_iter().zip(variables.outer_iter()) {
            let scaled = observables.iter().zip(&shape.centre).zip(&shape.spread);
            rows.extend(scaled.map(|((value, centre), spread)| (value - centre) / spread));
            let scaled = variables.iter().zip(&shape.smallest).zip(&shape.range);
            rows.extend(scaled.map(|((value, smallest), range)| value * range + smallest));
        }
        let inputs = Tensor::from_slice(&rows).view([observables.nrows() as i64, -1]).to_device(self.device());
        let logits = tch::no_grad(|| self.network.decode(self.parameters.leaves(), &inputs));
        Array2::from_shape_vec((observables.nrows(), shape.extents.iter().product()), vector(&logits))
            .map_err(|error| LearningError::Shape(error.to_string()))
    }

    /// Writes the model to a safetensors file. `metadata` is kept with it (provenance).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path, metadata: &Value) -> Result<(), LearningError> {
        let description =
            json!({ "model": "closure", "input": self.input, "shape": self.shape, "provenance": metadata });
        store::write(path, &self.parameters, &description)
    }

    /// Reads a model that [`Closure::save`] wrote, onto `device`.
    ///
    /// # Errors
    /// When the file cannot be read or is no such model.
    pub fn load(path: &Path, device: Device) -> Result<Self, LearningError> {
        let description = store::Description::read(path, "closure")?;
        let input: ClosureInput = description.get("input")?;
        let shape: Shape = description.get("shape")?;
        let (network, layout) = Autoencoder::new(&input, &shape.extents, shape.observables);
        let parameters = store::read_weights(path, layout, device)?;
        Ok(Self { input, shape, network, parameters })
    }

    fn device(&self) -> Device {
        self.parameters.flat().device()
    }

    fn take_range(&mut self, values: ArrayView2<i8>) {
        let encoded = self.encode_raw(values);
        for (variable, column) in encoded.columns().into_iter().enumerate() {
            let smallest = column.iter().copied().fold(f32::INFINITY, f32::min);
            let largest = column.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let range = if largest > smallest { largest - smallest } else { 1.0 };
            (self.shape.smallest[variable], self.shape.range[variable]) = (smallest, range);
        }
    }
}

/// The shape of a model for `patches`, with the standardised observables row by row.
fn standardised(patches: &Patches) -> (Shape, Vec<f32>) {
    let count = patches.observables.nrows() as f64;
    let moments = |column: ndarray::ArrayView1<f32>| {
        let mean = column.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let variance = column.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
        (mean as f32, if variance > 1e-20 { variance.sqrt() as f32 } else { 1.0 })
    };
    let (centre, spread): (Vec<f32>, Vec<f32>) = patches.observables.columns().into_iter().map(moments).unzip();
    let rows = patches.observables.rows().into_iter();
    let values = rows
        .flat_map(|row| row.iter().zip(&centre).zip(&spread).map(|((v, c), s)| (v - c) / s).collect::<Vec<_>>())
        .collect();
    let observables = centre.len();
    let shape = Shape {
        extents: patches.extents.clone(),
        observables,
        centre,
        spread,
        smallest: Vec::new(),
        range: Vec::new(),
    };
    (shape, values)
}
