//! Scores and the page of a model that was learned from a user's own data.

use super::{OwnRun, Test, models, write_text};
use crate::{
    evaluation::{
        Metrics,
        binned_drift::{BinnedDrift, binned_drift},
    },
    files::{own::OwnData, trainings::Training},
    learning::{Labels, Pairs, sde::calibration},
    pages::{
        equilibrium::histograms_of_all,
        glossary::glossary,
        roles::Names,
        run::{against_time, dynamics, highlights, title},
        training::training,
    },
    parallel::Alone,
    report::{Block, Report, Section, Table},
    scores::{self, Evidence},
    storage::write_json,
    workflow::StageError,
};
use std::fmt::Write as _;

/// Most pairs that the figure of the drift looks at.
const DRIFT_PAIRS: usize = 1_000_000;
/// Most groups of trajectories that have panels of their own.
const MOST_GROUPS: usize = 12;

/// Writes `metrics.json`, where there is a test, and `report.html`. The result is a summary.
pub(super) fn write(
    run: &OwnRun,
    (data, pairs): (&OwnData, &Pairs),
    trainings: &[Training],
    test: Option<(&Test, &Evidence)>,
) -> Result<String, StageError> {
    let names: Vec<String> = data.labels.components.iter().map(|label| label.name.clone()).collect();
    let mut sections = Vec::new();
    let mut summary = String::new();
    let mut metrics = Metrics::new();
    match test {
        Some((test, evidence)) => {
            metrics = scores::metrics(evidence, &scores::with_those_of_system(Vec::new()))?;
            write_json(&run.out.join("metrics.json"), &metrics)?;
            let _ = writeln!(summary, "test: {} trajectories, {} left out", test.trajectories.count(), test.left_out);
            for name in ["test_error", "test_error_noise_floor", "relaxation_error", "equilibrium_deviation"] {
                if let Some(found) = metrics.get(name).filter(|metric| metric.value.is_finite()) {
                    let _ = writeln!(summary, "{name} {:.4}", found.value);
                }
            }
            sections.extend(compared(test, evidence, &data.labels, &metrics));
        }
        None => {
            let text = "There is no test: give trajectories with --test, or learn from five or more of them.";
            sections.push(Section::new("Result").with(Block::Text(text.into())));
        }
    }
    let binned = learned_drift(run, pairs)?;
    sections.push(training(trainings, &names, (run.choices.seeds[0], &binned)));
    if test.is_some() {
        let all = Section::new("All metrics").with(Block::Table(Table::of_metrics("metrics.json", &metrics)));
        sections.push(all.with(Block::Table(glossary(&metrics))));
    }
    let choices = toml::to_string(run.choices).map_err(|error| StageError::Engine(error.into()))?;
    sections.push(Section::new("Choices").with(Block::Verbatim("fit.toml".into(), choices)));
    let file = run.data.file_name().unwrap_or_default().to_string_lossy();
    let of = format!(", learned from {} pairs of {file}", pairs.dt.len());
    let observables = test.map_or(&[][..], |(_, evidence)| evidence.observables);
    let heading = match observables {
        [] => format!("The dynamics of {}{of}", names.join(", ")),
        observables => title(observables, &of, &metrics),
    };
    let subtitle = format!(
        "{} component(s), K = {}, {} model(s); tessera {}, revision {}",
        names.len(),
        data.patches,
        run.choices.seeds.len(),
        env!("CARGO_PKG_VERSION"),
        env!("TESSERA_REVISION")
    );
    write_text(run, "report.html", &Report { title: heading, subtitle, sections }.html()?)?;
    let _ = write!(summary, "report: {}", run.out.join("report.html").display());
    Ok(summary)
}

/// The drift of the first model beside that of the pairs, in bins of each component.
fn learned_drift(run: &OwnRun, pairs: &Pairs) -> Result<Vec<BinnedDrift>, StageError> {
    let some = pairs.rows(&(0..pairs.dt.len().min(DRIFT_PAIRS)).collect::<Vec<_>>());
    let learned = calibration::drift(&models(run)?[0], &some)?.mapv(f64::from);
    let (z, increment) = (some.z.mapv(f64::from), some.quiet_increment(&Alone)?.mapv(f64::from));
    let dt = some.dt.mapv(f64::from);
    let binned = |component| binned_drift(z.view(), increment.view(), dt.view(), learned.view(), component);
    Ok((0..z.ncols()).map(binned).collect())
}

/// Predictions beside the test trajectories.
fn compared(test: &Test, evidence: &Evidence, labels: &Labels, metrics: &Metrics) -> Vec<Section> {
    let groups = test.titles(labels);
    let names =
        Names { times: vec![(1.0, labels.time_unit.clone()); groups.len()], conditions: test.texts(labels), groups };
    let warnings = scores::warnings(metrics).into_iter().map(Block::Warning);
    let result = warnings.fold(Section::new("Result"), Section::with).with(Block::Highlights(highlights(metrics)));
    let mut sections = vec![result];
    if names.groups.len() <= MOST_GROUPS {
        sections.extend([dynamics(&names, evidence), against_time(&names, evidence)]);
    }
    let distributions = Section::new("Equilibrium distributions");
    sections.push(histograms_of_all(&names, evidence).into_iter().fold(distributions, Section::with));
    sections
}
