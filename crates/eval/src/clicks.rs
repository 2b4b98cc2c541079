//! Simulated clicks, as in the paper's evaluations: each is placed at the centre of the largest
//! error, the pixel that lies deepest inside it.
//!
//! Depth is the exact Euclidean distance to the nearest pixel outside the error region, where
//! everything beyond the picture is outside. Missed pixels and falsely found ones are two regions.
//! **Ties:** of several deepest pixels the first in reading order (row by row from the top, each
//! from the left) is taken; if the missed and the false region are equally deep, the click is
//! negative. These are the rules of the reference's training code, so that a click depends on
//! truth and prediction alone and is the same for every model that makes the same errors.

mod distance;

use masklet::Click;
use masklet_media::Mask;

pub use distance::squared_distances;

/// The centre of an object: the click that starts an interaction. `None` if the mask is empty.
pub fn first_click(truth: &Mask) -> Option<Click> {
    deepest(truth.dimensions(), truth.bits()).map(|deep| deep.click(true))
}

/// The centre of the largest error of `predicted`: positive where the object was missed, negative
/// where something else was found. `None` if there is no error.
///
/// # Panics
/// If the masks differ in size.
pub fn next_click(truth: &Mask, predicted: &Mask) -> Option<Click> {
    assert_eq!(
        truth.dimensions(),
        predicted.dimensions(),
        "sizes of the masks"
    );
    let region = |error: fn(bool, bool) -> bool| {
        let pairs = truth.bits().iter().zip(predicted.bits());
        let bits: Vec<bool> = pairs.map(|(&truth, &found)| error(truth, found)).collect();
        deepest(truth.dimensions(), &bits)
    };
    let missed = region(|truth, found| truth && !found);
    let false_find = region(|truth, found| !truth && found);
    match (missed, false_find) {
        (Some(missed), Some(false_find)) if missed.depth > false_find.depth => {
            Some(missed.click(true))
        }
        (_, Some(false_find)) => Some(false_find.click(false)),
        (Some(missed), None) => Some(missed.click(true)),
        (None, None) => None,
    }
}

/// A pixel and its squared distance to the outside.
struct Deepest {
    x: u32,
    y: u32,
    depth: u64,
}

impl Deepest {
    /// Clicks are given in whole pixels, as the reference does.
    fn click(&self, positive: bool) -> Click {
        let (x, y) = (self.x as f32, self.y as f32);
        Click { x, y, positive }
    }
}

/// The deepest pixel of a region, the first in reading order of several.
fn deepest((width, height): (u32, u32), region: &[bool]) -> Option<Deepest> {
    let distances = squared_distances((width as usize, height as usize), region);
    let depth = distances.iter().copied().max().filter(|&depth| depth > 0)?;
    let at = distances.iter().position(|&distance| distance == depth)? as u32;
    Some(Deepest {
        x: at % width,
        y: at / width,
        depth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: std::ops::Range<u32>, y: std::ops::Range<u32>) -> Mask {
        Mask::from_fn(20, 10, |u, v| x.contains(&u) && y.contains(&v))
    }

    #[test]
    fn the_first_click_is_at_the_centre_and_ties_go_to_reading_order() {
        assert_eq!(
            first_click(&block(2..7, 3..8)),
            Some(Click::positive(4.0, 5.0))
        );
        // Four pixels of a 6x6 block are equally deep.
        assert_eq!(
            first_click(&block(2..8, 3..9)),
            Some(Click::positive(4.0, 5.0))
        );
        assert_eq!(first_click(&Mask::empty(20, 10)), None);
    }

    #[test]
    fn the_next_click_corrects_the_deepest_error() {
        let truth = block(0..10, 0..10);
        let missing_much = block(7..10, 0..10);
        assert_eq!(
            next_click(&truth, &missing_much),
            Some(Click::positive(3.0, 3.0))
        );
        let too_much = block(0..20, 0..10);
        let click = next_click(&truth, &too_much).unwrap();
        assert!(!click.positive && click.x >= 10.0);
    }

    #[test]
    fn equally_deep_errors_get_a_negative_click() {
        let (truth, found) = (block(0..4, 0..4), block(10..14, 0..4));
        assert_eq!(next_click(&truth, &found), Some(Click::negative(11.0, 1.0)));
        assert_eq!(next_click(&truth, &truth), None);
    }

    #[test]
    fn the_picture_border_is_outside() {
        // Without that rule the deepest pixel would lie on the border.
        assert_eq!(
            first_click(&block(0..5, 0..5)),
            Some(Click::positive(2.0, 2.0))
        );
    }
}
