//! A whole file of any kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use masklet_model::weights::{Checkpoint, Summary};

fuzz_target!(|file: &[u8]| {
    let Ok(checkpoint) = Checkpoint::from_bytes("fuzzed", file.to_vec()) else {
        return;
    };
    for (name, info) in checkpoint.tensors() {
        if let Ok(values) = checkpoint.read_f32(name) {
            assert_eq!(values.len(), info.elements());
        }
    }
    let _ = Summary::of(&checkpoint).to_string();
});
