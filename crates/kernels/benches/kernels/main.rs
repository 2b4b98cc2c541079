//! `cargo bench -p masklet-kernels`: each kernel's rate at the network's shapes, its share of what
//! the machine can do, and for products the `gemm` crate beside it.
//!
//! Arguments filter by name: `cargo bench -p masklet-kernels -- attention`. With
//! `RAYON_NUM_THREADS=1`, times are the thread's processor time (Linux), which a busy machine
//! disturbs less.

mod harness;

use harness::{Bench, numbers};
use masklet_kernels::*;

fn products(bench: &Bench) {
    let shapes = [
        (65536, 96, 288),
        (65536, 96, 96),
        (65536, 96, 384),
        (65536, 384, 96),
        (16384, 192, 576),
        (16384, 192, 768),
        (16384, 768, 192),
        (4096, 384, 1152),
        (4096, 384, 1536),
        (4096, 1536, 384),
        (1024, 768, 3072),
        (1024, 3072, 768),
        (4096, 256, 2048),
        (4096, 2048, 256),
        (28736, 64, 256),
        (8, 256, 256),
        (8, 256, 2048),
        (1, 256, 256),
    ];
    for (m, k, n) in shapes {
        let shape = format!("{m}x{k}x{n}");
        if !["matmul", "gemm crate"]
            .iter()
            .any(|kind| bench.wanted(&format!("{kind} {shape}")))
        {
            continue;
        }
        let (a, b, bias) = (numbers(m * k, 1), numbers(n * k, 2), numbers(n, 3));
        let mut out = vec![0.0; m * n];
        let operations = 2.0 * (m * k * n) as f64;
        for precision in [Precision::F32, Precision::Bf16] {
            let weight = PackedMatrix::pack(&b, n, k, precision);
            let name = format!("matmul {m}x{k}x{n} {precision:?}");
            bench.arithmetic(&name, precision, operations, || {
                matmul(Rows::dense(&a, m), &weight, Epilogue::bias(&bias), &mut out);
            });
        }
        bench.arithmetic(
            &format!("gemm crate {m}x{k}x{n} F32"),
            Precision::F32,
            operations,
            || {
                gemm_crate(m, k, n, &a, &b, &mut out);
            },
        );
    }
}

/// The baseline: the same product, without bias.
fn gemm_crate(m: usize, k: usize, n: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    let threads = gemm::Parallelism::Rayon(rayon::current_num_threads());
    // SAFETY: the strides describe `a` [m, k], `b` [n, k] transposed and `out` [m, n].
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            k as isize,
            b.as_ptr(),
            k as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

fn mlps(bench: &Bench) {
    for (m, width) in [(65536, 96), (16384, 192), (4096, 384), (1024, 768)] {
        let hidden = 4 * width;
        let (x, w) = (numbers(m * width, 1), numbers(width * hidden, 2));
        let (b1, b2) = (numbers(hidden, 3), numbers(width, 4));
        let mut out = vec![0.0; m * width];
        for precision in [Precision::F32, Precision::Bf16] {
            let first = PackedMatrix::pack(&w, hidden, width, precision);
            let second = PackedMatrix::pack(&w, width, hidden, precision);
            let layer = Mlp {
                norm: Some(LayerNorm {
                    gamma: &b2,
                    beta: &b2,
                    eps: 1e-6,
                }),
                first: &first,
                first_bias: &b1,
                activation: Activation::Gelu,
                second: &second,
                second_bias: &b2,
                scale: None,
            };
            let operations = 4.0 * (m * width * hidden) as f64;
            let name = format!("mlp (norm, gelu, residual) {m}x{width} {precision:?}");
            bench.arithmetic(&name, precision, operations, || {
                mlp(Rows::dense(&x, m), &layer, Some(&x), &mut out);
            });
        }
    }
}

/// Transformer blocks with windowed attention: the first and the other blocks of stages 1 to 4.
fn window_blocks(bench: &Bench) {
    for (side, inputs, outputs, heads, window) in [
        (256, 96, 96, 1, 8),
        (256, 96, 192, 2, 8),
        (128, 192, 192, 2, 4),
        (128, 192, 384, 4, 4),
        (64, 384, 384, 4, 14),
        (64, 384, 768, 8, 14),
        (32, 768, 768, 8, 7),
    ] {
        let pools = inputs != outputs;
        let x = numbers(side * side * inputs, 1);
        let numbers_for = |inputs: usize, outputs: usize| -> Vec<f32> {
            let scale = (inputs as f32).sqrt().recip();
            let weights = numbers(inputs * outputs, 2);
            weights.into_iter().map(|x| x * scale).collect()
        };
        let bias = numbers(4 * outputs, 3);
        for precision in [Precision::F32, Precision::Bf16] {
            let layer = |inputs: usize, outputs: usize| {
                PackedMatrix::pack(&numbers_for(inputs, outputs), outputs, inputs, precision)
            };
            let (qkv, out) = (layer(inputs, 3 * outputs), layer(outputs, outputs));
            let shortcut = layer(inputs, outputs);
            let (first, second) = (layer(outputs, 4 * outputs), layer(4 * outputs, outputs));
            let norm = |width: usize| LayerNorm {
                gamma: &bias[..width],
                beta: &bias[..width],
                eps: 1e-6,
            };
            let projection = |weight| Projection {
                weight,
                bias: &bias[..PackedMatrix::outputs(weight)],
            };
            let block = WindowBlock {
                norm: norm(inputs),
                qkv: projection(&qkv),
                out: projection(&out),
                shortcut: pools.then(|| projection(&shortcut)),
                mlp: Mlp {
                    norm: Some(norm(outputs)),
                    first: &first,
                    first_bias: &bias,
                    activation: Activation::Gelu,
                    second: &second,
                    second_bias: &bias[..outputs],
                    scale: None,
                },
                heads,
                window,
                pools,
            };
            let answered = side * side / if pools { 4 } else { 1 };
            let mut result = vec![0.0; answered * outputs];
            let projections =
                2 * side * side * inputs * (4 * outputs - if pools { 0 } else { outputs });
            let others = 2 * answered * outputs * (outputs * 9 + 2 * window * window);
            let name = format!("block {side}x{side}, {inputs} to {outputs} {precision:?}");
            bench.arithmetic(&name, precision, (projections + others) as f64, || {
                window_block(&x, [1, side, side], &block, &mut result);
            });
        }
    }
}

fn attentions(bench: &Bench) {
    // Name, queries, keys, heads, key width, value width.
    let shapes = [
        ("stage 3 global", 4096, 4096, 4, 96, 96),
        ("memory, full bank", 4096, 28736, 1, 256, 64),
        ("memory, self", 4096, 4096, 1, 256, 256),
        ("decoder, tokens to image", 8, 4096, 8, 16, 16),
        ("decoder, image to tokens", 4096, 8, 8, 16, 16),
    ];
    for (what, nq, nk, heads, key_dim, value_dim) in shapes {
        let (q, k) = (
            numbers(nq * heads * key_dim, 1),
            numbers(nk * heads * key_dim, 2),
        );
        let v = numbers(nk * heads * value_dim, 3);
        let mut out = vec![0.0; nq * heads * value_dim];
        for precision in [Precision::F32, Precision::Bf16] {
            let inputs = Attention {
                batch: 1,
                heads,
                key_dim,
                value_dim,
                q: Heads::dense(&q, nq, heads, key_dim),
                k: Heads::dense(&k, nk, heads, key_dim),
                v: Heads::dense(&v, nk, heads, value_dim),
                scale: 1.0 / (key_dim as f32).sqrt(),
                precision,
                dropout: None,
            };
            let operations = 2.0 * (nq * nk * heads * (key_dim + value_dim)) as f64;
            bench.arithmetic(
                &format!("attention {what} {precision:?}"),
                precision,
                operations,
                || {
                    attention(&inputs, &mut out);
                },
            );
        }
    }
    for (side, heads, window, pooling) in [
        (256, 1, 8, QueryPooling::None),
        (128, 2, 4, QueryPooling::None),
        (64, 4, 14, QueryPooling::None),
        (32, 8, 7, QueryPooling::None),
        (256, 2, 8, QueryPooling::Max2x2),
    ] {
        let dim = 96;
        let qkv = numbers(side * side * 3 * heads * dim, 1);
        let padding = numbers(3 * heads * dim, 2);
        for precision in [Precision::F32, Precision::Bf16] {
            let inputs = WindowedAttention {
                qkv: &qkv,
                padding: &padding,
                batch: 1,
                height: side,
                width: side,
                heads,
                dim,
                window: Window::Square(window),
                pooling,
                scale: 0.1,
                precision,
            };
            let (height, width) = inputs.output_grid();
            let mut out = vec![0.0; height * width * heads * dim];
            let pairs = height * width * window * window;
            let name = format!("attention windows of {window} in {side} {pooling:?} {precision:?}");
            bench.arithmetic(&name, precision, 4.0 * (pairs * heads * dim) as f64, || {
                windowed_attention(&inputs, &mut out);
            });
        }
    }
}

/// Memory attention, keys included, made and not made. The rate counts the operations of made keys in
/// both, so that it can be above the peak.
fn grid_attentions(bench: &Bench) {
    let (side, others, dim, width) = (64, 64, 256, 64);
    let grid = side * side;
    let (q, weight, bias) = (
        numbers(grid * dim, 1),
        numbers(dim * width, 2),
        numbers(dim, 3),
    );
    let (cos, sin) = (numbers(grid * dim / 2, 4), numbers(grid * dim / 2, 5));
    let table = RotaryTable {
        cos: &cos,
        sin: &sin,
    };
    let scale = 1.0 / (dim as f32).sqrt();
    let projection = PackedMatrix::pack(&weight, dim, width, Precision::F32);
    for memories in [1, 2, 3, 4, 7] {
        let tokens = memories * grid + others;
        let (keys, values) = (numbers(tokens * width, 6), numbers(tokens * width, 7));
        let mut out = vec![0.0; grid * width];
        let operations = 2.0 * (tokens * (width * dim + grid * (dim + width))) as f64;
        bench.arithmetic(
            &format!("attention {memories} memories, keys made F32"),
            Precision::F32,
            operations,
            || {
                let mut made = collect(tokens * dim, |out| {
                    matmul(
                        Rows::dense(&keys, tokens),
                        &projection,
                        Epilogue::bias(&bias),
                        out,
                    )
                });
                rotary(&mut made, dim, table, others);
                let inputs = Attention {
                    batch: 1,
                    heads: 1,
                    key_dim: dim,
                    value_dim: width,
                    q: Heads::dense(&q, grid, 1, dim),
                    k: Heads::dense(&made, tokens, 1, dim),
                    v: Heads::dense(&values, tokens, 1, width),
                    scale,
                    precision: Precision::F32,
                    dropout: None,
                };
                attention(&inputs, &mut out);
            },
        );
        bench.arithmetic(
            &format!("attention {memories} memories, keys not made F32"),
            Precision::F32,
            operations,
            || {
                let inputs = GridAttention {
                    batch: 1,
                    queries: grid,
                    memories,
                    side,
                    others,
                    q: &q,
                    key_tokens: &keys,
                    values: &values,
                    weight: &weight,
                    bias: &bias,
                    table,
                    scale,
                };
                grid_attention(&inputs, &mut out);
            },
        );
    }
}

fn convolutions(bench: &Bench) {
    let shapes = [
        (1024, 3, 96, 7, 4, [3; 2]),
        (1024, 1, 4, 3, 2, [1; 2]),
        (512, 4, 16, 3, 2, [1; 2]),
        (256, 16, 64, 3, 2, [1; 2]),
        (128, 64, 256, 3, 2, [1; 2]),
    ];
    for (side, inputs, outputs, kernel, stride, padding) in shapes {
        let data = numbers(side * side * inputs, 1);
        let images = Images {
            data: &data,
            batch: 1,
            height: side,
            width: side,
            channels: inputs,
        };
        let weight = numbers(outputs * inputs * kernel * kernel, 2);
        let shape = ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            padding,
        };
        let positions = shape.output_len(side) * shape.output_len(side);
        let mut out = vec![0.0; positions * outputs];
        for precision in [Precision::F32, Precision::Bf16] {
            let conv = Conv2d::pack(&weight, shape, precision);
            let name = format!(
                "conv {kernel}x{kernel} stride {stride}, {inputs} to {outputs} {precision:?}"
            );
            let operations = 2.0 * (positions * weight.len()) as f64;
            bench.arithmetic(&name, precision, operations, || {
                conv2d(images, &conv, Epilogue::default(), &mut out);
            });
        }
    }
    // The memory encoder's, then those of a convolutional trunk.
    for (side, channels, kernel, stride) in [
        (64, 256, 7, 1),
        (256, 96, 3, 2),
        (64, 240, 5, 1),
        (32, 672, 5, 1),
    ] {
        let shape = DepthwiseShape {
            channels,
            kernel,
            stride,
        };
        let data = numbers(side * side * channels, 1);
        let weight = numbers(channels * kernel * kernel, 2);
        let images = Images {
            data: &data,
            batch: 1,
            height: side,
            width: side,
            channels,
        };
        let conv = DepthwiseConv::pack(&weight, &data[..channels], shape);
        let to = shape.output_len(side);
        let mut out = vec![0.0; to * to * channels];
        let operations = 2.0 * (out.len() * kernel * kernel) as f64;
        let name = format!(
            "conv depthwise {kernel}x{kernel} stride {stride}, {side}x{side}x{channels} F32"
        );
        bench.arithmetic(&name, Precision::F32, operations, || {
            depthwise_conv(images, &conv, Activation::None, &mut out);
        });
    }
    for (side, inputs, outputs) in [(64, 256, 64), (128, 64, 32)] {
        let (data, weight) = (
            numbers(side * side * inputs, 1),
            numbers(inputs * outputs * 4, 2),
        );
        let images = Images {
            data: &data,
            batch: 1,
            height: side,
            width: side,
            channels: inputs,
        };
        let mut out = vec![0.0; 4 * side * side * outputs];
        let skip = vec![0.0; out.len()];
        let epilogue = Epilogue {
            residual: Some(&skip),
            ..Epilogue::default()
        };
        for precision in [Precision::F32, Precision::Bf16] {
            let conv = ConvTranspose2x2::pack(&weight, inputs, outputs, precision);
            let name = format!("conv transposed 2x2, {inputs} to {outputs} {precision:?}");
            let operations = 8.0 * (side * side * inputs * outputs) as f64;
            bench.arithmetic(&name, precision, operations, || {
                conv_transpose_2x2(images, &conv, epilogue, &mut out);
            });
        }
    }
}

/// Kernels bound by memory: gigabytes read and written in a second.
fn streams(bench: &Bench) {
    let bytes = |numbers: usize| 4.0 * numbers as f64;
    let x = numbers(65536 * 96, 1);
    let mut out = vec![0.0; x.len()];
    let (gamma, beta) = (numbers(96, 2), numbers(96, 3));
    let norm = LayerNorm {
        gamma: &gamma,
        beta: &beta,
        eps: 1e-6,
    };
    bench.memory(
        "copy (what memory allows) 65536x96",
        bytes(2 * x.len()),
        || {
            out.copy_from_slice(&x);
            std::hint::black_box(&out);
        },
    );
    bench.memory("layer norm 65536x96", bytes(2 * x.len()), || {
        layer_norm(Rows::dense(&x, 65536), norm, &mut out);
    });
    bench.memory("gelu in place 65536x96", bytes(2 * x.len()), || {
        activate(&mut out, Activation::Gelu);
    });
    bench.memory("sigmoid scaled 65536x96", bytes(2 * x.len()), || {
        sigmoid_scaled(&x, 20.0, -10.0, &mut out);
    });
    let images = Images {
        data: &x,
        batch: 1,
        height: 256,
        width: 256,
        channels: 96,
    };
    let mut pooled = vec![0.0; x.len() / 4];
    bench.memory("max pool 256x256x96", bytes(x.len() + pooled.len()), || {
        max_pool_2x2(images, &mut pooled);
    });
    let coarse = Images {
        data: &pooled,
        batch: 1,
        height: 128,
        width: 128,
        channels: 96,
    };
    bench.memory(
        "upsample and add 256x256x96",
        bytes(2 * x.len() + pooled.len()),
        || {
            upsample_add(&x, coarse, &mut out);
        },
    );
    let mut tokens = numbers(28736 * 256, 4);
    let table = RotaryTable {
        cos: &x[..4096 * 128],
        sin: &x[4096 * 128..][..4096 * 128],
    };
    bench.memory("rotary 28736x256", bytes(2 * 28736 * 256), || {
        rotary(&mut tokens, 256, table, 64);
    });
    let mut map = vec![0.0; 1024 * 1024];
    bench.memory(
        "resize 256x256 to 1024x1024",
        bytes(65536 + 1024 * 1024),
        || {
            resize_bilinear(&x[..65536], 1, (256, 256), (1024, 1024), &mut map);
        },
    );
    let mut masks = vec![0.0; 4 * 65536];
    bench.memory(
        "hypernetwork product 4x32 by 65536",
        bytes(36 * 65536),
        || {
            matmul_nt(
                Rows::dense(&x[..128], 4),
                Rows::dense(&x[..65536 * 32], 65536),
                32,
                &mut masks,
            );
        },
    );
}

fn main() {
    // In a pool's thread, so that with one thread all work happens in the thread measured.
    rayon::scope(|_| {
        let bench = Bench::new();
        products(&bench);
        mlps(&bench);
        window_blocks(&bench);
        attentions(&bench);
        grid_attentions(&bench);
        convolutions(&bench);
        streams(&bench);
    });
}
