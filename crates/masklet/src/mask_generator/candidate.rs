//! Masks on their way through the filters.

use masklet_media::components::{Region, remove_small_regions};
use masklet_media::{BoundingBox, Mask, Rle, boxes};

/// A mask that passed the thresholds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// The mask, of the picture's size.
    pub(super) rle: Rle,
    /// Its first and last columns and rows in the picture; see [`corners_of`].
    pub(super) corners: [f32; 4],
    pub(super) predicted_iou: f32,
    /// The click it came from, in pixels of the picture.
    pub(super) point: [f32; 2],
    pub(super) stability_score: f32,
    /// Where the model saw it.
    pub(super) crop: BoundingBox,
}

impl Candidate {
    /// Drops those whose box repeats one with a higher score, and sorts the others by score.
    pub(super) fn thinned_out(
        candidates: Vec<Self>,
        threshold: f64,
        score: impl Fn(&Self) -> f32,
    ) -> Vec<Self> {
        let corners: Vec<_> = candidates.iter().map(|c| c.corners).collect();
        let scores: Vec<_> = candidates.iter().map(score).collect();
        picked(candidates, &boxes::nms(&corners, &scores, threshold))
    }
}

/// The corners of a mask whose upper left pixel is at `x`, `y` of the picture. As in the reference,
/// the far ones are the last pixels of the object, and those of an empty mask are all its first.
pub(super) fn corners_of(mask: &Mask, [x, y]: [u32; 2]) -> [f32; 4] {
    match mask.bounding_box() {
        Some(BoundingBox { x0, y0, x1, y1 }) => [x + x0, y + y0, x + x1 - 1, y + y1 - 1],
        None => [x, y, x, y],
    }
    .map(|side| side as f32)
}

/// Fills holes and erases islands of fewer than `min_area` pixels, then drops masks that have come
/// to repeat another, a changed one before an unchanged one. Unchanged masks come first.
pub(super) fn without_small_regions(
    mut candidates: Vec<Candidate>,
    min_area: u64,
    nms_threshold: f64,
) -> Vec<Candidate> {
    if min_area == 0 {
        return candidates;
    }
    let unchanged: Vec<f32> = candidates
        .iter_mut()
        .map(|candidate| {
            let mut mask = candidate.rle.decode();
            let filled = remove_small_regions(&mut mask, min_area, Region::Hole);
            let erased = remove_small_regions(&mut mask, min_area, Region::Island);
            if filled || erased {
                candidate.rle = Rle::encode(&mask);
                candidate.corners = corners_of(&mask, [0, 0]);
            }
            f32::from(u8::from(!(filled || erased)))
        })
        .collect();
    let corners: Vec<_> = candidates.iter().map(|c| c.corners).collect();
    picked(candidates, &boxes::nms(&corners, &unchanged, nms_threshold))
}

fn picked(candidates: Vec<Candidate>, kept: &[usize]) -> Vec<Candidate> {
    let mut candidates: Vec<_> = candidates.into_iter().map(Some).collect();
    let taken = kept.iter().map(|&index| candidates[index].take());
    taken.map(|c| c.expect("each index once")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(mask: &Mask, predicted_iou: f32) -> Candidate {
        Candidate {
            rle: Rle::encode(mask),
            corners: corners_of(mask, [0, 0]),
            predicted_iou,
            point: [0.0; 2],
            stability_score: 1.0,
            crop: BoundingBox {
                x0: 0,
                y0: 0,
                x1: mask.width(),
                y1: mask.height(),
            },
        }
    }

    /// A square of nine pixels a side at the left, with `speck` as well.
    fn square(speck: Option<(u32, u32)>) -> Mask {
        Mask::from_fn(40, 12, |x, y| (x < 9 && y < 9) || speck == Some((x, y)))
    }

    #[test]
    fn corners_are_in_the_picture_and_end_at_the_last_pixel() {
        let mask = Mask::from_fn(4, 5, |x, y| (1..3).contains(&x) && y > 2);
        assert_eq!(corners_of(&mask, [10, 20]), [11.0, 23.0, 12.0, 24.0]);
        let empty = Mask::empty(4, 5);
        assert_eq!(corners_of(&empty, [10, 20]), [10.0, 20.0, 10.0, 20.0]);
    }

    #[test]
    fn candidates_are_sorted_by_score_without_repetitions() {
        let other = Mask::from_fn(40, 12, |x, _| x > 20);
        let all = vec![
            candidate(&square(None), 0.5),
            candidate(&other, 0.6),
            candidate(&square(None), 0.9),
        ];
        let kept = Candidate::thinned_out(all, 0.7, |c| c.predicted_iou);
        let ious: Vec<f32> = kept.iter().map(|c| c.predicted_iou).collect();
        assert_eq!(ious, [0.9, 0.6]);
    }

    #[test]
    fn of_masks_that_became_alike_the_one_that_was_clean_stays() {
        let all = vec![
            candidate(&square(Some((30, 3))), 0.9),
            candidate(&square(None), 0.5),
        ];
        let kept = without_small_regions(all.clone(), 4, 0.7);
        assert_eq!(kept, [all[1].clone()]);
        assert_eq!(without_small_regions(all.clone(), 0, 0.7), all);
    }

    #[test]
    fn a_changed_mask_has_the_box_of_what_is_left() {
        let mut holed = square(Some((30, 3)));
        holed.bits_mut()[4 * 40 + 4] = false;
        let kept = without_small_regions(vec![candidate(&holed, 0.9)], 4, 0.7);
        assert_eq!(kept[0].rle.decode(), square(None));
        assert_eq!(kept[0].corners, [0.0, 0.0, 8.0, 8.0]);
    }
}
