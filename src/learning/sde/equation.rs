//! The learned equation: networks, weights and units together.

use crate::learning::{
    LearningError,
    sde::{
        Coordinates, DIFFUSIONS, DRIFTS, Diffusion, Drift, FLOOR, InputWidth, Labels, SHIFT, Scales, SdeInput,
        SymmetryGroup, condition,
        coordinates::CoordinateTensors,
        likelihood::Factor,
        onsager::DISSIPATION,
        reversible::{STEP, half_divergence, refuse_potential},
        scales,
        walls::{CORNERS, WallTensors},
    },
    train::{
        network::Mlp,
        parameters::{Layout, Parameters},
        store,
    },
};
use ndarray::ArrayView2;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tch::{Device, Kind, Tensor, no_grad};

/// Drift and diffusion of an equation, in physical units.
pub trait SdeModel {
    /// mu(z), `[samples, d]`, of states `[samples, d]`.
    fn drift(&self, z: &Tensor) -> Tensor;
    /// A noise factor L(z) with Sigma = L L^T, `[samples, d, k]`, of states `[samples, d]`, for k independent noises.
    fn diffusion(&self, z: &Tensor) -> Tensor;
}

/// The networks of an equation without their weights.
pub(crate) struct Networks {
    pub embedding: Option<Mlp>,
    /// Number of axes of the condition; 0 without.
    pub condition_axes: usize,
    pub drift: Box<dyn Drift>,
    pub diffusion: Box<dyn Diffusion>,
}

impl Networks {
    /// Networks of `components` latent components, with a condition along so many axes, and the list of their weights.
    ///
    /// # Errors
    /// When no drift or diffusion has the name that `input` asks for, or a reversible drift has no use for its degree or a
    /// condition.
    pub fn new(input: &SdeInput, components: usize, condition_axes: usize) -> Result<(Self, Layout), LearningError> {
        let unknown = |name, value: &str| {
            let value = format!("\"{value}\"");
            move |reason| LearningError::Input { name, value, reason }
        };
        let drift = DRIFTS.get(&input.drift).map_err(unknown("train.model.drift", &input.drift))?;
        let diffusion = DIFFUSIONS.get(&input.diffusion).map_err(unknown("train.model.diffusion", &input.diffusion))?;
        if input.drift == "reversible" {
            let degree = input.potential_degree;
            let (name, value) = ("train.model.potential_degree", degree.to_string());
            refuse_potential(components, degree).map_err(|reason| LearningError::Input { name, value, reason })?;
            if condition_axes > 0 {
                let reason = "a reversible drift has no conditions yet; train one equation at a time".to_owned();
                return Err(unknown("train.model.drift", &input.drift)(reason));
            }
        }
        let mut layout = Layout::default();
        let features = if condition_axes > 0 { condition::FEATURES } else { 0 };
        let width = InputWidth { components: components as i64, features };
        let (drift, diffusion) = (drift(&mut layout, input, width), diffusion(&mut layout, input, width));
        let embedding = (condition_axes > 0).then(|| condition::embedding(&mut layout, condition_axes));
        Ok((Self { embedding, condition_axes, drift, diffusion }, layout))
    }

    /// The networks of an equation in these units.
    ///
    /// # Errors
    /// As [`Networks::new`].
    pub fn in_units(input: &SdeInput, scales: &Scales) -> Result<(Self, Layout), LearningError> {
        let (mut networks, layout) = Self::new(input, scales.independent(), scales.condition.len())?;
        networks.drift.set_units(scales);
        Ok((networks, layout))
    }

    /// Drift and factor of states `[samples, d]` under conditions `[samples, axes]`, all standardised. The condition is
    /// left out when the model has none.
    pub fn forward(&self, weights: &[Tensor], states: &Tensor, condition: Option<&Tensor>) -> (Tensor, Factor) {
        let features = self.features(weights, condition);
        let drift = self.drift.forward(weights, states, features.as_ref());
        let factor = self.diffusion.forward(weights, states, features.as_ref());
        match self.drift.as_reversible() {
            Some(reversible) => {
                let flow = factor.times(&factor.transposed_times(&drift));
                let factor_at = |states: &Tensor| self.diffusion.forward(weights, states, None);
                (flow + half_divergence(states, &reversible.lengths(states), &factor_at), factor)
            }
            None => (drift, factor),
        }
    }

    /// Position and shape of the weights that the drift is linear in, `[outputs, inputs]`, biases among the inputs.
    pub fn linear_part(&self, parameters: &Parameters) -> Option<(usize, [i64; 2])> {
        if let Some(reversible) = self.drift.as_reversible() {
            let position = reversible.position();
            return Some((position, [1, parameters.leaves()[position].size()[0]]));
        }
        let layer = self.drift.last_layer()?;
        let [outputs, inputs] = <[i64; 2]>::try_from(parameters.leaves()[layer].size()).expect("weights are a matrix");
        Some((layer, [outputs, inputs + 1]))
    }

    /// Adds a change `[outputs, inputs]` to the [linear part](Self::linear_part) of the drift; the last column is that of
    /// the bias of a perceptron.
    pub fn change_last_layer(&self, parameters: &Parameters, change: &Tensor) {
        let Some((layer, [_, inputs])) = self.linear_part(parameters) else { return };
        let change = change.to_kind(parameters.flat().kind()).to_device(parameters.flat().device());
        if self.drift.as_reversible().is_some() {
            return no_grad(|| _ = parameters.leaves()[layer].shallow_clone().g_add_(&change.view([inputs])));
        }
        let width = inputs - 1;
        no_grad(|| {
            let _ = parameters.leaves()[layer].shallow_clone().g_add_(&change.narrow(1, 0, width));
            let _ = parameters.leaves()[layer + 1].shallow_clone().g_add_(&change.select(1, width));
        });
    }

    /// Features of conditions `[samples, axes]`.
    pub fn features(&self, weights: &[Tensor], condition: Option<&Tensor>) -> Option<Tensor> {
        self.embedding.as_ref().zip(condition).map(|(embedding, c)| embedding.forward(weights, c))
    }
}

/// A learned equation.
pub struct Sde {
    input: SdeInput,
    scales: Scales,
    labels: Labels,
    networks: Arc<Networks>,
    parameters: Parameters,
    tensors: scales::ScaleTensors,
    condition: Option<Vec<f64>>,
}

impl Sde {
    pub(super) fn new(input: SdeInput, scales: Scales, networks: Arc<Networks>, parameters: Parameters) -> Self {
        let tensors = scales.tensors(parameters.flat().kind(), parameters.flat().device());
        let labels = Labels::numbered(scales.coordinates.components());
        Self { input, scales, labels, networks, parameters, tensors, condition: None }
    }

    /// The equation under one condition; it shares the weights.
    ///
    /// # Errors
    /// When the model was trained without conditions, or with another number of axes.
    pub fn at_condition(&self, condition: &[f64]) -> Result<Self, LearningError> {
        let axes = self.scales.condition.len();
        if axes != condition.len() {
            let reason = match axes {
                0 => "the model was trained without conditions".into(),
                _ => format!("the condition of this model is {axes} number(s)"),
            };
            return Err(LearningError::Input { name: "condition", value: format!("{condition:?}"), reason });
        }
        let same = Self::new(self.input.clone(), self.scales.clone(), self.networks.clone(), self.parameters.share());
        Ok(Self { condition: Some(condition.to_vec()), labels: self.labels.clone(), ..same })
    }

    /// The equation with names and units.
    ///
    /// # Errors
    /// When there are not as many labels as components.
    pub fn labelled(self, labels: Labels) -> Result<Self, LearningError> {
        let (found, expected) = (labels.components.len(), self.components());
        if found != expected {
            return Err(LearningError::Components { what: "the labels", found, expected });
        }
        Ok(Self { labels, ..self })
    }

    /// The equation with weights in double precision: what its file says, without the rounding of its training.
    pub fn in_double_precision(self) -> Self {
        let layout = Arc::new(self.parameters.layout().clone());
        let parameters = Parameters::over(layout, self.parameters.flat().to_kind(Kind::Double));
        let same = Self::new(self.input, self.scales, self.networks, parameters);
        Self { condition: self.condition, labels: self.labels, ..same }
    }

    /// The equation with a change `[outputs, inputs + 1]` of the last layer of its drift, in weights of its own.
    pub(super) fn with_last_layer_changed(&self, change: &Tensor) -> Self {
        let parameters = self.parameters.copied();
        self.networks.change_last_layer(&parameters, change);
        let changed = Self::new(self.input.clone(), self.scales.clone(), self.networks.clone(), parameters);
        Self { condition: self.condition.clone(), labels: self.labels.clone(), ..changed }
    }

    /// Networks, weights and units.
    pub(super) fn parts(&self) -> (&Networks, &Parameters, &Scales) {
        (&self.networks, &self.parameters, &self.scales)
    }

    /// The equation with the symmetries of a group: the mean of its own fields and their images. It was trained on
    /// [pairs with their images](SymmetryGroup::with_images).
    ///
    /// # Errors
    /// When components depend on each other linearly and their images depend on each other otherwise.
    pub fn symmetric(self, group: SymmetryGroup) -> Result<Self, LearningError> {
        if !group.acts_on(self.coordinates()) {
            return Err(LearningError::Input {
                name: "train.mirrored",
                value: "true".into(),
                reason: "the linear dependence between the observables changes under a symmetry".into(),
            });
        }
        let scales = Scales { symmetry: Some(group), ..self.scales };
        let same = Self::new(self.input, scales, self.networks, self.parameters);
        Ok(Self { condition: self.condition, labels: self.labels, ..same })
    }

    /// The equation with another clock: its predictions have drift and Sigma `clock` times as large.
    pub fn with_clock(self, clock: f64) -> Self {
        let scales = Scales { clock, ..self.scales };
        let same = Self::new(self.input, scales, self.networks, self.parameters);
        Self { condition: self.condition, labels: self.labels, ..same }
    }

    /// Drift and Sigma of a prediction over those of the pairs.
    pub fn clock(&self) -> f64 {
        self.scales.clock
    }

    /// An error when the model needs a condition that nobody chose.
    pub(super) fn complete(&self) -> Result<(), LearningError> {
        if !self.scales.condition.is_empty() && self.condition.is_none() {
            return Err(LearningError::Input {
                name: "condition",
                value: "none".into(),
                reason: "the model was trained with conditions: choose one with `Sde::at_condition`".into(),
            });
        }
        Ok(())
    }

    /// Number of latent components d.
    pub fn components(&self) -> usize {
        self.scales.coordinates.components()
    }

    /// Between physical states and the coordinates of the networks.
    pub fn coordinates(&self) -> &Coordinates {
        &self.scales.coordinates
    }

    /// The networks as the input asked for them.
    pub fn input(&self) -> &SdeInput {
        &self.input
    }

    /// Names and units.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Least value and range of the conditions of the training along each axis; empty for a model without conditions.
    pub fn conditions(&self) -> &[[f64; 2]] {
        &self.scales.condition
    }

    /// Least and largest value of each component in the training data; empty for a model of an earlier version.
    pub fn extent(&self) -> &[[f64; 2]] {
        &self.scales.extent
    }

    /// Whether each state `[n, d]` lies within the training data; `None` for a model of an earlier version.
    pub fn within_data(&self, z: ArrayView2<f64>) -> Option<Vec<bool>> {
        let x = self.coordinates().states(z);
        self.scales.walls.as_ref().map(|walls| x.rows().into_iter().map(|state| walls.hold(state)).collect())
    }

    /// Device of the weights.
    pub fn device(&self) -> Device {
        self.parameters.flat().device()
    }

    /// Precision of the weights.
    pub fn kind(&self) -> Kind {
        self.parameters.flat().kind()
    }

    /// All weights in one vector, in the order of the file.
    pub fn weights(&self) -> Vec<f64> {
        crate::learning::tensor::vector(&self.parameters.flat().to_kind(Kind::Double))
    }

    /// The map to the coordinates on the device of the model.
    pub(super) fn map(&self) -> &CoordinateTensors {
        &self.tensors.coordinates
    }

    /// The walls on the device of the model.
    pub(super) fn walls(&self) -> Option<&WallTensors> {
        self.tensors.walls.as_ref()
    }

    /// Drift `[samples, r]` and diffusion factor of coordinates `[samples, r]`.
    ///
    /// # Panics
    /// When the model was trained with conditions and none was [given](Sde::at_condition).
    pub(super) fn fields(&self, x: &Tensor) -> (Tensor, Factor) {
        let condition = (!self.scales.condition.is_empty()).then(|| {
            let condition = self.condition.as_ref().expect("a model of a family is given a condition first");
            let row = Tensor::from_slice(condition).to_kind(self.kind()).to_device(self.device());
            row.expand([x.size()[0], -1], false)
        });
        self.fields_at_condition(x, condition.as_ref())
    }

    /// As [`Sde::fields`], under conditions `[samples, axes]`.
    pub(super) fn fields_at_condition(&self, x: &Tensor, condition: Option<&Tensor>) -> (Tensor, Factor) {
        let Some(group) = &self.tensors.symmetry else { return self.fields_of_networks(x, condition) };
        let condition = condition.map(|condition| condition.repeat([group.order(), 1]));
        let (drift, factor) = self.fields_of_networks(&group.images(x), condition.as_ref());
        group.mean(&drift, &factor)
    }

    fn fields_of_networks(&self, x: &Tensor, condition: Option<&Tensor>) -> (Tensor, Factor) {
        let strength = self.tensors.strength.as_ref().zip(condition).map(|(strength, raw)| strength.under(raw));
        let [least, range] = &self.tensors.condition;
        let condition = condition.map(|raw| (raw - least) / range);
        let (drift, factor) = self.networks.forward(self.parameters.leaves(), x, condition.as_ref());
        let (drift, factor) = (drift * &self.tensors.drift, self.tensors.scale_factor(factor));
        match strength {
            Some(strength) => (drift * &strength, factor.scaled(&strength)),
            None => (drift, factor),
        }
    }

    /// F of coordinates `[samples, r]`, `[samples]`, up to a constant, if the drift is reversible.
    pub(super) fn potential(&self, x: &Tensor) -> Option<Tensor> {
        let reversible = self.networks.drift.as_reversible()?;
        let images = self.tensors.symmetry.as_ref().map(|group| group.images(x));
        let values = reversible.potential(self.parameters.leaves(), images.as_ref().unwrap_or(x));
        Some(values.view([-1, x.size()[0]]).mean_dim(0, false, None::<Kind>))
    }

    /// Coordinates `[samples, r]` of states `[samples, d]`, in the precision of the networks.
    fn coordinates_of(&self, z: &Tensor) -> Tensor {
        self.map().states(&z.to_device(self.device())).to_kind(self.kind())
    }

    /// Writes the model to a safetensors file, with all that another program needs to evaluate it (docs/model.md).
    /// `metadata` is kept with it (provenance).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path, metadata: &Value) -> Result<(), LearningError> {
        let constants = json!({
            "softplus_shift": SHIFT, "diagonal_floor": FLOOR, "onsager_dissipation": DISSIPATION,
            "wall_corners": CORNERS, "divergence_step": STEP, "factor_order": "diagonal, then the elements below it, column by column",
        });
        let description = json!({
            "model": "sde", "input": self.input, "scales": self.scales, "labels": self.labels,
            "constants": constants, "provenance": metadata,
        });
        store::write(path, &self.parameters, &description)
    }

    /// The description in a model file: all but its weights.
    ///
    /// # Errors
    /// As [`Sde::load`].
    pub fn description(path: &Path) -> Result<Value, LearningError> {
        Ok(store::Description::read(path, "sde")?.into_fields())
    }

    /// Reads a model that [`Sde::save`] wrote, onto `device`.
    ///
    /// # Errors
    /// When the file cannot be read or is no such model.
    pub fn load(path: &Path, device: Device) -> Result<Self, LearningError> {
        let description = store::Description::read(path, "sde")?;
        let input: SdeInput = description.get("input")?;
        let scales: Scales = description.get("scales")?;
        let (networks, layout) = Networks::in_units(&input, &scales)?;
        let labels: Option<Labels> = description.get("labels")?;
        let parameters = store::read_weights(path, layout, device)?;
        let model = Self::new(input, scales, Arc::new(networks), parameters);
        match labels {
            Some(labels) => model.labelled(labels),
            None => Ok(model),
        }
    }
}

impl SdeModel for Sde {
    fn drift(&self, z: &Tensor) -> Tensor {
        no_grad(|| self.map().rates(&self.fields(&self.coordinates_of(z)).0))
    }

    fn diffusion(&self, z: &Tensor) -> Tensor {
        no_grad(|| self.map().noise(&self.fields(&self.coordinates_of(z)).1.matrix()))
    }
}
