//! A whole MP4 file, index and compressed frames.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use masklet_media::{FrameSource, Mp4Video};

fuzz_target!(|file: &[u8]| {
    let Ok(mut video) = Mp4Video::from_reader(Cursor::new(file), "fuzzed") else {
        return;
    };
    let dimensions = video.dimensions();
    let frames = video.frame_count().expect("a file knows");
    let _ = (video.frame_rate(), video.presentation_time(frames / 2));
    // In order, then back to the beginning, then near the end.
    for index in (0..frames.min(12)).chain([0, frames - 1]) {
        if let Ok(Some(frame)) = video.frame(index) {
            assert_eq!(frame.dimensions(), dimensions);
        }
    }
});
