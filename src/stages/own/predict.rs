//! Ensembles of the learned models from the first states of the test trajectories (`prediction.h5`), as evidence for
//! scores.

use super::{OwnRun, Test, models};
use crate::{
    dataset::{Field, Provenance, Writer},
    evaluation::{Observable, Symmetry},
    files::own::OwnData,
    learning::{Labels, Pairs, Rollout, sde::calibration},
    parallel::Alone,
    scores::{Choices, Evidence, LearnedEquation, ModelKind, PairsEvidence, TrustEvidence},
    workflow::StageError,
};
use ndarray::{Array1, Array3, Array4, ArrayView3, Axis, concatenate, s};

/// Most pairs at which an equation of one component is looked at.
const EQUATION_PAIRS: usize = 100_000;

/// Rolls the models out, writes `prediction.h5`, and collects what scores look at.
pub(super) fn evidence(
    run: &OwnRun,
    (data, pairs): (&OwnData, &Pairs),
    test: &Test,
    provenance: &Provenance,
) -> Result<Evidence, StageError> {
    let ensembles = ensembles(run, pairs, test)?;
    write(run, test, &data.labels, &ensembles, provenance)?;
    let extreme = |fold: fn(f32, f32) -> f32| -> Array1<f64> {
        let of = |column: ndarray::ArrayView1<f32>| column.iter().copied().reduce(fold).map_or(0.0, f64::from);
        pairs.z.columns().into_iter().map(of).collect()
    };
    let (least, most) = (extreme(f32::min), extreme(f32::max));
    let range = (&most - &least).mapv(|range| if range > 0.0 { range } else { 1.0 });
    let choices = run.choices;
    Ok(Evidence {
        observables: observables(&data.labels),
        truth: test.trajectories.states.clone(),
        truth_word: (0..test.trajectories.count()).collect(),
        models: vec![(ModelKind::Ours, ensembles.mapv(f64::from))],
        sizes: Vec::new(),
        times: test.trajectories.times.clone(),
        regular: (0..test.trajectories.times.len()).collect(),
        least,
        range,
        conditions: test.conditions.clone(),
        starts: test.starts,
        symmetries: vec![Symmetry::of_signs(&vec![1.0; pairs.components()])],
        sites: 1,
        pairs: PairsEvidence {
            count: pairs.dt.len(),
            state: pairs.z.mapv(f64::from),
            increment: pairs.increment.mapv(f64::from),
            quiet: pairs.quiet_increment(&Alone)?.mapv(f64::from),
            duration: pairs.dt.mapv(f64::from),
            age: Array1::from_elem(pairs.dt.len(), f64::NAN),
            word: pairs.trajectory.clone(),
            patches: data.patches.round().max(1.0) as usize,
            copies: false,
            of_simulated_size: true,
            shared: true,
        },
        trust: TrustEvidence::default(),
        equations: equations(run, pairs)?,
        calibrations: Vec::new(),
        choices: Choices {
            seed: choices.seed,
            equilibrium: choices.evaluate.equilibrium,
            resamples: choices.evaluate.resamples,
            discrepancy: choices.evaluate.discrepancy,
        },
    })
}

/// Drift and noise of each model at its pairs, for an equation of one component and without conditions.
fn equations(run: &OwnRun, pairs: &Pairs) -> Result<Vec<LearnedEquation>, StageError> {
    let mut equations = Vec::new();
    if pairs.components() == 1 && pairs.condition.is_none() {
        let some = pairs.rows(&(0..pairs.dt.len().min(EQUATION_PAIRS)).collect::<Vec<_>>());
        for model in models(run)? {
            equations.push(LearnedEquation {
                kind: ModelKind::Ours,
                z: some.z.iter().map(|&z| z.into()).collect(),
                drift: calibration::drift(&model, &some)?.into_iter().map(f64::from).collect(),
                noise: calibration::noise(&model, &some)?.into_iter().map(f64::from).collect(),
            });
        }
    }
    Ok(equations)
}

/// The components as observables. Names of observables live as long as the program, and a process reads one file.
fn observables(labels: &Labels) -> &'static [Observable] {
    let kept = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let observable = |label: &crate::learning::Label| {
        let (name, unit) = (kept(&label.name), kept(&label.unit));
        Observable { name, symbol: name, unit, scaled: true }
    };
    Box::leak(labels.components.iter().map(observable).collect())
}

/// States `[model, trajectory, record, component]`; trajectories `t * replicas + r` start as test trajectory t.
fn ensembles(run: &OwnRun, pairs: &Pairs, test: &Test) -> Result<Array4<f32>, StageError> {
    let (replicas, trajectories) = (run.choices.predict.replicas, &test.trajectories);
    let interval = trajectories.times[1] - trajectories.times[0];
    let wanted = run.choices.predict.step.unwrap_or_else(|| f64::from(pairs.dt.mean().unwrap_or(1.0)));
    let every = (interval / wanted).ceil().max(1.0);
    let repeated: Vec<usize> = (0..trajectories.count() * replicas).map(|row| row / replicas).collect();
    let starts = trajectories.states.slice(s![.., 0, ..]).mapv(|value| value as f32).select(Axis(0), &repeated);
    let each = starts.nrows() / test.conditions.len();
    let mut ensembles: Vec<Array3<f32>> = Vec::new();
    for (index, (model, &seed)) in models(run)?.iter().zip(&run.choices.seeds).enumerate() {
        let mut parts: Vec<Array3<f32>> = Vec::new();
        for (number, condition) in test.conditions.iter().enumerate() {
            let starts = starts.slice(s![number * each..(number + 1) * each, ..]);
            let at_condition =
                (!model.conditions().is_empty()).then(|| model.at_condition(&condition.0)).transpose()?;
            let model = at_condition.as_ref().unwrap_or(model);
            let item = [index as u64, (number << 32) as u64];
            let later: Vec<f64> = trajectories.times[1..].iter().map(|time| time - trajectories.times[0]).collect();
            let mut rollout = Rollout::new(model, starts, interval / every, later, run.choices.seed ^ seed, item)?;
            let later = rollout.records(trajectories.times.len() - 1)?;
            let views = [starts.insert_axis(Axis(0)), later.view()];
            let all = concatenate(Axis(0), &views).expect("starts and records have equal extents");
            parts.push(all.permuted_axes([1, 0, 2]).as_standard_layout().into_owned());
        }
        let views: Vec<ArrayView3<f32>> = parts.iter().map(|part| part.view()).collect();
        ensembles.push(concatenate(Axis(0), &views).expect("conditions have equal ensembles"));
    }
    let views: Vec<_> = ensembles.iter().map(|ensemble| ensemble.view()).collect();
    Ok(ndarray::stack(Axis(0), &views).expect("models have equal ensembles"))
}

fn write(
    run: &OwnRun,
    test: &Test,
    labels: &Labels,
    ensembles: &Array4<f32>,
    provenance: &Provenance,
) -> Result<(), StageError> {
    let units: Vec<&str> = labels.components.iter().map(|label| label.unit.as_str()).collect();
    let unit = if units.iter().all(|unit| *unit == units[0]) { units[0].to_owned() } else { units.join(", ") };
    let path = run.out.join("prediction.h5");
    // An unfinished file of a killed process is not resumed: a rollout takes seconds.
    std::fs::remove_file(path.with_added_extension("partial")).ok();
    let mut file = Writer::create(&path, run.world, provenance)?;
    let axes = &["model", "trajectory", "time", "component"];
    let meaning = "state of the learned equations from the starts of the test";
    file.declare::<f32>(Field { name: "ours", axes, extents: ensembles.shape(), unit: &unit, meaning })?;
    let truth = &test.trajectories.states;
    let (axes, meaning) = (&["test_trajectory", "time", "component"], "state of the test trajectories");
    file.declare::<f64>(Field { name: "truth", axes, extents: truth.shape(), unit: &unit, meaning })?;
    let times = Array1::from(test.trajectories.times.clone());
    let (extents, unit) = (&[times.len()][..], labels.time_unit.as_str());
    file.declare::<f64>(Field { name: "time", axes: &["time"], extents, unit, meaning: "time of each record" })?;
    let seeds = Array1::from(run.choices.seeds.clone());
    let (extents, meaning) = (&[seeds.len()][..], "seed of the training");
    file.declare::<u64>(Field { name: "model", axes: &["model"], extents, unit: "1", meaning })?;
    file.name_entries("component", labels.components.iter().map(|label| label.name.clone()).collect());
    for (index, label) in labels.condition.iter().enumerate() {
        let values = test.trajectories.conditions.iter().flatten().map(|condition| condition.0[index]);
        let values = Array1::from_iter(values);
        let name = if index == 0 { "condition".to_owned() } else { format!("condition_{}", label.name) };
        let (extents, unit, meaning) = (&[values.len()][..], label.unit.as_str(), label.name.as_str());
        file.declare::<f64>(Field { name: &name, axes: &["test_trajectory"], extents, unit, meaning })?;
        file.coordinate(&name);
        file.write(&name, 0, values.view())?;
    }
    file.write("ours", 0, ensembles.view())?;
    file.write("truth", 0, truth.view())?;
    file.write("time", 0, times.view())?;
    file.write("model", 0, seeds.view())?;
    Ok(file.finish()?)
}
