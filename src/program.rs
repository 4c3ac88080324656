//! The whole program, with the physics of your own crate in it.
//!
//! ```no_run
//! # use tessera::systems::Ising;
//! fn main() {
//!     tessera::Program::new().system::<Ising>("my_magnet", "# a commented input").main()
//! }
//! ```

use crate::{
    bench, cli,
    learning::{Feature, MakeDiffusion, MakeDrift, sde},
    scores::{self, MakeScore},
    stages,
    systems::System,
};
use hdf5::H5Type;

/// The command line program: all stages, MPI, restarts and reports, for the systems of this crate and those added here.
#[derive(Debug, Default)]
#[must_use = "nothing runs before `main`"]
pub struct Program(());

impl Program {
    /// The program with the systems of this crate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a system: `[system.<name>]` in an input names it. `template` is the commented input that `new <name>`
    /// prints.
    pub fn system<S: System<Site: H5Type, Feature: Feature>>(self, name: &'static str, template: &'static str) -> Self {
        stages::register::<S>(name, template);
        bench::register::<S>(name);
        self
    }

    /// Adds a score that all runs get.
    pub fn score(self, name: &'static str, make: MakeScore) -> Self {
        scores::REGISTRY.add(name, make);
        self
    }

    /// Adds a drift: `train.model.drift = "<name>"` in an input names it.
    pub fn drift(self, name: &'static str, make: MakeDrift) -> Self {
        sde::DRIFTS.add(name, make);
        self
    }

    /// Adds a diffusion: `train.model.diffusion = "<name>"` in an input names it.
    pub fn diffusion(self, name: &'static str, make: MakeDiffusion) -> Self {
        sde::DIFFUSIONS.add(name, make);
        self
    }

    /// Does what the command line says, and ends the process with its exit status.
    pub fn main(self) {
        cli::main();
    }
}
