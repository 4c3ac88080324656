//! D_s: trajectories of the small system from random starts (`small.h5`).

use crate::{
    config::Input,
    dynamics::InLanes,
    files::{SmallFile, small::Small},
    rng::{Purpose, stream},
    sampling::Trajectory,
    stages::{
        health::{check_finite, look_at_trajectories},
        live::Live,
        words::{announce, by_words},
    },
    systems::System,
    workflow::{Context, Stage, StageError, items::ItemsOverThreads},
};
use hdf5::H5Type;

/// Simulates the small system, each trajectory on one thread, and writes `small.h5`. Reads no file.
///
/// # Errors
/// When the kernel or the file system fails, an observable is not finite, or a clean stop is asked for.
pub fn simulate<S: System<Site: H5Type>>(context: &Context, system: &S) -> Result<(), StageError> {
    let (input, seed, shape) = (context.input, context.input.seed, context.input.small_shape());
    let (schedule, group) = (input.small_schedule(), input.simulate.group);
    let lanes = input.small_in_lanes().then(|| input.small_lanes());
    announce(context, Stage::Simulate, lanes)?;
    let file = SmallFile::create::<S>(context)?;
    let draw = |system: &S, trajectory: usize| {
        let shared = stream(seed, Purpose::SmallDraw, [(trajectory / group) as u64, 1]);
        let start = (group > 1).then_some(shared).and_then(|mut rng| system.draw_start(&mut rng));
        system.draw(shape, start, &mut stream(seed, Purpose::SmallDraw, [trajectory as u64, 0]))
    };
    let live = Live { screen: &context.screen, stage: Stage::Simulate, times: &schedule.times };
    // Members of one group lie in different words, so that they are independent.
    let key = |trajectory| input.word_of(trajectory) * group + trajectory % group;
    ItemsOverThreads {
        stage: Stage::Simulate,
        unit: "trajectories",
        items: input.simulate.trajectories,
        item_bytes: (schedule.kept.len() + 1) * shape.sites() * size_of::<S::Site>(),
        at_once: lanes.map_or(1, |lanes| lanes * group * input.conditions_in_data().len()),
    }
    .run(
        context,
        file.items(),
        |_| Ok(()),
        S::Dynamics::default,
        |dynamics, (), trajectories| {
            by_words(trajectories, lanes.unwrap_or(1), key, |word| {
                let system = &simulated(input, system, input.condition_of(word[0]));
                let starts: Vec<_> = word.iter().map(|&trajectory| draw(system, trajectory)).collect();
                let rng = &mut stream(seed, Purpose::SmallEvolve, [word[0] as u64, 0]);
                if let Some(law) = InLanes::<S, 1>::new(system).filter(|_| lanes.is_some()) {
                    let seen = |so_far: &[Trajectory<_>]| {
                        live.seen::<S>(word.len() as f64, word[0], &so_far[0].observables);
                    };
                    return Ok(schedule.record_in_lanes(system, &law, &starts, rng, seen)?);
                }
                let place = |trajectory| {
                    let times = &schedule.times;
                    move |record: usize| format!("trajectory {trajectory}, record {record}, time {}", times[record])
                };
                let record = |(&trajectory, start): (&usize, _)| {
                    let finite = |so_far: &Trajectory<_>| {
                        live.seen::<S>(1.0, trajectory, &so_far.observables);
                        check_finite::<S>(Stage::Simulate, &so_far.observables, place(trajectory))
                    };
                    schedule.record(system, start, Trajectory::default(), rng, dynamics, |so_far, _| finite(so_far))
                };
                word.iter().zip(starts).map(record).collect()
            })
        },
        |items, block| file.write(items.start, &block),
    )?;
    file.finish()?;
    look_at_trajectories::<Small>(context)
}

/// The law of the small system under a condition: rescaled where it stands for a larger one near a critical point.
fn simulated<S: System>(input: &Input, system: &S, condition: usize) -> S {
    let system = system.at_condition(condition);
    let Some(ratio) = input.rescaling() else { return system };
    system.rescaled(ratio).expect("the input was checked: the system can be rescaled")
}
