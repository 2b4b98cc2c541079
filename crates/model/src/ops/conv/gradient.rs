//! Convolutions with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{
    ConvShape, DepthwiseShape, Epilogue, Precision, Rows, column_sums, conv_transpose_2x2, conv2d,
    conv2d_gradient, conv2d_weight_gradient, depthwise_conv, depthwise_gradient,
    depthwise_weight_gradient,
};

use super::{Conv2d, ConvTranspose2x2, DepthwiseConv};
use crate::ops::Activation;
use crate::ops::cpu::CpuView;
use crate::ops::linear::slope;
use crate::ops::recorded::{Gradient, Recorded, computed, record};
use crate::ops::sample::images;

/// What a convolution remembers.
#[derive(Clone, Debug)]
struct Kept {
    x: CpuView,
    weight: CpuView,
    /// Of `x` and of the result.
    from: [usize; 4],
    to: [usize; 4],
}

impl Kept {
    /// With the recorded input, weight and bias, and the bias's values.
    fn of(
        x: &Tensor<4>,
        weight: Tensor<4>,
        bias: Tensor<1>,
        to: [usize; 4],
    ) -> Option<([Recorded; 3], Self, CpuView)> {
        let inputs = [
            Recorded::of(x)?,
            Recorded::of(&weight)?,
            Recorded::of(&bias)?,
        ];
        let [x_view, weight, bias] = inputs.each_ref().map(Recorded::view);
        let kept = Self {
            x: x_view,
            weight,
            from: x.dims(),
            to,
        };
        Some((inputs, kept, bias))
    }

    fn bias_gradient(&self, grad: &CpuView) -> CpuView {
        let channels = self.to[3];
        let rows = Rows::dense(grad.values(), self.to[..3].iter().product());
        computed(channels, |out| column_sums(rows, channels, out))
    }

    fn input_len(&self) -> usize {
        self.from.iter().product()
    }

    fn result_len(&self) -> usize {
        self.to.iter().product()
    }
}

impl Conv2d {
    /// [`Conv2d::forward`] in the graph.
    pub(super) fn record(&self, x: &Tensor<4>) -> Option<Tensor<4>> {
        let [batch, height, width, _] = x.dims();
        let shape = self.shape;
        let side = |len| shape.output_len(len);
        let to = [batch, side(height), side(width), shape.outputs];
        let (inputs, kept, bias) = Kept::of(x, self.weight.val(), self.bias.val(), to)?;
        let precision = self.precision;
        let packed = masklet_kernels::Conv2d::pack(kept.weight.values(), shape, precision);
        let result = computed(kept.result_len(), |out| {
            let bias = Epilogue::bias(bias.values());
            conv2d(images(&kept.x, kept.from), &packed, bias, out)
        });
        Some(record(
            inputs,
            ConvGradient {
                kept,
                shape,
                precision,
            },
            result,
            to,
        ))
    }
}

#[derive(Clone, Debug)]
struct ConvGradient {
    kept: Kept,
    shape: ConvShape,
    precision: Precision,
}

impl Gradient<3> for ConvGradient {
    fn of_inputs(self, result: CpuView, [x, weight, bias]: [bool; 3]) -> [Option<CpuView>; 3] {
        let Self {
            kept,
            shape,
            precision,
        } = &self;
        let [_, height, width, _] = kept.from;
        let values = kept.weight.values();
        [
            x.then(|| {
                computed(kept.input_len(), |out| {
                    let grad = images(&result, kept.to);
                    conv2d_gradient(grad, values, *shape, [height, width], *precision, out)
                })
            }),
            weight.then(|| {
                computed(values.len(), |out| {
                    let x = images(&kept.x, kept.from);
                    conv2d_weight_gradient(x, *shape, result.values(), out)
                })
            }),
            bias.then(|| kept.bias_gradient(&result)),
        ]
    }
}

impl DepthwiseConv {
    /// [`DepthwiseConv::forward_then`] in the graph.
    pub(super) fn record(&self, x: &Tensor<4>, activation: Activation) -> Option<Tensor<4>> {
        // Its slope is not known from the result, which is all that is kept.
        if activation == Activation::Gelu {
            return Some(activation.apply(self.record(x, Activation::None)?));
        }
        let (shape, to) = (self.shape, self.result_shape(x));
        let (inputs, kept, bias) = Kept::of(x, self.weight.val(), self.bias.val(), to)?;
        let weight = kept.weight.values();
        let packed = masklet_kernels::DepthwiseConv::pack(weight, bias.values(), shape);
        let result = computed(kept.result_len(), |out| {
            let x = images(&kept.x, kept.from);
            depthwise_conv(x, &packed, activation.kernel(), out)
        });
        let gradient = DepthwiseGradient {
            kept,
            shape,
            activation: (activation != Activation::None).then(|| (activation, result.clone())),
        };
        Some(record(inputs, gradient, result, to))
    }
}

#[derive(Clone, Debug)]
struct DepthwiseGradient {
    kept: Kept,
    shape: DepthwiseShape,
    /// The activation that follows, and its result.
    activation: Option<(Activation, CpuView)>,
}

impl Gradient<3> for DepthwiseGradient {
    fn of_inputs(self, result: CpuView, [x, weight, bias]: [bool; 3]) -> [Option<CpuView>; 3] {
        let Self { kept, shape, .. } = &self;
        let grad = match &self.activation {
            None => result,
            Some((activation, kept)) => slope(kept, &result, *activation),
        };
        let [_, height, width, _] = kept.from;
        let values = kept.weight.values();
        [
            x.then(|| {
                computed(kept.input_len(), |out| {
                    let grad = images(&grad, kept.to);
                    depthwise_gradient(grad, values, *shape, [height, width], out)
                })
            }),
            weight.then(|| {
                computed(values.len(), |out| {
                    let x = images(&kept.x, kept.from);
                    depthwise_weight_gradient(x, *shape, grad.values(), out)
                })
            }),
            bias.then(|| kept.bias_gradient(&grad)),
        ]
    }
}

impl ConvTranspose2x2 {
    /// The convolution of `x`, without a skip connection, in the graph.
    pub(super) fn record(&self, x: &Tensor<4>, skip: &Tensor<4>) -> Option<Tensor<4>> {
        let [batch, height, width, inputs] = x.dims();
        let outputs = self.weight.dims()[1];
        let to = [batch, 2 * height, 2 * width, outputs];
        let (recorded, kept, bias) = Kept::of(x, self.weight.val(), self.bias.val(), to)?;
        let skip = Recorded::of(skip)?;
        let added = skip.view();
        let (weight, precision) = (kept.weight.values(), self.precision);
        let packed = masklet_kernels::ConvTranspose2x2::pack(weight, inputs, outputs, precision);
        let result = computed(kept.result_len(), |out| {
            let epilogue = Epilogue::residual(bias.values(), added.values());
            conv_transpose_2x2(images(&kept.x, kept.from), &packed, epilogue, out)
        });
        let [x, weight, bias] = recorded;
        let gradient = TransposedGradient { kept, precision };
        Some(record([x, weight, bias, skip], gradient, result, to))
    }
}

#[derive(Clone, Debug)]
struct TransposedGradient {
    kept: Kept,
    precision: Precision,
}

impl Gradient<4> for TransposedGradient {
    fn of_inputs(
        self,
        result: CpuView,
        [x, weight, bias, skip]: [bool; 4],
    ) -> [Option<CpuView>; 4] {
        let Self { kept, precision } = &self;
        // The ordinary convolution that goes the other way: its result is `x`'s gradient.
        let shape = ConvShape {
            inputs: kept.to[3],
            outputs: kept.from[3],
            kernel: 2,
            stride: 2,
            padding: [0; 2],
        };
        let values = kept.weight.values();
        let grad = images(&result, kept.to);
        [
            x.then(|| {
                let back = masklet_kernels::Conv2d::pack(values, shape, *precision);
                computed(kept.input_len(), |out| {
                    conv2d(grad, &back, Epilogue::default(), out)
                })
            }),
            weight.then(|| {
                computed(values.len(), |out| {
                    conv2d_weight_gradient(grad, shape, kept.x.values(), out)
                })
            }),
            bias.then(|| kept.bias_gradient(&result)),
            skip.then(|| result.clone()),
        ]
    }
}
