//! `tessera export`: which states, in which format, where to.

use crate::{
    config,
    parallel::World,
    stages::{self, Export, Format, Source},
    workflow::{Context, Form, Options, StageError},
};
use clap::{Args, ValueEnum};
use std::{path::PathBuf, sync::Arc};

/// The options.
#[derive(Debug, Args)]
pub struct ExportOptions {
    /// Run directory, or the folder of one point of a sweep
    run: PathBuf,
    /// dump and extxyz: atoms for OVITO and ASE; xdmf: spins and fields for ParaView
    #[arg(long, value_enum)]
    format: FormatName,
    /// File of states: the direct simulation, the small system, or the upsampled snapshots
    #[arg(long, value_enum, default_value = "truth")]
    from: SourceName,
    /// Trajectory of truth or small, from 0
    #[arg(long, default_value_t = 0)]
    trajectory: usize,
    /// Records of the trajectory, or snapshots of large, from 0: A or A..B, both included [default: all]
    #[arg(long, value_parser = range)]
    frames: Option<Frames>,
    /// Take every N-th of them
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// New file; dumps and XYZ files that end in .gz are compressed [default: in the run directory]
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Dump,
    Extxyz,
    Xdmf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SourceName {
    Truth,
    Small,
    Large,
}

#[derive(Clone, Copy, Debug)]
struct Frames([usize; 2]);

fn range(text: &str) -> Result<Frames, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(Frames([first, last])),
        _ => Err("give a number, or two as in 0..9".into()),
    }
}

/// Writes the new file.
///
/// # Errors
/// When the run directory has no such states, or the file cannot be written.
pub fn run(options: &ExportOptions) -> Result<(), StageError> {
    let world = World::start().expect("MPI starts once, here");
    let points =
        config::load(&options.run.join("input.toml"), &[]).map_err(|error| StageError::Engine(error.into()))?;
    let choices = Options {
        out: None,
        threads: 1,
        device: "cpu".into(),
        ranks_per_snapshot: 1,
        checkpoint_seconds: 300.0,
        overwrite: false,
        form: Form::Text,
        signalled: Arc::default(),
    };
    points.iter().try_for_each(|point| {
        let context = Context::new(&point.input, options.run.clone(), &options.run, &world, &choices);
        stages::export(&context, &options.export())
    })
}

impl ExportOptions {
    fn export(&self) -> Export {
        Export {
            format: match self.format {
                FormatName::Dump => Format::Dump,
                FormatName::Extxyz => Format::Extxyz,
                FormatName::Xdmf => Format::Xdmf,
            },
            source: match self.from {
                SourceName::Truth => Source::Truth,
                SourceName::Small => Source::Small,
                SourceName::Large => Source::Large,
            },
            trajectory: self.trajectory,
            frames: self.frames.map(|Frames(ends)| ends),
            every: self.every as usize,
            out: self.out.clone(),
        }
    }
}
