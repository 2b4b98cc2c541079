//! J: region similarity.

use super::BitMask;

/// Intersection over union of two masks of the same size, in 0..=1. Two empty masks agree: 1.
pub fn region_similarity(truth: &BitMask, predicted: &BitMask) -> f64 {
    let both = truth.shared_area(predicted);
    match truth.area() + predicted.area() - both {
        0 => 1.0,
        either => both as f64 / either as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(pixels: [u8; 6]) -> BitMask {
        BitMask::from_values((3, 2), &pixels, |&pixel| pixel > 0)
    }

    #[test]
    fn two_empty_masks_agree_and_one_empty_mask_is_a_miss() {
        let (none, some) = (mask([0; 6]), mask([0, 1, 1, 0, 0, 0]));
        assert_eq!(region_similarity(&none, &none), 1.0);
        assert_eq!(region_similarity(&none, &some), 0.0);
        assert_eq!(region_similarity(&some, &none), 0.0);
    }

    #[test]
    fn overlap_is_divided_by_union() {
        let (a, b) = (mask([1, 1, 1, 0, 0, 0]), mask([0, 1, 1, 1, 1, 0]));
        assert_eq!(region_similarity(&a, &b), 0.4);
    }
}
