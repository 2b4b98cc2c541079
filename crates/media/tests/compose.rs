//! Cutouts and backgrounds: the object's pixels stay, the others are replaced.

use masklet_media::compose::{Background, replace_background, save_cutout};
use masklet_media::{Mask, RgbImage};

/// A red left half and a blue right half.
fn picture() -> RgbImage {
    let pixels = (0..40 * 60).flat_map(|i| {
        if i % 40 < 20 {
            [200, 0, 0]
        } else {
            [0, 0, 200]
        }
    });
    RgbImage::from_raw(40, 60, pixels.collect()).unwrap()
}

fn mask() -> Mask {
    Mask::from_fn(40, 60, |x, y| x < 10 && y < 10)
}

#[test]
fn a_cutout_is_transparent_outside_the_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cutout.png");
    save_cutout(&picture(), &mask(), &path).unwrap();
    let read = image::open(&path).unwrap().into_rgba8();
    assert_eq!(read.get_pixel(3, 3).0, [200, 0, 0, 255]);
    assert_eq!(read.get_pixel(15, 3).0, [0; 4]);
}

#[test]
fn a_colour_replaces_everything_but_the_object() {
    let shown = replace_background(&picture(), &mask(), &Background::Colour([1, 2, 3])).unwrap();
    assert_eq!(shown.pixel(3, 3), Some([200, 0, 0]));
    assert_eq!(shown.pixel(15, 3), Some([1, 2, 3]));
}

#[test]
fn a_blurred_background_keeps_even_areas_and_mixes_across_edges() {
    let shown = replace_background(&picture(), &mask(), &Background::Blur).unwrap();
    assert_eq!(shown.pixel(3, 30), Some([200, 0, 0]));
    assert_eq!(shown.pixel(39, 30), Some([0, 0, 200]));
    let [red, _, blue] = shown.pixel(20, 30).unwrap();
    assert!(
        (20..180).contains(&red) && (20..180).contains(&blue),
        "{red} {blue}"
    );
    assert_eq!(shown.pixel(9, 9), Some([200, 0, 0]));
}

#[test]
fn a_picture_covers_the_frame_without_being_squeezed() {
    // Green with a white frame around: of a wide picture, the sides are cut off.
    let wide = RgbImage::from_raw(
        200,
        60,
        (0..200 * 60)
            .flat_map(|i| {
                if (70..130).contains(&(i % 200)) {
                    [0, 200, 0]
                } else {
                    [255; 3]
                }
            })
            .collect(),
    );
    let background = Background::Picture(wide.unwrap());
    let shown = replace_background(&picture(), &mask(), &background).unwrap();
    assert_eq!(shown.dimensions(), (40, 60));
    assert_eq!(shown.pixel(20, 59), Some([0, 200, 0]));
    assert_eq!(shown.pixel(3, 3), Some([200, 0, 0]));
}

#[test]
fn a_mask_of_another_size_is_refused() {
    let small = Mask::empty(10, 10);
    assert!(replace_background(&picture(), &small, &Background::Blur).is_err());
}
