//! Files of tracked objects in COCO's and YouTube-VIS' formats, as [`export`](crate::export) writes
//! them: one video, its frames, and the objects' masks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use masklet_media::Rle;
use serde::Deserialize;

use crate::{DataError, Result, listing};

/// The tracks of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackFile {
    /// The video's name.
    pub name: String,
    /// Width and height in pixels.
    pub dimensions: (u32, u32),
    /// The frames that were tracked, ascending.
    pub frames: Vec<TrackedFrame>,
    /// The objects: in the file's order, or ascending where it lists masks and no objects.
    pub objects: Vec<u32>,
}

/// A frame of a [`TrackFile`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFrame {
    /// Its number in the video.
    pub frame: usize,
    /// Its picture, as the file names it.
    pub picture: String,
    /// The objects that have a mask here. The others are hidden.
    pub masks: BTreeMap<u32, TrackedMask>,
}

/// The mask of an object on a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedMask {
    /// The mask, of the video's size.
    pub mask: Rle,
    /// The occlusion score, if the file tells one.
    pub score: Option<f32>,
}

/// Both formats, as far as they are looked at.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    info: Info,
    images: Option<Vec<Image>>,
    videos: Option<Vec<Video>>,
    annotations: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Info {
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Image {
    id: usize,
    file_name: String,
    width: u32,
    height: u32,
    frame_id: Option<usize>,
}

#[derive(Deserialize)]
struct OfImage {
    image_id: usize,
    track_id: Option<u32>,
    segmentation: Rle,
    score: Option<f32>,
}

#[derive(Deserialize)]
struct Video {
    width: u32,
    height: u32,
    file_names: Vec<String>,
}

#[derive(Deserialize)]
struct OfVideo {
    id: u32,
    segmentations: Vec<Option<Rle>>,
}

/// How a file's description begins, before the video's name.
const DESCRIPTION: &str = "masklets of ";

const EXPECTED: &str = "a COCO or YouTube-VIS file of one video's tracks";

impl TrackFile {
    /// Reads a file; which format it is in is told from its contents.
    ///
    /// # Errors
    /// [`DataError::Read`]; [`DataError::Json`] if it is in neither format;
    /// [`DataError::Inconsistent`] if it holds several videos, images without frames and tracks, or
    /// masks of another size.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file: File = listing::read_json(path, EXPECTED)?;
        let inconsistent = |found: &str, expected: &str| DataError::Inconsistent {
            path: path.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        };
        let parse = |source| DataError::Json {
            path: path.to_owned(),
            expected: EXPECTED,
            source,
        };
        let stem = listing::stem(path);
        let told = file.info.description.strip_prefix(DESCRIPTION);
        let name = told
            .filter(|name| !name.is_empty())
            .unwrap_or(&stem)
            .to_owned();
        let read = match (file.images, file.videos.as_deref()) {
            (Some(images), _) => {
                let masks = file.annotations.into_iter().map(serde_json::from_value);
                of_images(
                    name,
                    images,
                    masks.collect::<Result<_, _>>().map_err(parse)?,
                )
            }
            (None, Some([video])) => {
                let tracks = file.annotations.into_iter().map(serde_json::from_value);
                Ok(of_video(
                    name,
                    video,
                    tracks.collect::<Result<_, _>>().map_err(parse)?,
                ))
            }
            (None, videos) => {
                let found = format!("{} videos", videos.map_or(0, <[Video]>::len));
                return Err(inconsistent(&found, "images, or one video,"));
            }
        };
        let read = read.map_err(|(found, expected)| inconsistent(found, expected))?;
        let size = read.dimensions;
        let masks = read.frames.iter().flat_map(|frame| frame.masks.values());
        match masks
            .map(|mask| (mask.mask.width(), mask.mask.height()))
            .find(|of| *of != size)
        {
            None => Ok(read),
            Some((width, height)) => Err(inconsistent(
                &format!("a mask of {width}x{height} pixels"),
                &format!("the video's size {}x{}", size.0, size.1),
            )),
        }
    }
}

/// What was found, and what is needed.
type Misfit = (&'static str, &'static str);

/// COCO, with the frame of each image and the track of each annotation.
fn of_images(
    name: String,
    mut images: Vec<Image>,
    masks: Vec<OfImage>,
) -> std::result::Result<TrackFile, Misfit> {
    let number = |image: &Image| {
        image
            .frame_id
            .ok_or(("an image without frame_id", "the number of its frame"))
    };
    images
        .iter()
        .try_for_each(|image| number(image).map(drop))?;
    images.sort_by_key(|image| image.frame_id);
    let dimensions = images
        .first()
        .map_or((0, 0), |image| (image.width, image.height));
    let mut place = BTreeMap::new();
    let mut frames = Vec::new();
    for image in images {
        let frame = number(&image)?;
        place.insert(image.id, frames.len());
        frames.push(TrackedFrame {
            frame,
            picture: image.file_name,
            masks: BTreeMap::new(),
        });
    }
    let mut objects = BTreeSet::new();
    for OfImage {
        image_id,
        track_id,
        segmentation,
        score,
    } in masks
    {
        let track = track_id.ok_or(("an annotation without track_id", "the object's number"))?;
        let place = place.get(&image_id);
        let &place = place.ok_or(("an annotation of an unknown image", "one that is listed"))?;
        objects.insert(track);
        frames[place].masks.insert(
            track,
            TrackedMask {
                mask: segmentation,
                score,
            },
        );
    }
    let objects = objects.into_iter().collect();
    Ok(TrackFile {
        name,
        dimensions,
        frames,
        objects,
    })
}

/// YouTube-VIS.
fn of_video(name: String, video: &Video, tracks: Vec<OfVideo>) -> TrackFile {
    let mut frames: Vec<TrackedFrame> = Vec::new();
    for (place, picture) in video.file_names.iter().enumerate() {
        // Frames are named by their numbers; others are counted.
        let stem = Path::new(picture)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy();
        let frame = stem.parse().unwrap_or(place);
        frames.push(TrackedFrame {
            frame,
            picture: picture.clone(),
            masks: BTreeMap::new(),
        });
    }
    let objects = tracks.iter().map(|track| track.id).collect();
    for track in tracks {
        for (frame, mask) in frames.iter_mut().zip(track.segmentations) {
            if let Some(mask) = mask {
                frame
                    .masks
                    .insert(track.id, TrackedMask { mask, score: None });
            }
        }
    }
    TrackFile {
        name,
        dimensions: (video.width, video.height),
        frames,
        objects,
    }
}
