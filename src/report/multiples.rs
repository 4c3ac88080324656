//! Small multiples: panels of one kind with one legend, such as an observable from several initial conditions.

use crate::evaluation::trajectories::MeanAndSpread;

use super::axis::Axis;
use super::figure::{Figure, heading, legend_html};
use super::palette::Colour;
use super::series::Series;
use super::{ReportError, caption_html, notes_html};

/// Panels side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SmallMultiples {
    /// Heading over the panels.
    pub title: String,
    /// Description.
    pub caption: String,
    /// What to look for.
    pub look_for: String,
    /// The panels. Their own captions are shown too.
    pub panels: Vec<Figure>,
}

impl SmallMultiples {
    /// Panels of a size for their number: the fewer, the larger.
    pub fn new(title: impl Into<String>, panels: Vec<Figure>) -> Self {
        let (width, height) = match panels.len() {
            0 | 1 => (480, 270),
            2 => (420, 280),
            _ => (280, 200),
        };
        let panels = panels.into_iter().map(|panel| panel.sized(width, height)).collect();
        Self { title: title.into(), panels, ..Self::default() }
    }

    /// The same panels with a caption and a note on what to look for.
    pub fn described(mut self, caption: impl Into<String>, look_for: impl Into<String>) -> Self {
        self.caption = caption.into();
        self.look_for = look_for.into();
        self
    }

    /// Heading, one legend, the panels and the caption.
    ///
    /// # Errors
    /// When a panel cannot be drawn.
    pub fn html(&self) -> Result<String, ReportError> {
        let all: Vec<Series> = self.panels.iter().flat_map(|panel| panel.series.iter().cloned()).collect();
        let mut panels = String::new();
        for panel in &self.panels {
            let title = heading(&panel.title).replace("h3>", "h4>");
            let notes = notes_html(&panel.caption, &panel.look_for);
            panels += &format!("<div class=\"panel\">{title}{}{notes}</div>\n", panel.svg()?);
        }
        let notes = caption_html(&self.caption, &self.look_for);
        Ok(format!(
            "<figure class=\"multiples\">\n{}{}<div class=\"panels panels-{}\">\n{panels}</div>\n{notes}</figure>\n",
            heading(&self.title),
            legend_html(&all),
            columns(self.panels.len()),
        ))
    }
}

/// Panels side by side on a wide page: four where three would leave one alone in a row.
fn columns(panels: usize) -> usize {
    if panels > 3 && panels % 3 == 1 { 4 } else { panels.min(3) }
}

/// One ensemble in a panel: its name, its role and its mean and spread against time.
pub type Ensemble<'a> = (&'a str, Colour, &'a MeanAndSpread);

/// Mean of one component of several ensembles against `times`, with bands of one standard deviation.
pub fn ensemble_panel(
    title: impl Into<String>,
    x: Axis,
    y: Axis,
    times: &[f64],
    component: usize,
    ensembles: &[Ensemble],
) -> Figure {
    let line = |(label, colour, ensemble): &Ensemble| {
        let mean = ensemble.mean.column(component).to_vec();
        let line = Series::line(*label, *colour, times, &mean);
        // The band of the baseline would hide the others.
        if *colour == Colour::Baseline { line } else { line.with_band(&ensemble.spread.column(component).to_vec()) }
    };
    ensembles.iter().map(line).fold(Figure::new(title, x, y), Figure::with)
}
