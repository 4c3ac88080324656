//! Seconds per epoch of the trainer on the published problem size: 200 000 pairs, 4 components, batch 1024,
//! drift 4-64-64-64-4, full diffusion 4-64-64-10. Also patches encoded per second.
//!
//! `cargo bench --bench training [-- threads]`; the peers' figures stand in docs/results/training.md.

use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use std::time::Instant;
use tessera::{
    learning::{Closure, ClosureInput, Pairs, Patches, SdeInput, TrainInput, fit},
    parallel::Alone,
    rng::{Purpose, stream},
};

fn main() {
    let threads = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(0);
    train(threads);
    if !std::env::args().any(|argument| argument == "train") {
        encode();
    }
}

fn train(threads: usize) {
    let (samples, components) = (200_000, 4);
    let mut rng = stream(1, Purpose::Bench, [0, 0]);
    let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
    let z = Array2::from_shape_simple_fn((samples, components), &mut normal);
    let mut increment = Array2::from_shape_simple_fn((samples, components), &mut normal);
    let dt = Array1::from_shape_fn(samples, |row| 0.01 + 0.04 * (row % 1000) as f32 / 1000.0);
    for ((mut row, z), &dt) in increment.outer_iter_mut().zip(z.outer_iter()).zip(&dt) {
        row.iter_mut().zip(z).for_each(|(value, z)| *value = *value * dt.sqrt() - 0.5 * z * dt);
    }
    let pairs = Pairs { z, increment, dt, trajectory: Array1::zeros(samples) };
    let input = TrainInput { epochs: 6, validation_fraction: 0.0, threads, ..TrainInput::default() };
    let (_, records) =
        fit(&pairs, 1.0, &SdeInput::default(), &input, 1, &Alone, tch::Device::Cpu, &mut |_| ()).expect("the fit");
    for record in records {
        println!("epoch {} {:.3} s, loss {:.5}", record.epoch, record.seconds, record.train_loss);
    }
}

fn encode() {
    let (samples, extents) = (200_000, [16, 16]);
    let mut rng = stream(2, Purpose::Bench, [0, 0]);
    let values = Array2::from_shape_simple_fn((samples, 256), || if rng.random::<bool>() { 1 } else { -1 });
    let sum = |row: usize| values.row(row).iter().map(|&value| f32::from(value)).sum::<f32>();
    let observables = Array2::from_shape_fn((samples, 1), |(row, _)| sum(row) / 256.0);
    let training = Patches {
        values: values.slice(ndarray::s![..2048, ..]),
        extents: extents.to_vec(),
        observables: observables.slice(ndarray::s![..2048, ..]),
    };
    let input = ClosureInput { epochs: 1, ..ClosureInput::default() };
    let (closure, _) = Closure::fit(&training, &input, 1, &Alone, tch::Device::Cpu, &mut |_| ()).expect("the fit");
    let start = Instant::now();
    let encoded = closure.encode(values.view());
    let rate = encoded.nrows() as f64 / start.elapsed().as_secs_f64();
    println!("encode: {rate:.0} patches of 16 x 16 per second, 3.2 million in {:.1} s", 3.2e6 / rate);
}
