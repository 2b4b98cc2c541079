//! What comes out of a [`MaskGenerator`](super::MaskGenerator).

use masklet_media::{Mask, Rle};
use serde::Serialize;

use super::candidate::Candidate;

/// A mask that was found: the reference's output record, with its field names. What the reference
/// calls the output mode is a question of how the segmentation is read: [`Self::mask`] gives pixels,
/// serialising it gives compressed COCO run-length encoding, and
/// [`UncompressedRle`](masklet_media::UncompressedRle) around it the list of lengths.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskRecord {
    /// The mask, of the picture's size.
    pub segmentation: Rle,
    /// Pixels of the mask.
    pub area: u64,
    /// Left, top, width and height in pixels, as the reference has them: from the first to the last
    /// column and row, so that width and height are one less than COCO's.
    pub bbox: [f32; 4],
    /// What the model thinks its IoU with the object is.
    pub predicted_iou: f32,
    /// The click it came from, in pixels of the picture.
    pub point_coords: [[f32; 2]; 1],
    /// How little it depends on where the logits are cut; see
    /// [`stability_score`](masklet_media::stability_score).
    pub stability_score: f32,
    /// Left, top, width and height of the crop it was found in, in pixels.
    pub crop_box: [f32; 4],
}

impl MaskRecord {
    /// The mask, decoded.
    pub fn mask(&self) -> Mask {
        self.segmentation.decode()
    }
}

impl From<Candidate> for MaskRecord {
    fn from(candidate: Candidate) -> Self {
        let [x0, y0, x1, y1] = candidate.corners;
        Self {
            area: candidate.rle.area(),
            segmentation: candidate.rle,
            bbox: [x0, y0, x1 - x0, y1 - y0],
            predicted_iou: candidate.predicted_iou,
            point_coords: [candidate.point],
            stability_score: candidate.stability_score,
            crop_box: candidate.crop.to_coco().map(|side| side as f32),
        }
    }
}
