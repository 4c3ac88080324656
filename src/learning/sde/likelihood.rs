//! The Gaussian likelihood of one Euler-Maruyama step, without a matrix inverse or determinant.
//!
//! For an increment q over dt the loss is r^T (lambda Sigma dt)^{-1} r + log det(lambda Sigma dt) with r = q - mu dt
//! and Sigma = L L^T (arXiv 2511.12842, Eq. 8). In the units of [`crate::learning::sde::Scales`] that is, up to a
//! constant,
//! |y|^2 + 2 sum_i log L_ii with L y = e - s m, where e is the whitened increment, m the drift and s = sqrt(dt / mean dt).
//! L y = r is solved by forward substitution, column by column, for all samples at once.

use std::cell::RefCell;
use tch::{Kind, Tensor};

/// Packed lower triangular matrices L, one per sample.
#[derive(Debug)]
pub struct Factor {
    /// Positive diagonal, `[samples, d]`.
    pub diagonal: Tensor,
    /// The elements below the diagonal, column by column, `[samples, d (d-1) / 2]`; `None` for diagonal L.
    pub lower: Option<Tensor>,
}

impl Factor {
    /// L as full matrices, `[samples, d, d]`.
    pub fn matrix(&self) -> Tensor {
        match &self.lower {
            None => self.diagonal.diag_embed(0, -2, -1),
            Some(lower) => triangle(&self.diagonal, lower),
        }
    }

    /// L times one factor per sample, `[samples, 1]`.
    pub fn scaled(self, factors: &Tensor) -> Self {
        Self { diagonal: self.diagonal * factors, lower: self.lower.map(|lower| lower * factors) }
    }

    /// L x for vectors x, `[samples, d]`.
    pub fn times(&self, vectors: &Tensor) -> Tensor {
        match &self.lower {
            None => &self.diagonal * vectors,
            Some(_) => self.matrix().matmul(&vectors.unsqueeze(-1)).squeeze_dim(-1),
        }
    }

    /// L^T x for vectors x, `[samples, d]`.
    pub fn transposed_times(&self, vectors: &Tensor) -> Tensor {
        match &self.lower {
            None => &self.diagonal * vectors,
            Some(_) => vectors.unsqueeze(1).matmul(&self.matrix()).squeeze_dim(1),
        }
    }

    /// y with L y = `right`, `[samples, d]`.
    pub fn solve(&self, right: &Tensor) -> Tensor {
        let Some(lower) = &self.lower else { return right / &self.diagonal };
        let size = self.diagonal.size()[1];
        let mut rest = right.shallow_clone();
        let mut solution = Vec::with_capacity(size as usize);
        let mut offset = 0;
        for column in 0..size {
            let value = rest.narrow(1, 0, 1) / self.diagonal.narrow(1, column, 1);
            let below = size - 1 - column;
            if below > 0 {
                rest = rest.narrow(1, 1, below) - &value * lower.narrow(1, offset, below);
                offset += below;
            }
            solution.push(value);
        }
        Tensor::cat(&solution, 1)
    }
}

/// Lower triangular matrices `[samples, d, d]` from diagonals `[samples, d]` and the elements below, by columns.
pub fn triangle(diagonal: &Tensor, lower: &Tensor) -> Tensor {
    let (samples, size) = (diagonal.size()[0], diagonal.size()[1]);
    let zero = Tensor::zeros([samples, 1], (diagonal.kind(), diagonal.device()));
    let packed = Tensor::cat(&[diagonal, lower, &zero], 1);
    POSITIONS.with_borrow_mut(|known| {
        let device = diagonal.device();
        let index = known.iter().position(|(found, positions)| *found == size && positions.device() == device);
        let index = index.unwrap_or_else(|| {
            known.push((size, Tensor::from_slice(&packed_positions(size)).to_device(device)));
            known.len() - 1
        });
        packed.index_select(1, &known[index].1).view([samples, size, size])
    })
}

thread_local! {
    /// [`packed_positions`] by d and device. Sending them in every step would make every step wait for the device.
    static POSITIONS: RefCell<Vec<(i64, Tensor)>> = const { RefCell::new(Vec::new()) };
}

/// For each element of a d x d matrix, row by row, its position in (diagonal, lower by columns, zero).
fn packed_positions(size: i64) -> Vec<i64> {
    let zero = size + size * (size - 1) / 2;
    let mut positions = vec![zero; (size * size) as usize];
    let mut next = size;
    for column in 0..size {
        positions[(column * size + column) as usize] = column;
        for row in column + 1..size {
            positions[(row * size + column) as usize] = next;
            next += 1;
        }
    }
    positions
}

/// Sum over samples of |L^{-1} residual|^2 + 2 sum_i log L_ii, a scalar. `residual` is `[samples, d]`.
pub fn negative_log_likelihood(residual: &Tensor, factor: &Factor) -> Tensor {
    factor.solve(residual).square().sum(None::<Kind>) + factor.diagonal.log().sum(None::<Kind>) * 2.0
}
