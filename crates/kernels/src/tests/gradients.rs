use super::{ACTIVATIONS, Numbers, assert_close, erf, on_every_path};
use crate::*;

/// The sum of products, in f64.
fn inner(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

/// Asserts that two sums of products are the same: a linear map and its gradient are each other's
/// transpose.
#[track_caller]
fn assert_transposed(forward: f64, backward: f64, scale: usize, what: &str) {
    let tolerance = 1e-4 * (scale as f64).sqrt().max(1.0);
    assert!(
        (forward - backward).abs() < tolerance,
        "{what}: {forward} and {backward}"
    );
}

#[test]
fn weight_gradients_and_column_sums_match_plain_sums() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(11);
        for (rows, outputs, inputs) in [(1, 1, 1), (700, 33, 70), (2100, 16, 9), (40, 530, 1030)] {
            let (dy, x) = (numbers.vec(rows * outputs), numbers.vec(rows * inputs));
            let found = collect(outputs * inputs, |out| {
                weight_gradient(
                    Rows::dense(&dy, rows),
                    outputs,
                    Rows::dense(&x, rows),
                    inputs,
                    out,
                )
            });
            let mut expected = vec![0.0; outputs * inputs];
            for (dy, x) in dy.chunks(outputs).zip(x.chunks(inputs)) {
                for (row, &dy) in expected.chunks_mut(inputs).zip(dy) {
                    row.iter_mut()
                        .zip(x)
                        .for_each(|(e, &x)| *e += f64::from(dy) * f64::from(x));
                }
            }
            assert_close(&found, &expected, 2e-4, &format!("{path:?} {rows} rows"));
            let found = collect(outputs, |out| {
                column_sums(Rows::dense(&dy, rows), outputs, out)
            });
            let sum = |j: usize| {
                dy.iter()
                    .skip(j)
                    .step_by(outputs)
                    .map(|&x| f64::from(x))
                    .sum()
            };
            let expected: Vec<f64> = (0..outputs).map(sum).collect();
            assert_close(
                &found,
                &expected,
                1e-4,
                &format!("{path:?} sums of {rows} rows"),
            );
        }
    });
}

#[test]
fn a_transposed_weight_gives_the_gradient_of_the_input() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(12);
        let (rows, outputs, inputs) = (37, 50, 70);
        let (dy, weight) = (numbers.vec(rows * outputs), numbers.vec(outputs * inputs));
        let mut expected = vec![0.0; rows * inputs];
        for (row, dy) in expected.chunks_mut(inputs).zip(dy.chunks(outputs)) {
            for (weight, &dy) in weight.chunks(inputs).zip(dy) {
                row.iter_mut()
                    .zip(weight)
                    .for_each(|(e, &w)| *e += f64::from(dy) * f64::from(w));
            }
        }
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 3e-2)] {
            let back = PackedMatrix::pack_transposed(&weight, outputs, inputs, precision);
            let found = collect(rows * inputs, |out| {
                matmul(Rows::dense(&dy, rows), &back, Epilogue::default(), out)
            });
            assert_close(
                &found,
                &expected,
                tolerance,
                &format!("{path:?} {precision:?}"),
            );
        }
    });
}

/// The derivative of an activation.
fn slope(x: f64, activation: Activation) -> f64 {
    match activation {
        Activation::None => 1.0,
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Relu6 => f64::from(u8::from(x > 0.0 && x < 6.0)),
        Activation::Gelu => {
            let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2)) + x * density
        }
    }
}

#[test]
fn activation_gradients_match_the_derivative() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(13);
        let x: Vec<f32> = numbers.vec(16_500).iter().map(|x| 9.0 * x).collect();
        let dy = numbers.vec(x.len());
        for activation in ACTIVATIONS {
            let found = collect(x.len(), |out| activation_gradient(&x, &dy, activation, out));
            let of = |(&x, &dy): (&f32, &f32)| slope(f64::from(x), activation) * f64::from(dy);
            let expected: Vec<f64> = x.iter().zip(&dy).map(of).collect();
            assert_close(&found, &expected, 2e-6, &format!("{path:?} {activation:?}"));
        }
    });
}

#[test]
fn norm_gradients_match_the_formula() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(14);
        for (rows, width) in [(1, 1), (5, 4), (90, 33), (800, 96)] {
            // Far from 0, so that a careless variance would show.
            let x: Vec<f32> = numbers.vec(rows * width).iter().map(|x| x + 20.0).collect();
            let (dy, gamma, beta) = (
                numbers.vec(rows * width),
                numbers.vec(width),
                numbers.vec(width),
            );
            for activation in ACTIVATIONS {
                let norm = LayerNorm {
                    gamma: &gamma,
                    beta: &beta,
                    eps: 1e-3,
                };
                let found = layer_norm_gradient(Rows::dense(&x, rows), norm, activation, &dy);
                let (mut dx, mut dgamma, mut dbeta) =
                    (Vec::new(), vec![0.0; width], vec![0.0; width]);
                for (x, dy) in x.chunks(width).zip(dy.chunks(width)) {
                    let n = width as f64;
                    let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
                    let variance = x
                        .iter()
                        .map(|&x| (f64::from(x) - mean).powi(2))
                        .sum::<f64>()
                        / n;
                    let factor = 1.0 / (variance + 1e-3).sqrt();
                    let hat: Vec<f64> = x.iter().map(|&x| (f64::from(x) - mean) * factor).collect();
                    let mut g = Vec::new();
                    for (j, (&hat, &dy)) in hat.iter().zip(dy).enumerate() {
                        let (gamma, beta) = (f64::from(gamma[j]), f64::from(beta[j]));
                        let dy = f64::from(dy) * slope(hat * gamma + beta, activation);
                        dgamma[j] += dy * hat;
                        dbeta[j] += dy;
                        g.push(dy * gamma);
                    }
                    let mean_g = g.iter().sum::<f64>() / n;
                    let mean_product = g.iter().zip(&hat).map(|(g, h)| g * h).sum::<f64>() / n;
                    dx.extend(
                        g.iter()
                            .zip(&hat)
                            .map(|(g, h)| factor * (g - mean_g - h * mean_product)),
                    );
                }
                let what = format!("{path:?} {rows}x{width} {activation:?}");
                assert_close(&found.x, &dx, 2e-3, &what);
                assert_close(&found.gamma, &dgamma, 2e-3, &what);
                assert_close(&found.beta, &dbeta, 2e-3, &what);
            }
        }
    });
}

/// `sum((softmax(scale q k^T) * factors) v * grad)` of one head, in f64.
fn attention_loss(
    q: &[f64],
    k: &[f64],
    v: &[f64],
    grad: &[f32],
    factors: &[f32],
    [dk, dv]: [usize; 2],
    scale: f64,
) -> f64 {
    let mut loss = 0.0;
    let rows = factors.chunks(k.len() / dk);
    for ((q, grad), factors) in q.chunks(dk).zip(grad.chunks(dv)).zip(rows) {
        let score = |k: &[f64]| scale * q.iter().zip(k).map(|(a, b)| a * b).sum::<f64>();
        let weights: Vec<f64> = k.chunks(dk).map(|k| score(k).exp()).collect();
        let total: f64 = weights.iter().sum();
        for ((w, v), &factor) in weights.iter().zip(v.chunks(dv)).zip(factors) {
            loss += w / total
                * f64::from(factor)
                * v.iter()
                    .zip(grad)
                    .map(|(v, &g)| v * f64::from(g))
                    .sum::<f64>();
        }
    }
    loss
}

#[test]
fn attention_gradients_match_differences() {
    on_every_path(|path| {
        for (case, (nq, nk, dk, dv, rate)) in [
            (1, 1, 1, 1, 0.0),
            (40, 70, 32, 16, 0.0),
            (150, 300, 20, 33, 0.0),
            (5, 600, 64, 64, 0.0),
            (40, 70, 32, 16, 0.1),
            (150, 300, 20, 33, 0.5),
            (5, 600, 64, 64, 0.1),
        ]
        .into_iter()
        .enumerate()
        {
            let mut numbers = Numbers::new(case as u64);
            let (q, k, v) = (
                numbers.vec(nq * dk),
                numbers.vec(nk * dk),
                numbers.vec(nk * dv),
            );
            let grad = numbers.vec(nq * dv);
            let dropout = Dropout::new(case as u64, rate);
            let factors = dropout.factors(1, nq, nk);
            let inputs = Attention {
                batch: 1,
                heads: 1,
                key_dim: dk,
                value_dim: dv,
                q: Heads::dense(&q, nq, 1, dk),
                k: Heads::dense(&k, nk, 1, dk),
                v: Heads::dense(&v, nk, 1, dv),
                scale: 0.3,
                precision: Precision::F32,
                dropout: (rate > 0.0).then_some(dropout),
            };
            let mut log_sums = vec![0.0; nq];
            let result = collect(nq * dv, |out| {
                attention_with_log_sums(&inputs, &mut log_sums, out)
            });
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let loss = |[q, k, v]: &[Vec<f64>; 3]| {
                attention_loss(q, k, v, &grad, &factors, [dk, dv], f64::from(0.3f32))
            };
            let expected = loss(&[wide(&q), wide(&k), wide(&v)]);
            let actual = inner(&result, &grad);
            assert!(
                (actual - expected).abs() < 1e-4 * expected.abs().max(1.0),
                "{path:?} case {case}: {actual}, not {expected}"
            );
            let found = attention_gradient(&AttentionGradient {
                inputs,
                result: &result,
                log_sums: &log_sums,
                grad: &grad,
            });
            // Differences along random directions, of each input alone.
            for (which, gradient) in [&found.q, &found.k, &found.v].into_iter().enumerate() {
                let direction = numbers.vec(gradient.len());
                let moved = |step: f64| {
                    let mut inputs = [wide(&q), wide(&k), wide(&v)];
                    let numbers = inputs[which].iter_mut().zip(&direction);
                    numbers.for_each(|(x, &d)| *x += step * f64::from(d));
                    loss(&inputs)
                };
                let expected = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                let actual = inner(gradient, &direction);
                let close = (actual - expected).abs() < 1e-4 * expected.abs().max(1.0);
                assert!(
                    close,
                    "{path:?} case {case} input {which}: {actual}, not {expected}"
                );
            }
        }
    });
}

#[test]
fn one_window_over_the_grid_has_the_gradients_of_global_attention() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(15);
        let (batch, side, heads, dim) = (2, 6, 2, 24);
        let qkv = numbers.vec(batch * side * side * 3 * heads * dim);
        let padding = numbers.vec(3 * heads * dim);
        for pooling in [QueryPooling::None, QueryPooling::Max2x2] {
            let run = |window| {
                let inputs = WindowedAttention {
                    qkv: &qkv,
                    padding: &padding,
                    batch,
                    height: side,
                    width: side,
                    heads,
                    dim,
                    window,
                    pooling,
                    scale: 0.2,
                    precision: Precision::F32,
                };
                let (height, width) = inputs.output_grid();
                let results = batch * height * width * heads;
                let mut log_sums = vec![0.0; results];
                let result = collect(results * dim, |out| {
                    windowed_attention_with_log_sums(&inputs, &mut log_sums, out)
                });
                let grad = Numbers::new(16).vec(results * dim);
                windowed_attention_gradient(&inputs, &result, &log_sums, &grad)
            };
            let (global, window) = (run(Window::Global), run(Window::Square(side)));
            let expected: Vec<f64> = global.qkv.iter().map(|&x| f64::from(x)).collect();
            assert_close(
                &window.qkv,
                &expected,
                1e-5,
                &format!("{path:?} {pooling:?}"),
            );
            assert!(
                global
                    .padding
                    .iter()
                    .chain(&window.padding)
                    .all(|&x| x == 0.0)
            );
        }
    });
}

fn images(data: &[f32], [batch, height, width, channels]: [usize; 4]) -> Images<'_> {
    Images {
        data,
        batch,
        height,
        width,
        channels,
    }
}

#[test]
fn gradients_of_convolutions_are_their_transpose() {
    on_every_path(|path| {
        for (case, (kernel, stride, padding)) in [
            (7, 4, [3, 3]),
            (3, 2, [1, 1]),
            (3, 2, [0, 1]),
            (2, 2, [0, 0]),
        ]
        .into_iter()
        .enumerate()
        {
            let mut numbers = Numbers::new(case as u64);
            let shape = ConvShape {
                inputs: 5,
                outputs: 9,
                kernel,
                stride,
                padding,
            };
            let from = [2, 70, 23, 5];
            let to = [2, shape.output_len(70), shape.output_len(23), 9];
            let x = numbers.vec(from.iter().product());
            let weight = numbers.vec(9 * 5 * kernel * kernel);
            let dy = numbers.vec(to.iter().product());
            let conv = Conv2d::pack(&weight, shape, Precision::F32);
            let y = collect(dy.len(), |out| {
                conv2d(images(&x, from), &conv, Epilogue::default(), out)
            });
            let dx = collect(x.len(), |out| {
                conv2d_gradient(
                    images(&dy, to),
                    &weight,
                    shape,
                    [70, 23],
                    Precision::F32,
                    out,
                )
            });
            let dw = collect(weight.len(), |out| {
                conv2d_weight_gradient(images(&x, from), shape, &dy, out)
            });
            let (forward, what) = (inner(&y, &dy), format!("{path:?} {shape:?}"));
            assert_transposed(forward, inner(&x, &dx), y.len(), &what);
            assert_transposed(forward, inner(&weight, &dw), y.len(), &what);
        }
        for (kernel, stride, height, width) in [
            (7, 1, 9, 12),
            (3, 1, 5, 30),
            (3, 2, 10, 38),
            (5, 2, 12, 26),
            (5, 2, 7, 9),
            (9, 1, 4, 11),
        ] {
            let mut numbers = Numbers::new(17);
            let shape = DepthwiseShape {
                channels: 21,
                kernel,
                stride,
            };
            let from = [2, height, width, 21];
            let to = [2, shape.output_len(height), shape.output_len(width), 21];
            let (x, dy) = (
                numbers.vec(from.iter().product()),
                numbers.vec(to.iter().product()),
            );
            let weight = numbers.vec(21 * kernel * kernel);
            let conv = DepthwiseConv::pack(&weight, &[0.0; 21], shape);
            let y = collect(dy.len(), |out| {
                depthwise_conv(images(&x, from), &conv, Activation::None, out)
            });
            let dx = collect(x.len(), |out| {
                depthwise_gradient(images(&dy, to), &weight, shape, [height, width], out)
            });
            let dw = collect(weight.len(), |out| {
                depthwise_weight_gradient(images(&x, from), shape, &dy, out)
            });
            let what = format!("{path:?} {shape:?}");
            assert_transposed(inner(&y, &dy), inner(&x, &dx), y.len(), &what);
            assert_transposed(inner(&y, &dy), inner(&weight, &dw), y.len(), &what);
        }
    });
}

#[test]
fn gradients_of_resizing_and_upsampling_are_their_transpose() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(18);
        let (x, dy) = (numbers.vec(2 * 7 * 9), numbers.vec(2 * 20 * 5));
        let y = collect(dy.len(), |out| resize_bilinear(&x, 2, (7, 9), (20, 5), out));
        let dx = collect(x.len(), |out| {
            resize_bilinear_gradient(&dy, 2, (7, 9), (20, 5), out)
        });
        assert_transposed(
            inner(&y, &dy),
            inner(&x, &dx),
            y.len(),
            &format!("{path:?} resize"),
        );

        let (coarse, fine) = ([2, 3, 4, 19], [2, 6, 8, 19]);
        let x = numbers.vec(coarse.iter().product());
        let dy = numbers.vec(fine.iter().product());
        let zeros = vec![0.0; dy.len()];
        let y = collect(dy.len(), |out| {
            upsample_add(&zeros, images(&x, coarse), out)
        });
        let dx = collect(x.len(), |out| sum_2x2(images(&dy, fine), out));
        assert_transposed(
            inner(&y, &dy),
            inner(&x, &dx),
            y.len(),
            &format!("{path:?} upsample"),
        );
    });
}

#[test]
fn the_gradient_of_a_maximum_goes_to_the_first_of_the_largest() {
    let x = [1.0, 5.0, 2.0, 5.0, 0.0, 3.0];
    let found = collect(6, |out| {
        max_pool_2x2_gradient(images(&x, [1, 2, 3, 1]), &[7.0], out)
    });
    assert_eq!(found, [0.0, 7.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn gradients_do_not_depend_on_the_number_of_threads() {
    let mut numbers = Numbers::new(19);
    let (rows, outputs, inputs, tokens) = (3000, 40, 70, 300);
    let (dy, x) = (numbers.vec(rows * outputs), numbers.vec(rows * inputs));
    let (q, k) = (numbers.vec(tokens * 32), numbers.vec(tokens * 32));
    let (gamma, beta) = (numbers.vec(inputs), numbers.vec(inputs));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let (dy, x) = (Rows::dense(&dy, rows), Rows::dense(&x, rows));
            let weight = collect(outputs * inputs, |out| {
                weight_gradient(dy, outputs, x, inputs, out)
            });
            let norm = LayerNorm {
                gamma: &gamma,
                beta: &beta,
                eps: 1e-6,
            };
            let norm = layer_norm_gradient(x, norm, Activation::Gelu, x.data);
            let inputs = Attention {
                batch: 1,
                heads: 1,
                key_dim: 32,
                value_dim: 32,
                q: Heads::dense(&q, tokens, 1, 32),
                k: Heads::dense(&k, tokens, 1, 32),
                v: Heads::dense(&k, tokens, 1, 32),
                scale: 0.2,
                precision: Precision::F32,
                dropout: None,
            };
            let mut log_sums = vec![0.0; tokens];
            let result = collect(tokens * 32, |out| {
                attention_with_log_sums(&inputs, &mut log_sums, out)
            });
            let after = AttentionGradient {
                inputs,
                result: &result,
                log_sums: &log_sums,
                grad: &q,
            };
            let found = attention_gradient(&after);
            [
                weight, norm.x, norm.gamma, norm.beta, found.q, found.k, found.v,
            ]
        })
    };
    assert_eq!(run(1), run(3));
}
