//! Weights that are left out in training.

use crate::simd::{Simd, simd_fn};

/// Leaves out each weight with the same probability and scales the others up, so that the mean stays.
///
/// Which ones are left out follows from the seed and the weight's place alone. So no mask is kept: the
/// backward pass finds the same weights again, as does a composed form from [`Dropout::factors`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    seed: u64,
    /// Hashes below it are left out.
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// Leaves out a share `rate` of the weights.
    ///
    /// # Panics
    /// Unless `0 <= rate < 1`.
    pub fn new(seed: u64, rate: f64) -> Self {
        assert!((0.0..1.0).contains(&rate), "dropout: rate {rate}");
        Dropout {
            seed,
            threshold: (rate * 2f64.powi(32)) as u32,
            scale: (1.0 / (1.0 - rate)) as f32,
        }
    }

    /// The factors of all weights of some heads (batch items times heads): `[heads, queries, keys]`.
    pub fn factors(&self, heads: usize, queries: usize, keys: usize) -> Vec<f32> {
        let mut factors = Vec::with_capacity(heads * queries * keys);
        for index in 0..heads {
            let head = self.head(index);
            for query in 0..queries {
                let row = head.row(query);
                factors.extend((0..keys).map(|key| head.factor(row, key)));
            }
        }
        factors
    }

    /// That of a head.
    pub(crate) fn head(&self, index: usize) -> HeadDropout {
        let [low, high] = [self.seed as u32, (self.seed >> 32) as u32];
        HeadDropout {
            seed: mixed(mixed(low) ^ high) ^ mixed(index as u32),
            threshold: self.threshold,
            scale: self.scale,
        }
    }
}

/// [`Dropout`] of the weights of one head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadDropout {
    seed: u32,
    threshold: u32,
    scale: f32,
}

impl HeadDropout {
    /// What a query's weights have in common.
    #[inline(always)]
    pub(crate) fn row(&self, query: usize) -> u32 {
        mixed(self.seed.wrapping_add(query as u32))
    }

    /// The factor of a weight, given its query's [`row`](Self::row).
    #[inline(always)]
    pub(crate) fn factor(&self, row: u32, key: usize) -> f32 {
        if mixed(row ^ key as u32) < self.threshold {
            0.0
        } else {
            self.scale
        }
    }
}

/// A hash of 32 bits in which every input bit changes half of the output bits (Ellis, "Prospecting for
/// hash functions", `lowbias32`). Plain operations, so that the compiler makes vectors of them.
#[inline(always)]
fn mixed(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Some weights of a head, `rows x keys`, `stride` apart.
pub(super) struct Weights {
    pub start: *mut f32,
    pub stride: usize,
    pub rows: usize,
    pub keys: usize,
    pub first_query: usize,
    pub first_key: usize,
}

simd_fn!(
    /// Multiplies weights by their factors.
    ///
    /// # Safety
    /// The weights are valid for the rows and keys stated.
    pub(super) unsafe fn leave_out = leave_out_kernel(weights: &Weights, dropout: HeadDropout)
);

/// # Safety
/// As [`leave_out`].
#[inline(always)]
unsafe fn leave_out_kernel<S: Simd>(weights: &Weights, dropout: HeadDropout) {
    for row in 0..weights.rows {
        let seed = dropout.row(weights.first_query + row);
        // SAFETY: the row exists.
        let row = unsafe {
            std::slice::from_raw_parts_mut(weights.start.add(row * weights.stride), weights.keys)
        };
        for (i, weight) in row.iter_mut().enumerate() {
            *weight *= dropout.factor(seed, weights.first_key + i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of zeros, and of pairs `distance` apart that are both zeros.
    fn zeros(factors: &[f32], distance: usize) -> (f64, f64) {
        let zero = |x: &f32| f64::from(u8::from(*x == 0.0));
        let count = factors.len() as f64;
        let pairs = factors.iter().zip(&factors[distance..]);
        (
            factors.iter().map(zero).sum::<f64>() / count,
            pairs.map(|(a, b)| zero(a) * zero(b)).sum::<f64>() / (count - distance as f64),
        )
    }

    #[test]
    fn as_many_are_left_out_as_was_asked_for_independently_of_each_other() {
        let (heads, queries, keys) = (4, 128, 512);
        for (seed, rate) in [(0, 0.1), (7, 0.1), (u64::MAX, 0.3), (1 << 32, 0.5)] {
            let dropout = Dropout::new(seed, rate);
            let factors = dropout.factors(heads, queries, keys);
            assert!(
                factors
                    .iter()
                    .all(|&x| x == 0.0 || x == (1.0 / (1.0 - rate)) as f32)
            );
            // Neighbouring keys, queries and heads; five standard deviations.
            let deviation = |p: f64| 5.0 * (p * (1.0 - p) / factors.len() as f64).sqrt();
            for distance in [1, 2, keys, keys + 1, queries * keys] {
                let (single, both) = zeros(&factors, distance);
                assert!((single - rate).abs() < deviation(rate), "{seed} {single}");
                let expected = rate * rate;
                assert!(
                    (both - expected).abs() < 1.5 * deviation(expected),
                    "{seed} distance {distance}: {both}, not {expected}"
                );
            }
        }
        let with = |seed| Dropout::new(seed, 0.5).factors(1, 1, 64);
        assert_ne!(with(1), with(2));
        assert_ne!(with(1), with(1 << 33 | 1));
        assert_eq!(with(3), with(3));
    }
}
