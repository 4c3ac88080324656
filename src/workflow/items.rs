//! Independent items, divided over ranks and, within a rank, over threads.

use crate::{
    dataset::{Part, Writer},
    parallel::{Ranks, World},
    workflow::{Context, Stage, StageError},
};
use rayon::prelude::*;
use std::{ops::Range, time::Instant};

/// Largest number of bytes of items that a rank holds before it writes them.
const BLOCK_BYTES: usize = 64 << 20;
/// Seconds of work that a killed job may lose. Blocks become smaller if they take longer.
const BLOCK_SECONDS: f64 = 5.0;

/// Items that are each computed by one thread, in any order.
pub struct ItemsOverThreads {
    /// Whose progress is shown.
    pub stage: Stage,
    /// What an item is called.
    pub unit: &'static str,
    /// How many there are.
    pub items: usize,
    /// Bytes per item. They determine the number of items in a block.
    pub item_bytes: usize,
    /// Consecutive items that one thread computes at once, such as those in the lanes of a word.
    pub at_once: usize,
}

impl ItemsOverThreads {
    /// Computes the items that `file` still lacks. Each rank takes a contiguous share of them, block by block. `load`
    /// reads the data of a block, `start` makes the working memory of a thread, `compute` makes the items that are
    /// computed at once, and `write` stores a block of items. Collective.
    ///
    /// # Errors
    /// The first error of `load`, `compute` or `write` on this rank, and `Stopped` on all ranks after a request to
    /// stop.
    pub fn run<M, B: Sync, T: Send>(
        &self,
        context: &Context,
        file: &Writer,
        load: impl Fn(Range<usize>) -> Result<B, StageError>,
        start: impl Fn() -> M + Sync,
        compute: impl Fn(&mut M, &B, Range<usize>) -> Result<Vec<T>, StageError> + Sync,
        write: impl Fn(Range<usize>, Vec<T>) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let items_of = |bundles: Range<usize>| bundles.start * self.at_once..self.items.min(bundles.end * self.at_once);
        let pending = file.pending(self.items.div_ceil(self.at_once))?;
        let mut left = &pending[context.world.share(pending.len())];
        let threads = rayon::current_num_threads();
        let most = (BLOCK_BYTES / (self.item_bytes * self.at_once).max(1)).clamp(1, 4096).max(threads);
        let (mut block, stop) = (threads, &context.stop);
        let start_of_work = Instant::now();
        let items = left.iter().map(|&bundle| items_of(bundle..bundle + 1).len()).sum();
        let mut progress = context.progress(self.stage.name(), items, self.unit);
        while let Some(bundles) = first_run(left, block) {
            let begin = Instant::now();
            let loaded = load(items_of(bundles.clone()))?;
            let results = bundles
                .clone()
                .into_par_iter()
                .map_init(&start, |memory, bundle| match stop.requested() {
                    true => Ok(None),
                    false => match compute(memory, &loaded, items_of(bundle..bundle + 1)) {
                        Err(StageError::Stopped) => Ok(None),
                        result => result.map(Some),
                    },
                })
                .collect::<Result<Vec<Option<Vec<T>>>, StageError>>()?;
            // What is complete before the first bundle that was not finished is kept.
            let results: Vec<Vec<T>> = results.into_iter().map_while(|result| result).collect();
            let written = bundles.start..bundles.start + results.len();
            progress.advance(items_of(written.clone()).len());
            if !written.is_empty() {
                write(items_of(written.clone()), results.into_iter().flatten().collect())?;
                file.mark(std::slice::from_ref(&written))?;
            }
            if written != bundles {
                break;
            }
            left = &left[bundles.len()..];
            let seconds = begin.elapsed().as_secs_f64().max(1e-6);
            block = ((block as f64 * BLOCK_SECONDS / seconds) as usize).clamp(threads, (2 * block).min(most));
        }
        context.worked.set(context.worked.get() + start_of_work.elapsed().as_secs_f64());
        context.stop_together()
    }
}

/// Items that are each computed by a team of ranks, one after another.
pub struct ItemsOverTeams {
    /// Whose progress is shown.
    pub stage: Stage,
    /// What an item is called.
    pub unit: &'static str,
    /// How many there are.
    pub items: usize,
}

impl ItemsOverTeams {
    /// Computes the items that `file` still lacks. Each team of `ranks_per_snapshot` ranks takes a contiguous share of
    /// them. `compute` makes one item on all ranks of the team, writes it, and calls [`complete`]. Collective.
    ///
    /// # Errors
    /// The first error of `compute` on this rank, and `Stopped` on all ranks after a request to stop.
    pub fn run(
        &self,
        context: &Context,
        file: &Writer,
        compute: impl Fn(&World, usize) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let pending = file.pending(self.items)?;
        let size = context.options.ranks_per_snapshot;
        let (team, index) = context.world.team(size);
        let teams = context.world.size().div_ceil(size);
        let bound = |team: usize| team * pending.len() / teams;
        let own = &pending[bound(index)..bound(index + 1)];
        let start = Instant::now();
        let mut progress = context.progress(self.stage.name(), own.len(), self.unit);
        for &item in own {
            let mut stop = [u8::from(context.stop.requested())];
            team.broadcast(&mut stop);
            if stop == [1] {
                break;
            }
            compute(&team, item)?;
            // A stop may have ended it early.
            if !context.stop.requested() {
                progress.advance(1);
            }
        }
        context.worked.set(context.worked.get() + start.elapsed().as_secs_f64());
        context.stop_together()
    }
}

/// Marks an item as written by all ranks of a team. Collective in the team.
///
/// # Errors
/// When the file system refuses.
pub fn complete(file: &Writer, team: &World, item: usize) -> Result<(), StageError> {
    let part = serde_json::to_vec(&file.part()?).expect("names and numbers");
    let parts = team.all_gather(&part).into_iter();
    if team.rank() == 0 {
        let parts = parts.filter_map(|part| serde_json::from_slice::<Option<Part>>(&part).ok().flatten()).collect();
        file.mark_parts(std::slice::from_ref(&(item..item + 1)), parts)?;
    }
    Ok(())
}

/// Number of consecutive items at the front of an ascending list, at most `most`.
fn first_run(items: &[usize], most: usize) -> Option<Range<usize>> {
    let first = *items.first()?;
    let length = items.iter().zip(first..).take(most.max(1)).take_while(|&(&item, expected)| item == expected).count();
    Some(first..first + length)
}
