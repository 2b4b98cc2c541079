//! PyTorch `.pt` files: a zip archive of a pickle and one file for each storage.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;

use zip::CompressionMethod;

use super::TensorInfo;
use super::checkpoint::{Contents, Entry, Format};
use super::error::Fault;
use super::pickle::{Unpickled, Value, printable, unpickle};
use super::storage::{self, Encoding, Storage, Storages};

/// Begins like a zip archive.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Begins with the pickled number with which PyTorch marked its files before 1.6.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    matches!(bytes, [0x80, _, 0x8a, 10, rest @ ..] if rest.starts_with(&MAGIC))
}

/// Reads the table of tensors.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, Fault> {
    let mut archive = Archive::open(bytes)?;
    archive.check_byte_order()?;
    let pickle = archive.member("data.pkl")?;
    let pickle_bytes = pickle.bytes(bytes)?;
    pickle.check(&pickle_bytes)?;
    let unpickled = unpickle(&pickle_bytes)?;
    let table = Table::of(&unpickled)?;
    let mut storages = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut entries = Vec::with_capacity(table.tensors.len());
    for (name, tensor) in &table.tensors {
        let described = unpickled.tensors.get(*tensor);
        let of = described.and_then(|t| unpickled.storages.get(t.storage));
        let (Some(tensor), Some(of)) = (described, of) else {
            return Err(Fault::corrupt(format!("tensor `{name}` has no storage")));
        };
        let index = match known.get(of.key) {
            Some(&index) => index,
            None => {
                storages.push(archive.member(&format!("data/{}", of.key))?);
                known.insert(of.key, storages.len() - 1);
                storages.len() - 1
            }
        };
        let there = storages.get(index).map_or(0, Storage::size);
        if storage::byte_length(of.elements, of.dtype).is_none_or(|needed| needed > there) {
            return Err(Fault::corrupt(format!(
                "tensor `{name}` needs a storage of {} {} elements, but the one there has {there} \
                 bytes",
                of.elements, of.dtype
            )));
        }
        let layout = storage::layout(
            index,
            of.elements,
            tensor.offset,
            &tensor.shape,
            &tensor.strides,
        )
        .map_err(|what| Fault::corrupt(format!("tensor `{name}`: {what}")))?;
        entries.push(Entry {
            name: (*name).to_owned(),
            info: TensorInfo {
                dtype: of.dtype,
                shape: tensor.shape.clone(),
            },
            layout,
        });
    }
    Ok(Contents {
        format: Format::Torch,
        entries,
        storages: Storages::new(storages),
        metadata: table.metadata,
    })
}

/// The zip archive, whose members all lie in one folder of any name.
struct Archive<'a> {
    bytes: &'a [u8],
    zip: zip::ZipArchive<Cursor<&'a [u8]>>,
    folder: String,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            Fault::corrupt(format!(
                "its zip directory, which stands at the end, is missing or broken ({error}), so \
                 the file is probably incomplete"
            ))
        })?;
        let folder = zip
            .file_names_raw()
            .filter_map(|name| std::str::from_utf8(name).ok()?.strip_suffix("data.pkl"))
            .find(|folder| folder.is_empty() || folder.find('/') == Some(folder.len() - 1))
            .map(str::to_owned)
            .ok_or_else(|| {
                Fault::Unsupported(format!(
                    "it is a zip archive of {} files without a `data.pkl`, so it was not written \
                     by `torch.save`; accepted are PyTorch `.pt` files and `.safetensors`",
                    zip.len()
                ))
            })?;
        let archive = Self { bytes, zip, folder };
        if archive.index_of("constants.pkl").is_some() {
            return Err(Fault::Unsupported(
                "it is a TorchScript archive, which holds a program; save the weights alone: \
                 `torch.save({\"model\": model.state_dict()}, \"clean.pt\")`"
                    .into(),
            ));
        }
        Ok(archive)
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.zip.index_for_name(&format!("{}{name}", self.folder))
    }

    /// Finds a member's bytes in the file.
    fn member(&mut self, name: &str) -> Result<Storage, Fault> {
        let shown = printable(name);
        let index = self
            .index_of(name)
            .ok_or_else(|| Fault::corrupt(format!("its zip archive has no member `{shown}`")))?;
        let broken =
            |what: &str| Fault::corrupt(format!("the zip archive's member `{shown}` {what}"));
        let member = self
            .zip
            .by_index_raw(index)
            .map_err(|error| broken(&format!("cannot be found ({error})")))?;
        if member.encrypted() {
            return Err(Fault::Unsupported(
                "its zip archive is encrypted; save it again without a password".into(),
            ));
        }
        let to_usize = |n: u64| usize::try_from(n).map_err(|_| broken("is too large"));
        let start = to_usize(member.data_start().ok_or_else(|| broken("has no data"))?)?;
        let packed = to_usize(member.compressed_size())?;
        let size = to_usize(member.size())?;
        let (method, crc32) = (member.compression(), member.crc32());
        drop(member);
        let available = self.bytes.len();
        let end = start.checked_add(packed).filter(|&end| end <= available);
        let end = end.ok_or_else(|| broken("reaches beyond the end of the file"))?;
        let encoding = match method {
            CompressionMethod::Stored if packed == size => Encoding::Stored,
            CompressionMethod::Stored => return Err(broken("has two different sizes")),
            // Deflate's best ratio is 1032 to 1.
            CompressionMethod::DEFLATE if size / 1040 <= packed => Encoding::Deflated { size },
            CompressionMethod::DEFLATE => return Err(broken("announces an impossible size")),
            other => {
                return Err(Fault::Unsupported(format!(
                    "its zip archive is compressed with {other}; accepted are stored and deflated \
                     members; save it again with `torch.save`"
                )));
            }
        };
        Ok(Storage {
            range: start..end,
            encoding,
            // PyTorch writes 0 when it is told not to compute checksums.
            crc32: (crc32 != 0).then_some(crc32),
            name: name.to_owned(),
        })
    }

    fn check_byte_order(&mut self) -> Result<(), Fault> {
        if self.index_of("byteorder").is_none() {
            return Ok(()); // before PyTorch 2.1: little-endian
        }
        let member = self.member("byteorder")?;
        let order = member.bytes(self.bytes)?;
        if order.trim_ascii() == b"little" {
            return Ok(());
        }
        Err(Fault::Unsupported(format!(
            "its numbers are stored in `{}`-endian order, accepted is `little`; load and save it \
             again on an x86 or ARM machine",
            printable(&String::from_utf8_lossy(&order))
        )))
    }
}

/// The parts of a pickle that a checkpoint is made of.
struct Table<'a> {
    /// Names and numbers of the tensors, in the order of the state dictionary.
    tensors: Vec<(&'a str, usize)>,
    metadata: BTreeMap<String, String>,
}

impl<'a> Table<'a> {
    /// Finds the state dictionary: the pickle itself, or what is under its key `model`.
    fn of(unpickled: &Unpickled<'a>) -> Result<Self, Fault> {
        let dict = |value| match value {
            Value::Dict(i) => unpickled.dicts.get(i),
            _ => None,
        };
        let root = dict(unpickled.root)
            .ok_or_else(|| Fault::NoTensors(format!("its pickle is {}", kind(unpickled.root))))?;
        // A key given twice has its last value, as in Python.
        let model = root
            .iter()
            .rev()
            .find(|(key, _)| *key == Value::Text("model"));
        let state = model.and_then(|&(_, value)| dict(value)).unwrap_or(root);
        let mut tensors: Vec<(&str, usize)> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for item in state {
            let (Value::Text(name), Value::Tensor(tensor)) = *item else {
                continue;
            };
            check_name(name)?;
            match known.get(name).and_then(|&at| tensors.get_mut(at)) {
                Some(earlier) => earlier.1 = tensor,
                None => {
                    known.insert(name, tensors.len());
                    tensors.push((name, tensor));
                }
            }
        }
        if tensors.is_empty() {
            return Err(Fault::NoTensors(keys(root)));
        }
        let metadata = root.iter().filter_map(|item| match *item {
            (Value::Text(key), Value::Text(text)) => Some((key.to_owned(), text.to_owned())),
            _ => None,
        });
        Ok(Self {
            tensors,
            metadata: metadata.collect(),
        })
    }
}

/// Names end up in messages and tables.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    if name.len() > 1024 || name.chars().any(char::is_control) {
        return Err(Fault::corrupt(format!(
            "a tensor is named `{}`, and names may have at most 1024 bytes and no control characters",
            printable(name)
        )));
    }
    Ok(())
}

fn keys(root: &[(Value<'_>, Value<'_>)]) -> String {
    let shown: Vec<_> = root
        .iter()
        .take(6)
        .filter_map(|(key, value)| match *key {
            Value::Text(key) => Some(format!("`{}` ({})", printable(key), kind(*value))),
            _ => None,
        })
        .collect();
    if shown.is_empty() {
        return "its pickle is a dictionary without names".into();
    }
    let more = if root.len() > 6 { ", …" } else { "" };
    format!("its pickle is a dictionary of {}{more}", shown.join(", "))
}

fn kind(value: Value<'_>) -> &'static str {
    match value {
        Value::Int(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Tuple(_) => "a tuple",
        Value::Dict(_) => "a dictionary",
        Value::Global(_) => "a type",
        Value::Storage(_) => "a bare storage",
        Value::Tensor(_) => "a tensor",
        Value::Plain => "a plain value",
    }
}
