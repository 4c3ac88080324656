//! The line through the learned drift of an equation of one component.

use crate::{
    config::models::ModelKind,
    evaluation::{Metric, Metrics, fit::polynomial_fit},
    files::latent::LatentFile,
    learning::{Sde, sde::calibration},
    scores::models::{over_models, suffix},
    workflow::{Context, StageError},
};

/// Most pairs that the line through a learned drift is fitted to.
const PAIRS: usize = 100_000;

/// Of an equation of one component: the line a z + b through the learned drift at the states of the pairs, by least
/// squares, and the mean noise c, in physical units.
pub fn line(context: &Context, metrics: &mut Metrics, kind: ModelKind) -> Result<(), StageError> {
    let input = context.input;
    let pairs = LatentFile::open(context)?.pairs(context, ModelKind::Ours, 0..input.pairs().min(PAIRS))?;
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    for &seed in &input.train.seeds {
        let model = Sde::load(&context.path(&kind.file(seed)), context.device()?)?;
        let drift = calibration::drift(&model, &pairs)?;
        let noise = calibration::noise(&model, &pairs)?;
        let z: Vec<f64> = pairs.z.iter().map(|&z| z.into()).collect();
        let drift: Vec<f64> = drift.iter().map(|&drift| drift.into()).collect();
        let fit = polynomial_fit(&z, &drift, None, 1)?;
        let mean = noise.iter().map(|&noise| f64::from(noise)).sum::<f64>() / noise.len() as f64;
        let count = input.pairs();
        found[0].push(Metric::exact(fit.coefficients[1], count, "1 / time"));
        found[1].push(Metric::exact(fit.value_at(0.0).0, count, "1 / time"));
        found[2].push(Metric::exact(mean, count, "1 / sqrt(time)"));
    }
    for (name, each) in ["drift_slope", "drift_at_zero", "noise"].into_iter().zip(found) {
        metrics.insert(format!("{name}{}", suffix(kind)), over_models(&each, &each[0].unit.clone()));
    }
    Ok(())
}
