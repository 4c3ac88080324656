//! The last layer of the drift in closed form.
//!
//! If the drift is small against the noise, gradient descent stops before the minimum: changes of the loss by 1e-5 are
//! lost in the noise of the batches, and yet they shift an equilibrium. At a fixed diffusion the loss is quadratic in
//! the last layer of the drift. Its minimum solves linear equations: least squares, weighted with the inverse
//! covariance, with a wide normal prior about the trained weights.

use crate::{
    learning::{
        LearningError,
        sde::{Networks, ReversibleDrift, beside, columns::Columns},
        tensor::vector,
        train::parameters::Parameters,
    },
    parallel::{Ranks, total_over},
};
use tch::{Kind, Tensor, no_grad};

/// Standard deviation of the prior of a change, in the units of the network. Ten million pairs then determine 38 of the
/// 65 directions of a default drift per component. With 10 the law differed from that of the pairs
/// (docs/results/reproduction.md, E4).
const PRIOR: f64 = 100.0;
/// Rows at a time, few enough for the cache.
const CHUNK: usize = 1_024;

/// Refits the last layer of the drift to `rows` of the packed pairs (see [`crate::learning::sde::Scales::pack`]). A
/// drift without one does not change. Collective: every rank passes its own rows and gets the same
/// weights.
///
/// # Errors
/// When the tensor library refuses an operation.
pub(super) fn refit_last_layer(
    networks: &Networks,
    parameters: &mut Parameters,
    (packed, rows): (&Tensor, &[usize]),
    ranks: &dyn Ranks,
) -> Result<(), LearningError> {
    let ones = |rows: &[usize]| Tensor::ones([rows.len() as i64, 1], (Kind::Double, packed.device()));
    if let Some(changes) = changes(networks, parameters, (packed, rows), (1, &ones), ranks)? {
        networks.change_last_layer(parameters, &changes.get(0));
    }
    Ok(())
}

/// How often the gradients of some rows count, `[rows, count]`.
pub(super) type Weights<'a> = &'a dyn Fn(&[usize]) -> Tensor;

/// The changes `[count, outputs, inputs + 1]` of the last layer that solve the normal equations, with the gradient of
/// each pair counted `weights` `[rows, count]` times on their right. Weights of 1 lead to the minimum. `None` for a
/// drift without a last layer. Collective.
///
/// # Errors
/// When the tensor library refuses an operation.
pub(super) fn changes(
    networks: &Networks,
    parameters: &Parameters,
    (packed, rows): (&Tensor, &[usize]),
    (count, weights): (i64, Weights),
    ranks: &dyn Ranks,
) -> Result<Option<Tensor>, LearningError> {
    let Some((_, [size, inputs])) = networks.linear_part(parameters) else { return Ok(None) };
    let options = (Kind::Double, packed.device());
    let mut matrix = Tensor::zeros([size, inputs, size, inputs], options);
    let mut right = Tensor::zeros([count, size, inputs], options);
    for rows in rows.chunks(CHUNK) {
        let weights = weights(rows);
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let batch = packed.index_select(0, &Tensor::from_slice(&rows).to_device(packed.device()));
        no_grad(|| match networks.drift.as_reversible() {
            Some(drift) => add_forces((networks, drift), parameters, (&batch, &weights), (&mut matrix, &mut right)),
            None => add(networks, parameters, (&batch, &weights), (&mut matrix, &mut right)),
        });
    }
    let unknowns = size * inputs;
    let mut sums: Vec<f64> = vector(&Tensor::cat(&[matrix.view([-1]), right.view([-1])], 0));
    total_over(ranks, &mut sums);
    let sums = Tensor::from_slice(&sums).to_device(packed.device());
    let matrix = sums.narrow(0, 0, unknowns * unknowns).view([unknowns, unknowns]);
    let right = sums.narrow(0, unknowns * unknowns, count * unknowns).view([count, unknowns]);
    let prior = Tensor::eye(unknowns, options) / (PRIOR * PRIOR);
    let changes = Tensor::f_linalg_solve(&(matrix + prior), &right.tr(), true)?;
    Ok(Some(changes.tr().reshape([count, size, inputs])))
}

/// Adds the pairs of a batch to the normal equations of the changes of the last layer.
fn add(
    networks: &Networks,
    parameters: &Parameters,
    (batch, pair_weights): (&Tensor, &Tensor),
    (matrix, right): (&mut Tensor, &mut Tensor),
) {
    let size = matrix.size()[0];
    let Columns { states, increment, root: time, condition, quiet } = Columns::of(batch, size, networks);
    let increment = quiet.unwrap_or(increment);
    let weights = parameters.leaves();
    let (drift, factor) = networks.forward(weights, &states, condition.as_ref());
    let features = networks.features(weights, condition.as_ref());
    let hidden = networks.drift.hidden(weights, &beside(&states, features.as_ref())).to_kind(Kind::Double);
    let inputs = Tensor::cat(&[&hidden * &time, time.to_kind(Kind::Double)], 1);
    // Columns of the inverse of L. Their products give the inverse covariance.
    let unit = |component: i64| {
        let unit = states.zeros_like();
        let _ = unit.narrow(1, component, 1).fill_(1.0);
        factor.solve(&unit).to_kind(Kind::Double)
    };
    let columns: Vec<Tensor> = (0..size).map(unit).collect();
    let residual = factor.solve(&(increment - drift * &time)).to_kind(Kind::Double);
    let dot = |left: &Tensor, right: &Tensor| (left * right).sum_dim_intlist(1, true, None::<Kind>);
    for (i, left) in columns.iter().enumerate() {
        let gradients = &inputs * dot(left, &residual);
        let _ = right.select(1, i as i64).g_add_(&pair_weights.tr().matmul(&gradients));
        for (j, other) in columns.iter().enumerate().skip(i) {
            let block = (&inputs * dot(left, other)).tr().matmul(&inputs);
            let _ = matrix.get(i as i64).select(1, j as i64).g_add_(&block);
            if j > i {
                let _ = matrix.get(j as i64).select(1, i as i64).g_add_(&block.tr());
            }
        }
    }
}

/// Adds the pairs of a batch to the normal equations of the changes of a potential: with forces B theta and Sigma = L
/// L^T, L^-1 of the drift is L^T B theta.
fn add_forces(
    (networks, reversible): (&Networks, &ReversibleDrift),
    parameters: &Parameters,
    (batch, pair_weights): (&Tensor, &Tensor),
    (matrix, right): (&mut Tensor, &mut Tensor),
) {
    let size = reversible.lengths(batch).size()[0];
    let Columns { states, increment, root: time, condition, quiet } = Columns::of(batch, size, networks);
    let (drift, factor) = networks.forward(parameters.leaves(), &states, condition.as_ref());
    let residual = factor.solve(&(quiet.unwrap_or(increment) - drift * &time)).to_kind(Kind::Double);
    let scaled = reversible.design(&states) * time.unsqueeze(-1);
    let rows = factor.matrix().transpose(1, 2).matmul(&scaled).to_kind(Kind::Double);
    let gradients = (&rows * residual.unsqueeze(-1)).sum_dim_intlist(1, false, None::<Kind>);
    let _ = right.select(1, 0).g_add_(&pair_weights.tr().matmul(&gradients));
    let rows = rows.flatten(0, 1);
    let _ = matrix.select(2, 0).select(0, 0).g_add_(&rows.tr().matmul(&rows));
}
