//! Grids of points.

use masklet_media::BoundingBox;

use crate::Click;

/// `side` by `side` points in 0..1 (x, y), row by row, each in the middle of its cell.
pub(super) fn even_grid(side: u32) -> Vec<[f64; 2]> {
    // Written as the reference's `linspace`, so that the last bits agree.
    let first = 1.0 / (2.0 * f64::from(side));
    let last = 1.0 - first;
    let step = (last - first) / f64::from(side.max(2) - 1);
    let at = |i: u32| match i {
        0 => first,
        i if i + 1 == side => last,
        i => f64::from(i) * step + first,
    };
    (0..side)
        .flat_map(|y| (0..side).map(move |x| [at(x), at(y)]))
        .collect()
}

/// Clicks on the points of a grid, in pixels of a crop.
pub(super) fn clicks(grid: &[[f64; 2]], crop: BoundingBox) -> Vec<Click> {
    let scaled = |unit: f64, length: u32| {
        let pixels = (unit * f64::from(length)) as f32;
        // Rounding must not move a point out of the crop.
        pixels.min((length as f32).next_down())
    };
    grid.iter()
        .map(|&[x, y]| Click::positive(scaled(x, crop.width()), scaled(y, crop.height())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_in_the_middle_of_their_cells_row_by_row() {
        assert_eq!(even_grid(1), [[0.5, 0.5]]);
        assert_eq!(
            even_grid(2),
            [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
        );
        let grid = even_grid(32);
        assert_eq!(grid.len(), 1024);
        assert_eq!(grid[31], [63.0 / 64.0, 1.0 / 64.0]);
    }

    #[test]
    fn clicks_lie_inside_their_crop() {
        let crop = BoundingBox {
            x0: 100,
            y0: 50,
            x1: 300,
            y1: 60,
        };
        let clicks = clicks(&[[0.25, 0.5], [0.999_999_999_9, 0.0]], crop);
        assert_eq!((clicks[0].x, clicks[0].y), (50.0, 5.0));
        assert!(clicks[1].x < 200.0 && clicks[1].x > 199.9);
    }
}
