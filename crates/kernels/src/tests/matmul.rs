use super::{ACTIVATIONS, Numbers, apply, assert_close, bf16, on_every_path};
use crate::cpu::{Bf16Unit, Isa, Path, with_path};
use crate::*;

/// What the product of one epilogue should be.
fn reference(a: &[f32], b: &[f32], n: usize, k: usize, e: &Epilogue, bf: bool) -> Vec<f64> {
    let of = |x: f32| if bf { bf16(x) } else { f64::from(x) };
    let rows = a.len() / k.max(1);
    let mut out = Vec::new();
    for i in 0..rows {
        for j in 0..n {
            let mut v: f64 = (0..k).map(|p| of(a[i * k + p]) * of(b[j * k + p])).sum();
            v += e.bias.map_or(0.0, |b| f64::from(b[j]));
            v = apply(e.activation, v);
            v *= e.scale.map_or(1.0, |s| f64::from(s[j]));
            v += e.residual.map_or(0.0, |r| f64::from(r[i * n + j]));
            out.push(v);
        }
    }
    out
}

fn shapes() -> Vec<(usize, usize, usize)> {
    let mut numbers = Numbers::new(7);
    let mut shapes = vec![
        (1, 1, 1),
        (1, 256, 256),
        (8, 256, 2048),
        (33, 96, 288),
        (17, 31, 33),
        (100, 7, 5),
        (64, 384, 96),
        (45, 1024, 40),
        (300, 33, 65),
        (2, 768, 31),
        (450, 147, 96),
    ];
    for _ in 0..12 {
        shapes.push((
            numbers.size(1, 130),
            numbers.size(1, 150),
            numbers.size(1, 150),
        ));
    }
    shapes
}

#[test]
fn products_with_any_epilogue_match_the_reference() {
    on_every_path(|path| {
        for (case, (m, k, n)) in shapes().into_iter().enumerate() {
            let mut numbers = Numbers::new(case as u64);
            // One number in, so that nothing is aligned.
            let a = &numbers.vec(m * k + 1)[1..];
            let (b, bias, scale) = (numbers.vec(n * k), numbers.vec(n), numbers.vec(n));
            let residual = numbers.vec(m * n);
            let epilogue = Epilogue {
                bias: (case % 2 == 0).then_some(&bias),
                activation: ACTIVATIONS[case / 3 % 4],
                scale: (case % 4 == 1).then_some(&scale),
                residual: (case % 3 != 2).then_some(&residual),
            };
            for precision in [Precision::F32, Precision::Bf16] {
                let weight = PackedMatrix::pack(&b, n, k, precision);
                let mut out = vec![f32::NAN; m * n + 1];
                matmul(Rows::dense(a, m), &weight, epilogue, &mut out[1..]);
                let expected = reference(a, &b, n, k, &epilogue, false);
                let what = format!("{path:?} {precision:?} {m}x{k}x{n}");
                match precision {
                    Precision::F32 => assert_close(&out[1..], &expected, 3e-5, &what),
                    Precision::Bf16 => {
                        let loose = 0.01 * (k as f64).sqrt();
                        assert_close(&out[1..], &expected, loose, &what);
                        if path.rounds_operands() {
                            let exact = reference(a, &b, n, k, &epilogue, true);
                            assert_close(&out[1..], &exact, 3e-5, &what);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn strided_rows_are_addressed_in_place() {
    on_every_path(|_| {
        let mut numbers = Numbers::new(3);
        let (m, k, n, stride) = (37, 64, 70, 192);
        let data = numbers.vec((m - 1) * stride + k);
        let b = numbers.vec(n * k);
        let dense: Vec<f32> = (0..m)
            .flat_map(|i| &data[i * stride..][..k])
            .copied()
            .collect();
        for precision in [Precision::F32, Precision::Bf16] {
            let weight = PackedMatrix::pack(&b, n, k, precision);
            let [x, y] = [Rows::strided(&data, m, stride), Rows::dense(&dense, m)]
                .map(|a| collect(m * n, |out| matmul(a, &weight, Epilogue::default(), out)));
            assert_eq!(x, y);
        }
    });
}

#[test]
fn nan_and_infinity_stay_in_their_row() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(4);
        let (m, k, n) = (40, 50, 35);
        let mut a = numbers.vec(m * k);
        a[3 * k + 7] = f32::NAN;
        a[20 * k] = f32::INFINITY;
        let b: Vec<f32> = numbers.vec(n * k).iter().map(|x| x.abs() + 0.1).collect();
        for activation in ACTIVATIONS {
            // ReLU6 has an upper end.
            let most = apply(activation, f64::INFINITY) as f32;
            for precision in [Precision::F32, Precision::Bf16] {
                let weight = PackedMatrix::pack(&b, n, k, precision);
                let epilogue = Epilogue {
                    activation,
                    ..Epilogue::default()
                };
                let out = collect(m * n, |o| matmul(Rows::dense(&a, m), &weight, epilogue, o));
                for (row, values) in out.chunks(n).enumerate() {
                    match row {
                        3 => assert!(values.iter().all(|x| x.is_nan()), "{path:?} {activation:?}"),
                        20 => assert!(values.iter().all(|&x| x == most), "{path:?} {activation:?}"),
                        _ => assert!(values.iter().all(|x| x.is_finite()), "{path:?}"),
                    }
                }
            }
        }
    });
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(5);
        for (m, k, n) in [(700, 96, 130), (9, 256, 640)] {
            let (a, b) = (numbers.vec(m * k), numbers.vec(n * k));
            for precision in [Precision::F32, Precision::Bf16] {
                let weight = PackedMatrix::pack(&b, n, k, precision);
                let run = |threads| {
                    let pool = rayon::ThreadPoolBuilder::new()
                        .num_threads(threads)
                        .build()
                        .unwrap();
                    pool.install(|| {
                        crate::cpu::with_path(path, || {
                            let a = Rows::dense(&a, m);
                            collect(m * n, |out| matmul(a, &weight, Epilogue::default(), out))
                        })
                    })
                };
                assert_eq!(run(1), run(3), "{path:?} {precision:?}");
            }
        }
    });
}

#[test]
fn a_product_can_be_added_in_place() {
    on_every_path(|_| {
        let mut numbers = Numbers::new(6);
        let (m, k, n) = (50, 20, 45);
        let (a, b, before) = (numbers.vec(m * k), numbers.vec(n * k), numbers.vec(m * n));
        let weight = PackedMatrix::pack(&b, n, k, Precision::F32);
        let mut out = before.clone();
        matmul_add(Rows::dense(&a, m), &weight, Epilogue::default(), &mut out);
        let epilogue = Epilogue {
            residual: Some(&before),
            ..Epilogue::default()
        };
        assert_close(
            &out,
            &reference(&a, &b, n, k, &epilogue, false),
            1e-5,
            "matmul_add",
        );
    });
}

/// Layer norm of rows in f64.
pub(crate) fn normalised(x: &[f32], norm: &LayerNorm) -> Vec<f32> {
    let width = norm.gamma.len();
    let row = |row: &[f32]| {
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
        let square = |&x: &f32| (f64::from(x) - mean).powi(2);
        let variance = row.iter().map(square).sum::<f64>() / width as f64;
        let factor = 1.0 / (variance + f64::from(norm.eps)).sqrt();
        let one = |(i, &x): (usize, &f32)| {
            ((f64::from(x) - mean) * factor * f64::from(norm.gamma[i]) + f64::from(norm.beta[i]))
                as f32
        };
        row.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    x.chunks(width).flat_map(row).collect()
}

#[test]
fn normalised_products_and_mlps_match_their_parts() {
    on_every_path(|path| {
        for (m, width, hidden) in [(1, 8, 16), (77, 96, 384), (70, 45, 71), (600, 33, 130)] {
            let mut numbers = Numbers::new(m as u64);
            let x = numbers.vec(m * width);
            let (gamma, beta) = (numbers.vec(width), numbers.vec(width));
            let (w1, w2) = (numbers.vec(hidden * width), numbers.vec(hidden * width));
            let (b1, b2) = (numbers.vec(hidden), numbers.vec(width));
            let norm = LayerNorm {
                gamma: &gamma,
                beta: &beta,
                eps: 1e-6,
            };
            for precision in [Precision::F32, Precision::Bf16] {
                let tolerance = if precision == Precision::F32 {
                    1e-4
                } else {
                    0.2
                };
                let first = PackedMatrix::pack(&w1, hidden, width, precision);
                let second = PackedMatrix::pack(&w2, width, hidden, precision);
                let middle = Epilogue::activated(&b1, Activation::Gelu);
                let expected =
                    reference(&normalised(&x, &norm), &w1, hidden, width, &middle, false);
                let found = collect(m * hidden, |o| {
                    matmul_norm(Rows::dense(&x, m), norm, &first, middle, o)
                });
                assert_close(
                    &found,
                    &expected,
                    tolerance,
                    &format!("{path:?} {precision:?} norm"),
                );
                let layer = Mlp {
                    norm: Some(norm),
                    first: &first,
                    first_bias: &b1,
                    activation: Activation::Gelu,
                    second: &second,
                    second_bias: &b2,
                    scale: None,
                };
                let last = Epilogue::residual(&b2, &x);
                let whole = collect(m * width, |out| {
                    mlp(Rows::dense(&x, m), &layer, Some(&x), out)
                });
                let parts = collect(m * width, |o| {
                    matmul(Rows::dense(&found, m), &second, last, o)
                });
                let parts: Vec<f64> = parts.into_iter().map(f64::from).collect();
                assert_close(&whole, &parts, 1e-4, &format!("{path:?} {precision:?} mlp"));
                let mut in_place = x.clone();
                mlp_add(&mut in_place, &layer);
                assert_close(
                    &in_place,
                    &parts,
                    1e-4,
                    &format!("{path:?} {precision:?} mlp_add"),
                );
            }
        }
    });
}

#[test]
fn f32_has_the_accuracy_of_multiply_adds_on_every_unit() {
    let (m, n) = (48, 64);
    for k in [96, 384, 1536] {
        let mut numbers = Numbers::new(k as u64);
        // Numbers of all sizes, as a trained network has them.
        let mut some = |len| -> Vec<f32> {
            let (x, y) = (numbers.vec(len), numbers.vec(len));
            x.iter().zip(y).map(|(x, y)| x * (4.0 * y).exp()).collect()
        };
        let (a, b) = (some(m * k), some(n * k));
        let exact = reference(&a, &b, n, k, &Epilogue::default(), false);
        let error = || {
            let weight = PackedMatrix::pack(&b, n, k, Precision::F32);
            let out = collect(m * n, |out| {
                matmul(Rows::dense(&a, m), &weight, Epilogue::default(), out)
            });
            let errors = out.iter().zip(&exact).map(|(&x, y)| f64::from(x) - y);
            (errors.map(|e| e * e).sum::<f64>() / (m * n) as f64).sqrt()
        };
        let plain = Path::new(Isa::Portable, Bf16Unit::Widen);
        let plain = with_path(plain, error);
        on_every_path(|path| {
            let found = error();
            assert!(
                found <= 1.1 * plain,
                "{path:?}, k {k}: {found:e}, not {plain:e}"
            );
        });
    }
}
