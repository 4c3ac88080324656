//! A figure: series over two axes, drawn as inline SVG with a legend and a caption in HTML.
//!
//! The drawing library works in whole pixels, so a drawing is `FINE` times larger and scaled down by the view box. The
//! library has no fonts. Labels are therefore SVG text in the font of the page, and the legend is HTML.

use std::fmt::Display;

use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::palette::{Colour, apply_theme};
use super::series::{Mark, Series};
use super::{ReportError, caption_html, escape};

/// Drawing units per pixel of the page.
const FINE: i32 = 8;
/// Text size in pixels of the page. The library divides sizes by 1.24.
const TEXT: f64 = 12.0 * 1.24;

/// One plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Heading over the plot.
    pub title: String,
    /// Description.
    pub caption: String,
    /// What to look for; may be empty.
    pub look_for: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Series in drawing order. The last one is on top.
    pub series: Vec<Series>,
    /// Width and height in pixels. The page scales the plot to its column.
    pub size: (u32, u32),
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Plane<'a> = DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Point = (f64, f64);

impl Figure {
    /// An empty plot of the default size.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        let (caption, look_for) = (String::new(), String::new());
        Self { title: title.into(), caption, look_for, x, y, series: Vec::new(), size: (460, 300) }
    }

    /// The same plot with one more series.
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// The same plot with a caption and a note on what to look for.
    pub fn described(mut self, caption: impl Into<String>, look_for: impl Into<String>) -> Self {
        self.caption = caption.into();
        self.look_for = look_for.into();
        self
    }

    /// The same plot in another size, in pixels.
    pub fn sized(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Heading, legend, drawing and caption.
    ///
    /// # Errors
    /// When the drawing library reports an error.
    pub fn html(&self) -> Result<String, ReportError> {
        let legend = legend_html(&self.series);
        let notes = caption_html(&self.caption, &self.look_for);
        let title = heading(&self.title);
        Ok(format!("<figure class=\"plot\">\n{title}{legend}{}{notes}</figure>\n", self.svg()?))
    }

    /// The drawing alone.
    ///
    /// # Errors
    /// When the drawing library reports an error.
    pub fn svg(&self) -> Result<String, ReportError> {
        let mut drawing = String::new();
        let fine = FINE as u32;
        {
            let area =
                SVGBackend::with_string(&mut drawing, (self.size.0 * fine, self.size.1 * fine)).into_drawing_area();
            self.draw(&area).and_then(|()| area.present().map_err(|error| self.refused(error)))?;
        }
        let label = self.description();
        let (_, content) = drawing.split_once(">\n").unwrap_or(("", ""));
        let (width, height) = (self.size.0 * fine, self.size.1 * fine);
        let view = format!("viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\"", escape(&label));
        Ok(format!("<svg {view}>\n{}", apply_theme(content, FINE)))
    }

    /// What the drawing shows, for those who do not see it.
    fn description(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for series in self.series.iter().filter(|series| !series.label.is_empty()) {
            if !names.contains(&&*series.label) {
                names.push(&series.label);
            }
        }
        let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
        format!("{}: {} against {}{of}", self.title, self.y.label, self.x.label)
    }

    fn refused(&self, error: impl Display) -> ReportError {
        ReportError::Drawing { figure: self.title.clone(), reason: error.to_string() }
    }

    /// Ranges of both axes in axis coordinates.
    fn ranges(&self) -> (Point, Point) {
        let all = || self.series.iter();
        let x = self.x.extent(all().flat_map(|one| one.points.iter().map(|point| point.0)), self.x_margin());
        let heights = all().flat_map(|one| {
            let band = one.band.iter().flatten().flat_map(|&(low, high)| [low, high]);
            one.points.iter().map(|point| point.1).chain(band)
        });
        (x, self.y.extent(heights, 0.06))
    }

    fn x_margin(&self) -> f64 {
        if self.series.iter().any(|series| series.mark == Mark::Points) { 0.05 } else { 0.0 }
    }

    fn draw(&self, area: &Area) -> Result<(), ReportError> {
        let (x_range, y_range) = self.ranges();
        let y_ticks = self.y.ticks(y_range, (self.size.1 / 42).clamp(3, 8) as usize);
        let widest = y_ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(1);
        let (left, right, top, bottom) = (14 + 7 * widest as i32, 14, 30, 42);
        let x_ticks = self.x.ticks_across(x_range, f64::from(self.size.0 as i32 - left - right));
        let (width, height) = (self.size.0 as i32 * FINE, self.size.1 as i32 * FINE);
        let frame = [left * FINE, width - right * FINE, top * FINE, height - bottom * FINE];
        let spans = (frame[0]..frame[1], frame[3]..frame[2]);
        let plane = area.clone().apply_coord_spec(Cartesian2d::<RangedCoordf64, RangedCoordf64>::new(
            x_range.0..x_range.1,
            y_range.0..y_range.1,
            spans,
        ));
        self.draw_frame(area, &plane, frame, [&x_ticks, &y_ticks])?;
        for series in &self.series {
            self.draw_series(&plane, series, x_range, y_range)?;
        }
        if self.series.iter().all(|series| series.runs(&self.x, &self.y, y_range.0).is_empty()) {
            let middle = ((frame[0] + frame[1]) / 2, (frame[2] + frame[3]) / 2);
            self.write(area, "no finite values to draw", middle, HPos::Center, VPos::Center)?;
        }
        Ok(())
    }

    fn draw_frame(
        &self,
        area: &Area,
        plane: &Plane,
        frame: [i32; 4],
        ticks: [&[(f64, String)]; 2],
    ) -> Result<(), ReportError> {
        let [left, right, top, bottom] = frame;
        let grid = Colour::Grid.marker().stroke_width(FINE as u32);
        let axis = Colour::Axis.marker().stroke_width(FINE as u32);
        let rule = |from: (i32, i32), to: (i32, i32), style: ShapeStyle| {
            area.draw(&PathElement::new(vec![from, to], style)).map_err(|error| self.refused(error))
        };
        let (origin_x, origin_y) = (plane.get_x_range().start, plane.get_y_range().start);
        for (at, label) in ticks[1] {
            let height = plane.map_coordinate(&(origin_x, *at)).1;
            rule((left, height), (right, height), grid)?;
            self.write(area, label, (left - 7 * FINE, height), HPos::Right, VPos::Center)?;
        }
        for (at, label) in ticks[0] {
            let across = plane.map_coordinate(&(*at, origin_y)).0;
            rule((across, bottom), (across, bottom + 4 * FINE), axis)?;
            self.write(area, label, (across, bottom + 7 * FINE), HPos::Center, VPos::Top)?;
        }
        rule((left, bottom), (right, bottom), axis)?;
        self.write(area, &self.x.label, (right, bottom + 24 * FINE), HPos::Right, VPos::Top)?;
        self.write(area, &self.y.label, (4 * FINE, top - 26 * FINE), HPos::Left, VPos::Top)
    }

    fn draw_series(&self, plane: &Plane, series: &Series, x_range: Point, y_range: Point) -> Result<(), ReportError> {
        let colour = series.colour.marker();
        let stroke = if series.mark == Mark::Dashed { series.colour.dashed_marker() } else { colour };
        // The truth is wider, so it stays visible under an equal prediction.
        let quarters = if series.colour == Colour::Truth { 11 } else { 7 };
        let line = stroke.stroke_width(FINE as u32 * quarters / 4);
        let inside = |x: f64| x_range.0 <= x && x <= x_range.1;
        let within = |y: f64| y.clamp(y_range.0, y_range.1);
        for run in series.runs(&self.x, &self.y, y_range.0) {
            if series.mark == Mark::Points {
                for &[x, y, lower, upper] in run.iter().filter(|[x, ..]| inside(*x)) {
                    let bar = vec![(x, within(lower)), (x, within(upper))];
                    self.put(plane, PathElement::new(bar, line))?;
                    if within(y) == y {
                        self.put(plane, Circle::new((x, y), 7 * FINE / 2, colour.filled()))?;
                    }
                }
                continue;
            }
            if series.band.is_some() {
                let seen = || run.iter().filter(|[x, ..]| inside(*x));
                let edge: Vec<Point> = seen()
                    .map(|&[x, _, _, upper]| (x, within(upper)))
                    .chain(seen().rev().map(|&[x, _, lower, _]| (x, within(lower))))
                    .collect();
                self.put(plane, Polygon::new(edge, colour.mix(0.16).filled()))?;
            }
            let points: Vec<Point> = run.iter().map(|&[x, y, ..]| (x, y)).collect();
            for piece in clipped(&points, x_range, y_range) {
                self.put(plane, PathElement::new(piece, line))?;
            }
        }
        Ok(())
    }

    fn put<'b, E>(&self, plane: &Plane<'b>, element: E) -> Result<(), ReportError>
    where
        for<'e> &'e E: PointCollection<'e, Point>,
        E: Drawable<SVGBackend<'b>>,
    {
        plane.draw(&element).map_err(|error| self.refused(error))
    }

    fn write(&self, area: &Area, text: &str, at: (i32, i32), h: HPos, v: VPos) -> Result<(), ReportError> {
        let font = ("sans-serif", TEXT * f64::from(FINE)).into_font();
        let colour = Colour::Axis.marker();
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(h, v));
        area.draw(&Text::new(text.to_owned(), at, style)).map_err(|error| self.refused(error))
    }
}

pub(super) fn heading(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!("<h3>{}</h3>\n", escape(title)) }
}

/// Names and marks of the series, each name once, in the order truth, ours, baseline, others.
pub(super) fn legend_html(series: &[Series]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut items = String::new();
    let mut ordered: Vec<&Series> = series.iter().collect();
    ordered.sort_by_key(|one| one.colour.index());
    for one in ordered.into_iter().filter(|one| !one.label.is_empty()) {
        if seen.contains(&one.label.as_str()) {
            continue;
        }
        seen.push(&one.label);
        let dash = if one.mark == Mark::Dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let colour = one.colour.style();
        let line = format!("<line x1=\"0\" y1=\"6\" x2=\"26\" y2=\"6\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>");
        let disc = format!("<circle cx=\"13\" cy=\"6\" r=\"3.5\" fill=\"{colour}\"/>");
        let mark = if one.mark == Mark::Points { disc } else { line };
        let key = format!("<svg class=\"key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\">{mark}</svg>");
        items += &format!("<li>{key}{}</li>", escape(&one.label));
    }
    if items.is_empty() { items } else { format!("<ul class=\"legend\">{items}</ul>\n") }
}

/// The parts of a line inside a rectangle (Liang-Barsky on each segment).
fn clipped(points: &[Point], x_range: Point, y_range: Point) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let ((x, y), (dx, dy)) = (pair[0], (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        let borders = [(-dx, x - x_range.0), (dx, x_range.1 - x), (-dy, y - y_range.0), (dy, y_range.1 - y)];
        for (towards, room) in borders {
            match towards {
                t if t < 0.0 => enter = enter.max(room / t),
                t if t > 0.0 => leave = leave.min(room / t),
                _ if room < 0.0 => leave = f64::NEG_INFINITY,
                _ => {}
            }
        }
        if enter > leave {
            continue;
        }
        let (from, to) = ((x + enter * dx, y + enter * dy), (x + leave * dx, y + leave * dy));
        match pieces.last_mut() {
            Some(piece) if enter == 0.0 && piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}
