//! `tessera model`: what a model file holds, and its drift and diffusion at given states, in physical units.

use crate::learning::{
    LearningError, Sde, SdeModel,
    sde::labels::{per_time, product},
};
use clap::{Args, Subcommand};
use ndarray::Array2;
use serde_json::{Value, json};
use std::{fmt::Write as _, path::PathBuf};
use tch::{Device, Kind, Tensor};

/// Most rows of a table.
const MOST_ROWS: usize = 10_000_000;

/// A model is a file `ours_<seed>.safetensors` or `baseline_<seed>.safetensors` of a run directory.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Print what a model file holds: components, units, networks, scales
    Show {
        /// Model file
        model: PathBuf,
        /// Print the whole description as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print drift and diffusion at given states
    Eval {
        /// Model file and condition
        #[command(flatten)]
        model: Chosen,
        /// State in physical units, components separated by commas; may be repeated
        #[arg(long = "at", required = true, allow_hyphen_values = true, value_parser = numbers)]
        at: Vec<Numbers>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print drift and diffusion on a grid as comma-separated values, for other programs
    Table {
        /// Model file and condition
        #[command(flatten)]
        model: Chosen,
        /// Least value of each component
        #[arg(long, allow_hyphen_values = true, value_parser = numbers)]
        from: Numbers,
        /// Largest value of each component
        #[arg(long, allow_hyphen_values = true, value_parser = numbers)]
        to: Numbers,
        /// Number of values of each component, or one for all
        #[arg(long, default_value = "21", value_parser = numbers)]
        points: Numbers,
    },
}

/// A model, under one condition.
#[derive(Debug, Args)]
pub struct Chosen {
    /// Model file
    model: PathBuf,
    /// Condition, such as the temperature, of a model that was trained with several; numbers separated by commas where
    /// it has several axes, such as 1200,0.5,0.25,0.25
    #[arg(long, value_parser = numbers, allow_hyphen_values = true)]
    condition: Option<Numbers>,
}

/// Numbers separated by commas.
#[derive(Clone, Debug)]
pub struct Numbers(Vec<f64>);

fn numbers(text: &str) -> Result<Numbers, String> {
    let number = |part: &str| part.trim().parse().ok().filter(|number: &f64| number.is_finite());
    let all = text.split(',').map(number).collect::<Option<_>>();
    all.map(Numbers).ok_or_else(|| "give numbers separated by commas".into())
}

/// Why a model cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The model cannot be read or evaluated.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// A list has another length than a state.
    #[error("{name} has {found} numbers, but a state of this model has {expected}: {components}")]
    Length {
        /// The option.
        name: &'static str,
        /// Its numbers.
        found: usize,
        /// Components of a state.
        expected: usize,
        /// Their names.
        components: String,
    },
    /// The model needs a condition.
    #[error("this model was trained at several conditions: choose one with --condition ({0})")]
    NoCondition(String),
    /// The grid is too large or empty.
    #[error("--points asks for {0} states; give between 1 and {MOST_ROWS}")]
    Grid(f64),
}

/// Does what the command says; the result is the text to print.
///
/// # Errors
/// When the model cannot be read, or the choices do not fit it.
pub fn run(command: &ModelCommand) -> Result<String, ModelError> {
    match command {
        ModelCommand::Show { model, json: true } => Ok(format!("{:#}\n", Sde::description(model)?)),
        ModelCommand::Show { model, json: false } => {
            Ok(shown(&Sde::load(model, Device::Cpu)?, &Sde::description(model)?))
        }
        ModelCommand::Eval { model, at, json } => {
            let sde = model.load()?;
            let mut states = Array2::zeros((at.len(), sde.components()));
            for (Numbers(values), mut row) in at.iter().zip(states.rows_mut()) {
                check_length("--at", values, &sde)?;
                row.assign(&ndarray::aview1(values));
            }
            let fields = Fields::of(&sde, states);
            Ok(if *json { format!("{}\n", fields.json(&sde)) } else { fields.text(&sde) })
        }
        ModelCommand::Table { model, from, to, points } => {
            let sde = model.load()?;
            Ok(Fields::of(&sde, grid(&sde, [&from.0, &to.0, &points.0])?).table(&sde))
        }
    }
}

fn check_length(name: &'static str, values: &[f64], sde: &Sde) -> Result<(), ModelError> {
    let (found, expected) = (values.len(), sde.components());
    let names = || sde.labels().components.iter().map(|label| label.name.as_str()).collect::<Vec<_>>().join(", ");
    if found == expected { Ok(()) } else { Err(ModelError::Length { name, found, expected, components: names() }) }
}

/// The states of a grid, the last component fastest.
fn grid(sde: &Sde, [from, to, points]: [&[f64]; 3]) -> Result<Array2<f64>, ModelError> {
    let size = sde.components();
    let points = if points.len() == 1 { vec![points[0]; size] } else { points.to_vec() };
    for (name, values) in [("--from", from), ("--to", to), ("--points", &points[..])] {
        check_length(name, values, sde)?;
    }
    let rows: f64 = points.iter().map(|count| count.floor()).product();
    if !(1.0..=MOST_ROWS as f64).contains(&rows) || points.iter().any(|&count| count < 1.0) {
        return Err(ModelError::Grid(rows));
    }
    let value = |row: usize, component: usize| {
        let faster: usize = points[component + 1..].iter().map(|&count| count as usize).product();
        let (count, index) = (points[component] as usize, row / faster % points[component] as usize);
        from[component] + (to[component] - from[component]) * index as f64 / (count - 1).max(1) as f64
    };
    Ok(Array2::from_shape_fn((rows as usize, size), |(row, component)| value(row, component)))
}

impl Chosen {
    /// The model in double precision, under its condition.
    fn load(&self) -> Result<Sde, ModelError> {
        let sde = Sde::load(&self.model, Device::Cpu)?.in_double_precision();
        match &self.condition {
            Some(condition) => Ok(sde.at_condition(&condition.0)?),
            None if sde.conditions().is_empty() => Ok(sde),
            None => {
                let axes = sde.labels().condition.iter().map(|label| format!("{} [{}]", label.name, label.unit));
                Err(ModelError::NoCondition(axes.collect::<Vec<_>>().join(", ")))
            }
        }
    }
}

/// Drift `[n, d]` and Sigma `[n, d, d]` at states `[n, d]`.
struct Fields {
    states: Array2<f64>,
    drift: Vec<f64>,
    sigma: Vec<f64>,
    within: Option<Vec<bool>>,
}

impl Fields {
    fn of(sde: &Sde, states: Array2<f64>) -> Self {
        let values = |tensor: &Tensor| -> Vec<f64> {
            Vec::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).expect("a list of numbers")
        };
        let flat: Vec<f64> = states.iter().copied().collect();
        let z = Tensor::from_slice(&flat).view([states.nrows() as i64, -1]);
        let factor = sde.diffusion(&z);
        let sigma = values(&factor.matmul(&factor.transpose(1, 2)));
        Self { drift: values(&sde.drift(&z)), sigma, within: sde.within_data(states.view()), states }
    }

    /// State, drift and rows of Sigma of each state, and whether it lies within the data.
    fn rows(&self) -> impl Iterator<Item = (Vec<f64>, &[f64], &[f64], bool)> {
        let size = self.states.ncols();
        let within = |row: usize| self.within.as_ref().is_none_or(|within| within[row]);
        let fields = self.drift.chunks_exact(size).zip(self.sigma.chunks_exact(size * size));
        let rows = self.states.rows().into_iter().zip(fields).enumerate();
        rows.map(move |(row, (z, (drift, sigma)))| (z.to_vec(), drift, sigma, within(row)))
    }

    fn json(&self, sde: &Sde) -> Value {
        let size = self.states.ncols();
        let state = |(z, drift, sigma, within): (Vec<f64>, &[f64], &[f64], bool)| {
            let sigma: Vec<&[f64]> = sigma.chunks_exact(size).collect();
            json!({ "z": z, "drift": drift, "sigma": sigma, "within_data": within })
        };
        json!({ "labels": sde.labels(), "states": self.rows().map(state).collect::<Vec<_>>() })
    }

    fn text(&self, sde: &Sde) -> String {
        let labels = sde.labels();
        let mut text = String::new();
        for (z, drift, sigma, within) in self.rows() {
            let _ = writeln!(text, "{:24} {:>12} {:>13}  Sigma, row by row", "component", "z", "drift");
            for (row, label) in labels.components.iter().enumerate() {
                let sigma: Vec<String> =
                    sigma[row * z.len()..][..z.len()].iter().map(|value| format!("{value:13.5e}")).collect();
                let name =
                    if label.unit == "1" { label.name.clone() } else { format!("{} [{}]", label.name, label.unit) };
                let _ = writeln!(text, "{name:24} {:12.6} {:13.5e} {}", z[row], drift[row], sigma.join(" "));
            }
            if !within {
                text += "this state lies beyond the training data: nothing is known there\n";
            }
        }
        text + &units(sde)
    }

    fn table(&self, sde: &Sde) -> String {
        let names: Vec<&str> = sde.labels().components.iter().map(|label| label.name.as_str()).collect();
        let drift = names.iter().map(|name| format!("drift of {name}"));
        let others = |row: usize| names[row..].iter().map(move |other| (row, other));
        let pairs = (0..names.len()).flat_map(others);
        let sigma = pairs.map(|(row, other)| format!("Sigma of {} and {other}", names[row]));
        let header: Vec<String> = names.iter().map(|&name| name.into()).chain(drift).chain(sigma).collect();
        let mut text = format!("{},within data\n", header.join(","));
        for (z, drift, sigma, within) in self.rows() {
            let size = z.len();
            let upper = (0..size).flat_map(|row| &sigma[row * size + row..(row + 1) * size]);
            for value in z.iter().chain(drift).chain(upper) {
                let _ = write!(text, "{value:.9e},");
            }
            let _ = writeln!(text, "{}", u8::from(within));
        }
        text
    }
}

/// One line for each unit of drift and Sigma.
fn units(sde: &Sde) -> String {
    let labels = sde.labels();
    let time = &labels.time_unit;
    let mut drifts: Vec<String> = labels.components.iter().map(|label| per_time(&label.unit, time)).collect();
    let squares = labels
        .components
        .iter()
        .flat_map(|one| labels.components.iter().map(move |two| per_time(&product(&one.unit, &two.unit), time)));
    let mut squares: Vec<String> = squares.collect();
    for list in [&mut drifts, &mut squares] {
        if list.iter().all(|unit| *unit == list[0]) {
            list.truncate(1);
        }
    }
    format!("unit of the drift: {}; of Sigma: {}; of time: {time}\n", drifts.join(", "), squares.join(", "))
}

fn shown(sde: &Sde, description: &Value) -> String {
    let (labels, input, from) = (sde.labels(), sde.input(), &description["provenance"]);
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:18} {value}");
    };
    line("drift", format!("{} {}", input.drift, hidden(&input.drift, &input.drift_hidden)));
    line("diffusion", format!("{} {}", input.diffusion, hidden(&input.diffusion, &input.diffusion_hidden)));
    let (size, independent) = (sde.components(), sde.coordinates().independent());
    let reduced = if independent < size { "; the others depend on them linearly" } else { "" };
    line("coordinates", format!("{independent} of {size} components{reduced}"));
    let group = description["scales"]["symmetry"]["elements"].as_array().map_or(1, Vec::len);
    line("symmetries", format!("{group} element(s)"));
    for ([least, range], label) in sde.conditions().iter().zip(&labels.condition) {
        line("condition", format!("{} [{}] from {least} to {}", label.name, label.unit, least + range));
    }
    for (name, key) in [("sites", "sites"), ("patches K", "patches"), ("program", "program"), ("seed", "seed")] {
        match &from[key] {
            Value::Null => {}
            Value::String(value) => line(name, value.clone()),
            value => line(name, value.to_string()),
        }
    }
    line("unit of time", labels.time_unit.clone());
    for [condition, seconds] in &labels.seconds {
        line("", format!("{seconds:.4e} s at condition {condition}"));
    }
    text += "\n";
    let _ = writeln!(text, "{:24} {:>10} {:>14} {:>14}", "component", "unit", "least in data", "most in data");
    for (label, [least, most]) in labels.components.iter().zip(sde.extent()) {
        let _ = writeln!(text, "{:24} {:>10} {least:14.6} {most:14.6}", label.name, label.unit);
    }
    text + &units(sde)
}

fn hidden(kind: &str, widths: &[usize]) -> String {
    if ["mlp", "full", "diagonal"].contains(&kind) { format!("{widths:?}") } else { String::new() }
}
