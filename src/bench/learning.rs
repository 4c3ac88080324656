//! Training and encoding on the processor, all cores.

use crate::{
    bench::{Measurement, fastest},
    learning::{Closure, ClosureInput, Pairs, Patches, SdeInput, TrainInput, TrainingContext, fit},
    parallel::Alone,
    rng::{Purpose, stream},
};
use ndarray::{Array1, Array2};
use rand::Rng as _;
use rand_distr::StandardNormal;

/// Pairs of an epoch.
const PAIRS: usize = 200_000;
/// Latent components.
const COMPONENTS: usize = 4;

/// One epoch of the published networks over 200k pairs in batches of 1024 on `threads` threads (0 for all cores), and
/// encoding of 16 x 16 patches on all cores.
///
/// # Panics
/// When the trainer fails on well-posed data.
pub fn train(threads: usize) -> Vec<Measurement> {
    let mut rng = stream(1, Purpose::Bench, [0, 4]);
    let mut normal = |rows: usize, columns: usize| {
        Array2::from_shape_simple_fn((rows, columns), || rng.sample::<f32, _>(StandardNormal))
    };
    let z = normal(PAIRS, COMPONENTS);
    let increment = normal(PAIRS, COMPONENTS) * 0.1 - &z * 0.01;
    let trajectory = (0..PAIRS as u32).map(|pair| pair / 50).collect();
    let pairs = Pairs {
        z,
        increment,
        compensator: None,
        deviation: None,
        dt: Array1::from_elem(PAIRS, 0.01),
        trajectory,
        condition: None,
    };
    let input = TrainInput { epochs: 6, validation_fraction: 0.0, threads, ..TrainInput::default() };
    let (_, curve) =
        fit(&pairs, 1.0, &SdeInput::default(), &input, &TrainingContext::new(1, &Alone, tch::Device::Cpu), &mut |_| ())
            .expect("a well-posed training");
    let seconds = curve.iter().map(|record| record.seconds).fold(f64::INFINITY, f64::min);

    let values = normal(100_000, 256).mapv(|value| if value > 0.0 { 1_i8 } else { -1 });
    let observables = Array2::zeros((2000, 1));
    let some = values.slice(ndarray::s![..2000, ..]);
    let run = TrainingContext::new(1, &Alone, tch::Device::Cpu);
    let patches = Patches::of(some, vec![16, 16], observables.view(), run.device).expect("well-posed patches");
    let choices = ClosureInput { epochs: 1, ..ClosureInput::default() };
    let (closure, _) = Closure::fit(patches, &choices, &run, &mut |_| ()).expect("a well-posed training");
    let encode = fastest(3, || {
        closure.encode(values.view());
    });
    vec![
        Measurement::new(format!("training, d = 4, batch 1024, {}", cores(threads)), PAIRS as f64 / seconds, "pairs/s"),
        Measurement::new("training, one epoch of 200k pairs", seconds, "s"),
        Measurement::new("encoder, 16 x 16 patches, all cores", values.nrows() as f64 / encode, "patches/s"),
    ]
}

fn cores(threads: usize) -> String {
    if threads == 0 { "all cores".into() } else { format!("{threads} thread(s)") }
}
