//! What a vacancy sees: the species at the 112 sites within 7.5 Angstrom, as it is and turned for each jump.
//!
//! A jump along (+-1, +-1, +-1) is described in a frame turned so that it points along (+1, +1, +1). The turns about
//! the third axis and the reflection of it are those of the published network, which is not invariant under the choice
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
/// Largest squared distance of a site that is seen, in units of half the lattice constant (1.62 Angstrom): 7.25
/// Angstrom.
const SQUARED_REACH: isize = 20;
/// Half-lattice layers that a vacancy sees on each side.
pub const REACH: usize = 4;

/// Half-lattice offsets of the sites that a vacancy sees, in lexicographic order.
pub static OFFSETS: LazyLock<Vec<[isize; 3]>> = LazyLock::new(|| bcc::within(SQUARED_REACH));

/// Sites in the longest row along the third axis.
const LONGEST: usize = 5;

/// Where unbroken rows along the third axis begin in an environment.
static ROWS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let next = |index: usize| OFFSETS.get(index.wrapping_sub(1)).map(|&[i, j, k]| [i, j, k + 2]);
    (0..SITES).filter(|&index| next(index) != Some(OFFSETS[index])).collect()
});

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
static TARGETS: LazyLock<[u8; JUMPS]> = LazyLock::new(|| NEIGHBOURS.map(|jump| position(jump) as u8));

/// Position in an environment of the site at a half-lattice offset.
///
/// # Panics
/// When no site that is seen lies there.
pub fn position(offset: [isize; 3]) -> usize {
    OFFSETS.binary_search(&offset).expect("the offset of a site within reach")
}

/// The steps to the sites that a vacancy sees, in windows of one form.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    sites: Steps,
    rows: Steps,
}

impl Sight {
    /// The steps in windows like `window`.
    pub fn new(window: &Window<u8>) -> Self {
        let rows: Vec<_> = ROWS.iter().map(|&index| OFFSETS[index]).collect();
        Self { sites: Steps::new(window, &OFFSETS), rows: Steps::new(window, &rows) }
    }

    /// The site at a position of the environment of the vacancy at `site`.
    pub fn along(&self, site: usize, position: usize) -> usize {
        self.sites.along(site, position)
    }
}

/// The species at the sites that a vacancy sees, in the order of [`OFFSETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment(pub [u8; SITES]);

/// An environment turned for each of the eight jumps, `[site][jump]`; in every turned frame the atom that jumps stands
/// at (+1, +1, +1).
pub type Turned = [[u8; JUMPS]; SITES];

impl Environment {
    /// What the vacancy at `site` sees.
    pub fn gather(window: &Window<u8>, sight: &Sight, site: usize) -> Self {
        let mut species = [VACANCY; SITES + LONGEST - 1];
        let values = window.values();
        // What is copied beyond the end of a row, the next row replaces.
        for (&index, first) in ROWS.iter().zip(sight.rows.from(site)) {
            species[index..][..LONGEST].copy_from_slice(&values[first..][..LONGEST]);
        }
        Self(species[..SITES].try_into().expect("one species for each site"))
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
        self.at(&TARGETS)
    }

    /// All of it, two bits a site.
    pub fn packed(&self) -> Packed {
        let mut words = [0; 4];
        for (word, species) in words.iter_mut().zip(self.0.chunks(SITES_IN_WORD)) {
            *word = species.iter().rev().fold(0, |word, &species| word << 2 | u64::from(species));
        }
        Packed(words)
    }
}

/// An environment with two bits a site, the first site lowest, and the directions that lead out of an open window's
/// box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed([u64; 4]);

const SITES_IN_WORD: usize = 32;

impl Packed {
    /// What no environment packs to.
    pub const NONE: Self = Self([u64::MAX; 4]);

    /// The same with a bit for each jump that `leaves` the box, in the bits that the sites do not need.
    pub fn at_edge(self, leaves: [bool; JUMPS]) -> Self {
        let Self([first, second, third, last]) = self;
        let bits = leaves.into_iter().rev().fold(0, |bits, leaves| bits << 1 | u64::from(leaves));
        Self([first, second, third, last | bits << (2 * (SITES % SITES_IN_WORD))])
    }

    /// The species that would jump in each direction.
    pub fn targets(&self) -> [u8; JUMPS] {
        let mut targets = [VACANCY; JUMPS];
        for (species, &target) in targets.iter_mut().zip(TARGETS.iter()) {
            let target = usize::from(target);
            *species = (self.0[target / SITES_IN_WORD] >> (2 * (target % SITES_IN_WORD)) & 3) as u8;
        }
        targets
    }

    /// Positions of other vacancies.
    pub fn vacancies(&self) -> impl Iterator<Item = usize> {
        const LOW_BITS: u64 = u64::MAX / 3;
        self.0
            .into_iter()
            .enumerate()
            .flat_map(|(number, word)| {
                let mut empty = !(word | word >> 1) & LOW_BITS;
                std::iter::from_fn(move || {
                    let bit = empty.trailing_zeros() as usize;
                    empty &= empty.wrapping_sub(1);
                    (bit < 64).then_some(SITES_IN_WORD * number + bit / 2)
                })
            })
            .take_while(|&position| position < SITES)
    }
}
