//! Keys and values packed for the two products of attention.

use crate::buffers::Scratch;
use crate::cpu::Isa;
use crate::output::Shared;
use crate::panel::{pack_columns, pack_row, pack_row_pair};
use crate::product::{Engine, Panels};
use crate::simd::{PANEL, Simd, simd_fn};
use rayon::prelude::*;

/// Keys taken at a time; scores of a query against them stay in L1.
pub(super) const MOST_KEYS: usize = 256;

/// How one head's keys and values are stored.
#[derive(Clone, Copy)]
pub(super) struct Packer {
    pub engine: Engine,
    pub isa: Isa,
    pub key_dim: usize,
    pub value_dim: usize,
}

impl Packer {
    /// Value columns rounded up to whole panels.
    pub fn value_columns(&self) -> usize {
        self.value_dim.next_multiple_of(PANEL)
    }

    /// Bytes of the packed keys of a block of `keys`.
    fn key_bytes(&self, keys: usize) -> usize {
        self.engine.panel_len(self.key_dim) * (keys / PANEL) * self.engine.panel_width()
    }

    /// Bytes of the packed values of a block of `keys`.
    fn value_bytes(&self, keys: usize) -> usize {
        self.value_columns() / PANEL * self.value_panel_bytes(keys)
    }

    /// Bytes of one panel of the values of a block of `keys`.
    fn value_panel_bytes(&self, keys: usize) -> usize {
        self.engine.panel_len(keys) * self.engine.panel_width()
    }
}

/// The packed keys and values of several problems (batch items times heads).
///
/// A problem is a sequence of blocks of `block` keys: first the keys, in panels of 32 keys, then the
/// values, in panels of 32 channels.
pub(super) struct KeyBlocks {
    packer: Packer,
    keys: usize,
    block: usize,
    problems: usize,
    extra: f32,
    /// While a key or value is packed, the one this many numbers on is fetched (0: none).
    ahead: usize,
    memory: Scratch,
}

impl KeyBlocks {
    /// Room for `problems` times `keys` keys.
    pub fn new(packer: Packer, keys: usize, problems: usize) -> KeyBlocks {
        let block = keys.next_multiple_of(PANEL).min(MOST_KEYS);
        let blocks = keys.div_ceil(block);
        let bytes = packer.key_bytes(block) + packer.value_bytes(block);
        let memory = Scratch::bytes(bytes * blocks * problems);
        KeyBlocks {
            packer,
            keys,
            block,
            problems,
            extra: 0.0,
            ahead: 0,
            memory,
        }
    }

    fn blocks(&self) -> usize {
        self.keys.div_ceil(self.block)
    }

    fn block_bytes(&self) -> usize {
        self.packer.key_bytes(self.block) + self.packer.value_bytes(self.block)
    }

    /// Packs all blocks; `address(problem, key)` is where a key and its value lie. `extra` is added
    /// to the score of the last key, after scaling.
    pub fn fill_in_parallel(
        &mut self,
        address: impl Fn(usize, usize) -> (*const f32, *const f32) + Sync,
        extra: f32,
    ) {
        self.extra = extra;
        let blocks = self.blocks();
        let memory = Shared(self.memory.start::<u16>());
        let this = &*self;
        (0..this.problems * blocks)
            .into_par_iter()
            .for_each(|index| {
                // SAFETY: every index has a block of its own in memory.
                unsafe { this.pack_block(memory, index, |key| address(index / blocks, key)) };
            });
    }

    /// Packs all blocks of the only problem in this thread; see [`KeyBlocks::fill_in_parallel`].
    /// Meanwhile fetches what lies `ahead` numbers further on.
    pub fn fill(
        &mut self,
        address: impl Fn(usize) -> (*const f32, *const f32),
        extra: f32,
        ahead: usize,
    ) {
        self.extra = extra;
        self.ahead = ahead;
        let memory = Shared(self.memory.start::<u16>());
        for index in 0..self.blocks() {
            // SAFETY: every index has a block of its own in memory.
            unsafe { self.pack_block(memory, index, &address) };
        }
    }

    /// # Safety
    /// The addresses are readable for `key_dim` and `value_dim` numbers; no one else uses block
    /// `index` of the memory.
    unsafe fn pack_block(
        &self,
        memory: Shared<u16>,
        index: usize,
        address: impl Fn(usize) -> (*const f32, *const f32),
    ) {
        let Packer {
            engine,
            isa,
            key_dim,
            value_dim,
        } = self.packer;
        let first = index % self.blocks() * self.block;
        let count = self.block.min(self.keys - first);
        // SAFETY: the block's memory has room for the panels of `block` keys, of which `count` (and
        // zeros up to whole panels) are written.
        unsafe {
            let to = memory.at(index * self.block_bytes() / 2);
            for group in 0..count.next_multiple_of(PANEL) / 16 {
                let present = count.saturating_sub(group * 16).min(16);
                let mut rows = [std::ptr::null(); 16];
                for (i, row) in rows.iter_mut().take(present).enumerate() {
                    *row = address(first + group * 16 + i).0;
                    fetch(isa, *row, self.ahead, key_dim);
                }
                let panel =
                    to.add(group / 2 * engine.panel_len(key_dim) * engine.panel_width() / 2);
                let columns = panel.cast::<f32>().add(group % 2 * 16);
                pack_columns(engine, isa, &rows, present, key_dim, columns);
            }
            let to = to.add(self.packer.key_bytes(self.block) / 2);
            let padded = if engine.bf16_panels() {
                count.next_multiple_of(PANEL)
            } else {
                count
            };
            let panel_step = self.packer.value_panel_bytes(self.block) / 2;
            let value = |key: usize| {
                (key < count).then(|| {
                    let value = address(first + key).1;
                    fetch(isa, value, self.ahead, value_dim);
                    value
                })
            };
            let mut value_row: *mut f32 = to.cast();
            if engine.bf16_panels() {
                for pair in 0..padded / 2 {
                    let (even, odd) = (value(2 * pair), value(2 * pair + 1));
                    pack_row_pair(engine, isa, pair, [even, odd], value_dim, to, panel_step);
                }
            } else {
                for from in (0..padded).filter_map(value) {
                    pack_row(isa, from, value_dim, value_row, panel_step / 2);
                    value_row = value_row.add(PANEL);
                }
            }
        }
    }

    /// The blocks of one problem.
    pub fn problem(&self, index: usize) -> Keys<'_> {
        Keys {
            all: self,
            problem: index,
        }
    }
}

/// The packed keys and values of one problem.
pub(super) struct Keys<'a> {
    all: &'a KeyBlocks,
    problem: usize,
}

/// One block of keys and values.
pub(super) struct KeyBlock {
    /// Keys in this block.
    pub count: usize,
    /// The keys, a column each.
    pub keys: Panels,
    /// The values, a row each.
    pub values: Panels,
    /// Added to the score of the block's last key after scaling.
    pub extra: f32,
    /// The next block's memory, and its bytes: 0 if there is none.
    pub next: (*const u8, usize),
}

impl Keys<'_> {
    pub fn packer(&self) -> Packer {
        self.all.packer
    }

    /// Most keys of a block.
    pub fn block_len(&self) -> usize {
        self.all.block
    }

    pub fn blocks(&self) -> impl Iterator<Item = KeyBlock> {
        let all = self.all;
        let blocks = all.blocks();
        (0..blocks).map(move |i| {
            let start = (self.problem * blocks + i) * all.block_bytes();
            let start = all.memory.view().wrapping_add(start);
            let count = all.block.min(all.keys - i * all.block);
            KeyBlock {
                count,
                keys: Panels {
                    start,
                    bytes: all.packer.key_bytes(PANEL),
                    count: count.div_ceil(PANEL),
                },
                values: Panels {
                    start: start.wrapping_add(all.packer.key_bytes(all.block)),
                    bytes: all.packer.value_panel_bytes(all.block),
                    count: all.packer.value_columns() / PANEL,
                },
                extra: if i + 1 == blocks { all.extra } else { 0.0 },
                next: match i + 1 == blocks {
                    true => (start, 0),
                    false => (start.wrapping_add(all.block_bytes()), all.block_bytes()),
                },
            }
        })
    }
}

simd_fn!(
    /// Fetches the `width` numbers that lie `ahead` numbers after `p`, if `ahead` is not 0.
    ///
    /// # Safety
    /// None beyond the instruction set.
    pub(super) unsafe fn fetch = fetch_kernel(p: *const f32, ahead: usize, width: usize)
);

/// # Safety
/// As [`fetch`].
#[inline(always)]
unsafe fn fetch_kernel<S: Simd>(p: *const f32, ahead: usize, width: usize) {
    if ahead > 0 {
        for i in (0..width + 15).step_by(16) {
            S::prefetch(p.wrapping_add(ahead + i).cast());
        }
    }
}

simd_fn!(
    /// Fetches the `width` numbers at `p`, which will be written.
    ///
    /// # Safety
    /// None beyond the instruction set.
    pub(super) unsafe fn fetch_to_write = fetch_to_write_kernel(p: *const f32, width: usize)
);

/// # Safety
/// As [`fetch_to_write`].
#[inline(always)]
unsafe fn fetch_to_write_kernel<S: Simd>(p: *const f32, width: usize) {
    for i in (0..width + 15).step_by(16) {
        S::prefetch_to_write(p.wrapping_add(i).cast());
    }
}
