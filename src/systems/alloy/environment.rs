//! What a vacancy sees: the species at the 112 sites within 7.5 Angstrom, as it is and turned for each jump.
//!
//! A jump along (+-1, +-1, +-1) is described in a frame turned so that it points along (+1, +1, +1). The turns about the
//! third axis and the reflection of it are those of the published network, which is not invariant under the choice
//! (Xing et al., Nat. Commun. 15, 3879, 2024).

use crate::lattice::{
    Window,
    bcc::{self, NEIGHBOURS, Steps},
};
use std::sync::LazyLock;

/// A site without an atom.
pub const VACANCY: u8 = 0;
/// Names of the species that sites hold, the vacancy first.
pub const SPECIES: [&str; 4] = ["vacancy", "Nb", "Mo", "Ta"];
/// Number of sites that a vacancy sees.
pub const SITES: usize = 112;
/// Number of directions in which a vacancy jumps.
pub const JUMPS: usize = NEIGHBOURS.len();
/// Largest squared distance of a site that is seen, in units of half the lattice constant (1.62 Angstrom): 7.25 Angstrom.
const SQUARED_REACH: isize = 20;
/// Half-lattice layers that a vacancy sees on each side.
pub const REACH: usize = 4;

/// Half-lattice offsets of the sites that a vacancy sees, in lexicographic order.
pub static OFFSETS: LazyLock<Vec<[isize; 3]>> = LazyLock::new(|| bcc::within(SQUARED_REACH));

/// `TURNS[site][jump]`: which site of the environment stands at `site` when it is turned for the jump.
pub(super) static TURNS: LazyLock<Vec<[u8; JUMPS]>> = LazyLock::new(|| {
    let source = |offset: &[isize; 3], [x, y, z]: [isize; 3]| {
        let [i, j, k] = *offset;
        let plane = match (x, y) {
            (1, 1) => [i, j],
            (1, _) => [j, -i],
            (_, 1) => [-j, i],
            _ => [-i, -j],
        };
        position([plane[0], plane[1], z * k]) as u8
    };
    OFFSETS.iter().map(|offset| NEIGHBOURS.map(|jump| source(offset, jump))).collect()
});

/// The permutations of the axes: the operations that keep the jump along (+1, +1, +1).
const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// `OPERATIONS[operation][site]`: the site that an operation that keeps the jump brings to `site`.
pub static OPERATIONS: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let moved = |axes: [usize; 3]| OFFSETS.iter().map(move |offset| position(axes.map(|axis| offset[axis])));
    PERMUTATIONS.map(|axes| moved(axes).collect()).to_vec()
});

/// Positions of the eight nearest neighbours in an environment.
static TARGETS: LazyLock<[usize; JUMPS]> = LazyLock::new(|| NEIGHBOURS.map(position));

/// Position in an environment of the site at a half-lattice offset.
///
/// # Panics
/// When no site that is seen lies there.
pub fn position(offset: [isize; 3]) -> usize {
    OFFSETS.binary_search(&offset).expect("the offset of a site within reach")
}

/// The species at the sites that a vacancy sees, in the order of [`OFFSETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment(pub [u8; SITES]);

/// An environment turned for each of the eight jumps, `[site][jump]`; in every turned frame the atom that jumps stands
/// at (+1, +1, +1).
pub type Turned = [[u8; JUMPS]; SITES];

impl Environment {
    /// What the vacancy at `site` sees; `steps` are those along [`OFFSETS`].
    pub fn gather(window: &Window<u8>, steps: &Steps, site: usize) -> Self {
        let mut species = [VACANCY; SITES];
        let values = window.values();
        for (species, neighbour) in species.iter_mut().zip(steps.from(site)) {
            *species = values[neighbour];
        }
        Self(species)
    }

    /// The environment in the frame of each jump.
    pub fn turned(&self) -> Turned {
        let mut turned = [[VACANCY; JUMPS]; SITES];
        turned.iter_mut().zip(TURNS.iter()).for_each(|(turned, sources)| *turned = self.at(sources));
        turned
    }

    /// The species at eight positions.
    #[inline]
    pub(super) fn at(&self, positions: &[u8; JUMPS]) -> [u8; JUMPS] {
        let mut species = [VACANCY; JUMPS];
        for (species, &position) in species.iter_mut().zip(positions) {
            *species = self.0[usize::from(position)];
        }
        species
    }

    /// The species that would jump in each direction.
    pub fn targets(&self) -> [u8; JUMPS] {
        TARGETS.map(|target| self.0[target])
    }

    /// Positions of other vacancies.
    pub fn vacancies(&self) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(VACANCY, &self.0)
    }

    /// All of it, two bits a site.
    pub fn packed(&self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, species) in words.iter_mut().zip(self.0.chunks(32)) {
            *word = species.iter().fold(0, |word, &species| word << 2 | u64::from(species));
        }
        words
    }
}
