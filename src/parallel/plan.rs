//! The plan of messages between ranks when the windows of a cover evolve group by group.
//!
//! The rank that owns the first site of a window evolves it. Every rank with a copy of the written sites gets them: the
//! owner of the sites, and the ranks whose halos contain them. Both sides of a message derive it from the geometry, so
//! messages hold only values. A rank looks only at windows near its own sites: its plan, and the time to make it, go with
//! its block, not with the lattice.
//!
//! The windows of a group are dealt to words of a fixed number of lanes, whatever their owners. A rank evolves a word for
//! the lanes that it owns.

use super::{Decomposition, order::Order};
use crate::lattice::{Boundary, Cover, Group as Windows, Shape};

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
    /// Index of one window for each word, the same on all ranks; keys the random stream.
    pub word: u64,
    /// First site in the local lattice of this rank.
    home: [i32; 3],
    /// Its lane of the word.
    lane: u16,
    /// The parts of the written box on this rank, in the block and in the halo; none where all of it lies within the
    /// block and nowhere else.
    pub copies: Option<Box<[Part]>>,
}

impl Own {
    /// First site in the local lattice of this rank.
    pub fn home(&self) -> [isize; 3] {
        self.home.map(|value| value as isize)
    }

    /// First site of its written box, which reaches so many sites beyond it.
    pub fn start(&self, margin: [usize; 3]) -> [isize; 3] {
        std::array::from_fn(|axis| self.home[axis] as isize - margin[axis] as isize)
    }

    /// Its lane of the word.
    pub fn lane(&self) -> usize {
        usize::from(self.lane)
    }
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

    /// Where the ranks along an axis hold copies of the sites from `start` on: in their blocks and halos.
    fn stretches(&self, axis: usize, start: isize, length: isize) -> Vec<Stretch> {
        let extent = self.decomposition.lattice.0[axis] as isize;
        let start = start.rem_euclid(extent);
        if self.decomposition.grid[axis] == 1 {
            return vec![Stretch { position: 0, from: 0, length: length as usize, at: start }];
        }
        let halo = self.halo as isize;
        let mut stretches = Vec::new();
        for image in self.images().iter().map(|image| start + image * extent) {
            let near = (image - halo).max(0)..(image + length + halo).min(extent);
            if near.is_empty() {
                continue;
            }
            let position = |site: isize| self.decomposition.position(axis, site as usize);
            for position in position(near.start)..=position(near.end - 1) {
                let bounds = self.decomposition.bounds(axis, position);
                let [before, behind] = self.halos(axis, position);
                let (low, high) = (bounds.start as isize - before as isize, (bounds.end + behind) as isize);
                let (first, last) = (image.max(low), (image + length).min(high));
                if first < last {
                    let (from, length) = ((first - image) as usize, (last - first) as usize);
                    stretches.push(Stretch { position, from, length, at: first - low });
                }
            }
        }
        stretches
    }

    /// Where a lattice lies again beyond its edges, in lattices.
    fn images(&self) -> &'static [isize] {
        match self.decomposition.boundary {
            Boundary::Periodic => &[-1, 0, 1],
            Boundary::Mirrored => &[0],
        }
    }

    /// The messages by which the ranks copy the sites of their blocks into the halos of others, for `rank`: what it sends
    /// and what it receives, and the parts within itself.
    pub fn edges(&self, rank: usize) -> Edges {
        let parts_of = |rank: usize| {
            let (origin, block) = self.decomposition.block(rank);
            self.parts(origin.map(|value| value as isize), block)
        };
        let parts = parts_of(rank);
        let others: Vec<usize> = by_rank(parts.iter().map(|part| (part.rank, ())).collect())
            .into_iter()
            .map(|(other, _)| other)
            .filter(|other| *other != rank)
            .collect();
        let from = |other: usize| (other, parts_of(other).into_iter().filter(|part| part.rank == rank).collect());
        let receives = others.into_iter().map(from).collect();
        let (own, remote): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|part| part.rank == rank);
        Edges { own, sends: by_rank(remote.into_iter().map(|part| (part.rank, part)).collect()), receives }
    }

    /// Positions and first sites along `axis` of the windows whose written boxes touch sites that `rank` holds, and
    /// whether their first site is in its block.
    fn near(&self, windows: &Windows, axis: usize, (rank, margin, written): (usize, usize, usize)) -> Vec<Near> {
        let position = Shape(self.decomposition.grid).coordinate(rank)[axis];
        let extent = self.decomposition.lattice.0[axis] as isize;
        let bounds = self.decomposition.bounds(axis, position);
        let (low, high) = (bounds.start as isize, bounds.end as isize);
        let (halo, margin, written) = (self.halo as isize, margin as isize, written as isize);
        let alone = self.decomposition.grid[axis] == 1;
        let near = |(position, origin): (usize, isize)| {
            let first = origin.rem_euclid(extent);
            let start = first - margin;
            let touches = |image: &isize| {
                let start = start + image * extent;
                start < high + halo && low - halo < start + written
            };
            let own = (low..high).contains(&first);
            let inner = alone || (low + halo <= start && start + written <= high - halo);
            (alone || self.images().iter().any(touches)).then_some(Near { position, origin, own, inner })
        };
        windows.origins(axis).enumerate().filter_map(near).collect()
    }
}

/// A row of windows across an axis that touches sites of a rank.
struct Near {
    /// In its group.
    position: usize,
    /// First site.
    origin: isize,
    /// Whether the rank owns the first site.
    own: bool,
    /// Whether no other rank holds sites that it writes.
    inner: bool,
}

/// The messages that fill the halos of a rank.
pub(super) struct Edges {
    /// Parts of the block on this rank: the block itself, and copies in the halo.
    pub own: Vec<Part>,
    /// For each receiving rank: the parts of the block.
    pub sends: Vec<(usize, Vec<Part>)>,
    /// For each sending rank: the parts of its block.
    pub receives: Vec<(usize, Vec<Part>)>,
}

/// The plan of one rank for a cover.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Extents of a window, and of the box that it writes, and how far this reaches beyond the window on each axis.
    pub(super) tile: Shape,
    pub(super) written: Shape,
    pub(super) margin: [usize; 3],
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
        let group = |windows: Windows| group(extent, rank, &windows, lanes, (margin, written));
        Self { tile: cover.shape, written, margin, spread, lanes, groups: cover.groups().map(group).collect() }
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Messages that a sweep sends and receives, and the sites in those sent.
    pub fn messages(&self) -> [usize; 3] {
        let sites = |parts: &[(usize, Part)]| parts.iter().map(|(_, part)| part.shape.sites()).sum::<usize>();
        self.groups.iter().fold([0; 3], |[sent, received, all], group| {
            let of_group = group.sends.iter().map(|(_, parts)| sites(parts)).sum::<usize>();
            [sent + group.sends.len(), received + group.receives.len(), all + of_group]
        })
    }

    /// Bytes of memory of the plan.
    pub fn bytes(&self) -> usize {
        let of_window = |own: &Own| size_of::<Own>() + own.copies.as_ref().map_or(0, |copies| size_of_val(&**copies));
        let of_group = |group: &Group| {
            let sends = group.sends.iter().map(|(_, parts)| size_of_val(&parts[..])).sum::<usize>();
            let receives = group.receives.iter().map(|(_, parts)| size_of_val(&parts[..])).sum::<usize>();
            group.own.iter().map(of_window).sum::<usize>() + sends + receives
        };
        self.groups.iter().map(of_group).sum()
    }
}

fn group(
    extent: &Extent,
    rank: usize,
    windows: &Windows,
    lanes: usize,
    (margin, written): ([usize; 3], Shape),
) -> Group {
    let (local, _) = extent.local(rank);
    let lattice = extent.decomposition.lattice.0;
    let along: [Vec<Near>; 3] =
        std::array::from_fn(|axis| extent.near(windows, axis, (rank, margin[axis], written.0[axis])));
    let (mut awaited, mut interior, mut receives) = (Vec::new(), Vec::new(), Vec::new());
    let mut word: Vec<(Own, Vec<Part>)> = Vec::new();
    let mut deal = |word: &mut Vec<(Own, Vec<Part>)>| {
        let is_awaited = word.iter().any(|(_, remote)| !remote.is_empty());
        if is_awaited { awaited.append(word) } else { interior.append(word) }
    };
    let order = Order::new(windows.counts, lanes);
    let mut placed: Vec<(usize, [&Near; 3])> =
        product(&along).map(|near| (order.place(near.map(|near| near.position)), near)).collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    let mut last = 0;
    for (place, near) in placed {
        if place / lanes != last {
            deal(&mut word);
            last = place / lanes;
        }
        let first = near.map(|near| near.origin);
        let origin = std::array::from_fn(|axis| first[axis] - margin[axis] as isize);
        if !near.iter().all(|near| near.own) {
            let owner = extent.decomposition.owner(first);
            let parts = extent.parts(origin, written);
            receives.extend(parts.into_iter().filter(|part| part.rank == rank).map(|part| (owner, part)));
            continue;
        }
        let home = std::array::from_fn(|axis| (first[axis].rem_euclid(lattice[axis] as isize) - local[axis]) as i32);
        let parts = if near.iter().all(|near| near.inner) { None } else { Some(extent.parts(origin, written)) };
        let (copies, remote) = match parts {
            None => (None, Vec::new()),
            Some(parts) => {
                let (copies, remote): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|part| part.rank == rank);
                (Some(copies.into_boxed_slice()), remote)
            }
        };
        let index = windows.window(last * lanes).index;
        word.push((Own { word: index, lane: (place % lanes) as u16, home, copies }, remote));
    }
    deal(&mut word);
    let sends = awaited
        .iter()
        .enumerate()
        .flat_map(|(index, (_, remote))| remote.iter().map(move |part| (part.rank, (index, *part))));
    let sends = by_rank(sends.collect());
    let count = awaited.len();
    let own = awaited.into_iter().chain(interior).map(|(own, _)| own).collect();
    Group { own, awaited: count, sends, receives: by_rank(receives) }
}

/// Every combination of one entry of each list, the last one fastest.
fn product<T>([z, y, x]: &[Vec<T>; 3]) -> impl Iterator<Item = [&T; 3]> {
    z.iter().flat_map(move |z| y.iter().flat_map(move |y| x.iter().map(move |x| [z, y, x])))
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
