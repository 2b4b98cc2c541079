//! bf16 products on processors that have none: operands are rounded as a native unit rounds them and
//! multiplied as f32, in which the product of two bf16 numbers is exact. Slow; it shows on any
//! machine how far bf16 is from f32.

use super::product_widened;
use crate::buffers::Scratch;
use crate::cpu::Isa;
use crate::simd::Tile;

/// `c (+)= a * panel` for bf16 rows `a`, `tile.a_stride` apart, and a panel `[k/2, 32, 2]`; `tile.a`
/// is not read.
///
/// # Safety
/// The rows, the rest of the tile and the panel are valid as stated by `Engine::multiply`.
pub(super) unsafe fn product(isa: Isa, tile: Tile, a: *const u16, panel: *const u16) {
    let mut widened = Scratch::of::<f32>(tile.rows * tile.k);
    let to: *mut f32 = widened.start();
    // SAFETY: rows have `k` numbers, and so have those of the workspace.
    unsafe {
        for row in 0..tile.rows {
            let (from, to) = (a.add(row * tile.a_stride), to.add(row * tile.k));
            for column in 0..tile.k {
                to.add(column).write(from_bf16(*from.add(column)));
            }
        }
        let tile = Tile {
            a: to,
            a_stride: tile.k,
            ..tile
        };
        product_widened(isa, tile, panel);
    }
}

pub(super) fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
