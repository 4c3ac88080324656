//! The clock of an equation: how much slower the system is than an equation of short pairs says.
//!
//! An equation of the order parameter alone forgets what the system remembers, so that near a critical point it runs too
//! fast. The slowest rate of relaxation of the small system is measured on its trajectories. At equal scaling variables
//! that of the large one is (l / L)^z times as large, with the dynamic exponent z (P. C. Hohenberg and B. I. Halperin,
//! Rev. Mod. Phys. 49, 435 (1977)). Its ratio to the rate that the pairs imply is the clock.

use crate::{
    evaluation::{Metric, relaxation::slowest_rate, stationary::criticality_of_pairs},
    files::{evidence, small::SmallFile},
    workflow::{Context, StageError, say},
};
use ndarray::{Array3, Axis};

/// The clock of the models of a run, if the input asks for one. Every rank gets the same.
///
/// # Errors
/// When a file cannot be read, or the trajectories or pairs are too few.
pub(super) fn clock(context: &Context) -> Result<Option<f64>, StageError> {
    let input = context.input;
    let Some(scaling) = input.system.dynamic_scaling().filter(|_| input.train.clock) else { return Ok(None) };
    let component = scaling.component;
    let times = input.small_schedule().times;
    let small: Array3<f64> = SmallFile::open(context)?.observables(0..input.simulate.trajectories)?;
    let words: Vec<usize> = (0..input.simulate.trajectories).map(|trajectory| input.word_of(trajectory)).collect();
    let measured = slowest_rate(small.index_axis(Axis(2), component), times[1] - times[0], &words)?;
    let pairs = evidence::pairs(context)?;
    // Sites and temperature are for chi alone.
    let [.., implied] = criticality_of_pairs(pairs.of_magnet(component), pairs.patches, true, 1, 1.0)?;
    let [short, long] = [input.small_shape(), input.large_shape()].map(|shape| shape.0[2] as f64);
    let expected = (short / long).powf(scaling.exponent);
    let relative = |metric: &Metric| metric.std_error.unwrap_or(0.0) / metric.value;
    let clock = expected * measured.value / implied.value;
    let error = clock * relative(&measured).hypot(relative(&implied));
    say(
        context,
        &format!(
            "clock {clock:.3} +- {error:.3}: the small system relaxes at {:.3e}, the large one at {:.3e} by dynamic scaling; \
             the pairs imply {:.3e}",
            measured.value,
            expected * measured.value,
            implied.value
        ),
    )?;
    Ok(Some(clock))
}
