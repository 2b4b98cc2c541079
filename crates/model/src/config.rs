//! [`Sam2Config`]: every dimension and every choice of the network, and its presets.
//!
//! A configuration is plain data. The eight official models are eight values of it
//! ([`Preset::config`]); a custom model (other width, depth, image size, memory size) is
//! another. Where the official configuration files carry a forest of boolean switches, only the
//! choices that some published model makes differently are kept, each as a documented field.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest width, side, or count that makes sense anywhere.
const MAX_SIZE: usize = 1 << 16;

/// A configuration that cannot be built, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the model configuration is invalid: {0}")]
pub struct ConfigError(String);

/// A name that no published model has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no model named `{name}`; known names: {known}")]
pub struct UnknownModelError {
    name: String,
    known: String,
}

/// The published models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Preset {
    /// Which release of the network.
    pub family: Family,
    /// Which image encoder.
    pub size: Size,
}

/// The two releases of the official network; they differ in how memories are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// July 2024. Object pointers carry no temporal position.
    Sam2,
    /// September 2024. Signed, projected temporal positions for object pointers, and an embedding
    /// that marks the memory of a frame without the object.
    Sam2_1,
}

/// The four official image encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// Hiera-T, 39 M parameters in total.
    Tiny,
    /// Hiera-S, 46 M.
    Small,
    /// Hiera-B+, 81 M.
    BasePlus,
    /// Hiera-L, 224 M.
    Large,
}

impl Preset {
    /// All official presets, smallest first within a family.
    pub const ALL: [Self; 8] = {
        const fn of(family: Family, size: Size) -> Preset {
            Preset { family, size }
        }
        [
            of(Family::Sam2, Size::Tiny),
            of(Family::Sam2, Size::Small),
            of(Family::Sam2, Size::BasePlus),
            of(Family::Sam2, Size::Large),
            of(Family::Sam2_1, Size::Tiny),
            of(Family::Sam2_1, Size::Small),
            of(Family::Sam2_1, Size::BasePlus),
            of(Family::Sam2_1, Size::Large),
        ]
    };

    /// The name used on the command line, for example `sam2.1-base_plus`.
    pub const fn name(self) -> &'static str {
        match (self.family, self.size) {
            (Family::Sam2, Size::Tiny) => "sam2-tiny",
            (Family::Sam2, Size::Small) => "sam2-small",
            (Family::Sam2, Size::BasePlus) => "sam2-base_plus",
            (Family::Sam2, Size::Large) => "sam2-large",
            (Family::Sam2_1, Size::Tiny) => "sam2.1-tiny",
            (Family::Sam2_1, Size::Small) => "sam2.1-small",
            (Family::Sam2_1, Size::BasePlus) => "sam2.1-base_plus",
            (Family::Sam2_1, Size::Large) => "sam2.1-large",
        }
    }

    /// The full configuration, as in the official configuration files.
    pub fn config(self) -> Sam2Config {
        let trunk = match self.size {
            Size::Tiny => HieraConfig::new(96, 1, [1, 2, 7, 2], &[5, 7, 9]),
            Size::Small => HieraConfig::new(96, 1, [1, 2, 11, 2], &[7, 10, 13]),
            Size::BasePlus => HieraConfig {
                background_size: [14, 14],
                ..HieraConfig::new(112, 2, [2, 3, 16, 3], &[12, 16, 20])
            },
            Size::Large => HieraConfig {
                window_sizes: vec![8, 4, 16, 8],
                ..HieraConfig::new(144, 2, [2, 6, 36, 4], &[23, 33, 43])
            },
        };
        Sam2Config::new(self.family, trunk)
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Preset {
    type Err = UnknownModelError;

    /// Accepts our names and the official spellings: `sam2.1-tiny`, `sam2.1_hiera_b+`,
    /// `sam2.1_hiera_tiny`, `facebook/sam2.1-hiera-base-plus`.
    fn from_str(s: &str) -> Result<Self, UnknownModelError> {
        let plain = |name: &str| {
            let name = name.to_ascii_lowercase();
            let name = name.strip_prefix("facebook/").unwrap_or(&name).to_owned();
            name.replace("hiera", "")
                .replace("b+", "base_plus")
                .replace(['-', '_'], "")
        };
        let abbreviated = |preset: &Preset| {
            let (family, size) = preset.name().split_once('-').unwrap_or_default();
            format!("{family}{}", &size[..1])
        };
        let wanted = plain(s);
        Self::ALL
            .into_iter()
            .find(|preset| plain(preset.name()) == wanted || abbreviated(preset) == wanted)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|preset| preset.name()).collect();
                UnknownModelError {
                    name: s.to_owned(),
                    known: known.join(", "),
                }
            })
    }
}

/// The whole network. Build one with [`Preset::config`] or [`Sam2Config::new`] and change fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sam2Config {
    /// Side of the square network input in pixels; a multiple of 32.
    pub image_size: usize,
    /// Channels of the image embedding, the prompts and the object pointers (256).
    pub hidden_dim: usize,
    /// Image encoder: the Hiera trunk.
    pub trunk: HieraConfig,
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

/// The Hiera trunk (arXiv 2306.00989) with windowed absolute positions (arXiv 2311.05613).
///
/// Four stages at strides 4, 8, 16 and 32; width and number of heads double from stage to stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HieraConfig {
    /// Channels of the first stage.
    pub embed_dim: usize,
    /// Attention heads of the first stage.
    pub num_heads: usize,
    /// Blocks in each stage.
    pub stages: Vec<usize>,
    /// Window side in each stage, in tokens of that stage.
    pub window_sizes: Vec<usize>,
    /// Blocks (counted over all stages) that attend globally instead of in windows.
    pub global_attention_blocks: Vec<usize>,
    /// Size `[height, width]` of the learned background position embedding, which is resized to
    /// the token grid with bicubic interpolation.
    pub background_size: [usize; 2],
    /// Width of a block's MLP relative to its channels.
    pub mlp_ratio: f64,
    /// Stochastic depth of the last block in training; earlier blocks less, linearly.
    pub drop_path_rate: f64,
}

impl HieraConfig {
    fn new(embed_dim: usize, num_heads: usize, stages: [usize; 4], global: &[usize]) -> Self {
        Self {
            embed_dim,
            num_heads,
            stages: stages.to_vec(),
            window_sizes: vec![8, 4, 14, 7],
            global_attention_blocks: global.to_vec(),
            background_size: [7, 7],
            mlp_ratio: 4.0,
            drop_path_rate: 0.0,
        }
    }

    /// Channels of each stage, finest first.
    pub fn stage_dims(&self) -> Vec<usize> {
        (0..self.stages.len())
            .map(|i| self.embed_dim << i)
            .collect()
    }
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
    pub fn new(family: Family, trunk: HieraConfig) -> Self {
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
        let check = |ok: bool, what: String| if ok { Ok(()) } else { Err(ConfigError(what)) };
        let divides = |name: &str, value: usize, by: usize| {
            check(
                by > 0 && value > 0 && value.is_multiple_of(by),
                format!("{name} is {value}, it must be a positive multiple of {by}"),
            )
        };
        let trunk = &self.trunk;
        let stages = trunk.stages.len();
        // Beyond this, sizes computed from each other could overflow.
        let sizes = [
            self.image_size,
            self.hidden_dim,
            trunk.embed_dim,
            trunk.num_heads,
            self.mask_decoder.num_heads,
            self.mask_decoder.mlp_dim,
            self.memory_attention.num_heads,
            self.memory_attention.feedforward_dim,
            self.memory_encoder.memory_dim,
            self.memory.num_maskmem,
            self.memory.max_object_pointers,
            self.memory.temporal_stride,
        ];
        let counts = trunk.stages.iter().chain(&trunk.window_sizes).copied();
        check(
            sizes.into_iter().chain(counts).all(|size| size <= MAX_SIZE),
            format!("no size may exceed {MAX_SIZE}"),
        )?;
        divides("image_size", self.image_size, 32)?;
        divides("hidden_dim", self.hidden_dim, 8)?;
        check(
            stages == 4 && trunk.stages.iter().all(|&blocks| blocks > 0),
            format!(
                "trunk.stages is {:?}, it must name four stages of one block or more",
                trunk.stages
            ),
        )?;
        check(
            trunk.window_sizes.len() == stages && trunk.window_sizes.iter().all(|&w| w > 0),
            format!(
                "trunk.window_sizes is {:?}, it must give one window for each of the {stages} stages",
                trunk.window_sizes
            ),
        )?;
        let depth: usize = trunk.stages.iter().sum();
        check(
            trunk
                .global_attention_blocks
                .iter()
                .all(|&block| block < depth),
            format!(
                "trunk.global_attention_blocks is {:?}, but there are {depth} blocks, counted from 0",
                trunk.global_attention_blocks
            ),
        )?;
        check(
            trunk.window_sizes[..stages - 1].iter().all(|w| w % 2 == 0),
            format!(
                "trunk.window_sizes is {:?}, all but the last must be even: a stage's first block pools inside the windows of the stage before",
                trunk.window_sizes
            ),
        )?;
        divides("trunk.embed_dim", trunk.embed_dim, trunk.num_heads)?;
        // The window embedding is tiled over the stride-4 grid.
        divides("image_size / 4", self.image_size / 4, trunk.window_sizes[0])?;
        check(
            self.neck.scalp == 1,
            format!(
                "neck.scalp is {}, only 1 leaves the stride-16 level on top",
                self.neck.scalp
            ),
        )?;
        check(
            self.neck
                .top_down_levels
                .iter()
                .all(|&level| level < stages),
            format!(
                "neck.top_down_levels is {:?}, but there are {stages} levels, counted from 0",
                self.neck.top_down_levels
            ),
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
            "mask_decoder.num_multimask_outputs, depth and iou_head_depth must be at least 1"
                .into(),
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
        check(
            self.memory_encoder.fuser_kernel % 2 == 1,
            format!(
                "memory_encoder.fuser_kernel is {}, it must be odd",
                self.memory_encoder.fuser_kernel
            ),
        )?;
        check(
            self.memory.num_maskmem >= 1 && self.memory.temporal_stride >= 1,
            "memory.num_maskmem and memory.temporal_stride must be at least 1".into(),
        )?;
        check(
            self.memory.max_object_pointers >= 2,
            format!(
                "memory.max_object_pointers is {}, it must be at least 2",
                self.memory.max_object_pointers
            ),
        )?;
        check(
            self.memory
                .max_conditioning_frames
                .is_none_or(|limit| limit >= 2),
            format!(
                "memory.max_conditioning_frames is {:?}, a limit must be at least 2",
                self.memory.max_conditioning_frames
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_found_by_its_names() {
        for preset in Preset::ALL {
            preset.config().validate().unwrap();
            assert_eq!(preset.name().parse(), Ok(preset));
        }
        for name in [
            "sam2.1_hiera_tiny",
            "sam2.1_hiera_t",
            "facebook/sam2.1-hiera-tiny",
        ] {
            assert_eq!(name.parse(), Ok(Preset::ALL[4]), "{name}");
        }
        for name in [
            "sam2_hiera_b+",
            "facebook/sam2-hiera-base-plus",
            "sam2_hiera_base_plus",
        ] {
            assert_eq!(name.parse(), Ok(Preset::ALL[2]), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "sam3".parse::<Preset>().unwrap_err().to_string();
        assert!(
            error.contains("`sam3`") && error.contains("sam2.1-large"),
            "{error}"
        );
    }

    #[test]
    fn a_size_that_does_not_fit_is_named_with_its_value() {
        let mut config = Preset::ALL[4].config();
        config.image_size = 1000;
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("image_size is 1000"), "{error}");
    }
}
