//! The frame after the one that is tracked is encoded meanwhile: nothing but the time shows it.

mod common;

use std::sync::{Arc, Mutex};

use common::{UnknownLength, config, frames};
use masklet::{
    Click, ClickHistory, Compute, Direction, FrameResult, Model, Propagation, VideoOptions,
    VideoPredictor, VideoSession,
};
use masklet_media::{FrameSource, MediaError, MemoryFrames, RgbImage};

const FRAMES: usize = 6;

/// A video that notes which frames are read, and fails once on one of them.
struct Noted {
    frames: MemoryFrames,
    read: Arc<Mutex<Vec<usize>>>,
    fails: Option<usize>,
}

impl FrameSource for Noted {
    fn dimensions(&self) -> (u32, u32) {
        self.frames.dimensions()
    }

    fn frame_count(&self) -> Option<usize> {
        self.frames.frame_count()
    }

    fn frame(&mut self, index: usize) -> masklet_media::Result<Option<RgbImage>> {
        self.read.lock().unwrap().push(index);
        if self.fails.take_if(|fails| *fails == index).is_some() {
            return Err(MediaError::SizeMismatch {
                what: format!("frame {index}"),
                found: (1, 1),
                expected: self.dimensions(),
            });
        }
        self.frames.frame(index)
    }
}

fn clicked<S: FrameSource>(source: S) -> VideoSession<S> {
    let model = Model::random(&config("sam2.1"), 1, Compute::default()).unwrap();
    let options = VideoOptions {
        cached_frames: 1,
        ..VideoOptions::default()
    };
    let mut session = VideoPredictor::with_options(&model, options).session(source);
    let click = [Click::positive(31.0, 61.0)];
    session
        .add_clicks(0, 1, &click, ClickHistory::Replace)
        .unwrap();
    session
}

fn noted(fails: Option<usize>) -> (Noted, Arc<Mutex<Vec<usize>>>) {
    let read = Arc::default();
    let noted = Noted {
        frames: MemoryFrames::new(frames(FRAMES)).unwrap(),
        read: Arc::clone(&read),
        fails,
    };
    (noted, read)
}

/// Runs a check on a thread of its own, and on one of a pool's two: there it may have to encode
/// the frame that it waits for.
fn everywhere(check: impl Fn() + Send + Sync) {
    check();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
    pool.build().unwrap().install(check);
}

#[test]
fn the_masks_are_those_of_tracking_frame_by_frame() {
    everywhere(|| {
        let mut session = clicked(noted(None).0);
        let tracked = session.propagate(Propagation::default()).unwrap();
        let tracked: Vec<FrameResult> = tracked.map(Result::unwrap).collect();

        let mut session = clicked(noted(None).0);
        let one_by_one = (0..FRAMES).map(|frame| session.track(frame, Direction::Forward, &[1]));
        let one_by_one: Vec<FrameResult> = one_by_one.map(Result::unwrap).collect();
        assert_eq!(tracked, one_by_one);
    });
}

#[test]
fn frames_are_read_in_order_and_once() {
    everywhere(|| {
        let (source, read) = noted(None);
        let mut session = clicked(source);
        let tracked = session.propagate(Propagation::default()).unwrap();
        assert_eq!(tracked.count(), FRAMES);
        // The last one finds the end.
        let forward: Vec<usize> = (0..=FRAMES).collect();
        assert_eq!(*read.lock().unwrap(), forward);

        // Back from the last frame, which is kept.
        let back = Propagation {
            start: Some(FRAMES - 1),
            ..Propagation::backward()
        };
        assert_eq!(session.propagate(back).unwrap().count(), FRAMES);
        let backward = (0..FRAMES - 1).rev();
        let both: Vec<usize> = forward.into_iter().chain(backward).collect();
        assert_eq!(*read.lock().unwrap(), both);
    });
}

#[test]
fn frames_that_are_not_wanted_are_not_read() {
    everywhere(|| {
        let (source, read) = noted(None);
        let mut session = clicked(source);
        let two = Propagation {
            max_frames: Some(2),
            ..Propagation::default()
        };
        assert_eq!(session.propagate(two).unwrap().count(), 2);
        assert_eq!(*read.lock().unwrap(), [0, 1]);
    });
}

#[test]
fn a_frame_that_cannot_be_read_is_an_error_when_it_is_its_turn() {
    everywhere(|| {
        let mut session = clicked(noted(Some(3)).0);
        let mut tracked = session.propagate(Propagation::default()).unwrap();
        for frame in 0..3 {
            assert_eq!(tracked.next().unwrap().unwrap().frame, frame);
        }
        let error = tracked.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("frame 3"), "{error}");
        assert!(tracked.next().is_none());

        // It is read again, and tracking goes on.
        let rest = Propagation {
            start: Some(3),
            ..Propagation::default()
        };
        let rest = session.propagate(rest).unwrap().map(Result::unwrap);
        let mut whole = clicked(noted(None).0);
        let whole = whole.propagate(Propagation::default()).unwrap();
        let whole = whole.map(Result::unwrap).skip(3);
        assert!(rest.eq(whole));
    });
}

#[test]
fn a_video_of_unknown_length_ends_where_it_ends() {
    everywhere(|| {
        let video = MemoryFrames::new(frames(FRAMES)).unwrap();
        let mut session = clicked(UnknownLength(video));
        let tracked = session.propagate(Propagation::default()).unwrap();
        assert_eq!(tracked.map(Result::unwrap).count(), FRAMES);
    });
}
