//! An Ornstein-Uhlenbeck process in two dimensions whose mean is known, and repeated trainings on it.

use ndarray::{Array1, Array2, Axis, s};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use tch::Device;
use tessera::{
    evaluation::bootstrap::standard_deviation,
    learning::{DriftDraws, Pairs, Sde, SdeInput, TrainInput, TrainingContext, divided, draws, fit, predict},
    parallel::Alone,
    rng::{Purpose, stream},
};

/// dz = A (z - c) dt + L dB, seen in pairs of one step from states that fill a square.
pub struct OrnsteinUhlenbeck {
    /// Number of pairs; each hundred is a trajectory.
    pub pairs: usize,
    /// lambda.
    pub factor: f64,
    /// Share of the variance of the noise in one increment of ten.
    pub misfit: f64,
}

const A: [[f64; 2]; 2] = [[-1.0, 0.4], [-0.4, -0.7]];
const L: [[f64; 2]; 2] = [[0.5, 0.0], [0.3, 0.2]];
const C: [f64; 2] = [0.5, -1.0];
const STEP: f64 = 0.1;
/// Where predictions start, and the steps at which their means are compared.
const START: [f32; 2] = [1.5, 0.0];
const TIMES: [usize; 3] = [5, 10, 30];
const DRAWS: usize = 32;
const TRAJECTORIES: usize = 400;
/// Half the width of a 90 % interval from the spread of 32 draws, in standard deviations (Student's t).
const NINETY: f64 = 1.70;

impl OrnsteinUhlenbeck {
    /// Pairs from the stream of a seed.
    pub fn draw(&self, seed: u64) -> Pairs {
        let mut rng = stream(seed, Purpose::Bench, [60, 0]);
        let (mut z, mut increment) = (Array2::zeros((self.pairs, 2)), Array2::zeros((self.pairs, 2)));
        for row in 0..self.pairs {
            let state = C.map(|centre| centre + 4.0 * rng.random::<f64>() - 2.0);
            let kick: [f64; 2] = [StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng)];
            let rare = if rng.random::<f64>() < 0.1 { 10.0 * self.misfit } else { (1.0 - self.misfit) / 0.9 };
            let size = if self.misfit > 0.0 { rare.sqrt() } else { 1.0 };
            for i in 0..2 {
                let noise = L[i][0] * kick[0] + L[i][1] * kick[1];
                z[[row, i]] = state[i] as f32;
                increment[[row, i]] = (drift(state)[i] * STEP + (self.factor * STEP).sqrt() * size * noise) as f32;
            }
        }
        Pairs {
            z,
            increment,
            compensator: None,
            deviation: None,
            dt: Array1::from_elem(self.pairs, STEP as f32),
            trajectory: (0..self.pairs as u32).map(|row| row / 100).collect(),
            condition: None,
        }
    }

    /// A model and its draws, from data and a training of this seed.
    pub fn trained(&self, model: &SdeInput, train: &TrainInput, seed: u64) -> (Sde, DriftDraws) {
        let pairs = self.draw(seed);
        let run = TrainingContext::new(seed, &Alone, Device::Cpu);
        let sde = fit(&pairs, self.factor, model, train, &run, &mut |_| ()).unwrap().0;
        let [trained, _] = divided(&pairs, train, seed, &Alone).unwrap();
        let cluster: Vec<u64> = pairs.trajectory.iter().map(|&trajectory| trajectory.into()).collect();
        let drawn = draws(&sde, (&pairs, &trained, &cluster), (DRAWS, seed), &Alone).unwrap().unwrap();
        (sde, drawn)
    }

    /// Whether the 90 % band of the mean of a model, from its data and its trajectories, covers the mean of the process:
    /// for each time and component.
    pub fn covered(&self, model: &SdeInput, train: &TrainInput, seed: u64) -> Vec<bool> {
        let (sde, drawn) = self.trained(model, train, seed);
        let last = TIMES[TIMES.len() - 1];
        let ensemble = |sde: &Sde, count: usize| {
            let start = Array2::from_shape_fn((count, 2), |(_, component)| START[component]);
            predict(sde, start.view(), STEP, last, 1, seed, [1, 0]).unwrap().mapv(f64::from)
        };
        let own = ensemble(&sde, TRAJECTORIES);
        let means: Vec<Array2<f64>> =
            (0..DRAWS).map(|draw| ensemble(&drawn.model(&sde, draw), 16).mean_axis(Axis(1)).unwrap()).collect();
        let mut truth = START.map(f64::from);
        let mut covered = Vec::new();
        for step in 1..=last {
            let slope = drift(truth);
            truth = [0, 1].map(|i| truth[i] + STEP * slope[i]);
            for component in (0..2).filter(|_| TIMES.contains(&step)) {
                let own = own.slice(s![step, .., component]);
                let data = standard_deviation(&means.iter().map(|mean| mean[[step, component]]).collect::<Vec<_>>());
                let total = data.unwrap().hypot(own.std(1.0) / (TRAJECTORIES as f64).sqrt());
                covered.push((own.mean().unwrap() - truth[component]).abs() <= NINETY * total);
            }
        }
        covered
    }
}

fn drift(state: [f64; 2]) -> [f64; 2] {
    [0, 1].map(|i| (0..2).map(|j| A[i][j] * (state[j] - C[j])).sum())
}
