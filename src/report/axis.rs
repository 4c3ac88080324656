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
    /// Where a logarithmic axis shows 0, as a value; `None` to leave it out.
    pub zero: Option<f64>,
    /// The values with a tick; empty for round ones.
    pub marks: Vec<f64>,
}

/// Pixels of a character of a label, and least room between two labels.
const CHARACTER: f64 = 7.0;
const ROOM: f64 = 8.0;

impl Axis {
    /// A linear axis that fits the data.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic axis that fits the data.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic, ..Self::default() }
    }

    /// The same axis from `first` to `last`.
    pub fn from_to(mut self, first: f64, last: f64) -> Self {
        self.range = Some((first, last));
        self
    }

    /// The same logarithmic axis with 0 drawn half a decade before `first`, the smallest positive value.
    pub fn with_zero_before(mut self, first: f64) -> Self {
        self.zero = (first > 0.0 && first.is_finite()).then_some(first / 10_f64.sqrt());
        self
    }

    /// The same axis with ticks at these values.
    pub fn marked(mut self, values: impl IntoIterator<Item = f64>) -> Self {
        self.marks = values.into_iter().collect();
        self.marks.sort_by(f64::total_cmp);
        self.marks.dedup();
        self
    }

    /// Axis coordinate of a value, if it can be drawn.
    pub(super) fn coordinate(&self, value: f64) -> Option<f64> {
        let coordinate = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic if value == 0.0 => self.zero.map_or(f64::NEG_INFINITY, f64::log10),
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
        if !self.marks.is_empty() {
            let tick = |&value: &f64| Some((self.coordinate(value)?, plain(value)));
            let within = |(at, _): &(f64, String)| (low - 1e-9..=high + 1e-9).contains(at);
            return self.marks.iter().filter_map(tick).filter(within).collect();
        }
        match self.scale {
            Scale::Linear => linear_ticks(low, high, count),
            Scale::Logarithmic => {
                let zero = self.zero.map(f64::log10);
                let mut ticks = logarithmic_ticks(zero.map_or(low, |zero| low.max(zero + 0.25)), high, count);
                if ticks.len() < 2 {
                    ticks = linear_ticks(10_f64.powf(low), 10_f64.powf(high), count);
                    ticks.retain(|(value, _)| *value > 0.0);
                    ticks.iter_mut().for_each(|(value, _)| *value = value.log10());
                }
                ticks.splice(0..0, zero.map(|at| (at, "0".to_owned())));
                ticks
            }
        }
    }

    /// The ticks of a horizontal axis of so many pixels, whose labels do not overlap. Ticks in excess lose their labels,
    /// those at powers of ten last.
    pub(super) fn ticks_across(&self, range: (f64, f64), pixels: f64) -> Vec<(f64, String)> {
        let most = ((pixels / 65.0) as usize).clamp(2, 8);
        let place = |at: f64| (at - range.0) / (range.1 - range.0) * pixels;
        let apart = |one: &(f64, String), other: &(f64, String)| {
            let half = |label: &str| label.chars().count() as f64 * CHARACTER / 2.0;
            (place(one.0) - place(other.0)).abs() >= half(&one.1) + half(&other.1) + ROOM
        };
        if self.scale == Scale::Linear && self.marks.is_empty() {
            let all = |count: usize| self.ticks(range, count);
            let fits = |ticks: &Vec<(f64, String)>| ticks.windows(2).all(|pair| apart(&pair[0], &pair[1]));
            return (2..=most).rev().map(all).find(fits).unwrap_or_else(|| all(2));
        }
        let ticks = self.ticks(range, most);
        let rank = |label: &str| usize::from(!(label.starts_with("10") || label == "1" || label == "0"));
        let mut order: Vec<usize> = (0..ticks.len()).collect();
        order.sort_by_key(|&index| rank(&ticks[index].1));
        let mut kept: Vec<usize> = Vec::new();
        for index in order {
            if kept.iter().all(|&other| apart(&ticks[index], &ticks[other])) {
                kept.push(index);
            }
        }
        let unlabelled = |(index, (at, label))| (at, if kept.contains(&index) { label } else { String::new() });
        ticks.into_iter().enumerate().map(unlabelled).collect()
    }
}

/// A number of a list, in full.
fn plain(value: f64) -> String {
    format!("{value}").replace('-', "\u{2212}")
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
