//! The vacancy kernel of the alloy.

use crate::{
    bench::{Measurement, fastest},
    dynamics::{Dynamics, Until},
    lattice::{Lattice, Window, bcc},
    rng::{Purpose, stream},
    systems::{
        System,
        alloy::{
            Alloy, AlloyParameters, VacancyKmc,
            barriers::{self, BarrierError, Barriers},
            environment::{Environment, REACH},
        },
    },
};
use std::{hint::black_box, sync::Arc};

/// Vacancy jumps a second at 2000 K, one vacancy in 1024 sites, with the built-in barriers and, when `weights` names
/// it, the published network; with environments remembered and without.
///
/// # Errors
/// When the weights cannot be read.
pub fn alloy(weights: Option<&str>) -> Result<Vec<Measurement>, BarrierError> {
    let mut models = vec![("built-in", barriers::load("builtin")?, 200_000)];
    if let Some(file) = weights {
        models.push(("network", barriers::load(file)?, 30_000));
    }
    let mut all: Vec<Measurement> = models.iter().map(|(name, model, _)| evaluations(name, model)).collect();
    for cells in [8, 16, 32, 64, 128] {
        let start = Alloy::try_from(AlloyParameters::default())?.draw(
            bcc::shape(cells),
            None,
            &mut stream(1, Purpose::Bench, [cells as u64, 4]),
        );
        for (name, model, jumps) in &models {
            let alloy = Alloy::with_barriers(AlloyParameters::default(), model.clone());
            all.extend(jumps_a_second(name, &alloy, &start, *jumps));
        }
    }
    Ok(all)
}

/// Environments evaluated a second, eight barriers each.
fn evaluations(name: &str, model: &Arc<dyn Barriers>) -> Measurement {
    let environments: Vec<Environment> = (0..64)
        .map(|number| Environment(std::array::from_fn(|site| 1 + ((site + number) * 5 % 7 % 3) as u8)))
        .collect();
    let seconds = fastest(20, || {
        for environment in &environments {
            black_box(model.barriers(black_box(environment)));
        }
    });
    Measurement::new(format!("alloy, barriers alone, {name}"), environments.len() as f64 / seconds, "environments/s")
}

fn jumps_a_second(name: &str, alloy: &Alloy, start: &Lattice<u8>, jumps: u64) -> Vec<Measurement> {
    let sites = start.shape.sites();
    let mut rng = stream(1, Purpose::Bench, [sites as u64, 5]);
    let mut window = Window::closed(start.shape, REACH);
    // Many short repeats find a moment without disturbance; large lattices need long ones beside their set-up.
    let (repeats, jumps) = if sites < 100_000 { (20, jumps / 10) } else { (12, jumps) };
    let mut measurements = Vec::new();
    for (how, mut kernel) in [("every time", VacancyKmc::forgetful()), ("remembered", VacancyKmc::default())] {
        window.load(start, [0; 3]);
        let mut evolve =
            |jumps| kernel.evolve(alloy, &mut window, Until::Events(jumps), &mut rng).expect("vacancies always jump");
        evolve(jumps);
        let set_up = fastest(repeats, || {
            evolve(0);
        });
        let seconds = fastest(repeats, || {
            evolve(jumps);
        });
        let rate = jumps as f64 / (seconds - set_up);
        measurements.push(Measurement::new(format!("alloy, {sites} sites, {name}, {how}"), rate, "jumps/s"));
        let (asked, remembered) = kernel.remembered();
        if asked > 0 {
            let share = remembered as f64 / asked as f64;
            measurements.push(Measurement::new(format!("alloy, {sites} sites, {name}, share remembered"), share, "1"));
        }
    }
    measurements
}
