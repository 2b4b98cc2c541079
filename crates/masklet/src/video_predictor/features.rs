//! Encoded frames, read and encoded when needed or just before, with a bound on how many are kept.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, OnceLock};
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
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

/// A frame that was read, or could not be, and is encoded in the background.
#[derive(Debug)]
struct ComingFrame {
    index: usize,
    read: Result<Option<Encoding>>,
}

/// A picture on its way through the encoder.
#[derive(Debug)]
struct Encoding {
    picture: Arc<RgbImage>,
    /// Set when it is done; to nothing if the encoder panicked.
    features: Arc<OnceLock<Option<ImageFeatures>>>,
}

/// A frame source and its recently used frames.
#[derive(Debug)]
pub(super) struct FrameFeatures<S> {
    source: S,
    /// Most recently used last.
    cache: VecDeque<CachedFrame>,
    capacity: usize,
    /// At most one frame is encoded ahead.
    coming: Option<ComingFrame>,
}

impl<S: FrameSource> FrameFeatures<S> {
    pub(super) fn new(source: S, capacity: usize) -> Self {
        Self {
            source,
            cache: VecDeque::new(),
            capacity: capacity.max(1),
            coming: None,
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

    /// As [`Self::get`], and has the pool encode `next` from now on, while the caller goes on with
    /// this frame. What goes wrong with `next` is said when it is wanted.
    ///
    /// A small model's kernels leave threads idle between them; two frames at once fill the gaps.
    /// With one thread there are none, and a GPU computes behind the caller's back anyway.
    pub(super) fn get_and_go_on(
        &mut self,
        model: &Model,
        frame: usize,
        next: usize,
    ) -> Result<Option<ImageFeatures>> {
        let worthwhile = rayon::current_num_threads() > 1 && *model.device() == Device::flex();
        let known = self.is_cached(next) || self.is_coming(next);
        if !worthwhile || known || self.check(next).is_err() {
            return self.get(model, frame);
        }
        if !self.is_cached(frame) {
            if !self.is_coming(frame) {
                let read = self.source.frame(frame);
                self.coming = Some(ComingFrame::begin(model, frame, read));
            }
            let coming = self.coming.as_ref();
            if !coming.is_some_and(|coming| matches!(coming.read, Ok(Some(_)))) {
                // Nothing comes after it either.
                return self.get(model, frame);
            }
        }
        // In the order of the video, and while this frame may still be in the encoder.
        let read = self.source.frame(next);
        let features = self.get(model, frame)?;
        self.coming = Some(ComingFrame::begin(model, next, read));
        Ok(features)
    }

    fn is_cached(&self, frame: usize) -> bool {
        self.cache.iter().any(|cached| cached.index == frame)
    }

    fn is_coming(&self, frame: usize) -> bool {
        let coming = self.coming.as_ref();
        coming.is_some_and(|coming| coming.index == frame)
    }

    fn encode(&mut self, model: &Model, frame: usize) -> Result<Option<CachedFrame>> {
        let coming = match self.coming.take_if(|coming| coming.index == frame) {
            Some(coming) => coming,
            None => ComingFrame::begin(model, frame, self.source.frame(frame)),
        };
        let Some(encoding) = coming.read? else {
            return Ok(None);
        };
        // Room first: the features of one frame more need not be held.
        while self.cache.len() >= self.capacity {
            self.cache.pop_front();
        }
        let (picture, features) = encoding.wait(model);
        Ok(Some(CachedFrame {
            index: frame,
            picture,
            features,
        }))
    }
}

impl ComingFrame {
    fn begin(model: &Model, index: usize, read: masklet_media::Result<Option<RgbImage>>) -> Self {
        let read = read.map(|picture| picture.map(|picture| Encoding::begin(model, picture)));
        Self {
            index,
            read: read.map_err(Error::from),
        }
    }
}

impl Encoding {
    fn begin(model: &Model, picture: RgbImage) -> Self {
        let encoding = Self {
            picture: Arc::new(picture),
            features: Arc::default(),
        };
        let (model, picture) = (model.clone(), Arc::clone(&encoding.picture));
        let features = Arc::clone(&encoding.features);
        rayon::spawn(move || {
            let work = AssertUnwindSafe(|| features_of(&model, &picture));
            // Somebody may wait, whatever happens. Nobody else sets it.
            let _ = features.set(panic::catch_unwind(work).ok());
        });
        encoding
    }

    fn wait(self, model: &Model) -> (Arc<RgbImage>, ImageFeatures) {
        let done = loop {
            if let Some(done) = self.features.get() {
                break done;
            }
            match rayon::yield_now() {
                // One of the pool's own threads, which this may need, lends a hand.
                Some(_) => thread::yield_now(),
                None => break self.features.wait(),
            }
        };
        // Where it panicked it does so again, where the caller can tell why.
        let features = done
            .clone()
            .unwrap_or_else(|| features_of(model, &self.picture));
        (self.picture, features)
    }
}

fn features_of(model: &Model, picture: &RgbImage) -> ImageFeatures {
    let size = model.config().image_size;
    let pixels = preprocess::for_video_predictor(picture, size);
    let pixels = TensorData::new(pixels, [1, size, size, 3]);
    let pixels = Tensor::from_data(pixels, model.device());
    model.compute(|network| network.encode_image(pixels))
}
