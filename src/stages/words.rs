//! Items that evolve together in the lanes of words.

use crate::workflow::StageError;
use std::{collections::BTreeMap, ops::Range};

/// Computes items word by word: those with one `key` share words of at most `lanes`. The results are in the order of the
/// items; nothing depends on items outside of the range, so ranges must be fixed by the input.
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
