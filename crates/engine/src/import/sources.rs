//! Readers of what can be imported.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use masklet_data::sav::{ANNOTATED_EVERY, SavAnnotations};
use masklet_data::{
    DataError, Dataset, Layout, ReadOptions, Sequence, TrackFile, VideoDataset, detect, open_as,
};
use masklet_media::{ImageFolder, RgbImage, Rle};

use super::{DatasetFrame, DatasetMasklet, DatasetVideo};
use crate::{EngineError, Kind, Pixels, Result, VideoImport};

/// The videos of a data set, read one at a time.
pub struct DatasetVideos {
    names: Vec<String>,
    source: Source,
}

enum Source {
    /// SA-V training: also what its files say beside the masks.
    Sav(Box<dyn VideoDataset>),
    /// Any other layout of videos.
    Videos(Box<dyn VideoDataset>),
    /// A file for each video, by name.
    Tracks(BTreeMap<String, PathBuf>),
}

impl DatasetVideos {
    /// Opens what is at a path; `None` if it is a video or a folder of pictures, without masklets.
    ///
    /// # Errors
    /// If it is a data set of single images, or cannot be read.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        if is_json(path) {
            return Ok(Some(Self::of_tracks([path.to_owned()])?));
        }
        if !path.is_dir() {
            return Ok(None);
        }
        let mut tracks = entries(&path.join("annotations"));
        tracks.retain(|file| is_json(file));
        if !tracks.is_empty() {
            return Ok(Some(Self::of_tracks(tracks)?));
        }
        let layout = match detect(path) {
            Ok(layout) => layout,
            Err(DataError::NotRecognised { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Dataset::Videos(videos) = open_as(path, layout, &ReadOptions::default())? else {
            return Err(EngineError::Refused(format!(
                "{} is {layout}, a data set of single images; videos are accepted",
                path.display()
            )));
        };
        let names = videos.names().to_vec();
        let source = match layout {
            Layout::SavTrain => Source::Sav(videos),
            _ => Source::Videos(videos),
        };
        Ok(Some(Self { names, source }))
    }

    fn of_tracks(files: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let mut named = BTreeMap::new();
        for file in files {
            named.insert(TrackFile::open(&file)?.name, file);
        }
        Ok(Self {
            names: named.keys().cloned().collect(),
            source: Source::Tracks(named),
        })
    }

    /// The videos' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads a video's masklets.
    ///
    /// # Errors
    /// If they or their pictures cannot be read, or do not fit together.
    pub fn read(&self, name: &str) -> Result<DatasetVideo> {
        match &self.source {
            Source::Videos(videos) => of_sequence(&*videos.open_named(name)?),
            Source::Sav(videos) => of_sav(videos.root(), &*videos.open_named(name)?),
            Source::Tracks(files) => match files.get(name) {
                Some(file) => of_tracks(file),
                None => Err(EngineError::unknown("video", format!("{name:?}"), "")),
            },
        }
    }
}

fn is_json(path: &Path) -> bool {
    path.is_file()
        && path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// What is in a folder, sorted; nothing if there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The pixels of a sequence.
fn pixels(sequence: &dyn Sequence) -> Result<Pixels> {
    let files = sequence.picture_files();
    match files.as_slice() {
        [] => {
            // The sequence says best where it looked.
            sequence.frames()?;
            Err(EngineError::RefusedVideo {
                name: sequence.name().to_owned(),
                why: "it has no pictures".to_owned(),
            })
        }
        [file] if !RgbImage::recognises(file)? => Ok(Pixels::File(file.clone())),
        _ => Ok(Pixels::Pictures(files)),
    }
}

fn of_sequence(sequence: &dyn Sequence) -> Result<DatasetVideo> {
    let objects = sequence.objects()?.to_vec();
    let mut masklets: Vec<DatasetMasklet> = objects
        .iter()
        .map(|object| DatasetMasklet {
            number: object.id,
            kind: Kind::Manual,
            edited_frames: 0,
            frames: Vec::new(),
        })
        .collect();
    for &frame in sequence.annotated_frames() {
        let Some(annotation) = sequence.annotation(frame)? else {
            continue;
        };
        for masklet in &mut masklets {
            if let Some(mask) = annotation.mask(masklet.number) {
                masklet.frames.push(frame_of(frame, Rle::encode(&mask)));
            }
        }
    }
    Ok(DatasetVideo {
        video: VideoImport {
            name: sequence.name().to_owned(),
            pixels: pixels(sequence)?,
            environment: None,
            split: None,
        },
        masklets,
    })
}

fn frame_of(frame: usize, mask: Rle) -> DatasetFrame {
    DatasetFrame {
        frame: frame as u32,
        mask,
        occlusion_score: None,
        stability_score: None,
    }
}

/// SA-V, with the number of edited frames and the stability scores.
fn of_sav(root: &Path, sequence: &dyn Sequence) -> Result<DatasetVideo> {
    let name = sequence.name();
    let pixels = pixels(sequence)?;
    let mut video = VideoImport {
        name: name.to_owned(),
        pixels: pixels.clone(),
        environment: None,
        split: None,
    };
    let mut masklets = Vec::new();
    for kind in [Kind::Manual, Kind::Auto] {
        let file = format!("{name}_{kind}.json");
        let inner = entries(root).into_iter().filter(|path| path.is_dir());
        let mut places = std::iter::once(root.to_owned())
            .chain(inner)
            .map(|at| at.join(&file));
        let Some(path) = places.find(|path| path.is_file()) else {
            continue;
        };
        let read = SavAnnotations::open(&path)?;
        if let Pixels::Pictures(files) = &pixels
            && files.len() < read.frame_count()
        {
            return Err(EngineError::RefusedVideo {
                name: name.to_owned(),
                why: format!(
                    "{} of its {} frames are extracted; extract all of them, or give the video \
                     itself",
                    files.len(),
                    read.frame_count()
                ),
            });
        }
        let told = |word: &String| Some(word.clone()).filter(|word| word != "Unknown");
        video.environment = told(&read.video_environment);
        video.split = told(&read.video_split);
        masklets.extend(sav_masklets(read, kind));
    }
    Ok(DatasetVideo { video, masklets })
}

fn sav_masklets(read: SavAnnotations, kind: Kind) -> Vec<DatasetMasklet> {
    let edited = |at: usize| {
        read.masklet_edited_frame_count
            .get(at)
            .copied()
            .unwrap_or_default()
    };
    let mut masklets: Vec<DatasetMasklet> = read
        .masklet_id
        .iter()
        .enumerate()
        .map(|(at, &number)| DatasetMasklet {
            number,
            kind,
            edited_frames: edited(at),
            frames: Vec::new(),
        })
        .collect();
    for (annotated, masks) in read.masklet.into_iter().enumerate() {
        let stability = match kind {
            Kind::Auto => read
                .masklet_stability_score
                .get(annotated)
                .cloned()
                .flatten(),
            Kind::Manual => None,
        };
        for (at, (masklet, mask)) in masklets.iter_mut().zip(masks).enumerate() {
            let score = stability.as_ref().and_then(|scores| scores.get(at));
            masklet.frames.push(DatasetFrame {
                stability_score: score.map(|&score| score as f32),
                ..frame_of(annotated * ANNOTATED_EVERY, mask)
            });
        }
    }
    masklets
}

/// A COCO or YouTube-VIS file, with pictures where this program and others put them.
fn of_tracks(path: &Path) -> Result<DatasetVideo> {
    let read = TrackFile::open(path)?;
    let pictures = picture_folder(path, &read)?;
    let files = ImageFolder::open(&pictures)?.files().to_vec();
    let places: BTreeMap<String, usize> = files
        .iter()
        .enumerate()
        .map(|(at, file)| (stem(file), at))
        .collect();
    let mut masklets: Vec<DatasetMasklet> = read
        .objects
        .iter()
        .map(|&number| DatasetMasklet {
            number,
            kind: Kind::Manual,
            edited_frames: 0,
            frames: Vec::new(),
        })
        .collect();
    let (width, height) = read.dimensions;
    let hidden = Rle::from_counts(height, width, vec![width.saturating_mul(height)])
        .map_err(masklet_media::MediaError::from)?;
    for frame in &read.frames {
        let place = places.get(&stem(Path::new(&frame.picture)));
        let &place = place.ok_or_else(|| DataError::Missing {
            layout: "COCO or YouTube-VIS",
            path: pictures.join(&frame.picture),
            what: "the picture of a frame".to_owned(),
        })?;
        for masklet in &mut masklets {
            let found = frame.masks.get(&masklet.number);
            masklet.frames.push(DatasetFrame {
                occlusion_score: found.and_then(|mask| mask.score),
                ..frame_of(place, found.map_or(&hidden, |found| &found.mask).clone())
            });
        }
    }
    Ok(DatasetVideo {
        video: VideoImport {
            name: read.name,
            pixels: Pixels::Pictures(files),
            environment: None,
            split: None,
        },
        masklets,
    })
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The folder of the pictures that a file of tracks names.
fn picture_folder(path: &Path, read: &TrackFile) -> Result<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new("."));
    let root = beside.parent().unwrap_or(beside);
    let first = read
        .frames
        .first()
        .map_or("", |frame| frame.picture.as_str());
    let first = Path::new(first);
    // Names in a file from elsewhere lead nowhere else.
    let inside = first
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let stem_of_first = stem(first);
    let within = first.parent().unwrap_or(Path::new(""));
    let places = [
        root.join(&read.name),
        root.join("JPEGImages"),
        root.join("images").join(&read.name),
        root.join("images"),
        beside.join(&read.name),
        beside.to_owned(),
        root.to_owned(),
    ];
    let holds = |folder: &Path| {
        entries(folder)
            .iter()
            .any(|file| stem(file) == stem_of_first && RgbImage::recognises(file).unwrap_or(false))
    };
    let folders = places.iter().map(|place| place.join(within));
    let found = folders.into_iter().find(|folder| inside && holds(folder));
    found.ok_or_else(|| {
        EngineError::from(DataError::Missing {
            layout: "COCO or YouTube-VIS",
            path: places[0].join(first),
            what: format!(
                "the first picture of {}; also looked for in JPEGImages, images and beside the file",
                path.display()
            ),
        })
    })
}
