//! Linear and logarithmic axes with round ticks and labels.
//!
//! A figure is drawn in axis coordinates, which are the values or their decimal logarithms.

/// How values map to positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Proportional to the value.
    #[default]
    Linear,
    /// Proportional to its logarithm. Only positive values are drawn.
    Logarithmic,
}

/// One axis of a figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// Quantity and unit, as in "time (sweeps)".
    pub label: String,
    /// How values map to positions.
    pub scale: Scale,
    /// First and last value. With `None` they come from the data.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis that fits the data.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic axis that fits the data.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic, range: None }
    }

    /// The same axis from `first` to `last`.
    pub fn from_to(mut self, first: f64, last: f64) -> Self {
        self.range = Some((first, last));
        self
    }

    /// Axis coordinate of a value, if it can be drawn.
    pub(super) fn coordinate(&self, value: f64) -> Option<f64> {
        let coordinate = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        };
        coordinate.is_finite().then_some(coordinate)
    }

    /// Range of the values in axis coordinates, with a share `margin` of it added on both sides.
    pub(super) fn extent(&self, values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
        if let Some((first, last)) = self.range.map(|(a, b)| (self.coordinate(a), self.coordinate(b)))
            && let (Some(first), Some(last)) = (first, last)
            && first < last
        {
            return (first, last);
        }
        let seen = values.filter_map(|value| self.coordinate(value));
        let (low, high) = seen.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        if low > high {
            return (0.0, 1.0);
        }
        let least = if self.scale == Scale::Linear { 1e-9 + 1e-6 * low.abs().max(high.abs()) } else { 0.2 };
        let room = match high - low {
            width if width >= least => width * margin,
            _ if low.abs() < 1e-12 => 1.0,
            _ => least.max(0.05 * low.abs()),
        };
        (low - room, high + room)
    }

    /// About `count` ticks, as (coordinate, label), within a range of axis coordinates.
    pub(super) fn ticks(&self, (low, high): (f64, f64), count: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => linear_ticks(low, high, count),
            Scale::Logarithmic => logarithmic_ticks(low, high, count),
        }
    }
}

fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / count.max(1) as f64;
    let decade = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let largest = low.abs().max(high.abs());
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let label = |value: f64| match () {
        () if value == 0.0 => "0".to_owned(),
        () if !(1e-3..1e5).contains(&largest) => scientific(value, step, largest),
        () => format!("{value:.decimals$}").replace('-', "\u{2212}"),
    };
    (first..=last).map(|index| index as f64 * step).map(|value| (value, label(value))).collect()
}

/// A value in units of the power of ten of `largest`, which all ticks of an axis share.
fn scientific(value: f64, step: f64, largest: f64) -> String {
    let exponent = largest.log10().floor();
    let digits = (exponent - step.log10().floor()).max(0.0) as usize;
    let mantissa = format!("{:.digits$}", value / 10.0_f64.powf(exponent)).replace('-', "\u{2212}");
    format!("{mantissa}·10{}", superscript(exponent as i32))
}

fn logarithmic_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let decades = high - low;
    let every = (decades / count.max(1) as f64).ceil().max(1.0) as i32;
    let multiples: &[f64] = match decades {
        d if d < 0.7 => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        d if d < 1.3 => &[1.0, 2.0, 3.0, 5.0, 7.0],
        d if d < 2.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let mut ticks = Vec::new();
    for exponent in low.floor() as i32..=high.ceil() as i32 {
        if exponent.rem_euclid(every) != 0 {
            continue;
        }
        for &multiple in multiples {
            let at = f64::from(exponent) + multiple.log10();
            if (low - 1e-9..=high + 1e-9).contains(&at) {
                ticks.push((at, logarithmic_label(multiple, exponent)));
            }
        }
    }
    ticks
}

fn logarithmic_label(multiple: f64, exponent: i32) -> String {
    if (-2..4).contains(&exponent) {
        let decimals = (-exponent).max(0) as usize + usize::from(multiple.fract() != 0.0 && exponent <= 0);
        return format!("{:.decimals$}", multiple * 10.0_f64.powi(exponent));
    }
    match multiple {
        1.0 => format!("10{}", superscript(exponent)),
        _ => format!("{multiple}·10{}", superscript(exponent)),
    }
}

/// An exponent in superscript digits.
pub(super) fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raise = |character: char| character.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.to_string().chars().map(raise).collect()
}
