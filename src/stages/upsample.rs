//! D: large snapshots from small ones by Upsample and LocalRelax, level by level (Algorithm 1; `large.h5`).

use super::{
    Context, Stage, StageError, conditions,
    records::{intensive, names_of_observables, shaped, spatial_axes},
    sharing::{Work, joined},
};
use crate::{
    config::Input,
    dataset::{Field, Reader, Writer},
    lattice::{Lattice, Shape},
    rng::{Purpose, stream},
    sampling::{LocalRelax, upsampling_factors},
    systems::System,
};
use hdf5::H5Type;
use ndarray::ArrayD;

/// Raises a small snapshot to the large size. `seen` is shown the lattice after each Upsample and each LocalRelax.
///
/// # Errors
/// When a patch cannot relax as far as asked.
pub fn raise<S: System>(
    input: &Input,
    relax: &mut LocalRelax<S>,
    system: &S,
    snapshot: u64,
    small: Lattice<S::Site>,
    mut seen: impl FnMut(&'static str, &Lattice<S::Site>),
) -> Result<Lattice<S::Site>, StageError> {
    let factors = upsampling_factors(input.small_shape(), input.large_shape()).unwrap_or_default();
    let mut lattice = small;
    for (level, factor) in (0_u64..).zip(factors) {
        lattice = system.upsample(&lattice, factor, &mut stream(input.seed, Purpose::Upsample, [snapshot, level]));
        seen("Upsample", &lattice);
        relax.relax(&mut lattice, |patch| stream(input.seed, Purpose::Relax, [snapshot, level << 32 | patch]))?;
        seen("LocalRelax", &lattice);
    }
    Ok(lattice)
}

/// Runs the stage. The shuffled snapshots follow after those raised from small ones.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn upsample<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let input = context.input;
    let (small_shape, shape) = (input.small_shape(), input.large_shape());
    let raised = input.simulate.trajectories * input.simulate.snapshots;
    let small: ArrayD<S::Site> = Reader::open(&context.path("small.h5"))?.read("snapshots")?;
    let small = small.as_slice().unwrap_or_default();
    let mut file = context.create(Stage::Upsample, "large.h5")?;
    declare::<S>(&mut file, input.large_snapshots(), shape)?;
    conditions::declare(&mut file, input, "snapshot", input.large_snapshots())?;
    let family = system.family();
    Work {
        stage: Stage::Upsample,
        unit: "snapshots",
        items: input.large_snapshots(),
        item_bytes: shape.sites() * size_of::<S::Site>(),
    }
    .share_out(
        context,
        |_| Ok(()),
        || {
            let relax = |member| LocalRelax::new(member, input.small_shape(), input.upsample.relax.until());
            (family.iter().map(relax).collect::<Vec<_>>(), S::closed_window(shape))
        },
        |(relax, window), (), item| {
            let condition = input.condition_of(source(input, item) as usize);
            let (system, relax) = (&family[condition], &mut relax[condition]);
            let lattice = if item < raised {
                let sites = small[item * small_shape.sites()..][..small_shape.sites()].to_vec();
                raise(input, relax, system, item as u64, Lattice::from_sites(small_shape, sites), |_, _| ())?
            } else {
                system.draw(shape, None, &mut stream(input.seed, Purpose::ShuffledDraw, [item as u64, 0]))
            };
            window.load(&lattice, [0; 3]);
            Ok((lattice.sites, intensive(system, window)))
        },
        |items, block| {
            let count = block.len();
            let trajectory: Vec<u32> = items.clone().map(|item| source(input, item)).collect();
            let numbers = trajectory.iter().map(|&trajectory| input.condition_of(trajectory as usize));
            conditions::write(&file, input, items.start, numbers)?;
            let sites = joined(block.iter().map(|(sites, _)| sites));
            let observables = joined(block.iter().map(|(_, observables)| observables));
            file.write("snapshots", items.start, shaped(&[&[count], &shape.used()[..]].concat(), &sites))?;
            file.write("observables", items.start, shaped(&[count, S::OBSERVABLES.len()], &observables))?;
            Ok(file.write("trajectory", items.start, shaped(&[count], &trajectory))?)
        },
    )?;
    Ok(file.finish()?)
}

/// The trajectory that a large snapshot comes from; shuffled ones get numbers of their own.
fn source(input: &Input, item: usize) -> u32 {
    let raised = input.simulate.trajectories * input.simulate.snapshots;
    let number =
        if item < raised { item / input.simulate.snapshots } else { item - raised + input.simulate.trajectories };
    number as u32
}

fn declare<S: System<Site: H5Type>>(file: &mut Writer, items: usize, shape: Shape) -> Result<(), StageError> {
    file.declare::<S::Site>(Field {
        name: "snapshots",
        axes: &[&["snapshot"], spatial_axes(shape)].concat(),
        extents: &[&[items], &shape.used()[..]].concat(),
        unit: "1",
        meaning: "microscopic states of the large system: raised ones, then shuffled ones",
    })?;
    file.declare::<f64>(Field {
        name: "observables",
        axes: &["snapshot", "observable"],
        extents: &[items, S::OBSERVABLES.len()],
        unit: "1",
        meaning: &names_of_observables::<S>(),
    })?;
    Ok(file.declare::<u32>(Field {
        name: "trajectory",
        axes: &["snapshot"],
        extents: &[items],
        unit: "1",
        meaning: "small-system trajectory that the snapshot comes from; a number of its own for a shuffled one",
    })?)
}
