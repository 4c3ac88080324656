//! Finite-size scaling over the points of a sweep of magnets (K. Binder, Z. Phys. B 43, 119, 1981).
//!
//! At T_c, <|M|> ~ L^(-beta/nu), chi ~ L^(gamma/nu) and dU/dT ~ L^(1/nu). Against t L^(1/nu), t = (T - T_c) / T_c, the
//! scaled curves of all sizes collapse. Every side needs simulations near T_c, one per temperature.

use super::{Key, ModelKind, Source};
use crate::evaluation::{
    Metric, Metrics,
    criticality::{ScaledCurve, collapse_quality},
    fit::{PolynomialFit, PowerLaw, polynomial_fit, power_law_fit},
};

/// A critical point with its exact exponents, for the collapse of curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CriticalPoint {
    /// T_c.
    pub temperature: f64,
    /// beta / nu.
    pub beta_over_nu: f64,
    /// gamma / nu.
    pub gamma_over_nu: f64,
    /// nu.
    pub nu: f64,
}

/// Highest degree of the polynomials in T. The error of a parabola through three temperatures cancels in the exponents
/// if these have the same (T - T_c) L at every side.
const DEGREE: usize = 2;
/// If the temperatures of a side are not on both sides of T_c, the nearest one replaces T_c up to this distance |t| L.
/// The error of <|M|> is then about 3 %.
const NEAR: f64 = 0.1;
/// Suffix of exponents without the smallest side, where corrections to scaling are largest.
const WITHOUT_SMALLEST: &str = "_without_smallest";
/// The scaled quantities.
const NAMES: [&str; 3] = ["absolute_magnetisation", "susceptibility", "binder"];

/// <|M|>, chi and U of one size at one temperature.
#[derive(Clone, Copy, Debug)]
pub struct MagnetPoint {
    /// Side L.
    pub side: f64,
    /// Temperature.
    pub temperature: f64,
    /// The values.
    pub values: [f64; 3],
    /// Their standard errors; NaN if unknown.
    pub errors: [f64; 3],
}

/// The finite-size scaling of one source.
#[derive(Clone, Debug)]
pub struct FiniteSize {
    /// Our models, the direct simulation or the pairs.
    pub source: Source,
    /// <|M|>, chi and -dU/dT at T_c.
    pub at_critical: [AgainstSide; 3],
    /// Collapse of |M| and chi, one curve per side. Empty for the pairs.
    pub curves: [Vec<ScaledCurve>; 2],
}

/// One quantity against the side.
#[derive(Clone, Debug, Default)]
pub struct AgainstSide {
    /// Sides.
    pub sides: Vec<f64>,
    /// Values at T_c.
    pub values: Vec<f64>,
    /// Their standard errors; NaN if unknown.
    pub errors: Vec<f64>,
}

impl AgainstSide {
    fn push(&mut self, side: f64, value: f64, error: f64) {
        self.sides.push(side);
        self.values.push(value);
        self.errors.push(error);
    }

    /// The power law through the sides from index `first` on.
    pub fn fit(&self, first: usize) -> Option<PowerLaw> {
        let [sides, values, errors] = [&self.sides, &self.values, &self.errors].map(|all| all.get(first..));
        let known = self.errors.iter().all(|error| *error > 0.0);
        power_law_fit(sides?, values?, errors.filter(|_| known)).ok()
    }
}

/// The exponents of the direct simulation, of our models and of the pairs, and the data behind them. `points` holds
/// side, temperature and metrics of each point of a sweep. `None` for fewer than two sizes near T_c, or if two points
/// have equal side and temperature.
pub fn finite_size(critical: &CriticalPoint, points: &[(f64, f64, Metrics)]) -> Option<(Metrics, Vec<FiniteSize>)> {
    let mut exponents = Metrics::new();
    let mut found = Vec::new();
    for source in [Source::Truth, Source::Model(ModelKind::Ours), Source::Pairs] {
        let Some(magnets) = magnets(critical, points, source) else {
            // There may be too few pairs.
            if source == Source::Pairs { continue } else { return None }
        };
        let at_critical = against_side(&magnets, critical);
        for (index, against) in at_critical.iter().enumerate() {
            for (first, ending) in [(0, ""), (1, WITHOUT_SMALLEST)] {
                if let Some(fit) = against.fit(first) {
                    let (name, value, error) = exponent(index, fit.slope);
                    let metric = Metric::new(value, Some(error), against.sides.len() - first, "1");
                    exponents.insert(Key::new(format!("{name}{ending}")).from_source(source), metric);
                }
            }
        }
        let mut collapse: [Vec<ScaledCurve>; 2] = Default::default();
        if source != Source::Pairs {
            for (index, power) in [critical.beta_over_nu, -critical.gamma_over_nu].into_iter().enumerate() {
                collapse[index] = curves(critical, &magnets, index, power);
                let quality = collapse_quality(&collapse[index]);
                if quality.is_finite() {
                    let name = ["collapse_magnetisation", "collapse_susceptibility"][index];
                    exponents.insert(Key::new(name).from_source(source), Metric::exact(quality, magnets.len(), "1"));
                }
            }
        }
        found.push(FiniteSize { source, at_critical, curves: collapse });
    }
    Some((exponents, found))
}

/// Name, value and error of the exponent from the slope of a quantity against the side.
fn exponent(index: usize, (slope, error): (f64, f64)) -> (&'static str, f64, f64) {
    match index {
        0 => ("beta_over_nu", -slope, error),
        1 => ("gamma_over_nu", slope, error),
        _ => ("nu", slope.recip(), error / (slope * slope)),
    }
}

/// The values of a source at the points. `None` if two points have equal side and temperature, or fewer than two sizes
/// have values at T_c.
fn magnets(critical: &CriticalPoint, points: &[(f64, f64, Metrics)], source: Source) -> Option<Vec<MagnetPoint>> {
    let point = |(side, temperature, metrics): &(f64, f64, Metrics)| {
        let metric = |name| metrics.get(&Key::new(name).from_source(source).to_string());
        let [Some(m), Some(chi), Some(u)] = NAMES.map(metric) else { return None };
        let all = [m, chi, u];
        let values = all.map(|metric| metric.value);
        let errors = all.map(|metric| metric.std_error.unwrap_or(f64::NAN));
        Some(MagnetPoint { side: *side, temperature: *temperature, values, errors })
    };
    let magnets: Vec<MagnetPoint> = points.iter().map(point).collect::<Option<_>>()?;
    let mut pairs: Vec<[u64; 2]> =
        magnets.iter().map(|magnet| [magnet.side, magnet.temperature].map(f64::to_bits)).collect();
    pairs.sort_unstable();
    let distinct = pairs.windows(2).all(|pair| pair[0] != pair[1]);
    (distinct && against_side(&magnets, critical)[0].sides.len() > 1).then_some(magnets)
}

fn sides(magnets: &[MagnetPoint]) -> Vec<f64> {
    let mut sides: Vec<f64> = magnets.iter().map(|magnet| magnet.side).collect();
    sides.sort_by(f64::total_cmp);
    sides.dedup();
    sides
}

/// <|M|>, chi and -dU/dT at T_c from polynomials in T. If all temperatures of a side are above or below T_c, <|M|> and
/// chi are carried to it from the nearest one, see [`NEAR`]: d ln Q / dT is as L^(1/nu), as on the other sides. Power
/// laws need positive values, so the others are left out.
fn against_side(magnets: &[MagnetPoint], point: &CriticalPoint) -> [AgainstSide; 3] {
    let (critical, growth) = (point.temperature, |side: f64| side.powf(point.nu.recip()));
    let mut slopes: [Vec<f64>; 2] = Default::default();
    let mut far = Vec::new();
    let mut found: [AgainstSide; 3] = Default::default();
    for side in sides(magnets) {
        let mut own: Vec<&MagnetPoint> = magnets.iter().filter(|magnet| magnet.side == side).collect();
        own.sort_by(|a, b| (a.temperature - critical).abs().total_cmp(&(b.temperature - critical).abs()));
        let below = own.iter().filter(|magnet| magnet.temperature < critical).count();
        let about = if (1..own.len()).contains(&below) { &own[..] } else { &own[..1] };
        if about.len() == 1 && (about[0].temperature / critical - 1.0).abs() * side > NEAR {
            continue;
        }
        let value = |index| in_temperature(about, index).map(|fit| fit.value_at(critical));
        for (index, slopes) in slopes.iter_mut().enumerate().filter(|_| about.len() > 1) {
            let fit = in_temperature(about, index).filter(|fit| fit.value_at(critical).0 > 0.0);
            slopes.extend(fit.map(|fit| fit.slope_at(critical).0 / fit.value_at(critical).0 / growth(side)));
        }
        if about.len() == 1 {
            far.push((side, about[0].temperature - critical));
        }
        let slope = if own.len() > 1 { in_temperature(&own, 2).map(|fit| fit.slope_at(critical)) } else { None };
        let fall = slope.map(|(slope, error)| (-slope, error));
        for (against, estimate) in found.iter_mut().zip([value(0), value(1), fall]) {
            if let Some((value, error)) = estimate.filter(|(value, _)| *value > 0.0) {
                against.push(side, value, error);
            }
        }
    }
    for (against, slopes) in found.iter_mut().zip(slopes).filter(|(_, slopes)| !slopes.is_empty()) {
        let slope = slopes.iter().sum::<f64>() / slopes.len() as f64;
        for (place, side) in against.sides.iter().enumerate() {
            let distance = far.iter().find(|(alone, _)| alone == side).map_or(0.0, |(_, distance)| *distance);
            let factor = (-slope * growth(*side) * distance).exp();
            against.values[place] *= factor;
            against.errors[place] *= factor;
        }
    }
    found
}

/// A quantity of one side as a polynomial in T.
fn in_temperature(magnets: &[&MagnetPoint], index: usize) -> Option<PolynomialFit> {
    let [temperatures, values, errors]: [Vec<f64>; 3] = [
        magnets.iter().map(|magnet| magnet.temperature).collect(),
        magnets.iter().map(|magnet| magnet.values[index]).collect(),
        magnets.iter().map(|magnet| magnet.errors[index]).collect(),
    ];
    let known = errors.iter().all(|error| *error > 0.0);
    polynomial_fit(&temperatures, &values, known.then_some(&errors[..]), DEGREE.min(magnets.len() - 1)).ok()
}

/// Collapse of one quantity: t L^(1/nu) against value L^power, one curve per size.
fn curves(critical: &CriticalPoint, magnets: &[MagnetPoint], index: usize, power: f64) -> Vec<ScaledCurve> {
    let curve = |side: f64| {
        let scaled = |magnet: &MagnetPoint| {
            let scale = side.powf(power);
            let x = (magnet.temperature / critical.temperature - 1.0) * side.powf(critical.nu.recip());
            (x, magnet.values[index] * scale, magnet.errors[index] * scale)
        };
        let mut curve: ScaledCurve = magnets.iter().filter(|magnet| magnet.side == side).map(scaled).collect();
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        curve
    };
    sides(magnets).into_iter().map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRITICAL: f64 = 2.269_185_314_213_022;
    const POINT: CriticalPoint =
        CriticalPoint { temperature: CRITICAL, beta_over_nu: 0.125, gamma_over_nu: 1.75, nu: 1.0 };
    /// beta / nu, gamma / nu and nu of the two-dimensional Ising model.
    const EXACT: [f64; 3] = [0.125, 1.75, 1.0];

    /// The parabola's slope is wrong by a term in (h L)^2, where h is the distance of the temperatures: at the same h L
    /// it is wrong by one factor at all sides, which leaves the exponent alone.
    #[test]
    fn values_are_those_at_the_critical_temperature() {
        let magnets: Vec<MagnetPoint> = [16.0_f64, 32.0, 64.0]
            .into_iter()
            .flat_map(|side| {
                [-1.0, 0.1, 1.0].map(|x| {
                    let (temperature, bend) = (CRITICAL + x / side, x * x);
                    let scaled =
                        [1.0 - 0.3 * x + 0.1 * bend, 1.0 + 0.5 * x - 0.2 * bend, 0.6 - 0.1 * x - 0.05 * x.powi(3)];
                    let powers = [side.powf(-0.125), side.powf(1.75), 1.0];
                    let values = std::array::from_fn(|index| scaled[index] * powers[index]);
                    MagnetPoint { side, temperature, values, errors: [1e-3; 3] }
                })
            })
            .collect();
        let found = against_side(&magnets, &POINT);
        for (index, exact) in EXACT.into_iter().enumerate() {
            let (_, value, _) = exponent(index, found[index].fit(0).unwrap().slope);
            assert!((value - exact).abs() < 1e-9, "exponent {index}: {value}");
        }
        // A side with one temperature is carried to T_c, up to the second order of its distance.
        let lone = |magnet: &&MagnetPoint| magnet.side < 64.0 || (magnet.temperature - CRITICAL).abs() * 64.0 < 0.5;
        let lone: Vec<MagnetPoint> = magnets.iter().filter(lone).cloned().collect();
        for (index, exact) in EXACT.into_iter().enumerate().take(2) {
            let (_, value, _) = exponent(index, against_side(&lone, &POINT)[index].fit(0).unwrap().slope);
            assert!((value - exact).abs() < 4e-3, "exponent {index} with a lone temperature: {value}");
        }
        let above: Vec<MagnetPoint> = magnets.into_iter().filter(|magnet| magnet.temperature > CRITICAL).collect();
        let nearest = above[0].values[0];
        assert!((against_side(&above, &POINT)[0].values[0] - nearest).abs() < 1e-12);
        let far: Vec<MagnetPoint> =
            above.into_iter().filter(|magnet| magnet.side * (magnet.temperature - CRITICAL) > 0.5).collect();
        assert!(
            against_side(&far, &POINT).iter().all(|against| against.sides.is_empty()),
            "no values at T_c from afar"
        );
    }

    #[test]
    fn an_exponent_without_the_smallest_side_does_not_see_it() {
        let mut against = AgainstSide::default();
        for side in [16.0_f64, 32.0, 64.0] {
            let correction = if side < 20.0 { 0.9 } else { 1.0 };
            against.push(side, correction * side.powf(1.75), 0.01);
        }
        let gamma = |first| against.fit(first).map(|fit| exponent(1, fit.slope).1);
        assert!((gamma(1).unwrap() - 1.75).abs() < 1e-9);
        assert!(gamma(0).unwrap() > 1.76);
        assert_eq!(gamma(2), None);
    }
}
