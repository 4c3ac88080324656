//! What metrics mean, for those who see their names alone.

use crate::{
    evaluation::Metrics,
    report::{Cell, Table},
};

/// The beginning of a name, and the meaning of all metrics whose names begin so.
const MEANINGS: &[(&str, &str)] = &[
    ("absolute_magnetisation", "mean of |M| in equilibrium"),
    ("binder", "Binder cumulant 1 - <M^4> / (3 <M^2>^2) in equilibrium"),
    ("calibration", "variance of the normalised residuals of the training pairs; 1 when the learned noise is right"),
    ("data_drift", "rate of change of the oldest upsampled states minus that of the small trajectories"),
    ("diverged", "trajectories that left the finite numbers; they are left out of the scores"),
    ("drift", "slope, and value at 0, of a linear fit to the learned drift of an equation of one component"),
    ("equilibrium", "mean over the equilibrium part of all trajectories"),
    ("equilibrium_change", "difference between the two halves of the equilibrium part; 0 when it is one"),
    ("equilibrium_deviation", "distance of the equilibrium means from the truth, averaged over observables"),
    ("escaped", "trajectories that left the range of the order parameter for good"),
    ("kolmogorov_smirnov", "largest distance of the cumulative equilibrium distributions of truth and model"),
    ("mmd", "maximum mean discrepancy between the distributions of truth and model, averaged over time"),
    ("no_event", "pairs or trajectories in which nothing happens"),
    ("noise", "mean learned noise of an equation of one component"),
    ("outside_range", "trajectories that left the range of the order parameter at some time"),
    ("relaxation_error", "root mean square difference of the mean trajectories until the truth has relaxed"),
    ("relaxation_spread_ratio", "spread of the model over that of the truth while it relaxes; 1 for a perfect model"),
    ("relaxation_z", "the relaxation error in standard errors; about 1 for a perfect model"),
    ("reversal_rate", "changes of sign of the order parameter in a unit of time"),
    ("spread", "standard deviation in the equilibrium part"),
    ("susceptibility", "sites times the variance of |M|, over the temperature"),
    ("test_error", "relative square error of the mean trajectory, averaged over the initial states"),
    (
        "wasserstein_1",
        "mean distance between the equilibrium distributions of truth and model, in units of the quantity",
    ),
];
/// Endings that say of whom a metric is.
const ENDINGS: &[(&str, &str)] = &[
    ("..._baseline", "of the baseline: the patch as next state, lambda = 1"),
    ("..._truth", "of the direct simulation"),
    ("..._pairs", "of the training pairs, without a model"),
    ("..._noise_floor", "the same between two ensembles of one law: what a perfect model would have"),
    ("..._<observable>", "of this observable alone"),
    ("..._side_<side>", "of systems with this side, which were not simulated"),
    ("..._at_<value>", "at this condition"),
];

/// The meanings of the metrics that there are.
pub fn glossary(metrics: &Metrics) -> Table {
    let table = Table::new("Glossary", &["names that begin or end so", "meaning"]);
    let known = MEANINGS.iter().filter(|(begin, _)| metrics.iter().any(|(name, _)| name.starts_with(begin)));
    let beginnings = known.map(|(begin, meaning)| (format!("{}...", begin.replace('_', " ")), *meaning));
    let endings = ENDINGS.iter().map(|(end, meaning)| (end.replace('_', " "), *meaning));
    beginnings.chain(endings).fold(table, |table, (name, meaning)| table.row(vec![Cell::Text(name), meaning.into()]))
}
