//! What follows from an input: shapes, counts, and which item belongs to which condition, start and word.

use super::{GeometricTimes, Input, Kernel, LANES, SimulateInput, UpsampleKind};
use crate::{
    dynamics::Until,
    lattice::Shape,
    learning::EncoderKind,
    sampling::{Schedule, upsampling_factors},
    systems::{Observable, StatePoint, Symmetry},
};

/// Time quantum of sweeps when the input has none, in units of the law's time: about one event a site. For Glauber
/// dynamics no deviation from the serial kernel can be measured at it (docs/results/scaling.md, tests/sweeps.rs).
const QUANTUM: f64 = 0.5;

/// Attempts of the longest trajectory that runs in lanes, where no checkpoints are kept: some minutes.
const MOST_ATTEMPTS: f64 = 1e10;
/// Words that the trajectories of the small system should at least make up.
const FEWEST_WORDS: usize = 16;
/// The fewest starts whose trajectories share words unasked. A word takes as long as two or three trajectories.
const FEWEST_STARTS: usize = 3;
/// The most sites of a system that evolves in lanes: larger ones would not fit into the cache.
const SITES_IN_LANES: usize = 1 << 18;

/// Geometric times, in whole numbers of `quantum` if there is one.
fn early(times: Option<GeometricTimes>, quantum: Option<f64>) -> impl Iterator<Item = f64> {
    let whole = move |time: f64| quantum.map_or(time, |quantum| (time / quantum).round().max(1.0) * quantum);
    times.into_iter().flat_map(|times| times.times().collect::<Vec<_>>()).map(whole)
}

impl Input {
    /// The input as text, defaults filled in.
    pub fn toml(&self) -> String {
        toml::to_string(self).expect("an input came from TOML")
    }

    /// Shape of the simulated small system.
    pub fn small_shape(&self) -> Shape {
        let small = match self.upsample.kind {
            UpsampleKind::Direct => self.lattice.large,
            _ => self.lattice.small.unwrap_or(self.lattice.patch),
        };
        self.system.shape(small)
    }

    /// Shape of the patches of LocalRelax: the small system, or a patch where that is smaller.
    pub fn relax_shape(&self) -> Shape {
        self.system.shape(self.lattice.small.map_or(self.lattice.patch, |small| small.min(self.lattice.patch)))
    }

    /// Shape of a patch.
    pub fn patch_shape(&self) -> Shape {
        self.system.shape(self.lattice.patch)
    }

    /// Shape of the large system.
    pub fn large_shape(&self) -> Shape {
        self.system.shape(self.lattice.large)
    }

    /// Shape of the system of the direct simulation.
    pub fn truth_shape(&self) -> Shape {
        self.system.shape(self.truth.side.unwrap_or(self.lattice.large))
    }

    /// Shape of the tiles of the direct simulation.
    pub fn truth_tile(&self) -> Option<Shape> {
        self.truth.tile.map(|side| self.system.shape(side))
    }

    /// Sweeps between two records of the direct simulation, and the time of one, for a law with the given synchronous
    /// step: the longest quantum that divides the interval and is not above the chosen one.
    pub fn sweeps_per_record(&self, step: Option<f64>) -> (u64, f64) {
        let longest = step.or(self.truth.quantum).unwrap_or(QUANTUM);
        let sweeps = (self.truth.interval / longest - 1e-6).ceil().max(1.0);
        (sweeps as u64, self.truth.interval / sweeps)
    }

    /// When each trajectory of the direct simulation is recorded.
    pub fn truth_schedule(&self) -> Schedule {
        let regular = (0..self.truth.records).map(|record| record as f64 * self.truth.interval);
        let step = self.system.synchronous_step();
        let sweep = self.truth.tile.map(|_| self.sweeps_per_record(step).1);
        Schedule::new(regular.chain(early(self.truth.times, sweep.or(step))))
            .keeping(|records| self.truth.snapshots.of(records))
    }

    /// When each trajectory of the small system is recorded.
    pub fn small_schedule(&self) -> Schedule {
        let SimulateInput { first, records, snapshots, interval, times, .. } = self.simulate;
        let count = records.or(snapshots.number()).unwrap_or(0);
        let regular = (0..count).map(|record| first.unwrap_or(0.0) + record as f64 * interval);
        let schedule = Schedule::new(regular.chain(early(times, self.system.synchronous_step())));
        if records.is_some() { schedule.keeping(|records| snapshots.of(records)) } else { schedule }
    }

    /// Indices of its records at whole intervals.
    pub fn regular_records(&self) -> Vec<usize> {
        let times = self.truth_schedule().times;
        let at = |record: usize| {
            let time = record as f64 * self.truth.interval;
            times.partition_point(|&earlier| earlier < time - 1e-6 * self.truth.interval)
        };
        (0..self.truth.records).map(at).collect()
    }

    /// The time of the last record of the direct simulation.
    pub fn truth_duration(&self) -> f64 {
        (self.truth.records - 1) as f64 * self.truth.interval
    }

    /// K, the number of patches that tile the large system, or of the parts in it that move on their own.
    pub fn patches(&self) -> usize {
        let sites = self.large_shape().sites();
        self.system.moving_part_count(sites).unwrap_or(sites / self.patch_shape().sites())
    }

    /// Large snapshots: one for each small one, and the shuffled ones.
    pub fn large_snapshots(&self) -> usize {
        self.simulate.trajectories * self.small_snapshots() + self.upsample.shuffled
    }

    /// Snapshots of each trajectory of the small system.
    pub fn small_snapshots(&self) -> usize {
        self.small_schedule().kept.len()
    }

    /// How many times longer the large system is than the simulated small one, if that is under the law of equal
    /// scaling variable, not under that of the large system.
    pub fn rescaling(&self) -> Option<f64> {
        let ratio = self.large_shape().0[2] as f64 / self.small_shape().0[2] as f64;
        (self.upsample.kind == UpsampleKind::Compatible).then_some(ratio)
    }

    /// The sizes that are predicted: that of the direct simulation, and the sides of others.
    pub fn predicted_sides(&self) -> impl Iterator<Item = Option<usize>> {
        std::iter::once(None).chain(self.predict.sides.iter().copied().map(Some))
    }

    /// The file of the predictions for the size of the direct simulation, or for another side.
    pub fn prediction_file(side: Option<usize>) -> String {
        side.map_or("prediction.h5".into(), |side| format!("prediction_{side}.h5"))
    }

    /// How many times as many sites a predicted system has as the one that the model was learned for: that of the direct
    /// simulation, or one of `predict.sides`.
    pub fn size_ratio(&self, side: Option<usize>) -> f64 {
        let shape = side.map_or(self.truth_shape(), |side| self.system.shape(side));
        let sites = shape.sites() as f64 / self.large_shape().sites() as f64;
        if self.predict.by_size || side.is_some() { sites } else { 1.0 }
    }

    /// Whether large states are copies of one small state, or of several near in time, side by side. They fluctuate as
    /// that does.
    pub fn copies(&self) -> bool {
        let moving = self.system.moving_part_count(self.large_shape().sites()).is_some();
        moving && self.small_shape() != self.large_shape()
    }

    /// By how much the fluctuations of copies of a small state exceed those of a predicted system, as a share of their
    /// variance; 0 where models learn from other states.
    pub fn excess_of_copies(&self, side: Option<usize>) -> f64 {
        let predicted = self.large_shape().sites() as f64 * self.size_ratio(side);
        if self.copies() { (1.0 - self.small_shape().sites() as f64 / predicted).max(0.0) } else { 0.0 }
    }

    /// The factors by which the side grows, one a level. `None` when the sizes do not allow the kind of upsampling.
    pub fn upsampling_factors(&self) -> Option<Vec<usize>> {
        let (small, large) = (self.small_shape(), self.large_shape());
        match self.upsample.kind {
            UpsampleKind::Published | UpsampleKind::Compatible | UpsampleKind::Auto => upsampling_factors(small, large),
            UpsampleKind::Direct => Some(Vec::new()),
            UpsampleKind::Tiles => {
                let ratio = large.0[2] / small.0[2];
                (small.scaled(ratio) == large).then(|| if ratio > 1 { vec![ratio] } else { Vec::new() })
            }
        }
    }

    /// The observables that the equation is for.
    pub fn observables(&self) -> &'static [Observable] {
        let all = self.system.observables();
        &all[..self.closure.observables.map_or(all.len(), |count| count.min(all.len()))]
    }

    /// The symmetries of the law as they act on these observables.
    pub fn symmetries(&self) -> Vec<Symmetry> {
        let count = self.observables().len();
        let all = self.system.symmetries();
        let restricted = all.iter().filter_map(|symmetry| symmetry.restricted_to(count));
        restricted.fold(Vec::new(), |mut group, symmetry| {
            if !group.contains(&symmetry) {
                group.push(symmetry);
            }
            group
        })
    }

    /// Whether patches are some of those that tile the lattice, more than one.
    pub fn tiles(&self) -> bool {
        self.patches() > 1 && self.system.moving_part_count(self.large_shape().sites()).is_none()
    }

    /// The longest step of a prediction that the parts that move on their own allow. The pair of one does not feel what
    /// the others change in the meantime, so that a step as long as a pair overshoots.
    pub fn longest_step(&self) -> Option<f64> {
        let parts = self.system.moving_part_count(self.large_shape().sites())?;
        let Until::Time(time) = self.evolve.until else { return None };
        (parts > 1).then_some(time / 4.0)
    }

    /// Whether pairs have compensators.
    pub fn compensated(&self) -> bool {
        self.evolve.compensator > 0 && self.system.has_generator()
    }

    /// Patches that are evolved of each snapshot.
    pub fn patches_drawn(&self) -> usize {
        self.evolve.patches.min(self.patches())
    }

    /// Training pairs.
    pub fn pairs(&self) -> usize {
        self.large_snapshots() * self.patches_drawn()
    }

    /// Trajectories of the direct simulation that start alike: from each start under each condition.
    pub fn truth_groups(&self) -> usize {
        self.system.conditions().len() * self.truth.starts.len()
    }

    /// Trajectories of the direct simulation: condition by condition, in each start by start.
    pub fn truth_trajectories(&self) -> usize {
        self.truth_groups() * self.truth.trajectories
    }

    /// Indices of condition and start of a trajectory of the direct simulation.
    pub fn truth_start(&self, trajectory: usize) -> (usize, usize) {
        let group = trajectory / self.truth.trajectories;
        (group / self.truth.starts.len(), group % self.truth.starts.len())
    }

    /// Words of trajectories of the direct simulation, if they evolve in lanes.
    pub fn truth_words(&self) -> usize {
        self.system.conditions().len() * self.truth.trajectories
    }

    /// The trajectories of the direct simulation with the same number under one condition, one from each start.
    pub fn trajectories_of_word(&self, word: usize) -> impl Iterator<Item = usize> {
        let (starts, repeats) = (self.truth.starts.len(), self.truth.trajectories);
        (0..starts).map(move |start| (word / repeats * starts + start) * repeats + word % repeats)
    }

    /// Index of the word of a trajectory of the direct simulation: its own where they evolve one at a time.
    pub fn truth_word_of(&self, trajectory: usize) -> usize {
        let ((condition, _), repeats) = (self.truth_start(trajectory), self.truth.trajectories);
        if self.truth_in_lanes() { condition * repeats + trajectory % repeats } else { trajectory }
    }

    /// Whether trajectories of the direct simulation evolve in lanes: several from different starts, so many that a word
    /// takes less time than each on its own. Without tiles there are no checkpoints within them, so they must be short
    /// enough to be repeated after a kill.
    pub fn truth_in_lanes(&self) -> bool {
        let (starts, until) = (self.truth.starts.len(), Until::Time(self.truth.interval));
        if let Some(tile) = self.truth_tile() {
            return (FEWEST_STARTS..=LANES).contains(&starts) && self.in_lanes(tile, until);
        }
        let fewest = if self.kernel == Kernel::Lanes { 2 } else { FEWEST_STARTS };
        let shape = self.truth_shape();
        starts >= fewest && shape.sites() as f64 * self.truth_duration() < MOST_ATTEMPTS && self.in_lanes(shape, until)
    }

    /// Whether the data hold the condition with this index.
    pub fn is_in_data(&self, condition: usize) -> bool {
        self.conditions_in_data().contains(&condition)
    }

    /// Indices of the conditions that the data hold.
    pub fn conditions_in_data(&self) -> Vec<usize> {
        let unseen = |condition: &StatePoint| self.truth.unseen.iter().any(|unseen| unseen.names(condition));
        let conditions = self.system.conditions().into_iter().enumerate();
        conditions.filter(|(_, condition)| !unseen(condition)).map(|(index, _)| index).collect()
    }

    /// Index of the condition of a training trajectory, small or shuffled. Groups of small ones, and shuffled ones,
    /// take the conditions of the data in turn.
    pub fn condition_of(&self, trajectory: usize) -> usize {
        let present = self.conditions_in_data();
        present[self.group_of(trajectory).1 % present.len()]
    }

    /// Whether a training trajectory is a shuffled snapshot, and the index of its group, or of the snapshot.
    fn group_of(&self, trajectory: usize) -> (bool, usize) {
        match trajectory.checked_sub(self.simulate.trajectories) {
            None => (false, trajectory / self.simulate.group),
            Some(shuffled) => (true, shuffled),
        }
    }

    /// Whether windows cut from systems of this shape evolve in lanes for `until`.
    pub fn in_lanes(&self, shape: Shape, until: Until) -> bool {
        let timed = matches!(until, Until::Time(_));
        self.kernel != Kernel::Single && self.system.has_lanes() && timed && shape.sites() <= SITES_IN_LANES
    }

    /// Whether trajectories of the small system evolve in lanes.
    pub fn small_in_lanes(&self) -> bool {
        self.in_lanes(self.small_shape(), Until::Time(0.0))
    }

    /// Lanes of a word of small trajectories, or groups of them: so many that there are some words for error bars.
    pub fn small_lanes(&self) -> usize {
        let groups = self.simulate.trajectories / self.simulate.group / self.conditions_in_data().len();
        if self.small_in_lanes() { (groups / FEWEST_WORDS).clamp(1, LANES) } else { 1 }
    }

    /// Index of the word of a training trajectory, small or shuffled: pairs from different words are independent. In
    /// lanes these are the groups of a word, otherwise one group.
    pub fn word_of(&self, trajectory: usize) -> usize {
        let conditions = self.conditions_in_data().len();
        let block = self.small_lanes() * conditions;
        let (is_shuffled, group) = self.group_of(trajectory);
        let groups = self.simulate.trajectories.div_ceil(self.simulate.group);
        let words_before = if is_shuffled { groups.div_ceil(block) * conditions } else { 0 };
        words_before + group / block * conditions + group % conditions
    }

    /// Whether an autoencoder gives closure variables: pairs then hold the sites of their patches.
    pub fn closes(&self) -> bool {
        self.closure.components() > 0 && !self.uses_library()
    }

    /// Whether closure variables are functions of the system's library: pairs then hold these.
    pub fn uses_library(&self) -> bool {
        self.closure.components() > 0 && self.closure.encoder == EncoderKind::Library
    }

    /// lambda of our loss.
    pub fn covariance_factor(&self) -> f64 {
        self.train.covariance_factor.unwrap_or(self.patches() as f64)
    }
}
