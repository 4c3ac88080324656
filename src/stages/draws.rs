//! The draws of our models, rolled out in `prediction.h5` beside the models themselves: the band of their means is the
//! error of the predictions from the finite data.
//!
//! A draw needs few trajectories, because all draws of a model have its initial states and its noise: their means then
//! differ by the change of the model alone.

use crate::{
    dataset::Writer,
    files::PredictionFile,
    learning::{DriftDraws, Sde},
    scores::ModelKind,
    stages::{engines::device, rollouts::Rollouts},
    workflow::{Context, StageError},
};
use ndarray::{Array3, ArrayView2, Axis};
use rayon::prelude::*;
use tch::Device;

/// Most trajectories of a draw from each start.
const TRAJECTORIES: usize = 16;
/// Most records of a block: a request to stop is looked for after each.
pub const BLOCK_RECORDS: usize = 256;
/// Values of records that are held at a time.
const BLOCK: usize = 1 << 22;
/// Added to the index of a model in the streams of noise.
const STREAM: u64 = 1 << 32;

/// What is drawn of our models; nothing by default.
#[derive(Default)]
pub struct Drawn {
    /// Draws of each model; 0 if none are asked for, or the drift has none.
    pub draws: usize,
    models: usize,
    conditions: usize,
}

/// One draw of one model under one condition. Draw 0 is the model itself.
struct Item {
    model: usize,
    draw: usize,
    condition: usize,
}

impl Drawn {
    /// What the files of the draws hold.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(context: &Context) -> Result<Self, StageError> {
        let input = context.input;
        let (models, conditions) = (input.train.seeds.len(), input.system.conditions().len());
        let files = input.draws_files();
        let draws =
            files.first().map_or(Ok(0), |file| DriftDraws::load(&context.path(file)).map(|draws| draws.len()))?;
        Ok(Self { draws, models, conditions })
    }

    /// Number of items of work.
    pub fn items(&self) -> usize {
        if self.draws > 0 { self.models * self.conditions * (self.draws + 1) } else { 0 }
    }

    fn item(&self, index: usize) -> Item {
        let (of_model, draw) = (index / (self.draws + 1), index % (self.draws + 1));
        Item { model: of_model / self.conditions, condition: of_model % self.conditions, draw }
    }

    /// Rolls out the items `own`, numbered from `first` on, from some of the initial states of all trajectories.
    ///
    /// # Errors
    /// When a model cannot be read, or the file system fails.
    pub fn roll_out(
        &self,
        context: &Context,
        file: &PredictionFile<Writer>,
        (how, starts): (&Rollouts, ArrayView2<f32>),
        (first, own): (usize, &[usize]),
    ) -> Result<(), StageError> {
        let at_once = if device(context)? == Device::Cpu { rayon::current_num_threads() } else { 1 };
        let mut progress = context.progress("predict", own.len(), "draws");
        for indices in own.chunks(at_once) {
            if context.stop.requested() {
                break;
            }
            let items: Vec<Item> = indices.iter().map(|index| self.item(index - first)).collect();
            if !self.means(context, file, &items, (how, starts))? {
                break;
            }
            file.mark(&indices.iter().map(|&index| index..index + 1).collect::<Vec<_>>())?;
            progress.advance(items.len());
        }
        Ok(())
    }

    /// Rolls items out side by side, and writes the means over the trajectories from each start. Returns whether it came
    /// to the end before a stop was asked for.
    fn means(
        &self,
        context: &Context,
        file: &PredictionFile<Writer>,
        items: &[Item],
        (how, starts): (&Rollouts, ArrayView2<f32>),
    ) -> Result<bool, StageError> {
        let input = context.input;
        let (groups, each) = (input.truth.starts.len(), input.truth.trajectories * input.predict.replicas);
        let chosen = each.min(TRAJECTORIES);
        let initial = |condition: usize| {
            let of_group = |group: usize| (0..chosen).map(move |nth| group * each + nth * each / chosen);
            let rows: Vec<usize> = (0..groups).map(|group| condition * groups + group).flat_map(of_group).collect();
            starts.select(Axis(0), &rows)
        };
        let mut rollouts = Vec::new();
        for item in items {
            let initial = initial(item.condition);
            let first = by_group(initial.clone().insert_axis(Axis(0)), groups);
            let group = item.condition * groups;
            file.write_draws(
                [item.model, item.draw, group, 0],
                first.view().insert_axis(Axis(0)).insert_axis(Axis(0)),
            )?;
            let stream = [STREAM + item.model as u64, (item.condition as u64) << 16];
            let model = (ModelKind::Ours, self.model(context, item)?);
            rollouts.push(how.start((input, None), model, item.condition, initial.view(), stream)?);
        }
        let (all, width) = (input.truth_schedule().records(), groups * chosen * starts.ncols() * items.len());
        let block = (BLOCK / width).clamp(1, BLOCK_RECORDS);
        for record in (1..all).step_by(block) {
            if context.stop.requested() {
                return Ok(false);
            }
            let count = block.min(all - record);
            let records: Vec<_> =
                rollouts.par_iter_mut().map(|rollout| rollout.records(count)).collect::<Result<_, _>>()?;
            for (item, records) in items.iter().zip(records) {
                let means = by_group(records, groups).insert_axis(Axis(0)).insert_axis(Axis(0));
                file.write_draws([item.model, item.draw, item.condition * groups, record], means.view())?;
            }
        }
        Ok(true)
    }

    fn model(&self, context: &Context, item: &Item) -> Result<Sde, StageError> {
        let (seed, device) = (context.input.train.seeds[item.model], device(context)?);
        let model = Sde::load(&context.path(&ModelKind::Ours.file(seed)), device)?;
        let model = match item.draw.checked_sub(1) {
            Some(draw) => DriftDraws::load(&context.path(&ModelKind::Ours.draws_file(seed)))?.model(&model, draw),
            None => model,
        };
        match context.input.system.is_family() {
            true => Ok(model.at_condition(&context.input.system.conditions()[item.condition].0)?),
            false => Ok(model),
        }
    }
}

/// Means `[group, record, component]` over the trajectories of each of `groups` equal groups of `[record, trajectory,
/// component]`.
fn by_group(records: Array3<f32>, groups: usize) -> Array3<f32> {
    let (count, trajectories, components) = records.dim();
    let grouped = records.into_shape_with_order((count, groups, trajectories / groups, components));
    let means = grouped.expect("groups are equal").mean_axis(Axis(2)).expect("groups have trajectories");
    means.permuted_axes([1, 0, 2]).as_standard_layout().into_owned()
}
