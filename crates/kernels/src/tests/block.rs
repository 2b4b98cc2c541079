//! A windowed transformer block against its parts, each of which is tested by itself.

use super::{Numbers, assert_close, on_every_path};
use crate::*;

struct Case {
    grid: [usize; 3],
    inputs: usize,
    heads: usize,
    dim: usize,
    window: usize,
    pools: bool,
}

struct Layer {
    weight: PackedMatrix,
    bias: Vec<f32>,
}

impl Layer {
    fn new(numbers: &mut Numbers, inputs: usize, outputs: usize, precision: Precision) -> Layer {
        let scale = (inputs as f32).sqrt().recip();
        let weight: Vec<f32> = numbers
            .vec(inputs * outputs)
            .iter()
            .map(|x| x * scale)
            .collect();
        Layer {
            weight: PackedMatrix::pack(&weight, outputs, inputs, precision),
            bias: numbers.vec(outputs),
        }
    }

    fn as_projection(&self) -> Projection<'_> {
        Projection {
            weight: &self.weight,
            bias: &self.bias,
        }
    }

    fn of(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.weight.inputs();
        collect(rows * self.weight.outputs(), |out| {
            let epilogue = Epilogue::bias(&self.bias);
            matmul(Rows::dense(x, rows), &self.weight, epilogue, out)
        })
    }
}

/// The block and the composition of its parts, for tokens changed by `change`.
fn run(case: &Case, precision: Precision, change: impl Fn(&mut [f32])) -> (Vec<f32>, Vec<f32>) {
    let Case {
        grid,
        inputs,
        heads,
        dim,
        window,
        pools,
    } = *case;
    let [batch, height, width] = grid;
    let outputs = heads * dim;
    let mut numbers = Numbers::new((inputs + outputs * height) as u64);
    let mut x = numbers.vec(batch * height * width * inputs);
    change(&mut x);
    let layer = |numbers: &mut Numbers, i: usize, o: usize| Layer::new(numbers, i, o, precision);
    let qkv = layer(&mut numbers, inputs, 3 * outputs);
    let out = layer(&mut numbers, outputs, outputs);
    let shortcut = (pools || inputs != outputs).then(|| layer(&mut numbers, inputs, outputs));
    let first = layer(&mut numbers, outputs, 3 * outputs);
    let second = layer(&mut numbers, 3 * outputs, outputs);
    let (gamma, beta) = (numbers.vec(inputs), numbers.vec(inputs));
    let (gamma2, beta2) = (numbers.vec(outputs), numbers.vec(outputs));
    let norm = LayerNorm {
        gamma: &gamma,
        beta: &beta,
        eps: 1e-6,
    };
    let block_mlp = Mlp {
        norm: Some(LayerNorm {
            gamma: &gamma2,
            beta: &beta2,
            eps: 1e-6,
        }),
        first: &first.weight,
        first_bias: &first.bias,
        activation: Activation::Gelu,
        second: &second.weight,
        second_bias: &second.bias,
        scale: None,
    };
    let block = WindowBlock {
        norm,
        qkv: qkv.as_projection(),
        out: out.as_projection(),
        shortcut: shortcut.as_ref().map(Layer::as_projection),
        mlp: block_mlp,
        heads,
        window,
        pools,
    };

    let tokens = batch * height * width;
    let normed = collect(x.len(), |out| {
        layer_norm(Rows::dense(&x, tokens), norm, out)
    });
    let mut sum = match &shortcut {
        None => x.clone(),
        Some(shortcut) => shortcut.of(&normed),
    };
    if pools {
        let images = Images {
            data: &sum,
            batch,
            height,
            width,
            channels: outputs,
        };
        let len = batch * (height / 2) * (width / 2) * outputs;
        sum = collect(len, |out| max_pool_2x2(images, out));
    }
    let qkv_of_x = qkv.of(&normed);
    let attention = WindowedAttention {
        qkv: &qkv_of_x,
        padding: &qkv.bias,
        batch,
        height,
        width,
        heads,
        dim,
        window: Window::Square(window),
        pooling: if pools {
            QueryPooling::Max2x2
        } else {
            QueryPooling::None
        },
        scale: (dim as f32).sqrt().recip(),
        precision,
    };
    let attended = collect(sum.len(), |out| windowed_attention(&attention, out));
    let rows = Rows::dense(&attended, sum.len() / outputs);
    matmul_add(rows, &out.weight, Epilogue::bias(&out.bias), &mut sum);
    mlp_add(&mut sum, &block_mlp);
    (
        collect(sum.len(), |out| window_block(&x, grid, &block, out)),
        sum,
    )
}

const CASES: [Case; 6] = [
    Case {
        grid: [1, 16, 24],
        inputs: 32,
        heads: 1,
        dim: 32,
        window: 8,
        pools: false,
    },
    Case {
        grid: [2, 9, 13],
        inputs: 24,
        heads: 2,
        dim: 12,
        window: 4,
        pools: false,
    },
    Case {
        grid: [1, 9, 14],
        inputs: 16,
        heads: 2,
        dim: 20,
        window: 4,
        pools: true,
    },
    Case {
        grid: [1, 30, 17],
        inputs: 36,
        heads: 3,
        dim: 12,
        window: 14,
        pools: false,
    },
    Case {
        grid: [1, 1, 1],
        inputs: 7,
        heads: 1,
        dim: 5,
        window: 7,
        pools: false,
    },
    Case {
        grid: [1, 16, 16],
        inputs: 40,
        heads: 1,
        dim: 40,
        window: 1,
        pools: false,
    },
];

#[test]
fn a_window_block_is_its_parts() {
    on_every_path(|path| {
        for (index, case) in CASES.iter().enumerate() {
            for precision in [Precision::F32, Precision::Bf16] {
                let (found, expected) = run(case, precision, |_| {});
                let expected: Vec<f64> = expected.iter().map(|&x| f64::from(x)).collect();
                let what = format!("{path:?} {precision:?} case {index}");
                assert_close(&found, &expected, 0.0, &what);
            }
        }
    });
}

#[test]
fn nan_and_infinity_stay_in_their_window() {
    let case = &CASES[1];
    on_every_path(|_| {
        for bad in [f32::NAN, f32::INFINITY] {
            let (found, expected) = run(case, Precision::F32, |x| x[5] = bad);
            let first_window = found[..case.inputs].iter().all(|x| x.is_nan());
            assert!(first_window);
            // Column 4 of the first row begins the next window.
            assert!(
                found[4 * case.inputs..8 * case.inputs]
                    .iter()
                    .all(|x| x.is_finite())
            );
            let nans = |x: &[f32]| x.iter().map(|x| x.is_nan()).collect::<Vec<_>>();
            assert_eq!(nans(&found), nans(&expected));
        }
    });
}

#[test]
#[should_panic(expected = "window_block")]
fn a_grid_of_another_size_is_refused() {
    let weights = Layer::new(&mut Numbers::new(1), 4, 12, Precision::F32);
    let square = Layer::new(&mut Numbers::new(1), 4, 4, Precision::F32);
    let norm = LayerNorm {
        gamma: &square.bias,
        beta: &square.bias,
        eps: 1e-6,
    };
    let block = WindowBlock {
        norm,
        qkv: weights.as_projection(),
        out: square.as_projection(),
        shortcut: None,
        mlp: Mlp {
            norm: None,
            first: &square.weight,
            first_bias: &square.bias,
            activation: Activation::None,
            second: &square.weight,
            second_bias: &square.bias,
            scale: None,
        },
        heads: 2,
        window: 2,
        pools: false,
    };
    let mut out = vec![0.0; 16];
    window_block(&[0.0; 16], [1, 2, 3], &block, &mut out);
}
