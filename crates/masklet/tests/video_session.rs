//! Behaviour of [`VideoSession`] on a random micro model: misuse, dropped iterators, bounds.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{config, frames};
use masklet::{
    BoxPrompt, Click, ClickHistory, Compute, Error, FrameResult, MemoryRetention, Model,
    ObjectMask, Propagation, VideoOptions, VideoPredictor, VideoSession, clicks_from_labels,
};
use masklet_media::{FrameSource, Mask, MemoryFrames, RgbImage};

const FRAMES: usize = 10;
const CLICK: [Click; 1] = [Click::positive(31.0, 61.0)];

fn session_with(options: VideoOptions) -> VideoSession<MemoryFrames> {
    let model = Model::random(&config("sam2.1"), 1, Compute::default()).unwrap();
    let video = MemoryFrames::new(frames(FRAMES)).unwrap();
    VideoPredictor::with_options(&model, options).session(video)
}

fn session() -> VideoSession<MemoryFrames> {
    session_with(VideoOptions::default())
}

/// A session with object 1 clicked on frame 0.
fn clicked(options: VideoOptions) -> VideoSession<MemoryFrames> {
    let mut session = session_with(options);
    session
        .add_clicks(0, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    session
}

fn track<S: FrameSource>(session: &mut VideoSession<S>, how: Propagation) -> Vec<FrameResult> {
    let results = session.propagate(how).unwrap();
    results.collect::<Result<_, _>>().unwrap()
}

fn visited(results: &[FrameResult]) -> Vec<usize> {
    results.iter().map(|result| result.frame).collect()
}

#[test]
fn a_label_without_a_point_is_an_error() {
    let error = clicks_from_labels(&[[1.0, 2.0]], &[1, 0]).unwrap_err();
    assert!(matches!(
        error,
        Error::LabelCount {
            points: 1,
            labels: 2
        }
    ));
    let error = clicks_from_labels(&[[1.0, 2.0]], &[7]).unwrap_err();
    assert!(matches!(error, Error::UnknownLabel(7)));
}

#[test]
fn a_malformed_prompt_is_an_error_and_adds_no_object() {
    let mut session = session();
    let reversed = BoxPrompt::new(50.0, 10.0, 20.0, 40.0);
    let error = session.add_box(0, 1, reversed, &[]).unwrap_err();
    assert!(matches!(error, Error::BoxReversed { .. }), "{error}");
    let beyond = BoxPrompt::new(50.0, 10.0, 209.0, 40.0);
    let error = session.add_box(0, 1, beyond, &[]).unwrap_err();
    assert!(matches!(error, Error::PointOutside { .. }), "{error}");
    for (x, y) in [(208.0, 5.0), (5.0, 152.0), (-0.5, 5.0), (f32::NAN, 5.0)] {
        let outside = [Click::positive(x, y)];
        let error = session
            .add_clicks(0, 1, &outside, ClickHistory::Replace)
            .unwrap_err();
        assert!(matches!(error, Error::PointOutside { .. }), "{error}");
    }
    let error = session
        .add_clicks(0, 1, &[], ClickHistory::Replace)
        .unwrap_err();
    assert!(matches!(error, Error::EmptyPrompt));
    let error = session.add_mask(0, 1, &Mask::empty(208, 151)).unwrap_err();
    assert!(matches!(
        error,
        Error::MaskSize {
            found: (208, 151),
            expected: (208, 152)
        }
    ));
    assert!(session.objects().is_empty());
}

#[test]
fn a_frame_past_the_end_is_an_error_and_changes_nothing() {
    let mut session = clicked(VideoOptions::default());
    let errors = [
        session
            .add_clicks(FRAMES, 2, &CLICK, ClickHistory::Replace)
            .unwrap_err(),
        session.clear_prompts(FRAMES, 1).unwrap_err(),
        session.masks_on(FRAMES).unwrap_err(),
        session
            .propagate(Propagation {
                start: Some(FRAMES),
                ..Propagation::default()
            })
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(
                error,
                Error::NoSuchFrame {
                    frame: FRAMES,
                    count: FRAMES
                }
            ),
            "{error}"
        );
    }
    assert_eq!(session.objects(), [1]);
}

#[test]
fn an_unknown_object_is_an_error_that_lists_the_known_ones() {
    let mut session = clicked(VideoOptions::default());
    let errors = [
        session.prompted_frames(5).unwrap_err(),
        session.clear_prompts(0, 5).unwrap_err(),
        session.remove_object(5).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, Error::UnknownObject { id: 5, known } if known == &[1]),
            "{error}"
        );
    }
}

#[test]
fn tracking_without_a_prompt_is_an_error() {
    let mut session = session();
    let error = session.propagate(Propagation::default()).unwrap_err();
    assert!(matches!(error, Error::NoPrompts));

    session
        .add_clicks(2, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    session
        .add_clicks(0, 4, &CLICK, ClickHistory::Replace)
        .unwrap();
    session.clear_prompts(0, 4).unwrap();
    let error = session.propagate(Propagation::default()).unwrap_err();
    assert!(
        matches!(error, Error::ObjectWithoutPrompts { id: 4 }),
        "{error}"
    );

    session.remove_object(4).unwrap();
    assert_eq!(
        visited(&track(&mut session, Propagation::default())),
        [2, 3, 4, 5, 6, 7, 8, 9]
    );
}

#[test]
fn all_prompts_of_an_object_can_be_cleared_at_once() {
    let mut session = session();
    for frame in [0, 3] {
        session
            .add_clicks(frame, 1, &CLICK, ClickHistory::Replace)
            .unwrap();
    }
    session.clear_all_prompts(1).unwrap();
    assert!(session.prompted_frames(1).unwrap().is_empty());
    assert_eq!(session.objects(), [1]);
}

#[test]
fn an_object_whose_prompts_were_removed_after_tracking_must_be_prompted_again() {
    let mut session = clicked(VideoOptions::default());
    track(&mut session, Propagation::default());
    session.clear_prompts(0, 1).unwrap();
    assert!(session.prompted_frames(1).unwrap().is_empty());
    let error = session.propagate(Propagation::default()).unwrap_err();
    assert!(
        matches!(error, Error::ObjectWithoutPrompts { id: 1 }),
        "{error}"
    );

    session
        .add_clicks(3, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    assert_eq!(
        visited(&track(&mut session, Propagation::default())),
        [3, 4, 5, 6, 7, 8, 9]
    );
}

#[test]
fn at_most_max_frames_are_visited_in_either_direction() {
    let mut session = session();
    session
        .add_clicks(4, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    let three = |propagation| Propagation {
        max_frames: Some(3),
        ..propagation
    };
    assert_eq!(
        visited(&track(&mut session, three(Propagation::default()))),
        [4, 5, 6]
    );
    assert_eq!(
        visited(&track(&mut session, three(Propagation::backward()))),
        [4, 3, 2]
    );
    assert_eq!(
        visited(&track(&mut session, Propagation::backward())),
        [4, 3, 2, 1, 0]
    );

    let mut tracking = session.propagate(three(Propagation::default())).unwrap();
    let left = [3, 2, 1, 0].map(|left| {
        assert_eq!(tracking.frames_left(), Some(left));
        tracking.next().is_some()
    });
    assert_eq!(left, [true, true, true, false]);
}

#[test]
fn tracking_that_is_dropped_midway_continues_where_it_stopped() {
    let at_once = track(
        &mut clicked(VideoOptions::default()),
        Propagation::default(),
    );

    let mut session = clicked(VideoOptions::default());
    let tracking = session.propagate(Propagation::default()).unwrap();
    let mut results: Vec<_> = tracking.take(4).map(Result::unwrap).collect();
    let rest = Propagation {
        start: Some(4),
        ..Propagation::default()
    };
    results.extend(track(&mut session, rest));
    assert_eq!(results, at_once);
}

#[test]
fn the_masks_on_a_frame_can_be_asked_for_at_any_time() {
    let mut session = clicked(VideoOptions::default());
    let after_click = session.masks_on(0).unwrap();
    assert_eq!(after_click.objects.len(), 1);
    assert!(session.masks_on(3).unwrap().objects.is_empty());

    let results = track(&mut session, Propagation::default());
    assert_eq!(results[0], after_click);
    for result in &results {
        assert_eq!(&session.masks_on(result.frame).unwrap(), result);
    }
    session.reset();
    assert!(session.masks_on(0).unwrap().objects.is_empty());
}

#[test]
fn memories_that_are_no_longer_reachable_do_not_matter_in_one_pass() {
    let mut config = config("sam2.1");
    // Short memories, so that some of them are forgotten in a short video.
    config.memory.num_maskmem = 3;
    config.memory.max_object_pointers = 3;
    let model = Model::random(&config, 1, Compute::default()).unwrap();
    let [whole, reachable] =
        [MemoryRetention::WholeVideo, MemoryRetention::Reachable].map(|retention| {
            let options = VideoOptions {
                retention,
                ..VideoOptions::default()
            };
            let video = MemoryFrames::new(frames(FRAMES)).unwrap();
            let mut session = VideoPredictor::with_options(&model, options).session(video);
            session
                .add_clicks(0, 1, &CLICK, ClickHistory::Replace)
                .unwrap();
            let results = track(&mut session, Propagation::default());
            (results, session.masks_on(1).unwrap().objects.len())
        });
    assert_eq!(whole.0, reachable.0);
    assert_eq!((whole.1, reachable.1), (1, 0));
}

/// A video that counts how often a frame is read.
struct Counted(MemoryFrames, Arc<AtomicUsize>);

impl FrameSource for Counted {
    fn dimensions(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn frame_count(&self) -> Option<usize> {
        self.0.frame_count()
    }

    fn frame(&mut self, index: usize) -> masklet_media::Result<Option<RgbImage>> {
        let frame = self.0.frame(index)?;
        self.1
            .fetch_add(usize::from(frame.is_some()), Ordering::Relaxed);
        Ok(frame)
    }
}

/// What two objects look like on all frames, and how many frames were read for it.
fn two_objects(cached_frames: usize) -> (Vec<FrameResult>, usize) {
    let model = Model::random(&config("sam2.1"), 1, Compute::default()).unwrap();
    let options = VideoOptions {
        cached_frames,
        ..VideoOptions::default()
    };
    let reads = Arc::new(AtomicUsize::new(0));
    let video = Counted(MemoryFrames::new(frames(4)).unwrap(), reads.clone());
    let mut session = VideoPredictor::with_options(&model, options).session(video);
    let mut results = Vec::new();
    for (id, frame) in [(1, 0), (2, 3), (1, 2), (2, 0)] {
        let result = session.add_clicks(frame, id, &CLICK, ClickHistory::Replace);
        results.push(result.unwrap());
    }
    results.extend(track(&mut session, Propagation::default()));
    (results, reads.load(Ordering::Relaxed))
}

#[test]
fn a_cache_saves_reading_frames_again_and_changes_no_mask() {
    let (without, read_without) = two_objects(0);
    let (small, read_small) = two_objects(2);
    let (large, read_large) = two_objects(4);
    assert_eq!(without, small);
    assert_eq!(without, large);
    assert_eq!(read_large, 4, "each frame once");
    assert!(read_without > read_small && read_small > read_large);
}

#[test]
fn objects_do_not_influence_each_other() {
    let alone = track(
        &mut clicked(VideoOptions::default()),
        Propagation::default(),
    );
    let mut session = clicked(VideoOptions::default());
    let bounds = BoxPrompt::new(128.0, 10.0, 173.0, 62.0);
    session.add_box(2, 2, bounds, &[]).unwrap();
    let together = track(&mut session, Propagation::default());
    let first = |result: &FrameResult| -> ObjectMask { result.object(1).unwrap().clone() };
    assert_eq!(
        alone.iter().map(first).collect::<Vec<_>>(),
        together.iter().map(first).collect::<Vec<_>>()
    );
}
