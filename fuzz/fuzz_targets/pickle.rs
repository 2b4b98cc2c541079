//! The pickle of a `.pt` file, past the checksums of its zip archive.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use masklet_model::weights::{Checkpoint, Summary};
use zip::write::SimpleFileOptions;

/// A sound archive around the pickle.
fn archive(pickle: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("archive/data.pkl", stored)?;
    zip.write_all(pickle)?;
    for (key, size) in [64, 256, 7, 0].into_iter().enumerate() {
        zip.start_file(format!("archive/data/{key}"), stored)?;
        zip.write_all(&vec![0x3c; size])?;
    }
    Ok(zip.finish()?.into_inner())
}

fuzz_target!(|pickle: &[u8]| {
    let file = archive(pickle).expect("writing to memory");
    let Ok(checkpoint) = Checkpoint::from_bytes("fuzzed", file) else {
        return;
    };
    for (name, info) in checkpoint.tensors() {
        let values = checkpoint.read_f32(name).expect("the storages are sound");
        assert_eq!(values.len(), info.elements());
    }
    let _ = Summary::of(&checkpoint).to_string();
});
