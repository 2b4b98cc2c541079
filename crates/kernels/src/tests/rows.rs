use super::matmul::normalised;
use super::{Numbers, assert_close, erf, on_every_path};
use crate::*;

#[test]
fn layer_norm_matches_the_reference() {
    on_every_path(|path| {
        for (m, width) in [(1, 1), (1, 96), (333, 4), (70, 45), (9, 768), (2000, 16)] {
            let mut numbers = Numbers::new(width as u64);
            let x: Vec<f32> = numbers
                .vec(m * width + 1)
                .iter()
                .map(|x| 3.0 * x + 2.0)
                .collect();
            let x = &x[1..];
            let (gamma, beta) = (numbers.vec(width), numbers.vec(width));
            let norm = LayerNorm {
                gamma: &gamma,
                beta: &beta,
                eps: 1e-6,
            };
            let out = collect(m * width, |out| layer_norm(Rows::dense(x, m), norm, out));
            let expected: Vec<f64> = normalised(x, &norm).iter().map(|&x| f64::from(x)).collect();
            // Few channels can lie close together, which magnifies rounding.
            let tolerance = if width < 8 { 2e-3 } else { 2e-5 };
            assert_close(&out, &expected, tolerance, &format!("{path:?} {m}x{width}"));
            let active = collect(m * width, |out| {
                layer_norm_activated(Rows::dense(x, m), norm, Activation::Relu, out)
            });
            assert!(active.iter().zip(&out).all(|(a, o)| *a == o.max(0.0)));
        }
    });
}

#[test]
fn nan_spoils_only_its_own_row() {
    on_every_path(|path| {
        let mut x = Numbers::new(1).vec(5 * 33);
        x[2 * 33 + 32] = f32::NAN;
        x[3 * 33] = f32::INFINITY;
        let ones = [1.0; 33];
        let norm = LayerNorm {
            gamma: &ones,
            beta: &ones,
            eps: 1e-5,
        };
        let out = collect(5 * 33, |out| layer_norm(Rows::dense(&x, 5), norm, out));
        for (row, values) in out.chunks(33).enumerate() {
            let spoilt = values.iter().any(|x| x.is_nan());
            assert_eq!(spoilt, row == 2 || row == 3, "{path:?} row {row}");
        }
    });
}

#[test]
fn gelu_is_within_its_bound_everywhere() {
    on_every_path(|path| {
        let x: Vec<f32> = (-60_000..=60_000).map(|i| i as f32 * 1e-4).collect();
        let mut y = x.clone();
        activate(&mut y, Activation::Gelu);
        for (&x, &y) in x.iter().zip(&y) {
            let x = f64::from(x);
            let phi = 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2));
            // The bound on erf is 5e-7; GELU multiplies its half with x, and rounds.
            let bound = 0.25e-6 * x.abs() + 1e-7 * x.abs().max(1.0);
            assert!(
                (f64::from(y) - x * phi).abs() <= bound,
                "{path:?} gelu({x}) = {y}"
            );
        }
        let mut special = [f32::NAN, f32::INFINITY, 1e30, -1e30, 0.0];
        activate(&mut special, Activation::Gelu);
        assert!(special[0].is_nan());
        assert_eq!(special[1..], [f32::INFINITY, 1e30, 0.0, 0.0]);
    });
}

#[test]
fn sigmoid_matches_plain_arithmetic() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(3);
        for len in [0, 1, 15, 1000, 40_001] {
            let x: Vec<f32> = numbers.vec(len + 1).iter().map(|x| 30.0 * x).collect();
            let x = &x[1..];
            let sigmoid = |&x: &f32| 20.0 / (1.0 + (-f64::from(x)).exp()) - 10.0;
            let expected: Vec<f64> = x.iter().map(sigmoid).collect();
            let out = collect(len, |out| sigmoid_scaled(x, 20.0, -10.0, out));
            assert_close(&out, &expected, 1e-5, &format!("{path:?}"));
        }
        let out = collect(3, |out| {
            sigmoid_scaled(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY], 1.0, 0.0, out)
        });
        assert!(out[0].is_nan() && out[1] == 1.0 && out[2].abs() < 1e-37);
    });
}

#[test]
fn rotary_turns_pairs_and_repeats_the_table() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(4);
        let (tokens, positions, dim, exclude) = (203, 50, 24, 3);
        let before = numbers.vec(tokens * dim);
        let (cos, sin) = (
            numbers.vec(positions * dim / 2),
            numbers.vec(positions * dim / 2),
        );
        let mut x = before.clone();
        rotary(
            &mut x,
            dim,
            RotaryTable {
                cos: &cos,
                sin: &sin,
            },
            exclude,
        );
        let mut expected = Vec::new();
        for t in 0..tokens {
            for pair in 0..dim / 2 {
                let (a, b) = (before[t * dim + 2 * pair], before[t * dim + 2 * pair + 1]);
                let (a, b) = (f64::from(a), f64::from(b));
                let at = t % positions * (dim / 2) + pair;
                let (c, s) = (f64::from(cos[at]), f64::from(sin[at]));
                let turned = [a * c - b * s, a * s + b * c];
                expected.extend(if t < tokens - exclude { turned } else { [a, b] });
            }
        }
        assert_close(&x, &expected, 1e-6, &format!("{path:?}"));
    });
}

#[test]
fn products_of_activations_match_the_reference() {
    on_every_path(|path| {
        for (m, k, n) in [
            (4, 32, 1000),
            (1, 1, 1),
            (7, 19, 33),
            (4, 32, 31),
            (40, 16, 64),
        ] {
            let mut numbers = Numbers::new(n as u64);
            let (a, b) = (numbers.vec(m * k), numbers.vec(n * k));
            let dot = |index: usize| -> f64 {
                let (i, j) = (index / n, index % n);
                let row = a[i * k..][..k].iter().zip(&b[j * k..][..k]);
                row.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            };
            let expected: Vec<f64> = (0..m * n).map(dot).collect();
            let out = collect(m * n, |out| {
                matmul_nt(Rows::dense(&a, m), Rows::dense(&b, n), k, out)
            });
            assert_close(&out, &expected, 1e-5, &format!("{path:?}"));
        }
    });
}
