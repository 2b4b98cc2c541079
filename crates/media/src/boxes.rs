//! Boxes by their corners: how much two overlap, and which of many to keep.
//!
//! A box is `[x0, y0, x1, y1]` in pixels. Its area is `(x1 - x0) * (y1 - y0)`, so a box around a
//! single pixel has none if its far corner is that same pixel, as the reference's mask generator
//! has it; [`BoundingBox::corners`](crate::BoundingBox::corners) gives the pixel an area.

/// Intersection over union of two boxes, in 0..=1; 0 where neither has an area.
pub fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |[x0, y0, x1, y1]: [f32; 4]| (x1 - x0) * (y1 - y0);
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let both = width * height;
    let either = area(a) + area(b) - both;
    if either > 0.0 { both / either } else { 0.0 }
}

/// Non-maximum suppression: the indices of the boxes to keep, by descending score.
///
/// A box goes if its IoU with a kept one of higher score is above `threshold`; of equal scores the
/// earlier counts as higher. The answer is that of torchvision's `nms` on the CPU. Takes time in
/// proportion to all boxes times the kept ones.
///
/// # Panics
/// If there are not as many scores as boxes.
pub fn nms(boxes: &[[f32; 4]], scores: &[f32], threshold: f64) -> Vec<usize> {
    assert_eq!(boxes.len(), scores.len(), "each box has one score");
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut kept: Vec<usize> = Vec::new();
    for candidate in order {
        let covered = |&other: &usize| f64::from(iou(boxes[other], boxes[candidate])) > threshold;
        if !kept.iter().any(covered) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_shared_part_of_the_covered_area() {
        let a = [0.0, 0.0, 4.0, 4.0];
        assert_eq!(iou(a, a), 1.0);
        assert_eq!(iou(a, [2.0, 0.0, 6.0, 4.0]), 8.0 / 24.0);
        assert_eq!(iou(a, [4.0, 0.0, 6.0, 4.0]), 0.0);
        assert_eq!(iou(a, [9.0, 9.0, 12.0, 12.0]), 0.0);
    }

    #[test]
    fn boxes_without_area_overlap_nothing() {
        let point = [3.0; 4];
        assert_eq!(iou(point, point), 0.0);
        assert_eq!(nms(&[point, point], &[0.5, 0.9], 0.1), [1, 0]);
    }

    #[test]
    fn the_best_of_overlapping_boxes_stays() {
        let boxes = [
            [0.0, 0.0, 10.0, 10.0],
            [1.0, 0.0, 11.0, 10.0],
            [50.0, 50.0, 60.0, 60.0],
        ];
        assert_eq!(nms(&boxes, &[0.5, 0.9, 0.7], 0.5), [1, 2]);
        assert_eq!(nms(&boxes, &[0.5, 0.9, 0.7], 0.9), [1, 2, 0]);
    }

    #[test]
    fn what_only_a_suppressed_box_overlaps_stays() {
        let boxes = [
            [0.0, 0.0, 10.0, 10.0],
            [4.0, 0.0, 14.0, 10.0],
            [8.0, 0.0, 18.0, 10.0],
        ];
        assert_eq!(nms(&boxes, &[0.9, 0.8, 0.7], 0.4), [0, 2]);
    }

    #[test]
    fn of_equal_scores_the_first_wins_and_the_threshold_itself_is_kept() {
        let boxes = [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 2.0]];
        assert_eq!(nms(&boxes, &[0.5, 0.5], 0.49), [0]);
        assert_eq!(nms(&boxes, &[0.5, 0.5], 0.5), [0, 1]);
    }
}
