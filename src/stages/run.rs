//! Runs stages in order, skips what is complete, and tells how long each took.

use crate::{
    config::Point,
    evaluation::Metrics,
    pages::run::{HEADLINES, highlights},
    parallel::{Ranks, World},
    report::Highlight,
    stages::{dispatch::dispatch, engines::device, report::report_sweep},
    storage::create_folder,
    workflow::{Context, Options, Stage, StageError, ledger, lock, machine, say, tell},
};
use serde_json::{Map, Value as Json, json};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::File,
    path::{Path, PathBuf},
    sync::Once,
    time::Instant,
};
use toml::{Table, Value};

/// Wall-clock seconds of a stage, and seconds that each rank worked.
type Times = Vec<(Stage, f64, Vec<f64>)>;

/// The longest path of a run directory in bytes: MPI-IO adds the name of the file and its own suffix within 256.
const LONGEST_PATH: usize = 200;

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
    let folders: Vec<PathBuf> = points
        .iter()
        .map(|point| if point.set.is_empty() { base.clone() } else { base.join(point.folder()) })
        .collect();
    let contexts: Vec<Context> = points
        .iter()
        .zip(&folders)
        .map(|(point, folder)| Context::new(&point.input, folder.clone(), &base, world, options))
        .collect();
    if world.rank() == 0 {
        contexts.iter().for_each(|context| context.stop.clear());
    }
    if let Some(folder) = folders.iter().find(|folder| folder.as_os_str().len() > LONGEST_PATH) {
        if world.rank() > 0 {
            world.barrier();
        }
        let (length, folder) = (folder.as_os_str().len(), folder.display().to_string());
        return Err(StageError::LongPath { folder, length, limit: LONGEST_PATH });
    }
    check_memory(&contexts)?;
    if world.rank() == 0 && !options.overwrite {
        let swept = !points[0].set.is_empty();
        let plain = swept.then(|| Context::new(&points[0].input, base.clone(), &base, world, options));
        contexts.iter().chain(&plain).try_for_each(|context| refuse_another_input(context))?;
    }
    for (point, context) in points.iter().zip(&contexts) {
        prepare(context)?;
        if !point.set.is_empty() {
            say(context, &format!("{}: point {} of {}", name, point.folder(), points.len()))?;
        }
        let stages = only.map_or(Stage::ALL.to_vec(), |stage| vec![stage]);
        let times = run_point(context, &stages, &folders)?;
        if context.screen.is_text() {
            say(context, &closing_table(context, &times))?;
        }
        if only.is_none() && context.leads() {
            headline(context)?;
        }
    }
    if !points[0].set.is_empty() && only.is_none_or(|stage| stage == Stage::Report) && world.rank() == 0 {
        // A plain run may have left its own files of the same names here.
        let plain = Context::new(&points[0].input, base.clone(), &base, world, options);
        ledger::forget(&plain, Stage::Evaluate)?;
        ledger::forget(&plain, Stage::Report)?;
        report_sweep(points, &contexts, &base, name)?;
        let page = base.join("report.html").display().to_string();
        tell(&contexts[0], &json!({"event": "report", "path": page}), &format!("joint report: {page}"))?;
    }
    world.barrier();
    Ok(())
}

/// Checks that no data of another input would be replaced. Rank 0 only, before anything is written.
fn refuse_another_input(context: &Context) -> Result<(), StageError> {
    let stages = ledger::of_another_input(context);
    if stages.is_empty() {
        return Ok(());
    }
    let before = std::fs::read_to_string(context.path("input.toml")).ok().and_then(|text| text.parse::<Table>().ok());
    let changed =
        before.map_or(Vec::new(), |before| differing(&before, &context.input.toml().parse().unwrap_or_default()));
    let changed = match &changed[..] {
        [] => String::new(),
        keys => format!("The inputs differ in {}. ", keys.join(", ")),
    };
    let folder = context.folder.display().to_string();
    Err(StageError::OtherInput { folder, stages: stages.join(", "), changed })
}

/// The keys in which two tables differ.
fn differing(one: &Table, other: &Table) -> Vec<String> {
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differs = |key: &String| match (one.get(key), other.get(key)) {
        (Some(Value::Table(one)), Some(Value::Table(other))) => {
            differing(one, other).into_iter().map(|inner| format!("{key}.{inner}")).collect()
        }
        (one, other) if one == other => Vec::new(),
        _ => vec![key.clone()],
    };
    keys.into_iter().flat_map(differs).collect()
}

/// Checks that the estimate of every point's memory is not above what this machine has.
fn check_memory(contexts: &[Context]) -> Result<(), StageError> {
    contexts.iter().try_for_each(|context| {
        let memory = context.input.memory(context.options.threads, context.world.size());
        memory.refuse_above(machine::memory(), machine::WHO).map_err(StageError::Memory)
    })
}

/// Makes the run directory and keeps the resolved input in it.
fn prepare(context: &Context) -> Result<(), StageError> {
    if context.leads() {
        create_folder(&context.folder)?;
        ledger::check_formats(context)?;
    }
    context.write_text("input.toml", &context.input.toml())?;
    if let Some(text) = ledger::restore(context)? {
        say(context, &text)?;
    }
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
                let name = stage.name();
                context.screen.event(&json!({"event": "started", "stage": name, "run": context.folder}));
                context.worked.set(0.0);
                let _lock = if context.leads() { take_lock(context, stage)? } else { None };
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
                let event = json!({"event": "finished", "stage": name, "seconds": wall, "work": worked});
                tell(context, &event, &format!("{name:9} {wall:8.1} s"))?;
                times.push((stage, wall, worked));
            }
            1 => skipped(context, stage, "complete, skipped")?,
            2 => skipped(context, stage, "taken over from another point of the sweep")?,
            // Every rank learns of it, one says it.
            lacking if context.leads() => {
                return Err(missing(context, stage, stage.needs()[usize::from(lacking) - 3]));
            }
            _ => context.world.barrier(),
        }
    }
    Ok(times)
}

fn skipped(context: &Context, stage: Stage, why: &str) -> Result<(), StageError> {
    let event = json!({"event": "skipped", "stage": stage.name(), "why": why});
    tell(context, &event, &format!("{:9} {why}", stage.name()))
}

/// Takes the lock of a stage, and says once if the file system has none.
fn take_lock(context: &Context, stage: Stage) -> Result<Option<File>, StageError> {
    static SAID: Once = Once::new();
    let lock = lock::stage(context, stage)?;
    if lock.is_none() {
        let mut said = Ok(());
        SAID.call_once(|| {
            let folder = context.folder.display();
            said = say(
                context,
                &format!("warning: the file system of {folder} has no locks. Nothing keeps a second run out of it"),
            );
        });
        said?;
    }
    Ok(lock)
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

/// Tells the scores of a finished run in a few lines, and where its page is.
fn headline(context: &Context) -> Result<(), StageError> {
    let (metrics, page): (Metrics, _) = (context.read_json("metrics.json")?, context.path("report.html"));
    let mut text = String::new();
    for Highlight { label, value, .. } in highlights(&metrics) {
        let _ = writeln!(text, "{label:24} {value}");
    }
    let scores: Map<String, Json> =
        HEADLINES.iter().filter_map(|(_, name, _)| Some(((*name).into(), json!(metrics.get(name)?)))).collect();
    let event = json!({"event": "scores", "run": context.folder, "scores": scores, "report": page});
    tell(context, &event, &(text + &format!("report: {}", page.display())))
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
