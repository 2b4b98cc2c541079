//! The simulation follows its stated distributions, and the reference's.
//!
//! Seeds are fixed. Counts are compared with what is expected by Pearson's chi-square test at the
//! 0.1% level, or with the frequencies that `tools/reference/simulation.py` printed for the
//! official training model (sam2 1.1.0), within four standard deviations of the difference.

use std::collections::{BTreeMap, BTreeSet};

use masklet_media::Mask;
use masklet_model::{Point, PointLabel};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const DRAWS: usize = 40_000;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(20_240_800)
}

/// Fails if counts are not those of the `expected` probabilities, at the 0.1% level.
fn assert_follows(observed: &[usize], expected: &[f64]) {
    let total: usize = observed.iter().sum();
    let pairs = observed.iter().zip(expected);
    let statistic: f64 = pairs
        .map(|(&count, &probability)| {
            let mean = probability * total as f64;
            (count as f64 - mean).powi(2) / mean
        })
        .sum();
    // The quantile by Wilson and Hilferty's approximation.
    let freedom = (expected.len() - 1) as f64;
    let variance = 2.0 / (9.0 * freedom);
    let critical = freedom * (1.0 - variance + 3.09 * variance.sqrt()).powi(3);
    assert!(
        statistic < critical,
        "{observed:?} of {expected:?}: chi-square {statistic:.1} of at most {critical:.1}"
    );
}

/// Fails if a count of [`DRAWS`] is not a frequency that the reference has in as many.
fn assert_frequency(what: &str, count: usize, reference: f64) {
    let found = count as f64 / DRAWS as f64;
    let deviation = (2.0 * reference * (1.0 - reference) / DRAWS as f64).sqrt();
    assert!(
        (found - reference).abs() <= 4.0 * deviation,
        "{what}: {found:.4}, the reference has {reference:.4}"
    );
}

fn plans(options: PromptOptions, frames: usize) -> impl Iterator<Item = PromptPlan> {
    let mut rng = rng();
    (0..DRAWS).map(move |_| PromptPlan::draw(&options, frames, &mut rng))
}

#[test]
fn prompts_are_masks_clicks_and_boxes_in_the_stated_mixture() {
    let mut kinds = BTreeMap::new();
    for plan in plans(PromptOptions::default(), 8) {
        *kinds
            .entry(format!("{:?}", plan.prompted()[0].1))
            .or_insert(0) += 1;
    }
    let observed: Vec<usize> = kinds.values().copied().collect();
    assert_eq!(kinds.keys().collect::<Vec<_>>(), ["Box", "Click", "Mask"]);
    assert_follows(&observed, &[0.25, 0.25, 0.5]);
    let reference = [("Box", 0.2439), ("Click", 0.2536), ("Mask", 0.5025)];
    for (kind, frequency) in reference {
        assert_frequency(kind, kinds[kind], frequency);
    }
}

#[test]
fn numbers_of_prompted_and_corrected_frames_are_the_references() {
    let mut numbers = BTreeMap::new();
    for plan in plans(PromptOptions::default(), 8) {
        let by_mask = plan.prompted()[0].1 == FirstPrompt::Mask;
        let key = (by_mask, plan.prompted().len(), plan.corrected().len());
        *numbers.entry(key).or_insert(0) += 1;
    }
    let reference = [
        ((false, 1, 1), 0.1232),
        ((false, 1, 2), 0.1256),
        ((false, 2, 2), 0.2487),
        ((true, 1, 0), 0.2516),
        ((true, 2, 0), 0.2509),
    ];
    assert_eq!(numbers.len(), reference.len(), "{numbers:?}");
    for (key, frequency) in reference {
        assert_frequency(&format!("{key:?}"), numbers[&key], frequency);
    }
    let observed: Vec<usize> = numbers.values().copied().collect();
    assert_follows(&observed, &[0.125, 0.125, 0.25, 0.25, 0.25]);
}

#[test]
fn every_later_frame_is_prompted_and_corrected_equally_often() {
    let (mut prompted, mut corrected) = ([0; 8], [0; 8]);
    for plan in plans(PromptOptions::default(), 8) {
        for frame in 0..8 {
            prompted[frame] += usize::from(plan.prompt(frame).is_some());
            corrected[frame] += usize::from(plan.is_corrected(frame));
        }
    }
    assert_eq!(prompted[0], DRAWS);
    assert_frequency("frame 0 corrected", corrected[0], 0.4975);
    let reference = [
        (0.0699, 0.0527),
        (0.0728, 0.0546),
        (0.0727, 0.0536),
        (0.0712, 0.0541),
        (0.0698, 0.0537),
        (0.0716, 0.0531),
        (0.0716, 0.0525),
    ];
    for (frame, frequency) in (1..).zip(reference) {
        assert_frequency("prompted", prompted[frame], frequency.0);
        assert_frequency("corrected", corrected[frame], frequency.1);
    }
    assert_follows(&prompted[1..], &[1.0 / 7.0; 7]);
    assert_follows(&corrected[1..], &[1.0 / 7.0; 7]);
}

#[test]
fn a_plan_is_consistent_whatever_is_drawn() {
    let options = PromptOptions {
        prompted_frames: 3,
        corrected_frames: 5,
        ..PromptOptions::default()
    };
    let mut sizes = BTreeSet::new();
    for plan in plans(options, 6).take(5000) {
        let first: Vec<usize> = plan.prompted().iter().map(|&(frame, _)| frame).collect();
        let masks = plan.prompted().iter().filter(|p| p.1 == FirstPrompt::Mask);
        let masks = masks.count();
        assert!(masks == 0 || (masks == first.len() && plan.corrected().is_empty()));
        assert_eq!(first[0], 0);
        let order: Vec<usize> = plan.order().collect();
        assert_eq!(order[..first.len()], first);
        assert!(order[first.len()..].is_sorted());
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 6);
        let corrected: BTreeSet<usize> = plan.corrected().iter().copied().collect();
        assert_eq!(corrected.len(), plan.corrected().len());
        assert!(masks > 0 || first.iter().all(|frame| corrected.contains(frame)));
        for frame in 0..6 {
            let expected = first.contains(&frame) || corrected.contains(&frame);
            assert_eq!(plan.is_conditioning(frame), expected);
        }
        sizes.insert((first.len(), corrected.len()));
    }
    // With masks 1 to 3 frames and no correction; with points (1..=3, that..=5).
    assert_eq!(sizes.len(), 3 + 5 + 4 + 3);
}

#[test]
fn without_randomness_the_numbers_are_the_most() {
    let options = PromptOptions {
        points: 1.0,
        prompted_frames: 2,
        random_prompted_frames: false,
        corrected_frames: 4,
        random_corrected_frames: false,
        ..PromptOptions::default()
    };
    for plan in plans(options, 5).take(200) {
        assert_eq!((plan.prompted().len(), plan.corrected().len()), (2, 4));
    }
}

#[test]
fn a_single_frame_is_always_prompted_by_points_and_corrected() {
    let options = PromptOptions {
        points: 0.0,
        ..PromptOptions::default()
    };
    let mut boxes = 0;
    for plan in plans(options, 1) {
        assert_eq!(plan.prompted().len(), 1);
        assert_ne!(plan.prompted()[0].1, FirstPrompt::Mask);
        assert_eq!(plan.corrected(), [0]);
        assert!(plan.order().eq([0]));
        boxes += usize::from(plan.prompted()[0].1 == FirstPrompt::Box);
    }
    assert_follows(&[boxes, DRAWS - boxes], &[0.5, 0.5]);
}

#[test]
fn a_clip_shorter_than_the_options_has_all_its_frames_prompted() {
    let options = PromptOptions {
        points: 1.0,
        prompted_frames: 4,
        random_prompted_frames: false,
        corrected_frames: 6,
        ..PromptOptions::default()
    };
    let plan = PromptPlan::draw(&options, 2, &mut rng());
    assert_eq!((plan.prompted().len(), plan.corrected().len()), (2, 2));
}

/// A mask of 6x6 pixels that holds at these.
fn mask(pixels: &[(u32, u32)]) -> Mask {
    Mask::from_fn(6, 6, |x, y| pixels.contains(&(x, y)))
}

/// How often each (x, y, positive) was clicked.
fn clicks(mut click: impl FnMut(&mut ChaCha8Rng) -> Point) -> BTreeMap<(u32, u32, bool), usize> {
    let (mut rng, mut counts) = (rng(), BTreeMap::new());
    for _ in 0..DRAWS {
        let Point { x, y, label } = click(&mut rng);
        assert!(matches!(label, PointLabel::Positive | PointLabel::Negative));
        let key = (x as u32, y as u32, label == PointLabel::Positive);
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

/// Fails if clicks are not spread evenly over these pixels.
fn assert_even(counts: &BTreeMap<(u32, u32, bool), usize>, expected: &[(u32, u32, bool)]) {
    let expected: BTreeSet<_> = expected.iter().collect();
    assert!(counts.keys().eq(expected.iter().copied()), "{counts:?}");
    let observed: Vec<usize> = counts.values().copied().collect();
    let share = 1.0 / expected.len() as f64;
    match expected.len() {
        1 => assert_eq!(observed, [DRAWS]),
        many => assert_follows(&observed, &vec![share; many]),
    }
}

const OBJECT: [(u32, u32); 3] = [(0, 0), (1, 0), (2, 0)];
const PREDICTED: [(u32, u32); 4] = [(2, 0), (3, 0), (3, 1), (3, 2)];

#[test]
fn clicks_are_even_over_the_error_positive_where_missed_and_negative_where_false() {
    let (truth, predicted) = (mask(&OBJECT), mask(&PREDICTED));
    let counts = clicks(|rng| click_in_error(&truth, Some(&predicted), rng));
    let missed = [(0, 0, true), (1, 0, true)];
    let false_pixels = [(3, 0, false), (3, 1, false), (3, 2, false)];
    assert_even(&counts, &[&missed[..], &false_pixels].concat());
    // The reference, over 20,000 clicks.
    for (place, frequency) in [
        ((0, 0, true), 0.1976),
        ((1, 0, true), 0.1984),
        ((3, 0, false), 0.2019),
        ((3, 1, false), 0.1976),
        ((3, 2, false), 0.2044),
    ] {
        assert_frequency(&format!("{place:?}"), counts[&place], frequency);
    }
}

#[test]
fn without_a_prediction_clicks_are_even_over_the_object() {
    let truth = mask(&OBJECT);
    let counts = clicks(|rng| click_in_error(&truth, None, rng));
    assert_even(&counts, &OBJECT.map(|(x, y)| (x, y, true)));
}

fn all_but(object: &[(u32, u32)]) -> Vec<(u32, u32, bool)> {
    let all = (0..6).flat_map(|y| (0..6).map(move |x| (x, y)));
    let background = all.filter(|pixel| !object.contains(pixel));
    background.map(|(x, y)| (x, y, false)).collect()
}

#[test]
fn where_nothing_is_wrong_clicks_are_negative_in_the_background() {
    let truth = mask(&OBJECT);
    let counts = clicks(|rng| click_in_error(&truth, Some(&truth), rng));
    assert_even(&counts, &all_but(&OBJECT));
}

#[test]
fn clicks_for_an_object_that_is_not_visible_are_the_references() {
    let (empty, predicted) = (mask(&[]), mask(&PREDICTED));
    let counts = clicks(|rng| click_in_error(&empty, Some(&predicted), rng));
    assert_even(&counts, &PREDICTED.map(|(x, y)| (x, y, false)));
    for nothing in [None, Some(&empty)] {
        let counts = clicks(|rng| click_in_error(&empty, nothing, rng));
        assert_even(&counts, &all_but(&[]));
    }
}

#[test]
fn an_object_everywhere_that_is_predicted_right_is_clicked_as_in_the_reference() {
    let full = Mask::from_fn(6, 6, |_, _| true);
    let counts = clicks(|rng| click_in_error(&full, Some(&full), rng));
    assert_even(&counts, &[(0, 0, false)]);
}

#[test]
fn a_tenth_of_the_corrections_is_drawn_from_the_object() {
    let options = PromptOptions::default();
    let (truth, predicted) = ([mask(&OBJECT)], [mask(&PREDICTED)]);
    let counts = clicks(|rng| correction_clicks(&truth, &predicted, &options, rng)[0]);
    // (2, 0) is right, so it is clicked only when clicks are drawn from the object.
    let of_object = |missed: f64| missed * 0.9 + 0.1 / 3.0;
    let expected = [
        ((0, 0, true), of_object(0.2)),
        ((1, 0, true), of_object(0.2)),
        ((2, 0, true), of_object(0.0)),
        ((3, 0, false), 0.18),
        ((3, 1, false), 0.18),
        ((3, 2, false), 0.18),
    ];
    assert!(counts.keys().eq(expected.iter().map(|(place, _)| place)));
    let observed: Vec<usize> = counts.values().copied().collect();
    assert_follows(&observed, &expected.map(|(_, probability)| probability));
}

#[test]
fn all_objects_of_a_frame_are_corrected_from_their_objects_or_none() {
    let options = PromptOptions {
        from_object: 0.5,
        ..PromptOptions::default()
    };
    // One pixel of the object is right, one of the background wrong: the label tells the source.
    let (truth, predicted) = (mask(&[(1, 1)]), mask(&[(1, 1), (2, 2)]));
    let (truth, predicted) = ([truth.clone(), truth], [predicted.clone(), predicted]);
    let mut rng = rng();
    let mut labels = BTreeSet::new();
    for _ in 0..200 {
        let clicks = correction_clicks(&truth, &predicted, &options, &mut rng);
        assert_eq!(clicks[0].label, clicks[1].label);
        labels.insert(clicks[0].label == PointLabel::Positive);
    }
    assert_eq!(labels.len(), 2);
}

/// Boxes are measured, which takes longer.
const BOXES: usize = 5000;

/// Least, most and mean of the coordinates x0, y0, x1, y1 over many boxes.
fn boxes(mask: &Mask, options: &PromptOptions) -> [(f64, f64, f64); 4] {
    let mut rng = rng();
    let mut found = [(f64::MAX, f64::MIN, 0.0); 4];
    for _ in 0..BOXES {
        let [first, second] = noisy_box(mask, options, &mut rng);
        assert_eq!(first.label, PointLabel::BoxTopLeft);
        assert_eq!(second.label, PointLabel::BoxBottomRight);
        let corners = [first.x, first.y, second.x, second.y].map(f64::from);
        for (found, corner) in found.iter_mut().zip(corners) {
            *found = (
                found.0.min(corner),
                found.1.max(corner),
                found.2 + corner / BOXES as f64,
            );
        }
    }
    found
}

/// Fails if boxes have not these ranges and means, up to `tolerance`.
fn assert_boxes(found: [(f64, f64, f64); 4], expected: [(f64, f64, f64); 4], tolerance: f64) {
    for (found, expected) in found.iter().zip(expected) {
        let near = |a: f64, b: f64| (a - b).abs() <= tolerance;
        assert!(
            near(found.0, expected.0) && near(found.1, expected.1) && near(found.2, expected.2),
            "{found:?}, not {expected:?}"
        );
    }
}

#[test]
fn box_noise_is_a_tenth_of_the_side_at_most_20_pixels_and_stays_in_the_picture() {
    // Across, a tenth of 400 is more than 20; down, a tenth of 80 is 8.
    let wide = Mask::from_fn(512, 256, |x, y| {
        (2..403).contains(&x) && (10..91).contains(&y)
    });
    let found = boxes(&wide, &PromptOptions::default());
    assert!(found[0].0 == 0.0 && found[0].1 <= 22.0 && found[1].0 >= 2.0 && found[1].1 <= 18.0);
    let reference = [
        (0.0, 21.9976, 6.0251),
        (2.0027, 17.9994, 10.0054),
        (382.0002, 421.9993, 402.1109),
        (82.0001, 97.9997, 89.9795),
    ];
    assert_boxes(found, reference, 0.6);
}

#[test]
fn box_noise_is_even() {
    let square = Mask::from_fn(512, 512, |x, y| {
        (200..301).contains(&x) && (200..301).contains(&y)
    });
    let (mut rng, mut counts) = (rng(), [0; 20]);
    for _ in 0..BOXES {
        let [first, _] = noisy_box(&square, &PromptOptions::default(), &mut rng);
        counts[((first.x - 190.0) as usize).min(19)] += 1;
    }
    assert_follows(&counts, &[0.05; 20]);
}

#[test]
fn the_box_of_one_pixel_has_no_noise_and_without_noise_a_box_is_exact() {
    let pixel = mask(&[(3, 4)]);
    let exact = |x: f64, y: f64| [x, y].map(|side| (side, side, side));
    let expected: [_; 4] = [exact(3.0, 4.0), exact(3.0, 4.0)]
        .concat()
        .try_into()
        .unwrap();
    assert_boxes(boxes(&pixel, &PromptOptions::default()), expected, 1e-6);
    let options = PromptOptions {
        box_noise: 0.0,
        ..PromptOptions::default()
    };
    let expected: [_; 4] = [exact(0.0, 0.0), exact(2.0, 0.0)]
        .concat()
        .try_into()
        .unwrap();
    assert_boxes(boxes(&mask(&OBJECT), &options), expected, 1e-6);
}

#[test]
fn the_box_of_an_object_that_is_not_visible_is_the_references() {
    let found = boxes(&Mask::empty(512, 256), &PromptOptions::default());
    let reference = [
        (460.7070, 511.0, 498.6656),
        (230.3006, 255.0, 249.0310),
        (0.0, 50.2990, 12.3004),
        (0.0, 24.6954, 5.8919),
    ];
    assert_boxes(found, reference, 0.6);
}

#[test]
fn first_prompts_are_for_each_object_its_own() {
    let (mut rng, options) = (rng(), PromptOptions::default());
    let truth = [mask(&[(1, 1)]), mask(&[(4, 2)])];
    let mut points = |prompt| first_prompts(prompt, &truth, &options, &mut rng);
    assert_eq!(points(FirstPrompt::Mask), [vec![], vec![]]);
    let places = |points: Vec<Vec<Point>>| -> Vec<Vec<(f32, f32)>> {
        let of = |points: Vec<Point>| points.iter().map(|p| (p.x, p.y)).collect();
        points.into_iter().map(of).collect()
    };
    assert_eq!(
        places(points(FirstPrompt::Click)),
        [[(1.0, 1.0)], [(4.0, 2.0)]]
    );
    let corners = [[(1.0, 1.0); 2], [(4.0, 2.0); 2]];
    assert_eq!(places(points(FirstPrompt::Box)), corners);
}

#[test]
fn options_out_of_range_are_named() {
    let changed = |change: fn(&mut PromptOptions)| {
        let mut options = PromptOptions::default();
        change(&mut options);
        options.check().map_err(|error| error.field)
    };
    assert_eq!(changed(|_| ()), Ok(()));
    let bad = |field: &str| Err(field.to_owned());
    assert_eq!(changed(|o| o.points = 1.5), bad("points"));
    assert_eq!(changed(|o| o.boxes = f64::NAN), bad("boxes"));
    assert_eq!(changed(|o| o.from_object = -0.1), bad("from_object"));
    assert_eq!(changed(|o| o.prompted_frames = 0), bad("prompted_frames"));
    assert_eq!(changed(|o| o.corrected_frames = 1), bad("corrected_frames"));
    assert_eq!(changed(|o| o.box_noise = 2.0), bad("box_noise"));
    assert_eq!(
        changed(|o| o.box_noise_limit = -1.0),
        bad("box_noise_limit")
    );
}
