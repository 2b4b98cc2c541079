//! Averaging the weights of checkpoints of one network.

use std::borrow::Cow;
use std::path::Path;

use super::error::differences;
use super::write::write_like;
use super::{Checkpoint, Precision, WeightsError, WrongShape};

/// Writes the average of two or more checkpoints of one network as `.safetensors`, each counted by
/// its share; shares are relative, so that 3 and 2 are 0.6 and 0.4.
///
/// Names, their order and the configuration are those of the first file. Sums are in f64. One tensor
/// of each file is in memory at a time, and the file appears under its name only when it is complete.
///
/// Where stages of a training run are far along and near each other, their average is often better
/// than either (model soups, arXiv 2203.05482).
///
/// # Errors
/// When there is nothing to average, a share is not above zero, a file's tensors are not those of the
/// first, and as for [`convert`](super::convert).
pub fn average(
    checkpoints: &[(Checkpoint, f64)],
    out: &Path,
    precision: Precision,
) -> Result<(), WeightsError> {
    let Some(((first, _), others)) = checkpoints.split_first() else {
        return Err(WeightsError::Unwritable {
            path: out.to_owned(),
            what: "there is no checkpoint to average".to_owned(),
        });
    };
    let total: f64 = checkpoints.iter().map(|(_, share)| share).sum();
    // The second also tells infinities, in a share or in the sum.
    let usable = |share: f64| share > 0.0 && share / total > 0.0;
    if let Some((_, share)) = checkpoints.iter().find(|(_, share)| !usable(*share)) {
        return Err(WeightsError::BadShare(*share));
    }
    for (other, _) in others {
        check_alike(first, other)?;
    }
    write_like(first, out, precision, |name| {
        let mut sum = Vec::new();
        for (checkpoint, share) in checkpoints {
            let values = checkpoint.read_f32(name)?;
            sum.resize(values.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += share / total * f64::from(value);
            }
        }
        let rounded = sum.into_iter().map(|value: f64| value as f32).collect();
        Ok(Cow::Owned(rounded))
    })
}

/// Checks that two files have tensors of the same names and shapes.
fn check_alike(first: &Checkpoint, other: &Checkpoint) -> Result<(), WeightsError> {
    let lacking = |from: &Checkpoint, names: &Checkpoint| -> Vec<String> {
        let absent = names.names().filter(|name| from.get(name).is_none());
        absent.map(str::to_owned).collect()
    };
    let missing = lacking(other, first);
    let unexpected = lacking(first, other);
    let wrong_shape: Vec<_> = first
        .tensors()
        .filter_map(|(name, info)| {
            let found = &other.get(name)?.shape;
            (*found != info.shape).then(|| WrongShape {
                name: name.to_owned(),
                found: found.clone(),
                expected: info.shape.clone(),
            })
        })
        .collect();
    let differences = differences(&missing, &unexpected, &wrong_shape);
    if differences.is_empty() {
        return Ok(());
    }
    Err(WeightsError::NotAlike {
        path: other.path().to_owned(),
        first: first.path().to_owned(),
        differences,
    })
}
