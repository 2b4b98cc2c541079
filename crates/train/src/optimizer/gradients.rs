//! Gradients of several backward passes, added up.

use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Gradients, Tensor};
use masklet_model::Sam2;

use super::ParameterGroups;

/// The sum of the gradients of several backward passes through one network.
#[derive(Default)]
pub struct GradientSum(GradientsAccumulator<Sam2>);

impl GradientSum {
    /// Adds the gradients of a backward pass through `network`.
    pub fn add(&mut self, gradients: Gradients, network: &Sam2) {
        let gradients = GradientsParams::from_grads(gradients, network);
        self.0.accumulate(network, gradients);
    }

    /// Adds another sum, of the same parameters.
    pub fn merge(&mut self, other: Self, network: &Sam2) {
        self.0.accumulate(network, other.into_gradients());
    }

    /// The sum, by the parameters' ids.
    pub(super) fn into_gradients(mut self) -> GradientsParams {
        self.0.grads()
    }
}

impl fmt::Debug for GradientSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GradientSum")
    }
}

/// The same parameters, as the leaves of a graph of their own. Burn keeps graphs that share leaves
/// behind one lock, so passes through one network wait for each other.
pub(crate) fn with_own_graph(network: Sam2) -> Sam2 {
    struct OwnLeaves;
    impl ModuleMapper for OwnLeaves {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let recorded = tensor.is_require_grad();
                tensor.detach().set_require_grad(recorded)
            })
        }
    }
    network.map(&mut OwnLeaves)
}

/// The L2 norm of the gradients of all trained parameters together.
pub(super) fn norm(gradients: &GradientsParams, network: &Sam2, groups: &ParameterGroups) -> f64 {
    let mut squares = Squares {
        gradients,
        groups,
        sums: Vec::new(),
    };
    network.visit(&mut squares);
    match squares.sums.is_empty() {
        true => 0.0,
        // One transfer from the device for all of them.
        false => Tensor::cat(squares.sums, 0)
            .into_data()
            .iter::<f64>()
            .sum::<f64>()
            .sqrt(),
    }
}

/// The first trained parameter whose gradient is not finite.
pub(super) fn not_finite(
    gradients: &GradientsParams,
    network: &Sam2,
    groups: &ParameterGroups,
) -> String {
    let mut search = NotFinite {
        gradients,
        groups,
        found: None,
    };
    network.visit(&mut search);
    // Each gradient may be finite and their norm not.
    search
        .found
        .unwrap_or_else(|| "all parameters together".to_owned())
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    groups: &'a ParameterGroups,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.groups.trained(param.id).is_some()
            && let Some(gradient) = self.gradients.get::<D>(param.id)
        {
            self.sums.push(gradient.square().sum());
        }
    }
}

struct NotFinite<'a> {
    gradients: &'a GradientsParams,
    groups: &'a ParameterGroups,
    found: Option<String>,
}

impl ModuleVisitor for NotFinite<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.found.is_none()
            && let Some(group) = self.groups.trained(param.id)
            && let Some(gradient) = self.gradients.get::<D>(param.id)
            && gradient
                .into_data()
                .iter::<f32>()
                .any(|value| !value.is_finite())
        {
            self.found = Some(group.name.clone());
        }
    }
}
