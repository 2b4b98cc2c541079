//! A checkpoint whose tensors are not those of the configured network is refused with their names.

use std::path::Path;

use masklet_model::config::Sam2Config;
use masklet_model::weights::{Checkpoint, WeightsError, WrongShape};
use masklet_model::{Compute, LoadedModel, ModelError};

/// Takes the micro model's checkpoint for another network's.
fn mismatch(change: impl FnOnce(&mut Sam2Config)) -> WeightsError {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sam2.1");
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let mut config: Sam2Config = serde_json::from_str(&config).unwrap();
    change(&mut config);
    let checkpoint = Checkpoint::open(folder.join("model.pt")).unwrap();
    match LoadedModel::from_checkpoint(&checkpoint, &config, &Compute::default()) {
        Err(ModelError::Weights(error @ WeightsError::Mismatch { .. })) => error,
        other => panic!("not a mismatch: {:?}", other.map(|_| ())),
    }
}

#[test]
fn parameters_that_the_file_lacks_are_listed_and_counted_beyond_ten() {
    let error = mismatch(|config| config.memory_attention.num_layers = 3);
    let message = error.to_string();
    assert!(message.contains("memory_attention.layers.2."), "{message}");
    assert!(message.contains("more"), "{message}");
    let WeightsError::Mismatch {
        missing,
        unexpected,
        wrong_shape,
        ..
    } = error
    else {
        unreachable!("only mismatches come here");
    };
    assert!(missing.len() > 10 && unexpected.is_empty() && wrong_shape.is_empty());
    assert!(
        missing
            .iter()
            .all(|name| name.starts_with("memory_attention.layers.2."))
    );
}

#[test]
fn tensors_that_the_network_lacks_and_wrong_shapes_are_listed_together() {
    let error = mismatch(|config| {
        config.memory_encoder.no_object_embedding = false;
        config.memory.num_maskmem = 6;
    });
    let message = error.to_string();
    assert!(message.contains("no_obj_embed_spatial"), "{message}");
    assert!(
        message.contains("[7, 1, 1, 8], expected [6, 1, 1, 8]"),
        "{message}"
    );
    let WeightsError::Mismatch {
        missing,
        unexpected,
        wrong_shape,
        ..
    } = error
    else {
        unreachable!("only mismatches come here");
    };
    assert!(missing.is_empty());
    assert_eq!(unexpected, ["no_obj_embed_spatial"]);
    let expected = WrongShape {
        name: "maskmem_tpos_enc".to_owned(),
        found: vec![7, 1, 1, 8],
        expected: vec![6, 1, 1, 8],
    };
    assert_eq!(wrong_shape, [expected]);
}
