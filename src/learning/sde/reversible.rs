//! The reversible drift: mu = -1/2 Sigma grad F + 1/2 div Sigma. Where the law of the sites keeps detailed balance, so
//! does an equation of this form, and its equilibrium is exp(-F) whatever Sigma is.
//!
//! F is a sum of products of Chebyshev polynomials T_k(x / b) of the coordinates, up to a total degree, where b is the
//! largest |x| of the data. Its weights are linear in the force f = -1/2 grad F, so that at a given Sigma least squares
//! find them.

use crate::learning::{
    sde::{Drift, Factor, InputWidth, Scales, SdeInput},
    train::parameters::{Layout, Start},
};
use tch::{Kind, Tensor};

/// Step of the differences that give div Sigma, in standard deviations of the states.
pub(super) const STEP: f64 = 0.02;
/// Most weights of a potential: their normal equations are solved at once.
const MOST_WEIGHTS: f64 = 2000.0;

/// The potential F of a reversible drift.
pub struct ReversibleDrift {
    degree: i64,
    /// Degrees in each coordinate, of each term.
    terms: Vec<Vec<i64>>,
    position: usize,
    /// The unit of a move in each coordinate, that of the diffusion over the mean dt.
    lengths: Vec<f64>,
    /// b of each coordinate.
    reach: Vec<f64>,
}

impl ReversibleDrift {
    /// Adds the weights to `layout`.
    pub fn new(layout: &mut Layout, input: &SdeInput, width: InputWidth) -> Self {
        let (degree, size) = (input.potential_degree as i64, width.components as usize);
        let terms = terms(size, degree);
        let position = layout.add("drift.potential", &[terms.len() as i64], Start::Constant(0.0));
        Self { degree, terms, position, lengths: vec![1.0; size], reach: vec![1.0; size] }
    }

    /// Position of the weights in the layout.
    pub fn position(&self) -> usize {
        self.position
    }

    /// F of states `[samples, d]`, `[samples]`, up to a constant.
    pub fn potential(&self, weights: &[Tensor], states: &Tensor) -> Tensor {
        self.products(&self.polynomials(states), None).matmul(&weights[self.position])
    }

    /// The derivatives of the forces at `states` by the weights, times the units of moves, `[samples, d, weights]`.
    pub fn design(&self, states: &Tensor) -> Tensor {
        let polynomials = self.polynomials(states);
        let coordinates = 0..self.reach.len();
        let slopes: Vec<Tensor> = coordinates.map(|index| self.products(&polynomials, Some(index))).collect();
        Tensor::stack(&slopes, 1) * (self.lengths(states) / row(&self.reach, states) * -0.5).unsqueeze(-1)
    }

    /// The units of moves on the device of some states, `[d]`.
    pub fn lengths(&self, states: &Tensor) -> Tensor {
        row(&self.lengths, states)
    }

    /// T_k(x / b) and U_k(x / b) of each coordinate, k from 0 to the degree: two of `[samples, d, degree + 1]`.
    fn polynomials(&self, states: &Tensor) -> [Tensor; 2] {
        let twice = states / row(&self.reach, states) * 2.0;
        let one = states.ones_like();
        [&twice * 0.5, twice.shallow_clone()].map(|second| {
            let mut values = vec![one.shallow_clone(), second];
            for k in 2..=self.degree as usize {
                values.push(&twice * &values[k - 1] - &values[k - 2]);
            }
            Tensor::stack(&values, -1)
        })
    }

    /// The terms, or their derivatives by one x / b, `[samples, terms]`: T_k' = k U_(k-1).
    fn products(&self, [values, slopes]: &[Tensor; 2], derivative: Option<usize>) -> Tensor {
        let of = |coordinate: usize| {
            let degrees: Vec<i64> = self.terms.iter().map(|term| term[coordinate]).collect();
            let take = |from: &Tensor, degrees: &[i64]| {
                from.select(1, coordinate as i64).index_select(1, &Tensor::from_slice(degrees).to_device(from.device()))
            };
            if derivative != Some(coordinate) {
                return take(values, &degrees);
            }
            let before: Vec<i64> = degrees.iter().map(|degree| (degree - 1).max(0)).collect();
            let factors: Vec<f64> = degrees.iter().map(|&degree| degree as f64).collect();
            take(slopes, &before) * row(&factors, slopes)
        };
        (1..self.reach.len()).fold(of(0), |product, coordinate| product * of(coordinate))
    }
}

/// Numbers as a row of the kind of another tensor, on its device.
fn row(values: &[f64], like: &Tensor) -> Tensor {
    Tensor::from_slice(values).to_kind(like.kind()).to_device(like.device())
}

impl Drift for ReversibleDrift {
    /// The force f times the units of moves.
    fn forward(&self, weights: &[Tensor], states: &Tensor, _: Option<&Tensor>) -> Tensor {
        self.design(states).matmul(&weights[self.position])
    }

    fn set_units(&mut self, scales: &Scales) {
        (self.lengths, self.reach) = (scales.lengths(), scales.reach());
    }

    fn as_reversible(&self) -> Option<&ReversibleDrift> {
        Some(self)
    }
}

/// All degrees in each of `size` coordinates with a sum of 1 to `degree`.
fn terms(size: usize, degree: i64) -> Vec<Vec<i64>> {
    let mut all: Vec<Vec<i64>> = vec![Vec::new()];
    for _ in 0..size {
        let longer = |term: &Vec<i64>| {
            let left = degree - term.iter().sum::<i64>();
            (0..=left).map(|next| [term.as_slice(), &[next]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all.retain(|term| term.iter().sum::<i64>() > 0);
    all
}

/// Why a potential of `degree` in `size` coordinates cannot be used, if so.
pub fn refuse_potential(size: usize, degree: usize) -> Result<(), String> {
    let weights = (1..=size).map(|k| (degree as f64 + k as f64) / k as f64).product::<f64>() - 1.0;
    let few = (1.0..=MOST_WEIGHTS).contains(&weights);
    few.then_some(()).ok_or_else(|| {
        format!("with {size} component(s) it makes {weights:.0} weights; choose a degree with 1 to {MOST_WEIGHTS}")
    })
}

/// 1/2 div Sigma by central differences, in the units of the networks, `[samples, d]`.
pub(super) fn half_divergence(states: &Tensor, lengths: &Tensor, factor_at: &dyn Fn(&Tensor) -> Factor) -> Tensor {
    let (samples, size) = (states.size()[0], states.size()[1]);
    let steps = Tensor::eye(size, (states.kind(), states.device())) * STEP;
    let steps = Tensor::cat(&[&steps, &-&steps], 0).unsqueeze(1);
    let root = factor_at(&(states.unsqueeze(0) + steps).flatten(0, 1)).matrix();
    let sigma = root.matmul(&root.transpose(1, 2)).view([2, size, samples, size, size]);
    let slope = (sigma.get(0) - sigma.get(1)) / (2.0 * STEP);
    // Of the derivative by coordinate j, column j.
    let columns = slope.diagonal(0, 0, 3);
    (columns * lengths).sum_dim_intlist(-1, false, None::<Kind>) * 0.5
}
