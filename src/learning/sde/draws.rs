//! The error of a model from its finite data: random models that other data of the same kind could have given.
//!
//! At fixed features the last layer theta of the drift solves sum_i s_i(theta) = 0, the sum of the gradients s_i of the
//! loss of pair i. Its covariance is the sandwich A^-1 B A^-1: A is the matrix of the normal equations, B the sum over
//! clusters c of S_c S_c^T, where S_c is the sum of s_i over the pairs of a cluster, which depend on each other
//! (P. J. Huber, Proc. Fifth Berkeley Symp. 1, 221 (1967); K.-Y. Liang and S. L. Zeger, Biometrika 73, 13 (1986)).
//! It holds whether or not the learned noise is right. A draw theta + A^-1 sum_c g_c S_c with one standard normal g_c
//! for each cluster has this covariance, and neither B nor its factor is needed.

use crate::{
    learning::{
        LearningError, Pairs,
        sde::{Sde, last_layer},
        train::store,
    },
    parallel::{Ranks, distinct, total_over},
    rng::{Purpose, stream},
    storage::write_whole,
};
use rand_distr::{Distribution, StandardNormal};
use serde_json::json;
use std::{collections::HashMap, fs, path::Path};
use tch::{Device, Kind, Tensor};

/// With fewer clusters, runs of successive pairs replace them.
const FEWEST_CLUSTERS: usize = 12;
/// Number of these runs.
const RUNS: usize = 128;
/// Name of the only tensor in a file of draws.
const NAME: &str = "change";

/// Changes of the last layer of a model's drift. Each gives a model that other data of the same kind could have given.
pub struct DriftDraws {
    /// `[draws, outputs, inputs + 1]`; the last column is that of the bias.
    changes: Tensor,
}

/// Draws `count` changes for a model that was trained on `rows` of `pairs` with clusters `cluster` `[pairs]`: pairs of
/// different clusters are independent. `pairs` are those that the model was fitted to. `None` for a drift that is not a
/// perceptron, and for a model of moments. Collective.
///
/// # Errors
/// When the pairs do not fit the model, or the tensor library refuses an operation.
pub fn draws(
    model: &Sde,
    (pairs, rows, cluster): (&Pairs, &[usize], &[u64]),
    (count, seed): (usize, u64),
    ranks: &dyn Ranks,
) -> Result<Option<DriftDraws>, LearningError> {
    let (networks, parameters, scales) = model.parts();
    if networks.linear_part(parameters).is_none() || count == 0 || scales.moment_steps > 0 {
        return Ok(None);
    }
    let cluster = enough_clusters(cluster, ranks);
    let packed = scales.pack(pairs, ranks, model.kind(), model.device())?;
    let normals: HashMap<u64, Vec<f64>> = rows
        .iter()
        .map(|&row| cluster[row])
        .map(|cluster| {
            let mut rng = stream(seed, Purpose::ErrorBand, [cluster, 0]);
            (cluster, (0..count).map(|_| StandardNormal.sample(&mut rng)).chain([1.0]).collect())
        })
        .collect();
    // The last weight is 1, for the mean gradient: it is not quite zero, and no part of the scatter.
    let weights = |rows: &[usize]| {
        let values: Vec<f64> = rows.iter().flat_map(|&row| normals[&cluster[row]].iter().copied()).collect();
        Tensor::from_slice(&values).view([-1, count as i64 + 1]).to_device(packed.device())
    };
    let mut totals = vec![0.0; count + 1];
    for &row in rows {
        totals.iter_mut().zip(&normals[&cluster[row]]).for_each(|(total, weight)| *total += weight);
    }
    total_over(ranks, &mut totals);
    let all = (count as i64 + 1, &weights as last_layer::Weights);
    let Some(found) = last_layer::changes(networks, parameters, (&packed, rows), all, ranks)? else { return Ok(None) };
    let shares: Vec<f64> = totals[..count].iter().map(|total| total / totals[count]).collect();
    let shares = Tensor::from_slice(&shares).view([-1, 1, 1]).to_device(packed.device());
    let changes = found.narrow(0, 0, count as i64) - found.narrow(0, count as i64, 1) * shares;
    Ok(Some(DriftDraws { changes: changes.to_device(Device::Cpu) }))
}

/// The clusters, or runs of successive pairs where there are too few of them for an estimate of their scatter: then all
/// pairs come from a few trajectories, whose increments follow each other.
fn enough_clusters(cluster: &[u64], ranks: &dyn Ranks) -> Vec<u64> {
    if distinct(cluster.iter().map(|&cluster| cluster as f64), ranks).len() >= FEWEST_CLUSTERS {
        return cluster.to_vec();
    }
    let counts = ranks.gather(cluster.len() as f64);
    let before: f64 = counts[..ranks.rank()].iter().sum();
    let all: f64 = counts.iter().sum();
    (0..cluster.len()).map(|row| ((before + row as f64) * RUNS as f64 / all) as u64).collect()
}

impl DriftDraws {
    /// Number of draws.
    pub fn len(&self) -> usize {
        self.changes.size()[0] as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The model with the change of one draw.
    ///
    /// # Panics
    /// When there is no such draw.
    pub fn model(&self, model: &Sde, draw: usize) -> Sde {
        model.with_last_layer_changed(&self.changes.get(draw as i64))
    }

    /// Writes the draws to a safetensors file, or a file without any.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(draws: Option<&Self>, path: &Path) -> Result<(), LearningError> {
        let none = Tensor::zeros([0, 0, 0], (Kind::Double, Device::Cpu));
        let changes = draws.map_or(&none, |draws| &draws.changes);
        let bytes = store::to_bytes([(NAME, changes)].into_iter(), &json!({ "model": "draws" }))
            .map_err(|reason| LearningError::Format { path: path.into(), reason: reason.to_string() })?;
        Ok(write_whole(path, bytes)?)
    }

    /// Reads what [`DriftDraws::save`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read or holds no draws.
    pub fn load(path: &Path) -> Result<Self, LearningError> {
        let bytes = fs::read(path).map_err(|source| LearningError::File { path: path.into(), source })?;
        let wrong = |reason: String| LearningError::Format { path: path.into(), reason };
        let mut tensors = store::parse(&bytes).map_err(wrong)?.1;
        let changes = tensors.remove(NAME).ok_or_else(|| wrong(format!("it has no tensor \"{NAME}\"")))?;
        Ok(Self { changes })
    }
}
