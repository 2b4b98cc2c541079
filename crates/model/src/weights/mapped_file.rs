//! The one place where a file becomes memory.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use super::WeightsError;

/// A file's bytes, mapped into memory or held in it.
#[derive(Debug)]
pub(super) enum FileBytes {
    Mapped(Mmap),
    Held(Cow<'static, [u8]>),
}

impl FileBytes {
    /// Maps the file read-only; an empty file, which cannot be mapped, becomes an empty buffer.
    pub(super) fn open(path: &Path) -> Result<Self, WeightsError> {
        let failed = |source| WeightsError::io("open", path, source);
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if about.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        if about.is_file() && about.len() == 0 {
            return Ok(Self::Held(Cow::Borrowed(&[])));
        }
        // SAFETY: this is the boundary to the operating system. The mapping is read-only and
        // private to this value; all reads go through bounds-checked slices of plain bytes, for
        // which every bit pattern is valid. What Rust cannot rule out is another process changing
        // or truncating the file meanwhile; checkpoints are written once and replaced by renaming
        // (as `convert` does), which leaves an existing mapping intact.
        #[allow(unsafe_code)]
        let mapped = unsafe { Mmap::map(&file) };
        mapped.map(Self::Mapped).map_err(failed)
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Held(bytes) => bytes,
        }
    }
}
