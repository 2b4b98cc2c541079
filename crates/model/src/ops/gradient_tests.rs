//! Every operation's recorded kernel form against its composed form: results and all gradients.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Gradients, Tensor};
use masklet_kernels::Precision;
use proptest::prelude::*;

use super::recorded::Recorded;
use super::*;
use crate::Compute;
use crate::params::{ParamSource, Params};

/// Largest difference relative to the largest value of a tensor.
const TOLERANCE: f32 = 1e-4;

fn device() -> Device {
    Device::flex().autodiff()
}

/// An input whose gradient is wanted.
fn input<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device()).require_grad()
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

/// A module with random parameters.
fn module<M>(new: impl FnOnce(&Params<'_>) -> M) -> M {
    let compute = Compute {
        device: device(),
        precision: Precision::F32,
    };
    let source = ParamSource::random(7, &compute);
    new(&source.root())
}

/// Collects the gradients of a module's parameters.
struct Collector<'a> {
    gradients: &'a Gradients,
    found: Vec<Vec<f32>>,
}

impl ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        self.found
            .push(values(gradient.expect("every parameter takes part")));
    }
}

fn of_module(module: &impl Module, gradients: &Gradients) -> Vec<Vec<f32>> {
    let mut collector = Collector {
        gradients,
        found: Vec::new(),
    };
    module.visit(&mut collector);
    collector.found
}

fn of<const D: usize>(x: &Tensor<D>, gradients: &Gradients) -> Vec<f32> {
    values(x.grad(gradients).expect("every input takes part"))
}

/// Runs `operation` recorded by kernels and composed, and compares its result and the gradients that
/// `collect` finds.
fn agree<const D: usize>(
    operation: impl Fn() -> Tensor<D>,
    collect: impl Fn(&Gradients) -> Vec<Vec<f32>>,
) {
    let weights = operation()
        .random_like(Distribution::Normal(0.0, 1.0))
        .detach();
    let run = || {
        let result = operation();
        let gradients = (result.clone() * weights.clone()).sum().backward();
        let mut all = collect(&gradients);
        all.push(values(result));
        all
    };
    let expected = composed::run(run);
    for (which, (actual, expected)) in run().iter().zip(&expected).enumerate() {
        assert_eq!(actual.len(), expected.len());
        let largest = expected.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
        for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
            let close = (a - e).abs() <= TOLERANCE * largest;
            assert!(
                close,
                "tensor {which}, value {i} of {}: {a}, composed {e}",
                actual.len()
            );
        }
    }
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::None),
        Just(Activation::Relu),
        Just(Activation::Relu6),
        Just(Activation::Gelu)
    ]
}

#[test]
fn kernels_are_reached_with_gradients_and_not_where_activations_are_recomputed() {
    assert!(Recorded::of(&input([2, 3])).is_some());
    let saving = Tensor::<1>::zeros([3], &device().gradient_checkpointing());
    assert!(Recorded::of(&saving).is_none());
    assert!(Recorded::of(&Tensor::<1>::zeros([3], &Device::flex())).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn linear_layers(
        rows in 1usize..700, inputs in 1usize..70, outputs in 1usize..90, then in activations(),
    ) {
        let linear = module(|p| Linear::new(p, inputs, outputs));
        let (x, residual) = (input([2, rows, inputs]), input([2, rows, outputs]));
        let with = |more: &[Vec<f32>], g: &Gradients| {
            let mut all = of_module(&linear, g);
            all.push(of(&x, g));
            all.extend_from_slice(more);
            all
        };
        agree(|| linear.forward_then(x.clone(), then), |g| with(&[], g));
        agree(
            || linear.forward_add(x.clone(), residual.clone()),
            |g| with(&[of(&residual, g)], g),
        );
    }

    // Not of very few channels, as below.
    #[test]
    fn linear_layers_after_a_norm(rows in 1usize..700, inputs in 4usize..70, outputs in 1usize..90) {
        let linear = module(|p| Linear::new(p, inputs, outputs));
        let norm = module(|p| LayerNorm::new(p, inputs, 1e-6));
        let x = input([2, rows, inputs]);
        agree(
            || linear.forward_normed(&norm, x.clone()),
            |g| {
                let mut all = of_module(&linear, g);
                all.extend(of_module(&norm, g));
                all.push(of(&x, g));
                all
            },
        );
    }

    // Not of very few channels: of one or two nothing but rounding is left of the gradient.
    #[test]
    fn norms_and_activations(rows in 1usize..900, width in 4usize..100, then in activations()) {
        let norm = module(|p| LayerNorm::new(p, width, 1e-6));
        let x = input([rows, width]);
        agree(|| norm.forward_then(x.clone(), then), |g| {
            let mut all = of_module(&norm, g);
            all.push(of(&x, g));
            all
        });
        agree(|| then.apply(x.clone()), |g| vec![of(&x, g)]);
    }

    // Not of a single key: the gradient of its score is nothing but rounding (the kernels' tests have it).
    #[test]
    fn attention_of_all_to_all(
        batch in 1usize..3, queries in 1usize..150, keys in 2usize..300, heads in 1usize..4,
        key_dim in 1usize..40, value_dim in 1usize..40, rate in prop_oneof![Just(0.0), Just(0.2)],
    ) {
        let q = input([batch, queries, heads * key_dim]);
        let k = input([batch, keys, heads * key_dim]);
        let v = input([batch, keys, heads * value_dim]);
        agree(
            || {
                seed_dropout(&[5]);
                let (q, k, v) = (q.clone(), k.clone(), v.clone());
                attention_dropping(q, k, v, heads, Precision::F32, rate)
            },
            |g| vec![of(&q, g), of(&k, g), of(&v, g)],
        );
    }

    #[test]
    fn attention_in_windows(
        height in 2usize..20, width in 2usize..20, heads in 1usize..3, dim in 1usize..20,
        window in prop_oneof![Just(None), (1usize..5).prop_map(|half| Some(2 * half))],
        pools in any::<bool>(),
    ) {
        let (height, width) = if pools { (2 * height, 2 * width) } else { (height, width) };
        let qkv = input([2, height, width, 3 * heads * dim]);
        let padding = input([3 * heads * dim]);
        let spec = WindowSpec { heads, window, pools, precision: Precision::F32 };
        let padded = window.is_some_and(|side| height % side > 0 || width % side > 0);
        agree(
            || window_attention(qkv.clone(), padding.clone(), spec),
            |g| {
                let mut all = vec![of(&qkv, g)];
                if padded {
                    all.push(of(&padding, g));
                }
                all
            },
        );
    }

    #[test]
    fn convolutions(
        height in 4usize..50, width in 4usize..20, inputs in 1usize..20, outputs in 1usize..40,
        (kernel, stride, padding) in
            prop_oneof![
                Just((7, 4, [3, 3])), Just((3, 2, [1, 1])), Just((3, 2, [0, 1])),
                Just((2, 2, [0, 0])), Just((4, 4, [0, 0])),
            ],
        (side, step) in prop_oneof![Just((7, 1)), Just((3, 1)), Just((3, 2)), Just((5, 2))],
        then in activations(),
    ) {
        let conv = module(|p| Conv2d::new(p, [inputs, outputs], kernel, stride, padding));
        let x = input([2, height, width, inputs]);
        let with = |module: &[Vec<f32>], g: &Gradients| [&[of(&x, g)], module].concat();
        agree(|| conv.forward_then(x.clone(), then), |g| with(&of_module(&conv, g), g));
        let [_, h, w, c] = conv.forward(x.clone()).dims();
        let added = input([1, h, w, c]);
        agree(|| conv.forward_plus(x.clone(), &added), |g| vec![of(&x, g), of(&added, g)]);

        let depthwise = module(|p| DepthwiseConv::new(p, inputs, side, step));
        agree(
            || depthwise.forward_then(x.clone(), then),
            |g| with(&of_module(&depthwise, g), g),
        );

        let transposed = module(|p| ConvTranspose2x2::new(p, inputs, outputs));
        let skip = input([1, 2 * height, 2 * width, outputs]);
        agree(
            || transposed.forward_add(x.clone(), skip.clone()),
            |g| with(&[of_module(&transposed, g), vec![of(&skip, g)]].concat(), g),
        );
    }

    #[test]
    fn pooling_upsampling_and_resizing(
        height in 1usize..20, width in 1usize..20, channels in 1usize..20,
        to_height in 1usize..60, to_width in 1usize..60,
    ) {
        let coarse = input([2, height, width, channels]);
        let fine = input([2, 2 * height, 2 * width, channels]);
        let odd = input([2, 2 * height + 1, 2 * width + 1, channels]);
        agree(|| max_pool_2x2(odd.clone()), |g| vec![of(&odd, g)]);
        agree(
            || upsample_nearest_2x_add(fine.clone(), coarse.clone()),
            |g| vec![of(&fine, g), of(&coarse, g)],
        );
        let mask = input([2, height, width, 1]);
        agree(
            || resize(mask.clone(), [to_height, to_width], Interpolation::Bilinear),
            |g| vec![of(&mask, g)],
        );
    }

    #[test]
    fn rotations_and_products(
        grid in 1usize..6, quarter in 1usize..8, repeats in 1usize..4, exclude in 0usize..9,
        m in 1usize..10,
    ) {
        let width = 4 * quarter;
        let table = RotaryTable::new(grid, width, 10_000.0, &device());
        let x = input([2, repeats * grid * grid + exclude, width]);
        agree(|| table.rotate(x.clone(), 1, exclude), |g| vec![of(&x, g)]);
        let a = input([2, m, width]);
        agree(|| products(a.clone(), x.clone()), |g| vec![of(&a, g), of(&x, g)]);
    }
}
