//! The image encoder: a hierarchical trunk and a feature pyramid neck (paper, section 4).

mod efficientnet;
mod fpn_neck;
mod hiera;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::config::{Sam2Config, TrunkConfig};
use crate::params::Params;
use efficientnet::EfficientNetLite;
use fpn_neck::FpnNeck;
pub(crate) use hiera::Hiera;

/// Trunk and neck.
#[derive(Module, Debug)]
pub(crate) struct ImageEncoder {
    pub(crate) trunk: Trunk,
    pub(crate) neck: FpnNeck,
}

/// What comes before the neck.
#[derive(Module, Debug)]
pub(crate) enum Trunk {
    Hiera(Hiera),
    EfficientNetLite(EfficientNetLite),
}

impl Trunk {
    pub(crate) fn new(p: &Params<'_>, config: &TrunkConfig) -> Self {
        match config {
            TrunkConfig::Hiera(config) => Self::Hiera(Hiera::new(p, config)),
            TrunkConfig::EfficientNetLite(config) => {
                Self::EfficientNetLite(EfficientNetLite::new(p, config))
            }
        }
    }

    /// Pixels `[batch, size, size, 3]` to maps `[batch, size/s, size/s, channels]` for the strides
    /// s = 4, 8, 16, 32, finest first.
    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Vec<Tensor<4>> {
        match self {
            Self::Hiera(trunk) => trunk.forward(pixels),
            Self::EfficientNetLite(trunk) => trunk.forward(pixels),
        }
    }
}

impl ImageEncoder {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        Self {
            trunk: Trunk::new(&p.at("trunk"), &config.trunk),
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
