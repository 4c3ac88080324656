//! Learns dz = A (z - c) dt + L dB from an array of pairs: `cargo run --release --example learn_ou`.

use ndarray::{Array1, Array2};
use rand::Rng;
use rand_distr::StandardNormal;
use tch::{Device, Tensor};
use tessera::{
    learning::{Pairs, SdeInput, SdeModel, TrainInput, TrainingContext, fit},
    parallel::Alone,
    rng::{Purpose, stream},
};

const A: [[f32; 2]; 2] = [[-1.0, 0.4], [-0.4, -0.7]];
const C: [f32; 2] = [0.5, -1.0];
const L: [[f32; 2]; 2] = [[0.5, 0.0], [0.3, 0.2]];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Each row is a state z and its increment over the time dt.
    let (count, dt, mut rng) = (50_000, 0.1_f32, stream(1, Purpose::Bench, [0, 0]));
    let z = Array2::from_shape_simple_fn((count, 2), || 4.0 * rng.random::<f32>() - 2.0);
    let kick = Array2::from_shape_simple_fn((count, 2), || rng.sample::<f32, _>(StandardNormal));
    let dot = |row: [f32; 2], values: [f32; 2]| row[0] * values[0] + row[1] * values[1];
    let increment = Array2::from_shape_fn((count, 2), |(n, i)| {
        dot(A[i], [z[[n, 0]] - C[0], z[[n, 1]] - C[1]]) * dt + dot(L[i], [kick[[n, 0]], kick[[n, 1]]]) * dt.sqrt()
    });
    let trajectory = (0..count as u32).map(|n| n / 100).collect();
    let pairs = Pairs {
        z,
        increment,
        compensator: None,
        deviation: None,
        dt: Array1::from_elem(count, dt),
        trajectory,
        condition: None,
    };

    let model = SdeInput { drift: "linear".into(), diffusion: "constant".into(), ..SdeInput::default() };
    let train =
        TrainInput { epochs: 10, batch: 256, learning_rate: 2e-2, decay: 0.6, refit: true, ..TrainInput::default() };
    let (sde, _) = fit(&pairs, 1.0, &model, &train, &TrainingContext::new(1, &Alone, Device::Cpu), &mut |_| ())?;

    // The centre, and one unit along each axis from it: differences of drifts are columns of A.
    let states = Tensor::from_slice2(&[C, [C[0] + 1.0, C[1]], [C[0], C[1] + 1.0]]);
    let (drift, noise) = (sde.drift(&states), sde.diffusion(&states));
    println!("          learned      true");
    for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let at = |state: usize| drift.double_value(&[state as i64, i as i64]);
        println!("A[{i}][{j}] {:9.4} {:9.4}", at(j + 1) - at(0), A[i][j]);
        println!("L[{i}][{j}] {:9.4} {:9.4}", noise.double_value(&[0, i as i64, j as i64]), L[i][j]);
    }
    Ok(())
}
