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
use std::{hint::black_box, sync::Arc, time::Instant};

/// Vacancies in the random states that flickering starts from, of each size.
const FLICKERING: u64 = 40;

/// Vacancy jumps a second at 2000 K, one vacancy in 1024 sites, with the built-in barriers and, when `weights` names
/// it, the published network; with environments remembered and without. Then, at low temperatures, the time that
/// vacancies live through in a second of the processor's, with jumps one by one and with escapes from basins.
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
    for (temperature, reference_barrier, time) in [(800.0, 1.9, 50.0), (500.0, 1.6, 50.0), (300.0, 1.25, 200_000.0)] {
        for (name, model, _) in &models {
            for basins in [false, true] {
                let (temperature, reference_barrier) = (temperature.into(), reference_barrier.into());
                let parameters =
                    AlloyParameters { temperature, reference_barrier, basins, ..AlloyParameters::default() };
                let alloy = Alloy::with_barriers(parameters, model.clone());
                all.extend([8, 16].map(|cells| time_a_second(name, &alloy, cells, time)));
            }
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

/// Units of time a second of a vacancy among others, one in 1,024 sites, over random states.
fn time_a_second(name: &str, alloy: &Alloy, cells: usize, time: f64) -> Measurement {
    let sites = bcc::shape(cells).sites();
    let vacancies = alloy.counts(sites)[0] as u64;
    let (mut kernel, begun) = (VacancyKmc::default(), Instant::now());
    for item in 0..FLICKERING / vacancies {
        let mut rng = stream(1, Purpose::Bench, [item, 6]);
        let lattice = alloy.configuration(bcc::shape(cells), 0.0, &mut rng);
        let mut window = Window::closed(lattice.shape, REACH);
        window.load(&lattice, [0; 3]);
        kernel.evolve(alloy, &mut window, Until::Time(time), &mut rng).expect("a time is always reached");
    }
    let rate = FLICKERING as f64 * time / begun.elapsed().as_secs_f64();
    let how = if alloy.escapes_basins() { "escapes from basins" } else { "jump by jump" };
    let kelvin = alloy.parameters().temperature.value();
    Measurement::new(format!("alloy, {sites} sites, {name}, {kelvin} K, {how}"), rate, "vacancies x units of time/s")
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
