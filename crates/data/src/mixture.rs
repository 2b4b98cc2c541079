//! Several data sets as one endless, seeded stream.

use std::collections::HashSet;

use rand::seq::SliceRandom as _;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::clip::{Clip, MotionOptions, SampleOptions, clip_from_image, sample_clip};
use crate::dataset::Dataset;
use crate::{DataError, Result, SkipReason};

/// A data set with its part in a mixture.
#[derive(Debug)]
pub struct Source {
    /// What it is called in reports.
    pub name: String,
    /// The data set.
    pub dataset: Dataset,
    /// Probability of drawing from it, relative to those of the others. `None`: in proportion to
    /// the number of its items times [`repeat`](Self::repeat).
    pub probability: Option<f64>,
    /// How often each item occurs in a pass over the data set. A fraction stands for a part of
    /// the items, drawn anew in each pass: 2.5 is each item twice and half of them once more.
    pub repeat: f64,
    /// If given, only these sequences or images are used.
    pub include: Option<Vec<String>>,
    /// These sequences or images are not used.
    pub exclude: Vec<String>,
}

impl Source {
    /// All of a data set, in proportion to its size.
    pub fn new(name: impl Into<String>, dataset: Dataset) -> Self {
        Self {
            name: name.into(),
            dataset,
            probability: None,
            repeat: 1.0,
            include: None,
            exclude: Vec::new(),
        }
    }

    /// The places of the items that are used.
    fn items(&self) -> Result<Vec<u32>> {
        let all: Vec<&str> = (0..self.dataset.len())
            .map(|i| self.dataset.name(i))
            .collect();
        let known: HashSet<&str> = all.iter().copied().collect();
        for name in self.include.iter().flatten().chain(&self.exclude) {
            if !known.contains(name.as_str()) {
                return Err(DataError::unknown(
                    "sequence or image",
                    name,
                    all.into_iter(),
                ));
            }
        }
        let set = |names: &[String]| names.iter().cloned().collect::<HashSet<String>>();
        let include = self.include.as_deref().map(set);
        let exclude = set(&self.exclude);
        let used = |name: &str| {
            include
                .as_ref()
                .is_none_or(|include| include.contains(name))
                && !exclude.contains(name)
        };
        let items = (0u32..).zip(&all).filter(|(_, name)| used(name));
        Ok(items.map(|(item, _)| item).collect())
    }
}

/// Data sets with probabilities.
#[derive(Debug)]
pub struct Mixture {
    sources: Vec<Source>,
    items: Vec<Vec<u32>>,
    /// Sums of the probabilities up to and with each source; the last is 1.
    cumulative: Vec<f64>,
}

/// One thing to train on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The place of the data set among [`Mixture::sources`].
    pub source: usize,
    /// The place of the sequence or image in the data set.
    pub item: usize,
    /// Seed of everything random that is done with it, so that it does not matter which thread
    /// does it, or when.
    pub seed: u64,
}

/// How [`Mixture::load`] makes clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadOptions {
    /// How clips are taken from videos.
    pub sample: SampleOptions,
    /// How clips are made of images; `None` gives clips of one frame.
    pub motion: Option<MotionOptions>,
}

impl Mixture {
    /// A mixture of `sources`.
    ///
    /// # Errors
    /// [`DataError::BadValue`] if there are none, a probability is negative, all are zero, a
    /// repeat factor is not positive, or nothing is left of a data set;
    /// [`DataError::Unknown`] for a name to include or exclude that the data set does not have.
    pub fn new(sources: Vec<Source>) -> Result<Self> {
        let mut items = Vec::with_capacity(sources.len());
        let mut weights = Vec::with_capacity(sources.len());
        for source in &sources {
            let bad = |what, found: String, accepted| {
                Err(DataError::BadValue {
                    what,
                    found,
                    accepted,
                })
            };
            if !(source.repeat > 0.0 && source.repeat <= 1e6) {
                let found = format!("{} of {}", source.repeat, source.name);
                return bad("the repeat factor", found, "a positive number up to 1e6");
            }
            let used = source.items()?;
            if used.is_empty() {
                let found = format!("0 in {}", source.name);
                return bad("the number of items to draw", found, "at least one");
            }
            let weight = source
                .probability
                .unwrap_or(used.len() as f64 * source.repeat);
            if !(weight >= 0.0 && weight.is_finite()) {
                let found = format!("{weight} of {}", source.name);
                return bad("the probability", found, "a number of at least 0");
            }
            items.push(used);
            weights.push(weight);
        }
        if sources.iter().any(|s| s.probability.is_some())
            && let Some(without) = sources.iter().find(|s| s.probability.is_none())
        {
            return Err(DataError::BadValue {
                what: "the probability",
                found: format!("none of {}, but one of another data set", without.name),
                accepted: "one for every data set or for none",
            });
        }
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return Err(DataError::BadValue {
                what: "the sum of the probabilities",
                found: total.to_string(),
                accepted: "a positive number",
            });
        }
        let mut sum = 0.0;
        let cumulative = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        Ok(Self {
            cumulative: cumulative.collect(),
            sources,
            items,
        })
    }

    /// The data sets.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The number of draws that a pass over all data sets takes: the sum of their items times
    /// their repeat factors.
    pub fn pass_length(&self) -> usize {
        let lengths = self.sources.iter().zip(&self.items);
        lengths
            .map(|(source, items)| pass_length(items.len(), source.repeat))
            .sum()
    }

    /// The endless stream of draws for a seed. It depends on nothing but the seed and the
    /// mixture: skipping `n` draws continues where a stream that was read for `n` draws stopped.
    pub fn draws(&self, seed: u64) -> Draws<'_> {
        let stream = |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(number);
            rng
        };
        let passes = (1..).zip(&self.items).zip(&self.sources);
        let passes = passes.map(|((number, items), source)| Pass {
            items,
            repeat: source.repeat,
            rng: stream(number),
            left: Vec::new(),
        });
        Draws {
            passes: passes.collect(),
            cumulative: &self.cumulative,
            rng: stream(0),
        }
    }

    /// The clip of a draw.
    ///
    /// # Errors
    /// As the data set's reader, [`sample_clip`] and [`clip_from_image`]. Give the result to
    /// [`SkipReport::usable`](crate::SkipReport::usable) to go on without what cannot be used.
    pub fn load(&self, draw: Draw, options: &LoadOptions) -> Result<Clip> {
        let mut rng = ChaCha8Rng::seed_from_u64(draw.seed);
        match &self.sources[draw.source].dataset {
            Dataset::Videos(videos) => {
                sample_clip(&*videos.open(draw.item)?, &options.sample, &mut rng)
            }
            Dataset::Images(images) => load_image(&images.open(draw.item)?, options, &mut rng),
        }
    }

    /// What a draw is called: the data set's name and the item's.
    pub fn names(&self, draw: Draw) -> (&str, &str) {
        let source = &self.sources[draw.source];
        (&source.name, source.dataset.name(draw.item))
    }
}

/// One of the image's segmentations becomes a clip. Crowds are no objects.
fn load_image(
    image: &crate::LabelledImage,
    options: &LoadOptions,
    rng: &mut ChaCha8Rng,
) -> Result<Clip> {
    let empty = || DataError::unusable(&image.name, SkipReason::EmptyMasks);
    let which = rng.random_range(0..image.segmentations.len().max(1));
    let segmentation = image.segmentations.get(which).ok_or_else(empty)?;
    let usable = segmentation
        .segments
        .iter()
        .filter(|s| !s.crowd && s.mask.area() > 0);
    let mut segments: Vec<_> = usable.collect();
    if segments.is_empty() {
        return Err(empty());
    }
    let picture = image.picture()?;
    match &options.motion {
        Some(motion) => {
            let masks: Vec<_> = segments
                .iter()
                .map(|segment| segment.mask.decode())
                .collect();
            clip_from_image(&image.name, &picture, &masks, motion, rng)
        }
        None => {
            segments.shuffle(rng);
            segments.truncate(options.sample.objects);
            let masks = (0..)
                .zip(segments)
                .map(|(id, segment)| (id, segment.mask.decode()));
            Clip::still(&image.name, picture, masks.collect())
        }
    }
}

fn pass_length(items: usize, repeat: f64) -> usize {
    // At least one, so that a small part of a small data set is not nothing.
    ((items as f64 * repeat).round() as usize).max(1)
}

/// The stream of draws of a [`Mixture`].
#[derive(Clone, Debug)]
pub struct Draws<'a> {
    passes: Vec<Pass<'a>>,
    cumulative: &'a [f64],
    rng: ChaCha8Rng,
}

/// What is left of a pass over one data set.
#[derive(Clone, Debug)]
struct Pass<'a> {
    items: &'a [u32],
    repeat: f64,
    rng: ChaCha8Rng,
    left: Vec<u32>,
}

impl Pass<'_> {
    fn next(&mut self) -> u32 {
        loop {
            if let Some(item) = self.left.pop() {
                return item;
            }
            let length = pass_length(self.items.len(), self.repeat);
            while self.left.len() < length {
                let mut order = self.items.to_vec();
                order.shuffle(&mut self.rng);
                order.truncate(length - self.left.len());
                self.left.extend(order);
            }
            self.left.shuffle(&mut self.rng);
        }
    }
}

impl Iterator for Draws<'_> {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        let chance: f64 = self.rng.random();
        let seed = self.rng.next_u64();
        let source = self.cumulative.partition_point(|&sum| sum <= chance);
        // Rounding may leave the last sum just below 1.
        let source = source.min(self.cumulative.len() - 1);
        Some(Draw {
            source,
            item: self.passes[source].next() as usize,
            seed,
        })
    }
}
