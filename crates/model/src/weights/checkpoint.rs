//! [`Checkpoint`]: a file and the table of its tensors.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::Fault;
use super::mapped_file::FileBytes;
use super::storage::{Layout, Storages};
use super::{Dtype, WeightsError, safetensors_file, torch_file};

/// How a checkpoint is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// PyTorch's zip file around a pickle.
    Torch,
    /// A JSON table and the raw tensors.
    Safetensors,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torch => "torch",
            Self::Safetensors => "safetensors",
        })
    }
}

/// What is known of a tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Number format in the file.
    pub dtype: Dtype,
    /// Size along each dimension; empty for a scalar.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Number of elements. Readers check that it does not overflow before they let a tensor in.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A tensor of the file: what it is, and where.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub info: TensorInfo,
    pub layout: Layout,
}

/// What a reader makes of a file.
#[derive(Debug)]
pub(super) struct Contents {
    pub format: Format,
    pub entries: Vec<Entry>,
    pub storages: Storages,
    pub metadata: BTreeMap<String, String>,
}

/// An open checkpoint file.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    bytes: FileBytes,
    contents: Contents,
    index: HashMap<String, usize>,
}

impl Checkpoint {
    /// Opens a PyTorch `.pt` file or a `.safetensors` file, told apart by their content.
    ///
    /// # Errors
    /// When the file cannot be opened, is in no accepted format, is damaged, or holds anything but
    /// tensors and plain values.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        Self::of(path, FileBytes::open(path)?)
    }

    /// Reads a checkpoint that is already in memory; `path` names it in messages.
    ///
    /// # Errors
    /// As for [`Checkpoint::open`].
    pub fn from_bytes(
        path: impl AsRef<Path>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, WeightsError> {
        Self::of(path.as_ref(), FileBytes::Held(bytes.into()))
    }

    fn of(path: &Path, bytes: FileBytes) -> Result<Self, WeightsError> {
        let contents = read(&bytes).map_err(|fault| fault.in_file(path))?;
        let index = contents
            .entries
            .iter()
            .enumerate()
            .map(|(i, entry)| (entry.name.clone(), i))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            bytes,
            contents,
            index,
        })
    }

    /// The tensors' names, in the order in which the file lists them.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.contents.entries.iter().map(|e| e.name.as_str())
    }

    /// Names and descriptions, in the same order.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.contents
            .entries
            .iter()
            .map(|e| (e.name.as_str(), &e.info))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.contents.entries.len()
    }

    /// Whether there is no tensor; an open checkpoint has at least one.
    pub fn is_empty(&self) -> bool {
        self.contents.entries.is_empty()
    }

    /// Describes a tensor, if the file has it.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        Some(&self.entry(name)?.info)
    }

    /// A tensor's values in row-major order, whatever their order and format in the file.
    ///
    /// Integers and `f64` are rounded to the nearest `f32`.
    ///
    /// # Errors
    /// When there is no such tensor, or its bytes are damaged.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let entry = self
            .entry(name)
            .ok_or_else(|| WeightsError::UnknownTensor {
                path: self.path.clone(),
                name: name.to_owned(),
            })?;
        self.contents
            .storages
            .read_f32(&self.bytes, &entry.info, &entry.layout)
            .map_err(|fault| fault.in_file(&self.path))
    }

    /// A text of the file's metadata: the `__metadata__` of a `.safetensors` file, or a string
    /// beside `"model"` in a `.pt` file.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.contents.metadata.get(key).map(String::as_str)
    }

    /// All elements of all tensors. Tensors that share memory are counted each.
    pub fn parameter_count(&self) -> u64 {
        self.contents.entries.iter().fold(0, |sum: u64, e| {
            sum.saturating_add(e.info.elements() as u64)
        })
    }

    /// The number formats that occur.
    pub fn dtypes(&self) -> BTreeSet<Dtype> {
        self.contents.entries.iter().map(|e| e.info.dtype).collect()
    }

    /// How the file stores its tensors.
    pub fn format(&self) -> Format {
        self.contents.format
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes.
    pub fn file_size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.index
            .get(name)
            .and_then(|&i| self.contents.entries.get(i))
    }
}

/// Tells the formats apart by their first bytes.
fn read(bytes: &[u8]) -> Result<Contents, Fault> {
    if torch_file::is_zip(bytes) {
        return torch_file::read(bytes);
    }
    if torch_file::is_legacy(bytes) {
        return Err(Fault::Legacy);
    }
    if safetensors_file::is_safetensors(bytes) {
        return safetensors_file::read(bytes);
    }
    Err(Fault::UnknownFormat(first_impression(bytes).into_owned()))
}

/// Says what a file of no accepted format looks like.
fn first_impression(bytes: &[u8]) -> Cow<'static, str> {
    let starts = |prefix: &str| bytes.starts_with(prefix.as_bytes());
    if bytes.is_empty() {
        return "it is empty".into();
    }
    if starts("version https://git-lfs") {
        return "it is a Git LFS pointer, not the file itself (run `git lfs pull`)".into();
    }
    if starts("<") {
        return "it looks like a web page, perhaps a failed download".into();
    }
    if bytes.iter().all(|&b| b == 0) {
        return "it consists of zero bytes, perhaps an interrupted download".into();
    }
    if let [0x80, 2..=5, ..] = bytes {
        return "it is a bare Python pickle, which PyTorch's zip files contain but which is not \
                read by itself"
            .into();
    }
    let start: Vec<_> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("its first bytes are {}", start.join(" ")).into()
}
