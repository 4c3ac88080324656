//! Finds the function of a stage for the system of an input.

use super::{
    Export, closure, evaluate, evolve, export as exporting, predict, report, simulate, train, truth, upsample,
};
use crate::{
    learning::Feature,
    registry::Registry,
    systems::{self, System, for_built_in_systems},
    workflow::{Context, Stage, StageError},
};
use hdf5::H5Type;

/// What is done for a system.
#[derive(Clone, Copy)]
enum Task<'t> {
    Stage(Stage),
    Export(&'t Export),
}

/// Does a task for the systems of one type.
type Run = fn(&Context, Task) -> Result<(), StageError>;

macro_rules! functions {
    ($($system:ty, $name:literal, $input:literal;)*) => { &[$(($name, run::<$system> as Run)),*] };
}

static FUNCTIONS: Registry<Run> = Registry::new(for_built_in_systems!(functions));

/// Registers a system under a name for inputs and all stages. `template` is a commented input.
pub fn register<S: System<Site: H5Type, Feature: Feature>>(name: &'static str, template: &'static str) {
    let (read, find_fault) = (systems::read::<S>, systems::find_fault::<S>);
    systems::REGISTRY.add(name, systems::Registered { read, find_fault, template });
    FUNCTIONS.add(name, run::<S>);
}

/// Runs a stage for the system of the input.
///
/// # Errors
/// When the stage cannot read or write a file, its engine fails, or it is asked to stop.
pub fn dispatch(context: &Context, stage: Stage) -> Result<(), StageError> {
    function(context)(context, Task::Stage(stage))
}

/// Writes states of a run directory in the format of another program.
///
/// # Errors
/// When the run directory has no such states, the format does not suit the system, or the file system refuses.
pub fn export(context: &Context, choice: &Export) -> Result<(), StageError> {
    function(context)(context, Task::Export(choice))
}

fn function(context: &Context) -> Run {
    FUNCTIONS.get(context.input.system.name()).expect("a system is registered with its stages")
}

fn run<S: System<Site: H5Type, Feature: Feature>>(context: &Context, task: Task) -> Result<(), StageError> {
    let stage = match task {
        Task::Stage(stage) => stage,
        Task::Export(choice) => return exporting::export::<S>(context, choice),
    };
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
