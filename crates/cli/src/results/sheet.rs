//! The contact sheet: evenly spaced frames with their masks, to see at one look what came out.
//!
//! How many frames will come is not known, so small pictures of evenly spaced ones are put aside
//! as files, and thinned out when there are too many. Twice as many are kept as the sheet needs:
//! a run that resumes somewhat earlier then finds those that it needs itself.

use std::fs;
use std::io::ErrorKind;

use anyhow::Context as _;
use masklet::ObjectId;
use masklet_media::overlay::draw_frame_number;
use masklet_media::sheet::arrange;
use masklet_media::{Mask, PromptMark, RgbImage};

use super::names::{SHEET, UNFINISHED};
use super::scene::{Scene, Sink, Whole, draw};
use crate::failure::Failure;

/// The most frames on a sheet.
const MOST: usize = 16;
const COLUMNS: usize = 4;
/// The longer side of a frame on the sheet, in pixels.
const TILE: u32 = 320;
/// Between frames.
const GAP: u32 = 6;
const GROUND: [u8; 3] = [24, 24, 28];

/// `sheet.png`.
pub(super) struct Sheet {
    frames: usize,
}

impl Sheet {
    /// A sheet of a video of which `frames` are tracked already.
    pub(super) fn new(frames: usize) -> Self {
        Self { frames }
    }
}

/// Of `frames` frames, one in this many is on the sheet: the smallest power of two that leaves
/// at most [`MOST`].
fn stride(frames: usize) -> usize {
    frames.div_ceil(MOST).max(1).next_power_of_two()
}

/// Of `frames` frames, one in this many is put aside.
fn kept_stride(frames: usize) -> usize {
    (stride(frames) / 2).max(1)
}

fn tile(position: usize) -> String {
    format!("{UNFINISHED}/sheet/{position:05}.png")
}

impl Sink for Sheet {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let (before, now) = (kept_stride(self.frames), kept_stride(self.frames + 1));
        if now != before {
            for position in (0..self.frames).step_by(before).filter(|p| p % now != 0) {
                let path = scene.folder.file(&tile(position))?;
                match fs::remove_file(&path) {
                    // A run that was killed after its checkpoint has removed it before.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    removed => {
                        removed.with_context(|| format!("cannot remove {}", path.display()))?;
                    }
                }
            }
        }
        if self.frames.is_multiple_of(now) {
            let path = scene.folder.file(&tile(self.frames))?;
            small(scene)?.save_png(path)?;
        }
        self.frames += 1;
        Ok(())
    }

    fn finish(&mut self, whole: &Whole<'_>) -> Result<(), Failure> {
        let folder = whole.folder;
        let tiles = (0..self.frames)
            .step_by(stride(self.frames))
            .map(|position| Ok(RgbImage::open(folder.file(&tile(position))?)?))
            .collect::<Result<Vec<RgbImage>, Failure>>()?;
        if tiles.is_empty() {
            return Ok(());
        }
        let rows: Vec<Vec<RgbImage>> = tiles.chunks(COLUMNS).map(<[_]>::to_vec).collect();
        Ok(arrange(&rows, GAP, GROUND)?.save_png(folder.file(SHEET)?)?)
    }
}

/// The frame at the sheet's size, drawn there so that lines and numbers stay legible.
fn small(scene: &Scene<'_>) -> Result<RgbImage, Failure> {
    let (width, height) = scene.picture.dimensions();
    let scale = (f64::from(TILE) / f64::from(width.max(height))).min(1.0);
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let (wide, high) = (scaled(width), scaled(height));
    let picture = scene.picture.resized((wide, high))?;
    let masks: Vec<(ObjectId, Mask)> = scene
        .masks
        .iter()
        .map(|(id, mask)| (*id, mask.resized((wide, high))))
        .collect();
    let scale = scale as f32;
    let marks: Vec<(ObjectId, Vec<PromptMark>)> = scene
        .marks
        .iter()
        .map(|(id, marks)| (*id, marks.iter().map(|mark| mark.scaled(scale)).collect()))
        .collect();
    let mut drawn = draw(&picture, &masks, &marks)?;
    draw_frame_number(&mut drawn, scene.frame());
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_at_least_half_full_and_never_overfull() {
        for frames in 1..5000usize {
            let shown = frames.div_ceil(stride(frames));
            assert!(shown <= MOST && (shown > MOST / 2 || shown == frames));
        }
    }

    #[test]
    fn what_is_put_aside_serves_a_run_that_resumes_a_checkpoint_earlier() {
        let interval = super::super::CHECKPOINT_INTERVAL;
        for resumed in (interval..5000).step_by(interval) {
            for killed in resumed..=resumed + interval {
                assert_eq!(
                    stride(resumed) % kept_stride(killed),
                    0,
                    "{resumed} {killed}"
                );
            }
        }
    }
}
