//! Encoded frames, read and encoded when needed, with a bound on how many are kept.

use std::collections::VecDeque;

use burn::tensor::{Tensor, TensorData};
use masklet_media::{FrameSource, preprocess};
use masklet_model::ImageFeatures;

use crate::{Error, Model, Result};

/// A frame source and the features of its recently used frames.
#[derive(Debug)]
pub(super) struct FrameFeatures<S> {
    source: S,
    /// Most recently used last.
    cache: VecDeque<(usize, ImageFeatures)>,
    capacity: usize,
}

impl<S: FrameSource> FrameFeatures<S> {
    pub(super) fn new(source: S, capacity: usize) -> Self {
        Self {
            source,
            cache: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    pub(super) fn dimensions(&self) -> (u32, u32) {
        self.source.dimensions()
    }

    pub(super) fn count(&self) -> Option<usize> {
        self.source.frame_count()
    }

    /// Fails if the source is known to end before `frame`.
    pub(super) fn check(&self, frame: usize) -> Result<()> {
        match self.count() {
            Some(count) if frame >= count => Err(Error::NoSuchFrame { frame, count }),
            _ => Ok(()),
        }
    }

    /// The features of `frame`, or `None` past the last frame.
    pub(super) fn get(&mut self, model: &Model, frame: usize) -> Result<Option<ImageFeatures>> {
        let features = match self.cache.iter().position(|&(t, _)| t == frame) {
            Some(at) => {
                self.cache
                    .remove(at)
                    .expect("the position was just found")
                    .1
            }
            None => match self.source.frame(frame)? {
                None => return Ok(None),
                Some(image) => {
                    // Room first: two sets of features need not be held at once.
                    while self.cache.len() >= self.capacity {
                        self.cache.pop_front();
                    }
                    let size = model.config().image_size;
                    let pixels = preprocess::for_video_predictor(&image, size);
                    let pixels = TensorData::new(pixels, [1, size, size, 3]);
                    let pixels = Tensor::from_data(pixels, model.device());
                    model.network().encode_image(pixels)
                }
            },
        };
        self.cache.push_back((frame, features.clone()));
        Ok(Some(features))
    }
}
