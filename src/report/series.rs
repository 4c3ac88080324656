//! The series of a figure: lines with bands, histograms, points with error bars.

use crate::evaluation::distributions::Density;
use crate::evaluation::fit::PowerLaw;

use super::axis::Axis;
use super::palette::Colour;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A full line.
    Line,
    /// A dashed line.
    Dashed,
    /// Discs, with error bars if there is a band.
    Points,
}

/// One quantity in a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend. Series with an empty name are not listed.
    pub label: String,
    /// Its role.
    pub colour: Colour,
    /// How it is drawn.
    pub mark: Mark,
    /// Points (x, y). A value that is not finite interrupts a line.
    pub points: Vec<(f64, f64)>,
    /// Lower and upper end of the band or error bar of each point.
    pub band: Option<Vec<(f64, f64)>>,
}

impl Series {
    /// A line. Those of the baseline and of guides are dashed.
    pub fn line(label: impl Into<String>, colour: Colour, x: &[f64], y: &[f64]) -> Self {
        let dashed = matches!(colour, Colour::Baseline | Colour::Guide);
        let mark = if dashed { Mark::Dashed } else { Mark::Line };
        let points = x.iter().copied().zip(y.iter().copied()).collect();
        Self { label: label.into(), colour, mark, points, band: None }
    }

    /// Discs.
    pub fn points(label: impl Into<String>, colour: Colour, x: &[f64], y: &[f64]) -> Self {
        Self { mark: Mark::Points, ..Self::line(label, colour, x, y) }
    }

    /// The same line, dashed.
    pub fn dashed(self) -> Self {
        Self { mark: Mark::Dashed, ..self }
    }

    /// The same series with a band or error bars of `spread` on both sides.
    pub fn with_band(mut self, spread: &[f64]) -> Self {
        self.band = Some(self.points.iter().zip(spread).map(|((_, y), s)| (y - s, y + s)).collect());
        self
    }

    /// The outline of a histogram, with a band of one standard error if known.
    pub fn histogram(label: impl Into<String>, colour: Colour, density: &Density) -> Self {
        let corners = |values: &[f64]| -> Vec<f64> { values.iter().flat_map(|&value| [value, value]).collect() };
        let edges = corners(&density.edges);
        let inner = &edges[1..edges.len().saturating_sub(1).max(1)];
        let series = Self::line(label, colour, inner, &corners(&density.density));
        match &density.std_error {
            Some(error) => series.with_band(&corners(error)),
            None => series,
        }
    }

    /// The straight line of a power law over [first, last], for logarithmic axes.
    pub fn power_law(label: impl Into<String>, colour: Colour, fit: &PowerLaw, first: f64, last: f64) -> Self {
        let at = |x: f64| (fit.intercept.0 + fit.slope.0 * x.ln()).exp();
        Self::line(label, colour, &[first, last], &[at(first), at(last)]).dashed()
    }

    /// Points and band in axis coordinates as runs of (x, y, lower, upper). A value that cannot be drawn starts a new
    /// run. The end of a band below zero on a logarithmic axis is drawn at `floor`.
    pub(super) fn runs(&self, x_axis: &Axis, y_axis: &Axis, floor: f64) -> Vec<Vec<[f64; 4]>> {
        let mut runs = vec![Vec::new()];
        for (index, &(x, y)) in self.points.iter().enumerate() {
            let (low, high) = self.band.as_ref().and_then(|band| band.get(index)).copied().unwrap_or((y, y));
            let end = |value: f64, otherwise: f64| y_axis.coordinate(value).unwrap_or(otherwise);
            match (x_axis.coordinate(x), y_axis.coordinate(y)) {
                (Some(x), Some(y)) => {
                    let lower = if low.is_nan() { y } else { end(low, floor) };
                    runs.last_mut().into_iter().for_each(|run: &mut Vec<_>| run.push([x, y, lower, end(high, y)]));
                }
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs.into_iter().map(thinned).collect()
    }
}

/// Reduces a long run to the lowest and highest point of each stretch. The page stays small and peaks stay visible.
fn thinned(run: Vec<[f64; 4]>) -> Vec<[f64; 4]> {
    const STRETCHES: usize = 500;
    if run.len() <= 3 * STRETCHES {
        return run;
    }
    let keep = |stretch: &[[f64; 4]]| {
        let by_height = |a: &&[f64; 4], b: &&[f64; 4]| a[1].total_cmp(&b[1]);
        let mut ends: Vec<_> = [stretch.iter().min_by(by_height), stretch.iter().max_by(by_height)]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        ends.sort_by(|a, b| a[0].total_cmp(&b[0]));
        ends
    };
    run.chunks(run.len().div_ceil(STRETCHES)).flat_map(keep).collect()
}
