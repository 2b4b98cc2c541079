//! What every data set looks like to its users: the evaluator, the trainer, the inspector.

use std::fmt;
use std::path::{Path, PathBuf};

use masklet_media::{FrameSource, Mask};

use crate::{DataError, FrameAnnotation, LabelledImage, Result, Skipped};

/// The layouts of data sets that can be read.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// DAVIS 2016 and 2017: `JPEGImages/<resolution>/<sequence>`, `Annotations/…` the same.
    Davis,
    /// MOSE: `JPEGImages/<sequence>`, `Annotations/<sequence>`, in `train` and `valid`.
    Mose,
    /// YouTube-VOS 2018 and 2019: as MOSE, with a `meta.json` of objects and their frames.
    YoutubeVos,
    /// LVOS v1 and v2: as MOSE, with a `meta.json` of objects and their frame ranges.
    Lvos,
    /// SA-V training: `<video>_manual.json`, `<video>_auto.json` beside the video or its frames.
    SavTrain,
    /// SA-V validation and test: `Annotations_6fps/<video>/<object>/<frame>.png`.
    SavEval,
    /// Frames and masks with the same stems in two folders.
    Frames,
    /// SA-1B: `sa_<n>.jpg` beside `sa_<n>.json`.
    Sa1b,
    /// COCO: a JSON file of instances, and a folder of images.
    Coco,
    /// Pictures with one or several label maps each.
    LabelMaps,
}

impl Layout {
    /// The layout's usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Davis => "DAVIS",
            Self::Mose => "MOSE",
            Self::YoutubeVos => "YouTube-VOS",
            Self::Lvos => "LVOS",
            Self::SavTrain => "SA-V training",
            Self::SavEval => "SA-V validation/test",
            Self::Frames => "frames and masks",
            Self::Sa1b => "SA-1B",
            Self::Coco => "COCO instances",
            Self::LabelMaps => "label maps",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A data set of videos. Opening one lists names; a sequence is looked into when it is opened,
/// and its pictures and masks are decoded when they are asked for.
pub trait VideoDataset: Send + Sync {
    /// The layout that was read.
    fn layout(&self) -> Layout;

    /// The folder that was opened.
    fn root(&self) -> &Path;

    /// The names of the sequences, in the order of the data set's list or else sorted.
    fn names(&self) -> &[String];

    /// What the folder holds that was left out when it was opened, and why.
    fn left_out(&self) -> &[Skipped] {
        &[]
    }

    /// Opens sequence `index` of [`names`](Self::names).
    ///
    /// # Errors
    /// If there is no such sequence, or its files contradict the layout.
    fn open(&self, index: usize) -> Result<Box<dyn Sequence>>;

    /// Opens the sequence called `name`.
    ///
    /// # Errors
    /// [`DataError::Unknown`] if there is none, and as [`open`](Self::open).
    fn open_named(&self, name: &str) -> Result<Box<dyn Sequence>> {
        match self.names().iter().position(|known| known == name) {
            Some(index) => self.open(index),
            None => Err(DataError::unknown(
                "sequence",
                name,
                self.names().iter().map(String::as_str),
            )),
        }
    }
}

/// A video with the masks of its objects. Frames are numbered from 0 in the order of
/// presentation.
pub trait Sequence: Send + Sync {
    /// The sequence's name in its data set.
    fn name(&self) -> &str;

    /// The number of frames.
    fn frame_count(&self) -> usize;

    /// The name of a frame in the data set, without extension (`00005`): that under which
    /// results for it are written.
    fn frame_name(&self, frame: usize) -> String;

    /// Opens the pictures.
    ///
    /// # Errors
    /// If the first picture or the video file cannot be read.
    fn frames(&self) -> Result<Box<dyn FrameSource>>;

    /// The files that the pictures are in: one for each frame, in order, or a single video; none if
    /// there are only masks.
    fn picture_files(&self) -> Vec<PathBuf>;

    /// The frames that are annotated, ascending.
    fn annotated_frames(&self) -> &[usize];

    /// What is annotated on a frame; `None` if nothing is.
    ///
    /// # Errors
    /// If the frame's annotation is there but cannot be read; the message names the file.
    fn annotation(&self, frame: usize) -> Result<Option<FrameAnnotation>>;

    /// The mask of one object on a frame: empty where the object is annotated as absent,
    /// `None` where the annotation says nothing about it.
    ///
    /// # Errors
    /// As [`annotation`](Self::annotation).
    fn mask(&self, frame: usize, object: u32) -> Result<Option<Mask>> {
        let annotation = self.annotation(frame)?;
        Ok(annotation.and_then(|annotation| annotation.mask(object)))
    }

    /// The objects that are visible on at least one annotated frame, by id.
    ///
    /// The first call reads every annotation of the sequence once and keeps only this list.
    ///
    /// # Errors
    /// As [`annotation`](Self::annotation), for the first that cannot be read.
    fn objects(&self) -> Result<&[ObjectInfo]>;
}

/// An object of a sequence.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ObjectInfo {
    /// Its number in the data set's own annotation.
    pub id: u32,
    /// The first annotated frame on which at least one pixel of it is visible.
    pub first_frame: usize,
    /// Its category, or its kind of annotation, where the data set tells.
    pub category: Option<String>,
    /// The frames that the data set's own index lists for the object (YouTube-VOS and LVOS:
    /// those on which it is evaluated), ascending; `None` without such an index.
    pub listed_frames: Option<Vec<usize>>,
}

/// A data set of pictures with segments. Opening one lists names; segments and pictures are
/// read when they are asked for.
pub trait ImageDataset: Send + Sync {
    /// The layout that was read.
    fn layout(&self) -> Layout;

    /// The folder or file that was opened.
    fn root(&self) -> &Path;

    /// The number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of image `index`, for messages and file lists.
    ///
    /// # Panics
    /// If `index` is not less than [`len`](Self::len).
    fn image_name(&self, index: usize) -> &str;

    /// What the folder holds that was left out when it was opened, and why.
    fn left_out(&self) -> &[Skipped] {
        &[]
    }

    /// Reads the segments of image `index`; the picture itself stays on disk until
    /// [`LabelledImage::picture`] is called.
    ///
    /// # Errors
    /// If there is no such image, or its annotation cannot be read; the message names the file.
    fn open(&self, index: usize) -> Result<LabelledImage>;
}

/// A data set of either kind.
pub enum Dataset {
    /// Videos.
    Videos(Box<dyn VideoDataset>),
    /// Images.
    Images(Box<dyn ImageDataset>),
}

impl Dataset {
    /// The layout that was read.
    pub fn layout(&self) -> Layout {
        match self {
            Self::Videos(videos) => videos.layout(),
            Self::Images(images) => images.layout(),
        }
    }

    /// The folder or file that was opened.
    pub fn root(&self) -> &Path {
        match self {
            Self::Videos(videos) => videos.root(),
            Self::Images(images) => images.root(),
        }
    }

    /// The number of sequences or images.
    pub fn len(&self) -> usize {
        match self {
            Self::Videos(videos) => videos.names().len(),
            Self::Images(images) => images.len(),
        }
    }

    /// What the folder holds that was left out when it was opened, and why.
    pub fn left_out(&self) -> &[Skipped] {
        match self {
            Self::Videos(videos) => videos.left_out(),
            Self::Images(images) => images.left_out(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of sequence or image `index`.
    ///
    /// # Panics
    /// If `index` is not less than [`len`](Self::len).
    pub fn name(&self, index: usize) -> &str {
        match self {
            Self::Videos(videos) => &videos.names()[index],
            Self::Images(images) => images.image_name(index),
        }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Dataset({}, {} at {})",
            self.layout(),
            self.len(),
            self.root().display()
        )
    }
}
