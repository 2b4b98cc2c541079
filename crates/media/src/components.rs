//! Connected regions, and what the reference does with small ones.
//!
//! Pixels touch across edges and corners (8-connected). The labelling is written here: the
//! library that has one (`imageproc`) brings a linear-algebra package along, and it is one
//! short pass over runs, linear in the number of pixels.

use std::ops::Range;

use crate::mask::check_length;
use crate::{Mask, Result};

/// The regions of a map, as found by [`connected_components`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    /// `[height, width]`: 0 outside, else the region's number, from 1 in the order of each
    /// region's first pixel in row-major order.
    pub labels: Vec<u32>,
    /// Pixels of region `k` at `areas[k - 1]`.
    pub areas: Vec<u64>,
}

/// Which regions of a mask [`remove_small_regions`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Regions of background: small ones are filled.
    Hole,
    /// Regions of the object: small ones are erased. If all are small, the largest stays.
    Island,
}

/// Labels the 8-connected regions of `inside`, `[height, width]`, in linear time.
///
/// # Errors
/// [`crate::MediaError::BufferLength`] if `inside` is not `width * height` long.
pub fn connected_components(width: u32, height: u32, inside: &[bool]) -> Result<Components> {
    check_length("map", width, height, inside.len())?;
    let (runs, numbers, areas) = regions(width as usize, inside);
    let mut labels = vec![0; inside.len()];
    for (run, number) in runs.into_iter().zip(numbers) {
        labels[run.pixels].fill(number + 1);
    }
    Ok(Components { labels, areas })
}

/// Sets every 8-connected region of `logits <= threshold` that has at most `max_area` pixels
/// to `value`. `logits` is `[height, width]`.
///
/// The reference's video predictor uses threshold 0 and value 0.1; its image predictor the
/// mask threshold and that plus 10.
///
/// # Errors
/// [`crate::MediaError::BufferLength`] if `logits` is not `width * height` long.
pub fn fill_small_holes(
    logits: &mut [f32],
    (width, height): (u32, u32),
    threshold: f32,
    max_area: u64,
    value: f32,
) -> Result<()> {
    check_length("map of logits", width, height, logits.len())?;
    let holes: Vec<bool> = logits.iter().map(|&logit| logit <= threshold).collect();
    overwrite_small(logits, width, &holes, max_area, value);
    Ok(())
}

/// Sets every 8-connected region of `logits > threshold` that has at most `max_area` pixels
/// to `value`. `logits` is `[height, width]`.
///
/// The reference's image predictor uses the mask threshold and that minus 10.
///
/// # Errors
/// [`crate::MediaError::BufferLength`] if `logits` is not `width * height` long.
pub fn erase_small_islands(
    logits: &mut [f32],
    (width, height): (u32, u32),
    threshold: f32,
    max_area: u64,
    value: f32,
) -> Result<()> {
    check_length("map of logits", width, height, logits.len())?;
    let islands: Vec<bool> = logits.iter().map(|&logit| logit > threshold).collect();
    overwrite_small(logits, width, &islands, max_area, value);
    Ok(())
}

/// Fills holes or erases islands of fewer than `min_area` pixels in a binary mask, as the
/// reference's mask generator does. Returns whether anything changed.
pub fn remove_small_regions(mask: &mut Mask, min_area: u64, region: Region) -> bool {
    let width = mask.width() as usize;
    let sought = region == Region::Island;
    let inside: Vec<bool> = mask.bits().iter().map(|&bit| bit == sought).collect();
    let (runs, numbers, areas) = regions(width, &inside);
    let mut small: Vec<bool> = areas.iter().map(|&area| area < min_area).collect();
    if !small.contains(&true) {
        return false;
    }
    if region == Region::Island && !small.contains(&false) {
        // The first of the largest, as the reference's argmax.
        let largest = (0..areas.len()).rev().max_by_key(|&number| areas[number]);
        largest.into_iter().for_each(|number| small[number] = false);
    }
    for (run, number) in runs.into_iter().zip(numbers) {
        if small[number as usize] {
            mask.bits_mut()[run.pixels].fill(!sought);
        }
    }
    true
}

fn overwrite_small(logits: &mut [f32], width: u32, inside: &[bool], max_area: u64, value: f32) {
    let (runs, numbers, areas) = regions(width as usize, inside);
    for (run, number) in runs.into_iter().zip(numbers) {
        if areas[number as usize] <= max_area {
            logits[run.pixels].fill(value);
        }
    }
}

/// A horizontal stretch of inside pixels.
struct Run {
    row: usize,
    /// Indices into the whole map.
    pixels: Range<usize>,
}

/// The runs of the map, for each the number of its region (from 0), and each region's area.
fn regions(width: usize, inside: &[bool]) -> (Vec<Run>, Vec<u32>, Vec<u64>) {
    let runs = find_runs(width, inside);
    let mut forest = Forest::new(runs.len());
    join_touching_runs(width, &runs, &mut forest);

    let mut number_of_root = vec![u32::MAX; runs.len()];
    let mut numbers = Vec::with_capacity(runs.len());
    let mut areas: Vec<u64> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let number = &mut number_of_root[forest.root(index)];
        if *number == u32::MAX {
            *number = areas.len() as u32;
            areas.push(0);
        }
        areas[*number as usize] += run.pixels.len() as u64;
        numbers.push(*number);
    }
    (runs, numbers, areas)
}

fn find_runs(width: usize, inside: &[bool]) -> Vec<Run> {
    let mut runs = Vec::new();
    for (row, line) in inside.chunks(width.max(1)).enumerate() {
        let first = row * width;
        let mut x = 0;
        while let Some(skipped) = line[x..].iter().position(|&bit| bit) {
            let start = x + skipped;
            let length = line[start..]
                .iter()
                .position(|&bit| !bit)
                .unwrap_or(line.len() - start);
            runs.push(Run {
                row,
                pixels: first + start..first + start + length,
            });
            x = start + length;
        }
    }
    runs
}

/// Joins every run with those of the row above that touch it, corners included.
fn join_touching_runs(width: usize, runs: &[Run], forest: &mut Forest) {
    let mut above = 0;
    for (index, run) in runs.iter().enumerate() {
        if run.row == 0 {
            continue;
        }
        // The same columns, one row up, widened by one on each side for the corners. Runs of
        // other rows that fall into this range are told apart by their row.
        let left = (run.pixels.start - width).saturating_sub(1);
        let right = run.pixels.end - width;
        while runs[above].row + 1 < run.row
            || (runs[above].row + 1 == run.row && runs[above].pixels.end <= left)
        {
            above += 1;
        }
        let mut candidate = above;
        while candidate < index
            && runs[candidate].row + 1 == run.row
            && runs[candidate].pixels.start <= right
        {
            forest.join(candidate, index);
            candidate += 1;
        }
    }
}

/// Union-find with path halving; the smaller index is the root, so that regions are numbered
/// by their first pixel.
struct Forest(Vec<usize>);

impl Forest {
    fn new(length: usize) -> Self {
        Self((0..length).collect())
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.0[node] != node {
            self.0[node] = self.0[self.0[node]];
            node = self.0[node];
        }
        node
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}
