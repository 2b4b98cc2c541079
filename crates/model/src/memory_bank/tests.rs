//! What is remembered, forgotten and attended to.

use super::*;
use crate::config::Preset;

fn config() -> MemoryConfig {
    Preset::ALL[4].config().memory
}

fn bank(conditioning: &[usize], recent: impl IntoIterator<Item = usize>) -> MemoryBank<usize> {
    let mut bank = MemoryBank::default();
    for &t in conditioning {
        bank.insert_conditioning(t, t);
    }
    for t in recent {
        bank.insert_recent(t, t);
    }
    bank
}

fn spatial(selection: &Selection<'_, usize>) -> Vec<(usize, usize)> {
    selection
        .spatial
        .iter()
        .map(|m| (m.age, *m.entry))
        .collect()
}

fn pointers(selection: &Selection<'_, usize>) -> Vec<(f32, usize)> {
    selection
        .pointers
        .iter()
        .map(|m| (m.distance, *m.entry))
        .collect()
}

#[test]
fn the_six_frames_before_and_the_prompted_frame_are_attended_to() {
    let bank = bank(&[0], 1..20);
    let selection = bank.select(20, Direction::Forward, None, &config(), RecentChoice::ByAge);
    let expected = [(0, 0), (6, 14), (5, 15), (4, 16), (3, 17), (2, 18), (1, 19)];
    assert_eq!(spatial(&selection), expected);
    assert_eq!(pointers(&selection)[0], (20.0, 0));
    assert_eq!(pointers(&selection).len(), 16);
    assert_eq!(selection.max_distance, 15.0);
}

#[test]
fn backward_tracking_looks_at_later_frames() {
    let bank = bank(&[9], 3..9);
    let selection = bank.select(
        2,
        Direction::Backward,
        Some(10),
        &config(),
        RecentChoice::ByAge,
    );
    let expected = [(0, 9), (6, 8), (5, 7), (4, 6), (3, 5), (2, 4), (1, 3)];
    assert_eq!(spatial(&selection), expected);
    assert_eq!(pointers(&selection)[..2], [(7.0, 9), (1.0, 3)]);
    assert_eq!(selection.max_distance, 9.0);
}

#[test]
fn pointers_of_prompted_frames_ahead_are_left_out_but_their_memories_are_not() {
    let bank = bank(&[0, 8], 1..4);
    let selection = bank.select(4, Direction::Forward, None, &config(), RecentChoice::ByAge);
    assert_eq!(spatial(&selection)[..2], [(0, 0), (0, 8)]);
    let pointers = pointers(&selection);
    assert_eq!(pointers, [(4.0, 0), (1.0, 3), (2.0, 2), (3.0, 1)]);
}

#[test]
fn over_the_limit_the_nearest_prompted_frames_are_kept_and_near_others_count_as_recent() {
    let config = MemoryConfig {
        max_conditioning_frames: Some(2),
        ..config()
    };
    let bank = bank(&[0, 3, 4, 9], []);
    let selection = bank.select(5, Direction::Forward, None, &config, RecentChoice::ByAge);
    // 4 is the nearest before and 9 the nearest after; 3 lies two frames back, 0 five.
    assert_eq!(spatial(&selection), [(0, 4), (0, 9), (5, 0), (2, 3)]);
}

#[test]
fn with_a_stride_recent_frames_lie_on_its_multiples_and_the_last_frame_is_always_there() {
    let config = MemoryConfig {
        temporal_stride: 3,
        num_maskmem: 4,
        ..config()
    };
    let bank = bank(&[0], 1..20);
    let forward = bank.select(12, Direction::Forward, None, &config, RecentChoice::ByAge);
    assert_eq!(spatial(&forward), [(0, 0), (3, 6), (2, 9), (1, 11)]);
    let backward = bank.select(5, Direction::Backward, None, &config, RecentChoice::ByAge);
    assert_eq!(spatial(&backward), [(0, 0), (3, 12), (2, 9), (1, 6)]);
}

#[test]
fn a_bank_that_forgets_has_the_same_selection_and_a_bounded_size() {
    let worthy = |frame: usize, _: &usize| frame.is_multiple_of(7);
    let choices = [RecentChoice::ByAge, RecentChoice::Worthy(&worthy)];
    for (stride, choice) in [1, 5].into_iter().flat_map(|s| choices.map(|c| (s, c))) {
        let config = MemoryConfig {
            temporal_stride: stride,
            ..config()
        };
        let mut all = bank(&[0], []);
        let mut bounded = bank(&[0], []);
        for frame in 1..200 {
            let select = |bank: &MemoryBank<usize>| {
                let s = bank.select(frame, Direction::Forward, None, &config, choice);
                (spatial(&s), pointers(&s))
            };
            assert_eq!(select(&bounded), select(&all));
            for bank in [&mut all, &mut bounded] {
                bank.insert_recent(frame, frame);
                if frame % 50 == 0 {
                    bank.anchor(frame, 2);
                }
            }
            bounded.forget_unreachable(frame, Direction::Forward, &config, choice);
            assert!(bounded.len() < 50);
        }
    }
}

#[test]
fn unworthy_frames_are_passed_over_except_the_one_just_before() {
    let bank = bank(&[0], 1..20);
    let worthy = |frame: usize, _: &usize| frame.is_multiple_of(4);
    let choice = RecentChoice::Worthy(&worthy);
    let forward = bank.select(20, Direction::Forward, None, &config(), choice);
    let expected = [(0, 0), (5, 4), (4, 8), (3, 12), (2, 16), (1, 19)];
    assert_eq!(spatial(&forward), expected);
    // Pointers are those of the reference.
    assert_eq!(pointers(&forward).len(), 16);
    let backward = bank.select(2, Direction::Backward, None, &config(), choice);
    let expected = [(0, 0), (5, 16), (4, 12), (3, 8), (2, 4), (1, 3)];
    assert_eq!(spatial(&backward), expected);
}

#[test]
fn anchors_stay_and_take_the_place_of_recent_frames() {
    let mut bank = bank(&[0], 1..60);
    for frame in [10, 20, 30] {
        bank.anchor(frame, 2);
    }
    let worthy = |_: usize, _: &usize| true;
    let choice = RecentChoice::Worthy(&worthy);
    bank.forget_unreachable(59, Direction::Forward, &config(), choice);
    let selection = bank.select(60, Direction::Forward, None, &config(), choice);
    let expected = [(0, 0), (0, 20), (0, 30), (4, 56), (3, 57), (2, 58), (1, 59)];
    assert_eq!(spatial(&selection), expected);
}

#[test]
fn what_is_far_is_forgotten_on_both_sides_but_for_prompted_frames() {
    let mut bank = MemoryBank::default();
    bank.insert_conditioning(0, 0);
    for frame in 1..100 {
        bank.insert_recent(frame, frame);
    }
    bank.forget_beyond(50, 20);
    let left: Vec<usize> = bank.recent_entries().map(|(frame, _)| frame).collect();
    assert_eq!(left, (30..=70).collect::<Vec<_>>());
    assert_eq!(bank.conditioning(0), Some(&0));
}

#[test]
fn a_limit_on_prompted_frames_keeps_the_first_and_the_latest() {
    let mut bank = bank(&[3, 10, 20, 30], 4..8);
    assert_eq!(bank.limit_conditioning(2), [10, 20]);
    assert_eq!(bank.conditioning_frames().collect::<Vec<_>>(), [3, 30]);
    assert!(bank.limit_conditioning(2).is_empty());
}

#[test]
fn a_demoted_frame_is_remembered_as_an_ordinary_one() {
    let mut bank = bank(&[0, 5], []);
    assert!(bank.demote(5) && !bank.demote(5));
    assert_eq!(bank.conditioning_frames().collect::<Vec<_>>(), [0]);
    assert_eq!(bank.get(5), Some(&5));
}

#[test]
fn a_correction_can_clear_the_memories_around_it() {
    let mut bank = bank(&[10], (0..30).filter(|&t| t != 10));
    bank.forget_around(10, &config());
    assert_eq!(bank.get(3), None);
    assert_eq!(bank.get(17), None);
    assert_eq!(
        (bank.get(2), bank.get(18), bank.get(10)),
        (Some(&2), Some(&18), Some(&10))
    );
}
