//! Checkpoint files: PyTorch `.pt` and `.safetensors` in, `.safetensors` out.
//!
//! A [`Checkpoint`] is a memory-mapped file and a table of the tensors in it. Opening reads the
//! table alone; a tensor's values are read (and converted to `f32`) when they are asked for, so
//! that looking at a large file costs as little as looking at a small one. Which model a file holds
//! is told from the names and shapes in it ([`detect`]).
//!
//! Files come from strangers. The pickle inside a `.pt` file is a program, and Python's own reader
//! runs it; ours (`weights/pickle.rs`) interprets only the few instructions that describe tensors and plain
//! values, and refuses the rest by name. No length in a file is trusted before it has been
//! compared with the bytes that are there.
//!
//! ```no_run
//! use masklet_model::weights::{Checkpoint, Precision, convert, detect};
//!
//! let checkpoint = Checkpoint::open("sam2.1_hiera_tiny.pt")?;
//! let detected = detect(&checkpoint)?;
//! println!("{:?}: {} parameters", detected.preset, checkpoint.parameter_count());
//! convert(&checkpoint, "tiny-bf16.safetensors".as_ref(), Precision::Bf16)?;
//! # Ok::<(), masklet_model::weights::WeightsError>(())
//! ```

mod average;
mod checkpoint;
mod detection;
mod dtype;
mod error;
mod mapped_file;
mod pickle;
mod safetensors_file;
mod storage;
mod summary;
mod torch_file;
mod write;

pub use average::average;
pub use checkpoint::{Checkpoint, Format, TensorInfo};
pub use detection::{Detected, check_model_name, detect};
pub use dtype::{Dtype, Precision};
pub use error::{WeightsError, WrongShape};
pub use summary::{ModuleSummary, Summary};
pub use write::{convert, save_safetensors};

/// The metadata key under which a custom model's [`Sam2Config`](crate::config::Sam2Config) is
/// kept, as JSON.
pub const CONFIG_KEY: &str = "masklet.config";

fn preset_names() -> String {
    crate::config::Preset::ALL
        .map(crate::config::Preset::name)
        .join(", ")
}
