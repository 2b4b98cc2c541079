//! [`Run`]: a training run, from its first step or from where it stopped.
//!
//! What a step does depends on the configuration, the weights and the number of the step alone, so a
//! run that was stopped, or killed, and goes on gives the same numbers as one that was not.

mod checkpoint;
mod clip_step;
mod folder;
mod network;
mod trouble;

use std::time::Instant;

use burn::tensor::Device;
use masklet::Model;
use masklet_data::clip::Clip;
use masklet_model::config::Sam2Config;
use masklet_model::{Compute, LoadedModel};

pub use folder::{BEST, CONFIG, LAST, Progress, RunFolder};

use crate::clips::{ClipLoader, ClipRecipe, Sources, TrainingClip, validation_clips};
use crate::config::TrainConfig;
use crate::losses::LossParts;
use crate::monitor::{
    LossRecord, Observer, RunInfo, StepRecord, Summary, ValidationRecord, peak_memory_bytes,
};
use crate::optimizer::{GradientSum, Optimizer};
use crate::rollout::ClipTensors;
use crate::simulated_user::SimulatedUser;
use crate::validate::validate;
use crate::{Result, TrainError};
use clip_step::ClipStep;
use network::Start;

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
    validation: Vec<Clip>,
    remarks: Vec<String>,
}

impl Run {
    /// Begins a run in a new folder. The network is that of the configuration.
    ///
    /// # Errors
    /// If the configuration asks for what cannot be had, or the folder has a run in it; nothing is
    /// left in it then.
    pub fn begin(
        config: TrainConfig,
        folder: impl Into<std::path::PathBuf>,
        compute: Compute,
    ) -> Result<Self> {
        let start = network::initial(&config)?;
        let model = start.build(&config, &compute)?;
        let sources = Sources::open(&config)?;
        let optimizer = Optimizer::new(&config, &model.parameters)?;
        let folder = RunFolder::create(folder)?;
        let run = Self::assemble(
            folder,
            config,
            compute,
            start,
            model,
            optimizer,
            Progress::default(),
            sources,
        )?;
        let text = run.config.to_toml()?;
        masklet_media::atomic::write(&run.folder.file(CONFIG), text.as_bytes())?;
        Ok(run)
    }

    /// Goes on with the run in a folder, from its newest checkpoint, or from the start if it has
    /// none.
    ///
    /// # Errors
    /// If there is no run, or its checkpoint is damaged.
    pub fn resume(folder: impl Into<std::path::PathBuf>, compute: Compute) -> Result<Self> {
        let folder = RunFolder::open(folder)?;
        let config = TrainConfig::read(folder.file(CONFIG))?;
        let (start, progress, checkpoint) = match folder.newest()? {
            Some((path, progress)) => {
                let start = network::from_weights(&checkpoint::weights(&path), &config)?;
                (start, progress, Some(path))
            }
            None => (network::initial(&config)?, Progress::default(), None),
        };
        let model = start.build(&config, &compute)?;
        let mut optimizer = Optimizer::new(&config, &model.parameters)?;
        if let Some(path) = &checkpoint {
            checkpoint::read_optimizer(path, &mut optimizer)?;
        }
        let sources = Sources::open(&config)?;
        Self::assemble(
            folder, config, compute, start, model, optimizer, progress, sources,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a struct")]
    fn assemble(
        folder: RunFolder,
        config: TrainConfig,
        compute: Compute,
        start: Start,
        mut model: LoadedModel,
        optimizer: Optimizer,
        progress: Progress,
        sources: Sources,
    ) -> Result<Self> {
        let begins = start.remark(&model)?;
        let inference = start.inference;
        model.network = optimizer.freeze(model.network);
        let size = inference.image_size as u32;
        let validation = match &sources.validation {
            Some(mixture) => validation_clips(mixture, &config, size)?,
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
            resumed_at: progress.step,
            folder,
            config,
            compute,
            inference,
            model,
            optimizer,
            progress,
            validation,
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

    /// What was skipped of the data so far, one line each.
    pub fn skipped(&self) -> Vec<String> {
        self.clips.skipped()
    }

    /// Trains until all steps are complete or `stopped` says so after a step; either way a
    /// checkpoint is written, and the weights to use.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] if the network diverges; otherwise if a file cannot be read or
    /// written. The checkpoints that were written stay.
    pub fn train(
        &mut self,
        observer: &mut dyn Observer,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Summary> {
        let start = Instant::now();
        observer.started(&self.info())?;
        let steps = self.config.steps as u64;
        let mut saved_at = self.resumed_at;
        while self.progress.step < steps && !stopped() {
            let record = self.step()?;
            observer.step(&record)?;
            let last = self.progress.step == steps;
            let due = |every: usize| every > 0 && self.progress.step.is_multiple_of(every as u64);
            let (validate, save) = (
                self.config.validation.every > 0 && (last || due(self.config.validation.every)),
                last || due(self.config.checkpoints.every),
            );
            if validate {
                self.validate(observer, stopped)?;
            }
            if save || validate {
                observer.saved(&self.save()?)?;
                saved_at = self.progress.step;
            }
        }
        if saved_at != self.progress.step {
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
        for clip in &clips {
            let outcome = self.clip_gradients(clip, objects, &mut gradients)?;
            losses = Some(match losses {
                Some(sum) => sum + outcome.losses,
                None => outcome.losses,
            });
            ious.extend(outcome.ious);
        }
        let losses = self.record(&losses.expect("a step has at least one clip"));
        if !losses.total.is_finite() {
            return Err(TrainError::NotFinite {
                step,
                loss: losses.total,
                saved: trouble::save_clips(&self.folder, step, &clips)?,
            });
        }
        let network = self.model.network.clone();
        let (network, update) = self
            .optimizer
            .step(network, gradients, self.progress.step)?;
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

    fn clip_gradients(
        &self,
        clip: &TrainingClip,
        objects: usize,
        gradients: &mut GradientSum,
    ) -> Result<clip_step::ClipOutcome> {
        let device = self.training_device();
        let tensors = ClipTensors::new(&clip.clip, self.inference.image_size, &device)?;
        let frames = clip.clip.frames.len();
        let mut user = SimulatedUser::new(&self.config.prompts, frames, clip.prompt_rng());
        let step = ClipStep {
            network: &self.model.network,
            loss: &self.config.loss,
            objects,
            checkpoint_encoder: self.config.checkpoint_encoder,
            seed: clip.draw.seed,
        };
        Ok(step.run(&tensors, &mut user, &mut |found| {
            gradients.add(found, &self.model.network);
        }))
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

    fn training_device(&self) -> Device {
        self.compute.device.clone().autodiff()
    }

    /// Scores the weights as they would be used, and keeps them if they are the best.
    fn validate(&mut self, observer: &mut dyn Observer, stopped: &dyn Fn() -> bool) -> Result<()> {
        let weights = self.folder.file(LAST);
        self.write_weights(&weights)?;
        let model = Model::open_as(&weights, None, self.compute.clone())?;
        let every = self.config.monitor.samples_every as u64;
        let sampling = every > 0;
        let mut left = self.config.monitor.samples;
        let mut sampled = |sample: &crate::monitor::Sample<'_>| {
            if sampling && left > 0 {
                left -= 1;
                observer.sampled(sample)?;
            }
            Ok(())
        };
        let record = validate(
            &model,
            &self.validation,
            self.progress.step,
            &mut sampled,
            stopped,
        )?;
        let Some(record) = record else {
            return Ok(());
        };
        let better = |best: ValidationRecord| record.j_and_f > best.j_and_f;
        if self.progress.best.is_none_or(better) {
            self.progress.best = Some(record);
            self.write_weights(&self.folder.file(BEST))?;
        }
        observer.validated(&record)?;
        Ok(())
    }
}
