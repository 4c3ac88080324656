//! The stages of a run: open files, call one engine, write files.

mod clock;
mod closure;
mod dispatch;
mod draws;
mod engines;
mod evaluate;
mod evolve;
mod export;
mod health;
mod latent;
mod live;
mod own;
mod plan;
mod predict;
mod report;
mod rollouts;
mod run;
mod scaling;
mod simulate;
mod starts;
mod status;
mod train;
mod truth;
mod truth_sweeps;
mod two_steps;
mod upsample;
mod watch;
mod words;

pub use dispatch::{export, register};
pub use export::{Export, Format, Source};
pub use own::{OwnRun, fit_own};
pub use plan::plan;
pub use run::run;
pub use scaling::report_scaling;
pub use status::{status, status_of_run};
