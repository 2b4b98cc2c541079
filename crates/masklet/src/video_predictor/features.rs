//! Encoded frames, read and encoded when needed, with a bound on how many are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use masklet_media::{FrameSource, RgbImage, preprocess};
use masklet_model::ImageFeatures;

use crate::{Error, Model, Result};

/// A frame that was read and encoded.
#[derive(Debug, Clone)]
struct CachedFrame {
    index: usize,
    picture: Arc<RgbImage>,
    features: ImageFeatures,
}

/// A frame source and its recently used frames.
#[derive(Debug)]
pub(super) struct FrameFeatures<S> {
    source: S,
    /// Most recently used last.
    cache: VecDeque<CachedFrame>,
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

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn source_mut(&mut self) -> &mut S {
        &mut self.source
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
        let cached = match self.cache.iter().position(|cached| cached.index == frame) {
            Some(at) => self.cache.remove(at),
            None => self.encode(model, frame)?,
        };
        let features = cached.as_ref().map(|cached| cached.features.clone());
        self.cache.extend(cached);
        Ok(features)
    }

    /// The picture of `frame`, or `None` past the last frame.
    pub(super) fn picture(&mut self, frame: usize) -> Result<Option<Arc<RgbImage>>> {
        match self.cache.iter().find(|cached| cached.index == frame) {
            Some(cached) => Ok(Some(Arc::clone(&cached.picture))),
            None => Ok(self.source.frame(frame)?.map(Arc::new)),
        }
    }

    fn encode(&mut self, model: &Model, frame: usize) -> Result<Option<CachedFrame>> {
        let Some(picture) = self.source.frame(frame)? else {
            return Ok(None);
        };
        // Room first: the features of one frame more need not be held.
        while self.cache.len() >= self.capacity {
            self.cache.pop_front();
        }
        let size = model.config().image_size;
        let pixels = preprocess::for_video_predictor(&picture, size);
        let pixels = TensorData::new(pixels, [1, size, size, 3]);
        let pixels = Tensor::from_data(pixels, model.device());
        Ok(Some(CachedFrame {
            index: frame,
            picture: Arc::new(picture),
            features: model.compute(|network| network.encode_image(pixels)),
        }))
    }
}
