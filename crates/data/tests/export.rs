//! Records, and the formats that are made of them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use masklet_data::export::sav::SavFacts;
use masklet_data::export::{VideoFacts, coco, davis, npz, sav, yolo, ytvis};
use masklet_data::record::{FrameRecord, ObjectRecord, Order, RecordWriter, Records};
use masklet_data::sav::{ANNOTATED_EVERY, SavAnnotations};
use masklet_data::{LabelMap, TrackFile};
use masklet_media::{Mask, Rle};
use serde_json::{Value, json};
use tempfile::TempDir;

const SIZE: (u32, u32) = (12, 8);

fn object(id: u32, mask: &Mask) -> ObjectRecord {
    ObjectRecord {
        id,
        segmentation: Rle::encode(mask),
        occlusion_score: if mask.is_empty() { -2.5 } else { 3.25 },
        area: mask.area(),
        bbox: mask
            .bounding_box()
            .map_or([0; 4], |bounds| bounds.to_coco()),
        stability_score: 0.5,
        prompted: false,
    }
}

/// A square of `side` pixels at (`x`, 2).
fn square(x: u32, side: u32) -> Mask {
    Mask::from_fn(SIZE.0, SIZE.1, |px, py| {
        (x..x + side).contains(&px) && (2..2 + side).contains(&py)
    })
}

/// Object 3 on all frames, hidden on every third; object 9 from frame 5 on.
fn frame(number: usize) -> FrameRecord {
    let hidden = Mask::empty(SIZE.0, SIZE.1);
    let first = if number % 3 == 2 {
        hidden
    } else {
        square(number as u32 % 8, 3)
    };
    let mut objects = vec![object(3, &first)];
    objects[0].prompted = number == 0;
    if number >= 5 {
        objects.push(object(9, &square(1, 4)));
    }
    FrameRecord {
        frame: number,
        time: Some(number as f64 / 25.0),
        objects,
    }
}

struct Recorded {
    folder: TempDir,
    records: Records,
}

impl Recorded {
    fn new(frames: impl IntoIterator<Item = usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masklets.jsonl");
        let mut writer = RecordWriter::create(&path).unwrap();
        for number in frames {
            writer.add(&frame(number)).unwrap();
        }
        writer.flush().unwrap();
        let records = Records::open(&path).unwrap();
        Self { folder, records }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("masklets.jsonl")
    }
}

fn video() -> VideoFacts {
    VideoFacts {
        name: "clip".to_owned(),
        dimensions: SIZE,
        frame_count: Some(10),
        frame_rate: Some(25.0),
    }
}

fn written(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    bytes
}

fn json(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Value {
    serde_json::from_slice(&written(write)).unwrap()
}

#[test]
fn records_are_read_as_tracked_or_by_frame() {
    let backward = Recorded::new([4, 3, 2]);
    let numbers = |order| -> Vec<usize> {
        let frames = backward.records.frames(order);
        frames.map(|record| record.unwrap().frame).collect()
    };
    assert_eq!(numbers(Order::Tracked), [4, 3, 2]);
    assert_eq!(numbers(Order::Frame), [2, 3, 4]);
    let read = backward.records.frames(Order::Frame).nth(1).unwrap();
    assert_eq!(read.unwrap(), frame(3));
}

#[test]
fn a_resumed_file_is_the_same_as_an_uninterrupted_one() {
    let whole = Recorded::new(0..7);
    let cut = Recorded::new(0..6);
    // A line that was being written when the process was killed.
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(cut.path())
        .unwrap();
    file.write_all(b"{\"frame\":6,\"ti").unwrap();
    let mut writer = RecordWriter::resume(&cut.path(), 4).unwrap();
    for number in 4..7 {
        writer.add(&frame(number)).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(
        fs::read(cut.path()).unwrap(),
        fs::read(whole.path()).unwrap()
    );
    let refused = RecordWriter::resume(&cut.path(), 8).unwrap_err();
    assert!(refused.to_string().contains("8 frames"), "{refused}");
}

#[test]
fn damaged_records_name_the_file() {
    let recorded = Recorded::new(0..2);
    fs::write(recorded.path(), "{}\n").unwrap();
    let refused = Records::open(&recorded.path()).unwrap_err().to_string();
    assert!(
        refused.contains("masklets.jsonl") && refused.contains("frame"),
        "{refused}"
    );
}

#[test]
fn many_objects_are_sorted_out_in_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("masklets.jsonl");
    let mut writer = RecordWriter::create(&path).unwrap();
    for number in 0..3 {
        let objects = (0..150).map(|id| object(id, &square(id % 8, 2))).collect();
        let record = FrameRecord {
            frame: number,
            time: None,
            objects,
        };
        writer.add(&record).unwrap();
    }
    writer.flush().unwrap();
    let records = Records::open(&path).unwrap();
    for (id, track) in (0..).zip(records.tracks(Order::Tracked)) {
        let track = track.unwrap();
        assert_eq!(
            (track.summary().id, track.summary().visible_frames),
            (id, 3)
        );
        let entries: Vec<_> = track.entries().map(Result::unwrap).collect();
        let frames: Vec<usize> = entries.iter().map(|(frame, _)| *frame).collect();
        assert_eq!(frames, [0, 1, 2]);
        assert!(entries.iter().all(|(_, object)| object.id == id));
    }
    assert_eq!(records.tracks(Order::Tracked).count(), 150);
}

#[test]
fn coco_has_an_image_a_frame_and_an_annotation_an_object_that_is_seen() {
    let recorded = Recorded::new(0..7);
    let file = json(|file| coco::write(&video(), &recorded.records, file));
    assert_eq!(file["images"].as_array().unwrap().len(), 7);
    assert_eq!(
        file["images"][6],
        json!({"id": 7, "file_name": "00006.jpg", "width": 12, "height": 8, "frame_id": 6})
    );
    let annotations = file["annotations"].as_array().unwrap();
    // Object 3 is hidden on frames 2 and 5; object 9 is there on frames 5 and 6.
    assert_eq!(annotations.len(), 5 + 2);
    let last = annotations.last().unwrap();
    assert_eq!(
        (&last["image_id"], &last["track_id"]),
        (&json!(7), &json!(9))
    );
    assert_eq!(last["bbox"], json!([1, 2, 4, 4]));
    let rle: Rle = serde_json::from_value(last["segmentation"].clone()).unwrap();
    assert_eq!(rle.decode(), square(1, 4));
    assert_eq!(file["licenses"], json!([]));
}

#[test]
fn youtube_vis_has_lists_over_frames_with_null_where_nothing_is_seen() {
    let recorded = Recorded::new((0..7).rev());
    let file = json(|file| ytvis::write(&video(), &recorded.records, file));
    assert_eq!(file["videos"][0]["length"], 7);
    assert_eq!(file["videos"][0]["file_names"][1], "clip/00001.jpg");
    let annotation = |id: u32| {
        let all = file["annotations"].as_array().unwrap();
        all.iter()
            .find(|annotation| annotation["id"] == id)
            .unwrap()
    };
    assert_eq!(annotation(3)["areas"], json!([9, 9, null, 9, 9, null, 9]));
    assert_eq!(
        annotation(9)["bboxes"],
        json!([null, null, null, null, null, [1, 2, 4, 4], [1, 2, 4, 4]])
    );
    assert_eq!(annotation(9)["segmentations"].as_array().unwrap().len(), 7);
}

#[test]
fn sav_counts_as_the_data_set_does() {
    let recorded = Recorded::new(1..10);
    let write = |origin| {
        move |file: &mut dyn Write| {
            sav::write(&video(), &SavFacts::new(origin, 2), &recorded.records, file)
        }
    };
    let bytes = written(write(sav::Origin::Manual));
    let file: SavAnnotations = serde_json::from_slice(&bytes).unwrap();
    // Annotated are frames 0 (not tracked), 2 (object 3 hidden), 4, 6 and 8 (hidden again).
    let areas =
        |m: usize| -> Vec<u64> { file.masklet.iter().map(|masks| masks[m].area()).collect() };
    assert_eq!(areas(0), [0, 0, 9, 9, 0]);
    assert_eq!(areas(1), [0, 0, 0, 16, 16]);
    assert_eq!(file.masklet_id, [3, 9]);
    assert_eq!(file.masklet_size_abs, [9.0, 16.0]);
    assert_eq!(file.masklet_size_rel, [9.0 / 96.0, 16.0 / 96.0]);
    assert_eq!(file.masklet_size_bucket, ["small", "small"]);
    assert_eq!(file.masklet_first_appeared_frame, [2.0, 3.0]);
    assert_eq!(file.masklet_visibility_changes, [1, 0]);
    assert_eq!(file.masklet_frame_count, [5, 5]);
    assert_eq!(file.masklet_stability_score, [None, None]);
    assert_eq!((file.video_duration, file.video_frame_count), (0.4, 10.0));
}

#[test]
fn the_reader_of_the_data_set_accepts_what_is_written() {
    let recorded = Recorded::new(0..10);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip_manual.json");
    let step = ANNOTATED_EVERY;
    let bytes = written(|file| {
        let facts = SavFacts::new(sav::Origin::Manual, step);
        sav::write(&video(), &facts, &recorded.records, file)
    });
    fs::write(&path, bytes).unwrap();
    let file = SavAnnotations::open(&path).unwrap();
    assert_eq!((file.masklet.len(), file.masklet_num), (3, 2));
    assert_eq!(file.masklet_edited_frame_count, [1, 0]);
}

#[test]
fn automatic_masklets_have_a_stability_score_for_each_annotated_frame() {
    let recorded = Recorded::new(0..5);
    let facts = SavFacts::new(sav::Origin::Auto, 4);
    let file = json(|file| sav::write(&video(), &facts, &recorded.records, file));
    assert_eq!(file["masklet_type"], json!(["auto"]));
    // Frame 8 was not tracked.
    assert_eq!(
        file["masklet_stability_score"],
        json!([[0.5], [0.5], [1.0]])
    );
}

#[test]
fn davis_pictures_are_read_back_with_the_higher_logit_on_top() {
    let masks = [(3, square(0, 4)), (200, square(2, 4))];
    let png = davis::encode(SIZE, &masks, |object, _| object as f32).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("00000.png");
    fs::write(&path, png).unwrap();
    let labels = LabelMap::open(&path).unwrap();
    assert_eq!(labels.counts(), [(0, 96 - 24), (3, 8), (200, 16)]);
    for id in [0, 255, 70_000] {
        let refused = davis::encode(SIZE, &[(id, square(0, 2))], |_, _| 0.0).unwrap_err();
        assert!(
            refused.to_string().contains(&format!("object {id}")),
            "{refused}"
        );
    }
}

#[test]
fn yolo_classes_are_the_objects_in_their_order() {
    let recorded = Recorded::new(4..8);
    let classes: Vec<u32> = recorded.records.objects().iter().map(|o| o.id).collect();
    assert_eq!(classes, [3, 9]);
    let text = yolo::labels(&frame(5), &classes);
    assert_eq!(
        text,
        "1 0.083333 0.250000 0.416667 0.250000 0.416667 0.750000 0.083333 0.750000\n"
    );
    assert!(yolo::data_file(&recorded.records).contains("  1: object 9\n"));
}

#[test]
fn numpy_arrays_have_their_shapes_and_values() {
    let recorded = Recorded::new(0..6);
    let bytes = written(|file| npz::write(&video(), &recorded.records, file));
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut array = |name: &str| -> (String, Vec<u8>) {
        let mut file = archive.by_name(name).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + length) % 64, 0);
        let values = bytes.split_off(10 + length);
        (String::from_utf8_lossy(&bytes[10..]).into_owned(), values)
    };
    let (header, masks) = array("masks.npy");
    assert!(
        header.contains("'shape': (6, 2, 8, 12, )") && header.contains("|b1"),
        "{header}"
    );
    let of = |frame: usize, object: usize| &masks[(frame * 2 + object) * 96..][..96];
    let expected: Vec<u8> = square(1, 3).bits().iter().map(|&bit| bit.into()).collect();
    assert_eq!(of(1, 0), expected);
    assert!(of(1, 1).iter().all(|&pixel| pixel == 0));
    assert_eq!(
        array("object_ids.npy").1,
        [3i64.to_le_bytes(), 9i64.to_le_bytes()].concat()
    );
    let (_, scores) = array("occlusion_scores.npy");
    assert_eq!(scores[..4], 3.25f32.to_le_bytes());
    assert!(f32::from_le_bytes(scores[4..8].try_into().unwrap()).is_nan());
}

#[test]
fn files_of_tracks_are_read_back() {
    let recorded = Recorded::new(2..9);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    let coco = written(|file| coco::write(&video(), &recorded.records, file));
    let ytvis = written(|file| ytvis::write(&video(), &recorded.records, file));
    for (bytes, with_scores) in [(coco, true), (ytvis, false)] {
        fs::write(&path, bytes).unwrap();
        let read = TrackFile::open(&path).unwrap();
        assert_eq!((read.name.as_str(), read.dimensions), ("clip", SIZE));
        assert_eq!(read.objects, [3, 9]);
        let numbers: Vec<usize> = read.frames.iter().map(|frame| frame.frame).collect();
        assert_eq!(numbers, (2..9).collect::<Vec<_>>());
        for found in &read.frames {
            for object in frame(found.frame).objects {
                let mask = found.masks.get(&object.id);
                // What is hidden has no mask.
                assert_eq!(mask.is_some(), object.area > 0, "frame {}", found.frame);
                if let Some(mask) = mask {
                    assert_eq!(mask.mask, object.segmentation);
                    assert_eq!(mask.score, with_scores.then_some(object.occlusion_score));
                }
            }
        }
    }
}

#[test]
fn files_that_are_no_tracks_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    let refused = |content: Value, words: &[&str]| {
        fs::write(&path, content.to_string()).unwrap();
        let error = TrackFile::open(&path).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` is missing in: {error}");
        }
    };
    refused(json!({}), &["COCO or YouTube-VIS", "annotations"]);
    refused(json!({"annotations": []}), &["0 videos", "one video"]);
    let image = json!({"id": 1, "file_name": "0.jpg", "width": 4, "height": 2});
    refused(
        json!({"images": [image], "annotations": []}),
        &["without frame_id"],
    );
    let image = json!({"id": 1, "file_name": "0.jpg", "width": 4, "height": 2, "frame_id": 0});
    let mask = |size: [u32; 2], counts: [u32; 1], image: u32| {
        let segmentation = json!({"size": size, "counts": counts});
        json!({"image_id": image, "track_id": 1, "segmentation": segmentation})
    };
    let file = |annotation| json!({"images": [image], "annotations": [annotation]});
    refused(file(mask([2, 4], [8], 7)), &["unknown image"]);
    refused(file(mask([2, 2], [4], 1)), &["2x2 pixels", "4x2"]);
    refused(file(mask([2, 4], [7], 1)), &["cover 7 pixels"]);
}
