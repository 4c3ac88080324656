//! Figures of finite-size scaling over the points of a sweep.

use crate::{
    config::Point,
    evaluation::Metrics,
    pages::roles::roles_of_source,
    report::{Axis, Block, Figure, Section, Series, Table},
    scores::finite_size,
};

/// The exponents of a sweep of magnets over sizes and temperatures, and their section. `None` for other sweeps, and
/// away from the critical point.
pub fn scaling(points: &[Point], metrics: &[Metrics]) -> Option<(Metrics, Section)> {
    let critical = |point: &Point| point.input.system.scores().iter().find_map(|score| score.critical());
    let of_points: Vec<_> = points
        .iter()
        .zip(metrics)
        .map(|(point, metrics)| {
            let (critical, temperature) = critical(point)?;
            Some((critical, (point.input.truth_shape().0[2] as f64, temperature, metrics.clone())))
        })
        .collect::<Option<_>>()?;
    let critical = of_points.first()?.0;
    let points: Vec<_> = of_points.into_iter().map(|(_, point)| point).collect();
    let (exponents, found) = finite_size(&critical, &points)?;
    let names = ["<|M|>", "chi", "-dU/dT"];
    let mut figures = names.map(|name| {
        Figure::new(format!("{name} at T_c"), Axis::logarithmic("side L"), Axis::logarithmic(name))
            .described("Lines are power laws from weighted least squares.", "parallel lines.")
    });
    let mut collapses = ["|M| L^(beta/nu)", "chi L^(-gamma/nu)"].map(|name| {
        Figure::new(name, Axis::linear("t L^(1/nu)"), Axis::linear(name))
            .described("One line per size, with the exact exponents.", "one curve.")
    });
    for one in found {
        let (label, colour) = roles_of_source(one.source);
        for (figure, against) in figures.iter_mut().zip(&one.at_critical) {
            let mut series = Series::points(label, colour, &against.sides, &against.values);
            if against.errors.iter().all(|error| error.is_finite()) {
                series = series.with_band(&against.errors);
            }
            *figure = figure.clone().with(series);
            let Some(fit) = against.fit(0) else { continue };
            let ends = against.sides.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), &side| (a.min(side), b.max(side)));
            *figure = figure.clone().with(Series::power_law("", colour, &fit, ends.0, ends.1));
        }
        for (figure, curves) in collapses.iter_mut().zip(&one.curves) {
            for curve in curves {
                let [x, y]: [Vec<f64>; 2] = [curve.iter().map(|p| p.0).collect(), curve.iter().map(|p| p.1).collect()];
                *figure = figure.clone().with(Series::line("", colour, &x, &y));
            }
        }
    }
    let figures = figures.into_iter().chain(collapses).filter(|figure| !figure.series.is_empty());
    let section = figures.map(Block::Figure).fold(Section::new("Finite-size scaling"), Section::with);
    let table = Block::Table(Table::of_metrics("Exponents", &exponents));
    Some((exponents, section.with(table)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither a sweep over methods away from T_c nor another magnet has exponents.
    #[test]
    fn only_ising_magnets_about_the_critical_temperature_have_exponents() {
        let found = |input: &str, set: &[&str]| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs").join(input);
            let points = crate::config::load(&path, &set.iter().map(|&set| set.into()).collect::<Vec<_>>()).unwrap();
            let metrics = |point: &Point| -> serde_json::Value {
                let value = |power: f64| {
                    let value = (point.input.truth_shape().0[2] as f64).powf(power);
                    serde_json::json!({"value": value, "std_error": 0.01 * value, "samples": 1, "unit": "1"})
                };
                let all = ["", "_truth"].into_iter().flat_map(|suffix| {
                    [("absolute_magnetisation", -0.125), ("susceptibility", 1.75), ("binder", 0.0)]
                        .map(|(name, power)| (format!("{name}{suffix}"), value(power)))
                });
                all.collect::<serde_json::Map<String, serde_json::Value>>().into()
            };
            let metrics: Vec<Metrics> =
                points.iter().map(|point| serde_json::from_value(metrics(point)).unwrap()).collect();
            scaling(&points, &metrics).map(|(exponents, _)| exponents.get("beta_over_nu").unwrap().value)
        };
        assert!((found("ising_critical.toml", &[]).unwrap() - 0.125).abs() < 1e-9);
        assert_eq!(
            found("ising_critical.toml", &["system.ising.field=0.1", "train.mirrored=false", "train.clock=false"]),
            None
        );
        assert_eq!(found("ising_rescaling.toml", &[]), None);
        let near = |sides: &str| found("ising_critical.toml", &[&format!("sweep={{\"truth.side, seed\"={sides}}}")]);
        assert!((near("[[32, 1], [64, 1]]").unwrap() - 0.125).abs() < 1e-9);
        assert_eq!(near("[[32, 1], [64, 1], [64, 2]]"), None);
        assert_eq!(found("curie_weiss.toml", &["sweep={\"truth.side\"=[64, 128]}"]), None);
    }
}
