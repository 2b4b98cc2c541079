//! [`FileSequence`]: a sequence whose masks are PNG files, beside its frames or alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use masklet_media::FrameSource;

use super::first_appearances;
use super::frames::FrameFiles;
use super::indexed::{Listed, ListedObject};
use crate::dataset::{ObjectInfo, Sequence};
use crate::{FrameAnnotation, LabelMap, LabelRule, Result};

/// Such a sequence.
pub(crate) struct FileSequence {
    name: String,
    frames: FrameFiles,
    masks: MaskFiles,
    annotated: Vec<usize>,
    /// What the data set's index says of the objects.
    listed: BTreeMap<u32, ListedObject>,
    objects: OnceLock<Vec<ObjectInfo>>,
}

/// The masks by frame.
pub(crate) enum MaskFiles {
    /// One picture for all objects.
    Labels(BTreeMap<usize, PathBuf>, LabelRule),
    /// A picture for each object, not 0 where it is.
    Objects(BTreeMap<usize, Vec<(u32, PathBuf)>>),
}

impl FileSequence {
    pub(crate) fn new(name: &str, frames: FrameFiles, masks: MaskFiles) -> Self {
        Self {
            name: name.to_owned(),
            frames,
            annotated: match &masks {
                MaskFiles::Labels(maps, _) => maps.keys().copied().collect(),
                MaskFiles::Objects(files) => files.keys().copied().collect(),
            },
            masks,
            listed: BTreeMap::new(),
            objects: OnceLock::new(),
        }
    }

    pub(super) fn with_list(mut self, listed: BTreeMap<u32, ListedObject>) -> Self {
        self.listed = listed;
        self
    }

    fn read(&self, path: &PathBuf) -> Result<LabelMap> {
        let map = LabelMap::open(path)?;
        self.frames.check_mask(path, map.dimensions())?;
        Ok(map)
    }

    fn listed_frames(&self, listed: &Listed) -> Vec<usize> {
        (0..self.frames.len())
            .filter(|&frame| listed.contains(&self.frames.name(frame)))
            .collect()
    }
}

impl Sequence for FileSequence {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame_count(&self) -> usize {
        self.frames.len()
    }

    fn frame_name(&self, frame: usize) -> String {
        self.frames.name(frame)
    }

    fn frames(&self) -> Result<Box<dyn FrameSource>> {
        self.frames.source()
    }

    fn picture_files(&self) -> Vec<PathBuf> {
        self.frames.picture_files()
    }

    fn annotated_frames(&self) -> &[usize] {
        &self.annotated
    }

    fn annotation(&self, frame: usize) -> Result<Option<FrameAnnotation>> {
        match &self.masks {
            MaskFiles::Labels(maps, rule) => {
                let map = maps.get(&frame).map(|path| self.read(path)).transpose()?;
                Ok(map.map(|map| FrameAnnotation::from_labels(map, *rule)))
            }
            MaskFiles::Objects(files) => {
                let Some(files) = files.get(&frame) else {
                    return Ok(None);
                };
                let read = |(object, path): &(u32, PathBuf)| Ok((*object, self.read(path)?));
                let maps: Vec<(u32, LabelMap)> = files.iter().map(read).collect::<Result<_>>()?;
                let dimensions = maps.first().map_or((0, 0), |(_, map)| map.dimensions());
                Ok(Some(FrameAnnotation::from_maps(dimensions, maps)))
            }
        }
    }

    fn objects(&self) -> Result<&[ObjectInfo]> {
        if let Some(known) = self.objects.get() {
            return Ok(known);
        }
        let mut objects = first_appearances(&self.annotated, |frame| self.annotation(frame))?;
        for object in &mut objects {
            if let Some(listed) = self.listed.get(&object.id) {
                object.category = listed.category.clone();
                object.listed_frames = Some(self.listed_frames(&listed.frames));
            }
        }
        Ok(self.objects.get_or_init(|| objects))
    }
}
