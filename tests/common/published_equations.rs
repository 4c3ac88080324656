//! Equations, data and error norms of A. Zhu and Q. Li, arXiv 2402.14475 (code: github.com/Aiqing-Zhu/DynGMA): drift and
//! diffusion from trajectories with long steps.

#![allow(dead_code)]

use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};
use tessera::{
    learning::{Activation, Pairs, Sde, SdeInput, SdeModel, TrainInput, TrainingContext, fit},
    parallel::Alone,
    rng::{Purpose, stream},
};

/// dx = f(x) dt + diag(g(x)) dB in D dimensions, from starts that fill a box.
pub struct Published<const D: usize> {
    pub drift: fn([f64; D]) -> [f64; D],
    pub noise: fn([f64; D]) -> [f64; D],
    pub low: [f64; D],
    pub high: [f64; D],
    /// Time between the states of a trajectory, and Euler steps in it.
    pub step: f64,
    pub fine: usize,
    /// Trajectories and pairs of each.
    pub trajectories: usize,
    pub pairs: usize,
}

/// The metastable system in two dimensions: 40 000 pairs over a time of 1, Sigma = diag(1/50, 1/5). Of each pair the
/// published data take ten Euler steps.
pub fn metastable(step: f64, fine: usize) -> Published<2> {
    let pairs = (1.0 / step).round() as usize;
    Published {
        drift: |[x, y]| {
            let (bend, one) = (x * (1.0 - x * x), 1.0 + x.sin());
            [0.2 * bend + y * one, -y + 2.0 * bend * one]
        },
        noise: |_| [0.02_f64.sqrt(), 0.2_f64.sqrt()],
        low: [-2.0, -3.0],
        high: [2.0, 3.0],
        step,
        fine,
        trajectories: 40_000 / pairs,
        pairs,
    }
}

/// The Lorenz system in units of 10, r = 28, with noise 0.3 x_i in each component; 200 pairs of 0.01 a trajectory.
pub fn lorenz(trajectories: usize) -> Published<3> {
    Published {
        drift: |[x, y, z]| [10.0 * (y - x), -10.0 * x * z + 28.0 * x - y, 10.0 * x * y - 8.0 / 3.0 * z],
        noise: |x| x.map(|x| 0.3 * x),
        low: [-2.5, -3.0, -1.0],
        high: [2.5, 3.0, 6.0],
        step: 0.01,
        fine: 20,
        trajectories,
        pairs: 200,
    }
}

impl<const D: usize> Published<D> {
    /// The pairs of all trajectories.
    pub fn draw(&self, seed: u64) -> Pairs {
        let mut rng = stream(seed, Purpose::Bench, [62, 0]);
        let count = self.trajectories * self.pairs;
        let (mut z, mut increment) = (Vec::with_capacity(count * D), Vec::with_capacity(count * D));
        let fine = self.step / self.fine as f64;
        for _ in 0..self.trajectories {
            let mut state: [f64; D] =
                std::array::from_fn(|i| self.low[i] + (self.high[i] - self.low[i]) * rng.random::<f64>());
            for _ in 0..self.pairs {
                let before = state;
                for _ in 0..self.fine {
                    let (drift, noise) = ((self.drift)(state), (self.noise)(state));
                    for i in 0..D {
                        let kick: f64 = StandardNormal.sample(&mut rng);
                        state[i] += drift[i] * fine + noise[i] * fine.sqrt() * kick;
                    }
                }
                z.extend(before.map(|value| value as f32));
                increment.extend((0..D).map(|i| (state[i] - before[i]) as f32));
            }
        }
        let array = |values| Array2::from_shape_vec((count, D), values).unwrap();
        Pairs {
            z: array(z),
            increment: array(increment),
            compensator: None,
            deviation: None,
            dt: Array1::from_elem(count, self.step as f32),
            trajectory: (0..count).map(|row| (row / self.pairs) as u32).collect(),
            condition: None,
        }
    }

    /// Relative root mean square errors of drift and Sigma over points that fill the box uniformly.
    pub fn errors(&self, model: &Sde) -> [f64; 2] {
        let mut rng = stream(1, Purpose::Bench, [63, 0]);
        let points: Vec<[f64; D]> = (0..100_000)
            .map(|_| std::array::from_fn(|i| self.low[i] + (self.high[i] - self.low[i]) * rng.random::<f64>()))
            .collect();
        let z: Vec<f32> = points.iter().flatten().map(|&value| value as f32).collect();
        let z = Tensor::from_slice(&z).view([-1, D as i64]);
        let values = |tensor: Tensor| Vec::<f64>::try_from(tensor.to_kind(Kind::Double).reshape([-1])).unwrap();
        let factor = model.diffusion(&z);
        let found = [values(model.drift(&z)), values(factor.matmul(&factor.transpose(1, 2)))];
        let drift: Vec<f64> = points.iter().flat_map(|&x| (self.drift)(x)).collect();
        let element = |noise: [f64; D], k: usize| if k / D == k % D { noise[k % D].powi(2) } else { 0.0 };
        let sigma: Vec<f64> =
            points.iter().flat_map(|&x| (0..D * D).map(move |k| element((self.noise)(x), k))).collect();
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let error = |(found, truth): (Vec<f64>, Vec<f64>)| {
            let difference = square(&mut found.iter().zip(&truth).map(|(a, b)| a - b));
            (difference / square(&mut truth.iter().copied())).sqrt()
        };
        found.into_iter().zip([drift, sigma]).map(error).collect::<Vec<_>>().try_into().unwrap()
    }

    /// The errors after a training of this seed on data of this seed, and its seconds.
    pub fn learned(&self, model: &SdeInput, train: &TrainInput, seed: u64) -> ([f64; 2], f64) {
        let pairs = self.draw(seed);
        let start = std::time::Instant::now();
        let run = TrainingContext::new(seed, &Alone, Device::Cpu);
        let sde = fit(&pairs, 1.0, model, train, &run, &mut |_| ()).unwrap().0;
        let seconds = start.elapsed().as_secs_f64();
        (self.errors(&sde), seconds)
    }
}

/// Networks for a constant Sigma, or one of the state. The drift grows towards the edges of the box, where tanh is flat.
pub fn networks(constant: bool) -> SdeInput {
    let diffusion = if constant { "constant" } else { "full" };
    SdeInput {
        diffusion: diffusion.into(),
        diffusion_hidden: vec![48, 48],
        activation: Activation::Silu,
        ..SdeInput::default()
    }
}

/// A training with so many steps of the moments.
pub fn training(moment_steps: usize, epochs: usize) -> TrainInput {
    TrainInput {
        epochs,
        batch: 512,
        learning_rate: 0.01,
        decay: 0.01_f64.powf(1.0 / epochs as f64),
        moment_steps,
        validation_fraction: 0.0,
        weight_decay: 0.0,
        ..TrainInput::default()
    }
}
