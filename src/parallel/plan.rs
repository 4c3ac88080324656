//! The plan of messages between ranks when the windows of a cover evolve group by group.
//!
//! The rank that owns the first site of a window evolves it. Every rank with a copy of the written sites gets them: the
//! owner of the sites, and the ranks whose halos contain them. All ranks derive the same plan from the geometry, so
//! messages hold only values.
//!
//! The windows of a group are dealt to words of a fixed number of lanes in their order in the cover, whatever their
//! owners. A rank evolves a word for the lanes that it owns.

use super::Decomposition;
use crate::lattice::{Boundary, Cover, Placed, Shape};

/// A part of a written box for one rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The receiving rank.
    pub rank: usize,
    /// First site, relative to the written box.
    pub from: [usize; 3],
    /// Extents.
    pub shape: Shape,
    /// First site in the local lattice of that rank.
    pub at: [isize; 3],
}

impl Part {
    /// Its first site, if the written box has its own at `origin`.
    pub fn within(&self, origin: [isize; 3]) -> [isize; 3] {
        std::array::from_fn(|axis| origin[axis] + self.from[axis] as isize)
    }
}

/// A window that this rank evolves.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// Index of the first window of its word, on whatever rank; keys the random stream.
    pub word: u64,
    /// Its lane of the word.
    pub lane: usize,
    /// First site in the local lattice of this rank.
    pub home: [isize; 3],
    /// The parts of the written box on this rank: in the block, and copies in the halo.
    pub copies: Vec<Part>,
}

/// The windows of one group for one rank.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The windows that this rank evolves, word by word. First the words with sites for other ranks.
    pub own: Vec<Own>,
    /// Number of windows in words with sites for other ranks.
    pub awaited: usize,
    /// For each receiving rank: the parts of own windows, with the index in `own`.
    pub sends: Vec<(usize, Vec<(usize, Part)>)>,
    /// For each sending rank: the parts.
    pub receives: Vec<(usize, Vec<Part>)>,
}

/// A decomposition, and the width of the halo on each divided axis.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub decomposition: Decomposition,
    pub halo: usize,
}

/// The stretch of a written box along one axis that a position of the grid holds.
struct Stretch {
    position: usize,
    from: usize,
    length: usize,
    at: isize,
}

impl Extent {
    /// Halo sites before and behind the block at `position` along `axis`. There are none if one rank holds the whole
    /// axis, which is then periodic in itself, and none beyond a mirror.
    fn halos(&self, axis: usize, position: usize) -> [usize; 2] {
        let ranks = self.decomposition.grid[axis];
        let mirrored = self.decomposition.boundary == Boundary::Mirrored;
        [0, ranks - 1].map(|end| if ranks == 1 || (mirrored && position == end) { 0 } else { self.halo })
    }

    /// First site of the local lattice of `rank`, and its extents.
    pub fn local(&self, rank: usize) -> ([isize; 3], Shape) {
        let position = Shape(self.decomposition.grid).coordinate(rank);
        let (origin, block) = self.decomposition.block(rank);
        let halos: [[usize; 2]; 3] = std::array::from_fn(|axis| self.halos(axis, position[axis]));
        (
            std::array::from_fn(|axis| origin[axis] as isize - halos[axis][0] as isize),
            Shape(std::array::from_fn(|axis| block.0[axis] + halos[axis][0] + halos[axis][1])),
        )
    }

    /// All parts, on all ranks, with copies of sites of the box.
    fn parts(&self, origin: [isize; 3], shape: Shape) -> Vec<Part> {
        let [first, second, third] =
            std::array::from_fn(|axis| self.stretches(axis, origin[axis], shape.0[axis] as isize));
        let mut parts = Vec::with_capacity(first.len() * second.len() * third.len());
        for z in &first {
            for y in &second {
                for x in &third {
                    let along = [z, y, x];
                    let position = along.map(|stretch| stretch.position as isize);
                    parts.push(Part {
                        rank: Shape(self.decomposition.grid).wrapped_index(position),
                        from: along.map(|stretch| stretch.from),
                        shape: Shape(along.map(|stretch| stretch.length)),
                        at: along.map(|stretch| stretch.at),
                    });
                }
            }
        }
        parts
    }

    fn stretches(&self, axis: usize, start: isize, length: isize) -> Vec<Stretch> {
        let extent = self.decomposition.lattice.0[axis] as isize;
        let start = start.rem_euclid(extent);
        if self.decomposition.grid[axis] == 1 {
            return vec![Stretch { position: 0, from: 0, length: length as usize, at: start }];
        }
        let images = match self.decomposition.boundary {
            Boundary::Periodic => &[-1, 0, 1][..],
            Boundary::Mirrored => &[0],
        };
        let mut stretches = Vec::new();
        for position in 0..self.decomposition.grid[axis] {
            let bounds = self.decomposition.bounds(axis, position);
            let [before, behind] = self.halos(axis, position);
            let (low, high) = (bounds.start as isize - before as isize, (bounds.end + behind) as isize);
            for image in images.iter().map(|image| start + image * extent) {
                let (first, last) = (image.max(low), (image + length).min(high));
                if first < last {
                    let (from, length) = ((first - image) as usize, (last - first) as usize);
                    stretches.push(Stretch { position, from, length, at: first - low });
                }
            }
        }
        stretches
    }
}

/// The plan of one rank for a cover.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Extents of the written box of a window.
    pub(super) written: Shape,
    pub(super) spread: usize,
    /// Windows of a word.
    pub(super) lanes: usize,
    pub(super) groups: Vec<Group>,
}

impl Plan {
    /// The plan of `rank`, for windows that write `spread` sites beyond their box and evolve in words of `lanes`.
    pub(super) fn new(extent: &Extent, rank: usize, cover: &Cover, spread: usize, lanes: usize) -> Self {
        let margin = cover.shape.on_used_axes(spread);
        let written = Shape(std::array::from_fn(|axis| cover.shape.0[axis] + 2 * margin[axis]));
        let group = |windows: &Vec<Placed>| group(extent, rank, windows.chunks(lanes), margin, written);
        Self { written, spread, lanes, groups: cover.groups.iter().map(group).collect() }
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }
}

fn group<'a>(
    extent: &Extent,
    rank: usize,
    words: impl Iterator<Item = &'a [Placed]>,
    margin: [usize; 3],
    written: Shape,
) -> Group {
    let (local, _) = extent.local(rank);
    let lattice = extent.decomposition.lattice.0;
    let (mut awaited, mut interior, mut receives) = (Vec::new(), Vec::new(), Vec::new());
    for word in words {
        let mut own = Vec::new();
        for (lane, placed) in word.iter().enumerate() {
            let owner = extent.decomposition.owner(placed.origin);
            let origin = std::array::from_fn(|axis| placed.origin[axis] - margin[axis] as isize);
            let parts = extent.parts(origin, written);
            if owner != rank {
                receives.extend(parts.into_iter().filter(|part| part.rank == rank).map(|part| (owner, part)));
                continue;
            }
            let home = std::array::from_fn(|axis| {
                let inside = placed.origin[axis].rem_euclid(lattice[axis] as isize);
                inside - local[axis]
            });
            let (copies, remote): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|part| part.rank == rank);
            own.push((Own { word: word[0].index, lane, home, copies }, remote));
        }
        let is_awaited = own.iter().any(|(_, remote)| !remote.is_empty());
        if is_awaited { awaited.extend(own) } else { interior.extend(own) }
    }
    let sends = awaited
        .iter()
        .enumerate()
        .flat_map(|(index, (_, remote))| remote.iter().map(move |part| (part.rank, (index, *part))));
    let sends = by_rank(sends.collect());
    let count = awaited.len();
    let own = awaited.into_iter().chain(interior).map(|(own, _)| own).collect();
    Group { own, awaited: count, sends, receives: by_rank(receives) }
}

/// Values grouped by rank, each group in the given order.
fn by_rank<T>(mut values: Vec<(usize, T)>) -> Vec<(usize, Vec<T>)> {
    values.sort_by_key(|(rank, _)| *rank);
    let mut grouped: Vec<(usize, Vec<T>)> = Vec::new();
    for (rank, value) in values {
        match grouped.last_mut() {
            Some((last, group)) if *last == rank => group.push(value),
            _ => grouped.push((rank, vec![value])),
        }
    }
    grouped
}
