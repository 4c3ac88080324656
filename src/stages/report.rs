//! The page that a user looks at (`report.html`): what was learned, how good it is, and what it was learned from.

use crate::{
    evaluation::Metrics,
    files::{SmallFile, arrays::raw, ensembles::Ensembles, trainings::trainings},
    lattice::Lattice,
    learning::Feature,
    pages::{
        equilibrium::distributions,
        run::{against_time, brief, highlights, image, palette},
        training::training,
    },
    report::{Block, ImageGrid, Report, Section, Table},
    sampling::{LocalRelax, upsampled, upsampling_factors},
    systems::System,
    workflow::{Context, StageError},
};
use hdf5::H5Type;
use serde_json::json;

/// Runs the stage.
///
/// # Errors
/// When a file cannot be read or the page cannot be drawn.
pub fn report<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<(), StageError> {
    if !context.leads() {
        return Ok(());
    }
    let path = context.path("metrics.json");
    let metrics: Metrics = std::fs::read_to_string(&path)
        .and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::other))
        .map_err(|source| StageError::Io { action: "read", path, source })?;
    let ensembles = Ensembles::read(context)?;
    let trainings = trainings(context)?;
    let input = context.input;
    let page = Report {
        title: format!(
            "Macroscopic dynamics of {} sites, learned from {}",
            input.large_shape().sites(),
            input.relax_shape().sites()
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
        sections: vec![
            Section::new("Result").with(Block::Highlights(highlights(&metrics))),
            against_time::<S>(context, &ensembles),
            distributions(context, &ensembles, &metrics, S::OBSERVABLES),
            snapshots(context, system)?,
            training(
                context,
                &trainings,
                &S::OBSERVABLES.iter().map(|observable| observable.symbol).collect::<Vec<_>>(),
            )?,
            Section::new("All metrics").with(Block::Table(Table::of_metrics("metrics.json", &metrics))),
            Section::new("Input").with(Block::Verbatim("input.toml".into(), input.toml())),
        ],
    };
    context.write_text("report.html", &page.html()?)
}

fn snapshots<S: System<Site: H5Type, Feature: Feature>>(context: &Context, system: &S) -> Result<Section, StageError> {
    let input = context.input;
    // The first trajectory is under the first condition of the data.
    let system = &system.under(input.condition_of(0));
    let sites: Vec<S::Site> = raw(SmallFile::open(context)?.snapshots(0..1)?);
    let shape = input.small_shape();
    let factors = upsampling_factors(shape, input.large_shape()).unwrap_or_default();
    let mut relax = LocalRelax::new(system, input.relax_shape(), input.upsample.relax.until());
    let mut section = Section::new("From small to large");
    let last = input.simulate.snapshots - 1;
    for (name, record) in [("Soon after the start", 1.min(last)), ("Near equilibrium", last)] {
        let start = Lattice::from_sites(shape, sites[record * shape.sites()..][..shape.sites()].to_vec());
        let mut images = vec![image::<S>("small system", &start)?];
        let mut failed = None;
        upsampled(
            system,
            &mut relax,
            &factors,
            (input.seed, record as u64),
            vec![start],
            |step, lattice| match image::<S>(step, lattice) {
                Ok(drawn) => images.push(drawn),
                Err(error) => failed = Some(error),
            },
        )?;
        if let Some(error) = failed {
            return Err(error);
        }
        section = section.with(Block::Images(ImageGrid {
            title: name.into(),
            caption: "One snapshot of the small system at each level of the hierarchy.".into(),
            look_for: "no blocks left after LocalRelax.".into(),
            images,
            palette: palette::<S>(),
        }));
    }
    Ok(section)
}
