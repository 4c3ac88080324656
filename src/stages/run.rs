//! Runs stages in order, skips what is complete, and tells how long each took.

use crate::{
    config::Point,
    parallel::{Ranks, World},
    stages::{dispatch::dispatch, engines::device, report::report_sweep},
    storage::create_folder,
    workflow::{Context, Options, Stage, StageError, ledger, lock, say},
};
use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// Wall-clock seconds of a stage, and seconds that each rank worked.
type Times = Vec<(Stage, f64, Vec<f64>)>;

/// Runs all stages for every point of an input, or only one of them.
///
/// # Errors
/// The first error of this rank. The caller ends the job, so that no other rank waits for this one.
pub fn run(
    points: &[Point],
    name: &str,
    only: Option<Stage>,
    world: &World,
    options: &Options,
) -> Result<(), StageError> {
    let base = options.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
    let folders: Vec<PathBuf> =
        points.iter().map(|point| if point.set.is_empty() { base.clone() } else { base.join(point.label()) }).collect();
    let contexts: Vec<Context> = points
        .iter()
        .zip(&folders)
        .map(|(point, folder)| Context::new(&point.input, folder.clone(), &base, world, options))
        .collect();
    if world.rank() == 0 {
        contexts.iter().for_each(|context| context.stop.clear());
    }
    for (point, context) in points.iter().zip(&contexts) {
        prepare(context)?;
        if !point.set.is_empty() {
            say(context, &format!("{}: point {} of {}", name, point.label(), points.len()))?;
        }
        let stages = only.map_or(Stage::ALL.to_vec(), |stage| vec![stage]);
        let times = run_point(context, &stages, &folders)?;
        say(context, &closing_table(context, &times))?;
    }
    if !points[0].set.is_empty() && only.is_none_or(|stage| stage == Stage::Report) && world.rank() == 0 {
        // A plain run may have left its own files of the same names here.
        let plain = Context::new(&points[0].input, base.clone(), &base, world, options);
        ledger::forget(&plain, Stage::Evaluate)?;
        ledger::forget(&plain, Stage::Report)?;
        report_sweep(points, &contexts, &base, name)?;
        writeln!(std::io::stdout(), "joint report: {}", base.join("report.html").display()).ok();
    }
    world.barrier();
    Ok(())
}

/// Makes the run directory and keeps the resolved input in it.
fn prepare(context: &Context) -> Result<(), StageError> {
    if context.leads() {
        create_folder(&context.folder)?;
        ledger::check_formats(context)?;
    }
    context.write_text("input.toml", &context.input.toml())?;
    if context.options.device == "cuda" {
        // A missing accelerator is reported before hours of simulation, not after them.
        device(context)?;
    }
    context.world.barrier();
    Ok(())
}

fn run_point(context: &Context, stages: &[Stage], siblings: &[PathBuf]) -> Result<Times, StageError> {
    let mut times = Vec::new();
    for &stage in stages {
        // Rank 0 looks at the files and decides for all: 0 to run, 1 complete, 2 taken over, 3 + n lacks need n.
        let mut decision = [0_u8];
        if context.leads() {
            decision = [decide(context, stage, siblings)];
        }
        context.world.broadcast(&mut decision);
        context.stop_together()?;
        match decision[0] {
            0 => {
                let start = Instant::now();
                context.worked.set(0.0);
                let _lock = if context.leads() { lock::stage(context, stage)? } else { None };
                ledger::verify(context, stage)?;
                if context.leads() {
                    ledger::forget(context, stage)?;
                }
                context.world.barrier();
                dispatch(context, stage)?;
                let own = start.elapsed().as_secs_f64();
                context.world.barrier();
                ledger::note(context, stage)?;
                let wall = start.elapsed().as_secs_f64();
                let shared = context.worked.get();
                let worked = context.world.gather(if shared > 0.0 { shared } else { own });
                say(context, &format!("{:9} {wall:8.1} s", stage.name()))?;
                times.push((stage, wall, worked));
            }
            1 => say(context, &format!("{:9} complete, skipped", stage.name()))?,
            2 => say(context, &format!("{:9} taken over from another point of the sweep", stage.name()))?,
            // Every rank learns of it, one says it.
            lacking if context.leads() => {
                return Err(missing(context, stage, stage.needs()[usize::from(lacking) - 3]));
            }
            _ => context.world.barrier(),
        }
    }
    Ok(times)
}

fn decide(context: &Context, stage: Stage, siblings: &[PathBuf]) -> u8 {
    if ledger::complete(&context.folder, stage, context.input) {
        return 1;
    }
    if siblings.iter().any(|folder| ledger::adopt(context, stage, folder)) {
        return 2;
    }
    let lacks = |need: &Stage| !ledger::complete(&context.folder, *need, context.input);
    stage.needs().iter().position(lacks).map_or(0, |need| 3 + need as u8)
}

fn missing(context: &Context, stage: Stage, maker: Stage) -> StageError {
    StageError::Missing {
        stage: stage.name(),
        file: maker.files(context.input).join(" and "),
        folder: context.folder.display().to_string(),
        maker: maker.name(),
    }
}

fn closing_table(context: &Context, times: &Times) -> String {
    if times.is_empty() {
        return String::new();
    }
    let ranks = context.world.size();
    let mut table =
        format!("\nseconds on {ranks} rank(s), {} thread(s) each; work of the ranks\n", context.options.threads);
    let _ = writeln!(table, "{:9} {:>9} {:>9} {:>9} {:>9}", "stage", "wall", "min", "avg", "max");
    for (stage, wall, worked) in times {
        let least = worked.iter().copied().fold(f64::INFINITY, f64::min);
        let most = worked.iter().copied().fold(0.0, f64::max);
        let average = worked.iter().sum::<f64>() / ranks as f64;
        let _ = writeln!(table, "{:9} {wall:9.2} {least:9.2} {average:9.2} {most:9.2}", stage.name());
    }
    let total: f64 = times.iter().map(|(_, wall, _)| wall).sum();
    let _ = write!(table, "{:9} {total:9.2}\nresults: {}", "total", context.folder.display());
    table
}
