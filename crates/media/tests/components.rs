//! Connected regions, against a plain flood fill.

use masklet_media::Mask;
use masklet_media::components::{
    Region, connected_components, erase_small_islands, fill_small_holes, remove_small_regions,
};
use proptest::prelude::*;

/// A mask from rows of text, `#` being the object.
fn drawn(rows: &[&str]) -> Mask {
    let bits = rows
        .iter()
        .flat_map(|row| row.bytes().map(|byte| byte == b'#'))
        .collect();
    Mask::from_bits(rows[0].len() as u32, rows.len() as u32, bits).unwrap()
}

fn flood_fill(width: usize, inside: &[bool]) -> (Vec<u32>, Vec<u64>) {
    let mut labels = vec![0u32; inside.len()];
    let mut areas = Vec::new();
    for start in 0..inside.len() {
        if !inside[start] || labels[start] != 0 {
            continue;
        }
        areas.push(0);
        let mut open = vec![start];
        labels[start] = areas.len() as u32;
        while let Some(at) = open.pop() {
            *areas.last_mut().unwrap() += 1;
            let (x, y) = ((at % width) as i64, (at / width) as i64);
            for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))) {
                let (x, y) = (x + dx, y + dy);
                if !(0..width as i64).contains(&x) || y < 0 {
                    continue;
                }
                let next = y as usize * width + x as usize;
                if inside.get(next) == Some(&true) && labels[next] == 0 {
                    labels[next] = areas.len() as u32;
                    open.push(next);
                }
            }
        }
    }
    (labels, areas)
}

proptest! {
    #[test]
    fn labels_and_areas_equal_a_flood_fill(
        width in 1usize..24,
        height in 0usize..24,
        density in 0.0..=1.0f64,
        seed in proptest::collection::vec(0.0..1.0f64, 24 * 24),
    ) {
        let inside: Vec<bool> = seed[..width * height].iter().map(|&v| v < density).collect();
        let found = connected_components(width as u32, height as u32, &inside).unwrap();
        let (labels, areas) = flood_fill(width, &inside);
        prop_assert_eq!(found.labels, labels);
        prop_assert_eq!(found.areas, areas);
    }
}

#[test]
fn corners_connect_but_the_right_edge_does_not_meet_the_next_row() {
    let diagonal = drawn(&["#..", ".#.", "..#"]);
    assert_eq!(
        connected_components(3, 3, diagonal.bits()).unwrap().areas,
        [3]
    );
    let wrapped = drawn(&["..#", "#..", "..#"]);
    assert_eq!(
        connected_components(3, 3, wrapped.bits()).unwrap().areas,
        [1, 1, 1]
    );
}

#[test]
fn holes_up_to_the_area_are_filled_and_larger_ones_stay() {
    let mask = drawn(&["#######", "#.##..#", "#.##..#", "#######"]);
    let mut logits: Vec<f32> = mask
        .bits()
        .iter()
        .map(|&bit| if bit { 5.0 } else { -5.0 })
        .collect();
    fill_small_holes(&mut logits, (7, 4), 0.0, 2, 0.1).unwrap();
    assert_eq!((logits[8], logits[15]), (0.1, 0.1));
    assert_eq!((logits[11], logits[19]), (-5.0, -5.0));
    assert!(fill_small_holes(&mut logits, (7, 5), 0.0, 2, 0.1).is_err());
}

#[test]
fn small_background_is_filled_wherever_it_lies_as_in_the_reference() {
    let mut logits = vec![0.0, 1.0, 1.0, 1.0];
    fill_small_holes(&mut logits, (2, 2), 0.0, 1, 0.1).unwrap();
    assert_eq!(logits, [0.1, 1.0, 1.0, 1.0]);
}

#[test]
fn specks_in_logits_are_erased() {
    let mut logits = vec![3.0, -1.0, -1.0, -1.0, 2.0, 2.0];
    erase_small_islands(&mut logits, (6, 1), 0.0, 1, -10.0).unwrap();
    assert_eq!(logits, [-10.0, -1.0, -1.0, -1.0, 2.0, 2.0]);
}

#[test]
fn islands_below_the_area_go_but_the_largest_stays_if_all_are_small() {
    let mut mask = drawn(&["#..##", "....."]);
    assert!(remove_small_regions(&mut mask, 2, Region::Island));
    assert_eq!(mask, drawn(&["...##", "....."]));
    assert!(!remove_small_regions(&mut mask, 2, Region::Island));
    let mut mask = drawn(&["#.##.##"]);
    assert!(remove_small_regions(&mut mask, 100, Region::Island));
    assert_eq!(mask, drawn(&["..##..."]));
}

#[test]
fn holes_below_the_area_are_filled_in_a_mask() {
    let mut mask = drawn(&["####", "#.##", "####", "...."]);
    assert!(remove_small_regions(&mut mask, 2, Region::Hole));
    assert_eq!(mask, drawn(&["####", "####", "####", "...."]));
    let mut empty = Mask::empty(0, 0);
    assert!(!remove_small_regions(&mut empty, 5, Region::Hole));
}
