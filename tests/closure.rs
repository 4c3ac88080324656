//! Laws of closures: they learn what the observables leave out, of spins and of fields, and say why when they cannot.

use ndarray::{Array2, s};
use rand::Rng as _;
use tch::Device;
use tessera::{
    learning::{Closure, ClosureInput, EncoderKind, Patches, TrainingContext},
    parallel::Alone,
    rng::{Purpose, stream},
};

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
        let run = TrainingContext::new(1, &Alone, Device::Cpu);
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
    let run = TrainingContext::new(1, &Alone, Device::Cpu);
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
    assert!(error.contains("row 7 of the training data, `patches` is 0, but spins are -1 and 1"), "{error}");
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
        let run = TrainingContext::new(1, &Alone, Device::Cpu);
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
    let run = TrainingContext::new(1, &Alone, Device::Cpu);
    let (closure, records) = Closure::fit(patches, &input, &run, &mut |_| ()).unwrap();
    println!("{records:?}");
    let shifted = Array2::from_shape_fn(values.dim(), |(patch, site)| {
        let (row, column) = ((site / 10 + 4) % 6, (site % 10 + 3) % 10);
        values[[patch, 10 * row + column]]
    });
    let change = closure.encode(values.view()) - closure.encode(shifted.view());
    assert!(change.iter().all(|change| change.abs() < 1e-4), "{change}");
}
