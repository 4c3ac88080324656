//! A symmetry of the law of latent states: the reflection g z = centre + signs (z - centre).
//!
//! Where reflected evolutions are as likely as their originals, mu(g z) = signs mu(z) and Sigma(g z) = signs Sigma(z) signs. The
//! mean of a model and its image, (mu(z) + signs mu(g z)) / 2 and (L(z) + signs L(g z) signs) / 2, has that symmetry exactly.

use crate::learning::sde::likelihood::Factor;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// A reflection of the latent state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mirror {
    /// 1 or -1 for each latent component.
    pub signs: Vec<f64>,
    /// What stays where it is, in physical units.
    pub centre: Vec<f64>,
}

impl Mirror {
    /// Component number `component` of the image of a state.
    pub fn image(&self, component: usize, value: f64) -> f64 {
        self.centre[component] + self.signs[component] * (value - self.centre[component])
    }

    /// The reflection of coordinates that each belong to one component, with the centre in these coordinates.
    pub(super) fn tensors(&self, centre: &[f64], kind: Kind, device: Device) -> MirrorTensors {
        let row = |values: &[f64]| Tensor::from_slice(values).to_kind(kind).to_device(device);
        let signs = &self.signs;
        let lower: Vec<f64> = (0..signs.len())
            .flat_map(|column| signs[column + 1..].iter().map(move |sign| sign * signs[column]))
            .collect();
        MirrorTensors { signs: row(signs), centre: row(centre), lower: row(&lower) }
    }
}

/// A reflection on the device.
pub(super) struct MirrorTensors {
    signs: Tensor,
    centre: Tensor,
    lower: Tensor,
}

impl MirrorTensors {
    /// Coordinates `[samples, d]`, followed by their images.
    pub fn both(&self, x: &Tensor) -> Tensor {
        Tensor::cat(&[x, &(&self.centre + (x - &self.centre) * &self.signs)], 0)
    }

    /// The symmetric mean of drift and factor of [both](Self::both).
    pub fn mean(&self, drift: &Tensor, factor: &Factor) -> (Tensor, Factor) {
        let mean = |values: &Tensor, signs: &Tensor| {
            let halves = values.chunk(2, 0);
            (&halves[0] + &halves[1] * signs) / 2.0
        };
        let diagonal = factor.diagonal.chunk(2, 0);
        let factor = Factor {
            diagonal: (&diagonal[0] + &diagonal[1]) / 2.0,
            lower: factor.lower.as_ref().map(|lower| mean(lower, &self.lower)),
        };
        (mean(drift, &self.signs), factor)
    }
}
