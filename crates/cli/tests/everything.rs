//! `masklet everything`, with the micro model of the fixtures.

mod common;

use std::fs;

use common::{Run, failed, fixture, succeeded};
use masklet_media::{Mask, RgbImage, Rle};
use serde_json::Value;

/// A few clicks, of which every mask is kept.
const ALL_OF_NINE_CLICKS: [&str; 8] = [
    "--points-per-side",
    "3",
    "--pred-iou-thresh",
    "0",
    "--stability-score-thresh",
    "0",
    "--box-nms-thresh",
    "1",
];

/// Runs `masklet everything` on a file or folder of the fixtures, results in `out`.
fn everything(run: &Run, input: &str, more: &[&str]) -> std::process::Output {
    let input = fixture(input);
    run.with_model(&[&["everything", &input, "-o", "out"], more].concat())
}

fn annotations(report: &Value) -> &Vec<Value> {
    report["annotations"].as_array().unwrap()
}

#[test]
fn a_picture_gives_records_mask_files_and_an_overlay() {
    let run = Run::new();
    let output = everything(&run, "everything/picture.png", &ALL_OF_NINE_CLICKS);
    succeeded(&output);

    let report = run.json("out/masks.json");
    assert_eq!(report["image"]["width"], 210);
    let records = annotations(&report);
    assert_eq!(records.len(), 27);
    for record in records {
        let rle: Rle = serde_json::from_value(record["segmentation"].clone()).unwrap();
        assert_eq!(record["area"], rle.area());
        let file = record["file"].as_str().unwrap();
        let mask = Mask::open(run.path("out").join(file)).unwrap();
        assert_eq!(mask, rle.decode());
        for (key, length) in [("bbox", 4), ("crop_box", 4), ("point_coords", 1)] {
            assert_eq!(record[key].as_array().unwrap().len(), length, "{key}");
        }
    }
    let ious: Vec<f64> = records
        .iter()
        .map(|record| record["predicted_iou"].as_f64().unwrap())
        .collect();
    assert!(ious.is_sorted_by(|a, b| a >= b), "{ious:?}");
    let overlay = RgbImage::open(run.path("out/overlay.png")).unwrap();
    let picture = RgbImage::open(fixture("everything/picture.png")).unwrap();
    assert_eq!(overlay.dimensions(), picture.dimensions());
    assert_ne!(overlay, picture);
}

#[test]
fn a_second_run_leaves_nothing_of_the_first() {
    let run = Run::new();
    let input = "everything/picture.png";
    succeeded(&everything(&run, input, &ALL_OF_NINE_CLICKS));
    assert!(run.path("out/masks/0026.png").exists());
    let fewer = [
        &ALL_OF_NINE_CLICKS[..],
        &["--multimask-output", "false", "--no-overlay"],
    ];
    succeeded(&everything(&run, input, &fewer.concat()));
    assert_eq!(annotations(&run.json("out/masks.json")).len(), 9);
    assert!(!run.path("out/masks/0009.png").exists());
    assert!(!run.path("out/overlay.png").exists());
}

#[test]
fn the_output_mode_changes_the_form_of_masks_and_nothing_else() {
    let run = Run::new();
    let mut forms = Vec::new();
    for mode in ["coco_rle", "uncompressed_rle", "binary_mask"] {
        let flags = [&ALL_OF_NINE_CLICKS[..], &["--output-mode", mode, "--json"]].concat();
        let output = everything(&run, "everything/picture.png", &flags);
        succeeded(&output);
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        forms.push(annotations(&printed)[0]["segmentation"].clone());
        assert_eq!(printed, run.json("out/masks.json"));
    }
    assert!(forms[0]["counts"].is_string());
    assert!(forms[1]["counts"].is_array());
    let [compressed, lengths] =
        [0, 1].map(|form| -> Rle { serde_json::from_value(forms[form].clone()).unwrap() });
    assert_eq!(compressed, lengths);
    let mask = compressed.decode();
    let rows = forms[2].as_array().unwrap();
    assert_eq!(rows.len() as u32, mask.height());
    for (y, row) in rows.iter().enumerate() {
        for (x, pixel) in row.as_array().unwrap().iter().enumerate() {
            assert_eq!(pixel, u8::from(mask.contains(x as u32, y as u32)));
        }
    }
}

#[test]
fn points_can_be_given_for_each_layer() {
    let run = Run::new();
    fs::write(
        run.path("points.json"),
        "[[[0.5, 0.5], [0.1, 0.9]], [[0.5, 0.5]]]",
    )
    .unwrap();
    let flags = [
        &ALL_OF_NINE_CLICKS[2..],
        &["--point-grids", "points.json", "--crop-n-layers", "1"],
        &["--crop-nms-thresh", "1", "--crop-overlap-ratio", "0.2"],
    ];
    succeeded(&everything(&run, "everything/picture.png", &flags.concat()));
    let report = run.json("out/masks.json");
    let of_the_whole: Vec<_> = annotations(&report)
        .iter()
        .filter(|record| record["crop_box"][2] == 210.0)
        .collect();
    // Three masks of each of two clicks; those of the crops may be cut off by their edges.
    assert_eq!(of_the_whole.len(), 6);
    assert_eq!(
        of_the_whole[0]["point_coords"][0].as_array().unwrap().len(),
        2
    );
}

#[test]
fn a_picture_without_masks_says_what_to_do() {
    let run = Run::new();
    let flags = ["--points-per-side", "1", "--pred-iou-thresh", "1"];
    let output = everything(&run, "everything/picture.png", &flags);
    succeeded(&output);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("nothing was found") && said.contains("--pred-iou-thresh"),
        "{said}"
    );
    assert!(annotations(&run.json("out/masks.json")).is_empty());
}

#[test]
fn values_out_of_range_name_the_flag_and_what_is_accepted() {
    let run = Run::new();
    let refused = |flags: &[&str], words: &[&str]| {
        failed(&everything(&run, "everything/picture.png", flags), 2, words);
    };
    refused(
        &["--points-per-side", "0"],
        &["--points-per-side is 0", "1 to 1024"],
    );
    refused(
        &["--points-per-batch", "0"],
        &["--points-per-batch", "1 or more"],
    );
    refused(
        &["--pred-iou-thresh", "1.2"],
        &["--pred-iou-thresh is 1.2", "0 to 1"],
    );
    refused(
        &["--stability-score-thresh", "-1"],
        &["--stability-score-thresh", "0 to 1"],
    );
    refused(
        &["--stability-score-offset=-1"],
        &["--stability-score-offset", "0 or more"],
    );
    refused(
        &["--mask-threshold", "nan"],
        &["--mask-threshold", "finite"],
    );
    refused(&["--box-nms-thresh", "7"], &["--box-nms-thresh", "0 to 1"]);
    refused(
        &["--crop-nms-thresh", "7"],
        &["--crop-nms-thresh", "0 to 1"],
    );
    refused(&["--crop-n-layers", "9"], &["--crop-n-layers", "0 to 8"]);
    refused(
        &["--crop-overlap-ratio", "1"],
        &["--crop-overlap-ratio", "0 to below 1"],
    );
    let flag = "--crop-n-points-downscale-factor";
    refused(&[flag, "0"], &[flag, "1 or more"]);
    refused(&["--region-removal", "masks"], &["--min-mask-region-area"]);
    fs::write(run.path("points.json"), "[[[0.5, 1.5]]]").unwrap();
    refused(
        &["--point-grids", "points.json"],
        &["--point-grids", "1.5", "below 1"],
    );
    fs::write(run.path("points.json"), "{}").unwrap();
    refused(
        &["--point-grids", "points.json"],
        &["points.json", "[[[0.5, 0.5]]]"],
    );
    refused(&["--every", "5"], &["--every is for videos"]);
    refused(&["--fps", "5"], &["--fps is for videos"]);
    refused(&["--format", "coco"], &["--format is for videos"]);
    refused(&["--sav-step", "2"], &["--sav-step is for videos"]);
    let refused = |flags: &[&str], words: &[&str]| {
        failed(&everything(&run, "frames", flags), 2, words);
    };
    refused(&["--min-uncovered", "2"], &["--min-uncovered", "0 to 1"]);
    refused(&["--max-iou", "nan"], &["--max-iou", "0 to 1"]);
    refused(&["--max-objects", "0"], &["--max-objects"]);
    refused(
        &["--output-mode", "coco_rle"],
        &["--output-mode is for pictures"],
    );
    assert!(!run.path("out").exists(), "wrong use leaves no folder");
}

#[test]
fn a_video_gives_masklets_of_what_is_found() {
    let run = Run::new();
    let flags = [
        &ALL_OF_NINE_CLICKS[..],
        &["--max-objects", "3", "--every", "2", "--max-frames", "3"],
        &["--max-iou", "1", "--json"],
    ];
    let output = everything(&run, "frames", &flags.concat());
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complete"], true);
    assert_eq!(report["frames_tracked"], 3);
    let objects = report["objects"].as_array().unwrap();
    let ids: Vec<_> = objects.iter().map(|object| object["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3]);
    for frame in 0..3 {
        let mask = Mask::open(run.path(&format!("out/masks/2/{frame:05}.png"))).unwrap();
        assert_eq!(mask.dimensions(), (208, 152));
    }
}

#[test]
fn a_video_in_which_nothing_is_found_fails_if_it_is_looked_at_once() {
    let run = Run::new();
    let flags = ["--points-per-side", "1", "--pred-iou-thresh", "1"];
    let once = [&flags[..], &["--every", "0"]].concat();
    let output = everything(&run, "frames", &once);
    failed(&output, 1, &["first frame", "--pred-iou-thresh"]);
    let again = [&flags[..], &["--max-frames", "2"]].concat();
    succeeded(&everything(&run, "frames", &again));
    assert_eq!(run.json("out/masklets.json")["frames_tracked"], 2);
}
