//! What the tests of the alloy share: the folder of published data, and a network with weights of our own.

use std::path::PathBuf;
use tessera::systems::alloy::{
    barriers::arrays::Arrays,
    environment::{Environment, OFFSETS},
};

/// The folder `nbmota` with the published weights: in `$TESSERA_SHARED/data`, else in `../shared/data`; most machines
/// have none.
pub fn shared() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("TESSERA_SHARED").map_or_else(beside, PathBuf::from).join("data/nbmota");
    if folder.join("nnk_weights.npz").exists() {
        return Some(folder);
    }
    eprintln!("skipped: the published weights are not in {}; set TESSERA_SHARED", folder.display());
    None
}

/// A network of the published shape with weights from a congruential generator, x -> 1664525 x + 1013904223 mod 2^32,
/// one number u in [-1, 1) a weight, in the order of the arrays.
pub fn own_arrays() -> Arrays {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    let mut arrays = Arrays::default();
    let mut add = |name: String, shape: &[usize], centre: f64, spread: f64| {
        let values = (0..shape.iter().product()).map(|_| (centre + spread * next()) as f32).collect();
        arrays.insert(name, shape, values);
    };
    for layer in 0..4 {
        let inputs = if layer == 0 { 729 } else { 128 };
        for (part, shape, centre, spread) in [
            ("weight", &[inputs, 128][..], 0.0, 0.2),
            ("bias", &[128], 0.0, 0.5),
            ("bn_gamma", &[128], 1.0, 0.5),
            ("bn_beta", &[128], 0.0, 0.5),
            ("bn_mean", &[128], 0.0, 1.0),
            ("bn_var", &[128], 5.0, 4.0),
        ] {
            add(format!("layer{layer}.{part}"), shape, centre, spread);
        }
    }
    add("output.weight".into(), &[128, 1], 0.0, 0.1);
    add("output.bias".into(), &[1], 1.0, 0.5);
    arrays
}

/// The barriers by definition, in double precision: the cube of 9 x 9 x 9 half-lattice points is turned plane by plane,
/// then every layer is applied as it is published.
pub fn naive_barriers(arrays: &Arrays, environment: &Environment) -> [f64; 8] {
    let mut cube = vec![vec![vec![0_u8; 9]; 9]; 9];
    for (species, [i, j, k]) in environment.0.iter().zip(OFFSETS.iter()) {
        cube[(i + 4) as usize][(j + 4) as usize][(k + 4) as usize] = *species;
    }
    std::array::from_fn(|jump| {
        let [x, y, z] = [jump & 4 != 0, jump & 2 != 0, jump & 1 != 0];
        let ends = [x, y, z].map(|up| if up { 5 } else { 3 });
        if cube[ends[0]][ends[1]][ends[2]] == 0 {
            return f64::INFINITY;
        }
        let quarters = match (x, y) {
            (true, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (false, true) => 3,
        };
        let mut turned = cube.clone();
        for _ in 0..quarters {
            let old = turned.clone();
            for (i, plane) in turned.iter_mut().enumerate() {
                for (j, line) in plane.iter_mut().enumerate() {
                    line.clone_from(&old[j][8 - i]);
                }
            }
        }
        if !z {
            turned.iter_mut().flatten().for_each(|line| line.reverse());
        }
        let mut values: Vec<f64> = turned.into_iter().flatten().flatten().map(f64::from).collect();
        for layer in 0..4 {
            let get =
                |part: &str, shape: &[usize]| arrays.get(&format!("layer{layer}.{part}"), shape).unwrap().to_vec();
            let weight = get("weight", &[values.len(), 128]);
            let [bias, gamma, beta, mean, variance] =
                ["bias", "bn_gamma", "bn_beta", "bn_mean", "bn_var"].map(|part| get(part, &[128]));
            let output = |output: usize| {
                let sum: f64 = values
                    .iter()
                    .enumerate()
                    .map(|(input, value)| value * f64::from(weight[input * 128 + output]))
                    .sum();
                let standard = (sum + f64::from(bias[output]) - f64::from(mean[output]))
                    / (f64::from(variance[output]) + 1e-5).sqrt();
                (f64::from(gamma[output]) * standard + f64::from(beta[output])).max(0.0)
            };
            values = (0..128).map(output).collect();
        }
        let head = arrays.get("output.weight", &[128, 1]).unwrap();
        let bias = f64::from(arrays.get("output.bias", &[1]).unwrap()[0]);
        bias + values.iter().zip(head).map(|(value, weight)| value * f64::from(*weight)).sum::<f64>()
    })
}
