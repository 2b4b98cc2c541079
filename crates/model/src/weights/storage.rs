//! Where a tensor's bytes lie, and how they become values.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::Fault;
use super::{Dtype, TensorInfo};

/// A run of bytes in the file that tensors are views of.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    /// The bytes in the file, within its bounds.
    pub range: Range<usize>,
    /// Whether and how they are compressed.
    pub encoding: Encoding,
    /// Checksum of the uncompressed bytes, if the format has one.
    pub crc32: Option<u32>,
    /// What messages call it.
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Stored,
    Deflated { size: usize },
}

/// Which elements of which storage make up a tensor.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub storage: usize,
    /// First element, counted from the start of the storage.
    pub offset: usize,
    /// Distance in elements between neighbours along each dimension; `None` for row-major order.
    pub strides: Option<Vec<usize>>,
}

/// All storages of a file.
#[derive(Debug, Default)]
pub(super) struct Storages {
    all: Vec<Storage>,
    /// Storages whose checksum was found right.
    sound: Mutex<Vec<bool>>,
    /// The storage that was inflated last, because tensors that share one are read in a row.
    inflated: Mutex<Option<(usize, Arc<[u8]>)>>,
}

/// The uncompressed bytes of a storage.
pub(super) enum Bytes<'a> {
    InFile(&'a [u8]),
    Inflated(Arc<[u8]>),
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::InFile(bytes) => bytes,
            Self::Inflated(bytes) => bytes,
        }
    }
}

impl Storage {
    /// Uncompressed size in bytes.
    pub fn size(&self) -> usize {
        match self.encoding {
            Encoding::Stored => self.range.len(),
            Encoding::Deflated { size } => size,
        }
    }

    /// The uncompressed bytes.
    pub fn bytes<'a>(&self, file: &'a [u8]) -> Result<Bytes<'a>, Fault> {
        let raw = file
            .get(self.range.clone())
            .ok_or_else(|| self.damaged("lies outside the file"))?;
        let bytes = match self.encoding {
            Encoding::Stored => Bytes::InFile(raw),
            Encoding::Deflated { size } => Bytes::Inflated(self.inflate(raw, size)?.into()),
        };
        Ok(bytes)
    }

    /// Never produces, and never reserves, more than the announced size.
    fn inflate(&self, raw: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        flate2::read::DeflateDecoder::new(raw)
            .take(size as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.damaged(&format!("cannot be decompressed ({error})")))?;
        if bytes.len() != size {
            return Err(self.damaged(&format!(
                "does not decompress to the {size} bytes it announces"
            )));
        }
        Ok(bytes)
    }

    /// Compares with the checksum.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Fault> {
        match self.crc32 {
            Some(crc) if crc32fast::hash(bytes) != crc => {
                Err(self.damaged("does not match its checksum (CRC-32)"))
            }
            _ => Ok(()),
        }
    }

    fn damaged(&self, how: &str) -> Fault {
        Fault::corrupt(format!("`{}` {how}", self.name))
    }
}

impl Storages {
    pub fn new(all: Vec<Storage>) -> Self {
        Self {
            sound: Mutex::new(vec![false; all.len()]),
            all,
            inflated: Mutex::default(),
        }
    }

    /// The values of a tensor in row-major order.
    pub fn read_f32(
        &self,
        file: &[u8],
        info: &TensorInfo,
        layout: &Layout,
    ) -> Result<Vec<f32>, Fault> {
        let bytes = self.bytes(file, layout.storage)?;
        let size = info.dtype.size();
        let outside = || Fault::corrupt("a tensor reaches beyond its storage");
        let from = layout.offset.checked_mul(size).ok_or_else(outside)?;
        let bytes = bytes.get(from..).ok_or_else(outside)?;
        let count = info.elements();
        match &layout.strides {
            None => {
                let length = count.checked_mul(size).ok_or_else(outside)?;
                let bytes = bytes.get(..length).ok_or_else(outside)?;
                let mut values = Vec::with_capacity(count);
                info.dtype.extend_f32(bytes, &mut values);
                Ok(values)
            }
            Some(strides) => gather(bytes, info, strides).ok_or_else(outside),
        }
    }

    fn bytes<'a>(&self, file: &'a [u8], index: usize) -> Result<Bytes<'a>, Fault> {
        let storage = self
            .all
            .get(index)
            .ok_or_else(|| Fault::corrupt("a tensor without storage"))?;
        if storage.encoding != Encoding::Stored {
            return self.inflated(file, index, storage).map(Bytes::Inflated);
        }
        let bytes = storage.bytes(file)?;
        let known_sound = |set: Option<bool>| {
            let mut sound = self.sound.lock().unwrap_or_else(PoisonError::into_inner);
            let flag = sound.get_mut(index)?;
            *flag |= set.unwrap_or_default();
            Some(*flag)
        };
        if known_sound(None) != Some(true) {
            storage.check(&bytes)?;
            known_sound(Some(true));
        }
        Ok(bytes)
    }

    fn inflated(&self, file: &[u8], index: usize, storage: &Storage) -> Result<Arc<[u8]>, Fault> {
        let mut last = self.inflated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((kept, bytes)) = last.as_ref()
            && *kept == index
        {
            return Ok(Arc::clone(bytes));
        }
        // Let go of the previous one first: two need not be in memory at once.
        *last = None;
        let bytes: Arc<[u8]> = match storage.bytes(file)? {
            Bytes::Inflated(bytes) => bytes,
            Bytes::InFile(bytes) => bytes.into(),
        };
        storage.check(&bytes)?;
        *last = Some((index, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

/// Walks a strided view in row-major order, its last dimension innermost. `None` when it leaves
/// `bytes`.
fn gather(bytes: &[u8], info: &TensorInfo, strides: &[usize]) -> Option<Vec<f32>> {
    let count = info.elements();
    if count == 0 {
        return Some(Vec::new());
    }
    let TensorInfo { dtype, shape } = info;
    let mut values = Vec::with_capacity(count);
    let mut position = vec![0_usize; shape.len()];
    let mut at = 0_usize;
    loop {
        let from = at.checked_mul(dtype.size())?;
        dtype.extend_f32(bytes.get(from..)?.get(..dtype.size())?, &mut values);
        let mut dimension = shape.len();
        loop {
            let Some(d) = dimension.checked_sub(1) else {
                return Some(values);
            };
            dimension = d;
            let (step, length, now) = (*strides.get(d)?, *shape.get(d)?, position.get_mut(d)?);
            *now += 1;
            if *now < length {
                at = at.checked_add(step)?;
                break;
            }
            at = at.checked_sub(step.checked_mul(length - 1)?)?;
            *now = 0;
        }
    }
}

/// Checks a view against its storage and says how to read it.
///
/// `elements` is the number of elements of the storage. A view may repeat elements (stride 0), but
/// not so that a small file becomes a large tensor.
pub(super) fn layout(
    storage: usize,
    elements: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Result<Layout, Cow<'static, str>> {
    const REPEATED: usize = 1 << 16;
    const RANK: usize = 16;
    if shape.len() != strides.len() {
        return Err(format!("shape {shape:?} comes with strides {strides:?}").into());
    }
    if shape.len() > RANK {
        return Err(format!("{} dimensions, at most {RANK} are accepted", shape.len()).into());
    }
    let count = count(shape).ok_or_else(|| format!("shape {shape:?} has too many elements"))?;
    let contiguous = Layout {
        storage,
        offset: if count == 0 { 0 } else { offset },
        strides: None,
    };
    if count == 0 {
        return Ok(contiguous);
    }
    let beyond = || {
        format!(
            "shape {shape:?} with strides {strides:?} from element {offset} reaches beyond the \
             {elements} elements of its storage"
        )
    };
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |sum, (&length, &stride)| {
            sum.checked_add((length - 1).checked_mul(stride)?)
        })
        .ok_or_else(beyond)?;
    if last >= elements {
        return Err(beyond().into());
    }
    if count > elements.max(REPEATED) {
        return Err(
            format!("shape {shape:?} repeats the {elements} elements of its storage").into(),
        );
    }
    Ok(Layout {
        strides: (!is_row_major(shape, strides)).then(|| strides.to_vec()),
        ..contiguous
    })
}

/// Number of elements, unless it overflows.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        // `TensorInfo::elements` multiplies in order; the product of the others must fit as well.
        let nonzero = shape.iter().filter(|&&d| d != 0);
        return nonzero
            .into_iter()
            .try_fold(1_usize, |n, &d| n.checked_mul(d))
            .map(|_| 0);
    }
    shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}

fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&length, &stride)| {
        let ok = length == 1 || stride == expected;
        expected *= length;
        ok
    })
}

/// The bytes that `elements` of a type take, unless that overflows.
pub(super) fn byte_length(elements: usize, dtype: Dtype) -> Option<usize> {
    elements.checked_mul(dtype.size())
}
