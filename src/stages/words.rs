//! Items that evolve together in the lanes of words.

use crate::{
    config::Kernel,
    workflow::{Context, Stage, StageError, say},
};
use std::{collections::BTreeMap, ops::Range};

/// Says which kernel a stage uses, where the law leaves a choice.
///
/// # Errors
/// When the file system refuses.
pub fn announce(context: &Context, stage: Stage, lanes: Option<usize>) -> Result<(), StageError> {
    let input = context.input;
    if !input.system.has_lanes() {
        return Ok(());
    }
    let choice = if input.kernel == Kernel::Auto { " (kernel = \"auto\")" } else { "" };
    let text = match lanes {
        Some(lanes) => format!("in the lanes of words, at most {lanes} at once"),
        None => "one at a time".into(),
    };
    say(context, &format!("{}: windows evolve {text}{choice}", stage.name()))
}

/// Computes items word by word: those with one `key` share words of at most `lanes`. The results are in the order of
/// the items; nothing depends on items outside of the range, so ranges must be fixed by the input.
///
/// # Errors
/// The first one of `compute`.
pub fn by_words<T>(
    items: Range<usize>,
    lanes: usize,
    key: impl Fn(usize) -> usize,
    mut compute: impl FnMut(&[usize]) -> Result<Vec<T>, StageError>,
) -> Result<Vec<T>, StageError> {
    let mut words: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    items.for_each(|item| words.entry(key(item)).or_default().push(item));
    let mut results = BTreeMap::new();
    for word in words.values().flat_map(|items| items.chunks(lanes)) {
        results.extend(word.iter().copied().zip(compute(word)?));
    }
    Ok(results.into_values().collect())
}
