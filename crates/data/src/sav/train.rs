//! SA-V training videos.
//!
//! `<video>_manual.json` and `<video>_auto.json`, in the folder given or in folders in it
//! (`sav_000`, …). The pictures are `<video>.mp4` beside them, or frames extracted from it,
//! numbered as in the video: all or every fourth, in a folder `<video>` beside them or in
//! `JPEGImages_24fps`. Without either, masks can still be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use masklet_media::{FrameSource, Rle};

use super::{ANNOTATED_EVERY, SavAnnotations, eval};
use crate::dataset::{ObjectInfo, Sequence, VideoDataset};
use crate::images::check_size;
use crate::video::{FrameFiles, first_appearances};
use crate::{DataError, FrameAnnotation, Layout, Result, listing};
use crate::{Masklets, ReadOptions};

const MANUAL: &str = "_manual.json";
const AUTO: &str = "_auto.json";

/// The annotation files of one video.
#[derive(Clone, Debug, Default)]
struct Files {
    folder: PathBuf,
    manual: Option<PathBuf>,
    auto: Option<PathBuf>,
}

struct TrainVideos {
    root: PathBuf,
    names: Vec<String>,
    files: Vec<Files>,
}

/// The annotation files directly in `folder`.
pub(crate) fn annotation_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = listing::files(folder, &["json"]).unwrap_or_default();
    files.retain(|path| {
        let name = listing::file_name(path);
        name.ends_with(MANUAL) || name.ends_with(AUTO)
    });
    files
}

/// Reads a folder of SA-V training videos.
///
/// # Errors
/// [`DataError::Missing`] if there is no annotation of the kind asked for.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let mut videos: BTreeMap<String, Files> = BTreeMap::new();
    let inner = listing::subfolders(root)?
        .into_iter()
        .map(|name| root.join(name));
    for folder in std::iter::once(root.to_owned()).chain(inner) {
        for path in annotation_files(&folder) {
            let name = listing::file_name(&path);
            let (video, manual) = match (name.strip_suffix(MANUAL), name.strip_suffix(AUTO)) {
                (Some(video), _) => (video, true),
                (None, Some(video)) => (video, false),
                (None, None) => continue,
            };
            let files = videos.entry(video.to_owned()).or_default();
            files.folder.clone_from(&folder);
            match (manual, options.masklets) {
                (true, Masklets::All | Masklets::Manual) => files.manual = Some(path),
                (false, Masklets::All | Masklets::Auto) => files.auto = Some(path),
                _ => {}
            }
        }
    }
    videos.retain(|_, files| files.manual.is_some() || files.auto.is_some());
    if videos.is_empty() {
        let suffix = if options.masklets == Masklets::Auto {
            AUTO
        } else {
            MANUAL
        };
        return Err(DataError::Missing {
            layout: Layout::SavTrain.name(),
            path: root.join(format!("<video>{suffix}")),
            what: "the masklets of at least one video; also looked for in every sub-folder".into(),
        });
    }
    let (names, files) = videos.into_iter().unzip();
    Ok(Box::new(TrainVideos {
        root: root.to_owned(),
        names,
        files,
    }))
}

impl VideoDataset for TrainVideos {
    fn layout(&self) -> Layout {
        Layout::SavTrain
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn open(&self, index: usize) -> Result<Box<dyn Sequence>> {
        let (Some(name), Some(files)) = (self.names.get(index), self.files.get(index)) else {
            let names = self.names.iter().map(String::as_str);
            return Err(DataError::unknown(
                "sequence number",
                index.to_string(),
                names,
            ));
        };
        Ok(Box::new(TrainVideo::open(&self.root, name, files)?))
    }
}

/// Where the pictures are.
enum Pictures {
    /// Extracted frames, and the number of each in the video.
    Frames {
        files: FrameFiles,
        numbers: Vec<usize>,
    },
    /// The video itself.
    Video(PathBuf),
    /// Not here: the place where the video would be.
    Missing(PathBuf),
}

impl Pictures {
    fn find(root: &Path, folder: &Path, name: &str) -> Result<Self> {
        let mut places = vec![folder.join(name), folder.join(eval::FRAMES).join(name)];
        for above in [Some(root), root.parent()].into_iter().flatten() {
            places.push(above.join(eval::FRAMES).join(name));
        }
        if let Some(place) = places.iter().find(|place| listing::holds_pictures(place)) {
            let files = FrameFiles::pictures(Layout::SavTrain, place)?;
            let number = |frame| {
                let name: String = files.name(frame);
                name.parse().map_err(|_| DataError::Inconsistent {
                    path: place.join(&name),
                    found: "a frame without a number".into(),
                    expected: "its number in the video as name (00000, 00004, …)".into(),
                })
            };
            let numbers = (0..files.len()).map(number).collect::<Result<_>>()?;
            return Ok(Self::Frames { files, numbers });
        }
        let video = folder.join(format!("{name}.mp4"));
        Ok(if video.is_file() {
            Self::Video(video)
        } else {
            Self::Missing(video)
        })
    }
}

struct TrainVideo {
    name: String,
    pictures: Pictures,
    frame_count: usize,
    dimensions: (u32, u32),
    /// By number in the video divided by four: each masklet's mask.
    masklets: Vec<Vec<(u32, Rle)>>,
    /// Number and kind of each masklet.
    kinds: BTreeMap<u32, &'static str>,
    annotated: Vec<usize>,
    objects: OnceLock<Vec<ObjectInfo>>,
}

impl TrainVideo {
    fn open(root: &Path, name: &str, files: &Files) -> Result<Self> {
        let pictures = Pictures::find(root, &files.folder, name)?;
        let mut masklets: Vec<Vec<(u32, Rle)>> = Vec::new();
        let mut kinds = BTreeMap::new();
        let mut known: Option<((u32, u32), usize)> = None;
        for (path, kind) in [(&files.manual, "manual"), (&files.auto, "auto")] {
            let Some(path) = path else { continue };
            let read = SavAnnotations::open(path)?;
            let shape = (read.dimensions(), read.frame_count());
            if *known.get_or_insert(shape) != shape {
                return Err(DataError::Inconsistent {
                    path: path.clone(),
                    found: format!("a video of {shape:?} (size, frames)"),
                    expected: format!("{known:?} as in its manual masklets"),
                });
            }
            let first = kinds.keys().next_back().map_or(0, |last| last + 1);
            // The manual ones come first and keep their numbers.
            let number = |id: u32| first + id;
            kinds.extend(read.masklet_id.iter().map(|&id| (number(id), kind)));
            masklets.resize(masklets.len().max(read.masklet.len()), Vec::new());
            for (frame, masks) in masklets.iter_mut().zip(read.masklet) {
                let numbers = read.masklet_id.iter().map(|&id| number(id));
                frame.extend(numbers.zip(masks));
            }
        }
        let (dimensions, total) = known.unwrap_or_default();
        let frame_count = match &pictures {
            Pictures::Frames { files, .. } => files.len(),
            Pictures::Video(_) | Pictures::Missing(_) => total,
        };
        let mut video = Self {
            name: name.to_owned(),
            pictures,
            frame_count,
            dimensions,
            masklets,
            kinds,
            annotated: Vec::new(),
            objects: OnceLock::new(),
        };
        video.annotated = (0..frame_count)
            .filter(|&frame| video.masks(frame).is_some())
            .collect();
        Ok(video)
    }

    /// The number in the video of a frame.
    fn number(&self, frame: usize) -> Option<usize> {
        match &self.pictures {
            Pictures::Frames { numbers, .. } => numbers.get(frame).copied(),
            Pictures::Video(_) | Pictures::Missing(_) => Some(frame),
        }
    }

    fn masks(&self, frame: usize) -> Option<&Vec<(u32, Rle)>> {
        let number = self.number(frame)?;
        let annotated = number.is_multiple_of(ANNOTATED_EVERY);
        annotated.then(|| self.masklets.get(number / ANNOTATED_EVERY))?
    }
}

impl Sequence for TrainVideo {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame_count(&self) -> usize {
        self.frame_count
    }

    fn frame_name(&self, frame: usize) -> String {
        match &self.pictures {
            Pictures::Frames { files, .. } => files.name(frame),
            Pictures::Video(_) | Pictures::Missing(_) => format!("{frame:05}"),
        }
    }

    fn frames(&self) -> Result<Box<dyn FrameSource>> {
        match &self.pictures {
            Pictures::Frames { files, .. } => files.source(),
            Pictures::Video(path) => {
                let video = masklet_media::frames::open_video(path)?;
                check_size(path, video.dimensions(), self.dimensions)?;
                Ok(video)
            }
            Pictures::Missing(path) => Err(DataError::NoPictures {
                sequence: self.name.clone(),
                path: path.clone(),
                why: format!(
                    "is not there, and neither are its frames in a folder {:?} beside it",
                    self.name
                ),
            }),
        }
    }

    fn picture_files(&self) -> Vec<PathBuf> {
        match &self.pictures {
            Pictures::Frames { files, .. } => files.picture_files(),
            Pictures::Video(path) => vec![path.clone()],
            Pictures::Missing(_) => Vec::new(),
        }
    }

    fn annotated_frames(&self) -> &[usize] {
        &self.annotated
    }

    fn annotation(&self, frame: usize) -> Result<Option<FrameAnnotation>> {
        let masks = self.masks(frame).cloned();
        Ok(masks.map(|masks| FrameAnnotation::from_masks(self.dimensions, masks)))
    }

    fn objects(&self) -> Result<&[ObjectInfo]> {
        if let Some(known) = self.objects.get() {
            return Ok(known);
        }
        let mut objects = first_appearances(&self.annotated, |frame| self.annotation(frame))?;
        for object in &mut objects {
            object.category = self.kinds.get(&object.id).map(|&kind| kind.to_owned());
        }
        Ok(self.objects.get_or_init(|| objects))
    }
}
