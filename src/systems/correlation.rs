//! The correlation length of a system in equilibrium, by a short simulation of its own: what `upsample.kind = "auto"`
//! chooses by.

use super::System;
use crate::{
    dynamics::{Dynamics, EvolveError, Until},
    lattice::{Region, Shape, Window},
    rng::{Purpose, stream},
};
use std::f64::consts::TAU;

/// Independent trajectories.
const TRAJECTORIES: u64 = 64;
/// Records of each, over its later half.
const RECORDS: u64 = 8;
/// Most sites times units of time of all states, a few seconds.
const MOST_WORK: f64 = 3e7;

/// The second-moment correlation length in sites, xi = (S(0) / S(k) - 1)^(1/2) / (2 sin(k / 2)) with the structure
/// factor S at 0 and at the smallest wave number k = 2 pi / side, of the observable with the longest (F. Cooper, B.
/// Freedman and D. Preston, Nucl. Phys. B 210, 210 (1982)). Periodic systems start at random and evolve for side^2 units
/// of time, or less if that would take long. Where a symmetry is broken, S(0) holds the passages between the phases.
///
/// # Errors
/// When the kernel cannot evolve the system.
pub fn correlation_length<S: System>(system: &S, shape: Shape, seed: u64) -> Result<f64, EvolveError> {
    let (side, sites) = (shape.0[2], shape.sites() as f64);
    let time = ((side * side) as f64).min(MOST_WORK / (TRAJECTORIES as f64 * sites));
    let mut kernel = S::Dynamics::default();
    let mut slice = S::open_window(Shape([shape.0[0], shape.0[1], 1]), S::REACH);
    let mut whole = S::closed_window(shape);
    let observables = S::OBSERVABLES.len();
    let (mut sums, mut squares, mut waves) = (vec![0.0; observables], vec![0.0; observables], vec![0.0; observables]);
    for record in 0..TRAJECTORIES * RECORDS {
        let mut rng = stream(seed, Purpose::CorrelationLength, [record / RECORDS, record % RECORDS]);
        let share = if record.is_multiple_of(RECORDS) {
            whole.load(&system.draw(shape, None, &mut rng), [0; 3]);
            0.5
        } else {
            0.5 / RECORDS as f64
        };
        kernel.evolve(system, &mut whole, Until::Time(share * time), &mut rng)?;
        let slices = of_slices(system, &whole, &mut slice);
        for observable in 0..observables {
            let transform = |wave: f64| {
                let terms = slices.iter().enumerate();
                terms.fold([0.0; 2], |[real, imaginary], (x, slice)| {
                    let (sine, cosine) = (TAU * wave * x as f64 / side as f64).sin_cos();
                    [real + cosine * slice[observable], imaginary + sine * slice[observable]]
                })
            };
            let [total, _] = transform(0.0);
            let [real, imaginary] = transform(1.0);
            sums[observable] += total;
            squares[observable] += total * total;
            waves[observable] += real * real + imaginary * imaginary;
        }
    }
    let count = (TRAJECTORIES * RECORDS) as f64;
    let lengths = (0..observables).map(|observable| {
        let at_zero = (squares[observable] - sums[observable].powi(2) / count) / (count - 1.0);
        let ratio = at_zero / (waves[observable] / count);
        (ratio - 1.0).max(0.0).sqrt() / (2.0 * (0.5 * TAU / side as f64).sin())
    });
    Ok(lengths.filter(|length| length.is_finite()).fold(0.0, f64::max))
}

/// The observables' sums over the sites of each x.
fn of_slices<S: System>(system: &S, whole: &Window<S::Site>, slice: &mut Window<S::Site>) -> Vec<Vec<f64>> {
    let shape = whole.shape();
    let lattice = crate::lattice::Lattice::from_sites(shape, whole.cut(Region::BOX));
    let of_slice = |x: usize| {
        slice.load(&lattice, [0, 0, x as isize]);
        system.observe(slice, Region::BOX)
    };
    (0..shape.0[2]).map(of_slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::Ising;

    /// Above T_c the exact length along an axis is 1 / (ln coth(1 / T) - 2 / T) (L. Onsager, Phys. Rev. 65, 117 (1944)):
    /// 2.2 at T = 3 and 3.3 at T = 2.7. The one of the second moment is nearly the same.
    #[test]
    fn the_length_is_that_of_the_exact_solution() {
        for temperature in [3.0_f64, 2.7] {
            let coupling = 1.0 / temperature;
            let exact = 1.0 / ((1.0 / coupling.tanh()).ln() - 2.0 * coupling);
            let ising = Ising::new(temperature, 0.0);
            let found = correlation_length(&ising, Shape::plane(16, 16), 5).unwrap();
            assert!((found / exact - 1.0).abs() < 0.3, "{found} at T = {temperature}, exact {exact}");
        }
        // Spins that hardly interact have none; at T_c it is longer than a fifth of any side.
        assert!(correlation_length(&Ising::new(50.0, 0.0), Shape::plane(16, 16), 5).unwrap() < 1.5);
        assert!(correlation_length(&Ising::new(2.27, 0.0), Shape::plane(16, 16), 5).unwrap() > 6.0);
    }
}
