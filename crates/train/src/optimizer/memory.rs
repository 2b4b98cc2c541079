//! What an optimizer remembers of a run, and the file it is kept in.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::ParamId;
use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::{Device, Tensor, TensorData};
use masklet_model::weights::{Checkpoint, Precision, save_safetensors};

use super::ParameterGroups;
use crate::{Result, TrainError};

/// Where the file keeps how many steps each parameter has made, as JSON.
const STEPS: &str = "masklet.optimizer.steps";
const MOMENT_1: &str = "moment_1/";
const MOMENT_2: &str = "moment_2/";
const AVERAGE: &str = "average/";

/// What is remembered of each trained parameter that had a gradient, as flat tensors.
#[derive(Clone, Default)]
pub(super) struct Memory {
    /// AdamW's averages of the gradient and of its square.
    pub(super) moments: HashMap<ParamId, AdamWState<1>>,
    /// The moving average of the parameter's values, if one is kept.
    pub(super) averages: HashMap<ParamId, Tensor<1>>,
}

impl Memory {
    /// Writes it under the parameters' official names, in f32 as it is.
    pub(super) fn save(&self, groups: &ParameterGroups, path: &Path) -> Result<()> {
        let mut steps = BTreeMap::new();
        let mut tensors: Vec<(String, &[usize], Vec<f32>)> = Vec::new();
        for (id, group) in groups.iter() {
            let mut keep = |kind: &str, values: &Tensor<1>| {
                let values = values.to_data().iter::<f32>().collect();
                tensors.push((format!("{kind}{}", group.name), &group.shape, values));
            };
            if let Some(AdamWState { momentum }) = self.moments.get(&id) {
                keep(MOMENT_1, &momentum.moment_1);
                keep(MOMENT_2, &momentum.moment_2);
                steps.insert(group.name.as_str(), momentum.time);
            }
            if let Some(average) = self.averages.get(&id) {
                keep(AVERAGE, average);
            }
        }
        let steps = serde_json::to_string(&steps).expect("names and numbers");
        let metadata = BTreeMap::from([(STEPS.to_owned(), steps)]);
        let tensors = tensors
            .iter()
            .map(|(name, shape, values)| (name.as_str(), *shape, values.as_slice()));
        Ok(save_safetensors(path, tensors, Precision::F32, metadata)?)
    }

    /// Reads what [`save`](Self::save) wrote for the same network.
    pub(super) fn load(groups: &ParameterGroups, path: &Path) -> Result<Self> {
        let file = Checkpoint::open(path)?;
        let damaged = |what: String| TrainError::BadCheckpoint {
            path: path.to_owned(),
            what,
        };
        let steps = file.metadata(STEPS);
        let steps = steps.ok_or_else(|| damaged(format!("it has no `{STEPS}`")))?;
        let steps: BTreeMap<String, usize> =
            serde_json::from_str(steps).map_err(|error| damaged(format!("`{STEPS}`: {error}")))?;

        let mut memory = Self::default();
        let mut read = 0;
        let mut tensor = |kind: &str, name: &str, shape: &[usize]| -> Result<Option<Tensor<1>>> {
            let name = format!("{kind}{name}");
            let Some(info) = file.get(&name) else {
                return Ok(None);
            };
            if info.shape != shape {
                let found = &info.shape;
                return Err(damaged(format!("`{name}` is {found:?}, not {shape:?}")));
            }
            read += 1;
            let values = file.read_f32(&name)?;
            // Taken to the network's device when it is used.
            let data = TensorData::new(values, [info.elements()]);
            Ok(Some(Tensor::from_data(data, &Device::flex())))
        };
        for (id, group) in groups.iter().filter(|(_, group)| group.trained) {
            let (name, shape) = (group.name.as_str(), group.shape.as_slice());
            let moments = (
                tensor(MOMENT_1, name, shape)?,
                tensor(MOMENT_2, name, shape)?,
            );
            match (moments, steps.get(name)) {
                ((Some(first), Some(second)), Some(&time)) => {
                    let momentum = AdaptiveMomentumState::new(time, first, second);
                    memory.moments.insert(id, AdamWState::new(momentum));
                }
                ((None, None), None) => {}
                _ => return Err(damaged(format!("what it has of `{name}` is incomplete"))),
            }
            if let Some(average) = tensor(AVERAGE, name, shape)? {
                memory.averages.insert(id, average);
            }
        }
        match file.len() - read {
            0 => Ok(memory),
            more => Err(damaged(format!(
                "it has {more} tensors of parameters that this run does not train"
            ))),
        }
    }
}
