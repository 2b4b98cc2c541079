use std::path::Path;

use masklet_model::weights::{Checkpoint, Precision, WeightsError, average, save_safetensors};
use tempfile::TempDir;

/// A checkpoint with the tensors `w` of this shape and `b`.
fn file(
    folder: &TempDir,
    name: &str,
    shape: &[usize],
    w: &[f32],
    b: f32,
    config: &str,
) -> Checkpoint {
    let path = folder.path().join(name);
    let metadata = [("masklet.config".to_owned(), config.to_owned())];
    let tensors = [("w", shape, w), ("b", &[1][..], &[b][..])];
    save_safetensors(&path, tensors, Precision::F32, metadata.into()).unwrap();
    Checkpoint::open(&path).unwrap()
}

fn refused(checkpoints: &[(Checkpoint, f64)], out: &Path) -> WeightsError {
    let error = average(checkpoints, out, Precision::F32).unwrap_err();
    assert!(!out.exists());
    error
}

#[test]
fn each_file_counts_by_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let one = file(&folder, "one", &[2], &[1.0, -4.0], 10.0, "first");
    let other = file(&folder, "other", &[2], &[6.0, 1.0], 0.0, "second");
    let third = file(&folder, "third", &[2], &[5.0, 0.5], 5.0, "third");
    let out = folder.path().join("out");
    let two = [(one, 3.0), (other, 2.0)];
    average(&two, &out, Precision::F32).unwrap();
    let written = Checkpoint::open(&out).unwrap();
    assert_eq!(written.names().collect::<Vec<_>>(), ["w", "b"]);
    assert_eq!(written.read_f32("w").unwrap(), [3.0, -2.0]);
    assert_eq!(written.read_f32("b").unwrap(), [6.0]);
    assert_eq!(written.metadata("masklet.config"), Some("first"));

    let [(one, _), (other, _)] = two;
    let three = [(one, 1.0), (other, 1.0), (third, 2.0)];
    average(&three, &out, Precision::F16).unwrap();
    let written = Checkpoint::open(&out).unwrap();
    assert_eq!(written.read_f32("w").unwrap(), [4.25, -0.5]);
    assert_eq!(written.read_f32("b").unwrap(), [5.0]);
}

#[test]
fn a_file_of_another_network_is_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let one = file(&folder, "one", &[2], &[1.0, 2.0], 0.0, "");
    let other = file(&folder, "other", &[2, 1], &[1.0, 2.0], 0.0, "");
    let error = refused(&[(one, 1.0), (other, 1.0)], &out).to_string();
    assert!(error.contains("w: found [2, 1], expected [2]"), "{error}");

    let one = file(&folder, "one", &[2], &[1.0, 2.0], 0.0, "");
    let path = folder.path().join("less");
    let tensors = [("b", &[1][..], &[1.0][..]), ("v", &[1][..], &[1.0][..])];
    save_safetensors(&path, tensors, Precision::F32, [].into()).unwrap();
    let less = Checkpoint::open(&path).unwrap();
    let error = refused(&[(one, 1.0), (less, 1.0)], &out).to_string();
    for words in [
        "less are not those of",
        "1 missing:\n    w",
        "1 unexpected:\n    v",
    ] {
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_no_share_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (shares, named) in [
        ([1.0, 0.0], "0"),
        ([-1.0, -1.0], "-1"),
        ([f64::NAN, 1.0], "NaN"),
        ([f64::INFINITY, 1.0], "inf"),
        ([f64::MAX, f64::MAX], "17976"),
    ] {
        let files = shares.map(|share| (file(&folder, "one", &[1], &[1.0], 0.0, ""), share));
        let error = refused(&files, &out).to_string();
        assert!(error.contains(&format!("the share {named}")), "{error}");
    }
    assert!(matches!(
        refused(&[], &out),
        WeightsError::Unwritable { .. }
    ));
}
