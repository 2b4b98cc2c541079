use super::{Numbers, assert_close, on_every_path};
use crate::*;

/// `softmax(scale * q k^T) v` for rows of `dk` and `dv` numbers.
pub(super) fn reference(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    dk: usize,
    dv: usize,
    scale: f64,
) -> Vec<f64> {
    let mut out = Vec::new();
    for q in q.chunks(dk) {
        let dot = |k: &[f32]| -> f64 {
            scale
                * q.iter()
                    .zip(k)
                    .map(|(&a, &b)| f64::from(a) * f64::from(b))
                    .sum::<f64>()
        };
        let scores: Vec<f64> = k.chunks(dk).map(dot).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
        let total: f64 = weights.iter().sum();
        for c in 0..dv {
            let value = |(i, w): (usize, &f64)| w * f64::from(v[i * dv + c]);
            out.push(weights.iter().enumerate().map(value).sum::<f64>() / total);
        }
    }
    out
}

/// Head `h` of `[tokens, heads * dim]`.
fn head(x: &[f32], h: usize, heads: usize, dim: usize) -> Vec<f32> {
    x.chunks(heads * dim)
        .flat_map(|t| &t[h * dim..(h + 1) * dim])
        .copied()
        .collect()
}

#[test]
fn attention_matches_the_reference_for_many_shapes() {
    let shapes = [
        (1, 1, 1, 1, 1, 1),
        (2, 3, 50, 70, 32, 32),
        (1, 2, 8, 600, 16, 16),
        (1, 1, 300, 8, 256, 64),
        (1, 2, 33, 257, 72, 72),
        (1, 1, 1, 513, 56, 24),
        (2, 1, 65, 31, 96, 96),
        (1, 1, 40, 900, 256, 64),
    ];
    on_every_path(|path| {
        for (case, (batch, heads, nq, nk, dk, dv)) in shapes.into_iter().enumerate() {
            let mut numbers = Numbers::new(case as u64);
            let q = numbers.vec(batch * nq * heads * dk + 1);
            let k = numbers.vec(batch * nk * heads * dk + 1);
            let v = numbers.vec(batch * nk * heads * dv + 1);
            let (q, k, v) = (&q[1..], &k[1..], &v[1..]);
            for precision in [Precision::F32, Precision::Bf16] {
                let inputs = Attention {
                    batch,
                    heads,
                    key_dim: dk,
                    value_dim: dv,
                    q: Heads::dense(q, nq, heads, dk),
                    k: Heads::dense(k, nk, heads, dk),
                    v: Heads::dense(v, nk, heads, dv),
                    scale: 3.0 / (dk as f32).sqrt(),
                    precision,
                    dropout: None,
                };
                let out = collect(batch * nq * heads * dv, |out| attention(&inputs, out));
                let tolerance = if precision == Precision::F32 {
                    2e-6
                } else {
                    0.02
                };
                for b in 0..batch {
                    for h in 0..heads {
                        let of = |x: &[f32], tokens: usize, dim: usize| {
                            let size = tokens * heads * dim;
                            head(&x[b * size..(b + 1) * size], h, heads, dim)
                        };
                        let scale = f64::from(inputs.scale);
                        let (q, k, v) = (of(q, nq, dk), of(k, nk, dk), of(v, nk, dv));
                        let expected = reference(&q, &k, &v, dk, dv, scale);
                        let what = format!("{path:?} {precision:?} case {case}");
                        assert_close(&of(&out, nq, dv), &expected, tolerance, &what);
                    }
                }
            }
        }
    });
}

#[test]
fn minus_infinity_hides_a_key_and_nan_stays_in_its_query() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(9);
        let (nq, nk, dim) = (20, 600, 32);
        let mut q: Vec<f32> = numbers
            .vec(nq * dim)
            .iter()
            .map(|x| x.abs() + 0.1)
            .collect();
        let mut k = numbers.vec(nk * dim);
        // A whole first block of keys is hidden.
        k[..300 * dim].fill(f32::NEG_INFINITY);
        q[5 * dim + 1] = f32::NAN;
        let v = numbers.vec(nk * dim);
        for precision in [Precision::F32, Precision::Bf16] {
            let run = |k: &[f32], v: &[f32]| {
                let nk = k.len() / dim;
                let inputs = Attention {
                    batch: 1,
                    heads: 1,
                    key_dim: dim,
                    value_dim: dim,
                    q: Heads::dense(&q, nq, 1, dim),
                    k: Heads::dense(k, nk, 1, dim),
                    v: Heads::dense(v, nk, 1, dim),
                    scale: 0.2,
                    precision,
                    dropout: None,
                };
                collect(nq * dim, |out| attention(&inputs, out))
            };
            let hidden = run(&k, &v);
            let absent = run(&k[300 * dim..], &v[300 * dim..]);
            for (row, (a, b)) in hidden.chunks(dim).zip(absent.chunks(dim)).enumerate() {
                let what = format!("{path:?} {precision:?} query {row}");
                if row == 5 {
                    assert!(a.iter().all(|x| x.is_nan()), "{what}");
                } else {
                    let b: Vec<f64> = b.iter().map(|&x| f64::from(x)).collect();
                    assert_close(a, &b, 0.01, &what);
                }
            }
            let nothing = run(&k[..300 * dim], &v[..300 * dim]);
            assert!(nothing.iter().all(|x| x.is_nan()), "{path:?} {precision:?}");
        }
    });
}

/// Windows as the reference makes them: pad, cut, attend, put together.
fn windowed_reference(w: &WindowedAttention, side: usize) -> Vec<f64> {
    let pool = w.pooling == QueryPooling::Max2x2;
    let (oh, ow) = w.output_grid();
    let width = w.heads * w.dim;
    let mut out = vec![0.0; w.batch * oh * ow * width];
    for b in 0..w.batch {
        for top in (0..w.height).step_by(side) {
            for left in (0..w.width).step_by(side) {
                for h in 0..w.heads {
                    let part = |part: usize, y: usize, x: usize| -> Vec<f32> {
                        let at = (part * w.heads + h) * w.dim;
                        let token = ((b * w.height + top + y) * w.width + left + x) * 3 * width;
                        let inside = top + y < w.height && left + x < w.width;
                        let from = if inside { &w.qkv[token..] } else { w.padding };
                        from[at..at + w.dim].to_vec()
                    };
                    let all = |p: usize| -> Vec<f32> {
                        (0..side * side)
                            .flat_map(|i| part(p, i / side, i % side))
                            .collect()
                    };
                    let step = if pool { 2 } else { 1 };
                    let small = side / step;
                    let query = |i: usize| -> Vec<f32> {
                        let (y, x) = (i / small * step, i % small * step);
                        let mut most = part(0, y, x);
                        for (dy, dx) in (0..step * step).map(|j| (j / step, j % step)) {
                            for (m, v) in most.iter_mut().zip(part(0, y + dy, x + dx)) {
                                *m = m.max(v);
                            }
                        }
                        most
                    };
                    let q: Vec<f32> = (0..small * small).flat_map(query).collect();
                    let scale = f64::from(w.scale);
                    let result = reference(&q, &all(1), &all(2), w.dim, w.dim, scale);
                    for (i, row) in result.chunks(w.dim).enumerate() {
                        let (y, x) = (top / step + i / small, left / step + i % small);
                        if y < oh && x < ow {
                            let at = ((b * oh + y) * ow + x) * width + h * w.dim;
                            out[at..at + w.dim].copy_from_slice(row);
                        }
                    }
                }
            }
        }
    }
    out
}

#[test]
fn windows_match_padding_cutting_and_putting_together() {
    let shapes = [
        (1, 16, 16, 1, 96, 8),
        (2, 10, 13, 2, 24, 4),
        (1, 20, 18, 3, 16, 14),
        (1, 7, 9, 2, 40, 7),
        (1, 5, 3, 1, 8, 16),
        (1, 33, 17, 2, 32, 16),
    ];
    on_every_path(|path| {
        for (case, (batch, height, width, heads, dim, side)) in shapes.into_iter().enumerate() {
            let mut numbers = Numbers::new(case as u64);
            let qkv = numbers.vec(batch * height * width * 3 * heads * dim);
            let padding = numbers.vec(3 * heads * dim);
            for pooling in [QueryPooling::None, QueryPooling::Max2x2] {
                if pooling == QueryPooling::Max2x2 && side % 2 == 1 {
                    continue;
                }
                for precision in [Precision::F32, Precision::Bf16] {
                    let inputs = WindowedAttention {
                        qkv: &qkv,
                        padding: &padding,
                        batch,
                        height,
                        width,
                        heads,
                        dim,
                        window: Window::Square(side),
                        pooling,
                        scale: 0.5,
                        precision,
                    };
                    let (oh, ow) = inputs.output_grid();
                    let len = batch * oh * ow * heads * dim;
                    let out = collect(len, |out| windowed_attention(&inputs, out));
                    let tolerance = if precision == Precision::F32 {
                        5e-6
                    } else {
                        0.03
                    };
                    let expected = windowed_reference(&inputs, side);
                    let what = format!("{path:?} {precision:?} {pooling:?} case {case}");
                    assert_close(&out, &expected, tolerance, &what);
                }
            }
        }
    });
}

#[test]
fn a_global_window_is_one_window_as_large_as_the_grid() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(11);
        let (side, heads, dim) = (12, 2, 20);
        let qkv = numbers.vec(side * side * 3 * heads * dim);
        let padding = numbers.vec(3 * heads * dim);
        for pooling in [QueryPooling::None, QueryPooling::Max2x2] {
            let inputs = WindowedAttention {
                qkv: &qkv,
                padding: &padding,
                batch: 1,
                height: side,
                width: side,
                heads,
                dim,
                window: Window::Global,
                pooling,
                scale: 0.5,
                precision: Precision::F32,
            };
            let (oh, ow) = inputs.output_grid();
            let out = collect(oh * ow * heads * dim, |out| {
                windowed_attention(&inputs, out)
            });
            let expected = windowed_reference(&inputs, side);
            assert_close(&out, &expected, 5e-6, &format!("{path:?} {pooling:?}"));
        }
    });
}

#[test]
fn nothing_in_gives_nothing_out() {
    on_every_path(|_| {
        let weight = PackedMatrix::pack(&[1.0; 6], 3, 2, Precision::Bf16);
        assert!(
            collect(0, |out| matmul(
                Rows::dense(&[], 0),
                &weight,
                Epilogue::default(),
                out
            ))
            .is_empty()
        );
        let some = [1.0; 8];
        let inputs = Attention {
            batch: 1,
            heads: 1,
            key_dim: 4,
            value_dim: 4,
            q: Heads::dense(&[], 0, 1, 4),
            k: Heads::dense(&some, 2, 1, 4),
            v: Heads::dense(&some, 2, 1, 4),
            scale: 1.0,
            precision: Precision::F32,
            dropout: None,
        };
        assert!(collect(0, |out| attention(&inputs, out)).is_empty());
    });
}

#[test]
fn attention_does_not_depend_on_the_number_of_threads() {
    on_every_path(|path| {
        let (nq, nk, dim) = (700, 300, 24);
        let mut numbers = Numbers::new(12);
        let (q, k, v) = (
            numbers.vec(nq * dim),
            numbers.vec(nk * dim),
            numbers.vec(nk * dim),
        );
        for precision in [Precision::F32, Precision::Bf16] {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .unwrap();
                pool.install(|| {
                    crate::cpu::with_path(path, || {
                        let inputs = Attention {
                            batch: 1,
                            heads: 1,
                            key_dim: dim,
                            value_dim: dim,
                            q: Heads::dense(&q, nq, 1, dim),
                            k: Heads::dense(&k, nk, 1, dim),
                            v: Heads::dense(&v, nk, 1, dim),
                            scale: 0.3,
                            precision,
                            dropout: None,
                        };
                        collect(nq * dim, |out| attention(&inputs, out))
                    })
                })
            };
            assert_eq!(run(1), run(5), "{path:?} {precision:?}");
        }
    });
}
