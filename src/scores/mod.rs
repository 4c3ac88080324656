//! Scores: evidence in, metrics out. A score is a type that implements [`Score`]. It also defines tables of its
//! metrics.
//!
//! [`REGISTRY`] holds the scores of all systems, `System::scores` those of one system. Another crate adds a score with
//! `tessera::Program::score`.

mod calibration;
mod caveats;
mod consistency;
mod discrepancy;
mod equilibrium;
mod evidence;
mod finite_size;
mod key;
mod linear_drift;
mod magnet;
mod models;
mod relaxation;
mod relaxation_by_start;
mod sizes;
mod survivors;
mod test_error;
mod trust;

pub use caveats::{Caveats, warnings};
pub use consistency::DataConsistency;
pub use discrepancy::Discrepancy;
pub use equilibrium::Equilibrium;
pub use evidence::{
    Choices, Coverage, Evidence, LearnedEquation, OtherSize, PairsEvidence, TrustEvidence, TwoSteps, group,
};
pub use finite_size::{AgainstSide, CriticalPoint, FiniteSize, MagnetPoint, finite_size};
pub use key::{Key, ModelKind, Source};
pub use linear_drift::LinearDriftFit;
pub use magnet::Magnet;
pub use relaxation::Relaxation;
pub use relaxation_by_start::RelaxationByStart;
pub use sizes::{Sizes, learned_sizes, of_side};
pub use test_error::PublishedTestError;
pub use trust::{Band, NINETY, Trust, bands};

use crate::{
    evaluation::{EvaluationError, Metrics, Observable},
    registry::Registry,
};

/// A score of models.
pub trait Score: Send + Sync {
    /// Adds the metrics of the models of one kind. Metrics that do not depend on the kind are added with ours.
    ///
    /// # Errors
    /// When the shapes of the ensembles do not match. If all trajectories of a model diverge, its metrics are NaN.
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError>;

    /// Whether its metrics are of all trajectories, or all under a condition, so that those that diverged are left out
    /// of them; otherwise they are of the training pairs, count, or say themselves what they leave out.
    fn of_trajectories(&self) -> bool {
        true
    }

    /// Tables of its metrics for the page of a sweep, one column per metric. `observables` are those of the system.
    fn tables(&self, _observables: &[Observable]) -> Vec<MetricTable> {
        Vec::new()
    }

    /// The critical point for finite-size scaling of sweeps, and the temperature of this system.
    fn critical(&self) -> Option<(CriticalPoint, f64)> {
        None
    }
}

/// A table of metrics for the points of a sweep. Metrics without any value are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricTable {
    /// Title.
    pub title: &'static str,
    /// Meaning of the metrics.
    pub caption: &'static str,
    /// What to look for.
    pub look_for: &'static str,
    /// Names of the metrics.
    pub metrics: Vec<String>,
}

/// Makes a score.
pub type MakeScore = fn() -> Box<dyn Score>;

/// The scores of all systems.
pub static REGISTRY: Registry<MakeScore> = Registry::new(&[
    ("test_error", || Box::new(PublishedTestError)),
    ("caveats", || Box::new(Caveats)),
    ("relaxation", || Box::new(Relaxation)),
    ("relaxation_by_start", || Box::new(RelaxationByStart)),
    ("data_consistency", || Box::new(DataConsistency)),
    ("equilibrium", || Box::new(Equilibrium)),
    ("sizes", || Box::new(Sizes)),
    ("discrepancy", || Box::new(Discrepancy)),
    ("linear_drift", || Box::new(LinearDriftFit)),
    ("trust", || Box::new(Trust)),
    ("calibration", || Box::new(calibration::NoiseCalibration)),
]);

/// The scores of all systems, then those of one.
pub fn with_those_of_system(own: Vec<Box<dyn Score>>) -> Vec<Box<dyn Score>> {
    REGISTRY.entries().into_iter().map(|(_, make)| make()).chain(own).collect()
}

/// The metrics of all kinds of models.
///
/// # Errors
/// The first error of [`Score::score`].
pub fn metrics(evidence: &Evidence, scores: &[Box<dyn Score>]) -> Result<Metrics, EvaluationError> {
    let mut metrics = Metrics::new();
    for (kind, _) in &evidence.models {
        for score in scores {
            let first = metrics.len();
            score.score(evidence, *kind, &mut metrics)?;
            if score.of_trajectories() {
                survivors::mark(evidence, *kind, first, &mut metrics);
            }
        }
    }
    Ok(metrics)
}
