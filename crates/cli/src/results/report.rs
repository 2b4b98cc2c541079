//! `masklets.json` and the file of logits.

use std::path::{Path, PathBuf};

use masklet::{FrameResult, ObjectId};
use masklet_media::Rle;
use masklet_model::weights::{Precision, WeightsError, save_safetensors};
use serde::Serialize;

use super::VideoInfo;

/// `masklets.json`.
#[derive(Serialize)]
pub(super) struct Report {
    video: VideoReport,
    model: String,
    weights: Option<PathBuf>,
    /// Whether tracking reached its end.
    pub(super) complete: bool,
    pub(super) frames_tracked: usize,
    objects: Vec<Masklet>,
}

#[derive(Serialize)]
struct VideoReport {
    file: PathBuf,
    width: u32,
    height: u32,
    frames: Option<usize>,
}

/// One object through the video.
#[derive(Serialize)]
pub(super) struct Masklet {
    pub(super) id: ObjectId,
    frames: Vec<FrameEntry>,
}

/// One object on one frame.
#[derive(Serialize)]
pub(super) struct FrameEntry {
    pub(super) frame: usize,
    /// COCO run-length encoding.
    pub(super) segmentation: Rle,
    /// Positive if the model sees the object.
    pub(super) occlusion_score: f32,
    /// Pixels.
    pub(super) area: u64,
}

impl Report {
    pub(super) fn new(video: VideoInfo) -> Self {
        let (width, height) = video.dimensions;
        Self {
            video: VideoReport {
                file: video.path,
                width,
                height,
                frames: video.frame_count,
            },
            model: video.model,
            weights: video.weights,
            complete: false,
            frames_tracked: 0,
            objects: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, id: ObjectId, entry: FrameEntry) {
        match self.objects.iter_mut().find(|object| object.id == id) {
            Some(object) => object.frames.push(entry),
            None => self.objects.push(Masklet {
                id,
                frames: vec![entry],
            }),
        }
    }

    pub(super) fn objects(&self) -> &[Masklet] {
        &self.objects
    }
}

impl Masklet {
    pub(super) fn visible_frames(&self) -> usize {
        let visible = |entry: &&FrameEntry| entry.occlusion_score > 0.0;
        self.frames.iter().filter(visible).count()
    }
}

/// Logits of all frames, held until the file is written: 256 KB a frame and object at 1024 pixels.
#[derive(Default)]
pub(super) struct LogitsFile {
    frames: Vec<(String, Vec<f32>, [f32; 1])>,
}

impl LogitsFile {
    pub(super) fn add(&mut self, result: &FrameResult) {
        for object in &result.objects {
            self.frames.push((
                format!("{:05}/{}", result.frame, object.id),
                object.low_res_logits.clone(),
                [object.object_score],
            ));
        }
    }

    pub(super) fn write(&self, path: &Path, side: usize) -> Result<(), WeightsError> {
        let named: Vec<(String, [usize; 2], &[f32])> = self
            .frames
            .iter()
            .flat_map(|(place, logits, score)| {
                [
                    (format!("{place}/low_res_logits"), [side, side], &logits[..]),
                    (format!("{place}/object_score"), [1, 1], &score[..]),
                ]
            })
            .collect();
        let tensors = named.iter().map(|(name, shape, values)| {
            let shape: &[usize] = if values.len() == 1 {
                &shape[..1]
            } else {
                shape
            };
            (name.as_str(), shape, *values)
        });
        save_safetensors(path, tensors, Precision::F32, Default::default())
    }
}
