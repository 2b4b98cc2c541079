//! A made-up video to measure on.

use burn::tensor::{Tensor, TensorData};
use masklet::Model;
use masklet_media::{FrameSource, Result, RgbImage, preprocess};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// Stripes and discs that move from frame to frame.
#[derive(Debug)]
pub(crate) struct MovingPattern {
    frames: usize,
}

impl MovingPattern {
    pub(crate) fn new(frames: usize) -> Self {
        Self { frames }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    /// The first frame as the network takes it.
    pub(crate) fn pixels(&self, model: &Model) -> Tensor<4> {
        let size = model.config().image_size;
        let pixels = preprocess::for_video_predictor(&picture(0), size);
        Tensor::from_data(TensorData::new(pixels, [1, size, size, 3]), model.device())
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
        Ok((index < self.frames).then(|| picture(index)))
    }
}

fn picture(index: usize) -> RgbImage {
    let shift = 4.0 * index as f32;
    let disc = |x: f32, y: f32, centre: f32| {
        let (dx, dy) = (x - centre - shift, y - 0.5 * HEIGHT as f32);
        (dx * dx + dy * dy).sqrt() < 90.0
    };
    let pixels = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| (x as f32, y as f32)))
        .flat_map(|(x, y)| {
            let stripes = ((x * 0.05 + y * 0.02 + shift * 0.01).sin() * 60.0 + 100.0) as u8;
            match (
                disc(x, y, 0.3 * WIDTH as f32),
                disc(x, y, 0.7 * WIDTH as f32),
            ) {
                (true, _) => [220, 60, stripes],
                (_, true) => [40, stripes, 220],
                _ => [stripes, 130, stripes / 2],
            }
        })
        .collect();
    RgbImage::from_raw(WIDTH, HEIGHT, pixels).expect("three bytes a pixel")
}
