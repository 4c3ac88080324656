//! What a run will do, in numbers, before it does anything (`tessera check`).

use crate::{
    config::{Input, Relax},
    dynamics::Until,
    lattice::Shape,
    sampling::Schedule,
    workflow::{Stage, machine},
};
use std::fmt::Write as _;

/// A table of sizes, patches, work, files and memory for one input on ranks with so many threads.
pub fn plan(input: &Input, threads: usize) -> String {
    let mut text = String::new();
    for (name, value) in [sizes(input), data(input), learning(input)].into_iter().flatten() {
        let _ = writeln!(text, "{name:22} {value}");
    }
    text.push('\n');
    for stage in Stage::ALL {
        let size = bytes(stage, input).map_or(String::new(), |bytes| format!(", about {:.1} MB", bytes / 1e6));
        let name = format!("files of {}", stage.name());
        let _ = writeln!(text, "{name:22} {}{size}", stage.files(input).join(", "));
    }
    let memory = input.memory(threads, 1);
    let _ = writeln!(
        text,
        "{:22} about {:.2} GB on a single rank with {threads} thread(s), for {}; ranks share the pairs",
        "memory of one rank",
        memory.bytes / 1e9,
        memory.stage
    );
    if let Err(reason) = memory.refuse_above(machine::memory(), machine::WHO) {
        let _ = writeln!(text, "not on this machine:   {reason}");
    }
    text
}

type Lines = Vec<(&'static str, String)>;

fn sizes(input: &Input) -> Lines {
    let (small, patch, large) = (input.small_shape(), input.patch_shape(), input.large_shape());
    let shape = |shape: Shape| format!("{:?} = {} sites", shape.used(), shape.sites());
    let factors = input.upsampling_factors().unwrap_or_default();
    let upsampling = &input.upsample;
    let kind = match upsampling.reason {
        Some(reason) => format!("{} (auto): {reason}", upsampling.kind.name()),
        None => upsampling.kind.name().into(),
    };
    vec![
        ("small system", shape(small)),
        ("patch", shape(patch)),
        ("large system", shape(large)),
        ("patches K", format!("{}; lambda = {}", input.patches(), input.covariance_factor())),
        ("upsampling kind", kind),
        ("upsampling factors", if factors.is_empty() { "none".into() } else { format!("{factors:?}") }),
    ]
}

fn data(input: &Input) -> Lines {
    let span = |until: Until| match until {
        Until::Time(time) => format!("time {time}"),
        Until::Events(events) => format!("{events} events"),
    };
    let (simulate, trajectories) = (&input.simulate, input.truth_trajectories());
    let schedule = input.small_schedule();
    let small_work =
        (simulate.trajectories * input.small_shape().sites()) as f64 * schedule.times.last().copied().unwrap_or(0.0);
    let truth_work = (trajectories * input.truth_shape().sites()) as f64 * input.truth_duration();
    let relax = match (input.upsample.relax, input.upsample.relax.until(1.0)) {
        (Relax::Age(fraction), _) => format!("each overlapping patch relaxes for {fraction} of the snapshot's age"),
        (_, Some(until)) => format!("each overlapping patch relaxes for {}", span(until)),
        (_, None) => "no relaxation".into(),
    };
    vec![
        (
            "simulate",
            format!("{} trajectories x {}, {small_work:.3e} site-times", simulate.trajectories, recorded(&schedule)),
        ),
        (
            "upsample",
            format!("{} snapshots, of which {} shuffled; {relax}", input.large_snapshots(), input.upsample.shuffled),
        ),
        ("evolve", format!("{} pairs, {} each", input.pairs(), span(input.evolve.until))),
        (
            "truth",
            format!("{trajectories} trajectories x {}, {truth_work:.3e} site-times", recorded(&input.truth_schedule())),
        ),
    ]
}

/// How much is recorded of a trajectory.
fn recorded(schedule: &Schedule) -> String {
    let (records, kept) = (schedule.records(), schedule.kept.len());
    if kept == records { format!("{records} snapshots") } else { format!("{records} records, {kept} with their state") }
}

fn learning(input: &Input) -> Lines {
    let models = input.train.seeds.len() * if input.train.baseline { 2 } else { 1 };
    let trajectories = input.truth_trajectories() * input.predict.replicas;
    let steps = (input.truth_duration() / input.predict.step).ceil();
    vec![
        ("closure", format!("{} variables, {} epochs", input.closure.components(), input.closure.epochs)),
        ("train", format!("{models} model(s) x {} epochs of {} pairs", input.train.fit.epochs, input.pairs())),
        ("predict", format!("{trajectories} trajectories x {steps} steps, each model")),
    ]
}

/// Bytes of the stage's data file.
fn bytes(stage: Stage, input: &Input) -> Option<f64> {
    let shapes = [input.small_shape(), input.patch_shape(), input.large_shape(), input.truth_shape()];
    let [small, patch, large, truth] = shapes.map(|shape| input.system.bytes_in_files(shape));
    let trajectories = input.truth_trajectories();
    let recorded = |schedule: &Schedule, state: usize| schedule.kept.len() * state + schedule.records() * 16;
    let bytes = match stage {
        Stage::Simulate => input.simulate.trajectories * recorded(&input.small_schedule(), small),
        Stage::Upsample => input.large_snapshots() * (large + 20),
        Stage::Evolve => input.pairs() * (if input.closes() { 2 * patch } else { 0 } + 96),
        Stage::Closure => input.pairs() * 12 * (2 + input.closure.components()),
        Stage::Truth => trajectories * recorded(&input.truth_schedule(), truth),
        _ => return None,
    };
    Some(bytes as f64)
}
