//! Gradients of activations.

use crate::cpu::{self, Isa};
use crate::elementwise::{for_vectors, in_chunks};
use crate::epilogue::Activation;
use crate::math::gelu_slope;
use crate::output::{Out, Shared, Written};
use crate::simd::{Simd, simd_fn};

/// `out = dy * activation'(x)`. For ReLU and ReLU6, `x` may be
/// their result as well.
pub fn activation_gradient<'o>(
    x: &[f32],
    dy: &[f32],
    activation: Activation,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let out = out.into();
    assert_eq!(
        x.len(),
        dy.len(),
        "activation_gradient: {} numbers but {} gradients",
        x.len(),
        dy.len()
    );
    out.expect_len(x.len(), "activation_gradient");
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    in_chunks(x.len(), |start, len| {
        // SAFETY: the chunk lies inside all three; chunks are disjoint.
        unsafe {
            let (x, dy) = (x.as_ptr().add(start), dy.as_ptr().add(start));
            scale_by_slope(isa, activation, x, dy, len, to.at(start));
        }
    });
    // SAFETY: every chunk was written.
    unsafe { out.written() }
}

/// `to = dy * activation'(x)` for `len` numbers.
///
/// # Safety
/// All pointers are valid for `len` numbers; `to` may be `dy`.
pub(super) unsafe fn scale_by_slope(
    isa: Isa,
    activation: Activation,
    x: *const f32,
    dy: *const f32,
    len: usize,
    to: *mut f32,
) {
    // SAFETY: forwarded.
    unsafe {
        match activation {
            Activation::None => std::ptr::copy(dy, to, len),
            Activation::Relu => relu_gradient(isa, x, dy, len, to),
            Activation::Relu6 => relu6_gradient(isa, x, dy, len, to),
            Activation::Gelu => gelu_gradient(isa, x, dy, len, to),
        }
    }
}

simd_fn!(
    /// # Safety
    /// All pointers are valid for `len` numbers.
    unsafe fn relu_gradient = relu_kernel(x: *const f32, dy: *const f32, len: usize, to: *mut f32)
);

/// # Safety
/// As [`relu_gradient`].
#[inline(always)]
unsafe fn relu_kernel<S: Simd>(x: *const f32, dy: *const f32, len: usize, to: *mut f32) {
    let zero = S::splat(0.0);
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe {
        for_vectors!(S, len, to, |i, load| S::select_ge(
            zero,
            load!(x),
            zero,
            load!(dy)
        ))
    }
}

simd_fn!(
    /// # Safety
    /// All pointers are valid for `len` numbers.
    unsafe fn relu6_gradient = relu6_kernel(x: *const f32, dy: *const f32, len: usize, to: *mut f32)
);

/// # Safety
/// As [`relu6_gradient`].
#[inline(always)]
unsafe fn relu6_kernel<S: Simd>(x: *const f32, dy: *const f32, len: usize, to: *mut f32) {
    let (zero, six) = (S::splat(0.0), S::splat(6.0));
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe {
        for_vectors!(S, len, to, |i, load| S::select_ge(
            zero,
            load!(x),
            zero,
            S::select_ge(load!(x), six, zero, load!(dy))
        ))
    }
}

simd_fn!(
    /// # Safety
    /// All pointers are valid for `len` numbers.
    unsafe fn gelu_gradient = gelu_kernel(x: *const f32, dy: *const f32, len: usize, to: *mut f32)
);

/// # Safety
/// As [`gelu_gradient`].
#[inline(always)]
unsafe fn gelu_kernel<S: Simd>(x: *const f32, dy: *const f32, len: usize, to: *mut f32) {
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe {
        for_vectors!(S, len, to, |i, load| S::mul(
            gelu_slope::<S>(load!(x)),
            load!(dy)
        ))
    }
}
