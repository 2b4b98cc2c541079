//! Outlines: what they enclose is the mask.

use masklet_media::{Mask, contours};
use proptest::prelude::*;

fn mask(rows: &[&str]) -> Mask {
    let (width, height) = (rows[0].len() as u32, rows.len() as u32);
    Mask::from_fn(width, height, |x, y| {
        rows[y as usize].as_bytes()[x as usize] == b'#'
    })
}

#[test]
fn an_outline_lists_corners_clockwise() {
    let found = contours::trace(&mask(&["....", ".##.", ".#..", "...."]));
    assert_eq!(found.len(), 1);
    assert!(!found[0].hole);
    assert_eq!(
        found[0].points,
        [(1, 1), (3, 1), (3, 2), (2, 2), (2, 3), (1, 3)]
    );
}

#[test]
fn a_hole_is_an_outline_of_its_own() {
    let found = contours::trace(&mask(&["###", "#.#", "###"]));
    assert_eq!(
        found.iter().map(|c| c.hole).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(found[1].points.len(), 4);
}

#[test]
fn parts_that_touch_at_a_corner_are_one() {
    assert_eq!(contours::trace(&mask(&["#.", ".#"])).len(), 1);
    assert_eq!(contours::trace(&mask(&["#..", "..#"])).len(), 2);
    assert!(contours::trace(&Mask::empty(3, 2)).is_empty());
    assert!(contours::trace(&Mask::empty(0, 0)).is_empty());
}

proptest! {
    #[test]
    fn outlines_enclose_the_area_of_the_mask(bits in prop::collection::vec(any::<bool>(), 11 * 8)) {
        let mask = Mask::from_bits(11, 8, bits).unwrap();
        let signed: i64 = contours::trace(&mask).iter().map(|contour| {
            let next = contour.points.iter().cycle().skip(1);
            let doubled: i64 = contour.points.iter().zip(next)
                .map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1))
                .sum();
            assert_eq!(contour.hole, doubled < 0);
            doubled / 2
        }).sum();
        prop_assert_eq!(signed as u64, mask.area());
    }
}
