//! Calibration of the learned noise: variances of the normalised residuals of the training pairs.

use super::{Evidence, ModelKind, Score};
use crate::evaluation::{EvaluationError, Metric, Metrics};

/// The variance by coordinate and model. It is 1 if the diffusion is right.
pub struct NoiseCalibration;

impl Score for NoiseCalibration {
    fn of_trajectories(&self) -> bool {
        false
    }

    fn score(&self, evidence: &Evidence, kind: ModelKind, metrics: &mut Metrics) -> Result<(), EvaluationError> {
        for (_, seed, variances) in evidence.calibrations.iter().filter(|(known, ..)| *known == kind) {
            for (component, variance) in variances.iter().enumerate() {
                let name = format!("calibration_{}_seed_{seed}_component_{component}", kind.name());
                metrics.insert(name, Metric::exact(*variance, evidence.pairs.count, "1"));
            }
        }
        Ok(())
    }
}
