//! `cargo bench -p masklet-kernels`: each kernel's rate at the network's shapes, its share of what
//! the machine can do, and for products the `gemm` crate beside it.
//!
//! Arguments filter by name: `cargo bench -p masklet-kernels -- attention`. With
//! `RAYON_NUM_THREADS=1`, times are the thread's processor time (Linux), which a busy machine
//! disturbs less.

use masklet_kernels::*;
use std::time::{Duration, Instant};

/// The machine's limits and the filter.
struct Bench {
    filter: Vec<String>,
    peak_f32: f64,
    peak_bf16: f64,
}

impl Bench {
    fn new() -> Bench {
        let filter = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
        let bench = Bench {
            filter,
            peak_f32: peak_gflops(Precision::F32),
            peak_bf16: peak_gflops(Precision::Bf16),
        };
        println!("{:?}, {} threads", cpu_features(), rayon::current_num_threads());
        println!("peak: f32 {:.0} GFLOP/s, bf16 {:.0} GFLOP/s", bench.peak_f32, bench.peak_bf16);
        bench
    }

    fn wanted(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|f| name.contains(f.as_str()))
    }

    fn peak(&self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => self.peak_f32,
            Precision::Bf16 => self.peak_bf16,
        }
    }

    /// Prints the rate of `work`, which does `operations` operations.
    fn arithmetic(&self, name: &str, precision: Precision, operations: f64, work: impl FnMut()) {
        if self.wanted(name) {
            let seconds = fastest(work);
            let rate = operations / seconds / 1e9;
            println!(
                "{name:56} {:9.3} ms {rate:8.1} GFLOP/s {:5.1} %",
                seconds * 1e3,
                100.0 * rate / self.peak(precision)
            );
        }
    }
}

/// The shortest of several runs, in seconds.
fn fastest(mut work: impl FnMut()) -> f64 {
    work();
    let end = Instant::now() + Duration::from_millis(300);
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || Instant::now() < end {
        let (start, processor) = (Instant::now(), processor_time());
        work();
        let elapsed = match (rayon::current_num_threads(), processor, processor_time()) {
            (1, Some(before), Some(after)) => after - before,
            _ => start.elapsed().as_secs_f64(),
        };
        best = best.min(elapsed);
        runs += 1;
    }
    best
}

/// Seconds this thread has been running on a processor.
fn processor_time() -> Option<f64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(line.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// Numbers in -1..1, the same every time.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn products(bench: &Bench) {
    let shapes = [
        (65536, 96, 288), (65536, 96, 96), (65536, 96, 384), (65536, 384, 96), (16384, 192, 576),
        (16384, 192, 768), (16384, 768, 192), (4096, 384, 1152), (4096, 384, 1536),
        (4096, 1536, 384), (1024, 768, 3072), (1024, 3072, 768), (4096, 256, 2048),
        (4096, 2048, 256), (28736, 64, 256), (8, 256, 256), (8, 256, 2048), (1, 256, 256),
    ];
    for (m, k, n) in shapes {
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
        bench.arithmetic(&format!("gemm crate {m}x{k}x{n} F32"), Precision::F32, operations, || {
            gemm_crate(m, k, n, &a, &b, &mut out);
        });
    }
}

/// The baseline: the same product, without bias.
fn gemm_crate(m: usize, k: usize, n: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    let threads = gemm::Parallelism::Rayon(rayon::current_num_threads());
    // SAFETY: the strides describe `a` [m, k], `b` [n, k] transposed and `out` [m, n].
    unsafe {
        gemm::gemm(
            m, n, k, out.as_mut_ptr(), 1, n as isize, false, a.as_ptr(), 1, k as isize, b.as_ptr(),
            k as isize, 1, 0.0, 1.0, false, false, false, threads,
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
                norm: Some(LayerNorm { gamma: &b2, beta: &b2, eps: 1e-6 }),
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

fn main() {
    // In a pool's thread, so that with one thread all work happens in the thread measured.
    rayon::scope(|_| {
        let bench = Bench::new();
        products(&bench);
        mlps(&bench);
    });
}
