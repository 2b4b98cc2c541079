//! Sequences as folders of frames beside folders of label maps: what DAVIS, MOSE, YouTube-VOS,
//! LVOS and generic folders have in common.

use std::path::{Path, PathBuf};

use super::frames::FrameFiles;
use super::indexed::Index;
use super::sequence::{FileSequence, MaskFiles};
use crate::dataset::{Sequence, VideoDataset};
use crate::{DataError, LabelMap, LabelRule, Layout, Result, SkipReason, Skipped, listing};

/// Where one sequence is.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The pictures, if there are any.
    pub(super) frames: Option<PathBuf>,
    pub(super) masks: PathBuf,
}

/// The sequences of a folder.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<Skipped>,
}

impl From<Vec<Entry>> for Found {
    fn from(entries: Vec<Entry>) -> Self {
        Self {
            entries,
            left_out: Vec::new(),
        }
    }
}

/// A data set of such sequences.
pub(super) struct Folders {
    layout: Layout,
    root: PathBuf,
    names: Vec<String>,
    entries: Vec<Entry>,
    left_out: Vec<Skipped>,
    rule: LabelRule,
    index: Index,
}

impl Folders {
    pub(super) fn new(layout: Layout, root: &Path, found: Found, rule: LabelRule) -> Self {
        let Found { entries, left_out } = found;
        Self {
            layout,
            root: root.to_owned(),
            names: entries.iter().map(|entry| entry.name.clone()).collect(),
            entries,
            left_out,
            rule,
            index: Index::new(),
        }
    }

    pub(super) fn with_index(mut self, index: Index) -> Self {
        self.index = index;
        self
    }
}

impl VideoDataset for Folders {
    fn layout(&self) -> Layout {
        self.layout
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn left_out(&self) -> &[Skipped] {
        &self.left_out
    }

    fn open(&self, index: usize) -> Result<Box<dyn Sequence>> {
        let entry = self.entries.get(index).ok_or_else(|| {
            let names = self.names.iter().map(String::as_str);
            DataError::unknown("sequence number", index.to_string(), names)
        })?;
        let listed = self.index.get(&entry.name).cloned().unwrap_or_default();
        let sequence = open_sequence(self.layout, entry, self.rule)?;
        Ok(Box::new(sequence.with_list(listed)))
    }
}

/// The sequences of `frames` (a folder for each) with their masks in `masks`. `names` says which
/// and in what order; by default all that have masks.
pub(super) fn entries(
    layout: Layout,
    frames: &Path,
    masks: &Path,
    names: Option<Vec<String>>,
) -> Result<Found> {
    for (path, what) in [(frames, "the frames"), (masks, "the masks")] {
        if !path.is_dir() {
            return Err(DataError::Missing {
                layout: layout.name(),
                path: path.to_owned(),
                what: format!("a folder for each sequence, with {what}"),
            });
        }
    }
    let (names, without): (Vec<String>, Vec<String>) = match names {
        Some(names) => (names, Vec::new()),
        None => {
            let names = listing::subfolders(frames)?.into_iter();
            names.partition(|name| masks.join(name).is_dir())
        }
    };
    if names.is_empty() {
        return Err(DataError::Missing {
            layout: layout.name(),
            path: masks.join("<sequence>"),
            what: format!(
                "no sequence has both frames and masks; frames are in {}",
                frames.display()
            ),
        });
    }
    let entry = |name: String| Entry {
        frames: Some(frames.join(&name)),
        masks: masks.join(&name),
        name,
    };
    let skipped = |name| Skipped::new(name, SkipReason::NoMasks);
    Ok(Found {
        entries: names.into_iter().map(entry).collect(),
        left_out: without.into_iter().map(skipped).collect(),
    })
}

/// [`LabelRule::guess`] from the first masks of the first sequences whose masks can be read.
pub(super) fn guess_rule(found: &Found) -> LabelRule {
    const LOOKED_AT: usize = 4;
    let first_map = |entry: &Entry| {
        let files = listing::files(&entry.masks, &["png"]).unwrap_or_default();
        files.first().and_then(|file| LabelMap::open(file).ok())
    };
    let maps: Vec<LabelMap> = found
        .entries
        .iter()
        .filter_map(first_map)
        .take(LOOKED_AT)
        .collect();
    LabelRule::guess(&maps)
}

fn open_sequence(layout: Layout, entry: &Entry, rule: LabelRule) -> Result<FileSequence> {
    let missing = |path: &Path, what: &str| DataError::Missing {
        layout: layout.name(),
        path: path.to_owned(),
        what: format!("{what} of sequence {:?}", entry.name),
    };
    if !entry.masks.is_dir() {
        return Err(missing(&entry.masks, "the masks"));
    }
    let masks = listing::files(&entry.masks, &["png"])?;
    if masks.is_empty() {
        return Err(missing(&entry.masks.join("*.png"), "the masks"));
    }
    let frames = match &entry.frames {
        Some(folder) if folder.is_dir() => FrameFiles::pictures(layout, folder)?,
        Some(folder) => return Err(missing(folder, "the frames")),
        None => FrameFiles::of_masks(&entry.masks, masks.clone())?,
    };
    let maps = masks
        .into_iter()
        .map(|map| Ok((frames.frame_of(&map)?, map)))
        .collect::<Result<_>>()?;
    let masks = MaskFiles::Labels(maps, rule);
    Ok(FileSequence::new(&entry.name, frames, masks))
}
