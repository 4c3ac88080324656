//! Tables, with as many digits of a value as its error allows.

use crate::evaluation::{Metric, Metrics};

use super::axis::superscript;
use super::{caption_html, escape, figure};

/// One entry of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A value without an error, with four significant digits.
    Number(f64),
    /// A value with its error.
    Metric(Metric),
    /// A value with its error, emphasised.
    Best(Metric),
    /// An empty cell.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A table with a heading row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Heading over the table.
    pub title: String,
    /// Description.
    pub caption: String,
    /// What to look for.
    pub look_for: String,
    /// Names of the columns, with units.
    pub columns: Vec<String>,
    /// Entries by row.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self { title: title.into(), columns, ..Self::default() }
    }

    /// The same table with one more row.
    pub fn row(mut self, cells: Vec<Cell>) -> Self {
        self.rows.push(cells);
        self
    }

    /// The same table with a caption and a note on what to look for.
    pub fn described(mut self, caption: impl Into<String>, look_for: impl Into<String>) -> Self {
        self.caption = caption.into();
        self.look_for = look_for.into();
        self
    }

    /// All metrics of a run, one row per metric.
    pub fn of_metrics(title: impl Into<String>, metrics: &Metrics) -> Self {
        metrics.iter().fold(Self::new(title, &["metric", "value", "unit", "samples"]), |table, (name, metric)| {
            let unit = if metric.unit == "1" { Cell::Empty } else { Cell::Text(metric.unit.clone()) };
            let samples = Cell::Number(metric.samples as f64);
            table.row(vec![Cell::Text(name.replace('_', " ")), Cell::Metric(metric.clone()), unit, samples])
        })
    }

    /// The table with heading and caption.
    pub fn html(&self) -> String {
        let numeric = |column: usize| {
            let cells = || self.rows.iter().filter_map(|row| row.get(column));
            cells().any(|cell| !matches!(cell, Cell::Text(_) | Cell::Empty))
        };
        let class = |column: usize| if numeric(column) { " class=\"number\"" } else { "" };
        let titles = self.columns.iter().enumerate();
        let head: String =
            titles.map(|(column, name)| format!("<th scope=\"col\"{}>{}</th>", class(column), escape(name))).collect();
        let mut body = String::new();
        for row in &self.rows {
            let cells = row.iter().enumerate();
            let cells: String =
                cells.map(|(column, cell)| format!("<td{}>{}</td>", class(column), cell.html())).collect();
            body += &format!("<tr>{cells}</tr>\n");
        }
        let mut caption = self.caption.clone();
        if self.rows.iter().flatten().any(Cell::of_survivors) {
            caption += " † Trajectories that diverged are left out: the value describes the survivors alone (left_out in \
                        metrics.json).";
        }
        let notes = caption_html(caption.trim_start(), &self.look_for);
        let title = figure::heading(&self.title);
        format!(
            "<figure class=\"table\">\n{title}<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n{notes}</figure>\n"
        )
    }
}

impl Cell {
    fn of_survivors(&self) -> bool {
        matches!(self, Self::Metric(metric) | Self::Best(metric) if metric.left_out > 0)
    }

    fn html(&self) -> String {
        match self {
            Self::Text(text) => escape(text),
            Self::Number(value) => escape(&measured(*value, None)),
            Self::Metric(metric) => escape(&shown(metric)),
            Self::Best(metric) => format!("<b>{}</b>", escape(&shown(metric))),
            Self::Empty => String::new(),
        }
    }
}

/// A metric with its error, and a dagger if it describes survivors alone.
pub fn shown(metric: &Metric) -> String {
    measured(metric.value, metric.std_error) + if metric.left_out > 0 { " †" } else { "" }
}

/// A value with its standard error: `0.51 ± 0.02`, or `(8.0 ± 0.3) × 10⁻⁴` for small and large values. The error has
/// one significant digit, or two if it starts with 1. A value without error has four.
pub fn measured(value: f64, std_error: Option<f64>) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "not finite".to_owned()
        } else {
            format!("{}∞", if value < 0.0 { "−" } else { "" })
        };
    }
    let Some(error) = std_error.filter(|error| error.is_finite() && *error > 0.0) else {
        return plain(value);
    };
    let (last, exponent) = digits(value, error);
    let power = 10.0_f64.powi(exponent);
    let decimals = (exponent - last).max(0) as usize;
    let round = |number: f64| minus(format!("{:.decimals$}", number / power));
    match exponent {
        0 => format!("{} ± {}", round(value), round(error)),
        _ => format!("({} ± {}) × 10{}", round(value), round(error), superscript(exponent)),
    }
}

/// Power of ten of the last digit shown, and common exponent of value and error.
fn digits(value: f64, error: f64) -> (i32, i32) {
    let mut order = floor_log10(error);
    // The rounded error determines the number of its digits, because 0.096 rounds to 0.10.
    if (error / 10.0_f64.powi(order)).round() >= 10.0 {
        order += 1;
    }
    let last = if error / 10.0_f64.powi(order) < 1.95 { order - 1 } else { order };
    let top = floor_log10(if value == 0.0 { error } else { value }).max(order);
    let exponent = if (-3..5).contains(&top) && last <= 0 { 0 } else { top };
    (last, exponent)
}

fn floor_log10(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

fn plain(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e7 {
        return minus(format!("{value}"));
    }
    let order = floor_log10(value);
    if (-3..5).contains(&order) {
        return minus(format!("{value:.*}", (3 - order).max(0) as usize));
    }
    minus(format!("{:.3}", value / 10.0_f64.powi(order))) + " × 10" + &superscript(order)
}

fn minus(text: String) -> String {
    text.replace('-', "−")
}
