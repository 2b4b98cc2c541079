//! The frames of a sequence as files: their names, order, size and pictures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use masklet_media::{FrameSource, ImageFolder};

use crate::images::check_size;
use crate::{DataError, Layout, Result, listing};

/// The frames of a sequence. Where only masks are there (a folder of results), the frames are
/// those that have one, and there are no pictures.
pub(crate) struct FrameFiles {
    folder: PathBuf,
    files: Vec<PathBuf>,
    pictures: bool,
    by_stem: HashMap<String, usize>,
    /// Width and height, from the first picture or else the first mask that was read.
    dimensions: OnceLock<(u32, u32)>,
}

impl FrameFiles {
    /// Lists the pictures of `folder`.
    pub(crate) fn pictures(layout: Layout, folder: &Path) -> Result<Self> {
        let files = listing::frames(folder)?;
        if files.is_empty() {
            return Err(DataError::Missing {
                layout: layout.name(),
                path: folder.join("*.jpg"),
                what: "the frames of the sequence".into(),
            });
        }
        Ok(Self::new(folder, files, true))
    }

    /// The frames that `masks` are for, without pictures. Of several files with one stem, one
    /// counts.
    pub(crate) fn of_masks(folder: &Path, masks: Vec<PathBuf>) -> Result<Self> {
        let one_each: HashMap<String, PathBuf> = masks
            .into_iter()
            .map(|file| (listing::stem(&file), file))
            .collect();
        let mut files: Vec<PathBuf> = one_each.into_values().collect();
        masklet_media::frames::sort_frames(folder, &mut files)?;
        Ok(Self::new(folder, files, false))
    }

    fn new(folder: &Path, files: Vec<PathBuf>, pictures: bool) -> Self {
        let stems = files.iter().map(|file| listing::stem(file));
        Self {
            folder: folder.to_owned(),
            by_stem: stems
                .enumerate()
                .map(|(index, stem)| (stem, index))
                .collect(),
            files,
            pictures,
            dimensions: OnceLock::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The name of a frame without extension; empty past the end.
    pub(crate) fn name(&self, frame: usize) -> String {
        let file = self.files.get(frame);
        file.map(|file| listing::stem(file)).unwrap_or_default()
    }

    /// The frame that the file `mask` belongs to.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] if there is none.
    pub(crate) fn frame_of(&self, mask: &Path) -> Result<usize> {
        let stem = listing::stem(mask);
        self.by_stem
            .get(&stem)
            .copied()
            .ok_or_else(|| DataError::Inconsistent {
                path: mask.to_owned(),
                found: "a mask without a frame".into(),
                expected: format!("a picture called {stem:?} in {}", self.folder.display()),
            })
    }

    /// The pictures' files; none if there are only masks.
    pub(crate) fn picture_files(&self) -> Vec<PathBuf> {
        match self.pictures {
            true => self.files.clone(),
            false => Vec::new(),
        }
    }

    /// Opens the pictures.
    pub(crate) fn source(&self) -> Result<Box<dyn FrameSource>> {
        if !self.pictures {
            return Err(DataError::NoPictures {
                sequence: listing::file_name(&self.folder),
                path: self.folder.clone(),
                why: "holds masks alone; open the data set's folder instead".into(),
            });
        }
        Ok(Box::new(ImageFolder::from_files(self.files.clone())?))
    }

    /// Checks that a mask read from `path` is of the frames' size.
    pub(crate) fn check_mask(&self, path: &Path, found: (u32, u32)) -> Result<()> {
        let expected = match self.dimensions.get() {
            Some(&known) => known,
            None => {
                let size = if self.pictures {
                    self.source()?.dimensions()
                } else {
                    found
                };
                *self.dimensions.get_or_init(|| size)
            }
        };
        check_size(path, found, expected)
    }
}
