//! What the integration tests share: fixtures, models, and comparisons with the reference.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use masklet::{BoxPrompt, Compute, Model, Sam2Config};
use masklet_media::RgbImage;
use masklet_model::LoadedModel;
use masklet_model::weights::{CONFIG_KEY, Checkpoint, Precision, save_safetensors};
use serde::de::DeserializeOwned;

pub const FAMILIES: [&str; 2] = ["sam2", "sam2.1"];

/// A file under `fixtures/`.
pub fn fixture(path: impl AsRef<Path>) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    root.join(path)
}

pub fn picture(path: &str) -> RgbImage {
    RgbImage::open(fixture(path)).unwrap()
}

/// The first frames of the video.
pub fn frames(count: usize) -> Vec<RgbImage> {
    let paths = (0..count).map(|i| format!("frames/{i:05}.png"));
    paths.map(|path| picture(&path)).collect()
}

/// A family's `<name>.json`.
pub fn json<T: DeserializeOwned>(family: &str, name: &str) -> T {
    let text = std::fs::read_to_string(fixture(format!("{family}/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn config(family: &str) -> Sam2Config {
    json(family, "config")
}

pub fn checkpoint(family: &str) -> Checkpoint {
    Checkpoint::open(fixture(format!("{family}/model.pt"))).unwrap()
}

/// A family's micro model.
pub fn model(family: &str) -> Model {
    let compute = Compute::default();
    let loaded =
        LoadedModel::from_checkpoint(&checkpoint(family), &config(family), &compute).unwrap();
    Model::from_loaded(loaded, compute)
}

/// The micro model with parameters of the reference's run in place of the checkpoint's.
pub fn model_of(family: &str, config: &Sam2Config, reference: &Reference) -> Model {
    let checkpoint = checkpoint(family);
    let tensors: Vec<_> = checkpoint
        .tensors()
        .map(|(name, info)| {
            let replaced = reference.values(&format!("override/{name}"));
            let values = replaced.unwrap_or_else(|| checkpoint.read_f32(name).unwrap());
            (name, info.shape.as_slice(), values)
        })
        .collect();
    let tensors = tensors
        .iter()
        .map(|(name, shape, values)| (*name, *shape, values.as_slice()));
    let config = serde_json::to_string(config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config)]);
    save_safetensors(&path, tensors, Precision::F32, metadata).unwrap();
    Model::open(path).unwrap()
}

pub fn bounds([x0, y0, x1, y1]: [f32; 4]) -> BoxPrompt {
    BoxPrompt::new(x0, y0, x1, y1)
}

/// The tensors that the official package computed.
pub struct Reference(Checkpoint);

impl Reference {
    /// A family's `<name>.safetensors`.
    pub fn open(family: &str, name: &str) -> Self {
        Self(Checkpoint::open(fixture(format!("{family}/{name}.safetensors"))).unwrap())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names()
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no {name}"))
            .shape
    }

    pub fn values(&self, name: &str) -> Option<Vec<f32>> {
        let known = self.0.get(name).is_some();
        known.then(|| self.0.read_f32(name).unwrap())
    }

    /// Packed masks as one row of bits each, `pixels` long.
    pub fn masks(&self, name: &str, pixels: usize) -> Option<Vec<Vec<bool>>> {
        let bytes = self.values(name)?;
        let bit = |row: &[f32], i: usize| row[i / 8] as u8 >> (7 - i % 8) & 1 == 1;
        let rows = bytes.chunks_exact(pixels.div_ceil(8));
        Some(
            rows.map(|row| (0..pixels).map(|i| bit(row, i)).collect())
                .collect(),
        )
    }
}

/// Comparisons with the reference: the worst so far, and everything beyond the tolerance.
#[derive(Default)]
pub struct Comparison {
    tolerance: f32,
    pub largest_error: f32,
    pub smallest_iou: f64,
    pub flipped_pixels: usize,
    pub compared: usize,
    failures: Vec<String>,
}

impl Comparison {
    /// `tolerance` is the largest difference, relative to the largest absolute value of a tensor (or
    /// to 1 where that is smaller).
    pub fn new(tolerance: f32) -> Self {
        Self {
            tolerance,
            smallest_iou: 1.0,
            ..Self::default()
        }
    }

    pub fn values(&mut self, name: &str, actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len(), "{name}");
        let difference = largest(actual.iter().zip(expected).map(|(a, b)| a - b));
        let error = difference / largest(expected.iter().copied()).max(1.0);
        self.compared += 1;
        self.largest_error = self.largest_error.max(error);
        if error > self.tolerance {
            self.failures.push(format!("{name} is {error:.1e} off"));
        }
    }

    /// The mask that logits stand for. A pixel may only differ where the tolerance leaves open on
    /// which side it is: `doubtful` is told the pixel and the largest difference within tolerance.
    pub fn mask(
        &mut self,
        name: &str,
        logits: &[f32],
        expected: &[bool],
        doubtful: impl Fn(usize, f32) -> bool,
    ) {
        assert_eq!(logits.len(), expected.len(), "{name}");
        let noise = self.tolerance * largest(logits.iter().copied());
        let (mut both, mut either, mut wrong) = (0, 0, 0);
        for (pixel, (&logit, &expected)) in logits.iter().zip(expected).enumerate() {
            let actual = logit > 0.0;
            both += usize::from(actual && expected);
            either += usize::from(actual || expected);
            if actual != expected {
                self.flipped_pixels += 1;
                wrong += usize::from(!doubtful(pixel, noise));
            }
        }
        let iou = if either == 0 {
            1.0
        } else {
            both as f64 / either as f64
        };
        self.compared += 1;
        self.smallest_iou = self.smallest_iou.min(iou);
        if wrong > 0 {
            self.failures
                .push(format!("{name} has {wrong} wrong pixels, IoU {iou:.4}"));
        }
    }

    /// Prints the worst of all, and fails if anything was beyond the tolerance.
    pub fn finish(self, what: &str) {
        println!(
            "{what}: largest error {:.1e}, smallest IoU {:.4}, {} pixels differ, {} compared",
            self.largest_error, self.smallest_iou, self.flipped_pixels, self.compared
        );
        let shown = self.failures.len().min(12);
        assert!(
            self.failures.is_empty(),
            "{what}: {} of {} differ by more than {:.0e}:\n{}",
            self.failures.len(),
            self.compared,
            self.tolerance,
            self.failures[..shown].join("\n")
        );
    }
}

/// The largest absolute value; infinite if something is not a number (which `max` would pass over).
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    let magnitudes = values.map(|x| if x.is_nan() { f32::INFINITY } else { x.abs() });
    magnitudes.fold(0.0, f32::max)
}

/// Every second value of every second row of a square map.
pub fn every_2nd(map: &[f32]) -> Vec<f32> {
    let side = map.len().isqrt();
    let rows = map.chunks_exact(side).step_by(2);
    rows.flat_map(|row| row.iter().step_by(2).copied())
        .collect()
}

/// A video that does not say how long it is.
pub struct UnknownLength(pub masklet_media::MemoryFrames);

impl masklet_media::FrameSource for UnknownLength {
    fn dimensions(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn frame_count(&self) -> Option<usize> {
        None
    }

    fn frame(&mut self, index: usize) -> masklet_media::Result<Option<RgbImage>> {
        self.0.frame(index)
    }
}
