//! Which model works on a project: the one that was asked for, or the project's.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use masklet::{Model, Official, built_in};
use masklet_engine::{ModelFacts, ModelVersion, Project};

use crate::failure::Failure;
use crate::model_args::{ModelArgs, Source, say_built_in};
use crate::{Global, fetching};

/// A checkpoint file, and what the project knows or will know it as.
pub(crate) struct ChosenModel {
    pub(crate) file: PathBuf,
    pub(crate) facts: ModelFacts,
}

impl ChosenModel {
    /// The model that was asked for, or else the project's, or else the one inside this program, which
    /// the project then keeps. Says so if it is that one and nobody asked for it.
    pub(crate) fn of(
        args: &ModelArgs,
        project: &Project,
        global: &Global,
    ) -> Result<Self, Failure> {
        if args.is_given() {
            return Self::named(args, project);
        }
        let chosen = match current(project)? {
            Some(model) => Self::known(project, &model, args.offline()).map_err(|failure| {
                failure.advised(
                    "pass its file with --weights FILE, or choose another model with --model NAME \
                     (lite is the one inside this program)",
                )
            })?,
            None => Self::named(args, project)?,
        };
        if is_built_in(&chosen.facts.name) {
            say_built_in(global);
        }
        Ok(chosen)
    }

    fn named(args: &ModelArgs, project: &Project) -> Result<Self, Failure> {
        let source = args.source()?;
        let Source::File(file) = source else {
            let (file, facts) = project.keep_weights(built_in::PRESET.name(), built_in::WEIGHTS)?;
            return Ok(Self { file, facts });
        };
        let name = match args.named() {
            Some(preset) => preset.name().to_owned(),
            None => file
                .file_stem()
                .unwrap_or(file.as_os_str())
                .to_string_lossy()
                .into_owned(),
        };
        Self::of_file(file, name)
    }

    /// A file under a name.
    pub(super) fn of_file(file: PathBuf, name: String) -> Result<Self, Failure> {
        let facts = Source::File(file.clone())
            .read()
            .and_then(|reader| ModelFacts::of(name, reader))
            .with_context(|| format!("cannot read the checkpoint {}", file.display()))?;
        Ok(Self { file, facts })
    }

    /// A model that the project knows: its file in the project, or else, if it has an official name,
    /// that of the model cache, which is fetched if need be. Never another model.
    pub(super) fn known(
        project: &Project,
        model: &ModelVersion,
        offline: bool,
    ) -> Result<Self, Failure> {
        let ModelVersion { name, sha256, .. } = model;
        if let Some(file) = project.model_file(model) {
            let (name, sha256) = (name.clone(), sha256.clone());
            let facts = ModelFacts { name, sha256 };
            return Ok(Self { file, facts });
        }
        let Ok(official) = name.parse::<Official>() else {
            return Err(Failure::usage(anyhow!(
                "the project's model, {name:?}, has no file in the project"
            )));
        };
        let (Failure::Usage(error) | Failure::Failed(error)) =
            match fetching::fetch(official, offline) {
                Ok(file) => return Self::of_file(file, name.clone())?.checked(model),
                Err(failure) => failure,
            };
        let what = format!("the project's model, {name}, cannot be opened");
        Err(Failure::Failed(error.context(what)))
    }

    /// Refuses a file that is not the one which the project knows.
    pub(super) fn checked(self, model: &ModelVersion) -> Result<Self, Failure> {
        match (&self.facts.sha256, &model.sha256) {
            (Some(found), Some(known)) if found != known => Err(Failure::usage(anyhow!(
                "{} is not the project's model {:?}: its SHA-256 is {found}, and {known} is expected",
                self.file.display(),
                model.name
            ))),
            _ => Ok(self),
        }
    }

    /// Loads it.
    pub(crate) fn load(&self, args: &ModelArgs, global: &Global) -> Result<Model, Failure> {
        let source = Source::File(self.file.clone());
        args.load_source(&source, args.config().map(PathBuf::as_path), global)
    }
}

/// The model that a project uses.
pub(super) fn current(project: &Project) -> Result<Option<ModelVersion>, Failure> {
    let current = project.settings()?.model;
    let mut models = project.models()?.into_iter();
    Ok(models.find(|model| Some(model.id) == current))
}

/// The newest model that was trained in a project and was better then.
pub(super) fn newest_trained(project: &Project) -> Result<Option<ModelVersion>, Failure> {
    let mut models = project.models()?.into_iter().rev();
    Ok(models.find(|model| !is_built_in(&model.name) && project.model_file(model).is_some()))
}

/// Whether a project's model is one inside this program, or one inside an older one: `lite-2`.
fn is_built_in(name: &str) -> bool {
    let version = name.strip_prefix(built_in::PRESET.name());
    version.is_some_and(|version| {
        let number = version.strip_prefix('-').unwrap_or(version);
        number.chars().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_model_inside_are_known() {
        assert!(is_built_in("lite") && is_built_in("lite-2"));
        for other in ["lite, round 1", "lite-tuned", "sam2.1-tiny", "sublite"] {
            assert!(!is_built_in(other), "{other}");
        }
    }
}
