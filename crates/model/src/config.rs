//! [`Sam2Config`]: every dimension and every choice of the network, and its presets.
//!
//! A configuration is plain data. The eight official models are eight values of it
//! ([`Preset::config`]); a custom model (other width, depth, image size, memory size) is
//! another. Where the official configuration files carry a forest of boolean switches, only the
//! choices that some published model makes differently are kept, each as a documented field.

mod preset;
mod trunk;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use preset::{Family, Official, Preset, Size, UnknownModelError};
pub use trunk::{EfficientNetLiteConfig, HieraConfig, MbConvStage, TrunkConfig};

/// The largest width, side, or count that makes sense anywhere.
const MAX_SIZE: usize = 1 << 16;

/// A configuration that cannot be built, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the model configuration is invalid: {0}")]
pub struct ConfigError(String);

/// The whole network. Build one with [`Preset::config`] or [`Sam2Config::new`] and change fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sam2Config {
    /// Side of the square network input in pixels; a multiple of 32.
    pub image_size: usize,
    /// Channels of the image embedding, the prompts and the object pointers (256).
    pub hidden_dim: usize,
    /// Image encoder: the trunk.
    pub trunk: TrunkConfig,
    /// Image encoder: the feature pyramid neck.
    pub neck: FpnNeckConfig,
    /// Prompt encoder.
    pub prompt_encoder: PromptEncoderConfig,
    /// Mask decoder.
    pub mask_decoder: MaskDecoderConfig,
    /// Memory attention.
    pub memory_attention: MemoryAttentionConfig,
    /// Memory encoder.
    pub memory_encoder: MemoryEncoderConfig,
    /// What is remembered, and for how long.
    pub memory: MemoryConfig,
}

/// The feature pyramid neck: a 1×1 convolution per stage, and nearest-neighbour top-down sums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FpnNeckConfig {
    /// Levels (0 is stride 4) whose output includes the level above it, upsampled.
    pub top_down_levels: Vec<usize>,
    /// How many of the coarsest levels are dropped from the output.
    pub scalp: usize,
}

/// The prompt encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptEncoderConfig {
    /// Channels of the second convolution on a mask prompt (16); the first has a quarter.
    pub mask_channels: usize,
}

/// The mask decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskDecoderConfig {
    /// Two-way transformer layers.
    pub depth: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Hidden width of the token MLP.
    pub mlp_dim: usize,
    /// Cross-attention works at `hidden_dim / attention_downsample` channels.
    pub attention_downsample: usize,
    /// Candidate masks for an ambiguous prompt, beside the single mask.
    pub num_multimask_outputs: usize,
    /// Layers of the IoU head.
    pub iou_head_depth: usize,
    /// Hidden width of the IoU head.
    pub iou_head_hidden_dim: usize,
    /// Whether IoU predictions go through a sigmoid (all official models).
    pub iou_sigmoid: bool,
    /// When one mask is asked for and it is unstable, take the best of the multimasks instead.
    pub stability_fallback: Option<StabilityFallback>,
}

/// When the single mask counts as unstable: the area above `+delta` divided by the area above
/// `-delta` (logits) falls below `threshold`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StabilityFallback {
    /// Offset in logits.
    pub delta: f32,
    /// Smallest stability score of a stable mask.
    pub threshold: f32,
}

/// Memory attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryAttentionConfig {
    /// Layers (the paper's L).
    pub num_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Hidden width of a layer's MLP.
    pub feedforward_dim: usize,
    /// Base of the rotary embedding's frequencies.
    pub rope_theta: f64,
    /// Dropout of the layers in training.
    pub dropout: f64,
}

/// The memory encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryEncoderConfig {
    /// Channels of a spatial memory (64).
    pub memory_dim: usize,
    /// ConvNeXt blocks in the fuser.
    pub fuser_layers: usize,
    /// Kernel side of the fuser's depthwise convolutions.
    pub fuser_kernel: usize,
    /// Mask probabilities are multiplied by this before they are encoded …
    pub sigmoid_scale: f32,
    /// … and this is added.
    pub sigmoid_bias: f32,
    /// Encode the thresholded mask, not probabilities, on frames where somebody clicked.
    pub binarize_clicked_masks: bool,
    /// A learned embedding added to the spatial memory of a frame without the object (2.1).
    pub no_object_embedding: bool,
}

/// What the memory bank holds and which of it a frame attends to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// Temporal position embeddings: one for conditioning frames and one for each of the
    /// `num_maskmem - 1` most recent other frames.
    pub num_maskmem: usize,
    /// At most this many conditioning frames are attended to, nearest in time first.
    pub max_conditioning_frames: Option<usize>,
    /// Object pointers of at most this many frames are attended to.
    pub max_object_pointers: usize,
    /// How pointers are told apart in time.
    pub pointer_position: PointerPosition,
    /// Take recent memories from every `temporal_stride`-th frame (1: from each), the last frame
    /// always.
    pub temporal_stride: usize,
    /// Attend to the pointers of conditioning frames that lie ahead, too, as in training.
    #[serde(default)]
    pub pointers_ahead: bool,
}

/// Temporal encoding of object pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointerPosition {
    /// None (SAM 2).
    None,
    /// Sine encoding of the signed distance in frames, projected to the memory width (SAM 2.1).
    SignedProjected,
}

impl Sam2Config {
    /// An official network around the given trunk.
    pub fn new(family: Family, trunk: TrunkConfig) -> Self {
        let newer = family == Family::Sam2_1;
        Self {
            image_size: 1024,
            hidden_dim: 256,
            trunk,
            neck: FpnNeckConfig {
                top_down_levels: vec![2, 3],
                scalp: 1,
            },
            prompt_encoder: PromptEncoderConfig { mask_channels: 16 },
            mask_decoder: MaskDecoderConfig {
                depth: 2,
                num_heads: 8,
                mlp_dim: 2048,
                attention_downsample: 2,
                num_multimask_outputs: 3,
                iou_head_depth: 3,
                iou_head_hidden_dim: 256,
                iou_sigmoid: true,
                stability_fallback: Some(StabilityFallback {
                    delta: 0.05,
                    threshold: 0.98,
                }),
            },
            memory_attention: MemoryAttentionConfig {
                num_layers: 4,
                num_heads: 1,
                feedforward_dim: 2048,
                rope_theta: 10_000.0,
                dropout: 0.1,
            },
            memory_encoder: MemoryEncoderConfig {
                memory_dim: 64,
                fuser_layers: 2,
                fuser_kernel: 7,
                sigmoid_scale: 20.0,
                sigmoid_bias: -10.0,
                binarize_clicked_masks: true,
                no_object_embedding: newer,
            },
            memory: MemoryConfig {
                num_maskmem: 7,
                max_conditioning_frames: None,
                max_object_pointers: 16,
                pointer_position: if newer {
                    PointerPosition::SignedProjected
                } else {
                    PointerPosition::None
                },
                temporal_stride: 1,
                pointers_ahead: false,
            },
        }
    }

    /// As JSON, which files of weights carry.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a tree of numbers")
    }

    /// The same network as it is trained: the single mask is taken as it is, clicked masks are
    /// encoded softly, memories come from consecutive frames, and pointers of conditioning frames
    /// ahead are attended to (reference behaviour: what `self.training` switches in `SAM2Base`).
    /// The parameters are the same.
    pub fn for_training(&self) -> Self {
        let mut config = self.clone();
        config.mask_decoder.stability_fallback = None;
        config.memory_encoder.binarize_clicked_masks = false;
        config.memory.temporal_stride = 1;
        config.memory.pointers_ahead = true;
        config
    }

    /// Side of the stride-16 grid on which images, prompts and memories meet.
    pub const fn grid(&self) -> usize {
        self.image_size / 16
    }

    /// Side of the stride-4 mask logits that the decoder produces.
    pub const fn low_res(&self) -> usize {
        self.image_size / 4
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// Names the first field that does not, its value, and what it must satisfy.
    pub fn validate(&self) -> Result<(), ConfigError> {
        // Beyond this, sizes computed from each other could overflow.
        let sizes = [
            self.image_size,
            self.hidden_dim,
            self.mask_decoder.num_heads,
            self.mask_decoder.mlp_dim,
            self.memory_attention.num_heads,
            self.memory_attention.feedforward_dim,
            self.memory_encoder.memory_dim,
            self.memory.num_maskmem,
            self.memory.max_object_pointers,
            self.memory.temporal_stride,
        ];
        check(sizes.into_iter().all(|size| size <= MAX_SIZE), || {
            format!("no size may exceed {MAX_SIZE}")
        })?;
        divides("image_size", self.image_size, 32)?;
        divides("hidden_dim", self.hidden_dim, 8)?;
        self.trunk.validate(self.image_size)?;
        let stages = self.trunk.stage_dims().len();
        check(self.neck.scalp == 1, || {
            format!(
                "neck.scalp is {}, only 1 leaves the stride-16 level on top",
                self.neck.scalp
            )
        })?;
        check(
            self.neck
                .top_down_levels
                .iter()
                .all(|&level| level < stages),
            || {
                format!(
                    "neck.top_down_levels is {:?}, but there are {stages} levels, counted from 0",
                    self.neck.top_down_levels
                )
            },
        )?;
        divides(
            "prompt_encoder.mask_channels",
            self.prompt_encoder.mask_channels,
            4,
        )?;
        let decoder = &self.mask_decoder;
        divides(
            "hidden_dim / mask_decoder.attention_downsample",
            self.hidden_dim / decoder.attention_downsample.max(1),
            decoder.num_heads,
        )?;
        check(
            decoder.num_multimask_outputs > 0 && decoder.depth > 0 && decoder.iou_head_depth > 0,
            || {
                "mask_decoder.num_multimask_outputs, depth and iou_head_depth must be at least 1"
                    .into()
            },
        )?;
        // Axial rotary embeddings rotate pairs, half of them by x and half by y.
        divides(
            "hidden_dim",
            self.hidden_dim,
            4 * self.memory_attention.num_heads,
        )?;
        let memory_dim = self.memory_encoder.memory_dim;
        divides("memory_encoder.memory_dim", memory_dim, 4)?;
        divides("hidden_dim", self.hidden_dim, memory_dim)?;
        check(self.memory_encoder.fuser_kernel % 2 == 1, || {
            format!(
                "memory_encoder.fuser_kernel is {}, it must be odd",
                self.memory_encoder.fuser_kernel
            )
        })?;
        check(
            self.memory.num_maskmem >= 1 && self.memory.temporal_stride >= 1,
            || "memory.num_maskmem and memory.temporal_stride must be at least 1".into(),
        )?;
        check(self.memory.max_object_pointers >= 2, || {
            format!(
                "memory.max_object_pointers is {}, it must be at least 2",
                self.memory.max_object_pointers
            )
        })?;
        check(
            self.memory
                .max_conditioning_frames
                .is_none_or(|limit| limit >= 2),
            || {
                format!(
                    "memory.max_conditioning_frames is {:?}, a limit must be at least 2",
                    self.memory.max_conditioning_frames
                )
            },
        )
    }
}

/// An error with a message, unless the condition holds.
fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError(message()))
    }
}

/// An error unless `value` is a positive multiple of `by`.
fn divides(name: &str, value: usize, by: usize) -> Result<(), ConfigError> {
    check(by > 0 && value > 0 && value.is_multiple_of(by), || {
        format!("{name} is {value}, it must be a positive multiple of {by}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_does_not_fit_is_named_with_its_value() {
        let mut config = Preset::ALL[4].config();
        config.image_size = 1000;
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("image_size is 1000"), "{error}");
    }
}
