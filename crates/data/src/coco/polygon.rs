//! Polygons to masks, pixel for pixel as pycocotools does it.
//!
//! The outline is walked on a grid five times as fine as the pixels. Wherever the walk passes the
//! centre line of a pixel column, the row at which it does so is noted; down each column, these
//! rows are where the mask changes between outside and inside. So the filling is even-odd, and a
//! pixel is inside if its centre is, up to the rounding of the fine grid, which is what makes
//! results equal.

use masklet_media::{MediaError, Rle};

use crate::Result;

/// Cells of the fine grid along a pixel's side.
const SCALE: f64 = 5.0;

/// Coordinates beyond this are taken to be it, so that a damaged file cannot ask for an endless
/// walk. COCO's own stay within a picture.
const FARTHEST: f64 = 100_000.0;

/// The union of polygons, each `[x0, y0, x1, y1, …]` in pixels, as a mask of `width` x `height`:
/// equal to pycocotools' `merge(frPyObjects(polygons, height, width))`. A polygon of fewer than
/// three points covers nothing.
///
/// # Errors
/// If the picture has more than [`masklet_media::MAX_PIXELS`] pixels.
pub fn rasterise(polygons: &[Vec<f64>], width: u32, height: u32) -> Result<Rle> {
    // The check comes before any work in proportion to the size.
    let pixels = u64::from(width) * u64::from(height);
    let empty = Rle::from_counts(
        height,
        width,
        vec![u32::try_from(pixels).unwrap_or(u32::MAX)],
    );
    empty.map_err(MediaError::from)?;

    let mut runs: Vec<(u32, u32)> = Vec::new();
    for polygon in polygons.iter().filter(|polygon| polygon.len() >= 6) {
        let crossings = crossings(polygon, width, height);
        // An odd one at the end reaches to the last pixel.
        let end = [pixels as u32];
        let pairs = crossings.chunks(2).map(|pair| match *pair {
            [start, end] => (start, end),
            _ => (pair[0], end[0]),
        });
        runs.extend(pairs.filter(|(start, end)| start < end));
    }
    runs.sort_unstable();
    let counts = counts_of_union(&runs, pixels as u32);
    Ok(Rle::from_counts(height, width, counts).map_err(MediaError::from)?)
}

/// Column-major positions at which the mask changes, ascending.
fn crossings(polygon: &[f64], width: u32, height: u32) -> Vec<u32> {
    let corners: Vec<(i32, i32)> = polygon
        .chunks_exact(2)
        .map(|point| (to_fine(point[0]), to_fine(point[1])))
        .collect();
    let mut found = Vec::new();
    let mut previous: Option<(i32, i32)> = None;
    for (index, &from) in corners.iter().enumerate() {
        let to = corners[(index + 1) % corners.len()];
        walk(from, to, |point| {
            let passed = previous
                .replace(point)
                .and_then(|before| crossing(before, point));
            if let Some((column, row)) = passed
                && (0.0..=f64::from(width) - 1.0).contains(&column)
            {
                let row = row.clamp(0.0, f64::from(height)).ceil();
                found.push(column as u32 * height + row as u32);
            }
        });
    }
    found.sort_unstable();
    found
}

fn to_fine(coordinate: f64) -> i32 {
    // Truncated, not rounded down: that is what pycocotools does left of zero.
    (SCALE * coordinate.clamp(-FARTHEST, FARTHEST) + 0.5) as i32
}

/// Every grid point of a line, one for each step along its longer side.
fn walk(from: (i32, i32), to: (i32, i32), mut visit: impl FnMut((i32, i32))) {
    let (dx, dy) = ((to.0 - from.0).abs(), (to.1 - from.1).abs());
    let along_x = dx >= dy;
    // The rounding is that of a line walked in the direction of growing coordinates.
    let backwards = if along_x {
        from.0 > to.0
    } else {
        from.1 > to.1
    };
    let (start, end) = if backwards { (to, from) } else { (from, to) };
    let steps = dx.max(dy);
    let slope = match (along_x, steps) {
        (_, 0) => 0.0,
        (true, _) => f64::from(end.1 - start.1) / f64::from(dx),
        (false, _) => f64::from(end.0 - start.0) / f64::from(dy),
    };
    for step in 0..=steps {
        let step = if backwards { steps - step } else { step };
        let aside = |origin: i32| (f64::from(origin) + slope * f64::from(step) + 0.5) as i32;
        visit(if along_x {
            (start.0 + step, aside(start.1))
        } else {
            (aside(start.0), start.1 + step)
        });
    }
}

/// The pixel column (whole) and row (fraction) at which a step of the walk passes a column's
/// centre line, if it does.
fn crossing(before: (i32, i32), after: (i32, i32)) -> Option<(f64, f64)> {
    if before.0 == after.0 {
        return None;
    }
    let to_pixels = |fine: i32| (f64::from(fine) + 0.5) / SCALE - 0.5;
    let column = to_pixels(if after.0 < before.0 {
        after.0
    } else {
        after.0 - 1
    });
    let row = to_pixels(after.1.min(before.1));
    (column.floor() == column).then_some((column, row))
}

/// The counts of a run-length encoding that covers `runs` (sorted by start, possibly overlapping)
/// of `pixels` positions.
fn counts_of_union(runs: &[(u32, u32)], pixels: u32) -> Vec<u32> {
    let mut counts: Vec<u32> = Vec::new();
    let mut covered = 0;
    for &(start, end) in runs {
        match counts.last_mut() {
            // Overlaps or touches what is covered already.
            Some(last) if start <= covered => *last += end.saturating_sub(covered),
            _ => counts.extend([start - covered, end - start]),
        }
        covered = covered.max(end);
    }
    if covered < pixels || counts.is_empty() {
        counts.push(pixels - covered);
    }
    counts
}
