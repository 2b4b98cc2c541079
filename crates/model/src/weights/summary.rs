//! What `masklet weights inspect` shows.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Checkpoint, Dtype, Format, detect};
use crate::config::{Family, PointerPosition, Preset};

/// A checkpoint at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The file.
    pub path: PathBuf,
    /// How it stores its tensors.
    pub format: Format,
    /// Its size in bytes.
    pub file_size: u64,
    /// The official model's name, or `custom`; `None` when it cannot be told.
    pub model: Option<String>,
    /// `SAM 2` or `SAM 2.1`, as far as it can be told.
    pub family: Option<&'static str>,
    /// Why the model cannot be told.
    pub problem: Option<String>,
    /// Number of tensors.
    pub tensors: usize,
    /// Elements of all tensors.
    pub parameters: u64,
    /// The number formats that occur.
    pub dtypes: Vec<Dtype>,
    /// The tensors by module, in the order of the file.
    pub modules: Vec<ModuleSummary>,
}

/// One module's part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleSummary {
    /// The first part of the tensors' names (the first two within the image encoder), or `other`
    /// for the parameters that belong to no module.
    pub name: String,
    /// Number of tensors.
    pub tensors: usize,
    /// Elements of these tensors.
    pub parameters: u64,
    /// Their share of all elements, from 0 to 1.
    pub share: f64,
}

impl Summary {
    /// Sums up a checkpoint. Which model it is may remain open.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let detected = detect(checkpoint);
        let parameters = checkpoint.parameter_count();
        Self {
            path: checkpoint.path().to_owned(),
            format: checkpoint.format(),
            file_size: checkpoint.file_size(),
            model: detected.as_ref().ok().map(|d| d.name().to_owned()),
            family: detected.as_ref().ok().map(|d| {
                let family = d
                    .preset
                    .and_then(Preset::official)
                    .map(|model| model.family);
                let projected =
                    d.config.memory.pointer_position == PointerPosition::SignedProjected;
                match family {
                    Some(Family::Sam2) => "SAM 2",
                    Some(Family::Sam2_1) => "SAM 2.1",
                    None if projected => "SAM 2.1",
                    None => "SAM 2",
                }
            }),
            problem: detected.err().map(|error| error.to_string()),
            tensors: checkpoint.len(),
            parameters,
            dtypes: checkpoint.dtypes().into_iter().collect(),
            modules: modules(checkpoint, parameters),
        }
    }
}

fn modules(checkpoint: &Checkpoint, all: u64) -> Vec<ModuleSummary> {
    let mut modules: Vec<ModuleSummary> = Vec::new();
    for (tensor, info) in checkpoint.tensors() {
        let name = module_of(tensor);
        let at = modules.iter().position(|module| module.name == name);
        let at = at.unwrap_or_else(|| {
            modules.push(ModuleSummary {
                name: name.to_owned(),
                tensors: 0,
                parameters: 0,
                share: 0.0,
            });
            modules.len() - 1
        });
        if let Some(module) = modules.get_mut(at) {
            module.tensors += 1;
            module.parameters = module.parameters.saturating_add(info.elements() as u64);
            module.share = module.parameters as f64 / all.max(1) as f64;
        }
    }
    modules
}

/// `image_encoder.trunk` of `image_encoder.trunk.blocks.0.norm1.weight`.
fn module_of(tensor: &str) -> &str {
    let Some((first, rest)) = tensor.split_once('.') else {
        return "other";
    };
    match rest.split_once('.') {
        Some((second, _)) if first == "image_encoder" => tensor
            .get(..first.len() + 1 + second.len())
            .unwrap_or(first),
        _ => first,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dtypes: Vec<_> = self.dtypes.iter().map(|dtype| dtype.name()).collect();
        writeln!(f, "file        {}", self.path.display())?;
        let size = self.file_size as f64 / 1e6;
        writeln!(f, "format      {}, {size:.1} MB", self.format)?;
        let model = self.model.as_deref().unwrap_or("unknown");
        match self.family {
            Some(family) => writeln!(f, "model       {model} ({family})")?,
            None => writeln!(f, "model       {model}")?,
        }
        let (parameters, tensors) = (grouped(self.parameters), self.tensors);
        writeln!(f, "parameters  {parameters} in {tensors} tensors")?;
        writeln!(f, "numbers     {}", dtypes.join(", "))?;
        if let Some(problem) = &self.problem {
            writeln!(f, "problem     {problem}")?;
        }
        let names = self.modules.iter().map(|m| m.name.chars().count());
        let width = names.max().unwrap_or(0).max("module".len());
        write!(f, "\n{:width$}  tensors     parameters   share", "module")?;
        for module in &self.modules {
            write!(
                f,
                "\n{:width$}  {:>7}  {:>13}  {:>5.1}%",
                module.name,
                module.tensors,
                grouped(module.parameters),
                module.share * 100.0
            )?;
        }
        Ok(())
    }
}

/// `38962498` as `38 962 498`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}
