//! Colours by role for light and dark pages, safe for colour-blind readers (after M. Okabe and K. Ito, 2008).
//!
//! Figures are drawn with one marker value per role. A style variable then replaces the marker, so one drawing serves
//! both themes.

use plotters::style::RGBColor;

/// The role of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Colour {
    /// The truth, in black (white in the dark theme).
    Truth,
    /// This method, in blue.
    Ours,
    /// The baseline, in orange.
    Baseline,
    /// Further quantities, in green, purple, yellow and sky blue.
    Other(u8),
    /// Axes and tick labels.
    Axis,
    /// Grid lines.
    Grid,
    /// Fits and theory.
    Guide,
}

impl Colour {
    /// Every colour, with the name of its style variable and its values in the light and the dark theme.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 10] = [
        (Self::Truth, "--truth", "#1b1f24", "#f2f4f7"),
        (Self::Ours, "--ours", "#0067a8", "#5ab4f0"),
        (Self::Baseline, "--baseline", "#d15a00", "#f79646"),
        (Self::Other(0), "--other-0", "#00846a", "#35c9a0"),
        (Self::Other(1), "--other-1", "#9a4a86", "#dc92c6"),
        (Self::Other(2), "--other-2", "#8a6d00", "#e6cf4a"),
        (Self::Other(3), "--other-3", "#5566c0", "#a3b0ff"),
        (Self::Axis, "--axis", "#57606a", "#a9b1bc"),
        (Self::Grid, "--grid", "#e4e7eb", "#2c333c"),
        (Self::Guide, "--guide", "#8b949e", "#7d8590"),
    ];

    /// Index in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Truth => 0,
            Self::Ours => 1,
            Self::Baseline => 2,
            Self::Other(turn) => 3 + usize::from(turn % 4),
            Self::Axis => 7,
            Self::Grid => 8,
            Self::Guide => 9,
        }
    }

    /// Reference to the style variable of this colour.
    pub fn style(self) -> String {
        format!("var({})", Self::ALL[self.index()].1)
    }

    /// The marker of this colour while a figure is drawn.
    pub(super) fn marker(self) -> RGBColor {
        RGBColor(1, 0, self.index() as u8)
    }

    /// The same for dashed lines.
    pub(super) fn dashed_marker(self) -> RGBColor {
        RGBColor(1, 1, self.index() as u8)
    }
}

/// Replaces the markers in a drawing by style variables. Dashes are 6 pixels and gaps 4 pixels of `fine` drawing units.
pub(super) fn apply_theme(drawing: &str, fine: i32) -> String {
    Colour::ALL.iter().enumerate().fold(drawing.to_owned(), |drawing, (index, (colour, ..))| {
        let style = colour.style();
        let dashed = format!("\"{style}\" stroke-dasharray=\"{} {}\"", 6 * fine, 4 * fine);
        drawing
            .replace(&format!("\"#0100{index:02X}\""), &format!("\"{style}\""))
            .replace(&format!("\"#0101{index:02X}\""), &dashed)
    })
}

/// The style variables of one theme, as declarations.
pub(super) fn declarations(dark: bool) -> String {
    let value = |(_, name, light, dark_value): &(Colour, &str, &str, &str)| {
        format!("{name}:{};", if dark { dark_value } else { light })
    };
    Colour::ALL.iter().map(value).collect()
}
