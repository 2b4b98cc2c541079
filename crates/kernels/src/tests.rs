//! Every kernel against a naive reference in f64, on every path this machine can run.

mod attention;
mod block;
mod gradients;
mod grid;
mod images;
mod matmul;
mod rows;

use crate::Activation;
use crate::cpu::{Path, available_paths, with_path};

/// Numbers in -1..1, the same for the same seed.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn vec(&mut self, len: usize) -> Vec<f32> {
        (0..len)
            .map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0)
            .collect()
    }

    /// One of `low..=high`.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() >> 20) as usize % (high - low + 1)
    }
}

/// Runs `test` once for every path of this machine.
pub(crate) fn on_every_path(test: impl Fn(Path)) {
    for path in available_paths() {
        with_path(path, || test(path));
    }
}

/// Asserts equality up to `tolerance`, NaN equal to NaN.
#[track_caller]
pub(crate) fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let same = (f.is_nan() && e.is_nan())
            || (f64::from(f) - e).abs() <= tolerance * e.abs().max(1.0)
            || f64::from(f) == e;
        assert!(same, "{what}: number {i} is {f}, not {e}");
    }
}

/// The bf16 nearest to `x`, as f64.
pub(crate) fn bf16(x: f32) -> f64 {
    f64::from(f32::from_bits(u32::from(crate::simd::to_bf16(x)) << 16))
}

/// All activations.
pub(crate) const ACTIVATIONS: [Activation; 4] = [
    Activation::None,
    Activation::Relu,
    Activation::Relu6,
    Activation::Gelu,
];

/// An activation of one number.
pub(crate) fn apply(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Gelu => x * 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
    }
}

/// Exact erf to about 1e-15 by its series or continued fraction.
pub(crate) fn erf(z: f64) -> f64 {
    if z.abs() > 5.0 {
        return z.signum();
    }
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}
