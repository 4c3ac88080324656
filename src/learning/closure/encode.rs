//! Encoding of many patches, in chunks that fit the cache and are divided over the threads.

use crate::learning::{
    closure::{Closure, Feature, PatchShape, network::Autoencoder, patches::upload},
    tensor::vector,
};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use tch::{Device, Kind, Tensor, no_grad};

/// Patches per call of the network on a processor. The maps then fit the second-level cache.
const CHUNK: usize = 512;
/// Patches per call on an accelerator.
const ACCELERATOR_CHUNK: usize = 65_536;

impl Closure {
    /// Unscaled closure variables, `[samples, variables]`. They do not depend on the number of threads, because the
    /// size of a chunk is fixed.
    pub(super) fn encode_raw<F: Feature>(&self, values: ArrayView2<F>) -> Array2<f32> {
        let sites: usize = self.shape.extents.iter().product();
        let columns = self.shape.channels * sites;
        assert_eq!(values.ncols(), columns, "a closure for patches of {columns} features was given {}", values.ncols());
        let mut encoded = Array2::zeros((values.nrows(), self.variables()));
        if encoded.is_empty() {
            return encoded;
        }
        let Some(network) = &self.network else { return encoded };
        if self.device() != Device::Cpu {
            let chunks = values.axis_chunks_iter(Axis(0), ACCELERATOR_CHUNK);
            for (values, encoded) in chunks.zip(encoded.axis_chunks_iter_mut(Axis(0), ACCELERATOR_CHUNK)) {
                encode_into(network, self.parameters.leaves(), &self.shape, values, encoded);
            }
            return encoded;
        }
        let chunks = values.nrows().div_ceil(CHUNK);
        let share = chunks.div_ceil(rayon::current_num_threads()) * CHUNK;
        rayon::in_place_scope(|scope| {
            let shares = values.axis_chunks_iter(Axis(0), share);
            for (values, mut encoded) in shares.zip(encoded.axis_chunks_iter_mut(Axis(0), share)) {
                let (parameters, network, shape) = (self.parameters.share(), network.clone(), &self.shape);
                scope.spawn(move |_| {
                    tch::set_num_threads(1);
                    let chunks = values.axis_chunks_iter(Axis(0), CHUNK);
                    for (values, encoded) in chunks.zip(encoded.axis_chunks_iter_mut(Axis(0), CHUNK)) {
                        encode_into(&network, parameters.leaves(), shape, values, encoded);
                    }
                });
            }
        });
        encoded
    }
}

/// Encodes one chunk on the device of the weights.
fn encode_into<F: Feature>(
    network: &Autoencoder,
    weights: &[Tensor],
    shape: &PatchShape,
    values: ArrayView2<F>,
    mut encoded: ArrayViewMut2<f32>,
) {
    let device = weights[0].device();
    let mut features = upload(values).to_device(device).to_kind(Kind::Float);
    if !F::SPINS {
        let column = |values: &[f32]| Tensor::from_slice(values).view([-1, 1]).to_device(device);
        let channels = features.view([values.nrows() as i64, shape.channels as i64, -1]);
        features = (channels - column(&shape.feature_centre)) / column(&shape.feature_spread);
    }
    let variables = no_grad(|| network.encode(weights, &features));
    encoded.iter_mut().zip(vector::<f32>(&variables)).for_each(|(to, from)| *to = from);
}
