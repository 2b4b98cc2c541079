//! Which masks are objects that are not known yet.

use masklet_media::Mask;

use super::DiscoveryOptions;
use crate::{MaskRecord, Result};

/// Of proposals on a frame, at most `room` that are new objects beside those tracked there, the one
/// with the highest predicted IoU first.
///
/// A proposal is new if enough of it is covered by nothing that is tracked
/// ([`min_uncovered`](DiscoveryOptions::min_uncovered)), and it repeats neither a tracked mask nor a
/// proposal that was taken before it ([`max_iou`](DiscoveryOptions::max_iou)). So a whole and its
/// parts can be found together on one frame, but parts of what is tracked are not added later.
///
/// # Errors
/// If the masks are not all of one size.
pub fn new_objects(
    mut proposals: Vec<MaskRecord>,
    tracked: &[Mask],
    options: &DiscoveryOptions,
    room: usize,
) -> Result<Vec<MaskRecord>> {
    let mut covered: Option<Mask> = None;
    for mask in tracked {
        match &mut covered {
            Some(covered) => covered.add(mask)?,
            None => covered = Some(mask.clone()),
        }
    }
    proposals.sort_by(|a, b| b.predicted_iou.total_cmp(&a.predicted_iou));
    let mut known: Vec<(u64, Mask)> = tracked.iter().map(|m| (m.area(), m.clone())).collect();
    let mut found = Vec::new();
    for proposal in proposals {
        if found.len() == room {
            break;
        }
        let mask = proposal.mask();
        if proposal.area == 0 || uncovered(&mask, covered.as_ref())? < options.min_uncovered {
            continue;
        }
        if !repeats(&mask, &known, options.max_iou)? {
            known.push((proposal.area, mask));
            found.push(proposal);
        }
    }
    Ok(found)
}

/// The share of a mask that nothing covers.
fn uncovered(mask: &Mask, covered: Option<&Mask>) -> Result<f64> {
    let shared = covered.map_or(Ok(0), |covered| mask.shared_area(covered))?;
    Ok(1.0 - shared as f64 / mask.area() as f64)
}

/// Whether a mask has a larger IoU than `max_iou` with one of those known.
fn repeats(mask: &Mask, known: &[(u64, Mask)], max_iou: f64) -> Result<bool> {
    let area = mask.area();
    for (other_area, other) in known {
        // The IoU is at most the ratio of the areas: most pairs need no look at the pixels.
        let bound = area.min(*other_area) as f64 / area.max(*other_area) as f64;
        if bound > max_iou && mask.iou(other)? > max_iou {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use masklet_media::Rle;

    use super::*;

    /// Columns `x0..x1` of a picture of 20 by 10.
    fn columns(x0: u32, x1: u32) -> Mask {
        Mask::from_fn(20, 10, |x, _| (x0..x1).contains(&x))
    }

    fn proposal(mask: &Mask, predicted_iou: f32) -> MaskRecord {
        MaskRecord {
            segmentation: Rle::encode(mask),
            area: mask.area(),
            bbox: [0.0; 4],
            predicted_iou,
            point_coords: [[0.0; 2]],
            stability_score: 1.0,
            crop_box: [0.0; 4],
        }
    }

    /// The predicted IoUs, which tell the proposals apart, of those that are new.
    fn found(proposals: &[(Mask, f32)], tracked: &[Mask], room: usize) -> Vec<f32> {
        let proposals = proposals.iter().map(|(m, iou)| proposal(m, *iou)).collect();
        let options = DiscoveryOptions::default();
        let found = new_objects(proposals, tracked, &options, room).unwrap();
        found.iter().map(|record| record.predicted_iou).collect()
    }

    #[test]
    fn on_the_first_frame_wholes_and_parts_are_found_but_no_repetition() {
        let proposals = [
            (columns(0, 10), 0.8),
            (columns(0, 9), 0.9),
            (columns(2, 5), 0.7),
            (columns(0, 0), 0.95),
        ];
        assert_eq!(found(&proposals, &[], 9), [0.9, 0.7]);
    }

    #[test]
    fn the_best_proposals_come_first_and_fill_the_room() {
        let proposals = [
            (columns(0, 4), 0.5),
            (columns(5, 9), 0.9),
            (columns(10, 14), 0.7),
        ];
        assert_eq!(found(&proposals, &[], 2), [0.9, 0.7]);
        assert!(found(&proposals, &[], 0).is_empty());
    }

    #[test]
    fn what_tracked_objects_mostly_cover_is_not_new() {
        let tracked = [columns(0, 5), columns(5, 10), columns(0, 0)];
        let proposals = [
            (columns(3, 8), 0.9),   // inside two tracked ones
            (columns(8, 14), 0.8),  // two thirds are free
            (columns(6, 13), 0.7),  // less than half is
            (columns(15, 20), 0.6), // elsewhere
        ];
        assert_eq!(found(&proposals, &tracked, 9), [0.8, 0.6]);
    }

    #[test]
    fn without_a_demand_for_free_pixels_only_repetitions_are_dropped() {
        let options = DiscoveryOptions {
            min_uncovered: 0.0,
            ..DiscoveryOptions::default()
        };
        let proposals = vec![proposal(&columns(0, 9), 0.9), proposal(&columns(0, 5), 0.8)];
        let found = new_objects(proposals, &[columns(0, 10)], &options, 9).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].predicted_iou, 0.8);
    }
}
