//! [`Optimizer`]: AdamW over the parameters of a network, as the reference sets it up.
//!
//! The arithmetic of a step is Burn's AdamW; what is decided here is each parameter's learning
//! rate and weight decay ([`ParameterGroups`]), their [`Schedule`], and how long the gradients of
//! all parameters together may be. Beside the network that is trained, a moving average of it can
//! be kept. What is remembered between steps is saved by the parameters' official names and read
//! back bit by bit, so that a run can go on where it stopped.

mod gradients;
mod groups;
mod memory;
mod schedule;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer as _};
use burn::tensor::Tensor;
use masklet_model::{ParameterName, Sam2};

pub use gradients::GradientSum;
pub(crate) use gradients::with_own_graph;
pub use groups::{GroupedParameter, ParameterGroups};
pub use schedule::Schedule;

use crate::config::{ConfigError, OptimizerOptions, Place, TrainConfig};
use crate::{Divergence, Result};
use memory::Memory;

/// PyTorch's: added to the root of the squared gradient's average.
const EPSILON: f32 = 1e-8;
/// PyTorch's, in `clip_grad_norm_`: added to the norm.
const NORM_EPSILON: f64 = 1e-6;

/// AdamW, and what it remembers between steps.
pub struct Optimizer {
    groups: ParameterGroups,
    options: OptimizerOptions,
    schedule: Schedule,
    decaying: AdamW,
    plain: AdamW,
    memory: Memory,
}

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// L2 norm of all gradients together, before they were shortened.
    pub gradient_norm: f64,
    /// Learning rate of everything but the image encoder.
    pub learning_rate: f64,
    /// Learning rate of the image encoder, before layer decay.
    pub trunk_learning_rate: f64,
}

impl Optimizer {
    /// An optimizer for a network with these parameters.
    ///
    /// # Errors
    /// [`Config`](crate::TrainError::Config) for a pattern in `freeze` that matches no parameter,
    /// naming the nearest that does, or if nothing is left to train.
    pub fn new(config: &TrainConfig, parameters: &[ParameterName]) -> Result<Self> {
        let options = config.optimizer.clone();
        let groups = ParameterGroups::new(parameters, &options, &config.freeze);
        let adamw = |weight_decay: f64| {
            AdamWConfig::new()
                .with_beta_1(options.betas.0 as f32)
                .with_beta_2(options.betas.1 as f32)
                .with_epsilon(EPSILON)
                .with_weight_decay(weight_decay as f32)
                .build()
        };
        Ok(Self {
            groups: groups.map_err(|error| ConfigError::Field {
                place: Place::default(),
                error,
            })?,
            schedule: Schedule {
                steps: config.steps,
                warmup_steps: options.warmup_steps,
                final_fraction: options.final_fraction,
            },
            decaying: adamw(options.weight_decay),
            plain: adamw(0.0),
            memory: Memory::default(),
            options,
        })
    }

    /// How each parameter is trained.
    pub fn groups(&self) -> &ParameterGroups {
        &self.groups
    }

    /// How many numbers the network's parameters are, and how many of them are trained.
    pub fn counts(&self) -> (usize, usize) {
        self.groups.counts()
    }

    /// The network with no gradients recorded for what is not trained, which saves their
    /// backward pass.
    pub fn freeze(&self, network: Sam2) -> Sam2 {
        network.map(&mut Freeze(&self.groups))
    }

    /// The step after `complete` ones: the network with its parameters moved against their
    /// gradients. Parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// [`Divergence::Gradient`], before anything has changed.
    pub fn step(
        &mut self,
        network: Sam2,
        gradients: GradientSum,
        complete: u64,
    ) -> std::result::Result<(Sam2, Update), Divergence> {
        let gradients = gradients.into_gradients();
        let norm = gradients::norm(&gradients, &network, &self.groups);
        if !norm.is_finite() {
            let parameter = gradients::not_finite(&gradients, &network, &self.groups);
            return Err(Divergence::Gradient(parameter));
        }
        let factor = self.schedule.factor(complete as usize);
        let update = Update {
            gradient_norm: norm,
            learning_rate: self.options.learning_rate * factor,
            trunk_learning_rate: self.options.trunk_learning_rate * factor,
        };
        let shortened = match self.options.gradient_clip {
            0.0 => 1.0,
            most => (most / (norm + NORM_EPSILON)).min(1.0),
        };
        let network = network.map(&mut Step {
            optimizer: self,
            gradients,
            shortened,
            factor,
        });
        Ok((network, update))
    }

    /// The network with the moving average of its parameters, if one is kept and there was a
    /// step; else as it is.
    pub fn averaged(&self, network: Sam2) -> Sam2 {
        network.map(&mut Averaged(&self.memory))
    }

    /// Writes what is remembered, as `.safetensors` with f32 tensors: `moment_1/NAME`,
    /// `moment_2/NAME` and, if a moving average is kept, `average/NAME` for each official name.
    ///
    /// # Errors
    /// [`Weights`](crate::TrainError::Weights) if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.memory.save(&self.groups, path)
    }

    /// Takes over what another optimizer of the same run wrote.
    ///
    /// # Errors
    /// [`Weights`](crate::TrainError::Weights) if the file cannot be read,
    /// [`BadCheckpoint`](crate::TrainError::BadCheckpoint) if it is of another network or incomplete.
    /// What was remembered stays then.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        self.memory = Memory::load(&self.groups, path)?;
        Ok(())
    }
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimizer")
            .field("options", &self.options)
            .field("schedule", &self.schedule)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// Moves parameters.
struct Step<'a> {
    optimizer: &'a mut Optimizer,
    gradients: GradientsParams,
    /// Factor of the gradients.
    shortened: f64,
    /// Factor of the learning rates.
    factor: f64,
}

impl Step<'_> {
    /// The parameter's next values. All are flat: AdamW does not look at the shape.
    fn next(&mut self, id: ParamId, values: Tensor<1>, gradient: Tensor<1>) -> Option<Tensor<1>> {
        let Optimizer {
            groups,
            options,
            decaying,
            plain,
            memory,
            ..
        } = &mut *self.optimizer;
        let group = groups.trained(id)?;
        let adamw = if group.decays { decaying } else { plain };
        let device = values.device();
        let state = memory.moments.remove(&id);
        let state = state.map(|state| AdamW::to_device(state, &device));
        let (next, state) = adamw.step(
            group.learning_rate * self.factor,
            values.clone(),
            gradient.mul_scalar(self.shortened),
            state,
        );
        memory.moments.extend(state.map(|state| (id, state)));
        if let Some(kept) = options.ema {
            let average = memory.averages.remove(&id);
            let average = average.map_or(values, |average| average.to_device(&device));
            let moved = average.mul_scalar(kept) + next.clone().mul_scalar(1.0 - kept);
            memory.averages.insert(id, moved);
        }
        Some(next)
    }
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let values = param.val().inner();
        match self.next(param.id, flat(values), flat(gradient)) {
            Some(next) => with_values(param, next),
            None => param,
        }
    }
}

/// Puts averages in the place of parameters.
struct Averaged<'a>(&'a Memory);

impl ModuleMapper for Averaged<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.averages.get(&param.id) {
            Some(average) => {
                let average = average.clone().to_device(&param.val().inner().device());
                with_values(param, average)
            }
            None => param,
        }
    }
}

/// Stops recording gradients of what is not trained.
struct Freeze<'a>(&'a ParameterGroups);

impl ModuleMapper for Freeze<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.trained(param.id) {
            Some(_) => param,
            None => param.set_require_grad(false),
        }
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let length = tensor.shape().num_elements();
    tensor.reshape([length])
}

/// The parameter with other values, on the same device and with gradients recorded as before.
fn with_values<const D: usize>(param: Param<Tensor<D>>, values: Tensor<1>) -> Param<Tensor<D>> {
    param.map(|old| {
        let mut new = values.reshape(old.dims());
        if old.is_autodiff() {
            new = new.autodiff();
            if let Some(strategy) = old.gradient_checkpointing_strategy() {
                new = new.with_gradient_checkpointing_strategy(strategy);
            }
        }
        new.set_require_grad(old.is_require_grad())
    })
}
