//! Sessions that are led frame by frame, and those whose memories are made again from masks.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{frames, model};
use masklet::{
    Click, ClickHistory, Direction, Error, FrameResult, Propagation, VideoPredictor, VideoSession,
};
use masklet_media::{FrameSource, Mask, MemoryFrames, RgbImage};

const FRAMES: usize = 6;
const CLICK: [Click; 1] = [Click::positive(31.0, 61.0)];
const CORRECTION: [Click; 1] = [Click::positive(50.0, 80.0)];

/// Frames that count how often one is read.
struct Counted(MemoryFrames, Arc<AtomicUsize>);

impl FrameSource for Counted {
    fn dimensions(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn frame_count(&self) -> Option<usize> {
        self.0.frame_count()
    }

    fn frame(&mut self, index: usize) -> masklet_media::Result<Option<RgbImage>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.frame(index)
    }
}

fn session() -> VideoSession<MemoryFrames> {
    VideoPredictor::new(&model("sam2.1")).session(MemoryFrames::new(frames(FRAMES)).unwrap())
}

/// A session with two objects clicked on frame 0.
fn clicked() -> VideoSession<MemoryFrames> {
    let mut session = session();
    for (id, clicks) in [(1, &CLICK), (2, &CORRECTION)] {
        session
            .add_clicks(0, id, clicks, ClickHistory::Replace)
            .unwrap();
    }
    session
}

fn tracked(session: &mut VideoSession<MemoryFrames>) -> Vec<FrameResult> {
    let results = session.propagate(Propagation::default()).unwrap();
    results.collect::<Result<_, _>>().unwrap()
}

#[test]
fn tracking_by_hand_is_propagation() {
    let expected = tracked(&mut clicked());
    let mut session = clicked();
    for (frame, expected) in expected.iter().enumerate() {
        // Objects do not know of each other: one at a time gives the same.
        for id in [2, 1] {
            let result = session.track(frame, Direction::Forward, &[id]).unwrap();
            assert_eq!(result.objects.len(), 1);
            assert!(
                result.object(id) == expected.object(id),
                "frame {frame}, object {id}"
            );
        }
    }
}

#[test]
fn an_object_that_is_not_asked_for_may_be_without_prompts() {
    let mut session = clicked();
    session.clear_all_prompts(2).unwrap();
    assert!(session.track(0, Direction::Forward, &[1]).is_ok());
    let error = session.track(0, Direction::Forward, &[2]).unwrap_err();
    assert!(
        matches!(error, Error::ObjectWithoutPrompts { id: 2 }),
        "{error}"
    );
    let error = session.track(0, Direction::Forward, &[3]).unwrap_err();
    assert!(
        matches!(error, Error::UnknownObject { id: 3, .. }),
        "{error}"
    );
    let error = session.track(FRAMES, Direction::Forward, &[1]).unwrap_err();
    assert!(matches!(error, Error::NoSuchFrame { .. }), "{error}");
}

#[test]
fn a_prepared_frame_is_not_read_again() {
    let reads = Arc::new(AtomicUsize::new(0));
    let source = Counted(
        MemoryFrames::new(frames(FRAMES)).unwrap(),
        Arc::clone(&reads),
    );
    let mut session = VideoPredictor::new(&model("sam2.1")).session(source);
    session.prepare(3).unwrap();
    session
        .add_clicks(3, 1, &CLICK, ClickHistory::Replace)
        .unwrap();
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    assert!(matches!(
        session.prepare(FRAMES),
        Err(Error::NoSuchFrame { .. })
    ));
}

#[test]
fn masks_of_an_earlier_session_are_remembered() {
    let mut earlier = clicked();
    let results = tracked(&mut earlier);
    let mask = |frame: usize| results[frame].object(1).unwrap().mask();
    let later = |recalled: std::ops::Range<usize>| {
        let mut session = clicked();
        for frame in recalled {
            session
                .recall(frame, 1, &mask(frame), Direction::Forward)
                .unwrap();
        }
        session
    };
    let next = |session: &mut VideoSession<MemoryFrames>| {
        let result = session.track(5, Direction::Forward, &[1]).unwrap();
        result.objects[0].low_res_logits.clone()
    };
    let apart = |a: &[f32], b: &[f32]| -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
    };
    let expected = results[5].object(1).unwrap().low_res_logits.clone();
    let with = apart(&next(&mut later(1..5)), &expected);
    let without = apart(&next(&mut later(0..0)), &expected);
    assert!(
        with < without,
        "{with} apart with memories, {without} without"
    );

    // A click refines what is remembered, as it would have in the earlier session.
    let correct = |session: &mut VideoSession<MemoryFrames>| {
        let result = session.add_clicks(4, 1, &CORRECTION, ClickHistory::Append);
        result.unwrap().object(1).unwrap().low_res_logits.clone()
    };
    let expected = correct(&mut earlier);
    let with = apart(&correct(&mut later(1..5)), &expected);
    let without = apart(&correct(&mut later(0..0)), &expected);
    assert!(
        with < without,
        "{with} apart with memories, {without} without"
    );
}

#[test]
fn what_was_prompted_is_not_recalled_over() {
    let mut session = clicked();
    let before = session.masks_on(0).unwrap();
    let other = Mask::from_fn(208, 152, |x, _| x < 50);
    session.recall(0, 1, &other, Direction::Forward).unwrap();
    assert!(session.masks_on(0).unwrap() == before);
    let small = Mask::empty(10, 10);
    let error = session
        .recall(1, 1, &small, Direction::Forward)
        .unwrap_err();
    assert!(matches!(error, Error::MaskSize { .. }), "{error}");
    let error = session
        .recall(1, 7, &other, Direction::Forward)
        .unwrap_err();
    assert!(
        matches!(error, Error::UnknownObject { id: 7, .. }),
        "{error}"
    );
}
