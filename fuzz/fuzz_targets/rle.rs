//! A run-length encoding as it stands in a JSON file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use masklet_media::Rle;

/// Decoding takes a byte for each pixel, however short the encoding is.
const MOST_PIXELS: u64 = 1 << 20;

fuzz_target!(|input: (u32, u32, &str)| {
    let (height, width, counts) = input;
    let Ok(rle) = Rle::from_counts_string(height, width, counts) else {
        return;
    };
    let again = Rle::from_counts_string(height, width, &rle.counts_string());
    assert_eq!(again.as_ref(), Ok(&rle));
    if u64::from(height) * u64::from(width) > MOST_PIXELS {
        return;
    }
    let mask = rle.decode();
    assert_eq!(mask.area(), rle.area());
    assert_eq!(Rle::encode(&mask).decode(), mask);
});
