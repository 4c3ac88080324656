//! The autoencoder: an encoder of one of three kinds to the closure variables, and a perceptron as decoder.

use crate::learning::{
    closure::{ClosureInput, EncoderKind},
    train::{
        network::{Activation, Mlp},
        objective::Objective,
        parameters::{Layout, Start},
    },
};
use tch::{Kind, Reduction, Tensor};

/// Edge length of a convolution kernel.
const KERNEL: i64 = 3;

/// The networks. Every call passes the weights. A patch with one extent counts as a patch of one row.
#[derive(Clone, Debug)]
pub struct Autoencoder {
    spins: bool,
    invariant: bool,
    channels: i64,
    rows: i64,
    columns: i64,
    convolutions: Vec<usize>,
    encoder: Mlp,
    decoder: Mlp,
}

impl Autoencoder {
    /// Networks for patches of one or two `extents` with `channels` features per site and a number of `observables`,
    /// and the list of their weights.
    pub fn new(
        input: &ClosureInput,
        spins: bool,
        extents: &[usize],
        channels: usize,
        observables: usize,
    ) -> (Self, Layout) {
        let mut layout = Layout::default();
        let columns = extents.last().map_or(1, |&columns| columns as i64);
        let rows = extents.iter().product::<usize>() as i64 / columns.max(1);
        let (hidden, variables, channels) = (input.hidden as i64, input.variables as i64, channels as i64);
        let invariant = input.encoder == EncoderKind::Invariant;
        let mut maps = [channels, rows, columns];
        let mut convolutions = Vec::new();
        let mut widths = Vec::new();
        if input.encoder == EncoderKind::Mlp {
            widths.push(hidden);
        } else {
            for (layer, &next) in input.channels.iter().enumerate() {
                convolutions.push(convolution(&mut layout, layer, [next as i64, maps[0]], rows));
                let halved = |extent: i64| if invariant { extent } else { (extent + 1) / 2 };
                maps = [next as i64, halved(maps[1]), halved(maps[2])];
            }
        }
        let features = if invariant { maps[0] } else { maps.iter().product() };
        let widths = [&[features, hidden], &widths[..], &[variables]].concat();
        let encoder = Mlp::new(&mut layout, "encoder.head", &widths, Activation::Relu, 1.0);
        let widths = [observables as i64 + variables, hidden, 2 * hidden, channels * rows * columns];
        let decoder = Mlp::new(&mut layout, "decoder", &widths, Activation::Relu, 1.0);
        (Self { spins, invariant, channels, rows, columns, convolutions, encoder, decoder }, layout)
    }

    /// Unscaled closure variables `[samples, variables]` of normalised features `[samples, channels * sites]`.
    pub fn encode(&self, weights: &[Tensor], features: &Tensor) -> Tensor {
        let mut maps = features.view([-1, self.channels, self.rows, self.columns]);
        let padding = [if self.rows == 1 { 0 } else { KERNEL / 2 }, KERNEL / 2];
        for &position in &self.convolutions {
            let (weight, bias) = (&weights[position], Some(&weights[position + 1]));
            maps = if self.invariant {
                let around = maps.pad([padding[1], padding[1], padding[0], padding[0]], "circular", None);
                around.conv2d(weight, bias, [1, 1], [0, 0], [1, 1], 1)
            } else {
                maps.conv2d(weight, bias, [2, 2], padding, [1, 1], 1)
            }
            .relu();
        }
        if self.invariant {
            maps = maps.mean_dim([2i64, 3].as_slice(), false, None::<Kind>);
        }
        self.encoder.forward(weights, &maps.flatten(1, -1))
    }

    /// Logits of spins or normalised fields, `[samples, channels * sites]`. A row of `inputs` holds standardised
    /// observables and unscaled closure variables.
    pub fn decode(&self, weights: &[Tensor], inputs: &Tensor) -> Tensor {
        self.decoder.forward(weights, inputs)
    }

    /// The patches, each under the periodic shift with the largest overlap with `decoded`. The correlation theorem
    /// gives the overlap of all shifts. Cross-entropy and square error are then the smallest ones over all shifts.
    fn aligned(&self, features: &Tensor, decoded: &Tensor) -> Tensor {
        let maps = |values: &Tensor| values.detach().view([-1, self.channels, self.rows, self.columns]);
        let spectrum = |values: &Tensor| maps(values).fft_rfft2(None::<&[i64]>, [-2i64, -1].as_slice(), "backward");
        let correlation = (spectrum(features).conj() * spectrum(decoded)).sum_dim_intlist(1, false, None::<Kind>);
        let overlap = correlation.fft_irfft2([self.rows, self.columns].as_slice(), [-2i64, -1].as_slice(), "backward");
        let shift = overlap.flatten(1, -1).argmax(1, false).view([-1, 1]);
        let sites = Tensor::arange(self.rows * self.columns, (Kind::Int64, features.device()));
        let along = |shift: Tensor, site: Tensor, extent: i64| (site - shift).remainder(extent);
        let row = along(
            shift.divide_scalar_mode(self.columns, "floor"),
            sites.divide_scalar_mode(self.columns, "floor"),
            self.rows,
        );
        let column = along(shift.remainder(self.columns), sites.remainder(self.columns), self.columns);
        let source = (row * self.columns + column).unsqueeze(1).expand([-1, self.channels, -1], false);
        features.view([-1, self.channels, self.rows * self.columns]).gather(2, &source, false).flatten(1, -1)
    }
}

impl Objective for Autoencoder {
    /// Binary cross-entropy of spins or square error of normalised fields, per feature. `batch[0]` holds the features,
    /// `batch[1]` the standardised observables. An invariant encoder does not know the position of a pattern, so its
    /// loss is the smallest one over all shifts.
    fn loss(&self, weights: &[Tensor], batch: &[Tensor]) -> Tensor {
        let features = batch[0].to_kind(Kind::Float);
        let variables = self.encode(weights, &features);
        let decoded = self.decode(weights, &Tensor::cat(&[&batch[1], &variables], 1));
        let features = if self.invariant { self.aligned(&features, &decoded) } else { features };
        let total = if self.spins {
            let target = (features + 1.0) * 0.5;
            decoded.binary_cross_entropy_with_logits(&target, None::<Tensor>, None::<Tensor>, Reduction::Sum)
        } else {
            decoded.mse_loss(&features, Reduction::Sum)
        };
        total / (self.channels * self.rows * self.columns) as f64
    }
}

/// Adds the convolution with index `layer`, from `last` to `next` channels, for patches of `rows` rows.
fn convolution(layout: &mut Layout, layer: usize, [next, last]: [i64; 2], rows: i64) -> usize {
    let kernel_rows = if rows == 1 { 1 } else { KERNEL };
    let bound = 1.0 / ((last * kernel_rows * KERNEL) as f64).sqrt();
    let name = format!("encoder.convolution.{layer}");
    let position = layout.add(&format!("{name}.weight"), &[next, last, kernel_rows, KERNEL], Start::Uniform(bound));
    layout.add(&format!("{name}.bias"), &[next], Start::Uniform(bound));
    position
}
