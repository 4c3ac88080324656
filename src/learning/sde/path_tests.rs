//! The path of an accelerator, run on a processor: gradients by autograd on batches selected from one tensor, losses
//! looked at every 64 steps. It must end where the processor's own path ends.

use crate::{
    learning::{
        Activation, EpochRecord, Pairs, SdeInput, TrainInput, TrainingContext,
        sde::{
            Scales,
            gradient_tests::{COMPONENTS, likelihood},
        },
        tensor::vector,
        train::{
            data_parallel::{DataParallelStep, Rows},
            epochs::{Samples, run_epochs},
            optimiser::AdamW,
        },
    },
    parallel::Alone,
    rng::{Purpose, stream},
};
use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

const SAMPLES: usize = 2_000;

/// Packed pairs of an equation with a drift towards 0 and noise that grows with the first component.
fn data(kind: Kind) -> Tensor {
    let mut rng = stream(2, Purpose::Bench, [0, 0]);
    let z = Array2::from_shape_simple_fn((SAMPLES, COMPONENTS), || 2.0 * rng.random::<f32>() - 1.0);
    let dt = Array1::from_shape_simple_fn(SAMPLES, || 0.5 + 0.5 * rng.random::<f32>());
    let increment = Array2::from_shape_fn(z.dim(), |(row, component)| {
        let kick: f32 = StandardNormal.sample(&mut rng);
        -z[[row, component]] * dt[row] + (0.1 + 0.3 * z[[row, 0]].powi(2)) * dt[row].sqrt() * kick
    });
    let pairs = Pairs {
        z,
        increment,
        compensator: None,
        deviation: None,
        dt,
        trajectory: Array1::zeros(SAMPLES),
        condition: None,
    };
    let scales = Scales::over(&Alone, &pairs, 1.0).unwrap();
    scales.pack(&pairs, &Alone, kind, Device::Cpu).unwrap()
}

/// Trains for eleven epochs of fifteen steps; returns weights and records.
fn trained(input: &SdeInput, kind: Kind, written_out: bool, look_every: Option<usize>) -> (Vec<f64>, Vec<EpochRecord>) {
    let (mut objective, parameters) = likelihood(input, kind, false);
    if !written_out {
        objective.perceptron = None;
    }
    let train = TrainInput { epochs: 11, batch: 120, gradient_clip: Some(5.0), ..TrainInput::default() };
    let optimiser = AdamW::new(parameters.flat(), train.weight_decay, train.gradient_clip);
    let data = [data(kind)];
    let rows = (&data[..], Rows { first: 0, owned: 0..SAMPLES });
    let mut trainer = DataParallelStep::new(Arc::new(objective), parameters, optimiser, rows, 1, &Alone);
    trainer.look_every = look_every.unwrap_or(trainer.look_every);
    let samples = Samples { model: 0, rows: (0..1800).collect(), held: (1800..SAMPLES).collect(), offsets: [0.0; 2] };
    let records =
        run_epochs(&mut trainer, &samples, &train, &TrainingContext::new(1, &Alone, Device::Cpu), &mut |_| ()).unwrap();
    (vector(&trainer.parameters.flat().to_kind(Kind::Double)), records)
}

fn losses(records: &[EpochRecord]) -> Vec<f64> {
    records.iter().flat_map(|record| [record.train_loss, record.validation_loss]).collect()
}

#[test]
fn trainings_by_autograd_follow_the_curve_of_written_out_gradients() {
    for (activation, diffusion) in [(Activation::Tanh, "full"), (Activation::Relu, "diagonal")] {
        let input = SdeInput { activation, diffusion: diffusion.into(), ..SdeInput::default() };
        let curve = |kind, written_out| losses(&trained(&input, kind, written_out, None).1);
        let expected = curve(Kind::Float, true);
        assert!(expected[20] < expected[0] - 0.5, "nothing was learned: {expected:?}");
        for found in [curve(Kind::Float, false), curve(Kind::Double, false)] {
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} != {expected}");
            }
        }
    }
}

#[test]
fn looking_at_the_losses_now_and_then_changes_nothing() {
    for drift in ["mlp", "onsager"] {
        let input = SdeInput { drift: drift.into(), ..SdeInput::default() };
        let (weights, records) = trained(&input, Kind::Float, false, None);
        for look_every in [4, 64] {
            let (found, again) = trained(&input, Kind::Float, false, Some(look_every));
            assert_eq!(weights, found, "{drift}, every {look_every}");
            assert_eq!(losses(&records), losses(&again));
        }
    }
}
