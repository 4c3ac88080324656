//! The data that are scored: truth, predictions and training pairs as plain arrays in physical units.

use super::ModelKind;
use crate::evaluation::{Observable, StatePoint, Symmetry, stationary::MagnetPair};
use ndarray::{Array1, Array2, Array3, Array4, Array5, ArrayView3, Axis, s};

/// The data of all scores and pages.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The observables. They are the first latent components, followed by the closure variables.
    pub observables: &'static [Observable],
    /// Direct simulation `[trajectory, record, component]`, ordered by condition, then by start.
    pub truth: Array3<f64>,
    /// The word of each of its trajectories: those of different words are independent. The words of one condition have
    /// equally many.
    pub truth_word: Vec<usize>,
    /// Predictions of each kind of model `[model, trajectory, record, component]`, in the order of the truth.
    pub models: Vec<(ModelKind, Array4<f64>)>,
    /// Predictions of our models for systems of other sizes, from the same starts.
    pub sizes: Vec<OtherSize>,
    /// Times of the records.
    pub times: Vec<f64>,
    /// Indices of those at whole intervals, without the additional early ones.
    pub regular: Vec<usize>,
    /// Smallest value of each component over the training states; 0 for a component that is not scaled.
    pub least: Array1<f64>,
    /// Range of each component over the training states; 1 for a component that is not scaled.
    pub range: Array1<f64>,
    /// Conditions of the family, at least one.
    pub conditions: Vec<StatePoint>,
    /// Starts of the direct simulation.
    pub starts: usize,
    /// The symmetry group of the law, identity first.
    pub symmetries: Vec<Symmetry>,
    /// Number of sites of the directly simulated system.
    pub sites: usize,
    /// The training pairs.
    pub pairs: PairsEvidence,
    /// Drift and noise of each model at the pairs, if the equation has one component and one condition.
    pub equations: Vec<LearnedEquation>,
    /// Variances of the normalised residuals by coordinate, for each model: kind, seed, variances.
    pub calibrations: Vec<(ModelKind, u64, Vec<f64>)>,
    /// What shows how far our models can be trusted.
    pub trust: TrustEvidence,
    /// Choices of the input.
    pub choices: Choices,
}

/// Predictions for systems of another size, without a direct simulation.
#[derive(Clone, Debug)]
pub struct OtherSize {
    /// Their side.
    pub side: usize,
    /// `[model, trajectory, record, component]`.
    pub models: Array4<f64>,
}

/// What shows how far models can be trusted, without a direct simulation.
#[derive(Clone, Debug, Default)]
pub struct TrustEvidence {
    /// Means over some trajectories from each start, `[model, draw, group, record, component]`, in equal noise: of our
    /// models themselves (draw 0) and of those that other data of the same kind could have given.
    pub draws: Option<Array5<f64>>,
    /// Share of the steps of each predicted trajectory that ended beyond the training data, `[model, trajectory]`.
    pub at_walls: Vec<(ModelKind, Array2<f64>)>,
    /// Coverage of held-out pairs by each model.
    pub held_out: Vec<(ModelKind, Coverage)>,
    /// Pairs of twice the length beside two steps of our first model.
    pub two_steps: Option<TwoSteps>,
}

/// Pairs of twice the length of the training pairs, beside what two steps of a model say of them; all arrays are `[pair,
/// component]`.
#[derive(Clone, Debug, Default)]
pub struct TwoSteps {
    /// Increments with the same mean at every state and less noise, where the rates of the law are known; otherwise the
    /// increments.
    pub quiet: Array2<f64>,
    /// Increments.
    pub increment: Array2<f64>,
    /// Mean increment after two steps of the model.
    pub expected: Array2<f64>,
    /// Variance of the increment after two steps of the model.
    pub variance: Array2<f64>,
    /// The word of each pair: pairs of different words are independent.
    pub word: Vec<usize>,
}

/// How a model covers pairs that it was not trained on, by coordinate.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Number of pairs.
    pub pairs: usize,
    /// Share of their increments within the central 90 % interval of the model.
    pub within_90: Vec<f64>,
    /// Largest distance between the distribution of their ranks and the uniform one.
    pub distance: Vec<f64>,
}

/// Training pairs, and how they can be compared with the direct simulation.
#[derive(Clone, Debug, Default)]
pub struct PairsEvidence {
    /// Number of all training pairs.
    pub count: usize,
    /// Latent states `[pair, component]`.
    pub state: Array2<f64>,
    /// Increments, K times the change by one patch.
    pub increment: Array2<f64>,
    /// Increments with the same mean at every state and less noise, where the rates of the law are known; otherwise the
    /// increments.
    pub quiet: Array2<f64>,
    /// Durations.
    pub duration: Array1<f64>,
    /// Time of the small snapshot that each was made from; NaN for shuffled ones.
    pub age: Array1<f64>,
    /// The word that each is from: pairs of different words are independent.
    pub word: Array1<u32>,
    /// K, the number of patches.
    pub patches: usize,
    /// Whether the states are copies of small ones side by side, and fluctuate as these.
    pub copies: bool,
    /// Whether the pairs have the size of the direct simulation.
    pub of_simulated_size: bool,
    /// Whether all models learn from all pairs. Their scatter then lacks the sampling error of the data.
    pub shared: bool,
}

impl PairsEvidence {
    /// The pairs of a magnet whose magnetisation is this component.
    pub fn of_magnet(&self, component: usize) -> impl Iterator<Item = MagnetPair> {
        (0..self.state.nrows()).map(move |row| MagnetPair {
            magnetisation: self.state[[row, component]],
            increment: self.increment[[row, component]],
            quiet: self.quiet[[row, component]],
            time: self.duration[row],
            word: self.word[row] as usize,
        })
    }
}

/// Drift and noise of one model with one component at the states of the pairs.
#[derive(Clone, Debug)]
pub struct LearnedEquation {
    /// Kind of the model.
    pub kind: ModelKind,
    /// States.
    pub z: Vec<f64>,
    /// Drift at each state.
    pub drift: Vec<f64>,
    /// Noise at each state.
    pub noise: Vec<f64>,
}

/// Choices of the input for scores.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Share of each trajectory, at its end, that counts as equilibrium.
    pub equilibrium: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Whether to compute discrepancies at every record.
    pub discrepancy: bool,
}

impl Evidence {
    /// The predictions of a kind of model.
    pub fn of(&self, kind: ModelKind) -> &Array4<f64> {
        let found = self.models.iter().find(|(known, _)| *known == kind);
        &found.expect("scores are asked for the kinds that there are").1
    }

    /// Number of groups of trajectories with equal start and condition.
    pub fn groups(&self) -> usize {
        self.conditions.len() * self.starts
    }

    /// The condition with this index, for names of metrics; `None` for a single condition.
    pub fn condition(&self, index: usize) -> Option<&StatePoint> {
        (self.conditions.len() > 1).then(|| &self.conditions[index])
    }

    /// Time between the regular records.
    pub fn interval(&self) -> f64 {
        let second = self.regular.get(1).map_or(f64::NAN, |&second| self.times[second]);
        second - self.times[0]
    }

    /// Components in the units of training.
    pub fn scaled(&self, ensemble: ArrayView3<f64>) -> Array3<f64> {
        (&ensemble - &self.least) / &self.range
    }

    /// The same at the regular records, as in the published scores.
    pub fn scaled_regular(&self, ensemble: ArrayView3<f64>) -> Array3<f64> {
        self.scaled(ensemble.select(Axis(1), &self.regular).view())
    }

    /// One component in the equilibrium part of the direct simulation at one condition: `[trajectory, record]`, the
    /// trajectories of a word one after the other, and how many a word has.
    pub fn true_trajectories(&self, component: usize, condition: usize) -> (Array2<f64>, usize) {
        let trajectories = self.truth_word.len() / self.conditions.len();
        let words = &self.truth_word[condition * trajectories..(condition + 1) * trajectories];
        let mut order: Vec<usize> = (0..trajectories).collect();
        order.sort_by_key(|&trajectory| words[trajectory]);
        let distinct = order.chunk_by(|&left, &right| words[left] == words[right]).count();
        let found = self.equilibrium(self.truth.view(), component, condition).select(Axis(0), &order);
        (found, trajectories / distinct.max(1))
    }

    /// The same as `[word, record * trajectory]`: rows are independent, and parts of a row are parts in time.
    pub fn true_equilibrium(&self, component: usize, condition: usize) -> Array2<f64> {
        let (found, members) = self.true_trajectories(component, condition);
        let (words, records) = (found.nrows() / members, found.ncols());
        Array2::from_shape_fn((words, records * members), |(word, at)| {
            found[[word * members + at % members, at / members]]
        })
    }

    /// One component in the equilibrium part of every trajectory at one condition, `[trajectory, record]`, at the regular
    /// records.
    pub fn equilibrium(&self, ensemble: ArrayView3<f64>, component: usize, condition: usize) -> Array2<f64> {
        let members = group(ensemble, condition, self.conditions.len());
        let records = self.regular.len();
        let first = records - ((records as f64 * self.choices.equilibrium) as usize).clamp(1, records);
        members.index_axis(Axis(2), component).select(Axis(1), &self.regular[first..])
    }
}

/// The trajectories of one of `groups` equal groups, for instance those of one condition or one start.
pub fn group<T>(ensemble: ndarray::ArrayView3<T>, index: usize, groups: usize) -> ndarray::ArrayView3<T> {
    let trajectories = ensemble.len_of(Axis(0)) / groups;
    ensemble.slice_move(s![index * trajectories..(index + 1) * trajectories, .., ..])
}
