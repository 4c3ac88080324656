//! Random streams keyed by what they are for, never by who draws from them.
//!
//! Every unit of work (a trajectory, a snapshot, a patch, a tile of a sweep) owns the stream
//! `stream(seed, purpose, item)`. The key of the ChaCha8 generator *is* the triple, so two different
//! triples never share a stream, and the numbers do not depend on ranks, threads or the order of work.

use rand::SeedableRng;

/// The generator of the whole code: ChaCha with 8 rounds, counter based and portable.
pub type Rng = rand_chacha::ChaCha8Rng;

/// Every consumer of randomness in the code. The numbers are part of the file format: append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// Initial state of a small-system trajectory; item = [trajectory, 0].
    SmallDraw = 1,
    /// Evolution of a small-system trajectory; item = [trajectory, 0].
    SmallEvolve = 2,
    /// Upsampling of one snapshot; item = [snapshot, level].
    Upsample = 3,
    /// LocalRelax of one patch; item = [snapshot, level << 32 | patch].
    Relax = 4,
    /// State of a shuffled snapshot; item = [snapshot, 0].
    ShuffledDraw = 5,
    /// Partial evolution of one patch; item = [snapshot, order of the draw].
    Partial = 6,
    /// Initial state of a direct simulation; item = [trajectory, 0].
    TruthDraw = 7,
    /// Direct simulation; item = [trajectory, 0].
    TruthEvolve = 8,
    /// Order of the colours in a sweep; item = [trajectory, sweep].
    SweepOrder = 9,
    /// One tile in a sweep, or a word of tiles; item = [trajectory << 32 | sweep, (first) tile].
    SweepTile = 10,
    /// Initial weights of a network; item = [model, 0].
    Weights = 11,
    /// Order of the training samples; item = [model, epoch].
    Batches = 12,
    /// Split into training and validation trajectories; item = [model, 0].
    Split = 13,
    /// Noise of a predicted ensemble; item = [model, group of trajectories]; the stages mix the truth into the seed.
    Predict = 14,
    /// Bootstrap resampling in evaluation; item = [metric, 0].
    Bootstrap = 15,
    /// Micro-benchmarks and tests.
    Bench = 16,
    /// Choice of the patches of a snapshot; item = [snapshot, 0].
    PatchChoice = 17,
    /// Environments of a vacancy to fit or compare barriers on; item = [configuration, 0].
    Environments = 18,
    /// A state whose correlation length is measured; item = [state, 0].
    CorrelationLength = 19,
    /// Weights of the draws of a model's error band; item = [cluster of pairs, 0].
    ErrorBand = 20,
    /// Partial evolution of one patch for twice the time; item = [snapshot, 0].
    TwoSteps = 21,
}

/// The stream of one unit of work.
pub fn stream(seed: u64, purpose: Purpose, item: [u64; 2]) -> Rng {
    let mut key = [0; 32];
    key[0..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&u64::from(purpose as u32).to_le_bytes());
    key[16..24].copy_from_slice(&item[0].to_le_bytes());
    key[24..32].copy_from_slice(&item[1].to_le_bytes());
    Rng::from_seed(key)
}
