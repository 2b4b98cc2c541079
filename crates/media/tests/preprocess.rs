//! Preprocessing against PyTorch's and Pillow's own results (`tools/reference/media_fixtures.py`).

use masklet_media::{Mask, RgbImage, preprocess};

const CASES: [(&str, usize); 5] = [
    ("down", 16),
    ("up", 24),
    ("wide", 20),
    ("same", 12),
    ("tall", 24),
];

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(fixture(name)).unwrap();
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&four| f32::from_le_bytes(four))
        .collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn the_image_predictors_input_equals_torchvisions() {
    for (name, size) in CASES {
        let image = RgbImage::open(fixture(&format!("resize_{name}.png"))).unwrap();
        let ours = preprocess::for_image_predictor(&image, size);
        let difference = largest_difference(&ours, &golden(&format!("resize_{name}_image.f32")));
        assert!(difference < 1e-5, "{name}: {difference}");
    }
}

#[test]
fn the_video_predictors_input_equals_pillows_bit_for_bit() {
    for (name, size) in CASES {
        let image = RgbImage::open(fixture(&format!("resize_{name}.png"))).unwrap();
        let ours = preprocess::for_video_predictor(&image, size);
        assert_eq!(ours, golden(&format!("resize_{name}_video.f32")), "{name}");
    }
}

#[test]
fn a_mask_prompt_is_resized_as_torch_does() {
    let mask = Mask::open(fixture("resize_mask.png")).unwrap();
    let ours = preprocess::resize_mask(&mask, 16, 16);
    let difference = largest_difference(&ours, &golden("resize_mask_16.f32"));
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn a_flat_picture_stays_flat_at_any_size() {
    for (width, height, size) in [(1, 1, 9), (300, 2, 5), (2, 300, 7), (33, 34, 100)] {
        let image = RgbImage::filled(width, height, [255, 0, 128]).unwrap();
        let resized = preprocess::resize_like_pillow(&image, size, size);
        assert!(
            resized
                .as_chunks::<3>()
                .0
                .iter()
                .all(|pixel| pixel == &[255, 0, 128])
        );
        let expected = preprocess::for_video_predictor(&image, 1);
        let tensor = preprocess::for_image_predictor(&image, size);
        for pixel in tensor.as_chunks::<3>().0 {
            assert!(largest_difference(pixel, &expected) < 1e-5);
        }
    }
}

#[test]
fn size_zero_gives_an_empty_tensor() {
    let image = RgbImage::filled(3, 2, [1, 2, 3]).unwrap();
    assert!(preprocess::for_image_predictor(&image, 0).is_empty());
    assert!(preprocess::for_video_predictor(&image, 0).is_empty());
    assert!(preprocess::resize_mask(&Mask::empty(4, 4), 0, 3).is_empty());
}

#[test]
fn an_empty_mask_can_be_resized() {
    assert_eq!(preprocess::resize_mask(&Mask::empty(0, 0), 2, 2), [0.0; 4]);
    assert_eq!(preprocess::resize_mask(&Mask::empty(0, 5), 2, 2), [0.0; 4]);
}
