//! EfficientNet-Lite: inverted bottlenecks of convolutions (arXiv 1905.11946). Feature maps stay
//! channels-last from start to end.
//!
//! The convolutions pad as TensorFlow does, because that is how published weights were trained. Batch
//! norms are part of the convolutions; `tools/lite/begin.py` puts them there.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::config::{EfficientNetLiteConfig, MbConvStage};
use crate::ops::{Activation, Conv2d, DepthwiseConv, Linear, drop_path, drops};
use crate::params::Params;

/// The trunk: a first convolution, and stages of blocks.
#[derive(Module, Debug)]
pub(crate) struct EfficientNetLite {
    stem: Conv2d,
    blocks: Vec<MbConv>,
    /// The blocks whose maps leave the trunk.
    #[module(skip)]
    taps: Vec<usize>,
}

impl EfficientNetLite {
    pub(crate) fn new(p: &Params<'_>, config: &EfficientNetLiteConfig) -> Self {
        let depth: usize = config.stages.iter().map(|stage| stage.blocks).sum();
        let mut blocks = Vec::with_capacity(depth);
        let mut ends = Vec::with_capacity(config.stages.len());
        let mut inputs = config.stem;
        for stage in &config.stages {
            for in_stage in 0..stage.blocks {
                let index = blocks.len();
                let stride = if in_stage == 0 { stage.stride } else { 1 };
                // From none in the first block to the full rate in the last.
                let rate = config.drop_path_rate * index as f64 / (depth - 1).max(1) as f64;
                let p = p.at("blocks").at(index);
                blocks.push(MbConv::new(&p, inputs, *stage, stride, rate));
                inputs = stage.channels;
            }
            ends.push(blocks.len() - 1);
        }
        Self {
            stem: Conv2d::new(&p.at("stem"), [3, config.stem], 3, 2, [0, 1]),
            blocks,
            taps: config.taps().into_iter().map(|stage| ends[stage]).collect(),
        }
    }

    /// Pixels `[batch, size, size, 3]` to the maps at strides 4, 8, 16 and 32, finest first:
    /// `[batch, size/s, size/s, channels]`.
    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = self.stem.forward_then(pixels, Activation::Relu6);
        let mut maps = Vec::with_capacity(self.taps.len());
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            if self.taps.contains(&index) {
                maps.push(x.clone());
            }
        }
        maps
    }
}

/// An inverted bottleneck: to more channels, a depthwise convolution there, and back to few.
#[derive(Module, Debug)]
struct MbConv {
    expand: Option<Linear>,
    depthwise: DepthwiseConv,
    project: Linear,
    /// Whether the input is added to the output, which it then resembles in shape.
    #[module(skip)]
    adds_input: bool,
    /// How often the rest is left out in training.
    #[module(skip)]
    drop_path: f64,
}

impl MbConv {
    fn new(
        p: &Params<'_>,
        inputs: usize,
        stage: MbConvStage,
        stride: usize,
        drop_path: f64,
    ) -> Self {
        let hidden = inputs * stage.expansion;
        Self {
            expand: (stage.expansion > 1).then(|| Linear::conv1x1(&p.at("expand"), inputs, hidden)),
            depthwise: DepthwiseConv::new(&p.at("depthwise"), hidden, stage.kernel, stride),
            project: Linear::conv1x1(&p.at("project"), hidden, stage.channels),
            adds_input: stride == 1 && inputs == stage.channels,
            drop_path,
        }
    }

    /// `[batch, height, width, inputs]` → `[batch, height/stride, width/stride, channels]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let hidden = match &self.expand {
            Some(expand) => expand.forward_then(x.clone(), Activation::Relu6),
            None => x.clone(),
        };
        let hidden = self.depthwise.forward_then(hidden, Activation::Relu6);
        if !self.adds_input {
            return self.project.forward(hidden);
        }
        if drops(&x, self.drop_path) {
            return x + drop_path(self.project.forward(hidden), self.drop_path);
        }
        self.project.forward_add(hidden, x)
    }
}
