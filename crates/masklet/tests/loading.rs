//! Opening models: a checkpoint that does not fit is refused, and the error says what is wrong.

mod common;

use std::collections::BTreeMap;

use common::{checkpoint, config};
use masklet::{Error, Model};
use masklet_model::weights::{CONFIG_KEY, Precision, save_safetensors};

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// What is said of the micro model's checkpoint after a change to its tensors.
fn error_after(change: impl FnOnce(&mut Tensors)) -> String {
    let checkpoint = checkpoint("sam2.1");
    let mut tensors: Tensors = checkpoint
        .tensors()
        .map(|(name, info)| {
            let values = checkpoint.read_f32(name).unwrap();
            (name.to_owned(), (info.shape.clone(), values))
        })
        .collect();
    change(&mut tensors);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    let config = serde_json::to_string(&config("sam2.1")).unwrap();
    let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config)]);
    let tensors = tensors
        .iter()
        .map(|(name, (shape, values))| (name.as_str(), shape.as_slice(), values.as_slice()));
    save_safetensors(&path, tensors, Precision::F32, metadata).unwrap();
    let error = Model::open(&path).unwrap_err();
    assert!(matches!(error, Error::Model(_)), "{error}");
    error.to_string()
}

#[test]
fn missing_unexpected_and_misshapen_tensors_are_listed_together() {
    let error = error_after(|tensors| {
        let (shape, values) = tensors.remove("no_mem_embed").unwrap();
        tensors.insert("no_memory_embedding".to_owned(), (shape, values));
        let token = tensors
            .get_mut("sam_mask_decoder.iou_token.weight")
            .unwrap();
        token.0.reverse();
    });
    for part in [
        "changed.safetensors",
        "no_mem_embed",
        "no_memory_embedding",
        "sam_mask_decoder.iou_token.weight",
        "[32, 1]",
        "[1, 32]",
    ] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_long_list_of_missing_tensors_is_cut_short_and_counted() {
    let error = error_after(|tensors| tensors.retain(|name, _| !name.contains("memory_attention")));
    assert!(error.contains("more"), "{error}");
    assert!(error.matches("memory_attention").count() <= 10, "{error}");
}
