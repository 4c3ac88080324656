//! AdamW with AMSGrad on one flat parameter vector, and the learning-rate schedule.
//!
//! With gradient g and step k: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w = max(w, v) and
//! p = (1 - rate decay) p - rate m / (1-b1^k) / (sqrt(w / (1-b2^k)) + epsilon)
//! (Loshchilov and Hutter, ICLR 2019; Reddi, Kale and Kumar, ICLR 2018).

use tch::{Tensor, no_grad};

const FIRST_MOMENT: f64 = 0.9;
const SECOND_MOMENT: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The state of AdamW.
#[derive(Debug)]
pub struct AdamW {
    /// Running mean of the gradient.
    pub mean: Tensor,
    /// Running mean of the squared gradient.
    pub square: Tensor,
    /// Largest running mean of the squared gradient so far.
    pub largest: Tensor,
    /// Steps taken.
    pub steps: i32,
    weight_decay: f64,
    gradient_clip: Option<f64>,
}

impl AdamW {
    /// The first state for parameters like `flat`. `gradient_clip` bounds the Euclidean norm of the gradient.
    pub fn new(flat: &Tensor, weight_decay: f64, gradient_clip: Option<f64>) -> Self {
        let zeros = || flat.zeros_like();
        Self { mean: zeros(), square: zeros(), largest: zeros(), steps: 0, weight_decay, gradient_clip }
    }

    /// Moves `flat` by one step against `gradient`.
    pub fn step(&mut self, flat: &mut Tensor, gradient: &Tensor, learning_rate: f64) {
        no_grad(|| {
            self.steps += 1;
            let gradient = self.gradient_clip.map_or_else(|| gradient.shallow_clone(), |limit| clip(gradient, limit));
            let mean_share = 1.0 - FIRST_MOMENT.powi(self.steps);
            let square_share = 1.0 - SECOND_MOMENT.powi(self.steps);
            let _ = self.mean.lerp_(&gradient, 1.0 - FIRST_MOMENT);
            let _ = self.square.lerp_(&gradient.square(), 1.0 - SECOND_MOMENT);
            let _ = self.largest.maximum_out(&self.largest, &self.square);
            let rate = -learning_rate / mean_share;
            let mut divisor = self.largest.sqrt();
            let _ = divisor.g_mul_scalar_(1.0 / (rate * square_share.sqrt()));
            let _ = divisor.g_add_scalar_(EPSILON / rate);
            let _ = flat.g_mul_scalar_(1.0 - learning_rate * self.weight_decay);
            let _ = flat.addcdiv_(&self.mean, &divisor);
        });
    }
}

/// The gradient, scaled down to the norm `limit` if it is longer. Computed on its device, without waiting for the norm.
fn clip(gradient: &Tensor, limit: f64) -> Tensor {
    gradient * ((gradient.norm() + 1e-6).reciprocal() * limit).clamp_max(1.0)
}

/// Multiplies the learning rate by `factor` after more than `patience` epochs without improvement.
#[derive(Clone, Debug)]
pub struct Plateau {
    /// Learning rate of the next step.
    pub learning_rate: f64,
    /// Lowest loss so far.
    pub best: f64,
    /// Epochs since the lowest loss.
    pub waited: usize,
    factor: f64,
    patience: usize,
    minimum: f64,
}

impl Plateau {
    /// Starts at `learning_rate` and never goes below `minimum`.
    pub fn new(learning_rate: f64, factor: f64, patience: usize, minimum: f64) -> Self {
        Self { learning_rate, best: f64::INFINITY, waited: 0, factor, patience, minimum }
    }

    /// Takes the loss of an epoch. Improvements below 1e-4 do not count; the loss is a logarithm.
    pub fn observe(&mut self, loss: f64) {
        if loss < self.best - 1e-4 {
            self.best = loss;
            self.waited = 0;
            return;
        }
        self.waited += 1;
        if self.waited > self.patience {
            self.waited = 0;
            self.learning_rate = (self.learning_rate * self.factor).max(self.minimum.min(self.learning_rate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_lowers_the_rate_and_never_raises_it() {
        for (rate, minimum, then) in [(1e-3, 1e-6, 5e-4), (1e-3, 8e-4, 8e-4), (1e-7, 1e-6, 1e-7)] {
            let mut plateau = Plateau::new(rate, 0.5, 0, minimum);
            (0..2).for_each(|_| plateau.observe(1.0));
            assert_eq!(plateau.learning_rate, then);
        }
    }
}
