//! What can be read: pictures, and videos.

use masklet_media::RgbImage;

use super::check::Check;

/// 16×16 pixels, red on the left and blue on the right.
const JPEG: &[u8] = include_bytes!("probe.jpg");
const LEFT: [u8; 3] = [200, 40, 40];
const RIGHT: [u8; 3] = [40, 60, 210];

/// JPEG is lossy: levels by which a pixel may differ.
const JPEG_TOLERANCE: u8 = 8;

/// Each decoder has decoded something.
pub(super) fn checks() -> Vec<Check> {
    vec![verdict("JPEG", jpeg()), verdict("PNG", png())]
}

fn verdict(name: &'static str, outcome: Result<(), String>) -> Check {
    match outcome {
        Ok(()) => Check::ok(name, "decodes"),
        Err(what) => Check::fail(
            name,
            what,
            "the program is damaged: build or install it again",
        ),
    }
}

fn jpeg() -> Result<(), String> {
    let picture = RgbImage::decode(JPEG).map_err(|error| error.to_string())?;
    for (x, expected) in [(3, LEFT), (12, RIGHT)] {
        let found = picture.pixel(x, 8).unwrap_or_default();
        let near = |(a, b): (u8, u8)| a.abs_diff(b) <= JPEG_TOLERANCE;
        if !found.into_iter().zip(expected).all(near) {
            return Err(format!("a pixel of {expected:?} is decoded as {found:?}"));
        }
    }
    Ok(())
}

fn png() -> Result<(), String> {
    let pixels = (0..7 * 5 * 3).map(|i| (i * 37 % 251) as u8).collect();
    let written = RgbImage::from_raw(7, 5, pixels).map_err(|error| error.to_string())?;
    let bytes = written.to_png().map_err(|error| error.to_string())?;
    let read = RgbImage::decode(&bytes).map_err(|error| error.to_string())?;
    if read.pixels() == written.pixels() {
        Ok(())
    } else {
        Err("a picture is not decoded as it was encoded".to_owned())
    }
}
