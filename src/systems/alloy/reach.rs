//! Where a vacancy in a basin may be, and whether another one would see it there.

use super::environment::SQUARED_REACH;
use crate::lattice::{Window, bcc};

/// The places that a vacancy may be at.
pub(super) struct Reach {
    /// As half-lattice points.
    pub points: Vec<[isize; 3]>,
    /// The largest squared distance from the first of them that may be seen from one.
    farthest: isize,
}

impl Reach {
    pub fn new(window: &Window<u8>, sites: impl Iterator<Item = usize>) -> Self {
        let points: Vec<_> = sites.map(|site| point(window, site)).collect();
        let radius = points.iter().map(|&other| square(window, points[0], other)).max().unwrap_or(0) as f64;
        let farthest = (radius.sqrt() + (SQUARED_REACH as f64).sqrt()).powi(2).ceil() as isize;
        Self { points, farthest }
    }

    /// Whether a vacancy at one of the places would see this one.
    pub fn sees(&self, window: &Window<u8>, place: [isize; 3]) -> bool {
        square(window, self.points[0], place) <= self.farthest
            && self.points.iter().any(|&point| square(window, point, place) <= SQUARED_REACH)
    }
}

/// The half-lattice point of a site.
pub(super) fn point(window: &Window<u8>, site: usize) -> [isize; 3] {
    let [plane, row, _] = window.strides();
    bcc::point(window.coordinate([0; 3], [site / plane, site % plane / row, site % row]))
}

/// The squared distance of two points, in a closed window the shortest one across its faces.
fn square(window: &Window<u8>, one: [isize; 3], other: [isize; 3]) -> isize {
    let [layers, rows, columns] = window.shape().0.map(|extent| extent as isize);
    let extents = [layers, 2 * rows, 2 * columns];
    let apart = |axis: usize| {
        let straight = (one[axis] - other[axis]).abs();
        if window.is_closed() { straight.min(extents[axis] - straight) } else { straight }
    };
    (0..3).map(|axis| apart(axis).pow(2)).sum()
}
