//! The image encoder: a hierarchical trunk and a feature pyramid neck (paper, section 4).

mod fpn_neck;
mod hiera;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::config::Sam2Config;
use crate::params::Params;
use fpn_neck::FpnNeck;
use hiera::Hiera;

/// Trunk and neck.
#[derive(Module, Debug)]
pub(crate) struct ImageEncoder {
    pub(crate) trunk: Hiera,
    pub(crate) neck: FpnNeck,
}

impl ImageEncoder {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        Self {
            trunk: Hiera::new(&p.at("trunk"), &config.trunk),
            // Its stride-4 level goes into the masks without another product before it: f32.
            neck: FpnNeck::new(&p.at("neck").in_f32(), config),
        }
    }

    /// Pixels `[batch, size, size, 3]`, normalised, to feature maps
    /// `[batch, size/s, size/s, hidden_dim]` for the strides s = 4, 8, 16.
    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Vec<Tensor<4>> {
        self.neck.forward(self.trunk.forward(pixels))
    }
}
