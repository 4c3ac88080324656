//! The training of the autoencoder. Like that of the equation it is data-parallel: each rank has its own patches.

use crate::{
    learning::{
        EpochRecord, LearningError, TrainInput, TrainingContext,
        closure::{Closure, ClosureInput, EncoderKind, Feature, PatchShape, Patches, network::Autoencoder},
        tensor::vector,
        train::{
            data_parallel::{DataParallelStep, Rows},
            epochs::{Samples, run_epochs},
            optimiser::AdamW,
            parameters::Parameters,
            split::{sample_range, split},
        },
    },
    parallel::Ranks,
};
use ndarray::{Array2, ArrayView1};
use std::sync::Arc;
use tch::{Kind, Tensor, no_grad};

/// Index of this model in the random streams. The equation is model 0.
const MODEL: u64 = 1;
/// About this many training patches determine the range of the closure variables.
const RANGE_SAMPLES: usize = 100_000;
/// Of these, patches encoded at a time.
const CHUNK: usize = 512;

impl Closure {
    /// Trains on the patches of all ranks. Every rank passes its own patches. A tenth of the trajectories is held out.
    /// The losses in the records are those of [`Feature`], per feature. `observer` gets each epoch as it ends. With a
    /// checkpoint in `run`, a stopped training resumes.
    ///
    /// # Errors
    /// When the input or the patches are unusable, or the loss becomes NaN or infinite.
    pub fn fit<F: Feature>(
        mut patches: Patches<F>,
        input: &ClosureInput,
        run: &TrainingContext,
        observer: &mut dyn FnMut(&EpochRecord),
    ) -> Result<(Self, Vec<EpochRecord>), LearningError> {
        let train = TrainInput {
            epochs: input.epochs,
            batch: input.batch,
            learning_rate: input.learning_rate,
            plateau_patience: 3,
            ..TrainInput::default()
        };
        train.check()?;
        let input = input.resolved(F::SPINS);
        if input.encoder == EncoderKind::None {
            return Ok((Self::none(run.device), Vec::new()));
        }
        if !(1..=2).contains(&patches.extents.len()) {
            return Err(LearningError::Input {
                name: "closure.variables",
                value: input.variables.to_string(),
                reason: format!(
                    "autoencoders need patches with one or two axes, and these have {} axes. Set it to 0",
                    patches.extents.len()
                ),
            });
        }
        let (owned, samples) = sample_range(patches.observables.nrows(), run.ranks)?;
        let first = owned.start;
        let trajectory = patches.trajectory.view();
        let (rows, held) = split(trajectory, train.validation_fraction, (run.seed, MODEL), run.ranks)?;

        let shape = normalised(&mut patches, input.variables, run.ranks);
        let (network, layout) = Autoencoder::new(&input, F::SPINS, &shape.extents, shape.channels, shape.observables);
        let parameters = Parameters::draw(layout, run.seed, MODEL, Kind::Float, run.device);
        let data = [patches.values, standardised(&patches.observables, &shape).to_device(run.device)];
        let optimiser = AdamW::new(parameters.flat(), train.weight_decay, None);
        let objective = Arc::new(network.clone());
        let mut trainer = DataParallelStep::new(
            objective,
            parameters.share(),
            optimiser,
            (&data, Rows { first, owned: owned.clone() }),
            run.threads,
            run.ranks,
        );
        let cut = Samples { model: MODEL, rows, held, offsets: [0.0; 2] };
        let records = run_epochs(&mut trainer, &cut, &train, run, observer)?;
        drop(trainer);
        let mut closure = Self { input, shape, network: Some(network), parameters };
        let some = (0..samples).step_by(samples.div_ceil(RANGE_SAMPLES)).filter(|sample| owned.contains(sample));
        closure.take_range(&data[0], &some.map(|sample| (sample - first) as i64).collect::<Vec<_>>(), run.ranks);
        Ok((closure, records))
    }

    /// Sets the smallest value and the range of each closure variable from the given rows of the normalised patches of
    /// all ranks.
    fn take_range(&mut self, values: &Tensor, rows: &[i64], ranks: &dyn Ranks) {
        let Some(network) = &self.network else { return };
        let mut extremes = vec![[f64::INFINITY, f64::NEG_INFINITY]; self.input.variables];
        for rows in rows.chunks(CHUNK) {
            let rows = Tensor::from_slice(rows).to_device(values.device());
            let features = values.index_select(0, &rows).to_kind(Kind::Float);
            let encoded: Vec<f32> = vector(&no_grad(|| network.encode(self.parameters.leaves(), &features)));
            for codes in encoded.chunks_exact(extremes.len()) {
                for ([least, most], &code) in extremes.iter_mut().zip(codes) {
                    (*least, *most) = (least.min(code.into()), most.max(code.into()));
                }
            }
        }
        for (variable, [least, most]) in extremes.into_iter().enumerate() {
            let least = ranks.gather(least).into_iter().fold(f64::INFINITY, f64::min) as f32;
            let most = ranks.gather(most).into_iter().fold(f64::NEG_INFINITY, f64::max) as f32;
            let range = if most > least { most - least } else { 1.0 };
            (self.shape.smallest[variable], self.shape.range[variable]) = (least, range);
        }
    }
}

/// Normalises the patches of all ranks, and returns their description for the model file.
fn normalised<F: Feature>(patches: &mut Patches<F>, variables: usize, ranks: &dyn Ranks) -> PatchShape {
    let [feature_centre, feature_spread] = patches.moments(ranks);
    patches.normalise(&feature_centre, &feature_spread);
    let [centre, spread] = patches.observable_moments(ranks);
    PatchShape {
        extents: patches.extents.clone(),
        channels: patches.channels,
        spins: F::SPINS,
        feature_centre,
        feature_spread,
        observables: centre.len(),
        centre,
        spread,
        smallest: vec![0.0; variables],
        range: vec![1.0; variables],
        library: Vec::new(),
    }
}

/// Observables `[samples, m]` with mean 0 and standard deviation 1.
fn standardised(observables: &Array2<f32>, shape: &PatchShape) -> Tensor {
    let [centre, spread] = [&shape.centre, &shape.spread].map(ArrayView1::from);
    let scaled = (observables - &centre) / spread;
    let rows: Vec<f32> = scaled.iter().copied().collect();
    Tensor::from_slice(&rows).view([observables.nrows() as i64, observables.ncols() as i64])
}
