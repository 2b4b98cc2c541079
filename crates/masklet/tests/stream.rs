//! [`StreamTracker`]: frames that come one by one.

mod common;

use common::{UnknownLength, frames};
use masklet::{
    Click, ClickHistory, Error, FrameResult, MemoryRetention, Model, Propagation, StreamTracker,
    VideoOptions, VideoPredictor,
};
use masklet_media::{Mask, MemoryFrames, RgbImage};

const CLICK: [Click; 1] = [Click::positive(31.0, 61.0)];
const OTHER: [Click; 1] = [Click::positive(120.0, 40.0)];

fn model() -> Model {
    common::model("sam2.1")
}

#[test]
fn a_stream_gives_the_masks_of_a_video_of_unknown_length() {
    let model = model();
    let video = UnknownLength(MemoryFrames::new(frames(10)).unwrap());
    let mut session = VideoPredictor::new(&model).session(video);
    session
        .add_clicks(0, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    let expected: Vec<FrameResult> = session
        .propagate(Propagation::default())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();

    let mut tracker = StreamTracker::new(&model);
    for (frame, picture) in frames(10).into_iter().enumerate() {
        let mut result = tracker.push(picture).unwrap();
        if frame == 0 {
            assert!(result.objects.is_empty());
            result = tracker
                .add_clicks(1, &CLICK, ClickHistory::Replace)
                .unwrap();
        }
        assert!(result == expected[frame], "frame {frame}");
    }
}

#[test]
fn objects_come_and_go_while_the_stream_runs() {
    let mut tracker = StreamTracker::new(&model());
    let ids = |result: &FrameResult| result.objects.iter().map(|o| o.id).collect::<Vec<_>>();
    for (frame, picture) in frames(10).into_iter().enumerate() {
        let result = tracker.push(picture).unwrap();
        assert_eq!(result.frame, frame);
        match frame {
            2 => {
                let mask = Mask::from_fn(208, 152, |x, y| (20..60).contains(&x) && y > 40);
                assert_eq!(ids(&tracker.add_mask(7, &mask).unwrap()), [7]);
            }
            5 => {
                let result = tracker
                    .add_clicks(3, &OTHER, ClickHistory::Replace)
                    .unwrap();
                assert_eq!(ids(&result), [7, 3]);
            }
            6 => {
                let corrected = tracker.add_clicks(7, &OTHER, ClickHistory::Append).unwrap();
                assert!(result.object(7) != corrected.object(7));
            }
            8 => tracker.remove_object(7).unwrap(),
            _ => {}
        }
        let expected: &[u32] = match frame {
            0..=2 => &[],
            3..=5 => &[7],
            6..=8 => &[7, 3],
            _ => &[3],
        };
        assert_eq!(ids(&result), expected, "frame {frame}");
    }
}

#[test]
fn a_prompt_before_the_first_frame_is_an_error() {
    let mut tracker = StreamTracker::new(&model());
    let error = tracker
        .add_clicks(1, &CLICK, ClickHistory::Replace)
        .unwrap_err();
    assert!(matches!(error, Error::NoFrameYet), "{error}");
}

#[test]
fn a_frame_of_another_size_is_refused_and_the_stream_goes_on() {
    let mut tracker = StreamTracker::new(&model());
    let pictures = frames(3);
    tracker.push(pictures[0].clone()).unwrap();
    tracker
        .add_clicks(1, &CLICK, ClickHistory::Replace)
        .unwrap();
    let small = RgbImage::filled(8, 8, [0; 3]).unwrap();
    let error = tracker.push(small).unwrap_err();
    assert!(error.to_string().contains("frame 1"), "{error}");
    assert_eq!(tracker.push(pictures[1].clone()).unwrap().frame, 1);
}

#[test]
fn prompting_without_end_keeps_a_bounded_number_of_prompted_frames() {
    let options = VideoOptions {
        conditioning_limit: std::num::NonZeroUsize::new(3),
        ..StreamTracker::default_options()
    };
    assert_eq!(options.retention, MemoryRetention::Reachable);
    let mut tracker = StreamTracker::with_options(&model(), options);
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for (frame, picture) in frames(10).into_iter().cycle().take(60).enumerate() {
        tracker.push(picture).unwrap();
        tracker
            .add_clicks(1, &CLICK, ClickHistory::Replace)
            .unwrap();
        if frame % 20 == 19 {
            let path = folder.path().join("state");
            tracker.save(&path, "").unwrap();
            sizes.push(std::fs::metadata(path).unwrap().len());
        }
    }
    // All that a tracker knows is in the file. Numbers of frames have more digits later.
    assert!(sizes[2] < sizes[0] + 200, "{sizes:?}");
}
