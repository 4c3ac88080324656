//! Checks of closure and training.

use super::{Input, UpsampleKind, checks::positive};
use crate::learning::{EncoderKind, sde::refuse_potential};

impl Input {
    fn check_reversible(&self) -> Result<(), String> {
        let reversible = self.train.model.drift == "reversible";
        let refused =
            |reason: &str| Err(format!("train.model.drift is \"reversible\", but {reason}; choose another drift"));
        if reversible && !self.system.keeps_detailed_balance() {
            return refused("the law is not known to keep detailed balance");
        }
        if reversible && self.system.is_family() {
            return refused("it has no conditions yet");
        }
        let components = self.observables().len() + self.closure.components();
        if reversible && components > 1 {
            return refused(
                "with several components its potential is not known everywhere between the data (closure.observables = 1 and \
                 closure.variables = 0 leave one)",
            );
        }
        let degree = self.train.model.potential_degree;
        if reversible {
            refuse_potential(components, degree)
                .map_err(|reason| format!("train.model.potential_degree is {degree}: {reason}"))?;
        }
        if !self.train.clock {
            return Ok(());
        }
        let scaled = self.upsample.kind == UpsampleKind::Compatible || self.small_shape() == self.large_shape();
        let reason = match (self.system.dynamic_scaling(), scaled) {
            (None, _) => "the dynamic exponent of the system is not known",
            (_, false) => "the small system is not at equal scaling variables; set upsample.kind = \"compatible\"",
            _ if self.small_schedule().records() < 3 => {
                "it needs at least three records of a trajectory; raise simulate.records, or simulate.snapshots without it"
            }
            _ if self.simulate.times.is_some() => "it needs records at whole intervals; leave out simulate.times",
            _ => return Ok(()),
        };
        Err(format!("train.clock is set, but {reason}; or leave it out"))
    }

    fn check_observables(&self) -> Result<(), String> {
        let closure = &self.closure;
        if self.train.mirrored && self.symmetries().len() == 1 {
            let reason = "the law has no symmetry; leave it out, or set the field to 0";
            return Err(format!("train.mirrored is set, but {reason}"));
        }
        if self.train.mirrored && closure.components() > 0 {
            return Err(format!(
                "train.mirrored is set, but the images of {} closure variables are not known; set closure.variables = 0",
                closure.components()
            ));
        }
        let (all, chosen) = (self.system.observables().len(), closure.observables);
        if let Some(chosen) = chosen.filter(|chosen| !(1..=all).contains(chosen)) {
            return Err(format!("closure.observables is {chosen}; the system has {all}, so choose from 1 to {all}"));
        }
        if chosen.is_some_and(|chosen| chosen < all) && closure.components() > 0 {
            return Err(format!(
                "closure.observables leaves some of the {all} observables out, but closure variables need all of them; set \
                 closure.variables = 0 or leave it out"
            ));
        }
        Ok(())
    }

    fn check_library(&self) -> Result<(), String> {
        let (functions, known) = (&self.closure.functions, self.system.library_names());
        if !functions.is_empty() && self.closure.encoder != EncoderKind::Library {
            return Err("closure.functions names functions of a library; set closure.encoder = \"library\" too".into());
        }
        if let Some(unknown) = functions.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("closure.functions has {unknown:?}; the library of this system has {known:?}"));
        }
        if (1..functions.len()).any(|index| functions[..index].contains(&functions[index])) {
            return Err(format!("closure.functions is {functions:?}; name each function once"));
        }
        if self.uses_library() && (self.system.library_names().is_empty() || !self.compensated()) {
            return Err(
                "closure.encoder is \"library\", which needs a system with a library of functions and known rates, and \
                 evolve.compensator above 0; use \"none\" or an autoencoder"
                    .into(),
            );
        }
        if self.uses_library() && self.train.baseline {
            return Err(
                "closure.encoder is \"library\", which the baseline does not have; set train.baseline = false".into()
            );
        }
        Ok(())
    }

    pub(super) fn check_learning(&self) -> Result<(), String> {
        if self.closes() && !self.truth.snapshots.are_all() {
            return Err(format!(
                "truth.snapshots keeps some states only, but {} closure variables are read from all; write \"all\", or set \
                 closure.variables = 0",
                self.closure.components()
            ));
        }
        self.train.fit.check().map_err(|error| format!("train.fit: {error}"))?;
        let closure = &self.closure;
        self.check_observables()?;
        self.check_reversible()?;
        self.check_library()?;
        let (trajectories, seeds, conditions) =
            (self.simulate.trajectories, self.train.seeds.len(), self.conditions_in_data().len());
        if self.train.disjoint && trajectories < 2 * seeds * conditions {
            return Err(format!(
                "train.disjoint deals {trajectories} trajectories out to {seeds} seeds; simulate at least two for each seed and \
                 condition, {}",
                2 * seeds * conditions
            ));
        }
        let axes = self.patch_shape().used().len();
        if axes > 2 && self.closes() {
            return Err(format!(
                "closure.variables is {}, but patches of this system have {axes} axes and autoencoders are for one and two; set \
                 closure.encoder = \"none\"",
                closure.variables
            ));
        }
        positive("closure.learning_rate", closure.learning_rate)?;
        let widths =
            [("closure.hidden", closure.hidden), ("closure.batch", closure.batch), ("closure.epochs", closure.epochs)];
        let layers = [
            ("closure.channels", &closure.channels),
            ("train.model.drift_hidden", &self.train.model.drift_hidden),
            ("train.model.diffusion_hidden", &self.train.model.diffusion_hidden),
        ];
        let layers = layers.into_iter().flat_map(|(name, widths)| widths.iter().map(move |&width| (name, width)));
        match widths.into_iter().chain(layers).find(|(_, width)| *width == 0) {
            Some((name, _)) => Err(format!("{name} holds a 0; it must be at least 1")),
            None => Ok(()),
        }
    }
}
