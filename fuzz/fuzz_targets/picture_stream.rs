//! Pictures back to back, as on standard input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use masklet_media::{FrameSource, Frames, PictureStream};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut stream) = PictureStream::new(bytes, "fuzzed") else {
        return;
    };
    let dimensions = stream.dimensions();
    for frame in Frames::from(&mut stream, 0).map_while(Result::ok) {
        assert_eq!(frame.dimensions(), dimensions);
    }
});
