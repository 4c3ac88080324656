//! How models are rolled out: with the step, the records and the noise that the input asks for, and with the drift and
//! the covariance of the predicted size.
//!
//! A drift that is learned from copies of a small state is a mean over the fluctuations of that state, which are wide.
//! States of a larger system fluctuate less, but each of its parts still does as a small system: its drift is that of the
//! small one, averaged over such fluctuations ([`Rollout::averaged`]).

use crate::{
    config::Input,
    files::{large::Large, latent::LatentFile, records::Recorded},
    learning::{Rollout, Sde},
    scores::ModelKind,
    workflow::{Context, Stage, StageError, ledger, say},
};
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

/// Most trajectories of the data, under each condition, whose states are looked at.
const TRAJECTORIES: usize = 512;

/// Rolls models out.
#[derive(Default)]
pub struct Rollouts {
    /// Conditions of the data, by index, and how their late states deviate from the mean, `[state, component]`; none where
    /// models do not learn from copies.
    deviations: Vec<(usize, Array2<f32>)>,
}

impl Rollouts {
    /// Of our models for systems with these sides.
    ///
    /// # Errors
    /// When the states cannot be read.
    pub fn of(context: &Context, sides: &[Option<usize>]) -> Result<Self, StageError> {
        let input = context.input;
        let excess = sides.iter().map(|&side| input.excess_of_copies(side)).fold(0.0, f64::max);
        if excess == 0.0 {
            return Ok(Self::default());
        }
        let share = 100.0 * excess;
        let text = format!("predict: our drift is averaged over {share:.0} % of the variance of the small system");
        say(context, &text)?;
        let (latent, times, drawn) =
            (LatentFile::open(context)?, input.small_schedule().times_kept(), input.patches_drawn());
        let late = times.partition_point(|time| *time < 0.5 * times[times.len() - 1]);
        let mut states = vec![Vec::new(); input.system.conditions().len()];
        for trajectory in 0..input.simulate.trajectories {
            let snapshots = trajectory * times.len() + late..(trajectory + 1) * times.len();
            let under = &mut states[Large::condition_of(input, snapshots.start)];
            if under.len() < TRAJECTORIES {
                let pairs = latent.pairs(context, ModelKind::Ours, snapshots.start * drawn..snapshots.end * drawn)?;
                under.push(pairs.z.slice(s![..;drawn, ..]).to_owned());
            }
        }
        let deviations = |(condition, states): (usize, Vec<Array2<f32>>)| {
            let views: Vec<_> = states.iter().map(|states| states.view()).collect();
            let states = concatenate(Axis(0), &views).ok().filter(|states| states.nrows() > 1)?;
            let mean = states.mean_axis(Axis(0))?;
            Some((condition, states - mean))
        };
        Ok(Self { deviations: states.into_iter().enumerate().filter_map(deviations).collect() })
    }

    /// The model of this kind, about to leave the `initial` states of a system with this side under the condition
    /// with this index.
    ///
    /// # Errors
    /// As [`Rollout::new`].
    pub fn start(
        &self,
        (input, side): (&Input, Option<usize>),
        (kind, model): (ModelKind, Sde),
        condition: usize,
        initial: ArrayView2<f32>,
        stream: [u64; 2],
    ) -> Result<Rollout<Sde>, StageError> {
        let later = input.truth_schedule().times.split_off(1);
        let seed = noise_seed(input).wrapping_add(side.unwrap_or(0) as u64);
        let rollout =
            Rollout::new(model, initial, input.predict.step, later, seed, stream)?.of_size(input.size_ratio(side));
        let conditions = input.system.conditions();
        let distance = |known: &usize| conditions[*known].distance(&conditions[condition]);
        let compared = |one: &usize, other: &usize| distance(one).partial_cmp(&distance(other));
        let nearest =
            self.deviations.iter().min_by(|one, other| compared(&one.0, &other.0).expect("conditions are numbers"));
        let excess = input.excess_of_copies(side);
        Ok(match nearest {
            Some((_, deviations)) if kind == ModelKind::Ours && excess > 0.0 => {
                rollout.averaged(deviations.view(), excess)?
            }
            _ => rollout,
        })
    }
}

/// The seed of the noise. Points of a sweep that are compared with one direct simulation have the same noise; others
/// have noise of their own, so that their errors are independent.
fn noise_seed(input: &Input) -> u64 {
    let truth = ledger::fingerprint(Stage::Truth, input);
    input.seed ^ u64::from_str_radix(&truth[..16], 16).expect("a fingerprint is hexadecimal")
}
