//! How often the 90 % band of the mean covers the mean of an Ornstein-Uhlenbeck process, over repeated trainings on
//! data of their own: `cargo bench --bench bands`. The table is in docs/results/training.md.

#[path = "../tests/common/ornstein_uhlenbeck.rs"]
mod ornstein_uhlenbeck;

use ornstein_uhlenbeck::OrnsteinUhlenbeck;
use tessera::learning::{SdeInput, TrainInput};

const REPEATS: u64 = 50;

fn main() {
    for (drift, diffusion, pairs, factor) in
        [("linear", "constant", 4_000, 4.0), ("mlp", "full", 10_000, 4.0), ("mlp", "full", 10_000, 1.0)]
    {
        let process = OrnsteinUhlenbeck { pairs, factor, misfit: 0.0 };
        let model = SdeInput {
            drift: drift.into(),
            drift_hidden: vec![32, 32],
            diffusion: diffusion.into(),
            diffusion_hidden: vec![16, 16],
            ..SdeInput::default()
        };
        let train = TrainInput {
            epochs: 6,
            batch: 200,
            learning_rate: 1e-2,
            decay: 0.5,
            refit: true,
            threads: 1,
            ..TrainInput::default()
        };
        let covered: Vec<bool> = (0..REPEATS).flat_map(|seed| process.covered(&model, &train, seed)).collect();
        let share = covered.iter().filter(|covered| **covered).count() as f64 / covered.len() as f64;
        println!("{drift}, lambda {factor}, {pairs} pairs: {:.1} % of {} cases", 100.0 * share, covered.len());
    }
}
