//! F: boundary accuracy.
//!
//! The boundary of a mask is David Martin's (2003), as in the DAVIS code: a pixel belongs to it if
//! it differs from its right, lower or lower right neighbour; at the picture's last column and row
//! only the neighbours inside count. A boundary pixel is matched if the other mask's boundary has
//! a pixel within a Euclidean distance, which is a share of the picture's diagonal rounded up. F is
//! the harmonic mean of the matched shares of both boundaries.
//!
//! Everything is done 64 pixels at a time, and only where one of the objects is: boundaries lie at
//! most a pixel outside of them. A dilation by a disk of radius r is, for each row offset, a
//! horizontal dilation by the disk's half width there. A row of 64-pixel words is widened pixel by
//! pixel and, at each width, poured into the rows that need it: `2r + 1` word operations for 64
//! pixels, instead of the disk's `πr²` for each.

use super::BitMask;

/// The distance within which boundaries match, as a share of the diagonal.
pub const BOUNDARY_TOLERANCE: f64 = 0.008;

/// The distance in pixels within which boundaries match on a picture of `width` x `height`.
pub fn tolerance_radius((width, height): (u32, u32), tolerance: f64) -> usize {
    let diagonal = (f64::from(height).powi(2) + f64::from(width).powi(2)).sqrt();
    (tolerance * diagonal).ceil() as usize
}

/// F of two masks of the same size, in 0..=1, with boundaries matched within `tolerance` of the
/// diagonal ([`BOUNDARY_TOLERANCE`]). Two masks without boundary agree: 1.
pub fn boundary_accuracy(truth: &BitMask, predicted: &BitMask, tolerance: f64) -> f64 {
    let radius = tolerance_radius(truth.dimensions(), tolerance);
    let Some((rows, words)) = truth.surroundings(predicted) else {
        return 1.0;
    };
    let edges = |mask: &BitMask| boundary(&mask.part(rows.clone(), words.clone()));
    let (truth, predicted) = (edges(truth), edges(predicted));
    let (in_truth, in_predicted) = (truth.area(), predicted.area());
    let (precision, recall) = match (in_predicted, in_truth) {
        (0, 0) => (1.0, 1.0),
        (0, _) => (1.0, 0.0),
        (_, 0) => (0.0, 1.0),
        _ => (
            matched(&predicted, &truth, radius) as f64 / in_predicted as f64,
            matched(&truth, &predicted, radius) as f64 / in_truth as f64,
        ),
    };
    if precision + recall == 0.0 {
        0.0
    } else {
        2.0 * precision * recall / (precision + recall)
    }
}

/// The boundary pixels of a mask.
fn boundary(mask: &BitMask) -> BitMask {
    let (width, height) = mask.dimensions();
    let mut edges = BitMask::empty(width, height);
    let (width, height) = (width as usize, height as usize);
    for y in 0..height {
        // Beyond the last row and column the mask goes on as it ends, which is no edge.
        let (row, below) = (mask.row(y), mask.row((y + 1).min(height - 1)));
        for (word, edge) in edges.row_mut(y).iter_mut().enumerate() {
            let (here, down) = (row[word], below[word]);
            let right = shifted_left(row, word, width);
            let diagonal = shifted_left(below, word, width);
            *edge = (here ^ right) | (here ^ down) | (here ^ diagonal);
        }
    }
    edges.clear_past_width();
    edges
}

/// A row's word with each pixel replaced by its right neighbour, the last one by itself.
fn shifted_left(row: &[u64], word: usize, width: usize) -> u64 {
    let next = row.get(word + 1).copied().unwrap_or(0);
    let shifted = (row[word] >> 1) | (next << 63);
    let last = width - 1;
    if word == last / 64 {
        let bit = 1 << (last % 64);
        (shifted & !bit) | (row[word] & bit)
    } else {
        shifted
    }
}

/// How many pixels of `pixels` have one of `others` within `radius`.
fn matched(pixels: &BitMask, others: &BitMask, radius: usize) -> u64 {
    pixels.shared_area(&dilated(others, radius))
}

/// All pixels within `radius` of one of `mask`. Bits past the width are not kept clear.
fn dilated(mask: &BitMask, radius: usize) -> BitMask {
    let (width, height) = mask.dimensions();
    let mut near = BitMask::empty(width, height);
    let offsets = rows_by_half_width(radius);
    let height = height as usize;
    let mut wide = Vec::new();
    for y in 0..height {
        if mask.row(y).iter().all(|&word| word == 0) {
            continue;
        }
        wide.clear();
        wide.extend_from_slice(mask.row(y));
        for (half_width, rows) in offsets.iter().enumerate() {
            if half_width > 0 {
                widen(&mut wide);
            }
            for &offset in rows {
                if offset <= y {
                    merge(near.row_mut(y - offset), &wide);
                }
                if offset > 0 && y + offset < height {
                    merge(near.row_mut(y + offset), &wide);
                }
            }
        }
    }
    near
}

/// For each half width of a disk, from 0 up, the row offsets at which the disk is that wide.
fn rows_by_half_width(radius: usize) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); radius + 1];
    for offset in 0..=radius {
        rows[(radius * radius - offset * offset).isqrt()].push(offset);
    }
    rows
}

/// Adds each pixel's left and right neighbours.
fn widen(row: &mut [u64]) {
    let mut left = 0;
    for word in 0..row.len() {
        let here = row[word];
        let right = row.get(word + 1).copied().unwrap_or(0);
        row[word] = here | (here << 1) | (left >> 63) | (here >> 1) | (right << 63);
        left = here;
    }
}

fn merge(target: &mut [u64], source: &[u64]) {
    for (target, source) in target.iter_mut().zip(source) {
        *target |= source;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_fn(width: u32, height: u32, inside: impl Fn(u32, u32) -> bool) -> BitMask {
        (&masklet_media::Mask::from_fn(width, height, inside)).into()
    }

    fn pixels(mask: &BitMask) -> Vec<(usize, usize)> {
        let (width, height) = mask.dimensions();
        (0..height as usize)
            .flat_map(|y| (0..width as usize).map(move |x| (x, y)))
            .filter(|&(x, y)| mask.row(y)[x / 64] >> (x % 64) & 1 == 1)
            .collect()
    }

    #[test]
    fn a_boundary_lies_on_the_upper_left_of_the_edge() {
        let square = from_fn(5, 4, |x, y| (2..4).contains(&x) && (1..3).contains(&y));
        let expected = [
            (1, 0),
            (2, 0),
            (3, 0),
            (1, 1),
            (3, 1),
            (1, 2),
            (2, 2),
            (3, 2),
        ];
        assert_eq!(pixels(&boundary(&square)), expected);
    }

    #[test]
    fn the_picture_border_is_no_boundary() {
        assert!(boundary(&from_fn(130, 3, |_, _| true)).is_empty());
        // The object's left edge, in each row; nothing at the right and lower border.
        let right_half = from_fn(128, 3, |x, _| x >= 64);
        assert_eq!(pixels(&boundary(&right_half)), [(63, 0), (63, 1), (63, 2)]);
    }

    #[test]
    fn dilation_by_a_disk_is_every_pixel_within_the_radius() {
        for (width, radius) in [(150, 9), (64, 3), (20, 40), (65, 0)] {
            let dots = from_fn(width, 31, |x, y| (x * 31 + y * 17) % 211 == 3);
            let dots_at = pixels(&dots);
            assert!(!dots_at.is_empty());
            let expected = from_fn(width, 31, |x, y| {
                dots_at.iter().any(|&(dx, dy)| {
                    dx.abs_diff(x as usize).pow(2) + dy.abs_diff(y as usize).pow(2)
                        <= radius * radius
                })
            });
            let found = dilated(&dots, radius);
            assert_eq!(pixels(&found), pixels(&expected), "{width}, {radius}");
        }
    }

    #[test]
    fn where_the_objects_lie_in_the_picture_changes_nothing() {
        let measured = |left: u32, top: u32| {
            let at = |left: u32| {
                from_fn(300, 90, |x, y| {
                    x >= left && y >= top && x < left + 66 && y < top + 9 + (x - left) % 5
                })
            };
            boundary_accuracy(&at(left), &at(left + 4), 0.008)
        };
        let expected = measured(70, 30);
        assert!(0.0 < expected && expected < 1.0);
        for left in [60, 63, 64, 65, 120, 122, 126, 127, 128, 187] {
            assert_eq!(measured(left, left / 3), expected, "{left}");
        }
    }

    #[test]
    fn a_lone_boundary_scores_0_and_none_on_either_side_1() {
        let (none, some) = (from_fn(9, 9, |_, _| false), from_fn(9, 9, |x, _| x < 4));
        assert_eq!(boundary_accuracy(&none, &none, 0.008), 1.0);
        assert_eq!(boundary_accuracy(&none, &some, 0.008), 0.0);
        assert_eq!(boundary_accuracy(&some, &none, 0.008), 0.0);
        // The whole picture has no boundary either: nothing is missed, nothing is found.
        let all = from_fn(9, 9, |_, _| true);
        assert_eq!(boundary_accuracy(&all, &none, 0.008), 1.0);
    }
}
