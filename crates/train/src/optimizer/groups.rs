//! Which parameters are trained, how fast, and with which weight decay; all told from their
//! official names.

use std::collections::{BTreeSet, HashMap};

use burn::module::ParamId;
use glob::Pattern;
use masklet_model::ParameterName;

use crate::config::{FieldError, OptimizerOptions};
use crate::nearest::nearest;

const ENCODER: &str = "image_encoder.";
const TRUNK: &str = "image_encoder.trunk.";
/// A constant that checkpoints hold among the parameters.
const CONSTANT: &str = "positional_encoding_gaussian_matrix";

/// A parameter and how it is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupedParameter {
    /// Its official name.
    pub name: String,
    /// Its official shape.
    pub shape: Vec<usize>,
    /// Its highest learning rate: the image encoder's or that of all others, times the trunk's
    /// layer decay.
    pub learning_rate: f64,
    /// Its weight decay: none for biases and norms. (The reference exempts `LayerNorm` and not
    /// its own `LayerNorm2d`; here all norms are.)
    pub decays: bool,
    /// Whether it is trained at all.
    pub trained: bool,
}

impl GroupedParameter {
    /// The number of its values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The parameters of a network by their ids.
#[derive(Clone, Debug, Default)]
pub struct ParameterGroups {
    /// In the order of the network.
    parameters: Vec<(ParamId, GroupedParameter)>,
    places: HashMap<ParamId, usize>,
}

impl ParameterGroups {
    /// Groups the parameters. Those that match one of the patterns `freeze` (`*` is any text, `?`
    /// any character, `[ab]` one of these) are not trained.
    ///
    /// # Errors
    /// [`FieldError`] for a pattern that is none or matches nothing, naming the nearest that
    /// does, and if nothing is left to train.
    pub fn new(
        parameters: &[ParameterName],
        options: &OptimizerOptions,
        freeze: &[String],
    ) -> Result<Self, FieldError> {
        let patterns = patterns(freeze, parameters)?;
        let blocks = parameters.iter().filter_map(|p| block(&p.name));
        let blocks = blocks.max().map_or(0, |last| last + 1);
        let grouped = parameters.iter().map(|parameter| {
            let name = &parameter.name;
            let highest = match name.starts_with(ENCODER) {
                true => options.trunk_learning_rate,
                false => options.learning_rate,
            };
            let depth = layers_above(name, blocks);
            let frozen = patterns.iter().any(|pattern| pattern.matches(name));
            let group = GroupedParameter {
                name: name.clone(),
                shape: parameter.shape.clone(),
                learning_rate: highest * options.layer_decay.powi(depth),
                decays: !(name.contains("bias") || is_norm(parameter)),
                trained: !(frozen || name.ends_with(CONSTANT)),
            };
            (parameter.id, group)
        });
        let parameters: Vec<_> = grouped.collect();
        let any = parameters.iter().any(|(_, group)| group.trained);
        let accepted = "it leaves nothing to train: freeze less";
        FieldError::unless(any, "freeze", format_args!("{freeze:?}"), accepted)?;
        let places = parameters
            .iter()
            .enumerate()
            .map(|(place, &(id, _))| (id, place));
        Ok(Self {
            places: places.collect(),
            parameters,
        })
    }

    /// How the parameter with this id is trained; `None` if it is not.
    pub fn trained(&self, id: ParamId) -> Option<&GroupedParameter> {
        let place = *self.places.get(&id)?;
        let group = &self.parameters.get(place)?.1;
        group.trained.then_some(group)
    }

    /// All parameters with their ids, in the order of the network.
    pub fn iter(&self) -> impl Iterator<Item = (ParamId, &GroupedParameter)> {
        self.parameters.iter().map(|(id, group)| (*id, group))
    }

    /// How many numbers the network's parameters are, constants not counted, and how many of
    /// them are trained.
    pub fn counts(&self) -> (usize, usize) {
        let count = |counted: fn(&GroupedParameter) -> bool| {
            let counted = self.parameters.iter().filter(|(_, group)| counted(group));
            counted.map(|(_, group)| group.len()).sum()
        };
        (
            count(|group| !group.name.ends_with(CONSTANT)),
            count(|group| group.trained),
        )
    }
}

/// The place of the trunk's block that a parameter belongs to.
fn block(name: &str) -> Option<i32> {
    let rest = name.strip_prefix(TRUNK)?.strip_prefix("blocks.")?;
    rest.split('.').next()?.parse().ok()
}

/// How many layers of a trunk with this many blocks come after the parameter's, for layer decay:
/// the patch embedding, or stem, is before the first block, and one more step follows the last. Position
/// embeddings are exempt in the reference configuration.
fn layers_above(name: &str, blocks: i32) -> i32 {
    match block(name) {
        Some(block) => blocks - block,
        None if is_first(name) => blocks + 1,
        None => 0,
    }
}

/// Whether a parameter is of what comes before the trunk's blocks.
fn is_first(name: &str) -> bool {
    name.strip_prefix(TRUNK)
        .is_some_and(|rest| rest.starts_with("patch_embed.") || rest.starts_with("stem."))
}

/// Norms alone have a weight of one dimension.
fn is_norm(parameter: &ParameterName) -> bool {
    parameter.shape.len() == 1 && parameter.name.ends_with("weight")
}

fn patterns(freeze: &[String], parameters: &[ParameterName]) -> Result<Vec<Pattern>, FieldError> {
    let compile = |text: &String| {
        let wrong = |accepted: String| FieldError {
            field: "freeze".to_owned(),
            found: format!("{text:?}"),
            accepted,
        };
        let pattern = Pattern::new(text).map_err(|error| {
            wrong(format!(
                "that is no pattern ({}): use `*` and `?`",
                error.msg
            ))
        })?;
        match parameters.iter().any(|p| pattern.matches(&p.name)) {
            true => Ok(pattern),
            false => Err(wrong(format!(
                "it matches no parameter; {}",
                advice(text, parameters)
            ))),
        }
    };
    freeze.iter().map(compile).collect()
}

/// The most similar pattern for a part of the network, or name of a parameter.
fn advice(text: &str, parameters: &[ParameterName]) -> String {
    let mut candidates = BTreeSet::new();
    for parameter in parameters {
        let name = &parameter.name;
        candidates.insert(name.clone());
        let ends = name.match_indices('.').map(|(end, _)| end);
        candidates.extend(ends.map(|end| format!("{}.*", &name[..end])));
    }
    match nearest(text, candidates.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`masklet weights inspect` lists the parameters' names".to_owned(),
    }
}
