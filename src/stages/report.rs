//! The page that a user looks at (`report.html`): what was learned, how good it is, and what it was learned from.

use crate::{
    config::Point,
    evaluation::{
        Metrics,
        binned_drift::{BinnedDrift, binned_drift},
    },
    files::{SmallFile, arrays::raw, evidence, latent::LatentFile, trainings::trainings},
    lattice::Lattice,
    learning::{Feature, Sde, sde::calibration},
    pages::{
        equilibrium::distributions,
        finite_size::scaling,
        glossary::glossary,
        roles::Names,
        run::{against_time, brief, dynamics, highlights, image, title},
        sizes::{learned_sizes, other_sizes},
        sweep::page,
        training::training,
        trust::trust,
    },
    parallel::Alone,
    report::{Block, ImageGrid, LatticePalette, Report, Section, Table},
    sampling::{LocalRelax, upsampled},
    scores::{self, ModelKind},
    stages::engines::device,
    stages::upsample::upsampling,
    storage::write_whole,
    systems::System,
    workflow::{Context, StageError},
};
use hdf5::H5Type;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Most pairs that the figure of the drift looks at.
const DRIFT_PAIRS: usize = 1_000_000;

/// Draws the page of one run, `report.html`, from its metrics, ensembles and trainings. Reads `metrics.json`,
/// `evaluation.h5`, `prediction.h5`, `training.json`, a model, its pairs and two small snapshots.
///
/// # Errors
/// When a file cannot be read or the page cannot be drawn.
pub fn report<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    if !context.leads() {
        return Ok(());
    }
    let input = context.input;
    let metrics: Metrics = context.read_json("metrics.json")?;
    let evidence = evidence::ensembles(context)?;
    let trainings = trainings(context)?;
    let closure =
        (input.observables().len()..evidence.truth.len_of(ndarray::Axis(2))).map(|index| format!("closure {index}"));
    let names: Vec<String> =
        input.observables().iter().map(|observable| observable.symbol.to_owned()).chain(closure).collect();
    let (seed, drift) = learned_drift(context)?;
    let page_names = Names::of(input);
    let mut sections = vec![
        scores::warnings(&metrics)
            .into_iter()
            .fold(Section::new("Result"), |section, warning| section.with(Block::Warning(warning)))
            .with(Block::Highlights(highlights(&metrics))),
        trust(input, &page_names, &evidence, &metrics),
        dynamics(&page_names, &evidence),
        against_time(&page_names, &evidence),
        distributions(input, &page_names, &evidence, &metrics),
    ];
    sections.extend(other_sizes(input, &metrics));
    sections.extend([
        snapshots(context, system)?,
        training(&trainings, &names, (seed, &drift)),
        Section::new("All metrics")
            .with(Block::Table(Table::of_metrics("metrics.json", &metrics)))
            .with(Block::Table(glossary(&metrics))),
        Section::new("Input").with(Block::Verbatim("input.toml".into(), input.toml())),
    ]);
    let page = Report {
        title: title(
            input.observables(),
            &format!(
                " of {} {} sites, learned from systems of {}",
                input.large_shape().sites(),
                input.system.name().replace('_', " "),
                input.small_shape().sites()
            ),
            &metrics,
        ),
        subtitle: format!(
            "{}, patch {:?} to {:?}, K = {}, seed {}; tessera {}, revision {}",
            brief(&json!(input.system)),
            input.patch_shape().used(),
            input.large_shape().used(),
            input.patches(),
            input.seed,
            env!("CARGO_PKG_VERSION"),
            env!("TESSERA_REVISION"),
        ),
        sections,
    };
    context.write_text("report.html", &page.html()?)
}

/// The drift of our first model beside that of the pairs, in bins of each component, and the model's seed.
fn learned_drift(context: &Context) -> Result<(u64, Vec<BinnedDrift>), StageError> {
    let input = context.input;
    let seed = input.train.seeds[0];
    let pairs = LatentFile::open(context)?.pairs(context, ModelKind::Ours, 0..input.pairs().min(DRIFT_PAIRS))?;
    let pairs = pairs.without_deviations(&Alone)?;
    let model = Sde::load(&context.path(&ModelKind::Ours.file(seed)), device(context)?)?;
    let learned = calibration::drift(&model, &pairs)?.mapv(f64::from);
    let (z, increment) = (pairs.z.mapv(f64::from), pairs.quiet_increment(&Alone)?.mapv(f64::from));
    let dt = pairs.dt.mapv(f64::from);
    let binned = |component| binned_drift(z.view(), increment.view(), dt.view(), learned.view(), component);
    Ok((seed, (0..z.ncols()).map(binned).collect()))
}

/// Writes `metrics.json` and `report.html` of a whole sweep into `base`. The contexts are those of the points.
///
/// # Errors
/// When a point's files cannot be read or the joint files cannot be written.
pub fn report_sweep(points: &[Point], contexts: &[Context], base: &Path, name: &str) -> Result<(), StageError> {
    let metrics: Vec<Metrics> =
        contexts.iter().map(|context| context.read_json("metrics.json")).collect::<Result<_, _>>()?;
    let all: Vec<Value> = points
        .iter()
        .zip(&metrics)
        .map(|(point, metrics)| {
            let set: Map<String, Value> = point.set.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            json!({"set": set, "metrics": metrics})
        })
        .collect();
    let (mut fits, mut together) = (Metrics::new(), Vec::new());
    for (found, section) in [scaling(points, &metrics), learned_sizes(points, &metrics)].into_iter().flatten() {
        found.iter().for_each(|(name, metric)| fits.insert(name, metric.clone()));
        together.push(section);
    }
    let joint = json!({"points": all, "fits": fits});
    write_whole(&base.join("metrics.json"), format!("{joint:#}"))?;
    let evidence = contexts.iter().map(evidence::ensembles).collect::<Result<_, _>>()?;
    Ok(write_whole(&base.join("report.html"), page(points, &metrics, evidence, together, name).html()?)?)
}

fn snapshots<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<Section, StageError> {
    let input = context.input;
    // The first trajectory is under the first condition of the data.
    let system = &system.at_condition(input.condition_of(0));
    // What a mosaic is made of: the first group.
    let members = input.simulate.group.min(input.simulate.trajectories);
    let sites: Vec<S::Site> = raw(SmallFile::open(context)?.snapshots(0..members)?);
    let shape = input.small_shape();
    let factors = input.upsampling_factors().unwrap_or_default();
    let mut relax = LocalRelax::new(system, input.relax_shape(), None);
    let mut section = Section::new("From small to large");
    let (per_trajectory, how) = (input.small_snapshots(), upsampling(input, system));
    let last = per_trajectory - 1;
    for (name, nth) in [("Soon after the start", 1.min(last)), ("Near equilibrium", last)] {
        let state = |member: usize| {
            let first = (member * per_trajectory + nth) * shape.sites();
            Lattice::from_sites(shape, sites[first..first + shape.sites()].to_vec())
        };
        let pool: Vec<_> = (0..members).map(state).collect();
        let mut images = vec![image::<S>("small system", &pool[0])?];
        let mut failed = None;
        relax.lasting(input.upsample.relax.until(input.small_schedule().times_kept()[nth]));
        upsampled(
            (system, &*how),
            &mut relax,
            &factors,
            (input.seed, nth as u64),
            pool,
            |step, lattice| match image::<S>(step, lattice) {
                Ok(drawn) => images.push(drawn),
                Err(error) => failed = Some(error),
            },
        )?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        section = section.with(Block::Images(ImageGrid {
            title: name.into(),
            caption: "One snapshot of the small system at each level of the hierarchy.".into(),
            look_for: "no blocks left after LocalRelax.".into(),
            images,
            palette: LatticePalette::of_states(S::STATES),
        }));
    }
    Ok(section)
}
