//! What a checkpoint is made of: the weights, what the optimizer remembers, and how far the run is.

use std::path::{Path, PathBuf};

use masklet_model::weights::Precision;

use super::Run;
use crate::Result;
use crate::optimizer::Optimizer;

const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";

/// The weights in a checkpoint: those that training goes on from.
pub(super) fn weights(checkpoint: &Path) -> PathBuf {
    checkpoint.join(WEIGHTS)
}

/// Gives the optimizer back what it remembered.
pub(super) fn read_optimizer(checkpoint: &Path, optimizer: &mut Optimizer) -> Result<()> {
    optimizer.load(&checkpoint.join(OPTIMIZER))
}

impl Run {
    /// Writes a checkpoint.
    pub(super) fn save(&self) -> Result<PathBuf> {
        let keep = self.config.checkpoints.keep;
        self.folder.save(&self.progress, keep, |folder| {
            self.model
                .save(&folder.join(WEIGHTS), &self.inference, Precision::F32)?;
            self.optimizer.save(&folder.join(OPTIMIZER))
        })
    }

    /// Writes the weights to use: their moving average if there is one.
    pub(super) fn write_weights(&self, path: &Path) -> Result<()> {
        let mut model = self.model.clone();
        model.network = self.optimizer.averaged(model.network);
        Ok(model.save(path, &self.inference, Precision::F32)?)
    }
}
