//! [`Weight`]: the weight of a linear layer, as a parameter and as the kernels multiply with it.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param,
};
use burn::tensor::{Device, Tensor};
use masklet_kernels::{PackedMatrix, Precision};

use crate::ops::cpu::{CpuView, Derived};

/// A weight, `[outputs, inputs]`.
///
/// It is packed when first needed, and again when the parameter may have changed. [`PackForGood`] packs it at
/// once and lets go of the parameter, which takes as much memory again.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    /// Empty once it was let go of.
    parameter: Param<Tensor<2>>,
    packed: Derived<PackedMatrix>,
    shape: [usize; 2],
    precision: Precision,
    /// Whether the parameter is needed beside what is packed.
    plain: bool,
}

impl Weight {
    pub(super) fn new(parameter: Param<Tensor<2>>, precision: Precision) -> Self {
        Self {
            shape: parameter.dims(),
            parameter,
            packed: Derived::default(),
            precision,
            plain: false,
        }
    }

    /// The same weight for a layer whose parameter is read by more than products.
    pub(super) fn plain(self) -> Self {
        Self {
            plain: true,
            ..self
        }
    }

    /// `[outputs, inputs]`.
    pub(super) fn dims(&self) -> [usize; 2] {
        self.shape
    }

    /// How products with it are computed by the kernels.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// The parameter.
    ///
    /// # Panics
    /// If it was let go of.
    pub(super) fn val(&self) -> Tensor<2> {
        assert!(
            self.is_whole(),
            "a network made for inference on the CPU has let go of its parameters: it cannot be trained, \
             and its inputs must be on the CPU"
        );
        self.parameter.val()
    }

    /// For the kernels, if the parameter is plain values on the CPU.
    pub(super) fn packed(&self) -> Option<&PackedMatrix> {
        if !self.is_whole() {
            return self.packed.made();
        }
        let values = CpuView::of(&self.parameter.val())?;
        let [outputs, inputs] = self.shape;
        let pack = || PackedMatrix::pack(values.values(), outputs, inputs, self.precision);
        Some(self.packed.get(pack))
    }

    fn is_whole(&self) -> bool {
        self.parameter.dims() == self.shape
    }

    /// With a parameter that may have changed; what was packed of one that was let go of stays.
    fn with(self, parameter: Param<Tensor<2>>) -> Self {
        let packed = match parameter.dims() == self.shape {
            true => Derived::default(),
            false => self.packed,
        };
        Self {
            parameter,
            packed,
            ..self
        }
    }
}

/// Packs the weights of linear layers that are values on the CPU without gradients, and lets go of the
/// parameters, except for those that are needed beside.
#[derive(Default)]
pub(crate) struct PackForGood {
    in_weight: bool,
}

/// What a [`Weight`] calls itself to those who walk through a module.
const CONTAINER: &str = "Struct:Weight";

impl ModuleMapper for PackForGood {
    fn enter_module(&mut self, _: &str, container: &str) {
        self.in_weight = container == CONTAINER;
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.in_weight = false;
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.in_weight || !CpuView::reaches(&parameter.val()) {
            return parameter;
        }
        let nothing = Tensor::zeros([0; D], &parameter.device());
        Param::initialized(parameter.id, nothing)
    }
}

impl Module for Weight {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.enter_module("parameter", CONTAINER);
        self.parameter.visit(visitor);
        visitor.exit_module("parameter", CONTAINER);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        mapper.enter_module("parameter", CONTAINER);
        let parameter = Module::map(self.parameter.clone(), mapper);
        mapper.exit_module("parameter", CONTAINER);
        // A mapper that lets go of the parameter must not do so where there is nothing else.
        let lets_go = parameter.dims() != self.shape;
        if lets_go && (self.plain || self.packed().is_none()) {
            return self;
        }
        self.with(parameter)
    }

    fn to_device(self, device: &Device) -> Self {
        let parameter = self.parameter.clone().to_device(device);
        self.with(parameter)
    }

    fn fork(self, device: &Device) -> Self {
        let parameter = self.parameter.clone().fork(device);
        self.with(parameter)
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.parameter.collect_devices(devices)
    }

    fn materialize(self) -> Self {
        let parameter = self.parameter.clone().materialize();
        self.with(parameter)
    }

    fn valid(&self) -> Self {
        self.clone().with(self.parameter.valid())
    }

    fn train(self) -> Self {
        let parameter = self.parameter.clone().train();
        self.with(parameter)
    }
}

impl ModuleDisplayDefault for Weight {
    fn content(&self, content: Content) -> Option<Content> {
        Some(content)
    }
}

impl ModuleDisplay for Weight {}
