//! `[model]`: the network that is trained.

use std::path::PathBuf;

use masklet_model::config::Preset;
use serde::{Deserialize, Serialize};

use super::FieldError;

/// The network that is trained, and what is switched off in it at random while it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelOptions {
    /// The checkpoint to start from, `.pt` or `.safetensors`; `--weights` replaces it. Without
    /// one, parameters are drawn from the run's seed.
    pub weights: Option<PathBuf>,
    /// Weights of a part of the network, by official names, such as a trunk's; the others are drawn
    /// from the run's seed. Only without `weights`.
    pub init: Option<PathBuf>,
    /// Which network, by name (`sam2.1-tiny`). Needed without weights, unless there is a `config`;
    /// with weights, the checkpoint must be of this network.
    #[serde(with = "preset_name")]
    pub preset: Option<Preset>,
    /// The configuration of a network of one's own, as a JSON file, instead of a preset.
    pub config: Option<PathBuf>,
    /// Side in pixels of the square that frames are squashed to; a multiple of 32. `None` is
    /// the network's own.
    pub image_size: Option<u32>,
    /// Most drop path in the image encoder: the probability that the last block is skipped
    /// (blocks before it less, linearly); 0 to less than 1.
    pub drop_path: f64,
    /// Dropout in memory attention; 0 to less than 1.
    pub dropout: f64,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            weights: None,
            init: None,
            preset: None,
            config: None,
            image_size: None,
            drop_path: 0.1,
            dropout: 0.1,
        }
    }
}

impl ModelOptions {
    /// Checks that every value is in its range and contradicts no other.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        if let (Some(config), Some(preset)) = (&self.config, self.preset) {
            let accepted = format!("that or `preset` (\"{preset}\") is accepted, not both");
            return FieldError::unless(false, "config", config.display(), accepted);
        }
        if let (Some(init), Some(weights)) = (&self.init, &self.weights) {
            let weights = weights.display();
            let accepted = format!("that or `weights` (\"{weights}\") is accepted, not both");
            return FieldError::unless(false, "init", init.display(), accepted);
        }
        let size = self.image_size.unwrap_or(32);
        FieldError::unless(
            size > 0 && size.is_multiple_of(32),
            "image_size",
            size,
            "a positive multiple of 32 is accepted",
        )?;
        for (field, rate) in [("drop_path", self.drop_path), ("dropout", self.dropout)] {
            let accepted = "0 to less than 1 is accepted";
            FieldError::unless((0.0..1.0).contains(&rate), field, rate, accepted)?;
        }
        Ok(())
    }
}

/// A preset by its name.
mod preset_name {
    use masklet_model::config::Preset;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    const COUNT: usize = Preset::ALL.len();
    const NAMES: [&str; COUNT] = {
        let mut names = [""; COUNT];
        let mut place = 0;
        while place < COUNT {
            names[place] = Preset::ALL[place].name();
            place += 1;
        }
        names
    };

    pub(super) fn serialize<S: Serializer>(
        preset: &Option<Preset>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        preset.map(Preset::name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Preset>, D::Error> {
        let Some(name) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let unknown = |_| D::Error::unknown_variant(&name, &NAMES);
        name.parse().map(Some).map_err(unknown)
    }
}
