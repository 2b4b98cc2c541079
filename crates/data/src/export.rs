//! Recorded masklets as other tools read them.
//!
//! Every writer takes [`Records`](crate::record::Records) and a file, and goes through the
//! records once or several times: memory does not grow with the video, except for the few bytes
//! a frame that the records' index takes. The same records give the same bytes.
//!
//! Conventions of all formats: coordinates are pixels, `x` to the right and `y` down from the
//! upper left corner of the picture; frames are numbered from 0; a frame `n` is the picture file
//! [`frame_file`]`(n)`, as `ffmpeg -i VIDEO -start_number 0 %05d.jpg` makes them; run-length
//! encodings are pycocotools' compressed strings.

pub mod coco;
pub mod davis;
pub mod npz;
pub mod sav;
mod streamed;
pub mod yolo;
pub mod ytvis;

pub use streamed::Streamed;

/// The one category of formats that want categories: the model segments objects of any kind.
pub const CATEGORY: &str = "object";

/// The number of [`CATEGORY`].
pub(crate) const CATEGORY_ID: u32 = 1;

/// The video that records belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFacts {
    /// The video's name, without folder and extension.
    pub name: String,
    /// Width and height in pixels.
    pub dimensions: (u32, u32),
    /// Number of frames, if it is known.
    pub frame_count: Option<usize>,
    /// Frames a second, if it is known.
    pub frame_rate: Option<f64>,
}

/// The file name of a frame in formats that refer to pictures: `00000.jpg`, `00001.jpg`, …
pub fn frame_file(frame: usize) -> String {
    format!("{frame:05}.jpg")
}

/// `{"id": …, "name": …}`, for categories of COCO and YouTube-VIS.
#[derive(serde::Serialize)]
pub(crate) struct Category {
    id: u32,
    name: &'static str,
    supercategory: &'static str,
}

impl Category {
    pub(crate) fn only() -> [Self; 1] {
        [Self {
            id: CATEGORY_ID,
            name: CATEGORY,
            supercategory: CATEGORY,
        }]
    }
}

/// The `info` of COCO and YouTube-VIS.
#[derive(serde::Serialize)]
pub(crate) struct Info {
    description: String,
    version: &'static str,
}

impl Info {
    pub(crate) fn of(video: &VideoFacts) -> Self {
        Self {
            description: format!("masklets of {}", video.name),
            version: "1.0",
        }
    }
}
