//! What the threads of a rank do with the windows of a group: each window on its own, or many in the lanes of a word.

use super::plan::Own;
use crate::{
    dynamics::{Dynamics, Elapsed, EvolveError, InLanes, Lanes, Law, Packing, Until, Word},
    lattice::{Lattice, Region, Shape, Window},
    rng::Rng,
};
use bytemuck::Pod;
use rayon::prelude::*;
use std::sync::{Mutex, RwLock, RwLockReadGuard};

/// Elements of a word: one for groups of at most 128 windows, eight for more. A wide word takes about as long as two
/// narrow ones, and these ranks can share.
const NARROW: usize = 1;
const WIDE: usize = 8;

/// Working memory of the threads: windows and kernels.
pub struct Workers<L: Law, D>(pub(super) Memory<L, D>);

/// Of windows that evolve one at a time, or of words.
pub(super) enum Memory<L: Law, D> {
    Windows(Threads<(Window<L::Site>, D)>),
    Narrow(Threads<WordMemory<NARROW>>),
    Wide(Threads<WordMemory<WIDE>>),
}

/// How windows of a law evolve.
pub(super) struct Task<'a, L, R> {
    pub law: &'a L,
    pub until: Until,
    /// The random stream of a word.
    pub stream: R,
}

impl<L: Law, D: Dynamics<L> + Default + Send> Workers<L, D> {
    /// Memory for windows of shape `window` on each thread of the current pool.
    pub fn new(window: Shape) -> Self {
        let window = L::open_window(window, L::REACH.max(L::SPREAD));
        Self(Memory::Windows(Threads::new(|| (window.clone(), D::default()))))
    }

    /// Memory for groups of `count` windows in the lanes of words, if the law has lanes.
    pub(super) fn in_lanes(law: &L, window: Shape, count: usize) -> Option<Self> {
        let memory = if count <= 2 * Word::<NARROW>::LANES {
            Memory::Narrow(WordMemory::on_threads(law, window)?)
        } else {
            Memory::Wide(WordMemory::on_threads(law, window)?)
        };
        Some(Self(memory))
    }

    /// Windows of a word.
    pub fn lanes(&self) -> usize {
        match self.0 {
            Memory::Windows(_) => 1,
            Memory::Narrow(_) => Word::<NARROW>::LANES,
            Memory::Wide(_) => Word::<WIDE>::LANES,
        }
    }
}

impl<L: Law, D: Dynamics<L> + Send> Memory<L, D> {
    /// Evolves windows of `local`. Words are stored there; of other windows the sites of `region` go to their parts of
    /// `written`.
    pub fn evolve<R: Fn(u64) -> Rng + Sync>(
        &self,
        task: &Task<L, R>,
        (local, own): (&RwLock<&mut Lattice<L::Site>>, &[&Own]),
        (region, written): (Region, &mut [L::Site]),
    ) -> Result<Elapsed, EvolveError> {
        match self {
            Self::Windows(threads) => evolve_windows(threads, task, (&read(local), own), (region, written)),
            Self::Narrow(threads) => evolve_words(threads, task, (local, own)),
            Self::Wide(threads) => evolve_words(threads, task, (local, own)),
        }
    }
}

/// Evolves windows of `local` one at a time and puts the sites of `region` of each into its part of `written`.
fn evolve_windows<L: Law, D: Dynamics<L> + Send, R: Fn(u64) -> Rng + Sync>(
    threads: &Threads<(Window<L::Site>, D)>,
    task: &Task<L, R>,
    (local, own): (&Lattice<L::Site>, &[&Own]),
    (region, written): (Region, &mut [L::Site]),
) -> Result<Elapsed, EvolveError> {
    let sites = written.len() / own.len().max(1);
    let evolve = |(own, written): (&&Own, &mut [L::Site])| {
        threads.with(|(window, dynamics)| {
            window.load(local, own.home());
            let elapsed = dynamics.evolve(task.law, window, task.until, &mut (task.stream)(own.word))?;
            written.copy_from_slice(&window.cut(region));
            Ok(elapsed)
        })
    };
    let windows = own.par_iter().zip(written.par_chunks_exact_mut(sites.max(1)));
    windows.map(evolve).try_reduce(Elapsed::default, |left, right| Ok(left.beside(right)))
}

/// Evolves windows of `local` word by word and stores them there.
fn evolve_words<L: Law, R: Fn(u64) -> Rng + Sync, const W: usize>(
    threads: &Threads<WordMemory<W>>,
    task: &Task<L, R>,
    (local, own): (&RwLock<&mut Lattice<L::Site>>, &[&Own]),
) -> Result<Elapsed, EvolveError> {
    let law = InLanes::new(task.law).expect("whose workers are in lanes has them");
    let words: Vec<&[&Own]> = own.chunk_by(|left, right| left.word == right.word).collect();
    let evolve = |word: &[&Own]| {
        threads.with(|memory| {
            memory.load(&read(local), word);
            let WordMemory { window, kernel, .. } = memory;
            let elapsed = kernel.evolve(&law, window, task.until, &mut (task.stream)(word[0].word))?;
            memory.store(&mut local.write().expect("a panic ends the program"), word);
            Ok(elapsed)
        })
    };
    words.into_par_iter().map(evolve).try_reduce(Elapsed::default, |left, right| Ok(left.beside(right)))
}

/// The lattice as it is.
pub(super) fn read<'a, S>(local: &'a RwLock<&mut Lattice<S>>) -> RwLockReadGuard<'a, &'a mut Lattice<S>> {
    local.read().expect("a panic ends the program")
}

/// A value for each thread of a pool.
pub(super) struct Threads<T>(Vec<Mutex<T>>);

impl<T> Threads<T> {
    fn new(value: impl Fn() -> T) -> Self {
        Self((0..rayon::current_num_threads()).map(|_| Mutex::new(value())).collect())
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        work(&mut self.0[thread].lock().expect("a panic ends the program"))
    }
}

/// Memory for a word of windows.
pub(super) struct WordMemory<const W: usize> {
    window: Window<Word<W>>,
    /// The box with its halo.
    padded: Region,
    kernel: Lanes,
    packing: Packing<W>,
}

impl<const W: usize> WordMemory<W> {
    fn on_threads<L: Law>(law: &L, shape: Shape) -> Option<Threads<Self>> {
        let (law, window) = (InLanes::<L, W>::new(law)?, Window::open(shape, L::REACH));
        let (padded, packing) = (Region { margin: L::REACH as isize }, law.packing(window.padded_sites()));
        let memory = || Self { window: window.clone(), padded, kernel: Lanes::default(), packing: packing.clone() };
        Some(Threads::new(memory))
    }

    /// Fills the window, all lanes row by row, as the tiles of a word lie in memory.
    fn load<S: Pod>(&mut self, local: &Lattice<S>, word: &[&Own]) {
        let Self { window, padded, packing, .. } = self;
        packing.clear();
        for (coordinate, row) in window.rows(*padded) {
            for own in word {
                let [sites, rest] = local.row(window.coordinate(own.home(), coordinate), row.len());
                packing.put(own.lane(), row.start, sites);
                packing.put(own.lane(), row.start + sites.len(), rest);
            }
        }
        packing.transpose();
        window.fill(packing.words(window.padded_sites()));
    }

    /// Copies the box of each lane to the lattice.
    fn store<S: Pod>(&mut self, local: &mut Lattice<S>, word: &[&Own]) {
        let Self { window, packing, .. } = self;
        packing.fill(window.values());
        packing.transpose();
        for (coordinate, row) in window.rows(Region::BOX) {
            for own in word {
                let [sites, rest] = local.row_mut(window.coordinate(own.home(), coordinate), row.len());
                packing.get(own.lane(), row.start, sites);
                packing.get(own.lane(), row.start + sites.len(), rest);
            }
        }
    }
}
