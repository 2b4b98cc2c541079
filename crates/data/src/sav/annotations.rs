//! The JSON that SA-V has for a training video.

use std::path::Path;

use masklet_media::Rle;
use serde::{Deserialize, Deserializer, Serialize};

use super::ANNOTATED_EVERY;
use crate::{DataError, Result, listing};

/// The masklets of one video: the content of `<video>_manual.json` or `<video>_auto.json`, in
/// the fields and order of SA-V.
///
/// Lists over masklets are all of length [`masklet_num`](Self::masklet_num). What has an entry
/// for each frame may be of another type, for a writer that does not have it in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavAnnotations<M = Vec<Vec<Rle>>, S = Vec<Option<Vec<f64>>>> {
    /// The video's name (`sav_000001`).
    pub video_id: String,
    /// Its duration in seconds.
    pub video_duration: f64,
    /// Its number of frames.
    pub video_frame_count: f64,
    /// Height in pixels.
    pub video_height: f64,
    /// Width in pixels.
    pub video_width: f64,
    /// Height times width.
    pub video_resolution: f64,
    /// `Indoor` or `Outdoor`.
    pub video_environment: String,
    /// `train` for the training set.
    pub video_split: String,
    /// The masks: for each annotated frame (0, 4, 8, …), one of each masklet; empty where it is
    /// not visible.
    pub masklet: M,
    /// The masklets' numbers.
    pub masklet_id: Vec<u32>,
    /// Mean area over the frames on which it is visible, as a fraction of the picture.
    pub masklet_size_rel: Vec<f64>,
    /// Mean area over the frames on which it is visible, in pixels.
    pub masklet_size_abs: Vec<f64>,
    /// `small` (below 32²), `medium` (below 96²) or `large`, by
    /// [`masklet_size_abs`](Self::masklet_size_abs).
    pub masklet_size_bucket: Vec<String>,
    /// How often it disappears or comes back.
    #[serde(deserialize_with = "whole_numbers")]
    pub masklet_visibility_changes: Vec<u64>,
    /// The annotated frame (see [`masklet`](Self::masklet)) on which it is first visible.
    pub masklet_first_appeared_frame: Vec<f64>,
    /// The number of annotated frames.
    #[serde(deserialize_with = "whole_numbers")]
    pub masklet_frame_count: Vec<u64>,
    /// The number of frames edited by a person.
    #[serde(deserialize_with = "whole_numbers")]
    pub masklet_edited_frame_count: Vec<u64>,
    /// `manual` or `auto`.
    pub masklet_type: Vec<String>,
    /// The model's stability score for each annotated frame, of automatic masklets.
    #[serde(default)]
    pub masklet_stability_score: S,
    /// The number of masklets.
    pub masklet_num: usize,
}

/// Whole numbers that may be written with a decimal point.
fn whole_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let numbers = Vec::<f64>::deserialize(deserializer)?;
    // Casts saturate; SA-V has no negative counts.
    Ok(numbers.into_iter().map(|number| number as u64).collect())
}

impl SavAnnotations {
    /// Reads a file and checks that its lists fit together.
    ///
    /// # Errors
    /// [`DataError::Read`]; [`DataError::Json`] if it is not in SA-V's format, with the place;
    /// [`DataError::Inconsistent`] if a frame does not have one mask for each masklet, or a
    /// mask is not of the video's size.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let read: Self = listing::read_json(path, "an SA-V file of masklets")?;
        read.check()
            .map_err(|(found, expected)| DataError::Inconsistent {
                path: path.to_owned(),
                found,
                expected,
            })?;
        Ok(read)
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.video_width as u32, self.video_height as u32)
    }

    /// The number of frames of the video.
    pub fn frame_count(&self) -> usize {
        self.video_frame_count as usize
    }

    /// What is wrong, as found and expected.
    fn check(&self) -> Result<(), (String, String)> {
        let count = self.masklet_id.len();
        let frames = self.frame_count().div_ceil(ANNOTATED_EVERY);
        if self.masklet.len() > frames {
            let found = format!("masks for {} annotated frames", self.masklet.len());
            let expected = format!("at most {frames} (every 4th of {})", self.frame_count());
            return Err((found, expected));
        }
        let (width, height) = self.dimensions();
        for (index, masks) in self.masklet.iter().enumerate() {
            if masks.len() != count {
                let found = format!("{} masks on annotated frame {index}", masks.len());
                return Err((found, format!("one for each of {count} masklets")));
            }
            if let Some(mask) = masks
                .iter()
                .find(|m| (m.width(), m.height()) != (width, height))
            {
                let found = format!("a mask of {}x{} pixels", mask.width(), mask.height());
                let expected =
                    format!("the video's size {width}x{height} (annotated frame {index})");
                return Err((found, expected));
            }
        }
        Ok(())
    }
}
