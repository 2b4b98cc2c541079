//! Clips: sampling, transforms, and clips made of pictures.

mod common;

use common::{Folder, SIZE};
use masklet_data::clip::{
    Affine, AffineRange, Augmentation, Clip, ClipFrame, ColourRange, MotionOptions, SampleOptions,
    clip_from_image, sample_clip,
};
use masklet_data::{DataError, Dataset, ReadOptions, Sequence, SkipReason, open};
use masklet_media::components::connected_components;
use masklet_media::{Mask, RgbImage};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// White where the mask is, black elsewhere.
fn painted(mask: &Mask) -> RgbImage {
    let pixels = mask
        .bits()
        .iter()
        .flat_map(|&inside| [u8::from(inside) * 255; 3]);
    RgbImage::from_raw(mask.width(), mask.height(), pixels.collect()).unwrap()
}

/// An ellipse and a stripe, moving to the right.
fn moving_shapes(width: u32, height: u32, frames: u32) -> Clip {
    let frame = |step: u32| {
        let mask = Mask::from_fn(width, height, |x, y| {
            let dx = (f64::from(x) - f64::from(width / 3 + 2 * step)) / f64::from(width / 5);
            let dy = (f64::from(y) - f64::from(height / 2)) / f64::from(height / 4);
            dx * dx + dy * dy < 1.0 || (y + step) % height < 3
        });
        ClipFrame {
            picture: painted(&mask),
            masks: vec![mask],
        }
    };
    Clip {
        name: "shapes".into(),
        objects: vec![1],
        frames: (0..frames).map(frame).collect(),
    }
}

/// The fraction of pixels where the picture and the mask it was painted from disagree, leaving
/// out those within `slack` levels of the middle, which rounding may tip to either side.
fn disagreement(frame: &ClipFrame, slack: u8) -> f64 {
    let pixels = frame.picture.pixels().as_chunks::<3>().0;
    let wrong = pixels
        .iter()
        .zip(frame.masks[0].bits())
        .filter(|(pixel, inside)| pixel[0].abs_diff(127) > slack && (pixel[0] > 127) != **inside);
    wrong.count() as f64 / pixels.len() as f64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn pictures_and_masks_move_together_under_flips_and_affine_maps(
        width in 20u32..60, height in 20u32..60, flip: bool,
        rotation in -180f32..180.0, shear in -50f32..50.0, scale in 0.4f32..2.5,
        shift_x in -20f32..20.0, shift_y in -20f32..20.0,
    ) {
        let mut clip = moving_shapes(width, height, 2);
        if flip {
            clip = clip.flipped().unwrap();
        }
        let affine = Affine { rotation, shear, scale, shift: (shift_x, shift_y) };
        let moved = clip.moved(&affine, [0; 3]).unwrap();
        for frame in &moved.frames {
            prop_assert_eq!(disagreement(frame, 1), 0.0);
        }
    }

    #[test]
    fn pictures_and_masks_move_together_when_resized(
        width in 20u32..80, height in 20u32..80, side in 16u32..100,
    ) {
        let resized = moving_shapes(width, height, 2).resized(side).unwrap();
        prop_assert_eq!(resized.dimensions(), (side, side));
        for frame in &resized.frames {
            // Two filters: they differ on the outline and agree elsewhere.
            prop_assert_eq!(disagreement(frame, 60), 0.0);
            prop_assert!(disagreement(frame, 0) < 0.25);
        }
    }

    #[test]
    fn in_a_mosaic_the_masks_lie_on_the_copy_that_counts(
        width in 20u32..60, height in 20u32..60, target in 0usize..4, flips: [bool; 4],
    ) {
        let clip = moving_shapes(width, height, 2);
        let mosaic = clip.mosaic(target, flips).unwrap();
        for frame in &mosaic.frames {
            let (left, top) = (width / 2, height / 2);
            let inside = |x, y| (usize::from(x >= left) + 2 * usize::from(y >= top)) == target;
            for y in 0..height {
                for x in 0..width {
                    let (mask, value) = (frame.masks[0].contains(x, y), frame.picture.pixel(x, y).unwrap()[0]);
                    if inside(x, y) {
                        prop_assert!(value.abs_diff(127) < 60 || mask == (value > 127));
                    } else {
                        prop_assert!(!mask);
                    }
                }
            }
            prop_assert!(!frame.masks[0].is_empty());
        }
    }

    #[test]
    fn pictures_and_masks_move_together_through_the_whole_chain(seed: u64) {
        let options = Augmentation {
            affine: AffineRange { fill: [0; 3], scale: (0.8, 1.2), shift: 0.1, ..AffineRange::default() },
            mosaic: 0.0,
            resize: Some(48),
            ..Augmentation::default()
        };
        let clip = options.apply(moving_shapes(40, 30, 3), &mut rng(seed)).unwrap();
        clip.check().unwrap();
        for frame in &clip.frames {
            prop_assert!(disagreement(frame, 90) < 0.01);
        }
    }

    #[test]
    fn objects_of_a_made_up_clip_are_where_their_colour_is(seed: u64) {
        // A white object on black, nothing in front: the picture is the mask in every frame.
        let mask = Mask::from_fn(64, 48, |x, y| (20..36).contains(&x) && (14..30).contains(&y));
        let options = MotionOptions { occluders: (0, 0), ..MotionOptions::default() };
        let clip = clip_from_image("square", &painted(&mask), &[mask], &options, &mut rng(seed)).unwrap();
        prop_assert_eq!(clip.frames.len(), 8);
        for frame in &clip.frames {
            // The object's colour and its cover are both interpolated on the rim.
            prop_assert!(disagreement(frame, 80) < 0.01);
        }
    }
}

#[test]
fn transforms_are_shared_by_all_frames_but_for_the_colour_of_each() {
    let picture = RgbImage::filled(32, 32, [120, 60, 200]).unwrap();
    let mask = Mask::from_fn(32, 32, |x, y| x < 20 && y < 9);
    let frame = ClipFrame {
        picture,
        masks: vec![mask],
    };
    let clip = Clip {
        name: "still".into(),
        objects: vec![4],
        frames: vec![frame; 3],
    };
    let shared = Augmentation {
        frame_colour: ColourRange::default(),
        ..Augmentation::default()
    };
    for seed in 0..20 {
        let changed = shared.apply(clip.clone(), &mut rng(seed)).unwrap();
        assert!(
            changed
                .frames
                .iter()
                .all(|frame| *frame == changed.frames[0])
        );
    }
    let changed = Augmentation::default()
        .apply(clip.clone(), &mut rng(1))
        .unwrap();
    assert_ne!(changed.frames[0].picture, changed.frames[1].picture);
    assert_eq!(changed.frames[0].masks, changed.frames[1].masks);
    let again = Augmentation::default()
        .apply(clip.clone(), &mut rng(1))
        .unwrap();
    assert_eq!(changed, again, "the same seed gives the same clip");
    assert_eq!(
        Augmentation::none()
            .apply(clip.clone(), &mut rng(1))
            .unwrap(),
        clip
    );
}

#[test]
fn options_out_of_range_name_the_field() {
    let clip = || moving_shapes(20, 20, 1);
    let message =
        |options: Augmentation| options.apply(clip(), &mut rng(0)).unwrap_err().to_string();
    let flip = Augmentation {
        flip: 1.5,
        ..Augmentation::default()
    };
    assert_eq!(
        message(flip),
        "augmentation: flip is 1.5; 0 to 1 is accepted"
    );
    let scale = AffineRange {
        scale: (2.0, 1.0),
        ..AffineRange::default()
    };
    let affine = Augmentation {
        affine: scale,
        ..Augmentation::default()
    };
    assert!(message(affine).contains("smallest scale is 2"));
    let motion = MotionOptions {
        bend: f32::NAN,
        ..MotionOptions::default()
    };
    let picture = RgbImage::filled(8, 8, [0; 3]).unwrap();
    let error = clip_from_image("x", &picture, &[], &motion, &mut rng(0)).unwrap_err();
    assert!(error.to_string().contains("motion: bend"), "{error}");
    let unknown = serde_json::from_str::<Augmentation>(r#"{"flipp": 1}"#)
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("unknown field `flipp`") && unknown.contains("`flip`"),
        "{unknown}"
    );
}

/// A textured picture with two objects.
fn scene() -> (RgbImage, Vec<Mask>) {
    let disc = |cx: f64, cy: f64, r: f64| {
        Mask::from_fn(96, 72, |x, y| {
            (f64::from(x) - cx).hypot(f64::from(y) - cy) < r
        })
    };
    let masks = vec![disc(30.0, 36.0, 9.0), disc(66.0, 30.0, 12.0)];
    let pixels = (0..72u32)
        .flat_map(|y| (0..96u32).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let index = (y * 96 + x) as usize;
            let wave = ((x * 7 + y * 13) % 64) as u8;
            match (masks[0].bits()[index], masks[1].bits()[index]) {
                (true, _) => [220, wave, wave],
                (_, true) => [wave, 220, wave],
                _ => [wave, wave, 128],
            }
        });
    let picture = RgbImage::from_raw(96, 72, pixels.collect()).unwrap();
    (picture, masks)
}

#[test]
fn a_made_up_clip_begins_with_the_picture_and_moves() {
    let (picture, masks) = scene();
    let options = MotionOptions {
        occluders: (0, 0),
        ..MotionOptions::default()
    };
    let clip = clip_from_image("scene", &picture, &masks, &options, &mut rng(3)).unwrap();
    assert_eq!(clip.objects, [0, 1]);
    assert_eq!(clip.frames[0].picture, picture);
    assert_eq!(clip.frames[0].masks, masks);
    assert_ne!(clip.frames[7].masks, masks);
    // Every object is about as large at the end as scaling allows, and still in its colour.
    let last = &clip.frames[7];
    for (object, channel) in [(0, 0), (1, 1)] {
        let mask = &last.masks[object];
        let pixels = last.picture.pixels().as_chunks::<3>().0;
        let inside = pixels
            .iter()
            .zip(mask.bits())
            .filter(|(_, inside)| **inside);
        let coloured = inside
            .clone()
            .filter(|(pixel, _)| pixel[channel] > 140)
            .count();
        assert!(coloured as f64 >= 0.8 * inside.count() as f64);
    }
}

#[test]
fn objects_disappear_behind_what_passes_and_come_back() {
    let (picture, masks) = scene();
    let options = MotionOptions {
        occluders: (1, 1),
        hide: 1.0,
        shift: 0.05,
        ..MotionOptions::default()
    };
    let mut came_back = 0;
    for seed in 0..20 {
        let clip = clip_from_image("scene", &picture, &masks, &options, &mut rng(seed)).unwrap();
        let hidden = |object: usize| {
            let visible = clip
                .frames
                .iter()
                .map(|frame| !frame.masks[object].is_empty());
            let visible: Vec<bool> = visible.collect();
            let gone = visible.iter().position(|&seen| !seen);
            gone.is_some_and(|gone| visible[gone..].contains(&true))
        };
        assert!(clip.frames[0].masks.iter().all(|mask| !mask.is_empty()));
        came_back += usize::from((0..2).any(hidden));
    }
    assert_eq!(came_back, 20);
}

/// The scene's objects with one bar in front of one of them.
fn barred(hide: f64, seed: u64) -> Clip {
    let (picture, masks) = scene();
    let options = MotionOptions {
        occluders: (1, 1),
        hide,
        bars: 1.0,
        shift: 0.05,
        ..MotionOptions::default()
    };
    clip_from_image("scene", &picture, &masks, &options, &mut rng(seed)).unwrap()
}

#[test]
fn a_bar_hides_an_object_or_cuts_it_in_two() {
    for seed in 0..20 {
        let clip = barred(1.0, seed);
        let hidden = |object: usize| {
            let mut masks = clip.frames.iter().map(|frame| &frame.masks[object]);
            masks.any(Mask::is_empty)
        };
        assert!(clip.frames[0].masks.iter().all(|mask| !mask.is_empty()));
        assert!((0..2).any(hidden), "{seed}");
    }
    let mut cut = 0;
    for seed in 0..20 {
        let clip = barred(0.0, seed);
        // The scene's objects are of one part each, and stay it without the bar.
        let parts = |mask: &Mask| {
            let found = connected_components(mask.width(), mask.height(), mask.bits()).unwrap();
            found.areas.iter().filter(|&&area| area >= 5).count()
        };
        let masks = clip.frames.iter().flat_map(|frame| &frame.masks);
        cut += usize::from(masks.map(parts).max() >= Some(2));
    }
    assert!(cut >= 10, "{cut}");
}

#[test]
fn the_same_seed_makes_the_same_clip_and_another_seed_another() {
    let (picture, masks) = scene();
    let make = |seed| {
        clip_from_image(
            "scene",
            &picture,
            &masks,
            &MotionOptions::default(),
            &mut rng(seed),
        )
        .unwrap()
    };
    assert_eq!(make(5), make(5));
    assert_ne!(make(5), make(6));
}

#[test]
fn pictures_without_a_segment_of_the_right_size_cannot_be_used() {
    let (picture, _) = scene();
    let empty = Mask::empty(96, 72);
    let options = MotionOptions::default();
    let error = clip_from_image("scene", &picture, &[empty], &options, &mut rng(0)).unwrap_err();
    assert!(matches!(
        error,
        DataError::Unusable {
            reason: SkipReason::EmptyMasks,
            ..
        }
    ));
    let wrong = Mask::from_fn(5, 5, |_, _| true);
    let options = MotionOptions {
        area: (0.0, 1.0),
        ..options
    };
    assert!(clip_from_image("scene", &picture, &[wrong], &options, &mut rng(0)).is_err());
}

#[test]
fn large_pictures_are_scaled_down_first() {
    let (picture, masks) = scene();
    let options = MotionOptions {
        longest_side: 48,
        ..MotionOptions::default()
    };
    let clip = clip_from_image("scene", &picture, &masks, &options, &mut rng(0)).unwrap();
    assert_eq!(clip.dimensions(), (48, 36));
}

/// Ten frames in shades 0 to 9; object 1 on frames 4 to 9, object 2 on all of them.
fn sequence(folder: &Folder, first_of_2: usize) -> Box<dyn Sequence> {
    let stems: Vec<String> = (0..10).map(|frame| format!("{frame:05}")).collect();
    let names: Vec<&str> = stems.iter().map(String::as_str).collect();
    folder.pictures("frames", &names);
    for (frame, stem) in stems.iter().enumerate() {
        folder.labels(&format!("masks/{stem}.png"), |x, _| match x {
            0..3 if frame >= 4 => 1,
            5..8 if frame >= first_of_2 => 2,
            _ => 0,
        });
    }
    match open(folder.path(), &ReadOptions::default()).unwrap() {
        Dataset::Videos(videos) => videos.open(0).unwrap(),
        Dataset::Images(_) => panic!("images were recognised"),
    }
}

/// The frames of a clip, by their shade.
fn shades(clip: &Clip) -> Vec<u8> {
    clip.frames
        .iter()
        .map(|frame| frame.picture.pixel(0, 0).unwrap()[0])
        .collect()
}

#[test]
fn clips_of_a_sequence_keep_to_stride_objects_and_direction() {
    let folder = Folder::new();
    let sequence = sequence(&folder, 0);
    let options = SampleOptions {
        frames: 4,
        objects: 2,
        stride: (2, 3),
        reverse: 0.5,
    };
    let (mut backwards, mut strides) = (0, std::collections::BTreeSet::new());
    for seed in 0..60 {
        let clip = sample_clip(&*sequence, &options, &mut rng(seed)).unwrap();
        clip.check().unwrap();
        let shades: Vec<i32> = shades(&clip).into_iter().map(i32::from).collect();
        let steps: Vec<i32> = shades.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| *step == steps[0]), "{shades:?}");
        strides.insert(steps[0].abs());
        backwards += usize::from(steps[0] < 0);
        // Object 1 is in the clip only if it is on the first frame.
        assert_eq!(clip.objects.contains(&1), shades[0] >= 4);
        for (frame, shade) in clip.frames.iter().zip(shades) {
            for (object, mask) in clip.objects.iter().zip(&frame.masks) {
                let visible = *object == 2 || shade >= 4;
                assert_eq!(mask.area(), u64::from(visible) * 3 * u64::from(SIZE.1));
            }
        }
    }
    assert!((15..45).contains(&backwards));
    assert_eq!(strides.into_iter().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn strides_shrink_in_short_sequences_and_too_short_ones_are_told() {
    let folder = Folder::new();
    let sequence = sequence(&folder, 0);
    let options = SampleOptions {
        frames: 10,
        stride: (5, 5),
        reverse: 0.0,
        ..SampleOptions::default()
    };
    let clip = sample_clip(&*sequence, &options, &mut rng(0)).unwrap();
    assert_eq!(shades(&clip), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let longer = SampleOptions {
        frames: 11,
        ..options
    };
    let error = sample_clip(&*sequence, &longer, &mut rng(0)).unwrap_err();
    assert!(matches!(
        error,
        DataError::Unusable {
            reason: SkipReason::TooShort,
            ..
        }
    ));
}

#[test]
fn another_beginning_is_tried_where_nothing_is_visible() {
    let folder = Folder::new();
    let sequence = sequence(&folder, 9);
    let options = SampleOptions {
        frames: 2,
        reverse: 0.0,
        ..SampleOptions::default()
    };
    for seed in 0..20 {
        let clip = sample_clip(&*sequence, &options, &mut rng(seed)).unwrap();
        assert!(shades(&clip)[0] >= 4);
    }
}
