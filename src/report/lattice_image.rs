//! Images of lattice configurations: one pixel per site in an indexed PNG. The page scales it up without interpolation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ndarray::ArrayView2;

use super::{ReportError, caption_html, escape, figure};

/// Colours of site values, with names for the key.
#[derive(Clone, Debug, PartialEq)]
pub struct LatticePalette(pub Vec<(i32, [u8; 3], String)>);

impl LatticePalette {
    /// Names and colours of the states 0, 1, ...; `None` without states.
    pub fn of_states(states: &[(&str, [u8; 3])]) -> Option<Self> {
        let entry = |(value, &(name, colour)): (i32, &(&str, [u8; 3]))| (value, colour, name.to_owned());
        (!states.is_empty()).then(|| Self((0..).zip(states).map(entry).collect()))
    }

    /// A palette from (value, red-green-blue, name).
    pub fn of(entries: &[(i32, [u8; 3], &str)]) -> Self {
        Self(entries.iter().map(|&(value, colour, name)| (value, colour, name.to_owned())).collect())
    }

    fn key_html(&self) -> String {
        let item = |(_, [r, g, b], name): &(i32, [u8; 3], String)| {
            format!("<li><i style=\"background:rgb({r},{g},{b})\"></i>{}</li>", escape(name))
        };
        format!("<ul class=\"legend\">{}</ul>\n", self.0.iter().map(item).collect::<String>())
    }
}

/// One image of a lattice or a field.
#[derive(Clone, Debug, PartialEq)]
pub struct LatticeImage {
    /// Text under the image, such as the size and the stage.
    pub label: String,
    /// The image as a data address.
    pub address: String,
    /// Rows and columns.
    pub shape: (usize, usize),
}

impl LatticeImage {
    /// An image of `sites` [row, column]. The palette must hold all their values.
    ///
    /// # Errors
    /// When a value is not in the palette, or the lattice has no sites or is too large for an image.
    pub fn new(
        label: impl Into<String>,
        sites: ArrayView2<i32>,
        palette: &LatticePalette,
    ) -> Result<Self, ReportError> {
        let mut indices = Vec::with_capacity(sites.len());
        for ((row, column), &value) in sites.indexed_iter() {
            let index = palette.0.iter().position(|(known, ..)| *known == value);
            indices.push(index.ok_or(ReportError::Palette { row, column, value })? as u8);
        }
        let colours = palette.0.iter().flat_map(|(_, colour, _)| *colour).collect();
        Ok(Self { label: label.into(), address: encode(sites.dim(), &indices, colours)?, shape: sites.dim() })
    }

    /// An image of a real field [row, column], from dark (`range.0`) to bright (`range.1`). Values out of range have
    /// the colours of its ends. Values that are not finite are grey.
    ///
    /// # Errors
    /// When the field is empty or too large for an image.
    pub fn field(label: impl Into<String>, field: ArrayView2<f64>, range: (f64, f64)) -> Result<Self, ReportError> {
        const GREY: u8 = 255;
        let shade = |value: f64| (254.0 * ((value - range.0) / (range.1 - range.0)).clamp(0.0, 1.0)) as u8;
        let indices: Vec<u8> = field.iter().map(|&value| if value.is_finite() { shade(value) } else { GREY }).collect();
        let mut colours: Vec<u8> = (0..255).flat_map(|step| cividis(f64::from(step) / 254.0)).collect();
        colours.extend([150, 150, 150]);
        Ok(Self { label: label.into(), address: encode(field.dim(), &indices, colours)?, shape: field.dim() })
    }

    fn html(&self) -> String {
        let (rows, columns) = self.shape;
        let (label, address) = (escape(&self.label), &self.address);
        let image = format!("<img src=\"{address}\" width=\"{columns}\" height=\"{rows}\" alt=\"{label}\">");
        format!("<div class=\"panel\">{image}<p>{label}</p></div>\n")
    }
}

/// Images side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageGrid {
    /// Heading over the images.
    pub title: String,
    /// Description.
    pub caption: String,
    /// What to look for.
    pub look_for: String,
    /// The images, in order.
    pub images: Vec<LatticeImage>,
    /// Palette for the legend, if its colours have names.
    pub palette: Option<LatticePalette>,
}

impl ImageGrid {
    /// Heading, key, images and caption.
    pub fn html(&self) -> String {
        let images: String = self.images.iter().map(LatticeImage::html).collect();
        let key = self.palette.as_ref().map_or(String::new(), LatticePalette::key_html);
        let notes = caption_html(&self.caption, &self.look_for);
        let title = figure::heading(&self.title);
        format!("<figure class=\"images\">\n{title}{key}<div class=\"panels\">\n{images}</div>\n{notes}</figure>\n")
    }
}

fn encode((height, width): (usize, usize), indices: &[u8], colours: Vec<u8>) -> Result<String, ReportError> {
    if !(1..=16384).contains(&height) || !(1..=16384).contains(&width) {
        return Err(ReportError::Size { height, width });
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(colours);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(indices)?;
    writer.finish()?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

/// The cividis colour map (J. R. Nunez et al., PLoS ONE 13, e0199239 (2018)) through nine of its colours.
fn cividis(share: f64) -> [u8; 3] {
    const STOPS: [[u8; 3]; 9] = [
        [0, 34, 78],
        [23, 51, 111],
        [62, 74, 108],
        [90, 95, 109],
        [124, 123, 120],
        [148, 143, 119],
        [181, 170, 109],
        [217, 200, 92],
        [254, 232, 56],
    ];
    let position = share * (STOPS.len() - 1) as f64;
    let left = (position as usize).min(STOPS.len() - 2);
    let part = position - left as f64;
    let mix = |channel: usize| {
        let (low, high) = (f64::from(STOPS[left][channel]), f64::from(STOPS[left + 1][channel]));
        (low + part * (high - low)).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}
