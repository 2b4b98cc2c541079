//! [`SavedSession`]: all that a session knows, in a file.
//!
//! The file is a `.safetensors`: outputs and memories as tensors, everything else as JSON in its
//! metadata. Memories are kept in bf16 and written as f32, so nothing is rounded: a session that
//! is read back goes on to the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use masklet_media::FrameSource;
use masklet_model::Point;
use masklet_model::config::Sam2Config;
use masklet_model::memory_bank::{Direction, MemoryBank, MemoryEntry};
use masklet_model::weights::{Checkpoint, Precision, save_safetensors};
use serde::{Deserialize, Serialize};

use super::VideoSession;
use super::memory_policy::{Confidence, DistractorWatch};
use super::object::{FrameOutput, Pending, Remembered, Role, TrackedObject};
use super::{ObjectId, VideoPredictor};
use crate::upscale::values;
use crate::{Error, Model, Result};

/// The metadata entry that describes the session.
const DESCRIPTION: &str = "masklet.session";
/// Raised when a file of before can no longer be understood.
const VERSION: u32 = 1;

/// A session that was read from a file, to be continued by [`VideoPredictor::resume`].
#[derive(Debug)]
pub struct SavedSession {
    path: PathBuf,
    tensors: Checkpoint,
    description: Description,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    model: Sam2Config,
    dimensions: (u32, u32),
    /// What the caller wanted to be kept with it.
    note: String,
    objects: Vec<SavedObject>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedObject {
    id: ObjectId,
    points: BTreeMap<usize, Vec<Point>>,
    masks: BTreeSet<usize>,
    visited: Vec<(usize, usize, Direction)>,
    distractors: DistractorWatch,
    entries: Vec<SavedEntry>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedEntry {
    frame: usize,
    kind: Kind,
    confidence: Confidence,
}

/// Where in an object's time line an entry belongs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kind {
    Conditioning,
    Recent,
    Anchor,
    Pending(Role),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Conditioning => "conditioning",
            Self::Recent => "recent",
            Self::Anchor => "anchor",
            Self::Pending(_) => "pending",
        }
    }
}

/// The names of an entry's tensors begin with this.
fn place(id: ObjectId, entry: &SavedEntry) -> String {
    format!("{id}/{}/{}", entry.kind.name(), entry.frame)
}

impl<S: FrameSource> VideoSession<S> {
    /// Writes everything that is known of the objects into a file, completely or not at all, so
    /// that [`VideoPredictor::resume`] can go on after the program has ended. `note` is kept with
    /// it.
    ///
    /// With [`Reachable`](super::MemoryRetention::Reachable) memories a file holds at most some
    /// 30 MB an object at 1024 pixels; with the whole video's it grows with the video.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, note: &str) -> Result<()> {
        let mut tensors = Tensors::default();
        let description = Description {
            version: VERSION,
            model: self.model().config().clone(),
            dimensions: self.dimensions(),
            note: note.to_owned(),
            objects: self
                .tracked()
                .iter()
                .map(|object| save_object(object, &mut tensors))
                .collect(),
        };
        let description = serde_json::to_string(&description).expect("plain values");
        let metadata = BTreeMap::from([(DESCRIPTION.to_owned(), description)]);
        let tensors = tensors
            .0
            .iter()
            .map(|(name, shape, values)| (name.as_str(), &shape[..], &values[..]));
        Ok(save_safetensors(
            path.as_ref(),
            tensors,
            Precision::F32,
            metadata,
        )?)
    }
}

#[derive(Default)]
struct Tensors(Vec<(String, Vec<usize>, Vec<f32>)>);

impl Tensors {
    fn add<const D: usize>(&mut self, name: String, tensor: &Tensor<D>) {
        self.0
            .push((name, tensor.dims().to_vec(), values(tensor.clone())));
    }

    fn add_entry(
        &mut self,
        id: ObjectId,
        (kind, frame): (Kind, usize),
        output: &FrameOutput,
        memory: Option<&MemoryEntry>,
    ) -> SavedEntry {
        let entry = SavedEntry {
            frame,
            kind,
            confidence: output.confidence,
        };
        let place = place(id, &entry);
        self.add(format!("{place}/low_res_logits"), &output.low_res_logits);
        self.add(format!("{place}/pointer"), &output.pointer);
        if let Some(memory) = memory {
            self.add(format!("{place}/spatial"), &memory.spatial);
        }
        entry
    }
}

fn save_object(object: &TrackedObject, tensors: &mut Tensors) -> SavedObject {
    let bank = &object.bank;
    let remembered = bank
        .conditioning_entries()
        .map(|(frame, entry)| (Kind::Conditioning, frame, entry))
        .chain(
            bank.anchors()
                .map(|(frame, entry)| (Kind::Anchor, frame, entry)),
        )
        .chain(
            bank.recent_entries()
                .map(|(frame, entry)| (Kind::Recent, frame, entry)),
        );
    let mut entries: Vec<SavedEntry> = remembered
        .map(|(kind, frame, entry)| {
            tensors.add_entry(object.id, (kind, frame), &entry.output, Some(&entry.memory))
        })
        .collect();
    entries.extend(object.pending.iter().map(|(&frame, pending)| {
        let kind = Kind::Pending(pending.role);
        tensors.add_entry(object.id, (kind, frame), &pending.output, None)
    }));
    SavedObject {
        id: object.id,
        points: object.points.clone(),
        masks: object.masks.clone(),
        visited: object
            .visited
            .iter()
            .map(|(range, &direction)| (range.start, range.end, direction))
            .collect(),
        distractors: object.distractors.clone(),
        entries,
    }
}

impl SavedSession {
    /// Reads a file that [`VideoSession::save`] or [`StreamTracker::save`](super::StreamTracker::save)
    /// wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let tensors = Checkpoint::open(&path)?;
        let refuse = |what: String| Error::SavedSession {
            path: path.clone(),
            what,
        };
        let text = tensors.metadata(DESCRIPTION).ok_or_else(|| {
            refuse("it is not a saved session; give a file that was saved while tracking".into())
        })?;
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let damaged = |error: serde_json::Error| refuse(format!("it is damaged ({error})"));
        let Versioned { version } = serde_json::from_str(text).map_err(damaged)?;
        if version != VERSION {
            return Err(refuse(format!(
                "it has version {version} of the format, this program reads version {VERSION}; \
                 track again from the start"
            )));
        }
        let description = serde_json::from_str(text).map_err(damaged)?;
        Ok(Self {
            path,
            tensors,
            description,
        })
    }

    /// What the caller kept with the session.
    pub fn note(&self) -> &str {
        &self.description.note
    }

    /// Width and height of the session's frames.
    pub fn dimensions(&self) -> (u32, u32) {
        self.description.dimensions
    }

    /// The objects as they were, for `model`.
    pub(super) fn objects(&self, model: &Model) -> Result<Vec<TrackedObject>> {
        if self.description.model != *model.config() {
            return Err(self.refuse(
                "it was made with a model of another configuration; use the same checkpoint".into(),
            ));
        }
        self.description
            .objects
            .iter()
            .map(|object| self.object(object, model))
            .collect()
    }

    /// Fails if the session was not on frames of this size.
    pub(super) fn check_dimensions(&self, found: (u32, u32)) -> Result<()> {
        let expected = self.dimensions();
        if found == expected {
            return Ok(());
        }
        Err(self.refuse(format!(
            "it was made on a video of {}×{} pixels, this one has {}×{}; use the same video",
            expected.0, expected.1, found.0, found.1
        )))
    }

    fn object(&self, saved: &SavedObject, model: &Model) -> Result<TrackedObject> {
        let mut bank = MemoryBank::default();
        let mut pending = BTreeMap::new();
        for entry in &saved.entries {
            let place = place(saved.id, entry);
            let output = self.output(&place, entry.confidence, model)?;
            if let Kind::Pending(role) = entry.kind {
                pending.insert(entry.frame, Pending { role, output });
                continue;
            }
            let config = model.config();
            let places = config.grid() * config.grid();
            let shape = [1, places, config.memory_encoder.memory_dim];
            let spatial: Tensor<3> = self.tensor(&format!("{place}/spatial"), shape, model)?;
            let remembered = Remembered {
                memory: MemoryEntry {
                    spatial: spatial.cast(FloatDType::BF16),
                    pointer: output.pointer.clone(),
                },
                output,
            };
            match entry.kind {
                Kind::Conditioning => bank.insert_conditioning(entry.frame, remembered),
                Kind::Anchor => bank.insert_anchor(entry.frame, remembered),
                Kind::Recent | Kind::Pending(_) => bank.insert_recent(entry.frame, remembered),
            }
        }
        Ok(TrackedObject {
            id: saved.id,
            points: saved.points.clone(),
            masks: saved.masks.clone(),
            bank,
            pending,
            visited: saved
                .visited
                .iter()
                .filter(|(start, end, _)| start < end)
                .map(|&(start, end, direction)| (start..end, direction))
                .collect(),
            distractors: saved.distractors.clone(),
        })
    }

    fn output(&self, place: &str, confidence: Confidence, model: &Model) -> Result<FrameOutput> {
        let side = model.config().low_res();
        let score = TensorData::new(vec![confidence.object_score], [1, 1]);
        Ok(FrameOutput {
            low_res_logits: self.tensor(
                &format!("{place}/low_res_logits"),
                [1, 1, side, side],
                model,
            )?,
            object_score: Tensor::from_data(score, model.device()),
            pointer: self.tensor(
                &format!("{place}/pointer"),
                [1, model.config().hidden_dim],
                model,
            )?,
            confidence,
        })
    }

    fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        model: &Model,
    ) -> Result<Tensor<D>> {
        let values = self.tensors.read_f32(name)?;
        let found = self.tensors.get(name).map(|info| &info.shape[..]);
        if found != Some(&shape[..]) {
            return Err(self.refuse(format!(
                "it is damaged: `{name}` has shape {found:?}, expected {shape:?}"
            )));
        }
        let data = TensorData::new(values, shape);
        Ok(Tensor::from_data(data, (model.device(), DType::F32)))
    }

    fn refuse(&self, what: String) -> Error {
        Error::SavedSession {
            path: self.path.clone(),
            what,
        }
    }
}

impl VideoPredictor {
    /// Goes on with a saved session over the same video. Propagation then continues from the frame
    /// after the last one that was tracked, which the caller names.
    ///
    /// # Errors
    /// If the session was made with another model or on frames of another size, or is damaged.
    pub fn resume<S: FrameSource>(
        &self,
        saved: &SavedSession,
        frames: S,
    ) -> Result<VideoSession<S>> {
        saved.check_dimensions(frames.dimensions())?;
        let objects = saved.objects(self.model())?;
        Ok(self.session(frames).with_objects(objects))
    }
}
