//! `.safetensors` files: a JSON table, then the raw tensors one after another.

use safetensors::tensor::{Dtype as Stored, SafeTensorError, SafeTensors};

use super::checkpoint::{Contents, Entry, Format};
use super::error::Fault;
use super::pickle::printable;
use super::storage::{self, Encoding, Layout, Storage, Storages};
use super::torch_file::check_name;
use super::{Dtype, TensorInfo};

/// Bytes of the header's length.
const LENGTH: usize = 8;

/// Has the opening brace of a header where one belongs.
pub(super) fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(LENGTH) == Some(&b'{')
}

/// Reads the table of tensors.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, Fault> {
    let (header, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| explain(&error, bytes))?;
    let start = header
        .checked_add(LENGTH)
        .ok_or_else(|| Fault::corrupt("its header is too long"))?;
    let mut entries = Vec::new();
    let mut storages = Vec::new();
    for name in metadata.offset_keys() {
        check_name(&name)?;
        let Some(info) = metadata.info(&name) else {
            continue;
        };
        let dtype = dtype(info.dtype).ok_or_else(|| {
            Fault::Unsupported(format!(
                "tensor `{name}` has the type {}; accepted are F32, F16, BF16, F64, the signed \
                 integers, U8 and BOOL; convert it and save again",
                info.dtype
            ))
        })?;
        let (from, to) = info.data_offsets;
        let range = start.checked_add(from).zip(start.checked_add(to));
        let needed = storage::count(&info.shape).and_then(|n| storage::byte_length(n, dtype));
        match range {
            Some((from, to)) if to <= bytes.len() && to.checked_sub(from) == needed => {
                storages.push(Storage {
                    range: from..to,
                    encoding: Encoding::Stored,
                    crc32: None,
                    name: name.clone(),
                });
            }
            _ => {
                return Err(Fault::corrupt(format!(
                    "tensor `{name}` of shape {:?} does not fit its place in the file",
                    info.shape
                )));
            }
        }
        entries.push(Entry {
            name,
            info: TensorInfo {
                dtype,
                shape: info.shape.clone(),
            },
            layout: Layout {
                storage: storages.len() - 1,
                offset: 0,
                strides: None,
            },
        });
    }
    if entries.is_empty() {
        return Err(Fault::NoTensors("its table is empty".into()));
    }
    Ok(Contents {
        format: Format::Safetensors,
        entries,
        storages: Storages::new(storages),
        metadata: metadata.metadata().iter().flatten().map(own).collect(),
    })
}

fn own((key, text): (&String, &String)) -> (String, String) {
    (key.clone(), text.clone())
}

fn explain(error: &SafeTensorError, bytes: &[u8]) -> Fault {
    let announced = bytes.first_chunk().map_or(0, |&n| u64::from_le_bytes(n));
    let size = bytes.len();
    Fault::Corrupt(match error {
        SafeTensorError::InvalidHeaderLength | SafeTensorError::HeaderTooLarge => format!(
            "it announces a header of {announced} bytes, but the whole file has {size} (and headers \
             at most 100 MB)"
        ),
        SafeTensorError::MetadataIncompleteBuffer => format!(
            "the tensors in its header do not add up to the {size} bytes of the file, so it is \
             probably incomplete"
        ),
        SafeTensorError::InvalidOffset(name) => format!(
            "tensor `{}` overlaps another or leaves a gap",
            printable(name)
        ),
        other => format!(
            "its header cannot be read ({})",
            printable(&other.to_string())
        ),
    })
}

fn dtype(stored: Stored) -> Option<Dtype> {
    Some(match stored {
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F64 => Dtype::F64,
        Stored::I64 => Dtype::I64,
        Stored::I32 => Dtype::I32,
        Stored::I16 => Dtype::I16,
        Stored::I8 => Dtype::I8,
        Stored::U8 => Dtype::U8,
        Stored::BOOL => Dtype::Bool,
        _ => return None,
    })
}
