use std::path::Path;

use masklet_model::weights::{Checkpoint, WeightsError, WrongShape};

use super::{fixture_bytes, open, with_header};

fn refusal(bytes: Vec<u8>) -> WeightsError {
    Checkpoint::from_bytes("given.file", bytes).expect_err("this file should be refused")
}

#[track_caller]
fn assert_says(error: &WeightsError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_pickle_that_calls_python_is_refused_by_the_name_it_calls_and_not_run() {
    let trace = Path::new("/tmp/masklet-was-here");
    for file in ["malicious.pt", "malicious_instead_of_tensor.pt"] {
        let error = open(file).unwrap_err();
        assert!(matches!(error, WeightsError::ForbiddenPickle { .. }));
        assert_says(&error, &[file, "`posix.system`", "nothing was executed"]);
    }
    assert!(!trace.exists());
}

#[test]
fn objects_that_are_not_tensors_are_refused() {
    let error = open("device.pt").unwrap_err();
    assert_says(&error, &["`torch.device`", "tensors and plain values only"]);
}

#[test]
fn number_formats_that_are_not_read_are_named() {
    let error = open("complex.pt").unwrap_err();
    assert_says(&error, &["ComplexFloatStorage", "accepted are float32"]);
    let error = open("float8.safetensors").unwrap_err();
    assert_says(&error, &["`w`", "F8_E4M3", "accepted are F32"]);
}

#[test]
fn a_legacy_file_is_recognised_and_the_way_out_is_told() {
    let error = open("legacy.pt").unwrap_err();
    assert!(matches!(error, WeightsError::LegacyTorch { .. }));
    assert_says(&error, &["legacy", "torch.save(torch.load("]);
}

#[test]
fn big_endian_numbers_are_refused() {
    assert_says(&open("big_endian.pt").unwrap_err(), &["`big`-endian"]);
}

#[test]
fn files_without_tensors_say_what_they_hold() {
    let error = open("no_tensors.pt").unwrap_err();
    assert!(matches!(error, WeightsError::NoTensors { .. }));
    assert_says(&error, &["`model` (a dictionary)", "`epoch` (a number)"]);
    assert_says(
        &open("whole_list.pt").unwrap_err(),
        &["its pickle is a list"],
    );
    assert_says(&refusal(with_header("{}")), &["no tensors"]);
}

#[test]
fn a_zip_file_of_something_else_is_not_a_checkpoint() {
    let error = open("not_torch.zip").unwrap_err();
    assert_says(&error, &["1 files without a `data.pkl`"]);
}

#[test]
fn a_flipped_bit_in_a_tensor_is_noticed() {
    let checkpoint = open("flipped_bit.pt").unwrap();
    let error = checkpoint.read_f32("weight").unwrap_err();
    assert!(matches!(error, WeightsError::Corrupt { .. }));
    assert_says(&error, &["`data/0`", "checksum"]);
}

#[test]
fn other_files_are_described() {
    let says = |bytes: &[u8], what| {
        let error = refusal(bytes.to_vec());
        assert!(matches!(error, WeightsError::UnknownFormat { .. }));
        assert_says(&error, &["given.file", what, "`.safetensors`"]);
    };
    says(b"", "it is empty");
    says(b"\x89PNG\r\n\x1a\n....", "89 50 4e 47");
    says(b"version https://git-lfs.github.com/spec/v1\n", "Git LFS");
    says(b"<!DOCTYPE html>", "web page");
    says(&[0; 64], "zero bytes");
    says(b"\x80\x04]\x94.", "bare Python pickle");
}

#[test]
fn every_truncation_is_an_error() {
    for file in ["float32.pt", "deflated.pt", "float32.safetensors"] {
        let bytes = fixture_bytes(file);
        for length in 0..bytes.len() {
            let cut = bytes.get(..length).unwrap_or_default().to_vec();
            assert!(
                Checkpoint::from_bytes(file, cut).is_err(),
                "{file} cut to {length}"
            );
        }
    }
    let mut cut = fixture_bytes("float32.pt");
    cut.truncate(1000);
    assert_says(&refusal(cut), &["damaged", "probably incomplete"]);
    let mut cut = fixture_bytes("float32.safetensors");
    cut.truncate(300);
    assert_says(&refusal(cut), &["probably incomplete"]);
}

#[test]
fn hostile_lengths_in_a_safetensors_header_are_refused() {
    let mut announced = u64::MAX.to_le_bytes().to_vec();
    announced.push(b'{');
    assert_says(
        &refusal(announced),
        &["announces a header of 18446744073709551615"],
    );
    for header in [
        r#"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#,
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#,
        r#"{"w":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}"#,
        r#"{"w":{"dtype":"F32","shape":[0,4611686018427387904,16],"data_offsets":[0,0]}}"#,
        r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        r#"{"a\u001bb":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
        r#"{"w":"#,
        &format!("{{\"__metadata__\":{}", "[".repeat(100_000)),
    ] {
        assert!(matches!(
            refusal(with_header(header)),
            WeightsError::Corrupt { .. }
        ));
    }
}

#[test]
fn a_missing_file_and_a_folder_are_told_by_name() {
    assert_says(
        &open("absent.pt").unwrap_err(),
        &["cannot open", "absent.pt"],
    );
    assert_says(&open("").unwrap_err(), &["cannot open", "directory"]);
    let error = open("float32.pt").unwrap().read_f32("absent").unwrap_err();
    assert_says(&error, &["no tensor named `absent`"]);
}

#[test]
fn a_mismatch_lists_ten_of_each_and_counts_the_rest() {
    let names = |what: &str, n: usize| (0..n).map(|i| format!("{what}.{i}")).collect();
    let error = WeightsError::Mismatch {
        path: "x.pt".into(),
        missing: names("absent", 13),
        unexpected: names("extra", 10),
        wrong_shape: vec![WrongShape {
            name: "bent".into(),
            found: vec![2, 3],
            expected: vec![3, 2],
        }],
    };
    assert_says(
        &error,
        &[
            "x.pt",
            "13 missing:\n    absent.0\n",
            "absent.9\n    and 3 more",
            "10 unexpected",
            "extra.9\n  1 wrongly shaped",
            "bent: found [2, 3], expected [3, 2]",
        ],
    );
}
