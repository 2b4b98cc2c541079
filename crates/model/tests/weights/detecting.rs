use std::collections::BTreeMap;

use masklet_model::config::{Family, Official, Preset};
use masklet_model::weights::{Checkpoint, Summary, WeightsError, check_model_name, detect};
use serde_json::{Map, Value, json};

use super::{fixture_bytes, open, with_header};

type Shapes = BTreeMap<String, Vec<usize>>;

/// Names and shapes of the official models: complete for the tiny ones, and what detection reads
/// for the others.
fn official() -> BTreeMap<String, Shapes> {
    let mut all: Map<String, Value> =
        serde_json::from_slice(&fixture_bytes("presets.json")).unwrap();
    let without: Vec<String> =
        serde_json::from_value(all.remove("sam2-tiny without").unwrap()).unwrap();
    let mut all: BTreeMap<String, Shapes> = serde_json::from_value(Value::Object(all)).unwrap();
    let mut older = all["sam2.1-tiny"].clone();
    older.retain(|name, _| !without.contains(name));
    all.insert("sam2-tiny".into(), older);
    all
}

/// A file with these tensors, all zero, in one byte per element.
fn file_of(shapes: &Shapes, metadata: &[(&str, &str)]) -> Checkpoint {
    let mut header = Map::new();
    let metadata: BTreeMap<_, _> = metadata.iter().copied().collect();
    header.insert("__metadata__".into(), json!(metadata));
    let mut end = 0;
    for (name, shape) in shapes {
        let begin = end;
        end += shape.iter().product::<usize>();
        let tensor = json!({"dtype": "U8", "shape": shape, "data_offsets": [begin, end]});
        header.insert(name.clone(), tensor);
    }
    let mut bytes = with_header(&Value::Object(header).to_string());
    bytes.resize(bytes.len() + end, 0);
    Checkpoint::from_bytes("model.safetensors", bytes).unwrap()
}

fn message(error: &WeightsError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn each_official_model_is_recognised() {
    let all = official();
    assert_eq!(all.len(), Official::ALL.len());
    for model in Official::ALL {
        let detected = detect(&file_of(&all[model.name()], &[])).unwrap();
        assert_eq!(detected.preset, Some(model.into()));
        assert_eq!(detected.config, model.config());
    }
}

#[test]
fn a_name_that_contradicts_the_file_is_an_error_naming_both() {
    let all = official();
    let checkpoint = file_of(&all["sam2-small"], &[]);
    let detected = detect(&checkpoint).unwrap();
    check_model_name(&checkpoint, "sam2_hiera_s".parse().unwrap(), &detected).unwrap();
    let wanted = "sam2.1-small".parse().unwrap();
    let error = check_model_name(&checkpoint, wanted, &detected).unwrap_err();
    message(&error, &["`sam2.1-small`", "`sam2-small`"]);
}

#[test]
fn a_custom_model_is_known_by_its_configuration() {
    let mut config = Preset::ALL[4].config();
    config.image_size = 256;
    config.memory.num_maskmem = 4;
    let json = serde_json::to_string(&config).unwrap();
    // The configuration wins over the shapes.
    let checkpoint = file_of(&official()["sam2-small"], &[("masklet.config", &json)]);
    let detected = detect(&checkpoint).unwrap();
    assert_eq!((detected.config, detected.preset), (config, None));

    let json = serde_json::to_string(&Preset::ALL[6].config()).unwrap();
    let checkpoint = file_of(
        &Shapes::from([("w".into(), vec![1])]),
        &[("masklet.config", &json)],
    );
    assert_eq!(detect(&checkpoint).unwrap().preset, Some(Preset::ALL[6]));
}

#[test]
fn an_invalid_configuration_says_where_it_stands_and_what_is_wrong() {
    let refused = |json: &str| {
        let checkpoint = file_of(
            &Shapes::from([("w".into(), vec![1])]),
            &[("masklet.config", json)],
        );
        let error = detect(&checkpoint).unwrap_err();
        assert!(matches!(error, WeightsError::BadConfig { .. }), "{error}");
        error
    };
    message(&refused("{"), &["`masklet.config`"]);
    message(&refused("{}"), &["missing field `image_size`"]);
    let mut config = Preset::ALL[4].config();
    config.image_size = 1000;
    message(
        &refused(&json!(config).to_string()),
        &["image_size is 1000"],
    );
    config.image_size = 1024;
    config.memory_attention.num_heads = usize::MAX / 2;
    message(
        &refused(&json!(config).to_string()),
        &["9223372036854775807"],
    );
}

#[test]
fn an_unknown_model_says_what_was_seen_and_what_is_known() {
    let mut shapes = official()["sam2.1-tiny"].clone();
    shapes.insert("maskmem_tpos_enc".into(), vec![5, 1, 1, 64]);
    let error = detect(&file_of(&shapes, &[])).unwrap_err();
    message(
        &error,
        &[
            "width 96",
            "[1, 2, 7, 2]",
            "5 temporal positions",
            "as in SAM 2.1",
            "sam2-tiny, sam2-small",
            "`masklet.config`",
            "`--config FILE`",
        ],
    );
    shapes.remove("no_obj_embed_spatial");
    message(
        &detect(&file_of(&shapes, &[])).unwrap_err(),
        &["as in no release"],
    );
}

#[test]
fn a_file_of_another_network_is_recognised_as_such() {
    let error = detect(&open("bare_state_dict.pt").unwrap()).unwrap_err();
    message(
        &error,
        &["7 others: 0.weight, 0.bias", "patch_embed.proj.weight"],
    );
    let transformers = Shapes::from([("vision_encoder.neck.convs.0.bias".into(), vec![1])]);
    message(
        &detect(&file_of(&transformers, &[])).unwrap_err(),
        &["transformers"],
    );
}

#[test]
fn a_summary_shows_the_modules_and_their_shares() {
    let summary = Summary::of(&file_of(&official()["sam2.1-tiny"], &[]));
    assert_eq!(summary.model.as_deref(), Some("sam2.1-tiny"));
    assert_eq!(summary.family, Some("SAM 2.1"));
    assert_eq!((summary.tensors, summary.parameters), (471, 38_962_754));
    let trunk = summary
        .modules
        .iter()
        .find(|m| m.name == "image_encoder.trunk")
        .unwrap();
    assert_eq!((trunk.tensors, trunk.parameters), (154, 26_849_472));
    let shares: f64 = summary.modules.iter().map(|m| m.share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let shown = summary.to_string();
    for line in [
        "parameters  38 962 754 in 471 tensors",
        "image_encoder.trunk      154     26 849 472   68.9%",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["format"], "safetensors");
    assert_eq!(
        json["modules"].as_array().unwrap().len(),
        summary.modules.len()
    );
}

#[test]
fn a_summary_of_an_unknown_model_says_so() {
    let summary = Summary::of(&open("training.pt").unwrap());
    assert_eq!((summary.model.as_deref(), summary.family), (None, None));
    assert!(summary.problem.as_ref().unwrap().contains("cannot tell"));
    assert!(summary.to_string().contains("model       unknown"));
    assert_eq!(Family::Sam2, Official::ALL[0].family);
}
