//! What comes out of a video, with the micro model of the fixtures.

mod common;

use std::fs;
use std::process::Output;

use common::{Run, failed, fixture, succeeded};
use masklet_data::LabelMap;
use masklet_data::sav::SavAnnotations;
use masklet_media::{FrameSource, Mask, Mp4Video, RgbImage};
use masklet_model::weights::Checkpoint;
use serde_json::Value;

/// Tracks objects 1 and 7 through a clip.
fn track(run: &Run, clip: &str, arguments: &[&str]) -> Output {
    let prompts = ["--point", "0:150,40@1", "--point", "0:31,61@7"];
    run.with_model(&[&["video", clip, "-o", "out"], &prompts[..], arguments].concat())
}

/// A clip of the fixture's frames over and over, named `clip`.
fn make_long_clip(run: &Run, frames: usize) {
    fs::create_dir(run.path("clip")).unwrap();
    for frame in 0..frames {
        let from = fixture(&format!("frames/{:05}.png", frame % 18));
        fs::copy(from, run.path(&format!("clip/{frame:05}.png"))).unwrap();
    }
}

#[test]
fn every_format_says_the_same_of_the_masks() {
    let run = Run::new();
    let formats = "png,davis,sav,coco,ytvis,yolo,npz";
    succeeded(&track(
        &run,
        &fixture("frames"),
        &["--format", formats, "--max-frames", "5", "--no-overlay"],
    ));
    let mask = |id: u32, frame: usize| {
        Mask::open(run.path(&format!("out/masks/{id}/{frame:05}.png"))).unwrap()
    };
    let area = |id, frame| mask(id, frame).area();

    let sav = SavAnnotations::open(run.path("out/sav/frames_manual.json")).unwrap();
    assert_eq!(sav.masklet_id, [1, 7]);
    // The clip has 18 frames, one in four is annotated, and five were tracked.
    assert_eq!(sav.masklet.len(), 5);
    assert_eq!(sav.masklet[1][1].decode(), mask(7, 4));
    assert_eq!(sav.masklet[2][0].area(), 0);
    assert_eq!(sav.masklet_edited_frame_count, [1, 1]);

    let coco = run.json("out/coco.json");
    let ytvis = run.json("out/ytvis.json");
    for annotation in coco["annotations"].as_array().unwrap() {
        let id = annotation["track_id"].as_u64().unwrap() as u32;
        let frame = annotation["image_id"].as_u64().unwrap() as usize - 1;
        assert_eq!(annotation["area"], area(id, frame));
        let all = ytvis["annotations"].as_array().unwrap();
        let track = all.iter().find(|track| track["id"] == id).unwrap();
        assert_eq!(track["segmentations"][frame], annotation["segmentation"]);
    }
    let seen = (0..5).flat_map(|frame| [1, 7].map(|id| area(id, frame)));
    let seen = seen.filter(|&area| area > 0).count();
    assert_eq!(coco["annotations"].as_array().unwrap().len(), seen);

    for frame in 0..5 {
        let labels = LabelMap::open(run.path(&format!("out/davis/{frame:05}.png"))).unwrap();
        let any = labels.mask_where(|label| label > 0).area();
        let (one, seven) = (mask(1, frame), mask(7, frame));
        let union = one
            .bits()
            .iter()
            .zip(seven.bits())
            .filter(|(a, b)| **a || **b);
        assert_eq!(any, union.count() as u64);
        let text = fs::read_to_string(run.path(&format!("out/yolo/labels/{frame:05}.txt")));
        let lines = text.unwrap().lines().count();
        assert_eq!(
            lines,
            usize::from(one.area() > 0) + usize::from(seven.area() > 0)
        );
    }
    assert!(run.path("out/masklets.npz").exists());
    assert!(!run.path("out/overlay").exists() && !run.path("out/unfinished").exists());
}

#[test]
fn an_overlay_video_has_every_frame_and_replaces_the_pictures() {
    let run = Run::new();
    make_long_clip(&run, 40);
    succeeded(&track(
        &run,
        "clip",
        &["--overlay", "seen.mp4", "--background", "#203040"],
    ));
    for name in ["seen.mp4", "out/background.mp4"] {
        let mut video = Mp4Video::open(run.path(name)).unwrap();
        let clip = RgbImage::open(run.path("clip/00000.png")).unwrap();
        assert_eq!(video.dimensions(), clip.dimensions());
        assert_eq!(video.frame_count(), Some(40));
        assert!(video.frame(39).unwrap().is_some());
    }
    assert!(!run.path("out/overlay").exists());
}

#[test]
fn cutouts_and_backgrounds_keep_the_pixels_of_the_objects() {
    let run = Run::new();
    let backdrop = RgbImage::filled(50, 20, [7, 8, 9]).unwrap();
    backdrop.save_png(run.path("backdrop.png")).unwrap();
    let arguments = [
        "--cutout",
        "--background",
        "backdrop.png",
        "--max-frames",
        "2",
    ];
    succeeded(&track(&run, &fixture("frames"), &arguments));
    let picture = RgbImage::open(fixture("frames/00001.png")).unwrap();
    let shown = RgbImage::open(run.path("out/background/00001.png")).unwrap();
    let masks =
        [1, 7].map(|id| Mask::open(run.path(&format!("out/masks/{id}/00001.png"))).unwrap());
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            let inside = masks.iter().any(|mask| mask.contains(x, y));
            let expected = if inside {
                picture.pixel(x, y)
            } else {
                Some([7, 8, 9])
            };
            assert_eq!(shown.pixel(x, y), expected);
        }
    }
    // As a picture without transparency, a cutout is the object on black.
    let cutout = RgbImage::open(run.path("out/cutout/1/00001.png")).unwrap();
    assert_eq!(cutout.dimensions(), picture.dimensions());
    let (x, y) = (0..picture.height())
        .flat_map(|y| (0..picture.width()).map(move |x| (x, y)))
        .find(|&(x, y)| masks[0].contains(x, y))
        .unwrap();
    assert_eq!(cutout.pixel(x, y), picture.pixel(x, y));
}

#[test]
fn a_contact_sheet_shows_evenly_spaced_frames() {
    let run = Run::new();
    make_long_clip(&run, 20);
    succeeded(&track(&run, "clip", &["--no-overlay"]));
    // One frame in two: ten, in three rows of four.
    let sheet = RgbImage::open(run.path("out/sheet.png")).unwrap();
    let clip = RgbImage::open(run.path("clip/00000.png")).unwrap();
    let gap = 6;
    assert_eq!(sheet.width(), 4 * (clip.width() + gap) + gap);
    assert_eq!(sheet.height(), 3 * (clip.height() + gap) + gap);
}

#[test]
fn logits_of_all_frames_are_in_one_file() {
    let run = Run::new();
    succeeded(&track(
        &run,
        &fixture("frames"),
        &["--logits", "l.safetensors", "--max-frames", "3"],
    ));
    let logits = Checkpoint::open(run.path("l.safetensors")).unwrap();
    assert_eq!(logits.tensors().count(), 3 * 2 * 2);
    let low = logits.read_f32("00002/7/low_res_logits").unwrap();
    assert_eq!(low.len(), 64 * 64);
    let records = fs::read_to_string(run.path("out/masklets.jsonl")).unwrap();
    let last: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    let score = logits.read_f32("00002/7/object_score").unwrap()[0];
    let recorded = last["objects"][1]["occlusion_score"].as_f64().unwrap();
    assert_eq!(recorded as f32, score);
}

#[test]
fn wrong_results_are_refused_before_anything_is_tracked() {
    let run = Run::new();
    failed(
        &track(&run, &fixture("frames"), &["--background", "#12"]),
        2,
        &["#rrggbb"],
    );
    failed(
        &track(&run, &fixture("frames"), &["--background", "none.png"]),
        2,
        &["none.png", "blur"],
    );
    failed(
        &track(&run, &fixture("frames"), &["--format", "gif"]),
        2,
        &["davis", "ytvis"],
    );
    failed(
        &track(
            &run,
            &fixture("frames"),
            &["--overlay", "a.mp4", "--no-overlay"],
        ),
        2,
        &["--no-overlay"],
    );
    assert!(!run.path("out/masklets.jsonl").exists());
}

#[test]
fn an_object_number_that_a_palette_cannot_hold_is_refused_by_name() {
    let run = Run::new();
    let arguments = [
        "--format",
        "davis",
        "--point",
        "0:90,50@300",
        "--max-frames",
        "1",
    ];
    failed(
        &track(&run, &fixture("frames"), &arguments),
        1,
        &["object 300", "254"],
    );
}
