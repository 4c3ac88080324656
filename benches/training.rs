//! Seconds per epoch of the trainer at the published size, and patches encoded per second, as `tessera bench train`.
//!
//! `cargo bench --bench training [-- threads]`; the peers' figures stand in docs/results/training.md.

fn main() {
    let threads = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(0);
    for measurement in tessera::bench::train(threads) {
        println!("{measurement}");
    }
}
