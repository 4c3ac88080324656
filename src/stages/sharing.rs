//! Independent items shared out over ranks and, within a rank, over threads.

use super::{Context, Stage, StageError};
use crate::parallel::Ranks;
use rayon::prelude::*;
use std::{ops::Range, time::Instant};

/// Bytes of snapshots that a rank holds before it writes them.
const BLOCK_BYTES: usize = 64 << 20;

/// Items that can be computed in any order.
pub struct Work {
    /// Whose progress is shown.
    pub stage: Stage,
    /// What an item is called.
    pub unit: &'static str,
    /// How many there are.
    pub items: usize,
    /// Bytes that one item produces; sets how many are held before they are written.
    pub item_bytes: usize,
}

impl Work {
    /// Each rank takes a contiguous share of the items, block by block. `load` reads what a block needs, `start` makes
    /// the working memory of a thread, `compute` makes one item, and `write` stores a block from its first item on.
    ///
    /// # Errors
    /// The first error of this rank.
    pub fn share_out<M, B: Sync, T: Send>(
        &self,
        context: &Context,
        load: impl Fn(Range<usize>) -> Result<B, StageError>,
        start: impl Fn() -> M + Sync,
        compute: impl Fn(&mut M, &B, usize) -> Result<T, StageError> + Sync,
        mut write: impl FnMut(Range<usize>, Vec<T>) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let share = context.world.share(self.items);
        let block = (BLOCK_BYTES / self.item_bytes.max(1)).clamp(1, 4096).max(rayon::current_num_threads());
        let start_of_work = Instant::now();
        let mut progress = context.progress(self.stage.name(), share.len(), self.unit);
        for first in share.clone().step_by(block) {
            let items = first..(first + block).min(share.end);
            let loaded = load(items.clone())?;
            let results = items
                .clone()
                .into_par_iter()
                .map_init(&start, |memory, item| compute(memory, &loaded, item))
                .collect::<Result<Vec<T>, StageError>>()?;
            progress.advance(items.len());
            write(items, results)?;
        }
        context.worked.set(context.worked.get() + start_of_work.elapsed().as_secs_f64());
        Ok(())
    }
}

/// One vector out of many, in order.
pub fn joined<T: Clone>(parts: impl IntoIterator<Item = impl AsRef<[T]>>) -> Vec<T> {
    let mut whole = Vec::new();
    for part in parts {
        whole.extend_from_slice(part.as_ref());
    }
    whole
}
