//! Functions of single numbers.

use crate::cpu::{self, Isa};
use crate::epilogue::{Activation, Function, Gelu, Relu, Relu6};
use crate::math::sigmoid;
use crate::output::{Out, Shared, Written};
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// Numbers a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Applies an activation in place. GELU uses an error function with an absolute error below 5e-7.
pub fn activate(x: &mut [f32], activation: Activation) {
    let isa = cpu::path().isa;
    x.par_chunks_mut(CHUNK).for_each(|chunk| {
        // SAFETY: the chunk is a slice.
        unsafe { activate_in_place(isa, activation, chunk.as_mut_ptr(), chunk.len()) };
    });
}

/// `out = activation(x)`; see [`activate`].
pub fn activated<'o>(x: &[f32], activation: Activation, out: impl Into<Out<'o>>) -> Written<'o> {
    let out = out.into();
    out.expect_len(x.len(), "activated");
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    in_chunks(x.len(), |start, len| {
        // SAFETY: the chunk lies inside both slices; chunks are disjoint.
        unsafe {
            std::ptr::copy_nonoverlapping(x.as_ptr().add(start), to.at(start), len);
            activate_in_place(isa, activation, to.at(start), len);
        }
    });
    // SAFETY: every chunk was written.
    unsafe { out.written() }
}

/// `out = scale / (1 + e^-x) + bias`: mask logits for the memory encoder.
pub fn sigmoid_scaled<'o>(
    x: &[f32],
    scale: f32,
    bias: f32,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let out = out.into();
    out.expect_len(x.len(), "sigmoid_scaled");
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    in_chunks(x.len(), |start, len| {
        // SAFETY: the chunk lies inside both slices; chunks are disjoint.
        unsafe { sigmoid_slice(isa, x.as_ptr().add(start), scale, bias, len, to.at(start)) };
    });
    // SAFETY: every chunk was written.
    unsafe { out.written() }
}

/// Runs `work(start, len)` for consecutive chunks, in parallel if there are several.
pub(crate) fn in_chunks(len: usize, work: impl Fn(usize, usize) + Sync) {
    (0..len.div_ceil(CHUNK)).into_par_iter().for_each(|index| {
        let start = index * CHUNK;
        work(start, CHUNK.min(len - start));
    });
}

/// Applies an activation to `len` numbers.
///
/// # Safety
/// `x` is readable and writable for `len` numbers.
pub(crate) unsafe fn activate_in_place(isa: Isa, activation: Activation, x: *mut f32, len: usize) {
    // SAFETY: forwarded.
    unsafe {
        match activation {
            Activation::None => {}
            Activation::Relu => relu_slice(isa, x, len),
            Activation::Relu6 => relu6_slice(isa, x, len),
            Activation::Gelu => gelu_slice(isa, x, len),
        }
    }
}

/// Applies an expression in `$v` to every vector of `$len` numbers from `$from` to `$to`.
macro_rules! for_vectors {
    ($S:ident, $len:expr, $to:expr, |$i:ident, $load:ident| $body:expr) => {{
        let whole = $len - $len % $S::LANES;
        let rest = $len - whole;
        for $i in (0..whole).step_by($S::LANES) {
            macro_rules! $load {
                ($p:expr) => {
                    $S::load($p.add($i))
                };
            }
            $S::store($to.add($i), $body);
        }
        if rest > 0 {
            let $i = whole;
            macro_rules! $load {
                ($p:expr) => {
                    $S::load_partial($p.add($i), rest)
                };
            }
            $S::store_partial($to.add($i), rest, $body);
        }
    }};
}
pub(crate) use for_vectors;

simd_fn!(
    /// `to = a + factor * b`.
    ///
    /// # Safety
    /// All pointers are valid for `len` numbers.
    pub(crate) unsafe fn combine = combine_kernel(
        a: *const f32,
        b: *const f32,
        factor: f32,
        len: usize,
        to: *mut f32,
    )
);

/// # Safety
/// As [`combine`].
#[inline(always)]
unsafe fn combine_kernel<S: Simd>(
    a: *const f32,
    b: *const f32,
    factor: f32,
    len: usize,
    to: *mut f32,
) {
    let factor = S::splat(factor);
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe { for_vectors!(S, len, to, |i, load| S::fma(load!(b), factor, load!(a))) }
}

simd_fn!(
    /// # Safety
    /// `x` is valid for `len` numbers.
    unsafe fn relu_slice = relu_kernel(x: *mut f32, len: usize)
);

/// # Safety
/// As [`relu_slice`].
#[inline(always)]
unsafe fn relu_kernel<S: Simd>(x: *mut f32, len: usize) {
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe { for_vectors!(S, len, x, |i, load| Relu::of::<S>(load!(x))) }
}

simd_fn!(
    /// # Safety
    /// `x` is valid for `len` numbers.
    unsafe fn relu6_slice = relu6_kernel(x: *mut f32, len: usize)
);

/// # Safety
/// As [`relu6_slice`].
#[inline(always)]
unsafe fn relu6_kernel<S: Simd>(x: *mut f32, len: usize) {
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe { for_vectors!(S, len, x, |i, load| Relu6::of::<S>(load!(x))) }
}

simd_fn!(
    /// # Safety
    /// `x` is valid for `len` numbers.
    unsafe fn gelu_slice = gelu_kernel(x: *mut f32, len: usize)
);

/// # Safety
/// As [`gelu_slice`].
#[inline(always)]
unsafe fn gelu_kernel<S: Simd>(x: *mut f32, len: usize) {
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe { for_vectors!(S, len, x, |i, load| Gelu::of::<S>(load!(x))) }
}

simd_fn!(
    /// # Safety
    /// `from` and `to` are valid for `len` numbers.
    unsafe fn sigmoid_slice = sigmoid_kernel(
        from: *const f32,
        scale: f32,
        bias: f32,
        len: usize,
        to: *mut f32,
    )
);

/// # Safety
/// As [`sigmoid_slice`].
#[inline(always)]
unsafe fn sigmoid_kernel<S: Simd>(
    from: *const f32,
    scale: f32,
    bias: f32,
    len: usize,
    to: *mut f32,
) {
    let (scale, bias) = (S::splat(scale), S::splat(bias));
    // SAFETY: vectors cover exactly `len` numbers.
    unsafe {
        for_vectors!(S, len, to, |i, load| S::fma(
            sigmoid::<S>(load!(from)),
            scale,
            bias
        ))
    }
}
