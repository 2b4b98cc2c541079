//! Where clips come from: the mixture, read ahead on a thread of its own, and what is held out for
//! validation.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use masklet_data::clip::{Augmentation, Clip};
use masklet_data::mixture::{Draw, LoadOptions, Mixture, Source};
use masklet_data::{DataError, SkipReport};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::config::{SourceOptions, TrainConfig};
use crate::{Result, TrainError};

/// Clips that are read ahead of their use.
const AHEAD: usize = 2;
/// Streams of a draw's generator: what [`Mixture::load`] draws comes from stream 0.
const AUGMENTATION_STREAM: u64 = 1;
const PROMPT_STREAM: u64 = 2;

/// A clip to train on.
#[derive(Debug, Clone)]
pub struct TrainingClip {
    /// Squares of the network's input size.
    pub clip: Clip,
    /// Where it comes from; its seed is that of everything random done with the clip.
    pub draw: Draw,
    /// How many draws were made for all clips so far, with those that could not be used.
    pub drawn: u64,
}

impl TrainingClip {
    /// The generator of the simulated user.
    pub fn prompt_rng(&self) -> ChaCha8Rng {
        stream(self.draw, PROMPT_STREAM)
    }
}

fn stream(draw: Draw, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(draw.seed);
    rng.set_stream(number);
    rng
}

/// How the clips of a draw are made.
#[derive(Debug, Clone)]
pub struct ClipRecipe {
    /// How they are taken from videos and pictures.
    pub load: LoadOptions,
    /// What is done with them; the last thing is making them squares.
    pub augmentation: Augmentation,
}

impl ClipRecipe {
    fn make(&self, mixture: &Mixture, draw: Draw) -> masklet_data::Result<Clip> {
        let clip = mixture.load(draw, &self.load)?;
        let mut rng = stream(draw, AUGMENTATION_STREAM);
        self.augmentation.apply(clip, &mut rng)?.keep_promptable()
    }
}

/// The endless stream of clips to train on.
#[derive(Debug)]
pub struct ClipLoader {
    receiver: Receiver<Result<TrainingClip>>,
    skipped: Arc<Mutex<SkipReport>>,
}

impl ClipLoader {
    /// Begins to read after `drawn` draws. What cannot be used is skipped and reported, unless
    /// `strict`.
    pub fn start(
        mixture: Mixture,
        recipe: ClipRecipe,
        seed: u64,
        drawn: u64,
        strict: bool,
    ) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        let skipped = Arc::new(Mutex::new(SkipReport::new(strict)));
        let report = Arc::clone(&skipped);
        thread::spawn(move || {
            let patience = 2 * mixture.pass_length() + 16;
            let mut in_vain = 0;
            for (place, draw) in (1..).zip(mixture.draws(seed)).skip(drawn as usize) {
                let (source, name) = mixture.names(draw);
                let made = recipe.make(&mixture, draw);
                let usable = report
                    .lock()
                    .expect("no thread panics while it reports")
                    .usable(source, name, made);
                let message = match usable {
                    Err(error) => Err(error.into()),
                    Ok(Some(clip)) => {
                        in_vain = 0;
                        Ok(TrainingClip {
                            clip,
                            draw,
                            drawn: place,
                        })
                    }
                    Ok(None) if in_vain < patience => {
                        in_vain += 1;
                        continue;
                    }
                    Ok(None) => Err(TrainError::NothingUsable { tried: in_vain }),
                };
                let last = message.is_err();
                if sender.send(message).is_err() || last {
                    return;
                }
            }
        });
        Self { receiver, skipped }
    }

    /// The next clip.
    ///
    /// # Errors
    /// [`TrainError::Data`] for what cannot be used, if that is an error;
    /// [`TrainError::NothingUsable`] if it goes on for two passes over the data.
    pub fn next_clip(&self) -> Result<TrainingClip> {
        self.receiver.recv().unwrap_or(Err(TrainError::LoaderEnded))
    }

    /// What was skipped so far.
    pub fn skipped(&self) -> SkipReport {
        let report = self.skipped.lock();
        report.expect("no thread panics while it reports").clone()
    }
}

/// What is trained on, and what is validated on.
#[derive(Debug)]
pub struct Sources {
    /// To train on.
    pub training: Mixture,
    /// To validate on; `None` without validation.
    pub validation: Option<Mixture>,
    /// Data sets that are too small for anything to be held out: they are validated on what they
    /// are trained on.
    pub not_held_out: Vec<String>,
}

impl Sources {
    /// Opens the data sets.
    ///
    /// # Errors
    /// [`TrainError::NoData`] if there is none; otherwise as their readers.
    pub fn open(config: &TrainConfig) -> Result<Self> {
        let sources = &config.data.sources;
        if sources.is_empty() {
            return Err(TrainError::NoData);
        }
        let mut training = open_all(sources)?;
        let mut not_held_out = Vec::new();
        let validation = match config.validation.every {
            0 => None,
            _ if config.validation.sources.is_empty() => {
                let mut validation = open_all(sources)?;
                for (train, held) in training.iter_mut().zip(&mut validation) {
                    if !hold_out(train, held, config.validation.held_out())? {
                        not_held_out.push(train.name.clone());
                    }
                }
                Some(validation)
            }
            _ => Some(open_all(&config.validation.sources)?),
        };
        Ok(Self {
            training: Mixture::new(training)?,
            validation: validation.map(Mixture::new).transpose()?,
            not_held_out,
        })
    }
}

fn open_all(sources: &[SourceOptions]) -> Result<Vec<Source>> {
    let opened: std::result::Result<_, DataError> =
        sources.iter().map(SourceOptions::open).collect();
    Ok(opened?)
}

/// Leaves a part of a data set's items to `held` alone; `false` if it has too few. Which ones
/// depends on their names only, so that it is the same in every run.
fn hold_out(train: &mut Source, held: &mut Source, fraction: f64) -> Result<bool> {
    let used = |name: &String| {
        train
            .include
            .as_ref()
            .is_none_or(|names| names.contains(name))
            && !train.exclude.contains(name)
    };
    let all = (0..train.dataset.len()).map(|item| train.dataset.name(item).to_owned());
    let mut names: Vec<String> = all.filter(used).collect();
    let count = ((names.len() as f64 * fraction).round() as usize).max(1);
    if names.len() <= count {
        return Ok(false);
    }
    names.sort_by_cached_key(|name| Sha256::digest(name.as_bytes()).to_vec());
    names.truncate(count);
    train.exclude.extend(names.iter().cloned());
    held.include = Some(names);
    held.repeat = 1.0;
    Ok(true)
}

/// The same clips each time, as many as the configuration says, without random transforms. What
/// cannot be used is noted in `skipped`.
///
/// # Errors
/// [`TrainError::NothingUsable`] if none can be used; [`TrainError::Data`] for the first that
/// cannot, if `skipped` is strict.
pub fn validation_clips(
    mixture: &Mixture,
    config: &TrainConfig,
    image_size: u32,
    skipped: &mut SkipReport,
) -> Result<Vec<Clip>> {
    let mut load = config.data.load_options();
    load.sample.reverse = 0.0;
    let recipe = ClipRecipe {
        load,
        augmentation: Augmentation {
            resize: Some(image_size),
            ..Augmentation::none()
        },
    };
    let wanted = config.validation.clips;
    let tried = wanted + 2 * mixture.pass_length();
    let mut clips = Vec::with_capacity(wanted);
    // A seed of its own, so that other training seeds are validated on the same clips.
    for draw in mixture.draws(0).take(tried) {
        if clips.len() == wanted {
            break;
        }
        let (source, name) = mixture.names(draw);
        clips.extend(skipped.usable(source, name, recipe.make(mixture, draw))?);
    }
    match clips.is_empty() {
        true => Err(TrainError::NothingUsable { tried }),
        false => Ok(clips),
    }
}
