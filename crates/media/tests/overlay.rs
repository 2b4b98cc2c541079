//! Overlays: where they paint and where they do not.

use masklet_media::overlay::{PALETTE, colour_of, draw_frame_number, draw_labels};
use masklet_media::{Mask, MediaError, OverlayObject, PromptMark, RgbImage, draw_overlay};

const GREY: [u8; 3] = [100; 3];

fn square() -> Mask {
    Mask::from_fn(200, 150, |x, y| {
        (50..150).contains(&x) && (40..110).contains(&y)
    })
}

fn drawn(mask: Option<&Mask>, prompts: &[PromptMark]) -> RgbImage {
    let picture = RgbImage::filled(200, 150, GREY).unwrap();
    draw_overlay(
        &picture,
        &[OverlayObject {
            id: 1,
            mask,
            prompts,
        }],
    )
    .unwrap()
}

#[test]
fn the_object_is_tinted_outlined_in_its_colour_and_the_rest_untouched() {
    let shown = drawn(Some(&square()), &[]);
    let inside = shown.pixel(100, 75).unwrap();
    assert_ne!(inside, GREY);
    let edge = shown.pixel(100, 40).unwrap();
    let distance = |a: [u8; 3]| {
        (0..3)
            .map(|c| a[c].abs_diff(colour_of(1)[c]))
            .max()
            .unwrap()
    };
    assert!(distance(edge) < distance(inside), "{edge:?} {inside:?}");
    assert_eq!(shown.pixel(100, 20), Some(GREY));
    assert_eq!(shown.pixel(5, 75), Some(GREY));
}

#[test]
fn a_mask_that_covers_everything_has_no_line_at_the_pictures_edge() {
    let full = Mask::from_fn(200, 150, |_, _| true);
    let shown = drawn(Some(&full), &[]);
    assert_eq!(shown.pixel(0, 0), shown.pixel(100, 75));
}

#[test]
fn a_single_pixel_is_visible_and_an_empty_mask_changes_nothing() {
    let dot = Mask::from_fn(200, 150, |x, y| (x, y) == (199, 149));
    assert_ne!(drawn(Some(&dot), &[]).pixel(199, 149), Some(GREY));
    assert_eq!(drawn(Some(&Mask::empty(200, 150)), &[]), drawn(None, &[]));
}

#[test]
fn positive_and_negative_points_and_boxes_look_different() {
    let point = |positive| {
        drawn(
            None,
            &[PromptMark::Point {
                x: 100.0,
                y: 75.0,
                positive,
            }],
        )
    };
    let green = point(true).pixel(104, 79).unwrap();
    let red = point(false).pixel(104, 79).unwrap();
    assert!(green[1] > green[0] && red[0] > red[1], "{green:?} {red:?}");
    let boxed = drawn(
        None,
        &[PromptMark::Box {
            x0: 20.0,
            y0: 20.0,
            x1: 180.0,
            y1: 130.0,
        }],
    );
    assert_ne!(boxed.pixel(20, 70), Some(GREY));
    assert_eq!(boxed.pixel(100, 70), Some(GREY));
}

#[test]
fn marks_outside_the_picture_or_at_no_place_are_harmless() {
    for v in [
        -1e9,
        -3.0,
        199.9,
        1e30,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ] {
        drawn(
            None,
            &[
                PromptMark::Point {
                    x: v,
                    y: v,
                    positive: true,
                },
                PromptMark::Box {
                    x0: v,
                    y0: -v,
                    x1: 20.0,
                    y1: 5.0,
                },
                PromptMark::Box {
                    x0: 20.0,
                    y0: 20.0,
                    x1: v,
                    y1: v,
                },
            ],
        );
    }
}

#[test]
fn a_mask_of_another_size_names_its_object() {
    let picture = RgbImage::filled(10, 10, GREY).unwrap();
    let object = OverlayObject {
        id: 42,
        mask: Some(&square()),
        prompts: &[],
    };
    let refused = draw_overlay(&picture, &[object]).unwrap_err();
    assert!(matches!(refused, MediaError::SizeMismatch { .. }));
    assert!(refused.to_string().contains("object 42"));
}

#[test]
fn a_thousand_objects_have_colours_of_their_own() {
    let colours: Vec<[u8; 3]> = (1..=1000).map(colour_of).collect();
    assert_eq!(colours[..24], PALETTE);
    for (index, colour) in colours.iter().enumerate() {
        assert!(
            !colours[index + 1..].contains(colour),
            "object {}",
            index + 1
        );
    }
    assert_eq!(colour_of(0), PALETTE[23]);
    colour_of(u32::MAX);
}

#[test]
fn numbers_stand_on_objects_and_hidden_ones_in_the_corner() {
    let labelled = |mask: Option<&Mask>| {
        let mut canvas = RgbImage::filled(200, 150, GREY).unwrap();
        let object = OverlayObject {
            id: 12,
            mask,
            prompts: &[],
        };
        draw_labels(&mut canvas, &[object]);
        canvas
    };
    let untouched = |canvas: &RgbImage, x, y| canvas.pixel(x, y) == Some(GREY);
    let seen = labelled(Some(&square()));
    assert!(!untouched(&seen, 100, 75) && untouched(&seen, 8, 8));
    let hidden = labelled(Some(&Mask::empty(200, 150)));
    assert!(untouched(&hidden, 100, 75) && !untouched(&hidden, 8, 8));
    assert_eq!(hidden, labelled(None));
}

#[test]
fn a_number_stands_on_the_object_also_if_it_is_in_two_parts() {
    // The centre of mass is between them.
    let bars = Mask::from_fn(200, 150, |x, y| {
        (20..60).contains(&x) && !(30..120).contains(&y)
    });
    let mut canvas = RgbImage::filled(200, 150, GREY).unwrap();
    let object = OverlayObject {
        id: 1,
        mask: Some(&bars),
        prompts: &[],
    };
    draw_labels(&mut canvas, &[object]);
    assert_eq!(canvas.pixel(40, 75), Some(GREY));
    assert_ne!(canvas.pixel(40, 120), Some(GREY));
}

#[test]
fn numbers_of_any_length_fit_pictures_of_any_size() {
    for (width, height) in [(1, 1), (3, 200), (200, 3)] {
        let mask = Mask::from_fn(width, height, |_, _| true);
        let mut canvas = RgbImage::filled(width, height, GREY).unwrap();
        let object = OverlayObject {
            id: u32::MAX,
            mask: Some(&mask),
            prompts: &[],
        };
        draw_labels(&mut canvas, &[object]);
        draw_frame_number(&mut canvas, usize::MAX);
    }
}
