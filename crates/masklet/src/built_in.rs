//! The model that is part of this library: small, and there without a download.
//!
//! ```
//! use masklet::{Compute, Model};
//!
//! let model = Model::built_in(Compute::default())?;
//! assert_eq!(model.name(), "lite");
//! # Ok::<(), masklet::Error>(())
//! ```

use masklet_model::weights::Checkpoint;
use masklet_model::{Compute, LoadedModel};

use crate::{Model, Preset, Result};

/// Which model is built in.
pub const PRESET: Preset = Preset::Lite;

/// Its checkpoint: a `.safetensors` file in f16. What it was trained on, what it reaches, and
/// what its licence allows, is in `docs/model-card.md`.
pub const WEIGHTS: &[u8] = include_bytes!("../weights/lite.safetensors");

/// Licence of the weights: those of the pictures that they were trained on.
pub const LICENCE: &str = "non-commercial research and education";

/// Its checkpoint, open.
///
/// # Errors
/// None, unless the library was built with a damaged file.
pub fn checkpoint() -> Result<Checkpoint> {
    let opened = Checkpoint::from_bytes("the built-in model", WEIGHTS);
    Ok(opened.map_err(masklet_model::ModelError::from)?)
}

impl Model {
    /// The model that is part of this library.
    ///
    /// # Errors
    /// None, unless the library was built with a damaged file.
    pub fn built_in(compute: Compute) -> Result<Self> {
        let loaded = LoadedModel::detected(&checkpoint()?, Some(PRESET), &compute)?;
        Ok(Self::from_loaded(loaded, compute))
    }
}
