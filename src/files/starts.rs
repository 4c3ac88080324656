//! Where trajectories of the large system start, beside each of them: `start`, the entry of `truth.starts` (one number,
//! or several along the axis `start_number`), and the [conditions]. Repeated trajectories of a prediction follow each
//! other.

use crate::{
    config::Input,
    dataset::{Field, Writer},
    files::{arrays::shaped, conditions},
    workflow::StageError,
};

const START: &str = "start";
const MEANING: &str = "entry of truth.starts that the trajectory starts from";

/// The numbers of each start, all of one length; `None` of starts that are no such numbers.
fn numbers(input: &Input) -> Option<Vec<Vec<f64>>> {
    let number = |value: &toml::Value| value.as_float().or_else(|| Some(value.as_integer()? as f64));
    let list = |value: &toml::Value| match value.as_array() {
        Some(values) => values.iter().map(number).collect::<Option<Vec<f64>>>(),
        None => Some(vec![number(value)?]),
    };
    let all: Vec<Vec<f64>> = input.truth.starts.iter().map(list).collect::<Option<_>>()?;
    let equal = all.iter().all(|values| !values.is_empty() && values.len() == all[0].len());
    equal.then_some(all)
}

/// Declares starts and conditions of so many trajectories.
///
/// # Errors
/// When HDF5 refuses; so do the others.
pub fn declare(file: &mut Writer, input: &Input, trajectories: usize) -> Result<(), StageError> {
    conditions::declare(file, input, "trajectory", trajectories)?;
    declare_starts(file, input, trajectories)
}

/// Writes starts and conditions of so many trajectories, if this rank `leads`.
pub fn write(file: &Writer, input: &Input, trajectories: usize, leads: bool) -> Result<(), StageError> {
    let repeats = trajectories / input.truth_trajectories().max(1);
    if leads {
        let conditions = (0..trajectories).map(|trajectory| input.truth_start(trajectory / repeats).0);
        conditions::write(file, input, 0, conditions)?;
    }
    write_starts(file, input, trajectories, leads)
}

/// Declares the starts of so many trajectories.
pub fn declare_starts(file: &mut Writer, input: &Input, trajectories: usize) -> Result<(), StageError> {
    if let Some(numbers) = numbers(input) {
        let count = numbers[0].len();
        let (axes, extents): (&[&str], &[usize]) = match count {
            1 => (&["trajectory"], &[trajectories]),
            _ => (&["trajectory", "start_number"], &[trajectories, count]),
        };
        file.declare::<f64>(Field { name: START, axes, extents, unit: "1", meaning: MEANING })?;
        file.coordinate(START);
    }
    Ok(())
}

/// Writes the starts of so many trajectories, if this rank `leads`.
pub fn write_starts(file: &Writer, input: &Input, trajectories: usize, leads: bool) -> Result<(), StageError> {
    let Some(numbers) = numbers(input).filter(|_| leads) else { return Ok(()) };
    let (repeats, count) = (trajectories / input.truth_trajectories().max(1), numbers[0].len());
    let of_trajectory = |trajectory: usize| &numbers[input.truth_start(trajectory / repeats).1];
    let values: Vec<f64> = (0..trajectories).flat_map(of_trajectory).copied().collect();
    let extents = if count == 1 { vec![trajectories] } else { vec![trajectories, count] };
    Ok(file.write(START, 0, shaped(&extents, &values))?)
}
