//! How much arithmetic a frame takes: multiplications and additions of all matrix products and
//! convolutions, by the reference's order of computation.

use crate::config::{EfficientNetLiteConfig, HieraConfig, Sam2Config, TrunkConfig};

/// Operations (a multiplication and an addition are two) of the stages of one video frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operations {
    /// The image encoder with the projections for the skip connections.
    pub encode: f64,
    /// Memory attention to a full bank, for one object.
    pub attend: f64,
    /// The mask decoder, for one object without points.
    pub decode: f64,
    /// The memory encoder, for one object.
    pub remember: f64,
}

impl Operations {
    /// Counts the operations of a network.
    pub fn of(config: &Sam2Config) -> Self {
        Self {
            encode: 2.0 * encode(config),
            attend: 2.0 * attend(config),
            decode: 2.0 * decode(config),
            remember: 2.0 * remember(config),
        }
    }

    /// One object on one frame.
    pub fn frame(&self) -> f64 {
        self.encode + self.attend + self.decode + self.remember
    }
}

/// Multiplications of a product of `rows` rows.
fn linear(rows: usize, inputs: usize, outputs: usize) -> f64 {
    rows as f64 * inputs as f64 * outputs as f64
}

/// Multiplications of an attention whose keys and values have the given widths.
fn attention(queries: usize, keys: usize, key_dim: usize, value_dim: usize) -> f64 {
    queries as f64 * keys as f64 * (key_dim + value_dim) as f64
}

fn hiera(trunk: &HieraConfig, image_size: usize) -> f64 {
    let mut side = image_size / 4;
    let mut total = linear(side * side, 3 * 7 * 7, trunk.embed_dim);
    let mut block = 0;
    for (stage, &count) in trunk.stages.iter().enumerate() {
        let outputs = trunk.embed_dim << stage;
        for in_stage in 0..count {
            let enters = stage > 0 && in_stage == 0;
            let inputs = if enters { outputs / 2 } else { outputs };
            let window_stage = if enters { stage - 1 } else { stage };
            // Padding tokens are multiplied too.
            let (padded, keys) = if trunk.global_attention_blocks.contains(&block) {
                (side, side * side)
            } else {
                let window = trunk.window_sizes[window_stage];
                (side.next_multiple_of(window), window * window)
            };
            total += linear(padded * padded, inputs, 3 * outputs);
            if enters {
                total += linear(side * side, inputs, outputs);
            }
            let shrink = if enters { 2 } else { 1 };
            let queries = (padded / shrink).pow(2);
            side /= shrink;
            let hidden = (outputs as f64 * trunk.mlp_ratio) as usize;
            total += attention(queries, keys, outputs, outputs)
                + linear(queries, outputs, outputs)
                + 2.0 * linear(side * side, outputs, hidden);
            block += 1;
        }
    }
    total
}

fn efficientnet_lite(trunk: &EfficientNetLiteConfig, image_size: usize) -> f64 {
    let mut side = image_size / 2;
    let mut inputs = trunk.stem;
    let mut total = linear(side * side, 3 * 3 * 3, inputs);
    for stage in &trunk.stages {
        for block in 0..stage.blocks {
            let hidden = inputs * stage.expansion;
            if stage.expansion > 1 {
                total += linear(side * side, inputs, hidden);
            }
            side /= if block == 0 { stage.stride } else { 1 };
            total += linear(side * side, stage.kernel * stage.kernel, hidden)
                + linear(side * side, hidden, stage.channels);
            inputs = stage.channels;
        }
    }
    total
}

fn encode(config: &Sam2Config) -> f64 {
    let mut total = match &config.trunk {
        TrunkConfig::Hiera(trunk) => hiera(trunk, config.image_size),
        TrunkConfig::EfficientNetLite(trunk) => efficientnet_lite(trunk, config.image_size),
    };
    let dim = config.hidden_dim;
    let level = |level: usize| (config.image_size >> (level + 2)).pow(2);
    for (i, width) in config.trunk.stage_dims().into_iter().enumerate() {
        total += linear(level(i), width, dim);
    }
    total + linear(level(0), dim, dim / 8) + linear(level(1), dim, dim / 4)
}

fn attend(config: &Sam2Config) -> f64 {
    let (dim, memory_dim) = (config.hidden_dim, config.memory_encoder.memory_dim);
    let tokens = config.grid().pow(2);
    let pointers = config.memory.max_object_pointers * dim / memory_dim;
    let keys = config.memory.num_maskmem * tokens + pointers;
    let hidden = config.memory_attention.feedforward_dim;
    let layer = 4.0 * linear(tokens, dim, dim)
        + attention(tokens, tokens, dim, dim)
        + 2.0 * linear(tokens, dim, dim)
        + 2.0 * linear(keys, memory_dim, dim)
        + attention(tokens, keys, dim, dim)
        + 2.0 * linear(tokens, dim, hidden);
    config.memory_attention.num_layers as f64 * layer
}

fn decode(config: &Sam2Config) -> f64 {
    let dim = config.hidden_dim;
    let decoder = &config.mask_decoder;
    let image = config.grid().pow(2);
    let masks = 1 + decoder.num_multimask_outputs;
    // Occlusion, IoU and mask tokens, and two points of padding.
    let tokens = 2 + masks + 2;
    let inner = dim / decoder.attention_downsample;
    let cross = |queries: usize, keys: usize| {
        2.0 * linear(queries, dim, inner)
            + 2.0 * linear(keys, dim, inner)
            + attention(queries, keys, inner, inner)
    };
    let layer = 4.0 * linear(tokens, dim, dim)
        + attention(tokens, tokens, dim, dim)
        + cross(tokens, image)
        + 2.0 * linear(tokens, dim, decoder.mlp_dim)
        + cross(image, tokens);
    decoder.depth as f64 * layer
        + cross(tokens, image)
        + linear(image, dim, dim)
        + linear(4 * image, dim / 4, dim / 2)
        + masks as f64 * (2.0 * linear(1, dim, dim) + linear(1, dim, dim / 8))
        + linear(16 * image, dim / 8, masks)
}

fn remember(config: &Sam2Config) -> f64 {
    let dim = config.hidden_dim;
    let tokens = config.grid().pow(2);
    let downsampler: f64 = (0..4)
        .map(|layer| {
            let channels = 4usize.pow(layer);
            let side = config.image_size >> (layer + 1);
            linear(side * side, 9 * channels, 4 * channels)
        })
        .sum();
    let kernel = config.memory_encoder.fuser_kernel;
    let block = linear(tokens, kernel * kernel, dim) + 2.0 * linear(tokens, dim, 4 * dim);
    downsampler
        + 2.0 * linear(tokens, dim, dim)
        + config.memory_encoder.fuser_layers as f64 * block
        + linear(tokens, dim, config.memory_encoder.memory_dim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn the_tiny_model_takes_what_the_profiler_of_the_reference_counts() {
        // 292 GFLOP and 898 GFLOP a frame with a full bank: torch.utils.flop_counter on the
        // official package, which leaves out what is no matrix product or convolution.
        let operations = Operations::of(&Preset::ALL[4].config());
        assert!(
            (operations.encode / 1e9 - 292.0).abs() < 6.0,
            "{operations:?}"
        );
        assert!(
            (operations.frame() / 1e9 - 898.0).abs() < 20.0,
            "{operations:?}"
        );
    }

    #[test]
    fn lite0_takes_what_the_profiler_counts() {
        // torch.utils.flop_counter on the package that the weights come from, at 224 pixels:
        // 385 187 552, less the last convolution's 20 070 400 and the classifier's 1 280 000.
        let found = efficientnet_lite(&EfficientNetLiteConfig::lite0(), 224);
        assert_eq!(found as u64, 363_837_152);
    }
}
