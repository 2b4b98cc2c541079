//! Axial rotary position embedding.

use crate::cpu;
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// Cosines and sines of the angle of each position and channel pair, `[positions, dim / 2]` each.
#[derive(Clone, Copy, Debug)]
pub struct RotaryTable<'a> {
    /// Cosines.
    pub cos: &'a [f32],
    /// Sines.
    pub sin: &'a [f32],
}

/// Turns each pair of neighbouring channels of `x`, `[tokens, dim]`, by its angle, in place:
/// `(a, b)` becomes `(a cos - b sin, a sin + b cos)`.
///
/// Token `t` has the angles of position `t % positions`, so that a table serves several memories in
/// a row. The last `exclude` tokens (object pointers) are left alone.
pub fn rotary(x: &mut [f32], dim: usize, table: RotaryTable<'_>, exclude: usize) {
    let half = dim / 2;
    assert!(
        dim > 0 && dim.is_multiple_of(2),
        "rotary: the width {dim} is not even"
    );
    assert_eq!(
        x.len() % dim,
        0,
        "rotary: {} numbers are not tokens of {dim}",
        x.len()
    );
    assert_eq!(
        table.cos.len(),
        table.sin.len(),
        "rotary: cosines and sines differ in number"
    );
    assert_eq!(
        table.cos.len() % half,
        0,
        "rotary: the table's rows are not of {half} angles"
    );
    let (tokens, positions) = (x.len() / dim, table.cos.len() / half);
    assert!(
        exclude <= tokens,
        "rotary: {exclude} of {tokens} tokens excluded"
    );
    let isa = cpu::path().isa;
    let turned = &mut x[..(tokens - exclude) * dim];
    assert!(positions > 0 || turned.is_empty(), "rotary: an empty table");
    const TOKENS: usize = 64;
    turned
        .par_chunks_mut(TOKENS * dim)
        .enumerate()
        .for_each(|(group, tokens)| {
            for (i, token) in tokens.chunks_exact_mut(dim).enumerate() {
                let row = (group * TOKENS + i) % positions * half;
                let (cos, sin) = (&table.cos[row..row + half], &table.sin[row..row + half]);
                // SAFETY: no requirement beyond the instruction set.
                unsafe { turn(isa, token, cos, sin) };
            }
        });
}

simd_fn!(
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn turn = turn_kernel(token: &mut [f32], cos: &[f32], sin: &[f32])
);

/// Plain Rust: each entry's instruction set is the compiler's to use.
///
/// # Safety
/// None.
#[inline(always)]
unsafe fn turn_kernel<S: Simd>(token: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((pair, &cos), &sin) in token.chunks_exact_mut(2).zip(cos).zip(sin) {
        let (a, b) = (pair[0], pair[1]);
        pair[0] = a * cos - b * sin;
        pair[1] = a * sin + b * cos;
    }
}
