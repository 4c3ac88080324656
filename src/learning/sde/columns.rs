//! The columns of packed rows (see [`Scales::pack`](super::Scales::pack)).

use super::Networks;
use tch::Tensor;

/// The columns of packed rows.
pub(super) struct Columns {
    /// States and increments, `[rows, r]`.
    pub states: Tensor,
    pub increment: Tensor,
    /// sqrt(dt / mean dt), `[rows, 1]`.
    pub root: Tensor,
    /// `[rows, axes]`
    pub condition: Option<Tensor>,
    /// `[rows, r]`
    pub quiet: Option<Tensor>,
}

impl Columns {
    /// Of rows with `size` coordinates, for networks with a condition or without.
    pub fn of(rows: &Tensor, size: i64, networks: &Networks) -> Self {
        let conditions = networks.condition_axes as i64;
        let known = 2 * size + 1 + conditions;
        Self {
            states: rows.narrow(1, 0, size),
            increment: rows.narrow(1, size, size),
            root: rows.narrow(1, 2 * size, 1),
            condition: (conditions > 0).then(|| rows.narrow(1, 2 * size + 1, conditions)),
            quiet: (rows.size()[1] > known).then(|| rows.narrow(1, known, size)),
        }
    }
}
