//! Errors of drift and Sigma from trajectories with long steps, by the likelihood of the moments and by Euler's:
//! `cargo bench --bench moments [-- metastable | lorenz] [-- SEED ...]`. The table is in docs/results/training.md.

#[path = "../tests/common/published_equations.rs"]
mod published_equations;

use published_equations::{Published, lorenz, metastable, networks, training};
use tessera::learning::{SdeInput, TrainInput};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| arguments.iter().any(|given| given == name);
    let all = !wanted("metastable") && !wanted("lorenz");
    let seeds: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let seeds = if seeds.is_empty() { vec![1] } else { seeds };
    for seed in seeds {
        if all || wanted("metastable") {
            for (step, moments) in [(0.05, 1), (0.1, 1), (0.2, 2)] {
                for (fine, moment_steps) in [(10, 0), (10, moments), (100, moments)] {
                    let name =
                        format!("metastable, h = {step}, {fine} Euler steps, {moment_steps} of ours, seed {seed}");
                    row(&name, &metastable(step, fine), &networks(true), &training(moment_steps, 60), seed);
                }
            }
        }
        if all || wanted("lorenz") {
            for moment_steps in [0, 1] {
                let name = format!("Lorenz, {moment_steps} steps of ours, seed {seed}");
                let train = TrainInput { batch: 2048, ..training(moment_steps, 6) };
                row(&name, &lorenz(10_000), &networks(false), &train, seed);
            }
        }
    }
}

fn row<const D: usize>(name: &str, system: &Published<D>, model: &SdeInput, train: &TrainInput, seed: u64) {
    let ([drift, sigma], seconds) = system.learned(model, train, seed);
    println!("{name}: drift {drift:.4}, Sigma {sigma:.4}, {seconds:.0} s");
}
