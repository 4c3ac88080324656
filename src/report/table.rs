//! Tables, and numbers written with the digits that their errors allow.

use crate::evaluation::{Metric, Metrics};

use super::axis::superscript;
use super::{caption_html, escape, figure};

/// One entry of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number without an error, in four significant digits.
    Number(f64),
    /// A number with its error.
    Metric(Metric),
    /// A number with its error, emphasised.
    Best(Metric),
    /// Nothing to say.
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
    /// What is shown.
    pub caption: String,
    /// What the reader should see.
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

    /// All metrics of a run, a row each.
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
        let notes = caption_html(&self.caption, &self.look_for);
        let title = figure::heading(&self.title);
        format!(
            "<figure class=\"table\">\n{title}<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n{notes}</figure>\n"
        )
    }
}

impl Cell {
    fn html(&self) -> String {
        match self {
            Self::Text(text) => escape(text),
            Self::Number(value) => escape(&measured(*value, None)),
            Self::Metric(metric) => escape(&measured(metric.value, metric.std_error)),
            Self::Best(metric) => format!("<b>{}</b>", escape(&measured(metric.value, metric.std_error))),
            Self::Empty => String::new(),
        }
    }
}

/// A value with its standard error: `0.51 ± 0.02`, or `(8.0 ± 0.3) × 10⁻⁴` when the value is small or large.
/// The error has one significant digit, two when it starts with 1; without an error the value has four.
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
    let (place, exponent) = places(value, error);
    let power = 10.0_f64.powi(exponent);
    let decimals = (exponent - place).max(0) as usize;
    let round = |number: f64| minus(format!("{:.decimals$}", number / power));
    match exponent {
        0 => format!("{} ± {}", round(value), round(error)),
        _ => format!("({} ± {}) × 10{}", round(value), round(error), superscript(exponent)),
    }
}

/// Power of ten of the last digit shown, and the exponent taken out of value and error.
fn places(value: f64, error: f64) -> (i32, i32) {
    let mut order = floor_log10(error);
    // 0.096 rounds to 0.10: the rounded error decides how many digits it needs.
    if (error / 10.0_f64.powi(order)).round() >= 10.0 {
        order += 1;
    }
    let place = if error / 10.0_f64.powi(order) < 1.95 { order - 1 } else { order };
    let top = floor_log10(if value == 0.0 { error } else { value }).max(order);
    let exponent = if (-3..5).contains(&top) && place <= 0 { 0 } else { top };
    (place, exponent)
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
