//! Reading, refusing, recognising, averaging and writing checkpoint files.
//!
//! The fixtures are written by PyTorch: `tools/reference/weights_fixtures.py`.

use std::fs;
use std::path::PathBuf;

use masklet_model::weights::{Checkpoint, WeightsError};

mod averaging;
mod detecting;
mod mutating;
mod reading;
mod refusing;
mod writing;

fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

fn fixture_bytes(name: &str) -> Vec<u8> {
    fs::read(fixture_path(name)).expect(name)
}

fn open(name: &str) -> Result<Checkpoint, WeightsError> {
    Checkpoint::open(fixture_path(name))
}

/// The bytes of a `.safetensors` file with this header and no tensors' data.
fn with_header(header: &str) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes
}
