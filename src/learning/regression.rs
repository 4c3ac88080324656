//! Least-squares fit of a perceptron with ReLU: arrays in, affine maps out.
//!
//! Inputs and targets are standardised for the fit; the returned maps take raw inputs. The training is that of all
//! models: AdamW, with a learning rate that falls by one factor per epoch. The seed fixes the first weights and the
//! order of the samples.

use crate::{
    learning::{
        LearningError,
        train::{
            data_parallel::{DataParallelStep, Rows},
            epochs::{Samples, TrainingContext, run_epochs},
            input::TrainInput,
            network::{Activation, Mlp},
            objective::Objective,
            optimiser::AdamW,
            parameters::{Layout, Parameters},
        },
    },
    parallel::Alone,
};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// Ratio of the learning rates of the last and the first epoch.
const LAST_RATE: f64 = 0.3;

/// How to fit.
#[derive(Clone, Debug)]
pub struct Regression {
    /// Widths of the hidden layers.
    pub hidden: Vec<i64>,
    /// Passes over the samples.
    pub epochs: usize,
    /// Samples per step.
    pub batch: usize,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// Decay of the weights per unit of learning rate.
    pub weight_decay: f64,
    /// Seed of the first weights and of the order of the samples.
    pub seed: u64,
    /// Index of the model in the random streams.
    pub model: u64,
}

/// An affine map: y = x weight + bias.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[inputs, outputs]`
    pub weight: Array2<f32>,
    /// `[outputs]`
    pub bias: Array1<f32>,
}

impl Regression {
    /// Fits `targets` `[samples]` to `inputs` `[samples, features]`. The maps have ReLU between them.
    ///
    /// # Errors
    /// When inputs and targets differ in length, there are fewer samples than one batch, or the training fails.
    pub fn fit(&self, inputs: ArrayView2<f32>, targets: ArrayView1<f32>) -> Result<Vec<Affine>, LearningError> {
        let samples = inputs.nrows();
        if samples != targets.len() {
            return Err(LearningError::Extents(format!("{samples} inputs and {} targets", targets.len())));
        }
        if samples < self.batch {
            return Err(LearningError::TooFew { found: samples, needed: self.batch });
        }
        let mean = inputs.mean_axis(Axis(0)).expect("there are samples");
        let spread = inputs.std_axis(Axis(0), 0.0).mapv(|spread| spread.max(1e-6));
        let (centre, scale) = (targets.mean().expect("there are samples"), targets.std(0.0).max(1e-6));
        let standard = (&inputs - &mean) / &spread;
        let features = tensor(standard.iter().copied().collect::<Vec<f32>>(), &[samples as i64, inputs.ncols() as i64]);
        let wanted = tensor(targets.iter().map(|target| (target - centre) / scale).collect(), &[samples as i64, 1]);

        let mut layout = Layout::default();
        let widths = [&[inputs.ncols() as i64][..], &self.hidden, &[1]].concat();
        let network = Mlp::new(&mut layout, "regression", &widths, Activation::Relu, 1.0);
        let parameters = Parameters::draw(layout, self.seed, self.model, Kind::Float, Device::Cpu);
        let optimiser = AdamW::new(parameters.flat(), self.weight_decay, None);
        let objective = Arc::new(SquareError { network });
        let data = (&[features, wanted][..], Rows { first: 0, owned: 0..samples });
        let mut trainer = DataParallelStep::new(objective.clone(), parameters, optimiser, data, 0, &Alone);
        let samples = Samples { model: self.model, rows: (0..samples).collect(), held: Vec::new(), offsets: [0.0; 2] };
        let train = TrainInput {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            decay: LAST_RATE.powf(1.0 / self.epochs as f64),
            ..TrainInput::default()
        };
        run_epochs(&mut trainer, &samples, &train, &TrainingContext::new(self.seed, &Alone, Device::Cpu), &mut |_| ())?;
        let mut maps = affine_maps(&objective.network, &trainer.parameters, &widths);
        let first = &mut maps[0];
        first.weight /= &spread.insert_axis(Axis(1));
        first.bias = &first.bias - &mean.dot(&first.weight);
        let last = maps.last_mut().expect("there is a last map");
        last.weight *= scale;
        last.bias = &last.bias * scale + centre;
        Ok(maps)
    }
}

/// The square error, summed over the samples.
struct SquareError {
    network: Mlp,
}

impl Objective for SquareError {
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor {
        (self.network.forward(weights, &batch[0]) - &batch[1]).square().sum(batch[1].kind())
    }
}

fn tensor(values: Vec<f32>, shape: &[i64]) -> Tensor {
    Tensor::from_slice(&values).view(shape)
}

/// The affine maps of a network. Torch stores a weight as `[outputs, inputs]`.
fn affine_maps(network: &Mlp, parameters: &Parameters, widths: &[i64]) -> Vec<Affine> {
    let values = |leaf: usize| -> Vec<f32> {
        let flat = no_grad(|| parameters.leaves()[leaf].detach().contiguous().view(-1));
        Vec::try_from(flat).expect("weights are single-precision numbers")
    };
    let map = |(&layer, pair): (&usize, &[i64])| {
        let [inputs, outputs] = [pair[0] as usize, pair[1] as usize];
        let stored = Array2::from_shape_vec((outputs, inputs), values(layer)).expect("the layout gives the shape");
        Affine { weight: stored.t().to_owned(), bias: Array1::from(values(layer + 1)) }
    };
    network.layers().iter().zip(widths.windows(2)).map(map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::Rng as _;

    #[test]
    fn a_piecewise_linear_law_is_found() {
        let mut rng = stream(1, Purpose::Bench, [40, 0]);
        let inputs = Array2::from_shape_fn((4000, 3), |_| 5.0 + rng.random::<f32>());
        let law = |row: ArrayView1<f32>| 2.0 * (row[0] - 5.5).abs() + row[1] - 0.5 * row[2];
        let targets: Array1<f32> = inputs.rows().into_iter().map(law).collect();
        let recipe = Regression {
            hidden: vec![16],
            epochs: 60,
            batch: 100,
            learning_rate: 1e-2,
            weight_decay: 0.0,
            seed: 1,
            model: 0,
        };
        let maps = recipe.fit(inputs.view(), targets.view()).unwrap();
        let hidden = (inputs.dot(&maps[0].weight) + &maps[0].bias).mapv(|value| value.max(0.0));
        let guess = (hidden.dot(&maps[1].weight) + &maps[1].bias).remove_axis(Axis(1));
        let error = (&guess - &targets).mapv(|error| error * error).mean().unwrap().sqrt();
        assert!(error < 0.02, "root mean square error {error} of a spread of {}", targets.std(0.0));
    }
}
