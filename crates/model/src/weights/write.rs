//! Writing `.safetensors` files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::storage::{byte_length, count};
use super::{CONFIG_KEY, Checkpoint, Precision, WeightsError};

/// Writes a checkpoint as `.safetensors`, with the same names in the same order.
///
/// Values are rounded to the nearest representable one, ties to even. The file's
/// [`CONFIG_KEY`] is kept. One tensor is in memory at a time, and the file appears under its name
/// only when it is complete; it may replace the file that is being read.
///
/// # Errors
/// When a tensor is damaged, a value does not fit the format, or the file cannot be written.
pub fn convert(
    checkpoint: &Checkpoint,
    out: &Path,
    precision: Precision,
) -> Result<(), WeightsError> {
    write_like(checkpoint, out, precision, |name| {
        checkpoint.read_f32(name).map(Cow::Owned)
    })
}

/// Writes a file with a checkpoint's names, shapes and configuration, and the values that `values`
/// gives for each name.
pub(super) fn write_like<'v>(
    checkpoint: &Checkpoint,
    out: &Path,
    precision: Precision,
    mut values: impl FnMut(&str) -> Result<Cow<'v, [f32]>, WeightsError>,
) -> Result<(), WeightsError> {
    let tensors: Vec<(&str, &[usize])> = checkpoint
        .tensors()
        .map(|(name, info)| (name, info.shape.as_slice()))
        .collect();
    let config = checkpoint.metadata(CONFIG_KEY);
    let metadata = config.map(|config| (CONFIG_KEY.to_owned(), config.to_owned()));
    write(
        out,
        &tensors,
        precision,
        metadata.into_iter().collect(),
        |i| values(tensors.get(i).map_or("", |(name, _)| name)),
    )
}

/// Writes tensors as `.safetensors`: each with its name, its shape and its values in row-major
/// order.
///
/// `metadata` is stored as it is, and `format: pt` beside it, so that Python's readers accept the
/// file. The file appears under its name only when it is complete.
///
/// # Errors
/// When a name occurs twice, a shape and its values disagree, a value does not fit the format, or
/// the file cannot be written. Nothing is left behind then.
pub fn save_safetensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a [usize], &'a [f32])>,
    precision: Precision,
    metadata: BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    let (table, values): (Vec<_>, Vec<_>) = tensors
        .into_iter()
        .map(|(name, shape, values)| ((name, shape), values))
        .unzip();
    write(path, &table, precision, metadata, |i| {
        Ok(Cow::Borrowed(values.get(i).copied().unwrap_or_default()))
    })
}

fn write<'v>(
    path: &Path,
    tensors: &[(&str, &[usize])],
    precision: Precision,
    mut metadata: BTreeMap<String, String>,
    mut values: impl FnMut(usize) -> Result<Cow<'v, [f32]>, WeightsError>,
) -> Result<(), WeightsError> {
    let unwritable = |what: String| WeightsError::Unwritable {
        path: path.to_owned(),
        what,
    };
    let failed = |source| WeightsError::io("write", path, source);
    metadata
        .entry("format".to_owned())
        .or_insert_with(|| "pt".to_owned());
    let header = header(tensors, precision, &metadata).map_err(unwritable)?;
    let mut file = Unfinished::create(path).map_err(failed)?;
    file.write(&header).map_err(failed)?;
    let mut bytes = Vec::new();
    for (i, (name, shape)) in tensors.iter().enumerate() {
        let values = values(i)?;
        if Some(values.len()) != count(shape) {
            return Err(unwritable(format!(
                "tensor `{name}` of shape {shape:?} comes with {} values",
                values.len()
            )));
        }
        precision
            .encode(&values, &mut bytes)
            .map_err(|value| WeightsError::OutOfRange {
                name: (*name).to_owned(),
                value,
                dtype: precision,
                max: precision.max(),
            })?;
        file.write(&bytes).map_err(failed)?;
    }
    file.finish(path).map_err(failed)
}

/// The length of the table, and the table, padded so that the tensors begin at a multiple of 8.
fn header(
    tensors: &[(&str, &[usize])],
    precision: Precision,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, String> {
    let mut names = HashSet::from(["__metadata__"]);
    let mut items = Vec::with_capacity(tensors.len());
    let mut end = 0_usize;
    for &(name, shape) in tensors {
        if !names.insert(name) {
            return Err(format!("the name `{name}` is taken"));
        }
        let begin = end;
        end = count(shape)
            .and_then(|n| byte_length(n, precision.dtype()))
            .and_then(|length| begin.checked_add(length))
            .ok_or_else(|| format!("tensor `{name}` of shape {shape:?} is too large"))?;
        items.push((name, shape, [begin, end]));
    }
    let table = TensorTable {
        dtype: precision.dtype().name().to_uppercase(),
        items,
        metadata,
    };
    let mut json = serde_json::to_vec(&table).map_err(|error| error.to_string())?;
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.append(&mut json);
    Ok(header)
}

/// The JSON of the header, with the tensors in the order of their bytes.
struct TensorTable<'a> {
    dtype: String,
    items: Vec<(&'a str, &'a [usize], [usize; 2])>,
    metadata: &'a BTreeMap<String, String>,
}

#[derive(serde::Serialize)]
struct TensorItem<'a> {
    dtype: &'a str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

impl Serialize for TensorTable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.items.len() + 1))?;
        map.serialize_entry("__metadata__", self.metadata)?;
        for &(name, shape, data_offsets) in &self.items {
            let dtype = &self.dtype;
            let item = TensorItem {
                dtype,
                shape,
                data_offsets,
            };
            map.serialize_entry(name, &item)?;
        }
        map.end()
    }
}

/// A file under a temporary name beside its final one. It is removed unless it is finished.
struct Unfinished {
    /// `None` once the file has its final name.
    temporary: Option<PathBuf>,
    file: BufWriter<File>,
}

impl Unfinished {
    fn create(path: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{number}.tmp", process::id()));
        let temporary = path.with_file_name(temporary);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)?;
        Ok(Self {
            temporary: Some(temporary),
            file: BufWriter::with_capacity(1 << 16, file),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Puts the bytes on the disk, then the file in its place.
    fn finish(mut self, path: &Path) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, path)?;
        }
        self.temporary = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}
