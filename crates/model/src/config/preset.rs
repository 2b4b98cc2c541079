//! [`Preset`]: the models that have a name.

use thiserror::Error;

use super::{EfficientNetLiteConfig, HieraConfig, Sam2Config, TrunkConfig};

/// A name that no model has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no model named `{name}`; known names: {known}")]
pub struct UnknownModelError {
    name: String,
    known: String,
}

/// The models that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// A model of the official release.
    Official(Official),
    /// Ours: small enough for a laptop, trained with this workspace.
    Lite,
}

/// The models of the official release, published as checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Official {
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

impl Official {
    /// All official models, smallest first within a family.
    pub const ALL: [Self; 8] = {
        const fn of(family: Family, size: Size) -> Official {
            Official { family, size }
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

    /// Its trunk, as in the official configuration files.
    pub fn trunk(self) -> HieraConfig {
        match self.size {
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
        }
    }

    /// The full configuration, as in the official configuration files.
    pub fn config(self) -> Sam2Config {
        Sam2Config::new(self.family, TrunkConfig::Hiera(self.trunk()))
    }
}

impl Preset {
    /// All models: the official ones, smallest first within a family, then ours.
    pub const ALL: [Self; 9] = {
        let mut all = [Self::Lite; 9];
        let mut place = 0;
        while place < Official::ALL.len() {
            all[place] = Self::Official(Official::ALL[place]);
            place += 1;
        }
        all
    };

    /// The name used on the command line, for example `sam2.1-base_plus`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Official(official) => official.name(),
            Self::Lite => "lite",
        }
    }

    /// The full configuration.
    pub fn config(self) -> Sam2Config {
        match self {
            Self::Official(official) => official.config(),
            Self::Lite => lite(),
        }
    }

    /// The official model, if it is one.
    pub const fn official(self) -> Option<Official> {
        match self {
            Self::Official(official) => Some(official),
            Self::Lite => None,
        }
    }
}

/// Every module of SAM 2.1, narrower, around a convolutional trunk. How its sizes were chosen is in
/// `docs/default-model.md`.
fn lite() -> Sam2Config {
    let trunk = TrunkConfig::EfficientNetLite(EfficientNetLiteConfig::lite0());
    let mut config = Sam2Config::new(Family::Sam2_1, trunk);
    config.image_size = 384;
    config.hidden_dim = 128;
    config.mask_decoder.mlp_dim = 512;
    config.mask_decoder.iou_head_hidden_dim = 128;
    config.memory_attention.num_layers = 2;
    config.memory_attention.feedforward_dim = 512;
    config.memory.num_maskmem = 5;
    config
}

impl std::fmt::Display for Official {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Official> for Preset {
    fn from(official: Official) -> Self {
        Self::Official(official)
    }
}

impl std::str::FromStr for Official {
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
        let abbreviated = |model: &Self| {
            let (family, size) = model.name().split_once('-').unwrap_or_default();
            format!("{family}{}", &size[..1])
        };
        let wanted = plain(s);
        Self::ALL
            .into_iter()
            .find(|model| plain(model.name()) == wanted || abbreviated(model) == wanted)
            .ok_or_else(|| UnknownModelError {
                name: s.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            })
    }
}

impl std::str::FromStr for Preset {
    type Err = UnknownModelError;

    /// Accepts what [`Official`] does, and `lite`.
    fn from_str(s: &str) -> Result<Self, UnknownModelError> {
        if s.eq_ignore_ascii_case(Self::Lite.name()) {
            return Ok(Self::Lite);
        }
        s.parse()
            .map(Self::Official)
            .map_err(|error: UnknownModelError| UnknownModelError {
                known: Self::ALL.map(Self::name).join(", "),
                ..error
            })
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
}
