//! bf16 products with AMX tiles, in assembly because the intrinsics are not stable.
//!
//! Left rows are stored tile by tile ([`super::Bf16Rows`]): 16 rows of 32 numbers are 1 KiB.
//! Tiles 0 to 3 hold the sums of 32 rows by 32 columns, 4 and 5 two blocks of 16 rows, 6 and 7 the
//! two halves of the panel: four products for four loads.

mod parts;

use super::Block;
use std::arch::asm;
use std::marker::PhantomData;

/// Bytes from row to row of a panel: 32 pairs of bf16.
const PANEL_ROW: usize = 128;

/// Bytes from row to row of a tile of left rows.
const TILE_ROW: usize = 64;

/// Operations of one tile product.
pub(super) const OPERATIONS: usize = 2 * 16 * 16 * 32;

/// Keeps the tiles of this thread configured; `tilerelease` on drop.
pub(super) struct Tiles(PhantomData<*const ()>);

/// The memory format of `ldtilecfg`, palette 1.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    /// Configures all eight tiles as 16 rows of 64 bytes.
    pub fn configure() -> Tiles {
        let mut config = Config {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        config.row_bytes[..8].fill(64);
        config.rows[..8].fill(16);
        // SAFETY: `Engine::Amx` exists only after the processor and the system allowed AMX; the
        // instruction reads the 64 bytes of `config`.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly)) };
        Tiles(PhantomData)
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: gives up tile state that nothing uses any more.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// `c (+)= a * panel` for bf16 rows and a panel `[k/2, 32, 2]`, `k` padded to a multiple of 32.
///
/// # Safety
/// This thread's tiles are configured; `a` and `c` have rows up to a multiple of 16, the block and
/// panel are otherwise valid as stated by `Engine::multiply`.
pub(super) unsafe fn product(block: &Block, panel: *const u16) {
    // SAFETY: forwarded.
    unsafe { by_rows(block, panel, rows_32, rows_16) }
}

/// As [`product`] for numbers in three parts.
///
/// # Safety
/// As [`product`].
pub(super) unsafe fn product_of_parts(block: &Block, panel: *const u16) {
    // SAFETY: forwarded.
    unsafe { by_rows(block, panel, parts::rows_32, parts::rows_16) }
}

/// Multiplies some rows: how many chunks deep, where they and their sums begin, and the panel.
type SomeRows = unsafe fn(&Block, usize, *const u16, *mut f32, *const u16);

/// # Safety
/// As [`product`]; the functions multiply 32 and 16 rows.
#[inline(always)]
unsafe fn by_rows(block: &Block, panel: *const u16, rows_32: SomeRows, rows_16: SomeRows) {
    let steps = block.k.div_ceil(32);
    if steps == 0 {
        // SAFETY: forwarded.
        return unsafe { clear(block) };
    }
    let mut row = 0;
    while row < block.rows {
        // SAFETY: 32 or 16 rows from `row` on are valid: `rows` rounded up to 16 is.
        unsafe {
            let a = block.a.cast::<u16>().add(row * block.a_stride);
            let c = block.c.add(row * block.c_stride);
            if block.rows - row > 16 {
                rows_32(block, steps, a, c, panel);
            } else {
                rows_16(block, steps, a, c, panel);
            }
        }
        row += 32;
    }
}

/// The empty product.
///
/// # Safety
/// As [`product`].
unsafe fn clear(block: &Block) {
    for row in 0..if block.accumulate { 0 } else { block.rows } {
        // SAFETY: the row lies inside `c`.
        unsafe { std::ptr::write_bytes(block.c.add(row * block.c_stride), 0, 32) };
    }
}

/// Runs `4 * rounds` tile products on registers alone, [`OPERATIONS`] each.
pub(super) fn arithmetic_only(rounds: usize) {
    let _tiles = Tiles::configure();
    // SAFETY: the tiles are configured; no memory is touched.
    unsafe {
        asm!(
            "2:",
            "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
            "dec {n}", "jnz 2b",
            n = inout(reg) rounds.max(1) => _, options(nostack, nomem));
    }
}

/// What the sums of 32 rows begin with, in tiles 0 to 3: those at `c` and, 16 rows on, `c_low`, or zeros.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn start_32(block: &Block, c: *const f32, c_low: *const f32) {
    let c_stride = block.c_stride * 4;
    // SAFETY: the tiles are configured as 16 x 64 bytes, and the sums are readable.
    unsafe {
        if block.accumulate {
            asm!(
                "tileloadd tmm0, [{c} + {cs}]", "tileloadd tmm1, [{c} + {cs} + 64]",
                "tileloadd tmm2, [{d} + {cs}]", "tileloadd tmm3, [{d} + {cs} + 64]",
                c = in(reg) c, d = in(reg) c_low, cs = in(reg) c_stride, options(nostack));
        } else {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nostack, nomem)
            );
        }
    }
}

/// As [`start_32`] for 16 rows, in tiles 0 and 1.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn start_16(block: &Block, c: *const f32) {
    let c_stride = block.c_stride * 4;
    // SAFETY: as in `start_32`.
    unsafe {
        if block.accumulate {
            asm!("tileloadd tmm0, [{c} + {cs}]", "tileloadd tmm1, [{c} + {cs} + 64]",
                c = in(reg) c, cs = in(reg) c_stride, options(nostack));
        } else {
            asm!("tilezero tmm0", "tilezero tmm1", options(nostack, nomem));
        }
    }
}

/// # Safety
/// As [`product`], for 32 rows from `a` and `c` on.
#[inline(always)]
unsafe fn rows_32(block: &Block, steps: usize, a: *const u16, c: *mut f32, panel: *const u16) {
    let c_stride = block.c_stride * 4;
    // SAFETY: the tiles are configured as 16 x 64 bytes; addresses stay within the 32 rows of `a`
    // and `c` and `steps * 16` rows of the panel. The compiler never uses tile registers itself.
    unsafe {
        let c_low = c.add(16 * block.c_stride);
        start_32(block, c, c_low);
        asm!(
            "2:",
            "tileloadd tmm6, [{b} + {bs}]",
            "tileloadd tmm4, [{a} + {s}]",
            "prefetcht1 [{p}]", "prefetcht1 [{p} + {q}]", "lea {p}, [{p} + 2 * {q}]",
            "tileloadd tmm7, [{b} + {bs} + 64]",
            "prefetcht0 [{b} + 4096]", "prefetcht0 [{b} + 4160]", "prefetcht0 [{b} + 4224]", "prefetcht0 [{b} + 4288]", "prefetcht0 [{b} + 4352]", "prefetcht0 [{b} + 4416]", "prefetcht0 [{b} + 4480]", "prefetcht0 [{b} + 4544]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{p}]", "prefetcht1 [{p} + {q}]", "lea {p}, [{p} + 2 * {q}]",
            "tileloadd tmm5, [{e} + {s}]",
            "prefetcht0 [{b} + 4608]", "prefetcht0 [{b} + 4672]", "prefetcht0 [{b} + 4736]", "prefetcht0 [{b} + 4800]", "prefetcht0 [{b} + 4864]", "prefetcht0 [{b} + 4928]", "prefetcht0 [{b} + 4992]", "prefetcht0 [{b} + 5056]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht0 [{b} + 5120]", "prefetcht0 [{b} + 5184]", "prefetcht0 [{b} + 5248]", "prefetcht0 [{b} + 5312]", "prefetcht0 [{b} + 5376]", "prefetcht0 [{b} + 5440]", "prefetcht0 [{b} + 5504]", "prefetcht0 [{b} + 5568]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht0 [{b} + 5632]", "prefetcht0 [{b} + 5696]", "prefetcht0 [{b} + 5760]", "prefetcht0 [{b} + 5824]", "prefetcht0 [{b} + 5888]", "prefetcht0 [{b} + 5952]", "prefetcht0 [{b} + 6016]", "prefetcht0 [{b} + 6080]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 1024", "add {e}, 1024", "add {b}, 2048",
            "dec {n}", "jnz 2b",
            "tilestored [{c} + {cs}], tmm0", "tilestored [{c} + {cs} + 64], tmm1",
            "tilestored [{d} + {cs}], tmm2", "tilestored [{d} + {cs} + 64], tmm3",
            a = inout(reg) a => _, e = inout(reg) a.add(16 * block.a_stride) => _,
            s = in(reg) TILE_ROW, b = inout(reg) panel => _, bs = in(reg) PANEL_ROW,
            c = in(reg) c, d = in(reg) c_low, cs = in(reg) c_stride,
            p = inout(reg) block.prefetch.start => _, q = in(reg) 4 * block.prefetch.bytes,
            n = inout(reg) steps => _, options(nostack));
    }
}

/// # Safety
/// As [`product`], for 16 rows from `a` and `c` on.
#[inline(always)]
unsafe fn rows_16(block: &Block, steps: usize, a: *const u16, c: *mut f32, panel: *const u16) {
    let c_stride = block.c_stride * 4;
    // SAFETY: as in `rows_32`, for 16 rows.
    unsafe {
        start_16(block, c);
        asm!(
            "2:",
            "tileloadd tmm4, [{a} + {s}]",
            "tileloadd tmm6, [{b} + {bs}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {bs} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 1024", "add {b}, 2048",
            "dec {n}", "jnz 2b",
            "tilestored [{c} + {cs}], tmm0", "tilestored [{c} + {cs} + 64], tmm1",
            a = inout(reg) a => _, s = in(reg) TILE_ROW, b = inout(reg) panel => _,
            bs = in(reg) PANEL_ROW, c = in(reg) c, cs = in(reg) c_stride,
            n = inout(reg) steps => _, options(nostack));
    }
}
