//! `samples/`: validation clips with truth and prediction, to see what the numbers mean.

use std::fs;
use std::path::PathBuf;

use embedded_graphics::mono_font::iso_8859_1::FONT_8X13;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::Alignment;
use masklet_data::clip::Clip;
use masklet_media::sheet::{arrange, thumbnail};
use masklet_media::{Mask, MediaError, RgbImage};

use super::canvas::Canvas;
use super::{Observer, Result};

/// The folder's name in the run's folder.
pub const SAMPLES: &str = "samples";

/// The most frames on a sheet.
const FRAMES: usize = 8;
/// The largest width and height of a frame on a sheet, in pixels.
const CELL: (u32, u32) = (240, 180);
const GAP: u32 = 4;
const GROUND: [u8; 3] = [24, 24, 28];
const INK: Rgb888 = Rgb888::new(230, 232, 236);
/// Height of the line of text, and the width of its characters.
const LINE: u32 = 18;
const CHARACTER: u32 = 8;

/// A validation clip and what the network made of it.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The number of steps that the weights were trained for.
    pub step: u64,
    /// The frames with the true masks.
    pub clip: &'a Clip,
    /// For each frame, the predicted mask of each of the clip's objects.
    pub predictions: &'a [Vec<Mask>],
    /// The clip's J&F, per cent.
    pub j_and_f: f64,
}

impl Sample<'_> {
    /// Evenly spaced frames with the true masks above and the predicted ones below, under a line
    /// that tells the clip's name, the step and J&F.
    ///
    /// # Errors
    /// [`MediaError::SizeMismatch`] if a mask does not have its frame's size.
    pub fn sheet(&self) -> Result<RgbImage> {
        let frames = &self.clip.frames;
        let shown = spread(frames.len());
        let row = |masks: &dyn Fn(usize) -> Vec<Mask>| -> Result<Vec<RgbImage>> {
            let picture = |&at: &usize| {
                let objects: Vec<(u32, Mask)> = (1..).zip(masks(at)).collect();
                thumbnail(&frames[at].picture, &objects, CELL)
            };
            shown.iter().map(picture).collect()
        };
        let truth = row(&|at| frames[at].masks.clone())?;
        let predicted = row(&|at| self.predictions.get(at).cloned().unwrap_or_default())?;
        let width = truth
            .iter()
            .map(|picture| picture.width() + GAP)
            .sum::<u32>();
        arrange(&[vec![self.label(width)?], truth, predicted], GAP, GROUND)
    }

    /// A line of text, at least `width` pixels wide.
    fn label(&self, width: u32) -> Result<RgbImage> {
        let (name, step, j_and_f) = (&self.clip.name, self.step, self.j_and_f);
        let text =
            format!("{name}  step {step}  J&F {j_and_f:.1}  (above: truth, below: prediction)");
        let needed = CHARACTER * text.chars().count() as u32 + 2 * GAP;
        let width = width.saturating_sub(GAP).max(needed);
        let mut line = Canvas(RgbImage::filled(width, LINE, GROUND)?);
        let place = (GAP as i32, LINE as i32 / 2);
        line.text(&text, place, Alignment::Left, &FONT_8X13, INK);
        Ok(line.0)
    }

    /// A name for the sheet's file: files sort by clip, then by step.
    pub fn file_name(&self) -> String {
        let plain = |c: char| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        let clip: String = self.clip.name.chars().map(plain).collect();
        format!("{clip}_{:07}.png", self.step)
    }
}

/// At most [`FRAMES`] of so many, the first and the last among them.
fn spread(frames: usize) -> Vec<usize> {
    let count = frames.min(FRAMES);
    let place = |at: usize| match count {
        0 | 1 => 0,
        _ => at * (frames - 1) / (count - 1),
    };
    (0..count).map(place).collect()
}

/// Writes each sample's sheet into a folder.
#[derive(Debug)]
pub struct Samples {
    folder: PathBuf,
}

impl Samples {
    /// Writes into `folder`, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

impl Observer for Samples {
    fn sampled(&mut self, sample: &Sample<'_>) -> Result {
        fs::create_dir_all(&self.folder).map_err(|source| MediaError::Write {
            path: self.folder.clone(),
            source,
        })?;
        sample
            .sheet()?
            .save_png(self.folder.join(sample.file_name()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use masklet_data::clip::ClipFrame;
    use masklet_media::overlay::colour_of;

    /// A clip of `frames` frames with two objects, and predictions of the first only.
    pub(in crate::monitor) fn clip(frames: u32) -> (Clip, Vec<Vec<Mask>>) {
        let square = |left: u32| {
            Mask::from_fn(60, 40, move |x, y| {
                (left..left + 16).contains(&x) && (12..28).contains(&y)
            })
        };
        let (mut truth, mut predicted) = (Vec::new(), Vec::new());
        for frame in 0..frames {
            let masks = vec![square(2 + frame), square(40 - frame)];
            predicted.push(vec![masks[0].clone(), Mask::empty(60, 40)]);
            let picture = RgbImage::filled(60, 40, [90, 100, 110]).unwrap();
            truth.push(ClipFrame { picture, masks });
        }
        let clip = Clip {
            name: "a/clip".into(),
            objects: vec![4, 9],
            frames: truth,
        };
        (clip, predicted)
    }

    fn count(picture: &RgbImage, colour: [u8; 3], rows: std::ops::Range<u32>) -> usize {
        let pixels = rows.flat_map(|y| (0..picture.width()).map(move |x| (x, y)));
        let near = |at: u8, of: u8| at.abs_diff(of) < 50;
        pixels
            .filter_map(|(x, y)| picture.pixel(x, y))
            .filter(|pixel| (0..3).all(|channel| near(pixel[channel], colour[channel])))
            .count()
    }

    #[test]
    fn the_sheet_has_truth_above_and_prediction_below() {
        let (clip, predictions) = clip(20);
        let sample = Sample {
            step: 30,
            clip: &clip,
            predictions: &predictions,
            j_and_f: 50.0,
        };
        let sheet = sample.sheet().unwrap();
        let cell = (CELL.0, CELL.0 * 40 / 60);
        assert_eq!(sheet.width(), GAP + FRAMES as u32 * (cell.0 + GAP));
        assert_eq!(sheet.height(), 2 * GAP + LINE + 2 * (cell.1 + GAP));
        let middle = sheet.height() - GAP - cell.1;
        let (above, below) = (2 * GAP + LINE..middle - GAP, middle..sheet.height());
        let second = colour_of(2);
        assert!(count(&sheet, second, above) > 100);
        assert_eq!(count(&sheet, second, below), 0);
        assert!(count(&sheet, [230, 232, 236], GAP..GAP + LINE) > 50);
    }

    #[test]
    fn the_first_and_the_last_frame_are_shown() {
        assert_eq!(spread(1), [0]);
        assert_eq!(spread(3), [0, 1, 2]);
        let many = spread(100);
        assert_eq!((many.len(), many[0], many[7]), (FRAMES, 0, 99));
    }

    #[test]
    fn sheets_are_files_whatever_the_clip_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let (clip, predictions) = clip(2);
        let sample = Sample {
            step: 30,
            clip: &clip,
            predictions: &predictions,
            j_and_f: 50.0,
        };
        let mut samples = Samples::new(folder.path().join(SAMPLES));
        samples.sampled(&sample).unwrap();
        let path = folder.path().join(SAMPLES).join("a_clip_0000030.png");
        assert_eq!(RgbImage::open(path).unwrap(), sample.sheet().unwrap());
    }
}
