//! The fitted barrier models: a small network per jumping species on the features of a jump (`orbits`), with two hidden
//! layers of 32 and ReLU.
//!
//! The features are integers. The weights of the first layer are rounded to integers, for each output to one part in
//! 32767 of the largest weight. Products and sums in the first layer are then exact, in 16 and 32 bits. Recipe and
//! errors are in docs/results/alloy.md.

use crate::systems::alloy::{
    barriers::{
        BarrierError, Barriers,
        arrays::Arrays,
        balance::{self, Interactions},
        orbits::{FEATURES, PAIRS, Pairs, from_pairs, into_pairs, members, pairs, units},
    },
    environment::{Environment, JUMPS, SPECIES, VACANCY},
};
use std::path::Path;
use wide::{f32x8, i16x16, i32x8};

/// Width of the hidden layers.
pub const WIDTH: usize = 32;
/// The built-in fitted model.
const BUILTIN: &[u8] = include_bytes!("builtin.safetensors");
/// The built-in fitted model with detailed balance.
const BALANCED: &[u8] = include_bytes!("balanced.safetensors");

/// Eight outputs at a time.
const BLOCKS: usize = WIDTH / 8;

/// The network of one jumping species.
#[derive(Clone, Debug)]
struct Perceptron {
    first: Vec<[i16x16; BLOCKS]>,
    /// Units of the integers of the first layer.
    first_unit: [f32x8; BLOCKS],
    first_bias: [f32x8; BLOCKS],
    second: Vec<[f32x8; BLOCKS]>,
    second_bias: [f32x8; BLOCKS],
    last_layer: [f32x8; BLOCKS],
    head_bias: f32,
}

/// The networks of the three species, and the interactions of a model with detailed balance (`balance`).
#[derive(Clone, Debug)]
pub struct OrbitModel {
    species: Vec<Perceptron>,
    interactions: Option<Interactions>,
}

impl OrbitModel {
    /// The built-in model.
    ///
    /// # Errors
    /// When the program was built with a damaged file.
    pub fn builtin() -> Result<Self, BarrierError> {
        Self::new(&Arrays::from_safetensors(Path::new("builtin"), BUILTIN)?)
    }

    /// The built-in model with detailed balance.
    ///
    /// # Errors
    /// When the program was built with a damaged file.
    pub fn balanced() -> Result<Self, BarrierError> {
        Self::new(&Arrays::from_safetensors(Path::new("balanced"), BALANCED)?)
    }

    /// Reads a fitted model (`.safetensors`).
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a fitted model.
    pub fn read(path: &Path) -> Result<Self, BarrierError> {
        let bytes = std::fs::read(path).map_err(|source| BarrierError::Read { path: path.to_owned(), source })?;
        Self::new(&Arrays::from_safetensors(path, &bytes)?)
    }

    /// The model of named arrays. Each of the species `Nb`, `Mo` and `Ta` has `Nb.0.weight` of [`FEATURES`] x
    /// [`WIDTH`], `Nb.1.weight` of [`WIDTH`] x [`WIDTH`], `Nb.2.weight` of [`WIDTH`] x 1, and a `bias` for each weight.
    /// With an array `interactions`, the networks give the kinetically resolved activation.
    ///
    /// # Errors
    /// When an array is missing, has another shape, or holds NaN or infinity.
    pub fn new(arrays: &Arrays) -> Result<Self, BarrierError> {
        let perceptron = |name: &str| -> Result<Perceptron, BarrierError> {
            let weight =
                |layer: usize, inputs, outputs| arrays.get(&format!("{name}.{layer}.weight"), &[inputs, outputs]);
            let bias = |layer: usize, outputs| arrays.get(&format!("{name}.{layer}.bias"), &[outputs]);
            let (first, first_unit) = in_whole_numbers(weight(0, FEATURES, WIDTH)?);
            Ok(Perceptron {
                first,
                first_unit,
                first_bias: blocks(bias(0, WIDTH)?),
                second: weight(1, WIDTH, WIDTH)?.chunks_exact(WIDTH).map(blocks).collect(),
                second_bias: blocks(bias(1, WIDTH)?),
                last_layer: blocks(weight(2, WIDTH, 1)?),
                head_bias: bias(2, 1)?[0],
            })
        };
        let species = SPECIES[1..].iter().map(|name| perceptron(name)).collect::<Result<_, _>>()?;
        Ok(Self { species, interactions: Interactions::read(arrays)? })
    }
}

fn blocks(values: &[f32]) -> [f32x8; BLOCKS] {
    std::array::from_fn(|block| f32x8::new(std::array::from_fn(|lane| values[8 * block + lane])))
}

/// The weights of the first layer, `[pair][output][member]`, as integers, and the unit of these for each output.
fn in_whole_numbers(weights: &[f32]) -> (Vec<[i16x16; BLOCKS]>, [f32x8; BLOCKS]) {
    let weight = |pair: usize, output: usize, member: usize| {
        members(pair)[member].map_or(0.0, |feature| units(pair)[member] * weights[feature * WIDTH + output])
    };
    let all = |output| (0..2 * PAIRS).map(move |index| weight(index / 2, output, index % 2).abs());
    let unit: [f32; WIDTH] =
        std::array::from_fn(|output| all(output).fold(f32::MIN_POSITIVE, f32::max) / f32::from(i16::MAX));
    let whole = |pair, output: usize, member| (weight(pair, output, member) / unit[output]).round() as i16;
    let eight = |pair, block| i16x16::new(std::array::from_fn(|lane| whole(pair, 8 * block + lane / 2, lane % 2)));
    let row = |pair| std::array::from_fn(|block| eight(pair, block));
    ((0..PAIRS).map(row).collect(), blocks(&unit))
}

impl Perceptron {
    /// Heights of several jumps together. Each weight is then read once for all of them.
    fn heights<const N: usize>(&self, pairs: &Pairs, jumps: [usize; N]) -> [f32; N] {
        let mut sums = [[i32x8::ZERO; BLOCKS]; N];
        for (row, pair) in self.first.iter().zip(pairs) {
            let pair: &[i32; JUMPS] = bytemuck::cast_ref(pair);
            for (sums, jump) in sums.iter_mut().zip(jumps) {
                let input: i16x16 = bytemuck::cast(i32x8::splat(pair[jump]));
                for (sum, weights) in sums.iter_mut().zip(row) {
                    *sum += weights.dot(input);
                }
            }
        }
        let mut hidden = [[0.0; WIDTH]; N];
        for (hidden, sums) in hidden.iter_mut().zip(&sums) {
            for (block, units) in hidden.as_chunks_mut().0.iter_mut().enumerate() {
                let sum = sums[block].round_float().mul_add(self.first_unit[block], self.first_bias[block]);
                *units = sum.fast_max(f32x8::ZERO).to_array();
            }
        }
        let mut sums = [self.second_bias; N];
        for (input, row) in self.second.iter().enumerate() {
            for (sums, hidden) in sums.iter_mut().zip(&hidden) {
                let input = f32x8::splat(hidden[input]);
                for (sum, weights) in sums.iter_mut().zip(row) {
                    *sum = weights.mul_add(input, *sum);
                }
            }
        }
        let mut heights = [self.head_bias; N];
        for (height, sums) in heights.iter_mut().zip(sums) {
            let products = sums.iter().zip(&self.last_layer).map(|(sum, weight)| sum.fast_max(f32x8::ZERO) * *weight);
            *height += products.fold(f32x8::ZERO, |total, product| total + product).reduce_add();
        }
        heights
    }
}

impl OrbitModel {
    /// The energies of pairs of a model with detailed balance.
    pub fn interactions(&self) -> Option<&Interactions> {
        self.interactions.as_ref()
    }

    fn activations(&self, environment: &Environment, pairs: &Pairs) -> [f32; JUMPS] {
        let jumping = environment.targets();
        let mut heights = [f32::INFINITY; JUMPS];
        for (perceptron, species) in self.species.iter().zip(1..) {
            let mut jumps = (0..JUMPS).filter(|&jump| jumping[jump] == species);
            while let Some(first) = jumps.next() {
                match jumps.next() {
                    Some(second) => [heights[first], heights[second]] = perceptron.heights(pairs, [first, second]),
                    None => [heights[first]] = perceptron.heights(pairs, [first]),
                }
            }
        }
        heights
    }
}

impl Barriers for OrbitModel {
    fn heights(&self, environment: &Environment) -> [f32; JUMPS] {
        let pairs = pairs(environment);
        let Some(interactions) = &self.interactions else { return self.activations(environment, &pairs) };
        let features = from_pairs(&pairs);
        let mut heights = self.activations(environment, &into_pairs(&balance::symmetric(&features)));
        let (differences, jumping) = (balance::differences(environment, &features), environment.targets());
        for (jump, height) in heights.iter_mut().enumerate().filter(|&(jump, _)| jumping[jump] != VACANCY) {
            *height += 0.5 * interactions.change(&differences, jumping[jump], jump);
        }
        heights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rng::{Purpose, stream},
        systems::alloy::barriers::orbits::features,
    };
    use rand::Rng as _;

    /// Heights by the definition, in double precision.
    fn defined(arrays: &Arrays, environment: &Environment) -> [f64; JUMPS] {
        let features = features(environment);
        let targets = environment.targets();
        std::array::from_fn(|jump| {
            let name = SPECIES[usize::from(targets[jump])];
            let mut values: Vec<f64> = features.iter().map(|lanes| f64::from(lanes[jump])).collect();
            for (layer, outputs) in [WIDTH, WIDTH, 1].into_iter().enumerate() {
                let weight = arrays.get(&format!("{name}.{layer}.weight"), &[values.len(), outputs]).unwrap();
                let bias = arrays.get(&format!("{name}.{layer}.bias"), &[outputs]).unwrap();
                let sum = |output: usize| -> f64 {
                    let products = values
                        .iter()
                        .enumerate()
                        .map(|(input, value)| value * f64::from(weight[input * outputs + output]));
                    f64::from(bias[output]) + products.sum::<f64>()
                };
                values =
                    (0..outputs).map(|output| if outputs > 1 { sum(output).max(0.0) } else { sum(output) }).collect();
            }
            values[0]
        })
    }

    #[test]
    fn whole_numbers_give_the_heights_of_the_definition() {
        let arrays = Arrays::from_safetensors(Path::new("builtin"), BUILTIN).unwrap();
        let model = OrbitModel::new(&arrays).unwrap();
        let mut rng = stream(1, Purpose::Bench, [42, 0]);
        let mut worst = 0.0_f64;
        for _ in 0..200 {
            let environment = Environment(std::array::from_fn(|_| rng.random_range(1..4)));
            let found = model.heights(&environment);
            for (found, defined) in found.into_iter().zip(defined(&arrays, &environment)) {
                worst = worst.max((f64::from(found) - defined).abs());
            }
        }
        assert!(worst < 1e-4, "heights are off by {worst} eV");
    }

    #[test]
    fn features_are_the_pairs_and_back() {
        let mut rng = stream(1, Purpose::Bench, [43, 0]);
        let environment = Environment(std::array::from_fn(|_| rng.random_range(0..4)));
        let pairs = pairs(&environment);
        let again = into_pairs(&from_pairs(&pairs));
        assert_eq!(from_pairs(&again), from_pairs(&pairs));
    }
}
