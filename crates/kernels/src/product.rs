//! The one primitive under every product: a block of rows times a panel of 32 columns.
//!
//! Why panels span the whole depth: `k` is at most a few thousand in this network, so a register
//! tile can keep its sums in registers from the first to the last product and no partial sums ever
//! go to memory. A panel (`k x 32`) stays in L1/L2 while the rows of a block pass by.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod dot;
mod emulated;
pub(crate) mod parts;

use crate::cpu::{Bf16Unit, F32Unit, Isa, Path};
use crate::simd::{PANEL, Prefetch, Simd, Tile, simd_fn};

/// How numbers are stored and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit throughout, or as exact: AMX multiplies numbers in three bf16 parts.
    F32,
    /// Operands in bf16, sums in f32. Without native bf16 products, weights are stored as bf16
    /// (half the memory traffic) and the arithmetic is f32.
    Bf16,
}

/// The kernel that multiplies, and with it the format of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// f32 rows, f32 panels `[k, 32]`.
    F32(Isa),
    /// f32 numbers as three bf16 parts, in rows and panels; AMX tiles.
    #[cfg(target_arch = "x86_64")]
    AmxParts(Isa),
    /// The same parts, put together again.
    Rejoined(Isa),
    /// f32 rows, bf16 panels `[k/2, 32, 2]`.
    Widen(Isa),
    /// bf16 rows and panels, widened: the numbers that a native unit multiplies.
    Emulated(Isa),
    /// bf16 rows and panels, `vdpbf16ps`.
    #[cfg(target_arch = "x86_64")]
    Dot,
    /// bf16 rows and panels, AMX tiles.
    #[cfg(target_arch = "x86_64")]
    Amx,
}

impl Engine {
    /// The engine for a packed weight.
    pub fn for_weights(path: Path, precision: Precision) -> Engine {
        match precision {
            Precision::F32 => match path.f32 {
                F32Unit::Vector => Engine::F32(path.isa),
                #[cfg(target_arch = "x86_64")]
                F32Unit::Amx => Engine::AmxParts(path.isa),
                F32Unit::Rejoined => Engine::Rejoined(path.isa),
            },
            Precision::Bf16 => match path.bf16 {
                Bf16Unit::Widen => Engine::Widen(path.isa),
                Bf16Unit::Emulated => Engine::Emulated(path.isa),
                #[cfg(target_arch = "x86_64")]
                Bf16Unit::Dot => Engine::Dot,
                #[cfg(target_arch = "x86_64")]
                Bf16Unit::Amx => Engine::Amx,
            },
        }
    }

    /// The engine for two activations: widening would only lose accuracy there.
    pub fn for_activations(path: Path, precision: Precision) -> Engine {
        match Engine::for_weights(path, precision) {
            Engine::Widen(isa) => Engine::F32(isa),
            engine => engine,
        }
    }

    /// The precision its products have.
    pub fn precision(self) -> Precision {
        match self {
            Engine::F32(_) | Engine::Rejoined(_) => Precision::F32,
            #[cfg(target_arch = "x86_64")]
            Engine::AmxParts(_) => Precision::F32,
            _ => Precision::Bf16,
        }
    }

    /// Whether rows are given as bf16, padded with zeros to [`Engine::padded_k`].
    pub fn bf16_rows(self) -> bool {
        !matches!(self, Engine::F32(_) | Engine::Widen(_))
    }

    /// Whether panels are bf16 pairs.
    pub fn bf16_panels(self) -> bool {
        !matches!(self, Engine::F32(_))
    }

    /// How many bf16 numbers make up one.
    fn parts(self) -> usize {
        match self {
            Engine::Rejoined(_) => parts::COUNT,
            #[cfg(target_arch = "x86_64")]
            Engine::AmxParts(_) => parts::COUNT,
            _ => 1,
        }
    }

    /// Whether rows are stored as tiles.
    fn tiled(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self, Engine::Amx | Engine::AmxParts(_));
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The depth of a row or panel in elements, zero-padded beyond `k`, all parts counted.
    pub fn padded_k(self, k: usize) -> usize {
        if self.bf16_panels() {
            k.next_multiple_of(CHUNK) * self.parts()
        } else {
            k
        }
    }

    /// Elements of one panel of depth `k`.
    pub fn panel_len(self, k: usize) -> usize {
        self.padded_k(k) * PANEL
    }

    /// Bytes of one panel element.
    pub fn panel_width(self) -> usize {
        if self.bf16_panels() { 2 } else { 4 }
    }

    /// Bytes of one row element.
    pub fn row_width(self) -> usize {
        if self.bf16_rows() { 2 } else { 4 }
    }

    /// Rows the engine computes at a time: blocks of a multiple of this waste nothing.
    pub fn row_step(self) -> usize {
        match self {
            Engine::F32(isa) => match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 | Isa::Avx512Bf16 => 14,
                _ => 12,
            },
            Engine::Widen(_) | Engine::Emulated(_) => 12,
            #[cfg(target_arch = "x86_64")]
            Engine::Dot => 14,
            #[cfg(target_arch = "x86_64")]
            Engine::Amx | Engine::AmxParts(_) => 32,
            // As many as AMX, whose packing it tests.
            Engine::Rejoined(_) => 32,
        }
    }

    /// Rows that the memory behind a block of `rows` must have: AMX works on 16 rows at a time, so
    /// it reads rows beyond the block (any contents) and writes their products.
    pub fn padded_rows(self, rows: usize) -> usize {
        if self.tiled() {
            rows.next_multiple_of(16)
        } else {
            rows
        }
    }

    /// The distance between rows of a workspace of `k` columns, chosen so that consecutive rows do
    /// not fall into the same cache set. For AMX, whose rows come in tiles, it is the average.
    pub fn row_stride(self, k: usize) -> usize {
        if self.tiled() {
            return self.padded_k(k);
        }
        let line = 64 / self.row_width();
        let lines = self.padded_k(k).div_ceil(line);
        (lines | 1) * line
    }

    /// The rows of a bf16 workspace, [`Engine::row_stride`] apart.
    pub fn bf16_workspace(self, start: *mut u16, stride: usize) -> Bf16Rows {
        Bf16Rows {
            start,
            stride,
            layout: self.layout(),
        }
    }

    /// How its rows are stored.
    fn layout(self) -> Layout {
        let tile = if self.tiled() { 16 * CHUNK } else { CHUNK };
        Layout {
            parts: self.parts(),
            tile,
        }
    }

    /// How rows of numbers are stored that become columns of a panel: as [`Bf16Rows`], but one row
    /// after the other.
    pub fn column_layout(self) -> Layout {
        Layout {
            parts: self.parts(),
            tile: CHUNK,
        }
    }

    /// How rows of pairs of a panel are stored.
    pub fn pair_layout(self) -> Layout {
        Layout {
            parts: self.parts(),
            tile: CHUNK * PANEL,
        }
    }

    /// Multiplies on registers alone and returns the number of operations; see `peak_gflops`.
    pub fn arithmetic_only(self, rounds: usize) -> usize {
        // SAFETY: an engine exists only where its instructions do.
        unsafe {
            match self {
                Engine::F32(isa)
                | Engine::Widen(isa)
                | Engine::Emulated(isa)
                | Engine::Rejoined(isa) => {
                    let (sum, operations) = multiply_add_only(isa, rounds);
                    std::hint::black_box(sum);
                    operations
                }
                #[cfg(target_arch = "x86_64")]
                Engine::Dot => {
                    std::hint::black_box(dot::arithmetic_only(rounds));
                    rounds * 10 * 64
                }
                #[cfg(target_arch = "x86_64")]
                Engine::Amx => {
                    amx::arithmetic_only(rounds);
                    rounds * 4 * amx::OPERATIONS
                }
                #[cfg(target_arch = "x86_64")]
                Engine::AmxParts(_) => {
                    amx::arithmetic_only(rounds);
                    rounds * 4 * amx::OPERATIONS / parts::PRODUCTS
                }
            }
        }
    }

    /// `c[rows, 32] (+)= a[rows, k] * panel`.
    ///
    /// # Safety
    /// `block` describes memory of at least [`Engine::padded_rows`] rows for `a` and `c`, `a` in the
    /// engine's row format and `panel` in its panel format, both of depth `k`. For AMX the calling
    /// thread holds a [`Session`].
    #[inline(always)]
    pub unsafe fn multiply(self, block: &Block, panel: *const u8) {
        let tile = Tile {
            rows: block.rows,
            k: block.k,
            a: block.a.cast(),
            a_stride: block.a_stride,
            c: block.c,
            c_stride: block.c_stride,
            accumulate: block.accumulate,
            prefetch: block.prefetch,
        };
        // SAFETY: the caller vouches for the block and the panel; an engine exists only where its
        // instructions do.
        unsafe {
            match self {
                Engine::F32(isa) => product_f32(isa, tile, panel.cast()),
                Engine::Widen(isa) => product_widened(isa, tile, panel.cast()),
                Engine::Emulated(isa) => emulated::product(isa, tile, block.a.cast(), panel.cast()),
                #[cfg(target_arch = "x86_64")]
                Engine::Dot => dot::product(block, panel.cast()),
                #[cfg(target_arch = "x86_64")]
                Engine::Amx => amx::product(block, panel.cast()),
                Engine::Rejoined(isa) => parts::product(isa, tile, self.layout(), panel.cast()),
                #[cfg(target_arch = "x86_64")]
                Engine::AmxParts(isa) => {
                    amx::product_of_parts(block, panel.cast());
                    if !parts::looks_finite(block) {
                        parts::correct(isa, tile, self.layout(), panel.cast());
                    }
                }
            }
        }
    }

    /// [`Engine::multiply`] with several panels: the columns of `c` go on with the next one. Meanwhile what
    /// the block says is fetched, a share with each panel, or the next panel if it says nothing.
    ///
    /// # Safety
    /// As [`Engine::multiply`] for every panel.
    #[inline(always)]
    pub unsafe fn multiply_panels(self, block: &Block, panels: Panels) {
        for index in 0..panels.count {
            let next = Prefetch {
                start: panels.at(index + 1),
                bytes: 32,
            };
            let block = Block {
                c: block.c.wrapping_add(index * PANEL),
                prefetch: match block.prefetch {
                    Prefetch { bytes: 0, .. } => next,
                    other => other.after(index * panels.bytes),
                },
                ..*block
            };
            // SAFETY: forwarded.
            unsafe { self.multiply(&block, panels.at(index)) };
        }
    }

    /// Whether it multiplies so fast that panels must be in L2 before they are used. Processors that have
    /// it have an L2 of 2 MiB.
    pub fn outruns_memory(self) -> bool {
        self.tiled()
    }
}

/// How a row of bf16 numbers is stored: in chunks of [`CHUNK`] columns, each of them as many times as
/// a number has parts.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Parts of a number.
    parts: usize,
    /// Numbers from one part of a chunk to the next.
    tile: usize,
}

impl Layout {
    /// Numbers from a chunk of a row to its next chunk.
    #[inline(always)]
    pub fn chunk_step(self) -> usize {
        self.parts * self.tile
    }

    /// Whether numbers are rounded to bf16.
    #[inline(always)]
    pub fn is_rounded(self) -> bool {
        self.parts == 1
    }

    /// Stores `LANES` pairs of numbers, the first part at `p`.
    ///
    /// # Safety
    /// `p` is writable for them in all parts.
    #[inline(always)]
    pub unsafe fn store_pairs<S: Simd>(self, p: *mut u16, even: S::V, odd: S::V) {
        // SAFETY: forwarded.
        unsafe {
            if self.is_rounded() {
                return S::store_bf16_pairs(p, even, odd);
            }
            let parts = parts::of::<S>(even).into_iter().zip(parts::of::<S>(odd));
            for (i, (even, odd)) in parts.enumerate() {
                S::store_bf16_pairs(p.add(i * self.tile), even, odd);
            }
        }
    }

    /// Stores `LANES` numbers, of a chunk whose first part is at `p`.
    ///
    /// # Safety
    /// `p` is writable for them in all parts.
    #[inline(always)]
    pub unsafe fn store<S: Simd>(self, p: *mut u16, v: S::V) {
        // SAFETY: forwarded.
        unsafe {
            if self.is_rounded() {
                return S::store_bf16(p, v);
            }
            for (i, part) in parts::of::<S>(v).into_iter().enumerate() {
                S::store_bf16(p.add(i * self.tile), part);
            }
        }
    }
}

/// Rows of bf16 numbers in the order in which an engine reads them.
#[derive(Clone, Copy)]
pub(crate) struct Bf16Rows {
    start: *mut u16,
    stride: usize,
    /// With tiles, 16 rows by 32 columns are stored together, as one AMX tile: loading a tile then
    /// reads consecutive lines, which L2 delivers twice as fast as lines of 16 distant rows.
    pub layout: Layout,
}

/// Columns of [`Bf16Rows`] that lie together.
pub(crate) const CHUNK: usize = 32;

impl Bf16Rows {
    /// The first [`CHUNK`] columns of a row.
    #[inline(always)]
    pub fn row(self, row: usize) -> *mut u16 {
        let together = self.layout.tile / CHUNK;
        let at = row / together * together * self.stride + row % together * CHUNK;
        self.start.wrapping_add(at)
    }
}

/// The operands of [`Engine::multiply`] besides the panel.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub rows: usize,
    pub k: usize,
    /// Row-major, elements of [`Engine::row_width`] bytes; bf16 rows as [`Bf16Rows`] has them.
    pub a: *const u8,
    /// Elements from row to row of `a`.
    pub a_stride: usize,
    /// Row-major f32.
    pub c: *mut f32,
    /// Elements from row to row of `c`.
    pub c_stride: usize,
    /// Add to `c` instead of overwriting it.
    pub accumulate: bool,
    /// What later products will need.
    pub prefetch: Prefetch,
}

/// Panels in a row.
#[derive(Clone, Copy)]
pub(crate) struct Panels {
    pub start: *const u8,
    /// Bytes from one to the next.
    pub bytes: usize,
    pub count: usize,
}

impl Panels {
    #[inline(always)]
    fn at(self, index: usize) -> *const u8 {
        self.start.wrapping_add(index * self.bytes)
    }
}

/// The right to use an engine in this thread until dropped (AMX tiles need to be configured).
pub(crate) struct Session {
    #[cfg(target_arch = "x86_64")]
    _tiles: Option<amx::Tiles>,
}

impl Session {
    /// Prepares this thread.
    pub fn new(engine: Engine) -> Session {
        #[cfg(target_arch = "x86_64")]
        let session = Session {
            _tiles: engine.tiled().then(amx::Tiles::configure),
        };
        #[cfg(not(target_arch = "x86_64"))]
        let session = {
            let _ = engine;
            Session {}
        };
        session
    }
}

#[inline(always)]
unsafe fn product_kernel<S: Simd>(tile: Tile, b: *const f32) {
    // SAFETY: the caller vouches for the tile.
    unsafe { S::product(tile, b) }
}
simd_fn!(unsafe fn product_f32 = product_kernel(tile: Tile, b: *const f32));

#[inline(always)]
unsafe fn product_widened_kernel<S: Simd>(tile: Tile, b: *const u16) {
    // SAFETY: the caller vouches for the tile.
    unsafe { S::product_widened(tile, b) }
}
simd_fn!(unsafe fn product_widened = product_widened_kernel(tile: Tile, b: *const u16));

/// # Safety
/// None: registers only.
#[inline(always)]
unsafe fn multiply_add_kernel<S: Simd>(rounds: usize) -> (f32, usize) {
    let factor = S::splat(std::hint::black_box(0.5));
    let mut sums = [S::splat(1.0); 10];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = S::fma(*sum, factor, factor);
        }
    }
    (
        sums.into_iter().map(S::sum).sum(),
        rounds * 10 * S::LANES * 2,
    )
}
simd_fn!(
    /// Runs `10 * rounds` multiply-adds on registers alone: their sum and the number of operations.
    ///
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn multiply_add_only = multiply_add_kernel(rounds: usize) -> (f32, usize)
);
