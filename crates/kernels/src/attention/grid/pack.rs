//! What grid attention makes of weights and memories before the first query.

use super::GridAttention;
use crate::buffers::Scratch;
use crate::output::{Shared, collect};
use crate::pack::PackedMatrix;
use crate::product::Precision;
use crate::{Epilogue, Rows, matmul};
use rayon::prelude::*;
use std::ops::Range;

/// Columns of the grid whose share of the queries is in the cache at a time.
pub(super) const TILE: usize = 8;

/// Keys taken at a time, about: their scores stay in L1.
const KEYS: usize = 256;

/// The projection of keys, turned by the angles of every column and every row of the grid.
///
/// For each there are `width + 1` rows of `dim / 2` numbers: one for each channel of a token, then the
/// bias.
pub(super) struct TurnedWeights {
    memory: Scratch,
    depth: usize,
    half: usize,
    side: usize,
}

impl TurnedWeights {
    /// The weights times `factor`.
    pub fn of(inputs: &GridAttention<'_>, factor: f32) -> TurnedWeights {
        let (side, width, half) = (inputs.side, inputs.width(), inputs.dim() / 2);
        let depth = width + 1;
        let mut memory = Scratch::of::<f32>(2 * side * depth * half);
        let start = Shared(memory.start::<f32>());
        (0..2 * side).into_par_iter().for_each(|index| {
            let (axis, at) = (index / side, index % side);
            let position = if axis == 0 { at } else { at * side };
            // SAFETY: each place along an axis has memory of its own.
            let to = unsafe {
                std::slice::from_raw_parts_mut(start.at(index * depth * half), depth * half)
            };
            for pair in 0..half / 2 {
                let angle = position * half + axis * half / 2 + pair;
                let (cos, sin) = (
                    inputs.table.cos[angle] * factor,
                    inputs.table.sin[angle] * factor,
                );
                let channel = axis * half + 2 * pair;
                let (first, second) = inputs.weight[channel * width..][..2 * width].split_at(width);
                let bias = &inputs.bias[channel..][..2];
                let columns = first.iter().zip(second).map(|(&a, &b)| (a, b));
                let rows = columns.chain([(bias[0], bias[1])]);
                for (row, (a, b)) in to.chunks_exact_mut(half).zip(rows) {
                    row[2 * pair] = a * cos - b * sin;
                    row[2 * pair + 1] = a * sin + b * cos;
                }
            }
        });
        TurnedWeights {
            memory,
            depth,
            half,
            side,
        }
    }

    /// Rows of a place: the width of tokens and one for the bias.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The rows of column `x`.
    pub fn x(&self, x: usize) -> *const f32 {
        self.at(x)
    }

    /// The rows of row `y`.
    pub fn y(&self, y: usize) -> *const f32 {
        self.at(self.side + y)
    }

    fn at(&self, index: usize) -> *const f32 {
        let start: *const f32 = self.memory.view().cast();
        start.wrapping_add(index * self.depth * self.half)
    }
}

/// Part of the grid in all memories.
#[derive(Clone)]
struct Area {
    x: Range<usize>,
    y: Range<usize>,
    /// Its first key.
    first: usize,
    count: usize,
}

/// The tokens of one batch item in the order in which they are attended to.
pub(super) struct Memories {
    areas: Vec<Area>,
    /// Key tokens, position by position, each followed by 1, which meets the bias.
    keys: Scratch,
    depth: usize,
    /// Keys of tokens without a place, `[others, dim]`.
    other_keys: Vec<f32>,
    other_groups: Vec<Range<usize>>,
    dim: usize,
    /// Values of an area, then of a group of others: `[width, count]`.
    values: Scratch,
    width: usize,
    placed: usize,
}

/// Keys and values that are attended to at a time.
pub(super) struct Tile {
    pub x: Range<usize>,
    pub y: Range<usize>,
    pub count: usize,
    pub keys: *const f32,
    /// `[width, count]`.
    pub values: *const f32,
}

impl Memories {
    /// Keys of others are multiplied by `factor`.
    pub fn of(inputs: &GridAttention<'_>, item: usize, factor: f32) -> Memories {
        let (width, placed, others) = (inputs.width(), inputs.placed(), inputs.others);
        let tokens = item * (placed + others) * width..(item + 1) * (placed + others) * width;
        let (key_tokens, values) = (&inputs.key_tokens[tokens.clone()], &inputs.values[tokens]);
        let mut this = Memories {
            areas: areas(inputs.side, inputs.memories),
            keys: Scratch::of::<f32>(placed * (width + 1)),
            depth: width + 1,
            other_keys: other_keys(inputs, &key_tokens[placed * width..], factor),
            other_groups: (0..others)
                .step_by(KEYS)
                .map(|first| first..others.min(first + KEYS))
                .collect(),
            dim: inputs.dim(),
            values: Scratch::of::<f32>((placed + others) * width),
            width,
            placed,
        };
        let (keys, to) = (Shared(this.keys.start()), Shared(this.values.start()));
        let grid = inputs.side * inputs.side;
        this.areas.par_iter().for_each(|area| {
            let positions = area
                .y
                .clone()
                .flat_map(|y| area.x.clone().map(move |x| y * inputs.side + x));
            let tokens = positions
                .flat_map(|position| (0..inputs.memories).map(move |m| m * grid + position));
            for (i, token) in tokens.enumerate() {
                let from = token * width..(token + 1) * width;
                // SAFETY: each area has keys of its own.
                unsafe {
                    let keys = keys.at((area.first + i) * (width + 1));
                    let row = key_tokens[from.clone()].as_ptr();
                    std::ptr::copy_nonoverlapping(row, keys, width);
                    *keys.add(width) = 1.0;
                    let to = to.at(area.first * width + i);
                    spread(&values[from], to, area.count);
                }
            }
        });
        for group in &this.other_groups {
            for (i, token) in group.clone().enumerate() {
                let from = &values[(placed + token) * width..][..width];
                // SAFETY: each group has values of its own.
                unsafe {
                    let to = to.at((placed + group.start) * width + i);
                    spread(from, to, group.len());
                }
            }
        }
        this
    }

    /// Most keys of a tile.
    pub fn most_keys(&self) -> usize {
        let areas = self.areas.iter().map(|area| area.count);
        let groups = self.other_groups.iter().map(Range::len);
        areas.chain(groups).max().unwrap_or(0)
    }

    /// The grid's tiles; those of the same columns one after the other.
    pub fn tiles(&self) -> impl Iterator<Item = Tile> {
        self.areas.iter().map(|area| {
            let keys: *const f32 = self.keys.view().cast();
            Tile {
                x: area.x.clone(),
                y: area.y.clone(),
                count: area.count,
                keys: keys.wrapping_add(area.first * self.depth),
                values: self.values(area.first),
            }
        })
    }

    /// Tokens without a place, as tiles without one; their keys are `[count, dim]`.
    pub fn others(&self) -> impl Iterator<Item = Tile> {
        self.other_groups.iter().map(|group| Tile {
            x: 0..0,
            y: 0..0,
            count: group.len(),
            keys: self.other_keys[group.start * self.dim..].as_ptr(),
            values: self.values(self.placed + group.start),
        })
    }

    /// The values from token `first` on.
    fn values(&self, first: usize) -> *const f32 {
        let start: *const f32 = self.values.view().cast();
        start.wrapping_add(first * self.width)
    }
}

/// Cuts the grid into areas of at most [`TILE`] columns, with about [`KEYS`] keys each.
fn areas(side: usize, memories: usize) -> Vec<Area> {
    let rows = (KEYS / (TILE * memories.max(1))).clamp(1, TILE);
    let mut areas = Vec::new();
    let mut first = 0;
    for x in (0..side).step_by(TILE) {
        for y in (0..side).step_by(rows) {
            let (x, y) = (x..side.min(x + TILE), y..side.min(y + rows));
            let count = x.len() * y.len() * memories;
            areas.push(Area { x, y, first, count });
            first += count;
        }
    }
    areas
}

/// Writes numbers `step` apart.
///
/// # Safety
/// `to` is writable for that.
unsafe fn spread(from: &[f32], to: *mut f32, step: usize) {
    for (channel, &value) in from.iter().enumerate() {
        // SAFETY: the caller vouches for `to`.
        unsafe { *to.add(channel * step) = value };
    }
}

/// `factor * (weight * token + bias)` of tokens without a place.
fn other_keys(inputs: &GridAttention<'_>, tokens: &[f32], factor: f32) -> Vec<f32> {
    let (dim, width) = (inputs.dim(), inputs.width());
    let weight = PackedMatrix::pack(inputs.weight, dim, width, Precision::F32);
    let mut keys = collect(inputs.others * dim, |out| {
        let rows = Rows::strided(tokens, inputs.others, width);
        matmul(rows, &weight, Epilogue::bias(inputs.bias), out)
    });
    keys.iter_mut().for_each(|key| *key *= factor);
    keys
}
