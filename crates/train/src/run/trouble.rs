//! The clips of a step that went wrong, to be looked at.

use std::fs;
use std::path::PathBuf;

use masklet_media::{RgbImage, atomic};

use super::RunFolder;
use crate::clips::TrainingClip;
use crate::{Result, TrainError};

/// Writes frames and masks of the clips as pictures, with where they come from; gives the folder.
pub(super) fn save_clips(folder: &RunFolder, step: u64, clips: &[TrainingClip]) -> Result<PathBuf> {
    let place = folder.file(&format!("diverged_at_step_{step}"));
    for (number, TrainingClip { clip, draw, .. }) in clips.iter().enumerate() {
        let path = place.join(format!("clip_{number}"));
        fs::create_dir_all(&path).map_err(|source| TrainError::file("make", &path, source))?;
        for (t, frame) in clip.frames.iter().enumerate() {
            frame.picture.save_png(path.join(format!("{t:02}.png")))?;
            for (object, mask) in clip.objects.iter().zip(&frame.masks) {
                let (width, height) = mask.dimensions();
                let pixels = mask
                    .bits()
                    .iter()
                    .flat_map(|&inside| [255 * u8::from(inside); 3]);
                RgbImage::from_raw(width, height, pixels.collect())?
                    .save_png(path.join(format!("{t:02}_object_{object}.png")))?;
            }
        }
        let origin = serde_json::json!({
            "clip": clip.name,
            "source": draw.source,
            "item": draw.item,
            "seed": draw.seed.to_string(),
        });
        let text = format!("{origin:#}\n");
        atomic::write(&path.join("origin.json"), text.as_bytes())?;
    }
    Ok(place)
}
