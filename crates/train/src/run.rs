//! [`Run`]: a training run, from its first step or from where it stopped.
//!
//! What a step does depends on the configuration, the weights and the number of the step alone, so a
//! run that was stopped, or killed, and goes on gives the same numbers as one that was not.

mod checkpoint;
mod clip_step;
mod folder;
mod network;
mod pools;
mod trouble;

use std::path::PathBuf;
use std::time::Instant;

use masklet::Model;
use masklet_data::SkipReport;
use masklet_data::clip::Clip;
use masklet_model::config::Sam2Config;
use masklet_model::{Compute, LoadedModel};

pub use folder::{BEST, CONFIG, LAST, Progress, RunFolder};

use crate::clips::{ClipLoader, ClipRecipe, Sources, TrainingClip, validation_clips};
use crate::config::TrainConfig;
use crate::losses::LossParts;
use crate::monitor::{
    LossRecord, Observer, RunInfo, Sample, StepRecord, Summary, ValidationRecord, peak_memory_bytes,
};
use crate::optimizer::{GradientSum, Optimizer};
use crate::rollout::ClipTensors;
use crate::simulated_user::SimulatedUser;
use crate::validate::validate;
use crate::{Divergence, Result, TrainError};
use clip_step::{ClipOutcome, ClipStep, PARTS};
use network::Start;
use pools::Pools;

/// A training run.
#[derive(Debug)]
pub struct Run {
    folder: RunFolder,
    config: TrainConfig,
    /// Where it computes, without gradients.
    compute: Compute,
    /// The network as it is used afterwards.
    inference: Sam2Config,
    model: LoadedModel,
    optimizer: Optimizer,
    progress: Progress,
    /// Steps that were complete when this process began.
    resumed_at: u64,
    clips: ClipLoader,
    /// For the clips of a step.
    pools: Pools,
    /// For the parts of the clip in each of those.
    part_pools: Vec<Pools>,
    validation: Vec<Clip>,
    /// What could not be validated on.
    skipped: SkipReport,
    remarks: Vec<String>,
}

impl Run {
    /// Begins a run in a new folder. The network is that of the configuration.
    ///
    /// # Errors
    /// If the configuration asks for what cannot be had, or the folder has a run in it. The folder
    /// is made last: on failure nothing is left.
    pub fn begin(
        config: TrainConfig,
        folder: impl Into<PathBuf>,
        compute: Compute,
    ) -> Result<Self> {
        let folder = RunFolder::vacant(folder)?;
        let start = network::initial(&config)?;
        let run = Self::assemble(folder, config, compute, start, None)?;
        run.folder.make(&run.config.to_toml()?)?;
        Ok(run)
    }

    /// Goes on with the run in a folder, from its newest checkpoint, or from the start if it has
    /// none.
    ///
    /// # Errors
    /// If there is no run, or its checkpoint is damaged.
    pub fn resume(folder: impl Into<PathBuf>, compute: Compute) -> Result<Self> {
        let folder = RunFolder::open(folder)?;
        let config = TrainConfig::read(folder.file(CONFIG))?;
        let checkpoint = folder.newest()?;
        let start = match &checkpoint {
            Some((path, _)) => network::from_weights(&checkpoint::weights(path), &config)?,
            None => network::initial(&config)?,
        };
        Self::assemble(folder, config, compute, start, checkpoint)
    }

    fn assemble(
        folder: RunFolder,
        config: TrainConfig,
        compute: Compute,
        start: Start,
        checkpoint: Option<(PathBuf, Progress)>,
    ) -> Result<Self> {
        let mut model = start.build(&config, &compute)?;
        let begins = start.remark(&model)?;
        let inference = start.inference;
        let mut optimizer = Optimizer::new(&config, &model.parameters)?;
        let progress = match checkpoint {
            Some((path, progress)) => {
                checkpoint::read_optimizer(&path, &mut optimizer)?;
                progress
            }
            None => Progress::default(),
        };
        model.network = optimizer.freeze(model.network);
        let sources = Sources::open(&config)?;
        let size = inference.image_size as u32;
        let mut skipped = SkipReport::new(config.data.fail_on_unusable);
        let validation = match &sources.validation {
            Some(mixture) => validation_clips(mixture, &config, size, &mut skipped)?,
            None => Vec::new(),
        };
        let remark = |name: &String| {
            format!(
                "{name} is too small to hold anything out: it is validated on what it is trained on"
            )
        };
        let recipe = ClipRecipe {
            load: config.data.load_options(),
            augmentation: config.data.augmentation_for(size),
        };
        let strict = config.data.fail_on_unusable;
        let pools = Pools::new(config.clips_at_once, rayon::current_num_threads());
        // Frames that are computed again are so one by one, to save memory.
        let parts = if config.checkpoint_encoder { 1 } else { PARTS };
        Ok(Self {
            clips: ClipLoader::start(
                sources.training,
                recipe,
                config.seed,
                progress.drawn,
                strict,
            ),
            remarks: begins
                .into_iter()
                .chain(sources.not_held_out.iter().map(remark))
                .collect(),
            part_pools: pools.of_parts(parts),
            pools,
            resumed_at: progress.step,
            folder,
            config,
            compute,
            inference,
            model,
            optimizer,
            progress,
            validation,
            skipped,
        })
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// What the run follows.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What is worth knowing before it goes on.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What was skipped of the data so far, for training and for validation.
    pub fn skipped(&self) -> SkipReport {
        let mut all = self.clips.skipped();
        all.merge(&self.skipped);
        all
    }

    /// Trains until all steps are complete or `stopped` says so after a step or within a
    /// validation; either way a checkpoint is written, and the weights to use. A validation that
    /// was stopped is made when the run goes on.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] if a loss or a gradient is not finite; otherwise if a file cannot
    /// be read or written. The checkpoints that were written stay.
    pub fn train(
        &mut self,
        observer: &mut dyn Observer,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Summary> {
        let start = Instant::now();
        observer.started(&self.info())?;
        let steps = self.config.steps as u64;
        let mut saved = self.progress.clone();
        loop {
            let step = self.progress.step;
            let due =
                |every: usize| every > 0 && (step == steps || step.is_multiple_of(every as u64));
            let validating = step > self.progress.validated && due(self.config.validation.every);
            let saving = step > saved.step && due(self.config.checkpoints.every);
            if validating || saving {
                self.write_weights(&self.folder.file(LAST))?;
            }
            let interrupted = validating && !self.validate(observer, stopped)?;
            if (validating || saving) && self.progress != saved {
                observer.saved(&self.save()?)?;
                saved = self.progress.clone();
            }
            if interrupted || step == steps || stopped() {
                break;
            }
            let record = self.step()?;
            observer.step(&record)?;
        }
        if self.progress != saved {
            self.write_weights(&self.folder.file(LAST))?;
            observer.saved(&self.save()?)?;
        }
        let weights = self.folder.file(LAST);
        let summary = Summary {
            step: self.progress.step,
            complete: self.progress.step >= steps,
            best: self.progress.best,
            seconds: start.elapsed().as_secs_f64(),
            weights: weights.exists().then_some(weights),
        };
        observer.finished(&summary)?;
        Ok(summary)
    }

    fn info(&self) -> RunInfo {
        let (parameters, trained_parameters) = self.optimizer.counts();
        RunInfo {
            folder: self.folder.path().to_owned(),
            model: self
                .model
                .preset
                .map_or("custom", |preset| preset.name())
                .to_owned(),
            steps: self.config.steps as u64,
            resumed_at: self.resumed_at,
            parameters,
            trained_parameters,
            clips_per_step: self.config.clips_per_step,
        }
    }

    /// One step of the optimizer.
    fn step(&mut self) -> Result<StepRecord> {
        let start = Instant::now();
        let step = self.progress.step + 1;
        let count = self.config.clips_per_step;
        let clips: Vec<TrainingClip> = (0..count)
            .map(|_| self.clips.next_clip())
            .collect::<Result<_>>()?;
        let objects = clips.iter().map(|clip| clip.clip.objects.len()).sum();
        let mut gradients = GradientSum::default();
        let mut losses: Option<LossParts<f64>> = None;
        let mut ious = Vec::new();
        self.clip_gradients(&clips, objects, &mut |outcome, found| {
            gradients.merge(found, &self.model.network);
            losses = Some(match losses.take() {
                Some(sum) => sum + outcome.losses,
                None => outcome.losses,
            });
            ious.extend(outcome.ious);
        })?;
        let losses = self.record(&losses.expect("a step has at least one clip"));
        let diverged = |what: Divergence| -> Result<TrainError> {
            let saved = trouble::save_clips(&self.folder, step, &clips)?;
            Ok(TrainError::Diverged { step, what, saved })
        };
        if !losses.total.is_finite() {
            return Err(diverged(Divergence::Loss(losses.total))?);
        }
        let network = self.model.network.clone();
        let stepped = self.optimizer.step(network, gradients, self.progress.step);
        let (network, update) = match stepped {
            Ok(stepped) => stepped,
            Err(divergence) => return Err(diverged(divergence)?),
        };
        self.model.network = network;
        self.progress.step = step;
        self.progress.drawn = clips.last().map_or(self.progress.drawn, |clip| clip.drawn);
        Ok(StepRecord {
            step,
            losses,
            mean_iou: 100.0 * ious.iter().sum::<f64>() / ious.len() as f64,
            learning_rate: update.learning_rate,
            trunk_learning_rate: update.trunk_learning_rate,
            gradient_norm: update.gradient_norm,
            clips: count,
            objects,
            seconds: start.elapsed().as_secs_f64(),
            peak_memory_bytes: peak_memory_bytes(),
        })
    }

    /// Hands over what each clip came to, and its gradients.
    fn clip_gradients(
        &self,
        clips: &[TrainingClip],
        objects: usize,
        done: &mut dyn FnMut(ClipOutcome, GradientSum),
    ) -> Result<()> {
        let device = self.compute.device.clone().autodiff();
        let size = self.inference.image_size;
        let config = &self.config;
        let (network, part_pools) = (&self.model.network, &self.part_pools);
        let gradients_of = |pool: usize, clip: &TrainingClip| -> Result<_> {
            let tensors = ClipTensors::new(&clip.clip, size, &device)?;
            let frames = clip.clip.frames.len();
            let mut user = SimulatedUser::new(&config.prompts, frames, clip.prompt_rng());
            let step = ClipStep {
                network,
                loss: &config.loss,
                objects,
                checkpoint_encoder: config.checkpoint_encoder,
                seed: clip.draw.seed,
                pools: &part_pools[pool],
            };
            Ok(step.run(&tensors, &mut user))
        };
        self.pools.try_each(clips, gradients_of, |result| {
            let (outcome, gradients) = result?;
            done(outcome, gradients);
            Ok(())
        })
    }

    /// The losses weighted as they enter the total.
    fn record(&self, losses: &LossParts<f64>) -> LossRecord {
        let weights = &self.config.loss;
        let (focal, dice) = (losses.focal * weights.focal, losses.dice * weights.dice);
        let (iou, occlusion) = (
            losses.iou * weights.iou,
            losses.occlusion * weights.occlusion,
        );
        LossRecord {
            total: focal + dice + iou + occlusion,
            focal,
            dice,
            iou,
            occlusion,
        }
    }

    /// Scores the weights to use, which were just written, and keeps them if they are the best;
    /// `false` if `stopped` put an end to it.
    fn validate(
        &mut self,
        observer: &mut dyn Observer,
        stopped: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let weights = self.folder.file(LAST);
        let model = Model::open_as(&weights, None, self.compute.clone())?;
        let mut left = match self.sampling() {
            true => self.config.monitor.samples,
            false => 0,
        };
        let mut sampled = |sample: &Sample<'_>| {
            if left > 0 {
                left -= 1;
                observer.sampled(sample)?;
            }
            Ok(())
        };
        let step = self.progress.step;
        let record = validate(&model, &self.validation, step, &mut sampled, stopped)?;
        let Some(record) = record else {
            return Ok(false);
        };
        let better = |best: ValidationRecord| record.j_and_f > best.j_and_f;
        if self.progress.best.is_none_or(better) {
            self.progress.best = Some(record);
            masklet_media::atomic::copy(&weights, &self.folder.file(BEST))?;
        }
        self.progress.validated = step;
        observer.validated(&record)?;
        Ok(true)
    }

    /// Whether samples are drawn in the validation of this step: if they became due since the one
    /// before.
    fn sampling(&self) -> bool {
        let times = |step: u64| step.checked_div(self.config.monitor.samples_every as u64);
        times(self.progress.step) > times(self.progress.validated)
    }
}
