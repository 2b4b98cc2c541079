//! Every operation's kernel form against its composed form, over random shapes.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Tensor};
use masklet_kernels::Precision;
use proptest::prelude::*;

use super::*;
use crate::Compute;
use crate::params::{ParamSource, Params};

/// Largest difference relative to the largest value: rounding in another order.
const F32_TOLERANCE: f32 = 2e-5;
/// The same for products of bf16 operands, which have 8 bits.
const BF16_TOLERANCE: f32 = 3e-2;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

/// Runs `operation` by kernels and composed and compares.
fn agree<const D: usize>(tolerance: f32, operation: impl Fn() -> Tensor<D>) {
    let expected = composed::run(&operation);
    let actual = operation();
    assert_eq!(actual.dims(), expected.dims());
    let (actual, expected) = (values(actual), values(expected));
    let largest = expected.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    for (i, (a, e)) in actual.iter().zip(&expected).enumerate() {
        let close = (a - e).abs() <= tolerance * largest;
        assert!(close, "value {i} of {}: {a}, composed {e}", actual.len());
    }
}

/// A module with random parameters.
fn module<M>(precision: Precision, new: impl FnOnce(&Params<'_>) -> M) -> M {
    let source = ParamSource::random(7, &Compute::cpu(precision));
    new(&source.root())
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::None),
        Just(Activation::Relu),
        Just(Activation::Relu6),
        Just(Activation::Gelu)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn linear_layers(
        rows in 1usize..70, inputs in 1usize..90, outputs in 1usize..90, then in activations(),
    ) {
        let norm = module(Precision::F32, |p| LayerNorm::new(p, inputs, 1e-6));
        let x = random([2, rows, inputs]);
        let residual = random([2, rows, outputs]);
        for (precision, tolerance) in
            [(Precision::F32, F32_TOLERANCE), (Precision::Bf16, BF16_TOLERANCE)]
        {
            let linear = module(precision, |p| Linear::new(p, inputs, outputs));
            agree(tolerance, || linear.forward_then(x.clone(), then));
            agree(tolerance, || linear.forward_normed(&norm, x.clone()));
            agree(tolerance, || linear.forward_add(x.clone(), residual.clone()));
        }
    }

    #[test]
    fn feed_forward_layers(rows in 1usize..50, width in 1usize..50, hidden in 1usize..90) {
        let norm = module(Precision::F32, |p| LayerNorm::new(p, width, 1e-5));
        let scale = Param::from_tensor(random([width]));
        let (x, residual) = (random([rows, width]), random([rows, width]));
        for (precision, tolerance) in
            [(Precision::F32, F32_TOLERANCE), (Precision::Bf16, BF16_TOLERANCE)]
        {
            let first = module(precision, |p| Linear::new(p, width, hidden));
            let second = module(precision, |p| Linear::new(p, hidden, width));
            let bare = FeedForward {
                norm: None,
                first: &first,
                activation: Activation::Gelu,
                second: &second,
                scale: None,
            };
            let full = FeedForward { norm: Some(&norm), scale: Some(&scale), ..bare };
            for feed_forward in [bare, full] {
                agree(tolerance, || feed_forward.forward_residual(x.clone()));
                agree(tolerance, || feed_forward.forward_add(x.clone(), residual.clone()));
            }
        }
    }

    #[test]
    fn norms_and_activations(rows in 1usize..60, width in 1usize..100, then in activations()) {
        let norm = module(Precision::F32, |p| LayerNorm::new(p, width, 1e-6));
        let x = random([rows, width]);
        agree(F32_TOLERANCE, || norm.forward_then(x.clone(), then));
        agree(F32_TOLERANCE, || then.apply(x.clone()));
    }

    #[test]
    fn attention_of_all_to_all(
        batch in 1usize..3, queries in 1usize..40, keys in 1usize..70, heads in 1usize..4,
        key_dim in 1usize..40, value_dim in 1usize..40,
    ) {
        let q = random([batch, queries, heads * key_dim]);
        let k = random([batch, keys, heads * key_dim]);
        let v = random([batch, keys, heads * value_dim]);
        for (precision, tolerance) in
            [(Precision::F32, F32_TOLERANCE), (Precision::Bf16, BF16_TOLERANCE)]
        {
            agree(tolerance, || attention(q.clone(), k.clone(), v.clone(), heads, precision));
        }
    }

    #[test]
    fn attention_to_memories_of_a_grid(
        batch in 1usize..3, queries in 1usize..70, memories in 0usize..9, grid in 1usize..7,
        others in 1usize..9, quarter in 5usize..20, width in 1usize..9,
    ) {
        let dim = 4 * quarter;
        let tokens = memories * grid * grid + others;
        let rotary = RotaryTable::new(grid, dim, 100.0, &Default::default());
        let q = random([batch, queries, dim]);
        let keys = random([batch, tokens, width]);
        let values = random([batch, tokens, width]);
        for (precision, tolerance) in
            [(Precision::F32, F32_TOLERANCE), (Precision::Bf16, BF16_TOLERANCE)]
        {
            let projection = module(precision, |p| Linear::new(p, width, dim));
            agree(tolerance, || {
                let memories = GridMemories {
                    keys: &keys,
                    values: values.clone(),
                    others,
                    projection: &projection,
                    rotary: &rotary,
                };
                memories.attend(q.clone(), 1, 0.0)
            });
        }
    }

    #[test]
    fn attention_in_windows(
        height in 2usize..20, width in 2usize..20, heads in 1usize..3, dim in 1usize..20,
        window in prop_oneof![Just(None), (1usize..5).prop_map(|half| Some(2 * half))],
        pools in any::<bool>(),
    ) {
        let (height, width) = if pools { (2 * height, 2 * width) } else { (height, width) };
        let qkv = random([2, height, width, 3 * heads * dim]);
        let padding = random([3 * heads * dim]);
        let spec = WindowSpec { heads, window, pools, precision: Precision::F32 };
        agree(F32_TOLERANCE, || window_attention(qkv.clone(), padding.clone(), spec));
    }

    #[test]
    fn blocks_of_windows(
        height in 8usize..24, width in 8usize..24, heads in 1usize..3, dim in 1usize..20,
        half_window in 1usize..3, pools in any::<bool>(),
    ) {
        let (height, width) = if pools { (2 * height, 2 * width) } else { (height, width) };
        let outputs = heads * dim;
        let inputs = if pools { dim } else { outputs };
        let x = random([2, height, width, inputs]);
        for (precision, tolerance) in
            [(Precision::F32, F32_TOLERANCE), (Precision::Bf16, BF16_TOLERANCE)]
        {
            let norms = [inputs, outputs]
                .map(|width| module(Precision::F32, |p| LayerNorm::new(p, width, 1e-6)));
            let linear = |i, o| module(precision, |p| Linear::new(p, i, o));
            let (qkv, out) = (linear(inputs, 3 * outputs), linear(outputs, outputs));
            let shortcut = pools.then(|| linear(inputs, outputs));
            let mlp = module(precision, |p| {
                Mlp::new(p, &[outputs, 2 * outputs, outputs], Activation::Gelu)
            });
            let spec = WindowSpec { heads, window: Some(2 * half_window), pools, precision };
            let parts = BlockParts {
                norm: &norms[0],
                qkv: &qkv,
                out: &out,
                shortcut: shortcut.as_ref(),
                spec,
                mlp: mlp.as_feed_forward(Some(&norms[1])),
                drop_path: 0.0,
            };
            agree(tolerance, || parts.forward(x.clone()));
        }
    }

    #[test]
    fn convolutions(
        height in 4usize..20, width in 4usize..20, inputs in 1usize..20, outputs in 1usize..40,
        (kernel, stride, padding) in
            prop_oneof![
                Just((7, 4, [3, 3])), Just((3, 2, [1, 1])), Just((3, 2, [0, 1])),
                Just((2, 2, [0, 0])), Just((4, 4, [0, 0])),
            ],
        (side, step) in prop_oneof![Just((7, 1)), Just((3, 1)), Just((3, 2)), Just((5, 2))],
        then in activations(),
    ) {
        let conv = module(Precision::F32, |p| Conv2d::new(p, [inputs, outputs], kernel, stride, padding));
        let x = random([1, height, width, inputs]);
        agree(F32_TOLERANCE, || conv.forward_then(x.clone(), then));
        let added = random(conv.forward(x.clone()).dims());
        agree(F32_TOLERANCE, || conv.forward_plus(x.clone(), &added));

        let depthwise = module(Precision::F32, |p| DepthwiseConv::new(p, inputs, side, step));
        agree(F32_TOLERANCE, || depthwise.forward_then(x.clone(), then));

        let transposed = module(Precision::F32, |p| ConvTranspose2x2::new(p, inputs, outputs));
        let skip = random([1, 2 * height, 2 * width, outputs]);
        agree(F32_TOLERANCE, || transposed.forward_add(x.clone(), skip.clone()));
    }

    #[test]
    fn pooling_upsampling_and_sigmoid(
        height in 1usize..20, width in 1usize..20, channels in 1usize..20,
    ) {
        let coarse = random([2, height, width, channels]);
        let fine = random([2, 2 * height, 2 * width, channels]);
        agree(F32_TOLERANCE, || max_pool_2x2(fine.clone()));
        agree(F32_TOLERANCE, || upsample_nearest_2x_add(fine.clone(), coarse.clone()));
        agree(F32_TOLERANCE, || sigmoid_scaled(fine.clone(), 20.0, -10.0));
    }

    #[test]
    fn resizing_of_masks(
        height in 1usize..30, width in 1usize..30, to_height in 1usize..60, to_width in 1usize..60,
    ) {
        let mask = random([2, height, width, 1]);
        agree(F32_TOLERANCE, || resize(mask.clone(), [to_height, to_width], Interpolation::Bilinear));
    }

    #[test]
    fn rotations_repeat_and_leave_pointers_alone(
        grid in 1usize..6, quarter in 1usize..8, repeats in 1usize..4, exclude in 0usize..9,
    ) {
        let table = RotaryTable::new(grid, 4 * quarter, 10_000.0, &Device::flex());
        let x = random([2, repeats * grid * grid + exclude, 4 * quarter]);
        agree(F32_TOLERANCE, || table.rotate(x.clone(), 1, exclude));
    }

    #[test]
    fn products_of_activations(m in 1usize..10, n in 1usize..90, width in 1usize..40) {
        let (a, b) = (random([1, m, width]), random([1, n, width]));
        agree(F32_TOLERANCE, || products(a.clone(), b.clone()));
    }
}

#[test]
fn a_kernel_that_works_in_place_leaves_shared_tensors_alone() {
    let table = RotaryTable::new(3, 8, 10_000.0, &Device::flex());
    let x = random([1, 9, 8]);
    let before = values(x.clone());
    let turned = table.rotate(x.clone(), 1, 0);
    assert_ne!(values(turned), before);
    assert_eq!(values(x), before);
}

/// Doubles every parameter, as an optimizer changes them.
struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.mul_scalar(2.0))
    }
}

#[test]
fn kernels_see_parameters_that_were_mapped() {
    let x = random([1, 9, 8]);
    let linear = module(Precision::F32, |p| Linear::new(p, 8, 5));
    let before = values(linear.forward(x.clone()).mul_scalar(2.0));
    let after = values(linear.map(&mut Double).forward(x));
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() < 1e-5, "{before} and {after}");
    }
}

/// Counts the values of all parameters.
#[derive(Default)]
struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += param.val().shape().num_elements();
    }
}

fn parameters(module: &impl Module) -> usize {
    let mut count = Count::default();
    module.visit(&mut count);
    count.0
}

#[test]
fn weights_packed_for_good_compute_the_same_without_parameters() {
    let x = random([1, 9, 40]);
    for precision in [Precision::F32, Precision::Bf16] {
        let linear = module(precision, |p| Linear::new(p, 40, 35));
        let whole = values(linear.forward(x.clone()));
        assert_eq!(parameters(&linear), 35 * 40 + 35);
        let packed = linear.map(&mut PackForGood::default());
        assert_eq!(parameters(&packed), 35);
        // Nothing to pack again, whatever happens to it.
        let again = packed.clone().valid().map(&mut PackForGood::default());
        assert_eq!(values(packed.forward(x.clone())), whole);
        assert_eq!(values(again.forward(x.clone())), whole);
    }
    let plain = module(Precision::F32, |p| Linear::new(p, 40, 35).plain());
    let packed = plain.map(&mut PackForGood::default());
    assert_eq!(parameters(&packed), 35 * 40 + 35);
}

#[test]
#[should_panic(expected = "a network made for inference on the CPU")]
fn weights_packed_for_good_are_not_trained() {
    let linear = module(Precision::F32, |p| Linear::new(p, 8, 5));
    let packed = linear.map(&mut PackForGood::default());
    packed.forward(random([1, 9, 8]).autodiff().require_grad());
}
