//! [`VideoPredictor`]: masklets, the masks of objects on every frame of a video.
//!
//! ```no_run
//! use masklet::{Click, ClickHistory, Model, Propagation, VideoPredictor};
//! use masklet_media::ImageFolder;
//!
//! let model = Model::open("sam2.1_hiera_tiny.pt")?;
//! let mut session = VideoPredictor::new(&model).session(ImageFolder::open("clip/")?);
//! session.add_clicks(0, 1, &[Click::positive(210.0, 350.0)], ClickHistory::Replace)?;
//! for result in session.propagate(Propagation::default())? {
//!     let result = result?;
//!     for object in &result.objects {
//!         println!("frame {}: object {} covers {}", result.frame, object.id, object.mask().area());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod features;
mod memory_policy;
mod object;
mod propagate;
mod saved;
mod session;
mod stepwise;
mod stream;

use std::num::NonZeroUsize;

use masklet_media::{FrameSource, Mask};

use crate::Model;
pub use memory_policy::{ConfidentMemory, DistractorAwareMemory, MemoryPolicy};
pub use propagate::{Propagate, Propagation};
pub use saved::SavedSession;
pub use session::VideoSession;
pub use stream::StreamTracker;

/// The number by which the user knows an object.
pub type ObjectId = u32;

/// Whether clicks replace the earlier ones of the same object and frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClickHistory {
    /// Forget the earlier clicks, box or mask of this object on this frame.
    #[default]
    Replace,
    /// Add to the earlier clicks of this object on this frame.
    Append,
}

/// How long tracked frames are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MemoryRetention {
    /// For the whole session, as in the reference: any frame can be corrected later with all
    /// that was known around it. About 0.8 MB a frame and object at 1024 pixels.
    #[default]
    WholeVideo,
    /// While frames still to come attend to them: constant memory, for one pass over a long video.
    Reachable,
}

/// The reference's choices, and bounds on memory.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoOptions {
    /// Let each pixel belong to the highest-scoring object only (reference: `non_overlap_masks`).
    pub non_overlapping: bool,
    /// Fill holes of at most this many low-resolution pixels, 8-connected; 0 fills none. The
    /// reference's presets ask for 8, but its CPU package lacks the code and fills none.
    pub fill_hole_area: u64,
    /// A prompt on a frame makes the memory forget the unprompted frames around it, which may
    /// hold outdated masks (reference: `clear_non_cond_mem_around_input`).
    pub clear_memory_around_prompts: bool,
    /// A frame that is corrected after it was tracked becomes a conditioning frame, as it does
    /// in training (reference: `add_all_frames_to_correct_as_cond`, there off). Without it the
    /// correction is seen on its own frame only, and lost when tracking visits that frame again.
    pub corrections_condition: bool,
    /// Encoded frames that are kept for further prompts. One takes 16 MB at 1024 pixels. While
    /// tracking there is one more, the next.
    pub cached_frames: usize,
    /// How long tracked frames are remembered.
    pub retention: MemoryRetention,
    /// Which tracked frames are attended to.
    pub memory_policy: MemoryPolicy,
    /// Keep at most this many conditioning frames of an object, the first one and the latest, so
    /// that prompting without end needs constant memory. `None`, as in the reference, keeps all.
    pub conditioning_limit: Option<NonZeroUsize>,
}

impl Default for VideoOptions {
    fn default() -> Self {
        Self {
            non_overlapping: false,
            fill_hole_area: 0,
            clear_memory_around_prompts: false,
            corrections_condition: true,
            cached_frames: 4,
            retention: MemoryRetention::WholeVideo,
            memory_policy: MemoryPolicy::Recent,
            conditioning_limit: None,
        }
    }
}

/// One object on one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectMask {
    /// Which object.
    pub id: ObjectId,
    /// Occlusion score: positive if the object is in the picture.
    pub object_score: f32,
    /// The mask's IoU with the object as the model predicts it; 1 for a mask that was given.
    pub predicted_iou: f32,
    /// Mask logits at the model's resolution, `[side, side]`.
    pub low_res_logits: Vec<f32>,
    /// Mask logits at the video's resolution, `[height, width]`; above 0 is the object.
    pub logits: Vec<f32>,
    dimensions: (u32, u32),
}

impl ObjectMask {
    /// The mask at the video's resolution.
    pub fn mask(&self) -> Mask {
        let (width, height) = self.dimensions;
        Mask::from_logits(width, height, &self.logits, 0.0).expect("logits have the video's size")
    }

    /// Whether the model sees the object on this frame.
    pub fn visible(&self) -> bool {
        self.object_score > 0.0
    }
}

/// All objects that are known on a frame, in the order they were added.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameResult {
    /// Which frame.
    pub frame: usize,
    /// The objects.
    pub objects: Vec<ObjectMask>,
}

impl FrameResult {
    /// The object with the given id.
    pub fn object(&self, id: ObjectId) -> Option<&ObjectMask> {
        self.objects.iter().find(|object| object.id == id)
    }
}

/// Opens sessions on videos.
#[derive(Debug, Clone)]
pub struct VideoPredictor {
    model: Model,
    options: VideoOptions,
}

impl VideoPredictor {
    /// A predictor with the default options.
    pub fn new(model: &Model) -> Self {
        Self::with_options(model, VideoOptions::default())
    }

    /// A predictor with other options.
    pub fn with_options(model: &Model, options: VideoOptions) -> Self {
        Self {
            model: model.clone(),
            options,
        }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// A session over the frames of a video. Nothing is read yet.
    pub fn session<S: FrameSource>(&self, frames: S) -> VideoSession<S> {
        VideoSession::new(self.model.clone(), self.options.clone(), frames)
    }
}
