//! Which model a checkpoint holds.

use std::fmt;

use super::{CONFIG_KEY, Checkpoint, WeightsError};
use crate::config::{Family, Official, PointerPosition, Preset, Sam2Config};

/// The model in a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// Its configuration.
    pub config: Sam2Config,
    /// The model with that configuration; `None` for a custom one.
    pub preset: Option<Preset>,
}

impl Detected {
    /// The model's name, or `custom`.
    pub fn name(&self) -> &'static str {
        self.preset.map_or("custom", Preset::name)
    }
}

/// Tells which model a checkpoint holds.
///
/// A configuration in the file's metadata ([`CONFIG_KEY`]) wins. Otherwise the names and shapes
/// are compared with the official models.
///
/// # Errors
/// When the configuration in the file is invalid, or the tensors fit no official model; the
/// message says what was seen and which models are known.
pub fn detect(checkpoint: &Checkpoint) -> Result<Detected, WeightsError> {
    if let Some(json) = checkpoint.metadata(CONFIG_KEY) {
        let config = parse_config(json).map_err(|what| WeightsError::BadConfig {
            path: checkpoint.path().to_owned(),
            what,
        })?;
        let preset = Preset::ALL.into_iter().find(|p| p.config() == config);
        return Ok(Detected { config, preset });
    }
    let unknown = |seen| WeightsError::UnknownModel {
        path: checkpoint.path().to_owned(),
        seen,
    };
    let seen = Seen::in_checkpoint(checkpoint).ok_or_else(|| unknown(strange(checkpoint)))?;
    Official::ALL
        .into_iter()
        .find(|&known| Seen::in_official(known).as_ref() == Some(&seen))
        .map(|known| Detected {
            config: known.config(),
            preset: Some(known.into()),
        })
        .ok_or_else(|| unknown(seen.to_string()))
}

/// Compares the model that was named with the one that was found in a file.
///
/// # Errors
/// When they differ; the message names both.
pub fn check_model_name(
    checkpoint: &Checkpoint,
    wanted: Preset,
    detected: &Detected,
) -> Result<(), WeightsError> {
    if detected.preset == Some(wanted) {
        return Ok(());
    }
    Err(WeightsError::WrongModel {
        path: checkpoint.path().to_owned(),
        wanted: wanted.to_string(),
        found: detected.name().to_owned(),
    })
}

fn parse_config(json: &str) -> Result<Sam2Config, String> {
    const LARGEST: u64 = 1 << 24;
    let value: serde_json::Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    // No dimension of a network is near this, and sums and products of smaller ones fit.
    if let Some(number) = largest(&value).filter(|&n| n > LARGEST) {
        return Err(format!(
            "it has the number {number}, at most {LARGEST} is accepted"
        ));
    }
    let config: Sam2Config = serde_json::from_value(value).map_err(|e| e.to_string())?;
    config.validate().map_err(|e| e.to_string())?;
    Ok(config)
}

/// The largest whole number. The parser limits how deep the value is nested.
fn largest(value: &serde_json::Value) -> Option<u64> {
    match value {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::Array(items) => items.iter().filter_map(largest).max(),
        serde_json::Value::Object(items) => items.values().filter_map(largest).max(),
        _ => None,
    }
}

/// What names and shapes tell of a network.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    embed_dim: usize,
    stages: Vec<usize>,
    background: [usize; 2],
    window: usize,
    hidden_dim: usize,
    memory_dim: usize,
    num_maskmem: usize,
    memory_layers: usize,
    no_object_embedding: bool,
    pointer_projection: bool,
}

impl Seen {
    /// `None` when a tensor is missing that every network has.
    fn in_checkpoint(checkpoint: &Checkpoint) -> Option<Self> {
        let shape = |name: &str| checkpoint.get(name).map(|info| info.shape.as_slice());
        let &[embed_dim, ..] = shape("image_encoder.trunk.patch_embed.proj.weight")? else {
            return None;
        };
        let &[_, _, height, width] = shape("image_encoder.trunk.pos_embed")? else {
            return None;
        };
        let &[_, _, window, _] = shape("image_encoder.trunk.pos_embed_window")? else {
            return None;
        };
        let &[_, hidden_dim] = shape("sam_mask_decoder.iou_token.weight")? else {
            return None;
        };
        let &[num_maskmem, _, _, memory_dim] = shape("maskmem_tpos_enc")? else {
            return None;
        };
        let block_dims = (0..).map_while(|i| {
            let name = format!("image_encoder.trunk.blocks.{i}.attn.proj.bias");
            shape(&name)?.first().copied()
        });
        let memory_layers = (0..)
            .take_while(|i| shape(&format!("memory_attention.layers.{i}.norm1.weight")).is_some())
            .count();
        Some(Self {
            embed_dim,
            stages: run_lengths(block_dims),
            background: [height, width],
            window,
            hidden_dim,
            memory_dim,
            num_maskmem,
            memory_layers,
            no_object_embedding: shape("no_obj_embed_spatial").is_some(),
            pointer_projection: shape("obj_ptr_tpos_proj.weight").is_some(),
        })
    }

    fn in_official(model: Official) -> Option<Self> {
        let (trunk, config) = (model.trunk(), model.config());
        Some(Self {
            embed_dim: trunk.embed_dim,
            background: trunk.background_size,
            window: *trunk.window_sizes.first()?,
            stages: trunk.stages,
            hidden_dim: config.hidden_dim,
            memory_dim: config.memory_encoder.memory_dim,
            num_maskmem: config.memory.num_maskmem,
            memory_layers: config.memory_attention.num_layers,
            no_object_embedding: config.memory_encoder.no_object_embedding,
            pointer_projection: config.memory.pointer_position == PointerPosition::SignedProjected,
        })
    }

    fn family(&self) -> Option<Family> {
        match (self.no_object_embedding, self.pointer_projection) {
            (false, false) => Some(Family::Sam2),
            (true, true) => Some(Family::Sam2_1),
            _ => None,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presence = |there| if there { "with" } else { "without" };
        let family = match self.family() {
            Some(Family::Sam2) => "as in SAM 2",
            Some(Family::Sam2_1) => "as in SAM 2.1",
            None => "as in no release",
        };
        write!(
            f,
            "a trunk of width {} with {:?} blocks in its stages, a background of {:?}, windows of \
             {} in the first stage, hidden width {}, memory width {}, {} temporal positions, {} \
             memory attention layers, {} `no_obj_embed_spatial` and {} `obj_ptr_tpos_proj` ({family})",
            self.embed_dim,
            self.stages,
            self.background,
            self.window,
            self.hidden_dim,
            self.memory_dim,
            self.num_maskmem,
            self.memory_layers,
            presence(self.no_object_embedding),
            presence(self.pointer_projection),
        )
    }
}

/// Lengths of the runs of equal values. (Stages differ in width.)
fn run_lengths(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut last = None;
    for value in values {
        match lengths.last_mut() {
            Some(length) if last == Some(value) => *length += 1,
            _ => lengths.push(1),
        }
        last = Some(value);
    }
    lengths
}

/// Describes a file without the tensors of a SAM 2 network.
fn strange(checkpoint: &Checkpoint) -> String {
    let is_transformers = |name: &str| name.starts_with("vision_encoder.");
    if checkpoint.names().any(is_transformers) {
        return "it names its tensors as Hugging Face `transformers` does, and the official names \
                are needed; take the `.pt` file of the same model"
            .into();
    }
    let some: Vec<_> = checkpoint.names().take(3).collect();
    format!(
        "it lacks tensors that every SAM 2 network has (such as \
         `image_encoder.trunk.patch_embed.proj.weight`), and holds {} others: {}, …",
        checkpoint.len(),
        some.join(", ")
    )
}
