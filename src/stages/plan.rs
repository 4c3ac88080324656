//! What a run will do, in numbers, before it does anything (`tessera check`).

use crate::{config::Input, dynamics::Until, sampling::upsampling_factors, workflow::Stage};
use std::fmt::Write as _;

/// A table of sizes, patches, work, files and memory for one input.
pub fn plan(input: &Input) -> String {
    let (small, patch, large) = (input.small_shape(), input.patch_shape(), input.large_shape());
    let factors = upsampling_factors(small, large).unwrap_or_default();
    let levels = if factors.is_empty() { "none".to_owned() } else { format!("{factors:?}") };
    let trajectories = input.truth_trajectories();
    let span = |until: Until| match until {
        Until::Time(time) => format!("time {time}"),
        Until::Events(events) => format!("{events} events"),
    };
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:22} {value}");
    };
    line("small system", format!("{:?} = {} sites", small.used(), small.sites()));
    line("patch", format!("{:?} = {} sites", patch.used(), patch.sites()));
    line("large system", format!("{:?} = {} sites", large.used(), large.sites()));
    line("patches K", format!("{}; lambda = {}", input.patches(), input.covariance_factor()));
    line("upsampling factors", levels);
    line(
        "simulate",
        format!(
            "{} trajectories x {} snapshots, {:.3e} site-times",
            input.simulate.trajectories,
            input.simulate.snapshots,
            (input.simulate.trajectories * small.sites()) as f64 * input.simulate.duration(),
        ),
    );
    line(
        "upsample",
        format!(
            "{} snapshots, of which {} shuffled; {}",
            input.large_snapshots(),
            input.upsample.shuffled,
            match input.upsample.relax.until() {
                Some(until) => format!("each overlapping patch relaxes for {}", span(until)),
                None => "no relaxation".into(),
            }
        ),
    );
    line("evolve", format!("{} pairs, {} each", input.pairs(), span(input.evolve.until)));
    line("closure", format!("{} variables, {} epochs", input.closure.components(), input.closure.epochs));
    line(
        "train",
        format!(
            "{} model(s) x {} epochs of {} pairs",
            input.train.seeds.len() * if input.train.baseline { 2 } else { 1 },
            input.train.fit.epochs,
            input.pairs()
        ),
    );
    line(
        "truth",
        format!(
            "{trajectories} trajectories x {} records, {:.3e} site-times",
            input.truth.records,
            (trajectories * (input.truth.records - 1) * input.truth_shape().sites()) as f64 * input.truth.interval,
        ),
    );
    line(
        "predict",
        format!(
            "{} trajectories x {} steps, each model",
            trajectories * input.predict.replicas,
            input.steps_per_record() * (input.truth.records - 1)
        ),
    );
    line("", String::new());
    for stage in Stage::ALL {
        let size = bytes(stage, input).map_or(String::new(), |bytes| format!(", about {:.1} MB", bytes / 1e6));
        line(&format!("files of {}", stage.name()), format!("{}{size}", stage.files(input).join(", ")));
    }
    line(
        "memory of one rank",
        format!("about {:.1} GB on a single rank; several share the pairs and their patches", memory(input) / 1e9),
    );
    text
}

/// Bytes of the stage's data file.
fn bytes(stage: Stage, input: &Input) -> Option<f64> {
    let shapes = [input.small_shape(), input.patch_shape(), input.large_shape(), input.truth_shape()];
    let [small, patch, large, truth] = shapes.map(|shape| shape.sites() * input.system.site_bytes());
    let trajectories = input.truth_trajectories();
    let bytes = match stage {
        Stage::Simulate => input.simulate.trajectories * input.simulate.snapshots * (small + 16),
        Stage::Upsample => input.large_snapshots() * (large + 20),
        Stage::Evolve => input.pairs() * (2 * patch + 92),
        Stage::Closure => input.pairs() * 12 * (2 + input.closure.components()),
        Stage::Truth => trajectories * input.truth.records * (truth + 16),
        _ => return None,
    };
    Some(bytes as f64)
}

/// Peak memory of a single rank, which holds all training patches; blocks of snapshots are bounded.
fn memory(input: &Input) -> f64 {
    let patch = input.patch_shape().sites() * input.system.site_bytes();
    let training = input.pairs() * (patch + 48 * (2 + input.closure.components()));
    let record = input.truth.records * input.truth_shape().sites() * input.system.site_bytes();
    (training + (6 * record).max(400 << 20)) as f64 + 3e8
}
