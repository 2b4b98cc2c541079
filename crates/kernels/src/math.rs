//! Vector exponential, error function and GELU.

use crate::simd::Simd;

/// Where `erf` is 1 to within 4e-7.
const ERF_LIMIT: f32 = 3.6;

/// `erf(z) / z` on `0..=3.6` as a polynomial in `2 (z / 3.6)^2 - 1`, constant term first.
const ERF: [f32; 14] = [
    0.392_712_15,
    -0.195_490_84,
    0.143_808_92,
    -0.113_783_29,
    0.089_838_676,
    -0.068_125_67,
    0.048_164_316,
    -0.032_184_03,
    0.021_522_185,
    -0.012_298_364,
    0.004_302_724_3,
    -0.002_257_310_3,
    0.002_729_401_5,
    -0.001_161_221,
];

/// `2^x` on `-0.5..=0.5`, error below the rounding of f32; constant term first.
const EXP2: [f32; 7] = [
    1.0,
    std::f32::consts::LN_2,
    0.2402265,
    0.05550327,
    0.009618025,
    0.0013400433,
    0.00015469732,
];

/// `2^x` on `0..=1` with a relative error below 7.5e-5; constant term first.
const EXP2_FOR_BF16: [f32; 4] = [0.999_925_2, 0.695_833_5, 0.226_067_17, 0.078_024_52];

#[inline(always)]
fn polynomial<S: Simd, const N: usize>(coefficients: &[f32; N], x: S::V) -> S::V {
    let mut sum = S::splat(coefficients[N - 1]);
    for &c in coefficients[..N - 1].iter().rev() {
        sum = S::fma(sum, x, S::splat(c));
    }
    sum
}

/// `2^x`, relative error below 2e-7; 0 below -160 (with AVX-512 below -125), infinity above 128, NaN for NaN.
#[inline(always)]
pub(crate) fn exp2<S: Simd>(x: S::V) -> S::V {
    let (whole, fraction) = S::split(x);
    S::scale2(polynomial::<S, 7>(&EXP2, fraction), whole)
}

/// `2^x` for weights that will be rounded to bf16: relative error below 8e-5, a twentieth of that
/// rounding. Limits as [`exp2`].
#[inline(always)]
pub(crate) fn exp2_for_bf16<S: Simd>(x: S::V) -> S::V {
    let (whole, fraction) = S::split_down(x);
    S::scale2(polynomial::<S, 4>(&EXP2_FOR_BF16, fraction), whole)
}

/// `e^x`, relative error below 1e-6 for results that are normal numbers.
#[inline(always)]
pub(crate) fn exp<S: Simd>(x: S::V) -> S::V {
    exp2::<S>(S::mul(x, S::splat(std::f32::consts::LOG2_E)))
}

/// The error function, absolute error below 5e-7.
#[inline(always)]
pub(crate) fn erf<S: Simd>(z: S::V) -> S::V {
    let squared = S::mul(z, z);
    let mapped = S::fma(
        squared,
        S::splat(2.0 / (ERF_LIMIT * ERF_LIMIT)),
        S::splat(-1.0),
    );
    let inner = S::mul(z, polynomial::<S, 14>(&ERF, mapped));
    let limit = S::splat(ERF_LIMIT);
    let one = S::splat(1.0);
    let upper = S::select_ge(z, limit, one, inner);
    S::select_ge(S::splat(-ERF_LIMIT), z, S::splat(-1.0), upper)
}

/// `x Phi(x) = x (1 + erf(x / sqrt 2)) / 2`.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(x: S::V) -> S::V {
    let half = S::mul(x, S::splat(0.5));
    S::fma(
        half,
        erf::<S>(S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2))),
        half,
    )
}

/// The derivative of [`gelu`], `Phi(x) + x phi(x)`.
#[inline(always)]
pub(crate) fn gelu_slope<S: Simd>(x: S::V) -> S::V {
    /// `1 / sqrt(2 pi)`.
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let half = S::splat(0.5);
    let erf = erf::<S>(S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2)));
    let density = exp::<S>(S::mul(S::mul(x, x), S::splat(-0.5)));
    let slope = S::mul(S::mul(x, S::splat(DENSITY_AT_0)), density);
    S::add(S::fma(erf, half, half), slope)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(x: S::V) -> S::V {
    let one = S::splat(1.0);
    S::div(one, S::add(one, exp::<S>(S::sub(S::splat(0.0), x))))
}
