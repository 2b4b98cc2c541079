use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use masklet_model::weights::{
    Checkpoint, Dtype, Precision, WeightsError, convert, save_safetensors,
};
use proptest::prelude::*;

use super::open;

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries.map(|e| name(e).into_string().unwrap()).collect()
}

#[test]
fn converting_keeps_names_order_shapes_and_values() {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "views.pt",
        "deflated.pt",
        "training.pt",
        "float64.safetensors",
    ] {
        let from = open(file).unwrap();
        let out = folder.path().join(format!("{file}.safetensors"));
        convert(&from, &out, Precision::F32).unwrap();
        let to = Checkpoint::open(&out).unwrap();
        let mut names: Vec<_> = from.names().collect();
        let mut kept: Vec<_> = to.names().collect();
        // Empty tensors share their offset with a neighbour, so that their order is not told.
        if file == "views.pt" {
            names.sort_unstable();
            kept.sort_unstable();
        }
        assert_eq!(names, kept, "{file}");
        for (name, info) in from.tensors() {
            assert_eq!(to.get(name).unwrap().shape, info.shape);
            assert_eq!(to.read_f32(name).unwrap(), from.read_f32(name).unwrap());
        }
        assert_eq!(to.metadata("format"), Some("pt"));
    }
}

#[test]
fn a_configuration_survives_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    let metadata = [("masklet.config", "{}"), ("other", "dropped")];
    let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned()));
    save_safetensors(
        &first,
        [("w", &[1][..], &[1.5][..])],
        Precision::F32,
        metadata.into(),
    )
    .unwrap();
    convert(&Checkpoint::open(&first).unwrap(), &second, Precision::Bf16).unwrap();
    let converted = Checkpoint::open(&second).unwrap();
    assert_eq!(converted.metadata("masklet.config"), Some("{}"));
    assert_eq!(converted.get("w").unwrap().dtype, Dtype::Bf16);
}

#[test]
fn a_file_can_be_converted_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    save_safetensors(
        &path,
        [("w", &[2][..], &[1.0, 2.0][..])],
        Precision::F32,
        none(),
    )
    .unwrap();
    let open = Checkpoint::open(&path).unwrap();
    convert(&open, &path, Precision::F16).unwrap();
    assert_eq!(open.read_f32("w").unwrap(), [1.0, 2.0]);
    assert_eq!(
        Checkpoint::open(&path).unwrap().read_f32("w").unwrap(),
        [1.0, 2.0]
    );
}

#[test]
fn halves_are_rounded_to_the_nearest_and_ties_to_even() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("halves");
    // Above 1, f16 has steps of 2⁻¹⁰ and bf16 of 2⁻⁷.
    for (precision, step) in [
        (Precision::F16, 2_f32.powi(-10)),
        (Precision::Bf16, 2_f32.powi(-7)),
    ] {
        let given = [
            1.0 + 0.5 * step,
            1.0 + 1.5 * step,
            1.0 + 0.6 * step,
            -1.0 - 0.4 * step,
        ];
        let rounded = [1.0, 1.0 + 2.0 * step, 1.0 + step, -1.0];
        save_safetensors(&path, [("w", &[4][..], &given[..])], precision, none()).unwrap();
        assert_eq!(
            Checkpoint::open(&path).unwrap().read_f32("w").unwrap(),
            rounded
        );
    }
}

#[test]
fn a_value_beyond_the_format_is_refused_and_infinity_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let save = |value: f32, precision| {
        save_safetensors(&path, [("w", &[1][..], &[value][..])], precision, none())
    };
    let error = save(70_000.0, Precision::F16).unwrap_err();
    assert!(error.to_string().contains("`w` holds 70000"), "{error}");
    assert!(error.to_string().contains("65504"), "{error}");
    assert!(files_in(folder.path()).is_empty());
    save(70_000.0, Precision::Bf16).unwrap();
    save(f32::INFINITY, Precision::F16).unwrap();
    assert_eq!(
        Checkpoint::open(&path).unwrap().read_f32("w").unwrap(),
        [f32::INFINITY]
    );
}

#[test]
fn a_failure_leaves_nothing_behind_and_the_old_file_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept");
    fs::write(&path, "before").unwrap();
    let shape: &[usize] = &[3];
    let wrong = save_safetensors(&path, [("w", shape, &[1.0][..])], Precision::F32, none());
    assert!(matches!(wrong, Err(WeightsError::Unwritable { .. })));
    let twice = [("w", &[1][..], &[1.0][..]), ("w", &[1][..], &[2.0][..])];
    let error = save_safetensors(&path, twice, Precision::F32, none()).unwrap_err();
    assert!(error.to_string().contains("`w` is taken"), "{error}");
    let damaged = open("flipped_bit.pt").unwrap();
    assert!(convert(&damaged, &path, Precision::F32).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(files_in(folder.path()), ["kept"]);
    let nowhere = folder.path().join("no/such/folder");
    assert!(convert(&open("float32.pt").unwrap(), &nowhere, Precision::F32).is_err());
}

#[test]
fn precisions_are_read_from_text() {
    assert_eq!("bf16".parse::<Precision>().unwrap(), Precision::Bf16);
    assert_eq!("F32".parse::<Precision>().unwrap(), Precision::F32);
    let error = "int8".parse::<Precision>().unwrap_err();
    assert!(error.to_string().contains("`int8`"), "{error}");
}

proptest! {
    // Each case waits for the disk three times.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read(values in prop::collection::vec(-60_000_f32..60_000.0, 0..50)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any");
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let shape = [values.len()];
            save_safetensors(&path, [("w", &shape[..], &values[..])], precision, none()).unwrap();
            let read = Checkpoint::open(&path).unwrap().read_f32("w").unwrap();
            let rounded: Vec<f32> = values.iter().map(|&v| match precision {
                Precision::F32 => v,
                Precision::F16 => f16::from_f32(v).to_f32(),
                Precision::Bf16 => bf16::from_f32(v).to_f32(),
            }).collect();
            prop_assert_eq!(read, rounded);
        }
    }
}
