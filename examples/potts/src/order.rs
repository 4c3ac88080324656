//! The order parameter of a Potts model with three colours, (3 max_c x_c - 1) / 2 of the shares x_c: 0 when they are
//! equal, 1 when there is one colour.

use crate::COLOURS;
use tessera::{
    evaluation::{EvaluationError, Metric, Metrics, Observable},
    scores::{Evidence, Key, MetricTable, ModelKind, Score},
};

/// Its mean in equilibrium, over trajectories and models.
pub struct Order;

impl Score for Order {
    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        let mean = |ensemble: ndarray::ArrayView3<f64>| -> Vec<f64> {
            let shares: Vec<_> = (0..COLOURS).map(|colour| evidence.equilibrium(ensemble, colour, 0)).collect();
            let most = |at: (usize, usize)| shares.iter().map(|share| share[at]).fold(0.0, f64::max);
            let (trajectories, records) = shares[0].dim();
            let order = |trajectory: usize| {
                (0..records).map(|record| 1.5 * most((trajectory, record)) - 0.5).sum::<f64>() / records as f64
            };
            (0..trajectories).map(order).collect()
        };
        if kind == ModelKind::Ours {
            metrics.insert(Key::new("order").of_truth(), Metric::mean_of(&mean(evidence.truth.view()), "1"));
        }
        let of_models: Vec<f64> = evidence.of(kind).outer_iter().flat_map(mean).collect();
        metrics.insert(Key::new("order").by(kind), Metric::mean_of(&of_models, "1"));
        Ok(())
    }

    fn tables(&self, _: &[Observable]) -> Vec<MetricTable> {
        vec![MetricTable {
            title: "Order",
            caption: "Mean order parameter over the last part of all trajectories.",
            look_for: "equal values within their errors.",
            metrics: ["order", "order_truth"].map(str::to_owned).into(),
        }]
    }
}
