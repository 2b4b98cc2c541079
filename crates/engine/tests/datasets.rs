//! Data sets go into a project and come out the same.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{FRAMES, Lab, SIZE, clip, square};
use masklet_data::export::VideoFacts;
use masklet_data::export::sav::{self, Origin, SavFacts};
use masklet_data::record::{FrameRecord, ObjectRecord, RecordWriter, Records};
use masklet_data::{ReadOptions, sav::SavAnnotations};
use masklet_engine::export::{ExportOptions, ExportReport, Format, Part};
use masklet_engine::import::{Arrival, ImportReport};
use masklet_engine::{
    Action, EngineError, HistoryQuery, Kind, MaskletState, Pixels, Project, Scope, TaskQuery,
    TaskState, VideoImport,
};
use masklet_media::{Mask, RgbImage, Rle};

/// A project without videos.
fn empty(folder: &Path) -> Project {
    Project::create(folder, "Empty", "Olga").unwrap()
}

fn import(project: &Project, path: &Path) -> ImportReport {
    let owner = project.owner().unwrap().id;
    project
        .import(owner, path, Arrival::Satisfactory, &mut |_| ())
        .unwrap()
}

fn export(project: &Project, folder: &Path, format: Format) -> ExportReport {
    project
        .export(folder, &ExportOptions::new(format), &mut |_| ())
        .unwrap()
}

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.file_type().unwrap().is_dir() {
                true => walk(&entry.path(), &format!("{name}/"), all),
                false => drop(all.insert(name, fs::read(entry.path()).unwrap())),
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(folder, "", &mut all);
    all
}

fn same_files(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{name} differs");
    }
}

/// The masks of all masklets of a project, by kind, number and frame.
fn all_masks(project: &Project) -> BTreeMap<(String, u32, u32), Rle> {
    let mut masks = BTreeMap::new();
    for task in project.tasks(TaskQuery::default()).unwrap() {
        for masklet in task.masklets {
            let frames = project.frames(masklet.id).unwrap();
            let places: Vec<_> = frames.iter().map(|entry| entry.mask.clone()).collect();
            for (entry, mask) in frames.iter().zip(project.read_masks(&places).unwrap()) {
                let key = (masklet.kind.name().to_owned(), masklet.number, entry.frame);
                masks.insert(key, mask);
            }
        }
    }
    masks
}

/// Objects 1 and 2, which comes and goes, satisfactory in all frames; they never overlap.
fn annotated() -> Lab {
    let lab = Lab::new();
    let (task, masklets) = lab.task(2);
    lab.annotate_all(task, masklets[0]);
    let updates: Vec<_> = (0..FRAMES)
        .map(|frame| {
            let side = if frame % 5 == 4 { 0 } else { 5 };
            common::clicked(masklets[1], frame, square(frame, 12, side))
        })
        .collect();
    lab.project
        .annotate(lab.ann, task, None, &updates, None)
        .unwrap();
    lab.project.submit(lab.ann, task, None).unwrap();
    lab.project.claim(lab.vera, task).unwrap();
    for masklet in masklets {
        let judgement = serde_json::json!({"masklet": masklet, "verdict": "satisfactory"});
        let judgement = serde_json::from_value(judgement).unwrap();
        lab.project.judge(lab.vera, task, None, &judgement).unwrap();
    }
    lab
}

/// Exports, imports and exports again: the files are the same.
fn goes_around(format: Format) -> (Lab, Project) {
    let lab = annotated();
    let (first, second) = (lab.path("first"), lab.path("second"));
    export(&lab.project, &first, format);
    let again = empty(&lab.path("again"));
    let report = import(&again, &first);
    assert_eq!(report.refused, []);
    assert_eq!(report.videos[0].masklets, 2);
    export(&again, &second, format);
    same_files(&first, &second);
    (lab, again)
}

#[test]
fn davis_comes_back_as_it_was() {
    let (lab, again) = goes_around(Format::Davis);
    assert_eq!(all_masks(&lab.project), all_masks(&again));
    let dataset = masklet_data::open(
        lab.path("first"),
        &ReadOptions {
            split: Some("2017/train".into()),
            ..ReadOptions::default()
        },
    );
    assert_eq!(
        (dataset.as_ref().unwrap().len(), dataset.unwrap().name(0)),
        (1, "clip")
    );
}

#[test]
fn coco_comes_back_as_it_was() {
    let (lab, again) = goes_around(Format::Coco);
    assert_eq!(all_masks(&lab.project), all_masks(&again));
    assert_eq!(
        masklet_data::detect(lab.path("first")).unwrap(),
        masklet_data::Layout::Coco
    );
}

#[test]
fn youtube_vis_comes_back_as_it_was() {
    let (lab, again) = goes_around(Format::Ytvis);
    assert_eq!(all_masks(&lab.project), all_masks(&again));
}

#[test]
fn the_validation_set_of_sav_comes_back_as_it_was() {
    let (lab, again) = goes_around(Format::SavVal);
    let mut masks = all_masks(&lab.project);
    masks.retain(|(_, _, frame), _| frame % 4 == 0);
    assert_eq!(masks, all_masks(&again));
    assert_eq!(
        masklet_data::detect(lab.path("first")).unwrap(),
        masklet_data::Layout::SavEval
    );
}

#[test]
fn the_training_set_of_sav_comes_back_as_it_was() {
    let (lab, again) = goes_around(Format::Sav);
    let mut masks = all_masks(&lab.project);
    masks.retain(|(_, _, frame), _| frame % 4 == 0);
    assert_eq!(masks, all_masks(&again));
    let file = SavAnnotations::open(lab.path("first/clip_manual.json")).unwrap();
    assert_eq!(file.masklet_edited_frame_count, [u64::from(FRAMES); 2]);
    assert_eq!(file.masklet_id, [1, 2]);
}

fn object(id: u32, mask: &Mask, stability_score: f32) -> ObjectRecord {
    ObjectRecord {
        id,
        segmentation: Rle::encode(mask),
        occlusion_score: 1.0,
        area: mask.area(),
        bbox: mask
            .bounding_box()
            .map_or([0; 4], |bounds| bounds.to_coco()),
        stability_score,
        prompted: false,
    }
}

/// A training video of SA-V as the data set has it: both kinds, numbers from 0, overlapping masks.
fn sav_video(folder: &Path) {
    clip(&folder.join("sav_000007"), FRAMES, 7);
    let video = VideoFacts {
        name: "sav_000007".into(),
        dimensions: SIZE,
        frame_count: Some(FRAMES as usize),
        frame_rate: None,
    };
    for (origin, edited) in [
        (Origin::Manual, vec![(0, 41), (1, 3)]),
        (Origin::Auto, vec![]),
    ] {
        let path = folder.join("records.jsonl");
        let mut writer = RecordWriter::create(&path).unwrap();
        for frame in (0..FRAMES).step_by(4) {
            let square = square(frame, 1, 9).decode();
            let part = square_part(frame);
            let objects = vec![object(0, &square, 0.75), object(1, &part, 0.9996)];
            writer
                .add(&FrameRecord {
                    frame: frame as usize,
                    time: None,
                    objects,
                })
                .unwrap();
        }
        writer.flush().unwrap();
        let records = Records::open(&path).unwrap();
        let facts = SavFacts {
            environment: Some("Indoor".into()),
            split: Some("train".into()),
            edited_before: edited.into_iter().collect(),
            ..SavFacts::new(origin, 4)
        };
        let mut bytes = Vec::new();
        sav::write(&video, &facts, &records, &mut bytes).unwrap();
        fs::write(
            folder.join(format!("sav_000007_{}.json", origin.name())),
            bytes,
        )
        .unwrap();
        fs::remove_file(path).unwrap();
    }
}

/// Inside the square, and hidden on frame 4.
fn square_part(frame: u32) -> Mask {
    square(frame, 2, if frame == 4 { 0 } else { 3 }).decode()
}

#[test]
fn a_video_of_sav_is_taken_in_and_written_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    sav_video(&original);
    let project = empty(&folder.path().join("project"));
    let report = import(&project, &original);
    assert_eq!((report.refused.len(), report.videos[0].masklets), (0, 4));
    let tasks = project.tasks(TaskQuery::default()).unwrap();
    let kinds: Vec<_> = tasks[0]
        .masklets
        .iter()
        .map(|of| (of.kind, of.number))
        .collect();
    assert_eq!(
        kinds,
        [
            (Kind::Manual, 0),
            (Kind::Manual, 1),
            (Kind::Auto, 0),
            (Kind::Auto, 1)
        ]
    );
    export(&project, &folder.path().join("written"), Format::Sav);
    same_files(&original, &folder.path().join("written"));

    // Label maps know neither object 0 nor two kinds, nor overlapping masks.
    let report = export(&project, &folder.path().join("davis"), Format::Davis);
    assert_eq!(
        report.videos[0].renumbered,
        [(0, 1), (1, 2), (0, 3), (1, 4)]
    );
    assert_eq!(report.videos[0].overlapping_frames, 3);
    let read = masklet_data::LabelMap::open(
        folder
            .path()
            .join("davis/Annotations/480p/sav_000007/00000.png"),
    );
    let counts = read.unwrap().counts();
    // The smaller mask is on top; of equal ones the first.
    assert_eq!(
        counts,
        [(0, u64::from(SIZE.0 * SIZE.1) - 81), (1, 72), (2, 9)]
    );
}

#[test]
fn a_video_is_never_there_without_its_masklets() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    sav_video(&original);
    let project = empty(&folder.path().join("project"));
    let owner = project.owner().unwrap().id;
    let before = project.fingerprint().unwrap();
    let report = import(&project, &original);
    let (id, scope) = (report.videos[0].id, Scope::Video(report.videos[0].id));
    // One event: a process that is killed has made both or neither.
    let query = HistoryQuery {
        scope: Some(scope),
        ..HistoryQuery::default()
    };
    let events = project.history(&query).unwrap();
    let action = Action::ImportVideo {
        name: "sav_000007".into(),
        frames: FRAMES,
        masklets: 4,
    };
    assert_eq!((events.len(), &events[0].action), (1, &action));
    project.undo(owner, scope, None).unwrap();
    assert!(project.video(id).is_err());
    assert_eq!(project.fingerprint().unwrap(), before);
    let again = import(&project, &original);
    assert_eq!((again.refused.len(), again.videos[0].masklets), (0, 4));

    // Masklets that do not fit the video.
    let other = folder.path().join("other");
    sav_video(&other);
    for frame in 0..FRAMES {
        let path = other.join(format!("sav_000007/{frame:05}.png"));
        let picture = RgbImage::filled(16, 16, [1, frame as u8, 3]).unwrap();
        picture.save_png(path).unwrap();
    }
    let before = project.fingerprint().unwrap();
    let report = import(&project, &other);
    assert!(
        report.refused[0].1.contains("the mask's size"),
        "{:?}",
        report.refused
    );
    assert_eq!(project.fingerprint().unwrap(), before);
}

/// A video file of the media crate's.
fn video_file(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    crates.join("media/tests/fixtures/video").join(name)
}

/// A project with a video of a name and file, and a masklet on frames 0 and 4 of it.
fn with_video(folder: &Path, name: &str, file: &Path) -> Project {
    let project = empty(folder);
    add_video(&project, name, Pixels::File(file.to_owned()));
    project
}

fn add_video(project: &Project, name: &str, pixels: Pixels) {
    let owner = project.owner().unwrap().id;
    let import = VideoImport {
        name: name.to_owned(),
        pixels,
        environment: None,
        split: None,
    };
    let id = project.import_video(owner, &import, &mut |_| ());
    let video = project.video(id.unwrap().value).unwrap();
    let frames = [0, 4].map(|frame| masklet_engine::import::DatasetFrame {
        frame,
        mask: Rle::encode(&Mask::from_fn(video.width, video.height, |x, _| x > frame)),
        occlusion_score: None,
        stability_score: None,
    });
    let masklet = masklet_engine::import::DatasetMasklet {
        number: 1,
        kind: Kind::Manual,
        edited_frames: 0,
        frames: frames.to_vec(),
    };
    project
        .import_masklets(owner, video.id, &[masklet], Arrival::Satisfactory)
        .unwrap();
}

#[test]
fn a_video_is_written_to_sav_as_mp4_or_as_pictures_whatever_its_file_was_called() {
    let folder = tempfile::tempdir().unwrap();
    // As an upload is stored: without an extension of its own.
    let upload = folder.path().join("upload");
    fs::copy(video_file("b_frames.mp4"), &upload).unwrap();
    // MP4 by its name and not by its contents.
    let quicktime = folder.path().join("quicktime.mp4");
    fs::copy(video_file("quicktime.mov"), &quicktime).unwrap();
    for (place, file, written) in [
        ("1", &upload, "clip.mp4"),
        ("2", &quicktime, "clip/00000.jpg"),
        ("3", &video_file("quicktime.mov"), "clip/00000.jpg"),
    ] {
        let at = |name: &str| folder.path().join(place).join(name);
        let project = with_video(&at("project"), "clip", file);
        export(&project, &at("out"), Format::Sav);
        assert!(at("out").join(written).is_file(), "{written}");
        let again = empty(&at("again"));
        let report = import(&again, &at("out"));
        assert_eq!(report.refused, []);
        let mut masks = all_masks(&again);
        masks.retain(|_, mask| mask.area() > 0);
        assert_eq!(masks, all_masks(&project));
        assert_eq!(
            again.videos().unwrap()[0].frames,
            project.videos().unwrap()[0].frames
        );
    }
}

#[test]
fn the_same_clip_is_known_whatever_its_file_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let project = with_video(
        &folder.path().join("project"),
        "clip",
        &video_file("b_frames.mp4"),
    );
    for name in ["upload", "other.m4v"] {
        let path = folder.path().join(name);
        fs::copy(video_file("b_frames.mp4"), &path).unwrap();
        let report = import(&project, &path);
        assert!(
            report.refused[0].1.contains("already, as \"clip\""),
            "{:?}",
            report.refused
        );
    }
    assert_eq!(project.videos().unwrap().len(), 1);
}

#[test]
fn sav_is_not_written_with_a_step_that_its_readers_do_not_know() {
    let lab = annotated();
    for step in [1, 8] {
        let export = |format, name: &str| {
            let options = ExportOptions {
                sav_step: step,
                ..ExportOptions::new(format)
            };
            lab.project.export(&lab.path(name), &options, &mut |_| ())
        };
        let error = export(Format::Sav, "out").unwrap_err();
        assert!(matches!(error, EngineError::BadValue { .. }), "{error}");
        assert!(error.to_string().contains("sav-val"), "{error}");
        assert!(!lab.path("out").exists());
        export(Format::SavVal, &format!("val-{step}")).unwrap();
    }
}

#[test]
fn videos_whose_names_are_one_as_files_are_all_written() {
    let folder = tempfile::tempdir().unwrap();
    let project = empty(&folder.path().join("project"));
    let long = "ü".repeat(200);
    for (seed, name) in ["a:b", "a?b", &long, "annotations"].into_iter().enumerate() {
        let pictures = clip(&folder.path().join(format!("clips/{seed}")), 5, seed as u8);
        let pixels = VideoImport::of(&pictures).unwrap().pixels;
        add_video(&project, name, pixels);
    }
    for format in [Format::Sav, Format::Davis, Format::Coco] {
        let out = folder.path().join(format.name());
        let report = export(&project, &out, format);
        assert_eq!(report.videos[0].name, "a_b");
        assert_eq!(report.videos[1].name, "a_b-2");
        let again = empty(&folder.path().join(format!("again-{format}")));
        let report = import(&again, &out);
        assert_eq!((report.videos.len(), report.refused.len()), (4, 0));
    }
}

#[test]
fn masklets_arrive_to_be_verified_or_repaired() {
    let folder = tempfile::tempdir().unwrap();
    sav_video(&folder.path().join("original"));
    for (arrival, task_state, state) in [
        (Arrival::Verify, TaskState::Verify, MaskletState::Submitted),
        (Arrival::Annotate, TaskState::Annotate, MaskletState::Open),
    ] {
        let project = empty(&folder.path().join(state.name()));
        let owner = project.owner().unwrap().id;
        project
            .import(owner, &folder.path().join("original"), arrival, &mut |_| ())
            .unwrap();
        let tasks = project.tasks(TaskQuery::default()).unwrap();
        assert_eq!(
            (tasks[0].state, tasks[0].masklets[0].state),
            (task_state, state)
        );
        let out = folder.path().join("out");
        let error = project
            .export(&out, &ExportOptions::new(Format::Coco), &mut |_| ())
            .unwrap_err();
        assert!(error.to_string().contains("nothing to export"), "{error}");
        let all = ExportOptions {
            states: MaskletState::ALL.to_vec(),
            ..ExportOptions::new(Format::Ytvis)
        };
        project
            .export(
                &folder.path().join(format!("{state}-out")),
                &all,
                &mut |_| (),
            )
            .unwrap();
    }
}

#[test]
fn a_folder_with_files_in_it_is_not_written_into() {
    let lab = annotated();
    fs::create_dir(lab.path("out")).unwrap();
    fs::write(lab.path("out/notes.txt"), "mine").unwrap();
    let options = ExportOptions::new(Format::Davis);
    let error = lab
        .project
        .export(&lab.path("out"), &options, &mut |_| ())
        .unwrap_err();
    assert!(matches!(error, EngineError::BadValue { .. }), "{error}");
    assert_eq!(files(&lab.path("out")).len(), 1);
}

#[test]
fn held_out_videos_are_the_same_in_every_project() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = Vec::new();
    for name in ["one", "two"] {
        let project = empty(&folder.path().join(name));
        let owner = project.owner().unwrap().id;
        project
            .change_settings(owner, None, |settings| settings.held_out_percent = 40)
            .unwrap();
        // In the second project, they come in another order.
        let mut seeds: Vec<u8> = (0..12).collect();
        if name == "two" {
            seeds.reverse();
        }
        for seed in seeds {
            let path = folder.path().join(format!("clips/{seed}"));
            clip(&path, 2, seed);
            let video = VideoImport::of(&path).unwrap();
            let id = project
                .import_video(owner, &video, &mut |_| ())
                .unwrap()
                .value;
            let masklet = masklet_engine::import::DatasetMasklet {
                number: 1,
                kind: Kind::Manual,
                edited_frames: 0,
                frames: vec![masklet_engine::import::DatasetFrame {
                    frame: 0,
                    mask: square(1, 1, 4),
                    occlusion_score: None,
                    stability_score: None,
                }],
            };
            project
                .import_masklets(owner, id, &[masklet], Arrival::Satisfactory)
                .unwrap();
        }
        let names = |part| {
            let out = folder.path().join(format!("{name}-{part}"));
            let options = ExportOptions {
                part,
                ..ExportOptions::new(Format::Davis)
            };
            let report = project.export(&out, &options, &mut |_| ()).unwrap();
            let mut names: Vec<_> = report.videos.into_iter().map(|video| video.name).collect();
            names.sort();
            names
        };
        let (training, held_out) = (names(Part::Training), names(Part::HeldOut));
        assert_eq!(training.len() + held_out.len(), 12);
        assert!(!training.is_empty() && !held_out.is_empty());
        assert!(training.iter().all(|name| !held_out.contains(name)));
        parts.push((training, held_out));
    }
    assert_eq!(parts[0], parts[1]);
}

#[test]
fn what_is_no_video_or_too_large_is_refused_and_leaves_nothing() {
    let lab = Lab::new();
    let (project, owner) = (&lab.project, lab.owner);
    let videos = || files(&project.folder().join("videos")).len();
    let before = (videos(), project.fingerprint().unwrap());
    fs::write(lab.path("noise.mp4"), [7u8; 5000]).unwrap();
    fs::write(lab.path("empty.mp4"), []).unwrap();
    // It begins as a picture does and ends early.
    let picture = fs::read(lab.path("clip/00000.png")).unwrap();
    fs::create_dir(lab.path("cut")).unwrap();
    fs::write(lab.path("cut/00000.png"), &picture[..picture.len() / 2]).unwrap();
    for name in ["noise.mp4", "empty.mp4", "cut"] {
        let result = project.import(owner, &lab.path(name), Arrival::default(), &mut |_| ());
        match result {
            Ok(report) => assert_eq!(
                (report.videos.len(), report.refused.len()),
                (0, 1),
                "{name}"
            ),
            Err(error) => assert!(matches!(error, EngineError::Media(_)), "{name}: {error}"),
        }
    }
    // The same pixels again.
    let again = import(project, &lab.path("clip"));
    assert!(
        again.refused[0].1.contains("already, as \"clip\""),
        "{:?}",
        again.refused
    );
    // Longer or larger than the settings allow.
    clip(&lab.path("long"), 3, 9);
    project
        .change_settings(owner, None, |settings| settings.max_video_frames = 2)
        .unwrap();
    let long = import(project, &lab.path("long"));
    assert!(
        long.refused[0].1.contains("max_video_frames"),
        "{:?}",
        long.refused
    );
    project
        .change_settings(owner, None, |settings| settings.max_video_bytes = 10)
        .unwrap();
    let large = import(project, &lab.path("long"));
    assert!(
        large.refused[0].1.contains("max_video_bytes"),
        "{:?}",
        large.refused
    );
    assert_eq!(videos(), before.0, "copies are removed");
    assert_eq!(project.videos().unwrap().len(), 1);

    // A name of somebody else's choosing stays a name.
    let import = VideoImport {
        name: "../../x".into(),
        ..VideoImport::of(&lab.path("long")).unwrap()
    };
    project
        .change_settings(owner, None, |settings| {
            settings.max_video_bytes = 1 << 20;
            settings.max_video_frames = 9;
        })
        .unwrap();
    let id = project
        .import_video(owner, &import, &mut |_| ())
        .unwrap()
        .value;
    let video = project.video(id).unwrap();
    assert_eq!(video.name, "../../x");
    assert!(
        project
            .video_path(&video)
            .starts_with(project.folder().join("videos"))
    );
}
