//! One picture and its segments.

use std::path::{Path, PathBuf};

use masklet_media::{MediaError, RgbImage, Rle};

use crate::{DataError, Result};

/// A picture with its segments. The segments are held as run-length encodings; the picture is
/// decoded when asked for.
#[derive(Clone, Debug)]
pub struct LabelledImage {
    /// The image's name in its data set.
    pub name: String,
    /// The picture's file.
    pub picture: PathBuf,
    /// Width and height in pixels, as the annotation has them.
    pub dimensions: (u32, u32),
    /// The segmentations: one, or one for each annotator.
    pub segmentations: Vec<Segmentation>,
}

/// One person's or method's segments of a picture; they may overlap.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// What tells it from others of the same picture (an annotator's number); may be empty.
    pub name: String,
    /// The segments.
    pub segments: Vec<Segment>,
}

/// One segment of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its number in the data set: an annotation's id, or a label.
    pub id: u64,
    /// Where it is.
    pub mask: Rle,
    /// Its category's name, where the data set has categories.
    pub category: Option<String>,
    /// Whether it is a group of objects that were not told apart (COCO's `iscrowd`): no
    /// object to train or prompt with, and to be ignored when scoring.
    pub crowd: bool,
}

impl LabelledImage {
    /// Decodes the picture.
    ///
    /// # Errors
    /// If the file cannot be read, or is not of the annotation's size.
    pub fn picture(&self) -> Result<RgbImage> {
        let picture = RgbImage::open(&self.picture)?;
        check_size(&self.picture, picture.dimensions(), self.dimensions)?;
        Ok(picture)
    }

    /// The segments of all segmentations.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segmentations
            .iter()
            .flat_map(|segmentation| &segmentation.segments)
    }
}

/// Checks that what `path` holds has the size of what it belongs to.
pub(crate) fn check_size(path: &Path, found: (u32, u32), expected: (u32, u32)) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(DataError::Media(MediaError::SizeMismatch {
        what: path.display().to_string(),
        found,
        expected,
    }))
}
