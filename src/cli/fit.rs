//! `tessera fit`: learns from a user's own data.

use crate::{
    config::{self, FitInput},
    learning::device,
    parallel::{Ranks as _, World},
    stages::{OwnRun, fit_own},
    workflow::StageError,
};
use clap::Args;
use std::path::PathBuf;

/// The options.
#[derive(Debug, Args)]
pub struct FitOptions {
    /// Pairs or trajectories: HDF5, or NumPy's .npz (docs/own_data.md)
    data: PathBuf,
    /// Trajectories to compare predictions with [default: a share of those of DATA]
    #[arg(long)]
    test: Option<PathBuf>,
    /// Choices of networks, training, prediction and scores (TOML)
    #[arg(long)]
    input: Option<PathBuf>,
    /// Change values of the choices: key=value, for instance fit.epochs=50 seeds=[1,2]
    #[arg(long = "set", value_name = "KEY=VALUE", num_args = 1..)]
    set: Vec<String>,
    /// Folder of the results [default: runs/ and the name of the data]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Threads [default: the cores that this process may use]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Device for training and prediction
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "cuda"])]
    device: String,
}

/// Learns, predicts and scores, and returns a summary.
///
/// # Errors
/// When the choices or the data cannot be used, or the file system refuses.
pub fn run(options: &FitOptions) -> Result<String, StageError> {
    let world = World::start().expect("MPI starts once, here");
    if world.size() > 1 {
        let reason = "tessera fit runs on one rank. Start it without mpirun, with --threads for several cores";
        return Err(StageError::Engine(reason.into()));
    }
    let threads = super::threads_of(options.threads);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the thread pool is built once, here");
    tch::set_num_threads(1);
    let choices: FitInput =
        config::load_as(options.input.as_deref(), &options.set).map_err(|error| StageError::Engine(error.into()))?;
    let name = options.data.file_stem().map_or("fit".into(), |stem| stem.to_string_lossy().into_owned());
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name));
    let device = device(options.device.parse()?, world.node_rank())?;
    let (data, test) = (options.data.as_path(), options.test.as_deref());
    fit_own(&OwnRun { data, test, choices: &choices, out: &out, world: &world, device, threads })
}
