//! What `upsample.kind = "auto"` and `upsample.relax = "auto"` stand for.

use super::{ConfigError, Input, Relax, UpsampleKind};
use crate::lattice::Boundary;
use std::fmt;

/// The longest correlation length, in sides of the small system, at which a large state may be a mosaic of small ones
/// (docs/method.md, step 2).
const LONGEST_IN_TILES: f64 = 0.2;

/// Why a kind of upsampling was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// The small system is as large as the large one.
    SameSize,
    /// The system is not a periodic lattice of which states can be drawn from one start.
    NoTiles,
    /// The correlation length of the small system, and its side, in sites.
    CorrelationLength(f64, usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::SameSize => write!(formatter, "the small system is as large as the large one"),
            Self::NoTiles => write!(formatter, "tiles need a periodic system with starts to share"),
            Self::CorrelationLength(length, side) => {
                let share = length / *side as f64;
                let side_of = if share < LONGEST_IN_TILES { "below" } else { "not below" };
                write!(
                    formatter,
                    "the correlation length of the small system is {length:.1} sites, {share:.2} of its side, {side_of} \
                     {LONGEST_IN_TILES}"
                )
            }
        }
    }
}

impl Input {
    /// Replaces "auto" in `upsample` by what it stands for. The same input gives the same choice.
    ///
    /// # Errors
    /// When the small system cannot be simulated to measure its correlation length.
    pub(super) fn choose_upsampling(&mut self) -> Result<(), ConfigError> {
        if self.upsample.kind == UpsampleKind::Auto {
            let (kind, reason) = self.best_upsampling()?;
            (self.upsample.kind, self.upsample.reason) = (kind, Some(reason));
        }
        if self.upsample.relax == Relax::Auto {
            self.upsample.relax = match self.upsample.kind {
                UpsampleKind::Tiles => Relax::Age(0.1),
                UpsampleKind::Compatible => Relax::Time(8.0),
                UpsampleKind::Direct => Relax::None,
                UpsampleKind::Published | UpsampleKind::Auto => Relax::Auto,
            };
        }
        Ok(())
    }

    fn best_upsampling(&self) -> Result<(UpsampleKind, Reason), ConfigError> {
        let (small, large) = (self.small_shape(), self.large_shape());
        if small == large {
            return Ok((UpsampleKind::Direct, Reason::SameSize));
        }
        let system = &self.system;
        let moving = system.moving_part_count(large.sites()).is_some();
        if system.boundary() != Boundary::Periodic || moving || !system.draws_starts() || !system.is_local() {
            return Ok((UpsampleKind::Published, Reason::NoTiles));
        }
        let length = system.correlation_length(small, self.seed).map_err(|error| {
            ConfigError::Physics(format!(
                "upsample.kind = \"auto\" cannot measure the correlation length of the small system: {error}; choose a kind"
            ))
        })?;
        let side = small.0[2];
        let kind = match length / (side as f64) < LONGEST_IN_TILES {
            true => UpsampleKind::Tiles,
            false if system.can_be_rescaled() => UpsampleKind::Compatible,
            false => UpsampleKind::Direct,
        };
        Ok((kind, Reason::CorrelationLength(length, side)))
    }
}
