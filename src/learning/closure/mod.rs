//! Closure variables: the state of a patch beyond its observables, learned by an autoencoder
//! (arXiv 2511.12842, section 3.3).
//!
//! The encoder maps a patch to the closure variables phi^. The decoder reconstructs every site from phi^ and the
//! observables of the patch. Trained on the reconstruction (see [`Feature`]), phi^ holds the information that the
//! observables lack. Afterwards each closure variable is scaled to [0, 1] over the training patches.

mod encode;
mod fit;
mod library;
mod network;
mod patches;

pub use library::{Selection, select};
pub use patches::{Feature, Patches};

use crate::learning::{
    LearningError,
    tensor::vector,
    train::{
        parameters::{Layout, Parameters},
        store,
    },
};
use ndarray::{Array2, ArrayView2};
use network::Autoencoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tch::{Device, Kind, Tensor};

/// The kind of encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    /// `convolution` for spins, `mlp` for fields.
    #[default]
    Auto,
    /// No closure variables: the observables are the whole latent state.
    None,
    /// Functions of the system's library that the drift of the observables depends on, at most `variables` of them; no
    /// autoencoder.
    Library,
    /// A perceptron on all features of the patch.
    Mlp,
    /// Convolutions with stride 2, then a perceptron.
    Convolution,
    /// Circular convolutions and their mean over the patch, which is the same for all periodic shifts of a patch. The
    /// reconstruction is scored at the best shift.
    Invariant,
}

/// The autoencoder and its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClosureInput {
    /// The kind of encoder.
    pub encoder: EncoderKind,
    /// Number of closure variables.
    pub variables: usize,
    /// Names of functions of the library that are closure variables whatever they explain. Without any, `variables` of
    /// them are chosen at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// Observables that the equation is for, the first of the system's; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observables: Option<usize>,
    /// Channels of the convolutions of the encoders `convolution` and `invariant`.
    pub channels: Vec<usize>,
    /// Width of the hidden layers of encoder and decoder. The second one of the decoder is twice as wide.
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
        Self {
            encoder: EncoderKind::Auto,
            variables: 2,
            functions: Vec::new(),
            observables: None,
            channels: vec![8, 16],
            hidden: 64,
            epochs: 20,
            batch: 256,
            learning_rate: 1e-3,
        }
    }
}

impl ClosureInput {
    /// Number of closure variables, 0 without an encoder.
    pub fn components(&self) -> usize {
        match self.encoder {
            EncoderKind::None => 0,
            EncoderKind::Library if !self.functions.is_empty() => self.functions.len(),
            _ => self.variables,
        }
    }

    /// The same input without `auto`, for spins or for fields.
    fn resolved(&self, spins: bool) -> Self {
        let encoder = match self.encoder {
            _ if self.components() == 0 => EncoderKind::None,
            EncoderKind::Auto if spins => EncoderKind::Convolution,
            EncoderKind::Auto => EncoderKind::Mlp,
            chosen => chosen,
        };
        Self { encoder, variables: self.components(), ..self.clone() }
    }
}

/// The description of the patches in a model file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PatchShape {
    extents: Vec<usize>,
    /// Features per site, and whether they are spins.
    channels: usize,
    spins: bool,
    /// Mean and standard deviation of each channel over the training patches; 0 and 1 for spins.
    feature_centre: Vec<f32>,
    feature_spread: Vec<f32>,
    observables: usize,
    /// Mean and standard deviation of each observable over the training patches.
    centre: Vec<f32>,
    spread: Vec<f32>,
    /// Smallest value and range of each closure variable over the training patches.
    smallest: Vec<f32>,
    range: Vec<f32>,
    /// The functions of the library that the closure variables are made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    library: Vec<LibraryFunction>,
}

/// A closure variable from a library: a function less its linear regression on the observables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LibraryFunction {
    /// Index of the function in the library.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Coefficients of 1 and the observables, `[1 + m]`.
    pub linear: Vec<f64>,
}

/// A trained autoencoder.
pub struct Closure {
    input: ClosureInput,
    shape: PatchShape,
    /// `None` without closure variables.
    network: Option<Autoencoder>,
    parameters: Parameters,
}

impl Closure {
    /// The closure of a latent state without closure variables.
    pub fn none(device: Device) -> Self {
        let input = ClosureInput { encoder: EncoderKind::None, variables: 0, ..ClosureInput::default() };
        let parameters = Parameters::over(Arc::new(Layout::default()), Tensor::zeros([0], (Kind::Float, device)));
        Self { input, shape: PatchShape::default(), network: None, parameters }
    }

    /// Functions of a library as closure variables.
    pub fn of_library(library: Vec<LibraryFunction>, device: Device) -> Self {
        let mut closure = Self::none(device);
        if !library.is_empty() {
            closure.input = ClosureInput { encoder: EncoderKind::Library, variables: library.len(), ..closure.input };
            closure.shape.library = library;
        }
        closure
    }

    /// Indices of the functions of the library that are the closure variables; none of an autoencoder.
    pub fn functions(&self) -> Vec<usize> {
        self.shape.library.iter().map(|function| function.index).collect()
    }

    /// Closure variables `[samples, variables]` from means of the functions of the library `[samples, variables]`, those
    /// of [`functions`](Self::functions), and observables `[samples, m]`. They are linear: the means may be those over a
    /// patch or over all patches.
    pub fn from_library(&self, functions: ArrayView2<f64>, observables: ArrayView2<f64>) -> Array2<f32> {
        self.less_linear(functions, observables, 1.0)
    }

    /// The same of changes.
    pub fn change_from_library(&self, functions: ArrayView2<f64>, observables: ArrayView2<f64>) -> Array2<f32> {
        self.less_linear(functions, observables, 0.0)
    }

    fn less_linear(&self, functions: ArrayView2<f64>, observables: ArrayView2<f64>, one: f64) -> Array2<f32> {
        Array2::from_shape_fn(functions.dim(), |(row, variable)| {
            let linear = &self.shape.library[variable].linear;
            let terms = linear[1..].iter().zip(observables.row(row)).map(|(factor, value)| factor * value);
            (functions[[row, variable]] - one * linear[0] - terms.sum::<f64>()) as f32
        })
    }

    /// Number of closure variables.
    pub fn variables(&self) -> usize {
        self.input.components()
    }

    /// Extents of a patch.
    pub fn extents(&self) -> &[usize] {
        &self.shape.extents
    }

    /// Closure variables `[samples, variables]` of patches `[samples, channels * sites]`. They are within [0, 1] on the
    /// training patches. Their mean over the patches of one snapshot is the closure part of its latent state.
    ///
    /// # Panics
    /// When the patches do not have the number of features of the training patches.
    pub fn encode<F: Feature>(&self, values: ArrayView2<F>) -> Array2<f32> {
        let mut encoded = self.encode_raw(values);
        for mut row in encoded.rows_mut() {
            for ((value, smallest), range) in row.iter_mut().zip(&self.shape.smallest).zip(&self.shape.range) {
                *value = (*value - smallest) / range;
            }
        }
        encoded
    }

    /// The reconstruction `[samples, channels * sites]`, as logits of spins or fields in their own units, from
    /// observables `[samples, m]` and closure variables `[samples, variables]` as [`Closure::encode`] returns them.
    ///
    /// # Errors
    /// When the columns do not match the model.
    pub fn decode(
        &self,
        observables: ArrayView2<f32>,
        variables: ArrayView2<f32>,
    ) -> Result<Array2<f32>, LearningError> {
        let shape = &self.shape;
        let found = (observables.ncols(), variables.ncols());
        let fits = found == (shape.observables, self.variables()) && observables.nrows() == variables.nrows();
        let Some(network) = self.network.as_ref().filter(|_| fits) else {
            return Err(LearningError::Extents(format!(
                "the decoder takes {} observables and {} closure variables per patch, but got {} and {}",
                shape.observables, self.input.variables, found.0, found.1
            )));
        };
        let mut rows = Vec::with_capacity(observables.len() + variables.len());
        for (observables, variables) in observables.outer_iter().zip(variables.outer_iter()) {
            let scaled = observables.iter().zip(&shape.centre).zip(&shape.spread);
            rows.extend(scaled.map(|((value, centre), spread)| (value - centre) / spread));
            let scaled = variables.iter().zip(&shape.smallest).zip(&shape.range);
            rows.extend(scaled.map(|((value, smallest), range)| value * range + smallest));
        }
        let inputs = Tensor::from_slice(&rows).view([observables.nrows() as i64, -1]).to_device(self.device());
        let decoded = tch::no_grad(|| network.decode(self.parameters.leaves(), &inputs));
        let sites: usize = shape.extents.iter().product();
        let mut decoded = vector::<f32>(&decoded);
        for (index, channel) in decoded.chunks_exact_mut(sites).enumerate() {
            let (centre, spread) =
                (shape.feature_centre[index % shape.channels], shape.feature_spread[index % shape.channels]);
            channel.iter_mut().for_each(|value| *value = *value * spread + centre);
        }
        let extents = (observables.nrows(), shape.channels * sites);
        Ok(Array2::from_shape_vec(extents, decoded).expect("the decoder gives whole patches"))
    }

    /// Writes the model to a safetensors file, with `metadata` as its provenance.
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
    /// When the file cannot be read or does not hold such a model.
    pub fn load(path: &Path, device: Device) -> Result<Self, LearningError> {
        let description = store::Description::read(path, "closure")?;
        let input: ClosureInput = description.get("input")?;
        let shape: PatchShape = description.get("shape")?;
        if input.components() == 0 || input.encoder == EncoderKind::Library {
            return Ok(Self::of_library(shape.library, device));
        }
        let (network, layout) =
            Autoencoder::new(&input, shape.spins, &shape.extents, shape.channels, shape.observables);
        let parameters = store::read_weights(path, layout, device)?;
        Ok(Self { input, shape, network: Some(network), parameters })
    }

    fn device(&self) -> Device {
        self.parameters.flat().device()
    }
}
