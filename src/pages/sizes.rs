//! Sections on sizes: what one model says of systems that were not simulated, and whether it matters at which size
//! models learn.

use crate::{
    config::{Input, Point},
    evaluation::Metrics,
    report::{Block, Cell, Section, Table},
    scores::{Key, learned_sizes as between, of_side},
};

/// The section, with one row a size and condition; `None` when no other size is predicted.
pub fn other_sizes(input: &Input, metrics: &Metrics) -> Option<Section> {
    if input.predict.sides.is_empty() {
        return None;
    }
    let (observables, family) = (input.observables(), input.system.conditions().len() > 1);
    let mut heads = vec!["side".to_owned(), "sites".to_owned()];
    heads.extend(family.then(|| "condition".to_owned()));
    heads.extend(observables.iter().flat_map(|found| [found.symbol.to_owned(), format!("spread of {}", found.symbol)]));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut table = Table::new("Equilibrium at other sizes", &heads).described(
        "Means and standard deviations over the equilibrium part of all predicted trajectories, with one standard error. The \
         first size is that of the direct simulation; the others have none. Drift is taken as that of the size that was \
         learned from, Sigma as inverse to the number of sites.",
        "spreads that fall as one over the square root of the number of sites. Near a critical point the drift depends on \
         the size, and this table says nothing.",
    );
    for side in input.predicted_sides() {
        let length = side.or(input.truth.side).unwrap_or(input.lattice.large);
        let sites = input.system.shape(length).sites();
        for (index, condition) in input.system.conditions().iter().enumerate() {
            let mut row = vec![Cell::Text(length.to_string()), Cell::Text(sites.to_string())];
            row.extend(input.system.named_condition(index).map(Cell::Text));
            for observable in observables {
                for quantity in ["equilibrium", "spread"] {
                    let key = match side {
                        Some(side) => of_side(quantity, observable.name, side),
                        None => Key::new(quantity).of(observable.name),
                    };
                    let found = metrics.get(&key.at(family.then_some(condition)).to_string()).cloned();
                    row.push(found.map_or(Cell::Empty, Cell::Metric));
                }
            }
            table = table.row(row);
        }
    }
    Some(Section::new("Other sizes").with(Block::Table(table)))
}

/// Whether it matters at which size models learn, for a sweep over `lattice.large` that predicts one size, and the
/// section that says so. `None` for other sweeps.
pub fn learned_sizes(points: &[Point], metrics: &[Metrics]) -> Option<(Metrics, Section)> {
    let input = &points.first()?.input;
    let alike = |point: &Point| {
        point.set.iter().all(|(key, _)| key == "lattice.large")
            && point.input.predict.by_size
            && point.input.truth_shape() == input.truth_shape()
            && point.input.system.conditions().len() == 1
    };
    if !points.iter().all(alike) {
        return None;
    }
    let sides = points.iter().map(|point| point.input.lattice.large);
    let (found, [small, large]) = between(&sides.zip(metrics).collect::<Vec<_>>(), input.observables())?;
    let differ = found.get("size_z").is_some_and(|z| z.value > 3.0);
    let says = if differ {
        "More than three: the size matters, and predictions of other sizes are off by as much or more."
    } else {
        "Three or less: no effect of the size is seen."
    };
    let table = Table::of_metrics("Does the size that is learned from matter?", &found).described(
        format!(
            "Equilibrium of the same system, predicted by models that learned at side {large}, minus that of models that \
             learned at side {small}, and the largest difference in standard errors (size z). {says}"
        ),
        "differences within three standard errors of zero.",
    );
    Some((found, Section::new("Sizes to learn from").with(Block::Table(table))))
}
