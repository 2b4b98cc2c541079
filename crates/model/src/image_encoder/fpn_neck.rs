//! The feature pyramid neck.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::config::Sam2Config;
use crate::ops::{Linear, upsample_nearest_2x_add};
use crate::params::Params;

/// Projects each stage of the trunk to the same width; some levels add the level above,
/// upsampled (arXiv 1612.03144, without its output convolutions).
#[derive(Module, Debug)]
pub(crate) struct FpnNeck {
    /// One 1×1 convolution a level, coarsest first as in checkpoints.
    convs: Vec<Linear>,
    #[module(skip)]
    top_down_levels: Vec<usize>,
    #[module(skip)]
    pub(crate) scalp: usize,
}

impl FpnNeck {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        let dims = config.trunk.stage_dims();
        let convs = dims
            .iter()
            .rev()
            .enumerate()
            .map(|(i, &dim)| {
                Linear::conv1x1(&p.at("convs").at(i).at("conv"), dim, config.hidden_dim)
            })
            .collect();
        Self {
            convs,
            top_down_levels: config.neck.top_down_levels.clone(),
            scalp: config.neck.scalp,
        }
    }

    /// The trunk's stages, finest first, to maps of `hidden_dim` channels, finest first, without
    /// the coarsest `scalp` levels.
    pub(crate) fn forward(&self, stages: Vec<Tensor<4>>) -> Vec<Tensor<4>> {
        let coarsest_first = stages.into_iter().enumerate().rev();
        let mut maps: Vec<Tensor<4>> = Vec::new();
        for ((level, stage), conv) in coarsest_first.zip(&self.convs) {
            let map = match maps.last() {
                Some(above) if self.top_down_levels.contains(&level) => {
                    upsample_nearest_2x_add(conv.forward(stage), above.clone())
                }
                _ => conv.forward(stage),
            };
            maps.push(map);
        }
        maps.drain(..self.scalp);
        maps.reverse();
        maps
    }
}
