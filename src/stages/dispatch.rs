//! Finds the function of a stage for the system of an input.

use super::{closure, evaluate, evolve, predict, report, simulate, train, truth, upsample};
use crate::{
    learning::Feature,
    registry::Registry,
    systems::{self, System, for_built_in_systems},
    workflow::{Context, Stage, StageError},
};
use hdf5::H5Type;

/// Runs a stage for the systems of one type.
pub type RunStage = fn(&Context, Stage) -> Result<(), StageError>;

macro_rules! functions {
    ($($system:ty, $name:literal, $input:literal;)*) => { &[$(($name, run_stage::<$system> as RunStage)),*] };
}

static FUNCTIONS: Registry<RunStage> = Registry::new(for_built_in_systems!(functions));

/// Registers a system under a name for inputs and all stages. `template` is a commented input.
pub fn register<S: System<Site: H5Type, Feature: Feature>>(name: &'static str, template: &'static str) {
    let (read, find_fault) = (systems::read::<S>, systems::find_fault::<S>);
    systems::REGISTRY.add(name, systems::Registered { read, find_fault, template });
    FUNCTIONS.add(name, run_stage::<S>);
}

/// Runs a stage for the system of the input.
///
/// # Errors
/// When the stage cannot read or write a file, its engine fails, or it is asked to stop.
pub fn dispatch(context: &Context, stage: Stage) -> Result<(), StageError> {
    let run = FUNCTIONS.get(context.input.system.name()).expect("a system is registered with its stages");
    run(context, stage)
}

fn run_stage<S: System<Site: H5Type, Feature: Feature>>(context: &Context, stage: Stage) -> Result<(), StageError> {
    let system: &S = context.input.system.downcast();
    match stage {
        Stage::Simulate => simulate::simulate(context, system),
        Stage::Upsample => upsample::upsample(context, system),
        Stage::Evolve => evolve::evolve(context, system),
        Stage::Closure => closure::closure(context, system),
        Stage::Train => train::train(context),
        Stage::Truth => truth::truth(context, system),
        Stage::Predict => predict::predict(context, system),
        Stage::Evaluate => evaluate::evaluate(context, system),
        Stage::Report => report::report(context, system),
    }
}
