//! Laws of learning: known equations are recovered, gradients are gradients, files give back what they were given.

mod common;

use common::threads::on_ranks;
use ndarray::{Array1, Array2, Array3, Axis, array, s};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeSet;
use tch::{Device, Kind, Tensor};
use tessera::{
    evaluation::Symmetry,
    learning::{
        Closure, DeviceChoice, Drift, LearningError, Pairs, Rollout, Sde, SdeInput, SdeModel, Start, SymmetryGroup,
        TrainInput, TrainingContext, calibration, device, fit, predict,
        sde::{
            DRIFTS,
            likelihood::{Factor, negative_log_likelihood},
        },
        train::input::Precision,
    },
    parallel::{Alone, Ranks},
    rng::{Purpose, stream},
};

/// Drift matrix and noise factor of the 2-D Ornstein-Uhlenbeck process of these tests; the noise is correlated.
const DRIFT: [[f64; 2]; 2] = [[-1.0, 0.4], [-0.4, -0.7]];
const NOISE: [[f64; 2]; 2] = [[0.5, 0.0], [0.3, 0.2]];
const CENTRE: [f64; 2] = [0.5, -1.0];

/// Pairs of the process with random dt and states far from and near its centre; the noise variance of the increments
/// is `factor`-fold.
fn ornstein_uhlenbeck(count: usize, factor: f64, seed: u64) -> Pairs {
    let mut rng = stream(seed, Purpose::Bench, [0, 0]);
    let mut pairs = Pairs {
        z: Array2::zeros((count, 2)),
        increment: Array2::zeros((count, 2)),
        dt: Array1::zeros(count),
        trajectory: Array1::from_shape_fn(count, |row| (row / 100) as u32),
        compensator: None,
        deviation: None,
        condition: None,
    };
    for row in 0..count {
        let dt = 0.05 + 0.15 * rng.random::<f64>();
        let state = CENTRE.map(|centre| centre + 4.0 * rng.random::<f64>() - 2.0);
        let kick: [f64; 2] = [StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng)];
        let drift = linear_drift(&state);
        pairs.dt[row] = dt as f32;
        for i in 0..2 {
            let noise = NOISE[i][0] * kick[0] + NOISE[i][1] * kick[1];
            pairs.z[[row, i]] = state[i] as f32;
            pairs.increment[[row, i]] = (drift[i] * dt + (factor * dt).sqrt() * noise) as f32;
        }
    }
    pairs
}

fn linear_drift(state: &[f64; 2]) -> [f64; 2] {
    [0, 1].map(|i| (0..2).map(|j| DRIFT[i][j] * (state[j] - CENTRE[j])).sum())
}

fn train(pairs: &Pairs, factor: f64, model: &SdeInput, input: &TrainInput, seed: u64) -> Sde {
    fit(pairs, factor, model, input, &TrainingContext::new(seed, &Alone, Device::Cpu), &mut |_| ()).unwrap().0
}

#[test]
fn likelihood_is_that_of_a_normal_distribution() {
    let options = (Kind::Double, Device::Cpu);
    tch::manual_seed(1);
    for components in [1, 2, 4, 5] {
        let diagonal = Tensor::rand([7, components], options) + 0.5;
        let lower = Tensor::randn([7, components * (components - 1) / 2], options);
        let factor = Factor { diagonal, lower: (components > 1).then_some(lower) };
        let residual = Tensor::randn([7, components], options);
        let matrix = factor.matrix();
        let covariance = matrix.matmul(&matrix.transpose(1, 2));
        let column = residual.unsqueeze(-1);
        let square = (column.transpose(1, 2).matmul(&covariance.inverse()).matmul(&column)).sum(Kind::Double);
        let expected = (square + covariance.logdet().sum(Kind::Double)).double_value(&[]);
        let found = negative_log_likelihood(&residual, &factor).double_value(&[]);
        assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{components}: {found} != {expected}");
        let back = factor.solve(&factor.times(&residual));
        assert!((back - &residual).abs().max().double_value(&[]) < 1e-10);
    }
}

#[test]
fn same_seed_gives_identical_weights_and_another_seed_others() {
    let pairs = ornstein_uhlenbeck(5_000, 1.0, 5);
    let input = TrainInput { epochs: 2, batch: 500, ..Default::default() };
    let weights = |seed| train(&pairs, 1.0, &SdeInput::default(), &input, seed).weights();
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
}

#[test]
fn several_ranks_follow_the_curve_of_one() {
    let pairs = ornstein_uhlenbeck(6_000, 1.0, 10);
    let input = TrainInput { epochs: 10, batch: 1000, ..Default::default() };
    let curve = |size: usize| -> Vec<(Vec<f64>, Vec<f64>)> {
        on_ranks(size, |ranks| {
            let own: Vec<usize> = ranks.share(pairs.dt.len()).collect();
            let own = pairs.rows(&own);
            let run = TrainingContext::new(1, ranks, Device::Cpu);
            let fitted = fit(&own, 1.0, &SdeInput::default(), &input, &run, &mut |_| ());
            let (model, records) = fitted.unwrap();
            (model.weights(), records.iter().map(|record| record.validation_loss).collect())
        })
    };
    let (one, three) = (curve(1), curve(3));
    assert!(three.iter().all(|rank| rank == &three[0]), "ranks hold different models");
    for (one, three) in one[0].1.iter().zip(&three[0].1) {
        assert!((one - three).abs() < 1e-4 * one.abs(), "{one} != {three}");
    }
}

/// The noise of an increment is some five times its drift. Least squares on the last layer find what a short descent
/// does not, to within the error that the noise allows, and the same on one rank and on three.
#[test]
fn least_squares_on_the_last_layer_find_a_drift_that_noise_hides() {
    let pairs = ornstein_uhlenbeck(300_000, 10.0, 21);
    let error = |model: &Sde| {
        let states: Vec<[f64; 2]> = (0..81).map(|n| [n % 9, n / 9].map(|k| f64::from(k) / 2.0 - 2.0)).collect();
        let states: Vec<[f64; 2]> = states.iter().map(|z| [z[0] + CENTRE[0], z[1] + CENTRE[1]]).collect();
        let inputs: Vec<f32> = states.iter().flatten().map(|&value| value as f32).collect();
        let found = model.drift(&Tensor::from_slice(&inputs).view([-1, 2])).to_kind(Kind::Double);
        let expected: Vec<f64> = states.iter().flat_map(linear_drift).collect();
        (found - Tensor::from_slice(&expected).view([-1, 2])).square().mean(Kind::Double).sqrt().double_value(&[])
    };
    let input = |refit| TrainInput { epochs: 1, batch: 500, learning_rate: 1e-4, refit, ..Default::default() };
    for drift in ["mlp", "onsager"] {
        let model = SdeInput { drift: drift.into(), ..SdeInput::default() };
        let fitted = |size: usize, refit: bool| -> Vec<Sde> {
            on_ranks(size, |ranks| {
                let own: Vec<usize> = ranks.share(pairs.dt.len()).collect();
                let run = TrainingContext::new(1, ranks, Device::Cpu);
                fit(&pairs.rows(&own), 10.0, &model, &input(refit), &run, &mut |_| ()).unwrap().0
            })
        };
        let (plain, one, three) = (&fitted(1, false)[0], &fitted(1, true)[0], fitted(3, true));
        let (before, after) = (error(plain), error(one));
        // Some forty parameters for each component, each with the error of a mean over all pairs.
        let expected = (40.0 * 10.0 * 0.3 / (300_000.0 * 0.125_f64)).sqrt();
        println!("{drift}: {before} before, {after} after, {expected} expected");
        assert!(after < 0.6 * before && after < 1.5 * expected, "{drift}: {before} before, {after} after, {expected}");
        assert!(three.iter().all(|rank| rank.weights() == three[0].weights()), "ranks hold different models");
        assert!((error(&three[0]) - after).abs() < 0.1 * after, "{drift}: {} on three ranks", error(&three[0]));
    }
}

#[test]
fn all_ranks_stop_when_the_first_is_asked_to() {
    let pairs = ornstein_uhlenbeck(4_000, 1.0, 12);
    let input = TrainInput { epochs: 3, batch: 500, ..Default::default() };
    let errors: Vec<LearningError> = on_ranks(2, |ranks| {
        let own: Vec<usize> = ranks.share(pairs.dt.len()).collect();
        let own = pairs.rows(&own);
        // Before the eleventh step; the wishes of other ranks do not count.
        let asked = std::cell::Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            ranks.rank() == 1 || asked.get() > 10
        };
        let run = TrainingContext { stop: Some(&stop), ..TrainingContext::new(1, ranks, Device::Cpu) };
        fit(&own, 1.0, &SdeInput::default(), &input, &run, &mut |_| ()).err().unwrap()
    });
    // 3600 pairs are left when a tenth of the trajectories is held out: eight steps an epoch.
    for error in errors {
        assert!(matches!(error, LearningError::Stopped { epoch: 1, batch: 2, .. }), "{error}");
    }
}

/// A change of sign of the first of two components.
fn reflection(centre: Vec<f64>) -> SymmetryGroup {
    SymmetryGroup { elements: Symmetry::group(&[Symmetry::of_signs(&[-1.0, 1.0])], 2), centre }
}

#[test]
fn images_balance_the_pairs_about_the_centre() {
    let pairs = ornstein_uhlenbeck(1_000, 1.0, 13);
    let both = reflection(vec![0.25, 7.0]).with_images(&pairs);
    assert_eq!(both.dt.len(), 2 * pairs.dt.len());
    for row in 0..pairs.dt.len() {
        let (own, image) = (2 * row, 2 * row + 1);
        assert_eq!(both.z.row(own), pairs.z.row(row));
        assert_eq!(both.increment.row(own), pairs.increment.row(row));
        assert!((both.z[[own, 0]] + both.z[[image, 0]] - 0.5).abs() < 1e-6);
        assert!((both.z[[own, 1]] - both.z[[image, 1]]).abs() < 1e-5);
        assert_eq!(both.increment[[own, 0]], -both.increment[[image, 0]]);
        assert_eq!(both.increment[[own, 1]], both.increment[[image, 1]]);
        assert_eq!(both.trajectory[own], both.trajectory[image]);
    }
}

#[test]
fn symmetric_equations_commute_with_the_reflection() {
    let pairs = ornstein_uhlenbeck(2_000, 1.0, 15);
    let input = TrainInput { epochs: 2, batch: 500, ..Default::default() };
    let plain = train(&pairs, 1.0, &SdeInput::default(), &input, 1);
    let difference = |model: &Sde| {
        let z = Tensor::from_slice(&[0.75_f32, -1.0]).view([1, 2]);
        let image = Tensor::from_slice(&[-0.25_f32, -1.0]).view([1, 2]);
        let signs = Tensor::from_slice(&[-1.0_f32, 1.0]);
        let drift = (model.drift(&image) - model.drift(&z) * &signs).abs().max();
        let turned = model.diffusion(&z) * &signs * signs.view([2, 1]);
        f64::try_from(drift.maximum(&(model.diffusion(&image) - turned).abs().max())).unwrap()
    };
    assert!(difference(&plain) > 1e-3, "the training found the symmetry by itself");
    assert!(difference(&plain.symmetric(reflection(vec![0.25, 0.0])).unwrap()) < 1e-6);
}

#[test]
fn parts_hold_whole_trajectories_and_together_everything() {
    let pairs = ornstein_uhlenbeck(1_000, 1.0, 14);
    for conditions in [1, 3] {
        let parts: Vec<Pairs> = (0..3).map(|part| pairs.part(part, 3, conditions)).collect();
        assert_eq!(parts.iter().map(|part| part.dt.len()).sum::<usize>(), pairs.dt.len());
        let trajectories = |part: &Pairs| part.trajectory.iter().copied().collect::<BTreeSet<u32>>();
        for (number, part) in parts.iter().enumerate() {
            assert!(parts[..number].iter().all(|other| trajectories(other).is_disjoint(&trajectories(part))));
            let seen: BTreeSet<u32> = part.trajectory.iter().map(|trajectory| trajectory % conditions as u32).collect();
            assert_eq!(seen.len(), conditions, "every part holds trajectories under each condition");
        }
    }
}

/// A third component is 3 less a tenth of the second, a fourth stands still: the equation has two independent noises.
#[test]
fn dependent_components_keep_their_bonds_and_physical_units() {
    let free = ornstein_uhlenbeck(60_000, 1.0, 17);
    let four = |from: &Array2<f32>, rest: [f32; 2]| {
        Array2::from_shape_fn((from.nrows(), 4), |(row, column)| match column {
            0 => 1e3 * from[[row, 0]],
            2 => rest[0] - 0.1 * from[[row, 1]],
            3 => rest[1],
            _ => from[[row, 1]],
        })
    };
    let pairs = Pairs { z: four(&free.z, [3.0, 7.0]), increment: four(&free.increment, [0.0; 2]), ..free };
    let input = TrainInput { epochs: 8, learning_rate: 4e-3, decay: 0.5, refit: true, ..Default::default() };
    let model = train(&pairs, 1.0, &SdeInput::default(), &input, 1);
    assert_eq!((model.components(), model.coordinates().independent()), (4, 2));
    let z = Tensor::from_slice(&[1.0e3_f32, -0.5, 3.05, 7.0]).view([1, 4]);
    let values = |tensor: Tensor| Vec::<f64>::try_from(tensor.to_kind(Kind::Double).reshape([-1])).unwrap();
    let drift = values(model.drift(&z));
    let [x, y] = linear_drift(&[1.0, -0.5]);
    println!("{drift:?} for {x} and {y}");
    assert!((drift[0] / 1e3 - x).abs() < 0.1 && (drift[1] - y).abs() < 0.1, "{drift:?} for {x} and {y}");
    assert!((drift[2] + 0.1 * drift[1]).abs() < 1e-6 && drift[3].abs() < 1e-6, "{drift:?}");
    let factor = model.diffusion(&z);
    assert_eq!(factor.size(), [1, 4, 2]);
    let sigma = values(factor.matmul(&factor.transpose(1, 2)));
    for (element, expected) in [(0, 0.25e6), (1, 0.15e3), (5, 0.13), (10, 0.0013)] {
        assert!((sigma[element] / expected - 1.0_f64).abs() < 0.05, "element {element}: {}", sigma[element]);
    }
    let start = pairs.z.select(Axis(0), &[0, 1, 2]);
    let last = predict(&model, start.view(), 0.01, 50, 50, 9, [0, 0]).unwrap().index_axis_move(Axis(0), 1);
    for z in last.outer_iter() {
        assert!((z[2] + 0.1 * z[1] - 3.0).abs() < 1e-5 && (z[3] - 7.0).abs() < 1e-5, "{z}");
    }
    let calibrated = calibration(&model, &pairs, 1.0, &Alone).unwrap().variance;
    assert!(calibrated.len() == 2 && calibrated.iter().all(|variance| (variance - 1.0).abs() < 0.05), "{calibrated:?}");
}

/// mu = a - b z with numbers a and b for each component, as a crate of its own would add it.
struct Decay([usize; 2]);

impl Drift for Decay {
    fn forward(&self, weights: &[Tensor], states: &Tensor, _: Option<&Tensor>) -> Tensor {
        &weights[self.0[0]] - &weights[self.0[1]] * states
    }
}

#[test]
fn drifts_of_other_crates_are_trained_saved_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sde.safetensors");
    let pairs = ornstein_uhlenbeck(5_000, 1.0, 8);
    let input = TrainInput { epochs: 2, batch: 100, learning_rate: 1e-2, ..Default::default() };
    let model = SdeInput { drift: "decay".into(), ..SdeInput::default() };
    let unknown =
        fit(&pairs, 1.0, &model, &input, &TrainingContext::new(1, &Alone, Device::Cpu), &mut |_| ()).err().unwrap();
    assert!(unknown.to_string().contains("train.model.drift = \"decay\""), "{unknown}");
    DRIFTS.add("decay", |layout, _, width| {
        let mut add = |name| layout.add(name, &[width.components], Start::Constant(0.0));
        Box::new(Decay([add("drift.offset"), add("drift.rate")]))
    });
    let learned = train(&pairs, 1.0, &model, &input, 1);
    assert!(learned.weights()[2..4].iter().all(|&rate| rate > 0.3), "{:?}", &learned.weights()[..4]);
    learned.save(&path, &serde_json::Value::Null).unwrap();
    assert_eq!(Sde::load(&path, Device::Cpu).unwrap().weights(), learned.weights());
}

#[test]
fn saved_equations_come_back_identical() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sde.safetensors");
    let pairs = ornstein_uhlenbeck(4_000, 1.0, 6);
    for (drift, diffusion, precision) in [
        ("mlp", "full", Precision::Float32),
        ("mlp", "diagonal", Precision::Float64),
        ("onsager", "constant", Precision::Float32),
    ] {
        let model = SdeInput { drift: drift.into(), diffusion: diffusion.into(), ..SdeInput::default() };
        let input = TrainInput { epochs: 1, precision, ..Default::default() };
        let learned = train(&pairs, 1.0, &model, &input, 1);
        learned.save(&path, &serde_json::json!({ "seed": 1 })).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let loaded = Sde::load(&path, Device::Cpu).unwrap();
        loaded.save(&path, &serde_json::json!({ "seed": 1 })).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap());
        assert_eq!(learned.weights(), loaded.weights());
        let roll =
            |model: &Sde| predict(model, pairs.z.select(Axis(0), &[0, 1, 2]).view(), 0.01, 20, 5, 9, [0, 0]).unwrap();
        let path_of_model = roll(&learned);
        assert_eq!(path_of_model.dim(), (5, 3, 2));
        assert_eq!(path_of_model, roll(&loaded));
    }
    let wrong = Closure::load(&path, Device::Cpu);
    assert!(matches!(wrong, Err(LearningError::Format { .. })));
    let mut bytes = std::fs::read(&path).unwrap();
    let format = bytes.windows(12).position(|window| window == br#"\"format\":2"#).unwrap();
    bytes[format + 11] = b'1';
    std::fs::write(&path, &bytes).unwrap();
    let old = Sde::load(&path, Device::Cpu).err().unwrap().to_string();
    assert!(old.contains("in file format 1. This version reads format 2. Choose a new --out"), "{old}");
}

#[test]
fn predictions_reach_the_stationary_law() {
    let pairs = ornstein_uhlenbeck(100_000, 1.0, 7);
    let input = TrainInput { epochs: 8, learning_rate: 3e-3, ..Default::default() };
    let learned = train(&pairs, 1.0, &SdeInput::default(), &input, 1);
    let start = Array2::from_elem((2_000, 2), 0.0f32);
    let ensemble: Array3<f32> = predict(&learned, start.view(), 0.02, 400, 400, 1, [0, 0]).unwrap();
    let last = ensemble.index_axis(Axis(0), 1);
    let mean = last.mean_axis(Axis(0)).unwrap();
    assert!((mean[0] - 0.5).abs() < 0.1 && (mean[1] + 1.0).abs() < 0.1, "{mean}");
}

#[test]
fn predictions_do_not_depend_on_blocks_of_time() {
    let pairs = ornstein_uhlenbeck(3_000, 1.0, 13);
    let learned = train(&pairs, 1.0, &SdeInput::default(), &TrainInput { epochs: 1, ..Default::default() }, 1);
    // Three groups of noise, the last one of 88 trajectories.
    let start = Array2::from_elem((600, 2), 0.5f32);
    let whole = predict(&learned, start.view(), 0.02, 60, 5, 4, [2, 0]).unwrap();
    // With a quarter of the sites, the first step has the same mean and twice the noise.
    let first = |ratio| {
        let mut rollout = Rollout::new(&learned, start.view(), 0.02, vec![0.02], 4, [2, 0]).unwrap().of_size(ratio);
        rollout.records(1).unwrap().index_axis_move(Axis(0), 0).mapv(f64::from)
    };
    let [none, one, quarter] = [1e12, 1.0, 0.25].map(first);
    let (wide, narrow) = (&quarter - &none, &one - &none);
    assert!(wide.iter().zip(&narrow).all(|(wide, narrow)| (wide - 2.0 * narrow).abs() < 1e-5), "{wide}, {narrow}");
    let times = (1..=12).map(|record| 0.1 * f64::from(record)).collect();
    let mut rollout = Rollout::new(&learned, start.view(), 0.02, times, 4, [2, 0]).unwrap();
    let mut record = 1;
    for block in [1, 4, 0, 7] {
        let found = rollout.records(block).unwrap();
        assert_eq!(found, whole.slice(s![record..record + block, .., ..]));
        record += block;
    }
    assert_eq!(record, whole.len_of(Axis(0)));
    let last = predict(&learned, start.slice(s![512.., ..]), 0.02, 60, 5, 4, [2, 2]).unwrap();
    let difference = &last - &whole.slice(s![.., 512.., ..]);
    assert!(difference.iter().all(|difference| difference.abs() < 1e-5), "a group depends on those beside it");
}

/// The drift of a system that fluctuates less than the data: the mean over states on both sides, one axis a step.
#[test]
fn a_drift_is_averaged_over_fluctuations() {
    let pairs = ornstein_uhlenbeck(3_000, 1.0, 14);
    let learned = train(&pairs, 1.0, &SdeInput::default(), &TrainInput { epochs: 1, ..Default::default() }, 1);
    // Without noise, a step is the drift.
    let step = |shift: f32, deviations: Option<f32>| {
        let start = Array2::from_shape_fn((50, 2), |(row, column)| [row as f32 / 20.0 + shift, -1.0][column]);
        let rollout = Rollout::new(&learned, start.view(), 0.5, vec![0.5], 4, [0, 0]).unwrap().of_size(1e12);
        let mut rollout = match deviations {
            Some(width) => rollout.averaged(ndarray::arr2(&[[width, 0.0], [-width, 0.0]]).view(), 0.5).unwrap(),
            None => rollout,
        };
        rollout.records(1).unwrap().index_axis_move(Axis(0), 0).mapv(f64::from) - start.mapv(f64::from)
    };
    // Half of the variance on two axes, one of which has none: the first step goes sqrt(2 / 2) widths to both sides.
    let (found, plain) = (step(0.0, Some(0.6)), step(0.0, None));
    let expected = (step(0.6, None) + step(-0.6, None)) / 2.0;
    assert!(found.iter().zip(&expected).all(|(found, mean)| (found - mean).abs() < 1e-5), "{found}, {expected}");
    assert!(found.iter().zip(&plain).any(|(found, plain)| (found - plain).abs() > 1e-4), "{found}, {plain}");
}

#[test]
fn components_that_never_move_give_no_nan() {
    let mut pairs = ornstein_uhlenbeck(3_000, 1.0, 8);
    pairs.z.column_mut(1).fill(0.25);
    pairs.increment.column_mut(1).fill(0.0);
    let learned = train(&pairs, 1.0, &SdeInput::default(), &TrainInput { epochs: 2, ..Default::default() }, 1);
    assert!(learned.weights().iter().all(|weight| weight.is_finite()));
    let ensemble = predict(&learned, array![[0.0, 0.25]].view(), 0.01, 100, 100, 1, [0, 0]).unwrap();
    assert!((ensemble[[1, 0, 1]] - 0.25).abs() < 1e-3);
}

#[test]
fn broken_data_and_inputs_are_named() {
    let mut pairs = ornstein_uhlenbeck(100, 1.0, 9);
    let attempt = |pairs: &Pairs, input: &TrainInput| {
        fit(pairs, 1.0, &SdeInput::default(), input, &TrainingContext::new(1, &Alone, Device::Cpu), &mut |_| ())
            .err()
            .unwrap()
            .to_string()
    };
    let message = attempt(&pairs, &TrainInput { epochs: 50, learning_rate: 1e30, ..Default::default() });
    assert!(message.contains("epoch") && message.contains("norm"), "{message}");
    assert!(attempt(&pairs, &TrainInput { batch: 0, ..Default::default() }).contains("batch = 0"));
    pairs.increment[[3, 1]] = f32::NAN;
    assert!(attempt(&pairs, &TrainInput::default()).contains("row 3"));
    assert!("gpu".parse::<DeviceChoice>().is_err());
    assert_eq!(device(DeviceChoice::Cpu, 3).unwrap(), Device::Cpu);
    assert!(device(DeviceChoice::Auto, 0).is_ok());
    match device(DeviceChoice::Cuda, 0) {
        Ok(found) => assert!(found.is_cuda()),
        Err(error) => assert!(error.to_string().contains("--device cpu"), "{error}"),
    }
}

/// Half of what a patch lacks to its equilibrium is made up within dt = 1. Of a whole lattice that is drift alone; of one
/// patch the part of its deviation is noise, which is taken out of increments and compensators alike.
#[test]
fn what_the_deviation_of_a_patch_relaxes_is_no_noise() {
    const COUNT: usize = 20_000;
    let mut rng = stream(31, Purpose::Bench, [0, 0]);
    let mut normal = |scale: f32| {
        let draw = || -> f32 { StandardNormal.sample(&mut rng) };
        Array2::from_shape_simple_fn((COUNT, 1), draw) * scale
    };
    let (z, deviation, noise) = (normal(1.0), normal(2.0), normal(0.3));
    let compensator = (&z + &deviation) * -0.5;
    let pairs = Pairs {
        increment: &compensator + &noise,
        compensator: Some(compensator),
        z,
        deviation: Some(deviation),
        dt: Array1::ones(COUNT),
        trajectory: Array1::zeros(COUNT),
        condition: None,
    };
    let pairs = pairs.without_deviations(&Alone).unwrap();
    let spread = |q: &Array2<f32>| (q + &(&pairs.z * 0.5)).std(0.0);
    let (increment, compensator) = (spread(&pairs.increment), spread(pairs.compensator.as_ref().unwrap()));
    assert!((increment - 0.3).abs() < 0.01 && compensator < 0.02, "{increment} {compensator}");
    let quiet = spread(&pairs.quiet_increment(&Alone).unwrap());
    assert!(quiet < 0.02 && pairs.deviation.is_none(), "{quiet}");
}

#[test]
fn records_within_a_step_lie_on_a_line_and_a_brownian_path() {
    let pairs = ornstein_uhlenbeck(3_000, 1.0, 14);
    let learned = train(&pairs, 1.0, &SdeInput::default(), &TrainInput { epochs: 1, ..Default::default() }, 1);
    let (step, times) = (0.2, [0.05, 0.125, 0.2, 0.4, 0.5]);
    let start = Array2::from_elem((20_000, 2), 0.5f32);
    let rollout = || Rollout::new(&learned, start.view(), step, times.to_vec(), 5, [0, 0]).unwrap();
    let whole = rollout().records(9).unwrap();
    assert_eq!(whole.len_of(Axis(0)), times.len());
    let mut blocks = rollout();
    for record in 0..times.len() {
        assert_eq!(blocks.records(1).unwrap(), whole.slice(s![record..=record, .., ..]));
    }
    // Within the first step the mean grows as t and the variance too.
    let of = |record: usize| {
        let states = whole.index_axis(Axis(0), record);
        let mean = states.mean_axis(Axis(0)).unwrap();
        (mean - 0.5, states.var_axis(Axis(0), 0.0))
    };
    let (mean, variance) = of(2);
    for (record, share) in [(0, 0.25), (1, 0.625)] {
        let (found, spread) = of(record);
        for component in 0..2 {
            let error = (variance[component] / 20_000.0).sqrt();
            assert!((found[component] - share * mean[component]).abs() < 4.0 * error, "{found} at {share} of {mean}");
            assert!((spread[component] / variance[component] / share - 1.0).abs() < 0.06, "{spread}, {variance}");
        }
    }
}
