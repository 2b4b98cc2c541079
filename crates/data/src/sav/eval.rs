//! SA-V validation and test.
//!
//! `JPEGImages_24fps/<video>/<frame>.jpg` with every frame, and
//! `Annotations_6fps/<video>/<object>/<frame>.png` with every fourth, one picture for each object
//! (not zero where it is); `sav_val.txt` or `sav_test.txt` lists the videos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dataset::{Sequence, VideoDataset};
use crate::video::{FileSequence, FrameFiles, MaskFiles, split_folder};
use crate::{DataError, Layout, ReadOptions, Result, listing};

pub(crate) const FRAMES: &str = "JPEGImages_24fps";
pub(crate) const MASKS: &str = "Annotations_6fps";

/// A folder of such videos.
struct ObjectFolders {
    root: PathBuf,
    names: Vec<String>,
    /// The folder of the videos' frames, if there is one.
    frames: Option<PathBuf>,
    masks: PathBuf,
}

/// Reads an SA-V validation or test folder.
///
/// # Errors
/// [`DataError::Missing`], saying which folder is not there.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let split = options.split.as_deref().map(|split| {
        let prefixed = format!("sav_{split}");
        if root.join(&prefixed).is_dir() {
            prefixed
        } else {
            split.to_owned()
        }
    });
    let folder = split_folder(root, Layout::SavEval, MASKS, split.as_deref())?;
    let (frames, masks) = (folder.join(FRAMES), folder.join(MASKS));
    if !frames.is_dir() {
        return Err(DataError::Missing {
            layout: Layout::SavEval.name(),
            path: frames,
            what: "the frames, a folder for each video".into(),
        });
    }
    let list = ["sav_val.txt", "sav_test.txt"].map(|name| folder.join(name));
    let names = match list.iter().find(|path| path.is_file()) {
        Some(list) => listing::read_list(list)?,
        None => listing::subfolders(&masks)?,
    };
    Ok(Box::new(ObjectFolders {
        root: root.to_owned(),
        names,
        frames: Some(frames),
        masks,
    }))
}

/// Reads masks alone, `<sequence>/<object>/<frame>.png`.
pub(crate) fn open_object_folders(root: &Path) -> Result<Box<dyn VideoDataset>> {
    let mut names = listing::subfolders(root)?;
    names.retain(|name| object_folders(&root.join(name)).is_ok_and(|objects| !objects.is_empty()));
    if names.is_empty() {
        return Err(DataError::Missing {
            layout: "masks",
            path: root.join("<sequence>/<frame>.png"),
            what: "also looked for <sequence>/<object>/<frame>.png and <frame>.png".into(),
        });
    }
    Ok(Box::new(ObjectFolders {
        root: root.to_owned(),
        names,
        frames: None,
        masks: root.to_owned(),
    }))
}

/// The objects' folders, by number.
fn object_folders(folder: &Path) -> Result<BTreeMap<u32, PathBuf>> {
    let mut objects = BTreeMap::new();
    for name in listing::subfolders(folder)? {
        let path = folder.join(&name);
        match name.parse() {
            Ok(id) => objects.insert(id, path),
            Err(_) => {
                return Err(DataError::Inconsistent {
                    path,
                    found: format!("a folder called {name:?}"),
                    expected: "a folder for each object, named by its number (000, 001, …)".into(),
                });
            }
        };
    }
    Ok(objects)
}

impl VideoDataset for ObjectFolders {
    fn layout(&self) -> Layout {
        Layout::SavEval
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn open(&self, index: usize) -> Result<Box<dyn Sequence>> {
        let name = self.names.get(index).ok_or_else(|| {
            let names = self.names.iter().map(String::as_str);
            DataError::unknown("sequence number", index.to_string(), names)
        })?;
        let frames = self.frames.as_ref().map(|frames| frames.join(name));
        let masks = self.masks.join(name);
        Ok(Box::new(open_sequence(name, frames.as_deref(), &masks)?))
    }
}

fn open_sequence(name: &str, frames: Option<&Path>, folder: &Path) -> Result<FileSequence> {
    let mut files = Vec::new();
    for (object, folder) in object_folders(folder)? {
        let masks = listing::files(&folder, &["png"])?;
        files.extend(masks.into_iter().map(|file| (object, file)));
    }
    if files.is_empty() {
        return Err(DataError::Missing {
            layout: Layout::SavEval.name(),
            path: folder.join("<object>/<frame>.png"),
            what: format!("the masks of video {name:?}"),
        });
    }
    let frames = match frames {
        Some(frames) => FrameFiles::pictures(Layout::SavEval, frames)?,
        None => {
            let masks = files.iter().map(|(_, file)| file.clone()).collect();
            FrameFiles::of_masks(folder, masks)?
        }
    };
    let mut masks: BTreeMap<usize, Vec<(u32, PathBuf)>> = BTreeMap::new();
    for (object, file) in files {
        let frame = frames.frame_of(&file)?;
        masks.entry(frame).or_default().push((object, file));
    }
    Ok(FileSequence::new(name, frames, MaskFiles::Objects(masks)))
}
