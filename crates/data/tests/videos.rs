//! Readers of video data sets, on small made-up ones.

mod common;

use common::{Folder, SIZE, stripe};
use masklet_data::{
    DataError, Dataset, LabelRule, Layout, Masklets, ReadOptions, Sequence, SkipReason,
    VideoDataset, detect, open, open_masks,
};
use masklet_media::{Mask, Rle};

fn videos(folder: &Folder, options: &ReadOptions) -> Box<dyn VideoDataset> {
    match open(folder.path(), options).unwrap() {
        Dataset::Videos(videos) => videos,
        Dataset::Images(_) => panic!("images were recognised"),
    }
}

fn first_frames(sequence: &dyn Sequence) -> Vec<(u32, usize)> {
    let objects = sequence.objects().unwrap();
    objects
        .iter()
        .map(|object| (object.id, object.first_frame))
        .collect()
}

fn options(split: &str) -> ReadOptions {
    ReadOptions {
        split: Some(split.into()),
        ..ReadOptions::default()
    }
}

/// Two sequences; in the first, object 2 appears on the second frame, with void between.
fn davis_2017(folder: &Folder) {
    for resolution in ["480p", "Full-Resolution"] {
        folder.pictures(
            &format!("JPEGImages/{resolution}/dogs"),
            &["00000", "00001", "00002"],
        );
        folder.pictures(&format!("JPEGImages/{resolution}/cat"), &["00000", "00001"]);
        let map = |name: &str| format!("Annotations/{resolution}/{name}.png");
        folder.labels(&map("dogs/00000"), |x, _| u8::from(x < 3));
        folder.labels(&map("dogs/00001"), |x, _| match x {
            0..3 => 1,
            3 => 255,
            4..6 => 2,
            _ => 0,
        });
        folder.labels(&map("dogs/00002"), |_, _| 0);
        folder.labels(&map("cat/00000"), |x, _| u8::from(x == 7));
        folder.labels(&map("cat/00001"), |x, _| u8::from(x == 8));
    }
    folder.text("ImageSets/2017/val.txt", "dogs\n");
    folder.text("ImageSets/2017/train.txt", "cat\n");
}

#[test]
fn davis_2017_has_several_objects_void_and_lists() {
    let folder = Folder::new();
    davis_2017(&folder);
    assert_eq!(detect(folder.path()).unwrap(), Layout::Davis);

    let all = videos(&folder, &ReadOptions::default());
    assert_eq!(all.names(), ["cat", "dogs"]);
    let val = videos(&folder, &options("val"));
    assert_eq!(val.names(), ["dogs"]);
    assert_eq!(videos(&folder, &options("2017/train")).names(), ["cat"]);

    let dogs = val.open(0).unwrap();
    assert_eq!((dogs.name(), dogs.frame_count()), ("dogs", 3));
    assert_eq!(dogs.frame_name(1), "00001");
    assert_eq!(dogs.annotated_frames(), [0, 1, 2]);
    assert_eq!(first_frames(&*dogs), [(1, 0), (2, 1)]);
    let second = dogs.annotation(1).unwrap().unwrap();
    assert_eq!(second.areas(), [(1, 24), (2, 16)]);
    assert_eq!(second.void().unwrap(), stripe(3, 4));
    assert_eq!(dogs.mask(1, 2).unwrap().unwrap(), stripe(4, 6));
    assert!(
        dogs.mask(2, 2).unwrap().unwrap().is_empty(),
        "annotated as absent"
    );
    assert!(dogs.annotation(0).unwrap().unwrap().void().is_none());
    let mut frames = dogs.frames().unwrap();
    assert_eq!(frames.dimensions(), SIZE);
    assert_eq!(frames.frame(2).unwrap().unwrap().pixel(0, 0), Some([2; 3]));
    assert!(frames.frame(3).unwrap().is_none());
}

#[test]
fn davis_2016_masks_of_0_and_255_are_one_object() {
    let folder = Folder::new();
    folder.pictures("JPEGImages/480p/swan", &["00000", "00001"]);
    folder.grey("Annotations/480p/swan/00000.png", |x, _| {
        if x < 2 { 255 } else { 0 }
    });
    folder.grey("Annotations/480p/swan/00001.png", |x, _| {
        if x < 4 { 255 } else { 0 }
    });
    let line =
        |frame| format!("/JPEGImages/480p/swan/{frame}.jpg /Annotations/480p/swan/{frame}.png\n");
    folder.text("ImageSets/480p/val.txt", &(line("00000") + &line("00001")));
    let davis = videos(&folder, &options("480p/val"));
    assert_eq!(davis.names(), ["swan"]);
    let swan = davis.open_named("swan").unwrap();
    assert_eq!(first_frames(&*swan), [(1, 0)]);
    assert_eq!(swan.mask(1, 1).unwrap().unwrap(), stripe(0, 4));
    assert!(swan.annotation(0).unwrap().unwrap().void().is_none());
    let forced = ReadOptions {
        labels: Some(LabelRule::Objects),
        ..ReadOptions::default()
    };
    let swan = videos(&folder, &forced).open(0).unwrap();
    assert_eq!(
        swan.annotation(0).unwrap().unwrap().void().unwrap(),
        stripe(0, 2)
    );
}

#[test]
fn davis_names_what_it_does_not_have() {
    let folder = Folder::new();
    davis_2017(&folder);
    let open = |options: &ReadOptions| open(folder.path(), options).unwrap_err().to_string();
    assert!(open(&options("test")).contains("test.txt is missing"));
    let other = ReadOptions {
        resolution: Some("1080p".into()),
        ..ReadOptions::default()
    };
    assert_eq!(
        open(&other),
        "there is no resolution \"1080p\"; there are 480p, Full-Resolution"
    );
    let davis = videos(&folder, &ReadOptions::default());
    let error = davis.open_named("dog").err().unwrap().to_string();
    assert_eq!(error, "there is no sequence \"dog\"; there are cat, dogs");
}

#[test]
fn mose_splits_are_chosen_and_sequences_without_masks_are_named() {
    let folder = Folder::new();
    for split in ["train", "valid"] {
        folder.pictures(&format!("{split}/JPEGImages/0a1b2c3d"), &["00000", "00001"]);
        folder.labels(
            &format!("{split}/Annotations/0a1b2c3d/00000.png"),
            |x, _| 3 * u8::from(x < 2),
        );
    }
    folder.pictures("train/JPEGImages/ffffffff", &["00000"]);
    assert_eq!(detect(folder.path()).unwrap(), Layout::Mose);
    let error = open(folder.path(), &ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("train, valid"), "{error}");
    let train = videos(&folder, &options("train"));
    assert_eq!(train.names(), ["0a1b2c3d"]);
    assert_eq!(train.left_out().len(), 1);
    assert_eq!(train.left_out()[0].name, "ffffffff");
    assert_eq!(train.left_out()[0].reason, SkipReason::NoMasks);
    let sequence = train.open(0).unwrap();
    assert_eq!(sequence.annotated_frames(), [0]);
    assert_eq!(first_frames(&*sequence), [(3, 0)]);
    assert!(
        sequence.mask(1, 3).unwrap().is_none(),
        "the frame is not annotated"
    );
    // The folder of a split is accepted as well.
    let inner = open(folder.path().join("valid"), &ReadOptions::default()).unwrap();
    assert_eq!((inner.layout(), inner.len()), (Layout::Mose, 1));
}

#[test]
fn youtube_vos_tells_categories_and_the_frames_of_each_object() {
    let folder = Folder::new();
    folder.pictures("train/JPEGImages/0043f083b5", &["00000", "00005", "00010"]);
    folder.labels("train/Annotations/0043f083b5/00000.png", |x, _| {
        u8::from(x < 2)
    });
    folder.labels("train/Annotations/0043f083b5/00005.png", |x, _| match x {
        0..2 => 1,
        2..5 => 2,
        _ => 0,
    });
    folder.labels("train/Annotations/0043f083b5/00010.png", |x, _| {
        2 * u8::from(x < 2)
    });
    folder.text(
        "train/meta.json",
        r#"{"videos": {"0043f083b5": {"objects": {
            "1": {"category": "person", "frames": ["00000", "00005"]},
            "2": {"category": "sedan", "frames": ["00005", "00010"]}}}}}"#,
    );
    assert_eq!(detect(folder.path()).unwrap(), Layout::YoutubeVos);
    let sequence = videos(&folder, &options("train")).open(0).unwrap();
    let objects = sequence.objects().unwrap();
    assert_eq!(objects[0].category.as_deref(), Some("person"));
    assert_eq!(objects[1].first_frame, 1);
    assert_eq!(objects[1].listed_frames.as_deref(), Some(&[1, 2][..]));
}

#[test]
fn lvos_tells_frame_ranges() {
    let folder = Folder::new();
    let stems = ["00000001", "00000006", "00000011", "00000016"];
    folder.pictures("JPEGImages/long", &stems);
    for stem in stems {
        folder.labels(&format!("Annotations/long/{stem}.png"), |x, _| {
            u8::from(x < 2)
        });
    }
    folder.text(
        "meta.json",
        r#"{"videos": {"long": {"objects": {"1": {"frame_range":
            {"start": "00000001", "end": "00000016", "frame_nums": "3"}}}}}}"#,
    );
    assert_eq!(detect(folder.path()).unwrap(), Layout::Lvos);
    let sequence = videos(&folder, &ReadOptions::default()).open(0).unwrap();
    let objects = sequence.objects().unwrap();
    assert_eq!(objects[0].listed_frames.as_deref(), Some(&[0, 1, 2][..]));
}

#[test]
fn an_index_that_is_no_index_is_an_error_with_its_place() {
    let folder = Folder::new();
    folder.pictures("JPEGImages/a", &["00000"]);
    folder.labels("Annotations/a/00000.png", |_, _| 1);
    folder.text(
        "meta.json",
        r#"{"videos": {"a": {"objects": {"one": {}}}}}"#,
    );
    let error = open(folder.path(), &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::Json { .. }));
    let message = error.to_string();
    assert!(
        message.contains("meta.json is not a YouTube-VOS index"),
        "{message}"
    );
    assert!(message.contains("line 1 column"), "{message}");
}

/// SA-V's JSON for masks `[annotated frame][masklet]`.
fn sav_json(frames: usize, kind: &str, masks: &[Vec<Mask>]) -> String {
    let masklets = masks[0].len();
    let rles: Vec<Vec<Rle>> = masks
        .iter()
        .map(|m| m.iter().map(Rle::encode).collect())
        .collect();
    serde_json::json!({
        "video_id": "sav_000007", "video_duration": 0.25, "video_frame_count": frames as f64,
        "video_height": 8.0, "video_width": 12.0, "video_resolution": 96.0,
        "video_environment": "Indoor", "video_split": "train",
        "masklet": rles,
        "masklet_id": (0..masklets).collect::<Vec<_>>(),
        "masklet_size_rel": vec![0.1; masklets], "masklet_size_abs": vec![10.0; masklets],
        "masklet_size_bucket": vec!["small"; masklets],
        "masklet_visibility_changes": vec![0; masklets],
        "masklet_first_appeared_frame": vec![0.0; masklets],
        "masklet_frame_count": vec![masks.len(); masklets],
        "masklet_edited_frame_count": vec![1; masklets],
        "masklet_type": vec![kind; masklets],
        "masklet_stability_score": vec![None::<Vec<f64>>; masklets],
        "masklet_num": masklets,
    })
    .to_string()
}

fn sav_train(folder: &Folder) {
    let none = Mask::empty(SIZE.0, SIZE.1);
    let manual = [
        vec![stripe(0, 2), none.clone()],
        vec![stripe(0, 3), stripe(5, 6)],
    ];
    folder.text("sav_000007_manual.json", &sav_json(6, "manual", &manual));
    folder.text(
        "sav_000007_auto.json",
        &sav_json(6, "auto", &[vec![stripe(8, 9)], vec![none]]),
    );
}

#[test]
fn sa_v_training_reads_both_kinds_of_masklets_on_every_fourth_frame() {
    let folder = Folder::new();
    sav_train(&folder);
    folder.pictures(
        "sav_000007",
        &["00000", "00001", "00002", "00003", "00004", "00005"],
    );
    assert_eq!(detect(folder.path()).unwrap(), Layout::SavTrain);
    let all = videos(&folder, &ReadOptions::default());
    let video = all.open(0).unwrap();
    assert_eq!((video.name(), video.frame_count()), ("sav_000007", 6));
    assert_eq!(video.annotated_frames(), [0, 4]);
    assert_eq!(first_frames(&*video), [(0, 0), (1, 4), (2, 0)]);
    let kinds: Vec<_> = video
        .objects()
        .unwrap()
        .iter()
        .map(|o| o.category.clone().unwrap())
        .collect();
    assert_eq!(kinds, ["manual", "manual", "auto"]);
    assert_eq!(video.mask(4, 1).unwrap().unwrap(), stripe(5, 6));
    assert!(video.mask(4, 2).unwrap().unwrap().is_empty());
    assert!(video.annotation(3).unwrap().is_none());
    assert_eq!(video.frames().unwrap().frame_count(), Some(6));

    let only = |masklets| ReadOptions {
        masklets,
        ..ReadOptions::default()
    };
    let manual = videos(&folder, &only(Masklets::Manual)).open(0).unwrap();
    assert_eq!(first_frames(&*manual), [(0, 0), (1, 4)]);
    let auto = videos(&folder, &only(Masklets::Auto)).open(0).unwrap();
    assert_eq!(first_frames(&*auto), [(0, 0)]);
}

#[test]
fn sa_v_training_with_every_fourth_frame_extracted_is_annotated_throughout() {
    let folder = Folder::new();
    sav_train(&folder);
    folder.pictures("JPEGImages_24fps/sav_000007", &["00000", "00004"]);
    assert_eq!(detect(folder.path()).unwrap(), Layout::SavTrain);
    let video = videos(&folder, &ReadOptions::default()).open(0).unwrap();
    assert_eq!(video.annotated_frames(), [0, 1]);
    assert_eq!(video.frame_name(1), "00004");
    assert_eq!(video.mask(1, 0).unwrap().unwrap(), stripe(0, 3));
}

#[test]
fn sa_v_masklets_can_be_read_without_the_video() {
    let folder = Folder::new();
    sav_train(&folder);
    let video = videos(&folder, &ReadOptions::default()).open(0).unwrap();
    assert_eq!(video.frame_count(), 6);
    let error = video.frames().err().unwrap();
    assert!(matches!(error, DataError::NoPictures { .. }));
    assert!(
        error.to_string().contains("sav_000007.mp4 is not there"),
        "{error}"
    );
}

#[test]
fn sa_v_files_that_do_not_fit_together_are_errors() {
    let folder = Folder::new();
    let masks = [vec![stripe(0, 1)], vec![stripe(0, 1)], vec![stripe(0, 1)]];
    folder.text("sav_000007_manual.json", &sav_json(6, "manual", &masks));
    let error = |folder: &Folder| {
        let opened = videos(folder, &ReadOptions::default()).open(0);
        opened.err().unwrap().to_string()
    };
    let message = error(&folder);
    assert!(
        message.contains("found masks for 3 annotated frames"),
        "{message}"
    );
    let small = Mask::empty(3, 3);
    folder.text(
        "sav_000007_manual.json",
        &sav_json(6, "manual", &[vec![small]]),
    );
    let message = error(&folder);
    assert!(
        message.contains("3x3 pixels, but the video's size 12x8"),
        "{message}"
    );
}

#[test]
fn sa_v_validation_has_a_folder_for_each_object() {
    let folder = Folder::new();
    let frames = ["00000", "00001", "00002", "00003", "00004"];
    folder.pictures("sav_val/JPEGImages_24fps/sav_000009", &frames);
    let mask = |object: &str, frame: &str| {
        format!("sav_val/Annotations_6fps/sav_000009/{object}/{frame}.png")
    };
    folder.grey(&mask("000", "00000"), |x, _| u8::from(x < 2));
    folder.grey(&mask("000", "00004"), |_, _| 0);
    folder.grey(&mask("001", "00004"), |x, _| u8::from(x < 5) * 255);
    folder.text("sav_val/sav_val.txt", "sav_000009\n");
    assert_eq!(detect(folder.path()).unwrap(), Layout::SavEval);
    let val = videos(&folder, &options("val"));
    let video = val.open(0).unwrap();
    assert_eq!(video.frame_count(), 5);
    assert_eq!(video.annotated_frames(), [0, 4]);
    assert_eq!(first_frames(&*video), [(0, 0), (1, 4)]);
    assert!(video.mask(4, 0).unwrap().unwrap().is_empty());
    assert!(
        video.mask(0, 1).unwrap().is_none(),
        "nothing is said of object 1 on frame 0"
    );
    // Overlapping objects keep all their pixels.
    assert_eq!(video.mask(4, 1).unwrap().unwrap(), stripe(0, 5));
}

#[test]
fn frames_and_masks_are_read_in_all_three_forms() {
    let flat = Folder::new();
    flat.pictures("frames", &["2", "10"]);
    flat.labels("masks/2.png", |x, _| u8::from(x < 1));
    flat.labels("masks/10.png", |x, _| u8::from(x < 2));
    let apart = Folder::new();
    apart.pictures("images/a", &["2", "10"]);
    apart.labels("masks/a/2.png", |x, _| u8::from(x < 1));
    apart.labels("masks/a/10.png", |x, _| u8::from(x < 2));
    let nested = Folder::new();
    nested.pictures("a/frames", &["2", "10"]);
    nested.labels("a/masks/2.png", |x, _| u8::from(x < 1));
    nested.labels("a/masks/10.png", |x, _| u8::from(x < 2));
    for folder in [flat, apart, nested] {
        assert_eq!(detect(folder.path()).unwrap(), Layout::Frames);
        let sequence = videos(&folder, &ReadOptions::default()).open(0).unwrap();
        assert_eq!(sequence.frame_name(1), "10", "by number, not by letter");
        assert_eq!(sequence.mask(1, 1).unwrap().unwrap(), stripe(0, 2));
    }
}

#[test]
fn masks_alone_are_read_for_scoring() {
    let folder = Folder::new();
    folder.labels("a/00000.png", |x, _| u8::from(x < 1));
    folder.labels("a/00005.png", |x, _| u8::from(x < 2));
    let masks = open_masks(folder.path(), &ReadOptions::default()).unwrap();
    let sequence = masks.open(0).unwrap();
    assert_eq!(sequence.frame_name(1), "00005");
    assert_eq!(sequence.mask(1, 1).unwrap().unwrap(), stripe(0, 2));
    assert!(matches!(
        sequence.frames(),
        Err(DataError::NoPictures { .. })
    ));

    let folder = Folder::new();
    folder.grey("v/000/00000.png", |x, _| u8::from(x < 1));
    folder.grey("v/002/00004.png", |x, _| u8::from(x < 2));
    let masks = open_masks(folder.path(), &ReadOptions::default()).unwrap();
    let sequence = masks.open(0).unwrap();
    assert_eq!(first_frames(&*sequence), [(0, 0), (2, 1)]);

    let empty = Folder::new();
    let error = open_masks(empty.path(), &ReadOptions::default())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("<sequence>/<object>/<frame>.png"), "{error}");
}

#[test]
fn damaged_files_are_named() {
    let folder = Folder::new();
    folder.pictures("frames", &["0", "1"]);
    folder.text("masks/0.png", "this is no picture");
    folder.labels("masks/1.png", |_, _| 1);
    let whole = std::fs::read(folder.file("masks/1.png")).unwrap();
    std::fs::write(folder.file("masks/1.png"), &whole[..whole.len() / 2]).unwrap();
    let sequence = videos(&folder, &ReadOptions::default()).open(0).unwrap();
    for frame in 0..2 {
        let message = sequence.annotation(frame).unwrap_err().to_string();
        let expected = format!("masks/{frame}.png as a label map");
        assert!(message.contains(&expected), "{message}");
    }
    assert!(sequence.objects().is_err());

    folder.labels("masks/7.png", |_, _| 1);
    let error = videos(&folder, &ReadOptions::default())
        .open(0)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("7.png: found a mask without a frame"),
        "{error}"
    );
}

#[test]
fn masks_of_another_size_than_the_frames_are_errors() {
    let folder = Folder::new();
    folder.picture("frames/0.jpg", 1);
    Mask::empty(5, 4)
        .save_png(folder.file("masks/0.png"))
        .unwrap();
    let sequence = videos(&folder, &ReadOptions::default()).open(0).unwrap();
    let message = sequence.annotation(0).unwrap_err().to_string();
    assert!(
        message.contains("5x4") && message.contains("12x8"),
        "{message}"
    );
}

#[test]
fn what_is_almost_a_data_set_is_told_what_it_lacks() {
    let advice = |make: &dyn Fn(&Folder)| {
        let folder = Folder::new();
        make(&folder);
        detect(folder.path()).unwrap_err().to_string()
    };
    let message = advice(&|folder| folder.pictures("JPEGImages/480p/dog", &["00000"]));
    assert!(
        message.contains("as DAVIS") && message.contains("Annotations/480p is missing"),
        "{message}"
    );
    let message = advice(&|folder| folder.pictures("JPEGImages/dog", &["00000"]));
    assert!(
        message.contains("as MOSE") && message.contains("Annotations is missing"),
        "{message}"
    );
    let message = advice(&|folder| folder.grey("Annotations_6fps/v/000/00000.png", |_, _| 1));
    assert!(message.contains("JPEGImages_24fps is missing"), "{message}");
    let message = advice(&|folder| folder.text("sav_000001.mp4", ""));
    assert!(
        message.contains("sav_000001_manual.json is missing"),
        "{message}"
    );
    let message = advice(&|folder| folder.picture("sa_1.jpg", 0));
    assert!(
        message.contains("as SA-1B") && message.contains("sa_1.json is missing"),
        "{message}"
    );
    let message = advice(&|folder| folder.pictures("frames", &["0"]));
    assert!(message.contains("masks is missing"), "{message}");
    let message = advice(&|folder| folder.text("notes.txt", ""));
    assert!(message.contains("accepted are DAVIS"), "{message}");
    assert!(matches!(
        detect("/no/such/folder"),
        Err(DataError::Read { .. })
    ));
}
