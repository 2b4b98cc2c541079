//! Products of f32 numbers in three bf16 parts ([`crate::product::parts`]), six tile products each.
//!
//! In rows and in panels, the parts of a chunk of 32 numbers follow each other: tiles of 1 KiB in rows,
//! 2 KiB in panels. The order of products is one in which a product shares an operand with the one
//! before: 14 loads for 24 products.
//!
//! Lines of the next chunk are fetched into L1 meanwhile: a chunk reads 12 KiB, more than L2 delivers in time
//! to loads alone. What the block says will be needed is fetched into L2, in 24 steps a chunk of 32 rows.
//!
//! After every chunk a tile is stored that nobody needs. After some 150 products without one (measured on
//! an Intel Xeon of 2024), the next store of a tile takes 250 ns longer, as if its unit had gone to sleep:
//! a quarter of the time of 32 rows by 256 numbers.

use super::super::Block;
use super::{PANEL_ROW, TILE_ROW, start_16, start_32};
use std::arch::asm;
use std::mem::MaybeUninit;

/// Where tiles are stored that nobody needs.
#[repr(align(64))]
struct Nowhere(MaybeUninit<[u8; 1024]>);

impl Nowhere {
    fn new() -> Nowhere {
        Nowhere(MaybeUninit::uninit())
    }
}

/// Fetches a sixth of what the next chunk needs into L1.
macro_rules! fetch_next {
    ($sixth:literal) => {
        concat!(
            ".irp i, 0, 1, 2, 3, 4, 5, 6, 7\n",
            "prefetcht0 [{b} + 6144 + 1024 * ",
            $sixth,
            " + 128 * \\i]\n",
            "prefetcht0 [{b} + 6144 + 1024 * ",
            $sixth,
            " + 128 * \\i + 64]\n",
            "prefetcht0 [{a} + 3072 + 512 * ",
            $sixth,
            " + 64 * \\i]\n",
            "prefetcht0 [{e} + 3072 + 512 * ",
            $sixth,
            " + 64 * \\i]\n",
            ".endr\n",
            "prefetcht1 [{p}]\n",
            "prefetcht1 [{p} + {q}]\n",
            "lea {p}, [{p} + 2 * {q}]\n",
            "prefetcht1 [{p}]\n",
            "prefetcht1 [{p} + {q}]\n",
            "lea {p}, [{p} + 2 * {q}]",
        )
    };
}

/// # Safety
/// As [`super::product`], for 32 rows from `a` and `c` on, in three parts.
pub(super) unsafe fn rows_32(
    block: &Block,
    steps: usize,
    a: *const u16,
    c: *mut f32,
    panel: *const u16,
) {
    // Registers are scarce: one holds both distances.
    const { assert!(PANEL_ROW == 2 * TILE_ROW) };
    let c_stride = block.c_stride * 4;
    let mut nowhere = Nowhere::new();
    // SAFETY: the tiles are configured as 16 x 64 bytes; addresses stay within the 32 rows of `a`
    // and `c` and `steps` chunks of the panel. The compiler never uses tile registers itself.
    unsafe {
        let c_low = c.add(16 * block.c_stride);
        start_32(block, c, c_low);
        asm!(
            "2:",
            // First part of the rows, third of the panel.
            "tileloadd tmm6, [{b} + 2 * {s} + 4096]", "tileloadd tmm4, [{a} + {s}]",
            "tileloadd tmm7, [{b} + 2 * {s} + 4160]", "tileloadd tmm5, [{e} + {s}]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7", "tdpbf16ps tmm3, tmm5, tmm7",
            fetch_next!(0),
            // First, second.
            "tileloadd tmm6, [{b} + 2 * {s} + 2048]", "tileloadd tmm7, [{b} + 2 * {s} + 2112]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7", "tdpbf16ps tmm3, tmm5, tmm7",
            fetch_next!(1),
            // Second, second.
            "tileloadd tmm4, [{a} + {s} + 1024]", "tileloadd tmm5, [{e} + {s} + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
            fetch_next!(2),
            // Second, first.
            "tileloadd tmm6, [{b} + 2 * {s}]", "tileloadd tmm7, [{b} + 2 * {s} + 64]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7", "tdpbf16ps tmm3, tmm5, tmm7",
            fetch_next!(3),
            // Third, first.
            "tileloadd tmm4, [{a} + {s} + 2048]", "tileloadd tmm5, [{e} + {s} + 2048]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
            fetch_next!(4),
            // First, first.
            "tileloadd tmm4, [{a} + {s}]", "tileloadd tmm5, [{e} + {s}]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
            fetch_next!(5),
            "tilestored [{x} + {s}], tmm5",
            "add {a}, 3072", "add {e}, 3072", "add {b}, 6144",
            "dec {n}", "jnz 2b",
            "tilestored [{c} + {cs}], tmm0", "tilestored [{c} + {cs} + 64], tmm1",
            "tilestored [{d} + {cs}], tmm2", "tilestored [{d} + {cs} + 64], tmm3",
            a = inout(reg) a => _, e = inout(reg) a.add(16 * block.a_stride) => _,
            s = in(reg) TILE_ROW, b = inout(reg) panel => _,
            c = in(reg) c, d = in(reg) c_low, cs = in(reg) c_stride,
            p = inout(reg) block.prefetch.start => _, q = in(reg) 2 * block.prefetch.bytes,
            n = inout(reg) steps => _, x = in(reg) nowhere.0.as_mut_ptr(), options(nostack));
    }
}

/// # Safety
/// As [`super::product`], for 16 rows from `a` and `c` on, in three parts.
pub(super) unsafe fn rows_16(
    block: &Block,
    steps: usize,
    a: *const u16,
    c: *mut f32,
    panel: *const u16,
) {
    let c_stride = block.c_stride * 4;
    let mut nowhere = Nowhere::new();
    // SAFETY: as in `rows_32`, for 16 rows.
    unsafe {
        start_16(block, c);
        asm!(
            "2:",
            "tileloadd tmm4, [{a} + {s}]",
            "tileloadd tmm6, [{b} + {bs} + 4096]", "tileloadd tmm7, [{b} + {bs} + 4160]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm6, [{b} + {bs} + 2048]", "tileloadd tmm7, [{b} + {bs} + 2112]",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{a} + {s} + 1024]",
            "tdpbf16ps tmm0, tmm5, tmm6", "tdpbf16ps tmm1, tmm5, tmm7",
            "tileloadd tmm6, [{b} + {bs}]", "tileloadd tmm7, [{b} + {bs} + 64]",
            "tdpbf16ps tmm0, tmm5, tmm6", "tdpbf16ps tmm1, tmm5, tmm7",
            "tileloadd tmm5, [{a} + {s} + 2048]",
            "tdpbf16ps tmm0, tmm5, tmm6", "tdpbf16ps tmm1, tmm5, tmm7",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tilestored [{x} + {s}], tmm5",
            "add {a}, 3072", "add {b}, 6144",
            "dec {n}", "jnz 2b",
            "tilestored [{c} + {cs}], tmm0", "tilestored [{c} + {cs} + 64], tmm1",
            a = inout(reg) a => _, s = in(reg) TILE_ROW, b = inout(reg) panel => _,
            bs = in(reg) PANEL_ROW, c = in(reg) c, cs = in(reg) c_stride,
            n = inout(reg) steps => _, x = in(reg) nowhere.0.as_mut_ptr(), options(nostack));
    }
}
