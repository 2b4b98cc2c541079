//! A made-up video to measure on.

use burn::tensor::{Tensor, TensorData};
use masklet::Model;
use masklet_media::{FrameSource, Result, RgbImage, preprocess};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// Columns that everything moves by from frame to frame.
const STEP: usize = 4;

/// Stripes and discs that move from frame to frame. They are drawn once, on a strip that frames are cut
/// from: drawing would take a good part of a small model's time.
#[derive(Debug)]
pub(crate) struct MovingPattern {
    frames: usize,
    /// Red, green and blue; as high as a frame.
    strip: Vec<u8>,
}

impl MovingPattern {
    pub(crate) fn new(frames: usize) -> Self {
        let before = STEP * frames.saturating_sub(1);
        Self {
            frames,
            strip: strip(before),
        }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    /// The first frame as the network takes it.
    pub(crate) fn pixels(&self, model: &Model) -> Tensor<4> {
        let size = model.config().image_size;
        let pixels = preprocess::for_video_predictor(&self.picture(0), size);
        Tensor::from_data(TensorData::new(pixels, [1, size, size, 3]), model.device())
    }

    fn picture(&self, index: usize) -> RgbImage {
        let row = self.strip.len() / HEIGHT as usize;
        let first = 3 * STEP * (self.frames - 1 - index);
        let cut = |row: &[u8]| row[first..][..3 * WIDTH as usize].to_vec();
        let rows: Vec<Vec<u8>> = self.strip.chunks_exact(row).map(cut).collect();
        let pixels = rows.concat();
        RgbImage::from_raw(WIDTH, HEIGHT, pixels).expect("three bytes a pixel")
    }
}

impl FrameSource for MovingPattern {
    fn dimensions(&self) -> (u32, u32) {
        self.size()
    }

    fn frame_count(&self) -> Option<usize> {
        Some(self.frames)
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        Ok((index < self.frames).then(|| self.picture(index)))
    }
}

/// The first frame, and `before` columns to its left.
fn strip(before: usize) -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let disc = |x: usize, y: usize, centre: f32| {
        let dx = x as f32 - before as f32 - centre * width as f32;
        let dy = y as f32 - 0.5 * height as f32;
        dx * dx + dy * dy < 90.0 * 90.0
    };
    let colour = |x: usize, y: usize| {
        let wave = (x as f32 * 0.05 + y as f32 * 0.02).sin();
        let stripes = (wave * 60.0 + 100.0) as u8;
        match (disc(x, y, 0.3), disc(x, y, 0.7)) {
            (true, _) => [220, 60, stripes],
            (_, true) => [40, stripes, 220],
            _ => [stripes, 130, stripes / 2],
        }
    };
    (0..height)
        .flat_map(|y| (0..before + width).flat_map(move |x| colour(x, y)))
        .collect()
}
