//! Linear layers and activations with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{
    Epilogue, PackedMatrix, Precision, Rows, activation_gradient, column_sums, matmul,
    weight_gradient,
};

use super::{Activation, Linear};
use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, computed, record};

impl Linear {
    /// [`Linear::forward_then`] in the graph.
    pub(super) fn record<const D: usize>(
        &self,
        x: &Tensor<D>,
        activation: Activation,
    ) -> Option<Tensor<D>> {
        let layer = RecordedLinear::of(self, x)?;
        let sums = layer.product(None);
        let shape = self.shapes(x).1;
        let (result, kept) = match activation {
            Activation::None => (sums, None),
            // The result tells in which range its input was.
            Activation::Relu | Activation::Relu6 => {
                let result = activated(&sums, activation);
                (result.clone(), Some((activation, result)))
            }
            Activation::Gelu => (activated(&sums, activation), Some((activation, sums))),
        };
        let gradient = LinearGradient {
            activation: kept,
            ..layer.gradient
        };
        Some(record(layer.inputs, gradient, result, shape))
    }

    /// [`Linear::forward_add`] in the graph.
    pub(super) fn record_add<const D: usize>(
        &self,
        x: &Tensor<D>,
        residual: &Tensor<D>,
    ) -> Option<Tensor<D>> {
        let shape = self.shapes(x).1;
        let layer = RecordedLinear::of(self, x)?;
        let residual = Recorded::of(residual).filter(|_| residual.dims() == shape)?;
        let sums = layer.product(Some(residual.view()));
        let [x, weight, bias] = layer.inputs;
        let gradient = AddedGradient(layer.gradient);
        Some(record([x, weight, bias, residual], gradient, sums, shape))
    }
}

/// A layer whose parameters and input are recorded.
struct RecordedLinear {
    /// Input, weight, bias.
    inputs: [Recorded; 3],
    bias: CpuView,
    gradient: LinearGradient,
}

impl RecordedLinear {
    fn of<const D: usize>(layer: &Linear, x: &Tensor<D>) -> Option<Self> {
        let inputs = [
            Recorded::of(x)?,
            Recorded::of(&layer.weight.val())?,
            Recorded::of(&layer.bias.val())?,
        ];
        let [x_view, weight, bias] = inputs.each_ref().map(Recorded::view);
        let [outputs, inner] = layer.weight.dims();
        let gradient = LinearGradient {
            x: x_view,
            weight,
            rows: layer.shapes(x).0,
            inputs: inner,
            outputs,
            precision: layer.precision(),
            activation: None,
        };
        Some(Self {
            inputs,
            bias,
            gradient,
        })
    }

    /// `x · Wᵀ + b`, and a residual.
    fn product(&self, residual: Option<CpuView>) -> CpuView {
        let LinearGradient {
            x,
            weight,
            rows,
            inputs,
            outputs,
            precision,
            ..
        } = &self.gradient;
        let packed = PackedMatrix::pack(weight.values(), *outputs, *inputs, *precision);
        let epilogue = Epilogue {
            residual: residual.as_ref().map(CpuView::values),
            ..Epilogue::bias(self.bias.values())
        };
        computed(rows * outputs, |out| {
            matmul(Rows::dense(x.values(), *rows), &packed, epilogue, out)
        })
    }
}

/// `dx = dy · W`, `dW = dyᵀ · x`, `db = Σ dy`.
#[derive(Clone, Debug)]
struct LinearGradient {
    x: CpuView,
    weight: CpuView,
    rows: usize,
    inputs: usize,
    outputs: usize,
    precision: Precision,
    /// The activation that follows, with its input or, for ReLU and ReLU6, its result.
    activation: Option<(Activation, CpuView)>,
}

impl Gradient<3> for LinearGradient {
    fn of_inputs(self, result: CpuView, [x, weight, bias]: [bool; 3]) -> [Option<CpuView>; 3] {
        let Self {
            rows,
            inputs,
            outputs,
            ..
        } = self;
        let grad = match &self.activation {
            None => result,
            Some((activation, kept)) => slope(kept, &result, *activation),
        };
        drop(self.activation);
        let grad_rows = Rows::dense(grad.values(), rows);
        [
            x.then(|| {
                let (weight, precision) = (self.weight.values(), self.precision);
                let back = PackedMatrix::pack_transposed(weight, outputs, inputs, precision);
                let plain = Epilogue::default();
                computed(rows * inputs, |out| matmul(grad_rows, &back, plain, out))
            }),
            weight.then(|| {
                let x = Rows::dense(self.x.values(), rows);
                computed(outputs * inputs, |out| {
                    weight_gradient(grad_rows, outputs, x, inputs, out)
                })
            }),
            bias.then(|| computed(outputs, |out| column_sums(grad_rows, outputs, out))),
        ]
    }
}

/// A layer with a residual: its gradient is the result's.
#[derive(Clone, Debug)]
struct AddedGradient(LinearGradient);

impl Gradient<4> for AddedGradient {
    fn of_inputs(
        self,
        result: CpuView,
        [x, weight, bias, residual]: [bool; 4],
    ) -> [Option<CpuView>; 4] {
        let added = residual.then(|| result.clone());
        let [x, weight, bias] = self.0.of_inputs(result, [x, weight, bias]);
        [x, weight, bias, added]
    }
}

impl Activation {
    /// [`Activation::apply`] in the graph.
    pub(super) fn record<const D: usize>(self, x: &Tensor<D>) -> Option<Tensor<D>> {
        let input = Recorded::of(x)?;
        let view = input.view();
        let result = activated(&view, self);
        Some(record(
            [input],
            ActivationGradient {
                x: view,
                activation: self,
            },
            result,
            x.dims(),
        ))
    }
}

#[derive(Clone, Debug)]
struct ActivationGradient {
    x: CpuView,
    activation: Activation,
}

impl Gradient<1> for ActivationGradient {
    fn of_inputs(self, result: CpuView, _: [bool; 1]) -> [Option<CpuView>; 1] {
        [Some(slope(&self.x, &result, self.activation))]
    }
}

fn activated(x: &CpuView, activation: Activation) -> CpuView {
    let x = x.values();
    computed(x.len(), |out| {
        masklet_kernels::activated(x, activation.kernel(), out)
    })
}

/// The gradient before an activation, of that after it.
pub(in crate::ops) fn slope(x: &CpuView, grad: &CpuView, activation: Activation) -> CpuView {
    let (x, grad) = (x.values(), grad.values());
    computed(x.len(), |out| {
        activation_gradient(x, grad, activation.kernel(), out)
    })
}
