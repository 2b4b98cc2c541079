//! Masks: measures, files, run-length encoding.

use masklet_media::{BoundingBox, Mask, MediaError, Rle, RleError, UncompressedRle};
use proptest::prelude::*;
use serde::Deserialize;

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[derive(Deserialize)]
struct Golden {
    file: String,
    rle: serde_json::Value,
    area: u64,
    bbox: [u32; 4],
}

fn goldens() -> Vec<Golden> {
    serde_json::from_str(&std::fs::read_to_string(fixture("rle.json")).unwrap()).unwrap()
}

#[test]
fn rle_area_and_box_equal_pycocotools() {
    for golden in goldens() {
        let mask = Mask::open(fixture(&golden.file)).unwrap();
        let rle = Rle::encode(&mask);
        assert_eq!(
            serde_json::to_value(&rle).unwrap(),
            golden.rle,
            "{}",
            golden.file
        );
        assert_eq!(mask.area(), golden.area);
        assert_eq!(rle.area(), golden.area);
        let bbox = mask.bounding_box().map_or([0; 4], |found| found.to_coco());
        assert_eq!(bbox, golden.bbox, "{}", golden.file);
        let read: Rle = serde_json::from_value(golden.rle).unwrap();
        assert_eq!(read.decode(), mask);
    }
}

#[test]
fn uncompressed_counts_are_read_too() {
    let read: Rle = serde_json::from_str(r#"{"size":[2,3],"counts":[1,2,3]}"#).unwrap();
    let expected = Mask::from_bits(3, 2, vec![false, true, false, true, false, false]).unwrap();
    assert_eq!(read.decode(), expected);
}

#[test]
fn wrong_counts_are_refused_with_a_reason() {
    let refused = |counts: &str| Rle::from_counts_string(2, 3, counts).unwrap_err();
    assert!(matches!(
        refused("123 "),
        RleError::BadCharacter {
            character: ' ',
            position: 3
        }
    ));
    assert!(matches!(refused("1é"), RleError::BadCharacter { .. }));
    assert!(matches!(refused("12o"), RleError::Truncated { length: 3 }));
    assert!(matches!(
        refused(&"o".repeat(40)),
        RleError::BadLength { run: 0 }
    ));
    assert!(matches!(refused("O"), RleError::BadLength { run: 0 }));
    assert!(matches!(
        refused("13"),
        RleError::WrongTotal {
            found: 4,
            expected: 6,
            ..
        }
    ));
    assert!(matches!(refused(""), RleError::WrongTotal { found: 0, .. }));
    assert!(matches!(
        Rle::from_counts_string(u32::MAX, u32::MAX, "1"),
        Err(RleError::TooLarge { .. })
    ));
    assert!(Rle::from_counts(1, 1, vec![u32::MAX, u32::MAX, 3]).is_err());
    let parsed = serde_json::from_str::<Rle>(r#"{"size":[2,3],"counts":"13"}"#);
    assert!(parsed.unwrap_err().to_string().contains("6"));
}

#[test]
fn a_mask_without_pixels_encodes() {
    for (width, height) in [(0, 0), (0, 4), (4, 0)] {
        let mask = Mask::empty(width, height);
        let rle = Rle::encode(&mask);
        assert_eq!(rle.counts_string(), "0");
        assert_eq!(
            Rle::from_counts_string(height, width, "0")
                .unwrap()
                .decode(),
            mask
        );
    }
}

#[test]
fn every_form_of_mask_file_reads_the_same() {
    let expected = Mask::open(fixture("mask_one.png")).unwrap();
    assert_eq!(expected.dimensions(), (13, 9));
    assert!(expected.contains(6, 4) && !expected.contains(0, 0));
    for form in ["255", "bilevel", "16bit", "rgb", "palette"] {
        assert_eq!(
            Mask::open(fixture(&format!("mask_{form}.png"))).unwrap(),
            expected,
            "{form}"
        );
    }
}

#[test]
fn a_file_that_is_no_mask_is_named() {
    let message = Mask::open(fixture("rle.json")).unwrap_err().to_string();
    assert!(
        message.contains("rle.json") && message.contains("PNG"),
        "{message}"
    );
}

#[test]
fn a_saved_mask_holds_0_and_255_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let mask = Mask::from_fn(5, 4, |x, y| x > y);
    mask.save_png(&path).unwrap();
    assert_eq!(Mask::open(&path).unwrap(), mask);
    let stored = image::open(&path).unwrap();
    assert_eq!(stored.color(), image::ColorType::L8);
    assert_eq!(stored.as_bytes()[..5], [0, 255, 255, 255, 255]);
    assert!(matches!(
        Mask::empty(0, 4).save_png(&path),
        Err(MediaError::EmptyImage { .. })
    ));
}

#[test]
fn the_box_excludes_its_right_and_bottom_edges() {
    let mask = Mask::from_fn(10, 8, |x, y| (2..5).contains(&x) && y == 7);
    let found = mask.bounding_box().unwrap();
    assert_eq!(
        found,
        BoundingBox {
            x0: 2,
            y0: 7,
            x1: 5,
            y1: 8
        }
    );
    assert_eq!(found.to_coco(), [2, 7, 3, 1]);
    assert_eq!(Mask::empty(3, 3).bounding_box(), None);
}

#[test]
fn iou_counts_pixels_and_refuses_other_sizes() {
    let left = Mask::from_fn(4, 2, |x, _| x < 2);
    let middle = Mask::from_fn(4, 2, |x, _| (1..3).contains(&x));
    assert_eq!(left.iou(&middle).unwrap(), 1.0 / 3.0);
    assert_eq!(Mask::empty(4, 2).iou(&Mask::empty(4, 2)).unwrap(), 1.0);
    assert_eq!(left.iou(&Mask::empty(4, 2)).unwrap(), 0.0);
    let message = left.iou(&Mask::empty(2, 4)).unwrap_err().to_string();
    assert!(
        message.contains("2x4") && message.contains("4x2"),
        "{message}"
    );
}

#[test]
fn logits_at_the_threshold_and_nan_are_background() {
    let mask = Mask::from_logits(4, 1, &[-1.0, 0.0, 0.1, f32::NAN], 0.0).unwrap();
    assert_eq!(mask.bits(), [false, false, true, false]);
    assert!(Mask::from_logits(2, 2, &[0.0; 3], 0.0).is_err());
}

fn any_mask() -> impl Strategy<Value = Mask> {
    (0u32..40, 0u32..40, 0.0..=1.0f64).prop_flat_map(|(width, height, density)| {
        let pixels = (width * height) as usize;
        proptest::collection::vec(proptest::bool::weighted(density), pixels)
            .prop_map(move |bits| Mask::from_bits(width, height, bits).unwrap())
    })
}

proptest! {
    #[test]
    fn rle_decodes_to_the_mask_it_encodes(mask in any_mask()) {
        let rle = Rle::encode(&mask);
        prop_assert_eq!(rle.area(), mask.area());
        prop_assert_eq!(rle.bounding_box(), mask.bounding_box());
        let again = Rle::from_counts_string(mask.height(), mask.width(), &rle.counts_string());
        prop_assert_eq!(again.as_ref(), Ok(&rle));
        prop_assert_eq!(rle.decode(), mask);
    }

    #[test]
    fn any_valid_run_lengths_survive_the_string(counts in proptest::collection::vec(0u32..100_000, 0..50)) {
        let total = counts.iter().sum();
        let rle = Rle::from_counts(total, 1, counts).unwrap();
        let again = Rle::from_counts_string(total, 1, &rle.counts_string());
        prop_assert_eq!(again, Ok(rle));
    }

    #[test]
    fn hostile_counts_never_panic(text in "[ -~é]{0,60}|[0-o]{0,60}", height: u32, width in 0u32..1000) {
        if let Ok(rle) = Rle::from_counts_string(height, width, &text) {
            prop_assert_eq!(rle.area(), rle.decode().area());
        }
    }

    #[test]
    fn a_mask_is_its_own_match(mask in any_mask()) {
        prop_assert_eq!(mask.iou(&mask).unwrap(), 1.0);
    }
}

#[test]
fn run_lengths_are_written_as_a_list_if_wanted_and_read_again() {
    let mask = Mask::from_fn(3, 2, |x, y| x == 1 || (x, y) == (2, 1));
    let written = serde_json::to_value(UncompressedRle(Rle::encode(&mask))).unwrap();
    let expected = serde_json::json!({"size": [2, 3], "counts": [2, 2, 1, 1]});
    assert_eq!(written, expected);
    let read: UncompressedRle = serde_json::from_value(written).unwrap();
    assert_eq!(read.0.decode(), mask);
}
