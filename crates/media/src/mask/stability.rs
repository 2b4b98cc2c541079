//! How much a mask depends on where its logits are cut.

/// The stability score of a mask, in 0..=1: the IoU of the masks that `logits` give when cut
/// `offset` above and `offset` below `threshold` (SAM, appendix "automatic mask generation"; the
/// reference's offset is 1). One of them contains the other, so it is a ratio of areas. 0 where
/// even the larger one is empty, for which the reference gives NaN.
pub fn stability_score(logits: &[f32], threshold: f32, offset: f32) -> f32 {
    let area = |cut: f32| logits.iter().filter(|&&logit| logit > cut).count();
    let (inner, outer) = (area(threshold + offset), area(threshold - offset));
    if outer == 0 {
        0.0
    } else {
        inner as f32 / outer as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_share_of_pixels_that_a_stricter_cut_leaves() {
        let logits = [-3.0, -0.5, 0.5, 0.9, 2.0, 4.0];
        assert_eq!(stability_score(&logits, 0.0, 1.0), 2.0 / 5.0);
        assert_eq!(stability_score(&logits, 0.0, 0.0), 1.0);
        assert_eq!(stability_score(&logits, 3.0, 0.5), 1.0);
    }

    #[test]
    fn an_empty_mask_is_not_stable() {
        assert_eq!(stability_score(&[-5.0, -2.0], 0.0, 1.0), 0.0);
        assert_eq!(stability_score(&[], 0.0, 1.0), 0.0);
    }
}
