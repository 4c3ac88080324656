//! One self-contained HTML page of a run: text, tables, vector figures and lattice images.
//!
//! This module computes no physics. The page loads no other file, runs no script, has a light and a dark theme, and can
//! be printed. Colours stand for roles ([`palette::Colour`]): the truth is black, this method is blue, the baseline is
//! orange. Roles also differ in the dash of their lines.

pub mod axis;
pub mod figure;
pub mod lattice_image;
pub mod multiples;
pub mod page;
pub mod palette;
pub mod series;
pub mod table;

pub use axis::{Axis, Scale};
pub use figure::Figure;
pub use lattice_image::{ImageGrid, LatticeImage, LatticePalette};
pub use multiples::SmallMultiples;
pub use page::{Block, Highlight, Report, Section};
pub use palette::Colour;
pub use series::Series;
pub use table::{Cell, Table};

/// Why a page or a part of it could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The drawing library reports an error.
    #[error("the figure \"{figure}\" could not be drawn: {reason}")]
    Drawing {
        /// Title of the figure.
        figure: String,
        /// The error of the library.
        reason: String,
    },
    /// A lattice holds a value without a colour.
    #[error("the value {value} of site ({row}, {column}) has no colour. Add it to the palette")]
    Palette {
        /// Row of the site.
        row: usize,
        /// Column of the site.
        column: usize,
        /// Its value.
        value: i32,
    },
    /// A lattice has no sites or is too large for an image.
    #[error("a lattice of {height} x {width} sites has no image: both sides must be from 1 to 16384")]
    Size {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The image encoder reports an error.
    #[error("the image of a lattice could not be encoded: {0}")]
    Encoding(#[from] png::EncodingError),
}

/// Text with the reserved characters of HTML replaced.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Caption and "what to look for" as paragraphs.
fn notes_html(caption: &str, look_for: &str) -> String {
    let mut html = String::new();
    if !caption.is_empty() {
        html += &format!("<p>{}</p>\n", escape(caption));
    }
    if !look_for.is_empty() {
        html += &format!("<p class=\"look\"><b>Look for</b> {}</p>\n", escape(look_for));
    }
    html
}

/// The same as the caption of a figure; empty if both are.
fn caption_html(caption: &str, look_for: &str) -> String {
    let notes = notes_html(caption, look_for);
    if notes.is_empty() { notes } else { format!("<figcaption>\n{notes}</figcaption>\n") }
}
