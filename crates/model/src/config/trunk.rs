//! The image encoder's trunks.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{ConfigError, MAX_SIZE, check, divides};

/// The trunk of the image encoder: from pixels to maps at strides 4, 8, 16 and 32.
///
/// In files its field `kind` says which one it is; without it, it is a Hiera.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrunkConfig {
    /// The official models'.
    Hiera(HieraConfig),
    /// Convolutions alone: small and fast.
    EfficientNetLite(EfficientNetLiteConfig),
}

impl TrunkConfig {
    /// Channels of the maps at strides 4, 8, 16 and 32.
    pub fn stage_dims(&self) -> Vec<usize> {
        match self {
            Self::Hiera(hiera) => hiera.stage_dims(),
            Self::EfficientNetLite(net) => net.stage_dims(),
        }
    }

    /// Sets the stochastic depth of the last block in training; earlier blocks have less, linearly.
    pub fn set_drop_path_rate(&mut self, rate: f64) {
        match self {
            Self::Hiera(hiera) => hiera.drop_path_rate = rate,
            Self::EfficientNetLite(net) => net.drop_path_rate = rate,
        }
    }

    pub(super) fn validate(&self, image_size: usize) -> Result<(), ConfigError> {
        match self {
            Self::Hiera(hiera) => hiera.validate(image_size),
            Self::EfficientNetLite(net) => net.validate(),
        }
    }
}

impl<'de> Deserialize<'de> for TrunkConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let kind = fields.remove("kind");
        let fields = Value::Object(fields);
        match kind.as_ref().map(Value::as_str) {
            None | Some(Some("hiera")) => Deserialize::deserialize(fields).map(Self::Hiera),
            Some(Some("efficient_net_lite")) => {
                Deserialize::deserialize(fields).map(Self::EfficientNetLite)
            }
            Some(_) => Err(Error::custom(format_args!(
                "trunk.kind is {}, \"hiera\" or \"efficient_net_lite\" is accepted",
                kind.unwrap_or_default()
            ))),
        }
        .map_err(D::Error::custom)
    }
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
    pub(super) fn new(
        embed_dim: usize,
        num_heads: usize,
        stages: [usize; 4],
        global: &[usize],
    ) -> Self {
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

    fn validate(&self, image_size: usize) -> Result<(), ConfigError> {
        let stages = self.stages.len();
        let sizes = [self.embed_dim, self.num_heads];
        let counts = self.stages.iter().chain(&self.window_sizes).copied();
        check(
            sizes.into_iter().chain(counts).all(|size| size <= MAX_SIZE),
            || format!("no size of the trunk may exceed {MAX_SIZE}"),
        )?;
        check(
            stages == 4 && self.stages.iter().all(|&blocks| blocks > 0),
            || {
                format!(
                    "trunk.stages is {:?}, it must name four stages of one block or more",
                    self.stages
                )
            },
        )?;
        check(
            self.window_sizes.len() == stages && self.window_sizes.iter().all(|&w| w > 0),
            || {
                format!(
                    "trunk.window_sizes is {:?}, it must give one window for each of the {stages} stages",
                    self.window_sizes
                )
            },
        )?;
        let depth: usize = self.stages.iter().sum();
        check(
            self.global_attention_blocks
                .iter()
                .all(|&block| block < depth),
            || {
                format!(
                    "trunk.global_attention_blocks is {:?}, but there are {depth} blocks, counted from 0",
                    self.global_attention_blocks
                )
            },
        )?;
        check(
            self.window_sizes[..stages - 1].iter().all(|w| w % 2 == 0),
            || {
                format!(
                    "trunk.window_sizes is {:?}, all but the last must be even: a stage's first block pools inside the windows of the stage before",
                    self.window_sizes
                )
            },
        )?;
        divides("trunk.embed_dim", self.embed_dim, self.num_heads)?;
        // The window embedding is tiled over the stride-4 grid.
        divides("image_size / 4", image_size / 4, self.window_sizes[0])
    }
}

/// An EfficientNet-Lite trunk (arXiv 1905.11946; the Lite variants have ReLU6 and no squeeze-excite),
/// without its last 1×1 convolution. Its batch norms are constants and part of the convolutions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetLiteConfig {
    /// Channels of the first convolution, 3×3 at stride 2.
    pub stem: usize,
    /// The stages, finest first. Together with the stem's, their strides come to 32.
    pub stages: Vec<MbConvStage>,
    /// Stochastic depth of the last block in training; earlier blocks less, linearly.
    pub drop_path_rate: f64,
}

/// Inverted bottlenecks (MBConv, arXiv 1801.04381) in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MbConvStage {
    /// Blocks; the first one has the stage's stride.
    pub blocks: usize,
    /// Side of the depthwise kernels; odd.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Channels between a block's convolutions relative to its input's; with 1 there is no first
    /// convolution.
    pub expansion: usize,
    /// Channels of the output.
    pub channels: usize,
}

impl EfficientNetLiteConfig {
    /// EfficientNet-Lite0.
    pub fn lite0() -> Self {
        let stage = |blocks, kernel, stride, expansion, channels| MbConvStage {
            blocks,
            kernel,
            stride,
            expansion,
            channels,
        };
        Self {
            stem: 32,
            stages: vec![
                stage(1, 3, 1, 1, 16),
                stage(2, 3, 2, 6, 24),
                stage(2, 5, 2, 6, 40),
                stage(3, 3, 2, 6, 80),
                stage(3, 5, 1, 6, 112),
                stage(4, 5, 2, 6, 192),
                stage(1, 3, 1, 6, 320),
            ],
            drop_path_rate: 0.0,
        }
    }

    /// The stages whose maps leave the trunk: the last ones at strides 4, 8, 16 and 32.
    pub(crate) fn taps(&self) -> Vec<usize> {
        let halves = |stage: &MbConvStage| stage.stride == 2;
        let next = |stage: usize| self.stages.get(stage + 1);
        // At stride 2 nothing leaves.
        let first = self.stages.iter().position(halves).unwrap_or(0);
        (first..self.stages.len())
            .filter(|&stage| next(stage).is_none_or(halves))
            .collect()
    }

    fn stage_dims(&self) -> Vec<usize> {
        let taps = self.taps().into_iter();
        taps.filter_map(|stage| Some(self.stages.get(stage)?.channels))
            .collect()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check((1..=MAX_SIZE).contains(&self.stem), || {
            format!("trunk.stem is {}, 1 to {MAX_SIZE} is accepted", self.stem)
        })?;
        for (place, stage) in self.stages.iter().enumerate() {
            let MbConvStage {
                blocks,
                kernel,
                stride,
                expansion,
                channels,
            } = *stage;
            let few = |count: usize| (1..=64).contains(&count);
            check(
                few(blocks)
                    && few(kernel)
                    && kernel % 2 == 1
                    && (1..=2.min(kernel)).contains(&stride)
                    && few(expansion)
                    && (1..=MAX_SIZE).contains(&channels),
                || {
                    format!(
                        "trunk.stages[{place}] is {stage:?}; blocks and expansion from 1 to 64, an odd kernel from 3 to 63 (1 with stride 1), stride 1 or 2, and channels from 1 to {MAX_SIZE} are accepted"
                    )
                },
            )?;
        }
        let halvings = self.stages.iter().filter(|s| s.stride == 2).count();
        check(halvings == 4, || {
            format!(
                "trunk.stages halves the map {halvings} times, it must do so 4 times, after the stem"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Preset, Sam2Config};

    #[test]
    fn a_trunk_without_a_kind_is_a_hiera() {
        let config = Preset::ALL[4].config();
        let mut json = serde_json::to_value(&config).unwrap();
        let kind = json["trunk"].as_object_mut().unwrap().remove("kind");
        assert_eq!(kind, Some("hiera".into()));
        let read: Sam2Config = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(read, config);
        json["trunk"]["depth"] = 3.into();
        let error = serde_json::from_value::<Sam2Config>(json.clone()).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `depth`"),
            "{error}"
        );
        json["trunk"]["kind"] = "resnet".into();
        let error = serde_json::from_value::<Sam2Config>(json).unwrap_err();
        assert!(
            error.to_string().contains("\"efficient_net_lite\""),
            "{error}"
        );
    }

    #[test]
    fn lite0_has_maps_at_four_strides() {
        let mut net = EfficientNetLiteConfig::lite0();
        net.validate().unwrap();
        assert_eq!(net.taps(), [1, 2, 4, 6]);
        assert_eq!(net.stage_dims(), [24, 40, 112, 320]);
        let trunk = TrunkConfig::EfficientNetLite(net.clone());
        let json = serde_json::to_string(&trunk).unwrap();
        assert_eq!(serde_json::from_str::<TrunkConfig>(&json).unwrap(), trunk);
        net.stages[5].stride = 1;
        let error = net.validate().unwrap_err().to_string();
        assert!(error.contains("3 times"), "{error}");
        net.stages[5].kernel = 4;
        let error = net.validate().unwrap_err().to_string();
        assert!(error.contains("trunk.stages[5]"), "{error}");
    }
}
