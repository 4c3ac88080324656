//! Finite-size scaling over the points of a sweep of magnets: at T_c <|M|> ~ L^(-beta/nu), chi ~ L^(gamma/nu) and
//! dU/dT ~ L^(1/nu), and all sizes fall on one curve when drawn against t L^(1/nu), t = (T - T_c) / T_c.
//! The collapse is drawn with the exact exponents of the two-dimensional Ising model. Only for that model without a field, where each
//! side has been simulated about T_c, once at each temperature.

use crate::{
    config::Point,
    evaluation::{
        Metric, Metrics,
        criticality::{ScaledCurve, collapse_quality},
        fit::{PolynomialFit, PowerLaw, polynomial_fit, power_law_fit},
    },
    report::{Axis, Block, Colour, Figure, Section, Series},
    systems::SystemInput,
};
use serde_json::Value;

/// 2 / ln(1 + sqrt 2)
const CRITICAL: f64 = 2.269_185_314_213_022;
/// beta / nu, gamma / nu and nu of the two-dimensional Ising model.
const EXACT: [f64; 3] = [0.125, 1.75, 1.0];
/// Highest degree of the polynomials in T. A parabola through three temperatures bends the exponents the least when those of each side
/// lie at the same (T - T_c) L.
const DEGREE: usize = 2;

/// Largest distance |t| L of a temperature from T_c that stands for T_c where those of a side do not lie about it: <|M|> is then off by
/// about 3 %.
const NEAR: f64 = 0.1;

/// Ending of what the training pairs imply without a model.
const PAIRS: &str = "_pairs";

/// Ending of exponents that leave the smallest side out, where corrections to the power laws are largest.
const WITHOUT_SMALLEST: &str = "_without_smallest";

/// <|M|>, chi and U of one size at one temperature.
struct Magnet {
    side: f64,
    temperature: f64,
    values: [f64; 3],
    errors: [f64; 3],
}

/// One quantity against the side.
#[derive(Default)]
struct AgainstSide {
    sides: Vec<f64>,
    values: Vec<f64>,
    errors: Vec<f64>,
}

impl AgainstSide {
    fn push(&mut self, side: f64, value: f64, error: f64) {
        self.sides.push(side);
        self.values.push(value);
        self.errors.push(error);
    }

    /// The power law through the sides from number `first` on.
    fn fit(&self, first: usize) -> Option<PowerLaw> {
        let [sides, values, errors] = [&self.sides, &self.values, &self.errors].map(|all| all.get(first..));
        let known = self.errors.iter().all(|error| *error > 0.0);
        power_law_fit(sides?, values?, errors.filter(|_| known)).ok()
    }
}

/// The exponents of the models, of the direct simulation and of the pairs alone, and the section that shows them; nothing for a sweep
/// of something else, over fewer than two sizes, or away from T_c.
pub fn scaling(points: &[Point], metrics: &[Value]) -> Option<(Metrics, Section)> {
    let mut exponents = Metrics::new();
    let names = ["<|M|>", "chi", "-dU/dT"];
    let mut figures = names.map(|name| {
        Figure::new(format!("{name} at T_c"), Axis::logarithmic("side L"), Axis::logarithmic(name))
            .described("Lines: power laws by weighted least squares.", "parallel lines.")
    });
    let mut collapses = [("|M| L^(beta/nu)", EXACT[0]), ("chi L^(-gamma/nu)", -EXACT[1])].map(|(name, _)| {
        Figure::new(name, Axis::linear("t L^(1/nu)"), Axis::linear(name))
            .described("One line a size, exact exponents.", "one curve.")
    });
    for (suffix, label, colour) in [
        ("_truth", "direct simulation", Colour::Truth),
        ("", "learned", Colour::Ours),
        (PAIRS, "training pairs without a model", Colour::Guide),
    ] {
        let Some(magnets) = magnets(points, metrics, suffix) else {
            // There may be too few pairs to say anything by themselves.
            if suffix == PAIRS { continue } else { return None }
        };
        for (number, against) in against_side(&magnets).into_iter().enumerate() {
            let mut series = Series::points(label, colour, &against.sides, &against.values);
            if against.errors.iter().all(|error| error.is_finite()) {
                series = series.with_band(&against.errors);
            }
            figures[number] = figures[number].clone().with(series);
            for (first, ending) in [(0, ""), (1, WITHOUT_SMALLEST)] {
                if let Some(fit) = against.fit(first) {
                    let (name, value, error) = exponent(number, fit.slope);
                    let metric = Metric::new(value, Some(error), against.sides.len() - first, "1");
                    exponents.insert(format!("{name}{ending}{suffix}"), metric);
                }
            }
            let Some(fit) = against.fit(0) else { continue };
            let ends = against.sides.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), &side| (a.min(side), b.max(side)));
            figures[number] = figures[number].clone().with(Series::power_law("", colour, &fit, ends.0, ends.1));
        }
        for (number, power) in [EXACT[0], -EXACT[1]].into_iter().enumerate().filter(|_| suffix != PAIRS) {
            let curves = curves(&magnets, number, power);
            for curve in &curves {
                let [x, y]: [Vec<f64>; 2] = [curve.iter().map(|p| p.0).collect(), curve.iter().map(|p| p.1).collect()];
                collapses[number] = collapses[number].clone().with(Series::line("", colour, &x, &y));
            }
            let quality = collapse_quality(&curves);
            if quality.is_finite() {
                let name = ["magnetisation", "susceptibility"][number];
                exponents.insert(format!("collapse_{name}{suffix}"), Metric::exact(quality, magnets.len(), "1"));
            }
        }
    }
    let figures = figures.into_iter().chain(collapses).filter(|figure| !figure.series.is_empty());
    let section = figures.map(Block::Figure).fold(Section::new("Finite-size scaling"), Section::with);
    Some((exponents, section))
}

/// Name, value and error of the exponent that a quantity's slope against the side gives.
fn exponent(number: usize, (slope, error): (f64, f64)) -> (&'static str, f64, f64) {
    match number {
        0 => ("beta_over_nu", -slope, error),
        1 => ("gamma_over_nu", slope, error),
        _ => ("nu", slope.recip(), error / (slope * slope)),
    }
}

/// The points of the sweep, if all are Ising models without a field, none has side and temperature of another, and two sizes have
/// values at T_c.
fn magnets(points: &[Point], metrics: &[Value], suffix: &str) -> Option<Vec<Magnet>> {
    let magnets: Vec<Magnet> = points
        .iter()
        .zip(metrics)
        .map(|(point, metrics)| {
            let found = ["absolute_magnetisation", "susceptibility", "binder"].map(|name| -> Option<Metric> {
                serde_json::from_value(metrics["metrics"][format!("{name}{suffix}")].clone()).ok()
            });
            let [Some(m), Some(chi), Some(u)] = found else { return None };
            let all = [m, chi, u];
            let SystemInput::Ising(ising) = &point.input.system else { return None };
            let ([temperature], true) = (ising.temperature.all(), ising.field == 0.0) else { return None };
            Some(Magnet {
                side: point.input.truth_shape().0[2] as f64,
                temperature: *temperature,
                values: all.each_ref().map(|metric| metric.value),
                errors: all.each_ref().map(|metric| metric.std_error.unwrap_or(f64::NAN)),
            })
        })
        .collect::<Option<_>>()?;
    let places = magnets.iter().map(|magnet| (magnet.side, magnet.temperature));
    let distinct =
        places.clone().enumerate().all(|(number, place)| places.clone().take(number).all(|one| one != place));
    (distinct && against_side(&magnets)[0].sides.len() > 1).then_some(magnets)
}

fn sides(magnets: &[Magnet]) -> Vec<f64> {
    let mut sides: Vec<f64> = magnets.iter().map(|magnet| magnet.side).collect();
    sides.sort_by(f64::total_cmp);
    sides.dedup();
    sides
}

/// <|M|>, chi and -dU/dT at T_c from polynomials in T; <|M|> and chi at the temperature next to T_c where those of a side
/// lie all above or all below it, if that is near. Values that are not positive are left out: there is no power law through them.
fn against_side(magnets: &[Magnet]) -> [AgainstSide; 3] {
    let mut found: [AgainstSide; 3] = Default::default();
    for side in sides(magnets) {
        let mut own: Vec<&Magnet> = magnets.iter().filter(|magnet| magnet.side == side).collect();
        own.sort_by(|a, b| (a.temperature - CRITICAL).abs().total_cmp(&(b.temperature - CRITICAL).abs()));
        let below = own.iter().filter(|magnet| magnet.temperature < CRITICAL).count();
        let about = if (1..own.len()).contains(&below) { &own[..] } else { &own[..1] };
        if about.len() == 1 && (about[0].temperature / CRITICAL - 1.0).abs() * side > NEAR {
            continue;
        }
        let value = |number| in_temperature(about, number).map(|fit| fit.value_at(CRITICAL));
        let slope = if own.len() > 1 { in_temperature(&own, 2).map(|fit| fit.slope_at(CRITICAL)) } else { None };
        let fall = slope.map(|(slope, error)| (-slope, error));
        for (against, estimate) in found.iter_mut().zip([value(0), value(1), fall]) {
            if let Some((value, error)) = estimate.filter(|(value, _)| *value > 0.0) {
                against.push(side, value, error);
            }
        }
    }
    found
}

/// A quantity of one side as a polynomial in T.
fn in_temperature(magnets: &[&Magnet], number: usize) -> Option<PolynomialFit> {
    let [temperatures, values, errors]: [Vec<f64>; 3] = [
        magnets.iter().map(|magnet| magnet.temperature).collect(),
        magnets.iter().map(|magnet| magnet.values[number]).collect(),
        magnets.iter().map(|magnet| magnet.errors[number]).collect(),
    ];
    let known = errors.iter().all(|error| *error > 0.0);
    polynomial_fit(&temperatures, &values, known.then_some(&errors[..]), DEGREE.min(magnets.len() - 1)).ok()
}

/// Collapse of one quantity: t L against value L^power, one curve a size.
fn curves(magnets: &[Magnet], number: usize, power: f64) -> Vec<ScaledCurve> {
    let curve = |side: f64| {
        let mut curve: ScaledCurve = magnets
            .iter()
            .filter(|magnet| magnet.side == side)
            .map(|magnet| {
                let scale = side.powf(power);
                let x = (magnet.temperature / CRITICAL - 1.0) * side.powf(EXACT[2].recip());
                (x, magnet.values[number] * scale, magnet.errors[number] * scale)
            })
            .collect();
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        curve
    };
    sides(magnets).into_iter().map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parabola's slope is wrong by a term in (h L)^2, where h is the distance of the temperatures: at the same h L it is
    /// wrong by one factor at all sides, which leaves the exponent alone.
    #[test]
    fn values_are_those_at_the_critical_temperature() {
        let magnets: Vec<Magnet> = [16.0_f64, 32.0, 64.0]
            .into_iter()
            .flat_map(|side| {
                [-1.0, 0.1, 1.0].map(|x| {
                    let (temperature, bend) = (CRITICAL + x / side, x * x);
                    let scaled =
                        [1.0 - 0.3 * x + 0.1 * bend, 1.0 + 0.5 * x - 0.2 * bend, 0.6 - 0.1 * x - 0.05 * x.powi(3)];
                    let powers = [side.powf(-0.125), side.powf(1.75), 1.0];
                    let values = std::array::from_fn(|number| scaled[number] * powers[number]);
                    Magnet { side, temperature, values, errors: [1e-3; 3] }
                })
            })
            .collect();
        let found = against_side(&magnets);
        for (number, exact) in EXACT.into_iter().enumerate() {
            let (_, value, _) = exponent(number, found[number].fit(0).unwrap().slope);
            assert!((value - exact).abs() < 1e-9, "exponent {number}: {value}");
        }
        let above: Vec<Magnet> = magnets.into_iter().filter(|magnet| magnet.temperature > CRITICAL).collect();
        let nearest = above[0].values[0];
        assert!((against_side(&above)[0].values[0] - nearest).abs() < 1e-12);
        let far: Vec<Magnet> =
            above.into_iter().filter(|magnet| magnet.side * (magnet.temperature - CRITICAL) > 0.5).collect();
        assert!(against_side(&far).iter().all(|against| against.sides.is_empty()), "no values at T_c from afar");
    }

    /// Not of a sweep over methods away from T_c, nor of another magnet.
    #[test]
    fn only_ising_magnets_about_the_critical_temperature_have_exponents() {
        let found = |input: &str, set: &[&str]| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs").join(input);
            let points = crate::config::load(&path, &set.iter().map(|&set| set.into()).collect::<Vec<_>>()).unwrap();
            let metrics = |point: &Point| {
                let value = |power: f64| {
                    let value = (point.input.truth_shape().0[2] as f64).powf(power);
                    serde_json::json!({"value": value, "std_error": 0.01 * value, "samples": 1, "unit": "1"})
                };
                let all = ["", "_truth"].into_iter().flat_map(|suffix| {
                    [("absolute_magnetisation", -0.125), ("susceptibility", 1.75), ("binder", 0.0)]
                        .map(|(name, power)| (format!("{name}{suffix}"), value(power)))
                });
                serde_json::json!({ "metrics": all.collect::<serde_json::Map<String, Value>>() })
            };
            let metrics: Vec<Value> = points.iter().map(metrics).collect();
            scaling(&points, &metrics).map(|(exponents, _)| exponents.get("beta_over_nu").unwrap().value)
        };
        assert!((found("ising_critical.toml", &[]).unwrap() - 0.125).abs() < 1e-9);
        assert_eq!(found("ising_critical.toml", &["system.ising.field=0.1", "train.mirrored=false"]), None);
        assert_eq!(found("ising_rescaling.toml", &[]), None);
        let near = |sides: &str| found("ising_critical.toml", &[&format!("sweep={{\"truth.side, seed\"={sides}}}")]);
        assert!((near("[[32, 1], [64, 1]]").unwrap() - 0.125).abs() < 1e-9);
        assert_eq!(near("[[32, 1], [64, 1], [64, 2]]"), None);
        assert_eq!(found("curie_weiss.toml", &["sweep={\"truth.side\"=[64, 128]}"]), None);
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
