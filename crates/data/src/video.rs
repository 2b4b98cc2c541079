//! Readers of video data sets.

mod davis;
mod folders;
mod frames;
mod generic;
mod indexed;
mod lvos;
mod mose;
mod objects;
mod sequence;
mod youtube_vos;

use std::path::{Path, PathBuf};

use crate::{DataError, Layout, Result, listing};

pub(crate) use frames::FrameFiles;
pub(crate) use objects::first_appearances;
pub(crate) use sequence::{FileSequence, MaskFiles};

pub(crate) use davis::open as open_davis;
pub(crate) use generic::open as open_frames;
pub use generic::open_masks;
pub(crate) use generic::pair;
pub(crate) use lvos::open as open_lvos;
pub(crate) use mose::open as open_mose;
pub(crate) use youtube_vos::open as open_youtube_vos;

/// The folder of a split: `root` itself if it holds the split's `marker`, or the sub-folder
/// that does.
///
/// # Errors
/// [`DataError::Missing`] if none does; [`DataError::Unknown`] if the split asked for is not
/// there; [`DataError::BadValue`] if several are and none was asked for.
pub(crate) fn split_folder(
    root: &Path,
    layout: Layout,
    marker: &str,
    split: Option<&str>,
) -> Result<PathBuf> {
    if split.is_none() && root.join(marker).is_dir() {
        return Ok(root.to_owned());
    }
    let mut splits = listing::subfolders(root)?;
    splits.retain(|name| root.join(name).join(marker).is_dir());
    match (split, splits.as_slice()) {
        (Some(split), _) if splits.iter().any(|name| name == split) => Ok(root.join(split)),
        // A path that already is the split's folder.
        (Some(split), _) if listing::file_name(root) == split && root.join(marker).is_dir() => {
            Ok(root.to_owned())
        }
        (Some(split), _) => Err(DataError::unknown(
            "split",
            split,
            splits.iter().map(String::as_str),
        )),
        (None, [only]) => Ok(root.join(only)),
        (None, []) => Err(DataError::Missing {
            layout: layout.name(),
            path: root.join(marker),
            what: "a folder for each sequence; also looked for in every sub-folder".into(),
        }),
        (None, several) => Err(DataError::BadValue {
            what: "the split, which has to be chosen",
            found: format!(
                "not given, with {} in {}",
                several.join(", "),
                root.display()
            ),
            accepted: "one of them, or the path of its folder,",
        }),
    }
}
