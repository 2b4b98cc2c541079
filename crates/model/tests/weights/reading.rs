use std::collections::BTreeMap;

use masklet_model::weights::{Checkpoint, Dtype, Format};
use serde::Deserialize;

use super::{fixture_bytes, open};

#[derive(Deserialize)]
struct Golden {
    dtype: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

type GoldenFiles = BTreeMap<String, BTreeMap<String, Golden>>;

fn golden() -> GoldenFiles {
    serde_json::from_slice(&fixture_bytes("golden.json")).unwrap()
}

/// PyTorch's name of a number format.
fn torch_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "float32",
        Dtype::F16 => "float16",
        Dtype::Bf16 => "bfloat16",
        Dtype::F64 => "float64",
        Dtype::I64 => "int64",
        Dtype::I32 => "int32",
        Dtype::I16 => "int16",
        Dtype::I8 => "int8",
        Dtype::U8 => "uint8",
        Dtype::Bool => "bool",
    }
}

fn assert_holds(checkpoint: &Checkpoint, file: &str, tensors: &BTreeMap<String, Golden>) {
    let mut names: Vec<_> = checkpoint.names().collect();
    names.sort_unstable();
    let expected: Vec<_> = tensors.keys().collect();
    assert_eq!(names, expected, "{file}");
    for (name, golden) in tensors {
        let info = checkpoint.get(name).unwrap();
        assert_eq!(torch_name(info.dtype), golden.dtype, "{file}: {name}");
        assert_eq!(info.shape, golden.shape, "{file}: {name}");
        let values = checkpoint.read_f32(name).unwrap();
        assert_eq!(values, golden.values, "{file}: {name}");
    }
}

#[test]
fn every_file_has_the_values_that_pytorch_wrote() {
    let files = golden();
    assert!(files.len() >= 17);
    for (file, tensors) in &files {
        let checkpoint = open(file).unwrap_or_else(|error| panic!("{error}"));
        assert_holds(&checkpoint, file, tensors);
    }
}

#[test]
fn a_file_in_memory_reads_like_one_on_disk() {
    for (file, tensors) in golden() {
        let checkpoint = Checkpoint::from_bytes("memory", fixture_bytes(&file)).unwrap();
        assert_holds(&checkpoint, &file, &tensors);
    }
}

#[test]
fn names_come_in_the_order_of_the_state_dictionary() {
    let names = |file| -> Vec<String> { open(file).unwrap().names().map(Into::into).collect() };
    let linear_and_norm = [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    ];
    assert_eq!(names("bare_state_dict.pt"), linear_and_norm);
    assert_eq!(names("training.pt"), linear_and_norm);
    assert_eq!(names("float32.safetensors"), names("float32.safetensors"));
}

#[test]
fn the_table_is_there_without_reading_tensors() {
    let checkpoint = open("views.pt").unwrap();
    assert_eq!(checkpoint.format(), Format::Torch);
    assert_eq!(checkpoint.get("transposed").unwrap().shape, [6, 4]);
    assert!(checkpoint.get("nothing").is_none());
    assert_eq!(
        checkpoint.dtypes().into_iter().collect::<Vec<_>>(),
        [Dtype::F32]
    );
    // whole, transposed, rows, columns, permuted, element, expanded, unit, empty
    assert_eq!(
        checkpoint.parameter_count(),
        24 + 24 + 12 + 8 + 24 + 1 + 12 + 4
    );
}

#[test]
fn texts_beside_the_tensors_are_metadata() {
    let training = open("training.pt").unwrap();
    assert_eq!(training.metadata("masklet.note"), Some("kept as metadata"));
    assert_eq!(training.metadata("epoch"), None);
    let safetensors = open("float32.safetensors").unwrap();
    assert_eq!(safetensors.metadata("format"), Some("pt"));
    assert_eq!(safetensors.format(), Format::Safetensors);
}
