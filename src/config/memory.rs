//! The memory that a rank needs, stage by stage, as the code of the stages allocates it.

use super::{Input, LANES, Relax};
use crate::learning::EncoderKind;

/// Bytes of the program itself, mostly those of the tensor library.
const PROGRAM: f64 = 1.5e8;
/// Bytes of items that stages hold before they write them.
const BLOCK: f64 = 67_108_864.0;
/// Bytes of a pair beside its sites, as it is held and copied to be written.
const PAIR: usize = 1200;
/// Snapshots that are encoded at a time.
const SNAPSHOTS: f64 = 1024.0;
/// Patches whose moments are taken at a time.
const ROWS: f64 = 65_536.0;
/// Held-out samples whose loss is computed at a time.
const HELD: f64 = 16_384.0;
/// Share of the maps of convolutions that is held at once, as measured.
const HELD_OF_MAPS: f64 = 0.2;
/// Bins of a histogram, each with its resamples.
const BINS: f64 = 64.0;
/// The most bytes of a rank on any machine.
const MOST: f64 = 1e13;

/// Bytes of a stage, and the keys of the input that set them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// The stage, or what of it is largest.
    pub stage: &'static str,
    /// Bytes, those of the program included.
    pub bytes: f64,
    /// Keys that set them.
    pub keys: &'static str,
}

impl Input {
    /// The stage that needs the most memory on one of so many ranks, which share the pairs, with so many threads.
    pub fn memory(&self, threads: usize, ranks: usize) -> Memory {
        let learning = self.learning_memory(threads, ranks as f64);
        let stages = [self.data_memory(threads, ranks as f64), learning, self.evaluation_memory()].concat();
        let largest = stages.into_iter().max_by(|one, other| one.1.total_cmp(&other.1)).expect("there are stages");
        let (stage, bytes, keys) = largest;
        Memory { stage, bytes: PROGRAM + bytes, keys }
    }

    /// Checks that what the input needs fits some machine.
    pub(super) fn check_memory(&self) -> Result<(), String> {
        self.memory(1, 1).refuse_above(MOST, "any machine can have")
    }

    /// Bytes of a snapshot with its pairs, before they are written.
    pub fn bytes_of_evolved(&self) -> usize {
        let bytes = |sites: usize| sites * self.system.site_bytes();
        let pair = 4 * bytes(self.patch_shape().sites()) + PAIR;
        bytes(self.large_shape().sites()) + self.patches_drawn() * pair
    }

    /// Stages whose items are held in blocks: at least one item a thread, and copied once to be written.
    fn data_memory(&self, threads: usize, ranks: f64) -> Vec<(&'static str, f64, &'static str)> {
        let bytes = |sites: usize| (sites * self.system.site_bytes()) as f64;
        let (small, large, truth) =
            (bytes(self.small_shape().sites()), bytes(self.large_shape().sites()), bytes(self.truth_shape().sites()));
        let conditions = self.conditions_in_data().len() as f64;
        let held = |items: f64, item: f64, at_once: f64| {
            let blocks = (BLOCK / (item * at_once)).clamp(1.0, 4096.0).max(threads as f64);
            item * items.min(at_once * blocks)
        };
        let (trajectories, snapshots_each) = (self.simulate.trajectories as f64, self.small_snapshots() as f64);
        let at_once =
            if self.small_in_lanes() { (self.small_lanes() * self.simulate.group) as f64 * conditions } else { 1.0 };
        let simulate = 2.0 * held(trajectories, snapshots_each * small, at_once);
        let snapshots = self.large_snapshots() as f64;
        let relaxed = self.upsample.relax.until(1.0).is_some_and(|until| self.in_lanes(self.large_shape(), until));
        let words = if matches!(self.upsample.relax, Relax::Age(_)) { snapshots_each } else { 1.0 };
        let upsample = held(snapshots, large, if relaxed { 4.0 * LANES as f64 * conditions * words } else { 1.0 });
        let evolved = self.in_lanes(self.large_shape(), self.evolve.until);
        let pairs = self.bytes_of_evolved() as f64;
        let evolve = held(snapshots, pairs, if evolved { LANES as f64 * conditions } else { 1.0 });
        let starts = if self.truth_in_lanes() { self.truth.starts.len() as f64 } else { 1.0 };
        let item = self.truth_schedule().kept.len() as f64 * truth * starts;
        // Trajectories in lanes are written one by one.
        let recorded = held(self.truth_trajectories() as f64 / starts, item, 1.0);
        let copied = if self.truth_in_lanes() { item / starts } else { recorded };
        // The windows of the serial kernel: a site of a periodic one knows its original and its copies, 4 bytes each.
        let windows = |sites: usize, items: usize| (threads.min(items) * sites * (self.system.site_bytes() + 8)) as f64;
        let evolved_serially =
            if self.truth_in_lanes() { 0.0 } else { windows(self.truth_shape().sites(), self.truth_trajectories()) };
        // A block, what the tiles of a colour wrote, and a copy to be written to the file; one in lanes has 8 bytes a site.
        let in_words = if self.truth_in_lanes() { 8.0 + starts } else { 0.0 };
        let tiled = (2.5 * truth).max(in_words * truth) / ranks;
        let shared = if self.truth.tile.is_some() { tiled } else { recorded + copied + evolved_serially };
        vec![
            ("simulate", simulate, "simulate.snapshots, lattice.small, simulate.trajectories"),
            ("upsample", 2.0 * upsample + small * upsample / large, "lattice.large, simulate.snapshots"),
            ("evolve", evolve, "lattice.large, evolve.patches"),
            ("truth", shared, "truth.snapshots, truth.records, truth.side, truth.starts"),
        ]
    }

    /// Stages that hold all pairs, and the weights of networks.
    fn learning_memory(&self, threads: usize, ranks: f64) -> Vec<(&'static str, f64, &'static str)> {
        let (closure, model, pairs) = (&self.closure, &self.train.model, self.pairs() as f64 / ranks);
        let observables = self.observables().len() as f64;
        let components = observables + closure.components() as f64;
        let features = self.patch_shape().sites() as f64 * self.system.channels() as f64;
        let hidden = closure.hidden as f64;
        let chain = |widths: &[f64]| widths.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
        // Weights and the sizes of what every sample passes through.
        let maps = |mut last: (f64, f64, f64), next: &usize| {
            last.2 += 9.0 * last.0 * *next as f64;
            (*next as f64, last.1 + *next as f64, last.2)
        };
        let convolved = closure.channels.iter().fold((1.0, 0.0, 0.0), maps);
        let spins = self.system.feature_bytes() == 1;
        let (encoder, maps) = match closure.encoder {
            EncoderKind::Auto if !spins => (chain(&[features, hidden, hidden, components]), 0.0),
            EncoderKind::Mlp => (chain(&[features, hidden, hidden, components]), 0.0),
            _ => (convolved.2 + chain(&[features * convolved.0, hidden, components]), convolved.1),
        };
        let autoencoder = encoder + chain(&[components, hidden, 2.0 * hidden, features]);
        let widths = features * (2.0 + HELD_OF_MAPS * maps) + 2.0 * hidden;
        let patches = pairs * features * self.system.feature_bytes() as f64;
        // Weights, gradient, three moments and the best, and a gradient for each thread.
        let network = |weights: f64, widths: f64, batch: usize| {
            let threads = if self.train.fit.threads > 0 { self.train.fit.threads } else { threads };
            let at_once = (batch as f64).max(HELD.min(self.train.fit.validation_fraction * pairs)).min(pairs);
            4.0 * weights * (8.0 + threads as f64) + 2.0 * 4.0 * widths * at_once
        };
        let sites = self.large_shape().sites() as f64;
        let encoding = SNAPSHOTS.min(self.large_snapshots() as f64) * sites * self.bytes_to_encode();
        // Moments of fields, in double precision.
        let moments = if spins { 0.0 } else { 24.0 * features * pairs.min(ROWS) };
        let training = patches + moments.max(network(autoencoder, widths, closure.batch));
        let closing = if self.closes() { training.max(encoding) } else { 0.0 };
        let wide = |inputs: f64, hidden: &[usize], outputs: f64| {
            let mut widths = vec![inputs];
            widths.extend(hidden.iter().map(|&width| width as f64));
            widths.push(outputs);
            (chain(&widths), widths.iter().sum::<f64>())
        };
        let factor = if model.diffusion == "diagonal" { components } else { components * components };
        let (drift, noise) =
            (wide(components, &model.drift_hidden, components), wide(components, &model.diffusion_hidden, factor));
        let onsager = components * model.onsager_hidden as f64 + components * components;
        let paired = self.bytes_of_pair(components) * pairs;
        let (weights, widths) = (drift.0 + noise.0 + onsager, drift.1 + noise.1 + 4.0 * factor);
        vec![
            (
                "closure",
                closing + 12.0 * pairs * components,
                "closure.variables, closure.hidden, closure.channels, lattice.patch, evolve.patches",
            ),
            (
                "train",
                paired + network(weights, widths, self.train.fit.batch),
                "closure.variables, train.model.drift_hidden, train.model.diffusion_hidden, train.model.onsager_hidden, \
                 train.fit.batch",
            ),
        ]
    }

    /// Bytes of a pair in training: with its compensator and all copies and images, and its deviations, which are gone
    /// before the images are made.
    fn bytes_of_pair(&self, components: f64) -> f64 {
        let images = if self.train.mirrored { self.symmetries().len() as f64 } else { 1.0 };
        let more = if self.compensated() { components } else { 0.0 };
        4.0 * images * 4.0 * (2.0 * components + more + 3.0) + 4.0 * (components + more)
    }

    /// Bytes of a site that is encoded: as read, cut into patches, and its features twice.
    fn bytes_to_encode(&self) -> f64 {
        2.0 * (self.system.site_bytes() + self.system.channels() * self.system.feature_bytes()) as f64
    }

    /// Stages that hold the ensembles.
    fn evaluation_memory(&self) -> Vec<(&'static str, f64, &'static str)> {
        let components = (self.observables().len() + self.closure.components()) as f64;
        let values = self.truth_trajectories() as f64 * self.truth_schedule().records() as f64 * components;
        let models = (self.model_kinds().len() * self.train.seeds.len() * self.predict.replicas) as f64;
        let more = if self.compensated() { 2.0 } else { 0.0 };
        let pairs = self.pairs() as f64 * 8.0 * ((3.0 + more) * components + 4.0);
        // As read, in double precision, and scaled.
        let ensembles = values * (24.0 + 24.0 * models);
        let sites = (self.truth_schedule().records() * self.truth_shape().sites()) as f64;
        let encoding = if self.closes() { sites * self.bytes_to_encode() } else { 0.0 };
        let resamples = self.evaluate.resamples as f64 * 8.0 * BINS;
        vec![
            ("predict", (4.0 * BLOCK).min(12.0 * values * models), "predict.replicas"),
            (
                "evaluate",
                ensembles + pairs + encoding,
                "truth.records, truth.trajectories, predict.replicas, train.seeds",
            ),
            ("evaluate", resamples, "evaluate.resamples"),
        ]
    }
}

impl Memory {
    /// Refuses what needs more than the `most` bytes that `who` has.
    ///
    /// # Errors
    /// With the stage and the keys that set its memory.
    pub fn refuse_above(&self, most: f64, who: &str) -> Result<(), String> {
        if self.bytes <= most {
            return Ok(());
        }
        Err(format!(
            "the stage {} would need about {:.3e} bytes of memory on a rank, more than the {most:.3e} that {who}; make \
             {} smaller",
            self.stage, self.bytes, self.keys
        ))
    }
}
