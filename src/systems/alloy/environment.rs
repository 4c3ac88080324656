//! Environments of vacancies: the species at the 112 sites within 7.5 Angstrom, in the frame of the lattice and in that
//! of each jump.
//!
//! In its own frame every jump points along (+1, +1, +1). Rotations about the third axis and its reflection map a jump
//! along (+-1, +-1, +-1) to this frame. The published network depends on the choice of these operations, so they are
//! those of its authors (Xing et al., Nat. Commun. 15, 3879, 2024).

use crate::lattice::{
    Window,
    bcc::{self, NEIGHBOURS, Steps},
};
use std::sync::LazyLock;

/// A site without an atom.
pub const VACANCY: u8 = 0;
/// Names of the species, the vacancy first.
pub const SPECIES: [&str; 4] = ["vacancy", "Nb", "Mo", "Ta"];
/// The species and their colours (red, green, blue).
pub const STATES: [(&str, [u8; 3]); 4] = [
    (SPECIES[0], [255, 255, 255]),
    (SPECIES[1], [44, 85, 138]),
    (SPECIES[2], [226, 143, 65]),
    (SPECIES[3], [92, 163, 132]),
];
/// Number of sites of an environment.
pub const SITES: usize = 112;
/// Number of directions in which a vacancy jumps.
pub const JUMPS: usize = NEIGHBOURS.len();
/// Largest squared distance of a site of an environment, in units of half the lattice constant (1.62 Angstrom). It is
/// 7.25 Angstrom.
pub(super) const SQUARED_REACH: isize = 20;
/// Half-lattice layers of an environment on each side of the vacancy.
pub const REACH: usize = 4;

/// Half-lattice offsets of the sites of an environment, in lexicographic order.
pub static OFFSETS: LazyLock<Vec<[isize; 3]>> = LazyLock::new(|| bcc::within(SQUARED_REACH));

/// Sites in the longest row along the third axis.
const LONGEST: usize = 5;

/// Positions in an environment where contiguous rows along the third axis begin.
static ROWS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let next = |index: usize| OFFSETS.get(index.wrapping_sub(1)).map(|&[i, j, k]| [i, j, k + 2]);
    (0..SITES).filter(|&index| next(index) != Some(OFFSETS[index])).collect()
});

/// `TURNS[site][jump]` is the site of the environment that is at `site` in the frame of the jump.
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

/// The permutations of the axes. These operations keep the jump along (+1, +1, +1).
const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// `OPERATIONS[operation][site]` is the site that an operation moves to `site`.
pub static OPERATIONS: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let moved = |axes: [usize; 3]| OFFSETS.iter().map(move |offset| position(axes.map(|axis| offset[axis])));
    PERMUTATIONS.map(|axes| moved(axes).collect()).to_vec()
});

/// Positions of the eight nearest neighbours in an environment.
static TARGETS: LazyLock<[u8; JUMPS]> = LazyLock::new(|| NEIGHBOURS.map(|jump| position(jump) as u8));

/// Position in an environment of the site at a half-lattice offset.
///
/// # Panics
/// When the environment has no site there.
pub fn position(offset: [isize; 3]) -> usize {
    OFFSETS.binary_search(&offset).expect("the offset of a site within reach")
}

/// The steps to the sites of an environment, in windows of one shape.
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

/// The species at the sites of an environment, in the order of [`OFFSETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment(pub [u8; SITES]);

/// An environment in the frames of the eight jumps, `[site][jump]`. In every frame the jumping atom is at (+1, +1, +1).
pub type Turned = [[u8; JUMPS]; SITES];

impl Environment {
    /// The environment of the vacancy at `site`.
    pub fn gather(window: &Window<u8>, sight: &Sight, site: usize) -> Self {
        let mut species = [VACANCY; SITES + LONGEST - 1];
        let values = window.values();
        // The next row replaces values copied beyond the end of a row.
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

    /// The environment with two bits per site.
    pub fn packed(&self) -> Packed {
        let mut words = [0; 4];
        for (word, species) in words.iter_mut().zip(self.0.chunks(SITES_IN_WORD)) {
            *word = species.iter().rev().fold(0, |word, &species| word << 2 | u64::from(species));
        }
        Packed(words)
    }
}

/// An environment with two bits per site, the first site lowest, and the jumps that leave the box of an open window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed([u64; 4]);

const SITES_IN_WORD: usize = 32;

impl Packed {
    /// A value of no environment.
    pub const NONE: Self = Self([u64::MAX; 4]);

    /// The same with a bit for each jump that `leaves` the box, in the bits after those of the sites.
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
