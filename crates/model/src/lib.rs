//! The SAM 2 network (arXiv 2408.00714), one file per module of the paper.
//!
//! ```text
//!  picture ─► image_encoder ─┬─ stride 16 ─► memory_attention ─► mask_decoder ─► mask, scores,
//!                            │                     ▲                 ▲    ▲       object pointer
//!                            ├─ stride 8, 4 ───────┼─────────────────┘    │           │
//!                            │                memory_bank          prompt_encoder     │
//!                            │                     ▲                 ▲                │
//!                            └─► memory_encoder ───┴───────────────  │  ◄─────────────┘
//!                                                            points, box, mask
//! ```
//!
//! [`Sam2`] has a method for each arrow. A network comes from [`LoadedModel`], which reads
//! official checkpoints ([`weights`]); its dimensions are a [`Sam2Config`](config::Sam2Config).
//!
//! Everything is written with [Burn](https://burn.dev) tensors, so the same code runs on every
//! device that Burn knows and can be differentiated. Feature maps are channels-last.

mod build;
pub mod config;
mod image_encoder;
mod mask_decoder;
mod memory_attention;
pub mod memory_bank;
mod memory_encoder;
mod operations;
mod ops;
mod params;
#[cfg(test)]
mod parity;
mod position_encoding;
mod prompt_encoder;
mod sam2;
pub mod weights;

pub use build::{Compute, LoadedModel, ModelError};
pub use mask_decoder::{DecodedMasks, MaskChoice};
pub use masklet_kernels::Precision;
pub use memory_attention::MemoryTokens;
pub use memory_encoder::MaskEncoding;
pub use operations::Operations;
pub use ops::{Interpolation, resize, seed_dropout};
pub use params::ParameterName;
pub use prompt_encoder::{Point, PointLabel, PromptEmbedding};
pub use sam2::{
    ImageFeatures, NO_OBJECT_LOGIT, ObjectOutput, Prompts, Sam2, given_logits, silence_absent,
};
