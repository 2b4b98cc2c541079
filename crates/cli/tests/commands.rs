//! The command line's contract, with the micro model of the fixtures.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Run, failed, fixture, succeeded};
use masklet_media::{Mask, RgbImage, Rle};
use masklet_model::weights::Checkpoint;
use serde_json::Value;

#[test]
fn an_image_gives_masks_best_first_an_overlay_and_a_report() {
    let run = Run::new();
    let picture = fixture("pictures/0.png");
    let arguments = [
        "image",
        &picture,
        "--point",
        "120,80",
        "--logits",
        "l.safetensors",
        "-o",
        "out",
    ];
    succeeded(&run.with_model(&arguments));

    let report = run.json("out/result.json");
    let masks = report["masks"].as_array().unwrap();
    assert_eq!(masks.len(), 3);
    let iou: Vec<f64> = masks
        .iter()
        .map(|m| m["predicted_iou"].as_f64().unwrap())
        .collect();
    assert!(iou.is_sorted_by(|a, b| a >= b), "{iou:?}");
    for (k, entry) in masks.iter().enumerate() {
        let mask = Mask::open(run.path(&format!("out/mask_{k}.png"))).unwrap();
        assert_eq!(mask.dimensions(), (300, 196));
        assert_eq!(entry["area"], mask.area());
    }
    assert_eq!(
        RgbImage::open(run.path("out/overlay.png"))
            .unwrap()
            .dimensions(),
        (300, 196)
    );

    let logits = Checkpoint::open(run.path("l.safetensors")).unwrap();
    assert_eq!(logits.get("low_res_logits").unwrap().shape, [3, 64, 64]);
    assert_eq!(logits.get("iou").unwrap().shape, [3]);
    assert_eq!(logits.get("object_score").unwrap().shape, [1]);

    // A second run with fewer masks leaves none of the first behind.
    let refine = [
        "image",
        &picture,
        "--point",
        "120,80",
        "--mask-logits",
        "l.safetensors",
        "--single",
        "-o",
        "out",
        "--json",
    ];
    let output = run.with_model(&refine);
    succeeded(&output);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["masks"].as_array().unwrap().len(), 1);
    assert!(!run.path("out/mask_1.png").exists());
}

#[cfg(unix)]
#[test]
fn a_picture_whose_name_is_not_utf8_is_segmented_and_reported() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let run = Run::new();
    let name = OsStr::from_bytes(b"odd-\xff.png");
    fs::copy(fixture("pictures/0.png"), run.folder.path().join(name)).unwrap();
    let (weights, config) = (fixture("sam2.1/model.pt"), fixture("sam2.1/config.json"));
    let output = Command::new(env!("CARGO_BIN_EXE_masklet"))
        .arg("image")
        .arg(name)
        .args(["--weights", &weights, "--config", &config])
        .args(["--point", "120,80", "-o", "out", "--json"])
        .current_dir(run.folder.path())
        .output()
        .unwrap();
    succeeded(&output);
    let file = run.json("out/result.json")["image"]["file"].clone();
    assert!(file.as_str().unwrap().starts_with("odd-"), "{file}");
}

#[test]
fn several_boxes_are_several_objects() {
    let run = Run::new();
    let picture = fixture("pictures/0.png");
    succeeded(&run.with_model(&[
        "image",
        &picture,
        "--box",
        "10,10,90,90",
        "--box",
        "150,60,280,180",
        "-o",
        "out",
    ]));
    assert_eq!(
        run.json("out/result.json")["masks"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_video_gives_masks_overlays_and_masklets_that_agree() {
    let run = Run::new();
    let (frames, prompts) = (fixture("frames"), fixture("prompts.json"));
    let output = run.with_model(&[
        "video",
        &frames,
        "--prompts",
        &prompts,
        "--point",
        "3:150,40@7",
        "--max-frames",
        "3",
        "--logits",
        "l.safetensors",
        "-o",
        "out",
    ]);
    succeeded(&output);

    let report = run.json("out/masklets.json");
    assert_eq!(report["complete"], true);
    assert_eq!(report["frames_tracked"], 3);
    for object in report["objects"].as_array().unwrap() {
        for entry in object["frames"].as_array().unwrap() {
            let frame = entry["frame"].as_u64().unwrap();
            let file = format!("out/masks/{}/{frame:05}.png", object["id"]);
            let mask = Mask::open(run.path(&file)).unwrap();
            let rle: Rle = serde_json::from_value(entry["segmentation"].clone()).unwrap();
            assert_eq!(rle.decode().bits(), mask.bits());
            assert_eq!(entry["area"], mask.area());
        }
    }
    assert!(run.path("out/overlay/00004.png").exists());
    assert!(!run.path("out/overlay/00005.png").exists());
    let logits = Checkpoint::open(run.path("l.safetensors")).unwrap();
    assert_eq!(
        logits.get("00002/1/low_res_logits").unwrap().shape,
        [64, 64]
    );
    assert_eq!(logits.get("00004/7/object_score").unwrap().shape, [1]);
}

#[test]
fn backward_tracking_ends_at_the_first_frame() {
    let run = Run::new();
    let frames = fixture("frames");
    succeeded(&run.with_model(&[
        "video",
        &frames,
        "--box",
        "2:141,5,185,66",
        "--backward",
        "--no-overlay",
        "-o",
        "out",
    ]));
    let report = run.json("out/masklets.json");
    let visited: Vec<u64> = report["objects"][0]["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["frame"].as_u64().unwrap())
        .collect();
    assert_eq!(visited, [2, 1, 0]);
    assert!(!run.path("out/overlay").exists());
}

#[test]
fn a_damaged_frame_ends_tracking_and_the_frames_before_it_are_kept() {
    let run = Run::new();
    fs::create_dir(run.path("clip")).unwrap();
    for frame in 0..4 {
        let from = fixture(&format!("frames/{frame:05}.png"));
        let bytes = fs::read(from).unwrap();
        let end = if frame == 2 {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        fs::write(run.path(&format!("clip/{frame}.png")), &bytes[..end]).unwrap();
    }
    let output = run.with_model(&["video", "clip", "--point", "0:31,61", "-o", "out"]);
    failed(&output, 1, &["2.png"]);
    let report = run.json("out/masklets.json");
    assert_eq!(report["complete"], false);
    assert_eq!(report["frames_tracked"], 2);
}

#[test]
fn weights_are_inspected_and_converted() {
    let run = Run::new();
    let weights = fixture("sam2.1/model.pt");
    let output = run.command(&[
        "weights",
        "convert",
        &weights,
        "--dtype",
        "bf16",
        "-o",
        "w.safetensors",
    ]);
    succeeded(&output);
    let output = run.command(&["weights", "inspect", "w.safetensors", "--json"]);
    succeeded(&output);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["dtypes"], serde_json::json!(["bf16"]));
}

#[test]
fn weights_are_averaged_each_file_by_its_share() {
    let run = Run::new();
    let weights = fixture("sam2.1/model.pt");
    let average = |shares: &str| {
        let arguments = ["weights", "average", &weights, &weights, "--shares", shares];
        run.command(&[&arguments[..], &["-o", "w.safetensors"]].concat())
    };
    failed(&average("1"), 2, &["1 numbers for 2 files"]);
    failed(&average("1,0"), 2, &["the share 0", "above zero"]);
    assert!(!run.path("w.safetensors").exists());
    succeeded(&average("3,1"));
    let (given, written) = (
        Checkpoint::open(&weights).unwrap(),
        Checkpoint::open(run.path("w.safetensors")).unwrap(),
    );
    assert_eq!(given.len(), written.len());
    for name in given.names() {
        assert_eq!(
            given.read_f32(name).unwrap(),
            written.read_f32(name).unwrap()
        );
    }
}

#[test]
fn a_bench_prints_what_scripts_rely_on() {
    let run = Run::new();
    let output = run.with_model(&["bench", "--rounds", "1", "--json", "--threads", "1"]);
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for field in ["encode_s", "frame_s", "extra_object_s"] {
        assert!(report[field].is_number(), "{field} in {report}");
    }
    assert_eq!(report["precision"], "f32");
    assert_eq!(report["threads"], 1);
    assert_eq!(report["model"], "custom");
}

#[test]
fn wrong_use_exits_with_2_and_says_what_to_do() {
    let run = Run::new();
    let (picture, frames) = (fixture("pictures/0.png"), fixture("frames"));
    let image = |more: &[&str]| run.with_model(&[&["image", &picture, "-o", "out"], more].concat());
    failed(&image(&["--point", "1"]), 2, &["X,Y"]);
    failed(&image(&["--point", "900,10"]), 2, &["(900, 10)", "0..300"]);
    failed(&image(&["--box", "90,90,10,10"]), 2, &["reversed"]);
    failed(&image(&[]), 2, &["prompt is empty"]);
    let video = |more: &[&str]| run.with_model(&[&["video", &frames, "-o", "out"], more].concat());
    failed(&video(&[]), 2, &["nothing is prompted"]);
    failed(
        &video(&["--point", "99:1,1"]),
        2,
        &["no frame 99", "18 frames"],
    );
    failed(
        &video(&["--point", "0:1,1", "--start", "50"]),
        2,
        &["no frame 50"],
    );
    assert!(!run.path("out/result.json").exists());
}

#[test]
fn failures_exit_with_1_and_name_the_file() {
    let run = Run::new();
    let picture = fixture("pictures/0.png");
    fs::write(run.path("broken.pt"), b"PK\x03\x04 and then nothing").unwrap();
    let arguments = [
        "image",
        &picture,
        "--point",
        "1,1",
        "-o",
        "out",
        "--weights",
        "broken.pt",
    ];
    failed(&run.command(&arguments), 1, &["broken.pt"]);
    failed(
        &run.with_model(&["image", "missing.png", "--point", "1,1", "-o", "out"]),
        1,
        &["missing.png"],
    );
    failed(
        &run.command(&["weights", "inspect", "missing.pt"]),
        1,
        &["missing.pt"],
    );
}

/// A DAVIS folder of one sequence of two frames.
fn tiny_davis(root: &Path) {
    for frame in ["00000", "00001"] {
        for (part, file) in [("JPEGImages", "jpg"), ("Annotations", "png")] {
            let place = root.join(part).join("480p/dot");
            fs::create_dir_all(&place).unwrap();
            let mask = Mask::from_fn(32, 24, |x, y| part == "JPEGImages" || x < 8 && y < 6);
            mask.save_png(place.join(format!("{frame}.{file}")))
                .unwrap();
        }
    }
}

#[test]
fn data_generate_makes_pictures_that_inspect_knows() {
    let run = Run::new();
    let generate =
        |more: &[&str]| run.command(&[&["data", "generate", "-o", "made"], more].concat());
    succeeded(&generate(&["--images", "3", "--size", "96x64"]));
    let output = run.command(&["data", "inspect", "made", "--no-sheet", "--json"]);
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        report["layout"].as_str().unwrap().contains("label"),
        "{report}"
    );
    // The same again keeps what is there; other options need another folder.
    succeeded(&generate(&["--images", "3", "--size", "96x64"]));
    let output = generate(&["--images", "3", "--size", "64x96"]);
    assert_ne!(output.status.code(), Some(0));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("other options"), "{message}");
    let output = run.command(&["data", "generate", "-o", "made/generated.json/within"]);
    assert_ne!(output.status.code(), Some(0));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("cannot write made/"), "{message}");
    let output = generate(&["--size", "96"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("480x320"));
}

#[test]
fn data_inspect_counts_and_draws_a_contact_sheet() {
    let run = Run::new();
    tiny_davis(&run.path("davis"));
    let output = run.command(&["data", "inspect", "davis", "--sheet", "sheet.png", "--json"]);
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["layout"], "davis");
    assert_eq!(report["items"], 1);
    assert_eq!(report["videos"]["annotated_frames"], 2);
    assert_eq!(report["videos"]["objects"], 1);
    assert_eq!(report["videos"]["relative_size"]["mean"], 0.0625);
    assert_eq!(report["videos"]["visibility"]["disappearance_rate"], 0.0);
    assert_eq!(report["sheet"]["cells"][0][1], "dot/00001");
    RgbImage::open(run.path("sheet.png")).unwrap();

    let inspect = |more: &[&str]| run.command(&[&["data", "inspect"], more].concat());
    failed(&inspect(&["davis", "--split", "val"]), 1, &["ImageSets"]);
    failed(
        &inspect(&["davis", "--resolution", "8k"]),
        2,
        &["8k", "480p"],
    );
    failed(&inspect(&["nowhere"]), 1, &["cannot read nowhere"]);
    fs::remove_dir_all(run.path("davis/Annotations")).unwrap();
    failed(
        &inspect(&["davis"]),
        1,
        &["as DAVIS", "Annotations/480p is missing"],
    );
}
