//! The micro model, and the tensors the official package computed with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use masklet_media::{RgbImage, preprocess};

use crate::config::Sam2Config;
use crate::weights::Checkpoint;
use crate::{Compute, ImageFeatures, LoadedModel, Sam2};

/// A family's network with its expected tensors, and a record of what was compared.
pub(super) struct Reference {
    pub(super) network: Sam2,
    tensors: Checkpoint,
    used: RefCell<BTreeSet<String>>,
    errors: RefCell<BTreeMap<String, f32>>,
}

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

impl Reference {
    pub(super) fn open(family: &str) -> Self {
        let folder = fixtures().join(family);
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let config: Sam2Config = serde_json::from_str(&config).unwrap();
        let checkpoint = Checkpoint::open(folder.join("model.pt")).unwrap();
        let loaded =
            LoadedModel::from_checkpoint(&checkpoint, &config, &Compute::default()).unwrap();
        Self {
            network: loaded.network,
            tensors: Checkpoint::open(folder.join("components.safetensors")).unwrap(),
            used: RefCell::default(),
            errors: RefCell::default(),
        }
    }

    /// The network input of the component tests, `[1, size, size, 3]`.
    pub(super) fn pixels(&self) -> Tensor<4> {
        let size = self.network.config().image_size;
        let picture = RgbImage::open(fixtures().join("pictures/input.png")).unwrap();
        let pixels = preprocess::for_video_predictor(&picture, size);
        Tensor::from_data(TensorData::new(pixels, [1, size, size, 3]), &Device::flex())
    }

    /// The features that the official package computed.
    pub(super) fn features(&self) -> ImageFeatures {
        ImageFeatures::new(
            self.map("features/stride_16"),
            self.map("features/stride_4"),
            self.map("features/stride_8"),
        )
    }

    /// Whether this family has the tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.get(name).is_some()
    }

    /// A tensor's shape and values.
    fn read(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let info = self
            .tensors
            .get(name)
            .unwrap_or_else(|| panic!("no {name}"));
        self.used.borrow_mut().insert(name.to_owned());
        (info.shape.clone(), self.tensors.read_f32(name).unwrap())
    }

    /// A tensor as the fixture has it, with leading dimensions of 1 as needed.
    pub(super) fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (shape, values) = self.read(name);
        let mut full = vec![1; D - shape.len()];
        full.extend(shape);
        Tensor::from_data(TensorData::new(values, full), &Device::flex())
    }

    /// A channels-first map `[channels, height, width]` as `[1, height, width, channels]`.
    pub(super) fn map(&self, name: &str) -> Tensor<4> {
        self.tensor::<4>(name).permute([0, 2, 3, 1])
    }

    /// Compares a tensor, whose leading dimensions may be 1, with the fixture's.
    pub(super) fn check<const D: usize>(&self, name: &str, actual: Tensor<D>) {
        let (shape, expected) = self.read(name);
        let dims = actual.dims();
        assert!(dims.ends_with(&shape), "{name} is {dims:?}, not {shape:?}");
        let actual: Vec<f32> = actual.into_data().try_into_vec().unwrap();
        assert_eq!(actual.len(), expected.len(), "{name}");
        let largest = expected
            .iter()
            .fold(f32::MIN_POSITIVE, |m, x| m.max(x.abs()));
        let pairs = actual.iter().zip(&expected);
        let error = pairs.fold(0.0, |m: f32, (a, b)| m.max(magnitude(a - b))) / largest;
        self.errors.borrow_mut().insert(name.to_owned(), error);
    }

    /// Compares a channels-last map with a channels-first one.
    pub(super) fn check_map(&self, name: &str, actual: Tensor<4>) {
        self.check(name, actual.permute([0, 3, 1, 2]));
    }

    /// Compares tokens in the order of the grid's rows with a channels-first map.
    pub(super) fn check_grid(&self, name: &str, tokens: Tensor<3>) {
        let [batch, _, channels] = tokens.dims();
        let grid = self.network.config().grid();
        self.check_map(name, tokens.reshape([batch, grid, grid, channels]));
    }

    /// The largest relative difference of every tensor that was compared.
    pub(super) fn report(&self) -> String {
        let errors = self.errors.borrow();
        let lines = errors.iter().map(|(name, e)| format!("{e:8.1e}  {name}\n"));
        lines.collect()
    }

    /// The tensors whose difference is not within `tolerance`.
    pub(super) fn beyond(&self, tolerance: f32) -> Vec<String> {
        let errors = self.errors.borrow();
        let beyond = errors.iter().filter(|(_, e)| **e > tolerance);
        beyond.map(|(name, _)| name.clone()).collect()
    }

    /// The fixture's tensors that nobody looked at.
    pub(super) fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        let unused = self.tensors.names().filter(|name| !used.contains(*name));
        unused.map(str::to_owned).collect()
    }
}

/// The absolute value, infinite for what is not a number (which `max` would pass over).
fn magnitude(x: f32) -> f32 {
    if x.is_nan() { f32::INFINITY } else { x.abs() }
}

/// Every `n`-th row and column of a channels-last map.
pub(super) fn every(x: Tensor<4>, n: usize) -> Tensor<4> {
    let [_, height, width, _] = x.dims();
    let indices = |len: usize| (0..len).step_by(n).map(|i| i as i32).collect::<Vec<_>>();
    let select = |x: Tensor<4>, dim: usize, len: usize| {
        let indices = Tensor::from_data(indices(len).as_slice(), &x.device());
        x.select(dim, indices)
    };
    select(select(x, 1, height), 2, width)
}
