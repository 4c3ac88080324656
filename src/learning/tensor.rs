//! Tensors and plain vectors.

use tch::{Device, Tensor};

/// A tensor's elements on the host.
pub fn vector<T: tch::kind::Element>(tensor: &Tensor) -> Vec<T> {
    let count = tensor.numel();
    let mut values = vec![T::ZERO; count];
    tensor.to_device(Device::Cpu).contiguous().copy_data(&mut values, count);
    values
}
