//! Sessions that are saved, read back and continued.

mod common;

use std::fs;
use std::path::Path;

use common::{config, frames};
use masklet::{
    Click, ClickHistory, Compute, ConfidentMemory, DistractorAwareMemory, FrameResult,
    MemoryPolicy, MemoryRetention, Model, Propagation, SavedSession, StreamTracker, VideoOptions,
    VideoPredictor, VideoSession,
};
use masklet_media::{Mask, MemoryFrames};

const CLICK: [Click; 1] = [Click::positive(31.0, 61.0)];
const FRAMES: usize = 10;

/// The fixtures' model, whose masks are neither empty nor full.
fn model() -> Model {
    common::model("sam2.1")
}

fn video() -> MemoryFrames {
    MemoryFrames::new(frames(FRAMES)).unwrap()
}

fn options(memory_policy: MemoryPolicy) -> VideoOptions {
    VideoOptions {
        retention: MemoryRetention::Reachable,
        memory_policy,
        ..VideoOptions::default()
    }
}

/// All policies; the distractor-aware one with thresholds under which the random model finds
/// anchors.
fn policies() -> [MemoryPolicy; 3] {
    [
        MemoryPolicy::Recent,
        MemoryPolicy::Confident(ConfidentMemory::default()),
        MemoryPolicy::DistractorAware(DistractorAwareMemory {
            stride: 2,
            min_iou: -1.0,
            max_area_change: 10.0,
            ..DistractorAwareMemory::default()
        }),
    ]
}

/// A session with object 1 clicked on frame 0.
fn clicked(predictor: &VideoPredictor) -> VideoSession<MemoryFrames> {
    let mut session = predictor.session(video());
    session
        .add_clicks(0, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    session
}

/// The same with another object, whose mask is given on frame 4.
fn prompted(predictor: &VideoPredictor) -> VideoSession<MemoryFrames> {
    let mut session = clicked(predictor);
    let mask = Mask::from_fn(208, 152, |x, y| (20..60).contains(&x) && y > 40);
    session.add_mask(4, 2, &mask).unwrap();
    session
}

fn track(session: &mut VideoSession<MemoryFrames>, how: Propagation) -> Vec<FrameResult> {
    let results = session.propagate(how).unwrap();
    results.collect::<Result<_, _>>().unwrap()
}

/// The last frame of a masklet under a policy.
fn last_under(memory_policy: MemoryPolicy) -> FrameResult {
    let predictor = VideoPredictor::with_options(&model(), options(memory_policy));
    track(&mut clicked(&predictor), Propagation::default())
        .pop()
        .unwrap()
}

/// Tracks up to `stop`, saves, and goes on in a new session.
fn interrupted(predictor: &VideoPredictor, stop: usize, path: &Path) -> Vec<FrameResult> {
    let mut session = prompted(predictor);
    let first = Propagation {
        max_frames: Some(stop),
        ..Propagation::default()
    };
    let mut results = track(&mut session, first);
    session.save(path, "frame and more").unwrap();

    let saved = SavedSession::open(path).unwrap();
    assert_eq!(saved.note(), "frame and more");
    let mut session = predictor.resume(&saved, video()).unwrap();
    let rest = Propagation {
        start: Some(stop),
        ..Propagation::default()
    };
    results.extend(track(&mut session, rest));
    results
}

#[test]
fn a_saved_session_goes_on_as_if_it_had_not_been_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.state");
    for policy in policies() {
        let predictor = VideoPredictor::with_options(&model(), options(policy));
        let expected = track(&mut prompted(&predictor), Propagation::default());
        assert!(expected.iter().any(|r| !r.objects[0].mask().is_empty()));
        for stop in [1, 6] {
            // Results are long: a failure should not print them.
            assert!(interrupted(&predictor, stop, &path) == expected);
        }
    }
}

#[test]
fn each_policy_changes_what_is_remembered() {
    let [recent, _, distractors] = policies().map(last_under);
    let never = last_under(MemoryPolicy::Confident(ConfidentMemory {
        min_iou: 2.0,
        min_object_score: 0.0,
    }));
    assert!(recent != distractors && recent != never && distractors != never);
}

#[test]
fn with_every_frame_accepted_the_confident_policy_is_the_reference() {
    let all = MemoryPolicy::Confident(ConfidentMemory {
        min_iou: f32::NEG_INFINITY,
        min_object_score: f32::NEG_INFINITY,
    });
    assert!(last_under(all) == last_under(MemoryPolicy::Recent));
}

#[test]
fn prompts_that_were_not_yet_tracked_are_saved_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.state");
    let predictor = VideoPredictor::new(&model());
    let mut session = predictor.session(video());
    let prompted = session
        .add_clicks(3, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    session.save(&path, "").unwrap();
    let saved = SavedSession::open(&path).unwrap();
    let mut restored = predictor.resume(&saved, video()).unwrap();
    assert!(restored.masks_on(3).unwrap() == prompted);
    let more = [Click::negative(90.0, 90.0)];
    let [restored, unsaved] = [&mut restored, &mut session].map(|session| {
        session
            .add_clicks(3, 1, &more, ClickHistory::Append)
            .unwrap()
    });
    assert!(restored == unsaved);
}

#[test]
fn a_saved_stream_goes_on_with_the_next_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream.state");
    let model = model();
    let mut tracker = StreamTracker::new(&model);
    let mut expected = Vec::new();
    for (frame, picture) in frames(FRAMES).into_iter().enumerate() {
        expected.push(tracker.push(picture).unwrap());
        if frame == 2 {
            tracker
                .add_clicks(1, &CLICK, ClickHistory::Replace)
                .unwrap();
            tracker.save(&path, "").unwrap();
        }
    }
    let saved = SavedSession::open(&path).unwrap();
    let options = StreamTracker::default_options();
    let mut resumed = StreamTracker::resume(&model, options, &saved, 3).unwrap();
    for (picture, expected) in frames(FRAMES).into_iter().zip(expected).skip(3) {
        assert!(resumed.push(picture).unwrap() == expected);
    }
}

#[test]
fn what_is_not_a_session_of_this_model_and_video_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.state");
    let predictor = VideoPredictor::new(&model());
    let mut session = predictor.session(video());
    session
        .add_clicks(0, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    session.save(&path, "").unwrap();

    let saved = SavedSession::open(&path).unwrap();
    let other = Model::random(&config("sam2"), 1, Compute::default()).unwrap();
    let error = VideoPredictor::new(&other)
        .resume(&saved, video())
        .unwrap_err();
    assert!(
        error.to_string().contains("another configuration"),
        "{error}"
    );
    let small = masklet_media::RgbImage::filled(8, 8, [0; 3]).unwrap();
    let small = MemoryFrames::new(vec![small]).unwrap();
    let error = predictor.resume(&saved, small).unwrap_err();
    assert!(error.to_string().contains("208×152"), "{error}");

    let checkpoint = common::fixture("sam2.1/model.pt");
    let error = SavedSession::open(checkpoint).unwrap_err();
    assert!(error.to_string().contains("not a saved session"), "{error}");
    assert!(SavedSession::open(folder.path().join("none")).is_err());

    // Cut off anywhere, the file is an error and no panic.
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(bytes.len() / 50) {
        fs::write(&path, &bytes[..length]).unwrap();
        let restored =
            SavedSession::open(&path).and_then(|s| predictor.resume(&s, video()).map(drop));
        assert!(restored.is_err(), "{length} bytes");
    }
}
