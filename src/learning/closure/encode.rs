//! Encoding of many patches: chunks that stay in cache, dealt to the cores, results in order.

use super::Closure;
use crate::learning::descent::vector;
use ndarray::{Array2, ArrayView2, Axis, s};
use std::thread;
use tch::{Device, Kind, Tensor, no_grad};

/// Patches per call of the network on a processor: its maps then fit the second-level cache.
const CHUNK: usize = 512;
/// Patches per call on an accelerator.
const ACCELERATOR_CHUNK: usize = 65_536;

impl Closure {
    /// Unscaled closure variables, `[samples, variables]`. Chunks are cut by their number alone, so the numbers do not
    /// depend on the number of threads.
    pub(super) fn encode_raw(&self, values: ArrayView2<i8>) -> Array2<f32> {
        let sites: usize = self.shape.extents.iter().product();
        assert_eq!(values.ncols(), sites, "a closure for patches of {sites} sites was given {} sites", values.ncols());
        let mut encoded = Array2::zeros((values.nrows(), self.input.variables));
        if encoded.is_empty() {
            return encoded;
        }
        if self.device() != Device::Cpu {
            self.encode_into(values, &mut encoded, ACCELERATOR_CHUNK, self.parameters.leaves());
            return encoded;
        }
        let threads = thread::available_parallelism().map_or(1, usize::from).min(values.nrows().div_ceil(CHUNK));
        let share = values.nrows().div_ceil(CHUNK).div_ceil(threads) * CHUNK;
        thread::scope(|scope| {
            for (values, mut encoded) in
                values.axis_chunks_iter(Axis(0), share).zip(encoded.axis_chunks_iter_mut(Axis(0), share))
            {
                let parameters = self.parameters.share();
                let network = self.network.clone();
                scope.spawn(move || {
                    tch::set_num_threads(1);
                    for (values, mut encoded) in
                        values.axis_chunks_iter(Axis(0), CHUNK).zip(encoded.axis_chunks_iter_mut(Axis(0), CHUNK))
                    {
                        let spins = spins(values, Device::Cpu);
                        let variables = no_grad(|| network.encode(parameters.leaves(), &spins));
                        encoded.iter_mut().zip(vector::<f32>(&variables)).for_each(|(to, from)| *to = from);
                    }
                });
            }
        });
        encoded
    }

    fn encode_into(&self, values: ArrayView2<i8>, encoded: &mut Array2<f32>, chunk: usize, weights: &[Tensor]) {
        for first in (0..values.nrows()).step_by(chunk) {
            let rows = s![first..values.nrows().min(first + chunk), ..];
            let spins = spins(values.slice(rows), self.device());
            let variables = no_grad(|| self.network.encode(weights, &spins));
            encoded.slice_mut(rows).iter_mut().zip(vector::<f32>(&variables)).for_each(|(to, from)| *to = from);
        }
    }
}

/// Spins as numbers on the device, `[samples, patch sites]`.
fn spins(values: ArrayView2<i8>, device: Device) -> Tensor {
    let standard = values.as_standard_layout();
    let flat = standard.as_slice().map_or_else(|| standard.iter().copied().collect(), <[i8]>::to_vec);
    let shape = [values.nrows() as i64, values.ncols() as i64];
    Tensor::from_slice(&flat).view(shape).to_device(device).to_kind(Kind::Float)
}
