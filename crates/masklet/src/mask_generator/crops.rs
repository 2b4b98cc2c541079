//! The parts of a picture that are looked at more closely.

use masklet_media::BoundingBox;

/// A box this close to an edge of its crop, in pixels, is taken to be cut off by it.
const EDGE_TOLERANCE: f32 = 20.0;

/// A part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crop {
    pub(super) bounds: BoundingBox,
    /// 0 for the whole picture; layer `n` cuts each side into `2^n`.
    pub(super) layer: usize,
}

/// The whole picture, then the crops of `layers` layers, column by column.
///
/// In the first layer they overlap by `overlap_ratio` of the shorter side, in the others by as much
/// less as the crops are smaller. Layers finer than pixels give fewer crops.
pub(super) fn crops((width, height): (u32, u32), layers: u32, overlap_ratio: f64) -> Vec<Crop> {
    let mut all = vec![Crop {
        bounds: BoundingBox {
            x0: 0,
            y0: 0,
            x1: width,
            y1: height,
        },
        layer: 0,
    }];
    for layer in 1..=layers {
        let count = 1u32 << layer;
        let overlap = overlap_ratio * f64::from(width.min(height)) * (2.0 / f64::from(count));
        let columns = spans(width, count, overlap as u32);
        let rows = spans(height, count, overlap as u32);
        for &(x0, x1) in &columns {
            all.extend(rows.iter().map(|&(y0, y1)| Crop {
                bounds: BoundingBox { x0, y0, x1, y1 },
                layer: layer as usize,
            }));
        }
    }
    all
}

/// Cuts `0..length` into `count` spans that overlap by `overlap`.
fn spans(length: u32, count: u32, overlap: u32) -> Vec<(u32, u32)> {
    let size = (overlap * (count - 1) + length).div_ceil(count);
    (0..count)
        .map(|i| i * (size - overlap))
        .map(|start| (start, (start + size).min(length)))
        .filter(|(start, end)| start < end)
        .collect()
}

impl Crop {
    /// Whether a mask with these corners reaches an edge of the crop that is not one of the
    /// picture: there is probably more of its object outside.
    pub(super) fn cuts_off(&self, corners: [f32; 4], (width, height): (u32, u32)) -> bool {
        let edges = self.bounds.corners();
        let picture = [0.0, 0.0, width as f32, height as f32];
        let near = |a: f32, b: f32| (a - b).abs() <= EDGE_TOLERANCE;
        (0..4).any(|i| near(corners[i], edges[i]) && !near(corners[i], picture[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(x0: u32, y0: u32, x1: u32, y1: u32) -> BoundingBox {
        BoundingBox { x0, y0, x1, y1 }
    }

    #[test]
    fn without_layers_the_picture_is_the_only_crop() {
        let all = crops((300, 200), 0, 0.3);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].bounds, bounds(0, 0, 300, 200));
    }

    #[test]
    fn a_layer_covers_the_picture_with_overlapping_crops_column_by_column() {
        // Overlap 0.3 · 200 = 60: columns of (60 + 300) / 2 = 180, rows of 130.
        let all = crops((300, 200), 1, 0.3);
        let layer: Vec<_> = all[1..].iter().map(|crop| crop.bounds).collect();
        assert_eq!(
            layer,
            [
                bounds(0, 0, 180, 130),
                bounds(0, 70, 180, 200),
                bounds(120, 0, 300, 130),
                bounds(120, 70, 300, 200),
            ]
        );
    }

    #[test]
    fn each_layer_has_four_times_the_crops_and_reaches_all_edges() {
        let all = crops((301, 199), 3, 512.0 / 1500.0);
        for layer in 1..=3 {
            let of_layer: Vec<_> = all.iter().filter(|crop| crop.layer == layer).collect();
            assert_eq!(of_layer.len(), 4usize.pow(layer as u32));
            assert!(of_layer.iter().any(|crop| crop.bounds.x1 == 301));
            assert!(of_layer.iter().any(|crop| crop.bounds.y1 == 199));
        }
    }

    #[test]
    fn crops_have_pixels_even_where_layers_are_finer_than_the_picture() {
        for overlap in [0.0, 0.5, 0.99] {
            let all = crops((5, 3), 4, overlap);
            assert!(all.iter().all(|crop| crop.bounds.area() > 0));
            assert!(
                all.iter()
                    .all(|crop| crop.bounds.x1 <= 5 && crop.bounds.y1 <= 3)
            );
        }
    }

    #[test]
    fn a_mask_at_an_inner_edge_is_cut_off_and_one_at_the_edge_of_the_picture_is_not() {
        let crop = Crop {
            bounds: bounds(0, 0, 180, 130),
            layer: 1,
        };
        let picture = (300, 200);
        assert!(!crop.cuts_off([0.0, 0.0, 100.0, 100.0], picture));
        assert!(crop.cuts_off([50.0, 50.0, 160.0, 100.0], picture));
        assert!(!crop.cuts_off([50.0, 50.0, 159.0, 100.0], picture));
        assert!(crop.cuts_off([50.0, 50.0, 100.0, 129.0], picture));
        let whole = crops(picture, 0, 0.0)[0];
        assert!(!whole.cuts_off([0.0, 0.0, 299.0, 199.0], picture));
    }
}
