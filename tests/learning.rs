//! Laws of learning: known equations are recovered, gradients are gradients, files give back what they were given.

use ndarray::{Array1, Array2, Array3, Axis, array, s};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use std::sync::{Arc, Barrier, Mutex};
use tch::{Device, Kind, Tensor};
use tessera::{
    learning::{
        Closure, ClosureInput, DeviceChoice, EncoderKind, LearningError, Pairs, Patches, Run, Sde, SdeInput,
        TrainInput, device, fit,
        likelihood::{Factor, negative_log_likelihood},
        predict,
        sde::{DiffusionKind, DriftKind},
        trainer::Precision,
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
    fit(pairs, factor, model, input, &Run::new(seed, &Alone, Device::Cpu), &mut |_| ()).unwrap().0
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

/// Ranks that are threads of this process.
struct ThreadRanks {
    rank: usize,
    size: usize,
    sums: Arc<Mutex<Vec<f64>>>,
    barrier: Arc<Barrier>,
}

impl Ranks for ThreadRanks {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.size
    }
    fn node_rank(&self) -> usize {
        self.rank
    }
    fn sum(&self, values: &mut [f64]) {
        for rank in 0..self.size {
            if rank == self.rank {
                let mut sums = self.sums.lock().unwrap();
                sums.resize(values.len(), 0.0);
                sums.iter_mut().zip(values.iter()).for_each(|(sum, value)| *sum += value);
            }
            self.barrier.wait();
        }
        values.copy_from_slice(&self.sums.lock().unwrap());
        self.barrier.wait();
        self.sums.lock().unwrap().clear();
        self.barrier.wait();
    }
    fn mean(&self, values: &mut [f32]) {
        let mut wide: Vec<f64> = values.iter().map(|&value| f64::from(value) / self.size as f64).collect();
        self.sum(&mut wide);
        values.iter_mut().zip(wide).for_each(|(value, mean)| *value = mean as f32);
    }
    fn broadcast(&self, bytes: &mut [u8]) {
        let mut wide: Vec<f64> = bytes.iter().map(|&byte| if self.rank == 0 { f64::from(byte) } else { 0.0 }).collect();
        self.sum(&mut wide);
        bytes.iter_mut().zip(wide).for_each(|(byte, value)| *byte = value as u8);
    }
    fn barrier(&self) {
        self.barrier.wait();
    }
    fn abort(&self, message: &str) -> ! {
        panic!("{message}")
    }
}

#[test]
fn several_ranks_follow_the_curve_of_one() {
    let pairs = ornstein_uhlenbeck(6_000, 1.0, 10);
    let input = TrainInput { epochs: 10, batch: 1000, ..Default::default() };
    let curve = |size: usize| -> Vec<(Vec<f64>, Vec<f64>)> {
        let (sums, barrier) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Barrier::new(size)));
        let run = |rank| {
            let ranks = ThreadRanks { rank, size, sums: sums.clone(), barrier: barrier.clone() };
            let own: Vec<usize> = ranks.share(pairs.dt.len()).collect();
            let (z, increment, dt) = pairs.select(&own);
            let own = Pairs { z, increment, dt, trajectory: pairs.trajectory.select(Axis(0), &own), condition: None };
            let run = Run::new(1, &ranks, Device::Cpu);
            let fitted = fit(&own, 1.0, &SdeInput::default(), &input, &run, &mut |_| ());
            let (model, records) = fitted.unwrap();
            (model.weights(), records.iter().map(|record| record.validation_loss).collect())
        };
        let run = &run;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..size).map(|rank| scope.spawn(move || run(rank))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    let (one, three) = (curve(1), curve(3));
    assert!(three.iter().all(|rank| rank == &three[0]), "ranks hold different models");
    for (one, three) in one[0].1.iter().zip(&three[0].1) {
        assert!((one - three).abs() < 1e-4 * one.abs(), "{one} != {three}");
    }
}

#[test]
fn saved_equations_come_back_identical() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sde.safetensors");
    let pairs = ornstein_uhlenbeck(4_000, 1.0, 6);
    for (drift, diffusion, precision) in [
        (DriftKind::Mlp, DiffusionKind::Full, Precision::Float32),
        (DriftKind::Mlp, DiffusionKind::Diagonal, Precision::Float64),
        (DriftKind::Onsager, DiffusionKind::Constant, Precision::Float32),
    ] {
        let model = SdeInput { drift, diffusion, ..SdeInput::default() };
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
        fit(pairs, 1.0, &SdeInput::default(), input, &Run::new(1, &Alone, Device::Cpu), &mut |_| ())
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
        Err(error) => assert!(error.to_string().contains("device = \"cpu\""), "{error}"),
    }
}

/// Patches in which the row stripes carry what the magnetisation does not: every row of a patch is up or down as one.
fn stripes(count: usize, extents: [usize; 2], seed: u64) -> (Array2<i8>, Array2<f32>) {
    let mut rng = stream(seed, Purpose::Bench, [1, 0]);
    let mut values = Array2::zeros((count, extents[0] * extents[1]));
    for mut patch in values.rows_mut() {
        let phase = rng.random_range(0..extents[0]);
        for (site, value) in patch.iter_mut().enumerate() {
            let up = (site / extents[1] + phase) % extents[0] < extents[0] / 2;
            *value = if up ^ (rng.random::<f64>() < 0.05) { 1 } else { -1 };
        }
    }
    let observables = Array2::from_shape_fn((count, 1), |(row, _)| {
        values.row(row).iter().map(|&value| f32::from(value)).sum::<f32>() / (extents[0] * extents[1]) as f32
    });
    (values, observables)
}

#[test]
fn closure_learns_what_the_observables_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("closure.safetensors");
    for extents in [vec![6, 10], vec![60]] {
        let (values, observables) = stripes(8_000, [6, 10], 1);
        let patches = Patches::of(values.view(), extents, observables.view(), Device::Cpu).unwrap();
        let input = ClosureInput { epochs: 15, batch: 128, learning_rate: 2e-3, ..ClosureInput::default() };
        let run = Run::new(1, &Alone, Device::Cpu);
        let (closure, records) = Closure::fit(patches, &input, &run, &mut |_| ()).unwrap();
        // With 50:50 spins the cross-entropy of the mean is ln 2; flipped spins alone leave 0.199.
        println!("binary cross-entropy {:?}", records.last());
        assert!(records.last().unwrap().validation_loss < 0.45);
        let encoded = closure.encode(values.view());
        assert!(encoded.iter().all(|&value| (0.0..=1.0).contains(&value)));
        closure.save(&path, &serde_json::Value::Null).unwrap();
        let loaded = Closure::load(&path, Device::Cpu).unwrap();
        assert_eq!(encoded, loaded.encode(values.view()));
        let logits = loaded.decode(observables.view(), encoded.view()).unwrap();
        let right = logits.iter().zip(&values).filter(|(logit, spin)| (**logit > 0.0) == (**spin > 0)).count();
        assert!(right as f64 > 0.8 * values.len() as f64);
    }
}

#[test]
fn closures_without_variables_are_empty_and_unfit_patches_are_named() {
    let (values, observables) = stripes(10, [6, 10], 2);
    let run = Run::new(1, &Alone, Device::Cpu);
    let patches = |extents| Patches::of(values.view(), extents, observables.view(), Device::Cpu);
    let nothing = ClosureInput { encoder: EncoderKind::None, ..ClosureInput::default() };
    for input in [ClosureInput { variables: 0, ..ClosureInput::default() }, nothing] {
        let (closure, records) = Closure::fit(patches(vec![3, 2, 10]).unwrap(), &input, &run, &mut |_| ()).unwrap();
        assert!(records.is_empty());
        assert_eq!(closure.variables(), 0);
    }
    let input = ClosureInput::default();
    let error = Closure::fit(patches(vec![3, 2, 10]).unwrap(), &input, &run, &mut |_| ()).err().unwrap().to_string();
    assert!(error.contains("3 axes"), "{error}");
    assert!(patches(vec![6, 9]).is_err());
    let mut bad = values.clone();
    bad[[7, 3]] = 0;
    let error = Patches::of(bad.view(), vec![6, 10], observables.view(), Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("patch 7"), "{error}");
    let mut fields = values.mapv(f32::from);
    fields[[4, 0]] = f32::NAN;
    let error = Patches::of(fields.view(), vec![6, 10], observables.view(), Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("row 4"), "{error}");
}

/// Two-channel waves on a chain: u = 5 + a sin(x + phase), v = -30 + 10 a cos(x + phase). The observables, the means of
/// both channels, say nothing of the amplitude a.
fn waves(count: usize, sites: usize, phases: bool) -> (Array2<f32>, Array2<f32>, Vec<f64>) {
    let mut rng = stream(3, Purpose::Bench, [2, 0]);
    let mut amplitudes = Vec::new();
    let mut values = Array2::zeros((count, 2 * sites));
    for mut patch in values.rows_mut() {
        let (amplitude, phase) = (rng.random::<f64>(), if phases { rng.random::<f64>() } else { 0.0 });
        amplitudes.push(amplitude);
        for site in 0..sites {
            let angle =
                std::f64::consts::TAU * (site as f64 / sites as f64 + (phase * sites as f64).floor() / sites as f64);
            patch[site] = (5.0 + amplitude * angle.sin()) as f32;
            patch[sites + site] = (-30.0 + 10.0 * amplitude * angle.cos()) as f32;
        }
    }
    let observables = Array2::from_shape_fn((count, 2), |(row, channel)| {
        values.slice(s![row, channel * sites..(channel + 1) * sites]).mean().unwrap()
    });
    (values, observables, amplitudes)
}

/// The squared correlation coefficient of two samples.
fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (a, b) = (mean(x), mean(y));
    let product = |p: &dyn Fn(usize) -> f64| (0..x.len()).map(p).sum::<f64>();
    let mixed = product(&|i| (x[i] - a) * (y[i] - b));
    mixed * mixed / product(&|i| (x[i] - a).powi(2)) / product(&|i| (y[i] - b).powi(2))
}

#[test]
fn closures_of_fields_find_the_amplitude_of_waves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("closure.safetensors");
    for (encoder, phases) in
        [(EncoderKind::Auto, false), (EncoderKind::Convolution, false), (EncoderKind::Invariant, true)]
    {
        let (values, observables, amplitudes) = waves(6_000, 20, phases);
        let patches = Patches::of(values.view(), vec![20], observables.view(), Device::Cpu).unwrap();
        let input = ClosureInput {
            encoder,
            variables: 1,
            epochs: 15,
            batch: 128,
            learning_rate: 2e-3,
            ..ClosureInput::default()
        };
        let run = Run::new(1, &Alone, Device::Cpu);
        let (closure, records) = Closure::fit(patches, &input, &run, &mut |_| ()).unwrap();
        let encoded = closure.encode(values.view());
        let found: Vec<f64> = encoded.iter().map(|&value| value.into()).collect();
        let loss = records.last().unwrap().validation_loss;
        println!("{encoder:?}: square error {loss:.4}, correlation {:.4}", correlation(&found, &amplitudes));
        // In units of the variance: 1 without closure variables.
        assert!(loss < 0.03, "{encoder:?}: {loss}");
        assert!(correlation(&found, &amplitudes) > 0.9);
        closure.save(&path, &serde_json::Value::Null).unwrap();
        let loaded = Closure::load(&path, Device::Cpu).unwrap();
        assert_eq!(encoded, loaded.encode(values.view()));
        if !phases {
            let decoded = loaded.decode(observables.view(), encoded.view()).unwrap();
            let error = (&decoded - &values).mapv(|error| error * error).mean().unwrap();
            assert!(error < 1.0, "{error}: the second channel alone has variance 16");
        }
    }
}

#[test]
fn an_invariant_encoder_sees_no_shifts() {
    let (values, observables) = stripes(500, [6, 10], 4);
    let patches = Patches::of(values.view(), vec![6, 10], observables.view(), Device::Cpu).unwrap();
    let input = ClosureInput { encoder: EncoderKind::Invariant, epochs: 3, batch: 50, ..ClosureInput::default() };
    let run = Run::new(1, &Alone, Device::Cpu);
    let (closure, records) = Closure::fit(patches, &input, &run, &mut |_| ()).unwrap();
    println!("{records:?}");
    let shifted = Array2::from_shape_fn(values.dim(), |(patch, site)| {
        let (row, column) = ((site / 10 + 4) % 6, (site % 10 + 3) % 10);
        values[[patch, 10 * row + column]]
    });
    let change = closure.encode(values.view()) - closure.encode(shifted.view());
    assert!(change.iter().all(|change| change.abs() < 1e-4), "{change}");
}
