//! The reversible drift: its potential is found whatever Sigma is, and its steps keep the law exp(-F).

use crate::{
    learning::{
        Pairs, Rollout, SdeInput, SdeModel, TrainInput, TrainingContext, fit,
        sde::{Factor, reversible::half_divergence},
    },
    parallel::Alone,
    rng::{Purpose, stream},
};
use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::StandardNormal;
use tch::{Device, Tensor};

/// F = 2 (x^2 - 1)^2 + 4 (y - x / 2)^2.
fn slope([x, y]: [f64; 2]) -> [f64; 2] {
    [8.0 * x * (x * x - 1.0) - 4.0 * (y - 0.5 * x), 8.0 * (y - 0.5 * x)]
}

/// Sigma = [[1 + x^2 / 4, x / 8], [x / 8, 2 - y^2 / 4]] and its divergence.
fn sigma([x, y]: [f64; 2]) -> ([[f64; 2]; 2], [f64; 2]) {
    ([[1.0 + 0.25 * x * x, 0.125 * x], [0.125 * x, 2.0 - 0.25 * y * y]], [0.5 * x, 0.125 - 0.5 * y])
}

fn drift(z: [f64; 2]) -> [f64; 2] {
    let (slope, (sigma, divergence)) = (slope(z), sigma(z));
    [0, 1].map(|i| 0.5 * (divergence[i] - sigma[i][0] * slope[0] - sigma[i][1] * slope[1]))
}

/// Pairs of the equation at states spread over [-1.7, 1.7]^2, not those of its equilibrium.
fn pairs(count: usize) -> Pairs {
    const DT: f64 = 0.002;
    let mut rng = stream(9, Purpose::Bench, [0, 0]);
    let (mut z, mut increment) = (Array2::<f32>::zeros((count, 2)), Array2::<f32>::zeros((count, 2)));
    let mut compensator = Array2::<f32>::zeros((count, 2));
    for row in 0..count {
        let state = [0, 1].map(|_| 3.4 * (rng.random::<f64>() - 0.5));
        let (mean, (sigma, _)) = (drift(state), sigma(state));
        let noise = [0, 1].map(|_| DT.sqrt() * rng.sample::<f64, _>(StandardNormal));
        let first = sigma[0][0].sqrt();
        let below = sigma[0][1] / first;
        let moved = [first * noise[0], below * noise[0] + (sigma[1][1] - below * below).sqrt() * noise[1]];
        for i in 0..2 {
            z[[row, i]] = state[i] as f32;
            compensator[[row, i]] = (mean[i] * DT) as f32;
            increment[[row, i]] = (mean[i] * DT + moved[i]) as f32;
        }
    }
    Pairs {
        z,
        increment,
        compensator: Some(compensator),
        deviation: None,
        dt: Array1::from_elem(count, DT as f32),
        trajectory: (0..count as u32).map(|row| row / 50).collect(),
        condition: None,
    }
}

/// The mean of x^2, x y and y^2 under exp(-F) within the walls, by a sum over a grid.
fn exact() -> [f64; 3] {
    let grid = || (-170..=170).map(|step| f64::from(step) * 0.01);
    let mut sums = [0.0; 4];
    for (x, y) in grid().flat_map(|x| grid().map(move |y| (x, y))) {
        let weight = (-2.0 * (x * x - 1.0f64).powi(2) - 4.0 * (y - 0.5 * x).powi(2)).exp();
        sums.iter_mut().zip([x * x, x * y, y * y, 1.0]).for_each(|(sum, term)| *sum += weight * term);
    }
    [0, 1, 2].map(|moment| sums[moment] / sums[3])
}

#[test]
fn law_and_drift_of_a_double_well_are_found_at_any_step() {
    let model = SdeInput {
        drift: "reversible".into(),
        potential_degree: 4,
        diffusion_hidden: vec![16, 16],
        ..SdeInput::default()
    };
    let train = TrainInput { epochs: 12, batch: 500, ..TrainInput::default() };
    let run = TrainingContext::new(1, &Alone, Device::Cpu);
    let (model, _) = fit(&pairs(30_000), 1.0, &model, &train, &run, &mut |_| ()).unwrap();
    let states = [[-1.0, -0.4], [0.0, 0.0], [0.3, 0.8], [1.2, 0.5]];
    let found = model.drift(&Tensor::from_slice(&states.concat()).view([4, 2]));
    for (row, state) in states.into_iter().enumerate() {
        for (component, expected) in drift(state).into_iter().enumerate() {
            let found = found.double_value(&[row as i64, component as i64]);
            assert!((found - expected).abs() < 0.4 + 0.05 * expected.abs(), "{state:?}: {found} and not {expected}");
        }
    }
    let exact = exact();
    for step in [0.05, 0.1] {
        let starts = Array2::from_shape_fn((256, 2), |(row, component)| {
            if component == 0 && row % 2 == 0 {
                -1.0
            } else if component == 0 {
                1.0
            } else {
                0.0
            }
        });
        let times = (1..=40).map(|record| f64::from(record) * 0.5).collect();
        let mut rollout = Rollout::new(&model, starts.view(), step, times, 3, [0, 0]).unwrap();
        let records = rollout.records(40).unwrap().mapv(f64::from);
        let kept = records.slice(ndarray::s![10.., .., ..]);
        let (x, y) = (kept.index_axis(ndarray::Axis(2), 0), kept.index_axis(ndarray::Axis(2), 1));
        let products = [(&x * &x).mean(), (&x * &y).mean(), (&y * &y).mean()];
        for (found, exact) in products.into_iter().zip(exact) {
            assert!((found.unwrap() / exact - 1.0).abs() < 0.09, "step {step}: {products:?} and not {exact:?}");
        }
        let rejected = rollout.share_rejected().iter().sum::<f64>() / 256.0;
        assert!(rejected > 1e-3 && rejected < 0.5, "{rejected}");
        assert!(kept.iter().all(|value| value.abs() <= 1.71), "nothing passes the walls");
    }
}

/// L = [[1 + x, 0], [x y, 2 + y]], so that Sigma = [[(1 + x)^2, (1 + x) x y], [.., x^2 y^2 + (2 + y)^2]].
#[test]
fn the_divergence_of_a_matrix_is_that_of_its_columns() {
    let factor = |states: &Tensor| {
        let (x, y) = (states.narrow(1, 0, 1), states.narrow(1, 1, 1));
        Factor { diagonal: Tensor::cat(&[&x + 1.0, &y + 2.0], 1), lower: Some(x * y) }
    };
    let (x, y, lengths) = (0.3, -0.7, [0.5, 2.0]);
    let states = Tensor::from_slice(&[x, y]).view([1, 2]);
    let found = half_divergence(&states, &Tensor::from_slice(&lengths), &factor);
    let expected = [
        0.5 * (lengths[0] * 2.0 * (1.0 + x) + lengths[1] * (1.0 + x) * x),
        0.5 * (lengths[0] * (1.0 + 2.0 * x) * y + lengths[1] * (2.0 * x * x * y + 2.0 * (2.0 + y))),
    ];
    for (component, expected) in expected.into_iter().enumerate() {
        let found: f64 = found.double_value(&[0, component as i64]);
        assert!((found - expected).abs() < 1e-9, "{component}: {found} and not {expected}");
    }
}
