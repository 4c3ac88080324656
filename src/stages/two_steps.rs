//! The test of Chapman and Kolmogorov: some patches evolve for twice the time of the training pairs, and two steps of the
//! learned equation must say of them what they are. It needs no direct simulation.

use crate::{
    config::Input,
    files::{arrays::joined, pairs::Row},
    lattice::Lattice,
    learning::{Closure, Feature, Pairs, Sde, SdeModel},
    parallel::Alone,
    scores::{ModelKind, TwoSteps},
    stages::{
        engines::device,
        evolve::evolve_twice_as_long,
        latent::{encode_patches, encode_snapshots, joined_state},
    },
    systems::System,
    workflow::{Context, StageError},
};
use hdf5::H5Type;
use ndarray::{Array1, Array2, Axis, concatenate};
use tch::{Device, Kind, Tensor};

/// Most patches that evolve.
const PATCHES: usize = 1_024;
/// A small step of a component, in units of its range, for slopes of the drift.
const SLOPE: f64 = 1e-2;

/// Pairs of twice the length beside two steps of our first model. `None` for families of equations.
///
/// # Errors
/// When the kernel or the file system fails.
pub fn two_steps<S: System<Site: H5Type, Feature: Feature>>(
    context: &Context,
    system: &S,
) -> Result<Option<TwoSteps>, StageError> {
    let input = context.input;
    if input.system.is_family() {
        return Ok(None);
    }
    let closure = Closure::load(&context.path("closure.safetensors"), device(context)?)?;
    let (all, mut parts) = (input.large_snapshots(), Vec::new());
    let chosen: Vec<usize> = (0..all.min(PATCHES)).map(|nth| nth * all / all.min(PATCHES)).collect();
    evolve_twice_as_long(context, system, &chosen, |lattices, rows| {
        parts.push(pairs::<S>(context, &closure, lattices, rows));
    })?;
    let pairs = together(parts).without_deviations(&Alone)?;
    let model = Sde::load(&context.path(&ModelKind::Ours.file(input.train.seeds[0])), device(context)?)?;
    let (expected, variance) = expected(&model, &pairs, input.covariance_factor());
    Ok(Some(TwoSteps {
        quiet: pairs.quiet_increment(&Alone)?.mapv(f64::from),
        increment: pairs.increment.mapv(f64::from),
        expected,
        variance,
        word: pairs.trajectory.iter().map(|&trajectory| input.word_of(trajectory as usize)).collect(),
    }))
}

/// Latent states and increments of some rows, as the stage closure makes them.
fn pairs<S: System<Feature: Feature>>(
    context: &Context,
    closure: &Closure,
    lattices: &[Lattice<S::Site>],
    rows: &[Row<S::Site>],
) -> Pairs {
    let input = context.input;
    let table = |of: &dyn Fn(&Row<S::Site>) -> Vec<f64>| table(rows, of);
    let [encoded, before, change] = match input.uses_library() {
        true => from_library(closure, rows),
        false => encoded::<S>(input, closure, lattices, rows),
    };
    let z = joined_state(input, table(&|row| row.observables.clone()).view(), encoded.view());
    let known = |of: fn(&Row<S::Site>) -> Option<&Vec<f64>>| {
        input.compensated().then(|| table(&|row| of(row).expect("the law has a generator").clone()))
    };
    let compensator = known(|row| row.pair.compensator.as_ref());
    let of_drifts = known(|row| row.drift_deviation.as_ref()).map(|drifts| drifts.mapv(|value| value as f32));
    let of_states = input
        .tiles()
        .then(|| joined_state(input, table(&|row| row.pair.observables_before.clone()).view(), before.view()) - &z);
    let both: Vec<_> = of_states.iter().chain(&of_drifts).map(|array| array.view()).collect();
    Pairs {
        increment: joined_state(input, table(&|row| row.pair.increment.clone()).view(), change.view()),
        compensator: compensator.map(|compensator| joined_state(input, compensator.view(), change.view())),
        deviation: concatenate(Axis(1), &both).ok().map(|both| both.as_standard_layout().into_owned()),
        dt: rows.iter().map(|row| row.pair.elapsed.time as f32).collect(),
        trajectory: rows.iter().map(|row| row.trajectory).collect(),
        condition: None,
        z,
    }
}

/// Closure variables of the snapshots and of the patches before, and their changes.
fn encoded<S: System<Feature: Feature>>(
    input: &Input,
    closure: &Closure,
    lattices: &[Lattice<S::Site>],
    rows: &[Row<S::Site>],
) -> [Array2<f32>; 3] {
    let sites = |of: fn(&Row<S::Site>) -> &Vec<S::Site>| {
        let values = joined(rows.iter().map(of));
        Array2::from_shape_vec((rows.len(), values.len() / rows.len().max(1)), values).expect("patches are equal")
    };
    let snapshots = joined(lattices.iter().map(|lattice| &lattice.sites));
    let snapshots =
        Array2::from_shape_vec((rows.len(), input.large_shape().sites()), snapshots).expect("whole lattices");
    let shapes = (input.large_shape(), input.patch_shape());
    let encoded = encode_snapshots::<S>(closure, snapshots.view(), shapes);
    let before = encode_patches::<S>(closure, sites(|row| &row.pair.before).view());
    let change = encode_patches::<S>(closure, sites(|row| &row.pair.after).view()) - &before;
    [encoded, before, change]
}

/// Values of each row, `[row, value]`.
fn table<T>(rows: &[Row<T>], of: &dyn Fn(&Row<T>) -> Vec<f64>) -> Array2<f64> {
    let values: Vec<f64> = rows.iter().flat_map(of).collect();
    Array2::from_shape_vec((rows.len(), values.len() / rows.len().max(1)), values).expect("rows are equally long")
}

/// The same from functions of the library.
fn from_library<T>(closure: &Closure, rows: &[Row<T>]) -> [Array2<f32>; 3] {
    let table = |of: &dyn Fn(&Row<T>) -> Vec<f64>| table(rows, of);
    const KNOWN: &str = "rows of an input with a library have it";
    let functions = |of: fn(&Row<T>) -> Option<&Vec<f64>>| {
        table(&|row| of(row).expect(KNOWN).clone()).select(Axis(1), &closure.functions())
    };
    let of_whole = functions(|row| row.whole.library.as_ref());
    let before = functions(|row| row.pair.library.as_ref().map(|library| &library.before));
    let change = functions(|row| row.pair.library.as_ref().map(|library| &library.increment));
    let increment = table(&|row| row.pair.increment.clone());
    [
        closure.from_library(of_whole.view(), table(&|row| row.observables.clone()).view()),
        closure.from_library(before.view(), table(&|row| row.pair.observables_before.clone()).view()),
        closure.change_from_library(change.view(), increment.view()),
    ]
}

/// The rows of all parts.
fn together(parts: Vec<Pairs>) -> Pairs {
    let table = |of: &dyn Fn(&Pairs) -> Option<&Array2<f32>>| {
        let all: Option<Vec<_>> = parts.iter().map(|part| of(part).map(|array| array.view())).collect();
        all.and_then(|all| concatenate(Axis(0), &all).ok())
    };
    let chosen = |of: &dyn Fn(&Pairs) -> Option<&Array2<f32>>| table(of).expect("there are snapshots");
    Pairs {
        z: chosen(&|part| Some(&part.z)),
        increment: chosen(&|part| Some(&part.increment)),
        compensator: table(&|part| part.compensator.as_ref()),
        deviation: table(&|part| part.deviation.as_ref()),
        dt: parts.iter().flat_map(|part| part.dt.iter().copied()).collect::<Array1<f32>>(),
        trajectory: parts.iter().flat_map(|part| part.trajectory.iter().copied()).collect(),
        condition: None,
    }
}

/// Mean and variance of the increments of pairs, `[pair, component]`, by two steps of an equation, each of half their
/// time h: h (mu + mu') and h (Sigma' + (1 + h J) Sigma (1 + h J)^T) times lambda, where the primes stand for the state
/// after the first step and J for the slopes of mu.
fn expected(model: &Sde, pairs: &Pairs, covariance_factor: f64) -> (Array2<f64>, Array2<f64>) {
    let (count, size) = (pairs.z.nrows() as i64, pairs.z.ncols() as i64);
    let tensor = |values: &mut dyn Iterator<Item = f32>, columns: i64| {
        Tensor::from_slice(&values.collect::<Vec<f32>>()).to_kind(Kind::Double).view([count, columns])
    };
    let z = tensor(&mut pairs.z.iter().copied(), size);
    let half = tensor(&mut pairs.dt.iter().copied(), 1) / 2.0;
    let host = |tensor: Tensor| tensor.to_device(Device::Cpu).to_kind(Kind::Double);
    let drift = |z: &Tensor| host(model.drift(z));
    let first = drift(&z) * &half;
    let after = &z + &first;
    let increment = &first + drift(&after) * &half;
    let ranges = z.amax([0], false) - z.amin([0], false);
    let slopes: Vec<Tensor> = (0..size)
        .map(|component| {
            let step = ranges.double_value(&[component]).max(1e-12) * SLOPE;
            let shift = Tensor::zeros_like(&z);
            let _ = shift.narrow(1, component, 1).fill_(step);
            (drift(&(&z + &shift)) - drift(&(&z - &shift))) / (2.0 * step)
        })
        .collect();
    // Element (i, j) is the slope of drift i along component j.
    let jacobian = Tensor::stack(&slopes, 2);
    let (factor, later) = (host(model.diffusion(&z)), host(model.diffusion(&after)));
    let carried = &factor + jacobian.matmul(&factor) * half.unsqueeze(-1);
    let squares = |factor: &Tensor| factor.square().sum_dim_intlist(2, false, None::<Kind>);
    let variance = (squares(&carried) + squares(&later)) * half * covariance_factor;
    let array = |tensor: Tensor| {
        let values = Vec::<f64>::try_from(tensor.reshape([-1])).expect("double precision on the host");
        Array2::from_shape_vec((count as usize, size as usize), values).expect("one value a component")
    };
    (array(increment), array(variance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::{SdeInput, TrainInput, TrainingContext, fit};
    use crate::rng::{Purpose, stream};
    use rand_distr::{Distribution, StandardNormal};

    /// Of dz = -z dt + dB / 2 two steps of h are 1 - h twice, and a variance of h (1 + (1 - h)^2) / 4, times lambda.
    #[test]
    fn two_steps_of_a_linear_equation_are_known() {
        const COUNT: usize = 20_000;
        let mut rng = stream(1, Purpose::Bench, [61, 0]);
        let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
        let z = Array2::from_shape_simple_fn((COUNT, 1), &mut normal);
        let dt = 0.2_f32;
        let increment = &z * -dt + Array2::from_shape_simple_fn((COUNT, 1), &mut normal) * (0.5 * (4.0 * dt).sqrt());
        let pairs = Pairs {
            z,
            increment,
            compensator: None,
            deviation: None,
            dt: Array1::from_elem(COUNT, dt),
            trajectory: (0..COUNT as u32).map(|row| row / 100).collect(),
            condition: None,
        };
        let model = SdeInput { drift: "linear".into(), diffusion: "constant".into(), ..SdeInput::default() };
        let train =
            TrainInput { epochs: 4, batch: 200, learning_rate: 2e-2, decay: 0.4, refit: true, ..TrainInput::default() };
        let run = TrainingContext::new(1, &Alone, Device::Cpu);
        let sde = fit(&pairs, 4.0, &model, &train, &run, &mut |_| ()).unwrap().0;
        let twice = Pairs { dt: Array1::from_elem(COUNT, 2.0 * dt), ..pairs };
        let (mean, variance) = expected(&sde, &twice, 4.0);
        let slope = (&mean * &twice.z.mapv(f64::from)).sum() / twice.z.mapv(|z| f64::from(z * z)).sum();
        assert!((slope - (0.8_f64.powi(2) - 1.0)).abs() < 0.02, "{slope}");
        let spread = variance.mean().unwrap();
        assert!((spread / (0.2 * (1.0 + 0.64)) - 1.0).abs() < 0.04, "{spread}");
    }
}
